//! Runs every program of `programs/`: deploys it unmodified with `isle deploy` to a real node, calls it, and compares
//! whole answers with those of plain Node.
//!
//! A program is a folder with an `isle.toml`, a `main.ts` or `main.tsx`, and `requests.json` (a list of `{"method",
//! "path", "headers", "body"}`, all optional). `reference.mjs` says what Node answers. SDKs talk to `standin.mjs`, which is
//! `STAND_IN` in requests, over the network. The packages come from `programs/package-lock.json`; `make test` installs them.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use support::api::{LogLine, Tenant};
use support::http::{Request, Response};
use support::node::{Node, Reaped, host, isle};
use support::suite::{Suite, only_listed};
use support::{PATIENCE, until};

fn programs() -> PathBuf {
    support::js_tests().join("programs")
}

/// What `isle deploy` said.
fn deploy(node: &Node, folder: &Path, token: &str) -> (bool, String) {
    let output = isle()
        .arg("deploy")
        .arg(folder)
        .env("ISLE_NODE", format!("http://{}", node.admin))
        .env("ISLE_TOKEN", token)
        .output()
        .expect("isle deploy runs");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

/// Deploys `folder` as the app and tenant `name`.
fn deployed<'n>(node: &'n Node, name: &str, folder: &Path) -> Tenant<'n> {
    let tenant = node.tenant(name);
    let (ok, said) = deploy(node, folder, &tenant.token);
    assert!(ok, "{said}");
    tenant
}

fn request(name: &str, file: &Value) -> Request {
    let text = |key: &str, default: &str| file[key].as_str().unwrap_or(default).to_owned();
    let mut request = Request::new(&text("method", "GET"), &host(name), &text("path", "/"));
    for (header, value) in file["headers"].as_object().into_iter().flatten() {
        request = request.header(header, value.as_str().expect("header values are strings"));
    }
    request.body = file["body"].as_str().map(|body| body.as_bytes().to_vec());
    request
}

fn agrees(expected: &Value, response: &Response) {
    let seen = response.summary();
    assert_eq!(Some(u64::from(response.status())), expected["status"].as_u64(), "{seen}");
    let body = response.text();
    match (serde_json::from_str::<Value>(&body), expected["body"].as_str().map(serde_json::from_str::<Value>)) {
        (Ok(body), Some(Ok(expected))) => same_json("", &body, &expected),
        _ => assert_eq!(Some(body.as_str()), expected["body"].as_str(), "{seen}"),
    }
    for (name, value) in expected["headers"].as_object().into_iter().flatten() {
        // How long a body is, who serves it and on which connection, the node says itself.
        if !["content-length", "server", "connection"].contains(&name.as_str()) {
            assert_eq!(response.head.header(name), value.as_str(), "header {name}; {seen}");
        }
    }
    for cookie in expected["cookies"].as_array().into_iter().flatten() {
        assert!(response.head.all("set-cookie").contains(&cookie.as_str().expect("a cookie")), "{cookie}; {seen}");
    }
}

/// Says where two values differ and not only that they do.
fn same_json(at: &str, seen: &Value, expected: &Value) {
    match (seen, expected) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().for_each(|(key, value)| same_json(&format!("{at}/{key}"), value, &b[key]));
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(n, (a, b))| same_json(&format!("{at}/{n}"), a, b));
        }
        _ => assert_eq!(seen, expected, "at {at}"),
    }
}

