//! Which files of a folder belong to a deployment, and their text.
//!
//! Every `.js`, `.mjs` and `.json` file travels, except what is below `node_modules` or has a name
//! that starts with a dot. Symbolic links are followed inside the folder only: a link that leads
//! out would send files that nobody meant to publish.
//!
//! For a single file ([`reachable`]), only the modules that it can import travel: the file may well
//! lie in a home directory.

use crate::failure::{Done, Failure};
use isle_wire::ModuleKind;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// A longer file is left out, in bytes. 8 MiB: the largest bundle a cell could evaluate within its
/// start-up limit is far smaller.
pub const FILE_BYTES_MAX: u64 = 8 << 20;
/// More files than this are no deployment but a mistaken folder: no node takes them.
pub const FILES_MAX: usize = 1_000;
/// Folders below folders below folders.
const DEPTH_MAX: usize = 32;

/// Something that was left out and that the user may have wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Path below the root, with `/`.
    pub path: String,
    /// Why, in words.
    pub why: String,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// Text by path below the root, with `/`.
    pub files: BTreeMap<String, String>,
    /// The author's text where `files` are a bundle of it; empty where they are it.
    pub sources: BTreeMap<String, String>,
    /// Left out, in the order found.
    pub skipped: Vec<Skipped>,
    /// The folders that were looked into, the root included: those whose changes matter.
    pub folders: BTreeSet<PathBuf>,
}

impl Folder {
    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|text| text.len() as u64).sum()
    }

    /// The texts that the author knows.
    pub fn texts(&self) -> &BTreeMap<String, String> {
        if self.sources.is_empty() { &self.files } else { &self.sources }
    }

    fn skip(&mut self, path: String, why: impl Into<String>) {
        self.skipped.push(Skipped { path, why: why.into() });
    }

    /// Adds one file of the author's to a bundle, by the rules of [`walk`]; `root` is a real path.
    /// What is not there is for the node to say.
    ///
    /// # Errors
    /// A file that cannot be read, or far too many.
    pub fn add(&mut self, root: &Path, name: &str) -> Done {
        if name.split('/').any(is_passed_over) {
            return Ok(());
        }
        let path = root.join(name);
        // Where it would appear.
        self.folders.extend(path.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_owned));
        match path.canonicalize() {
            Ok(real) if !real.starts_with(root) => self.skip(name.to_owned(), "a link that leads out of the folder"),
            Ok(real) if real.is_file() => {
                self.folders.extend(real.parent().map(Path::to_owned));
                self.read(&real, name.to_owned())?;
                let text = self.files.get(name).cloned();
                self.sources.extend(text.map(|text| (name.to_owned(), text)));
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads one module file, or notes why not.
    fn read(&mut self, path: &Path, name: String) -> Done {
        if self.files.len() >= FILES_MAX {
            let message = format!("more than {FILES_MAX} .js, .mjs and .json files here: is this the right folder?");
            return Err(Failure::said(message));
        }
        // Size and text come from one open file: whatever replaces the name meanwhile is read next time.
        let mut text = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| {
            use std::io::Read;
            file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)
        });
        match read {
            Ok(_) if text.len() as u64 > FILE_BYTES_MAX => {
                let limit = crate::clock::bytes(FILE_BYTES_MAX);
                self.skip(name, format!("larger than {limit}"));
            }
            Ok(_) => match String::from_utf8(text) {
                Ok(text) => {
                    self.files.insert(name, text);
                }
                Err(_) => self.skip(name, "not UTF-8 text"),
            },
            // A file that vanished between listing and reading is a save in progress, not an error.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::io("read", path, &error)),
        }
        Ok(())
    }
}

