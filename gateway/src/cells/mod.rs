//! Cells: the processes that run tenants' code, who has which, and what happens when one ends.
//!
//! ```text
//!   spares ──assign──▶ group "acme" ──▶ Cell ── Link ──socket── process
//!      ▲                group "blog" ──▶ Cell ── Link ──socket── process
//!      └── keeper starts more          one task each: supervise
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`spawn`] | a process and its three descriptors |
//! | [`link`] | its socket: frames out, coalesced; frames in, to whom they concern |
//! | `slots` | which invocations are in it; pure |
//! | [`invocation`] | one of them |
//! | [`supervise`] | heartbeat, death, stderr |
//! | [`group`] | whose cell it is; back-off |

pub mod group;
pub mod invocation;
pub mod link;
mod slots;
pub mod spawn;
pub mod supervise;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod tests;

use crate::artifacts::Artifacts;
use crate::egress::Egress;
use crate::logs::LogBus;
use crate::route::FunctionVersion;
use group::{Backoff, Group};
use isle_wire::{CellConfig, FailureDetail, LoadReply, Outcome};
use link::Unchecked;
use spawn::CellSource;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use supervise::{Cause, Cell};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Beyond twice its CPU limit, how long a check may take. 10 s: a busy machine, and modules that
/// await something at their top level.
const CHECK_GRACE: Duration = Duration::from_secs(10);
/// Groups that came for a cell count this long for how many spares there should be.
const LATELY: Duration = Duration::from_secs(10);
/// How long [`Cells::stop`] waits for processes that were killed.
const STOP_MAX: Duration = Duration::from_secs(5);

/// What cells are told and how they are kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Sent to each.
    pub cell: CellConfig,
    /// Cells ready for groups that have none, at the least.
    pub spare_cells: usize,
    /// And at the most: as many as groups lately came for.
    pub spare_cells_max: usize,
    /// Processes being started at one time; groups that need one wait in the order they came. One a
    /// core by default: more start none sooner.
    pub cells_starting_max: usize,
    /// A cell that answers no ping for this long is killed.
    pub heartbeat_timeout: Duration,
    /// A cell that is not ready after this long is killed. 20 s by default: a start takes
    /// milliseconds, but a machine may be busy.
    pub start_timeout: Duration,
    /// A group's cell that ran nothing for this long is ended. 10 min by default: it keeps some
    /// MiB, and a spare takes its place at once when it is needed.
    pub cell_idle: Duration,
    /// Versions that one cell knows at one time. 1,000 by default: a tenant with more has some that
    /// are seldom asked for, and loading one again costs a millisecond.
    pub loaded_versions_max: usize,
    /// Bytes of text of those. 64 MiB by default: an eighth of a cell's memory.
    pub loaded_bytes_max: u64,
    /// A version that nobody asked for this long is unloaded. 15 min by default: its isolates are
    /// long gone by then.
    pub version_idle: Duration,
    /// Who makes functions' requests; without it they are refused.
    pub egress: Option<Arc<Egress>>,
}

impl Settings {
    /// Settings with the defaults named above.
    pub fn new(cell: CellConfig) -> Settings {
        Settings {
            cell,
            spare_cells: 1,
            spare_cells_max: 8,
            cells_starting_max: std::thread::available_parallelism().map_or(1, usize::from),
            heartbeat_timeout: Duration::from_secs(10),
            start_timeout: Duration::from_secs(20),
            cell_idle: Duration::from_secs(600),
            loaded_versions_max: 1_000,
            loaded_bytes_max: 64 << 20,
            version_idle: Duration::from_secs(900),
            egress: None,
        }
    }
}

/// Why there is no cell for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCell {
    /// The group's cells died too often: not before this time has passed.
    BackingOff(Duration),
    /// None could be started.
    StartFailed,
    /// The node stops.
    Stopping,
}

/// Counts of cells, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellCounts {
    /// Ready, nobody's yet.
    pub spare: usize,
    /// A group's.
    pub live: usize,
    /// Starting, or ending.
    pub other: usize,
}

/// All cells of a node.
#[derive(Clone)]
pub struct Cells {
    inner: Arc<Inner>,
    /// Ends with the last owner.
    _keeper: Arc<Keeper>,
}

