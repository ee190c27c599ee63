//! The frames between gateway and cell, and how they are cut from a byte stream.
//!
//! ```text
//!   u32 payload length │ u8 kind │ u8 flags │ u16 zero │ u32 id │ payload
//! ```
//!
//! `id` is the invocation's (or the version's, or a ping's). Both directions share the format.
//! Nothing here may grow without bound: a gateway has at most [`crate::BOARD_SLOTS_MAX`]
//! invocations in a cell; an invocation's frame is bounded by the head and body limits; a body
//! beyond [`BODY_CHUNK_BYTES_MAX`] is sent in chunks, never more than [`WINDOW_BYTES`] ahead of
//! the receiver's credit.

use crate::codec::{Reader, WireError, Writer};
use crate::fetch::{self, FetchFrame};
use crate::outcome::{Outcome, StartKind};
use crate::request::RequestHead;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The longest payload. Function bundles are the longest messages; see `bundle_bytes_max`.
pub const FRAME_BYTES_MAX: usize = 64 << 20;
/// The longest piece of a body in one frame, so that other invocations' frames get between.
pub const BODY_CHUNK_BYTES_MAX: usize = 64 << 10;
/// Bytes of one body in flight that the receiver has not acknowledged.
pub const WINDOW_BYTES: usize = 256 << 10;

const HEADER_BYTES: usize = 12;

/// One message.
#[allow(missing_docs, reason = "each variant's comment says what its fields are")]
#[allow(clippy::large_enum_variant, reason = "a frame is matched where it is decoded and never stored in numbers")]
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// Gateway → cell, first: [`crate::CellConfig`] as JSON.
    Configure(Bytes),
    /// Cell → gateway: ready to serve; payload is the cell's process id.
    Ready(u32),
    /// Gateway → cell: from now on `version` means this [`crate::FunctionSpec`], packed, to be started
    /// by `plan`. With `artifact`, a descriptor of what its builder made comes with the frame's first
    /// byte (`SCM_RIGHTS`); with `texts`, one of its texts, which are then not in the spec. Descriptors
    /// are taken in this order, and in that of their frames.
    Load { version: u32, plan: StartKind, artifact: bool, texts: bool, spec: Bytes },
    /// Cell → gateway: the version's artifact cannot be used, and why; it starts without.
    Unfit { version: u32, why: String },
    /// Gateway → cell: `version` is not invoked any more; drop it when its last invocation ends.
    Unload { version: u32 },
    /// Cell → gateway: nobody in the cell has anything to do with the unloaded version any more.
    Gone { version: u32 },
    /// Cell → gateway: whether invocations go on that are answered (`ctx.waitUntil`). Comes before the
    /// answer of the first of them.
    Lingers(bool),
    /// Gateway → cell: start the version once and say whether it can serve.
    Check { version: u32 },
    /// Cell → gateway: the answer to `Check`.
    Checked { version: u32, reply: LoadReply },
    /// Gateway → cell: run the handler.
    Invoke { id: u32, invoke: Invoke },
    /// Either way: a piece of a body. `last` ends it.
    Body { id: u32, last: bool, data: Bytes },
    /// Either way: the receiver of a body took this many bytes more.
    Credit { id: u32, bytes: u32 },
    /// Gateway → cell: nobody waits for this invocation any more. Also: the request body broke off.
    Cancel { id: u32 },
    /// Cell → gateway: the invocation's end, with its response; of a streamed one, its head.
    Response { id: u32, response: ResponseFrame },
    /// Cell → gateway: the end of an invocation whose response was streamed. Ends its body, too.
    End { id: u32, end: End },
    /// Cell → gateway: a line of a function's console.
    Console(Console),
    /// Gateway → cell: are you there?
    Ping(u32),
    /// Cell → gateway: yes.
    Pong(u32),
    /// Cell → gateway: [`crate::CellStats`] as JSON.
    Stats(Bytes),
    /// Gateway → cell: drop the isolates of the version (0: of every version), now or as soon as they are idle.
    Evict { version: u32 },
    /// Either way: about a request that a function makes; ids are the cell's own.
    Fetch { id: u32, frame: FetchFrame },
}

