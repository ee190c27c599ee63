//! Plans: what is known of how functions are started, and finding out what is not.
//!
//! A function is built once for the same content, tenant and build of Isle. Where no builder can
//! be run, it is started once in a throw-away cell, as a check: it is deployed or refused for the
//! same reasons either way.

use super::Inner;
use super::deploy::refusal;
use crate::artifacts::{ArtifactKey, Work, Workshop};
use crate::control::Plane;
use crate::control::bundle::{Built, Bundle, Draft, Drafts};
use crate::control::plans::Plan;
use crate::control::reply::ApiError;
use crate::control::store::{PlanRow, StoreError};
use crate::route::FunctionVersion;
use isle_wire::{BuildReport, FunctionSpec, LoadReply, Outcome, StartKind, StartWish};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The longest a check may take. The limits end a start long before; this is for a cell that
/// cannot be started or asked, so that the app does not stay locked.
const CHECK_TIMEOUT: Duration = Duration::from_secs(120);

/// A bundle's functions, and the key of each where there is a workshop.
pub(crate) struct Keyed {
    pub(crate) drafts: Drafts,
    pub(crate) keys: BTreeMap<String, ArtifactKey>,
}

/// What was found out about a function.
pub(crate) struct Found {
    pub(crate) function: String,
    pub(crate) plan: Plan,
    /// Whether it holds for this content, and not only for now.
    pub(crate) lasting: bool,
}

/// Encodes a builder's refusal as a cell says the same.
fn as_reply(report: &BuildReport) -> LoadReply {
    let detail = report.failure.as_ref().and_then(|failure| serde_json::to_vec(failure).ok()).unwrap_or_default();
    LoadReply { outcome: report.outcome, cpu_us: 0, detail: detail.into() }
}

impl<P: Plane> Inner<P> {
    /// The workshop, where anything is to be built at all.
    pub(crate) fn workshop(&self) -> Option<&Arc<Workshop>> {
        self.plane.workshop().filter(|workshop| workshop.wish() != StartWish::Source)
    }

    fn wish(&self) -> StartWish {
        self.plane.workshop().map_or(StartWish::Auto, |workshop| workshop.wish())
    }

