//! Where a function may go, and functions that call each other.

use super::{DRIVER, Test, World};
use crate::support::deployment::Deployment;
use crate::support::node::Node;
use serde_json::{Value, json};

pub const TESTS: &[(&str, Test)] = &[
    ("what_was_not_opened_is_refused", what_was_not_opened_is_refused),
    ("an_apps_list_is_all_that_it_may_reach", an_apps_list_is_all_that_it_may_reach),
    ("a_list_that_is_none_is_refused_with_its_line", a_list_that_is_none_is_refused_with_its_line),
    ("functions_call_each_other_without_leaving_the_node", functions_call_each_other_without_leaving_the_node),
    ("functions_that_call_each_other_for_ever_are_stopped", functions_that_call_each_other_for_ever_are_stopped),
    ("a_node_may_turn_it_off", a_node_may_turn_it_off),
    ("fetches_are_counted", fetches_are_counted),
];

fn message(got: &Value) -> &str {
    got["message"].as_str().unwrap_or_else(|| panic!("{got}"))
}

fn what_was_not_opened_is_refused(world: &World<'_>) {
    let port = world.closed.addr.port();
    let loopback = "fetch failed: refused: the host's address is not on the public internet (loopback)";
    let embedded = "fetch failed: refused: the host's address is not on the public internet (embedded ipv4)";
    let none = "fetch failed: refused: the host's address is not on the public internet (unspecified)";
    let own = "fetch failed: refused: the host is this node itself; call a function by its own URL";
    let closed_port = "fetch failed: refused: port 81 is not open to functions: 80, 443 and those from 1024 on are, \
                       except known services";
    let admin = world.node.admin.port();
    for (url, expected) in [
        (format!("http://127.0.0.1:{port}/hello"), loopback),
        (format!("http://127.1:{port}/hello"), loopback),
        (format!("http://2130706433:{port}/hello"), loopback),
        (format!("http://0x7f.0.0.1:{port}/hello"), loopback),
        (format!("http://127.0.0.2:{port}/"), loopback),
        (format!("http://localhost:{port}/hello"), loopback),
        (format!("https://localhost:{port}/hello"), loopback),
        (format!("http://[::1]:{port}/"), loopback),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), embedded),
        (format!("http://0.0.0.0:{port}/"), none),
        (format!("http://127.0.0.1:{admin}/v1/apps"), own),
        (format!("http://0.0.0.0:{admin}/v1/apps"), own),
        (format!("http://localhost:{admin}/metrics"), own),
        ("http://127.0.0.1:81/".to_owned(), closed_port),
    ] {
        let got = world.fetch(&url, json!({}));
        assert_eq!(message(&got), expected, "{url}");
    }
    for port in [22, 6000] {
        let got = world.fetch(&format!("http://127.0.0.1:{port}/"), json!({}));
        assert_eq!(got["error"], "TypeError", "the standard's bad ports: {got}");
    }
}

fn listed(app: &str, allow: &str) -> Deployment {
    let mut deployment = Deployment::of(app, DRIVER);
    deployment.manifest.push_str(&format!("\n[egress]\nallow = {allow}\n"));
    deployment
}

fn an_apps_list_is_all_that_it_may_reach(world: &World<'_>) {
    world.tenant.deploy(&listed("listed", &format!("[\"{}\", \"*.listed.test\"]", world.near.addr)));
    let ask = |url: String| world.ask("listed", json!({ "url": url }));
    assert_eq!(ask(world.near.url("/hello"))["body"], "hello");
    let refused = format!("fetch failed: refused: {} is not in the app's list `[egress] allow`", world.other.addr);
    assert_eq!(message(&ask(world.other.url("/hello"))), refused);
    let away = ask(world.near.url(&format!("/redirect?status=302&to=http%3A%2F%2F{}%2Fhello", world.other.addr)));
    assert_eq!(message(&away), refused, "a redirect is judged like a request");
    let inside = ask(format!("http://driver.localhost:{}/", world.node.public.port()));
    assert!(message(&inside).contains("is not in the app's list"), "{inside}");
    world.tenant.deploy(&listed("none", "[]"));
    let got = world.ask("none", json!({ "url": world.near.url("/hello") }));
    assert!(message(&got).contains("is not in the app's list"), "{got}");
}

