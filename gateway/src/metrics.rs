//! Metrics: what operators count, and what counting costs.
//!
//! Per function (labels `tenant`, `app`, `function`, and `outcome` or `kind` where it says so):
//! `isle_invocations_total{outcome}`, `isle_invocation_duration_seconds`,
//! `isle_invocation_cpu_seconds_total`, `isle_starts_total{kind}`,
//! `isle_start_duration_seconds{kind}`, `isle_in_flight`, `isle_resident_isolates`,
//! `isle_heap_bytes`. Per node: connections, refusals by reason, cells by state, ends of cells by
//! cause, build. What functions fetch: `egress`.
//!
//! The price is stated: a function costs about 40 series, each kind of start that it knows 20 more, an
//! outcome one. A function has its own from its first request on: at most [`LABEL_SETS_MAX`] functions,
//! and a quarter of that of one tenant; later ones share `other`, and ask again when sets are dropped.
//! That is when one saw no request for [`LABEL_SET_IDLE`], or earlier when its function is not served
//! any more and there is no room. One that comes back counts from 0.
//!
//! On the request path nothing is looked up by label: a function's [`FunctionMetrics`] holds its series.

mod egress;
mod sets;

use crate::accept::{Counters, Refusal};
use crate::admit::Refused;
use crate::cells::Cells;
use crate::cells::supervise::Cause;
use isle_wire::{FunctionSpec, Outcome, StartKind};
use prometheus::{
    Counter, CounterVec, Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use sets::Sets;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Functions with series of their own. 10,000: some ten MiB of text at a scrape, which a
/// Prometheus server still takes every 30 s.
pub const LABEL_SETS_MAX: usize = 10_000;
/// How long an idle label set is kept. 24 h: daily jobs stay visible.
pub const LABEL_SET_IDLE: Duration = Duration::from_secs(24 * 3_600);

/// Upper bounds in seconds: from a warm hello to the longest wall limit anybody should set.
const DURATION_BUCKETS: [f64; 14] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Upper bounds in seconds: from a spare isolate with a tiny module to megabytes of source.
const START_BUCKETS: [f64; 10] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0];
const OTHER: [&str; 3] = ["other"; 3];
const FUNCTION: [&str; 3] = ["tenant", "app", "function"];
const OUTCOME: [&str; 4] = ["tenant", "app", "function", "outcome"];
const KIND: [&str; 4] = ["tenant", "app", "function", "kind"];

type Labels = [String; 3];

fn labels(spec: &FunctionSpec) -> Labels {
    [spec.tenant.clone(), spec.app.clone(), spec.function.clone()]
}

/// One function's series.
#[derive(Debug)]
pub struct FunctionMetrics {
    labels: Labels,
    families: Arc<Families>,
    outcomes: [OnceLock<IntCounter>; Outcome::ALL.len()],
    starts: [OnceLock<(IntCounter, Histogram)>; StartKind::ALL.len()],
    duration: Histogram,
    cpu: Counter,
    in_flight: IntGauge,
    isolates: IntGauge,
    heap: IntGauge,
    /// Seconds on the clock of [`Metrics`].
    used_at: AtomicU64,
}

impl FunctionMetrics {
    fn new(labels: Labels, families: Arc<Families>) -> FunctionMetrics {
        let values = labels.each_ref().map(String::as_str);
        FunctionMetrics {
            outcomes: Default::default(),
            starts: Default::default(),
            duration: families.duration.with_label_values(&values),
            cpu: families.cpu.with_label_values(&values),
            in_flight: families.in_flight.with_label_values(&values),
            isolates: families.isolates.with_label_values(&values),
            heap: families.heap.with_label_values(&values),
            used_at: AtomicU64::new(0),
            families,
            labels,
        }
    }