/// The process that services are played by, and its address. It ends when this one does, which holds its input.
fn stand_in() -> (Reaped, String) {
    let mut command = Command::new("node");
    command.arg(programs().join("standin.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process: Child = command.spawn().expect("node runs");
    let mut line = String::new();
    let out = process.stdout.take().expect("its output");
    BufReader::new(out).read_line(&mut line).expect("standin.mjs says where it listens");
    (Reaped(process), line.trim().to_owned())
}

fn program(node: &Node, name: &str, expected: &[Value], stand_in: &str) {
    let folder = programs().join(name);
    deployed(node, name, &folder);
    let requests = std::fs::read_to_string(folder.join("requests.json")).unwrap_or_else(|_| "[{}]".to_owned());
    let requests = requests.replace("STAND_IN", &format!("http://{stand_in}"));
    let requests: Vec<Value> = serde_json::from_str(&requests).expect("requests.json");
    assert_eq!(requests.len(), expected.len());
    let mut wrong = Vec::new();
    for (file, expected) in requests.iter().zip(expected) {
        let response = node.call(&request(name, file));
        let compared = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| agrees(expected, &response)));
        if compared.is_err() {
            wrong.push(file["path"].as_str().unwrap_or("/").to_owned());
        }
    }
    assert!(wrong.is_empty(), "other answers than Node's for {}", wrong.join(", "));
}

/// A folder of these files, beside the installed packages so that they can be imported.
fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(programs().join("node_modules")).expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    folder
}

fn a_refusal_names_the_import_and_who_asked(node: &Node) {
    let tenant = node.tenant("refused");
    let manifest = "app = \"refused\"\n[functions.main]\nentry = \"main.ts\"\n";
    let refused = |main: &str| {
        let folder = written(&[("isle.toml", manifest), ("main.ts", main)]);
        let (ok, said) = deploy(node, folder.path(), &tenant.token);
        assert!(!ok, "{said}");
        said
    };
    let said = refused("import fs from 'node:fs'; export const handler = () => fs;");
    assert!(said.contains("main.ts imports `node:fs`, a module of Node that functions do not have"), "{said}");
    let said = refused("import x from 'not-installed/sub'; export const handler = () => x;");
    assert!(said.contains("imports `not-installed/sub`") && said.contains("npm install not-installed"), "{said}");
    let said = refused("export const handler = (: number) => 1;");
    assert!(said.contains("main.ts:1:"), "{said}");
    // In a module that only Node can load: known when it is started.
    let said = refused("import { build } from 'esbuild'; export const handler = () => build;");
    assert!(said.contains("package `esbuild`") && said.contains("a module of Node"), "{said}");
}

fn stacks_name_the_authors_lines(node: &Node) {
    let manifest = "app = \"mapped\"\n[functions.main]\nentry = \"src/main.ts\"\n";
    let main = "import { fail } from './lib';\ninterface Unused { a: string }\n\n\
                export const handler = async () => {\n  console.log(new Error('shown'));\n  return fail('x' as string);\n};\n";
    let lib =
        "// a comment\nexport type T = number;\nexport function fail(a: string): never {\n  throw new Error(a);\n}\n";
    let folder = written(&[("isle.toml", manifest), ("src/main.ts", main), ("src/lib.ts", lib)]);
    let tenant = deployed(node, "mapped", folder.path());
    assert_eq!(node.get("mapped", "/").outcome(), "handler_threw");
    let shown = |line: &LogLine| line.text.contains("src/main.ts:5:15");
    until("the place in the log", PATIENCE, || tenant.logs("mapped", 10).iter().any(shown).then_some(()));

    let manifest = manifest.replace("mapped", "unstartable");
    let folder =
        written(&[("isle.toml", &manifest), ("src/main.ts", "type A = 1;\n\nnull!.x;\nexport const handler = 1;\n")]);
    let tenant = node.tenant("unstartable");
    let (ok, said) = deploy(node, folder.path(), &tenant.token);
    assert!(!ok && said.contains("src/main.ts:3:") && said.contains("3 | null!.x;"), "{said}");
}

