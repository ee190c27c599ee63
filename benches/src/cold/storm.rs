//! A cold-start storm: one tenant's never-seen versions all at once, while another tenant's warm function is asked at a
//! low fixed rate. The neighbour must hardly notice.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use tokio::task::JoinSet;

use super::client::Client;
use super::function::Function;
use super::starts::settle;
use super::tenant::{Tenant, Versions};
use crate::Error;
use crate::histogram::Histogram;
use crate::servers::Places;
use crate::servers::isle::Node;

/// The neighbour's requests per second.
const RATE: u32 = 200;
/// How long the neighbour is measured in quiet.
const QUIET: Duration = Duration::from_secs(10);

/// What came of it.
#[derive(Serialize)]
pub struct Storm {
    /// What was started.
    pub function: &'static str,
    /// Versions of it.
    pub versions: usize,
    /// At one time.
    pub concurrency: usize,
    /// The neighbour's requests per second.
    pub neighbour_rate: u32,
    /// The neighbour while nothing else happened.
    pub quiet: Neighbour,
    /// The neighbour in the storm of never-seen versions.
    pub never_seen: Neighbour,
    /// The neighbour in that storm and those of evicted versions after it.
    pub all: Neighbour,
    /// `never_seen` to `quiet`, of the p99.
    pub p99_ratio: f64,
    /// `all` to `quiet`, of the p99.
    pub p99_ratio_all: f64,
    /// How long each storm took, the first of never-seen versions.
    pub storms_s: Vec<f64>,
    /// Half of the storm's starts took no longer, in ms.
    pub start_p50_ms: f64,
    /// 99 % of the storm's starts took no longer, in ms.
    pub start_p99_ms: f64,
}

/// The neighbour's latencies.
#[derive(Serialize)]
pub struct Neighbour {
    /// How many.
    pub samples: u64,
    /// Half took no longer, in ms.
    pub p50_ms: f64,
    /// 99 % took no longer, in ms.
    pub p99_ms: f64,
}

impl Neighbour {
    fn of(asked: &[(Instant, Duration)], times: &[(Instant, Instant)]) -> Neighbour {
        let mut histogram = Histogram::new();
        let within = |due: Instant| times.iter().any(|&(from, to)| (from..to).contains(&due));
        asked.iter().filter(|(due, _)| within(*due)).for_each(|&(_, latency)| histogram.record(latency));
        let ms = |share| histogram.percentile_us(share) / 1_000.0;
        Neighbour { samples: histogram.total(), p50_ms: ms(0.5), p99_ms: ms(0.99) }
    }
}

/// What to let loose.
pub struct Plan {
    /// What is started.
    pub function: Function,
    /// Versions of it.
    pub versions: usize,
    /// Requests at one time.
    pub concurrency: usize,
    /// Storms: the first of never-seen versions, the others of the same, evicted.
    pub storms: usize,
}

