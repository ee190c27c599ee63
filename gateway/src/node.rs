//! Node: everything put together, started, and stopped in order.
//!
//! ```text
//!   start:  metrics, logs ─▶ cells ─▶ data plane ─▶ control (publishes what is deployed) ─▶ listeners
//!   stop:   readyz says no ─▶ nothing is accepted ─▶ requests in flight finish (drain_ms) ─▶ cells end
//! ```
//!
//! Listeners come last, so that the first stranger finds routes; cells end last, so that whoever is
//! still being served has one.

pub use crate::cells::spawn::CellCommand;

use crate::accept::{Bound, Counters, Tls, TlsError, serve};
use crate::admin::Admin;
use crate::artifacts::{Artifacts, NoArtifacts, Workshop};
use crate::cells::spawn::CellSource;
use crate::cells::{Cells, Settings as CellSettings};
use crate::config::NodeConfig;
use crate::control::api::{DEFAULT_BUNDLE_BYTES_MAX, DEFAULT_CHECKS_MAX};
use crate::control::store::StoreError;
use crate::control::{Api, ApiSettings, DirectCall, Invoked, LogLine, Opened, Plane, PublicBase};
use crate::egress::host::HostPattern;
use crate::egress::{Egress, Inside, Rules, SystemNet, tls_settings};
use crate::logs::{LogBus, RequestLine};
use crate::metrics::{LABEL_SETS_MAX, Metrics};
use crate::plane::{DataPlane, Share};
use crate::route::{FunctionVersion, RouteTable};
use crate::serve::Front;
use isle_wire::{CellConfig, LoadReply, PROTOCOL_VERSION};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, watch};
use tokio::task::{JoinHandle, JoinSet};

/// How often idle label sets are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);
/// File descriptors besides connections: three per cell, the database, the binary's own.
const SPARE_DESCRIPTORS: u64 = 1_024;

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Strangers outside, an admin listener, deployments in the data folder.
    Serve,
    /// One author: no admin listener, no data folder; routes come by [`Node::publish`], and failures
    /// are shown with their reasons.
    Dev,
}

/// Why a node does not start.
#[derive(Debug)]
pub enum NodeError {
    /// An address cannot be listened on.
    Listen(SocketAddr, std::io::Error),
    /// A certificate or key is no good.
    Tls(TlsError),
    /// The certificate authorities for outbound requests cannot be read.
    Roots(PathBuf, String),
    /// The base snapshot is not there.
    Snapshot(PathBuf, std::io::Error),
    /// The data folder cannot be used.
    Store(StoreError),
    /// The folder of artifacts cannot be used.
    Artifacts(std::io::Error),
    /// Metrics clash: a mistake of ours.
    Metrics(prometheus::Error),
}

impl std::fmt::Display for NodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NodeError::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            NodeError::Tls(error) => error.fmt(f),
            NodeError::Roots(path, message) => write!(f, "egress.roots: {}: {message}", path.display()),
            NodeError::Snapshot(path, error) => write!(f, "cannot open the base snapshot {}: {error}", path.display()),
            NodeError::Store(error) => error.fmt(f),
            NodeError::Artifacts(error) => write!(f, "the folder of artifacts: {error}"),
            NodeError::Metrics(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NodeError {}

/// The data plane as control sees it.
#[derive(Clone)]
pub struct NodePlane {
    plane: Arc<DataPlane>,
    workshop: Option<Arc<Workshop>>,
}

impl std::fmt::Debug for NodePlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodePlane")
    }
}

impl Plane for NodePlane {
    fn check(&self, function: &Arc<FunctionVersion>) -> impl Future<Output = LoadReply> + Send {
        let (plane, function) = (self.plane.clone(), function.clone());
        async move { plane.cells.check(&function).await }
    }

    fn invoke(&self, function: &Arc<FunctionVersion>, call: DirectCall) -> impl Future<Output = Invoked> + Send {
        let (plane, function) = (self.plane.clone(), function.clone());
        async move { crate::invoke::invoke(&plane, &function, call).await }
    }

