//! What was measured: counts and distributions, one [`Recorder`] per connection, added up at the end.

use crate::bench::bands::Bands;
use crate::bench::timeline::Timeline;
use crate::bench::timing::{self, Part, Timing};
use hdrhistogram::Histogram;
use isle_wire::{Outcome, StartKind};
use std::collections::BTreeMap;
use std::time::Duration;

/// Different failures that are told apart; those beyond are counted together. An endless variety
/// of messages is no information.
const FAILURES_MAX: usize = 20;
/// The longest latency that is told apart, in ns: an hour.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The node's word for how it ended, from `isle-outcome`.
    pub outcome: Option<Outcome>,
    /// From `isle-start`.
    pub start: Option<StartKind>,
    /// From `server-timing`.
    pub timing: Option<Timing>,
    /// Length of the body.
    pub bytes: u64,
}

/// No answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The kind of trouble, of a closed list: failures are counted by it.
    pub kind: &'static str,
    /// The particulars.
    pub detail: String,
}

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it was due, from the start of the run.
    pub at: Duration,
    /// From then to the last byte of the answer.
    pub latency: Duration,
    /// Open loop: the part of `latency` before it was sent.
    pub backlog: Duration,
    /// The part of `latency` that connecting took.
    pub connect: Duration,
    /// Open loop, when the connection was free in time: how late this program sent it.
    pub lag: Option<Duration>,
    /// What came back.
    pub result: Result<Reply, Trouble>,
}

/// A distribution of times, to three digits.
#[derive(Clone, Debug)]
pub struct Times(pub Histogram<u64>);

impl Times {
    /// Nothing recorded yet.
    pub fn new() -> Times {
        // Cannot fail: three digits are within what the library supports, and it grows by itself.
        let mut times = Histogram::new(3).unwrap_or_else(|error| unreachable!("three digits: {error}"));
        times.auto(true);
        Times(times)
    }

    /// Records one.
    pub fn record(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).min(LONGEST_NS);
        // Cannot fail either, for the same reasons.
        self.0.record(nanos).unwrap_or_else(|error| unreachable!("it grows: {error}"));
    }

    fn add(&mut self, other: &Times) {
        // Cannot fail: both grow by themselves and have the same precision.
        self.0.add(&other.0).unwrap_or_else(|error| unreachable!("alike: {error}"));
    }
}

/// Failures of one kind.
#[derive(Clone, Debug)]
pub struct Failed {
    /// How long they took to fail.
    pub times: Times,
    /// The particulars of the first.
    pub first: String,
}

/// Everything that is kept of a run.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// Whether only cold starts are to be measured.
    cold: bool,
    /// Requests that were sent, or should have been when the eviction before failed.
    pub sent: u64,
    /// Requests whose turn it was when the run was stopped: no failures of the server's.
    pub given_up: u64,
    /// When the run was stopped, if it was, from its start.
    pub stopped: Option<Duration>,
    /// Bytes of bodies received.
    pub bytes: u64,
    /// When the last answer came, from the start of the run.
    pub elapsed: Duration,
    /// Those that succeeded and count.
    pub latency: Times,
    /// The same, by how the isolate came to be, as far as the node said so.
    pub kinds: BTreeMap<&'static str, Times>,
    /// Cold runs: those that succeeded but were not cold.
    pub left_out: Times,
    /// Cold runs: those in `latency` of which the node did not say how they started.
    pub unverified: u64,
    /// The parts of those in `latency` for which the node gave them, in [`Part::ALL`]'s order.
    pub parts: [Times; 6],
    /// CPU time, where the node gave it.
    pub cpu: Times,
    /// The parts by latency.
    pub bands: Bands,
    /// By kind.
    pub failures: BTreeMap<String, Failed>,
    /// How late this program was by itself.
    pub lag: Times,
    /// Latency over time.
    pub timeline: Timeline,
    /// Whether the last request had no answer at all.
    pub in_trouble: bool,
}