    fn with<'a>(&'a self, last: &'a str) -> [&'a str; 4] {
        let [tenant, app, function] = &self.labels;
        [tenant, app, function, last]
    }

    /// Whether these are shared by functions without their own.
    pub fn is_other(&self) -> bool {
        self.labels == OTHER
    }

    /// A request for the function came.
    pub fn begin(&self) {
        self.in_flight.inc();
    }

    /// It ended.
    pub fn end(&self, outcome: Outcome, took: Duration, cpu_us: u32) {
        self.in_flight.dec();
        let resolve = || self.families.invocations.with_label_values(&self.with(outcome.as_str()));
        self.outcomes[outcome as usize].get_or_init(resolve).inc();
        self.duration.observe(took.as_secs_f64());
        if cpu_us > 0 {
            self.cpu.inc_by(f64::from(cpu_us) / 1e6);
        }
    }

    /// A request that the function made has ended, after this time to its response's head.
    pub fn fetched(&self, outcome: &str, took: Duration) {
        self.families.egress.ended(self.labels.each_ref().map(String::as_str), outcome, took);
    }

    /// An isolate was made ready, or was ready, for it.
    pub fn start(&self, kind: StartKind, start_us: u32) {
        if kind == StartKind::None {
            return;
        }
        let (count, duration) = self.starts[kind as usize].get_or_init(|| {
            let values = self.with(kind.as_str());
            (self.families.starts.with_label_values(&values), self.families.start.with_label_values(&values))
        });
        count.inc();
        // A warm isolate takes no start: it would only fill the histogram with zeros.
        if kind != StartKind::Warm {
            duration.observe(f64::from(start_us) / 1e6);
        }
    }
}

#[derive(Debug)]
struct Families {
    invocations: IntCounterVec,
    duration: HistogramVec,
    cpu: CounterVec,
    starts: IntCounterVec,
    start: HistogramVec,
    in_flight: IntGaugeVec,
    isolates: IntGaugeVec,
    heap: IntGaugeVec,
    egress: egress::Family,
}

impl Families {
    fn forget(&self, set: &FunctionMetrics) {
        let values = set.labels.each_ref().map(String::as_str);
        // A series that was never made is not there to be removed: no error.
        let _ = self.duration.remove_label_values(&values);
        let _ = self.cpu.remove_label_values(&values);
        let _ = self.in_flight.remove_label_values(&values);
        let _ = self.isolates.remove_label_values(&values);
        let _ = self.heap.remove_label_values(&values);
        self.egress.forget(values);
        for outcome in Outcome::ALL {
            let _ = self.invocations.remove_label_values(&set.with(outcome.as_str()));
        }
        for kind in StartKind::ALL {
            let _ = self.starts.remove_label_values(&set.with(kind.as_str()));
            let _ = self.start.remove_label_values(&set.with(kind.as_str()));
        }
    }
}

/// Every metric of a node.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Families>,
    sets: Mutex<Sets>,
    epoch: Instant,
    connections_open: IntGaugeVec,
    connections: IntCounterVec,
    accept_errors: IntCounterVec,
    refusals: IntCounterVec,
    admission: [IntCounter; Refused::REASONS.len()],
    no_route: IntCounter,
    cells: IntGaugeVec,
    cell_deaths: IntCounterVec,
    cells_retired: IntCounter,
    cell_rss: IntGauge,
    isolates: IntGaugeVec,
    cell_writes: IntGauge,
}

