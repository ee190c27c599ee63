//! The command line of `isle bench`.

use crate::args::NodeArgs;
use crate::bench::plan::Plan;
use crate::bench::threshold::{self, Threshold};
use crate::bench::units::{self, Amount};
use crate::node_url::NodeUrl;
use clap::{Args, Subcommand};
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Cold starts measured when nothing else is asked for: enough for a p99, done in a second or two.
const COLD_REQUESTS: u64 = 200;
/// How long a warm run takes when nothing else is asked for.
const WARM_DURATION: Duration = Duration::from_secs(10);
/// Connections of a warm closed loop: a few more than a small machine has processors.
const CLOSED_CONNECTIONS: u16 = 8;
/// Connections of an open loop. They only bound how many requests can be under way at once, so there
/// are enough for a server that is ten times slower than hoped.
const OPEN_CONNECTIONS: u16 = 64;

/// `isle bench …`.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Measure cold starts: before each request, the node evicts the function
    Cold(Box<BenchArgs>),
    /// Measure requests as they come: any URL, or a function of a node
    Warm(Box<BenchArgs>),
}

/// What to measure and how.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// A URL, or a function of the node
    #[arg(value_name = "URL|APP/FUNCTION")]
    pub target: String,
    /// Stop after that many requests [cold: 200]
    #[arg(long, short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: Option<u64>,
    /// Stop sending after that long, such as 30s [warm: 10s, unless -n is given]
    #[arg(long, short, value_name = "TIME", value_parser = units::duration)]
    pub duration: Option<Duration>,
    /// Connections at once [cold: 1; warm: 8; with --rate: 64]
    #[arg(long, short, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    pub connections: Option<u16>,
    /// Open loop: requests a second, sent when they are due and measured from then on, however slow the answers
    #[arg(long, short, value_name = "PER_SECOND", value_parser = units::rate)]
    pub rate: Option<f64>,
    /// What goes before and is not counted: a count or a time [cold: 5; warm: 1s]
    #[arg(long, value_name = "COUNT|TIME", value_parser = units::amount)]
    pub warm_up: Option<Amount>,
    /// Open a new connection for each request
    #[arg(long)]
    pub fresh: bool,
    /// Give a request up after that long
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "30s")]
    pub timeout: Duration,
    /// The method [GET]
    #[arg(long, short, value_name = "METHOD", value_parser = method)]
    pub method: Option<Method>,
    /// Add a header; may be repeated
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Send this body; @FILE sends a file
    #[arg(long, value_name = "TEXT|@FILE")]
    pub body: Option<String>,
    /// With APP/FUNCTION: ask for this path instead of the one its route suggests
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Connect to this address, whatever the URL's host is
    #[arg(long, value_name = "ADDRESS")]
    pub connect: Option<SocketAddr>,
    /// Fail when it is exceeded, such as p99=5ms, max=1s or failures=0.1%; may be repeated. Requests
    /// that fail count as slower than any limit
    #[arg(long = "threshold", value_name = "WHAT=LIMIT", value_parser = threshold::parse)]
    pub thresholds: Vec<Threshold>,
    /// Write a report, one page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// The node's admin API
    #[arg(long, value_name = "URL", env = "ISLE_NODE", default_value = "http://127.0.0.1:3001")]
    pub node: NodeUrl,
    /// Your token; better given as ISLE_TOKEN, since other users of this machine can read command lines
    #[arg(long, value_name = "TOKEN", env = "ISLE_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

impl BenchArgs {
    /// Which node, as whom.
    pub fn node_args(&self) -> NodeArgs {
        NodeArgs { url: self.node.clone(), token: self.token.clone(), json: self.json }
    }

    /// The run.
    pub fn plan(&self, cold: bool) -> Plan {
        let (requests, duration) = match (self.requests, self.duration) {
            (None, None) if cold => (Some(COLD_REQUESTS), None),
            (None, None) => (None, Some(WARM_DURATION)),
            asked => asked,
        };
        Plan { rate: self.rate, requests, duration, grace: self.timeout }
    }

    /// What goes before the run, at the same rate.
    pub fn warm_up(&self, cold: bool) -> Amount {
        let usual = if cold { Amount::Requests(5) } else { Amount::Time(Duration::from_secs(1)) };
        self.warm_up.unwrap_or(usual)
    }

    /// How many connections.
    pub fn connections(&self, cold: bool) -> usize {
        // Requests that overlap find each other's isolates, so the usual cold run has one at a time.
        let usual = match (cold, self.rate) {
            (true, None) => 1,
            (false, None) => CLOSED_CONNECTIONS,
            (_, Some(_)) => OPEN_CONNECTIONS,
        };
        usize::from(self.connections.unwrap_or(usual))
    }
}

fn method(text: &str) -> Result<Method, String> {
    Method::from_bytes(text.to_ascii_uppercase().as_bytes()).map_err(|_| format!("{text:?} is no method"))
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| format!("{text:?} has no `:`, expected NAME: VALUE"))?;
    let name = name.trim().parse().map_err(|_| format!("{name:?} is no header name"))?;
    // The value is not repeated: it may be a secret.
    let value = value.trim().parse().map_err(|_| format!("the value of {name} has characters that no header has"))?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: BenchCommand,
    }

    fn parse(line: &str) -> Result<BenchArgs, clap::Error> {
        match Line::try_parse_from(line.split(' '))?.command {
            BenchCommand::Cold(args) | BenchCommand::Warm(args) => Ok(*args),
        }
    }

    #[test]
    fn runs_have_sensible_defaults() {
        let args = parse("bench warm http://a/").unwrap();
        assert_eq!((args.plan(true).requests, args.plan(true).duration), (Some(200), None));
        assert_eq!((args.plan(false).requests, args.plan(false).duration), (None, Some(WARM_DURATION)));
        assert_eq!((args.connections(true), args.connections(false)), (1, 8));
        assert_eq!(args.warm_up(true), Amount::Requests(5));
    }

    #[test]
    fn what_is_asked_for_is_done() {
        let line = "bench cold a/b -n 9 -c 3 -r 50 --warm-up 0 -m post -H x-a:b --body {} --threshold p99=5ms --html r";
        let args = parse(line).unwrap();
        let plan = Plan { rate: Some(50.0), requests: Some(9), duration: None, grace: Duration::from_secs(30) };
        assert_eq!(args.plan(true), plan);
        assert_eq!((args.connections(true), args.warm_up(true)), (3, Amount::Requests(0)));
        assert_eq!(args.method, Some(Method::POST));
        assert_eq!(args.headers[0].0, "x-a");
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "bench",
            "bench warm",
            "bench warm a/b -n 0",
            "bench warm a/b -c 0",
            "bench warm a/b -H nonsense",
            "bench warm a/b --threshold p99",
            "bench hot a/b",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
