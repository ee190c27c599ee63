//! `isle serve`: a node, from its configuration to its end.

mod sink;

use crate::args::ServeArgs;
use crate::client::Client;
use crate::demo;
use crate::failure::{Done, Failure, plain};
use crate::term::line;
use isle_gateway::config::{LogFormat, NodeConfig};
use isle_gateway::node::{CellCommand, Mode, Node};
use isle_runtime::isolate::platform::{Urgency, set_urgency};
use isle_wire::Clock;
use std::io::IsTerminal;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Runs the command.
///
/// # Errors
/// What the user should read.
pub fn run(args: ServeArgs) -> Done {
    let mut config = match &args.config {
        Some(path) => NodeConfig::load(path).map_err(|error| Failure::said(error.to_string()))?,
        None => NodeConfig::default(),
    };
    if let Some(data) = args.data {
        config.data_dir = data;
    }
    let _flush = log_to_stderr(config.log.format)?;
    // Tokens and tenants' code will be in it.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.data_dir);
    made.map_err(|error| Failure::io("make", &config.data_dir, &error))?;
    let base_snapshot = base_snapshot(&config.data_dir.join("cache"), config.cells.clock)?;
    executor()?.block_on(serve(config, base_snapshot, args.demo))
}

async fn serve(config: NodeConfig, base_snapshot: PathBuf, demo: bool) -> Done {
    // Before the node starts: a signal that comes meanwhile must not end us without a word.
    let mut stop = Stop::new()?;
    outlive_long_files()?;
    let token_file = config.data_dir.join("admin.token");
    let scheme = if config.public.tls.is_empty() { "http" } else { "https" };
    let node = Node::start(config, own_cells()?, base_snapshot, Mode::Serve).await;
    let node = node.map_err(|error| Failure::said(error.to_string()))?;
    for address in node.public_addresses() {
        line(&format!("public  {scheme}://{address}"))?;
    }
    line(&format!("admin   http://{}", node.admin_address()))?;
    if let Some(token) = node.new_admin_token() {
        line(&format!(
            "token   {token}\n        (the admin token, shown this once; it is in {})",
            token_file.display()
        ))?;
    }
    if demo {
        let token = std::fs::read_to_string(&token_file).map_err(|error| Failure::io("read", &token_file, &error))?;
        let url = format!("http://{}", node.admin_address()).parse().map_err(Failure::Said)?;
        demo::deploy(&Client::new(url, Some(token))).await?;
    }
    stop.asked().await;
    tracing::info!("stopping: requests in flight finish first");
    tokio::select! {
        () = node.stop() => {
            tracing::info!("stopped");
            Ok(())
        }
        () = stop.asked() => Err(Failure::said("stopped at once, with requests in flight")),
    }
}

/// Threads for the gateway: half the cores, since cells need theirs. Fewer threads also wake each
/// other less: on two cores, one gives more requests per second than two, for less CPU time each.
///
/// # Errors
/// When the system gives none.
pub fn executor() -> Done<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (cores / 2).max(1);
    // Before the threads, which inherit it.
    set_urgency(Urgency::Serving);
    let executor =
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).thread_name("gateway").enable_all().build();
    executor.map_err(|error| Failure::said(format!("cannot start threads: {}", plain(&error))))
}

/// How cells are started: this very binary, under its other name.
///
/// # Errors
/// When the system does not say where it is.
pub fn own_cells() -> Done<CellCommand> {
    CellCommand::this_binary()
        .map_err(|error| Failure::said(format!("cannot find this program's own file: {}", plain(&error))))
}

/// The snapshot that cells start from; made now if this build has none in `cache` yet.
///
/// # Errors
/// When it cannot be made.
pub fn base_snapshot(cache: &Path, clock: Clock) -> Done<PathBuf> {
    isle_runtime::snapshot::ensure_base(cache, clock)
        .map_err(|error| Failure::said(format!("cannot make the base snapshot: {error}")))
}

/// From now on, a write beyond the limit for files (`ulimit -f`) fails, instead of ending the process:
/// what one tenant deploys must not end the node. By a handler, since a signal that is ignored is
/// ignored in cells and builders, too; theirs is to end them.
///
/// # Errors
/// When the system refuses.
pub fn outlive_long_files() -> Done {
    let kind = SignalKind::from_raw(nix::libc::SIGXFSZ);
    // Nobody needs to wait for it: the handler stays.
    signal(kind).map(drop).map_err(|error| Failure::said(format!("cannot watch for signals: {error}")))
}

/// Waits for SIGTERM or SIGINT.
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// From now on, these signals do nothing but be waited for.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new() -> Done<Stop> {
        let on = |kind| signal(kind).map_err(|error| Failure::said(format!("cannot watch for signals: {error}")));
        Ok(Stop { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// Returns when somebody asks us to stop.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Log lines of the node and its requests go to standard error; `ISLE_LOG` says which.
fn log_to_stderr(format: LogFormat) -> Done<sink::Flush> {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .with_env_var("ISLE_LOG")
        .from_env()
        .map_err(|error| Failure::said(format!("ISLE_LOG: {error}")))?;
    let (sink, flush) =
        sink::start(std::io::stderr()).map_err(|error| Failure::said(format!("cannot start threads: {error}")))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(sink);
    match format {
        LogFormat::Pretty => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(flush)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::libc::SIGXFSZ;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    #[tokio::test]
    async fn a_file_that_is_too_long_ends_a_child_and_not_the_node() {
        outlive_long_files().unwrap();
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGXFSZ).unwrap();
        let child = Command::new("/bin/sh").args(["-c", "ulimit -c 0; kill -XFSZ $$"]).status().unwrap();
        assert_eq!(child.signal(), Some(SIGXFSZ));
    }
}
