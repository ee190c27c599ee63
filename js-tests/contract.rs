//! The handler contract as a table: one row a rule, run against a real node. `make contract` prints
//! it with what came of each row.
//!
//! Rows are in `contract/*.toml`:
//!
//! ```toml
//! [[row]]
//! rule = "R20"
//! mark = "doc"        # doc: the vendor's page · val: recorded on the real service · emu: an emulator · choice: ours
//! says = "what the rule says, in a sentence"
//! differs = "how Isle differs from the vendor on purpose, and why"           # optional
//! handler = '''export const handler = async (event) => event;'''
//! function = 'payload_format = "1.0"'      # optional: lines of the function's table in isle.toml
//! app = '[cors]…'                          # optional: tables of isle.toml
//! refused = { error_type = "…" }           # instead of calls: fields of the refusal's details
//!
//! [[row.call]]
//! request = "POST /a?b=c"                  # {app} is the app's name
//! admin = true                             # on the admin listener, with the tenant's token
//! headers = [["content-type", "text/plain"]]
//! body = "text"                            # or base64
//! status = 200
//! outcome = "ok"
//! answer = { content-type = "application/json", absent-one = false }
//! text = "the whole body"                  # or json, base64_body; contains: a part of it
//! cut = true                               # the body breaks off after `text`
//! at = { "/pointer" = 'JSON' }             # parts of the body; "absent" for what must not be there
//! types = { "/pointer" = "string" }
//! ```
//!
//! Every row runs cold and again on the isolate that has served. `ISLE_TEST_START=snapshot` starts the
//! functions by that plan.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use support::api::Tenant;
use support::deployment::Deployment;
use support::http::{self, Connection, Request, Response};
use support::node::{Node, host};
use support::suite::{Suite, only_listed};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    row: Vec<Row>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    Doc,
    Val,
    Emu,
    Choice,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    rule: String,
    mark: Mark,
    says: String,
    differs: Option<String>,
    handler: String,
    #[serde(default)]
    function: String,
    #[serde(default)]
    app: String,
    refused: Option<BTreeMap<String, String>>,
    #[serde(default)]
    call: Vec<Call>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    #[serde(default = "root")]
    request: String,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<String>,
    base64: Option<String>,
    status: u16,
    outcome: Option<String>,
    #[serde(default)]
    answer: BTreeMap<String, Expected>,
    text: Option<String>,
    base64_body: Option<String>,
    contains: Option<String>,
    #[serde(default)]
    cut: bool,
    /// A part of `X-Amz-Log-Result`, decoded.
    log: Option<String>,
    /// A request that is in the function meanwhile: its handler logs `held` and the query.
    beside: Option<String>,
    /// Waits first until the app has logged this.
    after_log: Option<String>,
    json: Option<String>,
    #[serde(default)]
    at: BTreeMap<String, String>,
    #[serde(default)]
    types: BTreeMap<String, String>,
}

/// What `{long}` in a target, a header or a body stands for, in bytes: a head that no node takes, a body beyond one frame.
const LONG: usize = 70_000;

fn root() -> String {
    "GET /".to_owned()
}

/// A header field: its value, all its values, or `false` where it must not be there.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expected {
    One(String),
    All(Vec<String>),
    There(bool),
}

impl Call {
    fn request(&self, tenant: &Tenant<'_>, app: &str) -> Request {
        let long = |value: &str| value.replace("{long}", &"x".repeat(LONG));
        let target = long(&self.request).replace("{app}", app).replace("{tenant}", &tenant.name);
        let (method, path) = target.split_once(' ').expect("`request` is METHOD /path");
        let named = self.headers.iter().find(|(name, _)| name == "host").map(|(_, value)| value.clone());
        let host = named.unwrap_or_else(|| if self.admin { "localhost".into() } else { host(app) });
        let mut request = Request::new(method, &host, path);
        let headers = self.headers.iter().filter(|(name, _)| name != "host");
        request.headers = headers.map(|(name, value)| (name.clone(), long(value))).collect();
        if self.admin && !request.headers.iter().any(|(name, _)| name == "authorization") {
            request = request.header("authorization", &format!("Bearer {}", tenant.token));
        }
        request.body = match (&self.body, &self.base64) {
            (Some(text), None) => Some(long(text).into_bytes()),
            (None, Some(text)) => Some(STANDARD.decode(text).expect("base64")),
            (None, None) => None,
            _ => panic!("a call has one body"),
        };
        request
    }

    /// Receives a response that breaks off, as far as it comes.
    fn broken_off(connection: &mut Connection, request: &Request) -> Response {
        connection.send(request).expect("a request is sent");
        let head = connection.receive_head().expect("a head");
        let mut body = Vec::new();
        while let Ok(chunk) = connection.receive_chunk() {
            body.extend(chunk.unwrap_or_else(|| panic!("a whole body of {} bytes", body.len())));
        }
        Response { head, body }
    }

