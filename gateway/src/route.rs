//! Route: host, method and path → function version. Pure; no I/O.
//!
//! The host's label picks the app, the app's [`AppRoutes`] pick the function (R54, R57). Tables are
//! built when something is deployed and never change afterwards; a request takes the current one
//! from [`Routes`] and keeps it, so that a deploy never disturbs a request in flight.
//!
//! Choices where the contract is silent:
//! - `/a/` and `/a` are different paths; `/a/{proxy+}` matches neither, it needs one character.
//! - A `{parameter}` needs at least one character, too.
//! - A path is split at `/` before it is percent-decoded, so `%2F` never splits a segment; `%` that
//!   starts no valid escape stands for itself.
//! - Paths that a URL would not leave as they are ([`is_ambiguous`]) are to be refused, not routed: the
//!   function that they are routed to would see another path.
//! - `HEAD` takes a `GET` route when no `HEAD` or `ANY` route fits; `$default` comes after that.
//! - A path that does not begin with `/` (`OPTIONS *`) reaches only `$default`.

mod decode;
mod pattern;
#[cfg(test)]
mod tests;
mod trie;

pub use pattern::{Pattern, PatternError, ROUTE_BYTES_MAX, ROUTE_SEGMENTS_MAX};
pub use trie::{AppRoutes, DuplicateRoute};

use crate::artifacts::{ArtifactKey, SealedFile};
use crate::cors::Policy;
use bytes::Bytes;
use isle_wire::{FunctionSpec, StartKind};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The longest host label, and so the longest app name, in bytes.
pub const LABEL_BYTES_MAX: usize = 63;

/// One function of one deployment, ready to be loaded into a cell.
#[derive(Debug)]
pub struct FunctionVersion {
    /// Unique in this process, never 0.
    pub id: u64,
    /// What the function is, *without* its modules.
    pub spec: FunctionSpec,
    /// Whose cell runs it: its tenant, or the tenant's trust group.
    pub cell_group: String,
    /// How it is started: `Source`, `Pooled` or `Snapshot`.
    pub plan: StartKind,
    /// What its builder left for that. Without one, a start is from the text.
    pub artifact: Option<ArtifactKey>,
    text: Text,
}

/// Where a function's whole spec is.
#[derive(Debug)]
enum Text {
    /// Here. For functions that nobody stores.
    Held(Packed),
    /// With who stores it: the text of ten thousand functions is not kept in memory.
    Stored(Arc<dyn Texts>),
}

/// Texts of so many bytes and more are in a memory file. The file costs a descriptor and a page or two; the copies
/// that it saves cost a cold start 2 ms for each MB.
const APART_BYTES: usize = 64 << 10;

/// A whole [`FunctionSpec`], modules included, as a cell is sent it.
#[derive(Clone, Debug)]
pub struct Packed {
    /// All of it, or with `texts` all but those.
    pub spec: Bytes,
    /// Its texts, one directly after the other.
    pub texts: Option<Arc<SealedFile>>,
}

impl Packed {
    /// Packs a spec. Takes a millisecond for each MB of its texts.
    pub fn of(spec: FunctionSpec) -> Packed {
        let length: usize = spec.modules.values().map(|module| module.text.len()).sum();
        if length < APART_BYTES {
            return Packed { spec: spec.pack(), texts: None };
        }
        let (head, texts) = spec.pack_apart();
        let texts = texts.concat();
        match SealedFile::sealed(texts.as_bytes()) {
            Ok(file) => Packed { spec: head, texts: Some(Arc::new(file)) },
            // Without descriptors or memory files it goes the slower way.
            Err(_) => Packed { spec: [&head, texts.as_bytes()].concat().into(), texts: None },
        }
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> u64 {
        self.spec.len() as u64 + self.texts.as_ref().map_or(0, |texts| texts.bytes)
    }
}

/// Gives out the text of functions that are stored.
pub trait Texts: Send + Sync + std::fmt::Debug {
    /// The whole [`FunctionSpec`] of a version, modules included, packed.
    fn load<'a>(
        &'a self,
        function: &'a FunctionVersion,
    ) -> Pin<Box<dyn Future<Output = Result<Packed, TextLost>> + Send + 'a>>;
}

