//! What Node's modules in `node/` need of Rust: digests, MACs and PBKDF2 that answer at once.
//!
//! The rest of those modules is JavaScript over the web platform. Each is compiled when it is first
//! imported; who imports none pays for none.

use deno_core::convert::Uint8Array;
use deno_core::op2;
use hmac::SimpleHmac;
use hmac::digest::{Digest, KeyInit, Mac, Output};

/// HMACs that one call of PBKDF2 may compute. A call cannot be interrupted, and this many take
/// about half a second.
const PBKDF2_STEPS_MAX: u64 = 1_000_000;

/// Runs `$body` with `$digest` as the digest of that name.
macro_rules! with_digest {
    ($name:expr, $digest:ident => $body:expr, $otherwise:expr) => {
        match $name {
            "md5" => {
                type $digest = md5::Md5;
                $body
            }
            "sha1" => {
                type $digest = sha1::Sha1;
                $body
            }
            "sha224" => {
                type $digest = sha2::Sha224;
                $body
            }
            "sha256" => {
                type $digest = sha2::Sha256;
                $body
            }
            "sha384" => {
                type $digest = sha2::Sha384;
                $body
            }
            "sha512" => {
                type $digest = sha2::Sha512;
                $body
            }
            "sha512-256" => {
                type $digest = sha2::Sha512_256;
                $body
            }
            _ => $otherwise,
        }
    };
}

fn mac_of<D: Digest + hmac::digest::core_api::BlockSizeUser + Clone>(key: &[u8]) -> SimpleHmac<D> {
    <SimpleHmac<D> as KeyInit>::new_from_slice(key).expect("an HMAC takes a key of any length")
}

/// The digest, or the HMAC, of all the data. The caller names digests that exist.
#[op2]
pub fn op_isle_digest(#[string] name: &str, keyed: bool, #[buffer] key: &[u8], #[buffer] data: &[u8]) -> Uint8Array {
    let bytes = with_digest!(name, D => if keyed {
        let mut mac = mac_of::<D>(key);
        mac.update(data);
        mac.finalize().into_bytes().to_vec()
    } else {
        D::digest(data).to_vec()
    }, Vec::new());
    bytes.into()
}

/// PBKDF2 (RFC 8018).
#[op2]
pub fn op_isle_pbkdf2(
    #[string] name: &str,
    #[buffer] password: &[u8],
    #[buffer] salt: &[u8],
    iterations: u32,
    length: u32,
) -> Uint8Array {
    let size = with_digest!(name, D => <D as Digest>::output_size(), 1);
    let blocks = u64::from(length).div_ceil(size as u64);
    // crypto.js says so with words.
    if iterations == 0 || blocks.saturating_mul(u64::from(iterations)) > PBKDF2_STEPS_MAX {
        return Vec::new().into();
    }
    let mut out = Vec::with_capacity(length as usize + size);
    with_digest!(name, D => {
        let keyed = mac_of::<D>(password);
        // Once: the limit counts steps, and a salt may be long.
        let mut salted = keyed.clone();
        salted.update(salt);
        for block in 1..=blocks as u32 {
            let mut mac = salted.clone();
            mac.update(&block.to_be_bytes());
            let mut step = mac.finalize().into_bytes();
            let mut sum = Output::<D>::default();
            sum.copy_from_slice(&step);
            for _ in 1..iterations {
                let mut mac = keyed.clone();
                mac.update(&step);
                step = mac.finalize().into_bytes();
                sum.iter_mut().zip(&step).for_each(|(sum, step)| *sum ^= step);
            }
            out.extend_from_slice(&sum);
        }
    }, ());
    out.truncate(length as usize);
    out.into()
}
