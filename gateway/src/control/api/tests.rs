//! The whole API over a data plane without cells: what it answers, what it publishes, and what is
//! left after every refusal and after a restart.

mod document;
mod node;
mod refusals;

use super::*;
use crate::control::ApiBody;
use crate::control::store::Tenant;
use node::{MANIFEST, Node, upload};
use serde_json::json;
use std::pin::pin;
use std::task::{Context, Waker};

#[tokio::test]
async fn a_deployment_is_reached_at_its_urls_and_the_same_content_is_a_no_op() {
    let node = Node::start().await;
    let token = node.add_tenant("acme").await;
    let first = node.post(&token, "/v1/apps/blog/deployments", upload(MANIFEST, "one")).await;
    assert_eq!(first.status, 201);
    assert_eq!(first.json["unchanged"], false);
    let function = &first.json["functions"][0];
    assert_eq!(function["urls"], json!(["http://blog.localhost:3000/hello/{name}", "http://blog.localhost:3000/"]));
    assert_eq!(function["routes"], json!(["GET /hello/{name}", "$default"]));
    assert_eq!(function["startup_cpu_ms"], 1.5);
    let matched = node.plane.route("blog.localhost", "GET", "/hello/isle").unwrap();
    assert_eq!(matched.function.spec.label(), "acme/blog/hello");
    assert_eq!(matched.function.spec.deployment, first.json["deployment"].as_str().unwrap());
    let published = node.plane.published();

    let respelled = format!("# a comment\n{MANIFEST}");
    let again = node.post(&token, "/v1/apps/blog/deployments", upload(&respelled, "one")).await;
    assert_eq!((again.status, &again.json["unchanged"]), (200, &json!(true)));
    assert_eq!(again.json["deployment"], first.json["deployment"]);
    assert_eq!(node.plane.published(), published, "nothing is published for nothing");

    let second = node.post(&token, "/v1/apps/blog/deployments", upload(MANIFEST, "two")).await;
    assert_ne!(second.json["deployment"], first.json["deployment"]);
    assert_eq!(node.plane.serving("blog.localhost"), second.json["deployment"].as_str());
    let listed = node.get(&token, "/v1/apps/blog/deployments").await.json;
    let brief: Vec<_> = listed["deployments"].as_array().unwrap().iter().map(|d| (&d["id"], &d["current"])).collect();
    assert_eq!(brief, [(&second.json["deployment"], &json!(true)), (&first.json["deployment"], &json!(false))]);
}

#[tokio::test]
async fn rollback_and_delete_are_published() {
    let node = Node::start().await;
    let token = node.add_tenant("acme").await;
    let one = node.deploy(&token, "one").await;
    let two = node.deploy(&token, "two").await;
    let back = node.post(&token, "/v1/apps/blog/rollback", json!({"deployment": null})).await;
    assert_eq!((back.status, back.json["deployment"].as_str().unwrap()), (200, one.as_str()));
    assert_eq!(back.json["functions"][0]["startup_cpu_ms"], 1.5);
    assert_eq!(node.plane.serving("blog.localhost").unwrap(), one);
    let named = node.post(&token, "/v1/apps/blog/rollback", json!({"deployment": two})).await;
    assert_eq!(named.status, 200);
    assert_eq!(node.plane.serving("blog.localhost").unwrap(), two);
    let same = node.post(&token, "/v1/apps/blog/rollback", json!({"deployment": two})).await;
    assert_eq!(same.json["unchanged"], true);
    assert_eq!(node.call(&token, "DELETE", "/v1/apps/blog", "").await.status, 204);
    assert_eq!(node.plane.serving("blog.localhost"), None);
    assert_eq!(node.get(&token, "/v1/apps").await.json, json!({"apps": []}));
}