/// Walks `root`.
///
/// # Errors
/// A folder or file that cannot be read, or far too many files.
pub fn walk(root: &Path) -> Done<Folder> {
    let real = root.canonicalize().map_err(|error| Failure::io("open", root, &error))?;
    let mut found = Folder::default();
    // Folders still to look into, with the real paths of the folders above: a link to one of
    // those would never end.
    let mut waiting = vec![(real.clone(), String::new(), Vec::<PathBuf>::new())];
    while let Some((folder, prefix, above)) = waiting.pop() {
        found.folders.insert(folder.clone());
        let mut names = Vec::new();
        let entries = std::fs::read_dir(&folder).map_err(|error| Failure::io("read", &folder, &error))?;
        for entry in entries {
            names.push(entry.map_err(|error| Failure::io("read", &folder, &error))?.file_name());
        }
        names.sort();
        for name in names {
            let path = folder.join(&name);
            let Some(name) = name.to_str() else {
                if module_extension(&path) {
                    found.skip(format!("{prefix}{}", name.to_string_lossy()), "its name is not UTF-8");
                }
                continue;
            };
            if is_passed_over(name) {
                continue;
            }
            let below = format!("{prefix}{name}");
            let Some(kind) = kind_of(&path, &real, &below, &mut found) else { continue };
            if kind.is_file() && ModuleKind::of_path(name).is_some() {
                found.read(&path, below)?;
            } else if kind.is_dir() {
                let target = path.canonicalize().map_err(|error| Failure::io("open", &path, &error))?;
                if target == folder || above.contains(&target) || above.len() >= DEPTH_MAX {
                    found.skip(below, "a folder that leads back to itself");
                    continue;
                }
                let mut above = above.clone();
                above.push(folder.clone());
                waiting.push((target, format!("{below}/"), above));
            }
        }
    }
    Ok(found)
}

/// Whether a file or folder of this name is nobody's to publish.
fn is_passed_over(name: &str) -> bool {
    name.starts_with('.') || name == "node_modules"
}

/// The entry's kind after following links, or `None` if it leads out of `root` or nowhere.
fn kind_of(path: &Path, root: &Path, below: &str, found: &mut Folder) -> Option<std::fs::FileType> {
    let kind = std::fs::symlink_metadata(path).ok()?.file_type();
    if !kind.is_symlink() {
        return Some(kind);
    }
    let interesting = |kind: &std::fs::FileType| kind.is_dir() || module_extension(path);
    match path.canonicalize() {
        Ok(target) if target.starts_with(root) => Some(std::fs::metadata(&target).ok()?.file_type()),
        Ok(target) => {
            if std::fs::metadata(target).is_ok_and(|target| interesting(&target.file_type())) {
                found.skip(below.to_owned(), "a link that leads out of the folder");
            }
            None
        }
        Err(_) => {
            if module_extension(path) {
                found.skip(below.to_owned(), "a link that leads nowhere");
            }
            None
        }
    }
}

fn module_extension(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "js" || extension == "mjs" || extension == "json")
}

/// The module at `root/entry` and those it can import by a relative path written in its text,
/// with the same rules as [`walk`].
///
/// Whatever looks like a relative path in quotes counts as one, so a few files too many may come
/// along; a path that is computed at run time is not seen.
///
/// # Errors
/// A file that cannot be read.
pub fn reachable(root: &Path, entry: &str) -> Done<Folder> {
    let real = root.canonicalize().map_err(|error| Failure::io("open", root, &error))?;
    let mut found = Folder::default();
    found.folders.insert(real.clone());
    let mut seen = BTreeSet::from([entry.to_owned()]);
    let mut waiting = vec![entry.to_owned()];
    while let Some(name) = waiting.pop() {
        let path = real.join(&name);
        if let Some(folder) = path.parent().filter(|folder| folder.is_dir()) {
            found.folders.insert(folder.to_owned());
        }
        let Some(kind) = kind_of(&path, &real, &name, &mut found) else { continue };
        if !kind.is_file() {
            continue;
        }
        found.read(&path, name.clone())?;
        let Some(text) = found.files.get(&name).filter(|_| !name.ends_with(".json")) else { continue };
        for specifier in relative_specifiers(text) {
            if let Some(target) = resolve(&name, specifier)
                && ModuleKind::of_path(&target).is_some()
                && seen.insert(target.clone())
            {
                waiting.push(target);
            }
        }
    }
    Ok(found)
}

/// What stands in quotes and starts with `./` or `../`.
fn relative_specifiers(text: &str) -> impl Iterator<Item = &str> {
    text.char_indices().filter(|(_, c)| matches!(c, '"' | '\'' | '`')).filter_map(move |(at, quote)| {
        let rest = &text[at + 1..];
        if !rest.starts_with("./") && !rest.starts_with("../") {
            return None;
        }
        let end = rest.find([quote, '\n'])?;
        Some(&rest[..end])
    })
}

