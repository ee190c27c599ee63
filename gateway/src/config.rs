//! The node's configuration: `node.toml`, typed, with its defaults and their reasons.
//!
//! `gateway/node.example.toml` is the manual; a test holds it against this file. Whatever is not
//! understood is refused with key, line and what was expected: a limit that is misspelt is a limit
//! that is not there. Units are in the names: `_ms`, `_bytes`, `_mb` (MiB).

mod check;
#[cfg(test)]
mod tests;

pub use check::ConfigError;

use crate::accept::Settings;
use crate::cells::spawn::CellCommand;
use isle_wire::{Clock, Limits, StartWish};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A client on a bad mobile link sends a head within a few round trips of 1 s; then: 408.
pub const DEFAULT_HEADER_TIMEOUT_MS: u64 = 10_000;
/// Two round trips and one signature; then: closed.
pub const DEFAULT_HANDSHAKE_TIMEOUT_MS: u64 = 10_000;
/// Load balancers keep connections for 60 s and must be the first to close; then: closed.
pub const DEFAULT_IDLE_TIMEOUT_MS: u64 = 75_000;
/// Four times the cookies that browsers send to one host at most; above: 431.
pub const DEFAULT_HEAD_BYTES_MAX: usize = 32 << 10;
/// A request has its places from before its body is read, so none may be had for promising one. Bad
/// networks pause for seconds; above: 408.
pub const DEFAULT_BODY_IDLE_MS: u64 = 10_000;
/// Browsers send 15, proxies add 10. Above 100 hyper allocates for each request; above: 431.
pub const DEFAULT_HEADERS_MAX: u32 = 100;
/// RFC 9110 §4.1 asks for at least 8,000; above: 414.
pub const DEFAULT_URI_BYTES_MAX: usize = 8 << 10;
/// At about 20 KB each, 200 MB; above: 503.
pub const DEFAULT_CONNECTIONS_MAX: u64 = 10_000;
/// At 0.3 ms of CPU each, a tenth of a second of work; above: they wait, then closed.
pub const DEFAULT_HANDSHAKES_MAX: usize = 256;
/// Kernel limit of a cell's private memory: one default heap of 128 MB, three more that are not
/// full, and V8 itself; above: the cell dies alone.
pub const DEFAULT_CELL_MEMORY_MB: u32 = 512;
/// Cells started and nobody's yet: a first request of a tenant does not wait for a process.
pub const DEFAULT_SPARE_CELLS: u32 = 2;
/// Isolates ready in each cell: hides 1.6 ms of each cold start.
pub const DEFAULT_SPARE_ISOLATES: u32 = 2;
/// Spare cells while tenants come in numbers: as many as were lately needed within ten seconds, up
/// to this. A cell is a process of some 20 MiB.
pub const DEFAULT_SPARE_CELLS_MAX: u32 = 8;
/// Spare isolates while functions are started in numbers: as many as were lately needed within a
/// second, up to this. An isolate takes 2 to 3 MiB.
pub const DEFAULT_SPARE_ISOLATES_MAX: u32 = 8;
/// Isolates of one cell, spares included; above: the least recently used is dropped.
pub const DEFAULT_ISOLATES_MAX: u32 = 64;
/// An isolate costs 2 to 20 MB, a new one 2 ms: five minutes of memory are worth that.
pub const DEFAULT_ISOLATE_IDLE_MS: u64 = 300_000;
/// A cell answers from a thread that runs no JavaScript; above: killed.
pub const DEFAULT_HEARTBEAT_TIMEOUT_MS: u64 = 5_000;
/// Artifacts in memory, one copy for all cells: those of a hundred heavy functions; above: the least
/// used ones are read from disk again.
pub const DEFAULT_ARTIFACTS_MEMORY_MB: u32 = 256;
/// Artifacts on disk, compressed: those of thousands of functions; above: the least recently used go,
/// and are built again when they are wanted.
pub const DEFAULT_ARTIFACTS_DISK_MB: u32 = 4_096;
/// Text of functions in memory; above: it is read from the store again when a cell asks for it.
pub const DEFAULT_SOURCE_MEMORY_MB: u32 = 64;
/// Memory of one builder process: a heap of 512 MiB twice over, and V8 itself.
pub const DEFAULT_BUILDER_MEMORY_MB: u32 = 2_048;
/// CPU time of one builder process: some starts at the default limit of 1 s each, and the rest.
pub const DEFAULT_BUILDER_CPU_S: u32 = 20;
/// The longest a builder may take; then the function is only checked.
pub const DEFAULT_BUILDER_DEADLINE_MS: u64 = 30_000;
/// A quarter of the node for one tenant; above: they queue.
pub const DEFAULT_TENANT_CONCURRENCY_MAX: u32 = 512;
/// Waiting requests of one tenant; above: 429.
pub const DEFAULT_TENANT_QUEUE: u32 = 512;
/// Requests of all tenants at one time; above: 429.
pub const DEFAULT_NODE_CONCURRENCY_MAX: u32 = 2_048;
/// Shorter than the 30 s after which service managers kill.
pub const DEFAULT_DRAIN_MS: u64 = 20_000;

