//! What every cell can map and nobody can change, in memory: artifacts, and long texts.

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Write};

/// A sealed memory file: cells map it read-only and shared, so there is one copy a node, which goes
/// with the last of them.
#[derive(Debug)]
pub struct SealedFile {
    /// The memory file. It can be neither written nor resized any more, by anybody.
    pub file: File,
    /// Its length, in bytes.
    pub bytes: u64,
}

impl SealedFile {
    /// Puts `content` into a memory file and seals it.
    ///
    /// # Errors
    /// What the kernel says: no memory, or no descriptor left.
    pub fn sealed(content: &[u8]) -> io::Result<SealedFile> {
        let fd = memfd_create("isle", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        let mut file = File::from(fd);
        file.write_all(content)?;
        let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(SealedFile { file, bytes: content.len() as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn a_sealed_file_can_be_read_and_not_changed() {
        let sealed = SealedFile::sealed(b"artifact").unwrap();
        let mut read = [0; 8];
        sealed.file.read_exact_at(&mut read, 0).unwrap();
        assert_eq!((&read, sealed.bytes), (b"artifact", 8));
        assert!(sealed.file.write_all_at(b"x", 0).is_err() && sealed.file.set_len(1).is_err());
    }
}
