//! A function version as all its isolates in a process share it.

use crate::isolate::{Mapped, Sources};
use crate::maps::Maps;
use crate::snapshot::artifact::Artifact;
use isle_wire::{FunctionSpec, TextAt, UnpackError};

/// A function version: what it is, its text, and what its builder left for quick starts.
pub struct Function {
    /// What it is. Texts that `sources` holds are left in it; they are shared, not copied again.
    pub spec: FunctionSpec,
    /// Module text for V8.
    pub sources: Sources,
    /// Where its text comes from.
    pub maps: Maps,
    /// Code cache and snapshot, if the version was built.
    pub artifact: Option<Artifact>,
}

impl Function {
    /// A function that starts from its text alone.
    pub fn from_source(spec: FunctionSpec) -> Function {
        Function { sources: Sources::of(&spec), maps: Maps::of(&spec), spec, artifact: None }
    }

    /// A function as a cell keeps it: each text once, with what its builder made.
    pub fn resident(mut spec: FunctionSpec, artifact: Option<Artifact>) -> Function {
        Function { maps: Maps::of(&spec), sources: Sources::taken_from(&mut spec), spec, artifact }
    }

    /// As [`Function::resident`], with its texts in a memory file.
    ///
    /// # Errors
    /// See [`Sources::mapped`].
    pub fn mapped(
        mut spec: FunctionSpec,
        places: &[TextAt],
        texts: Mapped,
        artifact: Option<Artifact>,
    ) -> Result<Function, UnpackError> {
        let sources = Sources::mapped(&mut spec, places, texts)?;
        Ok(Function { maps: Maps::of(&spec), sources, spec, artifact })
    }

    /// A function with what its builder made.
    pub fn with_artifact(spec: FunctionSpec, artifact: Artifact) -> Function {
        Function { sources: Sources::of(&spec), maps: Maps::of(&spec), spec, artifact: Some(artifact) }
    }
}
