//! What survives: a cell's death under load, the node's death after a deployment, a stop with
//! requests in flight, and a deployment swapped under a request. And whose code shares a cell.

mod support;

use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use support::api::Tenant;
use support::deployment::Deployment;
use support::http::{Connection, Request, Response};
use support::node::{Node, host, process, signal};
use support::{PATIENCE, until};

/// Answers after a moment on `/`, burns CPU on `/burn`.
const WORKER: &str = r#"
export const handler = async (event) => {
  if (event.rawPath === "/burn") {
    const until = performance.now() + 100;
    while (performance.now() < until);
    return "burnt";
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  return "done";
};
"#;

/// Says `begun ID` on the console, then answers with its version after `ms`.
fn slow(app: &str, version: &str) -> Deployment {
    let source = r#"
export const handler = async (event) => {
  const { id, ms = 0 } = event.queryStringParameters ?? {};
  if (id) console.log(`begun ${id}`);
  await new Promise((resolve) => setTimeout(resolve, Number(ms)));
  return "VERSION";
};
"#;
    Deployment::of(app, &source.replace("VERSION", version))
}

/// The cell that serves this tenant: the child of the node that its work makes busy.
fn cell_of(node: &Node, app: &str) -> u32 {
    let ticks = || -> BTreeMap<u32, u64> {
        node.children().into_iter().filter_map(|pid| Some((pid, process(pid)?.1))).collect()
    };
    let before = ticks();
    for _ in 0..3 {
        assert_eq!(node.get(app, "/burn").text(), "burnt");
    }
    let after = ticks();
    let spent = |pid: &u32| after[pid] - before.get(pid).copied().unwrap_or(0);
    *after.keys().max_by_key(|pid| spent(pid)).expect("the node has cells")
}

/// A request whose handler is known to have begun; the answer comes from the thread.
fn in_flight<'s>(
    scope: &'s std::thread::Scope<'s, '_>,
    tenant: &'s Tenant<'_>,
    app: &str,
    id: &str,
    ms: u32,
) -> std::thread::ScopedJoinHandle<'s, Response> {
    let request = Request::get(&host(app), &format!("/?id={id}&ms={ms}"));
    let thread = scope.spawn(move || tenant.node.call(&request));
    tenant.until_logged(app, &format!("begun {id}"));
    thread
}

#[test]
fn a_trust_group_shares_a_cell_and_nobody_else_does() {
    let node = Node::start("[trust_groups]\nfamily = [\"mother\", \"child\"]\n");
    let cells = ["mother", "child", "stranger"].map(|name| {
        node.tenant(name).deploy(&Deployment::of(name, WORKER));
        cell_of(&node, name)
    });
    assert_eq!(cells[0], cells[1], "one cell for the family");
    assert_ne!(cells[0], cells[2], "another for the stranger");
}

#[test]
fn a_cell_killed_under_load_costs_nobody_else_a_request() {
    let node = Node::start("");
    let (victim, bystander) = (node.tenant("victim"), node.tenant("bystander"));
    victim.deploy(&Deployment::of("victim", WORKER));
    bystander.deploy(&Deployment::of("bystander", WORKER));
    assert_eq!(bystander.get("bystander", "/").status(), 200);

    let stop = AtomicBool::new(false);
    let (served, died) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let load = |app: &str, may_die: bool| {
        let mut connection = Connection::open(node.public);
        let request = Request::get(&host(app), "/");
        while !stop.load(Ordering::Acquire) {
            let answer = connection.call(&request).unwrap_or_else(|e| panic!("{app}: {e}"));
            match (answer.status(), answer.outcome()) {
                (200, "ok") => served.fetch_add(1, Ordering::AcqRel),
                (502, "cell_died") if may_die => died.fetch_add(1, Ordering::AcqRel),
                _ => panic!("{app}: {}", answer.summary()),
            };
        }
    };
    let kills = 3;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| load("victim", true));
            scope.spawn(|| load("bystander", false));
        }
        let killing = std::panic::catch_unwind(|| {
            for _ in 0..kills {
                let cell = cell_of(&node, "victim");
                signal(cell, Signal::SIGKILL);
                until("the cell is gone", PATIENCE, || process(cell).is_none().then_some(()));
                let before = served.load(Ordering::Acquire);
                until("both tenants are served again", PATIENCE, || {
                    (served.load(Ordering::Acquire) > before + 40).then_some(())
                });
                // The next request of the victim's may not even notice.
                assert_eq!(victim.get("victim", "/").status(), 200);
            }
        });
        stop.store(true, Ordering::Release);
        killing.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    assert!(died.load(Ordering::Acquire) > 0, "no kill hit a request in flight: the test proves nothing");
    assert!(node.metric("isle_cell_deaths_total", &[]) >= f64::from(kills), "deaths are counted");
}

#[test]
fn a_node_killed_after_a_deployment_has_kept_it() {
    let home = tempfile::tempdir().unwrap();
    let mut node = Node::start_in(home.path(), "");
    let token = {
        let tenant = node.tenant("acme");
        tenant.deploy(&slow("kept", "one"));
        assert_eq!(tenant.get("kept", "/").text(), "one");
        let answer = tenant.deploy(&slow("kept", "two"));
        assert_eq!(answer["unchanged"], false);
        tenant.token
    };
    let cells = node.children();
    node.kill();
    assert!(!cells.is_empty());
    until("the cells of a dead node end", PATIENCE, || cells.iter().all(|pid| process(*pid).is_none()).then_some(()));

    let node = Node::start_in(home.path(), "");
    assert_eq!(node.get("kept", "/").text(), "two");
    let again = Tenant { node: &node, name: "acme".into(), token };
    assert_eq!(again.deploy(&slow("kept", "two"))["unchanged"], true, "the tenant's token and content are kept too");
    let deployments = again.api("GET", "/v1/apps/kept/deployments", None).json();
    assert_eq!(deployments["deployments"].as_array().unwrap().len(), 2);
}

