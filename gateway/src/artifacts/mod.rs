//! Artifacts: what builders make of function versions, so that they start quickly.
//!
//! ```text
//!   deploy ──▶ build ──▶ builder process ──▶ artifact ──▶ disk (compressed, checksummed, bounded)
//!                                               │            │ read, checked, decompressed: once
//!   cell loads a version ──▶ Artifacts::get ──▶ memory (sealed memory files, weighed in bytes)
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`key`] | what decides whether an artifact fits |
//! | [`builder`] | a builder's process |
//! | [`turns`] | how many of them, fair by tenant |
//! | [`disk`] | the files |
//! | [`cache`] | what is in memory, loaded once however many ask |
//! | [`file`] | one of them, as cells map it |
//! | [`counters`] | the metrics |
//!
//! Nothing here is needed to serve: whatever is missing, damaged or made by another build is a
//! miss, the version starts from its text, and who owns the deployments is told to build it again.

pub mod builder;
pub mod cache;
pub mod counters;
pub mod disk;
pub mod file;
pub mod key;
#[cfg(test)]
mod tests;
pub mod turns;

pub use builder::NotBuilt;
pub use counters::Counters;
pub use file::SealedFile;
pub use key::ArtifactKey;

use crate::cells::spawn::CellCommand;
use crate::route::FunctionVersion;
use builder::Scratch;
use cache::{Coalesced, From};
use counters::BuildEnd;
use disk::{Disk, Miss};
use isle_wire::{BuildOrder, BuildReport, FunctionSpec, ModuleSource, Outcome, StartWish};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use turns::Turns;

/// Apps that wait to be built again; more are asked for again at their next miss.
const WANTED_MAX: usize = 256;
/// Artifacts read and decompressed at one time: each is in memory twice meanwhile.
const LOADS_MAX: usize = 4;
/// How often a cell may find an artifact unfit before it is not used any more.
const UNFIT_MAX: u8 = 2;

/// Where cells get artifacts from.
pub trait Artifacts: Send + Sync {
    /// The artifact of the function, if it has one that can be used. Asked once for each version
    /// and cell, never per request; `None` means a start from the text.
    fn get<'a>(
        &'a self,
        function: &'a FunctionVersion,
    ) -> Pin<Box<dyn Future<Output = Option<Arc<SealedFile>>> + Send + 'a>>;

    /// A cell could not use what it got. It is built again; if that does not help, it is not used.
    fn unfit(&self, function: &FunctionVersion, why: &str);
}

/// No artifacts: every function starts from its text.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoArtifacts;

impl Artifacts for NoArtifacts {
    fn get<'a>(
        &'a self,
        _function: &'a FunctionVersion,
    ) -> Pin<Box<dyn Future<Output = Option<Arc<SealedFile>>> + Send + 'a>> {
        Box::pin(std::future::ready(None))
    }

    fn unfit(&self, _function: &FunctionVersion, _why: &str) {}
}

/// What a [`Workshop`] needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the files.
    pub folder: PathBuf,
    /// The base snapshot that builders start from; its file name stands for this build of Isle.
    pub base_snapshot: PathBuf,
    /// What to run as a builder.
    pub command: CellCommand,
    /// Memory files of artifacts together, in bytes.
    pub memory_bytes: u64,
    /// Files on disk together, in bytes.
    pub disk_bytes: u64,
    /// Builders at one time.
    pub builders: usize,
    /// Writable memory of one process of a builder, in MiB.
    pub builder_memory_mb: u64,
    /// CPU time of one process of a builder, in s.
    pub builder_cpu_s: u64,
    /// The longest a builder may take.
    pub builder_deadline: Duration,
    /// Which ways of starting are wanted.
    pub wish: StartWish,
}

/// A version to be built.
#[derive(Clone, Debug)]
pub struct Work {
    /// Under which key its artifact is kept.
    pub key: ArtifactKey,
    /// What it is, without its modules.
    pub spec: FunctionSpec,
    /// Its modules.
    pub modules: Arc<BTreeMap<String, ModuleSource>>,
    /// Events to warm it up with.
    pub warm_ups: Vec<String>,
}

