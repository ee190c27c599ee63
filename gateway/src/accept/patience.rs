//! How long one connection may keep us waiting: one coarse timer, no clock read per request.
//!
//! The timer ticks [`TICKS`] times per idle timeout. A tick looks whether anything has moved since
//! the last one; a connection that was quiet for all ticks of a row is given up, so it lives for
//! between 1 and 1¼ idle timeouts. Only a head that came in pieces has a deadline of its own.

use super::progress::Progress;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

pub(super) const TICKS: u8 = 4;

/// What has been waited for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The rest of a request head.
    Head,
    /// A next request, on a connection that owes nothing.
    Idle,
    /// The client, to take bytes of a response.
    Stalled,
}

/// The timer of one connection.
pub(super) struct Patience {
    sleep: Pin<Box<Sleep>>,
    armed: bool,
    tick: Duration,
    next_tick: Instant,
    quiet_ticks: u8,
    token: [u32; 3],
    head_timeout: Duration,
    /// Deadline of the head that follows this many others.
    head: Option<(u32, Instant)>,
}

impl Patience {
    pub(super) fn new(head_timeout: Duration, idle_timeout: Duration) -> Patience {
        let tick = idle_timeout / u32::from(TICKS);
        let next_tick = Instant::now() + tick;
        Patience {
            sleep: Box::pin(tokio::time::sleep_until(next_tick)),
            armed: false,
            tick,
            next_tick,
            quiet_ticks: 0,
            token: [u32::MAX; 3],
            head_timeout,
            head: None,
        }
    }

    /// Looks at the clock, if it has struck; to be called after each turn of the connection.
    pub(super) fn check(&mut self, cx: &mut Context<'_>, progress: &Progress) -> Option<Overdue> {
        if progress.head_begun() && progress.refused().is_none() {
            let nth = progress.heads();
            if self.head.is_none_or(|(of, _)| of != nth) {
                let deadline = Instant::now() + self.head_timeout;
                self.head = Some((nth, deadline));
                if deadline < self.sleep.deadline() {
                    self.arm(deadline);
                }
            }
        } else {
            self.head = None;
        }
        // A task's waker stays the same, so once registered it need not be registered again.
        while !self.armed || self.sleep.is_elapsed() {
            if self.sleep.as_mut().poll(cx).is_pending() {
                self.armed = true;
                return None;
            }
            let now = self.sleep.deadline();
            if self.head.is_some_and(|(_, deadline)| deadline <= now) {
                self.head = None;
                self.arm(self.next_tick);
                return Some(Overdue::Head);
            }
            if now >= self.next_tick {
                if let Some(overdue) = self.tick(progress) {
                    return Some(overdue);
                }
                self.next_tick = now + self.tick;
            }
            self.arm(self.head.map_or(self.next_tick, |(_, deadline)| deadline.min(self.next_tick)));
        }
        None
    }

    fn arm(&mut self, deadline: Instant) {
        self.sleep.as_mut().reset(deadline);
        self.armed = false;
    }

    fn tick(&mut self, progress: &Progress) -> Option<Overdue> {
        let (token, blocked) = (progress.token(), progress.write_blocked());
        if token != self.token || !(blocked || progress.quiet()) {
            self.token = token;
            self.quiet_ticks = 0;
            return None;
        }
        self.quiet_ticks += 1;
        if self.quiet_ticks < TICKS {
            None
        } else if blocked {
            Some(Overdue::Stalled)
        } else {
            Some(Overdue::Idle)
        }
    }
}