/// All of `node.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// The folder of everything that the node keeps. [`NodeConfig::load`] makes it absolute or
    /// relative to the working directory.
    pub data_dir: PathBuf,
    /// Where strangers come in.
    pub public: Public,
    /// Where operators and tenants deploy, and metrics are read.
    pub admin: Admin,
    /// Limits of HTTP connections, on both listeners.
    pub http: Http,
    /// What a function's own limits may be at most.
    pub limits: Limits,
    /// The processes that run tenants' code.
    pub cells: Cells,
    /// What makes functions start quickly.
    pub artifacts: Artifacts,
    /// Each tenant's share.
    pub tenants: Tenants,
    /// The node as a whole.
    pub node: Node,
    /// How the node stops.
    pub shutdown: Shutdown,
    /// Tenants that trust each other enough to share a cell, by the group's name.
    pub trust_groups: BTreeMap<String, Vec<String>>,
    /// What functions may fetch.
    pub egress: Egress,
    /// What the node says about itself.
    pub log: Log,
}

/// `[public]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Public {
    /// Address and port.
    #[serde(deserialize_with = "check::socket_addr")]
    pub listen: SocketAddr,
    /// An app is reached at `<app>.<base_domain>`.
    pub base_domain: String,
    /// Certificates; none: plain HTTP.
    pub tls: Vec<TlsFiles>,
}

/// `[[public.tls]]`: one certificate; the client's SNI chooses, the first is for all others.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// PEM file with the certificate chain, the leaf first.
    pub cert: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Address and port. Loopback by default: metrics are readable without a token.
    #[serde(deserialize_with = "check::socket_addr")]
    pub listen: SocketAddr,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// See [`DEFAULT_HEADER_TIMEOUT_MS`].
    pub header_timeout_ms: u64,
    /// See [`DEFAULT_HANDSHAKE_TIMEOUT_MS`].
    pub handshake_timeout_ms: u64,
    /// See [`DEFAULT_IDLE_TIMEOUT_MS`].
    pub idle_timeout_ms: u64,
    /// See [`DEFAULT_BODY_IDLE_MS`].
    pub body_idle_ms: u64,
    /// See [`DEFAULT_HEAD_BYTES_MAX`].
    pub head_bytes_max: usize,
    /// See [`DEFAULT_HEADERS_MAX`].
    pub headers_max: u32,
    /// See [`DEFAULT_URI_BYTES_MAX`].
    pub uri_bytes_max: usize,
    /// See [`DEFAULT_CONNECTIONS_MAX`].
    pub connections_max: u64,
    /// See [`DEFAULT_HANDSHAKES_MAX`].
    pub handshakes_max: usize,
}

/// `[cells]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cells {
    /// How functions are started: what measured cheapest, or always one way.
    pub start: StartWish,
    /// See [`DEFAULT_CELL_MEMORY_MB`].
    pub memory_mb: u32,
    /// See [`DEFAULT_SPARE_CELLS`].
    pub spare_cells: u32,
    /// See [`DEFAULT_SPARE_CELLS_MAX`].
    pub spare_cells_max: u32,
    /// See [`DEFAULT_SPARE_ISOLATES`].
    pub spare_isolates: u32,
    /// See [`DEFAULT_SPARE_ISOLATES_MAX`].
    pub spare_isolates_max: u32,
    /// See [`DEFAULT_ISOLATES_MAX`].
    pub isolates_max: u32,
    /// See [`DEFAULT_ISOLATE_IDLE_MS`].
    pub isolate_idle_ms: u64,
    /// See [`DEFAULT_HEARTBEAT_TIMEOUT_MS`].
    pub heartbeat_timeout_ms: u64,
    /// What functions see of time. Coarse: no steps finer than 0.1 ms; no frozen clocks, because
    /// programs that measure themselves would show nothing.
    pub clock: Clock,
    /// Whether functions may make code from strings (`eval`, `new Function`). Default: yes, as
    /// packages need it (validators, templates); an app can do without by its manifest.
    pub code_generation: bool,
}

