//! What outlives the version it belongs to, the isolate's other requests, or its own response: streams whose client
//! leaves late, and work that was given to `ctx.waitUntil`. And what a start that fails leaves alone.

use super::support::api::Tenant;
use super::support::deployment::Deployment;
use super::support::http::{Connection, Request};
use super::support::node::{Node, host};
use super::support::{PATIENCE, until};
use super::{SOURCE, deployed, opened};

/// Has `/config` until somebody asks for `/close`, and counts who asks for it after that.
const CONFIG: &str = r#"
let asked = -1;
const paths = {
  "/config": () => new Response("config", { status: asked < 0 ? 200 : (asked++, 503) }),
  "/close": () => new Response(String(asked = 0)),
  "/asked": () => new Response(String(asked)),
};
export default { fetch: (request) => paths[new URL(request.url).pathname]() };
"#;

/// `SOURCE` of another version.
fn replaced(tenant: &Tenant<'_>, app: &str) {
    tenant.deploy(&Deployment::of(app, &format!("{SOURCE}\n// another\n")).limits(&[("isolates_max", 1)]));
}

pub fn a_stream_of_a_replaced_version_is_cancelled_when_its_client_leaves(node: &Node) {
    let tenant = deployed(node, "replaced", SOURCE, &[]);
    let (events, _) = opened(node, &Request::get(&host("replaced"), "/watched"));
    replaced(&tenant, "replaced");
    assert_eq!(tenant.get("replaced", "/emit").text(), "0", "another isolate");
    drop(events);
    tenant.until_logged("replaced", "cancelled: AbortError");
    tenant.until_logged("replaced", "signalled: AbortError");
}

pub fn a_stream_in_a_retiring_isolate_is_cancelled_when_its_client_leaves(node: &Node) {
    for (app, asked_again) in [("retiring", false), ("retired", true)] {
        let tenant = deployed(node, app, SOURCE, &[("wall_ms", 200)]);
        let (events, _) = opened(node, &Request::get(&host(app), "/events"));
        // What took too long may go on, so the isolate takes nothing new.
        assert_eq!(node.get(app, "/ignore").outcome(), "wall_exceeded");
        if asked_again {
            assert_eq!(tenant.get(app, "/emit").text(), "0", "another isolate");
        }
        drop(events);
        tenant.until_logged(app, "cancelled: AbortError");
    }
}

pub fn what_a_replaced_version_waits_for_comes_to_its_end(node: &Node) {
    // Long enough for a deployment.
    let source = "export default { fetch(request, env, ctx) {\n\
                  if (request.url.endsWith('said')) return new Response('said');\n\
                  const wait = new Promise((done) => setTimeout(done, 2000));\n\
                  ctx.waitUntil(wait.then(async () => console.log(await (await fetch(request.url + 'said')).text())));\n\
                  return new Response('answered');\n} };";
    let tenant = deployed(node, "waits", source, &[]);
    assert_eq!(tenant.get("waits", "/").text(), "answered");
    tenant.deploy(&Deployment::of("waits", &source.replace("('said');", "('said by another');")));
    assert!(tenant.logs("waits", 10).is_empty(), "it still waits");
    tenant.until_logged("waits", "said by another");
}

pub fn a_node_that_stops_lets_what_is_waited_for_end() {
    let mut node = Node::start("[shutdown]\ndrain_ms = 20000\n");
    let source = "export default { fetch(request, env, ctx) {\n\
                  ctx.waitUntil(new Promise((done) => setTimeout(done, 400)).then(() => console.log('it waited')));\n\
                  return new Response('answered');\n} };";
    let tenant = deployed(&node, "stops", source, &[]);
    assert_eq!(tenant.get("stops", "/").text(), "answered");
    node.terminate();
    assert!(node.ended(PATIENCE).success());
    let log = node.log_tail(200);
    assert!(log.contains("it waited"), "{log}");
}

pub fn a_further_isolate_that_does_not_start_costs_no_request(node: &Node) {
    let config = deployed(node, "config", CONFIG, &[]);
    let source = "const config = await fetch('http://config.localhost/config');\n\
                  if (!config.ok) throw new Error('no configuration');\n\
                  export const handler = async () => {\n\
                  for (const end = performance.now() + 30; performance.now() < end;);\n\
                  return 'served';\n};";
    let tenant = node.tenant("configured");
    tenant.deploy(&Deployment::of("configured", source).limits(&[("isolates_max", 4)]));
    assert_eq!(tenant.get("configured", "/").text(), "served");
    assert_eq!(config.get("config", "/close").text(), "0");
    let asked = |_| {
        let mut connection = Connection::open(node.public);
        connection.send(&Request::get(&host("configured"), "/")).unwrap();
        connection
    };
    // Those that wait while another computes are what a further isolate is started for, unless the first has taken
    // all of them at once.
    until("a further isolate is tried", PATIENCE, || {
        let mut waiting: Vec<Connection> = (0..8).map(asked).collect();
        for connection in &mut waiting {
            assert_eq!(connection.receive("GET").unwrap().text(), "served");
        }
        (config.get("config", "/asked").text() != "0").then_some(())
    });
}
