//! The store: tenants, apps and deployments in `<data_dir>/isle.db`, their content in blobs beside it.
//!
//! One thread owns the database and the blobs; everybody else sends it work through a queue with a
//! bound, so nothing blocks a thread that serves requests, and writes happen in one order. The data
//! folder is locked: a second node on it would publish other routes than the first one committed.
//!
//! What a call returned success for is on disk (`synchronous=FULL`, blobs synced before the
//! transaction commits).

mod blobs;
mod db;
mod plans;
mod schema;
#[cfg(test)]
mod tests;

use super::tokens::TokenHash;
use crate::files::make_dir;
use db::Db;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Calls that wait for the store's thread; more wait for a place in the queue.
const QUEUE_MAX: usize = 64;

/// A tenant.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// SHA-256 of its token.
    pub token: TokenHash,
    /// In ms since the Unix epoch.
    pub created_at: i64,
}

/// An app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub tenant: String,
    /// The deployment that serves.
    pub current: String,
    /// First deployment, in ms since the Unix epoch.
    pub created_at: i64,
    /// When `current` became so, in ms since the Unix epoch.
    pub updated_at: i64,
}

/// A deployment, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The beginning of its content's digest.
    pub id: String,
    /// In ms since the Unix epoch.
    pub created_at: i64,
    /// Size of its content, in bytes.
    pub bytes: u64,
    /// Whether it serves.
    pub current: bool,
}

/// A deployment to be stored.
#[derive(Clone, Debug)]
pub struct NewDeployment {
    /// Whose.
    pub tenant: String,
    /// Of which app; made if there is none of the name.
    pub app: String,
    /// The beginning of `blob`.
    pub id: String,
    /// SHA-256 of `content`, in hexadecimal.
    pub blob: String,
    /// The bundle's canonical form.
    pub content: Vec<u8>,
    /// JSON object: function's name → start-up CPU time, in µs.
    pub startup: String,
    /// How its functions are started, where that is known.
    pub plans: Vec<PlanRow>,
    /// Now, in ms since the Unix epoch.
    pub at: i64,
}

/// How one function of a deployment is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRow {
    /// The function.
    pub function: String,
    /// The key of its artifact.
    pub key: String,
    /// The build of Isle that found it out.
    pub base: String,
    /// The plan, as JSON.
    pub plan: String,
}

/// A deployment's content.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The bundle's canonical form.
    pub content: Vec<u8>,
    /// JSON object: function's name → start-up CPU time, in µs.
    pub startup: String,
}

/// What a rollback makes current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The deployment.
    pub id: String,
    /// Whether the step before the current one is meant: then the current one leaves the stack.
    pub steps_back: bool,
}