/// The answer to [`Frame::Check`]: an outcome, and [`crate::FailureDetail`] as JSON when it is
/// not [`Outcome::Ok`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadReply {
    /// `Ok` or the start-up outcome.
    pub outcome: Outcome,
    /// CPU time that evaluating the module took, in µs.
    pub cpu_us: u32,
    /// JSON, empty when `Ok`.
    pub detail: Bytes,
}

/// An invocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invoke {
    /// Which function version, by the number given in [`Frame::Load`].
    pub version: u32,
    /// Time left until the wall limit, in ms.
    pub wall_ms: u32,
    /// Whether the body follows in [`Frame::Body`]; `body` is empty then.
    pub body_follows: bool,
    /// The request.
    pub head: RequestHead,
    /// The whole body, when it is small enough.
    pub body: Bytes,
}

/// Where an invocation's time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// From arrival in the cell to the start of the handler, in µs, less `start_us`.
    pub queue_us: u32,
    /// Making the isolate ready, in µs; 0 when it was warm.
    pub start_us: u32,
    /// From entering the handler to its result, in µs.
    pub run_us: u32,
    /// CPU time on the isolate's thread, in µs.
    pub cpu_us: u32,
}

/// An invocation's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseFrame {
    /// How it ended.
    pub outcome: Outcome,
    /// How its isolate came to be there.
    pub start: StartKind,
    /// Where the time went.
    pub timing: Timing,
    /// HTTP status when `outcome` is `Ok`; 0 otherwise.
    pub status: u16,
    /// Response header fields, names in lower case; valid HTTP field names and values.
    pub headers: Vec<(Bytes, Bytes)>,
    /// [`crate::FailureDetail`] as JSON, when it failed.
    pub detail: Bytes,
    /// Whether more body follows in [`Frame::Body`].
    pub body_follows: bool,
    /// Whether the invocation goes on: its body is still being made, and [`Frame::End`] ends it.
    pub streamed: bool,
    /// Whether the function is known to take its requests' bodies whole. The gateway need not ask
    /// a cell about the next one that is too large.
    pub takes_whole: bool,
    /// The body, or its first piece.
    pub body: Bytes,
}

impl ResponseFrame {
    /// An end without a response.
    pub fn failed(outcome: Outcome, detail: Bytes) -> ResponseFrame {
        ResponseFrame {
            outcome,
            start: StartKind::None,
            timing: Timing::default(),
            status: 0,
            headers: Vec::new(),
            detail,
            body_follows: false,
            streamed: false,
            takes_whole: false,
            body: Bytes::new(),
        }
    }
}

/// How a streamed response ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// [`Outcome::Ok`]: the body is whole. Otherwise it is cut off here.
    pub outcome: Outcome,
    /// Where the time went, in all.
    pub timing: Timing,
    /// [`crate::FailureDetail`] as JSON, when it failed.
    pub detail: Bytes,
}

/// How loud a console line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ConsoleLevel {
    /// `console.debug`, `console.trace`
    Debug = 0,
    /// `console.log`, `console.info`
    Info = 1,
    /// `console.warn`
    Warn = 2,
    /// `console.error` and what nobody caught
    Error = 3,
}

impl ConsoleLevel {
    /// The word for it in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            ConsoleLevel::Debug => "debug",
            ConsoleLevel::Info => "info",
            ConsoleLevel::Warn => "warn",
            ConsoleLevel::Error => "error",
        }
    }

    fn from_wire(byte: u8) -> Option<ConsoleLevel> {
        Some(match byte {
            0 => ConsoleLevel::Debug,
            1 => ConsoleLevel::Info,
            2 => ConsoleLevel::Warn,
            3 => ConsoleLevel::Error,
            _ => return None,
        })
    }
}

/// A line of a function's console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// The function version that wrote it.
    pub version: u32,
    /// The invocation it belongs to; 0 when it was written during start-up or by nobody's turn.
    pub invocation: u32,
    /// The id of its request, when the gateway may have forgotten the invocation; empty otherwise.
    pub request_id: Bytes,
    /// How loud.
    pub level: ConsoleLevel,
    /// The text, without a line end.
    pub text: String,
}

