//! `isle bench`: load-tests a function's cold starts, or anything that speaks HTTP.
//!
//! ```text
//!   args → target      what is measured: a URL, or a function found through the admin API
//!   plan               when which request is sent: closed loop or open loop (pure)
//!   load → connect     sends, evicts, waits (timer), reads the node's own account (timing)
//!   record             distributions: timeline, bands (pure: times are arguments)
//!   summary            the run in numbers, which is the JSON; threshold holds it to promises
//!   screen, page       the same for people, in the terminal and as one HTML file
//! ```

mod args;
mod bands;
mod buckets;
mod connect;
mod environment;
mod load;
mod page;
mod plan;
mod progress;
mod record;
mod screen;
mod summary;
mod target;
#[cfg(test)]
mod tests;
mod threshold;
mod timeline;
mod timer;
mod timing;
mod units;

pub use args::BenchCommand;

use crate::api::Apps;
use crate::client::Client;
use crate::clock;
use crate::failure::{Done, Failure};
use crate::node_url::escape;
use crate::term::{Paint, line, remark};
use args::BenchArgs;
use bytes::Bytes;
use connect::{Channel, Endpoint, Template};
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use load::{Job, Lane};
use plan::Plan;
use progress::{Bar, Progress};
use record::Times;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use summary::{Before, Load, Summary, TargetInfo};
use target::{FunctionName, Target, Url};
use tokio::sync::watch;
use units::Amount;

/// Runs the command.
///
/// # Errors
/// What the user should read; also when a threshold is exceeded or nothing could be measured.
pub fn run(command: BenchCommand) -> Done {
    let (args, cold) = match command {
        BenchCommand::Cold(args) => (args, true),
        BenchCommand::Warm(args) => (args, false),
    };
    // Half of the machine at most: what is measured often runs on the same one.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (processors / 2).clamp(1, args.connections(cold));
    let mut runtime = if threads == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    let runtime = runtime.worker_threads(threads).enable_all().build();
    runtime.map_err(|error| Failure::said(format!("cannot start: {error}")))?.block_on(measure(&args, cold))
}

/// What is asked, found out.
struct Found {
    url: Url,
    function: Option<FunctionName>,
    method: Method,
}

/// Measures and reports.
async fn measure(args: &BenchArgs, cold: bool) -> Done {
    if let Some(file) = &args.html {
        check_writable(file)?;
    }
    let (summary, times) = measured(args, cold).await?;
    if args.json {
        let json = serde_json::to_string_pretty(&summary);
        line(&json.map_err(|error| Failure::said(format!("cannot write JSON: {error}")))?)?;
    } else {
        line(&screen::report(&summary, &times, Paint::stdout()))?;
    }
    if let Some(file) = &args.html {
        std::fs::write(file, page::render(&summary)).map_err(|error| Failure::io("write", file, &error))?;
        remark(&format!("report written to {}", file.display()));
    }
    verdict(&summary)
}

/// Measures: the run in numbers, and the latencies they were made of.
async fn measured(args: &BenchArgs, cold: bool) -> Done<(Summary, Times)> {
    let found = find(args, cold).await?;
    let body = body(args)?;
    let endpoint = Endpoint::of(&found.url, args.connect).await.map_err(Failure::said)?;
    let job = Arc::new(Job {
        request: request(args, &found, &body)?,
        eviction: found.function.as_ref().filter(|_| cold).map(|name| eviction(args, name)).transpose()?,
        timeout: args.timeout,
    });
    let mut lanes = lanes(args, cold, endpoint).await?;
    if let Some(first) = lanes.first_mut() {
        look(first, &job, &found).await?;
    }
    let stop = interrupt();
    let plan = args.plan(cold);
    lanes = warm_up(args.warm_up(cold), plan, &job, lanes, &stop).await;
    let before = before(args, cold, &found, body.len());
    let progress = Arc::new(Progress::default());
    let bar = Bar::start("measuring", plan, progress.clone());
    let (recorder, _) = load::run(&job, plan, lanes, &progress, &stop).await;
    drop(bar);
    let mut summary = Summary::of(before, &plan, &recorder);
    let quantile = |share| summary::quantile_us(&recorder.latency, share);
    summary.thresholds = args.thresholds.iter().map(|threshold| threshold.judge(&summary, quantile)).collect();
    Ok((summary, recorder.latency))
}

