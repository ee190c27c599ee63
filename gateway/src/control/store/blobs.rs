//! Blobs: immutable files named by the SHA-256 of their content, below `<data_dir>/blobs/ab/`.
//!
//! A blob that [`Blobs::put`] returned for is on disk whole, whatever happens next: it is written
//! aside, synced, renamed, and the folders are synced. What cannot be written whole is removed, since
//! the disk is probably full. Names that nothing refers to may be left behind by a crash;
//! [`Blobs::sweep`] removes them when the node starts.

use super::super::bundle::digest;
use crate::files::{is_shelf, make_dir, sync_dir, write_whole};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of all blobs.
#[derive(Debug)]
pub(super) struct Blobs {
    root: PathBuf,
}

impl Blobs {
    pub(super) fn open(data_dir: &Path) -> io::Result<Blobs> {
        let root = data_dir.join("blobs");
        make_dir(&root)?;
        sync_dir(data_dir)?;
        Ok(Blobs { root })
    }

    /// `name` comes from [`digest`] or the database; at least two characters either way.
    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name.get(..2).unwrap_or("00")).join(name)
    }

    /// Makes sure that the blob is on disk, whole. What is there already is believed only if its
    /// content has that name.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(name);
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        let dir = path.parent().unwrap_or(&self.root);
        make_dir(dir)?;
        sync_dir(&self.root)?;
        write_whole(&path.with_extension("new"), &path, bytes)?;
        sync_dir(dir)
    }

    /// The blob's content, if it is there and its content has that name.
    pub(super) fn get(&self, name: &str) -> io::Result<Vec<u8>> {
        let path = self.path(name);
        let bytes = fs::read(&path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
        if digest(&bytes) == name {
            return Ok(bytes);
        }
        let message = format!("{}: the content does not have its name's digest", path.display());
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }

    /// Removes a blob. What cannot be removed stays until the next sweep.
    pub(super) fn remove(&self, name: &str) {
        if let Err(error) = fs::remove_file(self.path(name)) {
            tracing::debug!(blob = name, %error, "a blob that is not needed any more stays");
        }
    }

    /// Removes what nothing refers to.
    pub(super) fn sweep(&self, needed: impl Fn(&str) -> bool) -> io::Result<()> {
        for dir in fs::read_dir(&self.root)? {
            let dir = dir?;
            if !is_shelf(&dir) {
                continue;
            }
            for file in fs::read_dir(dir.path())? {
                let file = file?;
                let is_needed = file.file_name().to_str().is_some_and(&needed);
                if is_needed || !file.file_type()?.is_file() {
                    continue;
                }
                if let Err(error) = fs::remove_file(file.path()) {
                    tracing::warn!(file = %file.path().display(), %error, "a blob that nobody needs stays");
                }
            }
        }
        Ok(())
    }
}
