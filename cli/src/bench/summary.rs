//! A run as it is reported. This is the shape of `--json`, and what the terminal and the page show.
//!
//! Times are µs unless the name says otherwise. Fields may be added; those that exist keep their
//! name and meaning for as long as `schema` is the same.

use crate::bench::bands::Band;
use crate::bench::buckets::{Bucket, buckets};
use crate::bench::plan::Plan;
use crate::bench::record::{Recorder, Times};
use crate::bench::threshold::Verdict;
use crate::bench::timeline::Cell;
use crate::bench::timing::Part;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;

/// The name of this shape.
const SCHEMA: &str = "isle-bench/1";
/// Buckets of the histogram, as many as are easily told apart on the page.
const BUCKETS_MAX: usize = 60;
/// Points of the percentile curve for each halving of what is left to 100 %.
const POINTS_PER_HALVING: u32 = 6;

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// `isle-bench/1`.
    pub schema: &'static str,
    /// `cold` or `warm`.
    pub kind: &'static str,
    /// What was asked.
    pub target: TargetInfo,
    /// How it was asked.
    pub load: Load,
    /// Where it was asked from.
    pub environment: Environment,
    /// When it began, in ms since 1970.
    pub started_at_ms: i64,
    /// From the start to the last answer, in s.
    pub elapsed_s: f64,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
    /// How many.
    pub requests: Requests,
    /// Answers without failure a second, those left out included.
    pub rate_per_s: f64,
    /// Bytes of bodies received.
    pub body_bytes: u64,
    /// Those that succeeded; in a cold run, those that were cold.
    pub latency_us: Latency,
    /// The same, by how the isolate came to be (`isle-start`); `left_out` for those that were not cold.
    pub by_start: BTreeMap<&'static str, Distribution>,
    /// Where the time went; `null` when the server does not say.
    pub split: Option<Split>,
    /// Failures by kind, the most frequent first. Their latencies are in no other number.
    pub failures: Vec<Failure>,
    /// Open loop: how late this program sent requests although a connection was free.
    pub generator_lag_us: Option<Latency>,
    /// The distribution of `latency_us` in buckets, gaps included.
    pub histogram: Vec<Bucket>,
    /// The percentile curve of `latency_us`: pairs of a share (0 to 1) and the latency it stays within.
    pub percentiles: Vec<(f64, f64)>,
    /// Latency over time.
    pub timeline: Over,
    /// Promises and whether they were kept.
    pub thresholds: Vec<Verdict>,
}

/// What was asked.
#[derive(Clone, Debug, Serialize)]
pub struct TargetInfo {
    /// The URL.
    pub url: String,
    /// `app/function`, where it is known.
    pub function: Option<String>,
    /// The method.
    pub method: String,
    /// Names of headers that were added; values may be secrets.
    pub headers: Vec<String>,
    /// Length of the request body.
    pub body_bytes: usize,
}

/// How it was asked.
#[derive(Clone, Debug, Serialize)]
pub struct Load {
    /// `closed` or `open`.
    pub mode: &'static str,
    /// Open loop: arrivals a second.
    pub rate_per_s: Option<f64>,
    /// Connections at once.
    pub connections: usize,
    /// Whether each request had a connection of its own.
    pub fresh_connections: bool,
    /// The limit on their number, if any.
    pub requests: Option<u64>,
    /// The limit on time, if any, in s.
    pub duration_s: Option<f64>,
    /// What went before and was not counted.
    pub warm_up: String,
    /// When a request was given up, in s.
    pub timeout_s: f64,
}

/// Where the load came from.
#[derive(Clone, Debug, Serialize)]
pub struct Environment {
    /// This program's version.
    pub isle: &'static str,
    /// System and version.
    pub os: String,
    /// Model.
    pub cpu: String,
    /// Processors this program may use.
    pub cpus: usize,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
}

