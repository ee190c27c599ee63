//! Ed448 (RFC 8032), which the platform's own Web Cryptography does not have, with the crate that it
//! takes its X448 from; and points of Ed25519 that no signature may rest on.

use curve25519_dalek::edwards::CompressedEdwardsY;
use deno_core::op2;
use deno_error::JsErrorBox;
use ed448_goldilocks::elliptic_curve::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use ed448_goldilocks::{PUBLIC_KEY_LENGTH, SecretKey, Signature, SigningKey, VerifyingKey};

/// RFC 8032, section 5.2: the most bytes that a context has.
const CONTEXT_BYTES_MAX: usize = 255;

fn data_error(what: &str) -> JsErrorBox {
    JsErrorBox::new("DOMExceptionDataError", format!("the data are no Ed448 {what} key"))
}

fn signing_key(seed: &[u8]) -> Result<SigningKey, JsErrorBox> {
    let seed = SecretKey::try_from(seed).map_err(|_| data_error("private"))?;
    Ok(SigningKey::from(seed))
}

fn verified(public: &[u8], context: &[u8], signature: &[u8], data: &[u8]) -> Option<()> {
    if context.len() > CONTEXT_BYTES_MAX {
        return None;
    }
    let public: &[u8; PUBLIC_KEY_LENGTH] = public.try_into().ok()?;
    let signature = Signature::from_slice(signature).ok()?;
    VerifyingKey::from_bytes(public).ok()?.verify_ctx(&signature, context, data).ok()
}

/// With such a point as the key or in a signature, one signature of Ed25519 fits many messages.
fn is_small_order(point: &[u8]) -> bool {
    let point = CompressedEdwardsY::from_slice(point).ok().and_then(|point| point.decompress());
    point.is_some_and(|point| point.is_small_order())
}

/// One operation for all, because each costs every isolate. `what`: 0, the public key of a seed; 1, a signature; 2,
/// whether a signature is right; 3, the seed in a PKCS #8 document (RFC 8410), whose public key must be the seed's if it
/// has one; 4, the public key in a `SubjectPublicKeyInfo`; 5, whether a point of Ed25519 is of small order.
#[op2]
#[buffer]
pub fn op_isle_eddsa(
    #[smi] what: u32,
    #[buffer] key: &[u8],
    #[buffer] context: Option<&[u8]>,
    #[buffer] data: Option<&[u8]>,
    #[buffer] signature: Option<&[u8]>,
) -> Result<Vec<u8>, JsErrorBox> {
    let (context, data) = (context.unwrap_or_default(), data.unwrap_or_default());
    Ok(match what {
        0 => signing_key(key)?.verifying_key().to_bytes().to_vec(),
        1 => {
            let signature = signing_key(key)?.sign_ctx(context, data);
            let too_long = |_| JsErrorBox::new("DOMExceptionOperationError", "the context is too long");
            signature.map_err(too_long)?.to_bytes().to_vec()
        }
        2 => vec![u8::from(verified(key, context, signature.unwrap_or_default(), data).is_some())],
        3 => SigningKey::from_pkcs8_der(key).map_err(|_| data_error("private"))?.to_bytes().to_vec(),
        4 => VerifyingKey::from_public_key_der(key).map_err(|_| data_error("public"))?.to_bytes().to_vec(),
        _ => vec![u8::from(is_small_order(key))],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.4, "1 octet (with context)".
    #[test]
    fn a_signature_with_a_context() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let seed = hex(
            "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
        );
        let expected = hex(
            "d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea000c85741de5c8da1144a6a1aba7f96de42505d7a7298524fda538fccbbb754f578c1cad10d54d0d5428407e85dcbc98a49155c13764e66c3c00",
        );
        let key = signing_key(&seed).unwrap();
        let public = key.verifying_key().to_bytes();
        let signature = key.sign_ctx(b"foo", &[3]).unwrap().to_bytes();
        assert_eq!(signature[..], expected[..]);
        assert!(verified(&public, b"foo", &signature, &[3]).is_some());
        for (context, data) in [(&b"bar"[..], [3]), (b"foo", [4])] {
            assert!(verified(&public, context, &signature, &data).is_none());
        }
        assert!(verified(&public, b"foo", &signature[1..], &[3]).is_none());
        assert!(verified(&public, &[0; CONTEXT_BYTES_MAX + 1], &signature, &[3]).is_none());
    }
}
