//! An Isle node with the benchmark's app: a node with defaults in a data folder of its own, deployed to as a user would.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Kind, LOOK_AGAIN, Places, Process, Server, version_of};
use crate::Error;

/// The first start may have to make the base snapshot.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A node with a data folder of its own.
pub struct Node {
    child: Process,
    /// Where functions answer.
    pub public: SocketAddr,
    /// Where the admin API answers.
    pub admin: SocketAddr,
    /// Its own words.
    log: PathBuf,
    binary: PathBuf,
    /// Removed after the child has ended.
    data: TempDir,
}

impl Node {
    /// Starts a node with `settings`, tables of `node.toml`, beside the addresses; its own words go into `log`.
    ///
    /// # Errors
    /// What did not work.
    pub fn start(places: &Places, log: &str, settings: &str) -> Result<Node, Error> {
        if !places.isle.exists() {
            return Err(format!("no {}: cargo build --release -p isle", places.isle.display()).into());
        }
        let data = tempfile::tempdir()?;
        let (public, admin) = free_ports()?;
        let data_dir = data.path().join("data");
        std::fs::write(
            data.path().join("node.toml"),
            format!(
                "data_dir = {data_dir:?}\n[public]\nlisten = \"{public}\"\n[admin]\nlisten = \"{admin}\"\n{settings}"
            ),
        )?;
        let (log, binary) = (places.logs.join(log), places.isle.clone());
        let child = Node::spawn(&binary, data.path(), File::create(&log)?, admin)?;
        Ok(Node { child, public, admin, log, binary, data })
    }

    /// Ends the node's processes and starts them anew with the same data.
    ///
    /// # Errors
    /// It does not come up again.
    pub fn restart(self) -> Result<Node, Error> {
        let Node { child, public, admin, log, binary, data } = self;
        drop(child);
        let child = Node::spawn(&binary, data.path(), File::options().append(true).open(&log)?, admin)?;
        Ok(Node { child, public, admin, log, binary, data })
    }

    /// The root of its process tree.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Isle's version.
    ///
    /// # Errors
    /// The binary cannot be run.
    pub fn version(&self) -> Result<String, Error> {
        version_of(&self.binary)
    }

    /// The administrator's token.
    ///
    /// # Errors
    /// The node wrote none.
    pub fn admin_token(&self) -> Result<String, Error> {
        Ok(std::fs::read_to_string(self.data.path().join("data/admin.token"))?.trim().to_owned())
    }

    fn spawn(binary: &Path, folder: &Path, log: File, admin: SocketAddr) -> Result<Process, Error> {
        let mut child = Process::spawn(
            Command::new(binary)
                .args(["serve", "--config"])
                .arg(folder.join("node.toml"))
                // its own line for every request is Isle's promise, but the peers write none: compare equals
                .env("ISLE_LOG", "warn")
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log),
        )?;
        wait_ready(&mut child, admin)?;
        Ok(child)
    }
}

/// Starts a node and deploys `benches/functions` to it.
///
/// # Errors
/// What did not work.
pub fn start(places: &Places) -> Result<Server, Error> {
    let node = Node::start(places, "isle.log", "")?;
    let isle = |token: &str, arguments: &[&str], folder: &Path| -> Result<String, Error> {
        let output = Command::new(&places.isle)
            .args(arguments)
            .current_dir(folder)
            .env("ISLE_NODE", format!("http://{}", node.admin))
            .env("ISLE_TOKEN", token)
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(format!("`isle {}`: {}: {said}{complaint}", arguments.join(" "), output.status).into())
    };
    let functions = places.repository.join("benches/functions");
    let said = isle(&node.admin_token()?, &["tenant", "add", "bench"], &functions)?;
    let token = said
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .find(|word| word.starts_with("isle_t_"))
        .ok_or_else(|| format!("`isle tenant add` prints no token: {said}"))?;
    isle(token, &["deploy"], &functions)?;
    let version = node.version()?;
    let host = Some(format!("bench.localhost:{}", node.public.port()));
    Ok(Server {
        kind: Kind::Isle,
        version,
        child: node.child,
        host,
        addresses: [node.public; 3],
        _data: Some(node.data),
    })
}

/// Two ports that nobody listens on now. The node's config wants numbers that are known before it starts.
fn free_ports() -> Result<(SocketAddr, SocketAddr), Error> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (first, second) = (bind()?, bind()?);
    Ok((first.local_addr()?, second.local_addr()?))
}

fn wait_ready(child: &mut Process, admin: SocketAddr) -> Result<(), Error> {
    let started = Instant::now();
    while started.elapsed() < START_TIMEOUT {
        child.still_runs()?;
        if ready(admin).is_ok_and(|ready| ready) {
            return Ok(());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Err(format!("not ready after {} s", START_TIMEOUT.as_secs()).into())
}

/// Whether `/readyz` says 200.
fn ready(admin: SocketAddr) -> std::io::Result<bool> {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")?;
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    Ok(start.ends_with(b" 200"))
}
