//! `--threshold p99=5ms`: what a run must keep, so that a build can fail when it does not.

use crate::bench::summary::{Latency, Summary};
use crate::bench::units::{self, micros, percent};
use std::time::Duration;

/// One promise to hold a run against.
#[derive(Clone, Debug, PartialEq)]
pub enum Threshold {
    /// A latency at most.
    Latency {
        /// Which.
        of: Measure,
        /// At most.
        limit: Duration,
    },
    /// A share of failed requests at most, 0 to 1.
    Failures(f64),
}

/// A number of the latency distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// The value that this share (0 to 1) of all requests stays within.
    Quantile(f64),
    /// The average.
    Mean,
    /// The slowest.
    Max,
}

/// How a promise was kept.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Verdict {
    /// As it was written: `p99=5ms`.
    pub threshold: String,
    /// What was measured, in words.
    pub measured: String,
    /// Whether it was kept.
    pub kept: bool,
}

/// Reads `p99=5ms`, `p99.9=20ms`, `mean=1ms`, `max=1s`, `failures=0` or `failures=0.1%`.
///
/// # Errors
/// What was expected instead.
pub fn parse(text: &str) -> Result<Threshold, String> {
    let expected = "expected such as p99=5ms, mean=1ms, max=1s or failures=0.1%";
    let (name, limit) = text.split_once('=').ok_or_else(|| format!("{text:?} has no `=`, {expected}"))?;
    let of = match name {
        "failures" => {
            let share = match limit.strip_suffix('%') {
                Some(percent) => percent.parse::<f64>().map(|percent| percent / 100.0),
                None => limit.parse(),
            };
            return match share {
                Ok(share) if (0.0..=1.0).contains(&share) => Ok(Threshold::Failures(share)),
                _ => Err(format!("{limit:?} is no share of all requests, expected such as 0 or 0.1%")),
            };
        }
        "mean" => Measure::Mean,
        "max" => Measure::Max,
        _ => match name.strip_prefix('p').and_then(|digits| digits.parse::<f64>().ok()) {
            Some(percentile) if (0.0..=100.0).contains(&percentile) => Measure::Quantile(percentile / 100.0),
            _ => return Err(format!("{name:?} is not measured, {expected}")),
        },
    };
    Ok(Threshold::Latency { of, limit: units::duration(limit)? })
}

impl std::fmt::Display for Threshold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Threshold::Latency { of: Measure::Quantile(share), limit } => {
                // Nine decimals hide what dividing by 100 added.
                let percentile = format!("{:.9}", share * 100.0);
                write!(f, "p{} ≤ {}", percentile.trim_end_matches('0').trim_end_matches('.'), shown(*limit))
            }
            Threshold::Latency { of: Measure::Mean, limit } => write!(f, "mean ≤ {}", shown(*limit)),
            Threshold::Latency { of: Measure::Max, limit } => write!(f, "max ≤ {}", shown(*limit)),
            Threshold::Failures(share) => write!(f, "failures ≤ {}", percent(*share)),
        }
    }
}

fn shown(limit: Duration) -> String {
    micros(limit.as_secs_f64() * 1e6)
}

impl Threshold {
    /// Holds a run against the promise. `quantile_us` looks up its latency distribution. What failed
    /// and what was due and never sent counts as slower than any limit.
    pub fn judge(&self, summary: &Summary, quantile_us: impl Fn(f64) -> f64) -> Verdict {
        // What was due and never sent failed its user as well.
        let failed = summary.requests.failed + summary.requests.not_sent;
        let (measured, kept) = match self {
            Threshold::Latency { .. } if summary.latency_us.count == 0 => ("nothing".to_owned(), false),
            Threshold::Latency { of, limit } => {
                let Latency { count, mean, max, .. } = summary.latency_us;
                let whole = (count + failed) as f64 / count as f64;
                let us = match of {
                    Measure::Quantile(share) => {
                        // The same request's place among those that were measured. What multiplying
                        // added does not count.
                        let place = share * whole;
                        (place <= 1.0 + 1e-9).then(|| quantile_us(place.min(1.0)))
                    }
                    Measure::Mean => (failed == 0).then_some(mean),
                    Measure::Max => (failed == 0).then_some(max),
                };
                match us {
                    Some(us) => (micros(us), us <= limit.as_secs_f64() * 1e6),
                    None => (format!("{} failed", percent(1.0 - 1.0 / whole)), false),
                }
            }
            Threshold::Failures(most) => {
                let share = failed as f64 / (summary.requests.sent + summary.requests.not_sent).max(1) as f64;
                (percent(share), share <= *most)
            }
        };
        Verdict { threshold: self.to_string(), measured, kept }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::summary::samples::summary;

    #[test]
    fn thresholds_are_read_and_shown() {
        let shown = |text: &str| parse(text).unwrap().to_string();
        assert_eq!(shown("p99=5ms"), "p99 ≤ 5.00 ms");
        assert_eq!(shown("p99.9=1.5s"), "p99.9 ≤ 1.50 s");
        assert_eq!(shown("mean=250us"), "mean ≤ 250 µs");
        assert_eq!(shown("max=1s"), "max ≤ 1.00 s");
        assert_eq!(shown("failures=0"), "failures ≤ 0%");
        assert_eq!(shown("failures=0.5%"), "failures ≤ 0.5%");
    }

    #[test]
    fn what_is_no_threshold_is_refused() {
        for text in ["p99", "p99=", "p99=5", "p101=5ms", "pfast=5ms", "p50<5ms", "failures=2", "failures=-1%", "=5ms"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_run_is_held_against_them() {
        let run = summary();
        let judge = |text: &str| parse(text).unwrap().judge(&run, |_| 4_000.0);
        assert!(judge("p90=4ms").kept);
        let verdict = judge("p90=3.9ms");
        assert!(!verdict.kept);
        assert_eq!(verdict.measured, "4.00 ms");
        assert!(!judge("failures=0").kept, "the sample run has failures");
        assert!(judge("failures=50%").kept);
    }

    #[test]
    fn what_has_no_answer_is_slower_than_any_limit() {
        let mut run = summary();
        (run.latency_us.count, run.requests.failed, run.requests.not_sent) = (90, 0, 0);
        let judge = |run: &Summary, text: &str| parse(text).unwrap().judge(run, |share| share * 1_000.0);
        for text in ["p50=1s", "p99.9=1s", "p100=1s", "mean=1s", "max=1s"] {
            assert!(judge(&run, text).kept, "{text}");
        }
        (run.requests.failed, run.requests.not_sent) = (4, 6);
        // The 81st of 90 is the 81st of 100, and the 90th of all that is the last one with an answer.
        assert_eq!(judge(&run, "p81=1s").measured, "900 µs");
        assert!(judge(&run, "p90=1ms").kept);
        for text in ["p90.1=1s", "p99=1s", "mean=1s", "max=1s"] {
            let verdict = judge(&run, text);
            assert!(!verdict.kept && verdict.measured == "10.0% failed", "{verdict:?}");
        }
    }
}