/// Why the text of a function is not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextLost(pub String);

impl std::fmt::Display for TextLost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TextLost {}

fn next_id() -> u64 {
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

impl FunctionVersion {
    /// A function that holds its own text and starts in a spare isolate.
    pub fn new(mut spec: FunctionSpec, cell_group: String) -> FunctionVersion {
        let modules = std::mem::take(&mut spec.modules);
        let packed = Packed::of(FunctionSpec { modules, ..spec.clone() });
        let (plan, artifact) = (StartKind::Pooled, None);
        FunctionVersion { id: next_id(), spec, cell_group, plan, artifact, text: Text::Held(packed) }
    }

    /// A function whose text is with `texts`. `spec` is without modules.
    pub fn stored(
        spec: FunctionSpec,
        cell_group: String,
        plan: StartKind,
        artifact: Option<ArtifactKey>,
        texts: Arc<dyn Texts>,
    ) -> FunctionVersion {
        FunctionVersion { id: next_id(), spec, cell_group, plan, artifact, text: Text::Stored(texts) }
    }

    /// The whole [`FunctionSpec`], modules included, packed as a cell is sent it.
    ///
    /// # Errors
    /// It is stored, and the store does not have it any more.
    pub async fn packed_spec(&self) -> Result<Packed, TextLost> {
        match &self.text {
            Text::Held(packed) => Ok(packed.clone()),
            Text::Stored(texts) => texts.load(self).await,
        }
    }

    /// The same, where it is here.
    pub fn held_spec(&self) -> Option<&Packed> {
        match &self.text {
            Text::Held(packed) => Some(packed),
            Text::Stored(_) => None,
        }
    }
}

/// The function that a request goes to.
#[derive(Clone, Debug)]
pub struct Matched {
    /// The function.
    pub function: Arc<FunctionVersion>,
    /// The route as the manifest has it: `GET /hello/{name}` or `$default`.
    pub route_key: Bytes,
    /// Names and percent-decoded values, in the order of the route. Values are bytes: a client
    /// may send escapes that are no UTF-8.
    pub path_parameters: Vec<(Bytes, Bytes)>,
    /// Who in a browser may read the answer, where the manifest says so.
    pub cors: Option<Arc<Policy>>,
}

/// Whether `path` is another one as part of a URL: it has a segment `.` or `..`, which may be escaped,
/// or a backslash, which URLs take for a slash. Browsers and curl have resolved that before they send.
pub fn is_ambiguous(path: &str) -> bool {
    let is_dots = |segment: &str| [&b"."[..], b".."].iter().any(|dots| decode::reads(segment, dots));
    // Nearly every path has none of the three, or dots in names alone.
    memchr::memchr3(b'.', b'%', b'\\', path.as_bytes()).is_some()
        && (path.contains('\\') || path.split('/').any(is_dots))
}

/// Every route of every app of this node.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    /// `.localhost`: what follows the app's label, in lower case.
    suffix: Box<str>,
    apps: HashMap<Box<str>, Arc<AppRoutes>>,
    /// Where hosts go that name no app: only `isle dev` sets it.
    any_host: Option<Arc<AppRoutes>>,
}

impl RouteTable {
    /// A table without apps: they are reached at `<app>.<base_domain>`.
    pub fn new(base_domain: &str) -> RouteTable {
        let suffix = format!(".{}", base_domain.trim_matches('.').to_ascii_lowercase());
        RouteTable { suffix: suffix.into(), ..RouteTable::default() }
    }

    /// Sends every host and every path to one function.
    pub fn single(function: Arc<FunctionVersion>) -> RouteTable {
        Self::any_host(Arc::new(AppRoutes::only(function)))
    }

    /// Sends every host to one app.
    pub fn any_host(app: Arc<AppRoutes>) -> RouteTable {
        RouteTable { any_host: Some(app), ..RouteTable::default() }
    }

