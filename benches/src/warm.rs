//! The warm bench: rounds of load that alternate between the servers, so that whatever else the machine does meanwhile
//! falls on all of them alike.

use std::path::PathBuf;
use std::time::Duration;

use crate::Error;
use crate::load::{self, Plan};
use crate::report::{Report, Round, write_json};
use crate::servers::{Kind, Places, Server};
use crate::workload::Workload;

/// What to measure.
#[derive(clap::Args)]
pub struct Options {
    /// Servers to measure, separated by commas
    #[arg(long, visible_aliases = ["only", "peers"], value_delimiter = ',', default_values = ["isle", "workerd", "floor"])]
    servers: Vec<Kind>,
    /// Workloads to measure, separated by commas
    #[arg(long, value_delimiter = ',', default_values = ["hello", "json", "echo"])]
    workloads: Vec<Workload>,
    /// Numbers of connections, separated by commas
    #[arg(long, value_delimiter = ',', default_values = ["16", "64"], value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: Vec<u16>,
    /// Rounds of each server, workload and number of connections
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Seconds measured in a round
    #[arg(long, default_value = "4", value_parser = clap::value_parser!(u16).range(1..=3600))]
    seconds: u16,
    /// Milliseconds of load before each round that are not measured
    #[arg(long, default_value = "1000")]
    warm_up_ms: u16,
    /// Isle's binary [default: `isle` beside this program]
    #[arg(long)]
    isle: Option<PathBuf>,
    /// Where the numbers go [default: target/bench/warm.json in the repository]
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Measures, prints the table and writes the file.
///
/// # Errors
/// A server is missing or answers wrongly, before or under load.
pub fn run(options: &Options) -> Result<(), Error> {
    let (places, out) = Places::find(options.isle.as_ref(), options.out.as_ref(), "warm.json")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let servers = options.servers.iter().map(|&kind| Server::start(kind, &places)).collect::<Result<Vec<_>, _>>()?;
    for server in &servers {
        eprintln!("{}: {}, process {}", server.kind.name(), server.version, server.pid());
        for &workload in &options.workloads {
            let checked = runtime.block_on(load::check(server.address(workload), &server.host(workload), workload));
            checked.map_err(|error| format!("{} answers wrongly: {error}", server.kind.name()))?;
        }
    }

    let mut report = Report::new(
        servers.iter().map(|server| (server.kind, server.version.clone())),
        options.rounds,
        options.seconds,
    );
    for &workload in &options.workloads {
        for &connections in &options.connections {
            for round in 0..usize::from(options.rounds) {
                // who goes first changes, too
                for index in 0..servers.len() {
                    let server = &servers[(round + index) % servers.len()];
                    let plan = Plan {
                        address: server.address(workload),
                        pid: server.pid(),
                        workload,
                        request: workload.request(&server.host(workload)),
                        connections: usize::from(connections),
                        warm_up: Duration::from_millis(options.warm_up_ms.into()),
                        measure: Duration::from_secs(options.seconds.into()),
                    };
                    let load = runtime.block_on(load::run(plan))?;
                    let round = Round::of(&load);
                    eprintln!(
                        "{} c={connections} {}: {:.0} req/s, {:.1} µs CPU",
                        workload.name(),
                        server.kind.name(),
                        round.requests_per_second,
                        round.cpu_us_per_request
                    );
                    if let Some(error) = load.first_error {
                        eprintln!("  {} errors, the first: {error}", load.errors);
                    }
                    report.add(workload, connections, server.kind, round);
                }
            }
        }
    }
    drop(servers);

    report.finish();
    print!("{report}");
    write_json(&report, &out)?;
    println!("\nwritten to {}", out.display());
    match report.errors() {
        0 => Ok(()),
        errors => Err(format!("{errors} wrong answers under load: the numbers count for nothing").into()),
    }
}
