//! V8's process-wide state: flags and platform, the same in every process that makes or restores
//! a snapshot.

use deno_core::JsRuntime;
use std::sync::{Once, OnceLock};

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
    init_with(FLAGS);
}

/// [`init`] with other flags: for tests that show what one of them is for.
pub fn init_with(flags: &[&str]) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut arguments = vec!["isle".to_owned()];
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let unknown = deno_core::v8_set_flags(arguments);
        debug_assert_eq!(unknown.len(), 1, "V8 does not know {unknown:?}");
        JsRuntime::init_platform(None);
    });
}

/// Gives free memory of the C library's heap back to the kernel. Takes up to milliseconds, with
/// the heap's locks held in turns: not for threads that serve.
pub fn give_back_memory() {
    // SAFETY: no precondition; it only looks at the allocator's own books.
    unsafe { nix::libc::malloc_trim(0) };
}

/// What a thread's work is worth to the kernel's scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A request waits for it.
    Serving,
    /// Many wait, and others should go first.
    Background,
}

/// How much a background thread is nicer: a third of a serving thread's weight.
const NICE: i32 = 5;

/// Sets what the calling thread's work is worth. A background thread never interrupts another; if
/// the process may take niceness back (`RLIMIT_NICE`, or root), it also gets a smaller share.
pub fn set_urgency(urgency: Urgency) {
    let (policy, nice) = match urgency {
        Urgency::Serving => (nix::libc::SCHED_OTHER, 0),
        Urgency::Background => (nix::libc::SCHED_BATCH, NICE),
    };
    let parameters = nix::libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 is the calling thread, and the parameters are read during the call only.
    let set = unsafe { nix::libc::sched_setscheduler(0, policy, &raw const parameters) };
    debug_assert_eq!(set, 0, "between these two policies anybody may change");
    if may_take_niceness_back() {
        // SAFETY: plain numbers; 0 is the calling thread.
        unsafe { nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, nice) };
    }
}

fn may_take_niceness_back() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| {
        let tried = std::thread::spawn(|| {
            // SAFETY: plain numbers; 0 is the calling thread, which ends right after.
            unsafe {
                nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, NICE) == 0
                    && nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, 0) == 0
            }
        });
        tried.join().unwrap_or(false)
    })
}