mod kind {
    pub const CONFIGURE: u8 = 1;
    pub const READY: u8 = 2;
    pub const LOAD: u8 = 3;
    pub const UNLOAD: u8 = 4;
    pub const CHECK: u8 = 5;
    pub const CHECKED: u8 = 6;
    pub const INVOKE: u8 = 7;
    pub const BODY: u8 = 8;
    pub const CREDIT: u8 = 9;
    pub const CANCEL: u8 = 10;
    pub const RESPONSE: u8 = 11;
    pub const CONSOLE: u8 = 12;
    pub const PING: u8 = 13;
    pub const PONG: u8 = 14;
    pub const STATS: u8 = 15;
    pub const EVICT: u8 = 16;
    pub const UNFIT: u8 = 17;
    pub const END: u8 = 18;
    pub const GONE: u8 = 19;
    pub const LINGERS: u8 = 20;
}

const FLAG_MORE: u8 = 1;
const FLAG_STREAMED: u8 = 2;
const FLAG_WHOLE: u8 = 4;
const FLAG_TEXTS: u8 = 8;

/// Writes a frame's header, lets `fill` write the payload, and sets the length.
fn put(out: &mut BytesMut, kind: u8, flags: u8, id: u32, fill: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32_le(0);
    out.put_u8(kind);
    out.put_u8(flags);
    out.put_u16_le(0);
    out.put_u32_le(id);
    fill(out);
    let length = (out.len() - start - HEADER_BYTES) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

impl Frame {
    /// Appends the frame to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Frame::Configure(json) => put(out, kind::CONFIGURE, 0, 0, |b| b.put_slice(json)),
            Frame::Ready(pid) => put(out, kind::READY, 0, *pid, |_| ()),
            Frame::Load { version, plan, artifact, texts, spec } => {
                let flags = if *artifact { FLAG_MORE } else { 0 } | if *texts { FLAG_TEXTS } else { 0 };
                put(out, kind::LOAD, flags, *version, |b| {
                    Writer(b).u8(*plan as u8).rest(spec);
                });
            }
            Frame::Unfit { version, why } => put(out, kind::UNFIT, 0, *version, |b| b.put_slice(why.as_bytes())),
            Frame::Unload { version } => put(out, kind::UNLOAD, 0, *version, |_| ()),
            Frame::Gone { version } => put(out, kind::GONE, 0, *version, |_| ()),
            Frame::Lingers(some) => put(out, kind::LINGERS, 0, u32::from(*some), |_| ()),
            Frame::Check { version } => put(out, kind::CHECK, 0, *version, |_| ()),
            Frame::Checked { version, reply } => put(out, kind::CHECKED, 0, *version, |b| {
                Writer(b).u8(reply.outcome as u8).u32(reply.cpu_us).rest(&reply.detail);
            }),
            Frame::Invoke { id, invoke } => Self::encode_invoke(*id, invoke, out),
            Frame::Body { id, last, data } => Self::encode_body(*id, *last, data, out),
            Frame::Credit { id, bytes } => put(out, kind::CREDIT, 0, *id, |b| b.put_u32_le(*bytes)),
            Frame::Cancel { id } => put(out, kind::CANCEL, 0, *id, |_| ()),
            Frame::Response { id, response } => Self::encode_response(*id, response, out),
            Frame::End { id, end } => put(out, kind::END, 0, *id, |b| {
                let mut w = Writer(b);
                w.u8(end.outcome as u8);
                put_timing(&mut w, &end.timing);
                w.rest(&end.detail);
            }),
            Frame::Console(line) => put(out, kind::CONSOLE, 0, line.invocation, |b| {
                Writer(b).u32(line.version).u8(line.level as u8).bytes(&line.request_id).rest(line.text.as_bytes());
            }),
            Frame::Ping(number) => put(out, kind::PING, 0, *number, |_| ()),
            Frame::Pong(number) => put(out, kind::PONG, 0, *number, |_| ()),
            Frame::Stats(json) => put(out, kind::STATS, 0, 0, |b| b.put_slice(json)),
            Frame::Evict { version } => put(out, kind::EVICT, 0, *version, |_| ()),
            Frame::Fetch { id, frame } => {
                put(out, frame.kind(), if frame.more() { FLAG_MORE } else { 0 }, *id, |b| frame.put(b));
            }
        }
    }

    /// Appends an `Invoke` frame without building a [`Frame`] first.
    pub fn encode_invoke(id: u32, invoke: &Invoke, out: &mut BytesMut) {
        let Invoke { version, wall_ms, body_follows, head, body } = invoke;
        Self::encode_invoke_with(id, *version, *wall_ms, *body_follows, |out| head.encode(out), body, out);
    }

    /// Appends an `Invoke` frame whose head is written by `head`, which must write what
    /// [`RequestHead::encode`] would: a gateway that holds the request in another form copies it once.
    pub fn encode_invoke_with(
        id: u32,
        version: u32,
        wall_ms: u32,
        body_follows: bool,
        head: impl FnOnce(&mut BytesMut),
        body: &[u8],
        out: &mut BytesMut,
    ) {
        let flags = if body_follows { FLAG_MORE } else { 0 };
        put(out, kind::INVOKE, flags, id, |b| {
            Writer(b).u32(version).u32(wall_ms);
            head(b);
            b.put_slice(body);
        });
    }

    /// Appends a `Body` frame without building a [`Frame`] first.
    pub fn encode_body(id: u32, last: bool, data: &[u8], out: &mut BytesMut) {
        put(out, kind::BODY, if last { 0 } else { FLAG_MORE }, id, |b| b.put_slice(data));
    }

    /// Appends a `Response` frame without building a [`Frame`] first.
    pub fn encode_response(id: u32, response: &ResponseFrame, out: &mut BytesMut) {
        let flag = |is: bool, flag| if is { flag } else { 0 };
        let flags = flag(response.body_follows, FLAG_MORE)
            | flag(response.streamed, FLAG_STREAMED)
            | flag(response.takes_whole, FLAG_WHOLE);
        put(out, kind::RESPONSE, flags, id, |b| {
            let mut w = Writer(b);
            w.u8(response.outcome as u8).u8(response.start as u8).u32(u32::from(response.status));
            put_timing(&mut w, &response.timing);
            w.u32(response.headers.len() as u32);
            for (name, value) in &response.headers {
                w.bytes(name).bytes(value);
            }
            w.bytes(&response.detail).rest(&response.body);
        });
    }

    fn decode(kind: u8, flags: u8, id: u32, payload: Bytes) -> Result<Frame, WireError> {
        let mut r = Reader(payload);
        Ok(match kind {
            kind::CONFIGURE => Frame::Configure(r.rest()),
            kind::READY => Frame::Ready(id),
            kind::LOAD => {
                let plan = StartKind::from_wire(r.u8("plan")?).ok_or(WireError::Invalid("plan"))?;
                let (artifact, texts) = (flags & FLAG_MORE != 0, flags & FLAG_TEXTS != 0);
                Frame::Load { version: id, plan, artifact, texts, spec: r.rest() }
            }
            kind::UNFIT => Frame::Unfit { version: id, why: String::from_utf8_lossy(&r.rest()).into_owned() },
            kind::UNLOAD => Frame::Unload { version: id },
            kind::GONE => Frame::Gone { version: id },
            kind::LINGERS => Frame::Lingers(id != 0),
            kind::CHECK => Frame::Check { version: id },
            kind::CHECKED => {
                let outcome = take_outcome(&mut r)?;
                let cpu_us = r.u32("cpu")?;
                Frame::Checked { version: id, reply: LoadReply { outcome, cpu_us, detail: r.rest() } }
            }
            kind::INVOKE => {
                let version = r.u32("version")?;
                let wall_ms = r.u32("wall")?;
                let head = RequestHead::decode(&mut r)?;
                let body_follows = flags & FLAG_MORE != 0;
                Frame::Invoke { id, invoke: Invoke { version, wall_ms, body_follows, head, body: r.rest() } }
            }
            kind::BODY => Frame::Body { id, last: flags & FLAG_MORE == 0, data: r.rest() },
            kind::CREDIT => Frame::Credit { id, bytes: r.u32("credit")? },
            kind::CANCEL => Frame::Cancel { id },
            kind::RESPONSE => Self::decode_response(id, flags, r)?,
            kind::CONSOLE => {
                let version = r.u32("version")?;
                let level = ConsoleLevel::from_wire(r.u8("level")?).ok_or(WireError::Invalid("level"))?;
                let request_id = r.bytes("request id")?;
                let text = String::from_utf8_lossy(&r.rest()).into_owned();
                Frame::Console(Console { version, invocation: id, request_id, level, text })
            }
            kind::PING => Frame::Ping(id),
            kind::PONG => Frame::Pong(id),
            kind::STATS => Frame::Stats(r.rest()),
            kind::EVICT => Frame::Evict { version: id },
            kind if fetch::kind::ALL.contains(&kind) => {
                Frame::Fetch { id, frame: FetchFrame::take(kind, flags & FLAG_MORE != 0, r)? }
            }
            kind::END => {
                let outcome = take_outcome(&mut r)?;
                let timing = take_timing(&mut r)?;
                Frame::End { id, end: End { outcome, timing, detail: r.rest() } }
            }
            _ => return Err(WireError::Invalid("kind")),
        })
    }

    fn decode_response(id: u32, flags: u8, mut r: Reader) -> Result<Frame, WireError> {
        let outcome = take_outcome(&mut r)?;
        let start = StartKind::from_wire(r.u8("start")?).ok_or(WireError::Invalid("start"))?;
        let status = u16::try_from(r.u32("status")?).map_err(|_| WireError::Invalid("status"))?;
        let timing = take_timing(&mut r)?;
        let count = r.u32("header count")? as usize;
        if count > r.0.len() / 8 {
            return Err(WireError::Truncated("headers"));
        }
        let mut headers = Vec::with_capacity(count);
        for _ in 0..count {
            headers.push((r.bytes("header name")?, r.bytes("header value")?));
        }
        let detail = r.bytes("detail")?;
        let response = ResponseFrame {
            outcome,
            start,
            timing,
            status,
            headers,
            detail,
            body_follows: flags & FLAG_MORE != 0,
            streamed: flags & FLAG_STREAMED != 0,
            takes_whole: flags & FLAG_WHOLE != 0,
            body: r.rest(),
        };
        Ok(Frame::Response { id, response })
    }
}

