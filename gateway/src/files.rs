//! Files that are named by digests, in folders named by the first two digits of those: whole on disk, or
//! not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes a folder, and those above it, for this user alone, unless it is there.
///
/// # Errors
/// What the kernel says.
pub fn make_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Has the names in a folder be on disk.
///
/// # Errors
/// What the kernel says.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Writes a file beside its place, for this user alone, and puts it there when it is on disk. What
/// cannot be written whole is removed, since the disk is probably full.
///
/// # Errors
/// What the kernel says.
pub fn write_whole(aside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let write = || {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(aside, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(aside);
    })
}

/// Whether this is one of the folders that such files are kept in: named by two hexadecimal digits, and
/// no link. What else lies there is somebody else's.
pub fn is_shelf(entry: &fs::DirEntry) -> bool {
    let digits = |name: &[u8]| name.len() == 2 && name.iter().all(u8::is_ascii_hexdigit);
    entry.file_type().is_ok_and(|kind| kind.is_dir()) && digits(entry.file_name().as_bytes())
}
