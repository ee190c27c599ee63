//! Tells when the modules of a set of folders may have changed.
//!
//! Folders are watched, not files: many editors save by writing a second file and renaming it over
//! the first, and a watch on a file would stay with the one that is gone. Events are not queued:
//! what matters is that something changed since one last looked ([`tokio::sync::Notify`] keeps
//! exactly that bit).

use crate::failure::{Done, Failure};
use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind, RemoveKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

/// A save is over when nothing happened for this long. 10 ms: editors truncate, write and rename
/// within one or two.
const QUIET: Duration = Duration::from_millis(10);
/// A stream of changes (a bundler at work) is looked at this often at least.
const PATIENCE: Duration = Duration::from_millis(60);

/// Watches folders.
pub struct Watch {
    watcher: RecommendedWatcher,
    changed: Arc<Notify>,
    /// A change was seen that nobody was told of yet: who waited for the end of the save gave up.
    untold: bool,
    watched: BTreeSet<PathBuf>,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the system has no more watches.
    pub fn new() -> Done<Watch> {
        let changed = Arc::new(Notify::new());
        let notified = Arc::clone(&changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error means that events may have been lost.
            if event.is_err() || event.is_ok_and(|event| matters(&event)) {
                notified.notify_one();
            }
        })
        .map_err(|error| Failure::said(format!("cannot watch for changes: {error}")))?;
        Ok(Watch { watcher, changed, untold: false, watched: BTreeSet::new() })
    }

    /// Watches exactly these folders from now on, and says whether there is a new one among them:
    /// what changed in it before is not reported.
    ///
    /// # Errors
    /// When a folder that exists cannot be watched.
    pub fn set(&mut self, folders: &BTreeSet<PathBuf>) -> Done<bool> {
        let mut new = false;
        for gone in self.watched.difference(folders).cloned().collect::<Vec<_>>() {
            // Fails when the folder itself is gone, and its watch with it.
            drop(self.watcher.unwatch(&gone));
            self.watched.remove(&gone);
        }
        for folder in folders {
            // A folder that was removed and made again needs a new watch; for one that is watched
            // already this changes nothing.
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => new |= self.watched.insert(folder.clone()),
                Err(_) if !folder.is_dir() => {}
                Err(error) => {
                    return Err(Failure::said(format!("cannot watch {} for changes: {error}", folder.display())));
                }
            }
        }
        Ok(new)
    }

    /// Waits for a change, and then until the save is over. Who gives up waiting misses nothing:
    /// the next call returns for that change.
    pub async fn changed(&mut self) {
        if !self.untold {
            self.changed.notified().await;
            self.untold = true;
        }
        let enough = Instant::now() + PATIENCE;
        while timeout(QUIET, timeout_at(enough, self.changed.notified())).await.is_ok_and(|more| more.is_ok()) {}
        self.untold = false;
    }
}

/// Whether an event can mean that a module, a manifest or a folder is another now.
fn matters(event: &notify::Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => event.paths.iter().any(|path| is_ours(path)),
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
        // Folders come and go with everything that is in them.
        EventKind::Create(CreateKind::Folder) | EventKind::Remove(RemoveKind::Folder) => true,
        EventKind::Modify(ModifyKind::Name(_)) => event.paths.iter().any(|path| is_ours(path) || path.is_dir()),
        _ => event.need_rescan() || event.paths.iter().any(|path| is_ours(path)),
    }
}

fn is_ours(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| {
        name == crate::deploy::MANIFEST || (!name.starts_with('.') && crate::bundle::is_source(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Longer than any of this takes; a test that fails waits so long.
    const LONG: Duration = Duration::from_secs(10);

    fn watching(folder: &Path) -> Watch {
        let mut watch = Watch::new().unwrap();
        watch.set(&BTreeSet::from([folder.to_owned()])).unwrap();
        watch
    }

    #[tokio::test]
    async fn a_save_in_place_and_a_save_by_rename_are_seen() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("hello.js");
        fs::write(&file, "1").unwrap();
        let mut watch = watching(root.path());
        fs::write(&file, "2").unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
        fs::write(root.path().join(".hello.js.swp~"), "3").unwrap();
        fs::rename(root.path().join(".hello.js.swp~"), &file).unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
        fs::write(root.path().join("isle.toml"), "").unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_can_be_removed_and_made_again() {
        let root = tempfile::tempdir().unwrap();
        let lib = root.path().join("lib");
        let folders = BTreeSet::from([root.path().to_owned(), lib.clone()]);
        let mut watch = watching(root.path());
        fs::create_dir(&lib).unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
        watch.set(&folders).unwrap();
        fs::remove_dir(&lib).unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
        watch.set(&folders).unwrap();
        fs::create_dir(&lib).unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
        watch.set(&folders).unwrap();
        fs::write(lib.join("a.js"), "1").unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
    }

    #[tokio::test]
    async fn a_change_outlives_who_waited_for_it() {
        let root = tempfile::tempdir().unwrap();
        let mut watch = watching(root.path());
        watch.changed.notify_one();
        tokio::select! {
            biased;
            () = watch.changed() => panic!("the save is not over yet"),
            () = std::future::ready(()) => {}
        }
        timeout(LONG, watch.changed()).await.unwrap();
        assert!(timeout(Duration::ZERO, watch.changed()).await.is_err(), "told once");
    }

    #[test]
    fn other_peoples_files_do_not_matter() {
        let event = |kind, path: &str| notify::Event::new(kind).add_path(path.into());
        let any = EventKind::Modify(ModifyKind::Any);
        assert!(matters(&event(any, "/a/hello.js")));
        assert!(matters(&event(any, "/a/isle.toml")));
        for other in ["/a/hello.js~", "/a/.hello.js", "/a/4913", "/a/notes.md", "/a/.#hello.js"] {
            assert!(!matters(&event(any, other)), "{other}");
        }
        assert!(!matters(&event(EventKind::Access(AccessKind::Any), "/a/hello.js")));
        assert!(matters(&event(EventKind::Create(CreateKind::Folder), "/a/lib")));
    }
}
