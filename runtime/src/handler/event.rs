//! The event: a request in payload format 2.0 (§5.1), as JSON text.
//!
//! The body is not in the text: it is handed to V8 as a string of its own, which is cheaper than
//! escaping it here and parsing it there. Fields that would be empty are left out.

use isle_wire::RequestHead;
use std::borrow::Cow;
use std::cell::RefCell;

/// How a body travels in the event.
#[derive(Debug, PartialEq, Eq)]
pub enum EventBody<'a> {
    /// There is none (R13).
    None,
    /// As text (R10).
    Text(&'a str),
    /// As text that was no UTF-8, with U+FFFD for what could not be read (R12).
    Lossy(String),
    /// As base64 (R11).
    Base64(String),
}

impl<'a> EventBody<'a> {
    /// Decides by the content type (R10, R11). Text that is not UTF-8 travels as base64, so that
    /// nothing is lost.
    pub fn of(head: &RequestHead, body: &'a [u8]) -> EventBody<'a> {
        if body.is_empty() {
            return EventBody::None;
        }
        if head.header("content-type").is_some_and(|value| is_text(value))
            && let Ok(text) = std::str::from_utf8(body)
        {
            return EventBody::Text(text);
        }
        EventBody::Base64(super::encode_base64(body))
    }
}

/// The media type of a content type, without parameters.
pub(super) fn media_type(content_type: &[u8]) -> &[u8] {
    let end = content_type.iter().position(|b| *b == b';').unwrap_or(content_type.len());
    content_type[..end].trim_ascii()
}

/// R10: these media types, and no others, are passed as plain strings.
fn is_text(content_type: &[u8]) -> bool {
    let media_type = media_type(content_type);
    let is = |name: &str| media_type.eq_ignore_ascii_case(name.as_bytes());
    media_type.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"text/"))
        || is("application/json")
        || is("application/xml")
        || is("application/javascript")
}

/// Appends `text` as a JSON string. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn push_json(out: &mut String, text: &[u8]) {
    out.push('"');
    match std::str::from_utf8(text) {
        Ok(text) => push_escaped(out, text),
        Err(_) => push_escaped(out, &String::from_utf8_lossy(text)),
    }
    out.push('"');
}

fn push_escaped(out: &mut String, text: &str) {
    let mut clean_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[clean_from..at]);
        clean_from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    out.push_str(&text[clean_from..]);
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// Percent-decodes; `plus` says whether `+` means a space. A `%` that starts no escape stays.
fn decode(text: &[u8], plus: bool) -> Cow<'_, [u8]> {
    if !text.iter().any(|b| *b == b'%' || (plus && *b == b'+')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'+', _) if plus => out.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(byte),
            },
            _ => out.push(byte),
        }
    }
    Cow::Owned(out)
}

/// A name and its value, decoded.
pub(super) type Pair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

/// Appends an object whose repeated names are joined with commas, in the order of first sight.
/// Quadratic in the number of *different* names, which the head limits bound to about a hundred.
fn push_joined(out: &mut String, pairs: &[Pair<'_>]) {
    out.push('{');
    let mut first = true;
    for (index, (name, value)) in pairs.iter().enumerate() {
        if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
            continue;
        }
        if !first {
            out.push(',');
        }
        first = false;
        push_json(out, name);
        out.push(':');
        let mut again = pairs[index + 1..].iter().filter(|(later, _)| later == name).peekable();
        if again.peek().is_none() {
            push_json(out, value);
            continue;
        }
        let mut joined = value.to_vec();
        for (_, more) in again {
            joined.push(b',');
            joined.extend_from_slice(more);
        }
        push_json(out, &joined);
    }
    out.push('}');
}

