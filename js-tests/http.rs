//! HTTP through the real node: what clients see that no single handler decides.

mod support;

use serde_json::json;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use support::api::Tenant;
use support::deployment::Deployment;
use support::http::{self, Connection, Request};
use support::node::{Node, host};
use support::suite::{Suite, only_listed};
use support::{PATIENCE, until};

/// Describes the request it got; other paths do other things.
const ECHO: &str = r#"
export const handler = async (event) => {
  const { method, path, protocol } = event.requestContext.http;
  if (path === "/echo") return { statusCode: 200, body: event.body ?? "", isBase64Encoded: event.isBase64Encoded };
  if (path === "/log") console.log(event.queryStringParameters.text);
  if (path === "/throw") throw new Error("on request");
  if (path === "/wait") await new Promise((resolve) => setTimeout(resolve, 20_000));
  return { method, path, protocol, length: event.body?.length ?? 0 };
};
"#;

/// A tenant named like its one app, which runs [`ECHO`].
fn echo<'n>(node: &'n Node, app: &str, limits: &[(&str, u32)]) -> Tenant<'n> {
    let tenant = node.tenant(app);
    tenant.deploy(&Deployment::of(app, ECHO).limits(limits));
    tenant
}

fn head_is_get_without_a_body(node: &Node) {
    echo(node, "head", &[]);
    let mut connection = Connection::open(node.public);
    let head = connection.call(&Request::new("HEAD", &host("head"), "/")).unwrap();
    assert_eq!((head.status(), head.outcome(), head.body.len()), (200, "ok", 0));
    assert_eq!(head.head.header("content-type"), Some("application/json"));
    let get = connection.call(&Request::get(&host("head"), "/")).expect("nothing of a body was left in the way");
    assert_eq!(get.json()["method"], "GET");
}

fn bodies_have_a_limit(node: &Node) {
    echo(node, "limited", &[("request_body_bytes_max", 1_024)]);
    let post = |length: usize| node.call(&Request::post(&host("limited"), "/echo", vec![b'x'; length]));
    assert_eq!((post(1_024).status(), post(1_024).body.len()), (200, 1_024));
    let refused = post(1_025);
    assert_eq!((refused.status(), refused.outcome()), (413, "request_too_large"), "{}", refused.summary());
    assert!(refused.json()["message"].is_string());

    // The same without announcing a length.
    let mut connection = Connection::open(node.public);
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    connection
        .send_raw("POST /echo HTTP/1.1\r\nhost: limited.localhost\r\ntransfer-encoding: chunked\r\n\r\n")
        .unwrap();
    connection.send_raw(format!("{chunk}{chunk}0\r\n\r\n")).unwrap();
    let refused = connection.receive("POST").unwrap();
    assert_eq!((refused.status(), refused.outcome()), (413, "request_too_large"), "{}", refused.summary());

    let answer = node.call(&Request::get(&host("limited"), "/"));
    assert_eq!(answer.status(), 200, "the function goes on");
}

fn large_bodies_stream_both_ways(node: &Node) {
    echo(node, "large", &[("handler_cpu_ms", 10_000)]);
    let body: Vec<u8> = (0..5_000_000u32).map(|i| (i * 31 % 251) as u8).collect();
    let request = Request::post(&host("large"), "/echo", body.clone()).header("content-type", "image/png");
    let answer = node.call(&request);
    assert_eq!(answer.status(), 200, "{}", answer.summary());
    assert!(answer.body == body, "five megabytes come back as they went");
}

fn chunked_bodies_arrive_whole(node: &Node) {
    echo(node, "chunked", &[]);
    let mut connection = Connection::open(node.public);
    let head = "POST /echo HTTP/1.1\r\nhost: chunked.localhost\r\ncontent-type: text/plain\r\n";
    connection.send_raw(format!("{head}transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")).unwrap();
    connection.send_raw("7\r\n second\r\n0\r\n\r\n").unwrap();
    assert_eq!(connection.receive("POST").unwrap().text(), "first second");
}

