//! `isle tenant add`, `list` and `remove`.

use crate::api::{TenantAdded, Tenants};
use crate::apps::print;
use crate::args::{NodeArgs, TenantCommand};
use crate::client::{Answer, Client, ClientError};
use crate::clock;
use crate::failure::Done;
use crate::node_url::escape;
use crate::table::Table;
use crate::term::{Paint, confirm, line};
use std::io::IsTerminal;

/// Runs the command.
///
/// # Errors
/// What the user should read.
pub async fn run(command: TenantCommand) -> Done {
    match command {
        TenantCommand::Add { name, node } => added(&name, node).await,
        TenantCommand::List { node } => list(node).await,
        TenantCommand::Remove { name, yes, node } => remove(&name, yes, node).await,
    }
}

/// Adds a tenant.
///
/// # Errors
/// See [`ClientError`].
pub async fn add(client: &Client, name: &str) -> Result<Answer, ClientError> {
    client.post("/v1/tenants", &serde_json::json!({ "name": name })).await
}

async fn added(name: &str, node: NodeArgs) -> Done {
    let answer = add(&Client::of(&node), name).await?;
    if node.json {
        return line(&answer.text());
    }
    let TenantAdded { tenant, token } = answer.json()?;
    // In `ISLE_TOKEN=$(isle tenant add acme)` nothing but the token is wanted.
    if !std::io::stdout().is_terminal() {
        return line(&token);
    }
    line(&format!("tenant {} added; its token, shown this once:", Paint::stdout().bold(&tenant)))?;
    line(&token)
}

async fn list(node: NodeArgs) -> Done {
    let answer = Client::of(&node).get("/v1/tenants").await?;
    if node.json {
        return line(&answer.text());
    }
    let mut table = Table::new(&["TENANT", "CREATED"]);
    for tenant in answer.json::<Tenants>()?.tenants {
        table.row([tenant.name, clock::utc(tenant.created_at)]);
    }
    print(&table, "no tenants yet: `isle tenant add NAME` makes one")
}

async fn remove(name: &str, yes: bool, node: NodeArgs) -> Done {
    confirm(&format!("Remove tenant {name} and its token?"), yes)?;
    Client::of(&node).delete(&format!("/v1/tenants/{}", escape(name))).await?;
    // The API's answer is empty.
    if node.json { Ok(()) } else { line(&format!("tenant {name} is gone")) }
}
