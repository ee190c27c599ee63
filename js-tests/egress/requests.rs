//! What is sent, and what of an answer a function sees.

use super::{DRIVER, Test, World};
use crate::support::deployment::Deployment;
use crate::support::http::Request;
use crate::support::node::host;
use serde_json::{Value, json};

pub const TESTS: &[(&str, Test)] = &[
    ("a_function_fetches", a_function_fetches),
    ("a_json_post_arrives_as_it_was_made", a_json_post_arrives_as_it_was_made),
    ("what_frames_a_request_is_not_the_functions_to_say", what_frames_a_request_is_not_the_functions_to_say),
    ("a_field_that_would_split_the_request_is_refused", a_field_that_would_split_the_request_is_refused),
    ("http2_over_tls_with_an_authority_of_the_operators", http2_over_tls),
    ("a_certificate_of_nobodys_is_refused", a_certificate_of_nobodys_is_refused),
    ("connections_are_used_again_by_their_tenant_alone", connections_are_used_again_by_their_tenant_alone),
    ("data_and_blob_urls_need_no_network", data_and_blob_urls_need_no_network),
    ("a_module_may_fetch_while_it_starts", a_module_may_fetch_while_it_starts),
    ("a_request_in_flight_fetches_on_after_a_deploy", a_request_in_flight_fetches_on_after_a_deploy),
    ("credentials_in_a_url_are_refused", credentials_in_a_url_are_refused),
    ("modes_of_caches_become_fields", modes_of_caches_become_fields),
    ("integrity_is_checked", integrity_is_checked),
];

fn a_function_fetches(world: &World<'_>) {
    let url = world.near.url("/hello");
    let got = world.fetch(&format!("{url}#part"), json!({}));
    assert_eq!((&got["status"], &got["body"]), (&json!(200), &json!("hello")), "{got}");
    assert_eq!((&got["statusText"], &got["ok"], &got["redirected"]), (&json!("OK"), &json!(true), &json!(false)));
    assert_eq!((&got["url"], &got["type"]), (&json!(url), &json!("basic")));
    assert_eq!(got["headers"]["x-served-by"], "stand-in");
}

/// The fields that a stand-in got, by name.
fn fields(got: &Value) -> Value {
    let seen: Value = serde_json::from_str(got["body"].as_str().unwrap_or_else(|| panic!("{got}"))).unwrap();
    seen
}

fn field<'v>(seen: &'v Value, name: &str) -> Vec<&'v str> {
    let all = seen["headers"].as_array().expect("a list");
    all.iter().filter(|pair| pair[0] == name).filter_map(|pair| pair[1].as_str()).collect()
}

fn a_json_post_arrives_as_it_was_made(world: &World<'_>) {
    let body =
        json!({ "model": "m", "messages": [{ "role": "user", "content": "héllo" }], "stream": false }).to_string();
    let got = world.fetch(
        &world.near.url("/request?a=1&b=%20"),
        json!({
            "method": "POST",
            "headers": { "Authorization": "Bearer sk-test", "Content-Type": "application/json", "X-Idempotency": "k1" },
            "body": body,
        }),
    );
    let seen = fields(&got);
    assert_eq!((&seen["method"], &seen["version"], &seen["body"]), (&json!("POST"), &json!("1.1"), &json!(body)));
    assert_eq!(field(&seen, "authorization"), ["Bearer sk-test"]);
    assert_eq!(field(&seen, "content-type"), ["application/json"]);
    assert_eq!(field(&seen, "x-idempotency"), ["k1"]);
    assert_eq!(field(&seen, "host"), [world.near.addr.to_string()]);
    assert_eq!(field(&seen, "content-length"), [body.len().to_string()]);
    assert_eq!(field(&seen, "accept"), ["*/*"]);
    assert_eq!(field(&seen, "accept-encoding"), ["gzip, deflate, br, zstd"]);
    assert!(field(&seen, "user-agent")[0].starts_with("Isle/"));
    let empty = world.fetch(&world.near.url("/request"), json!({ "method": "POST" }));
    assert_eq!(field(&fields(&empty), "content-length"), ["0"]);
    let get = world.fetch(&world.near.url("/request"), json!({}));
    assert!(field(&fields(&get), "content-length").is_empty());
}

