//! What was measured cold: the table for people, `cold.json` for everything else, and what was to be reached.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::function::Function;
use super::memory::Memory;
use super::storm::Storm;
use crate::cpu::Used;
use crate::histogram::Histogram;
use crate::report::{OTHERS_SHARE_MAX, Version, cpu_model, median};

/// A neighbour's p99 in a storm, to its quiet p99, at most.
const STORM_RATIO_TARGET: f64 = 2.0;

/// How a version came to be cold.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Deployed, and never asked before.
    NeverSeen,
    /// Asked before, and evicted by a call to the admin API.
    Evicted,
    /// An id that the loader does not know.
    FreshId,
}

impl Start {
    fn name(self) -> &'static str {
        match self {
            Start::NeverSeen => "never-seen",
            Start::Evicted => "evicted",
            Start::FreshId => "fresh-id",
        }
    }
}

/// All cold starts of one function on one server.
#[derive(Serialize)]
pub struct Row {
    function: &'static str,
    server: &'static str,
    start: Start,
    samples: u64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_ms: f64,
    /// By the server's own words, where it has any.
    kinds: BTreeMap<String, u64>,
    rounds: Vec<Round>,
    #[serde(skip)]
    latencies: Histogram,
    #[serde(skip)]
    cpu_us: u64,
}

#[derive(Serialize)]
struct Round {
    p50_ms: f64,
    cpu_ms: f64,
    others_cpu_share: f64,
}

impl Row {
    /// Nothing measured yet.
    pub fn new(function: Function, server: &'static str, start: Start) -> Row {
        Row {
            function: function.name(),
            server,
            start,
            samples: 0,
            p50_ms: 0.0,
            p99_ms: 0.0,
            cpu_ms: 0.0,
            kinds: BTreeMap::new(),
            rounds: Vec::new(),
            latencies: Histogram::new(),
            cpu_us: 0,
        }
    }

    /// Adds a round.
    pub fn add(&mut self, latencies: &[Duration], used: Used, elapsed: Duration) {
        latencies.iter().for_each(|&latency| self.latencies.record(latency));
        self.cpu_us += used.server_us;
        self.samples = self.latencies.total();
        self.p50_ms = self.latencies.percentile_us(0.5) / 1_000.0;
        self.p99_ms = self.latencies.percentile_us(0.99) / 1_000.0;
        self.cpu_ms = self.cpu_us as f64 / self.samples.max(1) as f64 / 1_000.0;
        let cpus = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        self.rounds.push(Round {
            p50_ms: median(latencies.iter().map(|latency| latency.as_secs_f64() * 1e3).collect()),
            cpu_ms: used.server_us as f64 / latencies.len().max(1) as f64 / 1_000.0,
            others_cpu_share: used.others_us as f64 / (elapsed.as_secs_f64() * 1e6 * cpus),
        });
    }

    /// Adds what the server says about how these starts went.
    pub fn add_kinds(&mut self, kinds: BTreeMap<String, u64>) {
        for (kind, count) in kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
    }

    /// The last round in a few words.
    pub fn last(&self) -> String {
        let (function, server, start) = (self.function, self.server, self.start.name());
        let (p50, cpu) = self.rounds.last().map_or((0.0, 0.0), |round| (round.p50_ms, round.cpu_ms));
        format!("{function} {server} {start}: p50 {p50:.2} ms, {cpu:.2} ms CPU")
    }
}

/// How many times less than workerd's loader Isle takes.
#[derive(Serialize)]
struct Ratio {
    function: &'static str,
    start: Start,
    p50: f64,
    p99: f64,
    cpu: f64,
    /// Memory per live function.
    resident: Option<f64>,
}

/// Something to be reached.
#[derive(Serialize)]
struct Target {
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_least: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<f64>,
    measured: f64,
    reached: bool,
}

impl Target {
    fn at_least(what: String, least: f64, measured: f64) -> Target {
        Target { what, at_least: Some(least), at_most: None, measured, reached: measured >= least }
    }

    fn at_most(what: String, most: f64, measured: f64) -> Target {
        Target { what, at_least: None, at_most: Some(most), measured, reached: measured <= most }
    }
}

/// Everything that was measured.
#[derive(Serialize)]
pub struct Report {
    cpus: usize,
    cpu_model: String,
    pause_ms: u16,
    servers: Vec<Version>,
    starts: Vec<Row>,
    ratios: Vec<Ratio>,
    memory: Vec<Memory>,
    storm: Option<Storm>,
    targets: Vec<Target>,
}

