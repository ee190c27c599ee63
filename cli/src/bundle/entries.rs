//! The functions' entries in a manifest, and the manifest with other entries.

use std::collections::BTreeMap;
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
    let Ok(table) = DeTable::parse(manifest) else { return Vec::new() };
    let Some(DeValue::Table(functions)) = table.get_ref().get("functions").map(|value| value.get_ref()) else {
        return Vec::new();
    };
    let entry = |value: &toml::Spanned<DeValue<'_>>| {
        let DeValue::Table(function) = value.get_ref() else { return None };
        let entry = function.get("entry")?;
        let path = entry.get_ref().as_str()?;
        let path = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/");
        Some(Entry { path, span: entry.span() })
    };
    functions.iter().filter_map(|(_, value)| entry(value)).collect()
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
