//! What a cell knows of the fetches under way.
//!
//! ```text
//!   Asked ── Response (body follows) ─▶ Receiving ── Body(last) ─▶ Ended
//!     │└───── Response (no body) ─────────────────────────────────▶ Ended
//!     └────── Failed ─────────────────────┴── Failed ─────────────▶ Ended
//! ```
//!
//! The reader thread puts in what comes; the isolate's thread takes it out and is woken. What can
//! wait here is bounded by the window.

use bytes::{Bytes, BytesMut};
use isle_wire::{FetchFrame, FetchRequest, FetchResponse, Frame, WINDOW_BYTES};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Bytes taken before the gateway is told: a quarter of the window, so that it never runs dry.
const CREDIT_STEP: usize = WINDOW_BYTES / 4;

/// The way to the gateway.
pub trait FrameSink: Send + Sync {
    /// Sends a frame now.
    fn send(&self, frame: &Frame);
}

/// The fetches of a cell.
pub struct Fetches {
    sink: Arc<dyn FrameSink>,
    known: Mutex<HashMap<u32, Arc<Exchange>>>,
    last_id: AtomicU32,
}

/// One fetch.
struct Exchange {
    id: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    head: Option<FetchResponse>,
    head_taken: bool,
    failed: Option<String>,
    body: BytesMut,
    ended: bool,
    /// Bytes taken from `body` that the gateway was not told of.
    uncredited: usize,
    /// Request body bytes that may be sent.
    credit: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fetches {
    /// No fetches yet.
    pub fn new(sink: Arc<dyn FrameSink>) -> Arc<Fetches> {
        Arc::new(Fetches { sink, known: Mutex::default(), last_id: AtomicU32::new(0) })
    }

    /// Asks the gateway.
    pub fn ask(self: &Arc<Self>, request: FetchRequest) -> Call {
        let mut known = lock(&self.known);
        // Four billion fetches later an id may come again; one that is still under way is passed over.
        let id = loop {
            let id = self.last_id.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            if !known.contains_key(&id) {
                break id;
            }
        };
        // Without credit for a body: the gateway gives it when the request has its turn.
        let exchange = Arc::new(Exchange { id, state: Mutex::default() });
        known.insert(id, exchange.clone());
        drop(known);
        self.sink.send(&Frame::Fetch { id, frame: FetchFrame::Request(request) });
        Call { fetches: self.clone(), exchange }
    }

    /// Takes what the gateway says. Reader's thread.
    pub fn take(&self, id: u32, frame: FetchFrame) {
        let Some(exchange) = lock(&self.known).get(&id).cloned() else { return };
        let mut state = lock(&exchange.state);
        let wake = match frame {
            FetchFrame::Response(response) => {
                state.ended = !response.body_follows;
                state.head = Some(response);
                state.reader.take()
            }
            FetchFrame::Failed(message) => {
                state.failed = Some(message);
                state.ended = true;
                state.reader.take()
            }
            FetchFrame::Body { last, data } => {
                state.body.extend_from_slice(&data);
                state.ended |= last;
                state.reader.take()
            }
            FetchFrame::Credit(bytes) => {
                state.credit = (state.credit + bytes as usize).min(WINDOW_BYTES);
                state.writer.take()
            }
            // What only a cell says.
            FetchFrame::Request(_) | FetchFrame::Cancel => None,
        };
        // Whoever sends a body to somebody who has answered to the end must learn that, too.
        let writer = if state.ended { state.writer.take() } else { None };
        drop(state);
        [wake, writer].into_iter().flatten().for_each(Waker::wake);
    }
}

/// A fetch under way, for the isolate that asked. Dropping it gives it up.
pub struct Call {
    fetches: Arc<Fetches>,
    exchange: Arc<Exchange>,
}

impl Call {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.exchange.state)
    }

    fn send(&self, frame: FetchFrame) {
        self.fetches.sink.send(&Frame::Fetch { id: self.exchange.id, frame });
    }

    /// The response's head, or why there is none.
    pub fn poll_head(&self, cx: &mut Context<'_>) -> Poll<Result<FetchResponse, String>> {
        let mut state = self.state();
        if let Some(message) = &state.failed {
            return Poll::Ready(Err(message.clone()));
        }
        if let Some(head) = state.head.take() {
            state.head_taken = true;
            return Poll::Ready(Ok(head));
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What has come of the response's body; `None` at its end.
    pub fn poll_body(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, String>> {
        let mut state = self.state();
        if !state.body.is_empty() {
            let data = state.body.split().freeze();
            state.uncredited += data.len();
            let credit =
                if state.uncredited >= CREDIT_STEP && !state.ended { std::mem::take(&mut state.uncredited) } else { 0 };
            drop(state);
            if credit > 0 {
                self.send(FetchFrame::Credit(credit as u32));
            }
            return Poll::Ready(Ok(Some(data)));
        }
        if let Some(message) = &state.failed {
            return Poll::Ready(Err(message.clone()));
        }
        if state.ended {
            return Poll::Ready(Ok(None));
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Room for bytes of the request's body, at least one; `None` when nobody takes them any more.
    pub fn poll_credit(&self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        let mut state = self.state();
        if state.ended {
            return Poll::Ready(None);
        }
        if state.credit == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Some(state.credit))
    }

    /// Sends a piece of the request's body, no longer than the room that there is.
    pub fn send_body(&self, data: Bytes, last: bool) {
        let mut state = self.state();
        state.credit = state.credit.saturating_sub(data.len());
        drop(state);
        self.send(FetchFrame::Body { last, data });
    }

    /// Whether somebody has the response's head.
    pub fn is_answered(&self) -> bool {
        self.state().head_taken
    }

    /// Gives the fetch up; whoever waits for it is told `why`.
    pub fn give_up(&self, why: &str) {
        let mut state = self.state();
        let told = std::mem::replace(&mut state.ended, true);
        state.failed.get_or_insert_with(|| why.to_owned());
        state.body.clear();
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        if !told {
            self.send(FetchFrame::Cancel);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        lock(&self.fetches.known).remove(&self.exchange.id);
        if !self.state().ended {
            self.send(FetchFrame::Cancel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[derive(Default)]
    struct Sent(Mutex<Vec<FetchFrame>>);

    impl FrameSink for Sent {
        fn send(&self, frame: &Frame) {
            let Frame::Fetch { frame, .. } = frame else { panic!("only fetches are sent") };
            lock(&self.0).push(frame.clone());
        }
    }

    fn asked() -> (Arc<Sent>, Arc<Fetches>, Call, u32) {
        let sent = Arc::new(Sent::default());
        let fetches = Fetches::new(sent.clone());
        let call = fetches.ask(FetchRequest::default());
        let id = call.exchange.id;
        lock(&sent.0).clear();
        (sent, fetches, call, id)
    }

    fn now<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_body_is_taken_and_credited_in_steps() {
        let (sent, fetches, call, id) = asked();
        assert!(now(|cx| call.poll_head(cx)).is_pending());
        fetches.take(id, FetchFrame::Response(FetchResponse { status: 200, body_follows: true, ..Default::default() }));
        assert!(matches!(now(|cx| call.poll_head(cx)), Poll::Ready(Ok(head)) if head.status == 200));
        for _ in 0..2 {
            fetches.take(id, FetchFrame::Body { last: false, data: vec![1; CREDIT_STEP / 2].into() });
            assert!(
                matches!(now(|cx| call.poll_body(cx)), Poll::Ready(Ok(Some(data))) if data.len() == CREDIT_STEP / 2)
            );
        }
        assert_eq!(*lock(&sent.0), [FetchFrame::Credit(CREDIT_STEP as u32)]);
        fetches.take(id, FetchFrame::Body { last: true, data: "end".into() });
        assert!(matches!(now(|cx| call.poll_body(cx)), Poll::Ready(Ok(Some(data))) if data == "end"));
        assert!(matches!(now(|cx| call.poll_body(cx)), Poll::Ready(Ok(None))));
        drop(call);
        assert_eq!(lock(&sent.0).len(), 1, "nothing is given up that has ended");
    }

    #[test]
    fn a_dropped_call_is_given_up_once() {
        let (sent, fetches, call, id) = asked();
        call.give_up("aborted");
        assert!(matches!(now(|cx| call.poll_head(cx)), Poll::Ready(Err(why)) if why == "aborted"));
        drop(call);
        assert_eq!(*lock(&sent.0), [FetchFrame::Cancel]);
        fetches.take(id, FetchFrame::Failed("late".into()));
        let (sent, _fetches, call, _) = asked();
        drop(call);
        assert_eq!(*lock(&sent.0), [FetchFrame::Cancel]);
    }

    #[test]
    fn a_failure_comes_after_the_bytes_before_it() {
        let (_sent, fetches, call, id) = asked();
        fetches.take(id, FetchFrame::Response(FetchResponse { body_follows: true, ..Default::default() }));
        fetches.take(id, FetchFrame::Body { last: false, data: "some".into() });
        fetches.take(id, FetchFrame::Failed("cut off".into()));
        assert!(matches!(now(|cx| call.poll_body(cx)), Poll::Ready(Ok(Some(_)))));
        assert!(matches!(now(|cx| call.poll_body(cx)), Poll::Ready(Err(why)) if why == "cut off"));
    }

    #[tokio::test]
    async fn a_writer_waits_for_credit_and_is_woken() {
        let (_sent, fetches, call, id) = asked();
        assert!(now(|cx| call.poll_credit(cx)).is_pending());
        fetches.take(id, FetchFrame::Credit(9));
        call.send_body(vec![0; 9].into(), false);
        assert!(now(|cx| call.poll_credit(cx)).is_pending());
        let other = fetches.clone();
        let thread = std::thread::spawn(move || other.take(id, FetchFrame::Credit(5)));
        assert_eq!(poll_fn(|cx| call.poll_credit(cx)).await, Some(5));
        thread.join().unwrap();
        fetches.take(id, FetchFrame::Response(FetchResponse::default()));
        assert_eq!(now(|cx| call.poll_credit(cx)), Poll::Ready(None));
    }
}
