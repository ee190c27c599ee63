//! Apps: listed, rolled back, evicted and deleted.

use super::{Answer, ApiReply, Caller, Inner, LiveApp, PublicBase, parse};
use crate::control::live::Content;
use crate::control::reply::ApiError;
use crate::control::{Plane, now_ms};
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

pub(super) fn functions(base: &PublicBase, app: &str, content: &Content) -> Vec<FunctionView> {
    let view = |(name, function): (&String, &crate::control::bundle::BuiltFunction)| FunctionView {
        name: name.clone(),
        entry: function.version.spec.entry.clone(),
        routes: function.routes.iter().map(|route| String::from_utf8_lossy(route.key()).into_owned()).collect(),
        urls: function.routes.iter().map(|route| base.url(app, route.path())).collect(),
        startup_cpu_ms: f64::from(content.startup_us.get(name).copied().unwrap_or(0)) / 1_000.0,
    };
    content.built.functions.iter().map(view).collect()
}

impl<P: Plane> Inner<P> {
    fn app_functions(&self, app: &LiveApp) -> Vec<FunctionView> {
        let content = app.content.as_ref();
        content.map(|content| functions(&self.settings.public_base, &app.row.name, content)).unwrap_or_default()
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

    /// Functions of a stored deployment were checked when it was deployed; a rollback is for when
    /// things are bad, and does not wait for another check.
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
        let (this, tenant, name, id) = (self.clone(), current.row.tenant.clone(), app.clone(), target.id.clone());
        let build = move || this.content(&tenant, &name, &id, &stored);
        let content = tokio::task::spawn_blocking(build).await.map_err(|error| ApiError::internal(&error))?;
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
        let functions = functions(&self.settings.public_base, &app, &content);
        self.put_live(row, content);
        tracing::info!(app, deployment, "rolled back");
        Ok(ApiReply::json(StatusCode::OK, &DeployedView { app, deployment, unchanged: false, functions }))
    }

    pub(super) async fn remove_app(&self, caller: &Caller, app: String) -> Answer {
        let _alone = self.locks.lock(&app).await;
        self.app(caller, &app)?;
        self.store.remove_app(app.clone()).await?;
        self.publish(|live| live.remove_app(&app));
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
