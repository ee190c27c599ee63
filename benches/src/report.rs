//! What was measured, as a table for people and as JSON for everything else.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::Error;
use crate::load::Load;
use crate::servers::Kind;
use crate::workload::Workload;

/// What Isle wants to reach: CPU per warm hello, as a share of workerd's.
const HELLO_CPU_TARGET: f64 = 0.5;

/// Above this share of the machine used by others, a round is called disturbed.
pub const OTHERS_SHARE_MAX: f64 = 0.1;

/// One server under one load once, or the medians of all rounds (of each column for itself).
#[derive(Clone, Default, Serialize)]
pub struct Round {
    /// Right answers per second.
    pub requests_per_second: f64,
    /// Half of the answers took no longer, in µs.
    pub p50_us: f64,
    /// 99 % of the answers took no longer, in µs.
    pub p99_us: f64,
    /// CPU of the server's whole process tree for each right answer, in µs.
    pub cpu_us_per_request: f64,
    /// How much of all CPUs was used by neither the server nor the load, 0 to 1.
    pub others_cpu_share: f64,
    /// Wrong answers, silence and broken connections.
    pub errors: u64,
}

impl Round {
    /// The numbers of one run.
    pub fn of(load: &Load) -> Round {
        let requests = load.latencies.total() as f64;
        let seconds = load.elapsed.as_secs_f64();
        let cpus = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        Round {
            requests_per_second: requests / seconds,
            p50_us: load.latencies.percentile_us(0.5),
            p99_us: load.latencies.percentile_us(0.99),
            cpu_us_per_request: load.cpu.server_us as f64 / requests.max(1.0),
            others_cpu_share: load.cpu.others_us as f64 / (seconds * 1e6 * cpus),
            errors: load.errors,
        }
    }

    fn median(rounds: &[Round]) -> Round {
        let of = |column: fn(&Round) -> f64| median(rounds.iter().map(column).collect());
        Round {
            requests_per_second: of(|round| round.requests_per_second),
            p50_us: of(|round| round.p50_us),
            p99_us: of(|round| round.p99_us),
            cpu_us_per_request: of(|round| round.cpu_us_per_request),
            others_cpu_share: of(|round| round.others_cpu_share),
            errors: rounds.iter().map(|round| round.errors).sum(),
        }
    }
}

/// The median; 0 of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => 0.0,
        (odd, middle) if odd % 2 == 1 => values[middle],
        (_, middle) => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// All rounds of one server under one load.
#[derive(Serialize)]
struct Row {
    workload: &'static str,
    connections: u16,
    server: &'static str,
    /// Of `rounds`, except for the errors, which are added up.
    median: Round,
    rounds: Vec<Round>,
}

/// Isle's medians divided by another server's, under one load.
#[derive(Serialize)]
struct Ratio {
    workload: &'static str,
    connections: u16,
    isle_to: &'static str,
    requests_per_second: f64,
    p50: f64,
    p99: f64,
    cpu_per_request: f64,
}

/// What was measured.
#[derive(Serialize)]
pub struct Version {
    /// Which server.
    pub server: &'static str,
    /// Its version, in its own words.
    pub version: String,
}

/// The processor's name.
pub fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "unknown".to_owned(), |(_, model)| model.trim().to_owned())
}

/// Writes a report as JSON; the file is never seen half written.
///
/// # Errors
/// The disk's.
pub fn write_json(report: &impl Serialize, path: &Path) -> Result<(), Error> {
    let part = path.with_extension("json.part");
    std::fs::write(&part, serde_json::to_vec_pretty(report)?)?;
    std::fs::rename(&part, path)?;
    Ok(())
}

/// Everything that was measured.
#[derive(Serialize)]
pub struct Report {
    cpus: usize,
    cpu_model: String,
    rounds: u8,
    seconds: u16,
    servers: Vec<Version>,
    results: Vec<Row>,
    ratios: Vec<Ratio>,
}

impl Report {
    /// A report without results.
    pub fn new(servers: impl Iterator<Item = (Kind, String)>, rounds: u8, seconds: u16) -> Report {
        Report {
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            cpu_model: cpu_model(),
            rounds,
            seconds,
            servers: servers.map(|(kind, version)| Version { server: kind.name(), version }).collect(),
            results: Vec::new(),
            ratios: Vec::new(),
        }
    }

    /// Adds a round.
    pub fn add(&mut self, workload: Workload, connections: u16, server: Kind, round: Round) {
        let (workload, server) = (workload.name(), server.name());
        let same = |row: &&mut Row| (row.workload, row.connections, row.server) == (workload, connections, server);
        match self.results.iter_mut().find(same) {
            Some(row) => row.rounds.push(round),
            None => {
                let rounds = vec![round];
                self.results.push(Row { workload, connections, server, median: Round::default(), rounds });
            }
        }
    }

