//! Bundles: a manifest and its files in the one canonical form that is hashed, stored and started.
//!
//! The same functions and files are the same bytes, whatever the manifest's spelling, and the
//! deployment's id is the beginning of their SHA-256: that makes deploying idempotent.

use super::manifest::{self, Manifest, ManifestError};
use super::warmup;
use crate::cors::{Cors, Policy};
use crate::route::{AppRoutes, DuplicateRoute, FunctionVersion, Pattern, PatternError};
use isle_wire::{Contract, FunctionKind, FunctionSpec, Limits, ModuleKind, ModuleSource};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Files of one deployment. A folder with more was not meant to be sent.
pub const FILES_MAX: usize = 1_000;
/// Text that cells hold of all functions of an app together, in bytes: each has the whole bundle.
/// 128 MiB: two of the longest bundles a cell can be sent.
const RESIDENT_BYTES_MAX: usize = 128 << 20;

/// A deployment's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    code_generation: bool,
    functions: BTreeMap<String, Function>,
    files: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cors: Option<Cors>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    egress_allow: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Function {
    entry: String,
    #[serde(default, skip_serializing_if = "is_auto")]
    kind: FunctionKind,
    routes: Vec<String>,
    limits: Limits,
    env: BTreeMap<String, String>,
    // What says nothing is not written: bundles from before keep their ids.
    #[serde(default, skip_serializing_if = "Contract::is_default")]
    contract: Contract,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cors: Option<Cors>,
    /// Events as JSON; absent when the manifest says nothing, as in bundles of older Isles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warm_ups: Option<Vec<String>>,
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

/// What the node gives any function at most.
#[derive(Clone, Copy, Debug)]
pub struct Allowed<'a> {
    /// Its limits.
    pub limits: &'a Limits,
    /// Whether it may make code from strings.
    pub code_generation: bool,
}

/// Left out of the canonical form: what a deployment does not say does not name it.
fn is_auto(kind: &FunctionKind) -> bool {
    *kind == FunctionKind::Auto
}

/// Why a bundle cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// The manifest is wrong.
    Manifest(ManifestError),
    /// A file is: its path and what is wrong with it.
    File(String, String),
    /// There is too much of it: what, how much, and the most allowed.
    TooLarge(&'static str, usize, usize),
}

impl std::fmt::Display for BundleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BundleError::Manifest(error) => error.fmt(f),
            BundleError::File(path, what) => write!(f, "file `{}` {what}", path.escape_debug()),
            BundleError::TooLarge(what, given, max) => write!(f, "{what}: {given}, expected at most {max}"),
        }
    }
}

impl std::error::Error for BundleError {}

impl From<ManifestError> for BundleError {
    fn from(error: ManifestError) -> BundleError {
        BundleError::Manifest(error)
    }
}

/// A bundle's functions, ready to be checked and published.
#[derive(Clone, Debug)]
pub struct Built {
    /// By name.
    pub functions: BTreeMap<String, BuiltFunction>,
    /// The routes to them.
    pub routes: Arc<AppRoutes>,
}

impl Built {
    /// What is loaded into cells, of all functions.
    pub fn versions(&self) -> Vec<Arc<FunctionVersion>> {
        self.functions.values().map(|function| function.version.clone()).collect()
    }
}

/// One function of a bundle.
#[derive(Clone, Debug)]
pub struct BuiltFunction {
    /// What is loaded into cells.
    pub version: Arc<FunctionVersion>,
    /// Its routes.
    pub routes: Vec<Pattern>,
}

/// A stored bundle that this build of Isle cannot use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(String);

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

impl From<PatternError> for BuildError {
    fn from(error: PatternError) -> BuildError {
        BuildError(error.to_string())
    }
}

impl From<DuplicateRoute> for BuildError {
    fn from(error: DuplicateRoute) -> BuildError {
        BuildError(error.to_string())
    }
}

