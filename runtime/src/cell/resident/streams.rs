//! What goes on after a handler has returned: a response's body that is still being made, and work
//! that was given to `ctx.waitUntil`.
//!
//! ```text
//!   handler's result ──whole──────────────────────▶ Response ──┬──nothing waits──▶ over
//!        └────────────stream──▶ head ──▶ Streaming ──▶ End ────┴──▶ Waiting ─────▶ over
//!   client leaves ──▶ its signal fires, its streams are cancelled ──▶ Waiting, or over
//! ```
//!
//! A stream has limits of its own: how long in all, how long without moving, how much. The CPU
//! budget grows with what passes: a body of any length may, a loop may not.

use super::{Gone, Invocation, Resident, detail_json};
use crate::handler::fetch;
use crate::handler::response::Reply;
use crate::isolate::{Failure, Follow, Kind, Stop};
use bytes::Bytes;
use deno_core::v8;
use isle_wire::{End, Frame, Limits, Outcome, ResponseFrame};
use std::time::{Duration, Instant};

/// The CPU budget is the handler's once more for each of these: bytes of its bodies that passed, and
/// time for which its response was streamed.
const BUDGET_EVERY_BYTES: u64 = 4 << 20;
const BUDGET_EVERY: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// Its response's body is being made, since then.
    Streaming(Instant),
    /// Its response is over; what it left behind is not.
    Waiting,
}

/// An invocation whose handler has returned, and which is not over.
pub(super) struct Later {
    pub(super) of: Invocation,
    /// When to look whether it is over its limits.
    pub(super) look_at: Instant,
    stage: Stage,
    deadline: Instant,
    /// Of its end.
    promise: v8::Global<v8::Promise>,
}

/// Why one has to end.
enum Over {
    /// It is over a limit.
    Limit(Failure),
    /// Nobody wants its response, and whoever said so did not find it.
    Unwanted,
}

fn millis(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}

fn exceeded(what: String) -> Failure {
    Failure::new(Outcome::WallExceeded, "Isle.WallExceeded", what)
}

impl Resident {
    /// Sends a handler's result, and sees to what follows it.
    pub(super) fn conclude(&mut self, of: Invocation, result: Result<Reply, Failure>) -> Option<Gone> {
        if self.isolate.kind() == Kind::Handler {
            self.send(&of, result.as_ref());
            return None;
        }
        let Follow { stream, waits } = self.isolate.follow();
        match result {
            Ok(reply) if stream => self.begin_stream(of, reply, None),
            Ok(reply) => {
                self.send(&of, Ok(&reply));
                self.close_bodies(&of);
                if waits { self.wait_for_rest(of) } else { None }
            }
            Err(failure) => {
                self.fail(&of, &failure);
                self.wait_for_rest(of)
            }
        }
    }

    /// Nobody reads or writes the invocation's bodies any more.
    pub(super) fn close_bodies(&self, of: &Invocation) {
        if of.reads {
            self.cell.inbound.close(of.id);
        }
    }

    fn budget_ns(&self) -> u64 {
        u64::from(self.version.limits().handler_cpu_ms) * 1_000_000
    }

    /// The CPU budget of an invocation that has sent `passed` bytes, in ns.
    pub(super) fn budget_for(&self, of: &Invocation, passed: u64, spans: u64) -> u64 {
        let taken = if of.reads { self.cell.inbound.taken(of.id) } else { 0 };
        self.budget_ns().saturating_mul(1 + (passed + taken) / BUDGET_EVERY_BYTES + spans)
    }

    /// Sends the head of a response whose body is still being made, and has it made. `ends` is the
    /// promise of its end, where the handler itself makes it.
    fn begin_stream(
        &mut self,
        mut of: Invocation,
        reply: Reply,
        ends: Option<v8::Global<v8::Promise>>,
    ) -> Option<Gone> {
        let limits = self.version.limits();
        let bytes_max = if of.expects.is_head { 0 } else { limits.stream_bytes_max() };
        let now = Instant::now();
        let deadline = now + millis(limits.stream_wall_ms);
        self.cell.outgoing.open(of.id, bytes_max);
        let response = ResponseFrame {
            outcome: Outcome::Ok,
            start: of.start.0,
            timing: of.timing(),
            status: reply.status,
            headers: reply.headers,
            detail: Bytes::new(),
            body_follows: true,
            streamed: true,
            takes_whole: self.isolate.kind() != Kind::Fetch,
            body: Bytes::new(),
        };
        Frame::encode_response(of.id, &response, &mut self.finished);
        self.console.outlives(of.id, &of.request_id);
        // What is pumped goes to the outbox directly: the head must be there first.
        self.append_finished();
        let pumped = self.isolate.pump(of.id, self.budget_ns());
        of.cpu_ns += pumped.cpu_ns;
        if let Some(stop) = pumped.stop {
            let failure = self.stopped(stop);
            self.end_stream(&of, Err(&failure));
            return Some(self.doom(&failure));
        }
        match pumped.result.or(ends) {
            Some(promise) => {
                self.later.push(Later { of, look_at: now, stage: Stage::Streaming(now), deadline, promise });
                None
            }
            // Only code that took the platform apart comes here.
            None => {
                let failure = Failure::new(Outcome::InvalidResponse, "Isle.InvalidResponse", "the body cannot be sent");
                self.end_stream(&of, Err(&failure));
                self.wait_for_rest(of)
            }
        }
    }

