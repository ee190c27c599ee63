//! `isle`: one binary that plays every part.
//!
//! ```text
//!   isle serve | dev        the node: gateway, control plane, cells as children
//!   isle deploy | apps | …  a client of a node's admin API
//!   isle bench              load on a node, or on anything that speaks HTTP
//!   isle __cell             a cell: started by a node, never by hand
//!   isle __base-snapshot F  writes the snapshot that every cell starts from
//!   isle __base-caches F    writes the code caches that go with that snapshot
//!   isle __base-web F       writes the snapshot on top of it that functions of the web start from
//! ```

mod api;
mod apps;
mod args;
mod bench;
mod bundle;
mod client;
mod clock;
mod demo;
mod deploy;
mod dev;
mod excerpt;
mod failure;
mod folder;
mod logs;
mod node_url;
mod serve;
mod table;
mod tenant;
mod term;
mod watch;

use args::{Cli, Command};
use clap::Parser;
use failure::{Done, Failure};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: a node waits for its cells, and a cell needs nothing of what follows.
    let mut words = std::env::args_os().skip(1);
    match words.next().as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("__cell") => return isle_runtime::cell::main(),
        Some("__builder") => return isle_runtime::snapshot::builder::main(),
        Some("__builder-step") => {
            let step = words.next().and_then(|step| step.into_string().ok()).unwrap_or_default();
            return isle_runtime::snapshot::builder::step_main(&step);
        }
        Some("__base-snapshot") => {
            let Some(out) = words.next() else { return end(Err(Failure::said("__base-snapshot needs a file name"))) };
            let built = isle_runtime::snapshot::build_base(Path::new(&out));
            return end(built.map_err(|error| Failure::said(format!("cannot build the base snapshot: {error}"))));
        }
        Some("__base-caches") => {
            let Some(base) = words.next() else { return end(Err(Failure::said("__base-caches needs a file name"))) };
            let built = isle_runtime::snapshot::caches::build(Path::new(&base));
            return end(built.map_err(|error| Failure::said(format!("cannot build the platform's caches: {error}"))));
        }
        Some("__base-web") => {
            let Some(base) = words.next() else { return end(Err(Failure::said("__base-web needs a file name"))) };
            let built = isle_runtime::snapshot::web::build(Path::new(&base));
            return end(built.map_err(|error| Failure::said(format!("cannot build the web's snapshot: {error}"))));
        }
        _ => {}
    }
    end(match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Dev(args) => dev::run(args),
        Command::Deploy(args) => call(deploy::run(args)),
        Command::Apps { node } => call(apps::list(node)),
        Command::Deployments { app, node } => call(apps::deployments(&app, node)),
        Command::Rollback { app, id, node } => call(apps::rollback(&app, id.as_deref(), node)),
        Command::Delete { app, yes, node } => call(apps::delete(&app, yes, node)),
        Command::Logs(args) => call(logs::run(args)),
        Command::Bench(command) => bench::run(command),
        Command::Tenant(command) => call(tenant::run(command)),
    })
}

/// Runs a command that only talks to a node: one thread is plenty.
fn call(command: impl Future<Output = Done>) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::said(format!("cannot start: {error}")))?.block_on(command)
}

fn end(result: Done) -> ExitCode {
    match result {
        Ok(()) | Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(Failure::Said(message)) => {
            term::remark(&format!("{}: {message}", term::Paint::stderr().red("error")));
            ExitCode::FAILURE
        }
        Err(Failure::Report(report)) => {
            term::remark(&report);
            ExitCode::FAILURE
        }
    }
}
