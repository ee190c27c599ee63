//! Plans: how a function version is started, what each way costs, and why it has no snapshot.

use isle_wire::{BuildReport, StartKind, StartWish};
use serde::{Deserialize, Serialize};

/// How a function version is started from now on, and what was found out about it. Kept in the
/// store as JSON, and shown to authors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// `Source`, `Pooled` or `Snapshot`.
    pub start: StartKind,
    /// Whether a builder left an artifact for it.
    pub artifact: bool,
    /// CPU time to the first answer from the text, in µs; `None`: not measured.
    pub source_us: Option<u64>,
    /// The same with V8's code cache.
    pub pooled_us: Option<u64>,
    /// The same from the version's own snapshot, the isolate included.
    pub snapshot_us: Option<u64>,
    /// Whether the snapshot was taken after a warm-up call.
    pub warmed_up: bool,
    /// Size of the snapshot, in bytes.
    pub snapshot_bytes: u64,
    /// Size of the code caches, in bytes.
    pub cache_bytes: u64,
    /// Why it has no snapshot.
    pub refused: Option<String>,
}

/// Reasons are made of what tenants' code says of itself: so much is kept.
const REASON_BYTES_MAX: usize = 500;

impl Plan {
    /// What a builder found. One whose costs could not be measured starts from its text.
    pub fn of(report: &BuildReport) -> Plan {
        let measured = |us| (report.measured && us > 0).then_some(us);
        Plan {
            start: report.plan,
            artifact: report.artifact,
            source_us: measured(report.source_us),
            pooled_us: measured(report.pooled_us).filter(|_| report.artifact),
            snapshot_us: report.snapshot_us,
            warmed_up: report.warmed_up,
            snapshot_bytes: report.snapshot_bytes,
            cache_bytes: report.cache_bytes,
            refused: report.snapshot_refused.as_deref().map(shortened),
        }
    }

    /// A function that was only checked; `startup_us` is the CPU time of its start.
    pub fn checked(wish: StartWish, startup_us: Option<u64>) -> Plan {
        Plan {
            start: if wish == StartWish::Source { StartKind::Source } else { StartKind::Pooled },
            artifact: false,
            source_us: startup_us,
            pooled_us: None,
            snapshot_us: None,
            warmed_up: false,
            snapshot_bytes: 0,
            cache_bytes: 0,
            refused: None,
        }
    }

    /// A function whose builder's process died while it measured, and that starts all the same.
    pub fn unmeasured(startup_us: u64) -> Plan {
        let refused = "the process that measured its start died".to_owned();
        Plan { refused: Some(refused), ..Plan::checked(StartWish::Auto, Some(startup_us)) }
    }

    /// What its author can do to get a snapshot.
    pub fn hint(&self) -> Option<&'static str> {
        self.refused.as_deref().map(hint)
    }
}

fn shortened(reason: &str) -> String {
    let end = reason.floor_char_boundary(REASON_BYTES_MAX);
    let cut = if end < reason.len() { " …" } else { "" };
    format!("{}{cut}", &reason[..end])
}