fn what_frames_a_request_is_not_the_functions_to_say(world: &World<'_>) {
    let headers = json!({
        "Host": "elsewhere.test", "Content-Length": "3", "Transfer-Encoding": "chunked", "Connection": "x-mine, close",
        "Keep-Alive": "timeout=9", "Upgrade": "websocket", "TE": "trailers", "Trailer": "x", "Expect": "100-continue",
        "X-Mine": "stays",
    });
    let got =
        world.fetch(&world.near.url("/request"), json!({ "method": "PUT", "headers": headers, "body": "whole body" }));
    let seen = fields(&got);
    assert_eq!(field(&seen, "host"), [world.near.addr.to_string()]);
    assert_eq!(field(&seen, "content-length"), ["10"]);
    assert_eq!(field(&seen, "x-mine"), ["stays"]);
    for name in ["transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect"] {
        assert!(field(&seen, name).is_empty(), "{name}");
    }
    assert_eq!(seen["body"], "whole body");
}

fn a_field_that_would_split_the_request_is_refused(world: &World<'_>) {
    for value in ["a\r\nx-evil: 1", "a\nb", "a\0b"] {
        let got = world.fetch(&world.near.url("/request"), json!({ "headers": { "x-a": value } }));
        assert_eq!(got["error"], "TypeError", "{got}");
    }
    for method in ["CONNECT", "TRACE", "GET /x HTTP/1.1\r\n"] {
        let got = world.fetch(&world.near.url("/request"), json!({ "method": method }));
        assert_eq!(got["error"], "TypeError", "{got}");
    }
}

fn http2_over_tls(world: &World<'_>) {
    let authority = format!("localhost:{}", world.secure.addr.port());
    world.fetch(&format!("https://{authority}/hello"), json!({}));
    let connections = world.secure.connections();
    for body in ["small".to_owned(), "x".repeat(300_000)] {
        let init = json!({ "method": "POST", "body": body });
        let got = world.fetch(&format!("https://{authority}/request"), init);
        let seen = fields(&got);
        assert_eq!((&seen["version"], &seen["authority"]), (&json!("2"), &json!(authority)));
        assert!(seen["body"] == body && got["statusText"] == "", "{}", got["statusText"]);
    }
    assert_eq!(world.secure.connections(), connections, "one connection carries many requests");
}

fn a_certificate_of_nobodys_is_refused(world: &World<'_>) {
    let port = world.untrusted.addr.port();
    let got = world.fetch(&format!("https://localhost:{port}/hello"), json!({}));
    assert_eq!(got["error"], "TypeError");
    let message = got["message"].as_str().unwrap();
    assert!(message.starts_with("fetch failed: no secure connection: its certificate is "), "{message}");
    let got = world.fetch(&format!("https://{}/hello", world.near.addr), json!({}));
    assert!(got["message"].as_str().unwrap().starts_with("fetch failed: no secure connection: "), "{got}");
}

fn connections_are_used_again_by_their_tenant_alone(world: &World<'_>) {
    let server = &world.kept;
    let stranger = world.node.tenant("stranger");
    stranger.deploy(&Deployment::of("stranger", DRIVER));
    let what = json!({ "url": server.url("/hello") });
    world.ask("driver", what.clone());
    let before = server.connections();
    for _ in 0..10 {
        world.ask("driver", what.clone());
    }
    assert_eq!(server.connections(), before, "ten more requests on connections that were there");
    let request = Request::post(&host("stranger"), "/", what.to_string()).header("content-type", "application/json");
    assert_eq!(world.node.call(&request).json()["body"], "hello");
    assert_eq!(server.connections(), before + 1, "another tenant has another connection");
}

