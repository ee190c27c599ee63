//! The HTTP request as it travels to a cell: everything the handler's event is built from.

use crate::codec::{Reader, WireError, Writer};
use bytes::{Bytes, BytesMut};

/// A request without its body. Text fields are kept as bytes: they are copied into an event once,
/// in the cell, and need not be validated twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHead {
    /// Upper-case method.
    pub method: Bytes,
    /// Path as the client sent it, percent-encoding kept, without the query.
    pub path: Bytes,
    /// Query as the client sent it, without `?`; empty when there is none.
    pub query: Bytes,
    /// The route that was selected: `GET /hello/{name}` or `$default` (R54).
    pub route_key: Bytes,
    /// Path parameters, decoded, in the order of the route.
    pub path_parameters: Vec<(Bytes, Bytes)>,
    /// Header fields in the order they came, names in lower case, or as the client wrote them for a
    /// function whose payload format keeps them so; values are as sent.
    pub headers: Vec<(Bytes, Bytes)>,
    /// Host name without port.
    pub host: Bytes,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: Bytes,
    /// `http` or `https`.
    pub scheme: Bytes,
    /// The peer's IP address.
    pub source_ip: Bytes,
    /// The invocation's id as strangers see it (`isle-request-id`).
    pub request_id: Bytes,
    /// Arrival, ms since the Unix epoch.
    pub time_ms: u64,
}

fn put_pairs(w: &mut Writer<'_>, pairs: &[(Bytes, Bytes)]) {
    w.u32(pairs.len() as u32);
    for (name, value) in pairs {
        w.bytes(name).bytes(value);
    }
}

fn take_pairs(r: &mut Reader, field: &'static str) -> Result<Vec<(Bytes, Bytes)>, WireError> {
    let count = r.u32(field)? as usize;
    // Each pair takes at least its two lengths, so a false count cannot make a large allocation.
    if count > r.0.len() / 8 {
        return Err(WireError::Truncated(field));
    }
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        pairs.push((r.bytes(field)?, r.bytes(field)?));
    }
    Ok(pairs)
}

impl RequestHead {
    /// Appends the head's fields.
    pub fn encode(&self, out: &mut BytesMut) {
        let mut w = Writer(out);
        w.bytes(&self.method).bytes(&self.path).bytes(&self.query).bytes(&self.route_key);
        put_pairs(&mut w, &self.path_parameters);
        put_pairs(&mut w, &self.headers);
        w.bytes(&self.host).bytes(&self.protocol).bytes(&self.scheme).bytes(&self.source_ip);
        w.bytes(&self.request_id).u64(self.time_ms);
    }

    /// Takes the head's fields from the front of `r`.
    ///
    /// # Errors
    /// The field that is cut short.
    pub fn decode(r: &mut Reader) -> Result<RequestHead, WireError> {
        Ok(RequestHead {
            method: r.bytes("method")?,
            path: r.bytes("path")?,
            query: r.bytes("query")?,
            route_key: r.bytes("route key")?,
            path_parameters: take_pairs(r, "path parameters")?,
            headers: take_pairs(r, "headers")?,
            host: r.bytes("host")?,
            protocol: r.bytes("protocol")?,
            scheme: r.bytes("scheme")?,
            source_ip: r.bytes("source ip")?,
            request_id: r.bytes("request id")?,
            time_ms: r.u64("time")?,
        })
    }

    /// The first header field of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Whether it comes through the Invoke API: the body is the event.
    pub fn is_direct(&self) -> bool {
        self.route_key == crate::INVOKE_ROUTE
    }
}
