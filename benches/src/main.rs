//! Measures Isle beside its peers: the same work, on the same machine, in alternating rounds within the same minutes.
//!
//! `isle-bench warm` starts every server on loopback, checks its answers, puts it under load and prints what a request
//! cost: [`warm`] joins [`servers`] (start and stop), [`load`] (closed-loop clients), [`cpu`] (what the process tree
//! used) and [`report`] (medians, ratios, `target/bench/warm.json`). `isle-bench floor` is one of the peers: plain hyper
//! with the same answers and no functions, the least that a Rust server can cost here. `isle-bench cold` measures what
//! comes before the first warm request: [`cold`]; `isle-bench fleet` what thousands of idle functions take: [`fleet`].

mod answer;
mod cold;
mod cpu;
mod fleet;
mod floor;
mod histogram;
mod load;
mod report;
mod servers;
mod warm;
mod workload;

use clap::Parser;

/// Any error: this is a tool, its caller reads the text.
type Error = Box<dyn std::error::Error>;

#[derive(Parser)]
#[command(name = "isle-bench", about = "Measures Isle beside its peers")]
enum Command {
    /// Cold starts: time to the first byte, CPU, memory per live function, a storm and its neighbour
    Cold(cold::Options),
    /// Thousands of deployed functions on one node: memory, and the first request to each
    Fleet(fleet::Options),
    /// Warm requests: throughput, latency and CPU per request of each server
    Warm(warm::Options),
    /// Serves the workloads with plain hyper until stdin closes; prints its address
    Floor,
}

fn main() -> std::process::ExitCode {
    let done = match Command::parse() {
        Command::Cold(options) => cold::run(&options),
        Command::Fleet(options) => fleet::run(&options),
        Command::Warm(options) => warm::run(&options),
        Command::Floor => floor::run(),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("isle-bench: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
