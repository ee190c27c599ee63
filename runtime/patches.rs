//! Places where the platform's scripts differ from the standards, and what stands there instead.
//!
//! A patch must fit exactly as often as it says: an update of the crates that changes the place
//! fails the build, and somebody looks whether the patch is still needed.

mod crypto;
mod fetch;
mod headers;
mod performance;
mod streams;
mod web;

/// One replacement.
pub struct Patch {
    /// `crate/script`.
    pub script: &'static str,
    /// What stands there.
    pub find: &'static str,
    /// How often.
    pub times: usize,
    /// What shall.
    pub put: &'static str,
}

const fn patch(script: &'static str, find: &'static str, put: &'static str) -> Patch {
    Patch { script, find, times: 1, put }
}

/// All of them.
pub fn patches() -> impl Iterator<Item = &'static Patch> {
    [crypto::PATCHES, fetch::PATCHES, headers::PATCHES, performance::PATCHES, streams::PATCHES, web::PATCHES]
        .into_iter()
        .flatten()
}
