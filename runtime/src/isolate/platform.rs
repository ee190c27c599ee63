//! V8's process-wide state: flags and platform, the same in every process that makes or restores
//! a snapshot.

use deno_core::JsRuntime;
use std::sync::Once;

/// The flags of every process that runs V8. They are part of the key of every blob.
pub const FLAGS: &[&str] = &[
    // No SharedArrayBuffer: shared memory is a clock with the resolution that side channels need.
    "--enable-sharedarraybuffer-per-context",
    // A snapshot on top of the base must not extend the read-only heap: two that do, in one
    // process, read each other's garbage.
    "--no-extensible-ro-snapshot",
];

/// Closes every descriptor but the three standard ones. What the node's own parent left open
/// without close-on-exec would otherwise be a cell's, too.
pub fn close_inherited() {
    // SAFETY: called first thing in the process, when nothing of ours has opened a descriptor, so
    // none that is closed here is owned by anybody.
    let failed = unsafe { nix::libc::close_range(3, nix::libc::c_uint::MAX, 0) };
    // Kernels before 5.9 do not have the call; ours are opened close-on-exec anyway.
    let _ = failed;
}

/// Prepares V8 once per process. Call it on the thread that outlives all isolates.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut arguments = vec!["isle".to_owned()];
        arguments.extend(FLAGS.iter().map(|flag| (*flag).to_owned()));
        let unknown = deno_core::v8_set_flags(arguments);
        debug_assert_eq!(unknown.len(), 1, "V8 does not know {unknown:?}");
        JsRuntime::init_platform(None);
    });
}
