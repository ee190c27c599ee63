//! The admin API's answers, as far as the command line shows them. Fields that it does not show
//! are not named here, so that a newer node can be talked to.

use crate::deploy::MANIFEST;
use isle_gateway::control::bundle::BundleError;
use isle_gateway::control::manifest::ManifestError;
use isle_wire::FailureDetail;
use serde::Deserialize;

/// `POST /v1/apps/{app}/deployments` and `…/rollback`.
#[derive(Debug, Deserialize)]
pub struct Deployed {
    /// The app.
    pub app: String,
    /// What is live now.
    pub deployment: String,
    /// Whether it was live before already.
    #[serde(default)]
    pub unchanged: bool,
    /// Its functions.
    pub functions: Vec<Function>,
}

/// One function of a deployment.
#[derive(Debug, Deserialize)]
pub struct Function {
    /// Its name in the app.
    pub name: String,
    /// `GET /hello/{name}`, `$default`, …
    #[serde(default)]
    pub routes: Vec<String>,
    /// For each route, the URL it answers at.
    #[serde(default)]
    pub urls: Vec<String>,
    /// How it is started; absent from nodes that do not say.
    pub start: Option<Start>,
}

/// How a function is started, and what each way costs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Start {
    /// `source`, `pooled`, `snapshot`.
    pub plan: String,
    /// CPU time to the first answer from the text, in µs.
    pub source_us: Option<u64>,
    /// The same with V8's code cache.
    pub pooled_us: Option<u64>,
    /// The same from its own snapshot.
    pub snapshot_us: Option<u64>,
    /// Why it has no snapshot.
    pub refused: Option<String>,
    /// What to change to get one.
    pub hint: Option<String>,
    /// Whether the node is still to find out.
    pub building: bool,
}

/// `details` of what is refused for its content (422).
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// The function that cannot start, if it is about one.
    pub function: Option<String>,
    /// The manifest's key, if it is about one.
    pub key: Option<String>,
    /// `SyntaxError`, `Runtime.HandlerNotFound`, …
    pub error_type: Option<String>,
    /// What is wrong.
    pub message: Option<String>,
    /// The file below the deployment's root.
    pub file: Option<String>,
    /// Counted from 1.
    pub line: Option<u32>,
    /// Counted from 1, in UTF-16 units.
    pub column: Option<u32>,
    /// The stack, if the module threw while it was evaluated.
    pub stack: Option<String>,
}

impl Refused {
    /// The same, said by a cell about a function.
    pub fn of(function: &str, detail: FailureDetail) -> Refused {
        let FailureDetail { error_type, message, file, line, column, stack } = detail;
        Refused {
            function: Some(function.to_owned()),
            key: None,
            error_type: Some(error_type),
            message: Some(message),
            file,
            line,
            column,
            stack,
        }
    }

    /// The same, where that many lines that nobody wrote were put before the manifest.
    pub fn below(mut self, added: u32) -> Refused {
        if self.file.as_deref() == Some(MANIFEST) {
            self.line = self.line.and_then(|line| line.checked_sub(added)).filter(|line| *line > 0);
        }
        self
    }
}

impl From<BundleError> for Refused {
    fn from(error: BundleError) -> Refused {
        match error {
            BundleError::Manifest(ManifestError { key, line, message }) => Refused {
                file: Some(MANIFEST.to_owned()),
                line: u32::try_from(line).ok(),
                key: Some(key),
                message: Some(message),
                ..Refused::default()
            },
            BundleError::File(path, what) => Refused { file: Some(path), message: Some(what), ..Refused::default() },
            error @ BundleError::TooLarge(..) => Refused { message: Some(error.to_string()), ..Refused::default() },
        }
    }
}

/// `GET /v1/apps`.
#[derive(Debug, Deserialize)]
pub struct Apps {
    /// By name.
    pub apps: Vec<App>,
}

/// One app.
#[derive(Debug, Deserialize)]
pub struct App {
    /// Its name.
    pub app: String,
    /// Whose it is.
    pub tenant: String,
    /// What is live.
    pub deployment: String,
    /// When that became so, in ms since 1970.
    pub updated_at: i64,
    /// Whether its stored content cannot be served.
    #[serde(default)]
    pub damaged: bool,
    /// Its functions.
    #[serde(default)]
    pub functions: Vec<Function>,
}

/// `GET /v1/apps/{app}/deployments`.
#[derive(Debug, Deserialize)]
pub struct Deployments {
    /// Newest first.
    pub deployments: Vec<Deployment>,
}

/// One deployment.
#[derive(Debug, Deserialize)]
pub struct Deployment {
    /// Its content's hash.
    pub id: String,
    /// In ms since 1970.
    pub created_at: i64,
    /// Whether it is live.
    pub current: bool,
    /// Its size.
    pub bytes: u64,
}

/// `POST /v1/tenants`.
#[derive(Debug, Deserialize)]
pub struct TenantAdded {
    /// Its name.
    pub tenant: String,
    /// Its token.
    pub token: String,
}

/// `GET /v1/tenants`.
#[derive(Debug, Deserialize)]
pub struct Tenants {
    /// By name.
    pub tenants: Vec<Tenant>,
}

/// One tenant.
#[derive(Debug, Deserialize)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// In ms since 1970.
    pub created_at: i64,
}

/// One line of `GET /v1/apps/{app}/logs`.
#[derive(Debug, Deserialize)]
pub struct LogLine {
    /// In ms since 1970.
    pub time_ms: i64,
    /// Which function wrote it.
    pub function: String,
    /// `log`, `info`, `warn`, `error`, `debug`.
    pub level: String,
    /// What it wrote.
    pub text: String,
}