    /// Ends a streamed response.
    fn end_stream(&mut self, of: &Invocation, result: Result<(), &Failure>) {
        let id = of.id;
        self.cell.outgoing.close(id);
        self.close_bodies(of);
        self.console.forget(id);
        self.cell.ended(1);
        let (outcome, detail) = match result {
            Ok(()) => (Outcome::Ok, Bytes::new()),
            Err(failure) => {
                self.tell_author(id, failure);
                (failure.outcome, detail_json(failure))
            }
        };
        let frame = Frame::End { id, end: End { outcome, timing: of.timing(), detail } };
        frame.encode(&mut self.finished);
        // Behind the body's last piece.
        self.append_finished();
    }

    /// Waits for what was given to `ctx.waitUntil`, if anything was.
    pub(super) fn wait_for_rest(&mut self, mut of: Invocation) -> Option<Gone> {
        if self.isolate.kind() == Kind::Handler {
            return None;
        }
        self.console.outlives(of.id, &of.request_id);
        let limits = self.version.limits();
        let (wall, cpu_ns) = (millis(limits.wait_until_ms), u64::from(limits.wait_until_cpu_ms) * 1_000_000);
        let waited = self.isolate.after(of.id, cpu_ns);
        if let Some(stop) = waited.stop {
            return Some(self.doom(&self.stopped(stop)));
        }
        if let Some(promise) = waited.result {
            let deadline = Instant::now() + wall;
            of.cpu_ns = waited.cpu_ns;
            self.cell.linger();
            self.later.push(Later { of, look_at: deadline, stage: Stage::Waiting, deadline, promise });
        } else {
            self.console.forget(of.id);
        }
        None
    }

    /// Begins the streams that handlers began in this turn, and ends what has come to its end.
    pub(super) fn advance_later(&mut self, budget_ns: u64) -> Option<Gone> {
        if self.isolate.kind() == Kind::Handler {
            return None;
        }
        for begun in self.exchange.begun() {
            // One whose handler has failed meanwhile is answered with that.
            let Some(at) = self.pending.iter().position(|pending| pending.of.id == begun.id) else { continue };
            let pending = self.pending.swap_remove(at);
            let gone = match fetch::fields(begun.fields) {
                Ok(headers) => {
                    let reply = Reply { status: begun.status as u16, headers, body: Bytes::new() };
                    self.begin_stream(pending.of, reply, Some(pending.promise))
                }
                Err(_) => {
                    let message = "a header field of the response cannot be sent";
                    let failure = Failure::new(Outcome::InvalidResponse, "Isle.InvalidResponse", message);
                    self.fail(&pending.of, &failure);
                    self.abort(pending.of)
                }
            };
            if gone.is_some() {
                return gone;
            }
        }
        let mut index = 0;
        while index < self.later.len() {
            let Some(ended) = self.isolate.ended(&self.later[index].promise, budget_ns) else {
                index += 1;
                continue;
            };
            let Later { of, stage, .. } = self.later.swap_remove(index);
            let gone = match stage {
                Stage::Streaming(_) => {
                    let too_large = self.cell.outgoing.progress(of.id).is_some_and(|progress| progress.too_large);
                    let ended = ended.map_err(|failure| if too_large { self.stream_too_large() } else { failure });
                    self.end_stream(&of, ended.as_ref().map(|_| ()));
                    self.wait_for_rest(of)
                }
                Stage::Waiting => self.forget(&of),
            };
            if gone.is_some() {
                return gone;
            }
        }
        None
    }

    /// What waited for `ctx.waitUntil` is over.
    fn forget(&mut self, of: &Invocation) -> Option<Gone> {
        self.cell.rest();
        self.console.forget(of.id);
        let stop = self.isolate.close(of.id, self.budget_ns()).stop?;
        Some(self.doom(&self.stopped(stop)))
    }

    /// Nothing is left that could run: what is waited for will never come.
    pub(super) fn end_waits_without_end(&mut self) -> Option<Gone> {
        while let Some(at) = self.later.iter().position(|later| later.stage == Stage::Waiting) {
            let of = self.later.swap_remove(at).of;
            if let Some(gone) = self.forget(&of) {
                return Some(gone);
            }
        }
        None
    }