/// What is in a reason, and what to do about it. The first that fits counts, so the order is from
/// the particular to the general.
const HINTS: &[(&str, &str)] = &[
    (
        "`import()`",
        "import the module statically, at the top of the file; code that is only needed at times can stay in a function",
    ),
    ("`import.meta`", "use paths and URLs from constants or from `context.env` instead of `import.meta`"),
    ("start-up replaces", "leave V8's own global objects as they are; keep yours in modules instead of `globalThis`"),
    ("Math.random", "draw random numbers inside the handler: at the top level, every copy would draw the same"),
    ("crypto.randomUUID", "make ids inside the handler: at the top level, every copy would have the same"),
    (
        "crypto.getRandomValues",
        "draw random bytes inside the handler: at the top level, every copy would draw the same",
    ),
    (
        "crypto.subtle",
        "call `crypto.subtle` inside the handler and keep the promise: `key ??= crypto.subtle.importKey(…)`",
    ),
    ("process.env", "read variables inside the handler; a snapshot never holds their values"),
    ("context.env", "read variables inside the handler; a snapshot never holds their values"),
    (
        "WebAssembly",
        "compile WebAssembly at the first call, not at the top level: `module ??= new WebAssembly.Module(…)`",
    ),
    ("Promise.try", "write `new Promise((resolve) => resolve(f()))`, or call it inside the handler"),
    ("Temporal", "use `Temporal` inside the handler"),
    ("SharedArrayBuffer", "test for `SharedArrayBuffer` inside the handler; it is not available in Isle"),
    ("Intl.", "make `Intl` objects at the first call, not at the top level: `format ??= new Intl.NumberFormat(…)`"),
    (
        "after the warm-up call",
        "await all work and clear all timers before the handler answers, or give `warmup` an event that leaves none",
    ),
    (
        "no warm-up call",
        "give `warmup` an event, or leave it out; builders have no network, so a call made there reaches nobody",
    ),
    ("warm-up call threw", "give `warmup` an event that the handler can answer"),
    ("warm-up call needs", "give `warmup` an event that the handler answers quickly"),
    ("warm-up call takes", "give `warmup` an event that the handler answers quickly"),
    ("warm-up call ended", "give `warmup` an event that the handler answers within its limits"),
    ("warm-up call never", "give `warmup` an event that the handler answers"),
    ("warm-up call", "leave it to later calls, give `warmup` another event"),
    ("pending after start-up", "start timers and other waiting work inside the handler, not at the top level"),
    ("did not finish by itself", "do not wait for timers or other work in a top-level `await`"),
    ("unchangeable", "do not freeze or seal `globalThis` or built-in objects"),
    (
        "two fresh isolates answer differently",
        "the answer depends on time or chance; give `warmup` an event whose answer is always the same",
    ),
    (
        "answers differently",
        "something that start-up keeps does not survive in a snapshot (a Blob, a message port, a stack); make it inside the handler",
    ),
    ("FinalizationRegistry", "make the `FinalizationRegistry` at the first call, not at the top level"),
    (
        "died",
        "something at the top level cannot be kept in a snapshot; frozen or replaced built-ins are the usual cause: move them into the handler",
    ),
    ("start-up uses", "use it inside the handler, not at the top level"),
];

/// What to change, for the author.
pub fn hint(reason: &str) -> &'static str {
    let found = HINTS.iter().find(|(part, _)| reason.contains(part));
    found.map_or("move what the reason names from the top level into the handler", |(_, hint)| hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_hint_of_its_own() {
        for (reason, part) in [
            ("index.js uses `import()`, which needs the module's file at run time", "statically"),
            ("start-up uses Math.random, Intl.Locale", "random numbers"),
            ("start-up uses crypto.subtle.digest", "crypto.subtle"),
            ("start-up uses WebAssembly", "WebAssembly"),
            ("a timer or an operation is pending after start-up", "timers"),
            ("a timer or an operation is pending after the warm-up call", "clear all timers"),
            ("the warm-up call threw", "can answer"),
            ("no warm-up call is made, so a restored isolate cannot be compared", "no network"),
            ("the warm-up call uses context.env.KEY", "variables"),
            (
                "restoring it on probation: the process that tried it died (SIGSEGV), after use of Intl.NumberFormat",
                "`Intl`",
            ),
            ("the process that tried it died (signal: 6)", "frozen"),
            ("start-up uses Atomics.pause", "inside the handler"),
            ("who knows", "the reason names"),
        ] {
            assert!(hint(reason).contains(part), "{reason}: {}", hint(reason));
        }
    }

    #[test]
    fn a_report_becomes_a_plan() {
        let report = BuildReport {
            plan: StartKind::Snapshot,
            artifact: true,
            pooled_us: 20,
            snapshot_us: Some(10),
            snapshot_refused: Some("ä".repeat(400)),
            ..BuildReport::from_source(30)
        };
        let plan = Plan::of(&report);
        assert_eq!((plan.source_us, plan.pooled_us, plan.snapshot_us), (Some(30), Some(20), Some(10)));
        assert_eq!(plan.refused.as_ref().unwrap().len(), 500 + " …".len());
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
        let none = Plan::of(&BuildReport::from_source(0));
        assert_eq!((none.start, none.source_us, none.hint()), (StartKind::Source, None, None));
        assert_eq!(Plan::checked(StartWish::Auto, None).start, StartKind::Pooled);
    }
}
