//! What `isle dev` serves: one file, or a folder with an `isle.toml`, read anew at every save.

use crate::api::Refused;
use crate::bundle::{self, Purpose, is_source};
use crate::deploy::{MANIFEST, read_manifest};
use crate::failure::{Done, Failure};
use crate::folder::{self, Folder};
use isle_gateway::control::bundle::{Allowed, Bundle, BundleError};
use isle_gateway::control::manifest;
use isle_gateway::route::{FunctionVersion, RouteTable};
use isle_wire::{FunctionSpec, Limits, ModuleKind, ModuleSource};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Tenant of everything in development, and the version it shows.
pub const TENANT: &str = "dev";
/// The most text that a folder may hold, in bytes: as much as a cell can be sent.
const FILES_BYTES_MAX: usize = 32 << 20;

/// Where the code is.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// A file that answers every path.
    File { root: PathBuf, entry: String },
    /// A folder whose manifest has the routes.
    Folder { root: PathBuf },
}

/// What was there at one time.
#[derive(Debug, Default)]
pub struct Code {
    /// The manifest's text, as its author wrote it; empty for a single file.
    pub manifest: String,
    /// The manifest that fits the modules: the same, except for the entries that were bundled.
    pub fitting: String,
    /// The modules.
    pub folder: Folder,
    /// What a single file's module is called where it was bundled.
    pub entry: Option<String>,
    /// Why it could not be bundled.
    pub wrong: Option<String>,
}

impl Source {
    /// Finds out what the user means by `path`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn at(path: &Path) -> Done<Source> {
        let real = path.canonicalize().map_err(|error| Failure::io("open", path, &error))?;
        if real.is_dir() {
            read_manifest(&real)?;
            return Ok(Source::Folder { root: real });
        }
        let name = real.file_name().and_then(|name| name.to_str());
        match (real.parent(), name) {
            (Some(root), Some(name)) if is_source(name) && !name.ends_with(".json") => {
                Ok(Source::File { root: root.to_owned(), entry: name.to_owned() })
            }
            _ => Err(Failure::said(format!(
                "{} is neither a .js, .mjs, .ts, .mts, .tsx or .jsx file nor a folder",
                path.display()
            ))),
        }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        let Source::File { entry: name, .. } = self else {
            return self.root().file_name().and_then(|name| name.to_str()).unwrap_or(MANIFEST);
        };
        name
    }

    /// The folder that paths are relative to.
    pub fn root(&self) -> &Path {
        let (Source::File { root, .. } | Source::Folder { root }) = self;
        root
    }

    /// Reads what is there now.
    ///
    /// # Errors
    /// What the user should read.
    pub fn read(&self) -> Done<Code> {
        match self {
            Source::File { root, entry } => match bundle::bundle_one(root, entry, Purpose::Development) {
                Ok(None) => Ok(Code { folder: folder::reachable(root, entry)?, ..Code::default() }),
                Ok(Some((entry, folder))) => Ok(Code { folder, entry: Some(entry), ..Code::default() }),
                Err(failure) => wrong(String::new(), BTreeSet::from([root.clone()]), failure),
            },
            Source::Folder { root } => {
                let manifest = read_manifest(root)?;
                match bundle::gather(root, manifest.clone(), Purpose::Development) {
                    Ok((fitting, mut folder)) => {
                        folder.folders.insert(root.clone());
                        Ok(Code { manifest, fitting, folder, ..Code::default() })
                    }
                    Err(failure) => wrong(manifest, folder::walk(root)?.folders, failure),
                }
            }
        }
    }

    /// The routes that the code asks for, for any host.
    ///
    /// # Errors
    /// What is wrong with the manifest or the files.
    pub fn routes(&self, code: &Code, caps: &Limits) -> Result<RouteTable, Box<Refused>> {
        match self {
            // Some editors remove a file before they write it anew.
            Source::File { entry, .. } if !code.folder.files.contains_key(code.entry.as_ref().unwrap_or(entry)) => {
                Err(Box::new(Refused {
                    message: Some("is not there; what was served before still is".to_owned()),
                    ..Refused::default()
                }))
            }
            Source::File { entry, .. } => {
                let entry = code.entry.as_ref().unwrap_or(entry);
                Ok(RouteTable::single(Arc::new(only(entry, &code.folder.files, caps))))
            }
            Source::Folder { .. } => {
                let refused = |error: BundleError| Box::new(Refused::from(error));
                let manifest = manifest::parse(&code.fitting, caps).map_err(|error| refused(error.into()))?;
                let app = manifest.app.clone();
                let bundle = Bundle::new(manifest, code.folder.files.clone(), FILES_BYTES_MAX).map_err(refused)?;
                let built = bundle
                    .build(TENANT, &app, TENANT, TENANT, Allowed { limits: caps, code_generation: true })
                    .map_err(|error| Box::new(Refused { message: Some(error.to_string()), ..Refused::default() }))?;
                Ok(RouteTable::any_host(built.routes))
            }
        }
    }
}

/// Code that could not be bundled: it changes when one of `folders` does.
fn wrong(manifest: String, folders: BTreeSet<PathBuf>, failure: Failure) -> Done<Code> {
    let Failure::Said(message) = failure else { return Err(failure) };
    Ok(Code { manifest, folder: Folder { folders, ..Folder::default() }, wrong: Some(message), ..Code::default() })
}

