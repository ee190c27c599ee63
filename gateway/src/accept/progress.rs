//! What the parts of one connection tell each other: the wrapper around its bytes, the handler's
//! side, and the task that drives it.
//!
//! hyper owns the bytes' wrapper while it runs, so they meet here. Everything happens on the one
//! task of the connection (for HTTP/2: on its streams' tasks too), so relaxed atomics are plain
//! loads and stores that happen to be `Sync`.

use super::counters::Refusal;
use super::names::{self, HeaderNames, Queue};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};

const NOT_REFUSED: u8 = u8::MAX;

/// Requests in order of their lives: `heads` ≥ `answered` ≥ `finished`, each wrapping alike.
#[derive(Debug)]
pub(super) struct Progress {
    heads: AtomicU32,
    answered: AtomicU32,
    finished: AtomicU32,
    written: AtomicU32,
    write_blocked: AtomicBool,
    head_begun: AtomicBool,
    in_body: AtomicBool,
    refused: AtomicU8,
    /// Header names of heads let through, while somebody wants them.
    pub(super) names: Queue,
}

impl Progress {
    pub(super) fn new() -> Progress {
        Progress {
            heads: AtomicU32::new(0),
            answered: AtomicU32::new(0),
            finished: AtomicU32::new(0),
            written: AtomicU32::new(0),
            write_blocked: AtomicBool::new(false),
            head_begun: AtomicBool::new(false),
            in_body: AtomicBool::new(false),
            refused: AtomicU8::new(NOT_REFUSED),
            names: Queue::default(),
        }
    }

    /// Request heads let through.
    pub(super) fn heads(&self) -> u32 {
        self.heads.load(Relaxed)
    }

    /// `heads` more request heads were let through.
    pub(super) fn pass_heads(&self, heads: u32) {
        self.heads.fetch_add(heads, Relaxed);
    }

    /// The header names of the request that comes to the handler now, as they were written. HTTP/1
    /// requests are handled one after the other, so it is the first without an answer.
    pub(super) fn written_names(&self) -> Option<HeaderNames> {
        if names::are_wanted() { self.names.take(self.answered.load(Relaxed)) } else { None }
    }

    /// The handler has returned a response.
    pub(super) fn answer(&self) {
        self.answered.fetch_add(1, Relaxed);
    }

    /// hyper is done with a response: all of it is in its buffer, or nobody wants it any more.
    pub(super) fn finish(&self) {
        self.finished.fetch_add(1, Relaxed);
    }

    /// Every request let through has had its whole response.
    pub(super) fn quiet(&self) -> bool {
        self.finished.load(Relaxed) == self.heads()
    }

    /// The last request is all that is open, and no response to it has begun.
    pub(super) fn awaiting_answer(&self) -> bool {
        let finished = self.finished.load(Relaxed);
        self.answered.load(Relaxed) == finished && self.heads().wrapping_sub(finished) == 1
    }

    /// Every request let through has had at least the beginning of its response.
    pub(super) fn all_answered(&self) -> bool {
        self.answered.load(Relaxed) == self.heads()
    }

    /// Whether the kernel takes bytes now.
    pub(super) fn takes(&self, some: bool) {
        self.write_blocked.store(!some, Relaxed);
    }

    /// So many bytes that concern the client's requests have gone.
    pub(super) fn moved(&self, bytes: usize) {
        self.written.store(self.written.load(Relaxed).wrapping_add(bytes as u32), Relaxed);
    }

    pub(super) fn write_blocked(&self) -> bool {
        self.write_blocked.load(Relaxed)
    }

    /// Where the client's bytes stand.
    pub(super) fn stands(&self, head_begun: bool, in_body: bool) {
        self.head_begun.store(head_begun, Relaxed);
        self.in_body.store(in_body, Relaxed);
    }

    pub(super) fn head_begun(&self) -> bool {
        self.head_begun.load(Relaxed)
    }

    pub(super) fn in_body(&self) -> bool {
        self.in_body.load(Relaxed)
    }

    pub(super) fn refuse(&self, reason: Refusal) {
        self.refused.store(reason as u8, Relaxed);
    }

    pub(super) fn refused(&self) -> Option<Refusal> {
        Refusal::from_index(self.refused.load(Relaxed))
    }

    /// Changes whenever anything has moved; equal twice means that nothing has.
    pub(super) fn token(&self) -> [u32; 3] {
        [self.heads(), self.finished.load(Relaxed), self.written.load(Relaxed)]
    }
}