/// A cookie header's pairs, in order.
fn cookies(head: &RequestHead) -> impl Iterator<Item = &[u8]> {
    head.headers
        .iter()
        .filter(|(name, _)| name == "cookie")
        .flat_map(|(_, value)| value.split(|b| *b == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|cookie| !cookie.is_empty())
}

/// The event's JSON text, all but its `body`.
pub fn text(head: &RequestHead, api_id: &str, is_base64: bool) -> String {
    let mut out = String::with_capacity(1_024 + head.path.len() * 2);
    let path = decode(&head.path, false);
    out.push_str("{\"version\":\"2.0\",\"routeKey\":");
    push_json(&mut out, &head.route_key);
    out.push_str(",\"rawPath\":");
    push_json(&mut out, &path);
    out.push_str(",\"rawQueryString\":");
    push_json(&mut out, &head.query);
    push_cookies(&mut out, head);
    out.push_str(",\"headers\":");
    push_headers(&mut out, head);
    push_query(&mut out, head);
    push_path_parameters(&mut out, head);
    push_context(&mut out, head, &path, api_id);
    out.push_str(if is_base64 { ",\"isBase64Encoded\":true}" } else { ",\"isBase64Encoded\":false}" });
    out
}

fn push_cookies(out: &mut String, head: &RequestHead) {
    let mut any = false;
    for cookie in cookies(head) {
        out.push_str(if any { "," } else { ",\"cookies\":[" });
        any = true;
        push_json(out, cookie);
    }
    if any {
        out.push(']');
    }
}

fn push_headers(out: &mut String, head: &RequestHead) {
    let pairs: Vec<_> =
        head.headers.iter().map(|(name, value)| (Cow::Borrowed(&name[..]), Cow::Borrowed(&value[..]))).collect();
    push_joined(out, &pairs);
}

/// The query's names and values, decoded.
pub(super) fn query_pairs(head: &RequestHead) -> Vec<Pair<'_>> {
    head.query
        .split(|b| *b == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            (decode(&pair[..at], true), decode(pair.get(at + 1..).unwrap_or_default(), true))
        })
        .collect()
}

fn push_query(out: &mut String, head: &RequestHead) {
    let pairs = query_pairs(head);
    if !pairs.is_empty() {
        out.push_str(",\"queryStringParameters\":");
        push_joined(out, &pairs);
    }
}

fn push_path_parameters(out: &mut String, head: &RequestHead) {
    if head.path_parameters.is_empty() {
        return;
    }
    let pairs: Vec<_> =
        head.path_parameters.iter().map(|(n, v)| (Cow::Borrowed(&n[..]), Cow::Borrowed(&v[..]))).collect();
    out.push_str(",\"pathParameters\":");
    push_joined(out, &pairs);
}

fn push_context(out: &mut String, head: &RequestHead, path: &[u8], api_id: &str) {
    out.push_str(",\"requestContext\":{\"accountId\":\"anonymous\",\"apiId\":");
    push_json(out, api_id.as_bytes());
    out.push_str(",\"domainName\":");
    push_json(out, &head.host);
    out.push_str(",\"domainPrefix\":");
    push_json(out, head.host.split(|b| *b == b'.').next().unwrap_or_default());
    out.push_str(",\"http\":{\"method\":");
    push_json(out, &head.method);
    out.push_str(",\"path\":");
    push_json(out, path);
    // The access-log variable says HTTP/1.1 even for HTTP/2 clients; frameworks compare with it.
    out.push_str(",\"protocol\":\"HTTP/1.1\",\"sourceIp\":");
    push_json(out, &head.source_ip);
    out.push_str(",\"userAgent\":");
    push_json(out, head.header("user-agent").map_or(&b""[..], |value| value));
    out.push_str("},\"requestId\":");
    push_json(out, &head.request_id);
    out.push_str(",\"routeKey\":");
    push_json(out, &head.route_key);
    out.push_str(",\"stage\":\"$default\",\"time\":\"");
    push_time(out, head.time_ms);
    out.push_str("\",\"timeEpoch\":");
    out.push_str(&head.time_ms.to_string());
    out.push('}');
}

/// `12/Mar/2020:19:03:58 +0000`, kept for the second it names.
pub(super) fn push_time(out: &mut String, time_ms: u64) {
    thread_local! {
        static LAST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let second = time_ms / 1_000;
    LAST.with_borrow_mut(|(of, text)| {
        if *of != second {
            *of = second;
            *text = common_log_time(second);
        }
        out.push_str(text);
    });
}

fn common_log_time(second: u64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, of_day) = (second / 86_400, second % 86_400);
    // Days to a date of the proleptic Gregorian calendar, with years that begin in March.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = year_of_era + era * 400 + u64::from(month < 2);
    format!(
        "{day:02}/{}/{year:04}:{:02}:{:02}:{:02} +0000",
        MONTHS[month as usize],
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    )
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
