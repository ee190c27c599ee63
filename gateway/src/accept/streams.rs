//! The streams of HTTP/2 connections, each a task of its own, and what their clients take.
//!
//! A client may close its window and never open it again: then the kernel takes all that is written,
//! hyper keeps the piece for which there is no room, and asks for no other. So each task looks at
//! whether such a piece waits; when the same one has waited for all ticks of a row, the stream is
//! reset, and all that its response holds is given back. A body that has nothing to say is asked
//! and has not answered: it is waited for without end.

use super::counters::{Counters, Refusal};
use super::patience::TICKS;
use super::progress::Progress;
use super::reply::{Broken, Tracked};
use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

tokio::task_local! {
    static PIECES: Cell<Pieces>;
}

/// What hyper has asked for of the response's body on this task's stream.
#[derive(Clone, Copy, Default)]
struct Pieces {
    /// Pieces that it got; wraps.
    got: u32,
    /// It has not asked again since: there is no room for the last one.
    waits: bool,
}

/// Runs streams' tasks.
#[derive(Clone)]
pub(super) struct Streams {
    tick: Duration,
    counters: Arc<Counters>,
}

impl Streams {
    /// Streams whose clients may take nothing for so long (up to a quarter more).
    pub(super) fn new(idle_timeout: Duration, counters: Arc<Counters>) -> Streams {
        Streams { tick: idle_timeout / u32::from(TICKS), counters }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let Streams { tick, counters } = self.clone();
        tokio::spawn(PIECES.scope(Cell::default(), async move {
            if stalls(stream, tick).await {
                counters.refuse(Refusal::Stalled);
            }
        }));
    }
}

/// Drives the stream to its end, or until its client has taken nothing for too long.
async fn stalls(stream: impl Future<Output = ()>, tick: Duration) -> bool {
    let mut stream = pin!(stream);
    let mut wait: Option<Wait> = None;
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(false);
        }
        let pieces = PIECES.with(Cell::get);
        if !pieces.waits {
            wait = None;
            return Poll::Pending;
        }
        let wait = wait.get_or_insert_with(|| Wait::new(pieces.got, tick));
        while wait.sleep.as_mut().poll(cx).is_ready() {
            if wait.is_over(pieces.got, tick) {
                return Poll::Ready(true);
            }
        }
        Poll::Pending
    })
    .await
}

/// The wait for a client that has no room.
struct Wait {
    sleep: Pin<Box<Sleep>>,
    piece: u32,
    ticks: u8,
}

impl Wait {
    fn new(piece: u32, tick: Duration) -> Wait {
        Wait { sleep: Box::pin(tokio::time::sleep(tick)), piece, ticks: 0 }
    }

    /// To be called at each tick.
    fn is_over(&mut self, piece: u32, tick: Duration) -> bool {
        self.ticks = if piece == self.piece { self.ticks + 1 } else { 0 };
        self.piece = piece;
        self.sleep.as_mut().reset(Instant::now() + tick);
        self.ticks >= TICKS
    }
}

/// A response's body that notes what the client takes of it.
#[derive(Debug)]
pub(super) struct Paced(Tracked);

impl Paced {
    pub(super) fn new(body: Tracked) -> Paced {
        Paced(body)
    }
}

impl Body for Paced {
    type Data = Piece;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Piece>, Broken>>> {
        let Pieces { got, .. } = PIECES.with(Cell::get);
        PIECES.with(|pieces| pieces.set(Pieces { got, waits: false }));
        let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
        let asked = Pieces { got: got.wrapping_add(1), waits: matches!(frame, Some(Ok(_))) };
        PIECES.with(|pieces| pieces.set(asked));
        let piece = |bytes| Piece { bytes, progress: self.0.progress().clone() };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Bytes of a body. h2 keeps them until the client has room, also when the stream's task has ended;
/// so it is when they go that a connection has moved.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    progress: Arc<Progress>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.progress.moved(count);
    }
}