    /// Gives each function its key. Hashes the whole text once a function: off the serving threads.
    pub(crate) async fn keyed(
        self: &Arc<Self>,
        tenant: &str,
        app: &str,
        id: &str,
        content: Vec<u8>,
    ) -> Result<Keyed, String> {
        let (this, tenant, app, id) = (self.clone(), tenant.to_owned(), app.to_owned(), id.to_owned());
        let work = move || {
            let bundle = Bundle::decode(&content).map_err(|error| error.to_string())?;
            drop(content);
            let drafts = bundle.into_drafts(&tenant, &app, &id, this.settings.allowed());
            drafts.map(|drafts| this.key(drafts)).map_err(|error| error.to_string())
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
    }

    /// The same for functions that are at hand.
    pub(crate) fn key(&self, drafts: Drafts) -> Keyed {
        let key = |(name, draft): (&String, &Draft)| {
            let workshop = self.workshop()?;
            Some((name.clone(), workshop.key(&draft.spec, &drafts.modules, &draft.warm_ups)))
        };
        let keys = drafts.functions.iter().filter_map(key).collect();
        Keyed { drafts, keys }
    }

    /// The plans that are known, by function. One whose artifact has gone is not.
    pub(crate) async fn known_plans(&self, keyed: &Keyed) -> Result<BTreeMap<String, Plan>, StoreError> {
        let Some(workshop) = self.workshop() else { return Ok(BTreeMap::new()) };
        let stored = self.store.plans(keyed.keys.values().map(ArtifactKey::to_string).collect()).await?;
        let known = |(name, key): (&String, &ArtifactKey)| {
            let plan: Plan = serde_json::from_str(stored.get(&key.to_string())?).ok()?;
            (!plan.artifact || workshop.has(key)).then(|| (name.clone(), plan))
        };
        Ok(keyed.keys.iter().filter_map(known).collect())
    }

    /// Makes the versions to be published. What is not known is started in a spare isolate.
    pub(crate) fn assemble(&self, keyed: &Keyed, plans: &BTreeMap<String, Plan>) -> Result<Built, String> {
        let unknown = Plan::checked(self.wish(), None).start;
        let make = |_: &Drafts, draft: &Draft| {
            let (mut spec, name) = (draft.spec.clone(), &draft.spec.function);
            let plan = plans.get(name);
            let start = plan.map_or(unknown, |plan| plan.start);
            let artifact = plan.filter(|plan| plan.artifact).and_then(|_| keyed.keys.get(name).copied());
            // Without an artifact there is nothing to restore.
            let start = if artifact.is_none() && start == StartKind::Snapshot { unknown } else { start };
            spec.artifact = artifact.as_ref().map(ArtifactKey::to_string).unwrap_or_default();
            let group = self.cell_group(&spec.tenant);
            FunctionVersion::stored(spec, group, start, artifact, self.texts.clone())
        };
        keyed.drafts.build(make).map_err(|error| error.to_string())
    }

    /// Finds out how a function is best started, or why it cannot be.
    pub(super) async fn find_plan(
        &self,
        drafts: &Drafts,
        draft: &Draft,
        key: Option<ArtifactKey>,
    ) -> Result<Found, ApiError> {
        let found = |plan, lasting| Found { function: draft.spec.function.clone(), plan, lasting };
        let (Some(workshop), Some(key)) = (self.workshop(), key) else {
            let startup_us = self.check(drafts, draft).await?;
            return Ok(found(Plan::checked(self.wish(), Some(startup_us)), false));
        };
        let work = work(drafts, draft, key);
        match workshop.build(&work, false).await {
            Ok(report) if report.outcome != Outcome::Ok => Err(refusal(&draft.spec, &as_reply(&report))),
            Ok(report) if report.measured => Ok(found(Plan::of(&report), true)),
            // Its process died, so a cell's limits will say whether it can start at all.
            Ok(_) => Ok(found(Plan::unmeasured(self.check(drafts, draft).await?), true)),
            Err(not_built) => {
                tracing::warn!(function = draft.spec.label(), %not_built, "a function is only checked");
                let startup_us = self.check(drafts, draft).await?;
                Ok(found(Plan::checked(workshop.wish(), Some(startup_us)), false))
            }
        }
    }

    /// Starts the function once in a throw-away cell; the CPU time of that, in µs.
    async fn check(&self, drafts: &Drafts, draft: &Draft) -> Result<u64, ApiError> {
        let _permit = self.checks.acquire().await;
        let group = self.cell_group(&draft.spec.tenant);
        let version = Arc::new(FunctionVersion::new(drafts.whole(draft), group));
        let reply = tokio::time::timeout(CHECK_TIMEOUT, self.plane.check(&version)).await;
        let reply = reply.map_err(|_| ApiError::unavailable("the functions could not be checked in time"))?;
        match reply.outcome {
            Outcome::Ok => Ok(u64::from(reply.cpu_us)),
            _ => Err(refusal(&draft.spec, &reply)),
        }
    }

    /// What is to be stored of a function's plan.
    pub(crate) fn row(&self, keyed: &Keyed, found: &Found) -> Option<PlanRow> {
        let (workshop, key) = (self.workshop()?, keyed.keys.get(&found.function)?);
        let plan = serde_json::to_string(&found.plan).ok()?;
        let (function, base) = (found.function.clone(), workshop.base_name().to_owned());
        found.lasting.then(|| PlanRow { function, key: key.to_string(), base, plan })
    }

    /// Removes what other builds of Isle, and deployments that are gone, have left.
    pub(super) async fn tidy_artifacts(&self) -> Result<(), StoreError> {
        let Some(workshop) = self.plane.workshop().cloned() else { return Ok(()) };
        let needed = self.store.keep_plans_of(workshop.base_name().to_owned()).await?;
        let retain = move || workshop.retain(|key| needed.contains(&key.to_string()));
        tokio::task::spawn_blocking(retain).await.map_err(|_| StoreError::Closed)
    }

    /// Removes what no deployment needs any more. Nothing fails for want of it.
    pub(crate) async fn drop_unused(&self) {
        let Some(workshop) = self.plane.workshop().cloned() else { return };
        match self.store.drop_unused_plans().await {
            Ok(keys) if keys.is_empty() => {}
            Ok(keys) => {
                let keys: Vec<ArtifactKey> = keys.iter().filter_map(|key| key.parse().ok()).collect();
                let removed = tokio::task::spawn_blocking(move || workshop.remove(&keys)).await;
                drop(removed);
            }
            Err(error) => tracing::error!(%error, "plans that are not needed any more stay"),
        }
    }
}

/// A function as a builder takes it.
pub(crate) fn work(drafts: &Drafts, draft: &Draft, key: ArtifactKey) -> Work {
    let spec = FunctionSpec { artifact: key.to_string(), ..draft.spec.clone() };
    Work { key, spec, modules: drafts.modules.clone(), warm_ups: draft.warm_ups.clone() }
}
