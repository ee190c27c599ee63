//! Egress: functions' own requests. A cell has no network; it asks here, over its socket.
//!
//! ```text
//!   cell ─ Fetch ─▶ link ─▶ target: whose host? ─▶ rules ─▶ in flight ─┬─▶ inside: serve (a function of this node)
//!                                                                    └─▶ pool ─▶ connector: resolve, check, dial, TLS
//!   cell ◀─ head, body by credit ──────────────────────────────────── run
//! ```
//!
//! | file | what it decides |
//! |---|---|
//! | [`host`] | what a rule names (pure) |
//! | `target` | where a URL leads, and whether by name and port it may (pure) |
//! | `address` | whether an address is on the public internet (pure) |
//! | `fields` | which header fields pass (pure) |
//! | `connector` | the one place that resolves and connects: only to addresses it has checked |
//! | `tenant` | connections that are used again, by one tenant alone |
//! | `exchange` | the bodies of one fetch, by credit; what a cell has under way |
//! | `run` | one fetch from its frame to its last byte |
//! | `failure` | every way in which that fails, in words for the author |
//!
//! A name is resolved once for each connection, and the connection is made to an address that was
//! looked at: a name that answers otherwise the second time gains nothing. A redirect is a new
//! request of the function's and goes through all of it again.

mod address;
mod connector;
mod exchange;
mod failure;
mod fields;
pub mod host;
mod run;
mod target;
mod tenant;
#[cfg(test)]
mod tests;

pub use connector::{Net, RootsError, SystemNet, tls_settings};
pub use exchange::{Underway, UploadBody};
pub use failure::HOPS_MAX;
pub use run::{Asked, start};
pub use target::Rules;

use crate::accept::{Peer, ReplyBody};
use crate::metrics::Metrics;
use crate::route::FunctionVersion;
use connector::Shared;
use host::HostPattern;
use http::{Request, Response};
use rustls::ClientConfig;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};
use tenant::Tenant;
use tokio::sync::Semaphore;

/// Functions and tenants that fetched once and do no more are looked for when there are this many.
const REMEMBERED: usize = 256;
/// A tenant's connections are forgotten when it did not fetch for this long. 5 min: longer than any
/// of them stays open unused.
const TENANT_IDLE: Duration = Duration::from_secs(300);

/// How deep in a chain of functions that call each other a request is. Travels with a request
/// inside the node, never over a connection: nobody can claim another depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hops(pub u8);

/// The public listener's other side: serves a function's request as it would a stranger's.
pub trait Inside: Send + Sync {
    /// Answers; dropping the future is leaving.
    fn answer(&self, peer: Peer, request: Request<UploadBody>) -> Answering<'_>;
}

/// See [`Inside::answer`].
pub type Answering<'a> = Pin<Box<dyn Future<Output = Response<ReplyBody>> + Send + 'a>>;

/// What one function's fetches share.
struct PerFunction {
    in_flight: Arc<Semaphore>,
    allow: Option<Vec<HostPattern>>,
}

/// Outbound requests of a node.
pub struct Egress {
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    inside: OnceLock<Weak<dyn Inside>>,
    functions: Mutex<HashMap<u64, Arc<PerFunction>>>,
    tenants: Mutex<HashMap<String, Arc<Tenant>>>,
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Egress")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Egress {
    /// Egress by these rules; `tls` is what [`tls_settings`] makes.
    pub fn new(rules: Rules, tls: Arc<ClientConfig>, net: Arc<dyn Net>, metrics: Arc<Metrics>) -> Arc<Egress> {
        Arc::new(Egress {
            shared: Arc::new(Shared::new(rules, tls, net)),
            metrics,
            inside: OnceLock::new(),
            functions: Mutex::default(),
            tenants: Mutex::default(),
        })
    }

    /// Says who answers requests to functions of this node. Once.
    pub fn set_inside(&self, inside: Weak<dyn Inside>) {
        let first = self.inside.set(inside).is_ok();
        debug_assert!(first, "there is one public listener");
    }

    /// Connections open now.
    pub fn connections_open(&self) -> u64 {
        self.shared.open.load(Ordering::Relaxed)
    }

    fn function(&self, function: &FunctionVersion) -> Arc<PerFunction> {
        let mut functions = lock(&self.functions);
        if let Some(known) = functions.get(&function.id) {
            return known.clone();
        }
        if functions.len() >= REMEMBERED {
            // Who has nothing under way has nothing here that would not be made again.
            functions.retain(|_, known| Arc::strong_count(known) > 1);
        }
        let spec = &function.spec;
        let parse = |texts: &Vec<String>| texts.iter().filter_map(|text| HostPattern::parse(text).ok()).collect();
        let made = Arc::new(PerFunction {
            in_flight: Arc::new(Semaphore::new(spec.limits.fetches_in_flight_max as usize)),
            allow: spec.egress_allow.as_ref().map(parse),
        });
        functions.insert(function.id, made.clone());
        made
    }

    fn tenant(&self, name: &str, now: Instant) -> Arc<Tenant> {
        let mut tenants = lock(&self.tenants);
        if let Some(known) = tenants.get(name) {
            known.touch(now);
            return known.clone();
        }
        if tenants.len() >= REMEMBERED {
            tenants.retain(|_, known| Arc::strong_count(known) > 1 || known.idle(now) < TENANT_IDLE);
        }
        let made = Arc::new(Tenant::new(self.shared.clone(), now));
        tenants.insert(name.to_owned(), made.clone());
        made
    }
}
