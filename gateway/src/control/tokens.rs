//! Tokens: who calls the admin API.
//!
//! A token is 32 random bytes. Only its SHA-256 is kept: with that much randomness a slow hash
//! would add nothing. Hashes are compared in constant time, and against every tenant's, so that
//! neither a near miss nor the place in the list shows in the time an answer takes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// What the administrator's tokens begin with, so that leaked ones can be found and told apart.
pub const ADMIN_PREFIX: &str = "isle_a_";
/// What tenants' tokens begin with.
pub const TENANT_PREFIX: &str = "isle_t_";
/// The administrator's token, in the data folder.
pub const ADMIN_FILE: &str = "admin.token";

/// SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

impl TokenHash {
    /// The hash of a token.
    pub fn of(token: &str) -> TokenHash {
        TokenHash(Sha256::digest(token).into())
    }

    /// Whether both are the same, in constant time.
    pub fn matches(&self, other: &TokenHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Which of `known` this is, in time that depends only on their number.
    pub fn position_in<'a>(&self, known: impl IntoIterator<Item = &'a TokenHash>) -> Option<usize> {
        let mut found = u64::MAX;
        for (position, hash) in known.into_iter().enumerate() {
            found.conditional_assign(&(position as u64), self.0.ct_eq(&hash.0));
        }
        (found != u64::MAX).then_some(found as usize)
    }
}

/// Makes a token.
///
/// # Errors
/// The system has no randomness to give.
pub fn generate(prefix: &str) -> std::io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Reads the administrator's token from the data folder; makes it when there is none yet, readable
/// for its owner only. The token itself comes back only when it was made now, to be shown once.
///
/// # Errors
/// The file cannot be read or written, or holds no token.
pub fn open_admin(data_dir: &Path) -> std::io::Result<(TokenHash, Option<String>)> {
    let path = data_dir.join(ADMIN_FILE);
    match std::fs::File::open(&path) {
        Ok(file) => {
            let mut token = String::new();
            file.take(1024).read_to_string(&mut token)?;
            let token = token.trim();
            if !token.starts_with(ADMIN_PREFIX) || token.len() < ADMIN_PREFIX.len() + 32 {
                let message = format!("{} holds no token; remove it to have one made", path.display());
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
            }
            Ok((TokenHash::of(token), None))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let token = generate(ADMIN_PREFIX)?;
            // Written aside and renamed: a crash half-way leaves no file that holds half a token.
            let aside = data_dir.join(format!("{ADMIN_FILE}.new"));
            let _ = std::fs::remove_file(&aside);
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
            writeln!(file, "{token}")?;
            file.sync_all()?;
            std::fs::rename(&aside, &path)?;
            std::fs::File::open(data_dir)?.sync_all()?;
            Ok((TokenHash::of(&token), Some(token)))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn tokens_differ_and_fit_a_header() {
        let (one, two) = (generate(TENANT_PREFIX).unwrap(), generate(TENANT_PREFIX).unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), TENANT_PREFIX.len() + 43);
        assert!(one.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')));
    }

    #[test]
    fn a_token_is_found_among_others_and_a_near_miss_is_not() {
        let known = ["a", "b", "c"].map(TokenHash::of);
        assert_eq!(TokenHash::of("c").position_in(&known), Some(2));
        assert_eq!(TokenHash::of("d").position_in(&known), None);
        let mut near = known[1];
        near.0[31] ^= 1;
        assert_eq!(near.position_in(&known), None);
        assert!(!near.matches(&known[1]) && known[1].matches(&TokenHash::of("b")));
        assert_eq!(format!("{near:?}"), "TokenHash(…)", "hashes stay out of logs");
    }

    #[test]
    fn the_admin_token_is_made_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let (hash, shown) = open_admin(dir.path()).unwrap();
        let shown = shown.unwrap();
        assert!(hash.matches(&TokenHash::of(&shown)));
        let mode = std::fs::metadata(dir.path().join(ADMIN_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (again, nothing) = open_admin(dir.path()).unwrap();
        assert!(again.matches(&hash) && nothing.is_none());
        std::fs::write(dir.path().join(ADMIN_FILE), "").unwrap();
        assert!(open_admin(dir.path()).is_err(), "an empty file must not become an empty token");
    }
}
