//! Who runs where: pure decisions over counts and times, no V8, no threads.

use crate::snapshot::web::Platform;
use std::collections::VecDeque;
use std::ops::{Index, IndexMut};
use std::time::{Duration, Instant};

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
    /// Whether a further one has just failed to start.
    pub held_back: bool,
}

/// Whether to start an isolate for the version now. The first is started at once; a further one
/// when a request has waited while no other is already on its way.
pub fn wants_another(demand: &Demand) -> bool {
    match (demand.waiting, demand.residents) {
        (0, _) => false,
        (_, 0) => true,
        _ if demand.held_back => false,
        _ => demand.starting == 0 && demand.residents < demand.residents_max && demand.waited >= WAIT_BEFORE_ANOTHER,
    }
}

/// How many spare isolates to make now: up to the wish, within what the cell may hold.
pub fn spares_to_make(spares: u32, making: u32, wanted: u32, isolates: u32, isolates_max: u32) -> u32 {
    wanted.saturating_sub(spares + making).min(isolates_max.saturating_sub(isolates))
}

/// One for each way that an isolate can begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByPlatform<T>([T; 2]);

/// All of them.
pub const PLATFORMS: [Platform; 2] = [Platform::Bare, Platform::Web];

impl<T> ByPlatform<T> {
    /// One made for each.
    pub fn new(mut make: impl FnMut(Platform) -> T) -> ByPlatform<T> {
        ByPlatform(PLATFORMS.map(&mut make))
    }

    /// All of them.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T> Index<Platform> for ByPlatform<T> {
    type Output = T;

    fn index(&self, platform: Platform) -> &T {
        &self.0[platform as usize]
    }
}

impl<T> IndexMut<Platform> for ByPlatform<T> {
    fn index_mut(&mut self, platform: Platform) -> &mut T {
        &mut self.0[platform as usize]
    }
}

impl<T> ByPlatform<Vec<T>> {
    /// One that begins so; else the other kind, which serves as well, if later or with more memory.
    pub fn take(&mut self, platform: Platform) -> Option<T> {
        let other = if platform == Platform::Bare { Platform::Web } else { Platform::Bare };
        self[platform].pop().or_else(|| self[other].pop())
    }
}

/// How many spare isolates of each kind to keep: as many as were lately needed at once, between
/// the bounds. The least there must be are of the kind that was needed last.
pub fn spares_wanted(peaks: &ByPlatform<u32>, last: Platform, least: u32, most: u32) -> ByPlatform<u32> {
    let most = most.max(least);
    let of_last = peaks[last].clamp(least, most);
    ByPlatform::new(|platform| if platform == last { of_last } else { peaks[platform].min(most - of_last) })
}

/// Starts that wait from which on they are a storm: whoever serves goes before them.
const STORM: usize = 4;

/// Whether starts should leave the processor to others. Those that follow each other, however
/// quickly, are each what somebody waits for.
pub fn is_storm(waiting: usize) -> bool {
    waiting >= STORM
}

/// Seconds that count as lately.
const LATELY: usize = 10;

/// How many of something there were in each of the last seconds.
#[derive(Clone, Copy, Debug)]
pub struct Recent {
    epoch: Instant,
    second: u64,
    counts: [u32; LATELY],
}

impl Recent {
    /// Nothing yet.
    pub fn new(now: Instant) -> Recent {
        Recent { epoch: now, second: 0, counts: [0; LATELY] }
    }

    fn advance(&mut self, now: Instant) {
        let second = now.saturating_duration_since(self.epoch).as_secs();
        for passed in self.second + 1..=second.min(self.second + LATELY as u64) {
            self.counts[passed as usize % LATELY] = 0;
        }
        if second > self.second + LATELY as u64 {
            self.counts = [0; LATELY];
        }
        self.second = self.second.max(second);
    }

    /// One more.
    pub fn add(&mut self, now: Instant) {
        self.advance(now);
        self.counts[self.second as usize % LATELY] += 1;
    }

    /// In the second that had most.
    pub fn peak(&mut self, now: Instant) -> u32 {
        self.advance(now);
        self.counts.iter().copied().max().unwrap_or(0)
    }
}

/// Things that wait for their turn, the owners in turns: one with hundreds does not keep one with
/// a single thing waiting. Within an owner the oldest goes first.
#[derive(Debug)]
pub struct Turns<T>(VecDeque<(String, VecDeque<T>)>);

impl<T> Default for Turns<T> {
    fn default() -> Turns<T> {
        Turns(VecDeque::new())
    }
}

impl<T> Turns<T> {
    /// Adds one of `owner`'s.
    pub fn push(&mut self, owner: &str, thing: T) {
        match self.0.iter_mut().find(|(known, _)| known == owner) {
            Some((_, things)) => things.push_back(thing),
            None => self.0.push_back((owner.to_owned(), VecDeque::from([thing]))),
        }
    }