/// `[artifacts]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Artifacts {
    /// See [`DEFAULT_ARTIFACTS_MEMORY_MB`].
    pub memory_mb: u32,
    /// See [`DEFAULT_ARTIFACTS_DISK_MB`].
    pub disk_mb: u32,
    /// See [`DEFAULT_SOURCE_MEMORY_MB`].
    pub source_memory_mb: u32,
    /// Builders at one time; 0: half the cores, at least one.
    pub builders: u32,
    /// See [`DEFAULT_BUILDER_MEMORY_MB`].
    pub builder_memory_mb: u32,
    /// See [`DEFAULT_BUILDER_CPU_S`].
    pub builder_cpu_s: u32,
    /// See [`DEFAULT_BUILDER_DEADLINE_MS`].
    pub builder_deadline_ms: u64,
}

/// `[tenants]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tenants {
    /// See [`DEFAULT_TENANT_CONCURRENCY_MAX`].
    pub concurrency_max: u32,
    /// See [`DEFAULT_TENANT_QUEUE`].
    pub queue: u32,
}

/// `[node]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// See [`DEFAULT_NODE_CONCURRENCY_MAX`].
    pub concurrency_max: u32,
}

/// `[shutdown]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shutdown {
    /// See [`DEFAULT_DRAIN_MS`].
    pub drain_ms: u64,
}

/// `[egress]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Egress {
    /// Whether functions may fetch at all.
    pub enabled: bool,
    /// Hosts, perhaps with a port, that functions may reach although their addresses are private or
    /// this machine's, or the port is none that is open to everybody.
    pub open: Vec<String>,
    /// PEM file of certificate authorities to trust beside the web's.
    pub roots: Option<PathBuf>,
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text, for people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Default for NodeConfig {
    fn default() -> NodeConfig {
        NodeConfig {
            data_dir: PathBuf::from("isle-data"),
            public: Public::default(),
            admin: Admin::default(),
            http: Http::default(),
            limits: Limits::default(),
            cells: Cells::default(),
            artifacts: Artifacts::default(),
            tenants: Tenants::default(),
            node: Node::default(),
            shutdown: Shutdown::default(),
            trust_groups: BTreeMap::new(),
            egress: Egress::default(),
            log: Log::default(),
        }
    }
}

impl Default for Egress {
    fn default() -> Egress {
        Egress { enabled: true, open: Vec::new(), roots: None }
    }
}

impl Default for Public {
    fn default() -> Public {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 3000));
        Public { listen, base_domain: "localhost".to_owned(), tls: Vec::new() }
    }
}

impl Default for Admin {
    fn default() -> Admin {
        Admin { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 3001)) }
    }
}

impl Default for Http {
    fn default() -> Http {
        Http {
            header_timeout_ms: DEFAULT_HEADER_TIMEOUT_MS,
            handshake_timeout_ms: DEFAULT_HANDSHAKE_TIMEOUT_MS,
            idle_timeout_ms: DEFAULT_IDLE_TIMEOUT_MS,
            body_idle_ms: DEFAULT_BODY_IDLE_MS,
            head_bytes_max: DEFAULT_HEAD_BYTES_MAX,
            headers_max: DEFAULT_HEADERS_MAX,
            uri_bytes_max: DEFAULT_URI_BYTES_MAX,
            connections_max: DEFAULT_CONNECTIONS_MAX,
            handshakes_max: DEFAULT_HANDSHAKES_MAX,
        }
    }
}

impl Default for Cells {
    fn default() -> Cells {
        Cells {
            start: StartWish::default(),
            memory_mb: DEFAULT_CELL_MEMORY_MB,
            spare_cells: DEFAULT_SPARE_CELLS,
            spare_cells_max: DEFAULT_SPARE_CELLS_MAX,
            spare_isolates: DEFAULT_SPARE_ISOLATES,
            spare_isolates_max: DEFAULT_SPARE_ISOLATES_MAX,
            isolates_max: DEFAULT_ISOLATES_MAX,
            isolate_idle_ms: DEFAULT_ISOLATE_IDLE_MS,
            heartbeat_timeout_ms: DEFAULT_HEARTBEAT_TIMEOUT_MS,
            clock: Clock::Coarse,
            code_generation: true,
        }
    }
}

