//! A request as a fetch handler's `Request` is made of it, and a `Response` as it goes out.

use super::response::{Unreadable, checked_fields};
use bytes::Bytes;
use isle_wire::RequestHead;

/// What a `Request` is made of.
pub struct FetchInput<'a> {
    /// Everything but the body.
    pub head: &'a RequestHead,
    /// The body.
    pub body: FetchBody<'a>,
}

/// A request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchBody<'a> {
    /// There is none.
    None,
    /// All of it.
    Whole(&'a [u8]),
    /// It is on its way.
    Coming,
}

impl<'a> FetchBody<'a> {
    /// The body of a request with this head. `GET` and `HEAD` have none, whatever was sent: no
    /// `Request` of theirs can.
    pub fn of(head: &RequestHead, body: &'a [u8], follows: bool) -> FetchBody<'a> {
        if head.method == "GET" || head.method == "HEAD" || (body.is_empty() && !follows) {
            FetchBody::None
        } else if follows {
            FetchBody::Coming
        } else {
            FetchBody::Whole(body)
        }
    }
}

/// The request's URL, and whether it is in the form that `URL` would give it.
pub fn url(head: &RequestHead) -> (Vec<u8>, bool) {
    let host = head.header("host").unwrap_or(&head.host);
    // `OPTIONS *` asks about the server as a whole; behind the host it would be part of its name.
    let path: &[u8] = if head.path == "*" { b"/" } else { &head.path };
    let mut url = Vec::with_capacity(head.scheme.len() + host.len() + path.len() + head.query.len() + 4);
    for part in [&head.scheme[..], b"://", host, path] {
        url.extend_from_slice(part);
    }
    if !head.query.is_empty() {
        url.push(b'?');
        url.extend_from_slice(&head.query);
    }
    let own_port: &[u8] = if head.scheme == "https" { b":443" } else { b":80" };
    let plain_host = host.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:_".contains(b));
    let plain = plain_host && !host.ends_with(own_port) && is_plain_path(path) && is_plain_query(&head.query);
    (url, plain)
}

fn is_plain_path(path: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(b);
    // Segments of dots are taken away, also when they are escaped.
    path.starts_with(b"/")
        && path.iter().all(plain)
        && !path.windows(2).any(|two| two == b"/.")
        && !path.windows(3).any(|three| three.eq_ignore_ascii_case(b"%2e"))
}

fn is_plain_query(query: &[u8]) -> bool {
    query.iter().all(|b| b.is_ascii_graphic() && !b"\"#<>'".contains(b))
}

/// The header fields as text: names and values, each ended by a line feed. A byte is a character:
/// that is how the web's `Headers` has them.
pub fn header_text(head: &RequestHead) -> Vec<u8> {
    let length = head.headers.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let mut text = Vec::with_capacity(length);
    for part in head.headers.iter().flat_map(|(name, value)| [name, value]) {
        text.extend_from_slice(part);
        text.push(b'\n');
    }
    text
}

/// The path parameters as JSON; `None` when the route has none.
pub fn params_json(head: &RequestHead) -> Option<String> {
    if head.path_parameters.is_empty() {
        return None;
    }
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let map: serde_json::Map<String, serde_json::Value> =
        head.path_parameters.iter().map(|(name, value)| (text(name), text(value).into())).collect();
    Some(serde_json::Value::Object(map).to_string())
}

/// Header fields from the text that JavaScript made of them.
///
/// # Errors
/// [`Unreadable::Invalid`]: no such field can be sent.
pub fn fields(text: Vec<u8>) -> Result<Vec<(Bytes, Bytes)>, Unreadable> {
    let mut text = text;
    let mut ends = Vec::new();
    let mut from = 0;
    let mut is_name = true;
    for at in 0..text.len() {
        if text[at] == b'\n' {
            if is_name {
                text[from..at].make_ascii_lowercase();
            }
            ends.push((from, at));
            from = at + 1;
            is_name = !is_name;
        }
    }
    let all = Bytes::from(text);
    let field = |pair: &[(usize, usize)]| match *pair {
        [(name, name_end), (value, value_end)] => Some((all.slice(name..name_end), all.slice(value..value_end))),
        _ => None,
    };
    checked_fields(ends.chunks(2).filter_map(field).collect())
}

/// The request that a warm-up event stands for.
pub fn head_of_event(event: &str) -> RequestHead {
    let event: serde_json::Value = serde_json::from_str(event).unwrap_or_default();
    let text = |value: &serde_json::Value, otherwise: &str| Bytes::from(value.as_str().unwrap_or(otherwise).to_owned());
    RequestHead {
        method: text(&event["requestContext"]["http"]["method"], "GET"),
        path: text(&event["rawPath"], "/"),
        query: text(&event["rawQueryString"], ""),
        headers: vec![(Bytes::from_static(b"host"), text(&event["headers"]["host"], "localhost"))],
        scheme: Bytes::from_static(b"http"),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(host: &'static str, path: &'static str, query: &'static str) -> RequestHead {
        RequestHead {
            method: "POST".into(),
            path: path.into(),
            query: query.into(),
            headers: vec![("host".into(), host.into())],
            scheme: "http".into(),
            ..Default::default()
        }
    }

    #[test]
    fn only_what_a_url_would_leave_alone_is_plain() {
        let plain = |host, path, query| url(&head(host, path, query));
        assert_eq!(plain("a.test:3000", "/x/y", "a=1"), (b"http://a.test:3000/x/y?a=1".to_vec(), true));
        assert_eq!(plain("a.test", "*", ""), (b"http://a.test/".to_vec(), true));
        for (host, path, query) in [
            ("A.test", "/", ""),
            ("a.test:80", "/", ""),
            ("a.test", "/a/../b", ""),
            ("a.test", "/%2E%2e/b", ""),
            ("a.test", "/a{b}", ""),
            ("a.test", "/", "a='b'"),
            ("a.test", "/\u{e4}", ""),
        ] {
            assert!(!plain(host, path, query).1, "{host}{path}?{query}");
        }
    }

    #[test]
    fn fields_come_out_in_order_with_lower_case_names() {
        let fields = fields(b"Content-Type\ntext/plain\nset-cookie\na=1\nset-cookie\n\n".to_vec()).unwrap();
        let text: Vec<_> = fields.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        assert_eq!(text, [(&b"content-type"[..], &b"text/plain"[..]), (b"set-cookie", b"a=1"), (b"set-cookie", b"")]);
        assert!(super::fields(b"a b\nc\n".to_vec()).is_err());
        assert!(super::fields(b"a\nc\x01\n".to_vec()).is_err());
    }

    #[test]
    fn a_get_has_no_body_and_an_empty_one_is_none() {
        let post = head("a", "/", "");
        assert_eq!(FetchBody::of(&post, b"x", false), FetchBody::Whole(b"x"));
        assert_eq!(FetchBody::of(&post, b"", false), FetchBody::None);
        assert_eq!(FetchBody::of(&post, b"", true), FetchBody::Coming);
        assert_eq!(FetchBody::of(&RequestHead { method: "GET".into(), ..post }, b"x", true), FetchBody::None);
    }
}
