//! Start plans through a real node: found at deploy, told to the author, kept over a restart, and
//! found again when what they need was damaged.

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::api::Tenant;
use support::deployment::Deployment;
use support::node::{Node, isle};
use support::until;

/// A builder in a debug build on a busy machine.
const BUILT: Duration = Duration::from_secs(120);

const LIGHT: &str = "export const handler = async () => ({ statusCode: 200, body: 'light' });";
/// A start that does a lot: what a heavy bundle is, in small.
const HEAVY: &str = r"
const table = new Map();
for (let i = 0; i < 200_000; i++) table.set(`key ${i % 20_000}`, { i, text: `value ${i}` });
export const handler = async (event) => ({ statusCode: 200, body: `${table.size}` });
";

fn start_of(deployed: &Value) -> Value {
    deployed["functions"][0]["start"].clone()
}

/// Every file below the node's folder of artifacts, but what builders are writing.
fn artifacts(home: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(home.join("data/artifacts")).expect("the folder").flatten() {
        if folder.file_name() != "work" {
            files.extend(std::fs::read_dir(folder.path()).into_iter().flatten().flatten().map(|file| file.path()));
        }
    }
    files
}

#[test]
fn a_deployment_tells_its_plan_and_what_each_way_costs() {
    let node = Node::start("");
    let tenant = node.tenant("acme");
    let light = start_of(&tenant.deploy(&Deployment::of("light", LIGHT)));
    assert_eq!(light["plan"], "pooled", "{light}");
    assert!(light["source_us"].as_u64() > Some(0) && light["snapshot_us"].as_u64() > Some(0), "{light}");
    assert_eq!((&light["refused"], &light["building"]), (&Value::Null, &Value::Bool(false)));
    let heavy = start_of(&tenant.deploy(&Deployment::of("heavy", HEAVY)));
    assert_eq!((&heavy["plan"], &heavy["warmed_up"]), (&"snapshot".into(), &Value::Bool(true)), "{heavy}");
    assert!(heavy["snapshot_us"].as_u64() < heavy["pooled_us"].as_u64(), "{heavy}");
    assert_eq!(tenant.get("heavy", "/").text(), "20000");
    let apps = tenant.api("GET", "/v1/apps", None).json();
    assert_eq!(apps["apps"][0]["functions"][0]["start"], heavy);
    assert_eq!(node.metric("isle_builds_total", &[("end", "ok")]), 2.0);
    assert!(node.metric("isle_artifact_bytes", &[("place", "disk")]) > 0.0);

    // The same content, elsewhere: nothing is built for it. Another tenant's is its own.
    let again = start_of(&tenant.deploy(&Deployment::of("copy", HEAVY)));
    assert_eq!(again, heavy);
    assert_eq!(node.metric("isle_builds_total", &[("end", "ok")]), 2.0);
    node.tenant("zeta").deploy(&Deployment::of("theirs", LIGHT));
    assert_eq!(node.metric("isle_builds_total", &[("end", "ok")]), 3.0);
}

#[test]
fn a_function_that_cannot_have_a_snapshot_is_told_why_and_what_to_change() {
    let node = Node::start("");
    let tenant = node.tenant("acme");
    for (at, (top, reason, hint)) in [
        ("setTimeout(() => {}, 10_000);", "pending after start-up", "inside the handler"),
        ("const id = crypto.randomUUID();", "crypto.randomUUID", "make ids inside the handler"),
        ("const seed = Math.random();", "Math.random", "draw random numbers"),
        ("const there = WebAssembly.validate(new Uint8Array(8));", "WebAssembly", "first call"),
    ]
    .into_iter()
    .enumerate()
    {
        let deployed = tenant.deploy(&Deployment::of(&format!("app{at}"), &format!("{top}\n{LIGHT}")));
        let start = start_of(&deployed);
        assert_eq!(start["plan"], "pooled", "{start}");
        assert!(start["refused"].as_str().is_some_and(|said| said.contains(reason)), "{top} {start}");
        assert!(start["hint"].as_str().is_some_and(|said| said.contains(hint)), "{top} {start}");
        assert_eq!(tenant.get(&format!("app{at}"), "/").text(), "light");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("isle.toml"), "app = \"told\"\n[functions.main]\nentry = \"main.js\"\n").unwrap();
    std::fs::write(folder.path().join("main.js"), format!("const seed = Math.random();\n{LIGHT}")).unwrap();
    let url = format!("http://{}", node.admin);
    let deploy = isle().args(["deploy", "--node", &url, "--token", &tenant.token]).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&deploy.stdout);
    assert!(deploy.status.success(), "{said}{}", String::from_utf8_lossy(&deploy.stderr));
    for part in ["pooled in ", " ms", "main: no snapshot: start-up uses Math.random", "to get one: draw random"] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
}

