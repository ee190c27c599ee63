//! One tenant's connections: used again by its own requests, never by another's.

use super::connector::{Connector, Shared};
use super::exchange::UploadBody;
use super::lock;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Connections of one tenant above which its unused ones are closed. 128.
const CONNECTIONS_HIGH: usize = 128;
/// Connections of one tenant at one time. 512: a quarter of what a small node may open at all.
const CONNECTIONS_MAX: usize = 512;
/// Unused connections kept for one host. 8: what a burst of one function leaves.
const IDLE_PER_HOST: usize = 8;
/// How long an unused connection is kept. 30 s: shorter than most servers keep it, so that a request
/// seldom meets one that is being closed.
const IDLE: Duration = Duration::from_secs(30);
/// How often a connection that carries many requests is asked whether the other side is there.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Names of one tenant being resolved at one time.
const LOOKUPS_MAX: usize = 8;
/// Requests of one tenant at one time, all its functions together. 512: with the bodies that may wait
/// here for each, both ways, 256 MiB.
const IN_FLIGHT_MAX: usize = 512;
/// Bytes of one response on a shared connection that may wait for their reader, and of all of them: so
/// many readers may dawdle before the others of the connection have to wait.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// The longest response head, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Most header fields of a response.
const FIELDS_MAX: usize = 200;

/// What one tenant has open.
pub struct Usage {
    open: AtomicUsize,
    /// Turns to resolve a name.
    pub(super) lookups: Semaphore,
}

impl Default for Usage {
    fn default() -> Usage {
        Usage { open: AtomicUsize::new(0), lookups: Semaphore::new(LOOKUPS_MAX) }
    }
}

impl Usage {
    /// Takes a place for a connection; `false` when there is none.
    pub fn enter(&self) -> bool {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        if before >= CONNECTIONS_MAX {
            self.leave();
        }
        before < CONNECTIONS_MAX
    }

    /// Gives the place back.
    pub fn leave(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

type Pool = Client<Connector, UploadBody>;

/// A tenant that fetches.
pub struct Tenant {
    connector: Connector,
    usage: Arc<Usage>,
    /// Turns to make a request.
    pub(super) in_flight: Arc<Semaphore>,
    pool: Mutex<Pool>,
    used: Mutex<Instant>,
}

impl Tenant {
    /// Nothing open yet.
    pub fn new(shared: Arc<Shared>, now: Instant) -> Tenant {
        let usage = Arc::new(Usage::default());
        let connector = Connector::new(shared, usage.clone());
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        Tenant { pool: Mutex::new(pool(&connector)), connector, usage, in_flight, used: Mutex::new(now) }
    }

    /// Notes that it fetches.
    pub fn touch(&self, now: Instant) {
        *lock(&self.used) = now;
    }

    /// How long ago it fetched.
    pub fn idle(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*lock(&self.used))
    }

    /// Its connections.
    pub fn pool(&self) -> Pool {
        let mut pool_now = lock(&self.pool);
        if self.usage.open.load(Ordering::Relaxed) >= CONNECTIONS_HIGH {
            // The old pool's unused connections close with it; those in use finish first.
            *pool_now = pool(&self.connector);
        }
        pool_now.clone()
    }
}

fn pool(connector: &Connector) -> Pool {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .http1_max_buf_size(HEAD_BYTES_MAX)
        .http1_max_headers(FIELDS_MAX)
        .http2_max_header_list_size(HEAD_BYTES_MAX as u32)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .build(connector.clone())
}
