//! What functions see of time.
//!
//! A clock is what timing attacks are made of: whoever can measure how long a computation took can
//! tell what another tenant left in a shared cache. So functions get no better clock than they need:
//!
//! - [`Clock::Coarse`]: `performance.now()` in steps of 0.1 ms, `Date` in whole milliseconds. The
//!   default.
//! - [`Clock::Frozen`]: all clocks stand still while code runs. They are set when JavaScript is
//!   entered because something happened outside: a request, a timer, a piece of a body, an answer.
//! - [`Clock::Precise`]: microseconds. For development.
//!
//! The setting is the process's. `bootstrap.js` puts a `Date` of its own into the base snapshot of
//! nodes with frozen clocks, and into no other's: the default costs nothing.

pub use isle_wire::Clock;
use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Steps of `performance.now()` with coarse clocks, in µs. What browsers give to pages that are not
/// isolated from others.
pub const COARSE_US: u64 = 100;

static SETTING: AtomicU8 = AtomicU8::new(COARSE);
const COARSE: u8 = 0;
const FROZEN: u8 = 1;
const PRECISE: u8 = 2;

/// Sets the clock of every isolate of this process. Once, before the first.
pub fn set(clock: Clock) {
    let setting = match clock {
        Clock::Coarse => COARSE,
        Clock::Frozen => FROZEN,
        Clock::Precise => PRECISE,
    };
    SETTING.store(setting, Ordering::Relaxed);
}

/// The file name of a base snapshot with this clock.
pub fn base_name(key: &str, clock: Clock) -> String {
    let kind = if clock == Clock::Frozen { FROZEN_BASE } else { ".snapshot" };
    format!("{key}{kind}")
}

/// How the file of a base snapshot ends that has frozen clocks: what works with it can tell.
const FROZEN_BASE: &str = "-frozen.snapshot";

/// Sets the clock that goes with a base snapshot.
pub fn set_for(base: &Path) {
    let frozen = base.to_string_lossy().ends_with(FROZEN_BASE);
    set(if frozen { Clock::Frozen } else { Clock::Coarse });
}

/// Whether clocks stand still while code runs.
pub fn is_frozen() -> bool {
    SETTING.load(Ordering::Relaxed) == FROZEN
}

thread_local! {
    /// When this thread's isolate came to be: the zero of its `performance.now()`.
    static ORIGIN: Cell<Option<Instant>> = const { Cell::new(None) };
    /// What frozen clocks show: time since the Unix epoch.
    static SHOWN: Cell<Option<Duration>> = const { Cell::new(None) };
    /// And the same on the monotonic clock.
    static SHOWN_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Something happened outside: frozen clocks show the time of it. The calling thread's isolate is
/// entered next.
pub fn happened() {
    if is_frozen() {
        SHOWN.set(Some(since_epoch()));
        SHOWN_AT.set(Some(Instant::now()));
    }
}

/// `time` in whole steps.
fn in_steps(time: Duration, step_us: u64) -> Duration {
    Duration::from_micros(time.as_micros() as u64 / step_us * step_us)
}

fn step_us() -> u64 {
    match SETTING.load(Ordering::Relaxed) {
        PRECISE => 1,
        FROZEN => 1_000,
        _ => COARSE_US,
    }
}

/// Time since the isolate's origin, as a function may know it.
fn now() -> Duration {
    let at = SHOWN_AT.get().filter(|_| is_frozen()).unwrap_or_else(Instant::now);
    let origin = ORIGIN.get().unwrap_or_else(|| {
        ORIGIN.set(Some(at));
        at
    });
    in_steps(at.saturating_duration_since(origin), step_us())
}

fn write(time: Duration, out: &mut [u8]) {
    let (seconds, nanos) = ((time.as_secs() as u32).to_ne_bytes(), time.subsec_nanos().to_ne_bytes());
    if let Some((first, rest)) = out.split_first_chunk_mut::<4>() {
        *first = seconds;
        if let Some(second) = rest.first_chunk_mut::<4>() {
            *second = nanos;
        }
    }
}

/// What scripts call.
pub(crate) mod ops {
    #![allow(missing_docs, reason = "op2 makes items of its own")]

    use super::{ORIGIN, SHOWN, happened, in_steps, is_frozen as frozen, now, since_epoch, step_us, write};
    use deno_core::op2;
    use std::time::Instant;

    /// In place of deno_web's: time since the origin, as seconds and nanoseconds.
    #[op2(fast)]
    pub fn op_now(#[buffer] out: &mut [u8]) {
        write(now(), out);
    }

    /// In place of deno_web's: the origin itself. Asking sets it.
    #[op2(fast)]
    pub fn op_time_origin(#[buffer] out: &mut [u8]) {
        ORIGIN.set(Some(Instant::now()));
        happened();
        write(in_steps(since_epoch(), step_us()), out);
    }

    /// Time since the origin, in ms.
    #[op2(fast)]
    pub fn op_isle_now() -> f64 {
        now().as_micros() as f64 / 1000.0
    }

    /// See [`is_frozen`].
    #[op2(fast)]
    pub fn op_isle_is_frozen() -> bool {
        frozen()
    }

    /// What `Date.now()` shows where clocks are frozen, in ms since the Unix epoch.
    #[op2(fast)]
    pub fn op_isle_date() -> f64 {
        SHOWN.get().unwrap_or_else(since_epoch).as_millis() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_whole_and_never_ahead() {
        for us in [0, 1, 99, 100, 101, 12_345] {
            let time = Duration::from_micros(us);
            let shown = in_steps(time, COARSE_US);
            assert!(shown <= time && time - shown < Duration::from_micros(COARSE_US));
            assert_eq!(shown.as_micros() % u128::from(COARSE_US), 0);
        }
    }
}