/// Builds artifacts, keeps them and hands them out.
#[derive(Debug)]
pub struct Workshop {
    settings: Settings,
    base_name: String,
    disk: Arc<Disk>,
    memory: Coalesced<ArtifactKey, Arc<SealedFile>>,
    turns: Turns,
    loads: Semaphore,
    counters: Arc<Counters>,
    wanted: mpsc::Sender<String>,
    wants: Mutex<Option<mpsc::Receiver<String>>>,
    unfit: Mutex<HashMap<ArtifactKey, u8>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Workshop {
    /// Opens the folder. Blocks.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(settings: Settings) -> io::Result<Workshop> {
        let disk = Arc::new(Disk::open(&settings.folder, settings.disk_bytes)?);
        let counters = Arc::new(Counters::new().map_err(io::Error::other)?);
        counters.bytes.with_label_values(&["disk"]).set(disk.bytes().cast_signed());
        let evicted = counters.evictions.with_label_values(&["memory"]);
        let memory = Coalesced::new(settings.memory_bytes, |file: &Arc<SealedFile>| file.bytes, move || evicted.inc());
        let (wanted, wants) = mpsc::channel(WANTED_MAX);
        let name = settings.base_snapshot.file_name().unwrap_or_default();
        Ok(Workshop {
            base_name: name.to_string_lossy().into_owned(),
            turns: Turns::new(settings.builders),
            loads: Semaphore::new(LOADS_MAX),
            wants: Mutex::new(Some(wants)),
            unfit: Mutex::default(),
            settings,
            disk,
            memory,
            counters,
            wanted,
        })
    }

    /// The name that stands for this build of Isle.
    pub fn base_name(&self) -> &str {
        &self.base_name
    }

    /// Which ways of starting are wanted.
    pub fn wish(&self) -> StartWish {
        self.settings.wish
    }

    /// Builders at one time.
    pub fn builders(&self) -> usize {
        self.settings.builders
    }

    /// The metrics.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// The key of a version, of which `spec` is all but the modules.
    pub fn key(
        &self,
        spec: &FunctionSpec,
        modules: &BTreeMap<String, ModuleSource>,
        warm_ups: &[String],
    ) -> ArtifactKey {
        ArtifactKey::of(&self.base_name, self.settings.wish, spec, modules, warm_ups)
    }

    /// Whether an artifact is there and no cell has had trouble with it.
    pub fn has(&self, key: &ArtifactKey) -> bool {
        self.disk.has(key)
    }

    /// Where a file is kept.
    pub fn path(&self, key: &ArtifactKey) -> PathBuf {
        self.disk.path(key)
    }

    /// Apps of which something is to be built again, as it is found out. There is one receiver; later calls get none.
    pub fn wants(&self) -> Option<mpsc::Receiver<String>> {
        lock(&self.wants).take()
    }

    /// Finds the cheapest way to start a version, and keeps what is needed for it. Waits for its
    /// turn; `background` work comes after everybody else's.
    ///
    /// # Errors
    /// [`NotBuilt`]: no builder could say. That the version does not start is no error: the report
    /// says so.
    pub async fn build(&self, work: &Work, background: bool) -> Result<BuildReport, NotBuilt> {
        let _turn = self.turns.take((!background).then_some(work.spec.tenant.as_str())).await;
        if background {
            self.counters.rebuilds.inc();
        }
        let built = self.build_now(work).await;
        self.counters.built(match &built {
            Ok(report) if report.outcome == Outcome::Ok => BuildEnd::Ok,
            Ok(_) => BuildEnd::Refused,
            Err(_) => BuildEnd::Failed,
        });
        built
    }