fn data_and_blob_urls_need_no_network(world: &World<'_>) {
    let got = world.fetch("data:text/plain;charset=utf-8;base64,aMOpbGxv", json!({}));
    assert_eq!((&got["status"], &got["body"]), (&json!(200), &json!("héllo")), "{got}");
    assert_eq!(got["headers"]["content-type"], "text/plain;charset=utf-8");
    let handler = r#"
      export const handler = async () => {
        const url = URL.createObjectURL(new Blob(["in a blob"], { type: "text/x" }));
        const response = await fetch(url);
        const gone = url + "0";
        const failed = await fetch(gone).catch((error) => error.name);
        return { type: response.headers.get("content-type"), text: await response.text(), failed };
      };"#;
    world.deploy("blobs", handler, &[]);
    let got = world.ask("blobs", json!({}));
    assert_eq!(got, json!({ "type": "text/x", "text": "in a blob", "failed": "TypeError" }));
    for url in ["file:///etc/passwd", "ftp://localhost/", "about:blank", "javascript:1", "data:nothing"] {
        let got = world.fetch(url, json!({}));
        assert_eq!(got["error"], "TypeError", "{url}: {got}");
    }
    assert_eq!(world.fetch("/relative", json!({}))["error"], "TypeError");
}

fn a_module_may_fetch_while_it_starts(world: &World<'_>) {
    let handler = format!(
        "const config = await (await fetch({:?})).text();\nexport const handler = async () => ({{ config }});",
        world.near.url("/hello")
    );
    world.deploy("starter", &handler, &[]);
    assert_eq!(world.ask("starter", json!({})), json!({ "config": "hello" }));
}

fn a_request_in_flight_fetches_on_after_a_deploy(world: &World<'_>) {
    let handler = r#"
      export const handler = async (event) => {
        const { first, second } = JSON.parse(event.body);
        const reader = (await fetch(first)).body.getReader();
        await reader.read();
        console.log("begun");
        while (!(await reader.read()).done);
        return { version: "old", text: await (await fetch(second)).text() };
      };"#;
    world.deploy("redeployed", handler, &[]);
    std::thread::scope(|scope| {
        let what = json!({ "first": world.kept.url("/two-pieces"), "second": world.kept.url("/hello") });
        let asking = scope.spawn(move || world.ask("redeployed", what));
        world.tenant.until_logged("redeployed", "begun");
        world.deploy("redeployed", "export const handler = async () => ({ version: \"new\" });", &[]);
        assert_eq!(world.ask("redeployed", json!({})), json!({ "version": "new" }));
        world.kept.seen.go.notify_one();
        assert_eq!(asking.join().unwrap(), json!({ "version": "old", "text": "hello" }));
    });
}

/// <https://fetch.spec.whatwg.org/#dom-request>, step 5.4.
fn credentials_in_a_url_are_refused(world: &World<'_>) {
    let got = world.fetch(&format!("http://me:secret@{}/request", world.near.addr), json!({}));
    assert_eq!(got["error"], "TypeError", "{got}");
    assert!(got["message"].as_str().unwrap().contains("includes credentials"), "{got}");
}

fn modes_of_caches_become_fields(world: &World<'_>) {
    let ask = |init: Value| fields(&world.fetch(&world.near.url("/request"), init));
    let seen = ask(json!({ "cache": "no-cache" }));
    assert_eq!((field(&seen, "cache-control"), field(&seen, "pragma").len()), (vec!["max-age=0"], 0));
    let seen = ask(json!({ "cache": "no-store", "headers": { "Cache-Control": "max-age=9" } }));
    assert_eq!((field(&seen, "cache-control"), field(&seen, "pragma")), (vec!["max-age=9"], vec!["no-cache"]));
    assert!(field(&ask(json!({})), "cache-control").is_empty());
    assert_eq!(field(&ask(json!({ "headers": { "Range": "bytes=0-1" } })), "accept-encoding"), ["identity"]);
}

fn integrity_is_checked(world: &World<'_>) {
    let right = "sha256-LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    let wrong = "sha512-LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
    let ask = |integrity: String| world.fetch(&world.near.url("/hello"), json!({ "integrity": integrity }));
    for fine in [right.into(), format!("sha256-AAAA {right}?option"), "what-ever".into(), String::new()] {
        assert_eq!(ask(fine.clone())["body"], "hello", "{fine}");
    }
    for bad in [wrong.into(), format!("{right} {wrong}"), "sha384-AAAA".into()] {
        assert_eq!(ask(bad.clone())["error"], "TypeError", "{bad}");
    }
}
