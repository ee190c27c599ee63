//! Refusals: each with its status and code, and nothing changed by any of them.

use super::node::{Answered, MANIFEST, Node, upload};
use http::header;
use serde_json::{Value, json};

fn refused(answered: &Answered) -> (u16, &str) {
    (answered.status, answered.json["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn without_a_token_of_this_node_nothing_is_said() {
    let node = Node::start().await;
    let token = node.add_tenant("acme").await;
    node.deploy(&token, "one").await;
    let mut near = token.clone();
    let last = near.pop().unwrap();
    near.push(if last == 'A' { 'E' } else { 'A' });
    let cut = token[..token.len() - 1].to_owned();
    for wrong in ["", "isle_t_", "isle_a_", &near, &cut] {
        for (method, path) in [
            ("GET", "/v1/tenants"),
            ("GET", "/v1/apps"),
            ("DELETE", "/v1/apps/blog"),
            ("POST", "/v1/apps/blog/rollback"),
            ("GET", "/v1/apps/blog/logs"),
            ("GET", "/v1/apps/nothing/deployments"),
        ] {
            let answered = node.call(wrong, method, path, "").await;
            assert_eq!(refused(&answered), (401, "unauthorized"), "{method} {path}");
        }
    }
    let reply = node.reply("", "GET", "/v1/apps", "").await;
    assert_eq!(reply.headers[0].0, header::WWW_AUTHENTICATE);
}

#[tokio::test]
async fn another_tenants_app_is_as_absent_as_one_that_never_was() {
    let node = Node::start().await;
    let token = node.add_tenant("acme").await;
    let one = node.deploy(&token, "one").await;
    let other = node.add_tenant("zeta").await;
    assert_eq!(node.get(&other, "/v1/apps").await.json, json!({"apps": []}));
    for (method, suffix, body) in [
        ("DELETE", "", Value::Null),
        ("GET", "/deployments", Value::Null),
        ("POST", "/rollback", json!({})),
        ("POST", "/functions/hello/evict", Value::Null),
        ("GET", "/logs", Value::Null),
    ] {
        let mut answers = Vec::new();
        for app in ["blog", "none"] {
            let path = format!("/v1/apps/{app}{suffix}");
            let answered = node.call(&other, method, &path, body.to_string()).await;
            assert_eq!(refused(&answered), (404, "app_not_found"), "{method} {path}");
            answers.push(answered.json.to_string().replace(app, "APP"));
        }
        assert_eq!(answers[0], answers[1]);
    }
    let taken = node.post(&other, "/v1/apps/blog/deployments", upload(MANIFEST, "two")).await;
    assert_eq!(refused(&taken), (404, "app_not_found"));
    let posing = node.post(&other, "/v1/apps/blog/deployments?tenant=acme", upload(MANIFEST, "two")).await;
    assert_eq!(refused(&posing), (403, "admin_required"));
    for (method, path) in [("GET", "/v1/tenants"), ("POST", "/v1/tenants"), ("DELETE", "/v1/tenants/acme")] {
        assert_eq!(refused(&node.call(&other, method, path, "{}").await), (403, "admin_required"));
    }
    assert_eq!(node.plane.serving("blog.localhost").unwrap(), one);
    assert_eq!(node.plane.checked(), ["blog one"], "a stranger's code is not even started");
}

#[tokio::test]
async fn a_bad_upload_says_what_and_where_and_the_old_deployment_stays() {
    let node = Node::start().await;
    let token = node.add_tenant("acme").await;
    let one = node.deploy(&token, "one").await;
    let file =
        |path: &str, content: Value| json!({"manifest": MANIFEST, "files": {"hello.js": {"text": ""}, path: content}});
    for (body, status, code, part) in [
        (json!(3), 400, "invalid_json", "line 1"),
        (json!({"manifest": MANIFEST}), 400, "invalid_json", "files"),
        (json!({"manifest": "", "files": {}, "extra": 1}), 400, "invalid_json", "extra"),
        (file("a.js", json!({"texts": ""})), 400, "invalid_json", "texts"),
        (file("a.js", json!({"base64": "?"})), 422, "file_invalid", "base64"),
        (file("a.js", json!({"base64": "/w=="})), 422, "file_invalid", "UTF-8"),
        (file("../a.js", json!({"text": ""})), 422, "file_invalid", ".."),
        (file("a.js", json!({"text": "x".repeat(1_001)})), 413, "too_large", "1001"),
        (upload("app = \"blog\"", ""), 422, "manifest_invalid", "functions"),
        (upload(&MANIFEST.replace("blog", "shop"), ""), 422, "manifest_invalid", "`shop`"),
        (upload(&MANIFEST.replace("hello.js", "a.js"), ""), 422, "manifest_invalid", "not among"),
    ] {
        let answered = node.post(&token, "/v1/apps/blog/deployments", body).await;
        assert_eq!(refused(&answered), (status, code), "{answered:?}");
        assert!(answered.json["error"]["message"].as_str().unwrap().contains(part), "{answered:?}");
    }
    let answered = node.post(&token, "/v1/apps/blog/deployments", upload(&MANIFEST.replace("GET", "BREW"), "")).await;
    let details = &answered.json["error"]["details"];
    assert_eq!((&details["file"], &details["line"]), (&json!("isle.toml"), &json!(4)), "{answered:?}");
    let broken = node.call(&token, "POST", "/v1/apps/blog/deployments", "{").await;
    assert_eq!(refused(&broken), (400, "invalid_json"));
    let huge = "x".repeat(2_000 + (1 << 20) + 1);
    assert_eq!(refused(&node.call(&token, "POST", "/v1/apps/blog/deployments", huge).await), (413, "too_large"));
    let name = node.post(&token, "/v1/apps/Blog/deployments", upload(MANIFEST, "")).await;
    assert_eq!(refused(&name), (422, "name_invalid"));
    assert_eq!(node.plane.serving("blog.localhost").unwrap(), one);
    assert_eq!(node.plane.checked(), ["blog one"], "nothing of it was started");
}

#[tokio::test]
async fn a_function_that_does_not_start_keeps_the_old_deployment_current() {
    let node = Node::start().await;
    let token = node.add_tenant("acme").await;
    let one = node.deploy(&token, "one").await;
    let published = node.plane.published();
    let path = "/v1/apps/blog/deployments";
    let missing = node.post(&token, path, upload(MANIFEST, "NO HANDLER")).await;
    assert_eq!(refused(&missing), (422, "deployment_refused"));
    let expected = json!({
        "function": "hello", "outcome": "startup_failed", "error_type": "Runtime.HandlerNotFound",
        "message": "hello.js exports no `handler`", "file": "hello.js", "line": 3,
    });
    assert_eq!(missing.json["error"]["details"], expected);
    for (text, status, part) in
        [("LOOPS", 422, "1000 ms"), ("DIES", 422, "ended the process"), ("NO CELL", 503, "try again")]
    {
        let answered = node.post(&token, path, upload(MANIFEST, text)).await;
        assert_eq!(answered.status, status);
        assert!(answered.json["error"]["message"].as_str().unwrap().contains(part), "{answered:?}");
    }
    let two = format!("{MANIFEST}[functions.other]\nentry = \"other.js\"\nroutes = [\"GET /other\"]\n");
    let files = json!({"hello.js": {"text": "fine"}, "other.js": {"text": "NO HANDLER"}});
    let half = node.post(&token, path, json!({"manifest": two, "files": files})).await;
    assert_eq!(half.json["error"]["details"]["function"], "other", "one bad function refuses the whole");
    assert_eq!(node.plane.published(), published);
    assert_eq!(node.plane.serving("blog.localhost").unwrap(), one);
    let listed = node.get(&token, path).await.json;
    assert_eq!(listed["deployments"].as_array().unwrap().len(), 1, "what was refused is not kept");
    let node = node.restart().await;
    assert_eq!(node.plane.serving("blog.localhost").unwrap(), one);
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_say_so() {
    let node = Node::start().await;
    let admin = node.admin.clone();
    for path in ["/", "/v1", "/v2/apps", "/v1/apps/", "/v1/apps/a/b", "/v1/apps/blog/deployments/x", "/%2e%2e"] {
        assert_eq!(refused(&node.get(&admin, path).await), (404, "not_found"), "{path}");
    }
    for (method, path, allow) in [
        ("PUT", "/v1/tenants", "GET, POST"),
        ("GET", "/v1/tenants/acme", "DELETE"),
        ("POST", "/v1/apps", "GET"),
        ("POST", "/v1/apps/blog/logs", "GET"),
        ("GET", "/v1/apps/blog/rollback", "POST"),
        ("POST", "/v1/openapi.json", "GET"),
    ] {
        let reply = node.reply(&admin, method, path, "").await;
        assert_eq!((reply.status, reply.headers[0].1.to_str().unwrap()), (405, allow), "{method} {path}");
    }
}

#[tokio::test]
async fn a_removed_tenants_token_opens_nothing() {
    let node = Node::start().await;
    let token = node.add_tenant("acme").await;
    let kept = node.add_tenant("zeta").await;
    let admin = node.admin.clone();
    assert_eq!(node.call(&admin, "DELETE", "/v1/tenants/acme", "").await.status, 204);
    assert_eq!(node.get(&token, "/v1/apps").await.status, 401);
    assert_eq!(node.get(&kept, "/v1/apps").await.status, 200);
    let node = node.restart().await;
    assert_eq!(node.get(&token, "/v1/apps").await.status, 401);
    assert_eq!(node.get(&kept, "/v1/apps").await.status, 200);
}
