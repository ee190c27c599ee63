//! The cold bench: how long a request waits for a version that no isolate holds, what that costs, and what live versions
//! take, beside workerd's Worker Loader in alternating rounds; then a storm of cold starts and its neighbour.
//!
//! Joins [`function`] (what is started), [`tenant`] (Isle's versions), [`starts`] (the rounds), [`memory`], [`storm`] and
//! [`report`].

pub mod client;
mod function;
pub mod memory;
mod report;
pub mod starts;
mod storm;
pub mod tenant;

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::LocalSet;

use self::client::Client;
use self::function::Function;
use self::report::{Report, Row, Start};
use self::tenant::{Tenant, Versions};
use crate::answer::header;
use crate::report::write_json;
use crate::servers::isle::Node;
use crate::servers::workerd::Loaders;
use crate::servers::{Kind, Places};
use crate::{Error, load};

/// Room for every version that is measured to stay: what is looked at is their size, not the node's caps. As many
/// artifacts and texts as there are samples are at hand, as every text is for the peer.
const ROOMY: &str = "[cells]\nisolates_max = 1024\nmemory_mb = 32768\nisolate_idle_ms = 3600000\n\
                     [artifacts]\nmemory_mb = 8192\nsource_memory_mb = 2048\n";

/// What to measure.
#[derive(clap::Args)]
pub struct Options {
    /// Servers to measure, separated by commas
    #[arg(long, visible_aliases = ["only", "peers"], value_delimiter = ',', default_values = ["isle", "workerd"])]
    servers: Vec<Kind>,
    /// Functions to start, separated by commas
    #[arg(long, value_delimiter = ',', default_values = ["hello", "hono", "heavy", "table"])]
    functions: Vec<Function>,
    /// Cold starts of each function and way to be cold, on each server
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u16).range(1..=1000))]
    samples: u16,
    /// Rounds that they are spread over
    #[arg(long, default_value = "8", value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Cold starts before each round that are not measured
    #[arg(long, default_value = "10")]
    warm_up: u8,
    /// Milliseconds between an answer and the next request
    #[arg(long, default_value = "5")]
    pause_ms: u16,
    /// Versions that are live when memory is measured, at most as many as samples; 0 leaves it out
    #[arg(long, default_value = "100")]
    live: u16,
    /// Never-seen versions of the storm; 0 leaves it out
    #[arg(long, default_value = "500")]
    storm: u16,
    /// What the storm starts
    #[arg(long, default_value = "hono")]
    storm_function: Function,
    /// Requests of the storm at one time
    #[arg(long, default_value = "64", value_parser = clap::value_parser!(u16).range(1..=512))]
    storm_concurrency: u16,
    /// Storms in all: those after the first are of the same versions, evicted
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u8).range(1..))]
    storms: u8,
    /// Isle's binary [default: `isle` beside this program]
    #[arg(long)]
    isle: Option<PathBuf>,
    /// Where the numbers go [default: target/bench/cold.json in the repository]
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Measures, prints the tables and writes the file.
///
/// # Errors
/// A server is missing, answers wrongly, or answers from an isolate that was there already.
pub fn run(options: &Options) -> Result<(), Error> {
    if options.servers.contains(&Kind::Floor) {
        return Err("the floor has no functions to start".into());
    }
    let (places, out) = Places::find(options.isle.as_ref(), options.out.as_ref(), "cold.json")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    let report = runtime.block_on(tasks.run_until(load::unless_interrupted(measure(options, &places))))?;
    print!("{report}");
    write_json(&report, &out)?;
    println!("\nwritten to {}", out.display());
    Ok(())
}

async fn measure(options: &Options, places: &Places) -> Result<Report, Error> {
    let mut report = Report::new(options.pause_ms);
    for &function in &options.functions {
        let mut isle = match options.servers.contains(&Kind::Isle) {
            true => Some(Isle::start(options, places, function).await?),
            false => None,
        };
        let workerd = options.servers.contains(&Kind::Workerd);
        let expected = agreed(places, function, isle.as_ref(), workerd).await?;

        let mut never_seen = Row::new(function, Kind::Isle.name(), Start::NeverSeen);
        let mut evicted = Row::new(function, Kind::Isle.name(), Start::Evicted);
        let mut fresh_id = Row::new(function, Kind::Workerd.name(), Start::FreshId);
        for round in 0..options.rounds {
            // who goes first changes
            for turn in 0..2 {
                if (round + turn) % 2 == 0 {
                    if let Some(isle) = &isle {
                        isle.round(options, usize::from(round), &expected, &mut never_seen, &mut evicted).await?;
                        eprintln!("{}\n{}", never_seen.last(), evicted.last());
                    }
                } else if workerd {
                    workerd_round(options, places, function, &expected, &mut fresh_id, &mut report).await?;
                    eprintln!("{}", fresh_id.last());
                }
            }
        }
        if let Some(Isle { node, tenant, first, versions }) = isle.take() {
            report.server(Kind::Isle.name(), &node.version()?);
            report.add(never_seen);
            report.add(evicted);
            let node = node.restart()?;
            let live = versions.part(0..versions.requests().len().min(options.live.into()));
            if options.live > 0 {
                report.add_memory(memory::of_isle(&node, &tenant, function, &first, &live, &expected).await?);
            }
        }
        if workerd {
            report.add(fresh_id);
            if options.live > 0 {
                let loaders = Loaders::start(places, &Function::NAMES)?;
                let live = usize::from(options.live.min(options.samples));
                report.add_memory(memory::of_workerd(&loaders, function, live, &expected).await?);
            }
        }
    }
    if options.storm > 0 && options.servers.contains(&Kind::Isle) {
        eprintln!("storm: deploying {} versions of {}", options.storm, options.storm_function.name());
        let plan = storm::Plan {
            function: options.storm_function,
            versions: options.storm.into(),
            concurrency: options.storm_concurrency.into(),
            storms: options.storms.into(),
        };
        report.add_storm(storm::run(places, &plan).await?);
    }
    report.finish(&options.functions);
    Ok(report)
}

