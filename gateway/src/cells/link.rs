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

use super::invocation::Invocation;
use super::slots::{Breach, NoSlot, Slots};
use crate::logs::LogBus;
use crate::route::FunctionVersion;
use bytes::{Bytes, BytesMut};
use isle_wire::{Board, CellConfig, CellStats, Decoder, Frame, LoadReply, WireError};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

/// Bytes waiting to be written at which requests wait, too. 4 MiB: dozens of whole bodies, and
/// what a cell that stops reading can cost.
pub const OUT_BYTES_HIGH: usize = 4 << 20;
/// Room made for reading at once: many small responses, or a whole body piece.
const READ_BYTES: usize = 64 << 10;
/// A buffer that grew beyond this (a function was loaded) is given back after use.
const KEEP_BYTES_MAX: usize = 1 << 20;
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

/// Why nothing more comes from a cell.
#[derive(Debug)]
pub enum ReadEnd {
    /// The cell closed its socket, which it does by ending.
    Closed,
    /// The socket failed.
    Failed(std::io::Error),
    /// The cell sent something that is no frame.
    Garbled(WireError),
    /// The cell sent a frame that it may not send.
    Breach(&'static str),
}

#[derive(Debug, Default)]
struct Outgoing {
    buffer: BytesMut,
    loaded: HashMap<u32, Arc<FunctionVersion>>,
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
    pub fn begin(
        self: &Arc<Self>,
        begin: Begin<'_>,
        head: impl FnOnce(&mut BytesMut),
    ) -> Result<Invocation, NotBegun> {
        let deadline_ms = begin.deadline.saturating_duration_since(self.epoch).as_millis() as u64;
        let mut out = lock(&self.out);
        if out.buffer.len() > OUT_BYTES_HIGH {
            return Err(NotBegun::Congested);
        }
        let id = match lock(&self.slots).insert(begin.request_id, deadline_ms) {
            Ok(id) => id,
            Err(NoSlot::Full) => return Err(NotBegun::Full),
            Err(NoSlot::Closed) => return Err(NotBegun::Closed),
        };
        let idle = out.buffer.is_empty();
        let version = number(begin.function);
        if !out.loaded.contains_key(&version) {
            out.loaded.insert(version, begin.function.clone());
            Frame::Load { version, spec: begin.function.spec_json.clone() }.encode(&mut out.buffer);
        }
        let (follows, body) = (begin.body.is_none(), begin.body.unwrap_or_default());
        Frame::encode_invoke_with(id, version, begin.wall_ms, follows, head, body, &mut out.buffer);
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
        let Outgoing { buffer, loaded } = &mut *out;
        loaded.retain(|version, function| {
            let keep = keep(function);
            if !keep {
                Frame::Unload { version: *version }.encode(buffer);
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

    /// Takes bytes until there are no more, and gives each frame to whom it concerns.
    async fn read_all(self: Arc<Self>, mut half: OwnedReadHalf) -> ReadEnd {
        let mut decoder = Decoder::default();
        loop {
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => {
                        if let Err(Breach(how)) = self.take(frame) {
                            return ReadEnd::Breach(how);
                        }
                    }
                    Ok(None) => break,
                    Err(error) => return ReadEnd::Garbled(error),
                }
            }
            // Responses still being read hold the old buffer; a new one is made only when it is full.
            if decoder.buffer.capacity() - decoder.buffer.len() < READ_BYTES / 8 {
                decoder.buffer.reserve(READ_BYTES);
            }
            match half.read_buf(&mut decoder.buffer).await {
                Ok(0) => return ReadEnd::Closed,
                Ok(_) => {}
                Err(error) => return ReadEnd::Failed(error),
            }
        }
    }

    fn take(&self, frame: Frame) -> Result<(), Breach> {
        match frame {
            Frame::Response { id, response } => {
                let waker = lock(&self.slots).answer(id, response);
                waker.into_iter().for_each(std::task::Waker::wake);
            }
            Frame::Body { id, last, data } => {
                let waker = lock(&self.slots).body(id, last, &data)?;
                waker.into_iter().for_each(std::task::Waker::wake);
            }
            Frame::Credit { id, bytes } => {
                let waker = lock(&self.slots).credit(id, bytes);
                waker.into_iter().for_each(std::task::Waker::wake);
            }
            Frame::Console(line) => {
                if self.muted.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let function = lock(&self.out).loaded.get(&line.version).cloned();
                let request_id = lock(&self.slots).request_id(line.invocation).cloned();
                if let Some(function) = function {
                    let request_id = request_id.unwrap_or_default();
                    self.console.line(&function.spec, &request_id, line.level, line.text);
                }
            }
            Frame::Pong(number) => self.pong.store(number, Ordering::Relaxed),
            Frame::Ready(pid) => {
                let sender = lock(&self.reports).ready.take().ok_or(Breach("ready twice"))?;
                // Nobody may wait any more: the start took too long.
                let _ = sender.send(pid);
            }
            Frame::Checked { reply, .. } => {
                let sender = lock(&self.reports).checked.take().ok_or(Breach("checked unasked"))?;
                let _ = sender.send(reply);
            }
            Frame::Stats(json) => {
                let stats = serde_json::from_slice(&json).map_err(|_| Breach("stats that are no stats"))?;
                lock(&self.reports).stats = stats;
            }
            Frame::Configure(_)
            | Frame::Load { .. }
            | Frame::Unload { .. }
            | Frame::Check { .. }
            | Frame::Invoke { .. }
            | Frame::Cancel { .. }
            | Frame::Ping(_)
            | Frame::Evict { .. } => return Err(Breach("a frame that only a gateway sends")),
        }
        Ok(())
    }

    /// Writes what was appended, all of it at once, until the socket fails.
    async fn write_all(self: Arc<Self>, mut half: OwnedWriteHalf) {
        let mut batch = BytesMut::new();
        loop {
            self.wake.notified().await;
            // Every other task that is ready now may append its frames first.
            tokio::task::yield_now().await;
            loop {
                std::mem::swap(&mut lock(&self.out).buffer, &mut batch);
                if batch.is_empty() {
                    break;
                }
                self.writes.fetch_add(1, Ordering::Relaxed);
                // A failed write says no more than the reader will: the cell is gone.
                if half.write_all(&batch).await.is_err() {
                    return;
                }
                if batch.len() > OUT_BYTES_HIGH {
                    self.drained.notify_waiters();
                }
                batch.clear();
                if batch.capacity() > KEEP_BYTES_MAX {
                    batch = BytesMut::new();
                }
            }
        }
    }
}
