//! Outbound fetch through the real node, against servers on loopback that the operator opened.

#[path = "support/standin.rs"]
mod standin;
mod support;

use serde_json::{Value, json};
use standin::StandIn;
use std::process::ExitCode;
use support::api::Tenant;
use support::deployment::Deployment;
use support::http::Request;
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
    return { status, statusText, url: response.url, redirected, type, ok, headers: [...response.headers], body };
  } catch (error) {
    return { error: error.name, message: error.message };
  }
};
"#;

struct World<'n> {
    node: &'n Node,
    tenant: Tenant<'n>,
    near: &'n StandIn,
}

impl World<'_> {
    fn fetch(&self, url: &str, init: Value) -> Value {
        self.ask(json!({ "url": url, "init": init }))
    }

    fn ask(&self, what: Value) -> Value {
        let answer = self
            .node
            .call(&Request::post(&host("driver"), "/", what.to_string()).header("content-type", "application/json"));
        assert_eq!(answer.status(), 200, "{}", answer.summary());
        answer.json()
    }
}

fn a_function_fetches(world: &World<'_>) {
    let got = world.fetch(&world.near.url("/hello"), json!({}));
    assert_eq!((got["status"].clone(), got["body"].clone()), (json!(200), json!("hello")), "{got}");
    assert_eq!(got["statusText"], "OK");
}

type Test = fn(&World<'_>);
const TESTS: &[(&str, Test)] = &[("a_function_fetches", a_function_fetches)];

fn main() -> ExitCode {
    let names: Vec<String> = TESTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    if only_listed(&names) {
        return ExitCode::SUCCESS;
    }
    let near = StandIn::start();
    let node = Node::start(&format!("[egress]\nopen = [\"{}\"]\n", near.addr));
    let tenant = node.tenant("world");
    tenant.deploy(&Deployment::of("driver", DRIVER));
    let world = World { node: &node, tenant, near: &near };
    let mut suite = Suite::new();
    for (name, test) in TESTS {
        suite.add(name, || test(&world));
    }
    suite.run(2)
}
