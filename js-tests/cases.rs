//! Runs every folder of `cases/`: deploys it to a real node, calls it, and compares.
//!
//! A case is a tenant's app. Beside its modules it holds:
//!
//! - `request.json`: `{"method", "path", "headers": {…} | [[name, value], …], "body" | "bodyBase64"}`,
//!   all optional, or a list of such requests; without the file it is one `GET /`.
//! - `expect.json`: for each request `{"status", "outcome" ("ok"), "headers": {name: value | [values] |
//!   null (absent)}, "body" | "bodyBase64" | "gunzipped" | "json", "logs": [{"level", "text" |
//!   "contains"}], "mask": [JSON pointers that may hold anything], "differs": [JSON pointers whose
//!   values must not repeat]}`; or `{"deploy_refused": {…}}` with fields of the refusal's details.
//! - `isle.toml`, when the app is not one function `main` in `handler.js` for every path.
//!
//! Each case runs on three nodes, which start functions from their text, in spare isolates with a
//! code cache, and from snapshots wherever one can be made; on each in every [`Way`] that its
//! function can be found. All must agree.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use support::api::Tenant;
use support::deployment::Deployment;
use support::http::{Request, Response};
use support::node::{Node, host};
use support::suite::{Suite, only_listed};
use support::{PATIENCE, until};

/// How a request finds the function.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// No isolate of it exists.
    Cold,
    /// An isolate that has served before.
    Reused,
}

const WAYS: [Way; 2] = [Way::Cold, Way::Reused];

impl Way {
    fn prepare(self, tenant: &Tenant<'_>, app: &str, functions: &[String]) {
        match self {
            Way::Cold => functions.iter().for_each(|function| tenant.evict(app, function)),
            Way::Reused => {}
        }
    }
}

/// A node for each way of starting.
const PLANS: [&str; 3] = ["source", "pooled", "snapshot"];

