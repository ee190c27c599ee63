//! Waiting to the microsecond. Tokio's own timers round up to the next millisecond, which would be
//! counted as latency of an open loop; a `timerfd` wakes within some 50 µs.

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timer for one waiter.
pub struct Timer(AsyncFd<Descriptor>);

/// What `AsyncFd` needs to know of a `TimerFd`.
struct Descriptor(TimerFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Timer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// When the system has no more to give.
    pub fn new() -> io::Result<Timer> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        // SAFETY: `Descriptor` owns the file descriptor, always gives the same one, and nothing closes it
        // or puts another in its place before the `AsyncFd` that now owns it is dropped.
        let timer = unsafe { AsyncFd::register_with_interest(Descriptor(timer), Interest::READABLE) };
        Ok(Timer(timer?))
    }

    /// Waits until `moment` after `began`; not at all when it has passed. Dropping the future is fine.
    pub async fn until(&mut self, began: Instant, moment: Duration) {
        loop {
            let left = moment.saturating_sub(began.elapsed());
            if left.is_zero() {
                return;
            }
            if self.sleep(left).await.is_err() {
                // Rather a coarse wait than none.
                tokio::time::sleep(left).await;
            }
        }
    }

    async fn sleep(&mut self, time: Duration) -> io::Result<()> {
        self.0.get_ref().0.set(Expiration::OneShot(TimeSpec::from_duration(time)), TimerSetTimeFlags::empty())?;
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|timer| timer.get_ref().0.wait().map_err(|error: Errno| error.into())) {
                Ok(waited) => return waited,
                // It was for a wait before, that was given up.
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_waits_no_shorter_than_asked_and_a_wait_that_is_given_up_does_no_harm() {
        let mut timer = Timer::new().unwrap();
        let began = Instant::now();
        for ms in [0, 2, 1, 4] {
            timer.until(began, Duration::from_millis(ms)).await;
            assert!(began.elapsed() >= Duration::from_millis(ms));
        }
        let given_up = tokio::time::timeout(Duration::from_millis(1), timer.until(began, Duration::from_secs(600)));
        assert!(given_up.await.is_err());
        let moment = began.elapsed() + Duration::from_millis(3);
        timer.until(began, moment).await;
        assert!(began.elapsed() >= moment);
    }
}
