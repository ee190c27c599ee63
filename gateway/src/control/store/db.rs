//! What is done to the database and the blobs, each as one transaction. Runs on the store's thread.

use super::blobs::Blobs;
use super::{App, Deployment, NewDeployment, StoreError, Stored, Target, Tenant};
use crate::control::tokens::TokenHash;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};

/// Deployments and rollback steps kept for an app. 100: months of work for most; older ones go
/// when a new one comes, the current one and what can be rolled back to never.
pub(super) const KEPT_MAX: usize = 100;

pub(super) type Result<T> = std::result::Result<T, StoreError>;

pub(super) struct Db {
    pub(super) connection: Connection,
    pub(super) blobs: Blobs,
}

fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

fn tenant_of(tx: &Transaction<'_>, app: &str) -> Result<Option<String>> {
    let row = tx.query_row("SELECT tenant FROM apps WHERE name = ?1", [app], |row| row.get(0));
    Ok(row.optional()?)
}

fn app_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<App> {
    Ok(App {
        name: row.get(0)?,
        tenant: row.get(1)?,
        current: row.get(2)?,
        created_at: row.get(3)?,
        updated_at: row.get(4)?,
    })
}

const APP_COLUMNS: &str = "SELECT name, tenant, current, created_at, updated_at FROM apps";

impl Db {
    pub(super) fn begin(&mut self) -> Result<Transaction<'_>> {
        Ok(self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
    }

    /// Removes blobs that a crash left behind.
    pub(super) fn sweep(&self) -> Result<()> {
        let mut statement = self.connection.prepare("SELECT DISTINCT blob FROM deployments")?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?;
        let needed = names.collect::<rusqlite::Result<std::collections::HashSet<_>>>()?;
        self.blobs.sweep(|name| needed.contains(name))?;
        Ok(())
    }

