//! A resident: an isolate with a function in it, on a thread of its own, serving.
//!
//! ```text
//!   spare ──assign──▶ starting ──loaded──▶ serving ⇄ parked ──evicted, retired, stopped──▶ gone
//!                         └──failed──▶ gone (every waiting invocation gets the reason)
//! ```
//!
//! An invocation whose response is streamed, or that left work behind (`ctx.waitUntil`), stays after
//! its handler has returned: see `streams`. One isolate serves many invocations at a time: while one awaits a timer, the next is begun. An
//! isolate that a limit stopped is not used again, and every invocation in it ends with that
//! limit's outcome: after a stop nothing is known of the state they shared.

mod ends;
mod start;
mod streams;

pub use start::{Assignment, run};

use super::Cell;
use super::console::Console;
use super::exchange::Exchange;
use super::starts::Place;
use super::version::{Job, Parked, Queue, Version};
use crate::egress::Codings;
use crate::handler::Expects;
use crate::handler::event::EventBody;
use crate::handler::fetch::{FetchBody, FetchInput};
use crate::handler::invocation::Prepared;
use crate::isolate::platform::{Urgency, set_urgency};
use crate::isolate::{Call, Called, Failure, Isolate, Kind, Stayed, Stop};
use bytes::{Bytes, BytesMut};
use deno_core::v8;
use isle_wire::{Invoke, Outcome, StartKind, Timing};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use streams::Later;
use tokio::time::Sleep;

/// Jobs begun before others of the isolate get a turn, and before results are sent.
const BATCH: usize = 16;
/// Heap statistics are taken after this many invocations: they cost a microsecond.
const COUNT_MEMORY_EVERY: u32 = 256;

/// While invocations wait for something, heap statistics are taken this often.
const COUNT_MEMORY_AFTER: Duration = Duration::from_millis(5);

/// An invocation that was begun, and what it used so far.
#[derive(Clone, Copy)]
struct Invocation {
    id: u32,
    entered: Instant,
    cpu_ns: u64,
    queue_us: u32,
    start: (StartKind, u32),
    expects: Expects,
    /// Whether its request's body is read as it comes.
    reads: bool,
    /// Its request's id.
    request_id: [u8; REQUEST_ID_BYTES],
}

/// Ids of other lengths are no gateway's.
const REQUEST_ID_BYTES: usize = 32;

impl Invocation {
    fn timing(&self) -> Timing {
        timing(self.queue_us, self.start.1, self.entered, self.cpu_ns)
    }
}

/// An invocation whose promise is pending.
struct Pending {
    of: Invocation,
    promise: v8::Global<v8::Promise>,
    deadline: Instant,
}

/// An isolate that serves a version.
pub struct Resident {
    cell: Arc<Cell>,
    version: Arc<Version>,
    number: u64,
    isolate: Isolate,
    console: Rc<Console>,
    exchange: Rc<Exchange>,
    pending: Vec<Pending>,
    later: Vec<Later>,
    start: (StartKind, u32),
    alarm: Pin<Box<Sleep>>,
    calls_until_count: u32,
    counted: Instant,
    idle_since: Option<Instant>,
    /// The queue's, when it began.
    evictions: u64,
    retiring: bool,
    finished: BytesMut,
    /// Until the first turn is over; `place` may have been given up before.
    starting: bool,
    place: Option<Place>,
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

fn detail_json(failure: &Failure) -> Bytes {
    serde_json::to_vec(&failure.detail).map(Bytes::from).unwrap_or_default()
}

impl Resident {
    /// Serves until there is nothing to do (pending) or it must end (ready).
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut batch = VecDeque::new();
        loop {
            if self.take_jobs(&mut batch) == Some(Gone) {
                return Poll::Ready(());
            }
            let mut follows = false;
            while let Some(job) = batch.pop_front() {
                if self.begin(job, std::mem::replace(&mut follows, true)) == Some(Gone) {
                    self.give_back(batch);
                    return Poll::Ready(());
                }
            }
            if self.holds() > 0 && self.advance(cx) == Some(Gone) {
                return Poll::Ready(());
            }
            self.flush();
            self.end_start();
            if self.retiring && self.holds() == 0 {
                return Poll::Ready(());
            }
            match self.park(cx) {
                Parking::Work => {}
                Parking::Parked => return Poll::Pending,
                Parking::Leave => return Poll::Ready(()),
            }
        }
    }

    /// What waited for the start has been begun: from here on the isolate serves.
    fn end_start(&mut self) {
        if std::mem::take(&mut self.starting) {
            self.place = None;
            set_urgency(Urgency::Serving);
        }
    }