    fn workshop(&self) -> Option<&Arc<Workshop>> {
        self.workshop.as_ref()
    }

    fn publish(&self, table: Arc<RouteTable>) {
        self.plane.publish(table);
    }

    fn evict(&self, function: &FunctionVersion) {
        self.plane.cells.evict(function);
    }

    fn logs(&self, tenant: &str, app: &str) -> (Vec<LogLine>, broadcast::Receiver<LogLine>) {
        self.plane.logs().tail(tenant, app)
    }
}

/// A node that runs. Dropping it without [`Node::stop`] ends it without draining.
pub struct Node {
    plane: Arc<DataPlane>,
    public: [SocketAddr; 1],
    admin: Option<SocketAddr>,
    new_admin_token: Option<String>,
    draining: Arc<AtomicBool>,
    stop: watch::Sender<bool>,
    listeners: tokio::sync::Mutex<JoinSet<()>>,
    drain: Duration,
    housekeeping: JoinHandle<()>,
}

impl Node {
    /// Starts a node in the tokio runtime that this is called in. `base_snapshot` is what cells
    /// start from.
    ///
    /// # Errors
    /// [`NodeError`]: what is wrong, for whoever runs the node.
    pub async fn start(
        config: NodeConfig,
        command: CellCommand,
        base_snapshot: PathBuf,
        mode: Mode,
    ) -> Result<Node, NodeError> {
        let builder = CellCommand { program: command.program.clone(), args: vec!["__builder".into()] };
        Self::start_whole(config, Arc::new(command), Some(builder), base_snapshot, mode).await
    }