    fn check(&self, response: &Response) {
        let seen = response.summary();
        assert_eq!(response.status(), self.status, "status: {seen}");
        if let Some(outcome) = &self.outcome {
            assert_eq!(response.outcome(), outcome, "{seen}");
        }
        for (name, expected) in &self.answer {
            let values = response.head.all(name);
            match expected {
                Expected::One(value) => assert_eq!(values, [value], "header {name}: {seen}"),
                Expected::All(all) => assert_eq!(&values, all, "header {name}: {seen}"),
                Expected::There(there) => assert_eq!(!values.is_empty(), *there, "header {name} is {values:?}: {seen}"),
            }
        }
        if let Some(text) = &self.text {
            assert_eq!(&response.text(), text);
        }
        if let Some(bytes) = &self.base64_body {
            assert_eq!(&STANDARD.encode(&response.body), bytes);
        }
        if let Some(part) = &self.contains {
            assert!(response.text().contains(part), "{seen}");
        }
        if let Some(part) = &self.log {
            let log = response.head.header("x-amz-log-result").expect("a log");
            let log = String::from_utf8(STANDARD.decode(log).expect("base64")).expect("UTF-8");
            assert!(log.contains(part), "{log}");
        }
        let parse = |json: &str| -> Value { serde_json::from_str(json).unwrap_or_else(|e| panic!("{e} in {json}")) };
        if let Some(json) = &self.json {
            assert_eq!(response.json(), parse(json), "{seen}");
        }
        for (pointer, expected) in &self.at {
            let given = response.json();
            match (given.pointer(pointer), expected.as_str()) {
                (None, "absent") => {}
                (None, _) => panic!("nothing at {pointer}: {given}"),
                (Some(value), "absent") => panic!("{value} at {pointer}, where nothing should be"),
                (Some(value), expected) => assert_eq!(value, &parse(expected), "at {pointer}"),
            }
        }
        for (pointer, expected) in &self.types {
            let given = response.json();
            let value = given.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}: {given}"));
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            assert_eq!(kind, expected, "at {pointer}: {value}");
        }
    }
}

impl Row {
    fn deployment(&self, app: &str) -> Deployment {
        let mut deployment = Deployment::of(app, &self.handler);
        deployment.manifest.push_str(&self.function);
        deployment.manifest.push_str(&format!("\n{}\n", self.app));
        deployment
    }

    fn run(&self, tenant: &Tenant<'_>, app: &str) {
        let deployment = self.deployment(app);
        if let Some(details) = &self.refused {
            assert!(self.call.is_empty(), "a refused deployment is not called");
            let answer = tenant.try_deploy(&deployment);
            assert_eq!(answer.status(), 422, "{}", answer.text());
            let error = answer.json()["error"].clone();
            for (field, part) in details {
                let value = if field == "code" { &error["code"] } else { &error["details"][field] };
                let text = value.as_str().unwrap_or_default();
                assert!(text.contains(part), "{field} of {error}: expected {part:?} in it");
            }
            return;
        }
        assert!(!self.call.is_empty(), "a row calls its handler");
        tenant.deploy(&deployment);
        for pass in ["cold", "warm"] {
            // One connection for all, unless a refusal closes it.
            let mut kept = Connection::open(tenant.node.public);
            for call in &self.call {
                let request = call.request(tenant, app);
                let mut ask = || {
                    let response = match call.admin {
                        _ if call.cut => Call::broken_off(&mut Connection::open(tenant.node.public), &request),
                        true => http::call(tenant.node.admin, &request),
                        false => kept.call(&request).unwrap_or_else(|_| http::call(tenant.node.public, &request)),
                    };
                    call.check(&response);
                };
                if let Some(text) = &call.after_log {
                    tenant.until_logged(app, text);
                }
                match &call.beside {
                    None => ask(),
                    Some(path) => std::thread::scope(|scope| {
                        scope.spawn(|| tenant.get(app, &format!("{path}?{pass}")));
                        tenant.until_logged(app, &format!("held {pass}"));
                        ask();
                    }),
                }
            }
        }
    }
}

fn rows() -> Vec<Row> {
    let folder = support::js_tests().join("contract");
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("js-tests/contract").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        toml::from_str::<Table>(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())).row
    };
    files.iter().flat_map(read).collect()
}

fn print(rows: &[(String, Row)], passed: &[String]) {
    println!("\n{:<8} {:<7} {:<5} rule", "", "mark", "");
    for (name, row) in rows.iter().filter(|(name, _)| support::suite::selected(name)) {
        let result = if passed.contains(name) { "pass" } else { "FAIL" };
        let mark = format!("{:?}", row.mark).to_ascii_lowercase();
        println!("{:<8} {mark:<7} {result:<5} {}", row.rule, row.says);
        if let Some(differs) = &row.differs {
            println!("{:<22} on purpose: {differs}", "");
        }
    }
    let differ = rows.iter().filter(|(_, row)| row.differs.is_some()).count();
    println!("\n{} rows pass; {differ} of {} differ on purpose", passed.len(), rows.len());
}

fn main() -> ExitCode {
    let rows: Vec<(String, Row)> = rows()
        .into_iter()
        .enumerate()
        .map(|(at, row)| {
            // The row's app is named after it.
            let rule: String = row.rule.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
            (format!("{}-{at:03}", rule.trim_matches('-').to_ascii_lowercase()), row)
        })
        .collect();
    if only_listed(&rows.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()) {
        return ExitCode::SUCCESS;
    }
    // What a rule says does not depend on how functions start, which the cases hold against each
    // other; without builders the table takes seconds.
    let start = std::env::var("ISLE_TEST_START").unwrap_or_else(|_| "source".to_owned());
    let node = Node::start(&format!("[cells]\nstart = \"{start}\"\n"));
    let tenant = node.tenant("contract");
    let passed = Mutex::new(Vec::new());
    let mut suite = Suite::new();
    for (name, row) in &rows {
        let (tenant, passed) = (&tenant, &passed);
        suite.add(name, move || {
            row.run(tenant, name);
            passed.lock().expect("the list").push(name.clone());
        });
    }
    let code = suite.run(4);
    print(&rows, &passed.lock().expect("the list"));
    code
}