fn functions_share_what_they_share(node: &Node) {
    let manifest = "app = \"several\"\n[functions.a]\nentry = \"a.ts\"\nroutes = [\"GET /a\"]\n[functions.b]\nentry = \"b/b.tsx\"\nroutes = [\"GET /b\"]\n[functions.c]\nentry = \"c.js\"\nroutes = [\"GET /c\"]\n";
    let files = [
        ("isle.toml", manifest),
        ("shared.ts", "import { z } from 'zod'; export const Name = z.string(); export const n: number = 1;"),
        ("a.ts", "import { n, Name } from './shared'; export const handler = async () => Name.parse('a') + n;"),
        (
            "b/b.tsx",
            "import { n } from '../shared.js'; export const handler = async () => (await import('./later')).default + n;",
        ),
        ("b/later.ts", "export default 'later' as string;"),
        ("c.js", "import data from './data.json' with { type: 'json' }; export const handler = () => data;"),
        ("data.json", "{\"c\": true}"),
    ];
    let folder = written(&files);
    deployed(node, "several", folder.path());
    assert_eq!(node.get("several", "/a").text(), "a1");
    assert_eq!(node.get("several", "/b").text(), "later1");
    assert_eq!(node.get("several", "/c").text(), "{\"c\":true}");
}

fn code_from_strings_can_be_turned_off(node: &Node) {
    let main = "export const handler = async () => {\n  const made: unknown[] = [];\n\
                \x20 for (const make of [() => eval('1'), () => new Function('return 2')(), () => (async () => {}).constructor('3')]) {\n\
                \x20   try { make(); made.push('made'); } catch (error) { made.push((error as Error).name); }\n  }\n  return made;\n};\n";
    for (app, first, expected) in [
        ("generates", "", "[\"made\",\"made\",\"made\"]"),
        ("ungenerating", "code_generation = false\n", "[\"EvalError\",\"EvalError\",\"EvalError\"]"),
    ] {
        let manifest = format!("app = \"{app}\"\n{first}[functions.main]\nentry = \"main.ts\"\n");
        let folder = written(&[("isle.toml", &manifest), ("main.ts", main)]);
        deployed(node, app, folder.path());
        assert_eq!(node.get(app, "/").text(), expected);
    }
}

fn main() -> ExitCode {
    type Test = fn(&Node);
    let tests: [(&str, Test); 4] = [
        ("code_from_strings_can_be_turned_off", code_from_strings_can_be_turned_off),
        ("a_refusal_names_the_import_and_who_asked", a_refusal_names_the_import_and_who_asked),
        ("stacks_name_the_authors_lines", stacks_name_the_authors_lines),
        ("functions_share_what_they_share", functions_share_what_they_share),
    ];
    let entries = std::fs::read_dir(programs()).expect("js-tests/programs");
    let folders = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.join("isle.toml").exists());
    let mut names: Vec<String> =
        folders.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    names.sort();
    let listed: Vec<String> = names.iter().cloned().chain(tests.iter().map(|(name, _)| (*name).to_owned())).collect();
    if only_listed(&listed) {
        return ExitCode::SUCCESS;
    }
    if !programs().join("node_modules").is_dir() {
        eprintln!("js-tests/programs/node_modules is missing: `make programs` installs it (it needs npm)");
        return ExitCode::FAILURE;
    }
    let (_stand_in, address) = stand_in();
    let mut reference = Command::new("node");
    reference.arg(programs().join("reference.mjs")).env("STAND_IN", format!("http://{address}"));
    let output = reference.output().expect("node runs");
    assert!(output.status.success(), "reference.mjs: {}", String::from_utf8_lossy(&output.stderr));
    let expected: BTreeMap<String, Vec<Value>> = serde_json::from_slice(&output.stdout).expect("reference.mjs");

    let node = Node::start(&format!("[egress]\nopen = [\"{address}\"]\n"));
    let mut suite = Suite::new();
    for name in &names {
        let (node, expected, address) = (&node, &expected[name], &address);
        suite.add(name, move || program(node, name, expected, address));
    }
    for (name, test) in tests {
        let node = &node;
        suite.add(name, move || test(node));
    }
    suite.run(2)
}
