//! The request head, written from hyper's request straight into the frame: one copy, no allocation.
//!
//! What it writes is what [`isle_wire::RequestHead::encode`] would write; a test holds it to that.
//!
//! Fields that concern one connection only stay here (RFC 9110 §7.6.1): `connection` and what it
//! names, `keep-alive`, `proxy-connection`, `te`, `trailer`, `transfer-encoding`, `upgrade`. Cookies
//! that HTTP/2 sent in pieces are joined. `x-forwarded-for` is continued; `x-forwarded-proto` and
//! `-port` are ours alone, because what a stranger says there is not to be believed.

use crate::accept::{HeaderNames, Peer};
use crate::route::Matched;
use bytes::{BufMut, BytesMut};
use http::Request;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use isle_wire::{PayloadFormat, Writer};
use std::io::Write;

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Whether the field concerns one connection only.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    *name == header::CONNECTION
        || *name == header::TRANSFER_ENCODING
        || *name == header::TE
        || *name == header::TRAILER
        || *name == header::UPGRADE
        || *name == KEEP_ALIVE
        || *name == PROXY_CONNECTION
}

/// Everything that the head is written from.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// hyper's part of it.
    pub request: &'a Request<()>,
    /// Host name without port.
    pub host: &'a str,
    /// The route.
    pub matched: &'a Matched,
    /// Who sent it.
    pub peer: Peer,
    /// The port that strangers connect to, in digits.
    pub port: &'a str,
    /// The request's id.
    pub request_id: &'a str,
    /// Arrival, ms since the Unix epoch.
    pub time_ms: u64,
}

/// Text that is short enough for the stack.
struct Short {
    bytes: [u8; 64],
    length: usize,
}

impl Short {
    fn of(value: impl std::fmt::Display) -> Short {
        let mut bytes = [0; 64];
        let mut rest = &mut bytes[..];
        // An IP address has at most 45 characters, with a scope not many more; what is longer is cut.
        let _ = write!(rest, "{value}");
        let left = rest.len();
        Short { length: bytes.len() - left, bytes }
    }

    fn get(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Writes pairs, with their count before them when they are all there.
struct Pairs<'a> {
    out: &'a mut BytesMut,
    count_at: usize,
    count: u32,
}

impl<'a> Pairs<'a> {
    fn begin(out: &'a mut BytesMut) -> Pairs<'a> {
        let count_at = out.len();
        out.put_u32_le(0);
        Pairs { out, count_at, count: 0 }
    }

    fn pair(&mut self, name: &[u8], value: &[u8]) {
        Writer(self.out).bytes(name).bytes(value);
        self.count += 1;
    }

    /// A pair whose value is these parts with `separator` between them.
    fn joined<'b>(&mut self, name: &[u8], separator: &[u8], parts: impl Iterator<Item = &'b [u8]>) {
        Writer(self.out).bytes(name);
        let length_at = self.out.len();
        self.out.put_u32_le(0);
        for (at, part) in parts.enumerate() {
            if at > 0 {
                self.out.put_slice(separator);
            }
            self.out.put_slice(part);
        }
        let length = (self.out.len() - length_at - 4) as u32;
        self.out[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
        self.count += 1;
    }

    fn end(self) {
        self.out[self.count_at..self.count_at + 4].copy_from_slice(&self.count.to_le_bytes());
    }
}

/// Whether `connection` names this field.
fn is_named(connection: Option<&HeaderValue>, headers: &HeaderMap, name: &HeaderName) -> bool {
    // Nearly always there is no such field, or it says `keep-alive`.
    let Some(first) = connection else { return false };
    if first.as_bytes().eq_ignore_ascii_case(b"keep-alive") || first.as_bytes().eq_ignore_ascii_case(b"close") {
        return false;
    }
    let values = headers.get_all(header::CONNECTION).iter();
    values.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).any(|word| {
        // `connection: host` must not take the host away.
        word.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()) && *name != header::HOST
    })
}