impl Bundle {
    /// Joins a manifest and its files.
    ///
    /// # Errors
    /// A file that no deployment can have, a function's entry that is not among them, or too much.
    pub fn new(
        manifest: Manifest,
        given: impl IntoIterator<Item = (String, String)>,
        bytes_max: usize,
    ) -> Result<Bundle, BundleError> {
        let mut files = BTreeMap::new();
        let mut bytes = 0;
        for (path, text) in given {
            let wrong = |why: &str| BundleError::File(path.clone(), why.into());
            let normal = manifest::normal_path(&path).map_err(wrong)?;
            if ModuleKind::of_deployed(&normal).is_none() {
                return Err(wrong("is no module: expected a name that ends in .js, .mjs, .json or .js.map"));
            }
            bytes += text.len();
            if files.insert(normal, text).is_some() {
                return Err(wrong("is there twice"));
            }
        }
        if files.len() > FILES_MAX {
            return Err(BundleError::TooLarge("number of files", files.len(), FILES_MAX));
        }
        if bytes > bytes_max {
            return Err(BundleError::TooLarge("bytes of all files", bytes, bytes_max));
        }
        let resident = bytes.saturating_mul(manifest.functions.len());
        if resident > RESIDENT_BYTES_MAX {
            return Err(BundleError::TooLarge("bytes of all files, for each function", resident, RESIDENT_BYTES_MAX));
        }
        let mut functions = BTreeMap::new();
        for (name, function) in manifest.functions {
            if !files.contains_key(&function.entry) {
                let message = format!("is `{}`, which is not among the deployment's files", function.entry);
                let key = format!("functions.{name}.entry");
                return Err(ManifestError { key, line: function.entry_line, message }.into());
            }
            let routes = function.routes.iter().map(|r| String::from_utf8_lossy(r.key()).into_owned()).collect();
            let warm_ups =
                warmup::resolve(function.warm_ups, &function.routes, function.contract.payload_format, &files)
                    .map_err(|(line, message)| ManifestError {
                        key: format!("functions.{name}.warmup"),
                        line,
                        message,
                    })?;
            let manifest::Function { entry, kind, limits, env, contract, cors, .. } = function;
            functions.insert(name, Function { entry, kind, routes, limits, env, contract, cors, warm_ups });
        }
        Ok(Bundle {
            code_generation: manifest.code_generation,
            functions,
            files,
            cors: manifest.cors,
            egress_allow: manifest.egress_allow,
        })
    }

    /// The canonical form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("maps with string keys always encode")
    }

    /// Reads a canonical form back.
    ///
    /// # Errors
    /// Where it is none.
    pub fn decode(bytes: &[u8]) -> Result<Bundle, BuildError> {
        serde_json::from_slice(bytes).map_err(|error| BuildError(error.to_string()))
    }

    /// The modules alone.
    pub fn into_modules(self) -> BTreeMap<String, ModuleSource> {
        modules(self.files)
    }

    /// The functions of this bundle as one tenant's app. Limits above the node's, which may have been
    /// lowered since it was deployed, are lowered.
    ///
    /// # Errors
    /// Only for a bundle that an older Isle stored and this one does not understand, and for one
    /// that no cell can be sent.
    pub fn into_drafts(
        self,
        tenant: &str,
        app: &str,
        deployment: &str,
        allowed: Allowed<'_>,
    ) -> Result<Drafts, BuildError> {
        let Bundle { code_generation, functions: stored, files, cors, egress_allow } = self;
        let mut modules = modules(files);
        let mut functions = BTreeMap::new();
        for (name, function) in stored {
            let mut spec = FunctionSpec {
                tenant: tenant.into(),
                app: app.into(),
                function: name.clone(),
                deployment: deployment.into(),
                entry: function.entry,
                kind: function.kind,
                modules: std::mem::take(&mut modules),
                env: function.env,
                limits: manifest::lowered(&function.limits, allowed.limits),
                code_generation: code_generation && allowed.code_generation,
                contract: function.contract,
                egress_allow: egress_allow.clone(),
                artifact: String::new(),
            };
            // Packed, it is no longer than that but for the lengths of its texts.
            let bytes = encoded_bytes(&spec) + 64 + 24 * spec.modules.len();
            modules = std::mem::take(&mut spec.modules);
            if bytes > isle_wire::FRAME_BYTES_MAX {
                return Err(BuildError(format!("function `{name}` is too large to be sent to a cell")));
            }
            let routes = function.routes.iter().map(|text| Pattern::parse(text)).collect::<Result<Vec<_>, _>>()?;
            let warm_ups =
                function.warm_ups.unwrap_or_else(|| warmup::default_warm_ups(&routes, spec.contract.payload_format));
            functions.insert(name, Draft { spec, routes, warm_ups, cors: function.cors });
        }
        Ok(Drafts { modules: Arc::new(modules), functions, cors })
    }

    /// The functions and routes of this bundle, for a node that stores nothing: each function holds
    /// its own text.
    ///
    /// # Errors
    /// As [`Bundle::into_drafts`].
    pub fn build(
        &self,
        tenant: &str,
        app: &str,
        deployment: &str,
        cell_group: &str,
        allowed: Allowed<'_>,
    ) -> Result<Built, BuildError> {
        let drafts = self.clone().into_drafts(tenant, app, deployment, allowed)?;
        drafts.build(|drafts, draft| FunctionVersion::new(drafts.whole(draft), cell_group.into()))
    }
}

/// A bundle's functions before it is known how they are started.
#[derive(Clone, Debug)]
pub struct Drafts {
    /// What all of them have.
    pub modules: Arc<BTreeMap<String, ModuleSource>>,
    /// By name.
    pub functions: BTreeMap<String, Draft>,
    /// Who in a browser may read what they answer.
    pub cors: Option<Cors>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it is, without its modules.
    pub spec: FunctionSpec,
    /// Its routes.
    pub routes: Vec<Pattern>,
    /// What its builder calls it with.
    pub warm_ups: Vec<String>,
    /// Who in a browser may read its answers; `None`: as the app says.
    pub cors: Option<Cors>,
}

