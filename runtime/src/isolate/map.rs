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
        self.place(isle_wire::slot_of(invocation)).store(invocation.to_le(), Ordering::Release);
    }

    /// Notes that the version's snapshot is being restored, until what it returns is dropped. `None`
    /// where there is no room to note it.
    pub fn restoring(&self, version: u32) -> Option<Restoring<'_>> {
        let places = isle_wire::BOARD_SLOTS_MAX..isle_wire::BOARD_SLOTS_MAX + isle_wire::RESTORES_MAX;
        let free = |place: &&AtomicU32| {
            place.compare_exchange(0, version.to_le(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        places.map(|place| self.place(place)).find(free).map(Restoring)
    }

    fn place(&self, index: u32) -> &AtomicU32 {
        assert!(u64::from(index) * 4 < isle_wire::Board::BYTES, "beside the board");
        // SAFETY: the four bytes lie in the mapping, as was just asserted, aligned since a mapping
        // starts on a page; they are only ever accessed as this atomic.
        unsafe { &*(self.mapping.start.as_ptr() as *const AtomicU32).add(index as usize) }
    }
}

/// A version is being restored.
pub struct Restoring<'a>(&'a AtomicU32);

impl Drop for Restoring<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isle_wire::{Board, RESTORES_MAX};

    #[test]
    fn the_board_knows_what_is_being_restored_and_no_longer() {
        let file = tempfile::tempfile().unwrap();
        let board = Board::new(file.try_clone().unwrap()).unwrap();
        let begun = Begun::new(&file).unwrap();
        begun.mark(0x1fff);
        assert!(board.begun(0x1fff));
        let (first, second) = (begun.restoring(7), begun.restoring(8));
        assert_eq!(board.restoring(), [7, 8]);
        drop(first);
        assert_eq!(board.restoring(), [8]);
        let more: Vec<_> = (0..RESTORES_MAX + 3).map(|n| begun.restoring(100 + n)).collect();
        assert_eq!(more.iter().filter(|noted| noted.is_some()).count() as u32, RESTORES_MAX - 1);
        drop((second, more));
        assert_eq!(board.restoring(), [0u32; 0]);
    }
}