#[test]
fn a_manifest_says_what_to_warm_up_with() {
    let node = Node::start("");
    let tenant = node.tenant("acme");
    // The default event has no such parameter, so the call would throw.
    let code = "export const handler = (event) => ({ statusCode: 200, body: event.queryStringParameters.q });";
    let with = |app: &str, warmup: &str| {
        let mut deployment = Deployment::of(app, code).file("w/event.json", r#"{"queryStringParameters":{"q":"f"}}"#);
        deployment.manifest.push_str(warmup);
        start_of(&tenant.deploy(&deployment))
    };
    assert_eq!(with("without", "")["warmed_up"], false);
    assert_eq!(with("off", "warmup = false\n")["warmed_up"], false);
    assert_eq!(with("inline", "warmup = { queryStringParameters = { q = \"x\" } }\n")["warmed_up"], true);
    assert_eq!(with("files", "warmup = [\"w/event.json\", { queryStringParameters.q = \"y\" }]\n")["warmed_up"], true);
    let mut wrong = Deployment::of("wrong", code);
    wrong.manifest.push_str("warmup = \"none.json\"\n");
    let refused = tenant.try_deploy(&wrong);
    let details = &refused.json()["error"]["details"];
    assert_eq!(
        (refused.status(), &details["key"], &details["line"]),
        (422, &"functions.main.warmup".into(), &5.into())
    );
}

#[test]
fn a_restart_keeps_plans_and_a_damaged_artifact_is_built_again() {
    let home = tempfile::tempdir().unwrap();
    let mut node = Node::start_in(home.path(), "");
    let tenant = node.tenant("acme");
    let heavy = start_of(&tenant.deploy(&Deployment::of("heavy", HEAVY)));
    let (name, token) = (tenant.name.clone(), tenant.token.clone());
    let files = artifacts(home.path());
    assert_eq!(files.len(), 1, "{files:?}");
    let whole = std::fs::read(&files[0]).unwrap();
    node.kill();

    let mut node = Node::start_in(home.path(), "");
    let tenant = Tenant { node: &node, name: name.clone(), token: token.clone() };
    let start =
        |tenant: &Tenant<'_>| tenant.api("GET", "/v1/apps", None).json()["apps"][0]["functions"][0]["start"].clone();
    assert_eq!(start(&tenant), heavy, "nothing had to be built again");
    assert_eq!(node.metric("isle_builds_total", &[]), 0.0);
    assert_eq!(tenant.get("heavy", "/").text(), "20000");
    node.kill();

    std::fs::write(&files[0], vec![7; whole.len()]).unwrap();
    let node = Node::start_in(home.path(), "");
    let tenant = Tenant { node: &node, name, token };
    let answer = tenant.get("heavy", "/");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "20000"), "while it is still missing");
    until("the artifact is built again", BUILT, || (start(&tenant)["building"] == false).then_some(()));
    assert_eq!(start(&tenant)["plan"], "snapshot");
    assert_eq!(node.metric("isle_rebuilds_total", &[]), 1.0);
    assert_eq!(artifacts(home.path()), files);
    assert_eq!(tenant.get("heavy", "/").text(), "20000");
}

