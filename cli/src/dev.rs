//! `isle dev`: a node for one developer. Saving a file is deploying it.

mod screen;
mod source;

use crate::api::Refused;
use crate::args::DevArgs;
use crate::clock;
use crate::deploy::{refusal, report_skipped};
use crate::failure::{Done, Failure};
use crate::serve::{Stop, base_snapshot, executor, outlive_long_files, own_cells};
use crate::term::{Paint, line, remark};
use crate::watch::Watch;
use isle_gateway::config::NodeConfig;
use isle_gateway::node::{Mode, Node};
use isle_gateway::route::RouteTable;
use isle_wire::{Clock, FailureDetail, Limits, Outcome};
use screen::Screen;
use source::{Code, Source, differences};
use std::io::IsTerminal;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch::Sender;
use tracing_subscriber::EnvFilter;

/// Runs the command.
///
/// # Errors
/// What the user should read. Wrong code is no error here: it is shown, and served as an error.
pub fn run(args: DevArgs) -> Done {
    let source = Source::at(&args.path)?;
    log_trouble()?;
    let base_snapshot = base_snapshot(&cache_folder()?, Clock::Precise)?;
    executor()?.block_on(serve(&source, &args, base_snapshot))
}

async fn serve(source: &Source, args: &DevArgs, base_snapshot: PathBuf) -> Done {
    let mut stop = Stop::new()?;
    outlive_long_files()?;
    let mut config = NodeConfig::default();
    config.public.listen = args.listen;
    config.cells.clock = Clock::Precise;
    let caps = config.limits.clone();
    let node = Node::start(config, own_cells()?, base_snapshot, Mode::Dev).await;
    let node = node.map_err(|error| Failure::said(error.to_string()))?;
    let (live, code) = tokio::sync::watch::channel(Arc::default());
    let screen = Screen::new(node.requests(), node.console(), code, Paint::stdout());
    let result = tokio::select! {
        result = reload_for_ever(source, &args.path, &node, &caps, &live) => result,
        () = screen.show() => Err(Failure::OutputClosed),
        () = stop.asked() => Ok(()),
    };
    tokio::select! {
        () = node.stop() => result,
        () = stop.asked() => result,
    }
}

/// Publishes what is there, says where, and publishes again at every change. `path` is what the user
/// calls it. Ends only by an error that is not the code's.
async fn reload_for_ever(source: &Source, path: &Path, node: &Node, caps: &Limits, live: &Sender<Arc<Code>>) -> Done {
    let paint = Paint::stdout();
    let mut watch = Watch::new()?;
    watch.set(&[source.root().to_owned()].into())?;
    let mut announced = false;
    loop {
        let mut changed_again = false;
        let begun = Instant::now();
        match read_and_watch(source, &mut watch) {
            // What was served before still is.
            Ok(Code { wrong: Some(message), .. }) => {
                remark(&format!("{}: {message}", Paint::stderr().red("error")));
            }
            Ok(code) => {
                let changes = differences(&live.borrow(), &code);
                if !changes.is_empty() {
                    report_skipped(&code.folder);
                    let code = Arc::new(code);
                    live.send_replace(Arc::clone(&code));
                    let published = publish(source, &code, node, caps, begun);
                    if announced {
                        line(&paint.dim(&format!("{} {changes} changed", clock::local_hms(clock::now_ms()))))?;
                    } else {
                        let url = format!("http://{}/", node.public_addr());
                        line(&format!("{} is at {}", path.display(), paint.bold(&url)))?;
                        announced = true;
                    }
                    tokio::select! {
                        () = check(&code, node, published.as_deref()) => {}
                        // What is being checked is not the newest code any more.
                        () = watch.changed() => changed_again = true,
                    }
                }
            }
            // A folder that is gone for a moment (a checkout, a rename) comes back.
            Err(Failure::Said(message)) => remark(&format!("{}: {message}", Paint::stderr().red("error"))),
            Err(other) => return Err(other),
        }
        if !changed_again {
            watch.changed().await;
        }
    }
}

