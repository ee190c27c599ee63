//! Supervise: one task per cell that notices its end, makes it an end, and says so.
//!
//! ```text
//!   Starting ── Ready ─▶ Spare ── assign ─▶ Live ── (dies | wedged | garbles | retired) ─▶ Dead
//! ```
//!
//! The order at the end matters. First nothing new enters (the next request gets another cell).
//! Then the process is killed and reaped, so that the board stands still. Then what it had already
//! answered is read. Then the snapshots that were just being restored are given up, so that whoever
//! tries again starts without. Only then are the waiters told, and each asks the board whether it was
//! begun.

use super::group::Group;
use super::link::{Link, ReadEnd, Started};
use super::spawn::{Exit, NewCell, Process};
use super::{Inner, Settings};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::ChildStderr;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, timeout};

/// What a dead cell had written may take this long to be read. 1 s: it is in memory already, but
/// a descendant could hold the other end open.
const DRAIN: Duration = Duration::from_secs(1);
/// Lines of stderr kept for the notice of a death (V8 says why first, and then where, frame by frame), and how long each may be, in bytes.
const LAST_LINES: usize = 64;
const LINE_BYTES_MAX: u64 = 2_048;
/// Lines of stderr passed on per cell and second; the rest is counted.
const LINES_PER_SECOND: u32 = 50;

/// Why a cell ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// The process ended by itself, or the kernel or somebody else ended it.
    Exited = 0,
    /// It did not answer pings, or kept invocations that it was told to give up.
    Wedged = 1,
    /// It sent what no cell sends.
    Garbled = 2,
    /// It was not ready in time.
    StartTimeout = 3,
    /// It was not needed any more. No death.
    Retired = 4,
}

impl Cause {
    /// Every cause, in the order of the counters.
    pub const ALL: [Cause; 5] = [Cause::Exited, Cause::Wedged, Cause::Garbled, Cause::StartTimeout, Cause::Retired];

    /// The metric label and log word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Exited => "exited",
            Cause::Wedged => "wedged",
            Cause::Garbled => "garbled",
            Cause::StartTimeout => "start_timeout",
            Cause::Retired => "retired",
        }
    }
}

/// A cell that runs.
#[derive(Debug)]
pub struct Cell {
    /// Its socket.
    pub link: Arc<Link>,
    /// Its process id.
    pub pid: u32,
    adopted: Instant,
    taken: AtomicBool,
    group: OnceLock<Arc<Group>>,
    assigned: OnceLock<Instant>,
    stop: Notify,
    stop_cause: OnceLock<Cause>,
}

impl Cell {
    /// Starts the tasks of a new process. The receiver resolves when it is ready.
    pub(super) fn adopt(new: NewCell, inner: &Arc<Inner>) -> std::io::Result<(Arc<Cell>, oneshot::Receiver<u32>)> {
        let NewCell { socket, board, process, stderr } = new;
        let Started { link, reader, writer, ready } =
            Link::start(socket, board, inner.console.clone(), inner.artifacts.clone(), &inner.settings)?;
        let cell = Arc::new(Cell {
            link,
            pid: process.id(),
            adopted: Instant::now(),
            taken: AtomicBool::new(false),
            group: OnceLock::new(),
            assigned: OnceLock::new(),
            stop: Notify::new(),
            stop_cause: OnceLock::new(),
        });
        let tail = Arc::new(Tail::default());
        let listener = stderr.map(|stderr| tokio::spawn(listen(stderr, cell.pid, tail.clone())));
        let watch = Watch { cell: cell.clone(), process, reader, writer, listener, tail, inner: Arc::downgrade(inner) };
        tokio::spawn(watch.run(inner.settings.clone()));
        Ok((cell, ready))
    }

    /// From now on it may run somebody's code, and its death is no fault of ours.
    pub(super) fn take(&self) {
        self.taken.store(true, Ordering::Relaxed);
    }

    /// Gives the cell to a group, once.
    pub(super) fn assign(&self, group: &Arc<Group>) {
        let first = self.group.set(group.clone()).is_ok() && self.assigned.set(Instant::now()).is_ok();
        debug_assert!(first, "a cell belongs to one group for its whole life");
    }

    /// The group it runs for, if it has one.
    pub fn group(&self) -> Option<&Arc<Group>> {
        self.group.get()
    }

    /// Ends it, whatever it does.
    pub(super) fn end(&self, cause: Cause) {
        // The first cause is the one that is told.
        let _ = self.stop_cause.set(cause);
        self.link.close();
        self.stop.notify_one();
    }
}

/// What the task of a cell holds.
struct Watch {
    cell: Arc<Cell>,
    process: Box<dyn Process>,
    reader: JoinHandle<ReadEnd>,
    writer: JoinHandle<()>,
    listener: Option<JoinHandle<()>>,
    tail: Arc<Tail>,
    inner: Weak<Inner>,
}

