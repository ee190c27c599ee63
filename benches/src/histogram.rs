//! Latencies, counted in buckets whose width is under 1 % of their value, so that percentiles need no list of samples.

use std::time::Duration;

/// Buckets per power of two: 2^7 keeps the error below 1 %.
const PRECISION_BITS: u32 = 7;

/// Counts of durations.
#[derive(Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Nothing counted yet.
    pub fn new() -> Histogram {
        Histogram { counts: vec![0; index(u64::MAX) + 1], total: 0 }
    }

    /// Counts one.
    pub fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[index(nanos)] += 1;
        self.total += 1;
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The duration that `share` (0 to 1) of all stay within, in µs; 0 where nothing was counted.
    pub fn percentile_us(&self, share: f64) -> f64 {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return middle(index) / 1_000.0;
            }
        }
        0.0
    }
}

/// The bucket of a value: exact below 2^7, then 2^7 buckets for each power of two.
fn index(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(PRECISION_BITS + 1);
    ((u64::from(shift) << PRECISION_BITS) + (value >> shift)) as usize
}

/// The middle of a bucket.
fn middle(index: usize) -> f64 {
    let shift = (index >> PRECISION_BITS).saturating_sub(1);
    let low = (index - (shift << PRECISION_BITS)) as f64;
    (low + 0.5) * 2f64.powi(shift as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_within_one_percent_of_its_buckets_middle() {
        let mut value = 100u64;
        while value < u64::MAX / 3 {
            let error = (middle(index(value)) - value as f64).abs() / value as f64;
            assert!(error < 0.01, "{value}: {error}");
            assert!(index(value) <= index(value + 1));
            value += value / 20 + 1;
        }
    }

    #[test]
    fn percentiles_of_a_ramp_are_where_they_should_be() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.percentile_us(0.5), 0.0);
        for us in 1..=10_000 {
            histogram.record(Duration::from_micros(us));
        }
        assert_eq!(histogram.total(), 10_000);
        for (share, us) in [(0.5, 5_000.0), (0.99, 9_900.0), (1.0, 10_000.0)] {
            let got = histogram.percentile_us(share);
            assert!((got - us).abs() / us < 0.01, "{share}: {got}");
        }
    }
}
