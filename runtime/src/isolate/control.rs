//! Control: what other threads may know and do about an isolate, and the limits that V8 itself
//! asks about.
//!
//! ```text
//!   isolate's thread                                   governor's thread (every few ms)
//!   enter(budget) ── running, CPU at entry ──▶ Control ◀── check(): CPU used > budget? terminate
//!   V8 near heap limit ──▶ terminate, headroom          └── interrupt: heap + external > limit?
//!   ArrayBuffer wanted ──▶ counted, refused over the limit
//!   leave() ◀── CPU used, and which limit stopped it
//! ```
//!
//! CPU time is the isolate's thread's own clock (`CLOCK_THREAD_CPUTIME_ID`), never wall time: a
//! function is not charged for its neighbours.

use deno_core::v8;
use nix::libc;
use nix::time::ClockId;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How far past its limit V8 may go to come to a stop. Measured: with 32 MiB a single large
/// allocation (`fill`, `split`) is still the process's end; with this, all tried survive. What
/// bounds the passing memory is the cell's kernel limit.
const HEAP_HEADROOM_BYTES: usize = 4 << 30;

/// The limit that stopped a stay in JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The CPU budget of this stay.
    Cpu,
    /// The memory limit of the isolate, or of the cell.
    Heap,
}

#[derive(Debug, Default)]
struct Stay {
    running: bool,
    entered_cpu_ns: u64,
    budget_ns: u64,
    stopped_by: Option<Stop>,
    left_cpu_ns: u64,
}

/// Shared by an isolate's thread, the governor, and V8's callbacks.
pub struct Control {
    handle: v8::IsolateHandle,
    clock: ClockId,
    stay: Mutex<Stay>,
    heap_stop: AtomicBool,
    memory: Arc<Memory>,
}

/// The memory limit, and what of it ArrayBuffers use.
#[derive(Debug)]
pub struct Memory {
    limit_bytes: AtomicUsize,
    buffer_bytes: AtomicUsize,
    /// Allocations refused since the last entry.
    refused: AtomicUsize,
    /// V8 heap and external memory when last looked at, in bytes.
    last_seen_bytes: AtomicU64,
}

impl Memory {
    /// An account with this limit.
    pub fn new(limit_bytes: usize) -> Arc<Memory> {
        Arc::new(Memory {
            limit_bytes: AtomicUsize::new(limit_bytes),
            buffer_bytes: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            last_seen_bytes: AtomicU64::new(0),
        })
    }

    /// Sets the limit of the function that moves in.
    pub fn set_limit(&self, limit_bytes: usize) {
        self.limit_bytes.store(limit_bytes, Ordering::Relaxed);
    }

    fn limit(&self) -> usize {
        self.limit_bytes.load(Ordering::Relaxed)
    }

    /// V8 heap and external memory when last looked at, in bytes.
    pub fn last_seen(&self) -> u64 {
        self.last_seen_bytes.load(Ordering::Relaxed)
    }
}

unsafe extern "C" fn allocate(memory: &Memory, length: usize) -> *mut c_void {
    let before = memory.buffer_bytes.fetch_add(length, Ordering::Relaxed);
    if before.saturating_add(length) > memory.limit() {
        memory.buffer_bytes.fetch_sub(length, Ordering::Relaxed);
        memory.refused.fetch_add(1, Ordering::Relaxed);
        return std::ptr::null_mut();
    }
    // SAFETY: calloc is called with a length that is not zero; V8 takes null for "out of memory".
    // It must be C memory, since V8 hands it back to `free` below from any thread.
    unsafe { libc::calloc(length.max(1), 1) }
}

unsafe extern "C" fn free(memory: &Memory, data: *mut c_void, length: usize) {
    memory.buffer_bytes.fetch_sub(length, Ordering::Relaxed);
    // SAFETY: `data` came from `allocate` above, with this allocator; V8 frees each block once.
    unsafe { libc::free(data) }
}

unsafe extern "C" fn drop_memory(memory: *const Memory) {
    // SAFETY: the pointer was made by `Arc::into_raw` in `allocator`, and V8 calls this once.
    drop(unsafe { Arc::from_raw(memory) });
}

static ALLOCATOR: v8::RustAllocatorVtable<Memory> =
    v8::RustAllocatorVtable { allocate, allocate_uninitialized: allocate, free, drop: drop_memory };

/// An ArrayBuffer allocator that keeps `memory`'s account.
pub fn allocator(memory: &Arc<Memory>) -> v8::UniqueRef<v8::Allocator> {
    // SAFETY: the vtable's functions accept exactly the pointer given here, which stays valid
    // until V8 calls `drop_memory`.
    unsafe { v8::new_rust_allocator(Arc::into_raw(memory.clone()), &ALLOCATOR) }
}

unsafe extern "C" fn near_heap_limit(data: *mut c_void, current: usize, _initial: usize) -> usize {
    // SAFETY: `data` is the `Control` that `install` leaked a reference count of; the isolate that
    // calls this is dropped before the count is returned (`Installed`).
    let control = unsafe { &*(data as *const Control) };
    control.stop_for_memory();
    current.saturating_add(HEAP_HEADROOM_BYTES)
}

