//! Link: the one socket between the gateway and a cell, shared by every invocation in it.
//!
//! ```text
//!   request tasks ──append──▶ outgoing buffer ──writer task──▶ socket ──▶ cell
//!   request tasks ◀──wake──── slots ◀──────────reader task──── socket ◀── cell
//! ```
//!
//! Nobody writes a frame by itself: it is appended to a buffer, and whoever finds that empty wakes
//! the writer, which lets every other ready task append first and then writes all of it at once.
//! An idle link pays one system call a request; a busy one a fraction of that.
//!
//! Bounds: at most [`BOARD_SLOTS_MAX`](isle_wire::BOARD_SLOTS_MAX) invocations; nothing is begun and
//! no body goes on while more than [`OUT_BYTES_HIGH`] wait to be written; bodies obey the window.
//! What is appended regardless (cancel, credit, ping) is a few bytes per invocation.

mod fetches;
mod load;
mod tasks;

pub(super) use load::Unchecked;
pub use load::{Loaded, NotLoaded};
pub use tasks::ReadEnd;

use super::Settings;
use super::invocation::Invocation;
use super::slots::{NoSlot, Slots};
use crate::artifacts::{Artifacts, SealedFile};
use crate::egress::{Egress, Underway};
use crate::logs::LogBus;
use crate::route::FunctionVersion;
use bytes::{Bytes, BytesMut};
use isle_wire::{Board, CellStats, Frame, LoadReply};
use load::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::net::UnixStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

/// Bytes waiting to be written at which requests wait, too. 4 MiB: dozens of whole bodies, and
/// what a cell that stops reading can cost.
pub const OUT_BYTES_HIGH: usize = 4 << 20;
/// How long past its deadline a cell may keep an invocation that was cancelled, in ms.
const OBEY_MS: u64 = 10_000;

/// An invocation to begin.
#[derive(Debug)]
pub struct Begin<'a> {
    /// What to run.
    pub function: &'a Arc<FunctionVersion>,
    /// The request's id, for its console lines.
    pub request_id: Bytes,
    /// Time that the cell may take, in ms.
    pub wall_ms: u32,
    /// When the gateway gives up by itself.
    pub deadline: Instant,
    /// The body, or `None` when it follows in pieces.
    pub body: Option<&'a [u8]>,
    /// How deep in a chain of functions that call each other it is; 0 for a stranger's.
    pub depth: u8,
}

/// Why an invocation was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotBegun {
    /// The cell has as many invocations as it can hold.
    Full,
    /// More waits to be written than should: wait for [`Link::room`].
    Congested,
    /// The cell does not know the function yet: wait for [`Link::load`].
    NotLoaded,
    /// The cell is gone or going.
    Closed,
}

#[derive(Debug, Default)]
struct Outgoing {
    buffer: BytesMut,
    /// Descriptors to go with the byte at this place of `buffer`.
    files: VecDeque<(usize, Vec<Arc<SealedFile>>)>,
    loaded: HashMap<u32, Entry>,
    /// Unloaded, and not gone yet: what goes on there may still ask for something.
    retired: Vec<Arc<FunctionVersion>>,
}

/// What the cell says of itself, and who waits to hear it.
#[derive(Debug, Default)]
struct Reports {
    ready: Option<oneshot::Sender<u32>>,
    checked: Option<oneshot::Sender<LoadReply>>,
    stats: CellStats,
}

/// The gateway's end of a cell's socket.
pub struct Link {
    slots: Mutex<Slots>,
    out: Mutex<Outgoing>,
    reports: Mutex<Reports>,
    wake: Notify,
    drained: Notify,
    board: Board,
    console: Arc<LogBus>,
    artifacts: Arc<dyn Artifacts>,
    /// What the cell may know at one time: versions, and bytes of them.
    loaded_max: (usize, u64),
    egress: Option<Arc<Egress>>,
    underway: Underway,
    /// Nobody's console: the function is only being tried.
    muted: AtomicBool,
    /// Whether invocations go on that are answered.
    lingers: AtomicBool,
    rested: Notify,
    epoch: Instant,
    pong: AtomicU32,
    begun: AtomicU64,
    writes: AtomicU64,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("slots", &self.slots).field("begun", &self.begun).finish_non_exhaustive()
    }
}

