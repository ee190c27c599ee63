//! What the runners share: a real node as a child process, its REST API, a blocking HTTP/1.1
//! client, and a small harness that runs many named tests against one node.
//!
//! Nothing here waits by sleeping for something to have happened: [`until`] asks, with a bound.

#![allow(dead_code, reason = "each runner is a crate of its own and uses its part of this one")]

pub mod api;
pub mod deployment;
pub mod http;
pub mod node;
pub mod suite;

use std::time::{Duration, Instant};

/// The longest that anything here may take on a slow machine with an unoptimised build.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until there is an answer; panics with `what` when there is none within `bound`.
pub fn until<T>(what: &str, bound: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(begun.elapsed() < bound, "not within {bound:?}: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// The folder that holds this crate's cases.
pub fn js_tests() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../js-tests")
}
