//! Who runs where: pure decisions over counts and times, no V8, no threads.

use std::time::Duration;

/// A waiting request makes another isolate of its version worth while after this long. A warm
/// handler takes microseconds, so a wait of this length means that the residents are busy.
pub const WAIT_BEFORE_ANOTHER: Duration = Duration::from_millis(2);

/// What is known about a version when a decision is due.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Requests waiting.
    pub waiting: usize,
    /// How long the first of them has waited.
    pub waited: Duration,
    /// Isolates resident or starting.
    pub residents: u32,
    /// Of those, starting.
    pub starting: u32,
    /// The function's limit.
    pub residents_max: u32,
}

/// Whether to start an isolate for the version now. The first is started at once; a further one
/// when a request has waited while no other is already on its way.
pub fn wants_another(demand: &Demand) -> bool {
    match (demand.waiting, demand.residents) {
        (0, _) => false,
        (_, 0) => true,
        _ => demand.starting == 0 && demand.residents < demand.residents_max && demand.waited >= WAIT_BEFORE_ANOTHER,
    }
}

/// How many spare isolates to make now: up to the wish, within what the cell may hold.
pub fn spares_to_make(spares: u32, making: u32, wanted: u32, isolates: u32, isolates_max: u32) -> u32 {
    wanted.saturating_sub(spares + making).min(isolates_max.saturating_sub(isolates))
}

/// Which of the idle isolates to drop for room: the one idle for longest.
pub fn longest_idle<K>(idle: impl Iterator<Item = (K, Duration)>) -> Option<K> {
    idle.max_by_key(|(_, age)| *age).map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Demand =
        Demand { waiting: 1, waited: Duration::from_millis(5), residents: 1, starting: 0, residents_max: 4 };

    #[test]
    fn the_first_isolate_starts_at_once_and_only_once() {
        let cold = Demand { residents: 0, waited: Duration::ZERO, ..BUSY };
        assert!(wants_another(&cold));
        assert!(!wants_another(&Demand { residents: 1, starting: 1, waiting: 500, ..BUSY }), "one start, many waiting");
        assert!(!wants_another(&Demand { waiting: 0, residents: 0, ..BUSY }));
    }

    #[test]
    fn more_isolates_come_when_requests_wait_up_to_the_limit() {
        assert!(wants_another(&BUSY));
        assert!(!wants_another(&Demand { waited: Duration::from_micros(300), ..BUSY }), "a short wait is batching");
        assert!(!wants_another(&Demand { residents: 4, ..BUSY }));
    }

    #[test]
    fn spares_are_made_within_the_cells_room() {
        assert_eq!(spares_to_make(0, 0, 2, 1, 10), 2);
        assert_eq!(spares_to_make(1, 1, 2, 3, 10), 0);
        assert_eq!(spares_to_make(0, 0, 2, 9, 10), 1);
        assert_eq!(spares_to_make(0, 0, 2, 12, 10), 0);
    }

    #[test]
    fn the_longest_idle_goes_first() {
        let ages = [("a", 5), ("b", 9), ("c", 1)].map(|(name, age)| (name, Duration::from_secs(age)));
        assert_eq!(longest_idle(ages.into_iter()), Some("b"));
        assert_eq!(longest_idle(std::iter::empty::<((), Duration)>()), None);
    }
}