impl Recorder {
    /// Nothing recorded yet. `cold`: requests that found a warm isolate are left out.
    pub fn new(cold: bool) -> Recorder {
        Recorder {
            cold,
            sent: 0,
            given_up: 0,
            stopped: None,
            bytes: 0,
            elapsed: Duration::ZERO,
            latency: Times::new(),
            kinds: BTreeMap::new(),
            left_out: Times::new(),
            unverified: 0,
            parts: std::array::from_fn(|_| Times::new()),
            cpu: Times::new(),
            bands: Bands::default(),
            failures: BTreeMap::new(),
            lag: Times::new(),
            timeline: Timeline::new(),
            in_trouble: false,
        }
    }

    /// Records a request.
    pub fn record(&mut self, sample: &Sample) {
        self.sent += 1;
        self.elapsed = self.elapsed.max(sample.at + sample.latency);
        self.in_trouble = sample.result.is_err();
        if let Some(lag) = sample.lag {
            self.lag.record(lag);
        }
        let reply = match &sample.result {
            Ok(reply) => reply,
            Err(trouble) => return self.failed(trouble.kind.to_owned(), &trouble.detail, sample.latency),
        };
        self.bytes += reply.bytes;
        if reply.status >= 400 {
            let outcome = reply.outcome.map_or("", Outcome::as_str);
            let what = format!("status {} {outcome}", reply.status);
            return self.failed(what.trim_end().to_owned(), "", sample.latency);
        }
        if self.cold {
            match reply.start {
                Some(kind) if !timing::is_cold(kind) => return self.left_out.record(sample.latency),
                Some(_) => {}
                None => self.unverified += 1,
            }
        }
        self.latency.record(sample.latency);
        self.timeline.record(sample.at, sample.latency);
        if let Some(kind) = reply.start {
            self.kinds.entry(kind.as_str()).or_insert_with(Times::new).record(sample.latency);
        }
        if let Some(timing) = &reply.timing {
            let parts = timing::split(sample.latency, sample.backlog, sample.connect, timing);
            for (times, us) in self.parts.iter_mut().zip(parts) {
                times.record(Duration::from_secs_f64(us / 1e6));
            }
            self.bands.record(sample.latency, &parts);
            if let Some(cpu) = timing.cpu {
                self.cpu.record(cpu);
            }
        }
    }

    /// Notes that the run was stopped `at` this time, before the request whose turn it was had an answer.
    pub fn give_up(&mut self, at: Duration) {
        self.given_up += 1;
        self.stopped = Some(at);
    }

    fn failed(&mut self, what: String, detail: &str, latency: Duration) {
        let full = self.failures.len() >= FAILURES_MAX && !self.failures.contains_key(&what);
        let what = if full { "others".to_owned() } else { what };
        let fresh = || Failed { times: Times::new(), first: detail.to_owned() };
        self.failures.entry(what).or_insert_with(fresh).times.record(latency);
    }

    /// Adds another connection's.
    pub fn add(&mut self, other: Recorder) {
        self.sent += other.sent;
        self.given_up += other.given_up;
        // What became due while the connections stopped, one after another, was nobody's turn.
        self.stopped = self.stopped.into_iter().chain(other.stopped).min();
        self.bytes += other.bytes;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.unverified += other.unverified;
        self.latency.add(&other.latency);
        self.left_out.add(&other.left_out);
        self.cpu.add(&other.cpu);
        self.lag.add(&other.lag);
        for (times, more) in self.parts.iter_mut().zip(&other.parts) {
            times.add(more);
        }
        for (kind, times) in &other.kinds {
            self.kinds.entry(kind).or_insert_with(Times::new).add(times);
        }
        for (what, more) in other.failures {
            match self.failures.entry(what) {
                std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(more)),
                std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().times.add(&more.times),
            }
        }
        self.bands.add(&other.bands);
        self.timeline.add(other.timeline);
    }

    /// How many failed.
    pub fn failed_count(&self) -> u64 {
        self.failures.values().map(|failed| failed.times.0.len()).sum()
    }

    /// Whether a part was seen at all, so that parts that do not apply are not shown.
    pub fn has_part(&self, part: Part) -> bool {
        let times = &self.parts[part as usize];
        !times.0.is_empty() && (times.0.max() > 0 || !matches!(part, Part::Backlog | Part::Connect))
    }
}