impl Watch {
    async fn run(mut self, settings: Arc<Settings>) {
        let mut read_end = None;
        let cause = tokio::select! {
            end = &mut self.reader => {
                let cause = match &end {
                    Ok(ReadEnd::Closed | ReadEnd::Failed(_)) => Cause::Exited,
                    Ok(ReadEnd::Garbled(_) | ReadEnd::Breach(_)) | Err(_) => Cause::Garbled,
                };
                read_end = Some(end);
                cause
            }
            () = self.cell.stop.notified() => self.cell.stop_cause.get().copied().unwrap_or(Cause::Retired),
            cause = heartbeat(&self.cell, &settings) => cause,
        };
        self.cell.link.close();
        if let Some(group) = self.cell.group() {
            group.lost(&self.cell);
            let lived = self.cell.assigned.get().map(Instant::elapsed).unwrap_or_default();
            group.ended(cause, lived, Instant::now());
        } else if cause != Cause::Retired
            && !self.cell.taken.load(Ordering::Relaxed)
            && let Some(inner) = self.inner.upgrade()
        {
            inner.spare_died(self.cell.adopted.elapsed());
        }
        self.process.kill();
        let exit = self.process.wait().await;
        if read_end.is_none() {
            read_end = timeout(DRAIN, &mut self.reader).await.ok();
        }
        if cause != Cause::Retired {
            self.cell.link.blame_snapshots();
        }
        self.cell.link.lose_all();
        self.reader.abort();
        self.writer.abort();
        if let Some(mut listener) = self.listener.take()
            && timeout(DRAIN, &mut listener).await.is_err()
        {
            listener.abort();
        }
        self.tell(cause, exit, read_end.and_then(Result::ok));
        if let Some(inner) = self.inner.upgrade() {
            inner.forget(&self.cell, cause);
        }
    }

    fn tell(&self, cause: Cause, exit: Exit, end: Option<ReadEnd>) {
        let (pid, group) = (self.cell.pid, self.cell.group().map_or("-", |group| group.name()));
        if cause == Cause::Retired {
            tracing::debug!(target: "isle::cell", pid, group, "cell retired");
            return;
        }
        let said = self.tail.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        let why = match end {
            Some(ReadEnd::Garbled(error)) => error.to_string(),
            Some(ReadEnd::Breach(how)) => how.to_owned(),
            Some(ReadEnd::Failed(error)) => error.to_string(),
            Some(ReadEnd::Closed) | None => String::new(),
        };
        let (cause, stderr) = (cause.as_str(), said.join("\n"));
        tracing::warn!(target: "isle::cell", pid, group, cause, %exit, why, stderr, "cell died");
    }
}

/// Asks the cell once a tick whether it is there, and looks after what is overdue. Resolves when
/// the cell should end. Counts unanswered pings, not time: a gateway that was itself held up
/// counts fewer.
async fn heartbeat(cell: &Cell, settings: &Settings) -> Cause {
    let patience = settings.heartbeat_timeout;
    let every = Duration::from_secs(1).min(patience / 3).max(Duration::from_millis(1));
    let allowed = patience.as_micros().div_ceil(every.as_micros()) as u32;
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut ping, mut begun, mut busy_at) = (0u32, 0, Instant::now());
    loop {
        ticks.tick().await;
        // A cell that starts answers nothing yet; how long it may take is `start_timeout`.
        if !cell.link.is_ready() {
            continue;
        }
        if ping.wrapping_sub(cell.link.pong()) >= allowed || cell.link.expire(Instant::now()) {
            return Cause::Wedged;
        }
        ping = ping.wrapping_add(1);
        cell.link.ping(ping);
        cell.link.unload_unused(settings.version_idle);
        let begun_now = cell.link.begun_total();
        if begun_now != begun || cell.link.in_flight() > 0 || cell.link.lingers() || cell.group().is_none() {
            (begun, busy_at) = (begun_now, Instant::now());
        } else if (busy_at.elapsed() > settings.cell_idle || cell.link.is_done()) && cell.link.close_if_idle() {
            return Cause::Retired;
        }
    }
}

/// The last lines that a cell wrote to stderr.
#[derive(Debug, Default)]
struct Tail {
    lines: Mutex<VecDeque<String>>,
}

/// Reads a cell's stderr to its end. Lines are the cell's, so they are untrusted and limited.
async fn listen(stderr: ChildStderr, pid: u32, tail: Arc<Tail>) {
    let mut reader = BufReader::with_capacity(4_096, stderr);
    let (mut second, mut passed, mut dropped) = (Instant::now(), 0, 0u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        if text.is_empty() || text == "#" {
            continue;
        }
        if second.elapsed() >= Duration::from_secs(1) {
            if dropped > 0 {
                tracing::warn!(target: "isle::cell", pid, dropped, "stderr lines not shown");
            }
            (second, passed, dropped) = (Instant::now(), 0, 0);
        }
        if passed < LINES_PER_SECOND {
            passed += 1;
            tracing::info!(target: "isle::cell", pid, "{text}");
        } else {
            dropped += 1;
        }
        let mut lines = tail.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LAST_LINES {
            lines.pop_front();
        }
        lines.push_back(text);
    }
}
