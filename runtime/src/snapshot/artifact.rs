//! An artifact: what the builder of a function version leaves behind for quick starts, in one file.
//!
//! ```text
//!   "ISLEART1" │ u32 header length │ header (JSON) │ zeros to a page │ section │ zeros │ section …
//! ```
//!
//! Sections are V8's code caches, one a module, and perhaps a heap snapshot. They begin on pages,
//! so a file can be mapped and its sections used in place. Whatever does not fit this build, this
//! base snapshot or this source is [`Unfit`]: a miss, never a crash. Digests are checked once, by
//! whoever puts the file where cells map it; a cell checks what costs nothing.

use super::web::Platform;
use crate::isolate::Mapped;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::path::Path;

const MAGIC: &[u8; 8] = b"ISLEART1";
const PAGE: usize = 4_096;

/// What the sections are, and what they fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// File name of the base snapshot that it was made on: the key of build, V8 and flags.
    pub base: String,
    /// The key that it was built under ([`isle_wire::FunctionSpec::artifact`]): everything that it
    /// depends on of its function.
    pub key: String,
    /// What a pooled start begins with.
    pub platform: Platform,
    /// Code caches by module path.
    pub caches: Vec<(String, Section)>,
    /// The heap snapshot.
    pub snapshot: Option<Section>,
}

/// A piece of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Where it begins, in bytes from the end of the header's last page.
    pub offset: usize,
    /// Its length, in bytes.
    pub length: usize,
}

/// Why an artifact is not used.
#[derive(Debug)]
pub enum Unfit {
    /// It cannot be read.
    Io(io::Error),
    /// It is no artifact, or a damaged one.
    Damaged(&'static str),
    /// It is for another build, base or source.
    Foreign(&'static str),
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unfit::Io(error) => write!(f, "cannot be read: {error}"),
            Unfit::Damaged(what) => write!(f, "is damaged: {what}"),
            Unfit::Foreign(what) => write!(f, "is for another {what}"),
        }
    }
}

/// An artifact, mapped.
pub struct Artifact {
    mapped: Mapped,
    header: Header,
    body: usize,
}

fn round_up(bytes: usize) -> usize {
    bytes.div_ceil(PAGE) * PAGE
}

/// The bytes of an artifact.
///
/// # Errors
/// Only if the header cannot be written as JSON, which it can.
pub fn encode(
    base: &str,
    key: &str,
    platform: Platform,
    caches: &[(String, Vec<u8>)],
    snapshot: Option<&[u8]>,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut next = 0;
    let mut place = |length: usize| {
        let section = Section { offset: next, length };
        next = round_up(next + length);
        section
    };
    let header = Header {
        base: base.to_owned(),
        key: key.to_owned(),
        platform,
        caches: caches.iter().map(|(path, bytes)| (path.clone(), place(bytes.len()))).collect(),
        snapshot: snapshot.map(|bytes| place(bytes.len())),
    };
    let json = serde_json::to_vec(&header)?;
    let mut out = Vec::from(MAGIC);
    out.extend_from_slice(&(json.len() as u32).to_le_bytes());
    out.extend_from_slice(&json);
    for bytes in caches.iter().map(|(_, bytes)| &bytes[..]).chain(snapshot) {
        out.resize(round_up(out.len()), 0);
        out.extend_from_slice(bytes);
    }
    Ok(out)
}

impl Artifact {
    /// Maps the file and checks that it fits `base` (a file name) and is what was built as `key`.
    ///
    /// # Errors
    /// See [`Unfit`].
    pub fn open(path: &Path, base: &str, key: &str) -> Result<Artifact, Unfit> {
        Artifact::map(&File::open(path).map_err(Unfit::Io)?, base, key)
    }

    /// As [`Artifact::open`], of an open file that nobody writes to any more. The map stays when the
    /// file is closed.
    ///
    /// # Errors
    /// See [`Unfit`].
    pub fn map(file: &File, base: &str, key: &str) -> Result<Artifact, Unfit> {
        let mapped = Mapped::read_only(file).map_err(Unfit::Io)?;
        let bytes = mapped.bytes();
        let (header, body) = parse(bytes)?;
        if header.base != base {
            return Err(Unfit::Foreign("base snapshot"));
        }
        if header.key != key {
            return Err(Unfit::Foreign("function"));
        }
        let room = bytes.len().saturating_sub(body);
        let inside = |section: &Section| section.offset.checked_add(section.length).is_some_and(|end| end <= room);
        if !header.caches.iter().map(|(_, section)| section).chain(&header.snapshot).all(inside) {
            return Err(Unfit::Damaged("a section is cut off"));
        }
        Ok(Artifact { mapped, header, body })
    }

    fn section(&self, section: &Section) -> &[u8] {
        &self.mapped.bytes()[self.body + section.offset..][..section.length]
    }

    /// What a pooled start begins with.
    pub fn platform(&self) -> Platform {
        self.header.platform
    }

    /// The code cache of a module.
    pub fn cache(&self, path: &str) -> Option<&[u8]> {
        let (_, section) = self.header.caches.iter().find(|(known, _)| known == path)?;
        Some(self.section(section))
    }

    /// The heap snapshot.
    pub fn snapshot(&self) -> Option<&[u8]> {
        self.header.snapshot.as_ref().map(|section| self.section(section))
    }
}

fn parse(bytes: &[u8]) -> Result<(Header, usize), Unfit> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(Unfit::Damaged("no artifact"))?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(Unfit::Damaged("the header is cut off"))?;
    let length = u32::from_le_bytes(*length) as usize;
    let json = rest.get(..length).ok_or(Unfit::Damaged("the header is cut off"))?;
    let header = serde_json::from_slice(json).map_err(|_| Unfit::Damaged("the header is no JSON"))?;
    Ok((header, round_up(MAGIC.len() + 4 + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn sections_come_back_whole_and_on_pages() {
        let caches = [("a.js".to_owned(), vec![1u8; 5_000]), ("b.js".to_owned(), vec![2u8; 3])];
        let bytes = encode("base-1", "abc", Platform::Web, &caches, Some(&[3u8; 9_000])).unwrap();
        let file = file(&bytes);
        let artifact = Artifact::open(file.path(), "base-1", "abc").unwrap();
        assert_eq!(artifact.cache("a.js").unwrap(), [1u8; 5_000]);
        assert_eq!(artifact.cache("b.js").unwrap(), [2u8; 3]);
        assert_eq!((artifact.cache("c.js"), artifact.platform()), (None, Platform::Web));
        let snapshot = artifact.snapshot().unwrap();
        assert_eq!(snapshot, [3u8; 9_000]);
        assert_eq!(snapshot.as_ptr() as usize % PAGE, 0);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let bytes =
            encode("base-1", "abc", Platform::Web, &[("a.js".to_owned(), vec![1u8; 50])], Some(&[3u8; 90])).unwrap();
        let whole = file(&bytes);
        assert!(matches!(Artifact::open(whole.path(), "base-2", "abc"), Err(Unfit::Foreign("base snapshot"))));
        assert!(matches!(Artifact::open(whole.path(), "base-1", "abd"), Err(Unfit::Foreign("function"))));
        for cut in [bytes.len() - 1, 4_097, 100, 12, 5] {
            let cut = file(&bytes[..cut]);
            assert!(matches!(Artifact::open(cut.path(), "base-1", "abc"), Err(Unfit::Damaged(_))));
        }
        assert!(Artifact::open(Path::new("/nonexistent"), "", "").is_err());
    }
}
