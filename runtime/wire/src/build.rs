//! What a builder is asked for a function version, and what it answers. JSON over its standard
//! input and output: once per deployment, never per request.

use crate::{FailureDetail, FunctionSpec, Outcome, StartKind};
use serde::{Deserialize, Serialize};

/// Work for a builder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildOrder {
    /// Path of the base snapshot.
    pub base_snapshot: String,
    /// The version to build.
    pub spec: FunctionSpec,
    /// Events (JSON) to call the handler with before its state is kept; empty: no such call.
    pub warm_ups: Vec<String>,
    /// Where the artifact goes.
    pub out: String,
    /// CPU time that one of the builder's processes may use, in s.
    pub cpu_s: u64,
    /// Writable memory of one of the builder's processes, in MiB.
    pub memory_mb: u64,
}

/// What a builder found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildReport {
    /// `Ok`, or why the version cannot start at all.
    pub outcome: Outcome,
    /// For the author, when it cannot.
    pub failure: Option<FailureDetail>,
    /// The way to start it from now on.
    pub plan: StartKind,
    /// CPU time to the first answer in a spare isolate, compiling the text, in µs.
    pub source_us: u64,
    /// The same with V8's code cache.
    pub pooled_us: u64,
    /// CPU time to the first answer from its own snapshot, the isolate included, in µs.
    pub snapshot_us: Option<u64>,
    /// Why it has no snapshot.
    pub snapshot_refused: Option<String>,
    /// Whether the snapshot was taken after a warm-up call.
    pub warmed_up: bool,
    /// The snapshot's size, in bytes.
    pub snapshot_bytes: u64,
    /// The code caches' size, in bytes.
    pub cache_bytes: u64,
    /// Whether there is an artifact at the place asked for.
    pub artifact: bool,
}

impl BuildReport {
    /// A version that starts from its text only.
    pub fn from_source(source_us: u64) -> BuildReport {
        BuildReport {
            outcome: Outcome::Ok,
            failure: None,
            plan: StartKind::Source,
            source_us,
            pooled_us: source_us,
            snapshot_us: None,
            snapshot_refused: None,
            warmed_up: false,
            snapshot_bytes: 0,
            cache_bytes: 0,
            artifact: false,
        }
    }
}
