//! The OpenAPI document against real answers: every operation, every status it promises, every body.

use super::node::{MANIFEST, Node, upload};
use crate::control::{ApiBody, openapi};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What of JSON Schema the document uses; a keyword that is not checked here must not be in it.
fn validate(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let fail = |what: &str| Err(format!("{at}: {what} in {value}"));
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        match keyword.as_str() {
            "$ref" => {
                let target = root
                    .pointer(rule.as_str().unwrap().trim_start_matches('#'))
                    .expect("the reference leads somewhere");
                validate(root, target, value, at)?;
            }
            "type" => {
                let fits = |name: &Value| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "null" => value.is_null(),
                    other => panic!("type {other}"),
                };
                if !rule.as_array().map_or_else(|| fits(rule), |names| names.iter().any(fits)) {
                    return fail("wrong type");
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => return fail("not in the enum"),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    validate(root, rule, item, &format!("{at}[]"))?;
                }
            }
            "required" => {
                for name in rule.as_array().unwrap() {
                    if value.get(name.as_str().unwrap()).is_none() {
                        return fail(&format!("{name} is missing"));
                    }
                }
            }
            "properties" | "additionalProperties" => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    let known = schema["properties"].get(name);
                    match (keyword.as_str(), known, rule) {
                        ("properties", Some(known), _) => validate(root, known, inner, &format!("{at}.{name}"))?,
                        ("additionalProperties", None, Value::Bool(false)) => {
                            return fail(&format!("{name} is undocumented"));
                        }
                        ("additionalProperties", None, rule) => validate(root, rule, inner, &format!("{at}.{name}"))?,
                        _ => {}
                    }
                }
            }
            "enum" | "description" => {}
            other => panic!("the validator does not know `{other}`"),
        }
    }
    Ok(())
}

struct Checker {
    document: Value,
    node: Node,
    produced: BTreeSet<(String, String)>,
}

impl Checker {
    fn template(&self, path: &str) -> String {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |template: &&String| {
            let wanted: Vec<&str> = template.split('/').collect();
            wanted.len() == parts.len() && wanted.iter().zip(&parts).all(|(w, p)| w.starts_with('{') || w == p)
        };
        self.document["paths"].as_object().unwrap().keys().find(fits).expect("a documented path").clone()
    }

