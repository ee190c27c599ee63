//! Artifacts on disk: compressed, checksummed, bounded.
//!
//! ```text
//!   "ISLEZST1" │ key, 32 bytes │ u64 raw length │ u64 packed length │ SHA-256 of all else │ zstd
//! ```
//!
//! A file is written aside, synced and renamed. Whatever else is found under a key (a file cut off,
//! changed, of another key or another format) is removed and is a miss. When the files together
//! are more than the node grants, the least recently used go.

use super::key::{ArtifactKey, KEY_BYTES};
use super::lock;
use crate::files::{is_shelf, make_dir, sync_dir, write_whole};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

const MAGIC: &[u8; 8] = b"ISLEZST1";
const DIGEST_AT: usize = 8 + KEY_BYTES + 16;
const HEAD_BYTES: usize = DIGEST_AT + 32;
/// No artifact is longer, in bytes: twice the largest file that a builder may write.
const RAW_BYTES_MAX: u64 = 512 << 20;
/// Faster than the disk, and within a tenth of what the slow levels reach on heap snapshots.
const LEVEL: i32 = 3;

/// Why there is no artifact under a key.
#[derive(Debug)]
pub enum Miss {
    /// There is no file.
    Absent,
    /// There was one, and it was not what it should be: it is removed.
    Damaged(&'static str),
    /// It could not be read.
    Io(io::Error),
}

impl std::fmt::Display for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Miss::Absent => f.write_str("is not there"),
            Miss::Damaged(what) => write!(f, "is damaged: {what}"),
            Miss::Io(error) => write!(f, "cannot be read: {error}"),
        }
    }
}

#[derive(Debug)]
struct Entry {
    bytes: u64,
    /// Greater is later.
    used: u64,
}

#[derive(Debug, Default)]
struct Index {
    files: HashMap<ArtifactKey, Entry>,
    bytes: u64,
    clock: u64,
}

impl Index {
    fn insert(&mut self, key: ArtifactKey, bytes: u64) {
        self.remove(&key);
        self.clock += 1;
        self.bytes += bytes;
        self.files.insert(key, Entry { bytes, used: self.clock });
    }

    fn remove(&mut self, key: &ArtifactKey) {
        if let Some(entry) = self.files.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    fn touch(&mut self, key: &ArtifactKey) {
        self.clock += 1;
        if let Some(entry) = self.files.get_mut(key) {
            entry.used = self.clock;
        }
    }

    /// Takes the least recently used out, if there is another beside `keep`.
    fn oldest(&self, keep: &ArtifactKey) -> Option<ArtifactKey> {
        let others = self.files.iter().filter(|(key, _)| *key != keep);
        others.min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key)
    }
}

/// The folder of all artifacts. Its calls block.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    bytes_max: u64,
    index: Mutex<Index>,
    asides: AtomicU64,
}

fn digest(head: &[u8], packed: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(head).chain_update(packed).finalize().into()
}

