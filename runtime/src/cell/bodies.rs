//! Bodies in parts: requests that are collected until they are whole or read as they come, and
//! responses sent as the gateway takes them.
//!
//! ```text
//!   reader ──piece──▶ Arriving ──collect──▶ whole: a job for the version's queue
//!                         └─────take──────▶ the isolate's thread, which credits what it took
//!   isolate ──write──▶ Stream ──credit────▶ outbox
//! ```
//!
//! Whether a body is collected is the function's to say, which a cell knows once it has loaded it.
//! Until then pieces are held, and no more come than the window allows.

use super::outbox::Outbox;
use super::version::{Job, Version};
use crate::ext::{TOO_LARGE, Taken, UNWANTED};
use bytes::{Bytes, BytesMut};
use isle_wire::{BODY_CHUNK_BYTES_MAX, Frame, WINDOW_BYTES};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// A request that waits for the rest of its body.
pub struct Collecting {
    /// The request, without its body.
    pub job: Job,
    /// Whose it is.
    pub version: Arc<Version>,
    /// The function's limit, in bytes.
    pub limit: usize,
}

impl Collecting {
    /// Whether the client said that the body is over the limit.
    fn announces_too_much(&self) -> bool {
        let announced = self.job.invoke.head.header("content-length");
        let announced = announced.and_then(|value| std::str::from_utf8(value).ok()?.parse::<u64>().ok());
        announced.is_some_and(|bytes| bytes > self.limit as u64)
    }
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Standing {
    #[default]
    Coming,
    Ended,
    Broken,
    /// Nobody reads it: what comes is passed over.
    Discarded,
}

/// A body on its way in.
#[derive(Default)]
struct Arriving {
    pieces: VecDeque<Bytes>,
    standing: Standing,
    waker: Option<Waker>,
    /// Bytes that were read.
    taken: u64,
    whole: Option<(Box<Collecting>, BytesMut)>,
}

/// What a piece of a request's body did.
pub enum Piece {
    /// The gateway may send this many bytes more.
    Credit(u32),
    /// It waits for its reader.
    Held,
    /// It was the last: the request is whole.
    Whole(Box<Collecting>),
    /// The body is over the limit; the invocation is gone.
    TooLarge,
    /// The piece belongs to nothing known: its invocation has ended before.
    Stray,
}

/// What collecting a body came to.
pub enum Collected {
    /// All of it is there.
    Whole(Box<Collecting>),
    /// The rest is collected as it comes; the gateway may send this many bytes more.
    Coming(u32),
    /// It is over the limit.
    TooLarge,
    /// It broke off.
    Broken,
}

/// What giving a body up did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Its request was being collected: nobody else knows of it.
    Collecting,
    /// Whoever reads it is told.
    Read,
    /// There is none.
    Unknown,
}

/// Request bodies on their way.
#[derive(Default)]
pub struct Inbound {
    bodies: Mutex<HashMap<u32, Arriving>>,
}

impl Inbound {
    fn bodies(&self) -> MutexGuard<'_, HashMap<u32, Arriving>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A body begins, to be read by whoever asks.
    pub fn open(&self, id: u32) {
        self.bodies().insert(id, Arriving::default());
    }

    /// Has the body collected, with what has come of it.
    pub fn collect(&self, id: u32, collecting: Collecting) -> Collected {
        let mut bodies = self.bodies();
        let Some(arriving) = bodies.get_mut(&id) else { return Collected::Broken };
        if arriving.standing == Standing::Broken {
            bodies.remove(&id);
            return Collected::Broken;
        }
        let mut body = BytesMut::new();
        arriving.pieces.drain(..).for_each(|piece| body.extend_from_slice(&piece));
        if body.len() > collecting.limit || collecting.announces_too_much() {
            bodies.remove(&id);
            return Collected::TooLarge;
        }
        let credit = body.len() as u32;
        if arriving.standing == Standing::Ended {
            bodies.remove(&id);
            return Collected::Whole(whole(Box::new(collecting), body));
        }
        arriving.whole = Some((Box::new(collecting), body));
        Collected::Coming(credit)
    }

