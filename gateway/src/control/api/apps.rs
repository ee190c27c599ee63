//! Apps: listed, rolled back, evicted and deleted.

use super::{Answer, ApiReply, Caller, Inner, LiveApp, parse};
use crate::control::bundle::BuiltFunction;
use crate::control::live::Content;
use crate::control::plans::Plan;
use crate::control::reply::ApiError;
use crate::control::{Plane, now_ms};
use crate::route::FunctionVersion;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A function as callers see it.
#[derive(Serialize)]
pub(super) struct FunctionView {
    name: String,
    entry: String,
    routes: Vec<String>,
    urls: Vec<String>,
    startup_cpu_ms: f64,
    start: StartView,
}

/// How a function is started, and what was found out about that.
#[derive(Serialize)]
struct StartView {
    plan: &'static str,
    source_us: Option<u64>,
    pooled_us: Option<u64>,
    snapshot_us: Option<u64>,
    warmed_up: bool,
    snapshot_bytes: u64,
    cache_bytes: u64,
    refused: Option<String>,
    hint: Option<&'static str>,
    building: bool,
}

/// The answer to a deploy and to a rollback.
#[derive(Serialize)]
pub(super) struct DeployedView {
    pub(super) app: String,
    pub(super) deployment: String,
    pub(super) unchanged: bool,
    pub(super) functions: Vec<FunctionView>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RollbackBody {
    #[serde(default)]
    deployment: Option<String>,
}

impl StartView {
    fn of(plan: Option<&Plan>, version: &FunctionVersion, building: bool) -> StartView {
        StartView {
            plan: version.plan.as_str(),
            source_us: plan.and_then(|plan| plan.source_us),
            pooled_us: plan.and_then(|plan| plan.pooled_us),
            snapshot_us: plan.and_then(|plan| plan.snapshot_us),
            warmed_up: plan.is_some_and(|plan| plan.warmed_up),
            snapshot_bytes: plan.map_or(0, |plan| plan.snapshot_bytes),
            cache_bytes: plan.map_or(0, |plan| plan.cache_bytes),
            refused: plan.and_then(|plan| plan.refused.clone()),
            hint: plan.and_then(Plan::hint),
            building,
        }
    }
}

impl<P: Plane> Inner<P> {
    /// An app's functions as callers see them.
    pub(super) fn functions(&self, app: &str, content: &Content) -> Vec<FunctionView> {
        let base = &self.settings.public_base;
        let builds = self.workshop().is_some();
        let view = |(name, function): (&String, &BuiltFunction)| {
            let plan = content.plans.get(name);
            FunctionView {
                name: name.clone(),
                entry: function.version.spec.entry.clone(),
                routes: function.routes.iter().map(|r| String::from_utf8_lossy(r.key()).into_owned()).collect(),
                urls: function.routes.iter().map(|route| base.url(app, route.path())).collect(),
                startup_cpu_ms: f64::from(content.startup_us.get(name).copied().unwrap_or(0)) / 1_000.0,
                start: StartView::of(plan, &function.version, builds && plan.is_none()),
            }
        };
        content.built.functions.iter().map(view).collect()
    }

    fn app_functions(&self, app: &LiveApp) -> Vec<FunctionView> {
        let content = app.content.as_ref();
        content.map(|content| self.functions(&app.row.name, content)).unwrap_or_default()
    }

    pub(super) fn list_apps(&self, caller: &Caller) -> Answer {
        let theirs = |app: &&std::sync::Arc<LiveApp>| match caller {
            Caller::Admin => true,
            Caller::Tenant(name) => app.row.tenant == *name,
        };
        let apps: Vec<_> = self.live().apps().filter(theirs).cloned().collect();
        let view = |app: &std::sync::Arc<LiveApp>| {
            json!({
                "app": app.row.name, "tenant": app.row.tenant, "deployment": app.row.current,
                "created_at": app.row.created_at, "updated_at": app.row.updated_at,
                "damaged": app.content.is_none(), "functions": self.app_functions(app),
            })
        };
        Ok(ApiReply::json(StatusCode::OK, &json!({"apps": apps.iter().map(view).collect::<Vec<_>>()})))
    }

    pub(super) async fn list_deployments(&self, caller: &Caller, app: &str) -> Answer {
        self.app(caller, app)?;
        let deployments = self.store.deployments(app.to_owned()).await?;
        let view = |d: &crate::control::store::Deployment| json!({"id": d.id, "created_at": d.created_at, "current": d.current, "bytes": d.bytes});
        let deployments: Vec<_> = deployments.iter().map(view).collect();
        Ok(ApiReply::json(StatusCode::OK, &json!({"deployments": deployments})))
    }

    /// The answer for an app that serves `id` already, if it does.
    pub(super) fn unchanged(&self, app: &LiveApp, id: &str) -> Option<ApiReply> {
        let serves = app.row.current == id && app.content.is_some();
        serves.then(|| {
            let functions = self.app_functions(app);
            let (app, deployment) = (app.row.name.clone(), id.to_owned());
            ApiReply::json(StatusCode::OK, &DeployedView { app, deployment, unchanged: true, functions })
        })
    }

    /// Functions of a stored deployment were tried when it was deployed; a rollback is for when things
    /// are bad, and does not wait for another try. Plans that are missing follow in the background.
    pub(super) async fn roll_back(self: std::sync::Arc<Self>, caller: &Caller, app: String, body: &[u8]) -> Answer {
        let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
        let RollbackBody { deployment } = parse(body)?;
        let _alone = self.locks.lock(&app).await;
        let current = self.app(caller, &app)?;
        if let Some(reply) = deployment.as_deref().and_then(|id| self.unchanged(&current, id)) {
            return Ok(reply);
        }
        let target = self.store.rollback_target(app.clone(), deployment).await?;
        let stored = self.store.load(app.clone(), target.id.clone()).await?;
        let content = self.content(&current.row.tenant, &app, &target.id, stored).await;
        let content = content.map_err(|reason| {
            tracing::error!(app, deployment = target.id, reason, "a deployment cannot be served");
            ApiError::new(
                StatusCode::CONFLICT,
                "deployment_damaged",
                "this Isle cannot serve the deployment; deploy it again",
            )
        })?;
        let deployment = target.id.clone();
        let row = self.store.roll_back(app.clone(), target, now_ms()).await?;
        let functions = self.functions(&app, &content);
        self.put_live(row, content);
        tracing::info!(app, deployment, "rolled back");
        Ok(ApiReply::json(StatusCode::OK, &DeployedView { app, deployment, unchanged: false, functions }))
    }

    pub(super) async fn remove_app(&self, caller: &Caller, app: String) -> Answer {
        let _alone = self.locks.lock(&app).await;
        self.app(caller, &app)?;
        self.store.remove_app(app.clone()).await?;
        self.publish(|live| live.remove_app(&app));
        self.drop_unused().await;
        tracing::info!(app, "deleted");
        Ok(ApiReply::nothing())
    }

    pub(super) fn evict(&self, caller: &Caller, app: &str, function: &str) -> Answer {
        let app = self.app(caller, app)?;
        let found = app.content.as_ref().and_then(|content| content.built.functions.get(function));
        let unknown = || {
            ApiError::not_found("function_not_found", format!("the app has no function `{}`", function.escape_debug()))
        };
        self.plane.evict(&found.ok_or_else(unknown)?.version);
        Ok(ApiReply::nothing())
    }
}