unsafe extern "C" fn look_at_memory(isolate: v8::UnsafeRawIsolatePtr, data: *mut c_void) {
    // SAFETY: as in `near_heap_limit`; V8 runs interrupts on the isolate's thread while it lives.
    let control = unsafe { &*(data as *const Control) };
    // SAFETY: V8 passes the isolate that was interrupted, entered on this thread.
    let mut isolate = unsafe { v8::Isolate::from_raw_isolate_ptr(isolate) };
    if control.exceeds_memory(&mut isolate) {
        control.stop_for_memory();
    }
}

/// Keeps what V8's callbacks point to alive. Drop it after the isolate.
pub struct Installed(Arc<Control>);

impl Drop for Installed {
    fn drop(&mut self) {
        // SAFETY: returns the count that `install` leaked; the isolate is gone, nobody calls back.
        unsafe { Arc::decrement_strong_count(Arc::as_ptr(&self.0)) }
    }
}

/// Makes the control of an isolate on its own thread and hangs it into V8's callbacks.
pub fn install(isolate: &mut v8::Isolate, memory: Arc<Memory>) -> (Arc<Control>, Installed) {
    let control = Arc::new(Control {
        handle: isolate.thread_safe_handle(),
        clock: own_clock(),
        stay: Mutex::default(),
        heap_stop: AtomicBool::new(false),
        memory,
    });
    let data = Arc::into_raw(control.clone()) as *mut c_void;
    isolate.add_near_heap_limit_callback(near_heap_limit, data);
    let installed = Installed(control.clone());
    (control, installed)
}

fn own_clock() -> ClockId {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: pthread_self() is this thread, alive for the call; `clock` is a valid place to write.
    // The clock may be read by any thread of the process; after the thread's end it is an error.
    let failed = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) };
    if failed == 0 { ClockId::from_raw(clock) } else { ClockId::CLOCK_THREAD_CPUTIME_ID }
}

fn read_ns(clock: ClockId) -> Option<u64> {
    let time = clock.now().ok()?;
    Some(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

/// CPU time of the calling thread, in ns.
pub fn thread_cpu_ns() -> u64 {
    read_ns(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap_or(0)
}

impl Control {
    fn stay(&self) -> std::sync::MutexGuard<'_, Stay> {
        self.stay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory account.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Starts a stay in JavaScript with a CPU budget in ns. Isolate's thread only. With `follows`
    /// it begins on the clock where the last one ended: reading the clock is a system call, and
    /// between two invocations of a batch there is next to nothing.
    pub fn enter(&self, budget_ns: u64, follows: bool) {
        let mut stay = self.stay();
        let entered_cpu_ns = if follows { stay.left_cpu_ns } else { thread_cpu_ns() };
        self.memory.refused.store(0, Ordering::Relaxed);
        *stay = Stay { running: true, entered_cpu_ns, budget_ns, stopped_by: None, left_cpu_ns: 0 };
    }

    /// Ends the stay: CPU used in ns, and the limit that stopped it, if one did. Isolate's thread.
    pub fn leave(&self) -> (u64, Option<Stop>) {
        let now = thread_cpu_ns();
        let mut stay = self.stay();
        stay.running = false;
        stay.left_cpu_ns = now;
        let used = now.saturating_sub(stay.entered_cpu_ns);
        let mut stopped_by = stay.stopped_by.take();
        if self.heap_stop.swap(false, Ordering::AcqRel) {
            stopped_by = Some(Stop::Heap);
        }
        drop(stay);
        if stopped_by.is_some() {
            // The request to stop may come after JavaScript has ended by itself.
            self.handle.cancel_terminate_execution();
        }
        (used, stopped_by)
    }

    /// Whether an ArrayBuffer was refused for memory during this stay.
    pub fn refused_memory(&self) -> bool {
        self.memory.refused.load(Ordering::Relaxed) > 0
    }

    /// Stops what runs now because memory is used up. Any thread.
    pub fn stop_for_memory(&self) {
        self.heap_stop.store(true, Ordering::Release);
        self.handle.terminate_execution();
    }

    /// Looks at a stay from outside: stops it when its CPU budget is spent, and has V8 count its
    /// memory when it has lasted a while. Returns whether JavaScript is running. Any thread.
    pub fn check(self: &Arc<Self>, look_after_ns: u64) -> bool {
        let mut stay = self.stay();
        if !stay.running {
            return false;
        }
        let Some(now) = read_ns(self.clock) else { return false };
        let used = now.saturating_sub(stay.entered_cpu_ns);
        if used > stay.budget_ns {
            stay.stopped_by.get_or_insert(Stop::Cpu);
            // Again at each look: native code that calls back into JavaScript (printing a value,
            // describing an error) survives the first request and would start over. Under the
            // lock: `leave` must see the mark of every request to stop.
            self.handle.terminate_execution();
        } else if used > look_after_ns {
            self.handle.request_interrupt(look_at_memory, Arc::as_ptr(self) as *mut c_void);
        }
        true
    }

    /// Counts heap and external memory; whether they exceed the limit. Isolate's thread only.
    pub fn exceeds_memory(&self, isolate: &mut v8::Isolate) -> bool {
        let statistics = isolate.get_heap_statistics();
        let bytes = statistics.used_heap_size() + statistics.external_memory();
        self.memory.last_seen_bytes.store(bytes as u64, Ordering::Relaxed);
        // Half as much again for garbage that V8 has not got round to: its own limit, checked
        // after a collection, is the exact one for the heap; this one is for memory outside it.
        statistics.external_memory() > self.memory.limit() || bytes > self.memory.limit() / 2 * 3
    }
}