/// A node with the versions of one function, none of which has been asked.
struct Isle {
    node: Node,
    tenant: Tenant,
    /// One more version, to warm up with.
    first: Versions,
    versions: Versions,
}

impl Isle {
    async fn start(options: &Options, places: &Places, function: Function) -> Result<Isle, Error> {
        let node = Node::start(places, &format!("isle-cold-{}.log", function.name()), ROOMY)?;
        let tenant = Tenant::add(&node, "bench").await?;
        let bundle = function.bundle(&places.repository)?;
        let (name, rounds) = (function.name(), usize::from(options.rounds));
        let count = usize::from(options.samples).div_ceil(rounds) * rounds;
        eprintln!("{name}: deploying {count} versions of {} kB", bundle.len() / 1000);
        let first = tenant.deploy(function, &bundle, &format!("{name}-first"), 1).await?;
        let versions = tenant.deploy(function, &bundle, name, count).await?;
        Ok(Isle { node, tenant, first, versions })
    }

    /// Starts this round's versions for the first time, then evicts them and starts them again.
    async fn round(
        &self,
        options: &Options,
        round: usize,
        expected: &[u8],
        never_seen: &mut Row,
        evicted: &mut Row,
    ) -> Result<(), Error> {
        let Isle { node, tenant, first, versions } = self;
        let mut client = Client::connect(node.public).await?;
        for _ in 0..options.warm_up {
            tenant.evict(first).await?;
            client.ask_for(&first.requests()[0], expected).await?;
        }
        let size = versions.requests().len() / usize::from(options.rounds);
        let versions = versions.part(round * size..(round + 1) * size);
        let pause = Duration::from_millis(options.pause_ms.into());
        for row in [never_seen, evicted] {
            let before = tenant.starts(&versions).await?;
            starts::batch(&mut client, node.pid(), versions.requests(), expected, pause, row).await?;
            let mut kinds = tenant.starts(&versions).await?;
            kinds.iter_mut().for_each(|(kind, count)| *count -= before.get(kind).copied().unwrap_or(0).min(*count));
            kinds.retain(|_, count| *count > 0);
            if kinds.contains_key("warm") || kinds.values().sum::<u64>() != versions.requests().len() as u64 {
                return Err(format!("{size} requests were to be cold starts, the node says {kinds:?}").into());
            }
            row.add_kinds(kinds);
            tenant.evict(&versions).await?;
        }
        Ok(())
    }
}

/// A loader of its own for each round: it never gives anything back.
async fn workerd_round(
    options: &Options,
    places: &Places,
    function: Function,
    expected: &[u8],
    row: &mut Row,
    report: &mut Report,
) -> Result<(), Error> {
    let loaders = Loaders::start(places, &Function::NAMES)?;
    report.server(Kind::Workerd.name(), loaders.version());
    let address = loaders.address(function as usize);
    let request = function.request(&address.to_string());
    let mut client = Client::connect(address).await?;
    for _ in 0..options.warm_up {
        client.ask_for(&request, expected).await?;
    }
    let requests = vec![request; usize::from(options.samples).div_ceil(options.rounds.into())];
    let pause = Duration::from_millis(options.pause_ms.into());
    starts::batch(&mut client, loaders.pid(), &requests, expected, pause, row).await
}

/// Asks both servers and gives the body that they agree on.
async fn agreed(places: &Places, function: Function, isle: Option<&Isle>, workerd: bool) -> Result<Vec<u8>, Error> {
    let mut answers = Vec::new();
    if let Some(Isle { node, first, .. }) = isle {
        let mut client = Client::connect(node.public).await?;
        answers.push((Kind::Isle, whole(&mut client, &first.requests()[0]).await?));
    }
    if workerd {
        let loaders = Loaders::start(places, &Function::NAMES)?;
        let address = loaders.address(function as usize);
        let mut client = Client::connect(address).await?;
        answers.push((Kind::Workerd, whole(&mut client, &function.request(&address.to_string())).await?));
    }
    let name = function.name();
    for (kind, answer) in &answers {
        if answer.status != 200 || *answer != answers[0].1 {
            let kind = kind.name();
            return Err(format!("{name}: {kind} answers {answer:?}, expected 200 as in {:?}", answers[0].1).into());
        }
    }
    answers.into_iter().next().map(|(_, answer)| answer.body.into_bytes()).ok_or_else(|| "no server to measure".into())
}

/// What of an answer must be the same everywhere.
#[derive(Debug, PartialEq, Eq)]
struct Whole {
    status: u16,
    content_type: String,
    body: String,
}

async fn whole(client: &mut Client, request: &[u8]) -> Result<Whole, Error> {
    let (_, answer) = client.ask(request).await?;
    let content_type = header(answer.head, b"content-type").unwrap_or_default();
    Ok(Whole {
        status: answer.status,
        content_type: String::from_utf8_lossy(content_type).to_lowercase(),
        body: String::from_utf8(answer.body.to_vec())?,
    })
}
