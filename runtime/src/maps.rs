//! Places in a bundle as places in the author's files.
//!
//! A deployment may hold a source map beside a module. It is read when the first failure is
//! described or a stack printed, once per function version and process, and by nobody who has
//! neither.

use isle_wire::{FailureDetail, FunctionSpec, ModuleKind};
use sourcemap::SourceMap;
use std::borrow::Cow;
use std::sync::OnceLock;

/// How module names begin in stacks.
const SCHEME: &str = "file:///";

/// The source maps of a function version.
#[derive(Default)]
pub struct Maps(Vec<Map>);

struct Map {
    /// The module's path.
    file: String,
    read: OnceLock<Option<SourceMap>>,
}

impl Maps {
    /// Notes which modules have one.
    pub fn of(spec: &FunctionSpec) -> Maps {
        let maps = spec.modules.iter().filter(|(_, module)| module.kind == ModuleKind::SourceMap);
        let files = maps.filter_map(|(path, _)| path.strip_suffix(".map"));
        Maps(files.map(|file| Map { file: file.to_owned(), read: OnceLock::new() }).collect())
    }

    /// The author's place for one in `file`; lines and columns count from 1.
    fn place(&self, spec: &FunctionSpec, file: &str, line: u32, column: u32) -> Option<(String, u32, u32)> {
        let map = self.0.iter().find(|map| map.file == file)?;
        let read = map.read.get_or_init(|| {
            let module = spec.modules.get(&format!("{file}.map"))?;
            // A map that is none is as good as no map.
            SourceMap::from_slice(module.text.as_bytes()).ok()
        });
        let token = read.as_ref()?.lookup_token(line.checked_sub(1)?, column.checked_sub(1)?)?;
        Some((token.get_source()?.to_owned(), token.get_src_line() + 1, token.get_src_col() + 1))
    }

    /// Text with every `file:///module.js:line:column` replaced by the author's place.
    pub fn rewrite<'a>(&self, spec: &FunctionSpec, text: &'a str) -> Cow<'a, str> {
        if self.0.is_empty() || !text.contains(SCHEME) {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(SCHEME) {
            let (before, after) = rest.split_at(at + SCHEME.len());
            out.push_str(before);
            rest = after;
            if let Some((place, left)) = self.leading(spec, after) {
                out.push_str(&place);
                rest = left;
            }
        }
        out.push_str(rest);
        Cow::Owned(out)
    }

    /// The author's place for what `text` begins with, and the text after it.
    fn leading<'a>(&self, spec: &FunctionSpec, text: &'a str) -> Option<(String, &'a str)> {
        let is_ours = |map: &&Map| text.strip_prefix(&*map.file).is_some_and(|after| after.starts_with(':'));
        let map = self.0.iter().find(is_ours)?;
        let (line, rest) = number(text.strip_prefix(&*map.file)?)?;
        let (column, rest) = number(rest)?;
        let (file, line, column) = self.place(spec, &map.file, line, column)?;
        Some((format!("{file}:{line}:{column}"), rest))
    }

    /// The detail with the author's places.
    pub fn rewrite_detail(&self, spec: &FunctionSpec, detail: &mut FailureDetail) {
        let FailureDetail { file: Some(file), line: Some(line), column: Some(column), .. } = detail else { return };
        if let Some((to, to_line, to_column)) = self.place(spec, file, *line, *column) {
            (*file, *line, *column) = (to, to_line, to_column);
        }
    }
}

/// `:123` at the start of a text, and what follows.
fn number(text: &str) -> Option<(u32, &str)> {
    let text = text.strip_prefix(':')?;
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use isle_wire::{Limits, ModuleSource};

    fn spec() -> FunctionSpec {
        // Line 2, column 3 of out.js is line 5, column 1 of src/in.ts.
        let map = r#"{"version":3,"sources":["src/in.ts"],"names":[],"mappings":";EAIA"}"#;
        let module = |kind, text: &str| ModuleSource { kind, text: text.to_owned() };
        FunctionSpec {
            tenant: String::new(),
            app: String::new(),
            function: String::new(),
            deployment: String::new(),
            entry: "out.js".to_owned(),
            modules: [
                ("out.js".to_owned(), module(ModuleKind::JavaScript, "\n  x();")),
                ("out.js.map".to_owned(), module(ModuleKind::SourceMap, map)),
                ("bad.js.map".to_owned(), module(ModuleKind::SourceMap, "no map")),
            ]
            .into(),
            env: Default::default(),
            limits: Limits::default(),
            code_generation: true,
            kind: Default::default(),
            contract: Default::default(),
            egress_allow: None,
            artifact: String::new(),
        }
    }

    #[test]
    fn places_become_the_authors() {
        let spec = spec();
        let maps = Maps::of(&spec);
        let text = "Error: no\n    at x (file:///out.js:2:3)\n    at file:///bad.js:1:1\n    at file:///o.js:1:1";
        assert_eq!(
            maps.rewrite(&spec, text),
            "Error: no\n    at x (file:///src/in.ts:5:1)\n    at file:///bad.js:1:1\n    at file:///o.js:1:1"
        );
        assert_eq!(maps.rewrite(&spec, "file:///out.js:2 and file:///"), "file:///out.js:2 and file:///");
        assert!(matches!(maps.rewrite(&spec, "nothing"), Cow::Borrowed(_)));
        let mut detail = FailureDetail {
            file: Some("out.js".to_owned()),
            line: Some(2),
            column: Some(4),
            ..FailureDetail::default()
        };
        maps.rewrite_detail(&spec, &mut detail);
        assert_eq!((detail.file.as_deref(), detail.line, detail.column), (Some("src/in.ts"), Some(5), Some(1)));
    }
}