/// One request before all others: better one clear error than a report that is full of them.
async fn look(lane: &mut Lane, job: &Job, found: &Found) -> Done {
    let reply = lane.probe(job).await.map_err(|trouble| {
        Failure::said(format!("cannot measure {}: {}: {}", found.url, trouble.kind, trouble.detail))
    })?;
    if reply.status >= 400 {
        let warning = Paint::stderr().yellow("warning");
        let outcome = reply.outcome.map_or(String::new(), |outcome| format!(" ({})", outcome.as_str()));
        remark(&format!("{warning}: {} {} answers {}{outcome}", found.method, found.url, reply.status));
    }
    Ok(())
}

/// Whether the run was worth its name and kept its promises.
fn verdict(summary: &Summary) -> Done {
    if summary.latency_us.count == 0 {
        return Err(Failure::said(match summary.requests {
            requests if requests.left_out > 0 => "none of the requests was a cold start",
            requests if requests.sent > 0 => "no request succeeded",
            _ => "no request was answered before the end",
        }));
    }
    let broken: Vec<String> = summary
        .thresholds
        .iter()
        .filter(|verdict| !verdict.kept)
        .map(|verdict| format!("{}, measured {}", verdict.threshold, verdict.measured))
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(Failure::said(format!("threshold exceeded: {}", broken.join("; ")))) }
}

/// A report that cannot be written should not cost a run first.
fn check_writable(file: &Path) -> Done {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if file.is_dir() {
        return Err(Failure::said(format!("cannot write {}: it is a folder", file.display())));
    }
    let found = std::fs::metadata(folder).map_err(|error| Failure::io("write to", folder, &error))?;
    if found.is_dir() { Ok(()) } else { Err(Failure::said(format!("{} is no folder", folder.display()))) }
}

/// Finds the URL of a function, or for a cold run the function of a URL. A cold run also evicts it
/// once through the client that has words for everything that may go wrong.
async fn find(args: &BenchArgs, cold: bool) -> Done<Found> {
    let method = args.method.clone().unwrap_or(Method::GET);
    let target: Target = args.target.parse().map_err(Failure::Said)?;
    if args.path.is_some() && matches!(target, Target::Url(_)) {
        return Err(Failure::said("--path is for APP/FUNCTION; a URL has its own"));
    }
    if let (Target::Url(url), false) = (&target, cold) {
        return Ok(Found { url: url.clone(), function: None, method });
    }
    let client = Client::of(&args.node_args());
    let apps = client.get("/v1/apps").await?.json::<Apps>()?;
    let (url, name) = match target {
        Target::Url(url) => {
            let name = target::function_at(&apps, &url, &method).map_err(Failure::Said)?;
            (url, name)
        }
        Target::Function(name) => {
            (target::url_of(&apps, &name, &method, args.path.as_deref()).map_err(Failure::Said)?, name)
        }
    };
    if cold {
        client.post(&evict_path(&name), &serde_json::Value::Null).await?;
    }
    Ok(Found { url, function: Some(name), method })
}

fn evict_path(name: &FunctionName) -> String {
    format!("/v1/apps/{}/functions/{}/evict", escape(&name.app), escape(&name.function))
}

fn body(args: &BenchArgs) -> Done<Bytes> {
    let Some(text) = &args.body else { return Ok(Bytes::new()) };
    match text.strip_prefix('@') {
        Some(file) => {
            let path = Path::new(file);
            std::fs::read(path).map(Bytes::from).map_err(|error| Failure::io("read", path, &error))
        }
        None => Ok(Bytes::from(text.clone())),
    }
}

