//! The admin API: who calls, what is asked, and which room answers. Plain REST and JSON under
//! `/v1`, described by the document at `/v1/openapi.json`.
//!
//! Work that changes anything runs in a task of its own: a caller who leaves half-way leaves no
//! deployment that is committed but not published.

mod apps;
mod deploy;
mod invoke;
mod logs;
mod plan;
mod tenants;
#[cfg(test)]
mod tests;

use super::Plane;
use super::bundle::Allowed;
use super::live::{AppLocks, Content, Live, LiveApp};
use super::rebuild::Rebuilder;
use super::reply::{ApiError, ApiReply};
use super::store::{App, Store, StoreError, Stored};
use super::texts::StoredTexts;
use super::tokens::{self, TokenHash};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use isle_wire::Limits;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::Semaphore;

pub(super) use plan::{Found, Keyed, work};

/// Lines of JSON.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// Files of one deployment together, in bytes. 10 MB: ten times the heaviest bundle measured.
pub const DEFAULT_BUNDLE_BYTES_MAX: usize = 10_000_000;
/// Functions that are started for a check at one time. 2: a check takes a core, requests need the others.
pub const DEFAULT_CHECKS_MAX: usize = 2;

/// Where strangers reach apps: `<scheme>://<app>.<domain>[:<port>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicBase {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// What follows the app's name.
    pub domain: String,
    /// `None` when it is the scheme's own.
    pub port: Option<u16>,
}

impl PublicBase {
    /// The URL of a path of an app.
    pub fn url(&self, app: &str, path: &str) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{app}.{}{port}{path}", self.scheme, self.domain)
    }
}

/// What the admin API needs to know of the node.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where strangers reach apps.
    pub public_base: PublicBase,
    /// The most any function gets.
    pub caps: Limits,
    /// Whether functions may make code from strings.
    pub code_generation: bool,
    /// Tenants that share a cell, by the group's name. A tenant is in one group at most.
    pub trust_groups: BTreeMap<String, Vec<String>>,
    /// Files of one deployment together, in bytes.
    pub bundle_bytes_max: usize,
    /// Functions that are started for a check at one time.
    pub checks_max: usize,
    /// Text of functions that is kept in memory, in bytes.
    pub texts_bytes_max: u64,
}

impl ApiSettings {
    /// What any function gets at most.
    pub fn allowed(&self) -> Allowed<'_> {
        Allowed { limits: &self.caps, code_generation: self.code_generation }
    }

    /// The longest request body, in bytes: a bundle's text grows when it is written as JSON.
    pub fn body_bytes_max(&self) -> usize {
        self.bundle_bytes_max.saturating_mul(2).saturating_add(1 << 20)
    }
}

/// The admin API over a data plane.
#[derive(Debug)]
pub struct Api<P>(Arc<Inner<P>>);

impl<P> Clone for Api<P> {
    fn clone(&self) -> Api<P> {
        Api(self.0.clone())
    }
}

/// What [`Api::open`] found.
#[derive(Debug)]
pub struct Opened<P> {
    /// The API.
    pub api: Api<P>,
    /// The administrator's token, if it was made now: to be shown once.
    pub admin_token: Option<String>,
    /// Apps that cannot be served, each with the reason. They have been logged.
    pub damaged: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct Inner<P> {
    settings: ApiSettings,
    /// Tenant → the cell group of its trust group.
    groups: HashMap<String, String>,
    pub(super) store: Arc<Store>,
    texts: Arc<StoredTexts>,
    plane: Arc<P>,
    admin: TokenHash,
    live: Mutex<Live>,
    locks: AppLocks,
    /// Held while tenants are changed: in the store, then live.
    tenancy: tokio::sync::Mutex<()>,
    checks: Semaphore,
    /// Places for invocations that nobody waits for.
    events: invoke::Events,
    rebuilder: OnceLock<Rebuilder>,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The administrator.
    Admin,
    /// The tenant of this name.
    Tenant(String),
}

type Answer = Result<ApiReply, ApiError>;

impl<P: Plane> Api<P> {
    /// Opens the data folder, loads every current deployment and publishes their routes.
    ///
    /// # Errors
    /// The data folder cannot be used. A deployment that cannot be read is no error: its app is
    /// reported and has no routes.
    pub async fn open(settings: ApiSettings, plane: Arc<P>) -> Result<Opened<P>, StoreError> {
        let data_dir = settings.data_dir.clone();
        let blocking =
            move || -> Result<_, StoreError> { Ok((Store::open(&data_dir)?, tokens::open_admin(&data_dir)?)) };
        let opened = tokio::task::spawn_blocking(blocking).await.map_err(|_| StoreError::Closed)?;
        let (store, (admin, admin_token)) = opened?;
        let store = Arc::new(store);
        let live = Live::new(&settings.public_base.domain, store.tenants().await?);
        // `@` is in no tenant's name: a group never shares a cell with a tenant of its name.
        let members = settings.trust_groups.iter().flat_map(|(group, tenants)| tenants.iter().map(move |t| (t, group)));
        let inner = Inner {
            groups: members.map(|(tenant, group)| (tenant.clone(), format!("@{group}"))).collect(),
            checks: Semaphore::new(settings.checks_max.max(1)),
            events: invoke::Events::default(),
            texts: Arc::new(StoredTexts::new(&store, settings.texts_bytes_max)),
            rebuilder: OnceLock::new(),
            settings,
            store,
            plane,
            admin,
            live: Mutex::new(live),
            locks: AppLocks::default(),
            tenancy: tokio::sync::Mutex::default(),
        };
        let api = Api(Arc::new(inner));
        api.0.tidy_artifacts().await?;
        let (damaged, stale) = api.0.load_all().await?;
        if let Some(rebuilder) = Rebuilder::start(&api.0, stale) {
            let _ = api.0.rebuilder.set(rebuilder);
        }
        Ok(Opened { api, admin_token, damaged })
    }

