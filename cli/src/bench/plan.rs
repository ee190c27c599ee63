//! When which request is sent. Pure: the time that has passed is an argument.
//!
//! Closed loop: each connection sends its next request when the last was answered. It shows what
//! a server can do, but a slow answer also delays the next question, so waiting is hidden.
//!
//! Open loop: requests are due at fixed moments, whatever happened to those before; latency counts
//! from the moment a request was *due*. A server that stalls for a second then shows it in every
//! request that was due in that second, as its users would see it.

use std::time::Duration;

/// When to send and when to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Open loop: arrivals a second. `None` is the closed loop.
    pub rate: Option<f64>,
    /// Stop after that many requests.
    pub requests: Option<u64>,
    /// Stop sending after that long.
    pub duration: Option<Duration>,
    /// Open loop: how much longer than `duration` a backlog may take before the rest of it is given up.
    pub grace: Duration,
}

/// What a connection that is free does next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Send at once.
    Now,
    /// Send at this moment since the start, or at once when it has passed.
    At(Duration),
    /// Send nothing more.
    Stop,
}

impl Plan {
    /// What to do with request `index`, counted from 0 over all connections, `elapsed` after the start.
    pub fn next(&self, index: u64, elapsed: Duration) -> Next {
        if self.requests.is_some_and(|requests| index >= requests) {
            return Next::Stop;
        }
        let Some(rate) = self.rate else {
            let over = self.duration.is_some_and(|duration| elapsed >= duration);
            return if over { Next::Stop } else { Next::Now };
        };
        let due = Duration::from_secs_f64(index as f64 / rate);
        let last = self.duration.unwrap_or(Duration::MAX);
        if due >= last || elapsed > last.min(self.last_due()).saturating_add(self.grace) {
            return Next::Stop;
        }
        Next::At(due)
    }

    /// Open loop: the moment of the last request, as far as their number says.
    fn last_due(&self) -> Duration {
        match (self.rate, self.requests) {
            (Some(rate), Some(requests)) => {
                Duration::try_from_secs_f64(requests as f64 / rate).unwrap_or(Duration::MAX)
            }
            _ => Duration::MAX,
        }
    }

    /// How many requests there will be, when that is known before.
    pub fn total(&self) -> Option<u64> {
        let due = match (self.rate, self.duration) {
            (Some(rate), Some(duration)) => Some((duration.as_secs_f64() * rate).ceil() as u64),
            _ => None,
        };
        match (self.requests, due) {
            // In a closed loop, time may stop the run before the number is reached.
            (Some(_), None) if self.duration.is_some() => None,
            (Some(requests), Some(due)) => Some(requests.min(due)),
            (requests, due) => requests.or(due),
        }
    }

    /// How many requests were due within `elapsed`: open loop only.
    pub fn due_within(&self, elapsed: Duration) -> Option<u64> {
        let rate = self.rate?;
        // Request 0 is due at once.
        let due = (elapsed.as_secs_f64() * rate).floor() as u64 + 1;
        Some(self.total().map_or(due, |total| due.min(total)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const CLOSED: Plan = Plan { rate: None, requests: None, duration: None, grace: Duration::ZERO };

    #[test]
    fn a_closed_loop_sends_at_once_until_number_or_time_is_reached() {
        let plan = Plan { requests: Some(2), duration: Some(MS(100)), ..CLOSED };
        assert_eq!(plan.next(0, MS(0)), Next::Now);
        assert_eq!(plan.next(1, MS(99)), Next::Now);
        assert_eq!(plan.next(1, MS(100)), Next::Stop);
        assert_eq!(plan.next(2, MS(0)), Next::Stop);
        assert_eq!(plan.total(), None);
        assert_eq!(Plan { duration: None, ..plan }.total(), Some(2));
        assert_eq!(plan.due_within(MS(50)), None);
    }

    #[test]
    fn an_open_loop_has_its_moments_whatever_happened_before() {
        let plan = Plan { rate: Some(100.0), duration: Some(MS(35)), grace: MS(1_000), ..CLOSED };
        let moments: Vec<Next> = (0..5).map(|index| plan.next(index, MS(0))).collect();
        assert_eq!(moments, [Next::At(MS(0)), Next::At(MS(10)), Next::At(MS(20)), Next::At(MS(30)), Next::Stop]);
        // Late, but it still belongs to the run: it shows how long it had to wait.
        assert_eq!(plan.next(1, MS(900)), Next::At(MS(10)));
        assert_eq!(plan.total(), Some(4));
        assert_eq!(plan.due_within(MS(15)), Some(2));
        assert_eq!(plan.due_within(MS(5_000)), Some(4));
    }

    #[test]
    fn a_backlog_is_given_up_in_the_end() {
        let plan = Plan { rate: Some(100.0), duration: Some(MS(100)), grace: MS(50), ..CLOSED };
        assert_eq!(plan.next(3, MS(150)), Next::At(MS(30)));
        assert_eq!(plan.next(3, MS(151)), Next::Stop);
        let plan = Plan { duration: None, requests: Some(10), ..plan };
        assert_eq!(plan.next(3, MS(150)), Next::At(MS(30)));
        assert_eq!(plan.next(3, MS(151)), Next::Stop);
        assert_eq!(plan.total(), Some(10));
    }
}
