//! Slots: the invocations that are in one cell, each with whom to wake. Pure; no I/O.
//!
//! ```text
//!          insert           answer              take (body follows)             end of body read
//!   Free ─────────▶ Waiting ───────▶ Answered ──────────────────────▶ Streaming ──────────────────▶ Free
//!                    │   │               │ take (whole) ─▶ Free          │ release ─▶ Free
//!            release │   │ expire        ▼ release ─▶ Free
//!                    │   ▼
//!                    │  Overdue ─ answer ─▶ Answered      Waiting, Overdue ─ lose ─▶ Lost ─ take ─▶ Free
//!                    ▼   │ take, release
//!                  Abandoned ─ answer, lose ─▶ Free
//! ```
//!
//! While a response is streamed, pieces of the request's body may still go in; its end says how it
//! ended. An abandoned invocation keeps its slot until the cell answers it: the board speaks of one
//! invocation per slot, so a slot with two of them in the cell could hide that one was begun.

use bytes::{Bytes, BytesMut};
use isle_wire::{BOARD_SLOTS_MAX, BODY_CHUNK_BYTES_MAX, End, Outcome, ResponseFrame, WINDOW_BYTES, slot_of};
use std::task::{Poll, Waker};

const SLOT_BITS: u32 = BOARD_SLOTS_MAX.trailing_zeros();
const TICKET_MAX: u32 = u32::MAX >> SLOT_BITS;

/// Where an invocation stands.
#[derive(Debug, Default)]
enum Phase {
    #[default]
    Free,
    Waiting,
    Answered(ResponseFrame),
    Streaming,
    Overdue,
    Abandoned,
    Lost,
}

#[derive(Debug, Default)]
struct Slot {
    ticket: u32,
    phase: Phase,
    /// Who waits for the response, for more of its body, or for its failure.
    waker: Option<Waker>,
    /// Request body bytes that may still be sent, and who waits for more.
    credit: u32,
    credit_waker: Option<Waker>,
    /// Response body bytes received and not yet read, and whether that is the rest.
    body: BytesMut,
    body_ended: bool,
    /// Whether the response is streamed, and how that ended.
    streamed: bool,
    end: Option<End>,
    request_id: Bytes,
    /// When the gateway gives up, in ms of the link's clock.
    deadline_ms: u64,
    /// How deep in a chain of functions it is. Kept until the slot is used again.
    depth: u8,
}

/// Why there is no response, or no more of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// The deadline passed.
    Overdue,
    /// The cell is gone.
    Gone,
}

/// Why an invocation cannot enter the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoSlot {
    /// Every slot is taken.
    Full,
    /// The cell takes no more.
    Closed,
}

/// What a response led to.
#[derive(Debug)]
pub(super) enum Answered {
    /// Whoever waits for it is to be woken.
    Waited(Option<Waker>),
    /// Nobody waits for it any more, and the cell must be told that nobody takes its body either.
    Unwanted,
}

/// What there is of a response body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Some of it.
    Bytes(Bytes),
    /// Its end; of a streamed one, how it ended.
    End(Option<End>),
}

/// The cell broke the protocol; the text says how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Breach(pub &'static str);

/// What [`Slots::expire`] found.
#[derive(Debug, Default)]
pub(super) struct Expired {
    /// Invocations that just passed their deadline: the cell is to be told, the waiters woken.
    pub ids: Vec<u32>,
    /// Who waits for them.
    pub wakers: Vec<Waker>,
    /// One that nobody waits for is long past its deadline and the cell has not answered it.
    pub stuck: bool,
}

/// The slots of one cell.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u16>,
    closed: bool,
    lost: bool,
}

impl Slots {
    /// Takes a slot and returns the invocation's id.
    pub fn insert(&mut self, request_id: Bytes, deadline_ms: u64) -> Result<u32, NoSlot> {
        if self.closed {
            return Err(NoSlot::Closed);
        }
        let index = match self.free.pop() {
            Some(index) => usize::from(index),
            None if self.slots.len() < BOARD_SLOTS_MAX as usize => {
                self.slots.push(Slot::default());
                self.slots.len() - 1
            }
            None => return Err(NoSlot::Full),
        };
        let slot = &mut self.slots[index];
        // Ticket 0 is never used: an id is never 0, and an empty board speaks for nobody.
        slot.ticket = if slot.ticket == TICKET_MAX { 1 } else { slot.ticket + 1 };
        slot.phase = Phase::Waiting;
        slot.depth = 0;
        slot.credit = WINDOW_BYTES as u32;
        slot.body_ended = false;
        slot.streamed = false;
        slot.end = None;
        slot.request_id = request_id;
        slot.deadline_ms = deadline_ms;
        Ok(index as u32 | slot.ticket << SLOT_BITS)
    }

    /// [`Slots::insert`] for an invocation that a chain of functions led to.
    pub fn insert_at(&mut self, depth: u8, request_id: Bytes, deadline_ms: u64) -> Result<u32, NoSlot> {
        let id = self.insert(request_id, deadline_ms)?;
        self.slots[slot_of(id) as usize].depth = depth;
        Ok(id)
    }

