//! Header fields on their way out and back. What frames a message, and what concerns one connection,
//! is ours to say: with it a function could make a server see two requests in one. Pure.

use super::failure::Refused;
use crate::dispatch::is_hop_by_hop;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// The most header fields of a request, and their bytes.
const FIELDS_MAX: usize = 200;
const BYTES_MAX: usize = 64 << 10;

/// Who asks, when the function does not say.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("Isle/", env!("CARGO_PKG_VERSION")));

/// The fields of a request as they are sent. Left out: `host`, `content-length` and `expect`, and what
/// concerns a connection.
///
/// # Errors
/// A field that is none, or too many of them.
pub fn outbound(given: &[(Bytes, Bytes)]) -> Result<HeaderMap, Refused> {
    let bytes: usize = given.iter().map(|(name, value)| name.len() + value.len()).sum();
    if given.len() > FIELDS_MAX || bytes > BYTES_MAX {
        return Err(Refused::Malformed("it has too many header fields, or too long ones"));
    }
    let mut fields = HeaderMap::with_capacity(given.len() + 2);
    for (name, value) in given {
        let name =
            HeaderName::from_bytes(name).map_err(|_| Refused::Malformed("the name of a header field is malformed"))?;
        let value = HeaderValue::from_bytes(value)
            .map_err(|_| Refused::Malformed("the value of a header field is malformed"))?;
        if is_ours(&name) {
            continue;
        }
        fields.append(name, value);
    }
    fields.entry(header::USER_AGENT).or_insert(USER_AGENT);
    Ok(fields)
}

fn is_ours(name: &HeaderName) -> bool {
    is_hop_by_hop(name)
        || *name == header::HOST
        || *name == header::CONTENT_LENGTH
        || *name == header::EXPECT
        || *name == header::PROXY_AUTHORIZATION
        || name.as_str() == "http2-settings"
}

/// The fields of a response as the function sees them.
pub fn inbound(given: &HeaderMap) -> Vec<(Bytes, Bytes)> {
    let field = |(name, value): (&HeaderName, &HeaderValue)| {
        (Bytes::copy_from_slice(name.as_str().as_bytes()), Bytes::copy_from_slice(value.as_bytes()))
    };
    given.iter().filter(|(name, _)| !is_hop_by_hop(name)).map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(given: &[(&'static str, &'static str)]) -> Vec<(Bytes, Bytes)> {
        given.iter().map(|(name, value)| (Bytes::from(*name), Bytes::from(*value))).collect()
    }

    #[test]
    fn what_frames_a_message_is_left_out() {
        let given = pairs(&[
            ("Host", "other.test"),
            ("Content-Length", "5"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close, x"),
            ("Keep-Alive", "1"),
            ("Upgrade", "websocket"),
            ("TE", "trailers"),
            ("Trailer", "x"),
            ("Expect", "100-continue"),
            ("Proxy-Connection", "x"),
            ("Proxy-Authorization", "x"),
            ("HTTP2-Settings", "x"),
            ("X-Own", "1"),
            ("x-own", "2"),
        ]);
        let fields = outbound(&given).unwrap();
        let all: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let agent = USER_AGENT;
        assert_eq!(all, [("x-own", "1"), ("x-own", "2"), ("user-agent", agent.to_str().unwrap())]);
        let fields = outbound(&pairs(&[("user-agent", "mine")])).unwrap();
        assert_eq!(fields["user-agent"], "mine");
    }

    #[test]
    fn a_field_that_would_break_the_line_is_refused() {
        for (name, value) in [("x", "a\r\nb: c"), ("x", "a\nb"), ("x", "a\0"), ("x y", "1"), ("", "1"), ("x:", "1")] {
            assert!(matches!(outbound(&pairs(&[(name, value)])), Err(Refused::Malformed(_))), "{name:?}: {value:?}");
        }
        let many = vec![(Bytes::from("x"), Bytes::new()); FIELDS_MAX + 1];
        assert!(outbound(&many).is_err());
        let long = vec![(Bytes::from("x"), Bytes::from(vec![b'a'; BYTES_MAX]))];
        assert!(outbound(&long).is_err());
    }

    #[test]
    fn what_concerns_the_connection_does_not_come_back() {
        let mut given = HeaderMap::new();
        for (name, value) in [("connection", "x"), ("transfer-encoding", "chunked"), ("content-length", "3")] {
            given.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        for value in ["a=1", "b=2"] {
            given.append("set-cookie", HeaderValue::from_static(value));
        }
        let names: Vec<_> = inbound(&given).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["content-length", "set-cookie", "set-cookie"]);
    }
}
