//! The event, without V8.

use super::*;
use bytes::Bytes;
use serde_json::{Value, json};

fn head(query: &'static str, headers: &[(&'static str, &'static str)]) -> RequestHead {
    RequestHead {
        method: "GET".into(),
        path: "/my/path-with%20space".into(),
        query: query.into(),
        route_key: "GET /my/{proxy+}".into(),
        path_parameters: vec![("proxy".into(), "path-with space".into())],
        headers: headers.iter().map(|(n, v)| (Bytes::from(*n), Bytes::from(*v))).collect(),
        host: "blog.localhost".into(),
        protocol: "HTTP/2.0".into(),
        scheme: "http".into(),
        source_ip: "127.0.0.1".into(),
        request_id: "id-1".into(),
        time_ms: 1_583_348_638_390,
    }
}

fn event(head: &RequestHead) -> Value {
    serde_json::from_str(&text(head, "blog", false)).expect("the event is JSON")
}

#[test]
fn a_whole_event_has_every_field_of_the_format() {
    let head = head("a=1&b=x%2By+z", &[("host", "blog.localhost"), ("user-agent", "curl"), ("cookie", "s=1; t=2")]);
    assert_eq!(
        event(&head),
        json!({
            "version": "2.0", "routeKey": "GET /my/{proxy+}", "rawPath": "/my/path-with space",
            "rawQueryString": "a=1&b=x%2By+z", "cookies": ["s=1", "t=2"],
            "headers": {"host": "blog.localhost", "user-agent": "curl", "cookie": "s=1; t=2"},
            "queryStringParameters": {"a": "1", "b": "x+y z"},
            "pathParameters": {"proxy": "path-with space"},
            "requestContext": {
                "accountId": "anonymous", "apiId": "blog", "domainName": "blog.localhost", "domainPrefix": "blog",
                "http": {"method": "GET", "path": "/my/path-with space", "protocol": "HTTP/1.1",
                         "sourceIp": "127.0.0.1", "userAgent": "curl"},
                "requestId": "id-1", "routeKey": "GET /my/{proxy+}", "stage": "$default",
                "time": "04/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_u64
            },
            "isBase64Encoded": false
        })
    );
}

#[test]
fn empty_fields_are_left_out() {
    let mut head = head("", &[]);
    head.path_parameters.clear();
    let event = event(&head);
    for field in ["cookies", "queryStringParameters", "pathParameters", "body"] {
        assert!(event.get(field).is_none(), "{field} is there");
    }
    assert_eq!(event["rawQueryString"], "");
}

#[test]
fn repeated_names_are_joined_with_commas() {
    let event = event(&head("c=1&c=2&&d&c=", &[("x", "1"), ("y", "2"), ("x", "3")]));
    assert_eq!(event["queryStringParameters"], json!({"c": "1,2,", "d": ""}));
    assert_eq!(event["headers"], json!({"x": "1,3", "y": "2"}));
}

#[test]
fn any_bytes_make_valid_json() {
    let mut head = head("", &[]);
    head.path = Bytes::from_static(b"/\xff\x00%zz%4");
    head.headers = vec![("x".into(), Bytes::from_static(b"\"\\\x01\xfe"))];
    let event = event(&head);
    assert_eq!(event["rawPath"], "/\u{fffd}\u{0}%zz%4");
    assert_eq!(event["headers"]["x"], "\"\\\u{1}\u{fffd}");
}

#[test]
fn bodies_travel_as_text_only_for_the_listed_types() {
    for (content_type, is_text) in [
        ("text/plain; charset=utf-8", true),
        ("application/json", true),
        ("APPLICATION/XML", true),
        ("application/javascript", true),
        ("application/x-www-form-urlencoded", false),
        ("multipart/form-data; boundary=x", false),
        ("application/problem+json", false),
        ("application/octet-stream", false),
    ] {
        let head = head("", &[("content-type", content_type)]);
        let body = EventBody::of(&head, b"hi");
        let expected = if is_text { EventBody::Text("hi") } else { EventBody::Base64("aGk=".into()) };
        assert_eq!(body, expected, "{content_type}");
    }
    assert_eq!(EventBody::of(&head("", &[]), b"hi"), EventBody::Base64("aGk=".into()));
    assert_eq!(EventBody::of(&head("", &[("content-type", "text/plain")]), b""), EventBody::None);
    let not_utf8 = EventBody::of(&head("", &[("content-type", "text/plain")]), b"\xff");
    assert_eq!(not_utf8, EventBody::Base64("/w==".into()));
}

#[test]
fn times_are_right_at_the_edges_of_the_calendar() {
    assert_eq!(common_log_time(0), "01/Jan/1970:00:00:00 +0000");
    assert_eq!(common_log_time(951_782_400), "29/Feb/2000:00:00:00 +0000");
    assert_eq!(common_log_time(1_735_689_599), "31/Dec/2024:23:59:59 +0000");
    assert_eq!(common_log_time(4_107_542_400), "01/Mar/2100:00:00:00 +0000");
}