/// A link and the tasks that keep it moving; whoever holds them ends them.
#[derive(Debug)]
pub struct Started {
    /// The link.
    pub link: Arc<Link>,
    /// Resolves when nothing more comes from the cell.
    pub reader: JoinHandle<ReadEnd>,
    /// To be aborted when the cell is gone.
    pub writer: JoinHandle<()>,
    /// Resolves when the cell is ready.
    pub ready: oneshot::Receiver<u32>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number that a function version has on the wire.
fn number(function: &FunctionVersion) -> u32 {
    // Ids count from 1 in each process; four billion deployments do not happen in one.
    function.id as u32
}

impl Link {
    /// Starts reading and writing, and sends the cell its configuration.
    ///
    /// # Errors
    /// What the kernel says when the socket cannot be registered. Needs a tokio runtime.
    pub fn start(
        socket: std::os::unix::net::UnixStream,
        board: Board,
        console: Arc<LogBus>,
        artifacts: Arc<dyn Artifacts>,
        settings: &Settings,
    ) -> std::io::Result<Started> {
        socket.set_nonblocking(true)?;
        let (read_half, write_half) = UnixStream::from_std(socket)?.into_split();
        let (ready_sender, ready) = oneshot::channel();
        let link = Arc::new(Link {
            slots: Mutex::default(),
            out: Mutex::default(),
            reports: Mutex::new(Reports { ready: Some(ready_sender), ..Reports::default() }),
            wake: Notify::new(),
            drained: Notify::new(),
            board,
            console,
            artifacts,
            egress: settings.egress.clone(),
            underway: Underway::default(),
            loaded_max: (settings.loaded_versions_max, settings.loaded_bytes_max),
            muted: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            rested: Notify::new(),
            epoch: Instant::now(),
            pong: AtomicU32::new(0),
            begun: AtomicU64::new(0),
            writes: AtomicU64::new(0),
        });
        link.send(&Frame::Configure(serde_json::to_vec(&settings.cell).map_err(std::io::Error::other)?.into()));
        let reader = tokio::spawn(link.clone().read_all(read_half));
        let writer = tokio::spawn(link.clone().write_all(write_half));
        Ok(Started { link, reader, writer, ready })
    }

    fn append(&self, write: impl FnOnce(&mut Outgoing)) {
        let mut out = lock(&self.out);
        let idle = out.buffer.is_empty();
        write(&mut out);
        drop(out);
        if idle {
            self.wake.notify_one();
        }
    }

    /// Appends a frame.
    pub(super) fn send(&self, frame: &Frame) {
        self.append(|out| frame.encode(&mut out.buffer));
    }

    /// Begins an invocation of a function that was loaded. `head` writes
    /// the request head as [`isle_wire::RequestHead::encode`] would, and may be called in vain.
    ///
    /// # Errors
    /// [`NotBegun`]; nothing was sent then.
    pub fn begin(self: &Arc<Self>, begin: Begin<'_>, head: impl FnOnce(&mut BytesMut)) -> Result<Invocation, NotBegun> {
        let deadline_ms = begin.deadline.saturating_duration_since(self.epoch).as_millis() as u64;
        let mut out = lock(&self.out);
        if out.buffer.len() > OUT_BYTES_HIGH {
            return Err(NotBegun::Congested);
        }
        let version = number(begin.function);
        let Some(loaded) = out.loaded.get(&version).and_then(Entry::ready) else { return Err(NotBegun::NotLoaded) };
        let id = match lock(&self.slots).insert_at(begin.depth, begin.request_id, deadline_ms) {
            Ok(id) => id,
            Err(NoSlot::Full) => return Err(NotBegun::Full),
            Err(NoSlot::Closed) => return Err(NotBegun::Closed),
        };
        let idle = out.buffer.is_empty();
        // About now: what the caller read from the clock already.
        loaded.used(deadline_ms.saturating_sub(u64::from(begin.wall_ms)));
        let (follows, body) = (begin.body.is_none(), begin.body.unwrap_or_default());
        Frame::encode_invoke_with(id, version, begin.wall_ms, follows, head, body, &mut out.buffer);
        drop(out);
        if idle {
            self.wake.notify_one();
        }
        self.begun.fetch_add(1, Ordering::Relaxed);
        Ok(Invocation::new(self.clone(), id, loaded))
    }