/// Measures the neighbour in quiet and in the storms, on a node of default settings.
///
/// # Errors
/// A wrong answer, or the node's.
pub async fn run(places: &Places, plan: &Plan) -> Result<Storm, Error> {
    let function = plan.function;
    let node = Node::start(places, "isle-storm.log", "")?;
    let (neighbour, stormy) = (Tenant::add(&node, "neighbour").await?, Tenant::add(&node, "stormy").await?);
    let bundle = Function::Hello.bundle(&places.repository)?;
    let warm = neighbour.deploy(Function::Hello, &bundle, "neighbour", 1).await?;
    let bundle = function.bundle(&places.repository)?;
    let versions = stormy.deploy(function, &bundle, "storm", plan.versions).await?;
    // the stormy tenant has its cell, as one that deploys 500 functions would
    let seen = stormy.deploy(function, &bundle, "seen", 1).await?;
    let expected = body(&mut Client::connect(node.public).await?, &seen.requests()[0]).await?;

    let asking = Asking::start(node.public, warm.requests()[0].clone());
    settle(node.pid()).await?;
    let quiet = (Instant::now(), Instant::now() + QUIET);
    tokio::time::sleep(QUIET).await;
    let (mut times, mut histogram) = (Vec::new(), Histogram::new());
    for _ in 0..plan.storms {
        times.push(storm(node.public, plan.concurrency, &versions, &expected, &mut histogram).await?);
        stormy.evict(&versions).await?;
        settle(node.pid()).await?;
        // the neighbour's queue is empty again
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let asked = asking.finish()?;
    let [quiet, never_seen, all] = [&[quiet][..], &times[..1], &times].map(|times| Neighbour::of(&asked, times));
    Ok(Storm {
        function: function.name(),
        versions: versions.requests().len(),
        concurrency: plan.concurrency,
        neighbour_rate: RATE,
        p99_ratio: never_seen.p99_ms / quiet.p99_ms,
        p99_ratio_all: all.p99_ms / quiet.p99_ms,
        quiet,
        never_seen,
        all,
        storms_s: times.iter().map(|(from, to)| to.duration_since(*from).as_secs_f64()).collect(),
        start_p50_ms: histogram.percentile_us(0.5) / 1_000.0,
        start_p99_ms: histogram.percentile_us(0.99) / 1_000.0,
    })
}

async fn body(client: &mut Client, request: &[u8]) -> Result<Vec<u8>, Error> {
    let (_, answer) = client.ask(request).await?;
    match answer.status {
        200 => Ok(answer.body.to_vec()),
        status => Err(format!("status {status}: {}", String::from_utf8_lossy(answer.body)).into()),
    }
}

/// Every version once, as fast as so many connections can; says when it began and when the last answer was there.
async fn storm(
    address: SocketAddr,
    concurrency: usize,
    versions: &Versions,
    expected: &[u8],
    histogram: &mut Histogram,
) -> Result<(Instant, Instant), Error> {
    let mut clients = Vec::new();
    for _ in 0..concurrency {
        clients.push(Client::connect(address).await?);
    }
    let latencies = Rc::new(RefCell::new(Vec::new()));
    let (next, requests, expected) =
        (Rc::new(Cell::new(0)), Rc::<[Bytes]>::from(versions.requests()), Rc::<[u8]>::from(expected));
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for mut client in clients {
        let (next, requests) = (next.clone(), requests.clone());
        let (expected, latencies) = (expected.clone(), latencies.clone());
        asking.spawn_local(async move {
            while let Some(request) = requests.get(next.replace(next.get() + 1)) {
                let latency = client.ask_for(request, &expected).await.map_err(|error| error.to_string())?;
                latencies.borrow_mut().push(latency);
            }
            Ok::<_, String>(())
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked??;
    }
    latencies.borrow().iter().for_each(|&latency| histogram.record(latency));
    Ok((began, Instant::now()))
}

/// When each request was due, and how long its answer took from then.
type Asked = Vec<(Instant, Duration)>;

/// The neighbour's client: a thread of its own, so that the storm's clients are not measured with it.
struct Asking {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Asked, String>>>,
}

impl Asking {
    fn start(address: SocketAddr, request: Bytes) -> Asking {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || ask(address, &request, &stopped).map_err(|error| error.to_string()));
        Asking { stop, thread: Some(thread) }
    }

    /// Ends it.
    fn finish(mut self) -> Result<Asked, Error> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().ok_or("finished twice")?;
        Ok(thread.join().map_err(|_| "the neighbour's client panicked")??)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn ask(address: SocketAddr, request: &[u8], stop: &AtomicBool) -> Result<Asked, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut client = runtime.block_on(Client::connect(address))?;
    let expected = runtime.block_on(body(&mut client, request))?;
    let mut asked = Vec::new();
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        due += Duration::from_secs(1) / RATE;
        let early = due.saturating_duration_since(Instant::now());
        // the runtime's own timer counts in whole milliseconds
        std::thread::sleep(early);
        let late = due.elapsed();
        let first_byte = runtime.block_on(client.ask_for(request, &expected))?;
        // A request that the last answer kept from its time has waited since then; being woken late is this thread's own.
        asked.push((due, if early.is_zero() { late + first_byte } else { first_byte }));
    }
    Ok(asked)
}
