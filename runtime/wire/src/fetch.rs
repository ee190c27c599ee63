//! A function's own requests: what a cell asks the gateway to fetch, and what it is answered.
//!
//! ```text
//!   cell                                    gateway
//!    Request ───────────────────────────────▶ checked, resolved, connected, sent
//!    Body … Body(last) ─────────────────────▶ ◀── Credit
//!           ◀─────────────────────────────── Response | Failed
//!    Credit ──▶ ◀──────────── Body … Body(last) | Failed
//!    Cancel ────────────────────────────────▶ given up, at any time
//! ```
//!
//! Ids are the cell's, one number space of its own, and are not used again while the exchange is
//! known to either side. Bodies obey [`crate::WINDOW_BYTES`] as those of invocations do, but a cell has
//! no credit for a request's body until the gateway gives it: the request may have to wait its turn.

use crate::codec::{Reader, WireError, Writer};
use bytes::{Bytes, BytesMut};

/// The value of [`FetchRequest::body_bytes`] when nobody knows.
pub const BODY_BYTES_UNKNOWN: u64 = u64::MAX;

/// One message about a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchFrame {
    /// Cell → gateway: fetch this.
    Request(FetchRequest),
    /// Gateway → cell: the head of the response.
    Response(FetchResponse),
    /// Gateway → cell: there is no response, or no more of one. The text is for the function's
    /// author.
    Failed(String),
    /// Either way: a piece of a body.
    Body {
        /// Whether it is the last.
        last: bool,
        /// The bytes.
        data: Bytes,
    },
    /// Either way: the receiver of a body took this many bytes more.
    Credit(u32),
    /// Cell → gateway: nobody waits for it any more.
    Cancel,
}

/// What to fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchRequest {
    /// The function version that asks, by the number given in [`crate::Frame::Load`].
    pub version: u32,
    /// The invocation that asks; 0 when it is nobody's turn.
    pub invocation: u32,
    /// The method.
    pub method: Bytes,
    /// The URL: absolute, `http` or `https`, without fragment and credentials.
    pub url: Bytes,
    /// Header fields.
    pub headers: Vec<(Bytes, Bytes)>,
    /// Whether the body follows in [`FetchFrame::Body`]; `body` is empty then.
    pub body_follows: bool,
    /// How long a body that follows is, in bytes, or [`BODY_BYTES_UNKNOWN`].
    pub body_bytes: u64,
    /// The whole body, when it is small enough.
    pub body: Bytes,
}

/// The head of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchResponse {
    /// HTTP status.
    pub status: u16,
    /// The reason phrase; empty where the protocol has none.
    pub reason: Bytes,
    /// Header fields.
    pub headers: Vec<(Bytes, Bytes)>,
    /// Whether a body follows in [`FetchFrame::Body`].
    pub body_follows: bool,
}

pub(crate) mod kind {
    pub const REQUEST: u8 = 32;
    pub const RESPONSE: u8 = 33;
    pub const FAILED: u8 = 34;
    pub const BODY: u8 = 35;
    pub const CREDIT: u8 = 36;
    pub const CANCEL: u8 = 37;
    pub const ALL: std::ops::RangeInclusive<u8> = REQUEST..=CANCEL;
}

fn put_pairs(w: &mut Writer<'_>, pairs: &[(Bytes, Bytes)]) {
    w.u32(pairs.len() as u32);
    for (name, value) in pairs {
        w.bytes(name).bytes(value);
    }
}

fn take_pairs(r: &mut Reader) -> Result<Vec<(Bytes, Bytes)>, WireError> {
    let count = r.u32("header count")? as usize;
    // Each takes eight bytes at least: what announces more does not get memory for it.
    if count > r.0.len() / 8 {
        return Err(WireError::Truncated("headers"));
    }
    (0..count).map(|_| Ok((r.bytes("header name")?, r.bytes("header value")?))).collect()
}

impl FetchFrame {
    pub(crate) fn kind(&self) -> u8 {
        match self {
            FetchFrame::Request(_) => kind::REQUEST,
            FetchFrame::Response(_) => kind::RESPONSE,
            FetchFrame::Failed(_) => kind::FAILED,
            FetchFrame::Body { .. } => kind::BODY,
            FetchFrame::Credit(_) => kind::CREDIT,
            FetchFrame::Cancel => kind::CANCEL,
        }
    }

