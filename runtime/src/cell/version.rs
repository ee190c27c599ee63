//! A function version in a cell: its spec and the queue that its isolates take from.
//!
//! The queue is shared by all isolates of the version, so a request waits for *an* isolate, never
//! for one that happens to be busy.

use crate::function::Function;
use crate::snapshot::artifact::Artifact;
use crate::snapshot::web::Platform;
use isle_wire::{Frame, FunctionKind, Invoke, Limits, StartKind, slot_of};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::outbox::Outbox;
use super::pool::Demand;

/// An invocation that waits for an isolate.
pub struct Job {
    /// The invocation's id.
    pub id: u32,
    /// The request, its body included.
    pub invoke: Invoke,
    /// When it was complete in this cell.
    pub arrived: Instant,
}

/// An isolate of the version that waits for something to do.
pub struct Parked {
    /// Which.
    pub resident: u64,
    /// How to wake it.
    pub waker: Waker,
    /// Since when it holds no invocation; `None` while it does.
    pub idle_since: Option<Instant>,
}

/// What isolates and the reader share about a version.
#[derive(Default)]
pub struct Queue {
    /// Waiting invocations, oldest first.
    pub jobs: VecDeque<Job>,
    /// Waiting isolates, the most recently used last.
    pub parked: Vec<Parked>,
    /// Those that wait only for what they hold to end.
    pub leaving: Vec<Parked>,
    /// Isolates resident or starting; not those that take nothing new.
    pub residents: u32,
    /// Of those, starting.
    pub starting: u32,
    /// Isolates that take nothing new and still hold something.
    pub retiring: u32,
    /// Invocations nobody waits for any more, for the isolates to notice.
    pub cancelled: Vec<u32>,
    /// Isolates that are to end when they are idle.
    pub evicted: Vec<u64>,
    /// How often all of them were: an isolate that was there before ends when it is idle.
    pub evictions: u64,
    /// A further isolate could not be started: not again before then.
    pub no_start_until: Option<Instant>,
}

const READS_WHOLE: u8 = 1;
const READS_AS_THEY_COME: u8 = 2;

/// A function version in a cell.
pub struct Version {
    /// The gateway's number for it.
    pub number: u32,
    /// What it is.
    pub function: Arc<Function>,
    plan: StartKind,
    unfit: AtomicBool,
    queue: Mutex<Queue>,
    /// Of one that is retired: who is told when nobody in the cell has anything to do with it any more.
    departure: OnceLock<Arc<Outbox>>,
    /// Whether it reads its requests' bodies as they come: what is known of that.
    reads: AtomicU8,
    /// Isolates dropped for age or room.
    pub evictions: AtomicU64,
    /// Heap and external memory of its isolates at last count, in bytes.
    pub heap_bytes: AtomicU64,
}

impl Version {
    /// A version without isolates.
    pub fn new(number: u32, function: Function, plan: StartKind) -> Arc<Version> {
        let reads = match function.spec.kind {
            FunctionKind::Auto => 0,
            FunctionKind::Handler => READS_WHOLE,
            FunctionKind::Fetch => READS_AS_THEY_COME,
        };
        Arc::new(Version {
            number,
            function: Arc::new(function),
            plan,
            unfit: AtomicBool::new(false),
            queue: Mutex::default(),
            departure: OnceLock::new(),
            reads: AtomicU8::new(reads),
            evictions: AtomicU64::new(0),
            heap_bytes: AtomicU64::new(0),
        })
    }

    /// Whether bodies are to be collected before it is called; `None` until it was loaded once.
    pub fn collects(&self) -> Option<bool> {
        match self.reads.load(Ordering::Relaxed) {
            0 => None,
            reads => Some(reads == READS_WHOLE),
        }
    }

    /// It was loaded: what it is, is known.
    pub fn set_collects(&self, collects: bool) {
        self.reads.store(if collects { READS_WHOLE } else { READS_AS_THEY_COME }, Ordering::Relaxed);
    }