    /// Puts `routes` in the place of the app's routes. `app` is a lower-case DNS label.
    pub fn set(&mut self, app: &str, routes: Arc<AppRoutes>) {
        self.apps.insert(app.into(), routes);
    }

    /// Takes the app's routes out, if it has any.
    pub fn remove(&mut self, app: &str) -> Option<Arc<AppRoutes>> {
        self.apps.remove(app)
    }

    /// The app's routes.
    pub fn app(&self, app: &str) -> Option<&Arc<AppRoutes>> {
        self.apps.get(app)
    }

    /// Picks the function for a request. `host` has no port and any case; a trailing dot is
    /// tolerated. `path` is as the client sent it, without the query.
    pub fn route(&self, host: &str, method: &str, path: &str) -> Option<Matched> {
        self.app_of(host)?.route(method, path)
    }

    fn app_of(&self, host: &str) -> Option<&Arc<AppRoutes>> {
        self.by_host(host).or(self.any_host.as_ref())
    }

    /// The CORS policy for requests of this method and path of the host's app.
    pub fn policy(&self, host: &str, method: &str, path: &str) -> Option<Arc<Policy>> {
        self.app_of(host)?.policy(method, path).cloned()
    }

    /// Whether the host's app is a REST API.
    pub fn is_rest(&self, host: &str) -> bool {
        self.app_of(host).is_some_and(|app| app.is_rest())
    }

    fn by_host(&self, host: &str) -> Option<&Arc<AppRoutes>> {
        let host = host.strip_suffix('.').unwrap_or(host).as_bytes();
        let (label, suffix) = host.split_at_checked(host.len().checked_sub(self.suffix.len())?)?;
        if !suffix.eq_ignore_ascii_case(self.suffix.as_bytes()) {
            return None;
        }
        let mut lower = [0; LABEL_BYTES_MAX];
        let lower = lower.get_mut(..label.len())?;
        lower.copy_from_slice(label);
        lower.make_ascii_lowercase();
        self.apps.get(std::str::from_utf8(lower).ok()?)
    }

    /// Every function that some route of the table leads to, once each.
    pub fn functions(&self) -> impl Iterator<Item = &Arc<FunctionVersion>> {
        self.apps.values().chain(&self.any_host).flat_map(|app| app.functions())
    }
}

/// The current table: read by every request, replaced by every deploy.
#[derive(Debug, Default)]
pub struct Routes(RwLock<Arc<RouteTable>>);

impl Routes {
    /// Starts with this table.
    pub fn new(table: Arc<RouteTable>) -> Routes {
        Routes(RwLock::new(table))
    }

    /// The table as it is now. It never changes; a later deploy stores another.
    pub fn load(&self) -> Arc<RouteTable> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts `table` in the place of the current one, for requests that come from now on.
    pub fn store(&self, table: Arc<RouteTable>) {
        let old = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), table);
        // Freed here, outside the lock: it may be the last owner of a whole deployment's text.
        drop(old);
    }
}

/// Entry for a fuzzer: lines of routes, an empty line, then `METHOD path`. Never panics.
#[doc(hidden)]
pub fn fuzz_one(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (routes, request) = text.split_once("\n\n").unwrap_or(("", &text));
    let function = Arc::new(FunctionVersion::new(
        FunctionSpec {
            tenant: String::new(),
            app: String::new(),
            function: String::new(),
            deployment: String::new(),
            entry: String::new(),
            kind: Default::default(),
            modules: BTreeMap::new(),
            env: BTreeMap::new(),
            limits: isle_wire::Limits::default(),
            code_generation: true,
            contract: Default::default(),
            egress_allow: None,
            artifact: String::new(),
        },
        String::new(),
    ));
    let patterns = routes.lines().filter_map(|line| Pattern::parse(line).ok());
    if let Ok(app) = AppRoutes::build(patterns.map(|pattern| (pattern, function.clone()))) {
        let (method, path) = request.split_once(' ').unwrap_or((request, "/"));
        let mut table = RouteTable::new("localhost");
        table.set("a", Arc::new(app));
        table.route("a.localhost", method, path);
        table.route(path, method, path);
        is_ambiguous(path);
    }
}