/// How many requests.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Requests {
    /// Sent.
    pub sent: u64,
    /// Answered well and measured.
    pub measured: u64,
    /// Answered well but not cold in a cold run.
    pub left_out: u64,
    /// Measured in a cold run although the node did not say whether they were cold.
    pub unverified: u64,
    /// No answer, or one with a status from 400 on.
    pub failed: u64,
    /// Open loop: due, but never sent, because the run ended before their turn.
    pub not_sent: u64,
    /// Under way, or next, when the run was stopped.
    pub given_up: u64,
}

/// A distribution in a few numbers, in µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// How many values.
    pub count: u64,
    /// The fastest.
    pub min: f64,
    /// The average.
    pub mean: f64,
    /// Half are within.
    pub p50: f64,
    /// 90 % are within.
    pub p90: f64,
    /// 99 % are within.
    pub p99: f64,
    /// 99.9 % are within.
    pub p99_9: f64,
    /// The slowest.
    pub max: f64,
}

/// A distribution with its curve.
#[derive(Clone, Debug, Serialize)]
pub struct Distribution {
    /// In numbers.
    #[serde(flatten)]
    pub latency: Latency,
    /// As [`Summary::percentiles`].
    pub percentiles: Vec<(f64, f64)>,
}

/// Where the time went.
#[derive(Clone, Debug, Serialize)]
pub struct Split {
    /// How many requests it is known of.
    pub count: u64,
    /// Each part's own distribution, in order. Parts that do not apply are absent.
    pub parts: Vec<PartTimes>,
    /// CPU time of start and handler; not a part, it passes during them.
    pub cpu_us: Option<Latency>,
    /// Averages over all requests, and over bands of them from fast to slow.
    pub bands: Vec<BandView>,
}

/// One part's distribution.
#[derive(Clone, Debug, Serialize)]
pub struct PartTimes {
    /// `backlog`, `connect`, `queue`, `start`, `handler` or `network_gateway`.
    pub part: &'static str,
    /// For people.
    pub label: &'static str,
    /// In numbers.
    #[serde(flatten)]
    pub latency: Latency,
}

/// The average request of a band.
#[derive(Clone, Debug, Serialize)]
pub struct BandView {
    /// Which requests.
    pub band: &'static str,
    /// How many.
    pub count: u64,
    /// Averages in the order of [`Split::parts`]; they add up to the average latency of the band.
    pub parts_us: Vec<f64>,
}

/// Failures of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// `status 429 refused_busy`, `timed out`, …
    pub what: String,
    /// The particulars of the first.
    pub first: String,
    /// How many.
    pub count: u64,
    /// How long half of them took to fail at most.
    pub p50_us: f64,
    /// How long the slowest took.
    pub max_us: f64,
}

/// Latency over time.
#[derive(Clone, Debug, Serialize)]
pub struct Over {
    /// The width of a slice of time, in ms.
    pub slice_ms: f64,
    /// Those that are not empty.
    pub cells: Vec<Cell>,
}

/// What is known before a run.
#[derive(Clone, Debug)]
pub struct Before {
    /// `cold` or `warm`.
    pub kind: &'static str,
    /// What is asked.
    pub target: TargetInfo,
    /// How.
    pub load: Load,
    /// From where.
    pub environment: Environment,
    /// When, in ms since 1970.
    pub started_at_ms: i64,
}

