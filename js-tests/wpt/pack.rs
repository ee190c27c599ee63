//! Makes a function's module of a web-platform test: harness, scripts, fixtures and the test itself
//! in one text, around `glue.js`.
//!
//! Only `*.any.js` files are taken: tests for any global scope. `META` comments name what a test
//! needs and the variants in which it runs.

use crate::support::http::{Connection, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

const GLUE: &str = include_str!("glue.js");

/// Larger files than this are no fixtures.
const FIXTURE_BYTES_MAX: u64 = 5_000_000;

/// One test in one variant.
pub struct Packed {
    /// Its path in the tree and the variant.
    pub name: String,
    /// The module's text.
    pub module: String,
}

/// The tree, with what every test needs.
pub struct Packer {
    root: PathBuf,
    harness: String,
    server: Option<Server>,
}

/// The tests' own server, which runs somewhere on this machine.
pub struct Server {
    /// `localhost:8000`; the next port is its, too.
    pub authority: String,
    addr: SocketAddr,
}

impl Server {
    /// By its origin, `http://localhost:8000`.
    ///
    /// # Panics
    /// When it is none.
    pub fn at(origin: &str) -> Server {
        let authority = origin.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let mut addrs = authority.to_socket_addrs().unwrap_or_else(|e| panic!("{origin}: {e}"));
        let addr = addrs.find(SocketAddr::is_ipv4).unwrap_or_else(|| panic!("{origin} is nowhere"));
        Server { authority, addr }
    }

    /// Its first two ports, by both of their names.
    pub fn authorities(&self) -> Vec<String> {
        let port = self.addr.port();
        ["localhost", "127.0.0.1"]
            .iter()
            .flat_map(|host| [format!("{host}:{port}"), format!("{host}:{}", port + 1)])
            .collect()
    }

    /// A file as it serves it: names of hosts and ports are filled in.
    fn file(&self, path: &str) -> Option<String> {
        let response = Connection::try_open(self.addr).ok()?.call(&Request::get(&self.authority, path)).ok()?;
        (response.status() == 200).then(|| response.text())
    }
}

#[derive(Default)]
struct Meta {
    scripts: Vec<String>,
    variants: Vec<String>,
    long: bool,
}

impl Meta {
    fn of(source: &str) -> Meta {
        let mut meta = Meta::default();
        let head = source.lines().take_while(|line| line.starts_with("//") || line.trim().is_empty());
        for line in head {
            let Some((name, value)) =
                line.trim_start_matches('/').trim().strip_prefix("META:").and_then(|text| text.trim().split_once('='))
            else {
                continue;
            };
            match name.trim() {
                "script" => meta.scripts.push(value.trim().to_owned()),
                "variant" => meta.variants.push(value.trim().to_owned()),
                "timeout" => meta.long = value.trim() == "long",
                _ => {}
            }
        }
        if meta.variants.is_empty() {
            meta.variants.push(String::new());
        }
        meta
    }
}

impl Packer {
    /// A packer for the tree at `root`.
    ///
    /// # Panics
    /// When there is no test harness in it.
    pub fn new(root: &Path, server: Option<Server>) -> Packer {
        let path = root.join("resources/testharness.js");
        let harness = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        // The harness asks its surroundings what kind of scope it is in; a function is a shell.
        let asks = "function create_test_environment() {";
        assert!(harness.contains(asks), "{} is of an unknown kind", path.display());
        let harness = harness.replacen(asks, &format!("{asks} return new ShellTestEnvironment();"), 1);
        Packer { root: root.to_owned(), harness, server }
    }

    /// Every test below a folder, or the one file, in order of names; nothing where there is no such path. Tests that
    /// are not `served` find the files that they fetch in their modules.
    pub fn pack(&self, path: &str, served: bool) -> Vec<Packed> {
        let mut files = Vec::new();
        collect(&self.root.join(path), &mut files);
        files.sort();
        files.iter().flat_map(|file| self.pack_file(file, served)).collect()
    }

    fn pack_file(&self, file: &Path, served: bool) -> Vec<Packed> {
        let server = self.server.as_ref().filter(|_| served);
        let Some(source) = self.text(file, server) else { return Vec::new() };
        let meta = Meta::of(&source);
        let folder = file.parent().expect("a file is in a folder");
        // All in one text that is run with indirect eval: sloppy and global, as a browser has it.
        let mut body = format!("{}\n;__afterHarness();\n", self.harness);
        let mut all = String::new();
        for script in meta.scripts.iter().filter(|script| !script.contains("/testharness")) {
            // The parser is kept as a module of its own in the tree.
            let parser = script == "/resources/WebIDLParser.js";
            let path =
                if parser { self.root.join("resources/webidl2/lib/webidl2.js") } else { self.at(folder, script) };
            let Some(text) = self.text(&path, server) else { continue };
            if parser {
                body += &format!("(function () {{\n{text}\n}}).call(globalThis);\n");
            } else {
                body += &format!("{text}\n;\n");
            }
            all += &text;
        }
        // Strictness is a script's own: the directive counts at the beginning of a body only.
        if strict(&source) {
            body += &format!("(function () {{ \"use strict\";\n{source}\n}}).call(globalThis);");
        } else {
            body += &source;
        }
        all += &source;
        let path = file.strip_prefix(&self.root).expect("below the root").to_string_lossy().into_owned();
        let fixtures = if server.is_some() { BTreeMap::new() } else { self.fixtures(folder, &all) };
        let authority = server.map_or("web-platform.test:8000", |server| &server.authority);
        let packed = |variant: &String| {
            let test = json!({
                "authority": authority, "path": path, "variant": variant, "long": meta.long, "fixtures": fixtures,
            });
            let module = format!(
                "const test = {test};\nconst body = {};\n{GLUE}",
                json!(format!("{body}\n//# sourceURL=/{path}"))
            );
            Packed { name: format!("{path}{variant}"), module }
        };
        meta.variants.iter().map(packed).collect()
    }

    /// A script; one whose name says that the server fills it in comes from there.
    fn text(&self, file: &Path, server: Option<&Server>) -> Option<String> {
        match server {
            Some(server) if file.to_string_lossy().contains(".sub.") => {
                server.file(&format!("/{}", file.strip_prefix(&self.root).ok()?.display()))
            }
            _ => fs::read_to_string(file).ok(),
        }
    }

    fn at(&self, folder: &Path, reference: &str) -> PathBuf {
        let reference = reference.split('?').next().unwrap_or_default();
        match reference.strip_prefix('/') {
            Some(absolute) => self.root.join(absolute),
            None => folder.join(reference),
        }
    }

    /// The files that string literals of the sources name, as base64 by their path on the test's
    /// server.
    fn fixtures(&self, folder: &Path, sources: &str) -> BTreeMap<String, Value> {
        let uses_idl = sources.contains("idlharness");
        let mut fixtures = BTreeMap::new();
        for literal in literals(sources) {
            let mut paths = vec![self.at(folder, literal)];
            if uses_idl && literal.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) {
                paths.push(self.root.join(format!("interfaces/{literal}.idl")));
            }
            for path in paths {
                let Ok(path) = path.canonicalize() else { continue };
                let Ok(inside) = path.strip_prefix(&self.root) else { continue };
                let code =
                    path.extension().is_some_and(|e| ["js", "mjs", "html", "headers", "py"].iter().any(|c| e == *c));
                let fits = path.metadata().is_ok_and(|m| m.is_file() && m.len() < FIXTURE_BYTES_MAX);
                if code || !fits {
                    continue;
                }
                let bytes = fs::read(&path).unwrap_or_default();
                fixtures.insert(format!("/{}", inside.display()), STANDARD.encode(bytes).into());
            }
        }
        fixtures
    }
}

/// Whether a script's first statement is the directive.
fn strict(source: &str) -> bool {
    let mut lines = source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.next().is_some_and(|line| matches!(line.trim_end_matches(';'), "'use strict'" | "\"use strict\""))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            collect(&entry.path(), files);
        }
    } else if path.to_string_lossy().ends_with(".any.js") && path.exists() {
        files.push(path.to_owned());
    }
}

/// Short strings between quotes of one kind on one line.
fn literals(source: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for line in source.lines() {
        for quote in ['"', '\'', '`'] {
            let mut parts = line.split(quote);
            parts.next();
            for part in parts {
                if !part.is_empty() && part.len() <= 200 {
                    found.insert(part);
                }
            }
        }
    }
    found
}