    /// [`Node::start`] with another way to start cells, and no builders.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_with(
        config: NodeConfig,
        source: Arc<dyn CellSource>,
        base_snapshot: PathBuf,
        mode: Mode,
    ) -> Result<Node, NodeError> {
        Self::start_whole(config, source, None, base_snapshot, mode).await
    }

    async fn start_whole(
        config: NodeConfig,
        source: Arc<dyn CellSource>,
        builder: Option<CellCommand>,
        base_snapshot: PathBuf,
        mode: Mode,
    ) -> Result<Node, NodeError> {
        raise_descriptors(config.http.connections_max);
        // Everything that can be refused is, before anything is started.
        let tls_files = config.tls_files();
        let tls = if tls_files.is_empty() { None } else { Some(Tls::load(&tls_files).map_err(NodeError::Tls)?) };
        let bind = |address, tls| Bound::bind(address, tls).map_err(|error| NodeError::Listen(address, error));
        let public = bind(config.public.listen, tls)?;
        let admin = if mode == Mode::Serve { Some(bind(config.admin.listen, None)?) } else { None };
        // Cells start in another folder.
        let base_snapshot =
            base_snapshot.canonicalize().map_err(|error| NodeError::Snapshot(base_snapshot.clone(), error))?;

        let logs = Arc::new(LogBus::default());
        let metrics = Arc::new(Metrics::new(LABEL_SETS_MAX, Instant::now()).map_err(NodeError::Metrics)?);
        let workshop = match builder.filter(|_| mode == Mode::Serve) {
            Some(builder) => Some(open_workshop(&config, builder, &base_snapshot, &metrics).await?),
            None => None,
        };
        let rules = egress_rules(&config, mode, &public, admin.as_ref());
        let tls = tls_settings(config.egress.roots.as_deref());
        let tls = tls.map_err(|error| NodeError::Roots(error.path, error.message))?;
        let egress = Egress::new(rules, tls, Arc::new(SystemNet::default()), metrics.clone());
        let mut settings = cell_settings(&config, base_snapshot.display().to_string(), mode);
        settings.egress = Some(egress.clone());
        let artifacts: Arc<dyn Artifacts> = match &workshop {
            Some(workshop) => workshop.clone(),
            None => Arc::new(NoArtifacts),
        };
        let cells = Cells::start(settings, source, artifacts, logs.clone());
        let share = Share {
            node_concurrency: config.node.concurrency_max,
            tenant_concurrency: config.tenants.concurrency_max,
            tenant_queue: config.tenants.queue,
        };
        let plane = Arc::new(DataPlane::new(cells, metrics, logs, share));

        let (stop, stopping) = watch::channel(false);
        let draining = Arc::new(AtomicBool::new(false));
        let counters = Arc::new(Counters::default());
        let mut listeners = JoinSet::new();
        let accept = Arc::new(config.accept_settings());
        let mut node = Node {
            plane: plane.clone(),
            public: [public.local_addr()],
            admin: admin.as_ref().map(Bound::local_addr),
            new_admin_token: None,
            draining: draining.clone(),
            stop,
            listeners: tokio::sync::Mutex::default(),
            drain: Duration::from_millis(config.shutdown.drain_ms),
            housekeeping: tokio::spawn(housekeep(plane.clone())),
        };
        if let Some(admin) = admin {
            let settings = api_settings(&config, &public);
            let opened = Api::open(settings, Arc::new(NodePlane { plane: plane.clone(), workshop })).await;
            let Opened { api, admin_token, .. } = opened.map_err(NodeError::Store)?;
            node.new_admin_token = admin_token;
            let own = Arc::new(Counters::default());
            let counted = vec![("public", counters.clone()), ("admin", own.clone())];
            let handler = Admin::new(api, plane.clone(), counted, draining, stopping.clone());
            listeners.spawn(serve(admin, accept.clone(), Arc::new(handler), own, stopping.clone()));
        }
        let port = public.local_addr().port().to_string();
        let body_idle = Duration::from_millis(config.http.body_idle_ms);
        let front = Arc::new(Front { plane, port, dev: mode == Mode::Dev, body_idle });
        let inside: Arc<dyn Inside> = front.clone();
        egress.set_inside(Arc::downgrade(&inside));
        listeners.spawn(serve(public, accept, front, counters, stopping));
        node.listeners = tokio::sync::Mutex::new(listeners);
        Ok(node)
    }

    /// Where strangers come in.
    pub fn public_addresses(&self) -> &[SocketAddr] {
        &self.public
    }

    /// Where strangers come in.
    pub fn public_addr(&self) -> SocketAddr {
        self.public[0]
    }

    /// Where operators and tenants come in; the unspecified address with port 0 in [`Mode::Dev`],
    /// where nobody does.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    /// The administrator's token, when it was made by this start: to be shown once.
    pub fn new_admin_token(&self) -> Option<&str> {
        self.new_admin_token.as_deref()
    }

    /// Makes these routes the node's, from the next request on.
    pub fn publish(&self, table: Arc<RouteTable>) {
        self.plane.publish(table);
    }

    /// Starts the function once, in a cell that is thrown away, and says whether it can serve.
    pub async fn check(&self, function: &Arc<FunctionVersion>) -> LoadReply {
        self.plane.cells.check(function).await
    }

    /// Every request from now on.
    pub fn requests(&self) -> broadcast::Receiver<Arc<RequestLine>> {
        self.plane.logs().requests()
    }

    /// Every console line of a function from now on.
    pub fn console(&self) -> broadcast::Receiver<LogLine> {
        self.plane.logs().console()
    }

    /// Stops accepting, lets requests in flight, and what they leave behind, finish within `drain_ms`, and
    /// ends the cells.
    pub async fn stop(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.stop.send_replace(true);
        let began = Instant::now();
        let mut listeners = self.listeners.lock().await;
        while let Some(ended) = listeners.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a listener ended badly");
            }
        }
        self.housekeeping.abort();
        let left = self.drain.saturating_sub(began.elapsed());
        if tokio::time::timeout(left, self.plane.cells.rested()).await.is_err() {
            tracing::warn!("what functions gave to ctx.waitUntil did not end within drain_ms");
        }
        self.plane.cells.stop().await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.housekeeping.abort();
    }
}

async fn housekeep(plane: Arc<DataPlane>) {
    let mut hours = tokio::time::interval(EXPIRE_EVERY);
    loop {
        hours.tick().await;
        plane.expire(Instant::now());
    }
}

