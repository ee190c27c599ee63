//! Isolates and their threads: made ahead of need, taken when a version starts.
//!
//! A spare is a thread that has restored the base snapshot and waits for an assignment. It has
//! never seen a tenant's code; it serves one version and then ends with its thread.

use super::console::{Console, Sink};
use super::resident::{self, Assignment};
use super::version::Version;
use super::{Cell, pool};
use crate::egress::Outbound;
use crate::isolate::Isolate;
use isle_wire::{Frame, Limits, Outcome, StartKind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the cell knows of its isolates.
#[derive(Default)]
pub struct Isolates {
    /// Spares that wait.
    ready: Vec<SyncSender<Assignment>>,
    /// Spares being made.
    making: u32,
    /// Alive in all, those included.
    alive: u32,
    /// Numbers given out.
    last_number: u64,
}

/// The books over isolates, behind a lock that is never held while V8 works.
#[derive(Default)]
pub struct Books(Mutex<Isolates>);

impl Books {
    fn open(&self) -> MutexGuard<'_, Isolates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes an isolate out of the books when its thread ends, however it ends.
struct Entry {
    cell: Arc<Cell>,
    making: bool,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut books = self.cell.books.open();
        books.alive -= 1;
        self.cell.fit_memory(&books);
        if self.making {
            books.making -= 1;
        }
    }
}

/// V8's own heap limit for a spare: the default function's. It cannot be changed afterwards without
/// risk, so a function with another limit gets an isolate made for it.
fn spare_heap_bytes() -> usize {
    (Limits::default().heap_mb as usize) << 20
}

impl Cell {
    /// Isolates alive, and spares ready.
    pub fn isolates(&self) -> (u32, u32) {
        let books = self.books.open();
        (books.alive, books.ready.len() as u32)
    }

    /// Moves the kernel's limit with the number of isolates. Called with the books open, so that
    /// two changes do not overtake each other.
    fn fit_memory(&self, books: &Isolates) {
        if let Err(error) = super::limit_memory(&self.config, books.alive) {
            eprintln!("isle cell: the memory limit cannot be moved: {error}");
        }
    }

    /// Makes spares up to the configured number.
    pub fn refill_spares(self: &Arc<Self>) {
        let mut books = self.books.open();
        let wanted = self.config.spare_isolates;
        let make =
            pool::spares_to_make(books.ready.len() as u32, books.making, wanted, books.alive, self.config.isolates_max);
        books.making += make;
        books.alive += make;
        if make > 0 {
            self.fit_memory(&books);
        }
        drop(books);
        for _ in 0..make {
            let (sender, receiver) = sync_channel(1);
            self.spawn(spare_heap_bytes(), Some(sender), receiver);
        }
    }

    /// Gives the version an isolate: a spare if one fits, else one made for it. The version's
    /// books count it already.
    pub fn start(self: &Arc<Self>, version: &Arc<Version>, check: bool) {
        let heap_bytes = (version.limits().heap_mb as usize) << 20;
        let mut assignment =
            Assignment { version: version.clone(), kind: StartKind::Pooled, since: Instant::now(), check };
        if heap_bytes == spare_heap_bytes() {
            loop {
                let Some(spare) = self.books.open().ready.pop() else { break };
                match spare.send(assignment) {
                    Ok(()) => return self.wake.call(),
                    // The spare's thread has ended; try the next.
                    Err(unsent) => assignment = unsent.0,
                }
            }
        }
        let mut books = self.books.open();
        if books.alive >= self.config.isolates_max {
            drop(books);
            self.make_room(version);
            return;
        }
        books.alive += 1;
        self.fit_memory(&books);
        drop(books);
        assignment.kind = StartKind::Source;
        let (sender, receiver) = sync_channel(1);
        if sender.send(assignment).is_ok() {
            self.spawn(heap_bytes, None, receiver);
        }
    }

    /// No isolate can be made now: takes the start back and drops the longest idle isolate of
    /// another version. The governor tries again at its next look.
    fn make_room(&self, version: &Arc<Version>) {
        let mut queue = version.queue();
        queue.residents -= 1;
        queue.starting -= 1;
        drop(queue);
        self.evict_longest_idle(Some(version));
        self.wake.call();
    }

    /// Drops the idle isolates of the version, other than `except`, that has one idle for longest.
    pub fn evict_longest_idle(&self, except: Option<&Arc<Version>>) {
        let now = Instant::now();
        let versions = self.versions();
        let others = versions.iter().filter(|other| !except.is_some_and(|except| Arc::ptr_eq(other, except)));
        let idle = others.filter_map(|other| {
            let queue = other.queue();
            let oldest = queue.parked.iter().filter_map(|parked| parked.idle_since).min()?;
            Some((other.clone(), now.saturating_duration_since(oldest)))
        });
        if let Some(other) = pool::longest_idle(idle) {
            other.evict_idle(now, Some(Duration::ZERO));
        }
    }

    /// Starts an isolate's thread. With `announce`, it offers itself as a spare.
    fn spawn(
        self: &Arc<Self>,
        heap_bytes: usize,
        announce: Option<SyncSender<Assignment>>,
        assignments: Receiver<Assignment>,
    ) {
        let mut entry = Entry { cell: self.clone(), making: announce.is_some() };
        let cell = self.clone();
        let thread = std::thread::Builder::new().name("isolate".to_owned()).spawn(move || {
            // One helper thread: what crypto runs there is outside the isolate's CPU clock.
            let executor = tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(1).build();
            let Ok(executor) = executor else { return };
            let entered = executor.enter();
            let console = Console::new(cell.outbox.clone());
            let mut isolate = Isolate::new(cell.base, heap_bytes, Box::new(Sink(console.clone())));
            isolate.connect(Outbound::new(cell.fetches.clone()));
            cell.watched.add(isolate.control());
            if let Some(sender) = announce {
                let mut books = cell.books.open();
                books.ready.push(sender);
                books.making -= 1;
                entry.making = false;
                drop(books);
                cell.spare_ready();
            }
            if let Ok(assignment) = assignments.recv() {
                let number = {
                    let mut books = cell.books.open();
                    books.last_number += 1;
                    books.last_number
                };
                resident::run(&cell, &executor, isolate, console, number, assignment);
            }
            drop(entered);
            executor.shutdown_background();
            drop(entry);
        });
        if let Err(error) = thread {
            // Without threads the cell cannot serve; the gateway starts another.
            eprintln!("isle cell: cannot start a thread: {error}");
            std::process::exit(70);
        }
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
