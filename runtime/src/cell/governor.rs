//! The governor: the thread that looks at the others. It stops what exceeds its limits, starts
//! isolates where requests wait, refills spares, drops idle isolates, and reports.
//!
//! It looks every few milliseconds while there is work and sleeps while there is none, so an idle
//! cell costs nothing.

use super::{Cell, pool};
use crate::isolate::Control;
use isle_wire::{CellStats, Frame, VersionStats};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Between two looks. A limit is exceeded by at most this.
const TICK: Duration = Duration::from_millis(4);
/// With nothing to do for this long, the governor sleeps until it is woken.
const AWAKE_AFTER_WORK: Duration = Duration::from_secs(1);
/// Between two looks when asleep: idle isolates age.
const ASLEEP: Duration = Duration::from_millis(500);
/// JavaScript that has run for this long has its memory looked at, each tick.
const LOOK_AT_MEMORY_AFTER_NS: u64 = 3_000_000;
/// Between two evictions while memory is short: what ended must be given back before more goes.
const EVICT_EVERY: Duration = Duration::from_millis(100);
/// Between two reports while anything changed.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Resident memory at which the running isolates are stopped, as a share of the kernel's limit:
/// better one tenant's invocations than its whole cell.
const MEMORY_SHARE: (u64, u64) = (3, 4);

/// After such a stop, the next one comes no sooner: what was stopped must be given back first, and
/// the requests that follow it must not be stopped for it. Meanwhile the kernel's limit stands.
const STOP_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Resident memory from which idle isolates are dropped early, the longest idle first.
const EVICT_SHARE: (u64, u64) = (1, 2);

/// How others reach the governor.
#[derive(Default)]
pub struct Wake {
    state: Mutex<WakeState>,
    changed: Condvar,
    /// What `state.asleep` says, to be read without the lock on the request path.
    asleep: AtomicBool,
}

#[derive(Default)]
struct WakeState {
    called: bool,
    asleep: bool,
}

impl Wake {
    /// Has the governor look soon.
    pub fn call(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.called = true;
        if state.asleep {
            self.changed.notify_one();
        }
    }

    /// Wakes the governor for work that has come; costs a load while it is awake.
    pub fn call_if_asleep(&self) {
        if self.asleep.load(Ordering::SeqCst) {
            self.call();
        }
    }

    /// Sleeps unless `is_busy`, which is asked when whoever brings work can see that it must call.
    fn sleep(&self, time: Duration, is_busy: impl FnOnce() -> bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.called {
            state.asleep = true;
            self.asleep.store(true, Ordering::SeqCst);
            if !is_busy() {
                state = self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0;
            }
            state.asleep = false;
            self.asleep.store(false, Ordering::SeqCst);
        }
        state.called = false;
    }
}

/// The isolates of the cell, as the governor sees them.
#[derive(Default)]
pub struct Watched(Mutex<Vec<Weak<Control>>>);

impl Watched {
    /// Adds an isolate.
    pub fn add(&self, control: &Arc<Control>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(control));
    }

    /// Looks at all; returns those that run JavaScript now.
    fn check(&self) -> Vec<Arc<Control>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = Vec::new();
        all.retain(|control| match control.upgrade() {
            Some(control) => {
                if control.check(LOOK_AT_MEMORY_AFTER_NS) {
                    running.push(control);
                }
                true
            }
            None => false,
        });
        running
    }
}