fn put_timing(w: &mut Writer<'_>, timing: &Timing) {
    w.u32(timing.queue_us).u32(timing.start_us).u32(timing.run_us).u32(timing.cpu_us);
}

fn take_timing(r: &mut Reader) -> Result<Timing, WireError> {
    Ok(Timing {
        queue_us: r.u32("queue")?,
        start_us: r.u32("start time")?,
        run_us: r.u32("run")?,
        cpu_us: r.u32("cpu")?,
    })
}

fn take_outcome(r: &mut Reader) -> Result<Outcome, WireError> {
    Outcome::from_wire(r.u8("outcome")?).ok_or(WireError::Invalid("outcome"))
}

/// Cuts frames from a byte stream.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Bytes received and not yet cut; read into this directly.
    pub buffer: BytesMut,
}

impl Decoder {
    /// The next whole frame, or `None` until more bytes are in [`Decoder::buffer`].
    ///
    /// # Errors
    /// A frame that is too long or garbled. The stream is useless after that.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, WireError> {
        if self.buffer.len() < HEADER_BYTES {
            return Ok(None);
        }
        let length = u32::from_le_bytes([self.buffer[0], self.buffer[1], self.buffer[2], self.buffer[3]]) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(WireError::TooLong(length));
        }
        if self.buffer.len() < HEADER_BYTES + length {
            self.buffer.reserve(HEADER_BYTES + length - self.buffer.len());
            return Ok(None);
        }
        let (kind, flags) = (self.buffer[4], self.buffer[5]);
        let id = u32::from_le_bytes([self.buffer[8], self.buffer[9], self.buffer[10], self.buffer[11]]);
        self.buffer.advance(HEADER_BYTES);
        let payload = self.buffer.split_to(length).freeze();
        Frame::decode(kind, flags, id, payload).map(Some)
    }
}

#[cfg(test)]
mod tests;