fn an_unknown_host_or_path_is_not_found(node: &Node) {
    let answer = node.get("nobody", "/");
    assert_eq!((answer.status(), answer.outcome()), (404, "no_route"));
    assert_eq!(answer.head.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), json!({ "message": "Not Found" }));
    for host in ["localhost", "127.0.0.1", "a.b.localhost", "evil.example"] {
        assert_eq!(node.call(&Request::get(host, "/")).status(), 404, "{host}");
    }
}

fn hosts_match_in_any_case_and_with_a_port(node: &Node) {
    echo(node, "mixed", &[]);
    for host in ["MIXED.localhost", "mixed.LOCALHOST:3000", "mixed.localhost."] {
        let answer = node.call(&Request::get(host, "/"));
        assert_eq!(answer.status(), 200, "{host}: {}", answer.summary());
    }
}

fn connections_are_kept_and_pipelined(node: &Node) {
    echo(node, "kept", &[]);
    let mut connection = Connection::open(node.public);
    for i in 0..50 {
        let answer = connection.call(&Request::get(&host("kept"), &format!("/{i}"))).unwrap();
        assert_eq!(answer.json()["path"], format!("/{i}"));
    }
    for i in 0..5 {
        connection.send(&Request::get(&host("kept"), &format!("/pipelined/{i}"))).unwrap();
    }
    for i in 0..5 {
        assert_eq!(connection.receive("GET").unwrap().json()["path"], format!("/pipelined/{i}"), "in order");
    }
    let last = connection.call(&Request::get(&host("kept"), "/").header("connection", "close")).unwrap();
    assert_eq!(last.head.header("connection"), Some("close"));
    assert!(connection.call(&Request::get(&host("kept"), "/")).is_err(), "closed as asked");
}

fn every_method_reaches_the_handler(node: &Node) {
    echo(node, "methods", &[]);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        assert_eq!(node.call(&Request::new(method, &host("methods"), "/")).json()["method"], method);
    }
}

fn continue_is_sent_when_it_is_waited_for(node: &Node) {
    echo(node, "continue", &[("request_body_bytes_max", 100)]);
    let head = |length: usize| {
        format!(
            "POST /echo HTTP/1.1\r\nhost: continue.localhost\r\ncontent-type: text/plain\r\n\
             content-length: {length}\r\nexpect: 100-continue\r\n\r\n"
        )
    };
    let mut connection = Connection::open(node.public);
    connection.send_raw(head(4)).unwrap();
    assert_eq!(connection.receive_head().unwrap().status, 100);
    connection.send_raw("body").unwrap();
    assert_eq!(connection.receive("POST").unwrap().text(), "body");

    let mut connection = Connection::open(node.public);
    connection.send_raw(head(101)).unwrap();
    assert_eq!(connection.receive_head().unwrap().status, 413, "refused before the body is sent");
}

