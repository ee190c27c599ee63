//! The guard: whether a function's snapshot may be restored in a process that holds the base.
//!
//! V8 keeps one read-only heap a process, made from the first blob; release builds do not check
//! that a later blob was made on the same. If it was not, isolates read each other's garbage. So
//! the read-only section of a function's blob must be the base's: byte for byte, but for the upper
//! halves of tagged slots (only the lower are encoded; the upper hold what memory held) and the
//! trailing counter of function ids, which only debuggers read.
//!
//! ```text
//!   V8's blob:  u32 contexts … u32 @12 checksum of read-only … u32 @80 end of read-only │ 88 + 4·contexts, to 8 │ u32 magic, u32 length │ section
//!   section:    AllocatePage 0 · Segment 2 · Relocate 3 · RootsTable 4 (the rest) · Finalize 5
//! ```

const READ_ONLY_CHECKSUM_AT: usize = 12;
const END_OF_READ_ONLY_AT: usize = 80;
const HEADER_BYTES: usize = 88;
/// What may differ at the end: the counter of function ids, encoded in up to eight bytes.
const TAIL_BYTES: usize = 16;

fn u32_at(blob: &[u8], at: usize) -> Option<u32> {
    blob.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

/// The read-only section of a blob, without its own header.
fn section(blob: &[u8]) -> Option<&[u8]> {
    let contexts = u32_at(blob, 0)? as usize;
    let start = HEADER_BYTES.checked_add(contexts.checked_mul(4)?)?.next_multiple_of(8) + 8;
    blob.get(start..u32_at(blob, END_OF_READ_ONLY_AT)? as usize)
}

/// The quick check, at every restore: the sections are of one length.
pub fn may_share_process(base: &[u8], function: &[u8]) -> bool {
    match (section(base), section(function)) {
        (Some(base), Some(function)) => base.len() == function.len(),
        _ => false,
    }
}

/// The whole check, before a snapshot is published.
pub fn same_read_only(base: &[u8], function: &[u8]) -> bool {
    let parts = |blob| normalised(section(blob)?);
    match (parts(base), parts(function)) {
        (Some((base, base_tail)), Some((function, function_tail))) => {
            base == function && tails_agree(&base_tail, &function_tail)
        }
        _ => false,
    }
}

/// [`same_read_only`], and if so, the base's checksum of it in the place of the blob's own, which
/// differs with what memory held: code caches name the checksum that they were made under, and now
/// they fit isolates of both.
pub fn share_read_only(base: &[u8], blob: &mut [u8]) -> bool {
    let same = same_read_only(base, blob);
    if same {
        let checksum = READ_ONLY_CHECKSUM_AT..READ_ONLY_CHECKSUM_AT + 4;
        blob[checksum.clone()].copy_from_slice(&base[checksum]);
    }
    same
}

fn tails_agree(base: &[u8], function: &[u8]) -> bool {
    let fixed = base.len().saturating_sub(TAIL_BYTES);
    base.len() == function.len() && base[..fixed] == function[..fixed]
}

/// V8's variable-length number: two low bits of the first byte say how many bytes follow.
fn number(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut word = [0u8; 4];
    let rest = bytes.get(*at..)?;
    let there = rest.len().min(4);
    word[..there].copy_from_slice(&rest[..there]);
    let word = u32::from_le_bytes(word);
    let length = (word & 3) as usize + 1;
    *at += length;
    let mask = if length == 4 { u32::MAX } else { (1 << (8 * length)) - 1 };
    Some(((word & mask) >> 2) as usize)
}

/// The section with every byte that carries no meaning set to zero, and its tail.
fn normalised(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    loop {
        let instruction = *bytes.get(at)?;
        at += 1;
        out.push(instruction);
        match instruction {
            0 => {
                for _ in 0..2 {
                    out.extend_from_slice(&number(bytes, &mut at)?.to_le_bytes());
                }
            }
            2 => {
                let mut size = 0;
                for _ in 0..3 {
                    size = number(bytes, &mut at)?;
                    out.extend_from_slice(&size.to_le_bytes());
                }
                let content_at = out.len();
                out.extend_from_slice(bytes.get(at..at.checked_add(size)?)?);
                at += size;
                if *bytes.get(at)? != 3 {
                    return None;
                }
                at += 1;
                let bitmap_bytes = (size / 8).div_ceil(8);
                let bitmap = bytes.get(at..at + bitmap_bytes)?;
                at += bitmap_bytes;
                for slot in (0..size / 8).filter(|slot| bitmap[slot / 8] >> (slot % 8) & 1 == 1) {
                    out[content_at + slot * 8 + 4..content_at + slot * 8 + 8].fill(0);
                }
                out.extend_from_slice(bitmap);
            }
            4 => return Some((out, bytes[at..].to_vec())),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(section: &[u8]) -> Vec<u8> {
        let mut blob = vec![0u8; 96];
        blob[80..84].copy_from_slice(&((96 + section.len()) as u32).to_le_bytes());
        blob.extend_from_slice(section);
        blob
    }

    /// One page, one segment of 16 bytes whose first slot is tagged, a roots table.
    fn section_with(upper_half: u8, payload: u8, roots: u8) -> Vec<u8> {
        let mut section = vec![0, 1 << 2, 4 << 2, 2, 0, 0, 16 << 2];
        section.extend([7, 7, 7, 7, upper_half, upper_half, upper_half, upper_half]);
        section.extend([payload; 8]);
        section.extend([3, 0b1]);
        section.push(4);
        section.extend([roots; 4]);
        section.extend([payload; TAIL_BYTES]);
        section
    }

    #[test]
    fn only_meaningless_bytes_may_differ() {
        let base = blob(&section_with(0xaa, 1, 9));
        let mut other_counter = section_with(0xbb, 1, 9);
        let last = other_counter.len() - 1;
        other_counter[last] = 0x55;
        assert!(same_read_only(&base, &blob(&other_counter)), "upper halves and the counter");
        assert!(!same_read_only(&base, &blob(&section_with(0xaa, 2, 9))), "content");
        assert!(!same_read_only(&base, &blob(&section_with(0xaa, 1, 8))), "roots");
    }

    #[test]
    fn only_who_shares_the_read_only_part_gets_its_checksum() {
        let with_checksum = |section: Vec<u8>, checksum: u8| {
            let mut blob = blob(&section);
            blob[READ_ONLY_CHECKSUM_AT..READ_ONLY_CHECKSUM_AT + 4].fill(checksum);
            blob
        };
        let base = with_checksum(section_with(0xaa, 1, 9), 0x11);
        let mut same = with_checksum(section_with(0xbb, 1, 9), 0x22);
        let expected = with_checksum(section_with(0xbb, 1, 9), 0x11);
        assert!(share_read_only(&base, &mut same));
        assert_eq!(same, expected);
        let mut other = with_checksum(section_with(0xaa, 2, 9), 0x22);
        let before = other.clone();
        assert!(!share_read_only(&base, &mut other));
        assert_eq!(other, before);
    }

    #[test]
    fn garbage_never_passes_and_never_panics() {
        let base = blob(&section_with(0xaa, 1, 9));
        for length in 0..base.len() {
            assert!(!same_read_only(&base, &base[..length]));
        }
        let mut state = 1u32;
        for _ in 0..2_000 {
            let noise: Vec<u8> = (0..160)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            assert!(!same_read_only(&base, &noise));
        }
        let longer = blob(&[section_with(0xaa, 1, 9), vec![0]].concat());
        assert!(may_share_process(&base, &base) && !may_share_process(&base, &longer));
    }
}
