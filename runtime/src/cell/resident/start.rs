//! From an isolate and an assignment to a resident that serves, or to the reason why there is none.

use super::{Resident, detail_json, micros};
use crate::cell::Cell;
use crate::cell::console::Console;
use crate::cell::exchange::Exchange;
use crate::cell::starts::Place;
use crate::cell::version::{Job, Version};
use crate::isolate::platform::Urgency;
use crate::isolate::{Failure, Isolate, Kind};
use bytes::{Bytes, BytesMut};
use isle_wire::{Frame, LoadReply, Outcome, ResponseFrame, StartKind};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After a further isolate of a version could not be started, none is tried for this long.
const NO_START_FOR: Duration = Duration::from_secs(1);

/// What it takes to make a resident of an isolate.
pub struct Assignment {
    /// The version that moves in.
    pub version: Arc<Version>,
    /// How the isolate came to be there.
    pub kind: StartKind,
    /// When it was decided to start it.
    pub since: Instant,
    /// Whether the gateway asked for the start itself ([`Frame::Check`]).
    pub check: bool,
    /// What the thread's work is worth until it serves.
    pub urgency: Urgency,
    /// The start's place; given up when what waited has been begun.
    pub place: Option<Place>,
}

/// Loads the version and serves it until the resident's end. Runs on the isolate's thread.
pub fn run(
    cell: &Arc<Cell>,
    executor: &tokio::runtime::Runtime,
    mut isolate: Isolate,
    console: Rc<Console>,
    number: u64,
    assignment: Assignment,
) {
    let Assignment { version, kind, since, check, mut place, .. } = assignment;
    console.assign(version.number, version.limits().log_bytes_max as usize);
    if let Some(outbound) = isolate.outbound() {
        outbound.assign(version.number, version.limits());
    }
    let wall = Duration::from_millis(u64::from(version.limits().wall_ms));
    let loaded = if kind == StartKind::Snapshot {
        Ok(0) // restored with the function in it
    } else {
        executor.block_on(async {
            let mut loading = std::pin::pin!(tokio::time::timeout(wall, isolate.load(&version.function)));
            let loaded = std::future::poll_fn(|cx| {
                let polled = loading.as_mut().poll(cx);
                if polled.is_pending() {
                    // It waits for a timer: another start may have the place.
                    place = None;
                }
                polled
            });
            loaded.await.unwrap_or_else(|_| {
                let message = format!("start-up took longer than {} ms", version.limits().wall_ms);
                Err(Failure::new(Outcome::StartupFailed, "Isle.WallExceeded", message))
            })
        })
    };
    if let Some(path) = isolate.take_refused_cache() {
        cell.unfit(&version, &format!("V8 refused the code cache of {path}"));
    }
    if check {
        let (outcome, cpu_ns, detail) = match &loaded {
            Ok(cpu_ns) => (Outcome::Ok, *cpu_ns, Bytes::new()),
            Err(failure) => (failure.outcome, 0, detail_json(failure)),
        };
        let reply = LoadReply { outcome, cpu_us: (cpu_ns / 1_000) as u32, detail };
        cell.outbox.append(|out| Frame::Checked { version: version.number, reply }.encode(out));
    }
    let mut queue = version.queue();
    queue.starting -= 1;
    if let Err(failure) = loaded {
        queue.residents -= 1;
        // While others serve, what waits is theirs: a further isolate was only to be of help.
        let jobs = if queue.residents > queue.starting {
            queue.no_start_until = Some(Instant::now() + NO_START_FOR);
            VecDeque::new()
        } else {
            std::mem::take(&mut queue.jobs)
        };
        drop(queue);
        let start = (kind, micros(since.elapsed()));
        fail_all(cell, jobs, &failure, start);
        cell.outbox.flush();
        return;
    }
    let evictions = queue.evictions;
    drop(queue);
    cell.outbox.flush();
    isolate.exceeds_memory();
    version.set_collects(isolate.kind() != Kind::Fetch);
    let exchange = Exchange::new(cell.clone());
    if isolate.kind() != Kind::Handler {
        isolate.set_port(exchange.clone());
    }
    let mut resident = Resident {
        cell: cell.clone(),
        version,
        number,
        isolate,
        console,
        exchange,
        pending: Vec::new(),
        later: Vec::new(),
        start: (kind, micros(since.elapsed())),
        alarm: Box::pin(tokio::time::sleep(Duration::ZERO)),
        calls_until_count: 1,
        counted: Instant::now(),
        idle_since: Some(Instant::now()),
        evictions,
        retiring: false,
        finished: BytesMut::new(),
        starting: true,
        place,
    };
    executor.block_on(std::future::poll_fn(|cx| resident.poll(cx)));
    resident.leave();
    // It may have been the last that knew of its version.
    cell.outbox.flush();
}

/// Every waiting invocation of a version that could not be started gets the reason.
fn fail_all(cell: &Cell, jobs: VecDeque<Job>, failure: &Failure, start: (StartKind, u32)) {
    let detail = detail_json(failure);
    for (index, job) in jobs.into_iter().enumerate() {
        let mut response = ResponseFrame::failed(failure.outcome, detail.clone());
        if index == 0 {
            (response.start, response.timing.start_us) = start;
        }
        cell.begun.mark(job.id);
        cell.inbound.close(job.id);
        cell.outbox.append(|out| Frame::encode_response(job.id, &response, out));
        cell.ended(1);
    }
}