    /// Takes waiting invocations, unless this isolate has been evicted: then it goes although some
    /// came meanwhile, so that what follows an eviction finds a fresh start.
    fn take_jobs(&mut self, batch: &mut VecDeque<Job>) -> Option<Gone> {
        if self.retiring {
            return None;
        }
        let room = (self.version.limits().concurrency as usize).saturating_sub(self.holds()).min(BATCH);
        let mut queue = self.version.queue();
        if self.is_evicted(&queue) {
            drop(queue);
            self.version.evictions.fetch_add(1, Ordering::Relaxed);
            self.retire();
            return Some(Gone);
        }
        let count = room.min(queue.jobs.len());
        batch.extend(queue.jobs.drain(..count));
        None
    }

    /// Whether it is idle and was told to end then.
    fn is_evicted(&self, queue: &Queue) -> bool {
        self.holds() == 0 && (queue.evictions != self.evictions || queue.evicted.contains(&self.number))
    }

    /// Jobs that were taken but not begun when the isolate was stopped go back to the queue's head.
    fn give_back(&mut self, batch: VecDeque<Job>) {
        let mut queue = self.version.queue();
        for job in batch.into_iter().rev() {
            queue.jobs.push_front(job);
        }
    }

    /// Calls the handler for one job.
    fn begin(&mut self, mut job: Job, follows: bool) -> Option<Gone> {
        let fetches = self.isolate.kind() == Kind::Fetch;
        if !fetches {
            if job.invoke.body.len() > self.version.limits().request_body_bytes_max as usize {
                // The gateway leaves it to us while it does not know what the function takes.
                self.cell.fail(job.id, Outcome::RequestTooLarge);
                return None;
            }
            if job.invoke.body_follows {
                job = self.cell.collect(job, &self.version)?;
            }
        }
        let began = Instant::now();
        let start = std::mem::take(&mut self.start);
        let waited = micros(began.saturating_duration_since(job.arrived));
        let queue_us = waited.saturating_sub(start.1);
        let limits = self.version.limits();
        let deadline = job.arrived + Duration::from_millis(u64::from(job.invoke.wall_ms));
        let Invoke { head, body: bytes, body_follows: reads, .. } = &job.invoke;
        let (prepared, fetch);
        let mut accepts = Codings::default();
        if fetches {
            let fields = head.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"accept-encoding"));
            accepts = Codings::accepted(fields.map(|(_, value)| &value[..]));
            prepared = Prepared {
                event: "".into(),
                body: EventBody::None,
                client_context: None,
                expects: Expects::of(&self.version.function.spec),
            };
            fetch = Some(FetchInput { head, body: FetchBody::of(head, bytes, *reads) });
        } else {
            prepared = Prepared::of(head, bytes, &self.version.function.spec);
            fetch = None;
        }
        let expects = Expects { invocation: job.id, is_head: head.method == "HEAD", accepts, ..prepared.expects };
        let request_id = head.request_id[..].try_into().unwrap_or([b'-'; REQUEST_ID_BYTES]);
        let left_ms = deadline.saturating_duration_since(began).as_secs_f64() * 1_000.0;
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_millis() as f64);
        let call = Call {
            invocation: job.id,
            event: &prepared.event,
            body: &prepared.body,
            request_id: std::str::from_utf8(&job.invoke.head.request_id).unwrap_or_default(),
            deadline_ms: now_ms + left_ms,
            budget_ns: u64::from(limits.handler_cpu_ms) * 1_000_000,
            expects,
            client_context: prepared.client_context.as_deref(),
            fetch: fetch.as_ref(),
            follows,
        };
        self.idle_since = None;
        self.cell.begun.mark(job.id);
        let of =
            Invocation { id: job.id, entered: began, cpu_ns: 0, queue_us, start, expects, reads: *reads, request_id };
        if fetches && head.is_direct() {
            let message = "a fetch handler takes requests, not events: it cannot be invoked but by its URL";
            self.fail(&of, &Failure::new(Outcome::InvalidResponse, "Isle.InvalidResponse", message));
            return None;
        }
        let Stayed { result, cpu_ns, stop } = self.isolate.call(&call);
        let of = Invocation { cpu_ns, ..of };
        if let Some(stop) = stop {
            let failure = self.stopped(stop);
            self.fail(&of, &failure);
            return Some(self.doom(&failure));
        }
        match result {
            Called::Pending(promise) => self.pending.push(Pending { of, promise, deadline }),
            Called::Ended(result) => {
                if let Some(gone) = self.conclude(of, result) {
                    return Some(gone);
                }
            }
        }
        self.count_memory_sometimes();
        None
    }

    fn count_memory_sometimes(&mut self) {
        self.calls_until_count -= 1;
        if self.calls_until_count == 0 {
            self.calls_until_count = COUNT_MEMORY_EVERY;
            self.isolate.exceeds_memory();
            self.version.heap_bytes.store(self.isolate.control().memory().last_seen(), Ordering::Relaxed);
        }
    }

    /// Lets what the pending invocations wait for happen, and ends those that are over.
    fn advance(&mut self, cx: &mut Context<'_>) -> Option<Gone> {
        let budget_ns = u64::from(self.version.limits().handler_cpu_ms) * 1_000_000;
        let turned = self.isolate.turn(cx, budget_ns);
        let share = turned.cpu_ns / self.holds().max(1) as u64;
        self.pending.iter_mut().for_each(|pending| pending.of.cpu_ns += share);
        self.later.iter_mut().for_each(|later| later.of.cpu_ns += share);
        if let Some(stop) = turned.stop {
            let failure = self.stopped(stop);
            return Some(self.doom(&failure));
        }
        if self.counted.elapsed() >= COUNT_MEMORY_AFTER {
            self.counted = Instant::now();
            if self.isolate.exceeds_memory() {
                let failure = self.stopped(Stop::Heap);
                return Some(self.doom(&failure));
            }
        }
        if let Some(gone) = self.end_settled(budget_ns).or_else(|| self.advance_later(budget_ns)) {
            return Some(gone);
        }
        if let Some(gone) = self.end_cancelled() {
            return Some(gone);
        }
        if let Some(gone) = self.end_over_limit(budget_ns, cx) {
            return Some(gone);
        }
        if turned.result.is_ready()
            && let Some(gone) = self.end_waits_without_end()
        {
            return Some(gone);
        }
        if turned.result.is_ready() && !self.pending.is_empty() && self.version.queue().jobs.is_empty() {
            // Nothing is left that could run: no timer, no operation, no microtask.
            let released = self.isolate.release_callbacks(budget_ns);
            if let Some(stop) = released.stop {
                return Some(self.doom(&self.stopped(stop)));
            }
            if released.result && self.end_settled(budget_ns) == Some(Gone) {
                return Some(Gone);
            }
            let message = "the handler's promise is pending and nothing is left that could settle it";
            let failure = Failure::new(Outcome::NeverSettled, "Runtime.NodeJsExit", message);
            for id in self.pending.iter().map(|p| p.of.id).collect::<Vec<_>>() {
                if self.isolate.kind() == Kind::Handler || !self.isolate.listens(id) {
                    let ended = self.end_pending(id, &failure);
                    if let Some(gone) = ended.and_then(|of| self.wait_for_rest(of)) {
                        return Some(gone);
                    }
                }
            }
        }
        None
    }

    fn append_finished(&mut self) {
        if !self.finished.is_empty() {
            self.cell.outbox.append(|out| out.extend_from_slice(&self.finished));
            self.finished.clear();
        }
    }

    fn flush(&mut self) {
        self.append_finished();
        self.cell.outbox.flush();
    }

    /// Waits for work, unless there is some or it is time to go.
    fn park(&mut self, cx: &mut Context<'_>) -> Parking {
        if self.holds() == 0 && self.idle_since.is_none() {
            self.idle_since = Some(Instant::now());
        }
        let number = self.number;
        let mut queue = self.version.queue();
        queue.parked.retain(|parked| parked.resident != number);
        queue.leaving.retain(|parked| parked.resident != number);
        if self.is_evicted(&queue) {
            return Parking::Work;
        }
        // One that came after this turn's look.
        if !queue.cancelled.is_empty() && self.ids().any(|id| queue.cancelled.contains(&id)) {
            return Parking::Work;
        }
        let room = self.holds() < self.version.limits().concurrency as usize;
        if !queue.jobs.is_empty() && room && !self.retiring {
            return Parking::Work;
        }
        if self.holds() == 0 && self.version.is_retired() {
            return Parking::Leave;
        }
        let parked = Parked { resident: number, waker: cx.waker().clone(), idle_since: self.idle_since };
        let Queue { parked: takers, leaving, .. } = &mut *queue;
        if self.retiring { leaving } else { takers }.push(parked);
        Parking::Parked
    }

    /// Takes the resident out of the books. Whatever was pushed meanwhile is for the next isolate.
    fn leave(mut self) {
        self.flush();
        let mut queue = self.version.queue();
        queue.parked.retain(|parked| parked.resident != self.number);
        queue.leaving.retain(|parked| parked.resident != self.number);
        queue.evicted.retain(|evicted| *evicted != self.number);
        let Queue { residents, retiring, .. } = &mut *queue;
        *if self.retiring { retiring } else { residents } -= 1;
        if queue.alive() == 0 {
            queue.cancelled.clear();
        }
        if queue.residents == 0 {
            self.version.heap_bytes.store(0, Ordering::Relaxed);
        }
        let waiting = !queue.jobs.is_empty();
        drop(queue);
        if waiting {
            self.cell.consider(&self.version);
        }
    }
}

/// The isolate was stopped and everything in it has ended.
#[derive(PartialEq)]
struct Gone;

enum Parking {
    Work,
    Parked,
    Leave,
}

fn timing(queue_us: u32, start_us: u32, entered: Instant, cpu_ns: u64) -> Timing {
    Timing { queue_us, start_us, run_us: micros(entered.elapsed()), cpu_us: (cpu_ns / 1_000) as u32 }
}