/// A single file's function, named after it.
fn only(entry: &str, files: &BTreeMap<String, String>, caps: &Limits) -> FunctionVersion {
    let name = entry.rsplit_once('.').map_or(entry, |(stem, _)| stem).to_owned();
    let modules = files
        .iter()
        .filter_map(|(path, text)| {
            Some((path.clone(), ModuleSource { kind: ModuleKind::of_deployed(path)?, text: text.clone() }))
        })
        .collect();
    let spec = FunctionSpec {
        tenant: TENANT.to_owned(),
        app: name.clone(),
        function: name,
        deployment: TENANT.to_owned(),
        entry: entry.to_owned(),
        kind: Default::default(),
        modules,
        env: BTreeMap::new(),
        limits: caps.clone(),
        code_generation: true,
        contract: Default::default(),
        egress_allow: None,
        artifact: String::new(),
    };
    FunctionVersion::new(spec, TENANT.to_owned())
}

/// The names of the files that differ, for people: `hello.js, lib/a.js and 3 more`.
pub fn differences(old: &Code, new: &Code) -> String {
    let (old_files, new_files) = (old.folder.texts(), new.folder.texts());
    let gone = old_files.keys().filter(|name| !new_files.contains_key(*name));
    let changed = new_files.iter().filter(|(name, text)| old_files.get(*name) != Some(text)).map(|(name, _)| name);
    let mut names: Vec<&str> = changed.chain(gone).map(String::as_str).collect();
    if names.is_empty() && old.folder.files != new.folder.files {
        // A package, say.
        names.push("what it imports");
    }
    if old.manifest != new.manifest {
        names.insert(0, MANIFEST);
    }
    match names.as_slice() {
        [first, second, third, more @ ..] if !more.is_empty() => {
            format!("{first}, {second}, {third} and {} more", more.len())
        }
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn code(manifest: &str, files: &[(&str, &str)]) -> Code {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let (manifest, fitting) = (manifest.to_owned(), manifest.to_owned());
        Code { manifest, fitting, folder: Folder { files, ..Folder::default() }, ..Code::default() }
    }

    #[test]
    fn a_file_answers_every_path_and_a_folder_its_routes() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("hello.js"), "export const handler = () => 1").unwrap();
        let source = Source::at(&root.path().join("hello.js")).unwrap();
        let table = source.routes(&source.read().unwrap(), &Limits::default()).unwrap();
        let matched = table.route("any.host", "PUT", "/any/path").unwrap();
        assert_eq!(matched.function.spec.function, "hello");
        let gone = source.routes(&Code::default(), &Limits::default()).unwrap_err();
        assert_eq!(gone.message.as_deref(), Some("is not there; what was served before still is"));

        assert!(matches!(Source::at(root.path()), Err(Failure::Said(text)) if text.starts_with("no isle.toml in")));
        let manifest = "app = \"blog\"\n[functions.hello]\nentry = \"hello.js\"\nroutes = [\"GET /hello\"]\n";
        fs::write(root.path().join("isle.toml"), manifest).unwrap();
        let source = Source::at(root.path()).unwrap();
        let table = source.routes(&source.read().unwrap(), &Limits::default()).unwrap();
        assert_eq!(table.route("localhost", "GET", "/hello").unwrap().function.spec.app, "blog");
        assert!(table.route("localhost", "GET", "/other").is_none());
    }

    #[test]
    fn what_cannot_be_served_is_said() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("hello.css"), "").unwrap();
        let error = Source::at(&root.path().join("hello.css")).unwrap_err();
        assert!(matches!(error, Failure::Said(text) if text.ends_with(".tsx or .jsx file nor a folder")));
        let error = Source::at(&root.path().join("gone.js")).unwrap_err();
        assert!(matches!(error, Failure::Said(text) if text.ends_with("no such file or folder")));
        let source = Source::Folder { root: root.path().to_owned() };
        let error = source.routes(&code("app = \"x\"\nfoo = 1\n", &[]), &Limits::default()).unwrap_err();
        assert_eq!((error.file.as_deref(), error.line), (Some("isle.toml"), Some(2)));
    }

    #[test]
    fn a_bundled_folder_keeps_its_authors_manifest_and_has_its_warm_up_events() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("hello.ts"), "export const handler = (): number => 1").unwrap();
        fs::write(root.path().join("e.json"), "{}").unwrap();
        let manifest = "app = \"blog\"\n[functions.hello]\nentry = \"hello.ts\" # mine\nwarmup = \"e.json\"\n";
        fs::write(root.path().join("isle.toml"), manifest).unwrap();
        let source = Source::at(root.path()).unwrap();
        let code = source.read().unwrap();
        assert_eq!((code.manifest.as_str(), code.fitting.as_str()), (manifest, &*manifest.replace(".ts", ".js")));
        source.routes(&code, &Limits::default()).unwrap();
        fs::write(root.path().join("e.json"), "{\"rawPath\": \"/\"}").unwrap();
        assert_eq!(differences(&code, &source.read().unwrap()), "e.json");
    }

    #[test]
    fn differences_are_named() {
        let old = code("a", &[("a.js", "1"), ("b.js", "1")]);
        assert_eq!(differences(&old, &code("a", &[("a.js", "2"), ("b.js", "1")])), "a.js");
        assert_eq!(differences(&old, &code("b", &[("a.js", "1"), ("c.js", "1")])), "isle.toml, c.js, b.js");
        assert_eq!(
            differences(&Code::default(), &code("a", &[("a.js", ""), ("b.js", ""), ("c.js", "")])),
            "isle.toml, a.js, b.js and 1 more"
        );
        assert_eq!(differences(&old, &code("a", &[("a.js", "1"), ("b.js", "1")])), "");
    }
}