/// Many connections need many descriptors; most systems allow them and default to few.
fn raise_descriptors(connections: u64) {
    let wanted = connections.saturating_add(SPARE_DESCRIPTORS);
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < wanted => {
            let raised = wanted.min(hard);
            if raised < wanted || setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_err() {
                tracing::warn!(wanted, allowed = raised, "fewer file descriptors than connections_max needs");
            }
        }
        _ => {}
    }
}

/// The folder may hold thousands of files: off the serving threads.
async fn open_workshop(
    config: &NodeConfig,
    builder: CellCommand,
    base_snapshot: &Path,
    metrics: &Metrics,
) -> Result<Arc<Workshop>, NodeError> {
    let settings = config.workshop_settings(builder, base_snapshot);
    let opened = tokio::task::spawn_blocking(move || Workshop::open(settings)).await;
    let workshop = opened.map_err(std::io::Error::other).and_then(|opened| opened).map_err(NodeError::Artifacts)?;
    workshop.counters().register(metrics.registry()).map_err(NodeError::Metrics)?;
    Ok(Arc::new(workshop))
}

fn cell_settings(config: &NodeConfig, base_snapshot: String, mode: Mode) -> CellSettings {
    let cells = &config.cells;
    let cell = CellConfig {
        protocol: PROTOCOL_VERSION,
        base_snapshot,
        memory_mb: cells.memory_mb,
        spare_isolates: cells.spare_isolates,
        spare_isolates_max: cells.spare_isolates_max.max(cells.spare_isolates),
        starts_max: starts_max(),
        isolates_max: cells.isolates_max,
        isolate_idle_ms: cells.isolate_idle_ms,
        clock: cells.clock,
        dev: mode == Mode::Dev,
    };
    CellSettings {
        spare_cells: cells.spare_cells as usize,
        spare_cells_max: cells.spare_cells_max as usize,
        heartbeat_timeout: Duration::from_millis(cells.heartbeat_timeout_ms),
        ..CellSettings::new(cell)
    }
}

/// What the node's configuration says about outbound requests. The author of a function in
/// [`Mode::Dev`] is the user of this machine: its own services are open to it.
fn egress_rules(config: &NodeConfig, mode: Mode, public: &Bound, admin: Option<&Bound>) -> Rules {
    let own_services: &[&str] = if mode == Mode::Dev { &["localhost", "127.0.0.1", "[::1]"] } else { &[] };
    let open = config.egress.open.iter().map(String::as_str).chain(own_services.iter().copied());
    let public = public.local_addr();
    Rules {
        enabled: config.egress.enabled,
        open: open.filter_map(|text| HostPattern::parse(text).ok()).collect(),
        suffix: if mode == Mode::Serve { format!(".{}", config.public.base_domain) } else { String::new() },
        public: Some(public),
        own: std::iter::once(public).chain(admin.map(Bound::local_addr)).collect(),
    }
}

/// Starts at one time in one cell: half of the cores, so that a tenant who starts hundreds of
/// functions at once leaves the other half to its neighbours.
fn starts_max() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() as u32 / 2).max(1))
}

fn api_settings(config: &NodeConfig, public: &Bound) -> ApiSettings {
    let (scheme, own_port) = if public.is_tls() { ("https", 443) } else { ("http", 80) };
    let port = public.local_addr().port();
    ApiSettings {
        data_dir: config.data_dir.clone(),
        public_base: PublicBase {
            scheme,
            domain: config.public.base_domain.clone(),
            port: (port != own_port).then_some(port),
        },
        caps: config.limits.clone(),
        code_generation: config.cells.code_generation,
        trust_groups: config.trust_groups.clone(),
        bundle_bytes_max: DEFAULT_BUNDLE_BYTES_MAX,
        checks_max: DEFAULT_CHECKS_MAX,
        texts_bytes_max: u64::from(config.artifacts.source_memory_mb) << 20,
    }
}

#[cfg(test)]
mod tests;
