//! A request made ready for its handler: the event in the function's payload format, the body as it
//! travels there, and how the result is to be read.

use super::event::{self, EventBody};
use super::{Expects, Reading, event_v1};
use bytes::Bytes;
use isle_wire::{FunctionSpec, PayloadFormat, RequestHead};
use std::borrow::Cow;

/// What a handler is called with.
#[derive(Debug)]
pub struct Prepared<'a> {
    /// The event's JSON, without its body.
    pub event: Cow<'a, str>,
    /// The body.
    pub body: EventBody<'a>,
    /// `context.clientContext` as JSON (Invoke API).
    pub client_context: Option<String>,
    /// How the result is read.
    pub expects: Expects,
}

impl<'a> Prepared<'a> {
    /// Makes a request ready for the function.
    pub fn of(head: &'a RequestHead, body: &'a Bytes, spec: &FunctionSpec) -> Prepared<'a> {
        let bytes_max = spec.limits.response_body_bytes_max as usize;
        if head.is_direct() {
            return Prepared::direct(head, body, bytes_max);
        }
        let (body, reading) = match spec.contract.payload_format {
            PayloadFormat::V2 => (EventBody::of(head, body), Reading::V2),
            PayloadFormat::V1 => (EventBody::of(head, body), Reading::V1),
            PayloadFormat::Rest => (rest_body(head, body, spec), Reading::Rest { decodes: decodes(head, spec) }),
        };
        let is_base64 = matches!(body, EventBody::Base64(_));
        let event = match reading {
            Reading::V2 => event::text(head, &spec.app, is_base64),
            _ => event_v1::text(head, spec, is_base64),
        };
        let expects = Expects::new(reading, bytes_max);
        Prepared { event: event.into(), body, client_context: None, expects }
    }

    /// The Invoke API: the body is the event. The gateway has checked that it is JSON.
    fn direct(head: &RequestHead, body: &'a [u8], bytes_max: usize) -> Prepared<'a> {
        let given = head.header("x-amz-client-context").and_then(|value| super::decode_base64(value));
        Prepared {
            event: if body.is_empty() { Cow::Borrowed("{}") } else { String::from_utf8_lossy(body) },
            body: EventBody::None,
            client_context: given.and_then(|json| String::from_utf8(json).ok()),
            expects: Expects::new(Reading::Direct, bytes_max),
        }
    }
}

/// R12: bytes of the listed types travel as base64, everything else as text, whatever it was.
fn rest_body<'a>(head: &RequestHead, body: &'a [u8], spec: &FunctionSpec) -> EventBody<'a> {
    if body.is_empty() {
        return EventBody::None;
    }
    let media_type = event::media_type(head.header("content-type").map_or(&b""[..], |value| value));
    if spec.contract.is_binary(media_type) {
        return EventBody::Base64(super::encode_base64(body));
    }
    match String::from_utf8_lossy(body) {
        Cow::Borrowed(text) => EventBody::Text(text),
        Cow::Owned(text) => EventBody::Lossy(text),
    }
}

