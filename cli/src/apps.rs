//! `isle apps`, `deployments`, `rollback` and `delete`.

use crate::api::{Apps, Deployments};
use crate::args::NodeArgs;
use crate::client::Client;
use crate::clock;
use crate::deploy;
use crate::failure::Done;
use crate::node_url::escape;
use crate::table::Table;
use crate::term::{confirm, line};

/// `isle apps`.
///
/// # Errors
/// What the user should read.
pub async fn list(node: NodeArgs) -> Done {
    let answer = Client::of(&node).get("/v1/apps").await?;
    if node.json {
        return line(&answer.text());
    }
    let apps = answer.json::<Apps>()?.apps;
    let mut table = Table::new(&["APP", "TENANT", "DEPLOYMENT", "UPDATED", "FUNCTIONS"]);
    for app in apps {
        let functions: Vec<String> = app.functions.into_iter().map(|function| function.name).collect();
        table.row([app.app, app.tenant, app.deployment, clock::utc(app.updated_at), functions.join(", ")]);
    }
    print(&table, "no apps yet: `isle deploy` makes one")
}

/// `isle deployments APP`.
///
/// # Errors
/// What the user should read.
pub async fn deployments(app: &str, node: NodeArgs) -> Done {
    let path = format!("/v1/apps/{}/deployments", escape(app));
    let answer = Client::of(&node).get(&path).await?;
    if node.json {
        return line(&answer.text());
    }
    let mut table = Table::new(&["DEPLOYMENT", "CREATED", "SIZE", ""]);
    for deployment in answer.json::<Deployments>()?.deployments {
        let current = if deployment.current { "live" } else { "" };
        let created = clock::utc(deployment.created_at);
        table.row([deployment.id, created, clock::bytes(deployment.bytes), current.to_owned()]);
    }
    print(&table, "no deployments")
}

/// `isle rollback APP [ID]`.
///
/// # Errors
/// What the user should read.
pub async fn rollback(app: &str, id: Option<&str>, node: NodeArgs) -> Done {
    let path = format!("/v1/apps/{}/rollback", escape(app));
    let client = Client::of(&node);
    let answer = client.post(&path, &serde_json::json!({ "deployment": id })).await?;
    if node.json {
        return line(&answer.text());
    }
    deploy::print(&answer.json()?, None)
}

/// `isle delete APP`.
///
/// # Errors
/// What the user should read.
pub async fn delete(app: &str, yes: bool, node: NodeArgs) -> Done {
    confirm(&format!("Delete {app} and all its deployments?"), yes)?;
    Client::of(&node).delete(&format!("/v1/apps/{}", escape(app))).await?;
    // The API's answer is empty.
    if node.json { Ok(()) } else { line(&format!("{app} is gone")) }
}

/// Prints a table, or what an empty one means.
///
/// # Errors
/// When standard output is closed.
pub fn print(table: &Table, empty: &str) -> Done {
    if table.is_empty() {
        return line(empty);
    }
    table.lines().iter().try_for_each(|text| line(text))
}
