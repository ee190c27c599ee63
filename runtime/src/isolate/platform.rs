//! V8's process-wide state: flags and platform, the same in every process that makes or restores
//! a snapshot.

use super::processors;
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
        // V8's own way reads a page of the kernel's random numbers for each isolate, to use 8 bytes.
        deno_core::v8::V8::set_entropy_source(|bytes: &mut [u8]| getrandom::fill(bytes).is_ok());
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
    /// Requests wait for it, each for a short while.
    Serving,
    /// A request waits for it, for milliseconds: a start.
    Starting,
    /// V8's own threads: who serves need not wait for them, but they are there for who serves.
    Helping,
    /// Many wait, or nobody, and others should go first.
    Background,
}

/// How much a background thread is nicer: a third of a serving thread's weight.
const NICE: i32 = 5;
const NICEST: i32 = 19;
/// What a thread asks the scheduler for at a time, in ns: the least there is. From Linux 6.12 on,
/// who asks for less runs before who asks for more as soon as it wakes, and nobody has to wait for
/// the end of another's turn of 3 ms; older kernels take no notice.
const SLICE_NS: u64 = 100_000;
/// What a start asks for: all that most need. It wakes V8's helpers, and a thread whose slice is over
/// makes way for whoever waits on its processor, even while another is idle: with the short slice a
/// start of 3.5 ms took 0.7 ms more. Who serves, asking for less, interrupts it as before.
const STARTING_SLICE_NS: u64 = 20_000_000;
/// What V8's helpers ask for: the kernel's own measure. Less would cut short whom they wait for.
const HELPING_SLICE_NS: u64 = 3_000_000;

/// Sets what the calling thread's work is worth; threads and processes that it makes inherit it. A
/// helping or background thread never interrupts another, and if the process may take niceness back
/// (`RLIMIT_NICE`, or root), it also gets a smaller share. A background thread keeps to half of the
/// processors, of those that the process had at the first call.
pub fn set_urgency(urgency: Urgency) {
    let own = own_niceness();
    let nicer = || if may_take_niceness_back() { (own + NICE).min(NICEST) } else { own };
    let (policy, nice, slice_ns) = match urgency {
        Urgency::Serving => (nix::libc::SCHED_OTHER, own, SLICE_NS),
        Urgency::Starting => (nix::libc::SCHED_OTHER, own, STARTING_SLICE_NS),
        Urgency::Helping => (nix::libc::SCHED_BATCH, nicer(), HELPING_SLICE_NS),
        Urgency::Background => (nix::libc::SCHED_BATCH, nicer(), SLICE_NS),
    };
    // Between these two policies anybody may change. Where a sandbox knows no such call, everything
    // is worth the same.
    let _ = schedule(policy, nice, slice_ns);
    processors::keep_to(urgency == Urgency::Background);
}

/// sched_setattr(2) for the calling thread.
fn schedule(policy: nix::libc::c_int, nice: i32, slice_ns: u64) -> bool {
    let attributes = nix::libc::sched_attr {
        size: size_of::<nix::libc::sched_attr>() as u32,
        sched_policy: policy as u32,
        sched_flags: 0,
        sched_nice: nice,
        sched_priority: 0,
        sched_runtime: slice_ns,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: 0 is the calling thread; the attributes say how long they are and are read during the
    // call only.
    unsafe { nix::libc::syscall(nix::libc::SYS_sched_setattr, 0, &raw const attributes, 0) == 0 }
}

/// The niceness that the process was started with.
fn own_niceness() -> i32 {
    static NICENESS: OnceLock<i32> = OnceLock::new();
    // SAFETY: plain numbers; 0 is the calling thread. -1 is both an answer and an error, which this
    // call with these numbers has not.
    *NICENESS.get_or_init(|| unsafe { nix::libc::getpriority(nix::libc::PRIO_PROCESS, 0) })
}

fn may_take_niceness_back() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| {
        let nice = own_niceness();
        let tried = std::thread::spawn(move || {
            // The thread ends right after.
            schedule(nix::libc::SCHED_OTHER, (nice + NICE).min(NICEST), SLICE_NS)
                && schedule(nix::libc::SCHED_OTHER, nice, SLICE_NS)
        });
        tried.join().unwrap_or(false)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes() -> nix::libc::sched_attr {
        // SAFETY: plain numbers, all of which may be 0.
        let mut attributes: nix::libc::sched_attr = unsafe { std::mem::zeroed() };
        let size = size_of::<nix::libc::sched_attr>();
        // SAFETY: 0 is the calling thread, and the kernel writes at most `size` bytes.
        let got = unsafe { nix::libc::syscall(nix::libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
        assert_eq!(got, 0);
        attributes
    }

    #[test]
    fn a_thread_goes_to_the_background_and_comes_back() {
        let (nice, policy) = (own_niceness(), |attributes: nix::libc::sched_attr| attributes.sched_policy as i32);
        for _ in 0..2 {
            set_urgency(Urgency::Background);
            let background = attributes();
            assert!(background.sched_nice == nice || background.sched_nice == (nice + NICE).min(NICEST));
            assert_eq!(policy(background), nix::libc::SCHED_BATCH);
            set_urgency(Urgency::Serving);
            let serving = attributes();
            assert_eq!((serving.sched_nice, policy(serving)), (nice, nix::libc::SCHED_OTHER));
        }
    }

    #[test]
    fn a_start_may_run_longer_at_a_time_than_who_serves() {
        let slice_ns = |urgency| {
            set_urgency(urgency);
            attributes().sched_runtime
        };
        let (starting, serving) = (slice_ns(Urgency::Starting), slice_ns(Urgency::Serving));
        // Kernels before 6.12 tell nobody's.
        assert!((starting, serving) == (STARTING_SLICE_NS, SLICE_NS) || starting == serving);
    }
}
