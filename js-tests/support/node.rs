//! A real node: `isle serve` as a child process on ports of the kernel's choice.

use super::http::{self, Request, Response};
use super::{PATIENCE, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Caps that let a test's manifest raise what it needs; everything else is the node's default.
const CONFIG: &str = r#"
data_dir = "DATA"
[public]
listen = "127.0.0.1:0"
base_domain = "localhost"
[admin]
listen = "127.0.0.1:0"
[limits]
handler_cpu_ms = 60000
wall_ms = 60000
heap_mb = 512
"#;

/// The `isle` binary of this build.
pub fn isle() -> Command {
    Command::new(env!("CARGO_BIN_EXE_isle"))
}

/// A process that is killed and reaped when dropped.
pub struct Reaped(pub Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running node.
pub struct Node {
    process: Reaped,
    folder: PathBuf,
    // Removed with the node, unless the folder is the caller's.
    _home: Option<tempfile::TempDir>,
    pub public: SocketAddr,
    pub admin: SocketAddr,
    pub admin_token: String,
}

impl Node {
    /// Starts a node on a data folder of its own. `extra` is appended to its configuration.
    pub fn start(extra: &str) -> Node {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut node = Node::start_in(home.path(), extra);
        // For a look at what the node said: ISLE_TEST_KEEP=1 leaves its folder where it is.
        if std::env::var_os("ISLE_TEST_KEEP").is_some() {
            eprintln!("the node's folder is {}", home.keep().display());
        } else {
            node._home = Some(home);
        }
        node
    }

    /// Starts a node whose data lives in `folder`, and waits until it is ready.
    pub fn start_in(folder: &Path, extra: &str) -> Node {
        let config = folder.join("node.toml");
        let data = folder.join("data");
        let text = CONFIG.replace("DATA", data.to_str().expect("a UTF-8 path")) + extra;
        std::fs::write(&config, text).expect("node.toml");
        let (out, err) = (folder.join("node.out"), folder.join("node.err"));
        let child = isle()
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(File::create(&out).expect("node.out"))
            .stderr(File::create(&err).expect("node.err"))
            .spawn()
            .expect("isle starts");
        let mut process = Reaped(child);
        let (public, admin) = until("the node prints its addresses", 4 * PATIENCE, || {
            let text = std::fs::read_to_string(&out).unwrap_or_default();
            if let Ok(Some(status)) = process.0.try_wait() {
                panic!("the node ended with {status}:\n{text}{}", std::fs::read_to_string(&err).unwrap_or_default());
            }
            Some((address(&text, "public")?, address(&text, "admin")?))
        });
        until("the node is ready", 4 * PATIENCE, || {
            let mut connection = http::Connection::try_open(admin).ok()?;
            let answer = connection.call(&Request::get("localhost", "/readyz")).ok()?;
            (answer.status() == 200).then_some(())
        });
        let admin_token = std::fs::read_to_string(data.join("admin.token")).expect("admin.token");
        let admin_token = admin_token.trim().to_owned();
        Node { process, folder: folder.to_owned(), _home: None, public, admin, admin_token }
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Process ids of the node's children: its cells, spare ones too.
    pub fn children(&self) -> Vec<u32> {
        processes().filter(|(_, parent, _)| *parent == self.pid()).map(|(pid, _, _)| pid).collect()
    }

    /// A request to a function of `app`, on a connection of its own.
    pub fn get(&self, app: &str, path: &str) -> Response {
        self.call(&Request::get(&host(app), path))
    }

    pub fn call(&self, request: &Request) -> Response {
        http::call(self.public, request)
    }

    /// `kill -9`, and waits for the end.
    pub fn kill(&mut self) {
        self.process.0.kill().expect("kill");
        self.process.0.wait().expect("wait");
    }

    /// Asks the node to stop; [`Node::ended`] waits.
    pub fn terminate(&self) {
        signal(self.pid(), Signal::SIGTERM);
    }

    /// Waits for the node's end.
    pub fn ended(&mut self, bound: Duration) -> ExitStatus {
        let child = &mut self.process.0;
        until("the node ends", bound, || child.try_wait().expect("wait"))
    }

    /// The last lines the node wrote to its log.
    pub fn log_tail(&self, lines: usize) -> String {
        let text = std::fs::read_to_string(self.folder.join("node.err")).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// The sum of a metric's samples whose labels include all of these.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = http::call(self.admin, &Request::get("localhost", "/metrics")).text();
        let wanted: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        text.lines()
            .filter_map(|line| {
                let (series, value) = line.rsplit_once(' ')?;
                let named = series == name || series.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'));
                (named && wanted.iter().all(|label| series.contains(label.as_str())))
                    .then(|| value.parse::<f64>().ok())?
            })
            .sum()
    }
}

/// The host name of an app on a test's node.
pub fn host(app: &str) -> String {
    format!("{app}.localhost")
}

/// The address in the line `what http://ADDRESS` of a process's output.
pub fn address(output: &str, what: &str) -> Option<SocketAddr> {
    // Only whole lines: the process may be in the middle of writing one.
    let whole = &output[..output.rfind('\n')? + 1];
    let after = whole.lines().find_map(|line| line.trim().strip_prefix(what)?.trim().strip_prefix("http://"))?;
    after.split(['/', ' ']).next()?.parse().ok()
}

/// Sends a signal to a process that this test started, or to a child of one.
pub fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).expect("a process id");
    kill(Pid::from_raw(pid), signal).unwrap_or_else(|e| panic!("{signal} to {pid}: {e}"));
}

/// Every process: id, parent's id, CPU time in clock ticks.
pub fn processes() -> impl Iterator<Item = (u32, u32, u64)> {
    std::fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let (parent, ticks) = process(pid)?;
        Some((pid, parent, ticks))
    })
}

/// A process's parent and CPU time in clock ticks; nothing when it is gone or a zombie.
pub fn process(pid: u32) -> Option<(u32, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, brackets too: the fields begin after its last one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let (state, parent) = (*fields.first()?, fields.get(1)?.parse().ok()?);
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    (state != "Z" && state != "X").then_some((parent, ticks))
}
