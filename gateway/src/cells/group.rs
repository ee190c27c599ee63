//! Group: the tenants that share one cell (usually one tenant), and which cell that is now.
//!
//! ```text
//!   Empty ── first request ─▶ Starting ─▶ Live ── its cell is lost ─▶ Empty
//!     ▲                                                                 │ too many quick deaths
//!     └────────────────────── the time is over ───────────── Backing off ◀─┘
//! ```
//!
//! A group that kills its cells again and again pays with its own availability, not with
//! everybody's processor time; other groups do not see any of it.

use super::supervise::{Cause, Cell};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// A cell that dies sooner than this after it was assigned died quickly. 5 s: a tenant whose
/// requests kill cells seldom should not notice any back-off.
const QUICK: Duration = Duration::from_secs(5);
/// Quick deaths in a row that cost nothing but the restart.
const FREE_DEATHS: u32 = 4;
/// The first back-off; each further quick death doubles it.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
/// The longest back-off. 10 s: one process start in ten seconds harms nobody.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// When to start again after deaths. Time is an argument.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    quick_deaths: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// Notes a death after `lived`.
    pub fn died(&mut self, lived: Duration, now: Instant) {
        self.quick_deaths = if lived < QUICK { self.quick_deaths.saturating_add(1) } else { 0 };
        let over = self.quick_deaths.saturating_sub(FREE_DEATHS);
        self.until = (over > 0).then(|| {
            let wait = BACKOFF_MIN.saturating_mul(1 << (over - 1).min(16));
            now + wait.min(BACKOFF_MAX)
        });
    }

    /// Notes an end after `lived` that is no death: a long life forgives here, too.
    pub fn retired(&mut self, lived: Duration) {
        if lived >= QUICK {
            self.forgive();
        }
    }

    /// What was started does what it is there for: the deaths before it count no more.
    pub fn forgive(&mut self) {
        *self = Backoff::default();
    }

    /// How long not to start yet.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}

/// A group and its cell.
#[derive(Debug)]
pub struct Group {
    name: String,
    live: RwLock<Option<Arc<Cell>>>,
    /// Held by the request that gets the group a cell; the others wait for it.
    pub(super) starting: tokio::sync::Mutex<()>,
    backoff: Mutex<Backoff>,
}

impl Group {
    pub(super) fn new(name: &str) -> Group {
        Group {
            name: name.to_owned(),
            live: RwLock::new(None),
            starting: tokio::sync::Mutex::new(()),
            backoff: Mutex::default(),
        }
    }

    /// The tenant's name, or the trust group's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its cell, if it has one.
    pub fn live(&self) -> Option<Arc<Cell>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long the group must wait for another cell.
    pub(super) fn backing_off(&self, now: Instant) -> Option<Duration> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner).wait(now)
    }

    pub(super) fn set_live(self: &Arc<Self>, cell: &Arc<Cell>) {
        cell.assign(self);
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Some(cell.clone());
        // It may have died just before: then its task found no group to tell.
        if cell.link.is_closed() {
            self.lost(cell);
        }
    }

    /// The cell takes no more: the next request gets another.
    pub(super) fn lost(&self, cell: &Arc<Cell>) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if live.as_ref().is_some_and(|current| Arc::ptr_eq(current, cell)) {
            *live = None;
        }
    }

    /// A cell of this group died after `lived`, or was retired.
    pub(super) fn ended(&self, cause: Cause, lived: Duration, now: Instant) {
        let mut backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        match cause {
            Cause::Retired => backoff.retired(lived),
            Cause::Exited | Cause::Wedged | Cause::Garbled | Cause::StartTimeout => backoff.died(lived, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quick_deaths_in_a_row_cost_time_and_never_more_than_the_cap() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for _ in 0..FREE_DEATHS {
            backoff.died(Duration::ZERO, now);
            assert_eq!(backoff.wait(now), None);
        }
        let mut last = Duration::ZERO;
        for _ in 0..100 {
            backoff.died(Duration::ZERO, now);
            let wait = backoff.wait(now).unwrap();
            assert!(wait >= last && wait >= BACKOFF_MIN && wait <= BACKOFF_MAX);
            assert_eq!(backoff.wait(now + wait), None, "and then it is over");
            last = wait;
        }
        assert_eq!(last, BACKOFF_MAX);
        backoff.died(QUICK, now);
        assert_eq!(backoff.wait(now), None, "a long life forgives");
    }

    #[test]
    fn a_long_life_forgives_however_it_ends_and_a_short_one_does_not() {
        let now = Instant::now();
        for (lived, forgiven) in [(QUICK, true), (QUICK - Duration::from_millis(1), false)] {
            let group = Group::new("acme");
            for _ in 0..FREE_DEATHS + 1 {
                group.ended(Cause::Exited, Duration::ZERO, now);
            }
            assert!(group.backing_off(now).is_some());
            group.ended(Cause::Retired, lived, now);
            group.ended(Cause::Exited, Duration::ZERO, now);
            assert_eq!(group.backing_off(now).is_none(), forgiven, "{lived:?}");
        }
    }
}