fn ambiguous_requests_are_refused(node: &Node) {
    echo(node, "strict", &[]);
    let host = "host: strict.localhost\r\n";
    for (what, request, status) in [
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("two hosts", format!("GET / HTTP/1.1\r\n{host}{host}\r\n"), 400),
        ("two lengths", format!("POST / HTTP/1.1\r\n{host}content-length: 1\r\ncontent-length: 2\r\n\r\nx"), 400),
        (
            "length and chunks",
            format!("POST / HTTP/1.1\r\n{host}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
            400,
        ),
        ("bare line feeds", "GET / HTTP/1.1\nhost: strict.localhost\n\n".to_owned(), 400),
        ("folded header", format!("GET / HTTP/1.1\r\n{host}x-a: 1\r\n 2\r\n\r\n"), 400),
        ("large head", format!("GET / HTTP/1.1\r\n{host}x-a: {}\r\n\r\n", "x".repeat(1 << 20)), 431),
        ("long target", format!("GET /{} HTTP/1.1\r\n{host}\r\n", "x".repeat(1 << 20)), 414),
    ] {
        let mut connection = Connection::open(node.public);
        // The node may close before it has read all of a large head.
        let _ = connection.send_raw(request);
        let answer = connection.receive("GET").unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(answer.status(), status, "{what}: {}", answer.summary());
    }
    assert_eq!(node.get("strict", "/").status(), 200);
}

fn request_ids_are_unique_and_reach_the_log(node: &Node) {
    let tenant = echo(node, "logged", &[]);
    let ids: Vec<String> =
        (0..3).map(|i| node.get("logged", &format!("/log?text=line-{i}")).request_id().to_owned()).collect();
    tenant.until_logged("logged", "line-2");
    let lines = tenant.logs("logged", 100);
    for (i, id) in ids.iter().enumerate() {
        let line = lines.iter().find(|line| line.text.trim_end() == format!("line-{i}")).expect("the line");
        assert_eq!((&line.request_id, line.function.as_str(), line.level.as_str()), (id, "main", "info"));
        assert!(line.time_ms > 1_600_000_000_000, "milliseconds since the epoch");
    }
    assert_eq!(tenant.logs("logged", 1).len(), 1, "tail bounds the answer");
    let stranger = node.tenant("stranger");
    let peeked = stranger.api("GET", "/v1/apps/logged/logs?tail=10", None);
    assert_eq!(peeked.status(), 404, "another tenant's app does not exist: {}", peeked.summary());
}

fn logs_can_be_followed(node: &Node) {
    let tenant = echo(node, "followed", &[]);
    let mut connection = Connection::open(node.admin);
    let request = Request::get("localhost", "/v1/apps/followed/logs?follow=1&tail=0");
    connection.send(&request.header("authorization", &format!("Bearer {}", tenant.token))).unwrap();
    let head = connection.receive_head().expect("the head comes before the first line");
    assert_eq!((head.status, head.header("content-type")), (200, Some("application/x-ndjson")));
    for text in ["one", "two"] {
        node.get("followed", &format!("/log?text={text}"));
        let chunk = connection.receive_chunk().unwrap().expect("a line");
        let line: serde_json::Value = serde_json::from_slice(&chunk).expect("one line of JSON");
        assert_eq!(line["text"].as_str().unwrap().trim_end(), text);
    }
}

fn metrics_count_what_happened(node: &Node) {
    echo(node, "metered", &[]);
    let calls = 7;
    (0..calls).for_each(|_| assert_eq!(node.get("metered", "/").status(), 200));
    assert_eq!(node.get("metered", "/throw").status(), 500);
    let labels = [("tenant", "metered"), ("app", "metered"), ("function", "main")];
    let count = |name: &str, more: &[(&str, &str)]| node.metric(name, &[&labels[..], more].concat());
    until("all calls are counted", PATIENCE, || {
        (count("isle_invocations_total", &[]) >= f64::from(calls + 1)).then_some(())
    });
    assert_eq!(count("isle_invocations_total", &[("outcome", "ok")]), f64::from(calls));
    assert_eq!(count("isle_invocations_total", &[("outcome", "handler_threw")]), 1.0);
    assert_eq!(count("isle_invocation_duration_seconds_count", &[]), f64::from(calls + 1));
    assert!(count("isle_invocation_cpu_seconds_total", &[]) > 0.0);
    let starts = count("isle_starts_total", &[]) - count("isle_starts_total", &[("kind", "warm")]);
    assert!((1.0..=4.0).contains(&starts), "{starts} starts that were not warm");
    until("the cell reports its isolates", PATIENCE, || (count("isle_resident_isolates", &[]) >= 1.0).then_some(()));
    assert!(count("isle_heap_bytes", &[]) > 0.0);
    assert_eq!(count("isle_in_flight", &[]), 0.0);
    assert!(node.metric("isle_cells", &[]) >= 1.0);
    assert!(node.metric("isle_connections_total", &[]) >= f64::from(calls));
    assert_eq!(node.metric("isle_build_info", &[]), 1.0);
}

fn health_is_seen_without_a_token(node: &Node) {
    for path in ["/healthz", "/readyz", "/metrics", "/v1/openapi.json"] {
        assert_eq!(http::call(node.admin, &Request::get("localhost", path)).status(), 200, "{path}");
    }
    let refused = http::call(node.admin, &Request::get("localhost", "/v1/apps"));
    assert_eq!(refused.status(), 401, "{}", refused.summary());
    assert_eq!(node.api("wrong", "GET", "/v1/apps", None).status(), 401);
    assert_eq!(node.get("nobody", "/metrics").status(), 404, "the public listener shows nothing of it");
}

fn tenants_are_strangers_to_each_other(node: &Node) {
    let owner = echo(node, "owned", &[]);
    let other = node.tenant("thief");
    let stolen = Deployment::of("owned", "export const handler = async () => \"stolen\";");
    assert_eq!(other.try_deploy(&stolen).status(), 404);
    for (method, path) in [
        ("DELETE", "/v1/apps/owned"),
        ("GET", "/v1/apps/owned/deployments"),
        ("POST", "/v1/apps/owned/rollback"),
        ("POST", "/v1/apps/owned/functions/main/evict"),
    ] {
        let answer = other.api(method, path, Some(&json!({})));
        assert_eq!(answer.status(), 404, "{method} {path}: {}", answer.summary());
    }
    assert_eq!(other.api("GET", "/v1/apps", None).json(), json!({ "apps": [] }));
    assert_eq!(owner.api("GET", "/v1/apps", None).json()["apps"][0]["app"], "owned");
    let forbidden = other.api("GET", "/v1/tenants", None).status();
    assert!(matches!(forbidden, 401 | 403), "{forbidden}");
    assert_eq!(node.get("owned", "/").json()["method"], "GET");
}

fn concurrent_requests_are_bounded(node: &Node) {
    let tenant = echo(node, "bounded", &[("concurrency", 2), ("wall_ms", 1_500)]);
    std::thread::scope(|scope| {
        // The probe below may hold a permit just when one of these arrives.
        let wait =
            || until("a permit", PATIENCE, || Some(tenant.get("bounded", "/wait")).filter(|a| a.status() != 429));
        let waiting: Vec<_> = (0..2).map(|_| scope.spawn(wait)).collect();
        // Both permits are taken as soon as a third request is refused.
        let refused = until("a third request is refused", PATIENCE, || {
            let answer = tenant.get("bounded", "/");
            (answer.status() == 429).then_some(answer)
        });
        assert_eq!(refused.outcome(), "refused_busy");
        assert_eq!(refused.head.header("retry-after"), Some("1"));
        for thread in waiting {
            let answer = thread.join().unwrap();
            assert_eq!((answer.status(), answer.outcome()), (504, "wall_exceeded"), "{}", answer.summary());
        }
    });
    assert_eq!(tenant.get("bounded", "/").status(), 200, "the permits are back");
}

fn waiting_requests_share_an_isolate(node: &Node) {
    let source = r#"
let waiting = 0;
let most = 0;
export const handler = async () => {
  most = Math.max(most, ++waiting);
  await new Promise((resolve) => setTimeout(resolve, 200));
  waiting -= 1;
  return { most };
};
"#;
    let tenant = node.tenant("sharing");
    tenant.deploy(&Deployment::of("sharing", source).limits(&[("isolates_max", 1)]));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(|| tenant.get("sharing", "/"))).collect();
        let most = threads.into_iter().map(|t| t.join().unwrap().json()["most"].as_u64().unwrap()).max();
        assert!(most > Some(10), "at most {most:?} requests were in the isolate together");
    });
    assert!(begun.elapsed() < Duration::from_secs(3), "they waited together, not one after another");
}

