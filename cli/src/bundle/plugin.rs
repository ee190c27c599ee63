//! What Isle adds to the bundler: Node's modules that cells have stay outside the bundle, and what
//! cannot be imported is said with the import and the package that asked for it.

use rolldown::plugin::{
    HookLoadArgs, HookLoadOutput, HookLoadReturn, HookResolveIdArgs, HookResolveIdOutput, HookResolveIdReturn,
    HookUsage, Plugin, PluginContext, PluginContextResolveOptions, SharedLoadPluginContext,
};
use rolldown_common::{ImportKind, ModuleType, ResolvedExternal, ResolvedId};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Modules that stand in for what is required but not there.
const ABSENT: &str = "\0isle-absent:";

/// Node's modules that cells do not have. Others that are not found are taken for packages.
const NODE_ONLY: [&str; 26] = [
    "child_process",
    "cluster",
    "console",
    "constants",
    "dgram",
    "dns",
    "domain",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "perf_hooks",
    "readline",
    "repl",
    "sea",
    "sqlite",
    "test",
    "tls",
    "trace_events",
    "tty",
    "v8",
    "vm",
    "worker_threads",
];

/// Modules that a package has for browsers and that need their DOM, with what it has for everybody
/// else. Packages that tell workers from browsers are not here.
const FOR_THE_DOM: [(&str, &str); 1] = [
    // What S3 and other services answer in XML is read by this.
    ("@aws-sdk/xml-builder/dist-es/xml-parser.browser.js", "@aws-sdk/xml-builder/dist-es/xml-parser.js"),
];

/// The module to take in the place of one that needs the DOM.
fn without_dom(id: &str) -> Option<String> {
    let of = |(dom, plain): &(&str, &str)| {
        let folder = id.strip_suffix(dom).filter(|folder| folder.ends_with("node_modules/"))?;
        Some(format!("{folder}{plain}")).filter(|path| Path::new(path).is_file())
    };
    FOR_THE_DOM.iter().find_map(of)
}

/// What was refused, for the author.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<Mutex<Vec<String>>>);

impl Refusals {
    fn add(&self, refusal: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&refusal) {
            all.push(refusal);
        }
    }

    /// All of them.
    pub fn take(&self) -> Vec<String> {
        let mut all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        all.sort();
        all
    }
}

/// The plugin.
#[derive(Debug)]
pub struct Isle {
    root: PathBuf,
    refusals: Refusals,
}

impl Isle {
    /// For the app in `root`.
    pub fn new(root: &Path, refusals: Refusals) -> Isle {
        Isle { root: root.to_owned(), refusals }
    }

    /// An entry is the file that the manifest names, even where an import of that name would mean
    /// another: `a.ts` for `./a.js`. `found` is what an import would mean.
    fn entry(&self, specifier: &str, found: Option<ResolvedId>) -> Option<HookResolveIdOutput> {
        let id = self.root.join(specifier).canonicalize().ok()?.to_str()?.into();
        // Their `package.json` is the same: it says what the module's format is.
        Some(HookResolveIdOutput { id, ..HookResolveIdOutput::from_resolved_id(found?) })
    }

    /// Why `specifier` cannot be imported by `importer`.
    fn refusal(&self, specifier: &str, importer: Option<&str>) -> String {
        let importer = importer.unwrap_or_default();
        let file = importer.strip_prefix(&*self.root.to_string_lossy()).map_or(importer, |rest| rest.trim_matches('/'));
        let asker = match package_of(file) {
            Some(package) => format!("the package `{package}` ({file})"),
            None => file.to_owned(),
        };
        let bare = specifier.strip_prefix("node:").unwrap_or(specifier);
        let name = bare.split('/').next().unwrap_or(bare);
        if specifier.starts_with("node:") || NODE_ONLY.contains(&name) {
            return format!("{asker} imports `{specifier}`, a module of Node that functions do not have");
        }
        if specifier.starts_with(['.', '/']) {
            return format!("{asker} imports `{specifier}`, which is not there");
        }
        let package = name_of(specifier);
        format!("{asker} imports `{specifier}`, which is not in node_modules; `npm install {package}` may be missing")
    }
}