/// Runs for the cell's life.
pub fn run(cell: &Arc<Cell>) {
    let own_bytes = || cell.memory.own_bytes();
    let stop_at = u64::from(cell.config.memory_mb) * (1 << 20) / MEMORY_SHARE.1 * MEMORY_SHARE.0;
    let evict_at = u64::from(cell.config.memory_mb) * (1 << 20) / EVICT_SHARE.1 * EVICT_SHARE.0;
    let mut last_work = Instant::now();
    let mut last_report = Instant::now();
    let mut last_eviction = Instant::now();
    let mut last_stop: Option<Instant> = None;
    let mut given_back = true;
    let mut last_stats = CellStats::default();
    loop {
        let now = Instant::now();
        let running = cell.watched.check();
        if !running.is_empty()
            && last_stop.is_none_or(|stop| now.duration_since(stop) >= STOP_AGAIN_AFTER)
            && own_bytes().is_some_and(|bytes| bytes > stop_at)
        {
            running.iter().for_each(|control| control.stop_for_memory());
            last_stop = Some(now);
        }
        cell.waiting_versions().iter().for_each(|version| cell.consider(version));
        cell.start_waiting();
        cell.refill_spares();
        let busy = cell.in_flight() > 0 || !running.is_empty();
        if busy {
            last_work = now;
        }
        if now.duration_since(last_eviction) >= EVICT_EVERY {
            last_eviction = now;
            if own_bytes().is_some_and(|bytes| bytes > evict_at) {
                cell.evict_longest_idle(None);
                cell.drop_spares(true);
                cell.give_back_memory();
            }
        }
        if now.duration_since(last_report) >= REPORT_EVERY {
            last_report = now;
            cell.outbox.flush();
            cell.drop_spares(false);
            // Once nothing ends any more, so that it is done once for many.
            let ended = cell.take_ended() > 0;
            if !ended && !std::mem::replace(&mut given_back, true) {
                cell.give_back_memory();
            }
            given_back &= !ended;
            let age = Duration::from_millis(cell.config.isolate_idle_ms);
            cell.versions().iter().for_each(|version| version.evict_idle(now, age));
            let stats = statistics(cell);
            if stats != last_stats {
                if let Ok(json) = serde_json::to_vec(&stats) {
                    cell.outbox.send(&Frame::Stats(json.into()));
                }
                last_stats = stats;
            }
        }
        let awake = now.duration_since(last_work) < AWAKE_AFTER_WORK;
        if awake {
            std::thread::sleep(TICK);
        } else {
            cell.wake.sleep(ASLEEP, || cell.in_flight() > 0);
        }
    }
}

/// What the kernel says of this process's memory.
pub struct Memory(File);

impl Memory {
    /// Opens the kernel's account.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> std::io::Result<Memory> {
        File::open("/proc/self/statm").map(Memory)
    }

    /// A column of it, in bytes.
    fn column(&self, index: usize) -> Option<u64> {
        let mut text = [0u8; 128];
        let length = self.0.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(&text[..length]).ok()?;
        Some(text.split_ascii_whitespace().nth(index)?.parse::<u64>().ok()? * 4_096)
    }

    /// Resident, in bytes.
    pub fn resident_bytes(&self) -> Option<u64> {
        self.column(1)
    }

    /// Resident and no file's, in bytes: artifacts and the binary itself are the kernel's to drop.
    pub fn own_bytes(&self) -> Option<u64> {
        Some(self.column(1)?.saturating_sub(self.column(2)?))
    }

    /// What the kernel's limit is held against: private and writable, used or not, in bytes.
    pub fn data_bytes(&self) -> Option<u64> {
        self.column(5)
    }
}

fn statistics(cell: &Cell) -> CellStats {
    let versions = cell
        .versions()
        .iter()
        .map(|version| VersionStats {
            version: version.number,
            isolates: version.queue().residents,
            heap_bytes: version.heap_bytes.load(Ordering::Relaxed),
            evictions: version.evictions.load(Ordering::Relaxed),
        })
        .collect();
    let (isolates, spares) = cell.isolates();
    // To the MiB: a report is sent when something changed, and memory always does a little.
    let rss_bytes = cell.memory.resident_bytes().unwrap_or(0) >> 20 << 20;
    CellStats { isolates, spares, rss_bytes, versions }
}

impl Cell {
    /// Finds an isolate for the version's waiting requests: one that is parked, or a new one.
    pub fn consider(self: &Arc<Self>, version: &Arc<super::version::Version>) {
        let mut queue = version.queue();
        if !pool::wants_another(&queue.demand(version.limits().isolates_max, Instant::now())) {
            return;
        }
        if let Some(parked) = queue.parked.pop() {
            drop(queue);
            return parked.waker.wake();
        }
        queue.residents += 1;
        queue.starting += 1;
        drop(queue);
        self.start(version, false);
    }
}
