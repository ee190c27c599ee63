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
mod tasks;

pub use tasks::ReadEnd;

use super::invocation::Invocation;
use super::slots::{NoSlot, Slots};
use crate::egress::{Egress, Underway};
use crate::logs::LogBus;
use crate::route::FunctionVersion;
use bytes::{Bytes, BytesMut};
use isle_wire::{Board, CellConfig, CellStats, Frame, LoadReply};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
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
    /// The cell is gone or going.
    Closed,
}

#[derive(Debug, Default)]
struct Outgoing {
    buffer: BytesMut,
    loaded: HashMap<u32, Arc<FunctionVersion>>,
    retired: Vec<Weak<FunctionVersion>>,
}

/// What the cell says of itself, and who waits to hear it.
#[derive(Debug, Default)]
struct Reports {
    ready: Option<oneshot::Sender<u32>>,
    checked: Option<oneshot::Sender<LoadReply>>,
    stats: CellStats,
}

/// The gateway's end of a cell's socket.
#[derive(Debug)]
pub struct Link {
    slots: Mutex<Slots>,
    out: Mutex<Outgoing>,
    reports: Mutex<Reports>,
    wake: Notify,
    drained: Notify,
    board: Board,
    console: Arc<LogBus>,
    egress: Option<Arc<Egress>>,
    underway: Underway,
    /// Nobody's console: the function is only being tried.
    muted: AtomicBool,
    epoch: Instant,
    pong: AtomicU32,
    begun: AtomicU64,
    writes: AtomicU64,
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
        egress: Option<Arc<Egress>>,
        config: &CellConfig,
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
            egress,
            underway: Underway::default(),
            muted: AtomicBool::new(false),
            epoch: Instant::now(),
            pong: AtomicU32::new(0),
            begun: AtomicU64::new(0),
            writes: AtomicU64::new(0),
        });
        link.send(&Frame::Configure(serde_json::to_vec(config).map_err(std::io::Error::other)?.into()));
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

    /// Begins an invocation; loads its function first if this cell has not seen it. `head` writes
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
        let id = match lock(&self.slots).insert_at(begin.depth, begin.request_id, deadline_ms) {
            Ok(id) => id,
            Err(NoSlot::Full) => return Err(NotBegun::Full),
            Err(NoSlot::Closed) => return Err(NotBegun::Closed),
        };
        let idle = out.buffer.is_empty();
        let version = number(begin.function);
        let Outgoing { buffer, loaded, .. } = &mut *out;
        loaded.entry(version).or_insert_with(|| {
            Frame::Load { version, spec: begin.function.spec_json.clone() }.encode(buffer);
            begin.function.clone()
        });
        let (follows, body) = (begin.body.is_none(), begin.body.unwrap_or_default());
        Frame::encode_invoke_with(id, version, begin.wall_ms, follows, head, body, buffer);
        drop(out);
        if idle {
            self.wake.notify_one();
        }
        self.begun.fetch_add(1, Ordering::Relaxed);
        Ok(Invocation::new(self.clone(), id))
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

    /// Asks the cell to start the function once. One check at a time.
    pub(super) fn check(&self, function: &Arc<FunctionVersion>) -> oneshot::Receiver<LoadReply> {
        let (sender, receiver) = oneshot::channel();
        lock(&self.reports).checked = Some(sender);
        self.muted.store(true, Ordering::Relaxed);
        let version = number(function);
        self.append(|out| {
            out.loaded.insert(version, function.clone());
            Frame::Load { version, spec: function.spec_json.clone() }.encode(&mut out.buffer);
            Frame::Check { version }.encode(&mut out.buffer);
        });
        receiver
    }

    /// Unloads every version for which `keep` says no. Returns how many stay.
    pub(super) fn unload(&self, keep: impl Fn(&FunctionVersion) -> bool) -> usize {
        let mut out = lock(&self.out);
        let idle = out.buffer.is_empty();
        let Outgoing { buffer, loaded, retired } = &mut *out;
        loaded.retain(|version, function| {
            let keep = keep(function);
            if !keep {
                Frame::Unload { version: *version }.encode(buffer);
                Outgoing::retire(retired, function);
            }
            keep
        });
        let (stay, wrote) = (loaded.len(), !buffer.is_empty());
        drop(out);
        if idle && wrote {
            self.wake.notify_one();
        }
        stay
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
        let idle = slots.used() == 0;
        if idle {
            slots.close();
        }
        idle
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
            if let Some(function) = out.loaded.get(&version.version) {
                each(function, version);
            }
        }
        stats
    }

    pub(super) fn slots(&self) -> MutexGuard<'_, Slots> {
        lock(&self.slots)
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }
}