fn a_busy_function_does_not_block_another(node: &Node) {
    let source = r#"
export const handler = async (event) => {
  if (event.rawPath === "/quick") return "quick";
  console.log("busy");
  const until = performance.now() + 1500;
  while (performance.now() < until);
  return "busy";
};
"#;
    let tenant = node.tenant("mixed-load");
    // Two functions of one tenant: one cell, and still two isolates on two threads.
    let manifest = r#"
app = "mixed-load"
[functions.busy]
entry = "handler.js"
routes = ["GET /busy"]
[functions.busy.limits]
handler_cpu_ms = 5000
[functions.quick]
entry = "handler.js"
routes = ["GET /quick"]
"#;
    let deployment = Deployment { manifest: manifest.into(), ..Deployment::of("mixed-load", source) };
    tenant.deploy(&deployment);
    assert_eq!(tenant.get("mixed-load", "/quick").text(), "quick");
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| tenant.get("mixed-load", "/busy"));
        tenant.until_logged("mixed-load", "busy");
        let quick = tenant.get("mixed-load", "/quick");
        assert_eq!(quick.text(), "quick", "{}", quick.summary());
        assert!(!busy.is_finished(), "answered while the other function was still busy");
        assert_eq!(busy.join().unwrap().text(), "busy");
    });
}