/// R51: a response is decoded for clients that accept exactly a listed type, of which the first
/// counts, and for all where `*/*` is listed.
fn decodes(head: &RequestHead, spec: &FunctionSpec) -> bool {
    let listed = &spec.contract.binary_media_types;
    let accept = head.header("accept").map_or(&b""[..], |value| value);
    let first = accept.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    let is_exact = |entry: &String| !entry.ends_with("/*") && first.eq_ignore_ascii_case(entry.as_bytes());
    listed.iter().any(|entry| entry == "*/*" || is_exact(entry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use isle_wire::Contract;
    use serde_json::{Value, json};

    fn spec(format: PayloadFormat, binary: &[&str]) -> FunctionSpec {
        FunctionSpec {
            tenant: "acme".into(),
            app: "blog".into(),
            function: "pets".into(),
            deployment: "d1".into(),
            entry: "x.js".into(),
            kind: Default::default(),
            modules: Default::default(),
            env: Default::default(),
            limits: Default::default(),
            code_generation: true,
            egress_allow: None,
            artifact: String::new(),
            contract: Contract {
                payload_format: format,
                binary_media_types: binary.iter().map(|text| text.to_string()).collect(),
                ..Contract::default()
            },
        }
    }

    fn head(route: &'static str, path: &'static str, query: &'static str) -> RequestHead {
        let headers = [("tEsT", "1"), ("authorization", "k"), ("tEsT", "2"), ("Content-Length", "3")];
        RequestHead {
            method: "GET".into(),
            path: path.into(),
            query: query.into(),
            route_key: route.into(),
            path_parameters: Vec::new(),
            headers: headers.iter().map(|(n, v)| (Bytes::from(*n), Bytes::from(*v))).collect(),
            host: "blog.localhost".into(),
            protocol: "HTTP/1.1".into(),
            scheme: "http".into(),
            source_ip: "127.0.0.1".into(),
            request_id: "id-1".into(),
            time_ms: 1_583_348_638_390,
        }
    }

    fn event(head: &RequestHead, spec: &FunctionSpec) -> Value {
        serde_json::from_str(&Prepared::of(head, &Bytes::new(), spec).event).expect("the event is JSON")
    }

    #[test]
    fn format_1_has_every_field_and_null_for_what_there_is_none_of() {
        let identity = json!({
            "accessKey": null, "accountId": null, "caller": null, "cognitoAuthenticationProvider": null,
            "cognitoAuthenticationType": null, "cognitoIdentityId": null, "cognitoIdentityPoolId": null,
            "principalOrgId": null, "user": null, "userArn": null, "sourceIp": "127.0.0.1", "userAgent": ""
        });
        assert_eq!(
            event(&head("$default", "//a%20b/", ""), &spec(PayloadFormat::V1, &[])),
            json!({
                "version": "1.0", "resource": "$default", "path": "/a%20b/", "httpMethod": "GET",
                "headers": {"tEsT": "2", "Authorization": "k", "Content-Length": "3"},
                "multiValueHeaders": {"tEsT": ["1", "2"], "Authorization": ["k"], "Content-Length": ["3"]},
                "queryStringParameters": null, "multiValueQueryStringParameters": null,
                "requestContext": {
                    "accountId": "anonymous", "apiId": "blog", "deploymentId": "d1", "domainName": "blog.localhost",
                    "domainPrefix": "blog", "extendedRequestId": "id-1", "httpMethod": "GET", "path": "//a%20b/",
                    "protocol": "HTTP/1.1", "requestId": "id-1", "resourcePath": "$default", "stage": "$default",
                    "requestTime": "04/Mar/2020:19:03:58 +0000", "requestTimeEpoch": 1_583_348_638_390_u64,
                    "resourceId": null, "authorizer": {"claims": null, "scopes": null}, "identity": identity
                },
                "pathParameters": null, "stageVariables": null, "body": null, "isBase64Encoded": false
            })
        );
    }

    #[test]
    fn a_rest_event_differs_where_rest_apis_do() {
        let rest =
            event(&head("GET /x/{id}/{proxy+}", "/x/1%202/a%2Bb//c/", "c=1&c=x+y"), &spec(PayloadFormat::Rest, &[]));
        assert_eq!((&rest["version"], &rest["resource"]), (&Value::Null, &json!("/x/{id}/{proxy+}")));
        assert_eq!(rest["pathParameters"], json!({"id": "1%202", "proxy": "a%2Bb//c"}));
        assert_eq!(rest["headers"], json!({"tEsT": "2", "Authorization": "k"}));
        assert_eq!(rest["queryStringParameters"], json!({"c": "x y"}));
        assert_eq!(rest["multiValueQueryStringParameters"], json!({"c": ["1", "x y"]}));
        assert!(rest["requestContext"].get("authorizer").is_none());
        let default = event(&head("$default", "/a%20b", ""), &spec(PayloadFormat::Rest, &[]));
        assert_eq!((&default["resource"], &default["pathParameters"]["proxy"]), (&json!("/{proxy+}"), &json!("a%20b")));
        assert_eq!(event(&head("$default", "/", ""), &spec(PayloadFormat::Rest, &[]))["resource"], "/");
    }

    #[test]
    fn a_rest_body_is_bytes_for_listed_types_only() {
        let mut head = head("$default", "/", "");
        head.headers.push(("Content-Type".into(), "image/png; x=y".into()));
        let body = |types: &[&str], bytes: &'static [u8]| {
            let bytes = Bytes::from_static(bytes);
            format!("{:?}", Prepared::of(&head, &bytes, &spec(PayloadFormat::Rest, types)).body)
        };
        assert_eq!(body(&[], b"hi"), "Text(\"hi\")");
        assert_eq!(body(&[], b"\xff"), "Lossy(\"\u{fffd}\")");
        assert_eq!(body(&["image/*"], b"hi"), "Base64(\"aGk=\")");
        assert_eq!(body(&["image/*"], b""), "None");
    }

    #[test]
    fn a_rest_response_is_decoded_for_an_exact_accept() {
        for (listed, accept, expected) in [
            (&["image/png"][..], "image/png", true),
            (&["image/png"], "image/png, */*", true),
            (&["image/png"], "image/*", false),
            (&["image/png"], "*/*", false),
            (&["image/*"], "image/*", false),
            (&["*/*"], "text/plain", true),
            (&[], "image/png", false),
        ] {
            let mut head = head("$default", "/", "");
            head.headers.push(("Accept".into(), accept.into()));
            assert_eq!(decodes(&head, &spec(PayloadFormat::Rest, listed)), expected, "{listed:?} {accept}");
        }
    }

    #[test]
    fn an_event_that_is_invoked_is_the_body_itself() {
        let mut head = head("$invoke", "/", "");
        head.headers = vec![("x-amz-client-context".into(), "eyJhIjoxfQ==".into())];
        let body = Bytes::from_static(b"[1]");
        let prepared = Prepared::of(&head, &body, &spec(PayloadFormat::V1, &[]));
        assert_eq!((&*prepared.event, prepared.client_context.as_deref()), ("[1]", Some("{\"a\":1}")));
        assert_eq!(prepared.expects.reading, Reading::Direct);
        let empty = Bytes::new();
        assert_eq!(Prepared::of(&head, &empty, &spec(PayloadFormat::V2, &[])).event, "{}");
    }
}
