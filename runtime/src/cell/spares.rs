//! Isolates and their threads: made ahead of need, taken when a version starts.
//!
//! A spare is a thread that has restored one of the two base snapshots and waits for an assignment.
//! It has never seen a tenant's code; it serves one version and then ends with its thread. There are
//! as many of each kind as were lately needed at once; they are made while nothing waits to be started, by threads
//! that leave the processor to others.

use super::Cell;
use super::console::{Console, Sink};
use super::pool::{self, ByPlatform, PLATFORMS, Recent, Turns};
use super::resident::{self, Assignment};
use super::starts::Start;
use crate::egress::Outbound;
use crate::isolate::Isolate;
use crate::isolate::platform::{Urgency, set_urgency};
use crate::snapshot::web::Platform;
use isle_wire::{Limits, StartKind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What the cell knows of its isolates.
pub struct Isolates {
    /// Spares that wait.
    pub ready: ByPlatform<Vec<SyncSender<Assignment>>>,
    /// Spares being made.
    making: ByPlatform<u32>,
    /// Alive in all, those included.
    pub alive: u32,
    /// Numbers given out.
    last_number: u64,
    /// Starts that have a place.
    pub starting: u32,
    /// Starts that wait for one.
    pub waiting: Turns<Start>,
    /// Starts of the last seconds that a spare was good for.
    pub wanted: ByPlatform<Recent>,
    /// What the last of them was to begin with.
    pub last_wanted: Platform,
    /// Isolates that ended since memory was last given back.
    ended: u32,
}

/// The books over isolates, behind a lock that is never held while V8 works. A version's queue may
/// be locked inside it, never the other way round.
pub struct Books(Mutex<Isolates>);

impl Default for Books {
    fn default() -> Books {
        Books(Mutex::new(Isolates {
            ready: ByPlatform::default(),
            making: ByPlatform::default(),
            alive: 0,
            last_number: 0,
            starting: 0,
            waiting: Turns::default(),
            wanted: ByPlatform::new(|_| Recent::new(Instant::now())),
            last_wanted: Platform::Web,
            ended: 0,
        }))
    }
}

impl Books {
    /// The books, locked.
    pub fn open(&self) -> MutexGuard<'_, Isolates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an isolate is made for.
pub enum Origin {
    /// Nobody yet.
    Spare(Platform),
    /// This start.
    Wanted(Assignment),
}

/// Takes an isolate out of the books when its thread ends, however it ends.
struct Entry {
    cell: Arc<Cell>,
    making: Option<Platform>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut books = self.cell.books.open();
        books.alive -= 1;
        books.ended += 1;
        self.cell.kept_back.store(true, Ordering::Release);
        self.cell.fit_memory(&books);
        if let Some(platform) = self.making {
            books.making[platform] -= 1;
        }
        drop(books);
        self.cell.start_waiting();
    }
}

/// V8's own heap limit for a spare: the default function's. It cannot be changed afterwards without
/// risk, so a function with another limit gets an isolate made for it.
pub fn spare_heap_bytes() -> usize {
    (Limits::default().heap_mb as usize) << 20
}

impl Cell {
    /// Isolates alive, and spares ready.
    pub fn isolates(&self) -> (u32, u32) {
        let books = self.books.open();
        (books.alive, books.ready.values().map(|ready| ready.len() as u32).sum())
    }

    /// How many isolates have ended since this was last asked.
    pub fn take_ended(&self) -> u32 {
        std::mem::take(&mut self.books.open().ended)
    }

    /// Moves the kernel's limit with the number of isolates. Called with the books open, so that
    /// two changes do not overtake each other.
    pub fn fit_memory(&self, books: &Isolates) {
        if let Err(error) = super::limit_memory(&self.config, books.alive) {
            eprintln!("isle cell: the memory limit cannot be moved: {error}");
        }
    }

    /// Makes spares up to what was lately needed, unless starts wait: those come first.
    pub fn refill_spares(self: &Arc<Self>) {
        let mut books = self.books.open();
        if books.starting > 0 || books.waiting.len() > 0 {
            return;
        }
        // Spares are a convenience: only where there is plenty.
        if self.is_tight(books.alive) {
            return;
        }
        let wanted = self.spares_wanted(&mut books);
        let make = ByPlatform::new(|platform| {
            let (ready, making) = (books.ready[platform].len() as u32, books.making[platform]);
            let make = pool::spares_to_make(ready, making, wanted[platform], books.alive, self.config.isolates_max);
            books.making[platform] += make;
            books.alive += make;
            make
        });
        if make != ByPlatform::default() {
            self.fit_memory(&books);
        }
        drop(books);
        for platform in PLATFORMS {
            for _ in 0..make[platform] {
                self.spawn(spare_heap_bytes(), Origin::Spare(platform));
            }
        }
    }

    /// Ends spares that are more than was lately needed; with `all`, more than the least.
    pub fn drop_spares(&self, all: bool) {
        let mut books = self.books.open();
        let wanted = if all {
            pool::spares_wanted(&ByPlatform::default(), books.last_wanted, self.config.spare_isolates, 0)
        } else {
            self.spares_wanted(&mut books)
        };
        for platform in PLATFORMS {
            // A spare whose sender is gone ends.
            books.ready[platform].truncate(wanted[platform] as usize);
        }
    }

    fn spares_wanted(&self, books: &mut Isolates) -> ByPlatform<u32> {
        let now = Instant::now();
        let peaks = ByPlatform::new(|platform| books.wanted[platform].peak(now));
        pool::spares_wanted(&peaks, books.last_wanted, self.config.spare_isolates, self.config.spare_isolates_max)
    }

    /// Starts an isolate's thread. The books count it already.
    pub fn spawn(self: &Arc<Self>, heap_bytes: usize, origin: Origin) {
        let making = if let Origin::Spare(platform) = origin { Some(platform) } else { None };
        let mut entry = Entry { cell: self.clone(), making };
        let cell = self.clone();
        let thread = std::thread::Builder::new().name("isolate".to_owned()).spawn(move || {
            // A thread inherits from the one that made it, whatever that was doing.
            set_urgency(match &origin {
                Origin::Spare(_) => Urgency::Background,
                Origin::Wanted(assignment) => assignment.urgency,
            });
            // One helper thread: what crypto runs there is outside the isolate's CPU clock.
            let executor = tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(1).build();
            let Ok(executor) = executor else { return };
            let entered = executor.enter();
            let console = Console::new(cell.outbox.clone());
            if let Some((mut isolate, assignment)) = cell.furnish(heap_bytes, origin, &console, &mut entry) {
                isolate.connect(Outbound::new(cell.fetches.clone()));
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

    /// An isolate and what it is for; a spare waits here. `None`: the thread has nothing to do.
    fn furnish(
        self: &Arc<Self>,
        heap_bytes: usize,
        origin: Origin,
        console: &std::rc::Rc<Console>,
        entry: &mut Entry,
    ) -> Option<(Isolate, Assignment)> {
        let sink = || Box::new(Sink(console.clone()));
        match origin {
            Origin::Wanted(assignment) if assignment.kind == StartKind::Snapshot => {
                let noted = self.begun.restoring(assignment.version.number);
                let watch = |control: &_| self.watched.add(control);
                let restored = Isolate::restore(self.bases.base(), &assignment.version.function, sink(), watch);
                drop(noted);
                match restored {
                    Ok(isolate) => Some((isolate, assignment)),
                    Err(why) => {
                        self.start_again(assignment, why);
                        None
                    }
                }
            }
            Origin::Wanted(assignment) => {
                let base = self.bases.of(assignment.version.platform());
                let isolate = Isolate::new(base, heap_bytes, sink());
                self.watched.add(isolate.control());
                Some((isolate, assignment))
            }
            Origin::Spare(platform) => {
                let isolate = Isolate::new(self.bases.of(platform), heap_bytes, sink());
                self.watched.add(isolate.control());
                // Before it waits: who needs it needs it at once.
                set_urgency(Urgency::Starting);
                let assignment = self.offer(entry, platform).recv().ok()?;
                if assignment.urgency != Urgency::Starting {
                    set_urgency(assignment.urgency);
                }
                Some((isolate, assignment))
            }
        }
    }

    /// The calling thread has a spare: whoever takes it sends its assignment.
    fn offer(&self, entry: &mut Entry, platform: Platform) -> Receiver<Assignment> {
        let (sender, receiver) = sync_channel(1);
        let mut books = self.books.open();
        books.ready[platform].push(sender);
        books.making[platform] -= 1;
        entry.making = None;
        drop(books);
        self.spare_ready();
        receiver
    }
}
