//! The board: which invocations a cell has begun, and which snapshots it is restoring, readable after
//! the cell's death.
//!
//! A request that a dead cell had begun must not be run again (its effects may have happened); one
//! that it had not begun must be. Asking each time would cost a message per request. Instead the
//! gateway makes a small memory file, the cell maps it, and an isolate's thread stores the
//! invocation's ticket at the invocation's slot just before it enters the handler: one store, no
//! system call. After a death, however violent, the gateway reads the file.
//!
//! Behind the invocations stand the numbers of the versions whose snapshots are being restored just
//! then: if one of them ended the process, it must not do so at every request.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Slots on a board: the most invocations one cell can hold at one time.
pub const BOARD_SLOTS_MAX: u32 = 4_096;
/// The slot of an invocation: the low bits of its id. A ticket is above.
pub const fn slot_of(invocation: u32) -> u32 {
    invocation & (BOARD_SLOTS_MAX - 1)
}

/// Places for versions that are being restored.
pub const RESTORES_MAX: u32 = 64;

/// The gateway's side of a board.
#[derive(Debug)]
pub struct Board {
    file: File,
}

impl Board {
    /// Bytes of the memory file.
    pub const BYTES: u64 = (BOARD_SLOTS_MAX as u64 + RESTORES_MAX as u64) * 4;

    /// Takes over a fresh memory file and gives it its size.
    ///
    /// # Errors
    /// What the kernel says when the file cannot be sized.
    pub fn new(file: File) -> std::io::Result<Board> {
        file.set_len(Self::BYTES)?;
        Ok(Board { file })
    }

    /// Whether the invocation with this id was begun.
    /// An unreadable board counts as begun: better an error than a handler run twice.
    pub fn begun(&self, invocation: u32) -> bool {
        self.read(slot_of(invocation)).is_none_or(|written| written == invocation)
    }

    /// Versions whose snapshots are being restored. The cell writes these: they need not exist.
    pub fn restoring(&self) -> Vec<u32> {
        let places = BOARD_SLOTS_MAX..BOARD_SLOTS_MAX + RESTORES_MAX;
        places.filter_map(|place| self.read(place)).filter(|&version| version != 0).collect()
    }

    fn read(&self, place: u32) -> Option<u32> {
        let mut cell = [0u8; 4];
        self.file.read_exact_at(&mut cell, u64::from(place) * 4).ok()?;
        Some(u32::from_le_bytes(cell))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_speaks_only_for_the_invocation_written_there() {
        let path = std::env::temp_dir().join(format!("isle-board-{}", std::process::id()));
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let writer = file.try_clone().unwrap();
        let board = Board::new(file).unwrap();
        let (first, later) = (0x1007u32, 0x2007u32);
        assert!(!board.begun(first));
        writer.write_all_at(&first.to_le_bytes(), 7 * 4).unwrap();
        assert!(board.begun(first));
        assert!(!board.begun(later), "a later tenant of the slot has not begun");
        assert_eq!(board.restoring(), [0u32; 0]);
        for (place, version) in [(0, 5u32), (RESTORES_MAX - 1, 9)] {
            writer.write_all_at(&version.to_le_bytes(), u64::from(BOARD_SLOTS_MAX + place) * 4).unwrap();
        }
        assert_eq!(board.restoring(), [5, 9]);
    }
}