#[tokio::test]
async fn a_restart_serves_what_was_deployed_and_tokens_stay() {
    let node = Node::start().await;
    let token = node.add_tenant("acme").await;
    node.deploy(&token, "one").await;
    let two = node.deploy(&token, "two").await;
    let before = node.get(&token, "/v1/apps").await.json;
    let node = node.restart().await;
    assert_eq!(node.plane.serving("blog.localhost").unwrap(), two);
    assert_eq!(node.get(&token, "/v1/apps").await.json, before);
    assert_eq!(node.post(&token, "/v1/apps/blog/deployments", upload(MANIFEST, "two")).await.status, 200);
    assert_eq!(node.post(&token, "/v1/apps/blog/rollback", json!({})).await.status, 200);
}

#[tokio::test]
async fn a_deploy_that_answered_survives_the_nodes_sudden_death() {
    let node = Node::start().await;
    let token = node.add_tenant("acme").await;
    let one = node.deploy(&token, "one").await;
    // What is on disk at this moment is what a killed node would leave.
    let image = node.copy_of_disk();
    node.deploy(&token, "two").await;
    let revived = Node::start_in(image).await;
    assert_eq!(revived.plane.serving("blog.localhost").unwrap(), one);
    assert_eq!(revived.get(&token, "/v1/apps").await.status, 200);
}

#[tokio::test]
async fn a_damaged_deployment_is_skipped_and_can_be_repaired() {
    let node = Node::start().await;
    let token = node.add_tenant("acme").await;
    let one = node.deploy(&token, "one").await;
    let shop = MANIFEST.replace("blog", "shop");
    let shop = node.post(&token, "/v1/apps/shop/deployments", upload(&shop, "shop")).await.json;
    node.damage(&one);
    let node = node.restart().await;
    assert_eq!(node.damaged.len(), 1);
    assert_eq!(node.damaged[0].0, "blog");
    assert_eq!(node.plane.serving("blog.localhost"), None);
    assert_eq!(node.plane.serving("shop.localhost"), shop["deployment"].as_str());
    let apps = node.get(&token, "/v1/apps").await.json;
    assert_eq!((&apps["apps"][0]["damaged"], &apps["apps"][1]["damaged"]), (&json!(true), &json!(false)));
    let back = node.post(&token, "/v1/apps/blog/rollback", json!({"deployment": one})).await;
    assert_eq!((back.status, &back.json["error"]["code"]), (409, &json!("deployment_damaged")));
    assert_eq!(node.deploy(&token, "one").await, one);
    assert_eq!(node.plane.serving("blog.localhost").unwrap(), one);
}

#[tokio::test]
async fn deploys_of_one_app_take_turns_and_another_apps_do_not_wait() {
    let node = Arc::new(Node::start().await);
    let token = node.add_tenant("acme").await;
    let spawned = |text: &'static str| {
        let (node, token) = (node.clone(), token.clone());
        tokio::spawn(async move { node.post(&token, "/v1/apps/blog/deployments", upload(MANIFEST, text)).await })
    };
    let held = spawned("HOLD");
    node.plane.holds().await;
    let next = spawned("next");
    let shop = MANIFEST.replace("blog", "shop");
    assert_eq!(node.post(&token, "/v1/apps/shop/deployments", upload(&shop, "shop")).await.status, 201);
    assert_eq!(node.plane.serving("blog.localhost"), None, "neither is published");
    node.plane.release();
    assert_eq!(held.await.unwrap().status, 201);
    let next = next.await.unwrap();
    assert_eq!(next.status, 201);
    assert_eq!(node.plane.serving("blog.localhost"), next.json["deployment"].as_str());
    assert_eq!(node.plane.checked(), ["blog HOLD", "shop shop", "blog next"]);
}

/// Begins `earlier`, then `later`; once the store has done what both asked for so far, `later` may go
/// on first.
async fn cross<A: Future<Output = Answer>, B: Future<Output = Answer>>(store: &Store, earlier: A, later: B) {
    let (mut earlier, mut later) = (pin!(earlier), pin!(later));
    let mut context = Context::from_waker(Waker::noop());
    assert!(earlier.as_mut().poll(&mut context).is_pending() && later.as_mut().poll(&mut context).is_pending());
    store.tenants().await.unwrap();
    let (later, earlier) = tokio::join!(later, earlier);
    assert!(later.is_ok() && earlier.is_ok());
}

