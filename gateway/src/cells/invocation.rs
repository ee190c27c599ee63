//! One invocation in a cell, from its frame to the last byte of its response.
//!
//! Dropping it before its end is how a client's leaving reaches the cell: the drop sends `Cancel`.

use super::link::{Link, Loaded};
use super::slots::{Miss, Piece};
use bytes::Bytes;
use isle_wire::{BODY_CHUNK_BYTES_MAX, End, Frame, Outcome, ResponseFrame};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// Why an invocation has no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The cell did not answer in time.
    Overdue,
    /// The cell died, and whether it had begun to run the handler.
    Died {
        /// The handler may have had effects: it must not run again.
        begun: bool,
    },
}

/// The response body broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenOff;

/// An invocation that a cell was sent.
#[derive(Debug)]
pub struct Invocation {
    link: Arc<Link>,
    id: u32,
    ended: bool,
    end: Option<End>,
    /// Keeps the function loaded.
    _loaded: Arc<Loaded>,
}

/// The way of a request's body into an invocation. It may outlive the invocation: nothing is taken
/// then.
#[derive(Clone, Debug)]
pub struct Upload {
    link: Arc<Link>,
    id: u32,
}

impl Upload {
    /// Sends a piece of the request body, as the cell's credit allows. Returns `false` when the
    /// cell wants no more of it: there is a response, or no cell.
    /// What is sent is taken from `data`, so the future may be dropped and the call made again.
    pub async fn send(&self, data: &mut Bytes, last: bool) -> bool {
        loop {
            self.link.room().await;
            let want = data.len().min(BODY_CHUNK_BYTES_MAX) as u32;
            let given = poll_fn(|context| self.link.slots().poll_credit(self.id, want, context.waker())).await;
            let Some(given) = given else { return false };
            let piece = data.split_to(given as usize);
            let end = data.is_empty();
            self.link.send(&Frame::Body { id: self.id, last: last && end, data: piece });
            if end {
                return true;
            }
        }
    }
}

impl Invocation {
    pub(super) fn new(link: Arc<Link>, id: u32, loaded: Arc<Loaded>) -> Invocation {
        Invocation { link, id, ended: false, end: None, _loaded: loaded }
    }

    /// The way of the request's body.
    pub fn upload(&self) -> Upload {
        Upload { link: self.link.clone(), id: self.id }
    }

    /// Waits for the response.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn response(&mut self) -> Result<ResponseFrame, Lost> {
        let answer = poll_fn(|context| self.link.slots().poll_response(self.id, context.waker())).await;
        match answer {
            Ok(response) => {
                self.ended = !response.body_follows;
                Ok(response)
            }
            Err(Miss::Overdue) => Err(Lost::Overdue),
            Err(Miss::Gone) => {
                self.ended = true;
                Err(Lost::Died { begun: self.link.board().begun(self.id) })
            }
        }
    }

    /// The next bytes of a response body that follows its response; `None` at its end.
    ///
    /// # Errors
    /// [`BrokenOff`] when the cell died in between, or the function failed: see [`Self::end`].
    pub async fn body(&mut self) -> Result<Option<Bytes>, BrokenOff> {
        let piece = poll_fn(|context| match self.link.slots().poll_body(self.id, context.waker()) {
            Poll::Ready(Ok(piece)) => Poll::Ready(Ok(piece)),
            Poll::Ready(Err(_)) => Poll::Ready(Err(BrokenOff)),
            Poll::Pending => Poll::Pending,
        })
        .await;
        if let Ok(Piece::Bytes(bytes)) = piece {
            return Ok(Some(bytes));
        }
        self.ended = true;
        let Ok(Piece::End(end)) = piece else { return Err(BrokenOff) };
        let failed = end.as_ref().is_some_and(|end| end.outcome != Outcome::Ok);
        self.end = end;
        if failed { Err(BrokenOff) } else { Ok(None) }
    }

    /// Waits until it is known that the body will break off. What came of it before can still be
    /// read, without another wait.
    pub async fn failed(&self) {
        poll_fn(|context| self.link.slots().poll_failed(self.id, context.waker())).await;
    }

    /// How a streamed response ended, once its body did; `None` when the cell died first.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Tells the cell that the client took this many bytes of the response body.
    pub fn credit(&self, bytes: usize) {
        self.link.send(&Frame::Credit { id: self.id, bytes: bytes as u32 });
    }
}

impl Drop for Invocation {
    fn drop(&mut self) {
        if !self.ended && self.link.slots().release(self.id) {
            self.link.send(&Frame::Cancel { id: self.id });
        }
    }
}
