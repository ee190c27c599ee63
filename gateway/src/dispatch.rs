//! Dispatch: joins HTTP time (a body that trickles, a client that leaves, a deadline) with cell time
//! (a process that may die).
//!
//! ```text
//!   body small? ──yes─▶ Invoke with body ──▶ response          cell died, not begun ─▶ once more
//!       └─no─▶ Invoke, pieces by credit ───▶ response          cell died, begun     ─▶ CellDied
//!                                                              deadline             ─▶ WallExceeded
//!                                                              … for want of a body ─▶ RequestIncomplete
//! ```
//!
//! Nothing is spawned here: the request's own task does all of it, and dropping its future, which
//! is what a client's leaving does, cancels the invocation in the cell. A streamed response may
//! begin before the request's body has ended: what is still to come is handed on with it.

mod body;
mod head;
#[cfg(test)]
mod tests;

pub use body::INLINE_BYTES_MAX;
pub use head::Head;
pub(crate) use head::is_hop_by_hop;

use crate::admit::Admitted;
use crate::cells::Cells;
use crate::cells::invocation::{Invocation, Lost};
use crate::cells::link::{Begin, NotBegun};
use crate::cells::supervise::Cell;
use crate::egress::Hops;
use crate::plane::Served;
use crate::request_id::RequestId;
pub(crate) use body::{Bad, Coming};
use body::{Begun, Limit, Patience, Step};
use bytes::Bytes;
use http_body::Body;
use isle_wire::{FunctionKind, Outcome, ResponseFrame};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::{sleep_until, timeout_at};

/// How long after the wall limit the gateway gives up by itself. 1 s: the cell keeps the limit; this
/// is for a cell that does not.
pub const WALL_GRACE: Duration = Duration::from_secs(1);
/// Cells tried that turn out to be closed when the invocation is to begin. A bound, not a policy:
/// each of them was found live a moment before.
const CLOSED_MAX: u32 = 8;

/// How a dispatched request ended.
#[derive(Debug)]
pub struct Ended {
    /// The cell's response, or ours.
    pub response: ResponseFrame,
    /// Where the rest of the response's body comes from, when more follows.
    pub rest: Option<Invocation>,
    /// What is still to come of the request's body while the response is streamed.
    pub coming: Option<Coming>,
    /// Whether the request body was incomplete for want of time.
    pub body_late: bool,
}

impl Ended {
    fn failed(outcome: Outcome) -> Ended {
        Ended { response: ResponseFrame::failed(outcome, Bytes::new()), rest: None, coming: None, body_late: false }
    }

    fn bad_body(bad: Bad) -> Ended {
        Ended::failed(match bad {
            Bad::TooLarge => Outcome::RequestTooLarge,
            Bad::Broken => Outcome::RequestIncomplete,
            Bad::Late => return Ended::late_body(),
        })
    }

    fn late_body() -> Ended {
        Ended { body_late: true, ..Ended::failed(Outcome::RequestIncomplete) }
    }

    fn answered(response: ResponseFrame, invocation: Invocation) -> Ended {
        let rest = response.body_follows.then_some(invocation);
        Ended { response, rest, coming: None, body_late: false }
    }
}

/// One request on its way to a cell.
struct Way<'a> {
    cells: &'a Cells,
    served: &'a Served,
    request_id: &'a RequestId,
    head: Head<'a>,
    deadline: Instant,
}

/// Runs an admitted request in its function's cell. `body_idle`: how long its client may be waited
/// for, until the response has begun.
pub async fn dispatch<B>(
    cells: &Cells,
    served: &Served,
    _admitted: &Admitted,
    request_id: &RequestId,
    head: Head<'_>,
    mut body: B,
    body_idle: Duration,
) -> Ended
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let spec = &served.function.spec;
    let limits = &spec.limits;
    let whole_max = u64::from(limits.request_body_bytes_max);
    // What is no fetch handler after all takes no more than `whole_max`; its cell sees to that.
    let takes_whole = match spec.kind {
        FunctionKind::Handler => true,
        FunctionKind::Fetch => false,
        FunctionKind::Auto => served.takes_whole.load(Ordering::Relaxed),
    };
    let (limit, patience) = if takes_whole {
        (whole_max, Patience::Endless)
    } else {
        (limits.stream_bytes_max().max(whole_max), Patience::Little)
    };
    let limit = Limit { bytes_max: limit, idle: body_idle };
    let deadline = Instant::now() + Duration::from_millis(u64::from(limits.wall_ms));
    let way = Way { cells, served, request_id, head, deadline };
    let begun = if body.is_end_stream() {
        Begun::Whole(Bytes::new())
    } else {
        match timeout_at(deadline.into(), body::begin(&mut body, limit, patience)).await {
            Ok(Ok(begun)) => begun,
            Ok(Err(bad)) => return Ended::bad_body(bad),
            Err(_) => return Ended::late_body(),
        }
    };
    let ended = way.send(begun, body, limit).await;
    if ended.response.takes_whole {
        served.takes_whole.store(true, Ordering::Relaxed);
    }
    ended
}

