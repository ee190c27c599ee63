//! The two bodies of one fetch, each no further ahead than its receiver allows, and the fetches that
//! one cell has under way.

use super::failure::Failure;
use super::lock;
use crate::cells::link::Link;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use isle_wire::{FetchFrame, WINDOW_BYTES};
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use tokio::task::AbortHandle;

/// Fetches that one cell may have under way or waiting. 2,048: with the whole small body that each may
/// have come with, 128 MiB.
const UNDERWAY_MAX: usize = 2_048;
/// Bytes taken before the cell is told: a quarter of the window.
const CREDIT_STEP: usize = WINDOW_BYTES / 4;

/// The fetches of one cell.
#[derive(Debug, Default)]
pub struct Underway {
    fetches: Mutex<HashMap<u32, (Arc<Exchange>, AbortHandle)>>,
}

impl Underway {
    /// Notes a fetch that `start` begins. `None`, and nothing begins, when there are too many or
    /// the number is taken.
    pub(super) fn begin(&self, exchange: &Arc<Exchange>, start: impl FnOnce() -> AbortHandle) -> Option<()> {
        let mut fetches = lock(&self.fetches);
        if fetches.len() >= UNDERWAY_MAX || fetches.contains_key(&exchange.id) {
            return None;
        }
        fetches.insert(exchange.id, (exchange.clone(), start()));
        Some(())
    }

    pub(super) fn end(&self, id: u32) {
        lock(&self.fetches).remove(&id);
    }

    pub(crate) fn get(&self, id: u32) -> Option<Arc<Exchange>> {
        lock(&self.fetches).get(&id).map(|(exchange, _)| exchange.clone())
    }

    /// Nobody waits for it any more.
    pub(crate) fn cancel(&self, id: u32) {
        let removed = lock(&self.fetches).remove(&id);
        if let Some((_, task)) = removed {
            task.abort();
        }
    }

    /// The cell is gone.
    pub fn cancel_all(&self) {
        let all = std::mem::take(&mut *lock(&self.fetches));
        all.into_values().for_each(|(_, task)| task.abort());
    }
}

/// One fetch, as the link and its own task see it.
#[derive(Debug)]
pub struct Exchange {
    /// The cell's number for it.
    pub id: u32,
    link: Weak<Link>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Request body bytes that may be here, and those that are.
    window: usize,
    body: BytesMut,
    ended: bool,
    taken: Option<Waker>,
    uncredited: usize,
    /// When the request was last heard of going on.
    progress: Instant,
    /// The fetch is over: who still sends its request has nothing to wait for.
    over: bool,
    /// Response body bytes that may be sent.
    credit: usize,
    sender: Option<Waker>,
}

impl Exchange {
    /// Nothing has come yet.
    pub fn new(id: u32, link: &Arc<Link>) -> Arc<Exchange> {
        let state = State {
            window: 0,
            body: BytesMut::new(),
            ended: false,
            taken: None,
            uncredited: 0,
            progress: Instant::now(),
            over: false,
            credit: WINDOW_BYTES,
            sender: None,
        };
        Arc::new(Exchange { id, link: Arc::downgrade(link), state: Mutex::new(state) })
    }

    /// A piece of the request's body. `false`: more than the cell had credit for.
    pub fn body(&self, last: bool, data: &[u8]) -> bool {
        let mut state = lock(&self.state);
        if state.ended || state.body.len() + data.len() > state.window {
            return false;
        }
        state.body.extend_from_slice(data);
        state.ended = last;
        let waker = state.taken.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        true
    }

    /// The request has its turn: its body may come.
    pub fn open(&self) {
        lock(&self.state).window = WINDOW_BYTES;
        self.tell(FetchFrame::Credit(WINDOW_BYTES as u32));
    }

    fn tell(&self, frame: FetchFrame) {
        if let Some(link) = self.link.upgrade() {
            link.send_fetch(self.id, frame);
        }
    }

    /// The cell took this many bytes of the response's body.
    pub fn credit(&self, bytes: u32) {
        let mut state = lock(&self.state);
        state.credit = (state.credit + bytes as usize).min(WINDOW_BYTES);
        let waker = state.sender.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Waits for room for response body bytes, and takes up to `want` of it.
    pub async fn room(&self, want: usize) -> usize {
        poll_fn(|cx| {
            let mut state = lock(&self.state);
            if state.credit == 0 {
                state.sender = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let given = state.credit.min(want);
            state.credit -= given;
            Poll::Ready(given)
        })
        .await
    }

    /// When the request body was last seen to go on.
    pub fn progress(&self) -> Instant {
        lock(&self.state).progress
    }

    /// The fetch is over. A connection that is still being sent its request is of no use then.
    pub fn finish(&self) {
        let mut state = lock(&self.state);
        state.over = true;
        let waker = state.taken.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll_piece(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        let mut state = lock(&self.state);
        if state.body.is_empty() {
            if state.ended {
                return Poll::Ready(Ok(None));
            }
            if state.over {
                return Poll::Ready(Err(Failure::Aborted));
            }
            state.taken = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.progress = Instant::now();
        let piece = state.body.split().freeze();
        state.uncredited += piece.len();
        let credit =
            if state.uncredited >= CREDIT_STEP && !state.ended { std::mem::take(&mut state.uncredited) } else { 0 };
        drop(state);
        if credit > 0 {
            self.tell(FetchFrame::Credit(credit as u32));
        }
        Poll::Ready(Ok(Some(piece)))
    }
}

/// A request's body.
#[derive(Debug)]
pub enum UploadBody {
    /// All of it; `None` when it was taken or there is none.
    Whole(Option<Bytes>),
    /// As it comes from the cell; how much is still to come, where that is known.
    Pieces(Arc<Exchange>, Option<u64>),
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match &mut *self {
            UploadBody::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            UploadBody::Pieces(exchange, left) => {
                let piece = match std::task::ready!(exchange.poll_piece(cx)) {
                    Ok(piece) => piece,
                    Err(failure) => return Poll::Ready(Some(Err(failure))),
                };
                let Some(piece) = piece else {
                    let short = left.is_some_and(|left| left > 0);
                    return Poll::Ready(
                        short.then_some(Err(Failure::Broken("the request body is shorter than it said"))),
                    );
                };
                if let Some(left) = left {
                    match left.checked_sub(piece.len() as u64) {
                        Some(rest) => *left = rest,
                        None => {
                            return Poll::Ready(Some(Err(Failure::Broken("the request body is longer than it said"))));
                        }
                    }
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, UploadBody::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            UploadBody::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            UploadBody::Pieces(_, Some(left)) => SizeHint::with_exact(*left),
            UploadBody::Pieces(_, None) => SizeHint::default(),
        }
    }
}