    /// Works out medians and ratios, after the last round.
    pub fn finish(&mut self) {
        for row in &mut self.results {
            row.median = Round::median(&row.rounds);
        }
        let isles = self.results.iter().filter(|row| row.server == Kind::Isle.name());
        let pairs = isles.flat_map(|isle| {
            let load = (isle.workload, isle.connections);
            let others = self
                .results
                .iter()
                .filter(move |row| row.server != isle.server && (row.workload, row.connections) == load);
            others.map(move |other| (isle, other))
        });
        let ratios = pairs.map(|(isle, other)| Ratio {
            workload: isle.workload,
            connections: isle.connections,
            isle_to: other.server,
            requests_per_second: isle.median.requests_per_second / other.median.requests_per_second,
            p50: isle.median.p50_us / other.median.p50_us,
            p99: isle.median.p99_us / other.median.p99_us,
            cpu_per_request: isle.median.cpu_us_per_request / other.median.cpu_us_per_request,
        });
        self.ratios = ratios.collect();
    }

    /// Wrong answers of all servers together.
    pub fn errors(&self) -> u64 {
        self.results.iter().map(|row| row.median.errors).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{} CPUs, {}; medians of {} rounds of {} s; CPU is of the server's whole process tree\n",
            self.cpus, self.cpu_model, self.rounds, self.seconds
        )?;
        let columns = ["workload", "c", "server", "req/s", "p50 µs", "p99 µs", "CPU µs/req", "errors"];
        let [workload, c, server, rate, p50, p99, cpu, errors] = columns;
        writeln!(f, "{workload:<9} {c:>4} {server:<8} {rate:>9} {p50:>8} {p99:>8} {cpu:>11} {errors:>7}")?;
        for row in &self.results {
            let Row { workload, connections, server, median, .. } = row;
            let Round { requests_per_second, p50_us, p99_us, cpu_us_per_request, errors, .. } = median;
            write!(f, "{workload:<9} {connections:>4} {server:<8} {requests_per_second:>9.0} {p50_us:>8.0} ")?;
            writeln!(f, "{p99_us:>8.0} {cpu_us_per_request:>11.1} {errors:>7}")?;
        }
        if !self.ratios.is_empty() {
            writeln!(
                f,
                "\n{:<9} {:>4} {:<16} {:>9} {:>8} {:>8} {:>11}",
                workload, c, "ratio", rate, "p50", "p99", "CPU"
            )?;
        }
        for ratio in &self.ratios {
            let Ratio { workload, connections, isle_to, requests_per_second, p50, p99, cpu_per_request } = ratio;
            let name = format!("isle:{isle_to}");
            write!(f, "{workload:<9} {connections:>4} {name:<16} {requests_per_second:>9.2} {p50:>8.2} {p99:>8.2} ")?;
            writeln!(f, "{cpu_per_request:>11.2}")?;
        }
        let hello = |ratio: &&Ratio| ratio.workload == Workload::Hello.name() && ratio.isle_to == Kind::Workerd.name();
        for ratio in self.ratios.iter().filter(hello) {
            let word = if ratio.cpu_per_request <= HELLO_CPU_TARGET { "reached" } else { "MISSED" };
            writeln!(
                f,
                "\nCPU per warm hello at c={}, to be at most {HELLO_CPU_TARGET} of workerd's: {:.2}, {word}",
                ratio.connections, ratio.cpu_per_request
            )?;
        }
        let rounds = self.results.iter().flat_map(|row| &row.rounds);
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
    fn medians_and_ratios_come_from_the_rounds() {
        let mut report = Report::new([(Kind::Isle, "1".to_owned())].into_iter(), 3, 1);
        for (kind, costs) in [(Kind::Isle, [30.0, 10.0, 12.0]), (Kind::Workerd, [33.0, 30.0, 90.0])] {
            for cpu_us_per_request in costs {
                let round = Round { cpu_us_per_request, requests_per_second: 1.0, errors: 1, ..Round::default() };
                report.add(Workload::Hello, 16, kind, round);
            }
        }
        report.finish();
        assert_eq!(report.errors(), 6);
        assert_eq!(report.results[0].median.cpu_us_per_request, 12.0);
        assert_eq!(report.ratios.len(), 1);
        assert!((report.ratios[0].cpu_per_request - 12.0 / 33.0).abs() < 1e-9);
        assert!(report.to_string().contains("0.36, reached"), "{report}");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