    /// Gives one back that was popped: it is the next again.
    pub fn push_front(&mut self, owner: &str, thing: T) {
        let known = self.0.iter().position(|(known, _)| known == owner).and_then(|at| self.0.remove(at));
        let (owner, mut things) = known.unwrap_or_else(|| (owner.to_owned(), VecDeque::new()));
        things.push_front(thing);
        self.0.push_front((owner, things));
    }

    /// Whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        let (owner, mut things) = self.0.pop_front()?;
        let thing = things.pop_front();
        if !things.is_empty() {
            self.0.push_back((owner, things));
        }
        thing
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.0.iter().map(|(_, things)| things.len()).sum()
    }
}

/// Which of the idle isolates to drop for room: the one idle for longest.
pub fn longest_idle<K>(idle: impl Iterator<Item = (K, Duration)>) -> Option<K> {
    idle.max_by_key(|(_, age)| *age).map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Demand = Demand {
        waiting: 1,
        waited: Duration::from_millis(5),
        residents: 1,
        starting: 0,
        residents_max: 4,
        held_back: false,
    };

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
        assert!(!wants_another(&Demand { held_back: true, ..BUSY }), "one has just failed to start");
        assert!(wants_another(&Demand { held_back: true, residents: 0, ..BUSY }), "nobody else serves");
    }

    #[test]
    fn spares_are_made_within_the_cells_room() {
        assert_eq!(spares_to_make(0, 0, 2, 1, 10), 2);
        assert_eq!(spares_to_make(1, 1, 2, 3, 10), 0);
        assert_eq!(spares_to_make(0, 0, 2, 9, 10), 1);
        assert_eq!(spares_to_make(0, 0, 2, 12, 10), 0);
    }

    #[test]
    fn demand_is_remembered_for_ten_seconds_and_no_longer() {
        let epoch = Instant::now();
        let at = |ms| epoch + Duration::from_millis(ms);
        let mut recent = Recent::new(epoch);
        for ms in [100, 200, 300, 1_100] {
            recent.add(at(ms));
        }
        assert_eq!(recent.peak(at(1_200)), 3);
        assert_eq!(recent.peak(at(9_900)), 3);
        assert_eq!(recent.peak(at(10_500)), 1, "the second of three is forgotten");
        assert_eq!(recent.peak(at(60_000)), 0);
        recent.add(at(59_000)); // an observer who was late
        assert_eq!(recent.peak(at(60_000)), 1);
    }

    #[test]
    fn spares_are_of_the_kinds_that_were_lately_needed() {
        let wanted = |bare: u32, web: u32, last: Platform, least: u32, most: u32| {
            spares_wanted(&ByPlatform([bare, web]), last, least, most).0
        };
        assert_eq!([0, 5, 50].map(|peak| wanted(0, peak, Platform::Web, 2, 8)), [[0, 2], [0, 5], [0, 8]]);
        assert_eq!(wanted(1, 0, Platform::Bare, 1, 8), [1, 0], "one is enough, whichever it is");
        assert_eq!(wanted(6, 6, Platform::Bare, 1, 8), [6, 2], "no more than the most in all");
        assert_eq!(wanted(0, 5, Platform::Web, 3, 0), [0, 3], "no less than the least");
    }

    #[test]
    fn any_spare_is_better_than_none() {
        let mut ready = ByPlatform([vec!["bare"], vec!["web", "another web"]]);
        assert_eq!(ready.take(Platform::Bare), Some("bare"));
        assert_eq!(ready.take(Platform::Bare), Some("another web"));
        assert_eq!((ready.take(Platform::Web), ready.take(Platform::Web)), (Some("web"), None));
    }

    #[test]
    fn owners_take_turns_whatever_they_bring() {
        let mut turns = Turns::default();
        (0..4).for_each(|number| turns.push("storm", number));
        turns.push("calm", 100);
        turns.push("other", 200);
        turns.push("calm", 101);
        assert_eq!(turns.len(), 7);
        let order: Vec<i32> = std::iter::from_fn(|| turns.pop()).collect();
        assert_eq!(order, [0, 100, 200, 1, 101, 2, 3]);
        assert_eq!((turns.len(), turns.pop()), (0, None));
    }

    #[test]
    fn one_given_back_is_the_next_again() {
        let mut turns = Turns::default();
        for (owner, number) in [("storm", 0), ("storm", 1), ("calm", 100)] {
            turns.push(owner, number);
        }
        for _ in 0..3 {
            assert_eq!(turns.pop(), Some(0));
            turns.push_front("storm", 0);
        }
        let order: Vec<i32> = std::iter::from_fn(|| turns.pop()).collect();
        assert_eq!(order, [0, 100, 1]);
        turns.push_front("calm", 100);
        assert_eq!((turns.pop(), turns.pop()), (Some(100), None));
    }

    #[test]
    fn the_longest_idle_goes_first() {
        let ages = [("a", 5), ("b", 9), ("c", 1)].map(|(name, age)| (name, Duration::from_secs(age)));
        assert_eq!(longest_idle(ages.into_iter()), Some("b"));
        assert_eq!(longest_idle(std::iter::empty::<((), Duration)>()), None);
    }
}