#[tokio::test]
async fn tenants_changed_at_one_time_are_live_as_they_are_stored() {
    let node = Node::start().await;
    let (api, admin) = (&node.api.0, Caller::Admin);
    let add = || api.add_tenant(&admin, br#"{"name":"acme"}"#);
    let remove = || api.remove_tenant(&admin, "acme".into());
    let tokens = |tenants: &[Tenant]| tenants.iter().map(|tenant| tenant.token).collect::<Vec<_>>();
    cross(&api.store, add(), remove()).await;
    assert!(api.store.tenants().await.unwrap().is_empty());
    assert_eq!(tokens(api.live().tenants()), []);
    add().await.unwrap();
    cross(&api.store, remove(), add()).await;
    let stored = api.store.tenants().await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(tokens(api.live().tenants()), tokens(&stored));
}

#[tokio::test]
async fn a_caller_who_leaves_leaves_nothing_half_done() {
    let node = Node::start().await;
    let token = node.add_tenant("acme").await;
    {
        let call = node.post(&token, "/v1/apps/blog/deployments", upload(MANIFEST, "HOLD"));
        tokio::select! {
            _ = call => panic!("it is held"),
            () = node.plane.holds() => {}
        }
    }
    node.plane.release();
    // Waits behind the deploy that went on, and finds it done.
    let again = node.post(&token, "/v1/apps/blog/deployments", upload(MANIFEST, "HOLD")).await;
    assert_eq!((again.status, &again.json["unchanged"]), (200, &json!(true)));
    assert_eq!(node.plane.serving("blog.localhost"), again.json["deployment"].as_str());
}

#[tokio::test]
async fn tenants_of_a_trust_group_share_a_cell_and_nobody_else_does() {
    let node = Node::start().await;
    for (tenant, group) in [("acme", "@friends"), ("zeta", "@friends"), ("friends", "friends")] {
        let token = node.add_tenant(tenant).await;
        let manifest = MANIFEST.replace("blog", &format!("{tenant}-app"));
        let path = format!("/v1/apps/{tenant}-app/deployments");
        assert_eq!(node.post(&token, &path, upload(&manifest, "one")).await.status, 201);
        let matched = node.plane.route(&format!("{tenant}-app.localhost"), "GET", "/").unwrap();
        assert_eq!(matched.function.cell_group, group);
    }
}

#[tokio::test]
async fn followed_lines_come_as_they_are_written_and_end_with_the_reader() {
    let node = Node::start().await;
    let token = node.add_tenant("acme").await;
    node.deploy(&token, "one").await;
    node.plane.write("acme", "blog", "early");
    node.plane.write("acme", "blog", "recent");
    let reply = node.reply(&token, "GET", "/v1/apps/blog/logs?follow=1&tail=1", "").await;
    let ApiBody::Lines(mut lines) = reply.body else { panic!("it follows") };
    node.plane.write("acme", "other", "another app's");
    node.plane.write("zeta", "blog", "another tenant's");
    node.plane.write("acme", "blog", "late");
    for expected in ["recent", "late"] {
        let line: serde_json::Value = serde_json::from_slice(&lines.recv().await.unwrap()).unwrap();
        assert_eq!(line["text"], expected);
    }
    drop(lines);
    node.plane.no_reader_left().await;
}

#[tokio::test]
async fn the_admin_deploys_for_a_tenant() {
    let node = Node::start().await;
    node.add_tenant("acme").await;
    let admin = node.admin.clone();
    let path = "/v1/apps/blog/deployments";
    let without = node.post(&admin, path, upload(MANIFEST, "one")).await;
    assert_eq!((without.status, &without.json["error"]["code"]), (400, &json!("tenant_required")));
    let with = node.post(&admin, &format!("{path}?tenant=acme"), upload(MANIFEST, "one")).await;
    assert_eq!(with.status, 201);
    assert_eq!(node.post(&admin, path, upload(MANIFEST, "two")).await.status, 201, "the app says whose it is");
    assert_eq!(node.get(&admin, "/v1/apps").await.json["apps"][0]["tenant"], "acme");
}