fn a_client_that_leaves_costs_nothing_more(node: &Node) {
    let tenant = echo(node, "leaver", &[]);
    let mut connection = Connection::open(node.public);
    connection.send(&Request::get(&host("leaver"), "/wait")).unwrap();
    let in_flight = || node.metric("isle_in_flight", &[("app", "leaver")]);
    until("the request is in flight", PATIENCE, || (in_flight() == 1.0).then_some(()));
    drop(connection);
    until("its place is free again", Duration::from_secs(10), || (in_flight() == 0.0).then_some(()));
    until("it is counted", PATIENCE, || {
        let labels = [("app", "leaver"), ("outcome", "cancelled")];
        (node.metric("isle_invocations_total", &labels) == 1.0).then_some(())
    });
    assert_eq!(tenant.get("leaver", "/").status(), 200);
}

fn http2_is_spoken_by_prior_knowledge(node: &Node) {
    echo(node, "h2", &[]);
    let url = format!("http://h2.localhost:{}/echo", node.public.port());
    let resolve = format!("h2.localhost:{}:127.0.0.1", node.public.port());
    let curl = Command::new("curl")
        .args(["--silent", "--http2-prior-knowledge", "--resolve", &resolve, "--data", "two"])
        .args(["-H", "content-type: text/plain", "--write-out", "|%{http_version}|%{http_code}", &url])
        .output();
    match curl {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout), "two|2|200"),
        Err(e) => eprintln!("not tested: curl does not start: {e}"),
    }
}

/// A test on the node that all of them share.
type Test = fn(&Node);

const TESTS: &[(&str, Test)] = &[
    ("head_is_get_without_a_body", head_is_get_without_a_body),
    ("bodies_have_a_limit", bodies_have_a_limit),
    ("large_bodies_stream_both_ways", large_bodies_stream_both_ways),
    ("chunked_bodies_arrive_whole", chunked_bodies_arrive_whole),
    ("an_unknown_host_or_path_is_not_found", an_unknown_host_or_path_is_not_found),
    ("hosts_match_in_any_case_and_with_a_port", hosts_match_in_any_case_and_with_a_port),
    ("connections_are_kept_and_pipelined", connections_are_kept_and_pipelined),
    ("every_method_reaches_the_handler", every_method_reaches_the_handler),
    ("continue_is_sent_when_it_is_waited_for", continue_is_sent_when_it_is_waited_for),
    ("ambiguous_requests_are_refused", ambiguous_requests_are_refused),
    ("request_ids_are_unique_and_reach_the_log", request_ids_are_unique_and_reach_the_log),
    ("logs_can_be_followed", logs_can_be_followed),
    ("metrics_count_what_happened", metrics_count_what_happened),
    ("health_is_seen_without_a_token", health_is_seen_without_a_token),
    ("tenants_are_strangers_to_each_other", tenants_are_strangers_to_each_other),
    ("concurrent_requests_are_bounded", concurrent_requests_are_bounded),
    ("waiting_requests_share_an_isolate", waiting_requests_share_an_isolate),
    ("a_busy_function_does_not_block_another", a_busy_function_does_not_block_another),
    ("a_client_that_leaves_costs_nothing_more", a_client_that_leaves_costs_nothing_more),
    ("http2_is_spoken_by_prior_knowledge", http2_is_spoken_by_prior_knowledge),
];

fn main() -> ExitCode {
    if only_listed(&TESTS.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>()) {
        return ExitCode::SUCCESS;
    }
    let node = Node::start("");
    let mut suite = Suite::new();
    for (name, test) in TESTS {
        let node = &node;
        suite.add(name, move || test(node));
    }
    suite.run(3)
}
