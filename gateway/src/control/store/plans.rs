//! What is known of how functions are started. Runs on the store's thread.

use super::PlanRow;
use super::db::{Db, Result};
use rusqlite::{OptionalExtension, Transaction, params};
use std::collections::{HashMap, HashSet};

/// Stores plans of a deployment that is there.
pub(super) fn save(tx: &Transaction<'_>, app: &str, id: &str, plans: &[PlanRow], at: i64) -> Result<()> {
    for row in plans {
        tx.execute(
            "INSERT INTO plans (key, base, plan, built_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key) DO UPDATE SET base = ?2, plan = ?3, built_at = ?4",
            params![row.key, row.base, row.plan, at],
        )?;
        tx.execute(
            "INSERT INTO function_plans (app, id, function, key) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (app, id, function) DO UPDATE SET key = ?4",
            params![app, id, row.function, row.key],
        )?;
    }
    Ok(())
}

impl Db {
    pub(super) fn plans(&self, keys: &[String]) -> Result<HashMap<String, String>> {
        let mut statement = self.connection.prepare_cached("SELECT plan FROM plans WHERE key = ?1")?;
        let mut found = HashMap::new();
        for key in keys {
            if let Some(plan) = statement.query_row([key], |row| row.get(0)).optional()? {
                found.insert(key.clone(), plan);
            }
        }
        Ok(found)
    }

    pub(super) fn set_plans(&mut self, app: &str, id: &str, plans: &[PlanRow], at: i64) -> Result<bool> {
        let tx = self.begin()?;
        let sql = "SELECT EXISTS (SELECT 1 FROM deployments WHERE app = ?1 AND id = ?2)";
        let there = tx.query_row(sql, [app, id], |row| row.get(0))?;
        if there {
            save(&tx, app, id, plans, at)?;
            tx.commit()?;
        }
        Ok(there)
    }

    pub(super) fn drop_unused_plans(&mut self) -> Result<Vec<String>> {
        let sql = "DELETE FROM plans WHERE NOT EXISTS (SELECT 1 FROM function_plans f WHERE f.key = plans.key)
                   RETURNING key";
        let mut statement = self.connection.prepare_cached(sql)?;
        let keys = statement.query_map([], |row| row.get(0))?;
        Ok(keys.collect::<rusqlite::Result<_>>()?)
    }

    pub(super) fn keep_plans_of(&mut self, base: &str) -> Result<HashSet<String>> {
        self.connection.execute("DELETE FROM plans WHERE base <> ?1", [base])?;
        self.drop_unused_plans()?;
        let mut statement = self.connection.prepare("SELECT key FROM plans")?;
        let keys = statement.query_map([], |row| row.get(0))?;
        Ok(keys.collect::<rusqlite::Result<_>>()?)
    }
}
