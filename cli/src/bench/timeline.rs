//! How latency went over the run: counts by time slice and by latency, for a heat map.
//!
//! Slices are as wide as needed: the run's length is not known when it begins, so whenever it
//! outgrows the slices they become twice as wide, and memory stays bounded.

use std::collections::BTreeMap;
use std::time::Duration;

/// No more slices than that: about a pixel column in five.
const SLICES_MAX: u64 = 120;
/// The width of a slice at first, in µs.
const SLICE_US: u64 = 5_000;
/// Rows for each doubling of latency: 9 % from one to the next.
const ROWS_PER_OCTAVE: f64 = 8.0;

/// Counts by time and latency.
#[derive(Clone, Debug)]
pub struct Timeline {
    slice_us: u64,
    cells: BTreeMap<(u64, u16), u64>,
}

/// One cell that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Cell {
    /// Which slice, counted from 0.
    pub slice: u64,
    /// Latencies above this, in µs.
    pub from_us: f64,
    /// And up to this, in µs.
    pub to_us: f64,
    /// How many requests.
    pub count: u64,
}

impl Timeline {
    /// Nothing counted yet.
    pub fn new() -> Timeline {
        Timeline { slice_us: SLICE_US, cells: BTreeMap::new() }
    }

    /// Counts a request that was due `at` after the start.
    pub fn record(&mut self, at: Duration, latency: Duration) {
        let at_us = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        while at_us / self.slice_us >= SLICES_MAX {
            self.widen();
        }
        let row = (latency.as_secs_f64() * 1e6).max(1.0).log2() * ROWS_PER_OCTAVE;
        *self.cells.entry((at_us / self.slice_us, row as u16)).or_default() += 1;
    }

    fn widen(&mut self) {
        self.slice_us = self.slice_us.saturating_mul(2);
        for ((slice, row), count) in std::mem::take(&mut self.cells) {
            *self.cells.entry((slice / 2, row)).or_default() += count;
        }
    }

    /// Adds another connection's counts.
    pub fn add(&mut self, mut other: Timeline) {
        while self.slice_us < other.slice_us {
            self.widen();
        }
        while other.slice_us < self.slice_us {
            other.widen();
        }
        for (key, count) in other.cells {
            *self.cells.entry(key).or_default() += count;
        }
    }

    /// The width of a slice, in ms.
    pub fn slice_ms(&self) -> f64 {
        self.slice_us as f64 / 1e3
    }

    /// The cells, by time.
    pub fn cells(&self) -> Vec<Cell> {
        let edge = |row: u16| (f64::from(row) / ROWS_PER_OCTAVE).exp2();
        let cell = |(&(slice, row), &count): (&(u64, u16), &u64)| Cell {
            slice,
            from_us: edge(row),
            to_us: edge(row + 1),
            count,
        };
        self.cells.iter().map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn slices_widen_as_the_run_goes_on() {
        let mut timeline = Timeline::new();
        timeline.record(MS(0), MS(1));
        timeline.record(MS(599), MS(1));
        assert_eq!(timeline.slice_ms(), 5.0);
        timeline.record(MS(600), MS(1));
        assert_eq!(timeline.slice_ms(), 10.0);
        let slices: Vec<u64> = timeline.cells().iter().map(|cell| cell.slice).collect();
        assert_eq!(slices, [0, 59, 60]);
        timeline.record(Duration::from_secs(3_600), MS(1));
        assert!(timeline.cells().iter().all(|cell| cell.slice < SLICES_MAX));
        assert_eq!(timeline.cells().iter().map(|cell| cell.count).sum::<u64>(), 4);
    }

    #[test]
    fn connections_with_slices_of_different_width_add_up() {
        let (mut short, mut long) = (Timeline::new(), Timeline::new());
        short.record(MS(17), Duration::from_micros(100));
        long.record(MS(17), Duration::from_micros(100));
        long.record(MS(1_000), Duration::ZERO);
        let mut other = long.clone();
        other.add(short.clone());
        short.add(long);
        assert_eq!(short.cells(), other.cells());
        assert_eq!(short.cells()[0].count, 2);
        let Cell { from_us, to_us, .. } = short.cells()[0];
        assert!(from_us <= 100.0 && 100.0 < to_us);
    }
}
