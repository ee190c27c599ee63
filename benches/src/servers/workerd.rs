//! workerd as `benches/package.json` pins it: one process with a socket for each thing that is asked of it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use super::{Kind, Places, Process, Server, version_of};
use crate::Error;
use crate::workload::Workload;

/// The workers of the warm bench.
///
/// # Errors
/// What did not work.
pub fn start(places: &Places, log: File) -> Result<Server, Error> {
    let sockets = [Workload::Hello, Workload::Json, Workload::Echo].map(Workload::name);
    let Running { version, child, addresses } = serve(places, &["config.capnp"], &sockets, log)?;
    let addresses = addresses.try_into().map_err(|_| "a socket for each workload")?;
    Ok(Server { kind: Kind::Workerd, version, child, host: None, addresses, _data: None })
}

/// The Worker Loaders of the cold bench, which load their function under a fresh id for every request.
pub struct Loaders(Running);

impl Loaders {
    /// Starts them; `sockets` names them.
    ///
    /// # Errors
    /// What did not work, with the file that has workerd's own words.
    pub fn start(places: &Places, sockets: &[&str]) -> Result<Loaders, Error> {
        let log = places.logs.join("workerd-cold.log");
        let running = serve(places, &["--experimental", "cold.capnp"], sockets, File::create(&log)?);
        running.map(Loaders).map_err(|error| format!("workerd: {error} (its own words: {})", log.display()).into())
    }

    /// workerd's version.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.0.child.id()
    }

    /// Where the loader answers that was named at this place.
    pub fn address(&self, socket: usize) -> SocketAddr {
        self.0.addresses[socket]
    }
}

struct Running {
    version: String,
    child: Process,
    /// In the order of the names asked for.
    addresses: Vec<SocketAddr>,
}

/// Starts the process and waits for its sockets, which it reports as lines of JSON.
fn serve(places: &Places, arguments: &[&str], sockets: &[&str], log: File) -> Result<Running, Error> {
    #[derive(serde::Deserialize)]
    struct Listening {
        socket: String,
        port: u16,
    }
    let benches = places.repository.join("benches");
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "64" };
    let binary = benches.join(format!("node_modules/@cloudflare/workerd-linux-{arch}/bin/workerd"));
    if !binary.exists() {
        return Err("not installed: npm ci --prefix benches".into());
    }
    let mut child = Process::spawn(
        Command::new(&binary)
            .arg("serve")
            .args(arguments)
            .arg("--control-fd=1")
            .current_dir(benches.join("workerd"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log),
    )?;
    let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); sockets.len()];
    let mut lines = BufReader::new(child.0.stdout.take().ok_or("no stdout")?).lines();
    for _ in 0..addresses.len() {
        let line = lines.next().ok_or("ended before it was ready")??;
        let listening: Listening = serde_json::from_str(&line).map_err(|error| format!("{line:?}: {error}"))?;
        let index = sockets.iter().position(|name| *name == listening.socket).ok_or("a socket that nobody wants")?;
        addresses[index].set_port(listening.port);
    }
    Ok(Running { version: version_of(&binary)?, child, addresses })
}