impl Drafts {
    /// A function's spec with its modules.
    pub fn whole(&self, draft: &Draft) -> FunctionSpec {
        FunctionSpec { modules: (*self.modules).clone(), ..draft.spec.clone() }
    }

    /// Makes the versions, each by `make`, and the routes to them.
    ///
    /// # Errors
    /// When two functions have one route, which no manifest can say.
    pub fn build(&self, make: impl Fn(&Drafts, &Draft) -> FunctionVersion) -> Result<Built, BuildError> {
        let mut functions = BTreeMap::new();
        let mut routes = Vec::new();
        for (name, draft) in &self.functions {
            let version = Arc::new(make(self, draft));
            routes.extend(draft.routes.iter().map(|pattern| (pattern.clone(), version.clone())));
            functions.insert(name.clone(), BuiltFunction { version, routes: draft.routes.clone() });
        }
        let policy = |cors: &Option<Cors>| cors.as_ref().map(|cors| Arc::new(Policy::new(cors)));
        let own = |name: &str| self.functions.get(name).and_then(|function| policy(&function.cors));
        let routes = AppRoutes::build(routes)?.with_cors(policy(&self.cors), own);
        Ok(Built { functions, routes: Arc::new(routes) })
    }
}

/// The length of a spec as JSON, without the JSON.
fn encoded_bytes(spec: &FunctionSpec) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, spec).expect("maps with string keys always encode");
    count.0
}

fn modules(files: BTreeMap<String, String>) -> BTreeMap<String, ModuleSource> {
    let module = |(path, text): (String, String)| {
        let kind = ModuleKind::of_deployed(&path)?;
        Some((path, ModuleSource { kind, text }))
    };
    files.into_iter().filter_map(module).collect()
}

/// SHA-256 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The id of the deployment whose canonical form has this digest.
pub fn id_of(digest: &str) -> String {
    digest.chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "app = \"blog\"\n[functions.hello]\nentry = \"hello.js\"\n";

    fn bundle(manifest: &str, files: &[(&str, &str)], max: usize) -> Result<Bundle, BundleError> {
        let manifest = manifest::parse(manifest, &Limits::default()).unwrap();
        Bundle::new(manifest, files.iter().map(|(path, text)| (path.to_string(), text.to_string())), max)
    }

    #[test]
    fn spelling_does_not_change_the_id_and_content_does() {
        let id = |manifest: &str, files| id_of(&digest(&bundle(manifest, files, 100).unwrap().encode()));
        let first = id(MANIFEST, &[("hello.js", "a"), ("x.json", "1")]);
        let spelled = "# hi\napp=\"blog\"\nfunctions.hello = { entry = './hello.js', routes = ['$default'] }";
        assert_eq!(first, id(spelled, &[("x.json", "1"), ("./hello.js", "a")]));
        assert_eq!(first.len(), 16);
        assert_ne!(first, id(MANIFEST, &[("hello.js", "b"), ("x.json", "1")]));
        assert_ne!(first, id(&MANIFEST.replace("hello.js", "./x.js"), &[("x.js", "a"), ("x.json", "1")]));
    }

    #[test]
    fn bad_files_are_named() {
        let refused = |files, max| bundle(MANIFEST, files, max).unwrap_err().to_string();
        assert_eq!(
            refused(&[("other.js", "")], 9),
            "isle.toml:3: `functions.hello.entry` is `hello.js`, which is not among the deployment's files"
        );
        assert!(refused(&[("../a.js", "")], 9).contains("`../a.js` contains `..`"));
        assert!(refused(&[("a.html", "")], 9).contains("is no module"));
        assert!(refused(&[("a.js", ""), ("./a.js", "")], 9).contains("twice"));
        assert!(refused(&[("hello.js", "0123456789")], 9).contains("10, expected at most 9"));
        let many: Vec<String> = (0..=FILES_MAX).map(|n| format!("{n}.js")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|path| (path.as_str(), "")).collect();
        assert!(refused(&many, 9).contains("number of files"));
    }

    #[test]
    fn what_was_encoded_is_built_again() {
        let bundle = bundle(MANIFEST, &[("hello.js", "a"), ("x.json", "1")], 9).unwrap();
        let again = Bundle::decode(&bundle.encode()).unwrap();
        assert_eq!(again, bundle);
        let caps = Limits { wall_ms: 10, ..Limits::default() };
        let allowed = Allowed { limits: &caps, code_generation: true };
        let built = again.build("acme", "blog", "d", "@g", allowed).unwrap();
        let version = &built.functions["hello"].version;
        assert_eq!((version.spec.limits.wall_ms, version.cell_group.as_str()), (10, "@g"));
        let sent = FunctionSpec::unpack(&version.held_spec().unwrap().spec).unwrap();
        assert_eq!(sent.modules["x.json"].kind, ModuleKind::Json);
        assert!(built.routes.route("GET", "/").is_some());
        assert!(Bundle::decode(b"{}").is_err());
    }
}
