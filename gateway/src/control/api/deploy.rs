//! Deploy: read → validate → build each function once → commit → publish. Whatever refuses, the
//! deployment before it keeps serving.

use super::apps::DeployedView;
use super::plan::{Found, Keyed};
use super::{Answer, ApiReply, Caller, Inner, label, parse};
use crate::control::bundle::{Bundle, BundleError, digest, id_of};
use crate::control::live::Content;
use crate::control::manifest::{self, ManifestError};
use crate::control::reply::ApiError;
use crate::control::store::NewDeployment;
use crate::control::{Plane, now_ms};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;
use isle_wire::{FailureDetail, FunctionSpec, LoadReply, Outcome};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Upload {
    manifest: String,
    files: BTreeMap<String, FileContent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileContent {
    Text(String),
    Base64(String),
}

/// A bundle that is well formed, with its canonical form.
struct Prepared {
    bundle: Bundle,
    content: Vec<u8>,
    blob: String,
    id: String,
}

impl FileContent {
    fn text(self, path: &str) -> Result<String, BundleError> {
        let wrong = |what: &str| BundleError::File(path.to_owned(), what.to_owned());
        match self {
            FileContent::Text(text) => Ok(text),
            FileContent::Base64(text) => {
                let bytes = STANDARD.decode(text).map_err(|error| wrong(&format!("is no base64: {error}")))?;
                String::from_utf8(bytes).map_err(|error| wrong(&format!("is no UTF-8: {error}")))
            }
        }
    }
}

impl<P: Plane> Inner<P> {
    /// Blocks for as long as parsing and hashing the whole upload takes.
    fn prepare(&self, app: &str, body: &[u8]) -> Result<Prepared, ApiError> {
        let upload: Upload = parse(body)?;
        let manifest = manifest::parse(&upload.manifest, &self.settings.caps).map_err(BundleError::from)?;
        if manifest.app != app {
            let message = format!("is `{}`, and the request is about `{app}`", manifest.app);
            let line = manifest.app_line;
            return Err(BundleError::from(ManifestError { key: "app".into(), line, message }).into());
        }
        let files = upload.files.into_iter().map(|(path, content)| content.text(&path).map(|text| (path, text)));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let bundle = Bundle::new(manifest, files, self.settings.bundle_bytes_max)?;
        let content = bundle.encode();
        let blob = digest(&content);
        let id = id_of(&blob);
        Ok(Prepared { bundle, content, blob, id })
    }

    /// Whose app it is or will be.
    fn owner(&self, caller: &Caller, app: &str, tenant: Option<String>) -> Result<String, ApiError> {
        let live = self.live();
        let known = live.app(app).map(|app| app.row.tenant.clone());
        let tenant = match (caller, tenant) {
            (Caller::Tenant(name), given) if given.as_ref().is_none_or(|given| given == name) => name.clone(),
            (Caller::Tenant(_), _) => return Err(ApiError::admin_required()),
            (Caller::Admin, Some(given)) if live.has_tenant(&given) => given,
            (Caller::Admin, Some(_)) => return Err(ApiError::not_found("tenant_not_found", "there is no such tenant")),
            (Caller::Admin, None) => known.clone().ok_or_else(|| {
                ApiError::bad_request("tenant_required", "the app is new: say whose it is with `?tenant=NAME`")
            })?,
        };
        if known.is_some_and(|known| known != tenant) {
            return Err(ApiError::app_not_found(app));
        }
        Ok(tenant)
    }

    pub(super) async fn deploy(
        self: Arc<Self>,
        caller: &Caller,
        app: String,
        tenant: Option<String>,
        body: Bytes,
    ) -> Answer {
        label("app", &app)?;
        self.owner(caller, &app, tenant.clone())?;
        let (this, name) = (self.clone(), app.clone());
        let prepared = tokio::task::spawn_blocking(move || this.prepare(&name, &body)).await;
        let Prepared { bundle, content, blob, id } = prepared.map_err(|error| ApiError::internal(&error))??;

        let _alone = self.locks.lock(&app).await;
        // Asked again: another deploy may have made the app meanwhile.
        let tenant = self.owner(caller, &app, tenant)?;
        let current = self.live().app(&app).cloned();
        if let Some(reply) = current.and_then(|current| self.unchanged(&current, &id)) {
            return Ok(reply);
        }
        let (this, owner, name, version) = (self.clone(), tenant.clone(), app.clone(), id.clone());
        let draft = move || bundle.into_drafts(&owner, &name, &version, this.settings.allowed()).map(|d| this.key(d));
        let keyed = tokio::task::spawn_blocking(draft).await.map_err(|error| ApiError::internal(&error))?;
        let keyed = Arc::new(keyed.map_err(|error| ApiError::too_large(error.to_string()))?);
        let mut plans = self.known_plans(&keyed).await?;
        let found = self.find_all(&keyed, plans.keys().cloned().collect()).await?;
        let known =
            plans.iter().map(|(name, plan)| Found { function: name.clone(), plan: plan.clone(), lasting: true });
        let rows = known.collect::<Vec<_>>().iter().chain(&found).filter_map(|found| self.row(&keyed, found)).collect();
        let mut checked = BTreeMap::new();
        for Found { function, plan, lasting } in found {
            if lasting {
                plans.insert(function, plan)
            } else {
                checked.insert(function, plan)
            };
        }
        let startup = |(name, plan): (&String, &crate::control::plans::Plan)| {
            (name.clone(), u32::try_from(plan.source_us.unwrap_or(0)).unwrap_or(u32::MAX))
        };
        let startup_us: BTreeMap<String, u32> = plans.iter().chain(&checked).map(startup).collect();
        let built = self.assemble(&keyed, &plans).map_err(|error| ApiError::internal(&error))?;
        // What was just deployed is asked for soon.
        let (texts, versions) = (self.texts.clone(), built.versions());
        let modules = keyed.drafts.modules.clone();
        drop(keyed);
        let kept = tokio::task::spawn_blocking(move || texts.put(&versions, &modules)).await;
        kept.map_err(|error| ApiError::internal(&error))?;

        let startup = serde_json::to_string(&startup_us).map_err(|error| ApiError::internal(&error))?;
        let at = now_ms();
        let new = NewDeployment { tenant, app: app.clone(), id: id.clone(), blob, content, startup, plans: rows, at };
        let row = self.store.deploy(new).await?;
        let content = Content { built, startup_us, plans };
        let functions = self.functions(&app, &content);
        self.put_live(row, content);
        self.drop_unused().await;
        tracing::info!(app, deployment = id, "deployed");
        Ok(ApiReply::json(StatusCode::CREATED, &DeployedView { app, deployment: id, unchanged: false, functions }))
    }

    /// Finds out how to start every function that is not in `known`. At most `checks_max` checks run
    /// on the node at a time, and as many builders as are configured; deployments that wait take
    /// turns, whatever the number of their functions.
    async fn find_all(
        self: &Arc<Self>,
        keyed: &Arc<Keyed>,
        known: std::collections::BTreeSet<String>,
    ) -> Result<Vec<Found>, ApiError> {
        let mut running = JoinSet::new();
        let found = self.find_each(keyed, &known, &mut running).await;
        // After a refusal others may still run: none of them outlives the answer.
        running.shutdown().await;
        found
    }

    async fn find_each(
        self: &Arc<Self>,
        keyed: &Arc<Keyed>,
        known: &std::collections::BTreeSet<String>,
        running: &mut JoinSet<Result<Found, ApiError>>,
    ) -> Result<Vec<Found>, ApiError> {
        let mut found = Vec::new();
        let most = self.settings.checks_max.max(self.workshop().map_or(1, |workshop| workshop.builders()));
        let mut waiting = keyed.drafts.functions.keys().filter(|name| !known.contains(*name));
        loop {
            while running.len() < most
                && let Some(name) = waiting.next()
            {
                let (this, keyed, name) = (self.clone(), keyed.clone(), name.clone());
                running.spawn(async move {
                    let draft = &keyed.drafts.functions[&name];
                    this.find_plan(&keyed.drafts, draft, keyed.keys.get(&name).copied()).await
                });
            }
            let Some(ended) = running.join_next().await else { return Ok(found) };
            found.push(ended.map_err(|error| ApiError::internal(&error))??);
        }
    }
}

/// Why a function that did not start was refused, for its author.
pub(super) fn refusal(spec: &FunctionSpec, reply: &LoadReply) -> ApiError {
    if matches!(reply.outcome, Outcome::Unavailable | Outcome::RefusedBusy | Outcome::Cancelled) {
        return ApiError::unavailable("the functions could not be checked now; try again");
    }
    let limits = &spec.limits;
    let without_detail = || match reply.outcome {
        Outcome::StartupCpuExceeded => format!("starting took more than {} ms of CPU time", limits.startup_cpu_ms),
        Outcome::WallExceeded => format!("starting took longer than {} ms", limits.wall_ms),
        Outcome::HeapExceeded => format!("starting took more than {} MiB of memory", limits.heap_mb),
        Outcome::CellDied => "starting it ended the process it ran in".into(),
        other => format!("it does not start: {}", other.as_str()),
    };
    let detail: FailureDetail = serde_json::from_slice(&reply.detail).unwrap_or_default();
    let message = if detail.message.is_empty() { without_detail() } else { detail.message.clone() };
    let error_type = if detail.error_type.is_empty() { reply.outcome.as_str() } else { &detail.error_type };
    let mut details = json!({
        "function": spec.function, "outcome": reply.outcome.as_str(), "error_type": error_type, "message": message,
    });
    // Only what is known is said.
    let optional = json!({"file": detail.file, "line": detail.line, "column": detail.column, "stack": detail.stack});
    if let (Some(details), serde_json::Value::Object(optional)) = (details.as_object_mut(), optional) {
        details.extend(optional.into_iter().filter(|(_, value)| !value.is_null()));
    }
    let place =
        detail.file.as_deref().map(|file| format!(" ({file}:{})", detail.line.unwrap_or(1))).unwrap_or_default();
    ApiError::invalid("deployment_refused", format!("function `{}`{place}: {message}", spec.function)).details(details)
}