impl Way<'_> {
    async fn send<B>(&self, begun: Begun, body: B, limit: Limit) -> Ended
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        match begun {
            Begun::Whole(whole) => self.whole(&whole).await,
            Begun::Part(part) => match self.pieces(part, body, limit).await {
                Ok(ended) | Err(ended) => ended,
            },
        }
    }

    /// A body that can be sent again.
    async fn whole(&self, body: &[u8]) -> Ended {
        let mut again = true;
        loop {
            let mut invocation = match self.begin(Some(body)).await {
                Ok(invocation) => invocation,
                Err(ended) => return ended,
            };
            match invocation.response().await {
                Ok(response) => return Ended::answered(response, invocation),
                Err(Lost::Died { begun: false }) if again => again = false,
                Err(lost) => return Ended::failed(outcome_of(lost)),
            }
        }
    }

    /// A body that comes once.
    async fn pieces<B>(&self, part: Bytes, body: B, limit: Limit) -> Result<Ended, Ended>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let mut invocation = self.begin(None).await?;
        let mut coming = Coming::new(part, body, invocation.upload(), limit);
        let mut deadline = pin!(sleep_until(self.deadline.into()));
        let answer = loop {
            // A cell may answer before the body's end: it streams, it is over some limit, or the
            // cell died.
            let step = tokio::select! {
                biased;
                answer = invocation.response() => break answer,
                step = coming.step() => step.map_err(Ended::bad_body)?,
                () = &mut deadline => {
                    if coming.waits_for_client() {
                        return Err(Ended::late_body());
                    }
                    // The function takes no more of it: how that ends, its cell says.
                    break invocation.response().await;
                }
            };
            match step {
                Step::Next => {}
                Step::All | Step::Unwanted => return Ok(self.response(invocation).await),
            }
        };
        let response = answer.map_err(|lost| Ended::failed(outcome_of(lost)))?;
        let coming = response.streamed.then(|| coming.boxed());
        Ok(Ended { coming, ..Ended::answered(response, invocation) })
    }

    async fn response(&self, mut invocation: Invocation) -> Ended {
        match invocation.response().await {
            Ok(response) => Ended::answered(response, invocation),
            Err(lost) => Ended::failed(outcome_of(lost)),
        }
    }

    async fn cell(&self) -> Result<Arc<Cell>, Ended> {
        if let Some(cell) = self.served.group.live() {
            return Ok(cell);
        }
        match timeout_at(self.deadline.into(), self.cells.acquire(&self.served.group)).await {
            Ok(Ok(cell)) => Ok(cell),
            Ok(Err(_)) | Err(_) => Err(Ended::failed(Outcome::Unavailable)),
        }
    }

    /// Sends the invocation to the group's cell.
    async fn begin(&self, body: Option<&[u8]>) -> Result<Invocation, Ended> {
        let mut closed = 0;
        loop {
            let cell = self.cell().await?;
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Ended::failed(Outcome::WallExceeded));
            }
            let begin = Begin {
                function: &self.served.function,
                request_id: self.request_id.bytes().clone(),
                // At least 1: the cell ends what has less than that left itself.
                wall_ms: (left.as_millis() as u32).max(1),
                deadline: self.deadline + WALL_GRACE,
                body,
                depth: self.head.request.extensions().get::<Hops>().map_or(0, |hops| hops.0),
            };
            match cell.link.begin(begin, |out| self.head.encode(out)) {
                Ok(invocation) => return Ok(invocation),
                Err(NotBegun::Full) => return Err(Ended::failed(Outcome::RefusedBusy)),
                Err(NotBegun::Congested) => {
                    if timeout_at(self.deadline.into(), cell.link.room()).await.is_err() {
                        return Err(Ended::failed(Outcome::WallExceeded));
                    }
                }
                Err(NotBegun::NotLoaded) => {
                    match timeout_at(self.deadline.into(), cell.link.load(&self.served.function)).await {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => return Err(Ended::failed(Outcome::Unavailable)),
                        Err(_) => return Err(Ended::failed(Outcome::WallExceeded)),
                    }
                }
                Err(NotBegun::Closed) => {
                    self.cells.closed(&self.served.group, &cell);
                    closed += 1;
                    if closed == CLOSED_MAX {
                        return Err(Ended::failed(Outcome::Unavailable));
                    }
                }
            }
        }
    }
}

fn outcome_of(lost: Lost) -> Outcome {
    match lost {
        Lost::Overdue => Outcome::WallExceeded,
        Lost::Died { .. } => Outcome::CellDied,
    }
}
