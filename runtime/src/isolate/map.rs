//! Memory maps: the base snapshot, read-only and shared by all cells, and the board.

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

struct Mapping {
    start: NonNull<c_void>,
    length: usize,
}

// SAFETY: a mapping is plain memory that any thread may read; writes go through atomics (`Begun`).
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(file: impl AsFd, length: usize, protection: ProtFlags, flags: MapFlags) -> io::Result<Mapping> {
        let length = NonZeroUsize::new(length).ok_or_else(|| io::Error::other("nothing to map"))?;
        // SAFETY: the kernel chooses the address, so no memory in use is replaced.
        let start = unsafe { mmap(None, length, protection, flags, file, 0) }?;
        Ok(Mapping { start, length: length.get() })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `new` and all borrows of it have ended with `self`.
        let _ = unsafe { munmap(self.start, self.length) };
    }
}

/// Maps a snapshot for the rest of the process's life. V8 reads it whenever it makes an isolate.
///
/// # Errors
/// What the kernel says, or an empty file.
pub fn map_snapshot(file: &File) -> io::Result<&'static [u8]> {
    let length = file.metadata()?.len() as usize;
    let mapping = Mapping::new(file, length, ProtFlags::PROT_READ, MapFlags::MAP_PRIVATE)?;
    let mapping = Box::leak(Box::new(mapping));
    // SAFETY: the mapping is readable, `length` bytes long and never unmapped, being leaked. The
    // cache replaces snapshot files by renaming, never by writing into them, so it does not change.
    Ok(unsafe { std::slice::from_raw_parts(mapping.start.as_ptr() as *const u8, mapping.length) })
}

/// A file, mapped read-only. Its pages are the kernel's own, the same for every process that maps
/// it. (Privately, since kernels before 6.7 share no sealed file; nothing is copied unless written.)
pub struct Mapped(Mapping);

impl Mapped {
    /// Maps a whole file. Nobody may write to it any more: it is replaced by renaming.
    ///
    /// # Errors
    /// What the kernel says, or an empty file.
    pub fn read_only(file: &File) -> io::Result<Mapped> {
        let length = file.metadata()?.len() as usize;
        Mapping::new(file, length, ProtFlags::PROT_READ, MapFlags::MAP_PRIVATE).map(Mapped)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is readable, this long, and lives as long as the borrow of `self`;
        // files that are mapped are not written to.
        unsafe { std::slice::from_raw_parts(self.0.start.as_ptr() as *const u8, self.0.length) }
    }
}

/// The cell's side of [`isle_wire::Board`].
pub struct Begun {
    mapping: Mapping,
}

impl Begun {
    /// Maps the board's memory file.
    ///
    /// # Errors
    /// What the kernel says, or a file of another size.
    pub fn new(file: &File) -> io::Result<Begun> {
        if file.metadata()?.len() != isle_wire::Board::BYTES {
            return Err(io::Error::other("the board has another size"));
        }
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let mapping = Mapping::new(file, isle_wire::Board::BYTES as usize, protection, MapFlags::MAP_SHARED)?;
        Ok(Begun { mapping })
    }

    /// Notes that the invocation is about to enter its handler.
    pub fn mark(&self, invocation: u32) {
        let slot = (invocation & (isle_wire::BOARD_SLOTS_MAX - 1)) as usize;
        // SAFETY: `slot` is below BOARD_SLOTS_MAX, so the four bytes lie in the mapping, aligned
        // since a mapping starts on a page; they are only ever accessed as this atomic.
        let cell = unsafe { &*(self.mapping.start.as_ptr() as *const AtomicU32).add(slot) };
        cell.store(invocation.to_le(), Ordering::Release);
    }
}
