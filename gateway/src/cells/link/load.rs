//! Which function versions a cell knows, and how it comes to know them.
//!
//! ```text
//!   unknown ── load ─▶ fetching ── text and artifact are there ─▶ ready ── unused, or room is needed ─▶ unknown
//!                         └── there is no text ─▶ unknown
//! ```
//!
//! Fetching waits for disks, so it has a task of its own: requests of other functions go on, and a
//! client that leaves does not leave the others without. A version that an invocation is in stays.

use super::{Link, Outgoing, lock, number};
use crate::route::{FunctionVersion, Packed};
use bytes::BytesMut;
use isle_wire::{Frame, LoadReply, StartKind};
use std::collections::hash_map;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// The function's text could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLoaded;

/// Why nothing came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cells) enum Unchecked {
    /// The function's text could not be had.
    NotLoaded,
    /// The cell died of it.
    Died,
}

/// A version that a cell knows; held by every invocation of it.
#[derive(Debug)]
pub struct Loaded {
    function: Arc<FunctionVersion>,
    /// When it was last asked for, in ms of the link's clock.
    used_ms: AtomicU64,
}

impl Loaded {
    pub(super) fn used(&self, at_ms: u64) {
        self.used_ms.store(at_ms, Ordering::Relaxed);
    }
}

/// A version in the books.
#[derive(Debug)]
pub(super) struct Entry {
    loaded: Arc<Loaded>,
    /// Bytes of text that the cell keeps; `None` while they are fetched.
    bytes: Option<u64>,
    waiting: Vec<oneshot::Sender<Result<(), NotLoaded>>>,
}

impl Entry {
    /// For an invocation, if it may begin.
    pub fn ready(&self) -> Option<Arc<Loaded>> {
        self.bytes.map(|_| self.loaded.clone())
    }

    pub fn function(&self) -> &Arc<FunctionVersion> {
        &self.loaded.function
    }

    fn is_idle(&self) -> bool {
        self.bytes.is_some() && Arc::strong_count(&self.loaded) == 1
    }

    /// Has the cell unload it. Until it is gone there, it is remembered.
    fn tell_unloaded(&self, buffer: &mut BytesMut, retired: &mut Vec<Arc<FunctionVersion>>) {
        Frame::Unload { version: number(self.function()) }.encode(buffer);
        retired.push(self.function().clone());
    }
}

impl Link {
    pub(super) fn function(&self, version: u32) -> Option<Arc<FunctionVersion>> {
        lock(&self.out).function(version)
    }

    /// Waits until the cell knows the function; fetches it first if nobody does. The cell may have
    /// forgotten it again by the time that this is noticed: then [`Link::begin`] says so again.
    ///
    /// # Errors
    /// [`NotLoaded`].
    pub async fn load(self: &Arc<Self>, function: &Arc<FunctionVersion>) -> Result<(), NotLoaded> {
        let (sender, receiver) = oneshot::channel();
        match lock(&self.out).loaded.entry(number(function)) {
            hash_map::Entry::Occupied(mut entry) if entry.get().bytes.is_none() => entry.get_mut().waiting.push(sender),
            hash_map::Entry::Occupied(_) => return Ok(()),
            hash_map::Entry::Vacant(entry) => {
                let loaded = Loaded { function: function.clone(), used_ms: AtomicU64::new(self.now_ms()) };
                entry.insert(Entry { loaded: Arc::new(loaded), bytes: None, waiting: vec![sender] });
                tokio::spawn(self.clone().fetch(function.clone()));
            }
        }
        // Nobody answers when it was unloaded meanwhile.
        receiver.await.unwrap_or(Ok(()))
    }

    fn now_ms(&self) -> u64 {
        self.epoch.elapsed().as_millis() as u64
    }

