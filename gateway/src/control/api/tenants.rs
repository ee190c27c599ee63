//! Tenants: added, listed and removed by the administrator. Changes take turns, so that they come to
//! the store and to what is live in one order.

use super::{Answer, ApiReply, Caller, Inner, label, parse};
use crate::control::reply::ApiError;
use crate::control::store::Tenant;
use crate::control::tokens::{self, TokenHash};
use crate::control::{Plane, now_ms};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    name: String,
}

fn admin_only(caller: &Caller) -> Result<(), ApiError> {
    if *caller == Caller::Admin { Ok(()) } else { Err(ApiError::admin_required()) }
}

impl<P: Plane> Inner<P> {
    pub(super) fn list_tenants(&self, caller: &Caller) -> Answer {
        admin_only(caller)?;
        let live = self.live();
        let tenants = live.tenants().iter().map(|t| json!({"name": t.name, "created_at": t.created_at}));
        Ok(ApiReply::json(StatusCode::OK, &json!({"tenants": tenants.collect::<Vec<_>>()})))
    }

    pub(super) async fn add_tenant(&self, caller: &Caller, body: &[u8]) -> Answer {
        admin_only(caller)?;
        let NewTenant { name } = parse(body)?;
        label("tenant", &name)?;
        let token = tokens::generate(tokens::TENANT_PREFIX).map_err(|error| ApiError::internal(&error))?;
        let tenant = Tenant { name: name.clone(), token: TokenHash::of(&token), created_at: now_ms() };
        let _alone = self.tenancy.lock().await;
        self.store.add_tenant(tenant.clone()).await?;
        self.live().add_tenant(tenant);
        tracing::info!(tenant = name, "tenant added");
        Ok(ApiReply::json(StatusCode::CREATED, &json!({"tenant": name, "token": token})))
    }

    pub(super) async fn remove_tenant(&self, caller: &Caller, name: String) -> Answer {
        admin_only(caller)?;
        let _alone = self.tenancy.lock().await;
        self.store.remove_tenant(name.clone()).await?;
        self.live().remove_tenant(&name);
        tracing::info!(tenant = name, "tenant removed");
        Ok(ApiReply::nothing())
    }
}