    /// The settings it was opened with.
    pub fn settings(&self) -> &ApiSettings {
        &self.0.settings
    }

    /// Whose token a request carries, if it carries one of this node.
    pub fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        self.0.caller(headers).ok()
    }

    /// Answers a request. `body` is at most [`ApiSettings::body_bytes_max`] long; longer ones are
    /// refused.
    pub async fn handle(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> ApiReply {
        match self.0.clone().answer(method, uri, headers, body).await {
            Ok(reply) => reply,
            Err(error) => error.into(),
        }
    }
}

impl<P: Plane> Inner<P> {
    async fn answer(self: Arc<Self>, method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Answer {
        if body.len() > self.settings.body_bytes_max() {
            let max = self.settings.body_bytes_max();
            return Err(ApiError::too_large(format!("request body: {} bytes, expected at most {max}", body.len())));
        }
        let path: Vec<&str> = uri.path().split('/').skip(1).collect();
        let unknown = || ApiError::not_found("not_found", "there is nothing at this path; see /v1/openapi.json");
        let query = uri.query().unwrap_or_default();
        if let ["2015-03-31", "functions", name, "invocations"] = path[..] {
            return match *method {
                Method::POST => self.invoke(name, query, headers, body).await,
                _ => Err(ApiError::method_not_allowed("POST")),
            };
        }
        let Some(("v1", path)) = path.split_first().map(|(first, rest)| (*first, rest)) else { return Err(unknown()) };
        if path.contains(&"") {
            return Err(unknown());
        }
        let caller = || self.caller(headers);
        match (method.as_str(), path) {
            ("GET", ["openapi.json"]) => Ok(super::openapi::reply()),
            ("GET", ["tenants"]) => self.list_tenants(&caller()?),
            ("POST", ["tenants"]) => {
                let caller = caller()?;
                self.apart(|this| async move { this.add_tenant(&caller, &body).await }).await
            }
            ("DELETE", ["tenants", name]) => {
                let (caller, name) = (caller()?, name.to_string());
                self.apart(|this| async move { this.remove_tenant(&caller, name).await }).await
            }
            ("GET", ["apps"]) => self.list_apps(&caller()?),
            ("DELETE", ["apps", app]) => {
                let (caller, app) = (caller()?, app.to_string());
                self.apart(|this| async move { this.remove_app(&caller, app).await }).await
            }
            ("GET", ["apps", app, "deployments"]) => self.list_deployments(&caller()?, app).await,
            ("POST", ["apps", app, "deployments"]) => {
                let (caller, app) = (caller()?, app.to_string());
                let tenant = parameter(query, "tenant").map(str::to_owned);
                self.apart(|this| async move { this.deploy(&caller, app, tenant, body).await }).await
            }
            ("POST", ["apps", app, "rollback"]) => {
                let (caller, app) = (caller()?, app.to_string());
                self.apart(|this| async move { this.roll_back(&caller, app, &body).await }).await
            }
            ("POST", ["apps", app, "functions", function, "evict"]) => self.evict(&caller()?, app, function),
            ("GET", ["apps", app, "logs"]) => self.logs(&caller()?, app, query),
            (_, ["openapi.json"] | ["apps", _, "logs"]) => Err(ApiError::method_not_allowed("GET")),
            (_, ["apps"]) => Err(ApiError::method_not_allowed("GET")),
            (_, ["tenants"] | ["apps", _, "deployments"]) => Err(ApiError::method_not_allowed("GET, POST")),
            (_, ["tenants", _] | ["apps", _]) => Err(ApiError::method_not_allowed("DELETE")),
            (_, ["apps", _, "rollback"] | ["apps", _, "functions", _, "evict"]) => {
                Err(ApiError::method_not_allowed("POST"))
            }
            _ => Err(unknown()),
        }
    }

    /// Runs work to its end whether or not the caller stays.
    async fn apart<F: Future<Output = Answer> + Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(Arc<Self>) -> F,
    ) -> Answer {
        tokio::spawn(work(self.clone())).await.unwrap_or_else(|error| Err(ApiError::internal(&error)))
    }

