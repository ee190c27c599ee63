//! A builder's process: started for one function version, ended with everything it started.
//!
//! It inherits an empty environment and three pipes, makes a session of its own, and confines its
//! steps by the kernel's limits on CPU time and memory. Whoever waits for it may leave at any time:
//! then it is killed.

use super::key::ArtifactKey;
use crate::cells::spawn::CellCommand;
use isle_wire::{BuildOrder, BuildReport};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// A report is a few KB; a failure's stack may be longer.
const REPORT_BYTES_MAX: u64 = 4 << 20;
/// Last words that are kept for the log.
const WORDS_BYTES_MAX: u64 = 4 << 10;

/// Why there is no report.
#[derive(Debug)]
pub enum NotBuilt {
    /// No process could be started, or talked to.
    Io(io::Error),
    /// It ended without a report; its last words.
    Died(String),
    /// It took longer than it may.
    Deadline,
}

impl std::fmt::Display for NotBuilt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotBuilt::Io(error) => write!(f, "the builder cannot be run: {error}"),
            NotBuilt::Died(words) => write!(f, "the builder died: {words}"),
            NotBuilt::Deadline => f.write_str("the builder took longer than artifacts.builder_deadline_ms"),
        }
    }
}

impl From<io::Error> for NotBuilt {
    fn from(error: io::Error) -> NotBuilt {
        NotBuilt::Io(error)
    }
}

/// Kills the process and its session when it is dropped before the process has ended.
struct Session(Child);

impl Drop for Session {
    fn drop(&mut self) {
        // Not reaped yet, so the number is still its own. Before it has made its session there is
        // none of that number, and nothing but itself to kill.
        if let Some(pid) = self.0.id() {
            let _ = killpg(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
            let _ = self.0.start_kill();
        }
    }
}

/// A place for what a builder writes; everything in it goes when it is dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn make(path: PathBuf) -> io::Result<Scratch> {
        std::fs::create_dir(&path)?;
        Ok(Scratch(path))
    }

    /// Where the artifact of `key` is to be written.
    pub(super) fn out(&self, key: &ArtifactKey) -> PathBuf {
        self.0.join(key.to_string())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, "what a builder left stays until the next start");
        }
    }
}

/// Runs a builder.
///
/// # Errors
/// [`NotBuilt`]; the process has ended, whatever is returned.
pub(super) async fn run(
    command: &CellCommand,
    order: &BuildOrder,
    deadline: Duration,
) -> Result<BuildReport, NotBuilt> {
    let order = serde_json::to_vec(order).map_err(io::Error::other)?;
    let child = Command::new(&command.program)
        .args(&command.args)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut session = Session(child);
    match tokio::time::timeout(deadline, talk(&mut session.0, order)).await {
        Ok(report) => report,
        Err(_) => Err(NotBuilt::Deadline),
    }
}

async fn talk(child: &mut Child, order: Vec<u8>) -> Result<BuildReport, NotBuilt> {
    let no_pipe = || io::Error::other("a pipe is missing");
    let mut stdin = child.stdin.take().ok_or_else(no_pipe)?;
    let mut stdout = child.stdout.take().ok_or_else(no_pipe)?.take(REPORT_BYTES_MAX);
    let mut stderr = child.stderr.take().ok_or_else(no_pipe)?.take(WORDS_BYTES_MAX);
    let send = async move {
        // One that dies early closes its input; how it died is the better message.
        let _ = stdin.write_all(&order).await;
        drop(order);
    };
    let (mut report, mut words) = (Vec::new(), Vec::new());
    let (_, read, heard) = tokio::join!(send, stdout.read_to_end(&mut report), stderr.read_to_end(&mut words));
    read?;
    heard?;
    drop((stdout, stderr));
    let status = child.wait().await?;
    if !status.success() {
        return Err(NotBuilt::Died(format!("{status}: {}", String::from_utf8_lossy(&words).trim())));
    }
    serde_json::from_slice(&report).map_err(|error| NotBuilt::Died(format!("no report: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::fake::spec;
    use isle_wire::StartWish;

    fn order() -> BuildOrder {
        BuildOrder {
            base_snapshot: "/base".into(),
            spec: spec("acme", "blog", "hello"),
            warm_ups: Vec::new(),
            out: "/out".into(),
            cpu_s: 1,
            memory_mb: 64,
            wall_s: 10,
            wish: StartWish::Auto,
        }
    }

    async fn sh(script: &str, deadline_ms: u64) -> Result<BuildReport, NotBuilt> {
        let command = CellCommand { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()] };
        run(&command, &order(), Duration::from_millis(deadline_ms)).await
    }

    #[tokio::test]
    async fn the_order_goes_in_and_the_report_comes_out() {
        let report = serde_json::to_string(&BuildReport::from_source(7)).unwrap();
        let script = format!("read order; case $order in *base_snapshot*) echo '{report}';; esac; echo $HOME >&2");
        assert_eq!(sh(&script, 10_000).await.unwrap(), BuildReport::from_source(7));
    }

    #[tokio::test]
    async fn one_that_dies_babbles_or_is_late_gives_no_report() {
        let died = sh("echo oops >&2; exit 3", 10_000).await.unwrap_err().to_string();
        assert!(died.contains("exit status: 3") && died.contains("oops"), "{died}");
        assert!(matches!(sh("echo nonsense", 10_000).await, Err(NotBuilt::Died(_))));
        assert!(matches!(sh("while :; do :; done", 50).await, Err(NotBuilt::Deadline)));
        let missing = CellCommand { program: "/nonexistent".into(), args: Vec::new() };
        assert!(matches!(run(&missing, &order(), Duration::from_secs(1)).await, Err(NotBuilt::Io(_))));
    }

    #[tokio::test]
    async fn one_that_is_late_takes_its_children_along() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        // `setsid` stands for what a builder does first.
        let script =
            format!("exec setsid sh -c 'sleep 1000 & echo $! > {0}.part; mv {0}.part {0}; wait'", file.display());
        let mut building = Box::pin(sh(&script, 60_000));
        let child = loop {
            tokio::select! {
                _ = &mut building => panic!("it waits"),
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
            if let Ok(text) = std::fs::read_to_string(&file) {
                break text.trim().parse::<u32>().unwrap();
            }
        };
        drop(building);
        let stat = format!("/proc/{child}/stat");
        // Killed at once; gone, or a zombie, as soon as the kernel gets to it.
        while std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    }
}