#[test]
fn an_artifact_that_is_damaged_inside_is_found_when_a_cell_asks_for_it() {
    let home = tempfile::tempdir().unwrap();
    let mut node = Node::start_in(home.path(), "");
    let tenant = node.tenant("acme");
    tenant.deploy(&Deployment::of("heavy", HEAVY));
    let (name, token) = (tenant.name.clone(), tenant.token.clone());
    node.kill();
    let file = &artifacts(home.path())[0];
    let mut bytes = std::fs::read(file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(file, bytes).unwrap();
    let node = Node::start_in(home.path(), "");
    let tenant = Tenant { node: &node, name, token };
    let answer = tenant.get("heavy", "/");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "20000"));
    until("the artifact is built again", BUILT, || {
        (node.metric("isle_builds_total", &[("end", "ok")]) == 1.0).then_some(())
    });
    assert_eq!(node.metric("isle_artifact_misses_total", &[("why", "damaged")]), 1.0);
    assert_eq!(tenant.get("heavy", "/").text(), "20000");
}

#[test]
fn what_is_not_deployed_any_more_leaves_no_file() {
    let home = tempfile::tempdir().unwrap();
    let node = Node::start_in(home.path(), "");
    let tenant = node.tenant("acme");
    tenant.deploy(&Deployment::of("one", LIGHT));
    tenant.deploy(&Deployment::of("two", LIGHT));
    assert_eq!(artifacts(home.path()).len(), 1);
    assert_eq!(tenant.api("DELETE", "/v1/apps/one", None).status(), 204);
    assert_eq!(artifacts(home.path()).len(), 1, "the other app still has it");
    assert_eq!(tenant.api("DELETE", "/v1/apps/two", None).status(), 204);
    assert_eq!(artifacts(home.path()).len(), 0);
}

#[test]
fn no_value_of_a_variable_is_in_an_artifact() {
    let home = tempfile::tempdir().unwrap();
    let mut node = Node::start_in(home.path(), "");
    let tenant = node.tenant("acme");
    let secret = "correct-horse-battery-staple";
    let code = "let kept; export const handler = (e, context) => { kept ??= context.env.KEY; return kept; };";
    let mut deployment = Deployment::of("vault", code);
    deployment.manifest.push_str(&format!("[functions.main.env]\nKEY = \"{secret}\"\n"));
    tenant.deploy(&deployment);
    assert_eq!(tenant.get("vault", "/").text(), secret);
    node.kill();
    let files = artifacts(home.path());
    assert_eq!(files.len(), 1);
    for file in files {
        let bytes = std::fs::read(file).unwrap();
        // Past the head: magic, key, two lengths and a digest.
        let raw = zstd::decode_all(&bytes[88..]).unwrap();
        assert!(!raw.windows(secret.len()).any(|part| part == secret.as_bytes()));
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
}

#[test]
fn an_operator_can_force_one_way() {
    for (wish, plan, built) in [("source", "source", 0.0), ("pooled", "pooled", 1.0), ("snapshot", "snapshot", 1.0)] {
        let node = Node::start(&format!("[cells]\nstart = \"{wish}\"\n"));
        let tenant = node.tenant("acme");
        let start = start_of(&tenant.deploy(&Deployment::of("light", LIGHT)));
        assert_eq!((&start["plan"], &start["building"]), (&plan.into(), &Value::Bool(false)), "{wish} {start}");
        assert_eq!(node.metric("isle_builds_total", &[("end", "ok")]), built);
        assert_eq!(tenant.get("light", "/").text(), "light");
    }
}

#[test]
fn a_builder_that_cannot_be_run_is_replaced_by_a_check() {
    // So little time that no builder of a debug build comes to its end.
    let node = Node::start("[artifacts]\nbuilder_memory_mb = 256\nbuilder_cpu_s = 1\nbuilder_deadline_ms = 1000\n");
    let tenant = node.tenant("acme");
    let waits = format!("await new Promise((done) => setTimeout(done, 1_500));\n{LIGHT}");
    let start = start_of(&tenant.deploy(&Deployment::of("waits", &waits)));
    assert_eq!(start["plan"], "pooled", "{start}");
    assert_eq!(tenant.get("waits", "/").text(), "light");
    assert!(node.metric("isle_builds_total", &[("end", "failed")]) >= 1.0);
}