    async fn fetch(self: Arc<Self>, function: Arc<FunctionVersion>) {
        let version = number(&function);
        let artifact = match function.plan {
            StartKind::Pooled | StartKind::Snapshot => self.artifacts.get(&function).await,
            StartKind::Warm | StartKind::Source | StartKind::None => None,
        };
        let packed = match function.packed_spec().await {
            Ok(packed) => packed,
            Err(lost) => {
                tracing::error!(function = function.spec.label(), %lost, "a function cannot be loaded");
                let entry = lock(&self.out).loaded.remove(&version);
                for waiter in entry.into_iter().flat_map(|entry| entry.waiting) {
                    let _ = waiter.send(Err(NotLoaded));
                }
                return;
            }
        };
        self.room().await;
        let mut waiting = Vec::new();
        self.append(|out| {
            let Outgoing { buffer, files, loaded, .. } = out;
            // Unloaded meanwhile, and perhaps loaded again by another.
            let Some(entry) = loaded.get_mut(&version).filter(|entry| entry.bytes.is_none()) else { return };
            entry.bytes = Some(packed.bytes());
            waiting = std::mem::take(&mut entry.waiting);
            let place = buffer.len();
            let Packed { spec, texts } = packed;
            let plan = function.plan;
            Frame::Load { version, plan, artifact: artifact.is_some(), texts: texts.is_some(), spec }.encode(buffer);
            let together: Vec<_> = artifact.into_iter().chain(texts).collect();
            if !together.is_empty() {
                files.push_back((place, together));
            }
            self.make_room(out, version);
        });
        for waiter in waiting {
            // Nobody may wait any more.
            let _ = waiter.send(Ok(()));
        }
    }

    /// Unloads what was not asked for longest until the cell knows no more than it may. A tenth
    /// more, so that this is not done again for the next.
    fn make_room(&self, out: &mut Outgoing, newest: u32) {
        let (versions_max, bytes_max) = self.loaded_max;
        let mut bytes: u64 = out.loaded.values().filter_map(|entry| entry.bytes).sum();
        if out.loaded.len() <= versions_max && bytes <= bytes_max {
            return;
        }
        let idle = out.loaded.iter().filter(|(version, entry)| **version != newest && entry.is_idle());
        let mut idle: Vec<_> =
            idle.map(|(version, entry)| (entry.loaded.used_ms.load(Ordering::Relaxed), *version)).collect();
        idle.sort_unstable();
        for (_, version) in idle {
            if out.loaded.len() <= versions_max - versions_max / 10 && bytes <= bytes_max - bytes_max / 10 {
                break;
            }
            let Some(entry) = out.loaded.remove(&version) else { continue };
            bytes -= entry.bytes.unwrap_or(0);
            entry.tell_unloaded(&mut out.buffer, &mut out.retired);
        }
    }

    /// Unloads every version for which `keep` says no. Returns how many stay.
    pub(in crate::cells) fn unload(&self, keep: impl Fn(&FunctionVersion) -> bool) -> usize {
        self.unload_entries(|entry| keep(entry.function()))
    }

    /// Unloads what nobody asked for since `age` ago and nothing is in.
    pub(in crate::cells) fn unload_unused(&self, age: Duration) {
        let before = self.now_ms().saturating_sub(age.as_millis() as u64);
        if before > 0 {
            self.unload_entries(|entry| !entry.is_idle() || entry.loaded.used_ms.load(Ordering::Relaxed) > before);
        }
    }

    fn unload_entries(&self, keep: impl Fn(&Entry) -> bool) -> usize {
        let mut out = lock(&self.out);
        let idle = out.buffer.is_empty();
        let Outgoing { buffer, loaded, retired, .. } = &mut *out;
        loaded.retain(|_, entry| {
            let keep = keep(entry);
            if !keep && entry.bytes.is_some() {
                entry.tell_unloaded(buffer, retired);
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

    /// Has the cell start the function once. One check at a time.
    ///
    /// # Errors
    /// [`Unchecked`].
    pub(in crate::cells) async fn check(
        self: &Arc<Self>,
        function: &Arc<FunctionVersion>,
    ) -> Result<LoadReply, Unchecked> {
        let (sender, receiver) = oneshot::channel();
        lock(&self.reports).checked = Some(sender);
        self.muted.store(true, Ordering::Relaxed);
        self.load(function).await.map_err(|NotLoaded| Unchecked::NotLoaded)?;
        self.send(&Frame::Check { version: number(function) });
        receiver.await.map_err(|_| Unchecked::Died)
    }

    /// Whether all that was ever asked for here is unloaded.
    pub(in crate::cells) fn is_done(&self) -> bool {
        self.begun_total() > 0 && lock(&self.out).loaded.is_empty()
    }

    /// Versions that the cell knows.
    #[cfg(test)]
    pub(in crate::cells) fn loaded(&self) -> usize {
        lock(&self.out).loaded.len()
    }
}