impl Summary {
    /// Sums up a run.
    pub fn of(before: Before, plan: &Plan, run: &Recorder) -> Summary {
        let due = match run.stopped {
            Some(at) => plan.due_within(at),
            None => plan.rate.and(plan.total()),
        };
        let (measured, left_out, failed) = (run.latency.0.len(), run.left_out.0.len(), run.failed_count());
        let seconds = run.elapsed.as_secs_f64();
        let mut by_start: BTreeMap<&'static str, Distribution> =
            run.kinds.iter().map(|(kind, times)| (*kind, distribution(&times.0))).collect();
        if left_out > 0 {
            by_start.insert("left_out", distribution(&run.left_out.0));
        }
        let mut failures: Vec<Failure> = run
            .failures
            .iter()
            .map(|(what, failed)| {
                let Latency { count, p50, max, .. } = latency(&failed.times.0);
                Failure { what: what.clone(), first: failed.first.clone(), count, p50_us: p50, max_us: max }
            })
            .collect();
        failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
        Summary {
            schema: SCHEMA,
            kind: before.kind,
            target: before.target,
            load: before.load,
            environment: before.environment,
            started_at_ms: before.started_at_ms,
            elapsed_s: round(seconds),
            interrupted: run.stopped.is_some(),
            requests: Requests {
                sent: run.sent,
                measured,
                left_out,
                unverified: run.unverified,
                failed,
                not_sent: due.unwrap_or(0).saturating_sub(run.sent + run.given_up),
                given_up: run.given_up,
            },
            rate_per_s: if seconds > 0.0 { round((measured + left_out) as f64 / seconds) } else { 0.0 },
            body_bytes: run.bytes,
            latency_us: latency(&run.latency.0),
            by_start,
            split: split(run),
            failures,
            generator_lag_us: (!run.lag.0.is_empty()).then(|| latency(&run.lag.0)),
            histogram: buckets(&run.latency.0, BUCKETS_MAX),
            percentiles: curve(&run.latency.0),
            timeline: Over { slice_ms: run.timeline.slice_ms(), cells: run.timeline.cells() },
            thresholds: Vec::new(),
        }
    }
}

/// Nanoseconds as µs.
fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
}

/// The latency that a share (0 to 1) stays within, in µs.
pub fn quantile_us(times: &Times, share: f64) -> f64 {
    us(times.0.value_at_quantile(share))
}

/// To three digits after the point: for µs that is ns, and JSON without the noise of conversions.
fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

fn latency(times: &Histogram<u64>) -> Latency {
    if times.is_empty() {
        return Latency::default();
    }
    let at = |share| us(times.value_at_quantile(share));
    Latency {
        count: times.len(),
        min: us(times.min()),
        mean: round(times.mean() / 1e3),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p99_9: at(0.999),
        max: us(times.max()),
    }
}

fn curve(times: &Histogram<u64>) -> Vec<(f64, f64)> {
    if times.is_empty() {
        return Vec::new();
    }
    let point = |value: hdrhistogram::iterators::IterationValue<u64>| {
        (value.quantile_iterated_to(), us(value.value_iterated_to()))
    };
    times.iter_quantiles(POINTS_PER_HALVING).map(point).collect()
}

fn distribution(times: &Histogram<u64>) -> Distribution {
    Distribution { latency: latency(times), percentiles: curve(times) }
}

fn split(run: &Recorder) -> Option<Split> {
    let shown: Vec<Part> = Part::ALL.into_iter().filter(|part| run.has_part(*part)).collect();
    let count = run.parts[Part::Rest as usize].0.len();
    if count == 0 {
        return None;
    }
    let part = |part: &Part| PartTimes {
        part: part.key(),
        label: part.label(),
        latency: latency(&run.parts[*part as usize].0),
    };
    let view = |band: Band| BandView {
        band: band.label,
        count: band.count,
        parts_us: shown.iter().map(|part| round(band.parts_us[*part as usize])).collect(),
    };
    Some(Split {
        count,
        parts: shown.iter().map(part).collect(),
        cpu_us: (!run.cpu.0.is_empty()).then(|| latency(&run.cpu.0)),
        bands: run.bands.bands().into_iter().map(view).collect(),
    })
}

#[cfg(test)]
pub mod samples {
    //! A run for the tests of all that shows one.
    use super::*;
    use crate::bench::record::samples::cold;
    use std::time::Duration;