    /// Whether more of a body follows: the frame's flag.
    pub(crate) fn more(&self) -> bool {
        match self {
            FetchFrame::Request(request) => request.body_follows,
            FetchFrame::Response(response) => response.body_follows,
            FetchFrame::Body { last, .. } => !last,
            FetchFrame::Failed(_) | FetchFrame::Credit(_) | FetchFrame::Cancel => false,
        }
    }

    pub(crate) fn put(&self, out: &mut BytesMut) {
        let mut w = Writer(out);
        match self {
            FetchFrame::Request(request) => {
                w.u32(request.version).u32(request.invocation).bytes(&request.method).bytes(&request.url);
                put_pairs(&mut w, &request.headers);
                w.u64(request.body_bytes).rest(&request.body);
            }
            FetchFrame::Response(response) => {
                w.u32(u32::from(response.status)).bytes(&response.reason);
                put_pairs(&mut w, &response.headers);
            }
            FetchFrame::Failed(message) => {
                w.rest(message.as_bytes());
            }
            FetchFrame::Body { data, .. } => {
                w.rest(data);
            }
            FetchFrame::Credit(bytes) => {
                w.u32(*bytes);
            }
            FetchFrame::Cancel => {}
        }
    }

    pub(crate) fn take(kind: u8, more: bool, mut r: Reader) -> Result<FetchFrame, WireError> {
        Ok(match kind {
            kind::REQUEST => FetchFrame::Request(FetchRequest {
                version: r.u32("version")?,
                invocation: r.u32("invocation")?,
                method: r.bytes("method")?,
                url: r.bytes("url")?,
                headers: take_pairs(&mut r)?,
                body_follows: more,
                body_bytes: r.u64("body length")?,
                body: r.rest(),
            }),
            kind::RESPONSE => FetchFrame::Response(FetchResponse {
                status: u16::try_from(r.u32("status")?).map_err(|_| WireError::Invalid("status"))?,
                reason: r.bytes("reason")?,
                headers: take_pairs(&mut r)?,
                body_follows: more,
            }),
            kind::FAILED => FetchFrame::Failed(String::from_utf8_lossy(&r.rest()).into_owned()),
            kind::BODY => FetchFrame::Body { last: !more, data: r.rest() },
            kind::CREDIT => FetchFrame::Credit(r.u32("credit")?),
            kind::CANCEL => FetchFrame::Cancel,
            _ => return Err(WireError::Invalid("kind")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoder, Frame};

    #[test]
    fn every_frame_comes_back_as_it_was() {
        let pair = |name: &'static str, value: &'static str| (Bytes::from(name), Bytes::from(value));
        let frames = [
            FetchFrame::Request(FetchRequest {
                version: 3,
                invocation: 77,
                method: "POST".into(),
                url: "https://example.test/a?b".into(),
                headers: vec![pair("accept", "*/*"), pair("x", "")],
                body_follows: false,
                body_bytes: BODY_BYTES_UNKNOWN,
                body: "hello".into(),
            }),
            FetchFrame::Request(FetchRequest { body_follows: true, body_bytes: 9, ..Default::default() }),
            FetchFrame::Response(FetchResponse {
                status: 201,
                reason: "Created".into(),
                headers: vec![pair("set-cookie", "a=1"), pair("set-cookie", "b=2")],
                body_follows: true,
            }),
            FetchFrame::Failed("no".into()),
            FetchFrame::Body { last: false, data: "piece".into() },
            FetchFrame::Body { last: true, data: Bytes::new() },
            FetchFrame::Credit(65_536),
            FetchFrame::Cancel,
        ];
        let mut decoder = Decoder::default();
        for (id, frame) in frames.iter().enumerate() {
            Frame::Fetch { id: id as u32, frame: frame.clone() }.encode(&mut decoder.buffer);
        }
        for (id, frame) in frames.into_iter().enumerate() {
            assert_eq!(decoder.next_frame(), Ok(Some(Frame::Fetch { id: id as u32, frame })));
        }
    }

    #[test]
    fn a_header_count_beyond_the_frame_gets_no_memory() {
        let mut out = BytesMut::new();
        Writer(&mut out).u32(200).bytes(b"OK").u32(u32::MAX);
        let taken = FetchFrame::take(kind::RESPONSE, false, Reader(out.freeze()));
        assert_eq!(taken, Err(WireError::Truncated("headers")));
    }
}
