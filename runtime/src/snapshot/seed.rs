//! The seed of V8's hashes: a node's own secret, so that nobody can prepare keys that all collide.
//!
//! V8 would take the seed that its library was built with, the same everywhere. Hashes are part of
//! a snapshot, so the seed is drawn once, kept beside the base snapshots and part of their names.
//! Drawing one at each restore would mean to hash all that is restored anew.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

const NAME: &str = "hash-seed";

/// The seed of the snapshots in `cache`, drawn if there is none yet. Never 0: that means none to V8.
///
/// # Errors
/// The folder cannot be read or written, or the file holds something else.
pub fn of(cache: &Path) -> io::Result<u64> {
    let path = cache.join(NAME);
    match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        seed => return seed,
    }
    // V8 reads the number as a signed one.
    let seed = (getrandom::u64().map_err(io::Error::other)? >> 1).max(1);
    let part = cache.join(format!("{NAME}.part-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(format!("{seed:016x}\n").as_bytes())?;
    file.sync_all()?;
    // A link, so that of two nodes with one cache the first wins and both have the same.
    let linked = fs::hard_link(&part, &path);
    fs::remove_file(&part)?;
    match linked {
        Ok(()) => Ok(seed),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(&path),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> io::Result<u64> {
    let mut text = String::new();
    fs::File::open(path)?.take(64).read_to_string(&mut text)?;
    let seed = u64::from_str_radix(text.trim(), 16).ok().filter(|seed| (1..=u64::MAX >> 1).contains(seed));
    seed.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a number in hex; remove it to have a new one"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_cache_has_one_seed_of_its_own() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let seed = of(one.path()).unwrap();
        assert_eq!(of(one.path()).unwrap(), seed);
        assert_ne!(of(other.path()).unwrap(), seed);
        let mode = fs::metadata(one.path().join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(one.path()).unwrap().count(), 1, "nothing is left beside it");
        fs::write(one.path().join(NAME), "0\n").unwrap();
        assert_eq!(of(one.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
