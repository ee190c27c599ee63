//! Starts: which isolate a version gets, when, and what happens when there is none.
//!
//! ```text
//!   start ─▶ waiting, tenants in turns ─▶ a place is free ─┬─ snapshot: restored on a thread of its own
//!                                                          ├─ pooled:   a spare, else an isolate made now
//!                                                          └─ source:   an isolate made now
//! ```
//!
//! A start keeps its place until what waited for it has been begun, so that a storm of starts is
//! never more than a few busy threads. In a storm these threads leave the processor to whoever
//! serves.

use super::Cell;
use super::pool;
use super::resident::Assignment;
use super::spares::{Origin, spare_heap_bytes};
use super::version::Version;
use crate::isolate::platform::Urgency;
use isle_wire::{Frame, Outcome, StartKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

/// This part of a cell's memory, one in so many, is not for isolates beside others that are idle.
const RESERVE_PART: u64 = 2;

/// A start that waits for a place.
pub struct Start {
    version: Arc<Version>,
    /// When it was decided.
    since: Instant,
    /// Whether the gateway asked for the start itself ([`Frame::Check`]).
    check: bool,
}

impl Start {
    /// Whether nobody waits for it any more; the version's books no longer count it then.
    fn is_taken_back(&self) -> bool {
        let mut queue = self.version.queue();
        let vain = !self.check && queue.jobs.is_empty();
        if vain {
            queue.residents -= 1;
            queue.starting -= 1;
        }
        vain
    }
}

/// A place among the starts; the next one begins when it is dropped.
pub struct Place(Arc<Cell>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.books.open().starting -= 1;
        self.0.start_waiting();
    }
}

/// Where a version moves in.
enum Seat {
    Spare(SyncSender<Assignment>),
    New(StartKind),
}

impl Cell {
    /// Gives the version an isolate when its turn comes. The version's books count it already.
    pub fn start(self: &Arc<Self>, version: &Arc<Version>, check: bool) {
        let start = Start { version: version.clone(), since: Instant::now(), check };
        self.books.open().waiting.push(&version.function.spec.tenant, start);
        self.start_waiting();
    }

    /// Begins starts while there are places and room for an isolate; called again when there is
    /// more of either.
    pub fn start_waiting(self: &Arc<Self>) {
        let mut tried = false;
        loop {
            let mut books = self.books.open();
            if books.starting >= self.config.starts_max.max(1) {
                return;
            }
            let Some(start) = books.waiting.pop() else { return };
            if start.is_taken_back() {
                continue;
            }
            let urgency = if pool::is_storm(books.waiting.len()) { Urgency::Background } else { Urgency::Starting };
            let plan = start.version.plan();
            let fits_spare = plan == StartKind::Pooled && heap_bytes(&start.version) == spare_heap_bytes();
            // A spare that does not fit gives up its room where there is no other.
            let full = books.alive >= self.config.isolates_max;
            let platform = start.version.platform();
            let spare = if fits_spare || full { books.ready.take(platform) } else { None };
            let seat = match spare.filter(|_| fits_spare) {
                Some(spare) => Seat::Spare(spare),
                None if full || (!tried && self.is_tight(books.alive)) => {
                    // Back in its turn before anybody else looks.
                    let version = start.version.clone();
                    books.waiting.push_front(&version.function.spec.tenant, start);
                    drop(books);
                    if self.make_room(&version) || full {
                        return;
                    }
                    // Without anything to drop, a start is tried all the same: it may need little.
                    tried = true;
                    continue;
                }
                None if plan == StartKind::Snapshot => Seat::New(StartKind::Snapshot),
                None => Seat::New(StartKind::Source),
            };
            if fits_spare {
                books.wanted[platform].add(Instant::now());
                books.last_wanted = platform;
            }
            books.starting += 1;
            if matches!(seat, Seat::New(_)) {
                books.alive += 1;
                self.fit_memory(&books);
            }
            drop(books);
            tried = false;
            self.seat(start, seat, urgency);
        }
    }

    fn seat(self: &Arc<Self>, start: Start, seat: Seat, urgency: Urgency) {
        let Start { version, since, check } = start;
        let heap_bytes = heap_bytes(&version);
        let place = Some(Place(self.clone()));
        let mut assignment = Assignment { version, kind: StartKind::Pooled, since, check, urgency, place };
        match seat {
            Seat::Spare(spare) => {
                let Err(unsent) = spare.send(assignment) else { return self.wake.call_if_asleep() };
                // The spare's thread has ended; an isolate is made instead.
                assignment = unsent.0;
                assignment.kind = StartKind::Source;
                self.books.open().alive += 1;
            }
            Seat::New(kind) => assignment.kind = kind,
        }
        self.spawn(heap_bytes, Origin::Wanted(assignment));
    }

    /// The version's snapshot could not be restored: once more, without it.
    pub fn start_again(self: &Arc<Self>, assignment: Assignment, why: &str) {
        self.unfit(&assignment.version, why);
        let Assignment { version, since, check, place, .. } = assignment;
        let function = version.function.clone();
        self.books.open().waiting.push(&function.spec.tenant, Start { version, since, check });
        drop(place);
    }

    /// Whether another isolate might be one too many for the kernel's limit, at which V8 ends the
    /// process: a part of the cell's memory is left for what those there still need.
    pub fn is_tight(&self, alive: u32) -> bool {
        let reserve = u64::from(self.config.memory_mb) * (1 << 20) / RESERVE_PART;
        self.memory.data_bytes().is_some_and(|used| used + reserve > super::memory_limit(&self.config, alive))
    }

    /// No isolate should be made now: drops the longest idle of another version, unless some are on
    /// their way out. `false` when there is nothing to drop, and nothing to come of what was.
    fn make_room(&self, version: &Arc<Version>) -> bool {
        let leaving = self.versions().iter().any(|version| !version.queue().evicted.is_empty());
        let kept_back = self.kept_back.load(Ordering::Acquire);
        let room = leaving || self.evict_longest_idle(Some(version)) || kept_back;
        self.give_back_memory();
        self.wake.call();
        room
    }

    /// Drops the idle isolates of the version, other than `except`, that has one idle for longest.
    /// Whether there was one.
    pub fn evict_longest_idle(&self, except: Option<&Arc<Version>>) -> bool {
        let now = Instant::now();
        let versions = self.versions();
        let others = versions.iter().filter(|other| !except.is_some_and(|except| Arc::ptr_eq(other, except)));
        let idle = others.filter_map(|other| {
            let queue = other.queue();
            let oldest = queue.parked.iter().filter_map(|parked| parked.idle_since).min()?;
            Some((other.clone(), now.saturating_duration_since(oldest)))
        });
        let longest = pool::longest_idle(idle);
        if let Some(other) = &longest {
            other.evict_idle(now, Duration::ZERO);
        }
        longest.is_some()
    }

    /// Answers a check that could not even be started.
    pub fn refuse_check(&self, version: u32, message: &str) {
        let detail = isle_wire::FailureDetail {
            error_type: "Isle.Unavailable".to_owned(),
            message: message.to_owned(),
            ..Default::default()
        };
        let detail = serde_json::to_vec(&detail).unwrap_or_default().into();
        let reply = isle_wire::LoadReply { outcome: Outcome::Unavailable, cpu_us: 0, detail };
        self.outbox.send(&Frame::Checked { version, reply });
    }
}

fn heap_bytes(version: &Version) -> usize {
    (version.limits().heap_mb as usize) << 20
}