    /// Waits until what waits to be written is less than [`OUT_BYTES_HIGH`], or the link is closed.
    pub async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            if lock(&self.out).buffer.len() <= OUT_BYTES_HIGH || self.is_closed() {
                return;
            }
            drained.await;
        }
    }

    /// Drops the function's idle isolates.
    pub(super) fn evict(&self, function: &FunctionVersion) {
        let version = number(function);
        self.append(|out| {
            if out.loaded.contains_key(&version) {
                Frame::Evict { version }.encode(&mut out.buffer);
            }
        });
    }

    /// From now on nothing is begun; what is inside goes on.
    pub(super) fn close(&self) {
        lock(&self.slots).close();
        self.drained.notify_waiters();
    }

    /// Closes the link if nothing is inside. Returns whether nothing is.
    pub(super) fn close_if_idle(&self) -> bool {
        let mut slots = lock(&self.slots);
        // Said before the answer that freed the last slot.
        let idle = slots.used() == 0 && !self.lingers();
        if idle {
            slots.close();
        }
        idle
    }

    /// Whether invocations go on in the cell that are answered.
    pub fn lingers(&self) -> bool {
        self.lingers.load(Ordering::Acquire)
    }

    pub(super) fn set_lingers(&self, lingers: bool) {
        self.lingers.store(lingers, Ordering::Release);
        if !lingers {
            self.rested.notify_waiters();
        }
    }

    /// Waits until none of those is left.
    pub(super) async fn rested(&self) {
        loop {
            let rested = self.rested.notified();
            tokio::pin!(rested);
            rested.as_mut().enable();
            if !self.lingers() {
                return;
            }
            rested.await;
        }
    }

    /// Whether nothing can be begun any more.
    pub fn is_closed(&self) -> bool {
        lock(&self.slots).is_closed()
    }

    /// The cell's process has ended and what it sent was read: the rest of its invocations is lost.
    pub(super) fn lose_all(&self) {
        self.underway.cancel_all();
        let wakers = lock(&self.slots).lose_all();
        wakers.into_iter().for_each(std::task::Waker::wake);
        self.drained.notify_waiters();
        self.set_lingers(false);
        lock(&self.out).retired.clear();
        *lock(&self.reports) = Reports::default();
    }

    /// Invocations in the cell.
    pub fn in_flight(&self) -> usize {
        lock(&self.slots).used()
    }

    /// Invocations ever begun here.
    pub fn begun_total(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// System calls that wrote frames.
    pub fn writes_total(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Whether the cell said that it is ready.
    pub(super) fn is_ready(&self) -> bool {
        lock(&self.reports).ready.is_none()
    }

    /// Asks whether the cell is there.
    pub(super) fn ping(&self, number: u32) {
        self.send(&Frame::Ping(number));
    }

    /// The last ping that the cell answered.
    pub(super) fn pong(&self) -> u32 {
        self.pong.load(Ordering::Relaxed)
    }

    /// Ends the wait for overdue invocations. Returns whether the cell keeps one that it was told
    /// to give up.
    pub(super) fn expire(&self, now: Instant) -> bool {
        let now_ms = now.saturating_duration_since(self.epoch).as_millis() as u64;
        let expired = lock(&self.slots).expire(now_ms, OBEY_MS);
        for id in expired.ids {
            self.send(&Frame::Cancel { id });
        }
        expired.wakers.into_iter().for_each(std::task::Waker::wake);
        expired.stuck
    }

    /// What the cell last reported, with the functions that its numbers stand for.
    pub fn stats(&self, mut each: impl FnMut(&FunctionVersion, &isle_wire::VersionStats)) -> CellStats {
        let stats = lock(&self.reports).stats.clone();
        let out = lock(&self.out);
        for version in &stats.versions {
            if let Some(entry) = out.loaded.get(&version.version) {
                each(entry.function(), version);
            }
        }
        stats
    }

    pub(super) fn slots(&self) -> MutexGuard<'_, Slots> {
        lock(&self.slots)
    }

    /// The cell is dead: the snapshots that it was restoring may be why.
    pub(super) fn blame_snapshots(&self) {
        for function in self.board.restoring().into_iter().filter_map(|version| self.function(version)) {
            self.artifacts.unfit(&function, "the cell died while it was restored");
        }
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }
}
