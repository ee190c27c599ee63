//! The node's REST API as its users call it.

use super::deployment::Deployment;
use super::http::{self, Request, Response};
use super::node::{Node, host};
use super::{PATIENCE, until};
use serde::Deserialize;
use serde_json::{Value, json};

/// A line of a function's console, as `GET /v1/apps/{app}/logs` has it.
#[derive(Clone, Debug, Deserialize)]
pub struct LogLine {
    pub time_ms: u64,
    pub request_id: String,
    pub function: String,
    pub level: String,
    pub text: String,
}

/// A tenant of a running node.
pub struct Tenant<'n> {
    pub node: &'n Node,
    pub name: String,
    pub token: String,
}

impl Node {
    /// A call of the REST API.
    pub fn api(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Response {
        let mut request = Request::new(method, "localhost", path);
        request = request.header("authorization", &format!("Bearer {token}"));
        if let Some(body) = body {
            request = request.header("content-type", "application/json");
            request.body = Some(body.to_string().into_bytes());
        }
        http::call(self.admin, &request)
    }

    /// Makes a tenant.
    pub fn tenant(&self, name: &str) -> Tenant<'_> {
        let answer = self.api(&self.admin_token, "POST", "/v1/tenants", Some(&json!({ "name": name })));
        assert_eq!(answer.status(), 201, "tenant {name}: {}", answer.summary());
        let token = answer.json()["token"].as_str().expect("a token").to_owned();
        Tenant { node: self, name: name.into(), token }
    }
}

impl Tenant<'_> {
    pub fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        self.node.api(&self.token, method, path, body)
    }

    /// Sends a deployment, whatever comes of it.
    pub fn try_deploy(&self, deployment: &Deployment) -> Response {
        self.api("POST", &format!("/v1/apps/{}/deployments", deployment.app), Some(&deployment.body()))
    }

    /// Deploys; the answer's JSON.
    ///
    /// # Panics
    /// When the deployment is refused.
    pub fn deploy(&self, deployment: &Deployment) -> Value {
        let answer = self.try_deploy(deployment);
        assert!(matches!(answer.status(), 200 | 201), "deploying {}: {}", deployment.app, answer.text());
        answer.json()
    }

    /// Drops the function's idle isolates, so that its next request starts cold.
    pub fn evict(&self, app: &str, function: &str) {
        let answer = self.api("POST", &format!("/v1/apps/{app}/functions/{function}/evict"), None);
        assert_eq!(answer.status(), 204, "evicting {app}/{function}: {}", answer.summary());
    }

    /// `GET` of a function of `app`.
    pub fn get(&self, app: &str, path: &str) -> Response {
        self.node.call(&Request::get(&host(app), path))
    }

    /// The last console lines of `app`.
    pub fn logs(&self, app: &str, tail: u32) -> Vec<LogLine> {
        let answer = self.api("GET", &format!("/v1/apps/{app}/logs?tail={tail}"), None);
        assert_eq!(answer.status(), 200, "logs of {app}: {}", answer.summary());
        let text = answer.text();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}"))).collect()
    }

    /// Waits until a console line of `app` reads `text`: how a handler says that it has begun.
    pub fn until_logged(&self, app: &str, text: &str) {
        until(&format!("{app} logs {text:?}"), PATIENCE, || {
            self.logs(app, 200).iter().any(|line| line.text.trim_end() == text).then_some(())
        });
    }
}