    /// Calls an operation and holds request and answer against the document.
    async fn call(&mut self, token: &str, method: &str, path: &str, body: Option<Value>, expected: u16) -> Value {
        let template = self.template(path.split('?').next().unwrap());
        let operation = self.document["paths"][&template][method.to_lowercase()].clone();
        assert!(operation.is_object(), "{method} {template} is documented");
        let at = format!("{method} {path}");
        if let Some(body) = &body
            && (200..300).contains(&expected)
        {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            validate(&self.document, schema, body, &at).unwrap();
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let reply = self.node.reply(token, method, path, body).await;
        assert_eq!(reply.status, expected, "{at}: {:?}", reply.body);
        let documented = &operation["responses"][expected.to_string()];
        assert!(documented.is_object(), "{at}: {expected} is documented");
        self.produced.insert((operation["operationId"].as_str().unwrap().into(), expected.to_string()));
        let ApiBody::Full(bytes) = reply.body else { panic!("{at}: a stream") };
        let Some(content) = documented.get("content") else {
            assert!(bytes.is_empty() && reply.content_type.is_empty(), "{at}: no body is documented");
            return Value::Null;
        };
        let schema = &content[reply.content_type]["schema"];
        assert!(schema.is_object(), "{at}: {} is documented", reply.content_type);
        let mut last = Value::Null;
        let lines = reply.content_type == "application/x-ndjson";
        let texts: Vec<&[u8]> =
            if lines { bytes.trim_ascii_end().split(|b| *b == b'\n').collect() } else { vec![&bytes[..]] };
        for text in texts {
            last = serde_json::from_slice(text).unwrap();
            validate(&self.document, schema, &last, &at).unwrap();
        }
        last
    }

    fn documented(&self) -> BTreeSet<(String, String)> {
        let paths = self.document["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|path| path.as_object().unwrap().values());
        operations
            .flat_map(|operation| {
                let id = operation["operationId"].as_str().unwrap();
                operation["responses"].as_object().unwrap().keys().map(move |status| (id.to_owned(), status.clone()))
            })
            .filter(|(_, status)| status != "default")
            .collect()
    }
}

#[tokio::test]
async fn every_operation_answers_as_documented_in_every_documented_way() {
    let document: Value = serde_json::from_str(openapi::DOCUMENT).unwrap();
    let node = Node::start().await;
    let admin = node.admin.clone();
    let mut check = Checker { document, node, produced: BTreeSet::new() };
    let huge = json!("x".repeat(2 << 20));

    let served = check.call("", "GET", "/v1/openapi.json", None, 200).await;
    assert_eq!(served, check.document);

    let added = check.call(&admin, "POST", "/v1/tenants", Some(json!({"name": "acme"})), 201).await;
    let token = added["token"].as_str().unwrap().to_owned();
    let other = check.call(&admin, "POST", "/v1/tenants", Some(json!({"name": "zeta"})), 201).await;
    let other = other["token"].as_str().unwrap().to_owned();
    check.call(&admin, "POST", "/v1/tenants", Some(json!({"name": "acme"})), 409).await;
    check.call(&admin, "POST", "/v1/tenants", Some(json!({"name": "A"})), 422).await;
    check.call(&admin, "POST", "/v1/tenants", Some(json!({})), 400).await;
    check.call(&admin, "POST", "/v1/tenants", Some(huge.clone()), 413).await;
    check.call(&token, "POST", "/v1/tenants", None, 403).await;
    check.call("no", "POST", "/v1/tenants", None, 401).await;
    check.call(&admin, "GET", "/v1/tenants", None, 200).await;
    check.call(&token, "GET", "/v1/tenants", None, 403).await;
    check.call("no", "GET", "/v1/tenants", None, 401).await;

    let deploys = "/v1/apps/blog/deployments";
    check.call(&token, "POST", deploys, Some(upload(MANIFEST, "one")), 201).await;
    check.call(&token, "POST", deploys, Some(upload(MANIFEST, "one")), 200).await;
    let encoded = json!({"manifest": MANIFEST, "files": {"hello.js": {"base64": "dHdv"}}});
    check.call(&token, "POST", deploys, Some(encoded), 201).await;
    check.call(&token, "POST", deploys, None, 400).await;
    check.call("no", "POST", deploys, None, 401).await;
    check.call(&other, "POST", &format!("{deploys}?tenant=acme"), None, 403).await;
    check.call(&other, "POST", deploys, None, 404).await;
    check.call(&admin, "POST", &format!("{deploys}?tenant=none"), None, 404).await;
    check.call(&token, "POST", deploys, Some(huge.clone()), 413).await;
    check.call(&token, "POST", deploys, Some(upload("", "")), 422).await;
    check.call(&token, "POST", deploys, Some(upload(MANIFEST, "NO HANDLER")), 422).await;
    check.call(&token, "POST", deploys, Some(upload(MANIFEST, "NO CELL")), 503).await;
    check.call(&token, "GET", deploys, None, 200).await;
    check.call(&other, "GET", deploys, None, 404).await;
    check.call("no", "GET", deploys, None, 401).await;
    check.call(&token, "GET", "/v1/apps", None, 200).await;
    check.call("no", "GET", "/v1/apps", None, 401).await;

    check.call(&token, "POST", "/v1/apps/blog/rollback", Some(json!({"deployment": null})), 200).await;
    check.call(&token, "POST", "/v1/apps/blog/rollback", None, 409).await;
    check.call(&token, "POST", "/v1/apps/blog/rollback", Some(json!({"deployment": "0"})), 404).await;
    check.call(&token, "POST", "/v1/apps/blog/rollback", Some(json!(1)), 400).await;
    check.call(&token, "POST", "/v1/apps/blog/rollback", Some(huge), 413).await;
    check.call("no", "POST", "/v1/apps/blog/rollback", None, 401).await;

    check.call(&token, "POST", "/v1/apps/blog/functions/hello/evict", None, 204).await;
    assert_eq!(*check.node.plane.evicted.lock().unwrap(), ["acme/blog/hello"]);
    check.call(&token, "POST", "/v1/apps/blog/functions/none/evict", None, 404).await;
    check.call("no", "POST", "/v1/apps/blog/functions/hello/evict", None, 401).await;

    check.node.plane.write("acme", "blog", "first");
    check.node.plane.write("acme", "blog", "second");
    let last = check.call(&token, "GET", "/v1/apps/blog/logs?follow=0&tail=2", None, 200).await;
    assert_eq!(last["text"], "second");
    check.call(&token, "GET", "/v1/apps/blog/logs?follow=yes", None, 400).await;
    check.call(&token, "GET", "/v1/apps/blog/logs?tail=-1", None, 400).await;
    check.call(&other, "GET", "/v1/apps/blog/logs", None, 404).await;
    check.call("no", "GET", "/v1/apps/blog/logs", None, 401).await;

    let invoke = "/2015-03-31/functions/blog:hello/invocations";
    let echoed = check.call(&token, "POST", invoke, Some(json!({"a": 1})), 200).await;
    assert_eq!(echoed, json!({"a": 1}));
    let threw = check.call(&token, "POST", invoke, Some(json!("handler_threw")), 200).await;
    assert_eq!(threw["errorType"], "Runtime.ExitError");
    check.call("no", "POST", invoke, None, 401).await;
    check.call(&other, "POST", invoke, None, 404).await;
    check.call(&token, "POST", "/2015-03-31/functions/blog:none/invocations", None, 404).await;
    check.call(&token, "POST", &format!("{invoke}?Qualifier=none"), None, 404).await;
    check.call(&token, "POST", invoke, Some(json!("refused_busy")), 429).await;
    for (kind, status) in [("Event", 202), ("DryRun", 204), ("Later", 400)] {
        let headers = [("x-amz-invocation-type".parse().unwrap(), kind.parse().unwrap())].into_iter().collect();
        let reply = check.node.reply_to(&token, "POST", invoke, headers, "{}").await;
        assert_eq!(reply.status, status, "{kind}");
        check.produced.insert(("invoke".into(), status.to_string()));
    }
    let small = "app = \"small\"\n[functions.f]\nentry = \"hello.js\"\nlimits = { request_body_bytes_max = 4 }\n";
    check.call(&token, "POST", "/v1/apps/small/deployments", Some(upload(small, "one")), 201).await;
    check.call(&token, "POST", "/2015-03-31/functions/small/invocations", Some(json!("longer")), 413).await;
    check.call(&token, "DELETE", "/v1/apps/small", None, 204).await;
    let reply = check.node.reply(&token, "POST", invoke, "{").await;
    assert_eq!((reply.status, reply.headers[0].1.to_str().unwrap()), (400, "InvalidRequestContentException"));

    check.call(&admin, "DELETE", "/v1/tenants/acme", None, 409).await;
    check.call(&admin, "DELETE", "/v1/tenants/none", None, 404).await;
    check.call(&token, "DELETE", "/v1/tenants/acme", None, 403).await;
    check.call("no", "DELETE", "/v1/tenants/acme", None, 401).await;
    check.call("no", "DELETE", "/v1/apps/blog", None, 401).await;
    check.call(&other, "DELETE", "/v1/apps/blog", None, 404).await;
    check.call(&token, "DELETE", "/v1/apps/blog", None, 204).await;
    check.call(&admin, "DELETE", "/v1/tenants/acme", None, 204).await;

    let missing: Vec<_> = check.documented().difference(&check.produced).cloned().collect();
    assert!(missing.is_empty(), "documented and not produced here: {missing:?}");
}

#[test]
fn the_validator_refuses_what_does_not_fit() {
    let schema = json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {"a": {"type": ["integer", "null"]}, "b": {"type": "array", "items": {"enum": ["x"]}}},
    });
    let check = |value: Value| validate(&schema, &schema, &value, "").is_ok();
    assert!(check(json!({"a": 1, "b": ["x"]})) && check(json!({"a": null})));
    for bad in [json!([]), json!({}), json!({"a": 1.5}), json!({"a": 1, "c": 1}), json!({"a": 1, "b": ["y"]})] {
        assert!(!check(bad.clone()), "{bad}");
    }
}