fn encode(key: &ArtifactKey, raw: &[u8]) -> io::Result<Vec<u8>> {
    let packed = zstd::bulk::compress(raw, LEVEL)?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + packed.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(key.bytes());
    bytes.extend_from_slice(&(raw.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&(packed.len() as u64).to_le_bytes());
    let digest = digest(&bytes, &packed);
    bytes.extend_from_slice(&digest);
    bytes.extend_from_slice(&packed);
    Ok(bytes)
}

/// What a file's head says: the raw and the packed length.
fn head(key: &ArtifactKey, bytes: &[u8], file_bytes: u64) -> Result<(u64, u64), &'static str> {
    let head = bytes.get(..HEAD_BYTES).ok_or("the head is cut off")?;
    let rest = head.strip_prefix(MAGIC).ok_or("it has another format")?;
    let (found, rest) = rest.split_at(KEY_BYTES);
    if found != key.bytes() {
        return Err("it has another key");
    }
    let number = |at: usize| rest[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or(u64::MAX);
    let (raw, packed) = (number(0), number(8));
    if raw > RAW_BYTES_MAX {
        return Err("it claims to be too long");
    }
    if packed.checked_add(HEAD_BYTES as u64) != Some(file_bytes) {
        return Err("it is cut off or longer than it says");
    }
    Ok((raw, packed))
}

fn decode(key: &ArtifactKey, bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let (raw_bytes, _) = head(key, bytes, bytes.len() as u64)?;
    let (head, packed) = bytes.split_at(HEAD_BYTES);
    if digest(&head[..DIGEST_AT], packed) != head[DIGEST_AT..] {
        return Err("the checksum is another");
    }
    let raw = zstd::bulk::decompress(packed, raw_bytes as usize).map_err(|_| "it cannot be decompressed")?;
    if raw.len() as u64 == raw_bytes { Ok(raw) } else { Err("it is shorter than it says") }
}

impl Disk {
    /// Opens the folder, made if it is missing. Files that are no artifacts are removed where those
    /// are kept; whole ones are found by their heads, and read only when they are used. Whatever
    /// else is there is somebody else's, and stays.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(root: &Path, bytes_max: u64) -> io::Result<Disk> {
        make_dir(root)?;
        match fs::remove_dir_all(root.join("work")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        make_dir(&root.join("work"))?;
        let mut found = Vec::new();
        for folder in fs::read_dir(root)? {
            let folder = folder?;
            if is_shelf(&folder)
                && let Err(error) = look_through(&folder.path(), &mut found)
            {
                tracing::warn!(folder = %folder.path().display(), %error, "artifacts that cannot be read are not used");
            }
        }
        found.sort_by_key(|(_, _, used)| *used);
        let disk = Disk { root: root.to_owned(), bytes_max, index: Mutex::default(), asides: AtomicU64::new(0) };
        {
            let mut index = lock(&disk.index);
            found.into_iter().for_each(|(key, bytes, _)| index.insert(key, bytes));
        }
        Ok(disk)
    }

    /// Where a file is or would be.
    pub fn path(&self, key: &ArtifactKey) -> PathBuf {
        let name = key.to_string();
        self.root.join(&name[..2]).join(name)
    }

    /// A path of its own for something that is being made. It is empty after every start.
    pub fn aside(&self) -> PathBuf {
        self.root.join("work").join(self.asides.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Whether there is a file under the key; it may still turn out to be damaged.
    pub fn has(&self, key: &ArtifactKey) -> bool {
        lock(&self.index).files.contains_key(key)
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        lock(&self.index).bytes
    }

    /// Keeps `raw` under `key`, on disk when this returns. Returns how many files had to go for it.
    ///
    /// # Errors
    /// It cannot be written, or is more than the node grants to all.
    pub fn put(&self, key: &ArtifactKey, raw: &[u8]) -> io::Result<u64> {
        if raw.len() as u64 > RAW_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the artifact is too long"));
        }
        let bytes = encode(key, raw)?;
        if bytes.len() as u64 > self.bytes_max {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the artifact is more than artifacts.disk_mb"));
        }
        let path = self.path(key);
        let folder = path.parent().unwrap_or(&self.root);
        if !folder.is_dir() {
            make_dir(folder)?;
            sync_dir(&self.root)?;
        }
        write_whole(&self.aside(), &path, &bytes)?;
        sync_dir(folder)?;
        lock(&self.index).insert(*key, bytes.len() as u64);
        Ok(self.make_room(key))
    }

    fn make_room(&self, keep: &ArtifactKey) -> u64 {
        let mut gone = 0;
        loop {
            let oldest = {
                let index = lock(&self.index);
                if index.bytes > self.bytes_max { index.oldest(keep) } else { None }
            };
            let Some(oldest) = oldest else { return gone };
            self.remove(&oldest);
            gone += 1;
        }
    }

    /// Reads an artifact, checked and decompressed.
    ///
    /// # Errors
    /// [`Miss`].
    pub fn get(&self, key: &ArtifactKey) -> Result<Vec<u8>, Miss> {
        let path = self.path(key);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                lock(&self.index).remove(key);
                return Err(Miss::Absent);
            }
            Err(error) => return Err(Miss::Io(error)),
        };
        match decode(key, &bytes) {
            Ok(raw) => {
                lock(&self.index).touch(key);
                // So that the order of use outlives the process. What cannot be touched is old sooner.
                let touched = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
                drop(touched);
                Ok(raw)
            }
            Err(what) => {
                self.remove(key);
                Err(Miss::Damaged(what))
            }
        }
    }

    /// Removes a file. What cannot be removed stays until the next start.
    pub fn remove(&self, key: &ArtifactKey) {
        lock(&self.index).remove(key);
        match fs::remove_file(self.path(key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%key, %error, "an artifact that is not needed any more stays");
            }
            _ => {}
        }
    }

    /// Removes every file that `needed` denies.
    pub fn retain(&self, needed: impl Fn(&ArtifactKey) -> bool) {
        let gone: Vec<_> = lock(&self.index).files.keys().filter(|key| !needed(key)).copied().collect();
        gone.iter().for_each(|key| self.remove(key));
    }
}

