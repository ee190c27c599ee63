//! Whether a function's modules can travel as they are.

use isle_wire::ModuleKind;
use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;
use std::collections::BTreeSet;
use std::path::Path;

/// Modules looked at before the answer is "bundle": a plain app is small.
const MODULES_MAX: usize = 2_000;

/// Whether a file may be a part of an app, by its name.
pub fn is_source(name: &str) -> bool {
    ModuleKind::of_path(name).is_some() || needs_translation(name)
}

/// TypeScript and JSX.
pub fn needs_translation(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    matches!(extension, Some("ts" | "tsx" | "jsx" | "mts" | "cts"))
}

/// Whether the module at `root/entry`, or one that it imports, is more than JavaScript that imports
/// by relative path, as a cell runs it.
pub fn needs_bundling(root: &Path, entry: &str) -> bool {
    let mut seen = BTreeSet::from([entry.to_owned()]);
    let mut waiting = vec![entry.to_owned()];
    while let Some(name) = waiting.pop() {
        if needs_translation(&name) || seen.len() > MODULES_MAX {
            return true;
        }
        if ModuleKind::of_path(&name) != Some(ModuleKind::JavaScript) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(root.join(&name)) else { continue };
        for specifier in imports(&text) {
            let relative = ["./", "../", "/"].iter().any(|start| specifier.starts_with(start));
            if !relative {
                // What the node has itself needs no bundling.
                if specifier.strip_prefix("node:").is_some_and(isle_runtime::is_node_module) {
                    continue;
                }
                return true;
            }
            let Some(target) = crate::folder::resolve(&name, &specifier) else { continue };
            if ModuleKind::of_path(&target).is_none() || !root.join(&target).is_file() {
                // Without extension, or one of ours: the bundler knows what it may mean. What is
                // nowhere is for the node to say.
                let translated = needs_translation(&target)
                    || super::EXTENSIONS.iter().any(|extension| {
                        let stem =
                            target.strip_suffix(".js").or_else(|| target.strip_suffix(".mjs")).unwrap_or(&target);
                        root.join(format!("{stem}{extension}")).is_file()
                            || root.join(format!("{target}/index{extension}")).is_file()
                    });
                if translated {
                    return true;
                }
                continue;
            }
            if seen.insert(target.clone()) {
                waiting.push(target);
            }
        }
    }
    false
}

/// The specifiers that a module imports, as far as they are written out. Nothing for text that does
/// not parse: its error is told by who runs it.
fn imports(text: &str) -> Vec<String> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, SourceType::mjs()).parse();
    let record = &parsed.module_record;
    let fixed = record.requested_modules.keys().map(ToString::to_string);
    let dynamic = record.dynamic_imports.iter().filter_map(|import| {
        let written = import.module_request.source_text(text);
        let inner = written.strip_prefix(['"', '\'', '`'])?.strip_suffix(['"', '\'', '`'])?;
        (!inner.contains("${")).then(|| inner.to_owned())
    });
    fixed.chain(dynamic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn plain_modules_travel_as_they_are() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(root.path().join(name), text).unwrap();
        let needs = |text: &str| {
            write("a.js", text);
            needs_bundling(root.path(), "a.js")
        };
        write("b.js", "import d from './d.json' with { type: 'json' }; export const b = \"from 'zod'\";");
        write("d.json", "{}");
        write("t.ts", "export const t: number = 1;");
        write("u.js", "import './t.ts';");
        assert!(!needs("import { b } from './b.js'; export const handler = () => b; // import 'zod'"));
        assert!(!needs("const x = await import('./b.js'); import 'node:events'"));
        assert!(!needs("this is { no javascript"));
        assert!(needs("import { z } from 'zod'"));
        assert!(needs("export * from 'zod'"));
        assert!(needs("await import('zod')"));
        assert!(needs("import 'events'"));
        assert!(needs("import './t'"));
        assert!(needs("import './t.js'"));
        assert!(needs("import './u.js'"));
        assert!(needs_bundling(root.path(), "t.ts"));
        assert!(is_source("a.tsx") && is_source("a.js") && !is_source("a.css"));
    }
}
