//! Starting and stopping what is measured. Every server is a child process on loopback; dropping its [`Server`] ends it.

pub mod isle;
pub mod workerd;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
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

impl Places {
    /// Looks around: `isle` and `out` are what the user said; `name` is the output file's otherwise. Gives that, too.
    ///
    /// # Errors
    /// No such binary, or no folder for the output.
    pub fn find(isle: Option<&PathBuf>, out: Option<&PathBuf>, name: &str) -> Result<(Places, PathBuf), Error> {
        let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let out = out.cloned().unwrap_or_else(|| repository.join("target/bench").join(name));
        let logs = out.parent().ok_or("the output file has no folder")?.to_owned();
        std::fs::create_dir_all(&logs)?;
        let isle = match isle {
            Some(path) => path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?,
            None => std::env::current_exe()?.with_file_name("isle"),
        };
        Ok((Places { repository, logs, isle }, out))
    }
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
            Kind::Isle => isle::start(places),
            Kind::Workerd => workerd::start(places, File::create(&log)?),
            Kind::Floor => floor(File::create(&log)?),
        };
        started.map_err(|error| format!("{}: {error} (its own words: {})", kind.name(), log.display()).into())
    }

    /// The root of its process tree.
    pub fn pid(&self) -> u32 {
        self.child.id()
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

    fn id(&self) -> u32 {
        self.0.id()
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