fn a_list_that_is_none_is_refused_with_its_line(world: &World<'_>) {
    let answer = world.tenant.try_deploy(&listed("wrong", "[\"https://api.example.com\"]"));
    assert_eq!(answer.status(), 422, "{}", answer.summary());
    assert!(answer.text().contains("egress.allow") && answer.text().contains("is a URL"), "{}", answer.text());
}

fn functions_call_each_other_without_leaving_the_node(world: &World<'_>) {
    let target = r#"
      export const handler = async (event) => ({
        statusCode: 203,
        headers: { "x-seen-host": event.headers.host, "content-type": "text/plain" },
        cookies: ["a=1", "b=2"],
        body: `${event.requestContext.http.method} ${event.rawPath}?${event.rawQueryString} ${event.body ?? ""} ${event.headers["x-own"]}`,
      });"#;
    let stranger = world.node.tenant("neighbour");
    stranger.deploy(&Deployment::of("neighbour", target));
    let port = world.node.public.port();
    let init = json!({ "method": "POST", "body": "hi", "headers": { "content-type": "text/plain", "x-own": "own" } });
    let got = world.fetch(&format!("http://neighbour.localhost:{port}/a/b?c=d"), init);
    assert_eq!((&got["status"], &got["body"]), (&json!(203), &json!("POST /a/b?c=d hi own")), "{got}");
    assert_eq!(got["headers"]["x-seen-host"], format!("neighbour.localhost:{port}"));
    assert!(got["headers"]["isle-request-id"].is_string(), "as a stranger sees it");
    // At the scheme's own port, too: something in front of the node may listen there.
    let got = world.fetch("http://neighbour.localhost/", json!({}));
    assert_eq!(got["status"], 203, "{got}");
    let got = world.fetch(&format!("http://nobody.localhost:{port}/"), json!({}));
    assert_eq!(got["status"], 404, "{got}");
    let large = "x".repeat(700_000);
    let init = json!({ "method": "PUT", "body": large, "headers": { "content-type": "text/plain" } });
    let got = world.fetch(&format!("http://neighbour.localhost:{port}/"), init);
    assert_eq!(got["body"].as_str().map(str::len), Some("PUT /?  undefined".len() + 700_000));
}

fn functions_that_call_each_other_for_ever_are_stopped(world: &World<'_>) {
    let handler = r#"
      export const handler = async (event) => {
        try {
          const response = await fetch(`http://${event.headers.host}/`, { headers: { "isle-hops": "0", "x-hops": "0" } });
          return { depth: (await response.json()).depth + 1 };
        } catch (error) {
          return { depth: 0, message: error.message };
        }
      };"#;
    world.deploy("mirror", handler, &[]);
    let got = world.tenant.get("mirror", "/").json();
    assert_eq!(got["depth"], 8, "eight functions inside one another, and no ninth: {got}");
    // And the next chain starts anew.
    assert_eq!(world.tenant.get("mirror", "/").json()["depth"], 8);
    let metric = world.node.metric("isle_fetch_refusals_total", &[("reason", "loop")]);
    assert_eq!(metric, 2.0);
}

fn a_node_may_turn_it_off(world: &World<'_>) {
    let node = Node::start("[egress]\nenabled = false\n");
    let tenant = node.tenant("t");
    tenant.deploy(&Deployment::of("off", DRIVER));
    let request = crate::support::http::Request::post(
        &crate::support::node::host("off"),
        "/",
        json!({ "url": world.near.url("/hello") }).to_string(),
    );
    let got = node.call(&request.header("content-type", "application/json")).json();
    assert_eq!(message(&got), "fetch failed: refused: outbound requests are turned off on this node");
}

fn fetches_are_counted(world: &World<'_>) {
    world.tenant.deploy(&Deployment::of("metered", DRIVER));
    let ask = |url: String| world.ask("metered", json!({ "url": url }));
    ask(world.near.url("/hello"));
    ask(world.closed.url("/"));
    let count = |outcome: &str| {
        world.node.metric("isle_fetches_total", &[("app", "metered"), ("function", "main"), ("outcome", outcome)])
    };
    assert_eq!((count("ok"), count("refused")), (1.0, 1.0));
    assert!(world.node.metric("isle_fetch_refusals_total", &[("reason", "loopback")]) >= 1.0);
    assert_eq!(world.node.metric("isle_fetch_duration_seconds_count", &[("app", "metered")]), 2.0);
    assert!(world.node.metric("isle_egress_connections_open", &[]) >= 1.0);
}
