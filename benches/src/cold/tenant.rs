//! A tenant of an Isle node: versions deployed before the timing starts, evicted between samples, and the node's own
//! word for how each of them was started.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::client::Client;
use super::function::Function;
use crate::Error;
use crate::servers::isle::Node;

/// Deploys at one time: as many as a node checks at one time.
const DEPLOYS: usize = 2;

/// A tenant, by its token. It outlives a restart of its node.
#[derive(Clone)]
pub struct Tenant {
    admin: SocketAddr,
    public: SocketAddr,
    token: String,
}

/// Versions of one function that differ in their text, each an app of its own.
#[derive(Clone)]
pub struct Versions {
    function: Function,
    apps: Vec<String>,
    /// What to send, for each app.
    requests: Vec<Bytes>,
}

impl Versions {
    /// Some of them.
    pub fn part(&self, range: std::ops::Range<usize>) -> Versions {
        let (apps, requests) = (self.apps[range.clone()].to_vec(), self.requests[range].to_vec());
        Versions { function: self.function, apps, requests }
    }

    /// What to send, for each of them.
    pub fn requests(&self) -> &[Bytes] {
        &self.requests
    }
}

impl Tenant {
    /// Makes the tenant.
    ///
    /// # Errors
    /// The node's.
    pub async fn add(node: &Node, name: &str) -> Result<Tenant, Error> {
        let mut client = Client::connect(node.admin).await?;
        let body = json!({ "name": name }).to_string();
        let answer = client.call("POST", "/v1/tenants", &node.admin_token()?, body.as_bytes()).await?;
        let answer: Value = serde_json::from_slice(answer)?;
        let token = answer["token"].as_str().ok_or("the node gives no token")?.to_owned();
        Ok(Tenant { admin: node.admin, public: node.public, token })
    }

    /// Deploys `count` versions of a function, named `prefix` and a number.
    ///
    /// # Errors
    /// One is refused.
    pub async fn deploy(
        &self,
        function: Function,
        bundle: &str,
        prefix: &str,
        count: usize,
    ) -> Result<Versions, Error> {
        let apps: Vec<String> = (0..count).map(|index| format!("{prefix}-{index}")).collect();
        let port = self.public.port();
        let requests = apps.iter().map(|app| function.request(&format!("{app}.localhost:{port}"))).collect();
        let versions = Versions { function, apps: apps.clone(), requests };
        let (next, bundle, apps) = (Rc::new(Cell::new(0)), Rc::<str>::from(bundle), Rc::<[String]>::from(apps));
        let mut deploys = JoinSet::new();
        for _ in 0..DEPLOYS {
            let (tenant, next, bundle, apps) = (self.clone(), next.clone(), bundle.clone(), apps.clone());
            deploys.spawn_local(async move {
                let mut client = Client::connect(tenant.admin).await.map_err(|error| error.to_string())?;
                while let Some(app) = apps.get(next.replace(next.get() + 1)) {
                    // the comment makes another version of it, which shares nothing that is kept by content
                    let source = format!("{bundle}\n// {app}\n");
                    let deployed = tenant.deploy_one(&mut client, app, function, &source).await;
                    deployed.map_err(|error| format!("deploying {app}: {error}"))?;
                }
                Ok::<_, String>(())
            });
        }
        while let Some(deployed) = deploys.join_next().await {
            deployed??;
        }
        Ok(versions)
    }

    async fn deploy_one(&self, client: &mut Client, app: &str, function: Function, source: &str) -> Result<(), Error> {
        let (path, query) = function.path().split_once('?').unwrap_or((function.path(), ""));
        let parameters: Vec<String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| format!("{name} = \"{value}\""))
            .collect();
        let parameters = parameters.join(", ");
        // A request that succeeds, as an author would give it who reads the section on cold starts.
        let manifest = format!(
            "app = \"{app}\"\n[functions.main]\nentry = \"main.js\"\nroutes = [\"GET {path}\", \"$default\"]\n\
             warmup = {{ rawQueryString = \"{query}\", queryStringParameters = {{ {parameters} }} }}\n"
        );
        self.post(client, app, &manifest, &json!({ "main.js": { "text": source } })).await
    }

    /// Deploys an app as it is given: the text of its `isle.toml`, and its files as the API takes them.
    ///
    /// # Errors
    /// It is refused.
    pub async fn deploy_files(&self, app: &str, manifest: &str, files: &Value) -> Result<(), Error> {
        self.post(&mut Client::connect(self.admin).await?, app, manifest, files).await
    }

    async fn post(&self, client: &mut Client, app: &str, manifest: &str, files: &Value) -> Result<(), Error> {
        let body = json!({ "manifest": manifest, "files": files }).to_string();
        client.call("POST", &format!("/v1/apps/{app}/deployments"), &self.token, body.as_bytes()).await?;
        Ok(())
    }

    /// Has their isolates dropped.
    ///
    /// # Errors
    /// The node's.
    pub async fn evict(&self, versions: &Versions) -> Result<(), Error> {
        let mut client = Client::connect(self.admin).await?;
        for app in &versions.apps {
            client.call("POST", &format!("/v1/apps/{app}/functions/main/evict"), &self.token, b"").await?;
        }
        Ok(())
    }

    /// How many requests to these versions were answered by isolates of each kind, since the node started.
    ///
    /// # Errors
    /// The node shows no such metrics.
    pub async fn starts(&self, versions: &Versions) -> Result<BTreeMap<String, u64>, Error> {
        let mut client = Client::connect(self.admin).await?;
        let metrics = client.call("GET", "/metrics", "", b"").await?;
        Ok(starts(std::str::from_utf8(metrics)?, &versions.apps))
    }
}

/// Adds up `isle_starts_total` of these apps by kind.
fn starts(metrics: &str, apps: &[String]) -> BTreeMap<String, u64> {
    let mut kinds = BTreeMap::new();
    for line in metrics.lines().filter_map(|line| line.strip_prefix("isle_starts_total{")) {
        let Some((labels, value)) = line.rsplit_once("} ") else { continue };
        let label = |name: &str| {
            let mut labels = labels.split(',').filter_map(|label| label.split_once('='));
            labels.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
        };
        if let (Some(app), Some(kind), Ok(value)) = (label("app"), label("kind"), value.parse::<f64>())
            && apps.iter().any(|wanted| wanted == app)
        {
            *kinds.entry(kind.to_owned()).or_default() += value as u64;
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_of_the_apps_asked_for_are_added_up_by_kind() {
        let metrics = "# TYPE isle_starts_total counter\n\
            isle_starts_total{app=\"a-1\",function=\"main\",kind=\"pooled\",tenant=\"t\"} 1\n\
            isle_starts_total{app=\"a-2\",function=\"main\",kind=\"pooled\",tenant=\"t\"} 2\n\
            isle_starts_total{app=\"a-2\",function=\"main\",kind=\"warm\",tenant=\"t\"} 5\n\
            isle_starts_total{app=\"b-1\",function=\"main\",kind=\"pooled\",tenant=\"t\"} 9\n";
        let kinds = starts(metrics, &["a-1".to_owned(), "a-2".to_owned()]);
        assert_eq!(kinds, BTreeMap::from([("pooled".to_owned(), 3), ("warm".to_owned(), 5)]));
    }
}