struct Keeper(JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) struct Inner {
    pub(crate) settings: Arc<Settings>,
    pub(crate) console: Arc<LogBus>,
    pub(crate) artifacts: Arc<dyn Artifacts>,
    source: Arc<dyn CellSource>,
    groups: Mutex<HashMap<String, Arc<Group>>>,
    spares: Mutex<Spares>,
    spare_wanted: Notify,
    starting: Semaphore,
    all: Mutex<Vec<Arc<Cell>>>,
    gone: Notify,
    deaths: [AtomicU64; Cause::ALL.len()],
    started: AtomicU64,
}

#[derive(Default)]
struct Spares {
    ready: Vec<Arc<Cell>>,
    /// When groups came for one; as many as count.
    taken: VecDeque<Instant>,
    backoff: Backoff,
    stopping: bool,
}

impl Spares {
    /// How many to have now: as many as groups lately came for, between the bounds.
    fn wanted(&mut self, settings: &Settings, now: Instant) -> usize {
        while self.taken.front().is_some_and(|&at| now.saturating_duration_since(at) > LATELY) {
            self.taken.pop_front();
        }
        self.taken.len().clamp(settings.spare_cells, settings.spare_cells_max.max(settings.spare_cells))
    }

    fn note_taken(&mut self, settings: &Settings, now: Instant) {
        if self.taken.len() >= settings.spare_cells_max {
            self.taken.pop_front();
        }
        self.taken.push_back(now);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a cell whose starter went away.
struct Unready(Option<Arc<Cell>>);

impl Drop for Unready {
    fn drop(&mut self) {
        if let Some(cell) = self.0.take() {
            cell.end(Cause::Retired);
        }
    }
}

impl Inner {
    /// Starts a cell and waits until it is ready. A machine that cannot start cells is asked less and
    /// less often, however many groups want one: deaths before that are counted by the cell's task.
    async fn start_one(self: &Arc<Self>) -> Result<Arc<Cell>, NoCell> {
        let _turn = self.starting.acquire().await.map_err(|_| NoCell::Stopping)?;
        if let Some(left) = lock(&self.spares).backoff.wait(Instant::now()) {
            return Err(NoCell::BackingOff(left));
        }
        let failed = |error: std::io::Error, what| {
            tracing::error!(target: "isle::cell", %error, "no cell could be {what}");
            self.spare_died(Duration::ZERO);
            NoCell::StartFailed
        };
        let source = self.source.clone();
        let started = tokio::task::spawn_blocking(move || source.start()).await;
        let new = match started {
            Ok(Ok(new)) => new,
            Ok(Err(error)) => return Err(failed(error, "started")),
            Err(_) => return Err(NoCell::StartFailed),
        };
        let (cell, ready) = Cell::adopt(new, self).map_err(|error| failed(error, "adopted"))?;
        lock(&self.all).push(cell.clone());
        self.started.fetch_add(1, Ordering::Relaxed);
        let mut unready = Unready(Some(cell.clone()));
        match timeout(self.settings.start_timeout, ready).await {
            Ok(Ok(_)) => {
                unready.0 = None;
                Ok(cell)
            }
            // It died; its task says how.
            Ok(Err(_)) => Err(NoCell::StartFailed),
            Err(_) => {
                cell.end(Cause::StartTimeout);
                Err(NoCell::StartFailed)
            }
        }
    }

    /// A ready cell that is nobody's: a spare, or else a new one.
    async fn take(self: &Arc<Self>) -> Result<Arc<Cell>, NoCell> {
        {
            let mut spares = lock(&self.spares);
            if spares.stopping {
                return Err(NoCell::Stopping);
            }
            spares.note_taken(&self.settings, Instant::now());
            self.spare_wanted.notify_one();
            while let Some(cell) = spares.ready.pop() {
                if !cell.link.is_closed() {
                    spares.backoff.forgive();
                    cell.take();
                    return Ok(cell);
                }
            }
        }
        let cell = self.start_one().await?;
        lock(&self.spares).backoff.forgive();
        cell.take();
        Ok(cell)
    }

    /// A cell died that ran nobody's code: the fault is ours, or the machine's.
    pub(crate) fn spare_died(&self, lived: Duration) {
        lock(&self.spares).backoff.died(lived, Instant::now());
    }

    /// Called by a cell's task when the process is reaped.
    pub(crate) fn forget(&self, cell: &Arc<Cell>, cause: Cause) {
        self.deaths[cause as usize].fetch_add(1, Ordering::Relaxed);
        lock(&self.all).retain(|other| !Arc::ptr_eq(other, cell));
        let mut spares = lock(&self.spares);
        let before = spares.ready.len();
        spares.ready.retain(|other| !Arc::ptr_eq(other, cell));
        if spares.ready.len() < before {
            self.spare_wanted.notify_one();
        }
        drop(spares);
        self.gone.notify_waiters();
    }

    /// Keeps spares ready, and ends those that are not needed any more.
    async fn keep_spares(self: Arc<Self>) {
        loop {
            let (have, wanted, wait) = {
                let (mut spares, now) = (lock(&self.spares), Instant::now());
                let wanted = if spares.stopping { spares.ready.len() } else { spares.wanted(&self.settings, now) };
                while spares.ready.len() > wanted {
                    spares.ready.pop().into_iter().for_each(|cell| cell.end(Cause::Retired));
                }
                (spares.ready.len(), wanted, spares.backoff.wait(now))
            };
            if have >= wanted {
                // What was lately needed is forgotten after a while.
                let forget = if have > self.settings.spare_cells { LATELY } else { Duration::MAX };
                let _ = timeout(forget, self.spare_wanted.notified()).await;
            } else if let Some(wait) = wait {
                tokio::time::sleep(wait).await;
            } else if let Ok(cell) = self.start_one().await {
                let mut spares = lock(&self.spares);
                if spares.stopping {
                    cell.end(Cause::Retired);
                } else if !cell.link.is_closed() {
                    // One that dies later finds itself here and takes itself out.
                    spares.ready.push(cell);
                }
            }
        }
    }
}

impl Cells {
    /// Starts keeping spares. Needs a tokio runtime.
    pub fn start(
        settings: Settings,
        source: Arc<dyn CellSource>,
        artifacts: Arc<dyn Artifacts>,
        console: Arc<LogBus>,
    ) -> Cells {
        let starting = settings.cells_starting_max.max(1);
        let inner = Arc::new(Inner {
            settings: Arc::new(settings),
            console,
            artifacts,
            source,
            groups: Mutex::default(),
            spares: Mutex::default(),
            spare_wanted: Notify::new(),
            starting: Semaphore::new(starting),
            all: Mutex::default(),
            gone: Notify::new(),
            deaths: Default::default(),
            started: AtomicU64::new(0),
        });
        let keeper = tokio::spawn(inner.clone().keep_spares());
        Cells { inner, _keeper: Arc::new(Keeper(keeper)) }
    }

    /// The group of this name; made when it is new.
    pub fn group(&self, name: &str) -> Arc<Group> {
        let mut groups = lock(&self.inner.groups);
        if let Some(group) = groups.get(name) {
            return group.clone();
        }
        let group = Arc::new(Group::new(name));
        groups.insert(name.to_owned(), group.clone());
        group
    }

    /// The cell takes no more, as its link said; what comes next must not try it again.
    pub fn closed(&self, group: &Group, cell: &Arc<Cell>) {
        group.lost(cell);
    }

    /// The group's cell; gets it one when it has none.
    ///
    /// # Errors
    /// [`NoCell`].
    pub async fn acquire(&self, group: &Arc<Group>) -> Result<Arc<Cell>, NoCell> {
        if let Some(cell) = group.live() {
            return Ok(cell);
        }
        let _starting = group.starting.lock().await;
        if let Some(cell) = group.live() {
            return Ok(cell);
        }
        if let Some(left) = group.backing_off(Instant::now()) {
            return Err(NoCell::BackingOff(left));
        }
        let cell = self.inner.take().await?;
        group.set_live(&cell);
        tracing::debug!(target: "isle::cell", pid = cell.pid, group = group.name(), "cell assigned");
        Ok(cell)
    }

    /// Starts the function once, in a cell that is thrown away, and says whether it can serve.
    pub async fn check(&self, function: &Arc<FunctionVersion>) -> LoadReply {
        let refused = |outcome, message: &str| {
            let detail = FailureDetail {
                error_type: "Runtime.StartupFailed".into(),
                message: message.into(),
                ..Default::default()
            };
            let detail = serde_json::to_vec(&detail).unwrap_or_default().into();
            LoadReply { outcome, cpu_us: 0, detail }
        };
        let cell = match self.inner.take().await {
            Ok(cell) => Unready(Some(cell)),
            Err(_) => return refused(Outcome::Unavailable, "no cell could be started to try the function"),
        };
        let Some(link) = cell.0.as_ref().map(|cell| cell.link.clone()) else { unreachable!("just put there") };
        let limits = &function.spec.limits;
        let most = CHECK_GRACE + Duration::from_millis(u64::from(limits.startup_cpu_ms) * 2);
        match timeout(most, link.check(function)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(Unchecked::NotLoaded)) => refused(Outcome::Unavailable, "the function's text is not there"),
            Ok(Err(Unchecked::Died)) => {
                refused(Outcome::CellDied, "the module ended its whole process while it was evaluated")
            }
            Err(_) => refused(Outcome::WallExceeded, "evaluating the module did not end in time"),
        }
    }

    /// Unloads every version that `serves` denies; ends cells that have none left and run nothing.
    pub fn retain(&self, serves: impl Fn(&FunctionVersion) -> bool) {
        for cell in self.all() {
            // A spare, or one whose first request is still to come, has nothing to unload.
            if cell.group().is_some() && cell.link.unload(&serves) == 0 && cell.link.close_if_idle() {
                cell.end(Cause::Retired);
            }
        }
        // A group that nobody holds has no function, no cell and no request.
        lock(&self.inner.groups).retain(|_, group| Arc::strong_count(group) > 1 || group.live().is_some());
    }

    /// Drops the function's idle isolates.
    pub fn evict(&self, function: &FunctionVersion) {
        if let Some(cell) = self.group(&function.cell_group).live() {
            cell.link.evict(function);
        }
    }

    /// Whether enough cells are ready to serve.
    pub fn is_ready(&self) -> bool {
        self.inner.settings.spare_cells == 0 || self.inner.started.load(Ordering::Relaxed) > 0
    }

    /// Who makes functions' requests.
    pub fn egress(&self) -> Option<&Arc<Egress>> {
        self.inner.settings.egress.as_ref()
    }

    /// The cells that run now.
    pub fn all(&self) -> Vec<Arc<Cell>> {
        lock(&self.inner.all).clone()
    }

    /// How many cells are in which state.
    pub fn counts(&self) -> CellCounts {
        let all = self.all();
        let spare = lock(&self.inner.spares).ready.len();
        let live = all.iter().filter(|cell| cell.group().is_some() && !cell.link.is_closed()).count();
        CellCounts { spare, live, other: all.len().saturating_sub(spare + live) }
    }

    /// How many cells ended for this cause.
    pub fn ended(&self, cause: Cause) -> u64 {
        self.inner.deaths[cause as usize].load(Ordering::Relaxed)
    }

    /// Waits until nothing goes on in any cell that is answered already.
    pub async fn rested(&self) {
        for cell in self.all() {
            cell.link.rested().await;
        }
    }

    /// Ends every cell and waits until they are reaped. Nothing should be in flight any more.
    pub async fn stop(&self) {
        {
            let mut spares = lock(&self.inner.spares);
            spares.stopping = true;
            spares.ready.clear();
        }
        let reaped = async {
            loop {
                let gone = self.inner.gone.notified();
                tokio::pin!(gone);
                gone.as_mut().enable();
                let left = self.all();
                if left.is_empty() {
                    return;
                }
                left.iter().for_each(|cell| cell.end(Cause::Retired));
                gone.await;
            }
        };
        if timeout(STOP_MAX, reaped).await.is_err() {
            tracing::error!(target: "isle::cell", left = self.all().len(), "cells did not end");
        }
    }
}
