//! Request ids: 128 bits that name a request to strangers, in logs and in support mails.
//!
//! They must be unique and look alike everywhere; they authorise nothing, so they need not be
//! secret. Each thread counts from a random start and mixes the count: no lock, no system call.

use bytes::Bytes;
use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Digits of an id.
const DIGITS: usize = 32;
/// The odd constant of SplitMix64: adding it visits every 64-bit number before one comes again.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

thread_local! {
    static STATE: Cell<(u64, u64)> = Cell::new((random(), random()));
}

fn random() -> u64 {
    // Keys of the standard library's hash maps come from the operating system, without an error path.
    RandomState::new().build_hasher().finish()
}

/// The finalizer of SplitMix64: a permutation that leaves no pattern of a counter.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A request's id: 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Bytes);

impl RequestId {
    /// The next one.
    pub fn next() -> RequestId {
        let (high, low) = STATE.with(|state| {
            let (start, count) = state.get();
            state.set((start, count.wrapping_add(GAMMA)));
            (mix(start ^ count.rotate_left(32)), mix(count))
        });
        let mut digits = [0; DIGITS];
        let number = u128::from(high) << 64 | u128::from(low);
        for (at, digit) in digits.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(number >> (124 - 4 * at)) as usize & 0xf];
        }
        RequestId(Bytes::copy_from_slice(&digits))
    }

    /// The digits.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_of_all_threads_differ_and_are_32_hex_digits() {
        let threads: Vec<_> =
            (0..4).map(|_| std::thread::spawn(|| (0..1_000).map(|_| RequestId::next()).collect::<Vec<_>>())).collect();
        let ids: Vec<RequestId> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert!(ids.iter().all(|id| id.as_str().len() == 32 && id.as_str().bytes().all(|b| b.is_ascii_hexdigit())));
        assert_eq!(ids.iter().map(RequestId::as_str).collect::<HashSet<_>>().len(), ids.len());
        let first: HashSet<_> = ids.iter().map(|id| id.as_str()[..8].to_owned()).collect();
        assert!(first.len() > ids.len() * 9 / 10, "neighbours do not look alike");
    }
}
