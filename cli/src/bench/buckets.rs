//! A distribution in few buckets, wider by a constant factor from one to the next, for drawing.

use hdrhistogram::Histogram;

/// One bucket.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Bucket {
    /// Latencies from this on, in µs.
    pub from_us: f64,
    /// Up to this, in µs.
    pub to_us: f64,
    /// How many.
    pub count: u64,
}

/// Buckets for each power of ten that are tried, the finest first. All but the last two have an edge
/// at or very near 1, 2 and 5.
const PER_DECADE: [u32; 6] = [100, 40, 20, 10, 5, 2];

/// At most `most` buckets from the fastest to the slowest, gaps included; values are in ns.
pub fn buckets(times: &Histogram<u64>, most: usize) -> Vec<Bucket> {
    if times.is_empty() {
        return Vec::new();
    }
    let index = |ns: u64, per: u32| ((ns.max(1) as f64 / 1e3).log10() * f64::from(per)).floor() as i32;
    let span = |per: u32| (index(times.min(), per), index(times.max(), per));
    let fits = |per: &u32| {
        let (low, high) = span(*per);
        ((high - low + 1) as usize) <= most
    };
    let per = PER_DECADE.into_iter().find(fits).unwrap_or(1);
    let (low, high) = span(per);
    let edge = |index: i32| 10f64.powf(f64::from(index) / f64::from(per));
    let mut buckets: Vec<Bucket> =
        (low..=high).map(|index| Bucket { from_us: edge(index), to_us: edge(index + 1), count: 0 }).collect();
    for value in times.iter_recorded() {
        let at = index(value.value_iterated_to(), per) - low;
        // The last value's upper end may round up into a bucket that does not exist.
        let at = usize::try_from(at).unwrap_or(0).min(buckets.len() - 1);
        buckets[at].count += value.count_at_value();
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::Times;
    use std::time::Duration;

    #[test]
    fn every_value_is_in_its_bucket_and_there_are_not_too_many() {
        let mut times = Times::new();
        for us in 1..=5_000 {
            times.record(Duration::from_micros(us));
        }
        for most in [5, 18, 60] {
            let buckets = buckets(&times.0, most);
            assert!(buckets.len() <= most, "{} of {most}", buckets.len());
            assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 5_000);
            for bucket in &buckets {
                let expected =
                    (1..=5_000).filter(|us| bucket.from_us <= f64::from(*us) && f64::from(*us) < bucket.to_us);
                let expected = expected.count() as f64;
                // Three digits of precision move values near an edge.
                assert!((bucket.count as f64 - expected).abs() <= 2.0 + expected * 0.05, "{bucket:?} {expected}");
            }
        }
    }

    #[test]
    fn one_value_is_one_bucket_and_none_is_none() {
        let mut times = Times::new();
        assert_eq!(buckets(&times.0, 18), []);
        times.record(Duration::ZERO);
        assert_eq!(buckets(&times.0, 18).len(), 1);
    }
}
