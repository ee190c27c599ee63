//! What a builder is asked for a function version, and what it answers. JSON over its standard
//! input and output: once per deployment, never per request.

use crate::{FailureDetail, FunctionSpec, Outcome, StartKind};
use serde::{Deserialize, Serialize};

/// Which ways of starting a node wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartWish {
    /// Whatever measured cheaper.
    #[default]
    Auto,
    /// From the text alone, in an isolate of its own. Nothing is built.
    Source,
    /// In a spare isolate, with a code cache. No snapshot is tried.
    Pooled,
    /// From a snapshot wherever one can be made, even if it measured dearer.
    Snapshot,
}

impl StartWish {
    /// The word for it in configurations.
    pub const fn as_str(self) -> &'static str {
        match self {
            StartWish::Auto => "auto",
            StartWish::Source => "source",
            StartWish::Pooled => "pooled",
            StartWish::Snapshot => "snapshot",
        }
    }
}

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
    /// Time that the whole of it may take, in s; then the builder ends itself, whoever waits for it.
    pub wall_s: u32,
    /// Which ways of starting are wanted.
    pub wish: StartWish,
}

/// What a builder found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildReport {
    /// `Ok`, or why the version cannot start at all.
    pub outcome: Outcome,
    /// For the author, when it cannot.
    pub failure: Option<FailureDetail>,
    /// Whether the costs were measured. If not, the process that tried died, and `outcome` says
    /// nothing: somebody else must find out whether the version starts.
    pub measured: bool,
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
    /// A version that starts from its text only; 0 µs: not measured.
    pub fn from_source(source_us: u64) -> BuildReport {
        BuildReport {
            outcome: Outcome::Ok,
            failure: None,
            measured: source_us > 0,
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
