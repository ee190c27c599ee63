//! The data plane: what every request needs, built when something is deployed, read without a lock
//! that anybody holds for long.
//!
//! For each function version there is one [`Served`]: its gates, its series, its group of cells. A
//! request looks that up once, by a number.

use crate::admit::{Gate, Gates, TenantGate};
use crate::cells::Cells;
use crate::cells::group::Group;
use crate::logs::LogBus;
use crate::metrics::{FunctionMetrics, Metrics};
use crate::route::{FunctionVersion, RouteTable, Routes};
use isle_wire::PayloadFormat;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

/// What the node grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Requests of all tenants at one time.
    pub node_concurrency: u32,
    /// Requests of one tenant at one time.
    pub tenant_concurrency: u32,
    /// Requests of one tenant that may wait.
    pub tenant_queue: u32,
}

/// A function version, with everything that its requests need.
#[derive(Debug)]
pub struct Served {
    /// The version.
    pub function: Arc<FunctionVersion>,
    /// Its way in.
    pub gates: Arc<Gates>,
    /// Its series.
    pub metrics: Arc<FunctionMetrics>,
    /// Whose cell runs it.
    pub group: Arc<Group>,
    /// Whether it takes its requests' bodies whole, as its cell once said.
    pub takes_whole: AtomicBool,
}

/// What the public listener serves from.
pub struct DataPlane {
    /// The current routes.
    pub routes: Routes,
    /// The cells.
    pub cells: Cells,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    logs: Arc<LogBus>,
    share: Share,
    node: Arc<Gate>,
    tenants: Mutex<HashMap<String, Arc<TenantGate>>>,
    served: RwLock<HashMap<u64, Arc<Served>>>,
    /// One publication at a time, so that the last one wins everywhere.
    publishing: Mutex<()>,
}

impl DataPlane {
    /// A plane without routes.
    pub fn new(cells: Cells, metrics: Arc<Metrics>, logs: Arc<LogBus>, share: Share) -> DataPlane {
        DataPlane {
            routes: Routes::default(),
            cells,
            metrics,
            logs,
            share,
            node: Arc::new(Gate::new(share.node_concurrency)),
            tenants: Mutex::default(),
            served: RwLock::default(),
            publishing: Mutex::default(),
        }
    }

    /// Where log lines pass.
    pub fn logs(&self) -> &Arc<LogBus> {
        &self.logs
    }

    /// What the function's requests need.
    pub fn served(&self, function: &Arc<FunctionVersion>) -> Arc<Served> {
        if let Some(served) = self.served.read().unwrap_or_else(PoisonError::into_inner).get(&function.id) {
            return served.clone();
        }
        // Routed before a publication and asked for after it, or its label set expired.
        let served = Arc::new(self.make(function));
        let mut all = self.served.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(function.id).or_insert(served).clone()
    }

    fn make(&self, function: &Arc<FunctionVersion>) -> Served {
        let spec = &function.spec;
        let tenant = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            let Share { tenant_concurrency, tenant_queue, .. } = self.share;
            let make = || Arc::new(TenantGate::new(tenant_concurrency, tenant_queue));
            tenants.entry(spec.tenant.clone()).or_insert_with(make).clone()
        };
        Served {
            gates: Arc::new(Gates::new(spec.limits.concurrency, tenant, self.node.clone())),
            metrics: self.metrics.function(spec, Instant::now()),
            group: self.cells.group(&function.cell_group),
            function: function.clone(),
            takes_whole: AtomicBool::new(false),
        }
    }

    /// From the next request on, `table` is the one. Versions that it lacks are unloaded; requests
    /// in flight finish on them.
    pub fn publish(&self, table: Arc<RouteTable>) {
        let _turn = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut versions, mut apps) = (HashSet::new(), HashSet::new());
        for function in table.functions() {
            versions.insert(function.id);
            apps.insert((function.spec.tenant.as_str(), function.spec.app.as_str()));
            self.served(function);
        }
        let shows_names = |function: &Arc<FunctionVersion>| function.spec.contract.payload_format != PayloadFormat::V2;
        crate::accept::want_names(table.functions().any(shows_names));
        self.routes.store(table.clone());
        self.served.write().unwrap_or_else(PoisonError::into_inner).retain(|id, _| versions.contains(id));
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, gate| Arc::strong_count(gate) > 1);
        self.cells.retain(|function| versions.contains(&function.id));
        self.logs.retain(|tenant, app| apps.contains(&(tenant, app)));
    }

    /// Drops label sets that nobody used for long.
    pub fn expire(&self, now: Instant) {
        let expired = self.metrics.expire(now);
        if !expired.is_empty() {
            let is_expired = |served: &Served| expired.iter().any(|set| Arc::ptr_eq(set, &served.metrics));
            // They are made again, with new series, when they are next asked for.
            self.served.write().unwrap_or_else(PoisonError::into_inner).retain(|_, served| !is_expired(served));
        }
    }
}