    /// How deep an invocation is, also after its end. Of one that is forgotten, or of none, the
    /// deepest that is known: work that outlives its invocation must not start a chain anew. A
    /// start-up's (id 0) is as deep as the deepest that is inside, since one of those caused it.
    pub fn depth(&self, id: u32) -> u8 {
        if id == 0 {
            let inside = self.slots.iter().filter(|slot| !matches!(slot.phase, Phase::Free));
            return inside.map(|slot| slot.depth).max().unwrap_or(0);
        }
        let own = self.slots.get(slot_of(id) as usize).filter(|slot| slot.ticket == id >> SLOT_BITS);
        own.map_or_else(|| self.slots.iter().map(|slot| slot.depth).max().unwrap_or(0), |slot| slot.depth)
    }

    /// From now on nothing enters; what is inside goes on.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Whether [`Slots::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Invocations in the cell, abandoned ones included.
    pub fn used(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn get(&mut self, id: u32) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(slot_of(id) as usize)?;
        (slot.ticket == id >> SLOT_BITS && !matches!(slot.phase, Phase::Free)).then_some(slot)
    }

    fn free(&mut self, id: u32) {
        let index = slot_of(id);
        let slot = &mut self.slots[index as usize];
        slot.phase = Phase::Free;
        slot.waker = None;
        slot.credit_waker = None;
        slot.body = BytesMut::new();
        slot.end = None;
        slot.request_id = Bytes::new();
        self.free.push(index as u16);
    }

    /// The request that an invocation belongs to.
    pub fn request_id(&mut self, id: u32) -> Option<&Bytes> {
        self.get(id).map(|slot| &slot.request_id)
    }

    /// The cell's response. One to nobody is ignored: it was answered before.
    pub fn answer(&mut self, id: u32, response: ResponseFrame) -> Answered {
        let Some(slot) = self.get(id) else { return Answered::Waited(None) };
        match slot.phase {
            Phase::Waiting | Phase::Overdue => {
                slot.streamed = response.streamed;
                slot.phase = Phase::Answered(response);
                // Whoever sends the body must learn that nobody wants the rest.
                if !slot.streamed
                    && let Some(waker) = slot.credit_waker.take()
                {
                    waker.wake();
                }
                Answered::Waited(slot.waker.take())
            }
            Phase::Abandoned => {
                self.free(id);
                // It was told that nobody waits, but perhaps before it had a body to give up.
                if response.body_follows { Answered::Unwanted } else { Answered::Waited(None) }
            }
            Phase::Free | Phase::Answered(_) | Phase::Streaming | Phase::Lost => Answered::Waited(None),
        }
    }

    /// A piece of a response body. Returns whom to wake.
    pub fn body(&mut self, id: u32, last: bool, data: &[u8]) -> Result<Option<Waker>, Breach> {
        let Some(slot) = self.get(id) else { return Ok(None) };
        match &slot.phase {
            Phase::Answered(response) if response.body_follows => {}
            Phase::Streaming => {}
            Phase::Abandoned | Phase::Overdue | Phase::Lost => return Ok(None),
            _ => return Err(Breach("a body piece before its response")),
        }
        // The first piece came with the response and is credited too, so the cell may be one ahead.
        if slot.body_ended || slot.body.len() + data.len() > WINDOW_BYTES + BODY_CHUNK_BYTES_MAX {
            return Err(Breach("more body than it was given credit for"));
        }
        slot.body.extend_from_slice(data);
        slot.body_ended = last;
        Ok(slot.waker.take())
    }

    /// The end of a streamed response. Returns whom to wake.
    pub fn end(&mut self, id: u32, end: End) -> Result<[Option<Waker>; 2], Breach> {
        let Some(slot) = self.get(id) else { return Ok([None, None]) };
        if matches!(slot.phase, Phase::Waiting) || !slot.streamed || slot.body_ended {
            return Err(Breach("the end of what is not being streamed"));
        }
        slot.body_ended = true;
        slot.end = Some(end);
        Ok([slot.waker.take(), slot.credit_waker.take()])
    }

    /// The cell took this many bytes of the request body. Returns whom to wake.
    pub fn credit(&mut self, id: u32, bytes: u32) -> Option<Waker> {
        let slot = self.get(id)?;
        slot.credit = slot.credit.saturating_add(bytes).min(WINDOW_BYTES as u32);
        slot.credit_waker.take()
    }

    /// Takes up to `want` bytes of credit, at least one; registers `waker` when there is none.
    /// `None` when nobody in the cell wants the body any more: there is a response, or no cell.
    pub fn poll_credit(&mut self, id: u32, want: u32, waker: &Waker) -> Poll<Option<u32>> {
        let Some(slot) = self.get(id) else { return Poll::Ready(None) };
        let goes_on = match &slot.phase {
            Phase::Waiting => true,
            Phase::Answered(_) | Phase::Streaming => slot.streamed && !slot.body_ended,
            _ => false,
        };
        if !goes_on {
            return Poll::Ready(None);
        }
        let given = slot.credit.min(want);
        if given == 0 && want > 0 {
            slot.credit_waker = Some(waker.clone());
            return Poll::Pending;
        }
        slot.credit -= given;
        Poll::Ready(Some(given))
    }

