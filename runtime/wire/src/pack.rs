//! A function's spec as a cell is sent it: JSON for what describes it, texts as they are. Escaping
//! and unescaping a bundle of a megabyte would take milliseconds of a cold start.
//!
//! ```text
//!   u32 length of the head │ head: JSON of the spec without texts, and their lengths │ text │ text …
//! ```

use crate::FunctionSpec;
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

const LENGTH_BYTES: usize = 4;

#[derive(Serialize, Deserialize)]
struct Head {
    spec: FunctionSpec,
    /// Bytes of each module's text, in the order of the paths.
    lengths: Vec<usize>,
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
    pub fn pack(mut self) -> Bytes {
        let texts: Vec<String> = self.modules.values_mut().map(|module| std::mem::take(&mut module.text)).collect();
        let lengths = texts.iter().map(String::len).collect();
        let head = serde_json::to_vec(&Head { spec: self, lengths }).expect("maps with string keys always encode");
        let mut packed =
            BytesMut::with_capacity(LENGTH_BYTES + head.len() + texts.iter().map(String::len).sum::<usize>());
        packed.put_u32_le(head.len() as u32);
        packed.put_slice(&head);
        texts.iter().for_each(|text| packed.put_slice(text.as_bytes()));
        packed.freeze()
    }

    /// The spec that was packed.
    ///
    /// # Errors
    /// [`UnpackError`]: it was not, or not whole.
    pub fn unpack(packed: &[u8]) -> Result<FunctionSpec, UnpackError> {
        let (length, rest) = packed.split_first_chunk::<LENGTH_BYTES>().ok_or(UnpackError::Length)?;
        let (head, mut rest) =
            rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(UnpackError::Length)?;
        let Head { mut spec, lengths } = serde_json::from_slice(head).map_err(UnpackError::Head)?;
        if lengths.len() != spec.modules.len() {
            return Err(UnpackError::Length);
        }
        for ((path, module), length) in spec.modules.iter_mut().zip(lengths) {
            let (text, left) = rest.split_at_checked(length).ok_or(UnpackError::Length)?;
            rest = left;
            module.text = str::from_utf8(text).map_err(|_| UnpackError::Text(path.clone()))?.to_owned();
        }
        if rest.is_empty() { Ok(spec) } else { Err(UnpackError::Length) }
    }
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