impl Report {
    /// A report without results.
    pub fn new(pause_ms: u16) -> Report {
        Report {
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            cpu_model: cpu_model(),
            pause_ms,
            servers: Vec::new(),
            starts: Vec::new(),
            ratios: Vec::new(),
            memory: Vec::new(),
            storm: None,
            targets: Vec::new(),
        }
    }

    /// Names a server once.
    pub fn server(&mut self, server: &'static str, version: &str) {
        if !self.servers.iter().any(|known| known.server == server) {
            self.servers.push(Version { server, version: version.to_owned() });
        }
    }

    /// Adds a function's cold starts.
    pub fn add(&mut self, row: Row) {
        self.starts.push(row);
    }

    /// Adds a function's memory.
    pub fn add_memory(&mut self, memory: Memory) {
        self.memory.push(memory);
    }

    /// Adds the storm.
    pub fn add_storm(&mut self, storm: Storm) {
        self.storm = Some(storm);
    }

    /// Works out ratios and what was reached, at the end.
    pub fn finish(&mut self, functions: &[Function]) {
        let resident = |server: &str, function: &str| {
            let mut all = self.memory.iter();
            all.find(|memory| (memory.server, memory.function) == (server, function)).map(|it| it.bytes_per_function)
        };
        for &function in functions {
            let (name, targets) = (function.name(), function.targets());
            let of = |server: &'static str| {
                self.starts.iter().filter(move |row| (row.function, row.server) == (name, server))
            };
            for isle in of("isle") {
                let what = |what: &str| format!("{name} {}: {what}", isle.start.name());
                if let Some(peer) = of("workerd").next() {
                    let (p50, cpu) = (peer.p50_ms / isle.p50_ms, peer.cpu_ms / isle.cpu_ms);
                    let resident =
                        resident("workerd", name).zip(resident("isle", name)).map(|(peer, isle)| peer / isle);
                    let p99 = peer.p99_ms / isle.p99_ms;
                    self.ratios.push(Ratio { function: name, start: isle.start, p50, p99, cpu, resident });
                    if let Some(targets) = &targets {
                        self.targets.push(Target::at_least(what("times less wall than workerd"), targets.times, p50));
                        self.targets.push(Target::at_least(what("times less CPU than workerd"), targets.times, cpu));
                    }
                }
                if let Some(targets) = &targets {
                    let what = what("p50 in ms, on a quiet machine");
                    self.targets.push(Target::at_most(what, targets.p50_ms, isle.p50_ms));
                }
            }
            let most = targets.and_then(|targets| targets.resident_bytes);
            if let (Some(most), Some(bytes)) = (most, resident("isle", name)) {
                self.targets.push(Target::at_most(
                    format!("{name}: resident MB per idle isolate"),
                    most / 1e6,
                    bytes / 1e6,
                ));
            }
        }
        if let Some(storm) = &self.storm {
            let what = "storm: a neighbour's p99 to its quiet p99";
            self.targets.push(Target::at_most(what.to_owned(), STORM_RATIO_TARGET, storm.p99_ratio));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { cpus, cpu_model, pause_ms, .. } = self;
        writeln!(
            f,
            "\n{cpus} CPUs, {cpu_model}; time to the first byte over a kept connection, {pause_ms} ms between"
        )?;
        writeln!(f, "requests; CPU is of the server's whole process tree until it has settled\n")?;
        let [function, server, start, p50, p99, cpu] = ["function", "server", "start", "p50 ms", "p99 ms", "CPU ms"];
        writeln!(f, "{function:<9} {server:<8} {start:<11} {:>7} {p50:>8} {p99:>8} {cpu:>8}  started as", "samples")?;
        for row in &self.starts {
            let Row { function, server, samples, p50_ms, p99_ms, cpu_ms, kinds, .. } = row;
            let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            write!(f, "{function:<9} {server:<8} {:<11} {samples:>7} {p50_ms:>8.3} ", row.start.name())?;
            writeln!(f, "{p99_ms:>8.3} {cpu_ms:>8.3}  {}", kinds.join(", "))?;
        }
        if !self.ratios.is_empty() {
            writeln!(f, "\n{function:<9} {:<20} {:>7} {p50:>8} {p99:>8} {cpu:>8}", "workerd : isle", "memory")?;
        }
        for Ratio { function, start, p50, p99, cpu, resident } in &self.ratios {
            let resident = resident.map_or("–".to_owned(), |times| format!("{times:.1}"));
            writeln!(f, "{function:<9} {:<20} {resident:>7} {p50:>8.1} {p99:>8.1} {cpu:>8.1}", start.name())?;
        }
        if !self.memory.is_empty() {
            let columns = ["live", "MB each", "MB before", "MB live", "MB evicted", "given back"];
            let [live, each, before, with, evicted, back] = columns;
            write!(f, "\n{function:<9} {server:<8} {live:>5} {each:>8} {before:>10} {with:>8} ")?;
            writeln!(f, "{evicted:>10} {back:>10}")?;
        }
        for memory in &self.memory {
            let mb = |bytes: u64| bytes as f64 / 1e6;
            let Memory { function, server, versions, .. } = memory;
            let evicted = memory.evicted_bytes.map_or("–".to_owned(), |bytes| format!("{:.1}", mb(bytes)));
            let back = memory.given_back_share.map_or("–".to_owned(), |share| format!("{:.0} %", share * 100.0));
            write!(f, "{function:<9} {server:<8} {versions:>5} {:>8.2} ", memory.bytes_per_function / 1e6)?;
            write!(f, "{:>10.1} {:>8.1} ", mb(memory.before_bytes), mb(memory.live_bytes))?;
            writeln!(f, "{evicted:>10} {back:>10}")?;
        }
        if let Some(storm) = &self.storm {
            let Storm { function, versions, concurrency, neighbour_rate, quiet, never_seen, all, .. } = storm;
            writeln!(
                f,
                "\nStorm: {versions} versions of {function}, {concurrency} at a time, {:.2?} s; ",
                storm.storms_s
            )?;
            writeln!(f, "a start p50 {:.1} ms, p99 {:.1} ms", storm.start_p50_ms, storm.start_p99_ms)?;
            let ratios = [1.0, storm.p99_ratio, storm.p99_ratio_all];
            for ((name, it), ratio) in [("quiet", quiet), ("never-seen", never_seen), ("all", all)].iter().zip(ratios) {
                write!(f, "neighbour at {neighbour_rate}/s, {name:<10} {:>5} samples, ", it.samples)?;
                writeln!(f, "p50 {:.3} ms, p99 {:.3} ms, {ratio:.2} times quiet", it.p50_ms, it.p99_ms)?;
            }
        }
        if !self.targets.is_empty() {
            writeln!(f)?;
        }
        for Target { what, at_least, at_most, measured, reached } in &self.targets {
            let word = if *reached { "reached" } else { "MISSED " };
            let aim = at_least.map(|least| format!("at least {least}"));
            let aim = aim.or(at_most.map(|most| format!("at most {most}"))).unwrap_or_default();
            writeln!(f, "{word} {what}: {measured:.2}, to be {aim}")?;
        }
        let rounds = self.starts.iter().flat_map(|row| &row.rounds);
        let disturbed = rounds.filter(|round| round.others_cpu_share > OTHERS_SHARE_MAX).count();
        if disturbed > 0 {
            let percent = OTHERS_SHARE_MAX * 100.0;
            writeln!(f, "\nDisturbed: in {disturbed} rounds others used more than {percent:.0} % of the machine.")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_and_targets_come_from_the_rows() {
        let mut report = Report::new(5);
        let used = |server_us| Used { server_us, others_us: 0 };
        for (server, start, ms, us) in [
            ("isle", Start::NeverSeen, 1, 2_000),
            ("isle", Start::Evicted, 2, 9_000),
            ("workerd", Start::FreshId, 8, 8_000),
        ] {
            let mut row = Row::new(Function::Hello, server, start);
            row.add(&[Duration::from_millis(ms); 4], used(us), Duration::from_secs(1));
            row.add(&[Duration::from_millis(ms); 4], used(us), Duration::from_secs(1));
            row.add_kinds(BTreeMap::from([("pooled".to_owned(), 8)]));
            report.add(row);
        }
        report.finish(&[Function::Hello]);
        let ratios: Vec<_> = report.ratios.iter().map(|ratio| (ratio.p50.round(), ratio.cpu)).collect();
        assert_eq!(ratios, [(8.0, 4.0), (4.0, 8_000.0 / 9_000.0)]);
        let reached: Vec<bool> = report.targets.iter().map(|target| target.reached).collect();
        assert_eq!(reached[..2], [true, false]);
        let text = report.to_string();
        assert!(
            text.contains("MISSED  hello never-seen: times less CPU than workerd: 4.00, to be at least 5"),
            "{text}"
        );
    }
}
