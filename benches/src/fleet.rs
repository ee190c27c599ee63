//! The fleet bench: thousands of deployed functions on one node of default settings, nearly all of them idle. What they
//! take while nobody asks, whether any of them answers, how fast, and what stays after many were asked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::task::LocalSet;

use crate::cold::client::Client;
use crate::cold::memory::resident_bytes;
use crate::cold::starts::settle;
use crate::cold::tenant::Tenant;
use crate::histogram::Histogram;
use crate::report::write_json;
use crate::servers::Places;
use crate::servers::isle::Node;
use crate::{Error, load};

/// Functions of one app.
const APP: usize = 100;
/// A step through the functions that meets each once: a prime larger than any fleet.
const STRIDE: usize = 1_000_003;

/// What to measure.
#[derive(clap::Args)]
pub struct Options {
    /// Functions deployed, in apps of 100
    #[arg(long, default_value = "10000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    functions: u32,
    /// Tenants they belong to
    #[arg(long, default_value = "20", value_parser = clap::value_parser!(u16).range(1..=100))]
    tenants: u16,
    /// Requests, each to a function that none was sent to before; at most one a function
    #[arg(long, default_value = "3000")]
    requests: u32,
    /// Isle's binary [default: `isle` beside this program]
    #[arg(long)]
    isle: Option<PathBuf>,
    /// Where the numbers go [default: target/bench/fleet.json in the repository]
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    functions: usize,
    tenants: usize,
    deploy_s: f64,
    requests: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    empty_bytes: u64,
    deployed_bytes: u64,
    asked_bytes: u64,
    restart_s: f64,
    restarted_bytes: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        writeln!(f, "{} functions of {} tenants, deployed in {:.0} s", self.functions, self.tenants, self.deploy_s)?;
        let Report { requests, p50_ms, p99_ms, max_ms, .. } = self;
        writeln!(f, "{requests} first requests: p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms, max {max_ms:.1} ms")?;
        writeln!(
            f,
            "resident, all processes: {:.0} MB empty, {:.0} MB deployed, {:.0} MB after the requests",
            mb(self.empty_bytes),
            mb(self.deployed_bytes),
            mb(self.asked_bytes)
        )?;
        writeln!(f, "restarted in {:.2} s: {:.0} MB", self.restart_s, mb(self.restarted_bytes))
    }
}

/// Measures, prints and writes the file.
///
/// # Errors
/// A deployment is refused, a function does not answer, or the node's end.
pub fn run(options: &Options) -> Result<(), Error> {
    let (places, out) = Places::find(options.isle.as_ref(), options.out.as_ref(), "fleet.json")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    let report = runtime.block_on(tasks.run_until(load::unless_interrupted(measure(options, &places))))?;
    print!("{report}");
    write_json(&report, &out)?;
    println!("\nwritten to {}", out.display());
    Ok(())
}

async fn measure(options: &Options, places: &Places) -> Result<Report, Error> {
    let node = Node::start(places, "isle-fleet.log", "")?;
    settle(node.pid()).await?;
    let empty_bytes = resident_bytes(node.pid())?;
    let (functions, tenants) = (options.functions as usize, usize::from(options.tenants));
    let apps = functions.div_ceil(APP);
    let mut owners = Vec::new();
    for tenant in 0..tenants {
        owners.push(Tenant::add(&node, &format!("tenant-{tenant}")).await?);
    }
    let began = std::time::Instant::now();
    for app in 0..apps {
        let count = APP.min(functions - app * APP);
        let (manifest, files) = fleet_app(app, count);
        owners[app % tenants].deploy_files(&format!("fleet-{app}"), &manifest, &files).await?;
        eprint!("\rdeployed {} of {functions}", app * APP + count);
    }
    eprintln!();
    let deploy_s = began.elapsed().as_secs_f64();
    settle(node.pid()).await?;
    let deployed_bytes = resident_bytes(node.pid())?;

    let mut client = Client::connect(node.public).await?;
    let mut latencies = Histogram::new();
    let (requests, mut max) = (functions.min(options.requests as usize), Duration::ZERO);
    for request in 0..requests {
        let latency = ask(&mut client, &node, request * STRIDE % functions).await?;
        latencies.record(latency);
        max = max.max(latency);
    }
    settle(node.pid()).await?;
    let asked_bytes = resident_bytes(node.pid())?;
    let began = std::time::Instant::now();
    let node = node.restart()?;
    let restart_s = began.elapsed().as_secs_f64();
    settle(node.pid()).await?;
    ask(&mut Client::connect(node.public).await?, &node, 0).await?;
    Ok(Report {
        functions,
        tenants,
        deploy_s,
        requests,
        p50_ms: latencies.percentile_us(0.5) / 1_000.0,
        p99_ms: latencies.percentile_us(0.99) / 1_000.0,
        max_ms: max.as_secs_f64() * 1_000.0,
        empty_bytes,
        deployed_bytes,
        asked_bytes,
        restart_s,
        restarted_bytes: resident_bytes(node.pid())?,
    })
}

/// Asks one function, by its number in the fleet, and sees that it is that one which answers.
async fn ask(client: &mut Client, node: &Node, number: usize) -> Result<Duration, Error> {
    let (app, function) = (number / APP, number % APP);
    let host = format!("fleet-{app}.localhost:{}", node.public.port());
    let request = format!("GET /f{function} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    client.ask_for(request.as_bytes(), format!("{app}/{function}").as_bytes()).await
}

/// An app of `count` functions, each with text of its own.
fn fleet_app(app: usize, count: usize) -> (String, serde_json::Value) {
    let mut manifest = format!("app = \"fleet-{app}\"\n");
    let mut files = serde_json::Map::new();
    for function in 0..count {
        manifest += &format!("[functions.f{function}]\nentry = \"f{function}.js\"\nroutes = [\"GET /f{function}\"]\n");
        let text = format!("export const handler = async () => \"{app}/{function}\";\n");
        files.insert(format!("f{function}.js"), json!({ "text": text }));
    }
    (manifest, files.into())
}