    /// Takes the response; registers `waker` when there is none yet. Frees the slot unless the
    /// body follows.
    pub fn poll_response(&mut self, id: u32, waker: &Waker) -> Poll<Result<ResponseFrame, Miss>> {
        let Some(slot) = self.get(id) else { return Poll::Ready(Err(Miss::Gone)) };
        match std::mem::take(&mut slot.phase) {
            Phase::Answered(response) => {
                slot.phase = Phase::Streaming;
                if !response.body_follows {
                    self.free(id);
                }
                Poll::Ready(Ok(response))
            }
            Phase::Overdue => {
                slot.phase = Phase::Abandoned;
                Poll::Ready(Err(Miss::Overdue))
            }
            Phase::Lost => {
                self.free(id);
                Poll::Ready(Err(Miss::Gone))
            }
            phase => {
                slot.phase = phase;
                match &slot.waker {
                    Some(known) if known.will_wake(waker) => {}
                    _ => slot.waker = Some(waker.clone()),
                }
                Poll::Pending
            }
        }
    }

    /// Takes what there is of the response body, or at last its end, which frees the slot.
    pub fn poll_body(&mut self, id: u32, waker: &Waker) -> Poll<Result<Piece, Miss>> {
        let lost = self.lost;
        let Some(slot) = self.get(id) else { return Poll::Ready(Err(Miss::Gone)) };
        if !slot.body.is_empty() {
            return Poll::Ready(Ok(Piece::Bytes(slot.body.split().freeze())));
        }
        if slot.body_ended || lost {
            let end = if slot.body_ended { Ok(Piece::End(slot.end.take())) } else { Err(Miss::Gone) };
            self.free(id);
            return Poll::Ready(end);
        }
        slot.waker = Some(waker.clone());
        Poll::Pending
    }

    /// Ready when the response body will not be whole, whatever of it is unread.
    pub fn poll_failed(&mut self, id: u32, waker: &Waker) -> Poll<()> {
        let lost = self.lost;
        let Some(slot) = self.get(id) else { return Poll::Ready(()) };
        let failed = match &slot.end {
            Some(end) => end.outcome != Outcome::Ok,
            None => lost && !slot.body_ended,
        };
        if failed {
            return Poll::Ready(());
        }
        slot.waker = Some(waker.clone());
        Poll::Pending
    }

    /// Nobody waits for the invocation any more. Returns whether the cell must be told.
    pub fn release(&mut self, id: u32) -> bool {
        let Some(slot) = self.get(id) else { return false };
        match slot.phase {
            Phase::Waiting | Phase::Overdue => {
                let untold = matches!(slot.phase, Phase::Waiting);
                slot.phase = Phase::Abandoned;
                slot.waker = None;
                slot.credit_waker = None;
                untold
            }
            Phase::Streaming => {
                let unfinished = !slot.body_ended;
                self.free(id);
                unfinished
            }
            Phase::Answered(ref response) => {
                let unfinished = response.body_follows && !slot.body_ended;
                self.free(id);
                unfinished
            }
            Phase::Abandoned => false,
            Phase::Free | Phase::Lost => {
                self.free(id);
                false
            }
        }
    }

    /// Ends the wait for invocations past their deadline. One that is `patience_ms` past it and
    /// still unanswered, with nobody waiting, means a cell that obeys nothing.
    pub fn expire(&mut self, now_ms: u64, patience_ms: u64) -> Expired {
        let mut found = Expired::default();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            match slot.phase {
                Phase::Waiting if slot.deadline_ms <= now_ms => {
                    slot.phase = Phase::Overdue;
                    found.ids.push(index as u32 | slot.ticket << SLOT_BITS);
                    found.wakers.extend(slot.waker.take());
                    found.wakers.extend(slot.credit_waker.take());
                }
                Phase::Abandoned => found.stuck |= slot.deadline_ms + patience_ms <= now_ms,
                _ => {}
            }
        }
        found
    }

    /// The cell is gone: whoever waits is to be woken. Answers that arrived whole stay good, and
    /// what arrived of a broken one is read before its end is missed.
    pub fn lose_all(&mut self) -> Vec<Waker> {
        self.closed = true;
        self.lost = true;
        let mut wakers = Vec::new();
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            wakers.extend(slot.waker.take());
            wakers.extend(slot.credit_waker.take());
            match slot.phase {
                Phase::Waiting | Phase::Overdue => slot.phase = Phase::Lost,
                Phase::Abandoned => {
                    let id = index as u32 | slot.ticket << SLOT_BITS;
                    self.free(id);
                }
                Phase::Free | Phase::Answered(_) | Phase::Streaming | Phase::Lost => {}
            }
        }
        wakers
    }
}

#[cfg(test)]
mod tests;