impl Head<'_> {
    /// Appends the head.
    pub fn encode(&self, out: &mut BytesMut) {
        let Head { request, matched, .. } = self;
        Writer(out)
            .bytes(request.method().as_str().as_bytes())
            .bytes(request.uri().path().as_bytes())
            .bytes(request.uri().query().unwrap_or_default().as_bytes())
            .bytes(&matched.route_key);
        let mut pairs = Pairs::begin(out);
        for (name, value) in &matched.path_parameters {
            pairs.pair(name, value);
        }
        pairs.end();
        let source = Short::of(self.peer.addr.ip().to_canonical());
        self.encode_headers(source.get(), out);
        Writer(out)
            .bytes(self.host.as_bytes())
            .bytes(match request.version() {
                http::Version::HTTP_10 => b"HTTP/1.0",
                http::Version::HTTP_2 => b"HTTP/2.0",
                _ => b"HTTP/1.1",
            })
            .bytes(self.scheme())
            .bytes(source.get())
            .bytes(self.request_id.as_bytes())
            .u64(self.time_ms);
    }

    fn scheme(&self) -> &'static [u8] {
        if self.peer.tls { b"https" } else { b"http" }
    }

    fn encode_headers(&self, source: &[u8], out: &mut BytesMut) {
        let headers = self.request.headers();
        let connection = headers.get(header::CONNECTION);
        // Format 1.0 shows names as the client wrote them.
        let as_written = self.matched.function.spec.contract.payload_format != PayloadFormat::V2;
        let written = if as_written { self.request.extensions().get::<HeaderNames>() } else { None };
        let shown = |name: &'_ HeaderName| written.and_then(|names| names.written(name.as_str()));
        let mut pairs = Pairs::begin(out);
        if !headers.contains_key(header::HOST)
            && let Some(authority) = self.request.uri().authority()
        {
            pairs.pair(b"host", authority.as_str().as_bytes());
        }
        let mut cookies = false;
        for (name, value) in headers {
            if *name == header::COOKIE {
                if !std::mem::replace(&mut cookies, true) {
                    let all = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
                    pairs.joined(shown(name).unwrap_or(b"cookie"), b"; ", all);
                }
            } else if !is_hop_by_hop(name)
                && *name != FORWARDED_FOR
                && *name != FORWARDED_PROTO
                && *name != FORWARDED_PORT
                && !is_named(connection, headers, name)
            {
                pairs.pair(shown(name).unwrap_or(name.as_str().as_bytes()), value.as_bytes());
            }
        }
        let ours: [&[u8]; 3] = match as_written {
            true => [b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Port"],
            false => [b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-port"],
        };
        let before = headers.get_all(&FORWARDED_FOR).iter().map(HeaderValue::as_bytes);
        pairs.joined(ours[0], b", ", before.chain([source]));
        pairs.pair(ours[1], self.scheme());
        pairs.pair(ours[2], self.port.as_bytes());
        pairs.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::fake::spec;
    use crate::route::FunctionVersion;
    use bytes::Bytes;
    use isle_wire::{Reader, RequestHead};
    use std::sync::Arc;

    fn encoded(request: Request<()>, tls: bool) -> RequestHead {
        let matched = Matched {
            function: Arc::new(FunctionVersion::new(spec("acme", "blog", "hello"), "acme".into())),
            route_key: Bytes::from_static(b"GET /hello/{name}"),
            path_parameters: vec![(Bytes::from_static(b"name"), Bytes::from_static(b"you"))],
            cors: None,
        };
        let peer = Peer { addr: "[::ffff:192.0.2.7]:999".parse().unwrap(), tls };
        let head = Head {
            request: &request,
            host: "blog.test",
            matched: &matched,
            peer,
            port: "3000",
            request_id: "r1",
            time_ms: 12,
        };
        let mut out = BytesMut::new();
        head.encode(&mut out);
        let mut reader = Reader(out.clone().freeze());
        let decoded = RequestHead::decode(&mut reader).unwrap();
        assert!(reader.rest().is_empty());
        let mut again = BytesMut::new();
        decoded.encode(&mut again);
        assert_eq!(again, out, "what the wire's own encoder writes");
        decoded
    }

    fn headers(head: &RequestHead) -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        head.headers.iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn a_head_says_what_the_request_said() {
        let request = Request::get("/hello/you?a=1&b=%20").header("host", "blog.test:3000").header("X-Two", "b");
        let head = encoded(request.header("x-two", "c").body(()).unwrap(), false);
        assert_eq!(
            (&head.method[..], &head.path[..], &head.query[..]),
            (&b"GET"[..], &b"/hello/you"[..], &b"a=1&b=%20"[..])
        );
        assert_eq!(
            (&head.host[..], &head.protocol[..], &head.scheme[..]),
            (&b"blog.test"[..], &b"HTTP/1.1"[..], &b"http"[..])
        );
        assert_eq!((&head.source_ip[..], &head.request_id[..], head.time_ms), (&b"192.0.2.7"[..], &b"r1"[..], 12));
        assert_eq!(head.path_parameters, [(Bytes::from_static(b"name"), Bytes::from_static(b"you"))]);
        let ours = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "http"), ("x-forwarded-port", "3000")];
        let theirs = [("host", "blog.test:3000"), ("x-two", "b"), ("x-two", "c")];
        assert_eq!(headers(&head), [&theirs[..], &ours[..]].concat());
    }

    #[test]
    fn what_concerns_a_connection_stays_here() {
        let mut request = Request::get("/").header("host", "a").header("connection", "X-Private, host, close");
        for name in ["keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "x-private"] {
            request = request.header(name, "x");
        }
        let head = encoded(request.body(()).unwrap(), true);
        let names: Vec<&str> = headers(&head).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"]);
        assert_eq!(&head.scheme[..], b"https");
    }

    #[test]
    fn a_forwarded_request_keeps_its_way_and_nothing_else_that_was_claimed() {
        let request = Request::get("/")
            .header("host", "a")
            .header("x-forwarded-for", "203.0.113.9")
            .header("x-forwarded-for", "198.51.100.1")
            .header("x-forwarded-proto", "gopher")
            .header("x-forwarded-port", "1");
        let head = encoded(request.body(()).unwrap(), true);
        let expected = [
            ("host", "a"),
            ("x-forwarded-for", "203.0.113.9, 198.51.100.1, 192.0.2.7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "3000"),
        ];
        assert_eq!(headers(&head), expected);
    }

    #[test]
    fn http2_looks_like_http1_to_a_function() {
        let request = Request::get("http://blog.test:3000/x").version(http::Version::HTTP_2);
        let request = request.header("cookie", "a=1").header("accept", "*/*").header("cookie", "b=2").body(()).unwrap();
        let head = encoded(request, false);
        let theirs = &headers(&head)[..3];
        assert_eq!(theirs, [("host", "blog.test:3000"), ("cookie", "a=1; b=2"), ("accept", "*/*")]);
        assert_eq!((&head.path[..], &head.protocol[..]), (&b"/x"[..], &b"HTTP/2.0"[..]));
    }
}
