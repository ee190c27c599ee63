//! What travels when a folder's files cannot travel as they are: TypeScript, JSX, and imports from
//! `node_modules`. Bundled here, on the developer's machine, never on a node.
//!
//! An app whose functions are plain modules that import each other by relative path is sent as it
//! is. As soon as one function needs more ([`scan`]), all of them are bundled in one run: each
//! entry becomes one module, code that several entries share becomes modules of its own, and beside
//! them only the events of the functions' warm-ups travel. Each module has its source map with it,
//! so that stacks name the author's files and lines.
//!
//! Packages are entered by the conditions [`CONDITIONS`]; dead code is dropped, nothing is minified.

mod entries;
mod plugin;
mod scan;

use entries::{entries, rewritten, warm_ups};
pub use scan::is_source;

use crate::failure::{Done, Failure};
use crate::folder::Folder;
use plugin::{Isle, Refusals};
use rolldown::plugin::__inner::SharedPluginable;
use rolldown::{
    BundlerBuilder, BundlerOptions, CodeSplittingMode, InputItem, OutputFormat, Platform, ResolveOptions,
    SourceMapType, TreeshakeOptions,
};
use rolldown_common::Output;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Conditions of a package's `exports` that hold, beside `import` or `require` and `default`: what
/// packages publish for hosts that have the web's interfaces and no files.
const CONDITIONS: [&str; 3] = ["worker", "browser", "module"];
/// Fields of a `package.json` without `exports`, the first that is there.
const MAIN_FIELDS: [&str; 3] = ["browser", "module", "main"];
/// What an import without extension may mean.
const EXTENSIONS: [&str; 9] = [".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs", ".cts", ".cjs", ".json"];

/// What packages `require` of Node's modules comes from the cell. At the end, where it moves no
/// line: imports come first wherever they stand.
const REQUIRE: &str = "\nimport { require } from \"isle:require\";\n";

/// For which purpose: it decides `process.env.NODE_ENV`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `isle dev`.
    Development,
    /// `isle deploy`.
    Production,
}

/// What a node is sent of a folder, and the manifest that fits it.
///
/// # Errors
/// What is wrong with the folder or the code, for its author.
pub fn gather(root: &Path, manifest: String, purpose: Purpose) -> Done<(String, Folder)> {
    match bundle(root, &manifest, purpose)? {
        Some(bundled) => Ok(bundled),
        None => Ok((manifest, crate::folder::walk(root)?)),
    }
}

/// Brings a folder into the form that a node takes. `None` when it has it already.
///
/// # Errors
/// What is wrong with the code, for its author.
pub fn bundle(root: &Path, manifest: &str, purpose: Purpose) -> Done<Option<(String, Folder)>> {
    let entries = entries(manifest);
    let there: BTreeSet<String> =
        entries.iter().map(|entry| entry.path.clone()).filter(|path| root.join(path).is_file()).collect();
    let real = root.canonicalize().map_err(|error| Failure::io("open", root, &error))?;
    if let Some(entry) =
        entries.iter().find(|entry| !there.contains(&entry.path) && scan::needs_translation(&entry.path))
    {
        let line = manifest[..entry.span.start].matches('\n').count() + 1;
        let manifest = crate::deploy::MANIFEST;
        return Err(Failure::said(format!("{manifest}:{line}: the entry `{}` is not there", entry.path)));
    }
    if !there.iter().any(|entry| scan::needs_bundling(&real, entry)) {
        return Ok(None);
    }
    let (mut folder, names) = run(&real, &there, purpose)?;
    for event in warm_ups(manifest) {
        folder.add(&real, &event)?;
    }
    Ok(Some((rewritten(manifest, &entries, &names), folder)))
}

/// Bundles one file, if it needs it; with the name of the module that it became.
///
/// # Errors
/// What is wrong with the code, for its author.
pub fn bundle_one(root: &Path, entry: &str, purpose: Purpose) -> Done<Option<(String, Folder)>> {
    if !root.join(entry).is_file() || !scan::needs_bundling(root, entry) {
        return Ok(None);
    }
    let (folder, mut names) = run(root, &BTreeSet::from([entry.to_owned()]), purpose)?;
    let name = names.remove(entry).ok_or_else(|| nothing(entry))?;
    Ok(Some((name, folder)))
}

