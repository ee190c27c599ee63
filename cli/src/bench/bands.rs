//! Where the time of fast and of slow requests went.
//!
//! Percentiles of parts do not add up to percentiles of the whole, so the parts are averaged over
//! bands of requests instead: the fastest half, …, the slowest hundredth. Sums are kept by latency,
//! in steps of 2 %, which bounds memory whatever the number of requests.

use std::collections::BTreeMap;
use std::time::Duration;

/// Steps for each doubling of latency.
const STEPS_PER_OCTAVE: f64 = 32.0;
/// Where the bands end, as shares of all requests from the fastest on, and what they are called.
const ENDS: [(f64, &str); 4] = [(0.5, "fastest half"), (0.9, "p50 to p90"), (0.99, "p90 to p99"), (1.0, "slowest 1 %")];

/// Sums of parts by latency.
#[derive(Clone, Debug, Default)]
pub struct Bands {
    steps: BTreeMap<u16, Step>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Step {
    count: f64,
    sums: [f64; 6],
}

impl Step {
    fn add(&mut self, other: &Step, share: f64) {
        self.count += other.count * share;
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            *sum += more * share;
        }
    }
}

/// The average request of a band.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Which requests.
    pub label: &'static str,
    /// How many.
    pub count: u64,
    /// The average of each part, in µs.
    pub parts_us: [f64; 6],
}

impl Bands {
    /// Counts a request with its parts in µs.
    pub fn record(&mut self, latency: Duration, parts_us: &[f64; 6]) {
        let nanos = (latency.as_secs_f64() * 1e9).max(1.0);
        let step = self.steps.entry((nanos.log2() * STEPS_PER_OCTAVE) as u16).or_default();
        step.add(&Step { count: 1.0, sums: *parts_us }, 1.0);
    }

    /// Adds another connection's.
    pub fn add(&mut self, other: &Bands) {
        for (key, step) in &other.steps {
            self.steps.entry(*key).or_default().add(step, 1.0);
        }
    }

    /// The average of all requests, then of each band that has any. A step that two bands share is
    /// divided between them by count.
    pub fn bands(&self) -> Vec<Band> {
        let mut all = Step::default();
        self.steps.values().for_each(|step| all.add(step, 1.0));
        let mut bands = vec![("all requests", all)];
        let (mut steps, mut rest) = (self.steps.values(), Step::default());
        let mut before = 0.0;
        for (end, label) in ENDS {
            let mut wanted = all.count * end - before;
            before = all.count * end;
            let mut band = Step::default();
            while wanted > 0.0 {
                if rest.count <= 0.0 {
                    let Some(step) = steps.next() else { break };
                    rest = *step;
                }
                let share = (wanted / rest.count).min(1.0);
                band.add(&rest, share);
                wanted -= rest.count * share;
                let left = Step { count: 0.0, sums: [0.0; 6] };
                let whole = std::mem::replace(&mut rest, left);
                // A crumb of rounding is no request.
                if whole.count * (1.0 - share) > 1e-6 {
                    rest.add(&whole, 1.0 - share);
                }
            }
            bands.push((label, band));
        }
        let band = |(label, step): (&'static str, Step)| {
            // Half a request is too little to speak of.
            (step.count >= 0.5).then(|| Band {
                label,
                count: step.count.round() as u64,
                parts_us: step.sums.map(|sum| sum / step.count),
            })
        };
        bands.into_iter().filter_map(band).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_show_what_makes_the_slow_ones_slow() {
        let (mut bands, mut other) = (Bands::default(), Bands::default());
        for request in 0..1_000 {
            // The slowest hundredth waits 9 ms in the queue.
            let queue = if request >= 990 { 9_000.0 } else { 0.0 };
            let rest = 1_000.0 + f64::from(request) * 0.01;
            let half = if request % 2 == 0 { &mut bands } else { &mut other };
            half.record(Duration::from_secs_f64((queue + rest) / 1e6), &[0.0, 0.0, queue, 0.0, 0.0, rest]);
        }
        bands.add(&other);
        let bands = bands.bands();
        let counts: Vec<(&str, u64)> = bands.iter().map(|band| (band.label, band.count)).collect();
        assert_eq!(
            counts,
            [
                ("all requests", 1_000),
                ("fastest half", 500),
                ("p50 to p90", 400),
                ("p90 to p99", 90),
                ("slowest 1 %", 10)
            ]
        );
        assert!((bands[0].parts_us[2] - 90.0).abs() < 1e-6);
        assert_eq!(bands[1].parts_us[2], 0.0);
        assert!((bands[4].parts_us[2] - 9_000.0).abs() < 1e-3);
    }

    #[test]
    fn few_requests_have_few_bands() {
        let mut bands = Bands::default();
        assert_eq!(bands.bands(), []);
        bands.record(Duration::from_millis(1), &[0.0, 0.0, 0.0, 600.0, 0.0, 400.0]);
        let bands = bands.bands();
        assert_eq!(bands[0].parts_us, [0.0, 0.0, 0.0, 600.0, 0.0, 400.0]);
        assert!(bands.iter().all(|band| band.count == 1 || band.label != "all requests"));
    }
}