/// Adds the artifacts of a folder to `found`, and removes files that are none.
fn look_through(folder: &Path, found: &mut Vec<(ArtifactKey, u64, SystemTime)>) -> io::Result<()> {
    for file in fs::read_dir(folder)? {
        let file = file?;
        if !file.file_type()?.is_file() {
            continue;
        }
        let path = file.path();
        match examine(&path) {
            Some(artifact) => found.push(artifact),
            None => {
                if let Err(error) = fs::remove_file(&path) {
                    tracing::warn!(file = %path.display(), %error, "a file that is no artifact stays");
                }
            }
        }
    }
    Ok(())
}

/// A file that says of itself that it is a whole artifact: key, length and when it was last used.
fn examine(path: &Path) -> Option<(ArtifactKey, u64, SystemTime)> {
    let key: ArtifactKey = path.file_name()?.to_str()?.parse().ok()?;
    let mut file = File::open(path).ok()?;
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
    let mut bytes = [0; HEAD_BYTES];
    file.read_exact(&mut bytes).ok()?;
    head(&key, &bytes, metadata.len()).ok()?;
    Some((key, metadata.len(), metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn key(byte: u8) -> ArtifactKey {
        ArtifactKey::from_bytes([byte; KEY_BYTES])
    }

    /// Bytes that hardly compress, so that sizes on disk can be told beforehand.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 7u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn what_was_put_comes_back_and_survives_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::open(home.path(), 1 << 20).unwrap();
        let raw = noise(5_000);
        assert!(matches!(disk.get(&key(1)), Err(Miss::Absent)));
        disk.put(&key(1), &raw).unwrap();
        disk.put(&key(2), b"").unwrap();
        for disk in [&disk, &Disk::open(home.path(), 1 << 20).unwrap()] {
            assert!(disk.has(&key(1)) && !disk.has(&key(3)));
            assert_eq!((disk.get(&key(1)).unwrap(), disk.get(&key(2)).unwrap()), (raw.clone(), Vec::new()));
        }
    }

    #[test]
    fn a_file_changed_anywhere_is_a_miss_and_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::open(home.path(), 1 << 20).unwrap();
        let raw = noise(300);
        disk.put(&key(1), &raw).unwrap();
        let path = disk.path(&key(1));
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            fs::write(&path, changed).unwrap();
            assert!(matches!(disk.get(&key(1)), Err(Miss::Damaged(_))), "byte {at}");
            assert!(!path.exists() && !disk.has(&key(1)));
        }
        disk.put(&key(1), &raw).unwrap();
        assert_eq!(disk.get(&key(1)).unwrap(), raw);
    }

    #[test]
    fn a_file_cut_off_or_lengthened_is_a_miss_and_is_not_even_listed() {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::open(home.path(), 1 << 20).unwrap();
        disk.put(&key(1), &noise(300)).unwrap();
        let path = disk.path(&key(1));
        let whole = fs::read(&path).unwrap();
        let longer = [&whole[..], b"x"].concat();
        let cuts = (0..whole.len()).map(|length| &whole[..length]).chain([&longer[..]]);
        for bytes in cuts {
            fs::write(&path, bytes).unwrap();
            assert!(matches!(disk.get(&key(1)), Err(Miss::Damaged(_))));
            fs::write(&path, bytes).unwrap();
            let again = Disk::open(home.path(), 1 << 20).unwrap();
            assert!(!again.has(&key(1)) && !path.exists());
        }
    }

    #[test]
    fn a_file_under_anothers_name_is_a_miss() {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::open(home.path(), 1 << 20).unwrap();
        disk.put(&key(1), b"one").unwrap();
        make_dir(disk.path(&key(2)).parent().unwrap()).unwrap();
        fs::copy(disk.path(&key(1)), disk.path(&key(2))).unwrap();
        assert!(matches!(disk.get(&key(2)), Err(Miss::Damaged("it has another key"))));
        fs::write(disk.path(&key(1)).with_file_name("notes.txt"), "mine").unwrap();
        fs::write(disk.aside(), "half").unwrap();
        let again = Disk::open(home.path(), 1 << 20).unwrap();
        assert_eq!(again.get(&key(1)).unwrap(), b"one");
        assert!(!disk.path(&key(1)).with_file_name("notes.txt").exists());
        assert_eq!(fs::read_dir(home.path().join("work")).unwrap().count(), 0);
    }

    #[test]
    fn what_others_keep_in_the_folder_stays_and_is_in_nobodys_way() {
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let disk = Disk::open(home.path(), 1 << 20).unwrap();
        disk.put(&key(1), b"one").unwrap();
        let theirs = |path: PathBuf| {
            make_dir(path.parent().unwrap()).unwrap();
            fs::write(&path, "theirs").unwrap();
            path
        };
        let kept = [
            theirs(home.path().join("stray/notes.txt")),
            theirs(home.path().join("lost+found/1234")),
            theirs(disk.path(&key(1)).with_file_name("folder").join("notes.txt")),
            theirs(other.path().join("notes.txt")),
        ];
        fs::set_permissions(home.path().join("lost+found"), fs::Permissions::from_mode(0o0)).unwrap();
        std::os::unix::fs::symlink(other.path(), home.path().join("ab")).unwrap();
        let again = Disk::open(home.path(), 1 << 20).unwrap();
        assert_eq!(again.get(&key(1)).unwrap(), b"one");
        fs::set_permissions(home.path().join("lost+found"), fs::Permissions::from_mode(0o700)).unwrap();
        for path in kept {
            assert!(path.exists(), "{}", path.display());
        }
    }

    #[test]
    fn what_finds_no_room_leaves_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::open(home.path(), 1 << 20).unwrap();
        std::os::unix::fs::symlink("/dev/full", home.path().join("work/0")).unwrap();
        assert_eq!(disk.put(&key(1), b"one").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(!disk.has(&key(1)));
        assert_eq!(fs::read_dir(home.path().join("work")).unwrap().count(), 0);
        disk.put(&key(1), b"one").unwrap();
    }

    #[test]
    fn the_folder_is_bounded_and_the_least_recently_used_go() {
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::open(home.path(), 35_000).unwrap();
        let raw = noise(10_000);
        for number in 1..=3 {
            assert_eq!(disk.put(&key(number), &raw).unwrap(), 0);
        }
        disk.get(&key(1)).unwrap();
        assert_eq!(disk.put(&key(4), &raw).unwrap(), 1);
        assert_eq!([1, 2, 3, 4].map(|number| disk.has(&key(number))), [true, false, true, true]);
        assert!(disk.bytes() <= 35_000 && !disk.path(&key(2)).exists());
        assert!(disk.put(&key(5), &noise(40_000)).is_err(), "one that is more than all may be");
        disk.retain(|needed| *needed == key(3));
        assert_eq!((disk.has(&key(3)), disk.has(&key(4))), (true, false));
    }
}