    /// What is known before a run.
    pub fn before() -> Before {
        Before {
            kind: "cold",
            target: TargetInfo {
                url: "http://blog.localhost:3000/hello/isle?<q>".to_owned(),
                function: Some("blog/hello".to_owned()),
                method: "GET".to_owned(),
                headers: vec!["authorization".to_owned()],
                body_bytes: 0,
            },
            load: Load {
                mode: "closed",
                rate_per_s: None,
                connections: 1,
                fresh_connections: false,
                requests: Some(100),
                duration_s: None,
                warm_up: "5 requests".to_owned(),
                timeout_s: 30.0,
            },
            environment: Environment {
                isle: "0.1.0",
                os: "Linux 6.1".to_owned(),
                cpu: "Abacus".to_owned(),
                cpus: 2,
                memory_bytes: Some(8 << 30),
            },
            started_at_ms: 1_763_695_142_345,
        }
    }

    /// The sample run of [`cold`], summed up.
    pub fn summary() -> Summary {
        let plan = Plan { rate: None, requests: Some(100), duration: None, grace: Duration::ZERO };
        Summary::of(before(), &plan, &cold())
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{before, summary};
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_json_has_the_documented_shape() {
        let json = serde_json::to_value(summary()).unwrap();
        assert_eq!(json["schema"], "isle-bench/1");
        assert_eq!(json["requests"]["measured"], 96);
        assert_eq!(json["requests"]["left_out"], 2);
        assert_eq!(json["latency_us"]["count"], 96);
        assert_eq!(json["by_start"]["snapshot"]["count"], 90);
        assert_eq!(json["by_start"]["left_out"]["count"], 2);
        assert_eq!(json["failures"][0]["count"], 1);
        let parts: Vec<&str> =
            json["split"]["parts"].as_array().unwrap().iter().map(|part| part["part"].as_str().unwrap()).collect();
        assert_eq!(parts, ["queue", "start", "handler", "network_gateway"]);
        assert_eq!(json["split"]["bands"][0]["parts_us"].as_array().unwrap().len(), 4);
        assert_eq!(json["generator_lag_us"], serde_json::Value::Null);
        let counts = json["histogram"].as_array().unwrap().iter().map(|bucket| bucket["count"].as_u64().unwrap());
        assert_eq!(counts.sum::<u64>(), 96);
        assert_eq!(json["percentiles"].as_array().unwrap().last().unwrap()[0], 1.0);
    }

    #[test]
    fn percentiles_are_ordered_and_near_the_truth() {
        let Latency { min, p50, p90, p99, p99_9, max, mean, .. } = summary().latency_us;
        assert!(min <= p50 && p50 <= p90 && p90 <= p99 && p99 <= p99_9 && p99_9 <= max);
        assert!((p50 / 1_470.0 - 1.0).abs() < 0.002, "{p50}");
        assert!((max / 6_000.0 - 1.0).abs() < 0.002, "{max}");
        assert!(min < mean && mean < max);
    }

    #[test]
    fn bands_parts_add_up_to_the_average_latency() {
        let summary = summary();
        let all = &summary.split.unwrap().bands[0];
        assert!((all.parts_us.iter().sum::<f64>() / summary.latency_us.mean - 1.0).abs() < 0.002);
    }

    #[test]
    fn what_was_due_and_never_sent_is_said() {
        let plan =
            Plan { rate: Some(100.0), requests: None, duration: Some(Duration::from_secs(2)), grace: Duration::ZERO };
        let mut run = crate::bench::record::samples::cold();
        assert_eq!(Summary::of(before(), &plan, &run).requests.not_sent, 100);
        // Of 110 that were due, 100 were sent, and 2 were under way.
        run.give_up(Duration::from_millis(1_096));
        run.give_up(Duration::from_millis(1_095));
        let stopped = Summary::of(before(), &plan, &run);
        assert_eq!((stopped.requests.not_sent, stopped.requests.given_up, stopped.interrupted), (8, 2, true));
    }

    #[test]
    fn an_empty_run_has_no_numbers_and_no_nan() {
        let plan = Plan { rate: None, requests: Some(0), duration: None, grace: Duration::ZERO };
        let json = serde_json::to_string(&Summary::of(before(), &plan, &Recorder::new(false))).unwrap();
        assert!(!json.contains("NaN") && json.contains("\"split\":null"), "{json}");
    }
}