#[test]
fn a_node_told_to_stop_answers_what_it_began() {
    let mut node = Node::start("");
    let status = {
        let tenant = node.tenant("acme");
        tenant.deploy(&slow("slow", "drained"));
        std::thread::scope(|scope| {
            let request = in_flight(scope, &tenant, "slow", "a", 700);
            node.terminate();
            let answer = request.join().unwrap();
            assert_eq!((answer.status(), answer.text().as_str()), (200, "drained"), "{}", answer.summary());
        });
        node.ended(PATIENCE)
    };
    assert!(status.success(), "{status}");
    assert!(Connection::try_open(node.public).is_err(), "nobody listens any more");
}

#[test]
fn a_node_does_not_wait_for_ever_to_stop() {
    let mut node = Node::start("\n[shutdown]\ndrain_ms = 300\n");
    {
        let tenant = node.tenant("acme");
        tenant.deploy(&slow("stuck", "late"));
        std::thread::scope(|scope| {
            let host = host("stuck");
            let addr = node.public;
            // Broken off or refused: either way not answered with 200.
            let request = scope.spawn(move || Connection::open(addr).call(&Request::get(&host, "/?id=b&ms=25000")));
            tenant.until_logged("stuck", "begun b");
            node.terminate();
            let answer = request.join().unwrap();
            assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() >= 500));
        });
    }
    node.ended(Duration::from_secs(10));
}

#[test]
fn a_request_in_flight_finishes_on_the_version_it_began_on() {
    let node = Node::start("");
    let tenant = node.tenant("acme");
    let first = tenant.deploy(&slow("swap", "one"))["deployment"].as_str().unwrap().to_owned();
    std::thread::scope(|scope| {
        let old = in_flight(scope, &tenant, "swap", "old", 1_000);
        let second = tenant.deploy(&slow("swap", "two"));
        assert_ne!(second["deployment"], first.as_str());
        assert_eq!(tenant.get("swap", "/").text(), "two", "the next request sees the new version");
        assert_eq!(old.join().unwrap().text(), "one", "the one in flight does not");
    });
    assert_eq!(tenant.deploy(&slow("swap", "two"))["unchanged"], true);

    let rollback = |body: serde_json::Value| {
        let answer = tenant.api("POST", "/v1/apps/swap/rollback", Some(&body));
        assert_eq!(answer.status(), 200, "{}", answer.summary());
    };
    rollback(serde_json::json!({ "deployment": null }));
    assert_eq!(tenant.get("swap", "/").text(), "one", "rolled back to the one before");
    tenant.deploy(&slow("swap", "three"));
    assert_eq!(tenant.get("swap", "/").text(), "three");
    rollback(serde_json::json!({ "deployment": first }));
    assert_eq!(tenant.get("swap", "/").text(), "one", "rolled back to the one named");
    assert_eq!(tenant.api("DELETE", "/v1/apps/swap", None).status(), 204);
    assert_eq!(tenant.get("swap", "/").outcome(), "no_route");
}

#[test]
fn a_deployment_is_all_or_nothing() {
    let node = Node::start("");
    let tenant = node.tenant("acme");
    let pair = |first: &str, second: &str| {
        let manifest = r#"
app = "pair"
[functions.first]
entry = "first.js"
routes = ["GET /first"]
[functions.second]
entry = "second.js"
routes = ["GET /second"]
"#;
        let handler = |text: &str| format!("export const handler = async () => \"{text}\";");
        let second = if second.is_empty() { "export const handler = ;".to_owned() } else { handler(second) };
        let deployment = Deployment { manifest: manifest.into(), ..Deployment::of("pair", "") };
        deployment.file("first.js", &handler(first)).file("second.js", &second)
    };
    let serving = || (tenant.get("pair", "/first").text(), tenant.get("pair", "/second").text());
    tenant.deploy(&pair("a1", "b1"));
    assert_eq!(serving(), ("a1".into(), "b1".into()));
    let refused = tenant.try_deploy(&pair("a2", ""));
    assert_eq!(refused.status(), 422, "{}", refused.summary());
    assert_eq!(refused.json()["error"]["details"]["function"], "second");
    assert_eq!(serving(), ("a1".into(), "b1".into()), "the old deployment serves on, whole");
    tenant.deploy(&pair("a3", "b3"));
    assert_eq!(serving(), ("a3".into(), "b3".into()));
}

#[test]
fn deployments_under_load_never_cost_a_request() {
    let node = Node::start("");
    let tenant = node.tenant("acme");
    tenant.deploy(&slow("busy", "0"));
    let stop = AtomicBool::new(false);
    let versions = 6;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = Connection::open(node.public);
                let mut newest = 0;
                while !stop.load(Ordering::Acquire) {
                    let answer = connection.call(&Request::get(&host("busy"), "/?ms=5")).expect("an answer");
                    assert_eq!(answer.status(), 200, "{}", answer.summary());
                    let version: u32 = answer.text().parse().expect("a version");
                    assert!(version >= newest, "version {version} after {newest}");
                    newest = version;
                }
            });
        }
        let deploying = std::panic::catch_unwind(|| {
            for version in 1..=versions {
                tenant.deploy(&slow("busy", &version.to_string()));
                assert_eq!(tenant.get("busy", "/").text(), version.to_string(), "the next request sees it");
            }
        });
        stop.store(true, Ordering::Release);
        deploying.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}
