//! The event in payload format 1.0 (§5.2), as JSON text, for HTTP APIs and for REST APIs.
//!
//! Nothing is left out here: what there is none of is `null`. Of repeated names the last value
//! counts, and all of them are beside it. `body` is set afterwards, as in format 2.0.

use super::event::{Pair, push_json, push_time, query_pairs};
use isle_wire::{FunctionSpec, PayloadFormat, RequestHead};
use std::borrow::Cow;

/// The event's JSON text, with `null` for its body.
pub fn text(head: &RequestHead, spec: &FunctionSpec, is_base64: bool) -> String {
    let rest = spec.contract.payload_format == PayloadFormat::Rest;
    let mut out = String::with_capacity(3_072 + head.path.len() * 2);
    // A doubled slash in front is one; the context keeps both.
    let path = if head.path.starts_with(b"//") { &head.path[1..] } else { &head.path[..] };
    let place = Place::of(&head.route_key, path, rest);
    out.push_str(if rest { "{" } else { "{\"version\":\"1.0\"," });
    out.push_str("\"resource\":");
    push_json(&mut out, place.resource);
    out.push_str(",\"path\":");
    push_json(&mut out, path);
    out.push_str(",\"httpMethod\":");
    push_json(&mut out, &head.method);
    let headers = header_pairs(head, rest);
    push_both(&mut out, ["headers", "multiValueHeaders"], &headers);
    push_both(&mut out, ["queryStringParameters", "multiValueQueryStringParameters"], &query_pairs(head));
    push_context(&mut out, head, spec, place.resource, rest);
    out.push_str(",\"pathParameters\":");
    push_last(&mut out, &place.parameters);
    out.push_str(",\"stageVariables\":null,\"body\":null");
    out.push_str(if is_base64 { ",\"isBase64Encoded\":true}" } else { ",\"isBase64Encoded\":false}" });
    out
}

/// Where the request was routed to.
struct Place<'a> {
    resource: &'a [u8],
    parameters: Vec<Pair<'a>>,
}

impl<'a> Place<'a> {
    /// Parameters are taken from the path as it was sent: this format keeps its percent-encoding.
    fn of(route_key: &'a [u8], path: &'a [u8], rest: bool) -> Place<'a> {
        let resource = match route_key.iter().position(|byte| *byte == b' ') {
            Some(space) => &route_key[space + 1..],
            None if !rest => return Place { resource: route_key, parameters: Vec::new() },
            // REST APIs have no `$default`: there it is a greedy resource, and the root.
            None if path == b"/" => b"/",
            None => b"/{proxy+}",
        };
        let (mut parameters, mut left) = (Vec::new(), path);
        for segment in resource.split(|byte| *byte == b'/').skip(1) {
            left = left.strip_prefix(b"/").unwrap_or(left);
            let end = left.iter().position(|byte| *byte == b'/').unwrap_or(left.len());
            let name = segment.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
            match name.map(|name| (name, name.strip_suffix(b"+"))) {
                Some((_, Some(greedy))) => {
                    let all = left.strip_suffix(b"/").unwrap_or(left);
                    parameters.push((Cow::Borrowed(greedy), Cow::Borrowed(all)));
                }
                Some((name, None)) => parameters.push((Cow::Borrowed(name), Cow::Borrowed(&left[..end]))),
                None => {}
            }
            left = &left[end..];
        }
        Place { resource, parameters }
    }
}

/// Header fields as the format shows them. REST APIs keep two to themselves.
fn header_pairs(head: &RequestHead, rest: bool) -> Vec<Pair<'_>> {
    let is = |name: &[u8], known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    let shown = |name: &'_ [u8]| ["Authorization", "Host", "User-Agent"].into_iter().find(|known| is(name, known));
    head.headers
        .iter()
        .filter(|(name, _)| !(rest && (is(name, "content-length") || is(name, "connection"))))
        .map(|(name, value)| {
            let name = shown(name).map_or(&name[..], |known| known.as_bytes());
            (Cow::Borrowed(name), Cow::Borrowed(&value[..]))
        })
        .collect()
}

fn push_both(out: &mut String, [single, multi]: [&str; 2], pairs: &[Pair<'_>]) {
    for (name, push) in [(single, push_last as fn(&mut String, &[Pair<'_>])), (multi, push_all)] {
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":");
        push(out, pairs);
    }
}

/// Each name once, in the order of first sight, with what `value` appends for it; `null` for none.
fn push_each(out: &mut String, pairs: &[Pair<'_>], value: impl Fn(&mut String, usize)) {
    if pairs.is_empty() {
        out.push_str("null");
        return;
    }
    let mut before = '{';
    for (index, (name, _)) in pairs.iter().enumerate() {
        if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
            continue;
        }
        out.push(before);
        before = ',';
        push_json(out, name);
        out.push(':');
        value(out, index);
    }
    out.push('}');
}

fn push_last(out: &mut String, pairs: &[Pair<'_>]) {
    push_each(out, pairs, |out, index| {
        let name = &pairs[index].0;
        let last = pairs[index..].iter().rev().find(|(later, _)| later == name);
        push_json(out, &last.unwrap_or(&pairs[index]).1);
    });
}

fn push_all(out: &mut String, pairs: &[Pair<'_>]) {
    push_each(out, pairs, |out, index| {
        let name = &pairs[index].0;
        let mut before = '[';
        for (_, value) in pairs[index..].iter().filter(|(later, _)| later == name) {
            out.push(before);
            before = ',';
            push_json(out, value);
        }
        out.push(']');
    });
}

/// Who calls, for those who are not known; `sourceIp` and `userAgent` follow.
const IDENTITY: &str = "\"identity\":{\"accessKey\":null,\"accountId\":null,\"caller\":null,\
    \"cognitoAuthenticationProvider\":null,\"cognitoAuthenticationType\":null,\"cognitoIdentityId\":null,\
    \"cognitoIdentityPoolId\":null,\"principalOrgId\":null,\"user\":null,\"userArn\":null,\"sourceIp\":";

fn push_context(out: &mut String, head: &RequestHead, spec: &FunctionSpec, resource: &[u8], rest: bool) {
    let mut field = |name: &str, value: &[u8]| {
        out.push_str(name);
        push_json(out, value);
    };
    field(",\"requestContext\":{\"accountId\":\"anonymous\",\"apiId\":", spec.app.as_bytes());
    field(",\"deploymentId\":", spec.deployment.as_bytes());
    field(",\"domainName\":", &head.host);
    field(",\"domainPrefix\":", head.host.split(|b| *b == b'.').next().unwrap_or_default());
    field(",\"extendedRequestId\":", &head.request_id);
    field(",\"httpMethod\":", &head.method);
    field(",\"path\":", &head.path);
    field(",\"protocol\":\"HTTP/1.1\",\"requestId\":", &head.request_id);
    field(",\"resourcePath\":", resource);
    if rest {
        field(",\"resourceId\":", spec.function.as_bytes());
    }
    out.push_str(",\"stage\":\"$default\",\"requestTime\":\"");
    push_time(out, head.time_ms);
    out.push_str("\",\"requestTimeEpoch\":");
    out.push_str(&head.time_ms.to_string());
    if !rest {
        out.push_str(",\"resourceId\":null,\"authorizer\":{\"claims\":null,\"scopes\":null}");
    }
    out.push(',');
    out.push_str(IDENTITY);
    push_json(out, &head.source_ip);
    out.push_str(",\"userAgent\":");
    push_json(out, head.header("user-agent").map_or(&b""[..], |value| value));
    out.push_str("}}");
}
