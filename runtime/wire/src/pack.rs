//! A function's spec as a cell is sent it: JSON for what describes it, texts as they are. Escaping
//! and unescaping a bundle of a megabyte would take milliseconds of a cold start.
//!
//! ```text
//!   u32 length of the head │ head: JSON of the spec without texts, and their lengths │ text │ text …
//! ```
//!
//! Where the texts are long they are apart: in a memory file, which a cell maps instead of copying
//! it. Then the first piece ends with the head.

use crate::FunctionSpec;
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

const LENGTH_BYTES: usize = 4;

#[derive(Serialize, Deserialize)]
struct Head {
    spec: FunctionSpec,
    /// Bytes of each module's text, in the order of the paths.
    lengths: Vec<usize>,
    /// Whether each is ASCII, so that nobody has to read it to know.
    ascii: Vec<bool>,
}

/// Where a module's text is among the texts of its function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextAt {
    /// Its bytes.
    pub range: std::ops::Range<usize>,
    /// Whether they are ASCII; UTF-8 otherwise.
    pub ascii: bool,
}

/// Why a packed spec cannot be read.
#[derive(Debug)]
pub enum UnpackError {
    /// It ends before it should, or after.
    Length,
    /// The head is no JSON of a spec.
    Head(serde_json::Error),
    /// The text of this module is no UTF-8.
    Text(String),
}

impl std::fmt::Display for UnpackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            UnpackError::Length => f.write_str("it has another length than it says"),
            UnpackError::Head(error) => write!(f, "its head: {error}"),
            UnpackError::Text(path) => write!(f, "{path} is no UTF-8"),
        }
    }
}

impl std::error::Error for UnpackError {}

impl FunctionSpec {
    /// The spec in one piece.
    pub fn pack(self) -> Bytes {
        let (head, texts) = self.pack_apart();
        let length = texts.iter().map(String::len).sum::<usize>();
        let mut packed = BytesMut::with_capacity(head.len() + length);
        packed.put_slice(&head);
        texts.iter().for_each(|text| packed.put_slice(text.as_bytes()));
        packed.freeze()
    }

    /// The spec in two pieces, of which the second is the texts, one directly after the other.
    pub fn pack_apart(mut self) -> (Bytes, Vec<String>) {
        let texts: Vec<String> = self.modules.values_mut().map(|module| std::mem::take(&mut module.text)).collect();
        let lengths = texts.iter().map(String::len).collect();
        let ascii = texts.iter().map(|text| text.is_ascii()).collect();
        let head = Head { spec: self, lengths, ascii };
        let head = serde_json::to_vec(&head).expect("maps with string keys always encode");
        let mut packed = BytesMut::with_capacity(LENGTH_BYTES + head.len());
        packed.put_u32_le(head.len() as u32);
        packed.put_slice(&head);
        (packed.freeze(), texts)
    }

    /// The spec that was packed.
    ///
    /// # Errors
    /// [`UnpackError`]: it was not, or not whole.
    pub fn unpack(packed: &[u8]) -> Result<FunctionSpec, UnpackError> {
        let (mut spec, places, texts) = unpack_head(packed)?;
        if places.last().map_or(0, |last| last.range.end) != texts.len() {
            return Err(UnpackError::Length);
        }
        for ((path, module), place) in spec.modules.iter_mut().zip(places) {
            module.text = text_at(path, texts, &place)?;
        }
        Ok(spec)
    }

    /// Of a spec that was packed apart: all but the texts, and where each is among them.
    ///
    /// # Errors
    /// [`UnpackError`]: it was not, or not whole.
    pub fn unpack_apart(head: &[u8]) -> Result<(FunctionSpec, Vec<TextAt>), UnpackError> {
        let (spec, places, rest) = unpack_head(head)?;
        if rest.is_empty() { Ok((spec, places)) } else { Err(UnpackError::Length) }
    }
}

/// One of the texts, copied.
///
/// # Errors
/// It is not there, or no UTF-8.
pub fn text_at(path: &str, texts: &[u8], place: &TextAt) -> Result<String, UnpackError> {
    let text = texts.get(place.range.clone()).ok_or(UnpackError::Length)?;
    let text = str::from_utf8(text).map_err(|_| UnpackError::Text(path.to_owned()))?;
    Ok(text.to_owned())
}

fn unpack_head(packed: &[u8]) -> Result<(FunctionSpec, Vec<TextAt>, &[u8]), UnpackError> {
    let (length, rest) = packed.split_first_chunk::<LENGTH_BYTES>().ok_or(UnpackError::Length)?;
    let (head, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(UnpackError::Length)?;
    let Head { spec, lengths, ascii } = serde_json::from_slice(head).map_err(UnpackError::Head)?;
    if lengths.len() != spec.modules.len() || ascii.len() != lengths.len() {
        return Err(UnpackError::Length);
    }
    let mut places = Vec::with_capacity(lengths.len());
    let mut start = 0usize;
    for (length, ascii) in lengths.into_iter().zip(ascii) {
        let end = start.checked_add(length).ok_or(UnpackError::Length)?;
        places.push(TextAt { range: start..end, ascii });
        start = end;
    }
    Ok((spec, places, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, ModuleKind, ModuleSource};

    fn spec(modules: &[(&str, &str)]) -> FunctionSpec {
        let module = |text: &str| ModuleSource { kind: ModuleKind::JavaScript, text: text.to_owned() };
        FunctionSpec {
            tenant: "t".into(),
            app: "a".into(),
            function: "f".into(),
            deployment: "d".into(),
            entry: "a.js".into(),
            kind: Default::default(),
            modules: modules.iter().map(|(path, text)| ((*path).to_owned(), module(text))).collect(),
            env: [("KEY".to_owned(), "välue".to_owned())].into(),
            limits: Limits::default(),
            code_generation: true,
            contract: Default::default(),
            egress_allow: None,
            artifact: "key".into(),
        }
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        for modules in [&[][..], &[("a.js", "")], &[("b.js", "\"quoted\"\n"), ("a.js", "ünï")]] {
            let spec = spec(modules);
            assert_eq!(FunctionSpec::unpack(&spec.clone().pack()).unwrap(), spec);

            let (head, texts) = spec.clone().pack_apart();
            let texts = texts.concat();
            let (mut unpacked, places) = FunctionSpec::unpack_apart(&head).unwrap();
            assert!(unpacked.modules.values().all(|module| module.text.is_empty()));
            for ((path, module), place) in unpacked.modules.iter_mut().zip(&places) {
                module.text = text_at(path, texts.as_bytes(), place).unwrap();
                assert_eq!(module.text.is_ascii(), place.ascii);
            }
            assert_eq!(unpacked, spec);
        }
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let packed = spec(&[("a.js", "text"), ("b.js", "é")]).pack();
        for length in 0..packed.len() {
            assert!(FunctionSpec::unpack(&packed[..length]).is_err(), "{length} bytes");
        }
        assert!(matches!(FunctionSpec::unpack(&[&packed[..], b"x"].concat()), Err(UnpackError::Length)));
        let mut broken = packed.to_vec();
        *broken.last_mut().unwrap() = b'x';
        assert!(matches!(FunctionSpec::unpack(&broken), Err(UnpackError::Text(path)) if path == "b.js"));
    }
}
