//! How invocations end: settled, cancelled, over a limit, or with the isolate they were in; and
//! what the gateway and the author are told of it.

use super::{Gone, Invocation, Resident, detail_json};
use crate::handler::response::Reply;
use crate::isolate::{Failure, Kind, Stop};
use bytes::Bytes;
use isle_wire::{BODY_CHUNK_BYTES_MAX, Frame, Outcome, ResponseFrame};
use std::task::Context;
use std::time::Instant;

impl Resident {
    pub(super) fn end_settled(&mut self, budget_ns: u64) -> Option<Gone> {
        let mut index = 0;
        while index < self.pending.len() {
            if !self.isolate.is_settled(&self.pending[index].promise) {
                index += 1;
                continue;
            }
            let mut done = self.pending.swap_remove(index);
            let settled = self.isolate.settle(&done.promise, budget_ns, &done.of.expects);
            done.of.cpu_ns += settled.cpu_ns;
            if let Some(stop) = settled.stop {
                let failure = self.stopped(stop);
                self.fail(&done.of, &failure);
                return Some(self.doom(&failure));
            }
            if let Some(gone) = self.conclude(done.of, settled.result) {
                return Some(gone);
            }
        }
        None
    }

    pub(super) fn end_cancelled(&mut self) -> Option<Gone> {
        let mut queue = self.version.queue();
        if queue.cancelled.is_empty() {
            return None;
        }
        let mine: Vec<u32> = self.ids().filter(|id| queue.cancelled.contains(id)).collect();
        queue.cancelled.retain(|id| !mine.contains(id));
        if queue.alive() == 1 {
            // Nobody else could hold the others: they have ended by themselves.
            queue.cancelled.clear();
        }
        drop(queue);
        let failure = Failure::new(Outcome::Cancelled, "Isle.Cancelled", "the client left");
        for id in mine {
            let known = self.end_pending(id, &failure).or_else(|| self.leave_stream(id));
            let gone = known.and_then(|of| self.abort(of));
            if gone.is_some() {
                return gone;
            }
        }
        None
    }

    /// Ends what is past its deadline or its CPU budget, and arms the alarm for the next.
    pub(super) fn end_over_limit(&mut self, budget_ns: u64, cx: &mut Context<'_>) -> Option<Gone> {
        let now = Instant::now();
        let over: Vec<(u32, bool)> = self
            .pending
            .iter()
            .filter(|p| p.deadline <= now || p.of.cpu_ns > budget_ns && p.of.cpu_ns > self.budget_for(&p.of, 0, 0))
            .map(|p| (p.of.id, p.deadline <= now))
            .collect();
        for (id, wall) in over {
            let failure = if wall { self.wall_exceeded() } else { self.stopped(Stop::Cpu) };
            let ended = self.end_pending(id, &failure);
            if let Some(gone) = ended.and_then(|of| self.abort(of)) {
                return Some(gone);
            }
            // Its continuations may go on for ever; no new invocation shall share with them.
            self.retire();
        }
        if let Some(gone) = self.end_later_over_limit(now) {
            return Some(gone);
        }
        let deadlines = self.pending.iter().map(|p| p.deadline);
        if let Some(next) = deadlines.chain(self.later.iter().map(|l| l.look_at)).min() {
            self.alarm.as_mut().reset(next.into());
            let _ = self.alarm.as_mut().poll(cx);
        }
        None
    }

    pub(super) fn end_pending(&mut self, id: u32, failure: &Failure) -> Option<Invocation> {
        let at = self.pending.iter().position(|p| p.of.id == id)?;
        let ended = self.pending.swap_remove(at).of;
        self.fail(&ended, failure);
        Some(ended)
    }

    pub(super) fn end_all_pending(&mut self, failure: &Failure) {
        for id in self.pending.iter().map(|p| p.of.id).collect::<Vec<_>>() {
            self.end_pending(id, failure);
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        self.pending.iter().map(|p| p.of.id).chain(self.later.iter().map(|l| l.of.id))
    }

    /// Invocations that are not over.
    pub(super) fn holds(&self) -> usize {
        self.pending.len() + self.later.len()
    }

    pub(super) fn fail(&mut self, of: &Invocation, failure: &Failure) {
        self.send(of, Err(failure));
        self.close_bodies(of);
    }

    /// Ends everything in a stopped isolate.
    pub(super) fn doom(&mut self, failure: &Failure) -> Gone {
        self.end_all_pending(failure);
        self.end_all_later(failure);
        self.retire();
        self.flush();
        Gone
    }

    /// Takes no new invocations from here on; its place is another isolate's.
    pub(super) fn retire(&mut self) {
        if !self.retiring {
            self.retiring = true;
            let mut queue = self.version.queue();
            queue.residents -= 1;
            queue.retiring += 1;
        }
    }

    pub(super) fn stopped(&self, stop: Stop) -> Failure {
        let limits = self.version.limits();
        match stop {
            Stop::Cpu => Failure::new(
                Outcome::CpuExceeded,
                "Isle.CpuExceeded",
                format!("the handler used more than {} ms of CPU time", limits.handler_cpu_ms),
            ),
            Stop::Heap => Failure::new(
                Outcome::HeapExceeded,
                "Isle.HeapExceeded",
                format!("the function needed more than {} MiB of memory", limits.heap_mb),
            ),
        }
    }

    pub(super) fn wall_exceeded(&self) -> Failure {
        let message = format!("the invocation took longer than {} ms", self.version.limits().wall_ms);
        Failure::new(Outcome::WallExceeded, "Isle.WallExceeded", message)
    }

    /// Appends the end of an invocation to what goes out at the next flush.
    pub(super) fn send(&mut self, of: &Invocation, result: Result<&Reply, &Failure>) {
        let (id, start, timing) = (of.id, of.start.0, of.timing());
        self.console.forget(id);
        if let Some(outbound) = self.isolate.outbound() {
            outbound.forget(id);
        }
        self.cell.ended(1);
        if let Err(failure) = result {
            self.tell_author(id, failure);
        }
        let takes_whole = self.isolate.kind() != Kind::Fetch;
        let out = &mut self.finished;
        match result {
            Ok(reply) => {
                let inline = reply.body.len().min(BODY_CHUNK_BYTES_MAX);
                let rest = reply.body.slice(inline..);
                let response = ResponseFrame {
                    outcome: Outcome::Ok,
                    start,
                    timing,
                    status: reply.status,
                    headers: reply.headers.clone(),
                    detail: Bytes::new(),
                    body_follows: !rest.is_empty(),
                    streamed: false,
                    takes_whole,
                    body: reply.body.slice(..inline),
                };
                Frame::encode_response(id, &response, out);
                if !rest.is_empty() {
                    self.cell.outgoing.keep(id, rest);
                    self.append_finished();
                    self.cell.outgoing.go(id, &self.cell.outbox);
                }
            }
            Err(failure) => {
                let mut response = ResponseFrame::failed(failure.outcome, detail_json(failure));
                (response.start, response.timing, response.takes_whole) = (start, timing, takes_whole);
                Frame::encode_response(id, &response, out);
            }
        }
    }

    /// Writes a failure where its author looks for it. In dev the failure itself is shown.
    pub(super) fn tell_author(&self, id: u32, failure: &Failure) {
        if failure.outcome != Outcome::Cancelled && !self.cell.config.dev {
            let detail = &failure.detail;
            self.console.error(id, detail.stack.clone().unwrap_or_else(|| detail.to_string()));
        }
    }
}