    /// The client of a streamed response has left: takes it out, if there is one.
    pub(super) fn leave_stream(&mut self, id: u32) -> Option<Invocation> {
        let streams = |later: &Later| later.of.id == id && matches!(later.stage, Stage::Streaming(_));
        let at = self.later.iter().position(streams)?;
        let of = self.later.swap_remove(at).of;
        self.cell.outgoing.close(id);
        self.close_bodies(&of);
        self.console.forget(id);
        self.cell.ended(1);
        Some(of)
    }

    /// Tells the function that nobody waits for an invocation any more, and waits for what it does
    /// about that.
    pub(super) fn abort(&mut self, of: Invocation) -> Option<Gone> {
        if self.isolate.kind() == Kind::Handler {
            return None;
        }
        self.console.outlives(of.id, &of.request_id);
        let aborted = self.isolate.abort(of.id, self.budget_ns());
        if let Some(stop) = aborted.stop {
            return Some(self.doom(&self.stopped(stop)));
        }
        self.wait_for_rest(of)
    }

    /// Ends streams and waits that are past their limits.
    pub(super) fn end_later_over_limit(&mut self, now: Instant) -> Option<Gone> {
        let mut index = 0;
        while index < self.later.len() {
            let failure = match self.check_limits(index, now) {
                Ok(()) => {
                    index += 1;
                    continue;
                }
                Err(Over::Limit(failure)) => failure,
                Err(Over::Unwanted) => {
                    let left = self.leave_stream(self.later[index].of.id);
                    if let Some(gone) = left.and_then(|of| self.abort(of)) {
                        return Some(gone);
                    }
                    continue;
                }
            };
            let Later { of, stage, .. } = self.later.swap_remove(index);
            match stage {
                Stage::Streaming(_) => self.end_stream(&of, Err(&failure)),
                Stage::Waiting => {
                    self.console.error(of.id, failure.detail.to_string());
                    if let Some(gone) = self.forget(&of) {
                        return Some(gone);
                    }
                }
            }
            if stage == Stage::Waiting || failure.outcome == Outcome::CpuExceeded {
                // Its continuations may go on for ever; no new invocation shall share with them.
                self.retire();
            }
            if stage != Stage::Waiting
                && let Some(gone) = self.abort(of)
            {
                return Some(gone);
            }
        }
        None
    }

    /// Looks at one; says when to look again.
    fn check_limits(&mut self, index: usize, now: Instant) -> Result<(), Over> {
        let limits: &Limits = self.version.limits();
        let later = &self.later[index];
        let cpu_ns = later.of.cpu_ns;
        let since = match later.stage {
            Stage::Waiting => {
                if now >= later.deadline {
                    let ms = limits.wait_until_ms;
                    return Err(Over::Limit(exceeded(format!(
                        "what ctx.waitUntil was given took longer than {ms} ms"
                    ))));
                }
                if cpu_ns > u64::from(limits.wait_until_cpu_ms) * 1_000_000 {
                    let ms = limits.wait_until_cpu_ms;
                    let message = format!("what ctx.waitUntil was given used more than {ms} ms of CPU time");
                    return Err(Over::Limit(Failure::new(Outcome::CpuExceeded, "Isle.CpuExceeded", message)));
                }
                return Ok(());
            }
            Stage::Streaming(since) => since,
        };
        let Some(progress) = self.cell.outgoing.progress(later.of.id) else { return Err(Over::Unwanted) };
        let still = now.saturating_duration_since(progress.moved);
        if now >= later.deadline {
            return Err(Over::Limit(exceeded(format!(
                "the response was streamed for longer than {} ms",
                limits.stream_wall_ms
            ))));
        }
        if still >= millis(limits.stream_idle_ms) {
            return Err(Over::Limit(exceeded(format!(
                "the response's stream stood still for {} ms",
                limits.stream_idle_ms
            ))));
        }
        let spans = (now - since).as_secs() / BUDGET_EVERY.as_secs();
        if cpu_ns > self.budget_for(&later.of, progress.passed, spans) {
            return Err(Over::Limit(self.stopped(Stop::Cpu)));
        }
        let look_at = later.deadline.min(progress.moved + millis(limits.stream_idle_ms));
        self.later[index].look_at = look_at;
        Ok(())
    }

    /// Everything ends with the isolate.
    pub(super) fn end_all_later(&mut self, failure: &Failure) {
        for Later { of, stage, .. } in std::mem::take(&mut self.later) {
            match stage {
                Stage::Streaming(_) => self.end_stream(&of, Err(failure)),
                Stage::Waiting => {
                    self.console.error(of.id, failure.detail.to_string());
                    self.cell.rest();
                    self.console.forget(of.id);
                }
            }
        }
    }

    fn stream_too_large(&self) -> Failure {
        Failure::new(
            Outcome::ResponseTooLarge,
            "Isle.ResponseTooLarge",
            format!("the response's body is longer than {} MiB", self.version.limits().stream_mb_max),
        )
    }
}