    /// How to start it: `Snapshot`, `Pooled` or `Source`.
    pub fn plan(&self) -> StartKind {
        let snapshot = self.function.artifact.as_ref().is_some_and(|artifact| artifact.snapshot().is_some());
        match self.plan {
            StartKind::Source => StartKind::Source,
            StartKind::Snapshot if snapshot && !self.unfit.load(Ordering::Relaxed) => StartKind::Snapshot,
            _ => StartKind::Pooled,
        }
    }

    /// What an isolate for it should begin with. Nobody knows of a version that was not built: then
    /// with what takes longest to make.
    pub fn platform(&self) -> Platform {
        self.function.artifact.as_ref().map_or(Platform::Web, Artifact::platform)
    }

    /// From now on it starts without its snapshot. `true` for the first who finds that out.
    pub fn mark_unfit(&self) -> bool {
        !self.unfit.swap(true, Ordering::Relaxed)
    }

    /// The function's limits.
    pub fn limits(&self) -> &Limits {
        &self.function.spec.limits
    }

    /// The queue, locked. Hold it briefly: the reader needs it for every request.
    pub fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the gateway sends no more invocations of it.
    pub fn is_retired(&self) -> bool {
        self.departure.get().is_some()
    }

    /// Ends it: its isolates go when they have nothing left to do, and with the last who knows it the
    /// gateway is told.
    pub fn retire(&self, outbox: &Arc<Outbox>) {
        let _ = self.departure.set(outbox.clone());
        let parked = std::mem::take(&mut self.queue().parked);
        parked.into_iter().for_each(|parked| parked.waker.wake());
    }

    /// Tells the isolates that nobody waits for an invocation. `true` if it had not begun: it is
    /// gone then.
    pub fn cancel(&self, id: u32) -> bool {
        let mut queue = self.queue();
        if let Some(at) = queue.jobs.iter().position(|job| job.id == id) {
            queue.jobs.remove(at);
            return true;
        }
        if queue.alive() > queue.starting {
            queue.cancelled.push(id);
            let (parked, leaving) = (std::mem::take(&mut queue.parked), std::mem::take(&mut queue.leaving));
            drop(queue);
            parked.into_iter().chain(leaving).for_each(|parked| parked.waker.wake());
        }
        false
    }

    /// Adds a waiting invocation.
    pub fn push(&self, job: Job) {
        let mut queue = self.queue();
        // Its slot's last invocation has ended, cancelled or not.
        if !queue.cancelled.is_empty() {
            queue.cancelled.retain(|id| slot_of(*id) != slot_of(job.id));
        }
        queue.jobs.push_back(job);
    }

    /// Has all isolates end: now, or as soon as they are idle. One that has answered may not have
    /// come to wait yet.
    pub fn evict_all(&self, now: Instant) {
        self.queue().evictions += 1;
        self.evict_idle(now, Duration::ZERO);
    }

    /// Has the isolates that have been idle for `age` end.
    pub fn evict_idle(&self, now: Instant, age: Duration) {
        let mut queue = self.queue();
        let old = |parked: &Parked| parked.idle_since.is_some_and(|since| now.saturating_duration_since(since) >= age);
        let (gone, kept): (Vec<_>, Vec<_>) = queue.parked.drain(..).partition(old);
        queue.parked = kept;
        for parked in gone {
            queue.evicted.push(parked.resident);
            parked.waker.wake();
        }
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        if let Some(outbox) = self.departure.get() {
            // Whoever flushes next takes it along: locks may be held here.
            outbox.append(|out| Frame::Gone { version: self.number }.encode(out));
        }
    }
}

impl Queue {
    /// Isolates that hold or may hold something.
    pub fn alive(&self) -> u32 {
        self.residents + self.retiring
    }

    /// Facts for the decision whether to start another isolate.
    pub fn demand(&self, residents_max: u32, now: Instant) -> Demand {
        Demand {
            waiting: self.jobs.len(),
            waited: self.jobs.front().map_or(Duration::ZERO, |job| now.saturating_duration_since(job.arrived)),
            residents: self.residents,
            starting: self.starting,
            residents_max,
            held_back: self.no_start_until.is_some_and(|until| now < until),
        }
    }
}