#[cfg(test)]
pub mod samples {
    //! Requests for the tests of all that shows them.
    use super::*;

    /// An answer of this status and start, in that many µs.
    pub fn sample(at_ms: u64, latency_us: u64, status: u16, start: StartKind) -> Sample {
        let us = Duration::from_micros;
        let start_us = if timing::is_cold(start) { latency_us / 2 } else { 0 };
        let timing = Timing { queue: us(5), start: us(start_us), run: us(40), cpu: Some(us(start_us + 30)) };
        let outcome = Some(if status == 200 { Outcome::Ok } else { Outcome::RefusedBusy });
        Sample {
            at: Duration::from_millis(at_ms),
            latency: us(latency_us),
            backlog: Duration::ZERO,
            connect: Duration::ZERO,
            lag: None,
            result: Ok(Reply { status, outcome, start: Some(start), timing: Some(timing), bytes: 5 }),
        }
    }

    /// A cold run of 100: 90 from the snapshot, 6 from source, 2 warm, 1 refused, 1 broken.
    pub fn cold() -> Recorder {
        let mut recorder = Recorder::new(true);
        for index in 0..90 {
            recorder.record(&sample(index * 10, 1_000 + index * 10, 200, StartKind::Snapshot));
        }
        for index in 0..6 {
            recorder.record(&sample(900 + index * 10, 4_000 + index * 400, 200, StartKind::Source));
        }
        recorder.record(&sample(960, 200, 200, StartKind::Warm));
        recorder.record(&sample(970, 210, 200, StartKind::Warm));
        recorder.record(&sample(980, 90, 429, StartKind::None));
        let trouble = Trouble { kind: "connection broke", detail: "reset <by> peer".to_owned() };
        recorder.record(&Sample { result: Err(trouble), ..sample(990, 10_000, 200, StartKind::None) });
        recorder
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{cold, sample};
    use super::*;

    #[test]
    fn a_cold_run_measures_only_what_was_cold() {
        let run = cold();
        assert_eq!((run.sent, run.latency.0.len(), run.left_out.0.len(), run.failed_count()), (100, 96, 2, 2));
        assert_eq!(run.unverified, 0);
        assert_eq!(run.kinds.keys().copied().collect::<Vec<_>>(), ["snapshot", "source"]);
        assert_eq!(run.failures.keys().collect::<Vec<_>>(), ["connection broke", "status 429 refused_busy"]);
        assert_eq!(run.failures["connection broke"].first, "reset <by> peer");
        assert_eq!(run.elapsed, Duration::from_millis(1_000));
        assert!(run.has_part(Part::Start) && !run.has_part(Part::Connect));
    }

    #[test]
    fn without_the_nodes_word_nothing_is_left_out_but_it_is_said() {
        let mut run = Recorder::new(true);
        let mut silent = sample(0, 100, 200, StartKind::Warm);
        if let Ok(reply) = &mut silent.result {
            (reply.start, reply.timing) = (None, None);
        }
        run.record(&silent);
        assert_eq!((run.latency.0.len(), run.unverified), (1, 1));
        assert!(run.kinds.is_empty() && run.bands.bands().is_empty());
    }

    #[test]
    fn connections_add_up() {
        let mut run = cold();
        run.add(cold());
        assert_eq!((run.sent, run.latency.0.len(), run.failed_count(), run.bytes), (200, 192, 4, 990));
        assert_eq!(run.latency.0.max(), cold().latency.0.max());
    }

    #[test]
    fn endless_variety_is_not_kept() {
        let mut run = Recorder::new(false);
        for status in 400..500 {
            run.record(&sample(0, 100, status, StartKind::None));
        }
        assert_eq!(run.failures.len(), FAILURES_MAX + 1);
        assert_eq!(run.failures["others"].times.0.len(), 100 - FAILURES_MAX as u64);
    }
}
