//! The database's tables, and how older ones are brought up to date.

use super::StoreError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// Each entry brings a database from the version of its index to the next. Entries are only ever
/// appended: a database in the field may be at any of them.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE tenants (
        name        TEXT PRIMARY KEY,
        token_hash  BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
        created_at  INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE apps (
        name        TEXT PRIMARY KEY,
        tenant      TEXT NOT NULL REFERENCES tenants (name),
        current     TEXT NOT NULL,
        created_at  INTEGER NOT NULL,
        updated_at  INTEGER NOT NULL,
        FOREIGN KEY (name, current) REFERENCES deployments (app, id) DEFERRABLE INITIALLY DEFERRED
    ) STRICT;
    CREATE INDEX apps_by_tenant ON apps (tenant);
    -- Rows never change. `startup` is a JSON object: function's name to CPU time in microseconds.
    CREATE TABLE deployments (
        seq         INTEGER PRIMARY KEY AUTOINCREMENT,
        app         TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
        id          TEXT NOT NULL,
        blob        TEXT NOT NULL,
        bytes       INTEGER NOT NULL,
        startup     TEXT NOT NULL,
        created_at  INTEGER NOT NULL,
        UNIQUE (app, id)
    ) STRICT;
    CREATE INDEX deployments_by_blob ON deployments (blob);
    -- A stack for each app: the top is current, what is below it is what a rollback goes back to.
    CREATE TABLE history (
        seq         INTEGER PRIMARY KEY AUTOINCREMENT,
        app         TEXT NOT NULL REFERENCES apps (name) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
        id          TEXT NOT NULL,
        at          INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX history_by_app ON history (app, seq);
",
    "
    -- How function versions are started, by what decides it: one row for the same content, however
    -- often it is deployed. `base` names the build of Isle; `plan` is JSON.
    CREATE TABLE plans (
        key         TEXT PRIMARY KEY,
        base        TEXT NOT NULL,
        plan        TEXT NOT NULL,
        built_at    INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE function_plans (
        app         TEXT NOT NULL,
        id          TEXT NOT NULL,
        function    TEXT NOT NULL,
        key         TEXT NOT NULL REFERENCES plans (key) ON DELETE CASCADE,
        PRIMARY KEY (app, id, function),
        FOREIGN KEY (app, id) REFERENCES deployments (app, id) ON DELETE CASCADE
    ) STRICT;
    CREATE INDEX function_plans_by_key ON function_plans (key);
",
];

/// Opens the database and brings it up to date.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    // The data folder is locked by one node; only somebody's sqlite3 shell could be in the way.
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit that returned is on disk. WAL alone would only promise consistency.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let version: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let Some(missing) = MIGRATIONS.get(version..) else { return Err(StoreError::TooNew(version)) };
    for (done, migration) in missing.iter().enumerate() {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version + done + 1)?;
        transaction.commit()?;
    }
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_twice_migrates_once_and_a_newer_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("isle.db");
        drop(open(&path).unwrap());
        let connection = open(&path).unwrap();
        let settings = ["journal_mode", "synchronous", "foreign_keys"].map(|name| {
            connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap()
        });
        assert_eq!(settings, [rusqlite::types::Value::Text("wal".into()), 2.into(), 1.into()]);
        connection.pragma_update(None, "user_version", MIGRATIONS.len() + 1).unwrap();
        drop(connection);
        assert!(matches!(open(&path), Err(StoreError::TooNew(_))));
    }
}
