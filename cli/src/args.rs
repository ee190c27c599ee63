//! The command line: what can be said, and nothing about what it does.

use crate::bench::BenchCommand;
use crate::node_url::NodeUrl;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Runs plain JavaScript handlers at the edge.
#[derive(Debug, Parser)]
#[command(name = "isle", version, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Everything `isle` does for people.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve one file, or a folder with an isle.toml, and reload it on every save
    Dev(DevArgs),
    /// Upload the folder's isle.toml and modules and make them live
    Deploy(DeployArgs),
    /// List your apps
    Apps {
        /// Which node, as whom.
        #[command(flatten)]
        node: NodeArgs,
    },
    /// List an app's deployments, newest first
    Deployments {
        /// The app's name
        app: String,
        /// Which node, as whom.
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Make an earlier deployment live again
    Rollback {
        /// The app's name
        app: String,
        /// The deployment's id; without one, the deployment before the current
        id: Option<String>,
        /// Which node, as whom.
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Delete an app and all its deployments
    Delete {
        /// The app's name
        app: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Which node, as whom.
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Show what an app's functions wrote to the console
    Logs(LogsArgs),
    /// Measure latency: of cold starts, or of any URL
    #[command(subcommand, disable_help_subcommand = true)]
    Bench(BenchCommand),
    /// Add, list and remove tenants; needs the node's admin token
    #[command(subcommand, disable_help_subcommand = true)]
    Tenant(TenantCommand),
    /// Run a node
    Serve(ServeArgs),
}

/// `isle tenant …`.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Add a tenant and print its token, which is shown this once
    Add {
        /// The tenant's name
        name: String,
        /// Which node, as whom.
        #[command(flatten)]
        node: NodeArgs,
    },
    /// List the node's tenants
    List {
        /// Which node, as whom.
        #[command(flatten)]
        node: NodeArgs,
    },
    /// Remove a tenant that has no apps any more
    Remove {
        /// The tenant's name
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Which node, as whom.
        #[command(flatten)]
        node: NodeArgs,
    },
}

/// Which node, as whom, and how to print the answer.
#[derive(Debug, Args)]
pub struct NodeArgs {
    /// The node's admin API
    #[arg(long = "node", value_name = "URL", env = "ISLE_NODE", default_value = "http://127.0.0.1:3001")]
    pub url: NodeUrl,
    /// Your token; better given as ISLE_TOKEN, since other users of this machine can read command lines
    #[arg(long, value_name = "TOKEN", env = "ISLE_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Print the API's answer as it is
    #[arg(long)]
    pub json: bool,
}

/// `isle deploy`.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// The folder with the isle.toml
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Deploy as this app, instead of the one that isle.toml names
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,
    /// Whose app it is, when deploying with the admin token
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Which node, as whom.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// `isle logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The app's name
    pub app: String,
    /// Go on showing new lines
    #[arg(long, short)]
    pub follow: bool,
    /// How many recent lines to begin with
    #[arg(long, value_name = "LINES", default_value_t = 100)]
    pub tail: u32,
    /// Which node, as whom.
    #[command(flatten)]
    pub node: NodeArgs,
}

/// `isle dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// A file that exports `handler`, or a folder with an isle.toml
    #[arg(value_name = "FILE|DIR")]
    pub path: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
}

/// `isle serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The node's configuration; without one, every setting has its default
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data folder, instead of the one the configuration names
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Deploy the example functions of two tenants
    #[arg(long, hide = true)]
    pub demo: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_the_manual_says_can_be_said() {
        for line in [
            "isle serve --config node.toml",
            "isle dev hello.js --listen 127.0.0.1:0",
            "isle deploy --node http://127.0.0.1:3001 --token t --app blog",
            "isle deploy shop",
            "isle apps --json",
            "isle deployments blog",
            "isle rollback blog",
            "isle rollback blog 3f2a",
            "isle delete blog --yes",
            "isle logs blog -f",
            "isle bench cold blog/hello -n 500 --html report.html",
            "isle bench warm http://blog.localhost:3000/ --rate 250 --threshold p99=5ms",
            "isle tenant add acme",
            "isle tenant list",
            "isle tenant remove acme -y",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        for line in ["isle", "isle dev", "isle logs", "isle tenant add", "isle deploy --node localhost", "isle __cell"]
        {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