/// A relative specifier in the module `from`, as a path below the root.
pub fn resolve(from: &str, specifier: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for component in Path::new(specifier).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn names(folder: &Folder) -> Vec<&str> {
        folder.files.keys().map(String::as_str).collect()
    }

    fn skipped(folder: &Folder) -> Vec<(&str, &str)> {
        folder.skipped.iter().map(|s| (s.path.as_str(), s.why.as_str())).collect()
    }

    #[test]
    fn modules_travel_and_the_rest_stays() {
        let root = tree(&[
            ("isle.toml", "app = \"a\""),
            ("hello.js", "1"),
            ("lib/util.mjs", "2"),
            ("lib/deep/data.json", "{}"),
            ("README.md", "no"),
            ("node_modules/x/index.js", "no"),
            ("lib/node_modules/y.js", "no"),
            (".git/hook.js", "no"),
            (".eslintrc.json", "no"),
        ]);
        let found = walk(root.path()).unwrap();
        assert_eq!(names(&found), ["hello.js", "lib/deep/data.json", "lib/util.mjs"]);
        assert_eq!((found.bytes(), skipped(&found)), (4, vec![]));
        assert_eq!(found.folders.len(), 3);
    }

    #[test]
    fn links_are_followed_inside_and_reported_when_they_lead_out() {
        let outside = tree(&[("secret.json", "{}")]);
        let root = tree(&[("real/a.js", "1")]);
        symlink(root.path().join("real/a.js"), root.path().join("alias.js")).unwrap();
        symlink("real", root.path().join("also")).unwrap();
        symlink(outside.path().join("secret.json"), root.path().join("secret.json")).unwrap();
        symlink(outside.path(), root.path().join("out")).unwrap();
        symlink("nowhere.js", root.path().join("broken.js")).unwrap();
        symlink("/etc/hostname", root.path().join("unrelated")).unwrap();
        symlink("..", root.path().join("real/up")).unwrap();
        let found = walk(root.path()).unwrap();
        assert_eq!(names(&found), ["alias.js", "also/a.js", "real/a.js"]);
        assert_eq!(
            skipped(&found),
            [
                ("broken.js", "a link that leads nowhere"),
                ("out", "a link that leads out of the folder"),
                ("secret.json", "a link that leads out of the folder"),
                ("real/up", "a folder that leads back to itself"),
                ("also/up", "a folder that leads back to itself"),
            ],
        );
    }

    #[test]
    fn what_is_too_large_or_no_text_is_reported() {
        let root = tree(&[("ok.js", "1")]);
        fs::File::create(root.path().join("big.js")).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
        fs::write(root.path().join("latin.js"), b"caf\xe9").unwrap();
        let found = walk(root.path()).unwrap();
        assert_eq!(names(&found), ["ok.js"]);
        assert_eq!(skipped(&found), [("big.js", "larger than 8.4 MB"), ("latin.js", "not UTF-8 text")]);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = walk(Path::new("/nonexistent/isle")).unwrap_err();
        assert_eq!(error, Failure::said("cannot open /nonexistent/isle: no such file or folder"));
    }

    #[test]
    fn a_single_file_takes_along_what_it_imports() {
        let root = tree(&[
            ("home/hello.js", "import './lib/a.js'; import d from \"./data.json\" with {type: 'json'};"),
            ("home/lib/a.js", "export * from '../b.mjs'; await import(`./c.js`); import '../../out.js'; './a.css'"),
            ("home/lib/c.js", "import './a.js'; import './not-yet/there.js'"),
            ("home/b.mjs", "const s = 'it''s'; // don't"),
            ("home/data.json", "{\"x\": \"./unrelated.js\"}"),
            ("home/unrelated.js", "no"),
            ("out.js", "no"),
        ]);
        let found = reachable(&root.path().join("home"), "hello.js").unwrap();
        assert_eq!(names(&found), ["b.mjs", "data.json", "hello.js", "lib/a.js", "lib/c.js"]);
        assert_eq!(found.folders.len(), 2);
        assert!(reachable(&root.path().join("home"), "gone.js").unwrap().files.is_empty());
    }
}
