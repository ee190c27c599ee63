//! Rebuild: plans and artifacts that are missing, found out again in the background, one function at
//! a time.
//!
//! They are missing after an update of Isle (they are for one build), after a builder could not be
//! run, and when a file was damaged or had to make room. Meanwhile the functions are started from
//! their text. When an app's are all done, it is published again, if it still is what it was.

use super::api::{Found, Inner, Keyed, work};
use super::bundle::Draft;
use super::plans::Plan;
use super::{Plane, now_ms};
use crate::artifacts::{ArtifactKey, Work};
use isle_wire::{Outcome, StartWish};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::task::JoinHandle;

/// The task that rebuilds; it ends with its owner.
#[derive(Debug)]
pub(super) struct Rebuilder(JoinHandle<()>);

impl Drop for Rebuilder {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Rebuilder {
    /// Starts with `stale` apps; those that the workshop misses something of come before them.
    pub(super) fn start<P: Plane>(inner: &Arc<Inner<P>>, stale: VecDeque<String>) -> Option<Rebuilder> {
        let wants = inner.workshop()?.wants()?;
        Some(Rebuilder(tokio::spawn(run(Arc::downgrade(inner), wants, stale))))
    }
}

async fn run<P: Plane>(inner: Weak<Inner<P>>, mut wants: Receiver<String>, mut stale: VecDeque<String>) {
    loop {
        let app = match wants.try_recv() {
            Ok(app) => app,
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => match stale.pop_front() {
                Some(app) => app,
                None => match wants.recv().await {
                    Some(app) => app,
                    None => return,
                },
            },
        };
        rebuild(&inner, &app).await;
    }
}

/// Nothing strong is held while a builder runs: a node that stops does not wait for it.
async fn rebuild<P: Plane>(weak: &Weak<Inner<P>>, app: &str) {
    let Some(Missing { tenant, id, keyed, works }) = missing(weak, app).await else { return };
    let Some(workshop) = weak.upgrade().and_then(|inner| inner.workshop().cloned()) else { return };
    let mut found = Vec::new();
    for work in works {
        match workshop.build(&work, true).await {
            Ok(report) => {
                let lasting = true;
                let plan = match report.outcome {
                    Outcome::Ok if report.measured => Plan::of(&report),
                    Outcome::Ok => Plan::unmeasured(0),
                    // It did when it was deployed; its requests will say what they find.
                    outcome => {
                        tracing::error!(function = work.spec.label(), outcome = outcome.as_str(), "does not start");
                        let refused = Some(format!("it did not start when it was tried: {}", outcome.as_str()));
                        Plan { refused, ..Plan::checked(StartWish::Auto, None) }
                    }
                };
                found.push(Found { function: work.spec.function.clone(), plan, lasting });
            }
            Err(not_built) => tracing::warn!(function = work.spec.label(), %not_built, "not built again"),
        }
    }
    let Some(inner) = weak.upgrade().filter(|_| !found.is_empty()) else { return };
    let rows = found.iter().filter_map(|found| inner.row(&keyed, found)).collect();
    drop(keyed);
    let _alone = inner.alone(app).await;
    match inner.store.set_plans(app.to_owned(), id.clone(), rows, now_ms()).await {
        Ok(true) => {}
        Ok(false) => return inner.drop_unused().await,
        Err(error) => return tracing::error!(app, %error, "plans could not be stored"),
    }
    inner.republish(&tenant, app, &id).await;
}

struct Missing {
    tenant: String,
    id: String,
    keyed: Keyed,
    works: Vec<Work>,
}

/// What is missing of an app's current deployment.
async fn missing<P: Plane>(weak: &Weak<Inner<P>>, app: &str) -> Option<Missing> {
    let inner = weak.upgrade()?;
    let row = inner.live_row(app)?;
    let stored = inner.store.load(app.to_owned(), row.current.clone()).await.ok()?;
    let keyed = inner.keyed(&row.tenant, app, &row.current, stored.content).await.ok()?;
    let known = inner.known_plans(&keyed).await.ok()?;
    let unknown = |(name, draft): (&String, &Draft)| {
        let key: ArtifactKey = *keyed.keys.get(name)?;
        (!known.contains_key(name)).then(|| work(&keyed.drafts, draft, key))
    };
    let works: Vec<Work> = keyed.drafts.functions.iter().filter_map(unknown).collect();
    (!works.is_empty()).then_some(Missing { tenant: row.tenant, id: row.current, keyed, works })
}