/// Why the store refused or failed.
#[derive(Debug)]
pub enum StoreError {
    /// A tenant of that name is there.
    TenantExists,
    /// None is there.
    TenantUnknown,
    /// The tenant still has apps.
    TenantHasApps,
    /// The app is not there, or another tenant's.
    AppUnknown,
    /// The app has no such deployment.
    DeploymentUnknown,
    /// Nothing was current before the current deployment.
    NothingBefore,
    /// A deployment's content is missing or not what was stored.
    Damaged(String),
    /// The database was written by a newer Isle; its version.
    TooNew(usize),
    /// Another process uses the data folder.
    Locked(PathBuf),
    /// The store's thread has ended.
    Closed,
    /// The database failed.
    Sqlite(rusqlite::Error),
    /// The file system failed.
    Io(std::io::Error),
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreError::TenantExists => f.write_str("a tenant of this name exists"),
            StoreError::TenantUnknown => f.write_str("there is no such tenant"),
            StoreError::TenantHasApps => f.write_str("the tenant has apps; delete them first"),
            StoreError::AppUnknown => f.write_str("there is no such app"),
            StoreError::DeploymentUnknown => f.write_str("the app has no such deployment"),
            StoreError::NothingBefore => f.write_str("there is no earlier deployment to go back to"),
            StoreError::Damaged(what) => write!(f, "the deployment's content is damaged: {what}"),
            StoreError::TooNew(version) => write!(f, "the database has version {version}, made by a newer Isle"),
            StoreError::Locked(path) => write!(f, "another process uses the data folder ({})", path.display()),
            StoreError::Closed => f.write_str("the store has stopped"),
            StoreError::Sqlite(error) => write!(f, "database: {error}"),
            StoreError::Io(error) => write!(f, "data folder: {error}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        StoreError::Sqlite(error)
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> StoreError {
        StoreError::Io(error)
    }
}

type Job = Box<dyn FnOnce(&mut Db) + Send>;

/// A handle to the store's thread. Dropping it waits until work that was taken is done and the
/// data folder is free again.
#[derive(Debug)]
pub struct Store {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn open(data_dir: &Path) -> Result<(Db, File), StoreError> {
    make_dir(data_dir)?;
    let lock = data_dir.join("lock");
    let file = File::options().write(true).create(true).truncate(false).open(&lock)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(StoreError::Locked(lock)),
        Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
    }
    let connection = schema::open(&data_dir.join("isle.db"))?;
    let db = Db { connection, blobs: blobs::Blobs::open(data_dir)? };
    db.sweep()?;
    Ok((db, file))
}

impl Store {
    /// Opens the data folder, made if it is missing, and starts the thread. Blocks: it is called
    /// before anything is served.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(data_dir: &Path) -> Result<Store, StoreError> {
        let (mut db, lock) = open(data_dir)?;
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE_MAX);
        let work = move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut db);
            }
            // Order matters: the next owner of the lock finds the database closed.
            drop(db);
            drop(lock);
        };
        let thread = std::thread::Builder::new().name("isle-store".into()).spawn(work)?;
        Ok(Store { jobs: Some(jobs), thread: Some(thread) })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Db) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            let _ = reply.send(work(db));
        });
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Every tenant, by name.
    ///
    /// # Errors
    /// The database failed; so for every call below that says nothing else.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        self.run(|db| db.tenants()).await
    }

    /// Adds a tenant.
    ///
    /// # Errors
    /// [`StoreError::TenantExists`].
    pub async fn add_tenant(&self, tenant: Tenant) -> Result<(), StoreError> {
        self.run(move |db| db.add_tenant(&tenant)).await
    }

    /// Removes a tenant.
    ///
    /// # Errors
    /// [`StoreError::TenantUnknown`], [`StoreError::TenantHasApps`].
    pub async fn remove_tenant(&self, name: String) -> Result<(), StoreError> {
        self.run(move |db| db.remove_tenant(&name)).await
    }

    /// Every app, by name.
    ///
    /// # Errors
    /// See [`Store::tenants`].
    pub async fn apps(&self) -> Result<Vec<App>, StoreError> {
        self.run(|db| db.apps()).await
    }

    /// Stores a deployment and makes it current.
    ///
    /// # Errors
    /// [`StoreError::TenantUnknown`]; [`StoreError::AppUnknown`] for another tenant's app.
    pub async fn deploy(&self, new: NewDeployment) -> Result<App, StoreError> {
        self.run(move |db| db.deploy(&new)).await
    }

    /// An app's deployments, newest first.
    ///
    /// # Errors
    /// See [`Store::tenants`].
    pub async fn deployments(&self, app: String) -> Result<Vec<Deployment>, StoreError> {
        self.run(move |db| db.deployments(&app)).await
    }

    /// Reads a deployment's content.
    ///
    /// # Errors
    /// [`StoreError::DeploymentUnknown`], [`StoreError::Damaged`].
    pub async fn load(&self, app: String, id: String) -> Result<Stored, StoreError> {
        self.run(move |db| db.load(&app, &id)).await
    }

    /// What a rollback to `id`, or by one step, would make current.
    ///
    /// # Errors
    /// [`StoreError::NothingBefore`].
    pub async fn rollback_target(&self, app: String, id: Option<String>) -> Result<Target, StoreError> {
        self.run(move |db| db.rollback_target(&app, id.as_deref())).await
    }

    /// Makes `target` current.
    ///
    /// # Errors
    /// [`StoreError::AppUnknown`], [`StoreError::DeploymentUnknown`].
    pub async fn roll_back(&self, app: String, target: Target, at: i64) -> Result<App, StoreError> {
        self.run(move |db| db.roll_back(&app, &target, at)).await
    }

    /// Removes an app with all its deployments.
    ///
    /// # Errors
    /// [`StoreError::AppUnknown`].
    pub async fn remove_app(&self, app: String) -> Result<(), StoreError> {
        self.run(move |db| db.remove_app(&app)).await
    }

    /// The plans of these keys, as JSON, where they are known.
    ///
    /// # Errors
    /// See [`Store::tenants`].
    pub async fn plans(&self, keys: Vec<String>) -> Result<HashMap<String, String>, StoreError> {
        self.run(move |db| db.plans(&keys)).await
    }

    /// Stores plans of a deployment's functions. Says whether the deployment is still there.
    ///
    /// # Errors
    /// See [`Store::tenants`].
    pub async fn set_plans(&self, app: String, id: String, plans: Vec<PlanRow>, at: i64) -> Result<bool, StoreError> {
        self.run(move |db| db.set_plans(&app, &id, &plans, at)).await
    }

    /// Drops the plans that no deployment has any more; their keys.
    ///
    /// # Errors
    /// See [`Store::tenants`].
    pub async fn drop_unused_plans(&self) -> Result<Vec<String>, StoreError> {
        self.run(|db| db.drop_unused_plans()).await
    }

    /// Drops the plans of every build of Isle but `base`; the keys of those that stay.
    ///
    /// # Errors
    /// See [`Store::tenants`].
    pub async fn keep_plans_of(&self, base: String) -> Result<HashSet<String>, StoreError> {
        self.run(move |db| db.keep_plans_of(&base)).await
    }
}