/// `@scope/name` or `name` of a specifier.
fn name_of(specifier: &str) -> String {
    let parts = specifier.split('/').take(if specifier.starts_with('@') { 2 } else { 1 });
    parts.collect::<Vec<_>>().join("/")
}

/// The package that a file belongs to, if it is in `node_modules`.
fn package_of(file: &str) -> Option<String> {
    Some(name_of(file.rsplit_once("node_modules/")?.1))
}

impl Plugin for Isle {
    fn name(&self) -> Cow<'static, str> {
        "isle".into()
    }

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::ResolveId | HookUsage::Load
    }

    async fn resolve_id(&self, ctx: &PluginContext, args: &HookResolveIdArgs<'_>) -> HookResolveIdReturn {
        let specifier = args.specifier;
        if specifier.starts_with('\0') || specifier.starts_with("rolldown:") {
            return Ok(None);
        }
        let node = specifier.strip_prefix("node:").unwrap_or(specifier);
        if isle_runtime::is_node_module(node) {
            return Ok(Some(HookResolveIdOutput {
                id: format!("node:{node}").into(),
                external: Some(ResolvedExternal::Bool(true)),
                ..HookResolveIdOutput::default()
            }));
        }
        let options = PluginContextResolveOptions {
            import_kind: args.kind,
            skip_self: true,
            custom: Arc::clone(&args.custom),
            ..PluginContextResolveOptions::default()
        };
        let resolved = ctx.resolve(specifier, args.importer, Some(options)).await?;
        if args.is_entry {
            return Ok(self.entry(specifier, resolved.ok()));
        }
        match resolved {
            Ok(resolved) if !matches!(resolved.external, ResolvedExternal::Bool(true)) => {
                let mut resolved = HookResolveIdOutput::from_resolved_id(resolved);
                if let Some(id) = without_dom(&resolved.id) {
                    resolved.id = id.into();
                }
                Ok(Some(resolved))
            }
            _ => {
                let refusal = self.refusal(specifier, args.importer);
                // What is only asked for when it comes to that is refused when it comes to that:
                // packages try such things and go on without them.
                if !matches!(args.kind, ImportKind::Require | ImportKind::DynamicImport) {
                    self.refusals.add(refusal.clone());
                }
                Ok(Some(HookResolveIdOutput::from_id(format!("{ABSENT}{refusal}"))))
            }
        }
    }

    async fn load(&self, _ctx: SharedLoadPluginContext, args: &HookLoadArgs<'_>) -> HookLoadReturn {
        let Some(refusal) = args.id.strip_prefix(ABSENT) else { return Ok(None) };
        let message = serde_json::Value::String(refusal.to_owned());
        let code = format!(
            "module.exports = undefined; throw Object.assign(new Error({message}), {{ code: \"MODULE_NOT_FOUND\" }});"
        );
        Ok(Some(HookLoadOutput { code: code.into(), module_type: Some(ModuleType::Js), ..HookLoadOutput::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_the_dom_gives_way_where_there_is_something_else() {
        let root = tempfile::tempdir().unwrap();
        let package = root.path().join("node_modules/@aws-sdk/xml-builder/dist-es");
        let id = package.join("xml-parser.browser.js").to_string_lossy().into_owned();
        assert_eq!(without_dom(&id), None);
        std::fs::create_dir_all(&package).unwrap();
        std::fs::write(package.join("xml-parser.js"), "").unwrap();
        assert_eq!(without_dom(&id), Some(id.replace(".browser", "")));
        assert_eq!(without_dom(&id.replace("node_modules", "mine")), None);
    }

    #[test]
    fn a_refusal_names_the_import_and_who_asked() {
        let isle = Isle::new(Path::new("/app"), Refusals::default());
        assert_eq!(
            isle.refusal("fs", Some("/app/node_modules/@a/b/lib/x.js")),
            "the package `@a/b` (node_modules/@a/b/lib/x.js) imports `fs`, a module of Node that functions do not have"
        );
        assert_eq!(
            isle.refusal("zod/v4", Some("/app/src/hello.ts")),
            "src/hello.ts imports `zod/v4`, which is not in node_modules; `npm install zod` may be missing"
        );
        assert_eq!(isle.refusal("./x", Some("/app/hello.ts")), "hello.ts imports `./x`, which is not there");
    }
}