    pub(super) fn tenants(&self) -> Result<Vec<Tenant>> {
        let mut statement =
            self.connection.prepare("SELECT name, token_hash, created_at FROM tenants ORDER BY name")?;
        let rows = statement.query_map([], |row| {
            Ok(Tenant { name: row.get(0)?, token: TokenHash(row.get(1)?), created_at: row.get(2)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    pub(super) fn add_tenant(&mut self, tenant: &Tenant) -> Result<()> {
        let sql = "INSERT INTO tenants (name, token_hash, created_at) VALUES (?1, ?2, ?3)";
        match self.connection.execute(sql, params![tenant.name, tenant.token.0, tenant.created_at]) {
            Err(error) if is_constraint(&error) => Err(StoreError::TenantExists),
            done => Ok(done.map(|_| ())?),
        }
    }

    pub(super) fn remove_tenant(&mut self, name: &str) -> Result<()> {
        match self.connection.execute("DELETE FROM tenants WHERE name = ?1", [name]) {
            Err(error) if is_constraint(&error) => Err(StoreError::TenantHasApps),
            Ok(0) => Err(StoreError::TenantUnknown),
            done => Ok(done.map(|_| ())?),
        }
    }

    pub(super) fn apps(&self) -> Result<Vec<App>> {
        let mut statement = self.connection.prepare(&format!("{APP_COLUMNS} ORDER BY name"))?;
        let rows = statement.query_map([], app_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Stores a deployment and makes it current. Of one that cannot be stored no blob is left, unless
    /// another deployment has it.
    pub(super) fn deploy(&mut self, new: &NewDeployment) -> Result<App> {
        match self.commit(new) {
            Ok((app, dropped)) => {
                self.forget(dropped);
                Ok(app)
            }
            Err(error) => {
                self.forget(vec![new.blob.clone()]);
                Err(error)
            }
        }
    }

    /// The app with its new deployment, and the blobs of those that had to go for it.
    fn commit(&mut self, new: &NewDeployment) -> Result<(App, Vec<String>)> {
        // Before the transaction: a row never names a blob that is not on disk.
        self.blobs.put(&new.blob, &new.content)?;
        let tx = self.begin()?;
        match tenant_of(&tx, &new.app)? {
            Some(tenant) if tenant != new.tenant => return Err(StoreError::AppUnknown),
            Some(_) => {}
            None => {
                let sql =
                    "INSERT INTO apps (name, tenant, current, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)";
                match tx.execute(sql, params![new.app, new.tenant, new.id, new.at]) {
                    Err(error) if is_constraint(&error) => return Err(StoreError::TenantUnknown),
                    done => done?,
                };
            }
        }
        tx.execute(
            "INSERT INTO deployments (app, id, blob, bytes, startup, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (app, id) DO NOTHING",
            params![new.app, new.id, new.blob, new.content.len(), new.startup, new.at],
        )?;
        super::plans::save(&tx, &new.app, &new.id, &new.plans, new.at)?;
        push(&tx, &new.app, &new.id, new.at)?;
        let dropped = prune(&tx, &new.app)?;
        let app = tx.query_row(&format!("{APP_COLUMNS} WHERE name = ?1"), [&new.app], app_row)?;
        tx.commit()?;
        Ok((app, dropped))
    }

    pub(super) fn deployments(&self, app: &str) -> Result<Vec<Deployment>> {
        let mut statement = self.connection.prepare(
            "SELECT d.id, d.created_at, d.bytes, d.id = a.current FROM deployments d JOIN apps a ON a.name = d.app
             WHERE d.app = ?1 ORDER BY d.seq DESC",
        )?;
        let rows = statement.query_map([app], |row| {
            Ok(Deployment { id: row.get(0)?, created_at: row.get(1)?, bytes: row.get(2)?, current: row.get(3)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Reads a deployment's content.
    pub(super) fn load(&self, app: &str, id: &str) -> Result<Stored> {
        let row = self.connection.query_row(
            "SELECT blob, startup FROM deployments WHERE app = ?1 AND id = ?2",
            [app, id],
            |row| Ok((row.get::<_, String>(0)?, row.get(1)?)),
        );
        let (blob, startup) = row.optional()?.ok_or(StoreError::DeploymentUnknown)?;
        let content = self.blobs.get(&blob).map_err(|error| StoreError::Damaged(error.to_string()))?;
        Ok(Stored { content, startup })
    }

    /// What a rollback would make current: `id`, or what was current before.
    pub(super) fn rollback_target(&self, app: &str, id: Option<&str>) -> Result<Target> {
        if let Some(id) = id {
            return Ok(Target { id: id.into(), steps_back: false });
        }
        let sql = "SELECT id FROM history WHERE app = ?1 ORDER BY seq DESC LIMIT 1 OFFSET 1";
        let below = self.connection.query_row(sql, [app], |row| row.get(0)).optional()?;
        Ok(Target { id: below.ok_or(StoreError::NothingBefore)?, steps_back: true })
    }

    pub(super) fn roll_back(&mut self, app: &str, target: &Target, at: i64) -> Result<App> {
        let tx = self.begin()?;
        if target.steps_back {
            tx.execute("DELETE FROM history WHERE seq = (SELECT max(seq) FROM history WHERE app = ?1)", [app])?;
            tx.execute("UPDATE apps SET current = ?2, updated_at = ?3 WHERE name = ?1", params![app, target.id, at])?;
        } else {
            push(&tx, app, &target.id, at)?;
        }
        let row = tx.query_row(&format!("{APP_COLUMNS} WHERE name = ?1"), [app], app_row).optional()?;
        let row = row.ok_or(StoreError::AppUnknown)?;
        match tx.commit() {
            // The deferred foreign key: the target is not there any more.
            Err(error) if is_constraint(&error) => Err(StoreError::DeploymentUnknown),
            done => Ok(done.map(|()| row)?),
        }
    }

    pub(super) fn remove_app(&mut self, app: &str) -> Result<()> {
        let tx = self.begin()?;
        let blobs = blobs_of(&tx, "SELECT DISTINCT blob FROM deployments WHERE app = ?1", app)?;
        if tx.execute("DELETE FROM apps WHERE name = ?1", [app])? == 0 {
            return Err(StoreError::AppUnknown);
        }
        tx.commit()?;
        self.forget(blobs);
        Ok(())
    }

    /// Removes those of the blobs that no deployment of any app has. Only this thread adds
    /// deployments, so none can come to need one meanwhile.
    fn forget(&self, blobs: Vec<String>) {
        for blob in blobs {
            let sql = "SELECT EXISTS (SELECT 1 FROM deployments WHERE blob = ?1)";
            if let Ok(false) = self.connection.query_row(sql, [&blob], |row| row.get(0)) {
                self.blobs.remove(&blob);
            }
        }
    }
}

fn push(tx: &Transaction<'_>, app: &str, id: &str, at: i64) -> Result<()> {
    tx.execute("UPDATE apps SET current = ?2, updated_at = ?3 WHERE name = ?1", params![app, id, at])?;
    tx.execute("INSERT INTO history (app, id, at) VALUES (?1, ?2, ?3)", params![app, id, at])?;
    Ok(())
}

fn blobs_of(tx: &Transaction<'_>, sql: &str, app: &str) -> Result<Vec<String>> {
    let mut statement = tx.prepare(sql)?;
    let rows = statement.query_map([app], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Drops what is older than [`KEPT_MAX`] allows; says which blobs that concerns.
fn prune(tx: &Transaction<'_>, app: &str) -> Result<Vec<String>> {
    tx.execute(
        &format!(
            "DELETE FROM history WHERE app = ?1 AND seq NOT IN
             (SELECT seq FROM history WHERE app = ?1 ORDER BY seq DESC LIMIT {KEPT_MAX})"
        ),
        [app],
    )?;
    let sql = format!(
        "DELETE FROM deployments WHERE app = ?1
         AND id NOT IN (SELECT id FROM history WHERE app = ?1)
         AND seq NOT IN (SELECT seq FROM deployments WHERE app = ?1 ORDER BY seq DESC LIMIT {KEPT_MAX})
         RETURNING blob"
    );
    blobs_of(tx, &sql, app)
}