/// Sets a counter to a count that is kept elsewhere.
fn mirror(counter: &IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Metrics {
    /// A registry of its own, with at most `sets_max` functions that have series of their own.
    ///
    /// # Errors
    /// When two families have one name.
    pub fn new(sets_max: usize, epoch: Instant) -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        macro_rules! family {
            ($kind:ident, $name:literal, $help:literal, $labels:expr) => {{
                let family = $kind::new(Opts::new($name, $help), $labels)?;
                registry.register(Box::new(family.clone()))?;
                family
            }};
        }
        macro_rules! histogram {
            ($name:literal, $help:literal, $labels:expr, $buckets:expr) => {{
                let family = HistogramVec::new(HistogramOpts::new($name, $help).buckets($buckets.to_vec()), $labels)?;
                registry.register(Box::new(family.clone()))?;
                family
            }};
        }
        let families = Families {
            invocations: family!(IntCounterVec, "isle_invocations_total", "Invocations by how they ended.", &OUTCOME),
            duration: histogram!(
                "isle_invocation_duration_seconds",
                "From the request's arrival to its response's head.",
                &FUNCTION,
                DURATION_BUCKETS
            ),
            cpu: family!(CounterVec, "isle_invocation_cpu_seconds_total", "CPU time in handlers.", &FUNCTION),
            starts: family!(IntCounterVec, "isle_starts_total", "Invocations by how their isolate came to be.", &KIND),
            start: histogram!(
                "isle_start_duration_seconds",
                "Making an isolate ready, where one had to be.",
                &KIND,
                START_BUCKETS
            ),
            in_flight: family!(IntGaugeVec, "isle_in_flight", "Requests inside, waiting or running.", &FUNCTION),
            isolates: family!(IntGaugeVec, "isle_resident_isolates", "Isolates that hold the function.", &FUNCTION),
            heap: family!(IntGaugeVec, "isle_heap_bytes", "V8 heap and external memory of those isolates.", &FUNCTION),
            egress: egress::Family::new(&registry)?,
        };
        let refusals = family!(IntCounterVec, "isle_refusals_total", "Connections and requests refused.", &["reason"]);
        let build =
            family!(IntGaugeVec, "isle_build_info", "1, with what this is as labels.", &["version", "protocol"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), &isle_wire::PROTOCOL_VERSION.to_string()]).set(1);
        let rss = IntGauge::new("isle_cells_resident_bytes", "Resident memory of all cells.")?;
        registry.register(Box::new(rss.clone()))?;
        let retired = IntCounter::new("isle_cells_retired_total", "Cells ended because nobody needed them.")?;
        registry.register(Box::new(retired.clone()))?;
        let writes = IntGauge::new("isle_cell_writes", "System calls that wrote frames to the cells now alive.")?;
        registry.register(Box::new(writes.clone()))?;
        Ok(Metrics {
            families: Arc::new(families),
            sets: Mutex::new(Sets::new(sets_max)),
            epoch,
            connections_open: family!(IntGaugeVec, "isle_connections_open", "Connections open now.", &["listener"]),
            connections: family!(IntCounterVec, "isle_connections_total", "Connections accepted.", &["listener"]),
            accept_errors: family!(
                IntCounterVec,
                "isle_accept_errors_total",
                "Times the kernel gave no connection.",
                &["listener"]
            ),
            admission: Refused::REASONS.map(|reason| refusals.with_label_values(&[reason])),
            no_route: refusals.with_label_values(&["no_route"]),
            refusals,
            cells: family!(IntGaugeVec, "isle_cells", "Cells by state.", &["state"]),
            cell_deaths: family!(IntCounterVec, "isle_cell_deaths_total", "Deaths of cells by cause.", &["cause"]),
            cells_retired: retired,
            cell_rss: rss,
            isolates: family!(IntGaugeVec, "isle_isolates", "Isolates of all cells by state.", &["state"]),
            cell_writes: writes,
            registry,
        })
    }

    fn seconds(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.epoch).as_secs()
    }

    /// The series of a function, made when it has none and there is room, else those of `other`.
    pub fn function(&self, spec: &FunctionSpec, now: Instant) -> Arc<FunctionMetrics> {
        let mut sets = lock(&self.sets);
        let set = sets.get_or_make(labels(spec), |labels| FunctionMetrics::new(labels, self.families.clone()));
        self.touch(&set, now);
        set
    }

    /// The series that a function has already.
    pub fn known(&self, spec: &FunctionSpec, now: Instant) -> Option<Arc<FunctionMetrics>> {
        let sets = lock(&self.sets);
        let set = sets.get(&labels(spec)).cloned();
        set.inspect(|set| self.touch(set, now))
    }

    /// Notes that the function was used.
    pub fn touch(&self, set: &FunctionMetrics, now: Instant) {
        set.used_at.store(self.seconds(now), Ordering::Relaxed);
    }

    /// Drops label sets that nobody used for [`LABEL_SET_IDLE`]. Returns them: who still holds one
    /// counts into nothing with it, and must ask for a new one.
    pub fn expire(&self, now: Instant) -> Vec<Arc<FunctionMetrics>> {
        let now = self.seconds(now);
        let mut sets = lock(&self.sets);
        let dropped = sets.retain(|set| {
            let idle = now.saturating_sub(set.used_at.load(Ordering::Relaxed)) >= LABEL_SET_IDLE.as_secs();
            !idle || set.in_flight.get() > 0
        });
        dropped.iter().for_each(|set| self.families.forget(set));
        dropped
    }

    /// Where there is no room for another label set, drops those that nobody holds.
    pub fn make_room(&self) {
        let mut sets = lock(&self.sets);
        sets.make_room().iter().for_each(|set| self.families.forget(set));
    }

    /// A request was not admitted.
    pub fn refused(&self, refused: Refused) {
        self.admission[refused.index()].inc();
    }

    /// A function's request was refused by a rule.
    pub fn fetch_refused(&self, reason: &str) {
        self.families.egress.refused(reason);
    }

    /// No route fitted a request.
    pub fn no_route(&self) {
        self.no_route.inc();
    }

    /// Takes over what listeners and cells count by themselves.
    pub fn observe(&self, listeners: &[(&str, &Counters)], cells: &Cells) {
        for (name, counters) in listeners {
            let open = i64::try_from(counters.connections_open()).unwrap_or(i64::MAX);
            self.connections_open.with_label_values(&[name]).set(open);
            mirror(&self.connections.with_label_values(&[name]), counters.connections_total());
            mirror(&self.accept_errors.with_label_values(&[name]), counters.accept_errors());
        }
        for reason in Refusal::ALL {
            let total = listeners.iter().map(|(_, counters)| counters.refused(reason)).sum();
            mirror(&self.refusals.with_label_values(&[reason.as_str()]), total);
        }
        let connections = cells.egress().map_or(0, |egress| egress.connections_open());
        self.families.egress.connections.set(i64::try_from(connections).unwrap_or(i64::MAX));
        let counts = cells.counts();
        for (state, count) in [("spare", counts.spare), ("live", counts.live), ("other", counts.other)] {
            self.cells.with_label_values(&[state]).set(count as i64);
        }
        for cause in Cause::ALL.into_iter().filter(|cause| *cause != Cause::Retired) {
            mirror(&self.cell_deaths.with_label_values(&[cause.as_str()]), cells.ended(cause));
        }
        mirror(&self.cells_retired, cells.ended(Cause::Retired));
        let mut by_function: HashMap<Labels, (i64, i64)> = HashMap::new();
        let (mut isolates, mut spares, mut rss, mut writes) = (0, 0, 0i64, 0u64);
        for cell in cells.all() {
            let stats = cell.link.stats(|function, version| {
                let sum = by_function.entry(labels(&function.spec)).or_default();
                sum.0 += i64::from(version.isolates);
                sum.1 = sum.1.saturating_add(i64::try_from(version.heap_bytes).unwrap_or(i64::MAX));
            });
            isolates += i64::from(stats.isolates);
            spares += i64::from(stats.spares);
            rss += i64::try_from(stats.rss_bytes).unwrap_or(i64::MAX);
            writes += cell.link.writes_total();
        }
        self.isolates.with_label_values(&["spare"]).set(spares);
        self.isolates.with_label_values(&["resident"]).set((isolates - spares).max(0));
        self.cell_rss.set(rss);
        self.cell_writes.set(i64::try_from(writes).unwrap_or(i64::MAX));
        for (labels, set) in lock(&self.sets).iter() {
            let (isolates, heap) = by_function.get(labels).copied().unwrap_or_default();
            set.isolates.set(isolates);
            set.heap.set(heap);
        }
    }

    /// Where further metrics of the node can be registered.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Everything as Prometheus text.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics could not be written");
        }
        text
    }
}

#[cfg(test)]
mod tests;
