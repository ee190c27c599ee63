//! What is live: tenants and apps in memory, and the route table made of them.
//!
//! Everything here was committed to the store before it came here.

use super::bundle::Built;
use super::plans::Plan;
use super::store::{App, Tenant};
use super::tokens::TokenHash;
use crate::route::RouteTable;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// An app that is there, and what it serves.
#[derive(Debug)]
pub(super) struct LiveApp {
    pub(super) row: App,
    /// `None` when the stored content is damaged: the app is listed, can be deployed, rolled back
    /// and deleted, and has no routes.
    pub(super) content: Option<Content>,
}

/// A deployment's functions and what their check measured.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) built: Built,
    /// Start-up CPU time by function, in µs.
    pub(super) startup_us: BTreeMap<String, u32>,
    /// How each function is started; absent where that is still to be found out.
    pub(super) plans: BTreeMap<String, Plan>,
}

impl Content {
    /// Whether some function's plan is still to be found out.
    pub(super) fn is_stale(&self) -> bool {
        self.plans.len() < self.built.functions.len()
    }
}

/// Everything that is live. Kept behind one lock: it is read and changed by the admin API only,
/// requests read the table that was published.
#[derive(Debug)]
pub(super) struct Live {
    tenants: Vec<Tenant>,
    apps: BTreeMap<String, Arc<LiveApp>>,
    table: RouteTable,
}

impl Live {
    pub(super) fn new(base_domain: &str, tenants: Vec<Tenant>) -> Live {
        Live { tenants, apps: BTreeMap::new(), table: RouteTable::new(base_domain) }
    }

    /// The table as it is now.
    pub(super) fn table(&self) -> Arc<RouteTable> {
        Arc::new(self.table.clone())
    }

    pub(super) fn set_app(&mut self, app: LiveApp) {
        match &app.content {
            Some(content) => self.table.set(&app.row.name, content.built.routes.clone()),
            None => drop(self.table.remove(&app.row.name)),
        }
        self.apps.insert(app.row.name.clone(), Arc::new(app));
    }

    pub(super) fn remove_app(&mut self, app: &str) {
        self.apps.remove(app);
        self.table.remove(app);
    }

    pub(super) fn app(&self, app: &str) -> Option<&Arc<LiveApp>> {
        self.apps.get(app)
    }

    /// By name.
    pub(super) fn apps(&self) -> impl Iterator<Item = &Arc<LiveApp>> {
        self.apps.values()
    }

    /// By name.
    pub(super) fn tenants(&self) -> &[Tenant] {
        &self.tenants
    }

    pub(super) fn has_tenant(&self, name: &str) -> bool {
        self.tenants.iter().any(|tenant| tenant.name == name)
    }

    pub(super) fn tenant_by_token(&self, token: &TokenHash) -> Option<&str> {
        let place = token.position_in(self.tenants.iter().map(|tenant| &tenant.token))?;
        Some(&self.tenants[place].name)
    }

    pub(super) fn add_tenant(&mut self, tenant: Tenant) {
        let place = self.tenants.partition_point(|known| known.name < tenant.name);
        self.tenants.insert(place, tenant);
    }

    pub(super) fn remove_tenant(&mut self, name: &str) {
        self.tenants.retain(|tenant| tenant.name != name);
    }
}

/// One lock for each app that is being changed.
#[derive(Debug, Default)]
pub(super) struct AppLocks(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

impl AppLocks {
    /// Waits until nobody else changes the app.
    pub(super) async fn lock(&self, app: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Locks that nobody holds or awaits go here, so there are never more than callers.
            locks.retain(|_, lock| lock.strong_count() > 0);
            match locks.get(app).and_then(Weak::upgrade) {
                Some(lock) => lock,
                None => {
                    let lock = Arc::default();
                    locks.insert(app.to_owned(), Arc::downgrade(&lock));
                    lock
                }
            }
        };
        lock.lock_owned().await
    }
}
