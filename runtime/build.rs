//! Embeds the web platform's scripts.
//!
//! The deno crates name their JavaScript by absolute path, to be read when a snapshot is made on
//! the machine that compiled them. Isle makes its base snapshot on the machine that runs it, so
//! the scripts must be in the binary: this finds each crate's folder through `cargo metadata` and
//! writes a table of `include_bytes!`. Embedding them as V8 external strings has a second use:
//! script text is then neither in a snapshot nor in any isolate's heap.

mod patches;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crate and script, in the order in which they take their place among the external references.
const SCRIPTS: &[(&str, &[&str])] = &[
    ("deno_webidl", &["00_webidl.js"]),
    (
        "deno_web",
        &[
            "00_infra.js",
            "00_url.js",
            "01_console.js",
            "01_dom_exception.js",
            "01_mimesniff.js",
            "01_urlpattern.js",
            "02_event.js",
            "02_structured_clone.js",
            "02_timers.js",
            "03_abort_signal.js",
            "05_base64.js",
            "06_streams.js",
            "08_text_encoding.js",
            "09_file.js",
            "10_filereader.js",
            "12_location.js",
            "13_message_port.js",
            "14_compression.js",
            "15_performance.js",
        ],
    ),
    (
        "deno_fetch",
        &["20_headers.js", "21_formdata.js", "22_body.js", "23_request.js", "23_response.js", "26_fetch.js"],
    ),
    ("deno_crypto", &["00_crypto.js"]),
    (
        OWN,
        &[
            "build.js",
            "crypto.js",
            "crypto_checks.js",
            "ed448.js",
            "env.js",
            "exchange.js",
            "fetch.js",
            "fetch_rules.js",
            "frozen.js",
            "intl.js",
            "lambda_stream.js",
            "late.js",
            "scope.js",
            "wasm_streaming.js",
        ],
    ),
];

/// Node's modules, written here: `src/ext/node`.
const NODE_MODULES: &[&str] = &[
    "assert",
    "assert/strict",
    "async_hooks",
    "buffer",
    "console",
    "crypto",
    "diagnostics_channel",
    "events",
    "module",
    "os",
    "path",
    "path/posix",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "stream",
    "stream/consumers",
    "stream/promises",
    "stream/web",
    "string_decoder",
    "timers",
    "timers/promises",
    "tty",
    "url",
    "util",
    "util/types",
    "zlib",
];

/// Not a crate's: scripts of this one, from `src/ext`.
const OWN: &str = "isle";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=patches.rs");
    println!("cargo::rerun-if-changed=patches");
    println!("cargo::rerun-if-changed=src/ext");
    let mut folders = crate_folders();
    folders.insert(OWN.to_owned(), PathBuf::from("src/ext"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut table = Table::default();
    for (name, scripts) in SCRIPTS {
        let folder = folders.get(*name).unwrap_or_else(|| panic!("cargo metadata does not list crate {name}"));
        for script in *scripts {
            let file = format!("{name}-{script}");
            std::fs::write(out.join(&file), wrap(&folder.join(script), name, script)).expect("OUT_DIR is writable");
            table.add(&format!("ext:{name}/{script}"), &file);
        }
    }
    for module in NODE_MODULES {
        let file = format!("node-{}.js", module.replace('/', "-"));
        let source = Path::new("src/ext/node").join(module).with_extension("js");
        println!("cargo::rerun-if-changed={}", source.display());
        std::fs::write(out.join(&file), wrap(&source, "isle_node", module)).expect("OUT_DIR is writable");
        table.add(&format!("ext:isle_node/{module}.js"), &file);
    }
    std::fs::write(out.join("scripts.rs"), table.text()).expect("OUT_DIR is writable");
}

/// The table of scripts, as Rust.
#[derive(Default)]
struct Table {
    constants: String,
    entries: String,
    count: usize,
}

impl Table {
    /// Each script is a constant of its own: that it is ASCII is checked when it is compiled, and the
    /// compiler minds how long it takes for one.
    fn add(&mut self, specifier: &str, file: &str) {
        // By the variable, not by its value: a target folder may be moved.
        let bytes = format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\"))");
        let name = format!("SCRIPT_{}", self.count);
        self.count += 1;
        let text = format!("v8::String::create_external_onebyte_const({bytes})");
        writeln!(self.constants, "const {name}: v8::OneByteConst = {text};").expect("writing to a string");
        writeln!(self.entries, "  (\"{specifier}\", {name}),").expect("writing to a string");
    }

    fn text(&self) -> String {
        let Table { constants, entries, .. } = self;
        format!("{constants}pub static SCRIPTS: &[(&str, v8::OneByteConst)] = &[\n{entries}];\n")
    }
}

/// Each script is one function expression; wrapped like this it is a function body that returns
/// what the expression yields, compiled with `__bootstrap` as its parameter.
fn wrap(path: &Path, name: &str, script: &str) -> String {
    let mut text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let of_this = |patch: &&patches::Patch| patch.script.split_once('/') == Some((name, script));
    for patch in patches::patches().filter(of_this) {
        let found = text.matches(patch.find).count();
        assert_eq!(found, patch.times, "{}: the patch of {:?} fits {found} times", patch.script, patch.find);
        text = text.replace(patch.find, patch.put);
    }
    let expression = text.trim_end().trim_end_matches(';');
    assert!(expression.is_ascii(), "{} is not ASCII: a one-byte external string needs it", path.display());
    format!("\"use strict\";return (\n{expression}\n);")
}

fn crate_folders() -> HashMap<String, PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("packages is a list");
    packages
        .iter()
        .filter_map(|package| {
            let manifest = PathBuf::from(package["manifest_path"].as_str()?);
            Some((package["name"].as_str()?.to_owned(), manifest.parent()?.to_owned()))
        })
        .collect()
}
