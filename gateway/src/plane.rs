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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
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
    /// Its series, once it had a request.
    series: OnceLock<Arc<FunctionMetrics>>,
    /// Whose cell runs it.
    pub group: Arc<Group>,
    /// Whether it takes its requests' bodies whole, as its cell once said.
    pub takes_whole: AtomicBool,
}

impl Served {
    /// Its series. Those of a function that is deployed and never asked for are never made.
    pub fn series(&self, metrics: &Metrics) -> &FunctionMetrics {
        self.series.get_or_init(|| metrics.function(&self.function.spec, Instant::now()))
    }

    /// The same, to ask for its series again.
    fn anew(&self) -> Served {
        Served {
            function: self.function.clone(),
            gates: self.gates.clone(),
            series: OnceLock::new(),
            group: self.group.clone(),
            takes_whole: AtomicBool::new(self.takes_whole.load(Ordering::Relaxed)),
        }
    }
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
        // Routed before a publication and asked for after it.
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
            // Its earlier version's, which it keeps.
            series: self.metrics.known(spec, Instant::now()).map(OnceLock::from).unwrap_or_default(),
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
        self.metrics.make_room();
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, gate| Arc::strong_count(gate) > 1);
        self.cells.retain(|function| versions.contains(&function.id));
        self.logs.retain(|tenant, app| apps.contains(&(tenant, app)));
    }

    /// Drops label sets that nobody used for long. Functions that had one of them ask for a new one
    /// at their next request, and so do those that found no room for their own.
    pub fn expire(&self, now: Instant) {
        let expired = self.metrics.expire(now);
        self.metrics.make_room();
        let asks_again = |served: &Served| {
            let old = |set: &Arc<_>| expired.iter().any(|old| Arc::ptr_eq(old, set));
            served.series.get().is_some_and(|set| set.is_other() || old(set))
        };
        let mut all = self.served.write().unwrap_or_else(PoisonError::into_inner);
        for served in all.values_mut().filter(|served| asks_again(served)) {
            *served = Arc::new(served.anew());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::fake::{FakeCell, spec};
    use crate::route::AppRoutes;
    use crate::stage::{Stage, settings};

    /// A stage, which has room for 100 label sets, with this many apps of one tenant, and `blog`.
    fn crowded(apps: usize) -> Stage {
        let noisy = (0..apps).map(|app| spec("acme", &format!("app{app}"), "main"));
        Stage::with(settings(), FakeCell::echo, noisy.chain([spec("blog", "blog", "main")]).collect())
    }

    fn count(stage: &Stage, tenant: &str, app: &str, function: &str) -> Option<String> {
        let labels = format!(r#"{{app="{app}",function="{function}",outcome="ok",tenant="{tenant}"}}"#);
        stage.metric(&format!("isle_invocations_total{labels}"))
    }

    #[tokio::test]
    async fn what_is_deployed_and_never_asked_for_has_no_series() {
        let stage = crowded(120);
        assert_eq!(stage.get("blog", "/").await.status, 200);
        assert_eq!(count(&stage, "blog", "blog", "main").as_deref(), Some("1"));
        assert_eq!(stage.metric(r#"isle_in_flight{app="app0",function="main",tenant="acme"}"#), None);
    }

    #[tokio::test]
    async fn a_tenant_with_many_functions_leaves_room_and_its_own_are_counted_when_there_is_some() {
        let stage = crowded(26);
        for app in 0..26 {
            assert_eq!(stage.get(&format!("app{app}"), "/").await.status, 200);
        }
        stage.get("blog", "/").await;
        assert_eq!(count(&stage, "blog", "blog", "main").as_deref(), Some("1"));
        assert_eq!(count(&stage, "acme", "app24", "main").as_deref(), Some("1"));
        assert_eq!(count(&stage, "other", "other", "other").as_deref(), Some("1"));

        // One of those that have their own is deployed anew and keeps it, another is deleted.
        let plane = &stage.front.plane;
        let mut table = RouteTable::new("test");
        for function in plane.routes.load().functions().filter(|function| function.spec.app != "app0") {
            let again = crate::stage::function(function.spec.clone());
            let version = if function.spec.app == "app1" { again } else { function.clone() };
            table.set(&function.spec.app, Arc::new(AppRoutes::only(version)));
        }
        plane.publish(Arc::new(table));
        plane.expire(Instant::now());
        for app in ["app1", "app25"] {
            stage.get(app, "/").await;
        }
        assert_eq!(count(&stage, "acme", "app0", "main"), None);
        assert_eq!(count(&stage, "acme", "app1", "main").as_deref(), Some("2"));
        assert_eq!(count(&stage, "acme", "app25", "main").as_deref(), Some("1"));
    }
}
