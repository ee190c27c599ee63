//! AES-GCM for initialisation vectors and tags of any length (NIST SP 800-38D): the platform's own
//! has the common lengths only.

use aes::cipher::generic_array::GenericArray;
use aes::cipher::typenum::U16;
use aes::cipher::{
    BlockCipher, BlockEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper,
};
use aes::{Aes128, Aes192, Aes256};
use ctr::{Ctr32BE, CtrCore};
use deno_core::op2;
use deno_error::JsErrorBox;
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq as _;

/// AES with a key of some length.
trait Cipher: BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit {}
impl<C: BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit> Cipher for C {}

type Block = GenericArray<u8, U16>;

fn bits(bytes: usize) -> [u8; 8] {
    (bytes as u64 * 8).to_be_bytes()
}

/// GHASH of two texts, each filled up to whole blocks, and a last block of two lengths.
fn hash(key: &Block, first: &[u8], second: &[u8], lengths: [[u8; 8]; 2]) -> Block {
    let mut hash = GHash::new(key);
    hash.update_padded(first);
    hash.update_padded(second);
    hash.update_padded(&lengths.concat());
    hash.finalize()
}

/// A message under way: the key stream for its text, and what its tag is made of.
struct Gcm<C: Cipher> {
    stream: Ctr32BE<C>,
    hash_key: Block,
    mask: Block,
}

impl<C: Cipher> Gcm<C> {
    fn new(key: &[u8], iv: &[u8]) -> Option<Gcm<C>> {
        let cipher = C::new_from_slice(key).ok()?;
        let mut hash_key = Block::default();
        cipher.encrypt_block(&mut hash_key);
        let counter = if iv.len() == 12 {
            let mut block = Block::default();
            block[..12].copy_from_slice(iv);
            block[15] = 1;
            block
        } else {
            hash(&hash_key, iv, &[], [[0; 8], bits(iv.len())])
        };
        let mut stream = StreamCipherCoreWrapper::from_core(CtrCore::inner_iv_init(cipher, &counter));
        let mut mask = Block::default();
        stream.apply_keystream(&mut mask);
        Some(Gcm { stream, hash_key, mask })
    }

    fn tag(&self, aad: &[u8], ciphertext: &[u8]) -> Block {
        let mut tag = hash(&self.hash_key, aad, ciphertext, [bits(aad.len()), bits(ciphertext.len())]);
        tag.iter_mut().zip(&self.mask).for_each(|(tag, mask)| *tag ^= mask);
        tag
    }
}

/// `None`: not decrypted, because something is not as it was sealed.
fn run<C: Cipher>(
    decrypt: bool,
    (key, iv, aad): (&[u8], &[u8], &[u8]),
    tag_bytes: usize,
    data: &[u8],
) -> Option<Vec<u8>> {
    let mut gcm = Gcm::<C>::new(key, iv)?;
    if decrypt {
        let (sealed, tag) = data.split_at_checked(data.len().checked_sub(tag_bytes)?)?;
        if !bool::from(gcm.tag(aad, sealed)[..tag_bytes].ct_eq(tag)) {
            return None;
        }
        let mut text = sealed.to_vec();
        gcm.stream.apply_keystream(&mut text);
        Some(text)
    } else {
        let mut sealed = data.to_vec();
        gcm.stream.apply_keystream(&mut sealed);
        let tag = gcm.tag(aad, &sealed);
        sealed.extend_from_slice(&tag[..tag_bytes]);
        Some(sealed)
    }
}

fn aes_gcm(decrypt: bool, texts: (&[u8], &[u8], &[u8]), tag_bytes: usize, data: &[u8]) -> Option<Vec<u8>> {
    match texts.0.len() {
        16 => run::<Aes128>(decrypt, texts, tag_bytes, data),
        24 => run::<Aes192>(decrypt, texts, tag_bytes, data),
        32 => run::<Aes256>(decrypt, texts, tag_bytes, data),
        _ => None,
    }
}

#[op2]
#[buffer]
pub fn op_isle_aes_gcm(
    decrypt: bool,
    #[buffer] key: &[u8],
    #[buffer] iv: &[u8],
    #[buffer] aad: &[u8],
    #[smi] tag_bytes: u32,
    #[buffer] data: &[u8],
) -> Result<Vec<u8>, JsErrorBox> {
    let tag_bytes = tag_bytes.clamp(4, 16) as usize;
    aes_gcm(decrypt, (key, iv, aad), tag_bytes, data)
        .ok_or_else(|| JsErrorBox::new("DOMExceptionOperationError", "the data could not be decrypted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    /// Test case 6 of the specification that was submitted to NIST: an IV of 60 bytes.
    #[test]
    fn long_initialisation_vectors() {
        let key = hex("feffe9928665731c6d6a8f9467308308");
        let iv = hex(
            "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b",
        );
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let text = hex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        let sealed = hex(
            "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca701e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5619cc5aefffe0bfa462af43c1699d050",
        );
        assert_eq!(aes_gcm(false, (&key, &iv, &aad), 16, &text).unwrap(), sealed);
        assert_eq!(aes_gcm(true, (&key, &iv, &aad), 16, &sealed).unwrap(), text);
        for tag_bytes in [4, 8] {
            let short = aes_gcm(false, (&key, &iv, &aad), tag_bytes, &text).unwrap();
            assert_eq!(short, sealed[..text.len() + tag_bytes]);
            assert_eq!(aes_gcm(true, (&key, &iv, &aad), tag_bytes, &short).unwrap(), text);
            let mut altered = short;
            altered[0] ^= 1;
            assert_eq!(aes_gcm(true, (&key, &iv, &aad), tag_bytes, &altered), None);
        }
        assert_eq!(aes_gcm(true, (&key, &iv, &aad), 16, b"short"), None);
    }
}
