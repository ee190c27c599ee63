//! The key of an artifact: everything that decides whether it fits, in one digest.

use isle_wire::{FunctionSpec, ModuleSource, StartWish};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Length of a key, in bytes.
pub const KEY_BYTES: usize = 32;

/// SHA-256 over tenant, source, kind, variables, limits, contract, warm-up events and the base snapshot's name,
/// which itself stands for this build of Isle, V8 and its flags.
///
/// The tenant is in it so that no artifact is ever shared between two, whatever they deploy; the
/// names of app and function are not, so that the same content is built once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArtifactKey([u8; KEY_BYTES]);

impl ArtifactKey {
    /// The key of a function whose `spec` is without its modules.
    pub fn of(
        base: &str,
        wish: StartWish,
        spec: &FunctionSpec,
        modules: &BTreeMap<String, ModuleSource>,
        warm_ups: &[String],
    ) -> ArtifactKey {
        let mut digest = Sha256::new();
        let mut field = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        for text in [base, wish.as_str(), &spec.tenant, &spec.entry, spec.kind.as_str()] {
            field(text.as_bytes());
        }
        field(&(modules.len() as u64).to_le_bytes());
        for (path, module) in modules {
            field(path.as_bytes());
            field(module.text.as_bytes());
        }
        field(&(spec.env.len() as u64).to_le_bytes());
        for (name, value) in &spec.env {
            field(name.as_bytes());
            field(value.as_bytes());
        }
        field(&serde_json::to_vec(&spec.limits).expect("numbers always encode"));
        field(&[u8::from(spec.code_generation)]);
        field(&serde_json::to_vec(&spec.contract).expect("words always encode"));
        warm_ups.iter().for_each(|event| field(event.as_bytes()));
        ArtifactKey(digest.finalize().into())
    }

    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> ArtifactKey {
        ArtifactKey(bytes)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl std::fmt::Display for ArtifactKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for ArtifactKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// A text that is no key in lower-case hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKey(());

impl FromStr for ArtifactKey {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<ArtifactKey, NoKey> {
        let digits = text.as_bytes();
        let mut bytes = [0; KEY_BYTES];
        if digits.len() != KEY_BYTES * 2 {
            return Err(NoKey(()));
        }
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(NoKey(())),
        };
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Ok(ArtifactKey(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::fake::spec;
    use isle_wire::ModuleKind;

    fn modules(text: &str) -> BTreeMap<String, ModuleSource> {
        [("index.js".to_owned(), ModuleSource { kind: ModuleKind::JavaScript, text: text.to_owned() })].into()
    }

    #[test]
    fn whatever_decides_is_in_it_and_names_are_not() {
        let key = |base: &str, wish, spec: &FunctionSpec, text: &str, events: &[&str]| {
            let events: Vec<String> = events.iter().map(|event| (*event).to_owned()).collect();
            ArtifactKey::of(base, wish, spec, &modules(text), &events)
        };
        let plain = spec("acme", "blog", "hello");
        let first = key("base-1", StartWish::Auto, &plain, "text", &[]);
        assert_eq!(first, key("base-1", StartWish::Auto, &spec("acme", "shop", "cart"), "text", &[]));
        let mut with_env = plain.clone();
        with_env.env.insert("KEY".into(), "value".into());
        let mut with_limit = plain.clone();
        with_limit.limits.heap_mb = 8;
        let mut with_kind = plain.clone();
        with_kind.kind = isle_wire::FunctionKind::Fetch;
        let mut with_handler = plain.clone();
        with_handler.contract.handler = "other".into();
        let others = [
            key("base-1", StartWish::Auto, &with_kind, "text", &[]),
            key("base-2", StartWish::Auto, &plain, "text", &[]),
            key("base-1", StartWish::Pooled, &plain, "text", &[]),
            key("base-1", StartWish::Auto, &spec("zeta", "blog", "hello"), "text", &[]),
            key("base-1", StartWish::Auto, &plain, "texts", &[]),
            key("base-1", StartWish::Auto, &plain, "text", &["{}"]),
            key("base-1", StartWish::Auto, &with_env, "text", &[]),
            key("base-1", StartWish::Auto, &with_limit, "text", &[]),
            key("base-1", StartWish::Auto, &with_handler, "text", &[]),
        ];
        let different: std::collections::HashSet<_> = others.iter().chain([&first]).collect();
        assert_eq!(different.len(), others.len() + 1);
    }

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key = ArtifactKey::from_bytes(std::array::from_fn(|at| at as u8 * 7));
        assert_eq!(key.to_string().parse(), Ok(key));
        for bad in ["", "00", &"g".repeat(64), &"A".repeat(64), &"é".repeat(32)] {
            assert!(bad.parse::<ArtifactKey>().is_err());
        }
    }
}