    async fn build_now(&self, work: &Work) -> Result<BuildReport, NotBuilt> {
        /// Counts a builder for as long as it runs, however it ends.
        struct Running<'a>(&'a Counters);
        impl Drop for Running<'_> {
            fn drop(&mut self) {
                self.0.building.dec();
            }
        }
        self.counters.building.inc();
        let _running = Running(&self.counters);
        let settings = &self.settings;
        let scratch = Scratch::make(self.disk.aside())?;
        let out = scratch.out(&work.key);
        let order = BuildOrder {
            base_snapshot: settings.base_snapshot.display().to_string(),
            spec: FunctionSpec { modules: (*work.modules).clone(), ..work.spec.clone() },
            warm_ups: work.warm_ups.clone(),
            out: out.display().to_string(),
            cpu_s: settings.builder_cpu_s,
            memory_mb: settings.builder_memory_mb,
            // A little later than we: then nobody is there to end it.
            wall_s: u32::try_from(settings.builder_deadline.as_secs()).unwrap_or(u32::MAX).saturating_add(2),
            wish: settings.wish,
        };
        let report = builder::run(&settings.command, &order, settings.builder_deadline).await?;
        drop(order);
        if report.outcome == Outcome::Ok && report.artifact {
            self.keep(work.key, &out).await?;
        }
        Ok(report)
    }

    /// Takes in what a builder wrote.
    async fn keep(&self, key: ArtifactKey, out: &Path) -> io::Result<()> {
        let (disk, out) = (self.disk.clone(), out.to_owned());
        let put = move || {
            let raw = std::fs::read(out)?;
            let gone = disk.put(&key, &raw)?;
            Ok::<_, io::Error>((SealedFile::sealed(&raw)?, gone))
        };
        let (file, gone) = tokio::task::spawn_blocking(put).await.map_err(io::Error::other)??;
        self.counters.evictions.with_label_values(&["disk"]).inc_by(gone);
        self.memory.insert(key, Arc::new(file));
        self.weigh();
        Ok(())
    }

    fn weigh(&self) {
        self.counters.bytes.with_label_values(&["disk"]).set(self.disk.bytes().cast_signed());
        self.counters.bytes.with_label_values(&["memory"]).set(self.memory.bytes().cast_signed());
    }

    /// Removes artifacts that nobody needs any more. Blocks.
    pub fn remove(&self, keys: &[ArtifactKey]) {
        for key in keys {
            self.memory.remove(key);
            self.disk.remove(key);
            lock(&self.unfit).remove(key);
        }
        self.weigh();
    }

    /// Removes every artifact that `needed` denies. Blocks.
    pub fn retain(&self, needed: impl Fn(&ArtifactKey) -> bool) {
        self.disk.retain(needed);
        self.weigh();
    }

    /// Asks whoever has [`Workshop::wants`] to build an app's functions in the background.
    pub fn want(&self, app: &str) {
        // When the queue is full, the next miss asks again.
        let _ = self.wanted.try_send(app.to_owned());
    }

    async fn load(&self, key: ArtifactKey) -> Result<Arc<SealedFile>, Miss> {
        let _permit = self.loads.acquire().await;
        let disk = self.disk.clone();
        let read = move || SealedFile::sealed(&disk.get(&key)?).map_err(Miss::Io);
        let read = tokio::task::spawn_blocking(read).await.map_err(|error| Miss::Io(io::Error::other(error)))?;
        read.map(Arc::new)
    }

    async fn find(&self, function: &FunctionVersion) -> Option<Arc<SealedFile>> {
        let key = function.artifact?;
        if lock(&self.unfit).get(&key).is_some_and(|times| *times >= UNFIT_MAX) {
            self.counters.misses.with_label_values(&["barred"]).inc();
            return None;
        }
        match self.memory.get(&key, || self.load(key)).await {
            Ok((file, from)) => {
                match from {
                    From::Cache => self.counters.hits.inc(),
                    From::Load => {
                        self.counters.loads.inc();
                        self.weigh();
                    }
                }
                Some(file)
            }
            Err(miss) => {
                let why = match &miss {
                    Miss::Absent => "absent",
                    Miss::Damaged(_) => "damaged",
                    Miss::Io(_) => "unreadable",
                };
                self.counters.misses.with_label_values(&[why]).inc();
                tracing::warn!(function = function.spec.label(), %key, "an artifact {miss}; it is built again");
                self.want(&function.spec.app);
                None
            }
        }
    }
}

impl Artifacts for Workshop {
    fn get<'a>(
        &'a self,
        function: &'a FunctionVersion,
    ) -> Pin<Box<dyn Future<Output = Option<Arc<SealedFile>>> + Send + 'a>> {
        Box::pin(self.find(function))
    }

    fn unfit(&self, function: &FunctionVersion, why: &str) {
        let Some(key) = function.artifact else { return };
        self.counters.unfit.inc();
        let times = {
            let mut unfit = lock(&self.unfit);
            let times = unfit.entry(key).or_default();
            *times = times.saturating_add(1);
            *times
        };
        tracing::error!(function = function.spec.label(), %key, why, times, "a cell could not use an artifact");
        self.memory.remove(&key);
        if times < UNFIT_MAX {
            // One unlink: no reason to leave the thread.
            self.disk.remove(&key);
            self.want(&function.spec.app);
        }
    }
}