/// Reads the code. Folders that were not watched yet are read again, since a change in them may
/// have come between reading and watching.
fn read_and_watch(source: &Source, watch: &mut Watch) -> Done<Code> {
    loop {
        let code = source.read()?;
        if !watch.set(&code.folder.folders)? {
            return Ok(code);
        }
    }
}

/// Makes the code live. A manifest that says nothing sensible leaves the old code live.
fn publish(source: &Source, code: &Code, node: &Node, caps: &Limits, begun: Instant) -> Option<Arc<RouteTable>> {
    match source.routes(code, caps) {
        Ok(table) => {
            let table = Arc::new(table);
            node.publish(Arc::clone(&table));
            tracing::debug!(took_us = begun.elapsed().as_micros() as u64, "published");
            Some(table)
        }
        Err(details) => {
            let paint = Paint::stderr();
            remark(&refusal(source.name(), &details, &code.manifest, code.folder.texts(), paint));
            None
        }
    }
}

/// Starts each function once, so that an error shows at the save and not only at the next request,
/// which does not wait for this: it gets the same error itself.
async fn check(code: &Code, node: &Node, table: Option<&RouteTable>) {
    for function in table.into_iter().flat_map(RouteTable::functions) {
        let reply = node.check(function).await;
        let name = &function.spec.function;
        if reply.outcome == Outcome::Ok {
            let start = clock::duration(Duration::from_micros(reply.cpu_us.into()));
            let paint = Paint::stdout();
            drop(line(&format!("{} {}", paint.cyan(name), paint.dim(&format!("is ready, started in {start}")))));
            continue;
        }
        let detail = serde_json::from_slice(&reply.detail).unwrap_or_else(|_| FailureDetail {
            error_type: reply.outcome.as_str().to_owned(),
            message: "it cannot start".to_owned(),
            ..FailureDetail::default()
        });
        let details = Refused::of(name, detail);
        remark(&refusal(&function.spec.app, &details, &code.manifest, code.folder.texts(), Paint::stderr()));
    }
}

/// Requests and console lines have their own way to the screen; this is for what the node itself
/// finds worth a warning. `ISLE_LOG` asks for more.
fn log_trouble() -> Done {
    let filter = EnvFilter::builder().with_env_var("ISLE_LOG").with_default_directive(tracing::Level::WARN.into());
    let filter = filter.from_env().map_err(|error| Failure::said(format!("ISLE_LOG: {error}")))?;
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).init();
    Ok(())
}

/// Where snapshots are kept between runs: the user's cache, else a folder of this user's own below
/// the system's folder for what may be lost.
fn cache_folder() -> Done<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(cache) = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache"))) {
        return Ok(cache.join("isle"));
    }
    let user = nix::unistd::geteuid();
    own_folder(&std::env::temp_dir().join(format!("isle-{user}")), user.as_raw())
}

/// Makes a folder that only this user can write to. Where everybody can make folders, one may be
/// there already, and a snapshot in it would run as this user.
fn own_folder(path: &Path, user: u32) -> Done<PathBuf> {
    let failed = |error| Failure::io("make", path, &error);
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let found = std::fs::symlink_metadata(path).map_err(failed)?;
    if found.is_dir() && found.uid() == user && found.mode() & 0o022 == 0 {
        return Ok(path.to_owned());
    }
    Err(Failure::said(format!("{} is not a folder of yours alone; set XDG_CACHE_HOME", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_cache_that_others_can_write_to_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let user = nix::unistd::geteuid().as_raw();
        let cache = root.path().join("cache");
        assert_eq!(own_folder(&cache, user).unwrap(), cache);
        assert_eq!(own_folder(&cache, user).unwrap(), cache);
        assert!(own_folder(&cache, user + 1).is_err());
        std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(own_folder(&cache, user).is_err());
        let link = root.path().join("link");
        std::os::unix::fs::symlink(root.path(), &link).unwrap();
        assert!(own_folder(&link, user).is_err());
    }
}