    fn caller(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = value.and_then(|value| value.split_once(' ')).ok_or_else(ApiError::unauthorized)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(ApiError::unauthorized());
        }
        let token = TokenHash::of(token.trim());
        if token.matches(&self.admin) {
            return Ok(Caller::Admin);
        }
        let live = self.live();
        live.tenant_by_token(&token).map(|name| Caller::Tenant(name.into())).ok_or_else(ApiError::unauthorized)
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The app, if the caller may see it. Another tenant's app is as absent as one that never was.
    fn app(&self, caller: &Caller, app: &str) -> Result<Arc<LiveApp>, ApiError> {
        let found = self.live().app(app).cloned();
        let theirs = |found: &Arc<LiveApp>| match caller {
            Caller::Admin => true,
            Caller::Tenant(name) => found.row.tenant == *name,
        };
        found.filter(theirs).ok_or_else(|| ApiError::app_not_found(app))
    }

    /// Changes what is live and publishes it, both under one lock: tables are published in the
    /// order of the changes.
    fn publish(&self, change: impl FnOnce(&mut Live)) {
        let mut live = self.live();
        change(&mut live);
        self.plane.publish(live.table());
    }

    fn cell_group(&self, tenant: &str) -> String {
        self.groups.get(tenant).cloned().unwrap_or_else(|| tenant.to_owned())
    }

    /// Makes a stored deployment's functions, each with what is known of how to start it.
    async fn content(self: &Arc<Self>, tenant: &str, app: &str, id: &str, stored: Stored) -> Result<Content, String> {
        let startup_us = serde_json::from_str(&stored.startup).unwrap_or_default();
        let keyed = self.keyed(tenant, app, id, stored.content).await?;
        let plans = self.known_plans(&keyed).await.map_err(|error| error.to_string())?;
        let built = self.assemble(&keyed, &plans)?;
        Ok(Content { built, startup_us, plans })
    }

    /// Loads every app and publishes them. Returns those that are damaged, each with the reason, and
    /// those of which some plan is missing.
    async fn load_all(self: &Arc<Self>) -> Result<(Vec<(String, String)>, VecDeque<String>), StoreError> {
        let mut damaged = Vec::new();
        let mut stale = VecDeque::new();
        let mut loaded = Vec::new();
        for row in self.store.apps().await? {
            let content = match self.store.load(row.name.clone(), row.current.clone()).await {
                Ok(stored) => self.content(&row.tenant, &row.name, &row.current, stored).await,
                Err(error) => Err(error.to_string()),
            };
            let content = content.inspect_err(|reason| {
                tracing::error!(app = row.name, deployment = row.current, reason, "an app cannot be served");
                damaged.push((row.name.clone(), reason.clone()));
            });
            if content.as_ref().is_ok_and(Content::is_stale) {
                stale.push_back(row.name.clone());
            }
            loaded.push(LiveApp { row, content: content.ok() });
        }
        self.publish(|live| loaded.into_iter().for_each(|app| live.set_app(app)));
        Ok((damaged, stale))
    }

    /// Makes what was committed live.
    fn put_live(&self, row: App, content: Content) {
        if content.is_stale()
            && let Some(workshop) = self.workshop()
        {
            workshop.want(&row.name);
        }
        self.publish(|live| live.set_app(LiveApp { row, content: Some(content) }));
    }

    /// Waits until nobody else changes the app.
    pub(super) async fn alone(&self, app: &str) -> tokio::sync::OwnedMutexGuard<()> {
        self.locks.lock(app).await
    }

    /// The app as it is now, whoever's it is.
    pub(super) fn live_row(&self, app: &str) -> Option<App> {
        self.live().app(app).map(|app| app.row.clone())
    }

    /// Makes a deployment's plans, as the store has them now, live; if it is still the current one.
    /// To be called alone.
    pub(super) async fn republish(self: &Arc<Self>, tenant: &str, app: &str, id: &str) {
        let Some(row) = self.live_row(app).filter(|row| row.current == id) else { return };
        let content = match self.store.load(app.to_owned(), id.to_owned()).await {
            Ok(stored) => self.content(tenant, app, id, stored).await,
            Err(error) => Err(error.to_string()),
        };
        match content {
            Ok(content) => self.publish(|live| live.set_app(LiveApp { row, content: Some(content) })),
            Err(reason) => tracing::error!(app, deployment = id, reason, "an app cannot be published again"),
        }
    }
}

/// A query parameter's value as it was sent. No value that the API takes needs an escape.
fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn parse<'b, T: serde::Deserialize<'b>>(body: &'b [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request("invalid_json", format!("request body: {error}")))
}

/// Refuses a name that cannot be part of a host name.
fn label(what: &str, name: &str) -> Result<(), ApiError> {
    use super::manifest::{LABEL_EXPECTED, is_label};
    if is_label(name) {
        return Ok(());
    }
    let name = name.escape_debug();
    Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "name_invalid", format!("{what} `{name}`: {LABEL_EXPECTED}")))
}