/// One run of the bundler. Modules, maps and the author's texts; and each entry's module.
fn run(root: &Path, entries: &BTreeSet<String>, purpose: Purpose) -> Done<(Folder, BTreeMap<String, String>)> {
    let files = real_files(root, entries)?;
    let refusals = Refusals::default();
    let options = options(root, entries, purpose);
    let plugins: Vec<SharedPluginable> = vec![Arc::new(Isle::new(root, refusals.clone()))];
    // The bundler wants threads of its own; the commands run on one that must not be blocked by it.
    let output = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
            runtime.block_on(async {
                let built = BundlerBuilder::default().with_options(options).with_plugins(plugins).build();
                let mut bundler = built.map_err(|errors| said(root, errors.into_vec(), |e| e.to_diagnostic()))?;
                let output = bundler.generate().await;
                let output = output.map_err(|errors| said(root, errors.into_vec(), |e| e.to_diagnostic()))?;
                let read: Vec<String> = bundler.watch_files().iter().map(|file| file.to_string()).collect();
                Ok((output, read))
            })
        });
        worker.join().unwrap_or_else(|_| Err("the bundler failed".to_owned()))
    });
    let refused = refusals.take();
    if !refused.is_empty() {
        return Err(Failure::said(refused.join("\n")));
    }
    let (output, read) = output.map_err(Failure::said)?;
    let mut folder = Folder::default();
    let mut modules = BTreeMap::new();
    for asset in &output.assets {
        let Output::Chunk(chunk) = asset else { continue };
        if chunk.is_entry
            && let Some(id) = &chunk.facade_module_id
        {
            modules.insert(PathBuf::from(&**id), chunk.filename.to_string());
        }
        if let Some(map) = &chunk.map {
            let mut map = map.clone();
            let sources: Vec<String> = map.get_sources().map(|source| portable(source, &chunk.filename)).collect();
            map.set_sources(sources);
            folder.files.insert(format!("{}.map", chunk.filename), map.to_json_string());
        }
        let mut code = chunk.code.clone();
        if code.contains("__require(") {
            code.push_str(REQUIRE);
        }
        folder.files.insert(chunk.filename.to_string(), code);
    }
    // All that was read, not all that is left: a constant's module may be in nobody's text.
    for id in &read {
        let path = Path::new(id);
        let Some(name) = below(root, path).filter(|name| !name.contains("node_modules/")) else { continue };
        if let Ok(text) = std::fs::read_to_string(path) {
            folder.sources.insert(name, text);
            folder.folders.extend(path.parent().map(Path::to_owned));
        }
    }
    let name = |(entry, file): (String, PathBuf)| match modules.get(&file) {
        Some(name) => Ok((entry, name.clone())),
        None => Err(nothing(&entry)),
    };
    Ok((folder, files.into_iter().map(name).collect::<Done<BTreeMap<_, _>>>()?))
}

/// Each entry's file, links followed: that is what the bundler calls it.
fn real_files(root: &Path, entries: &BTreeSet<String>) -> Done<BTreeMap<String, PathBuf>> {
    let file = |entry: &String| {
        let path = root.join(entry);
        let file = path.canonicalize().map_err(|error| Failure::io("open", &path, &error))?;
        if !file.starts_with(root) {
            return Err(Failure::said(format!("the entry `{entry}` leads out of the folder")));
        }
        Ok((entry.clone(), file))
    };
    entries.iter().map(file).collect()
}

fn nothing(entry: &str) -> Failure {
    Failure::said(format!("the entry `{entry}` was bundled into nothing"))
}

fn options(root: &Path, entries: &BTreeSet<String>, purpose: Purpose) -> BundlerOptions {
    let strings = |list: &[&str]| Some(list.iter().map(ToString::to_string).collect::<Vec<_>>());
    let environment = match purpose {
        Purpose::Development => "\"development\"",
        Purpose::Production => "\"production\"",
    };
    let stem = |path: &str| Path::new(path).with_extension("").to_string_lossy().into_owned();
    BundlerOptions {
        input: Some(
            entries.iter().map(|entry| InputItem { name: Some(stem(entry)), import: format!("./{entry}") }).collect(),
        ),
        cwd: Some(root.to_owned()),
        dir: root.to_str().map(str::to_owned),
        platform: Some(Platform::Neutral),
        format: Some(OutputFormat::Esm),
        entry_filenames: Some("[name].js".to_owned().into()),
        chunk_filenames: Some("shared/[name]-[hash].js".to_owned().into()),
        sourcemap: Some(SourceMapType::Hidden),
        sourcemap_exclude_sources: Some(true),
        // One entry is one file: `import()` of a part of it needs no second one.
        code_splitting: (entries.len() == 1).then_some(CodeSplittingMode::Bool(false)),
        treeshake: TreeshakeOptions::default(),
        keep_names: Some(true),
        define: Some([("process.env.NODE_ENV".to_owned(), environment.to_owned())].into_iter().collect()),
        resolve: Some(ResolveOptions {
            condition_names: strings(&CONDITIONS),
            main_fields: strings(&MAIN_FIELDS),
            alias_fields: Some(vec![vec!["browser".to_owned()]]),
            extensions: strings(&EXTENSIONS),
            extension_alias: Some(
                [(".js", &[".ts", ".tsx", ".js"] as &[&str]), (".jsx", &[".tsx", ".jsx"]), (".mjs", &[".mts", ".mjs"])]
                    .into_iter()
                    .map(|(from, to)| (from.to_owned(), to.iter().map(ToString::to_string).collect()))
                    .collect(),
            ),
            ..ResolveOptions::default()
        }),
        ..BundlerOptions::default()
    }
}

