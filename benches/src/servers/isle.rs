//! An Isle node with the benchmark's app: a node with defaults in a data folder of its own, deployed to as a user would.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Kind, LOOK_AGAIN, Places, Process, Server, version_of};
use crate::Error;

/// The first start may have to make the base snapshot.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts a node and deploys `benches/functions` to it.
///
/// # Errors
/// What did not work.
pub fn start(places: &Places, log: File) -> Result<Server, Error> {
    if !places.isle.exists() {
        return Err(format!("no {}: cargo build --release -p isle", places.isle.display()).into());
    }
    let data = tempfile::tempdir()?;
    let (public, admin) = free_ports()?;
    let config = data.path().join("node.toml");
    let data_dir = data.path().join("data");
    std::fs::write(
        &config,
        format!("data_dir = {data_dir:?}\n\n[public]\nlisten = \"{public}\"\n\n[admin]\nlisten = \"{admin}\"\n"),
    )?;
    let mut child = Process::spawn(
        Command::new(&places.isle)
            .args(["serve", "--config"])
            .arg(&config)
            // its own line for every request is Isle's promise, but the peers write none: compare equals
            .env("ISLE_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log),
    )?;
    wait_ready(&mut child, admin)?;
    let isle = |token: &str, arguments: &[&str], folder: &Path| -> Result<String, Error> {
        let output = Command::new(&places.isle)
            .args(arguments)
            .current_dir(folder)
            .env("ISLE_NODE", format!("http://{admin}"))
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
    let token = std::fs::read_to_string(data_dir.join("admin.token"))?;
    let said = isle(token.trim(), &["tenant", "add", "bench"], &functions)?;
    let token = said
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .find(|word| word.starts_with("isle_t_"))
        .ok_or_else(|| format!("`isle tenant add` prints no token: {said}"))?;
    isle(token, &["deploy"], &functions)?;
    let version = version_of(&places.isle)?;
    let host = Some(format!("bench.localhost:{}", public.port()));
    Ok(Server { kind: Kind::Isle, version, child, host, addresses: [public; 3], _data: Some(data) })
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
