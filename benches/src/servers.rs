//! Starting and stopping what is measured. Every server is a child process on loopback; dropping its [`Server`] ends it.

mod isle;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Error;
use crate::workload::Workload;

/// How long a server may take to end by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a child is looked at while it starts or stops.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Who can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// This repository's release build, gateway and cells
    Isle,
    /// workerd as `benches/package.json` pins it
    Workerd,
    /// Plain hyper without functions
    Floor,
}

impl Kind {
    /// The word in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Isle => "isle",
            Kind::Workerd => "workerd",
            Kind::Floor => "floor",
        }
    }
}

/// Where things are.
pub struct Places {
    /// The repository.
    pub repository: PathBuf,
    /// Where the servers' own output goes, one file each.
    pub logs: PathBuf,
    /// Isle's binary.
    pub isle: PathBuf,
}

/// A running server.
pub struct Server {
    /// Who it is.
    pub kind: Kind,
    /// Its version, in its own words.
    pub version: String,
    child: Process,
    host: Option<String>,
    /// Where it answers, in the order of `Workload`'s variants.
    addresses: [SocketAddr; 3],
    /// Removed after the child has ended.
    _data: Option<tempfile::TempDir>,
}

impl Server {
    /// Starts a server; when this returns it accepts connections.
    ///
    /// # Errors
    /// It is not installed, or does not come up: with the file that has its own words.
    pub fn start(kind: Kind, places: &Places) -> Result<Server, Error> {
        let log = places.logs.join(format!("{}.log", kind.name()));
        let started = match kind {
            Kind::Isle => isle::start(places, File::create(&log)?),
            Kind::Workerd => workerd(places, File::create(&log)?),
            Kind::Floor => floor(File::create(&log)?),
        };
        started.map_err(|error| format!("{}: {error} (its own words: {})", kind.name(), log.display()).into())
    }

    /// The root of its process tree.
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Where it answers a workload.
    pub fn address(&self, workload: Workload) -> SocketAddr {
        self.addresses[workload as usize]
    }

    /// The `Host` it expects.
    pub fn host(&self, workload: Workload) -> String {
        self.host.clone().unwrap_or_else(|| self.address(workload).to_string())
    }
}

/// A child that ends with its owner.
struct Process(Child);

impl Process {
    fn spawn(command: &mut Command) -> Result<Process, Error> {
        let program = Path::new(command.get_program()).display().to_string();
        command.spawn().map(Process).map_err(|error| format!("cannot start {program}: {error}").into())
    }

    /// An error if the child has ended.
    fn still_runs(&mut self) -> Result<(), Error> {
        match self.0.try_wait()? {
            Some(status) => Err(format!("ended before it was ready: {status}").into()),
            None => Ok(()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let asked = Instant::now();
        kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM).ok();
        while asked.elapsed() < STOP_TIMEOUT {
            match self.0.try_wait() {
                Ok(None) => std::thread::sleep(LOOK_AGAIN),
                _ => return,
            }
        }
        eprintln!("isle-bench: process {} did not end on SIGTERM", self.0.id());
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// One process with a socket for each workload, which it reports as lines of JSON.
fn workerd(places: &Places, log: File) -> Result<Server, Error> {
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
            .args(["serve", "config.capnp", "--control-fd=1"])
            .current_dir(benches.join("workerd"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log),
    )?;
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); 3];
    let mut lines = BufReader::new(child.0.stdout.take().ok_or("no stdout")?).lines();
    for _ in 0..addresses.len() {
        let line = lines.next().ok_or("ended before it was ready")??;
        let listening: Listening = serde_json::from_str(&line).map_err(|error| format!("{line:?}: {error}"))?;
        let mut workloads = [Workload::Hello, Workload::Json, Workload::Echo].into_iter();
        let workload = workloads.find(|workload| workload.name() == listening.socket);
        addresses[workload.ok_or("a socket without a workload")? as usize].set_port(listening.port);
    }
    let version = version_of(&binary)?;
    Ok(Server { kind: Kind::Workerd, version, child, host: None, addresses, _data: None })
}

/// This program again, in its other part.
fn floor(log: File) -> Result<Server, Error> {
    let mut child = Process::spawn(
        Command::new(std::env::current_exe()?).arg("floor").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log),
    )?;
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
    let address = line.trim().parse().map_err(|error| format!("printed {line:?}: {error}"))?;
    let version = "hyper 1, this build".to_owned();
    Ok(Server { kind: Kind::Floor, version, child, host: None, addresses: [address; 3], _data: None })
}

fn version_of(binary: &Path) -> Result<String, Error> {
    let output = Command::new(binary).arg("--version").stderr(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
