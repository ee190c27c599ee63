//! Outbound fetch through the real node, against servers on loopback that the operator opened.

#[path = "egress/bodies.rs"]
mod bodies;
#[path = "egress/limits.rs"]
mod limits;
#[path = "egress/policy.rs"]
mod policy;
#[path = "egress/redirects.rs"]
mod redirects;
#[path = "egress/requests.rs"]
mod requests;
#[path = "support/standin.rs"]
mod standin;
mod support;

use serde_json::{Value, json};
use standin::StandIn;
use std::path::PathBuf;
use std::process::ExitCode;
use support::api::Tenant;
use support::deployment::Deployment;
use support::http::{Request, Response};
use support::node::{Node, host};
use support::suite::{Suite, only_listed};

/// Fetches what its event says and describes what came of it.
const DRIVER: &str = r#"
export const handler = async (event) => {
  const { url, init, read = "text" } = JSON.parse(event.body);
  try {
    const response = await fetch(url, init);
    const body = read === "nothing" ? undefined : await response[read]();
    const { status, statusText, redirected, type, ok } = response;
    const headers = Object.fromEntries(response.headers);
    return { status, statusText, url: response.url, redirected, type, ok, headers, body, empty: response.body === null };
  } catch (error) {
    return { error: error.name, message: error.message };
  }
};
"#;

/// One node, its tenants, and what stands in for the world.
struct World<'n> {
    node: &'n Node,
    tenant: Tenant<'n>,
    /// Opened by the operator.
    near: StandIn,
    /// Opened, too: another origin.
    other: StandIn,
    /// Opened: for the tests that count its connections.
    kept: StandIn,
    /// Opened: HTTP/2 under TLS, with a certificate whose authority the operator trusts.
    secure: StandIn,
    /// Opened, with a certificate that nobody trusts.
    untrusted: StandIn,
    /// Not opened: nothing must ever arrive here.
    closed: StandIn,
}

impl World<'_> {
    fn fetch(&self, url: &str, init: Value) -> Value {
        self.ask("driver", json!({ "url": url, "init": init }))
    }

    /// Posts JSON to an app and reads JSON.
    fn ask(&self, app: &str, what: Value) -> Value {
        let answer = self.post(app, what);
        assert_eq!(answer.status(), 200, "{}", answer.summary());
        answer.json()
    }

    fn post(&self, app: &str, what: Value) -> Response {
        let request = Request::post(&host(app), "/", what.to_string()).header("content-type", "application/json");
        self.node.call(&request)
    }

    /// Deploys `handler` as `app`, with these limits.
    fn deploy(&self, app: &str, handler: &str, limits: &[(&str, u32)]) {
        let deployment = Deployment::of(app, handler);
        self.tenant.deploy(&if limits.is_empty() { deployment } else { deployment.limits(limits) });
    }
}

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests/data").join(name)
}

type Test = fn(&World<'_>);

fn main() -> ExitCode {
    let tests: Vec<(&str, Test)> =
        [requests::TESTS, redirects::TESTS, bodies::TESTS, limits::TESTS, policy::TESTS].concat();
    let names: Vec<String> = tests.iter().map(|(name, _)| (*name).to_owned()).collect();
    if only_listed(&names) {
        return ExitCode::SUCCESS;
    }
    let [near, other, kept, closed] = [(); 4].map(|()| StandIn::start());
    let secure = StandIn::start_tls(&data("localhost.crt"), &data("localhost.key"));
    let untrusted = StandIn::start_tls(&data("acme.crt"), &data("acme.key"));
    let node = Node::start(&format!(
        "fetches_max = 1000\n[egress]\nroots = {:?}\nopen = [\"{}\", \"{}\", \"{}\", \"localhost:{}\", \"localhost:{}\"]\n",
        data("localhost.crt"),
        near.addr,
        other.addr,
        kept.addr,
        secure.addr.port(),
        untrusted.addr.port(),
    ));
    let tenant = node.tenant("world");
    tenant.deploy(&Deployment::of("driver", DRIVER));
    let world = World { node: &node, tenant, near, other, kept, secure, untrusted, closed };
    let mut suite = Suite::new();
    for (name, test) in tests {
        let world = &world;
        suite.add(name, move || test(world));
    }
    let code = suite.run(2);
    assert_eq!(world.closed.connections(), 0, "a request reached what was never opened");
    code
}
