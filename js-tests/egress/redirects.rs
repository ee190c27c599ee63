//! Redirects, as the Fetch Standard has them; each is judged anew.

use super::{Test, World};
use serde_json::{Value, json};

pub const TESTS: &[(&str, Test)] = &[
    ("redirects_are_followed_shown_or_refused", redirects_are_followed_shown_or_refused),
    ("a_redirect_changes_the_method_as_it_should", a_redirect_changes_the_method_as_it_should),
    ("a_redirect_to_another_origin_takes_no_credentials", a_redirect_to_another_origin_takes_no_credentials),
    ("a_redirect_brings_no_credentials_of_its_own", a_redirect_brings_no_credentials_of_its_own),
    ("redirects_end_after_twenty", redirects_end_after_twenty),
    ("a_redirect_to_a_refused_address_is_refused", a_redirect_to_a_refused_address_is_refused),
];

fn redirect(world: &World<'_>, status: u16, to: &str) -> String {
    let to = to.replace(':', "%3A").replace('/', "%2F").replace('?', "%3F").replace('=', "%3D").replace('&', "%26");
    world.near.url(&format!("/redirect?status={status}&to={to}"))
}

fn seen(got: &Value) -> Value {
    serde_json::from_str(got["body"].as_str().unwrap_or_else(|| panic!("{got}"))).unwrap()
}

fn has(seen: &Value, name: &str) -> bool {
    seen["headers"].as_array().is_some_and(|all| all.iter().any(|pair| pair[0] == name))
}

fn redirects_are_followed_shown_or_refused(world: &World<'_>) {
    let url = redirect(world, 302, "/hello");
    let got = world.fetch(&url, json!({}));
    assert_eq!(
        (&got["status"], &got["body"], &got["redirected"]),
        (&json!(200), &json!("hello"), &json!(true)),
        "{got}"
    );
    assert_eq!(got["url"], world.near.url("/hello"));
    let got = world.fetch(&url, json!({ "redirect": "manual" }));
    assert_eq!((&got["status"], &got["headers"]["location"]), (&json!(302), &json!("/hello")), "{got}");
    let got = world.fetch(&url, json!({ "redirect": "error" }));
    assert_eq!(got["error"], "TypeError", "{got}");
    let twice = redirect(world, 301, &redirect(world, 308, &world.other.url("/hello")));
    assert_eq!(world.fetch(&twice, json!({}))["url"], world.other.url("/hello"));
}

fn a_redirect_changes_the_method_as_it_should(world: &World<'_>) {
    for (status, method, expected) in [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (302, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (303, "HEAD", "HEAD"),
    ] {
        let mut init = json!({ "method": method, "headers": { "content-type": "text/x", "x-own": "1" } });
        if method != "HEAD" {
            init["body"] = json!("the body");
        }
        let got = world.fetch(&redirect(world, status, "/request"), init);
        if method == "HEAD" {
            assert_eq!(got["status"], 200);
            continue;
        }
        let seen = seen(&got);
        let kept = expected != "GET";
        assert_eq!((&seen["method"], &seen["body"]), (&json!(expected), &json!(if kept { "the body" } else { "" })));
        assert_eq!((has(&seen, "content-type"), has(&seen, "x-own")), (kept, true), "{status} {method}");
    }
}

fn a_redirect_brings_no_credentials_of_its_own(world: &World<'_>) {
    for target in [&world.near, &world.other] {
        let got =
            world.fetch(&redirect(world, 302, &format!("http://user:password@{}/request", target.addr)), json!({}));
        assert_eq!(got["error"], "TypeError", "{got}");
    }
}

fn a_redirect_to_another_origin_takes_no_credentials(world: &World<'_>) {
    let init = json!({ "headers": { "authorization": "Bearer secret", "cookie": "a=1", "x-own": "1" } });
    let same = seen(&world.fetch(&redirect(world, 302, "/request"), init.clone()));
    assert!(has(&same, "authorization") && has(&same, "cookie"));
    let away = seen(&world.fetch(&redirect(world, 307, &world.other.url("/request")), init));
    assert_eq!((has(&away, "authorization"), has(&away, "cookie"), has(&away, "x-own")), (false, false, true));
}

fn redirects_end_after_twenty(world: &World<'_>) {
    let handler = r#"
      export const handler = async (event) => {
        let url = JSON.parse(event.body).url;
        try { return { status: (await fetch(url)).status }; } catch (error) { return { message: error.message }; }
      };"#;
    world.deploy("around", handler, &[]);
    // Redirects to itself: the stand-in answers `to` as its own address.
    let around = world.near.url("/around");
    let got = world.ask("around", json!({ "url": around }));
    assert!(got["message"].as_str().is_some_and(|message| message.contains("20")), "{got}");
}

fn a_redirect_to_a_refused_address_is_refused(world: &World<'_>) {
    for to in [
        world.closed.url("/hello"),
        format!("http://localhost:{}/hello", world.closed.addr.port()),
        format!("http://[::1]:{}/", world.closed.addr.port()),
        format!("http://{}/v1/apps", world.node.admin),
    ] {
        let got = world.fetch(&redirect(world, 302, &to), json!({}));
        assert_eq!(got["error"], "TypeError", "{to}: {got}");
        assert!(got["message"].as_str().unwrap().starts_with("fetch failed: refused: "), "{to}: {got}");
    }
    for to in ["file:///etc/passwd", "data:text/plain,x", "gopher://a.test/"] {
        let got = world.fetch(&redirect(world, 302, to), json!({}));
        assert_eq!(got["error"], "TypeError", "{to}: {got}");
    }
}