impl Default for Artifacts {
    fn default() -> Artifacts {
        Artifacts {
            memory_mb: DEFAULT_ARTIFACTS_MEMORY_MB,
            disk_mb: DEFAULT_ARTIFACTS_DISK_MB,
            source_memory_mb: DEFAULT_SOURCE_MEMORY_MB,
            builders: 0,
            builder_memory_mb: DEFAULT_BUILDER_MEMORY_MB,
            builder_cpu_s: DEFAULT_BUILDER_CPU_S,
            builder_deadline_ms: DEFAULT_BUILDER_DEADLINE_MS,
        }
    }
}

impl Default for Tenants {
    fn default() -> Tenants {
        Tenants { concurrency_max: DEFAULT_TENANT_CONCURRENCY_MAX, queue: DEFAULT_TENANT_QUEUE }
    }
}

impl Default for Node {
    fn default() -> Node {
        Node { concurrency_max: DEFAULT_NODE_CONCURRENCY_MAX }
    }
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown { drain_ms: DEFAULT_DRAIN_MS }
    }
}

impl NodeConfig {
    /// Reads a configuration; `source` is its name in error messages. Paths stay as written.
    ///
    /// # Errors
    /// An unknown key, a wrong type or a value out of range, each with line, key and what was
    /// expected.
    pub fn parse(source: &str, text: &str) -> Result<NodeConfig, ConfigError> {
        let config = toml::from_str(text).map_err(|e| check::not_understood(source, text, &e))?;
        check::ranges(&config).map_err(|bad| check::out_of_range(source, text, bad))?;
        Ok(config)
    }

    /// Reads the file at `path`. Relative paths in it are taken from the file's own folder.
    ///
    /// # Errors
    /// As [`NodeConfig::parse`], or the file cannot be read.
    pub fn load(path: &Path) -> Result<NodeConfig, ConfigError> {
        let source = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| ConfigError::unreadable(&source, &e))?;
        let mut config = NodeConfig::parse(&source, &text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let files = config.public.tls.iter_mut().flat_map(|tls| [&mut tls.cert, &mut tls.key]);
        for path in files.chain([&mut config.data_dir]).chain(&mut config.egress.roots) {
            *path = folder.join(&*path);
        }
        Ok(config)
    }

    /// What the workshop for artifacts needs to know, with this as what builders are run as.
    pub fn workshop_settings(&self, command: CellCommand, base_snapshot: &Path) -> crate::artifacts::Settings {
        let artifacts = &self.artifacts;
        let half = std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
        crate::artifacts::Settings {
            // Builders are started in another folder.
            folder: std::path::absolute(&self.data_dir).unwrap_or_else(|_| self.data_dir.clone()).join("artifacts"),
            base_snapshot: base_snapshot.to_owned(),
            command,
            memory_bytes: u64::from(artifacts.memory_mb) << 20,
            disk_bytes: u64::from(artifacts.disk_mb) << 20,
            builders: if artifacts.builders == 0 { half } else { artifacts.builders as usize },
            builder_memory_mb: u64::from(artifacts.builder_memory_mb),
            builder_cpu_s: u64::from(artifacts.builder_cpu_s),
            builder_deadline: Duration::from_millis(artifacts.builder_deadline_ms),
            wish: self.cells.start,
        }
    }

    /// What a listener needs to know.
    pub fn accept_settings(&self) -> Settings {
        let http = &self.http;
        Settings {
            header_timeout: Duration::from_millis(http.header_timeout_ms),
            handshake_timeout: Duration::from_millis(http.handshake_timeout_ms),
            idle_timeout: Duration::from_millis(http.idle_timeout_ms),
            head_bytes_max: http.head_bytes_max,
            headers_max: http.headers_max,
            uri_bytes_max: http.uri_bytes_max,
            connections_max: http.connections_max,
            handshakes_max: http.handshakes_max,
            drain: Duration::from_millis(self.shutdown.drain_ms),
        }
    }

    /// The certificate and key files of the public listener.
    pub fn tls_files(&self) -> Vec<(&Path, &Path)> {
        self.public.tls.iter().map(|tls| (tls.cert.as_path(), tls.key.as_path())).collect()
    }

    /// Which cell runs `tenant`'s code: the tenant's own, or its trust group's as `@group` (no
    /// tenant's name begins like that, so no group can be taken for a tenant).
    pub fn cell_group(&self, tenant: &str) -> String {
        let group = self.trust_groups.iter().find(|(_, members)| members.iter().any(|member| member == tenant));
        group.map_or_else(|| tenant.to_owned(), |(name, _)| format!("@{name}"))
    }
}