    /// A piece has come.
    pub fn piece(&self, id: u32, last: bool, data: Bytes) -> Piece {
        let mut bodies = self.bodies();
        let Some(arriving) = bodies.get_mut(&id) else { return Piece::Stray };
        let length = data.len();
        if let Some((collecting, body)) = &mut arriving.whole {
            if body.len() + length > collecting.limit {
                bodies.remove(&id);
                return Piece::TooLarge;
            }
            body.extend_from_slice(&data);
            if !last {
                return Piece::Credit(length as u32);
            }
            return match bodies.remove(&id).and_then(|arriving| arriving.whole) {
                Some((collecting, body)) => Piece::Whole(whole(collecting, body)),
                None => Piece::Stray,
            };
        }
        if arriving.standing == Standing::Discarded {
            return if last { Piece::Held } else { Piece::Credit(length as u32) };
        }
        if length > 0 {
            arriving.pieces.push_back(data);
        }
        if last && arriving.standing == Standing::Coming {
            arriving.standing = Standing::Ended;
        }
        let waker = arriving.waker.take();
        drop(bodies);
        waker.into_iter().for_each(Waker::wake);
        Piece::Held
    }

    /// Takes the next piece.
    pub fn take(&self, id: u32) -> Taken {
        let mut bodies = self.bodies();
        let Some(arriving) = bodies.get_mut(&id) else { return Taken::Broken };
        match (arriving.pieces.pop_front(), arriving.standing) {
            (_, Standing::Broken | Standing::Discarded) => Taken::Broken,
            (Some(piece), _) => {
                arriving.taken += piece.len() as u64;
                Taken::Bytes(piece)
            }
            (None, Standing::Coming) => Taken::Nothing,
            (None, Standing::Ended) => Taken::End,
        }
    }

    /// Bytes of the body that were read.
    pub fn taken(&self, id: u32) -> u64 {
        self.bodies().get(&id).map_or(0, |arriving| arriving.taken)
    }