/// Headers that differ between any two responses.
const VOLATILE: [&str; 3] = ["date", "isle-request-id", "isle-start"];

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct RequestFile {
    method: Option<String>,
    path: Option<String>,
    headers: HeadersFile,
    body: Option<String>,
    body_base64: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum HeadersFile {
    Map(BTreeMap<String, String>),
    List(Vec<(String, String)>),
}

impl Default for HeadersFile {
    fn default() -> Self {
        HeadersFile::List(Vec::new())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ExpectFile {
    Refused(RefusedFile),
    Answers(Answers),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedFile {
    deploy_refused: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answers {
    Many(Vec<Answer>),
    One(Box<Answer>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Answer {
    status: u16,
    #[serde(default = "ok")]
    outcome: String,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    body: Option<String>,
    body_base64: Option<String>,
    gunzipped: Option<String>,
    // A JSON `null` is an expectation too.
    #[serde(default, deserialize_with = "present")]
    json: Option<Value>,
    #[serde(default)]
    logs: Vec<ExpectedLine>,
    #[serde(default)]
    mask: Vec<String>,
    #[serde(default)]
    differs: Vec<String>,
}

fn ok() -> String {
    "ok".into()
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedLine {
    level: String,
    text: Option<String>,
    contains: Option<String>,
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn requests(folder: &Path, host: &str) -> Vec<Request> {
    let path = folder.join("request.json");
    let files: Vec<RequestFile> = match path.exists().then(|| read::<Value>(&path)) {
        None => vec![RequestFile::default()],
        Some(list @ Value::Array(_)) => serde_json::from_value(list).expect("request.json"),
        Some(one) => vec![serde_json::from_value(one).expect("request.json")],
    };
    let request = |file: RequestFile| {
        let method = file.method.as_deref().unwrap_or("GET");
        let mut request = Request::new(method, host, file.path.as_deref().unwrap_or("/"));
        request.headers = match file.headers {
            HeadersFile::Map(map) => map.into_iter().collect(),
            HeadersFile::List(list) => list,
        };
        request.body = match (file.body, file.body_base64) {
            (Some(text), None) => Some(text.into_bytes()),
            (None, Some(text)) => Some(STANDARD.decode(text).expect("bodyBase64")),
            (None, None) => None,
            _ => panic!("request.json has both body and bodyBase64"),
        };
        request
    };
    files.into_iter().map(request).collect()
}

/// Compares a response with what the case expects, and returns what must agree in every way.
fn check(expected: &Answer, response: &Response) -> (u16, String, BTreeMap<String, Vec<String>>, Value) {
    let seen = response.summary();
    assert_eq!((response.status(), response.outcome()), (expected.status, expected.outcome.as_str()), "{seen}");
    for (name, value) in &expected.headers {
        let wanted: Vec<&str> = match value {
            Value::Null => Vec::new(),
            Value::Array(list) => list.iter().map(|v| v.as_str().expect("header values are strings")).collect(),
            one => vec![one.as_str().expect("header values are strings")],
        };
        assert_eq!(response.head.all(name), wanted, "header {name}; {seen}");
    }
    if let Some(body) = &expected.body {
        assert_eq!(&response.text(), body, "{seen}");
    }
    if let Some(body) = &expected.body_base64 {
        assert_eq!(&STANDARD.encode(&response.body), body);
    }
    if let Some(body) = &expected.gunzipped {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&response.body[..]).read_to_string(&mut text).expect("gzip");
        assert_eq!(&text, body);
    }
    let mut body = Value::String(STANDARD.encode(&response.body));
    if let Some(wanted) = &expected.json {
        body = response.json();
        for pointer in &expected.mask {
            *body.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}; {seen}")) = "*".into();
        }
        assert_eq!(&body, wanted, "{seen}");
    }
    assert_ne!(response.request_id(), "(none)", "{seen}");
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &response.head.headers {
        // What a masked value is long, the body is long.
        let masked_length = name == "content-length" && !expected.mask.is_empty();
        if !VOLATILE.contains(&name.as_str()) && !masked_length {
            headers.entry(name.clone()).or_default().push(value.clone());
        }
    }
    (response.status(), response.outcome().to_owned(), headers, body)
}

/// Waits until the request's console lines include the expected ones, in their order.
fn check_logs(tenant: &Tenant<'_>, app: &str, request_id: &str, expected: &[ExpectedLine]) {
    if expected.is_empty() {
        return;
    }
    let mut seen = Vec::new();
    let fits = |line: &support::api::LogLine, wanted: &ExpectedLine| {
        let text = line.text.trim_end();
        line.level == wanted.level
            && wanted.text.as_deref().is_none_or(|whole| whole == text)
            && wanted.contains.as_deref().is_none_or(|part| text.contains(part))
    };
    until(&format!("the log of {app} has {expected:?} for {request_id}"), PATIENCE, || {
        seen = tenant.logs(app, 500).into_iter().filter(|line| line.request_id == request_id).collect();
        let mut lines = seen.iter();
        expected.iter().all(|wanted| lines.any(|line| fits(line, wanted))).then_some(())
    });
}

fn run(tenants: &[Tenant<'_>], name: &str, folder: &Path) {
    let deployment = Deployment::from_folder(name, folder);
    let host = host(name);
    let answers = match read(&folder.join("expect.json")) {
        ExpectFile::Refused(refused) => {
            return tenants.iter().for_each(|tenant| run_refused(tenant, &deployment, &refused.deploy_refused));
        }
        ExpectFile::Answers(Answers::Many(list)) => list,
        ExpectFile::Answers(Answers::One(one)) => vec![*one],
    };
    let requests = requests(folder, &host);
    assert_eq!(requests.len(), answers.len(), "expect.json has an answer for each request");
    let mut agreed = Vec::new();
    for (plan, tenant) in PLANS.iter().zip(tenants) {
        let deployed = tenant.deploy(&deployment);
        let functions = deployed["functions"].as_array().expect("functions in the answer");
        let names: Vec<String> = functions.iter().map(|f| f["name"].as_str().expect("a name").to_owned()).collect();
        let mut drawn: BTreeMap<(usize, &str), Vec<Value>> = BTreeMap::new();
        for way in WAYS {
            for (index, (request, expected)) in requests.iter().zip(&answers).enumerate() {
                way.prepare(tenant, name, &names);
                let response = tenant.node.call(request);
                let seen = check(expected, &response);
                match agreed.get(index) {
                    None => agreed.push(seen),
                    Some(first) => assert_eq!(&seen, first, "{plan}, {way:?} disagrees on {}", request.path),
                }
                for pointer in &expected.differs {
                    let value = response.json().pointer(pointer).expect("a value at the pointer").clone();
                    let others = drawn.entry((index, pointer)).or_default();
                    assert!(!others.contains(&value), "{plan}, {way:?} repeats {value} at {pointer}");
                    others.push(value);
                }
                check_logs(tenant, name, response.request_id(), &expected.logs);
            }
        }
        let plans = functions.iter().map(|function| function["start"]["plan"].as_str().unwrap_or("source"));
        check_starts(tenant, name, plan, &plans.collect::<Vec<_>>());
    }
}

/// What was told at deploy is what happened: nothing is quietly started in another way.
fn check_starts(tenant: &Tenant<'_>, app: &str, wanted: &str, told: &[&str]) {
    let started = |kind| tenant.node.metric("isle_starts_total", &[("app", app), ("kind", kind)]) > 0.0;
    let kinds: Vec<&str> = PLANS.into_iter().filter(|kind| started(kind)).collect();
    for kind in &kinds {
        // A pooled start finds no spare when many come at once.
        let ahead = *kind == "source" && told.contains(&"pooled");
        assert!(told.contains(kind) || ahead, "{wanted}: told {told:?}, started {kinds:?}");
    }
    for plan in told.iter().filter(|plan| **plan != "pooled") {
        assert!(kinds.contains(plan), "{wanted}: told {told:?}, started {kinds:?}");
    }
}

fn run_refused(tenant: &Tenant<'_>, deployment: &Deployment, details: &BTreeMap<String, Value>) {
    let answer = tenant.try_deploy(deployment);
    assert_eq!(answer.status(), 422, "{}", answer.text());
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "deployment_refused", "{error}");
    for (field, value) in details {
        assert_eq!(&error["details"][field], value, "details.{field} of {error}");
    }
    let missing = tenant.get(&deployment.app, "/");
    assert_eq!((missing.status(), missing.outcome()), (404, "no_route"), "a refused deployment serves nothing");
}

fn main() -> ExitCode {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(support::js_tests().join("cases"))
        .expect("js-tests/cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    if only_listed(&folders.iter().map(name).collect::<Vec<_>>()) {
        return ExitCode::SUCCESS;
    }
    let nodes = PLANS.map(|plan| Node::start(&format!("[cells]\nstart = \"{plan}\"\n")));
    let tenants: Vec<Tenant<'_>> = nodes.iter().map(|node| node.tenant("cases")).collect();
    let mut suite = Suite::new();
    for folder in &folders {
        let (tenants, name) = (&tenants, name(folder));
        suite.add(&name.clone(), move || run(tenants, &name, folder));
    }
    let code = suite.run(4);
    let snapshots = nodes[2].metric("isle_starts_total", &[("kind", "snapshot")]);
    println!("{snapshots} starts from snapshots");
    code
}