/// The request that is measured. Headers of the user's replace ours.
fn request(args: &BenchArgs, found: &Found, body: &Bytes) -> Done<Template> {
    let mut request = Request::builder()
        .method(&found.method)
        .uri(&found.url.path)
        .header(HOST, found.url.host_header())
        .header(ACCEPT, "*/*")
        .header(USER_AGENT, concat!("isle-bench/", env!("CARGO_PKG_VERSION")))
        .header(timing::ASK, "1")
        .body(Full::new(body.clone()))
        .map_err(|error| Failure::said(format!("{} cannot be asked for: {error}", found.url)))?;
    for (name, _) in &args.headers {
        request.headers_mut().remove(name);
    }
    for (name, value) in &args.headers {
        request.headers_mut().append(name, value.clone());
    }
    Ok(request)
}

/// The admin call that makes a function cold.
fn eviction(args: &BenchArgs, name: &FunctionName) -> Done<Template> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}{}", args.node.prefix, evict_path(name)))
        .header(HOST, args.node.authority());
    if let Some(token) = &args.token {
        let value = HeaderValue::try_from(format!("Bearer {}", token.trim()));
        let mut value = value.map_err(|_| Failure::said("the token has characters that no token has"))?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    request.body(Full::default()).map_err(|error| Failure::said(format!("{} cannot be called: {error}", args.node)))
}

async fn lanes(args: &BenchArgs, cold: bool, endpoint: Endpoint) -> Done<Vec<Lane>> {
    let endpoint = Arc::new(endpoint);
    let admin = if cold {
        let url = Url { origin: args.node.clone(), path: String::new() };
        Some(Arc::new(Endpoint::of(&url, None).await.map_err(Failure::said)?))
    } else {
        None
    };
    let lane = |_| {
        let evictions = admin.clone().map(|admin| Channel::new(admin, false));
        Lane::new(Channel::new(endpoint.clone(), args.fresh), evictions)
    };
    let lanes: std::io::Result<Vec<Lane>> = (0..args.connections(cold)).map(lane).collect();
    lanes.map_err(|error| Failure::said(format!("cannot start: {error}")))
}

/// Turns true at the first Ctrl-C; what was measured until then is reported.
fn interrupt() -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.send_replace(true);
        }
        // The receivers' waiting must not end because nobody is left to tell them.
        stop.closed().await;
    });
    stopped
}

async fn warm_up(
    amount: Amount,
    plan: Plan,
    job: &Arc<Job>,
    lanes: Vec<Lane>,
    stop: &watch::Receiver<bool>,
) -> Vec<Lane> {
    let plan = match amount {
        Amount::Requests(0) => return lanes,
        Amount::Requests(requests) => Plan { requests: Some(requests), duration: None, ..plan },
        Amount::Time(time) => Plan { requests: None, duration: Some(time), grace: Duration::ZERO, ..plan },
    };
    let progress = Arc::new(Progress::default());
    let _bar = Bar::start("warm-up", plan, progress.clone());
    load::run(job, plan, lanes, &progress, stop).await.1
}

fn before(args: &BenchArgs, cold: bool, found: &Found, body_bytes: usize) -> Before {
    let plan = args.plan(cold);
    Before {
        kind: if cold { "cold" } else { "warm" },
        target: TargetInfo {
            url: found.url.to_string(),
            function: found.function.as_ref().map(FunctionName::to_string),
            method: found.method.to_string(),
            headers: args.headers.iter().map(|(name, _)| name.to_string()).collect(),
            body_bytes,
        },
        load: Load {
            mode: if plan.rate.is_some() { "open" } else { "closed" },
            rate_per_s: plan.rate,
            connections: args.connections(cold),
            fresh_connections: args.fresh,
            requests: plan.requests,
            duration_s: plan.duration.map(|duration| duration.as_secs_f64()),
            warm_up: args.warm_up(cold).to_string(),
            timeout_s: plan.grace.as_secs_f64(),
        },
        environment: environment::read(),
        started_at_ms: clock::now_ms(),
    }
}