    /// Ready when `take` has something to say.
    pub fn poll_arrived(&self, id: u32, cx: &mut Context<'_>) -> Poll<()> {
        let mut bodies = self.bodies();
        match bodies.get_mut(&id) {
            Some(arriving) if arriving.pieces.is_empty() && arriving.standing == Standing::Coming => {
                arriving.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// Nobody reads the rest. Returns how many bytes the gateway may send more, for nothing.
    pub fn discard(&self, id: u32) -> u32 {
        let mut bodies = self.bodies();
        let Some(arriving) = bodies.get_mut(&id).filter(|arriving| arriving.standing == Standing::Coming) else {
            return 0;
        };
        arriving.standing = Standing::Discarded;
        arriving.pieces.drain(..).map(|piece| piece.len() as u32).sum()
    }

    /// The body broke off, or nobody waits for the response any more.
    pub fn break_off(&self, id: u32) -> Broken {
        let mut bodies = self.bodies();
        let Some(arriving) = bodies.get_mut(&id) else { return Broken::Unknown };
        if arriving.whole.is_some() {
            bodies.remove(&id);
            return Broken::Collecting;
        }
        arriving.standing = Standing::Broken;
        arriving.pieces.clear();
        let waker = arriving.waker.take();
        drop(bodies);
        waker.into_iter().for_each(Waker::wake);
        Broken::Read
    }

    /// The invocation is over.
    pub fn close(&self, id: u32) {
        let closed = self.bodies().remove(&id);
        closed.and_then(|arriving| arriving.waker).into_iter().for_each(Waker::wake);
    }
}

fn whole(mut collecting: Box<Collecting>, body: BytesMut) -> Box<Collecting> {
    collecting.job.invoke.body = body.freeze();
    collecting.job.invoke.body_follows = false;
    collecting
}

/// A response's body on its way out.
struct Stream {
    /// Of one that was whole: what is still to be sent.
    rest: Bytes,
    credit: usize,
    /// Of one that is being made: who waits for credit, how much more it may be, and when it last
    /// moved.
    waker: Option<Waker>,
    left: u64,
    too_large: bool,
    passed: u64,
    moved: Instant,
}

/// How a body that is being made stands.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes sent.
    pub passed: u64,
    /// When something was last sent or taken.
    pub moved: Instant,
    /// Whether it was longer than it may be.
    pub too_large: bool,
}

/// Response bodies on their way.
#[derive(Default)]
pub struct Outgoing {
    streams: Mutex<HashMap<u32, Stream>>,
}

impl Outgoing {
    fn streams(&self) -> MutexGuard<'_, HashMap<u32, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what follows the response's own frame until [`Outgoing::go`]. To be called before that
    /// frame is anybody's to flush: the gateway may credit or cancel as soon as it has seen it, and
    /// a body that is not known by then would never hear of it.
    pub fn keep(&self, id: u32, rest: Bytes) {
        self.streams().insert(id, Stream::new(rest, 0));
    }

    /// The response's own frame is on its way: its body may follow, if anybody still wants it.
    pub fn go(&self, id: u32, outbox: &Outbox) {
        let mut streams = self.streams();
        if streams.get_mut(&id).is_some_and(|stream| push(stream, id, outbox)) {
            streams.remove(&id);
        }
    }

    /// A body begins that is still being made, of at most `bytes_max` bytes.
    pub fn open(&self, id: u32, bytes_max: u64) {
        self.streams().insert(id, Stream::new(Bytes::new(), bytes_max));
    }

    /// Sends as many of these bytes as the credit allows; how many, or why none.
    pub fn write(&self, id: u32, bytes: &[u8], outbox: &Outbox) -> i32 {
        let mut streams = self.streams();
        let Some(stream) = streams.get_mut(&id) else { return UNWANTED };
        if bytes.len() as u64 > stream.left {
            stream.too_large = true;
            return TOO_LARGE;
        }
        let count = bytes.len().min(stream.credit);
        if count > 0 {
            stream.credit -= count;
            stream.left -= count as u64;
            stream.passed += count as u64;
            stream.moved = Instant::now();
            for piece in bytes[..count].chunks(BODY_CHUNK_BYTES_MAX) {
                outbox.append(|out| Frame::encode_body(id, false, piece, out));
            }
        }
        count as i32
    }

    /// Ready when `write` may take something, or has something to say.
    pub fn poll_room(&self, id: u32, cx: &mut Context<'_>) -> Poll<()> {
        match self.streams().get_mut(&id) {
            Some(stream) if stream.credit == 0 => {
                stream.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// How a body that is being made stands.
    pub fn progress(&self, id: u32) -> Option<Progress> {
        let streams = self.streams();
        streams.get(&id).map(|s| Progress { passed: s.passed, moved: s.moved, too_large: s.too_large })
    }

    /// The gateway took `bytes` more.
    pub fn credit(&self, id: u32, bytes: usize, outbox: &Outbox) {
        let mut streams = self.streams();
        if let Some(stream) = streams.get_mut(&id) {
            stream.credit = (stream.credit + bytes).min(WINDOW_BYTES);
            stream.moved = Instant::now();
            let waker = stream.waker.take();
            if !stream.rest.is_empty() && push(stream, id, outbox) {
                streams.remove(&id);
            }
            drop(streams);
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Nobody wants the rest, or there is no more of it.
    pub fn close(&self, id: u32) {
        let closed = self.streams().remove(&id);
        closed.and_then(|stream| stream.waker).into_iter().for_each(Waker::wake);
    }
}

impl Stream {
    fn new(rest: Bytes, left: u64) -> Stream {
        Stream { rest, credit: WINDOW_BYTES, waker: None, left, too_large: false, passed: 0, moved: Instant::now() }
    }
}

/// Sends what the credit allows; `true` when all is sent.
fn push(stream: &mut Stream, id: u32, outbox: &Outbox) -> bool {
    while !stream.rest.is_empty() && stream.credit > 0 {
        let count = stream.rest.len().min(BODY_CHUNK_BYTES_MAX).min(stream.credit);
        let data = stream.rest.split_to(count);
        stream.credit -= count;
        let last = stream.rest.is_empty();
        outbox.append(|out| Frame::encode_body(id, last, &data, out));
    }
    stream.rest.is_empty()
}

#[cfg(test)]
mod tests;
