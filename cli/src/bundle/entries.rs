//! The files that a manifest's functions name: entries, and events for the warm-up; and the manifest
//! with other entries.

use isle_gateway::control::manifest::normal_path;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A function's `entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path, without a leading `./`.
    pub path: String,
    /// Where it is written, quotes included.
    pub span: Range<usize>,
}

/// The entries of a manifest. What is wrong with it is for the node to say.
pub fn entries(manifest: &str) -> Vec<Entry> {
    of_functions(manifest, |function| {
        let entry = function.get("entry")?;
        let path = entry.get_ref().as_str()?;
        let path = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/");
        Some(Entry { path, span: entry.span() })
    })
}

/// The files with events that functions name as their `warmup`.
pub fn warm_ups(manifest: &str) -> BTreeSet<String> {
    let named = of_functions(manifest, |function| {
        Some(match function.get("warmup")?.get_ref() {
            DeValue::Array(list) => list.iter().filter_map(|item| item.get_ref().as_str()).map(str::to_owned).collect(),
            one => one.as_str().map(str::to_owned).into_iter().collect::<Vec<_>>(),
        })
    });
    let named = named.into_iter().flatten().filter_map(|path| normal_path(&path).ok());
    named.filter(|path| path.ends_with(".json")).collect()
}

/// What `read` finds in the functions of a manifest.
fn of_functions<T>(manifest: &str, read: impl Fn(&DeTable<'_>) -> Option<T>) -> Vec<T> {
    let Ok(table) = DeTable::parse(manifest) else { return Vec::new() };
    let Some(DeValue::Table(functions)) = table.get_ref().get("functions").map(|value| value.get_ref()) else {
        return Vec::new();
    };
    functions.iter().filter_map(|(_, function)| read(function.get_ref().as_table()?)).collect()
}

/// The manifest with the modules that the entries became; every line stays where it was.
pub fn rewritten(manifest: &str, entries: &[Entry], names: &BTreeMap<String, String>) -> String {
    let mut entries: Vec<&Entry> = entries.iter().collect();
    entries.sort_by_key(|entry| entry.span.start);
    let mut out = String::with_capacity(manifest.len());
    let mut from = 0;
    for entry in entries {
        let Some(name) = names.get(&entry.path) else { continue };
        out.push_str(&manifest[from..entry.span.start]);
        out.push_str(&toml::Value::String(name.clone()).to_string());
        from = entry.span.end;
    }
    out.push_str(&manifest[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_files_are_found_alone_and_in_lists() {
        let manifest = "[functions.x]\nwarmup = './w/e.json'\n[functions.y]\nwarmup = [{ rawPath = '/' }, 'w/f.json', 'w/e.json']\n\
                        [functions.z]\nwarmup = ['../out.json', 'no.txt', 1]\n[functions.v]\nwarmup = false\n";
        assert_eq!(warm_ups(manifest).into_iter().collect::<Vec<_>>(), ["w/e.json", "w/f.json"]);
    }

    #[test]
    fn entries_are_found_and_replaced_in_place() {
        let manifest = "app = \"a\" # mine\n[functions.x]\nroutes = ['GET /']\nentry = './src/x.ts' # here\n\
                        [functions]\ny.entry = \"y.js\"\nz = { entry = 1 }\n";
        assert!(entries("app = ").is_empty());
        let manifest = manifest.replace("[functions]\n", "").replace("y.entry", "[functions.y]\nentry");
        let manifest = manifest.replace("z = { entry = 1 }", "[functions.z]\nentry = 1");
        let found = entries(&manifest);
        assert_eq!(found.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>(), ["src/x.ts", "y.js"]);
        let names = BTreeMap::from([("src/x.ts".to_owned(), "src/x.js".to_owned())]);
        assert_eq!(rewritten(&manifest, &found, &names), manifest.replace("'./src/x.ts'", "\"src/x.js\""));
    }
}