/// What the bundler found wrong, with the author's paths.
fn said<E, D: std::fmt::Display>(root: &Path, errors: Vec<E>, text: impl Fn(&E) -> D) -> String {
    let texts = errors.iter().map(|error| text(error).to_string().trim_end().to_owned());
    texts.collect::<Vec<_>>().join("\n").replace(&format!("{}/", root.display()), "")
}

/// `path` relative to `root`, with `/`.
fn below(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root).ok()?.to_str().map(str::to_owned)
}

/// A map's source as a path from the root: the same wherever the folder lies.
fn portable(source: &str, file: &str) -> String {
    let path = Path::new(file).parent().unwrap_or(Path::new("")).join(source);
    normal(&path).to_string_lossy().into_owned()
}

/// A path without `.` and without `..` after a name.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MANIFEST: &str = "app = \"a\"\n[functions.x]\nentry = \"src/x.ts\" # mine\n";

    #[test]
    fn an_entry_becomes_a_module_with_a_map_and_its_packages() {
        let root = tree(&[
            (
                "src/x.ts",
                "import { b } from './lib/b'; import p from 'p'; export const handler = (): string => b() + p + process.env.NODE_ENV;",
            ),
            ("src/lib/b.ts", "export const b = (): string => Math.random() + 'b'; export const unused = 'dropped';"),
            (
                "node_modules/p/package.json",
                r#"{"name":"p","exports":{"node":"./node.js","worker":"./worker.js","default":"./x.js"}}"#,
            ),
            (
                "node_modules/p/worker.js",
                "export default 'the worker's';".replace("'the worker's'", "\"the worker's\"").as_str(),
            ),
            ("node_modules/p/node.js", "export default 'node';"),
            ("README.md", "stays"),
        ]);
        let (manifest, folder) = bundle(root.path(), MANIFEST, Purpose::Production).unwrap().unwrap();
        assert_eq!(manifest, MANIFEST.replace("src/x.ts", "src/x.js"));
        assert_eq!(folder.files.keys().collect::<Vec<_>>(), ["src/x.js", "src/x.js.map"]);
        let code = &folder.files["src/x.js"];
        assert!(code.contains("the worker's") && code.contains("production") && !code.contains("dropped"), "{code}");
        let map: serde_json::Value = serde_json::from_str(&folder.files["src/x.js.map"]).unwrap();
        assert_eq!(map["sources"], serde_json::json!(["src/lib/b.ts", "node_modules/p/worker.js", "src/x.ts"]));
        assert!(!folder.files["src/x.js.map"].contains(&*root.path().to_string_lossy()), "the same wherever it lies");
        assert_eq!(folder.sources.keys().collect::<Vec<_>>(), ["src/lib/b.ts", "src/x.ts"]);
        let again = bundle(root.path(), MANIFEST, Purpose::Production).unwrap().unwrap().1;
        assert_eq!(again.files, folder.files, "the same content is the same deployment");
    }

    #[test]
    fn plain_apps_are_left_alone_and_missing_entries_are_named() {
        let root = tree(&[("x.js", "export const handler = () => 1;")]);
        assert!(bundle(root.path(), &MANIFEST.replace("src/x.ts", "x.js"), Purpose::Production).unwrap().is_none());
        let missing = bundle(root.path(), MANIFEST, Purpose::Production).unwrap_err();
        assert_eq!(missing, Failure::said("isle.toml:3: the entry `src/x.ts` is not there"));
    }

    /// What a bundle of these entries, named in turn, has as their modules' texts.
    fn modules(root: &Path, entries: &[&str]) -> Vec<String> {
        let manifest = |name: &dyn Fn(usize) -> String| {
            let function = |at| format!("[functions.f{at}]\nentry = {:?}\n", name(at));
            format!("app = \"a\"\n{}", (0..entries.len()).map(function).collect::<String>())
        };
        let written = manifest(&|at| entries[at].to_owned());
        let (bundled, folder) = bundle(root, &written, Purpose::Production).unwrap().unwrap();
        let names: Vec<String> = super::entries(&bundled).into_iter().map(|entry| entry.path).collect();
        assert_eq!(bundled, manifest(&|at| names[at].clone()));
        names.iter().map(|name| folder.files[name].clone()).collect()
    }

    #[test]
    fn an_entry_is_the_file_that_the_manifest_names() {
        let root = tree(&[
            ("a.js", "export const handler = () => 'compiled a';"),
            ("a.ts", "export const handler = (): string => 'source of a';"),
            ("m.mjs", "export const handler = () => 'compiled m';"),
            ("m.mts", "export const handler = (): string => 'source of m';"),
            ("x.ts", "import { handler as a } from './a.js'; export const handler = (): string => 'x' + a();"),
        ]);
        let texts = modules(root.path(), &["a.js", "m.mjs", "x.ts"]);
        assert!(texts[0].contains("compiled a") && !texts[0].contains("source of"), "{}", texts[0]);
        assert!(texts[1].contains("compiled m") && !texts[1].contains("source of"), "{}", texts[1]);
        // An import means the source, as tsc has it.
        assert!(texts[2].contains("source of a"), "{}", texts[2]);
    }

    #[test]
    fn an_entry_may_be_a_link_inside_the_folder_only() {
        let outside = tree(&[("secret.ts", "export const handler = () => 'secret';")]);
        let root = tree(&[
            ("lib/real.ts", "import { b } from './b'; export const handler = (): string => 'real' + b;"),
            ("lib/b.ts", "export const b: string = 'b';"),
        ]);
        std::os::unix::fs::symlink("lib/real.ts", root.path().join("link.ts")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.ts"), root.path().join("x.ts")).unwrap();
        for texts in [modules(root.path(), &["link.ts"]), modules(root.path(), &["lib/real.ts", "link.ts"])] {
            assert!(texts.iter().all(|text| text.contains("handler")), "{texts:?}");
        }
        let out = bundle(root.path(), &MANIFEST.replace("src/", ""), Purpose::Production).unwrap_err();
        assert_eq!(out, Failure::said("the entry `x.ts` leads out of the folder"));
    }

    #[test]
    fn warm_up_events_travel_with_the_bundle() {
        let outside = tree(&[("secret.json", "{}")]);
        let root = tree(&[
            ("x.ts", "export const handler = (): number => 1;"),
            ("warm/up/e.json", "{\"rawPath\": \"/\"}"),
            ("warm/other.json", "{}"),
            ("page.json", "{}"),
            (".git/e.json", "{}"),
        ]);
        std::os::unix::fs::symlink(outside.path().join("secret.json"), root.path().join("out.json")).unwrap();
        let deployed = |warm_up: &str| {
            let manifest = format!("{}warmup = {warm_up}\n", MANIFEST.replace("src/", ""));
            bundle(root.path(), &manifest, Purpose::Production).unwrap().unwrap().1
        };
        let folder = deployed("'warm/up/e.json'");
        assert_eq!(folder.files.keys().collect::<Vec<_>>(), ["warm/up/e.json", "x.js", "x.js.map"]);
        assert_eq!(folder.files["warm/up/e.json"], "{\"rawPath\": \"/\"}");
        assert!(folder.folders.contains(&root.path().join("warm/up")), "a save in it is seen");
        assert!(folder.sources.contains_key("warm/up/e.json"));
        let folder =
            deployed("['./page.json', { rawPath = '/x' }, 'warm/up/e.json', 'out.json', '.git/e.json', 'gone.json']");
        assert_eq!(folder.files.keys().collect::<Vec<_>>(), ["page.json", "warm/up/e.json", "x.js", "x.js.map"]);
        assert_eq!(folder.skipped.iter().map(|skipped| skipped.path.as_str()).collect::<Vec<_>>(), ["out.json"]);
    }

    #[test]
    fn what_is_required_of_node_comes_from_the_cell() {
        let root = tree(&[
            ("x.js", "import old from 'old'; export const handler = old;"),
            ("node_modules/old/package.json", r#"{"name":"old","main":"i.js"}"#),
            (
                "node_modules/old/i.js",
                "const EventEmitter = require('events'); let fs; try { fs = require('fs') } catch {} module.exports = () => new EventEmitter();",
            ),
        ]);
        let (name, folder) = bundle_one(root.path(), "x.js", Purpose::Development).unwrap().unwrap();
        assert_eq!(name, "x.js");
        let code = &folder.files["x.js"];
        assert!(code.contains("__require(\"node:events\")") && code.ends_with(REQUIRE), "{code}");
        assert!(code.contains("the package `old` (node_modules/old/i.js) imports `fs`"), "{code}");
    }
}
