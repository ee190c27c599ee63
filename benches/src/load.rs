//! Closed-loop load: so many connections, on each the next request as soon as the answer to the last one was read and
//! compared. One thread, so that on two cores the server always has one of its own.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinSet, LocalSet};

use crate::Error;
use crate::answer::{Reader, header};
use crate::cpu::{Sample, Used};
use crate::histogram::Histogram;
use crate::workload::Workload;

/// A server that stays silent for this long has failed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// After an error a connection waits this long, so that a broken server is not also flooded.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// What to ask whom, and for how long.
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
    /// The process whose tree's CPU is counted.
    pub pid: u32,
    /// What is asked.
    pub workload: Workload,
    /// The whole request.
    pub request: Bytes,
    /// How many at one time.
    pub connections: usize,
    /// Load that is not counted, first.
    pub warm_up: Duration,
    /// Load that is.
    pub measure: Duration,
}

/// What came of it.
pub struct Load {
    /// Latencies of right answers.
    pub latencies: Histogram,
    /// Wrong answers, silence and broken connections.
    pub errors: u64,
    /// The first of them, in words.
    pub first_error: Option<String>,
    /// How long it was measured.
    pub elapsed: Duration,
    /// CPU used meanwhile.
    pub cpu: Used,
}

struct Tally {
    latencies: RefCell<Histogram>,
    errors: Cell<u64>,
    first_error: RefCell<Option<String>>,
    stop: Cell<bool>,
}

impl Tally {
    fn failed(&self, error: &Error) {
        self.errors.set(self.errors.get() + 1);
        self.first_error.borrow_mut().get_or_insert_with(|| error.to_string());
    }
}

/// Runs `plan` on the current thread.
///
/// # Errors
/// The server ended, or somebody wants this program to end; both leave the caller to stop the servers. Failed requests
/// are counted instead.
pub async fn run(plan: Plan) -> Result<Load, Error> {
    let plan = Rc::new(plan);
    let tally = Rc::new(Tally {
        latencies: RefCell::new(Histogram::new()),
        errors: Cell::new(0),
        first_error: RefCell::new(None),
        stop: Cell::new(false),
    });
    let measured = async {
        let mut clients = JoinSet::new();
        for _ in 0..plan.connections {
            clients.spawn_local(client(plan.clone(), tally.clone()));
        }
        tokio::time::sleep(plan.warm_up).await;
        *tally.latencies.borrow_mut() = Histogram::new();
        let (start, before) = (Instant::now(), Sample::take(plan.pid)?);
        tokio::time::sleep(plan.measure).await;
        let cpu = Sample::take(plan.pid)?.since(&before);
        let (elapsed, latencies) = (start.elapsed(), tally.latencies.borrow().clone());
        tally.stop.set(true);
        if tokio::time::timeout(ANSWER_TIMEOUT, async { while clients.join_next().await.is_some() {} }).await.is_err() {
            tally.failed(&format!("{} connections never got their last answer", clients.len()).into());
        }
        Ok::<_, Error>((latencies, elapsed, cpu))
    };
    let (latencies, elapsed, cpu) = unless_interrupted(LocalSet::new().run_until(measured)).await?;
    Ok(Load { latencies, errors: tally.errors.get(), first_error: tally.first_error.take(), elapsed, cpu })
}

/// Does `work` until somebody wants this program to end: then the caller still stops its servers.
///
/// # Errors
/// Those of `work`, or the interruption.
pub async fn unless_interrupted<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        done = work => done,
        _ = interrupt.recv() => Err("interrupted".into()),
        _ = terminate.recv() => Err("terminated".into()),
    }
}

/// One connection after the other until the end.
async fn client(plan: Rc<Plan>, tally: Rc<Tally>) {
    while !tally.stop.get() {
        if let Err(error) = connection(&plan, &tally).await {
            tally.failed(&error);
            tokio::time::sleep(ERROR_PAUSE).await;
        }
    }
}

async fn connection(plan: &Plan, tally: &Tally) -> Result<(), Error> {
    let mut stream = TcpStream::connect(plan.address).await?;
    stream.set_nodelay(true)?;
    let mut reader = Reader::default();
    let expected = plan.workload.expected();
    while !tally.stop.get() {
        let asked = Instant::now();
        stream.write_all(&plan.request).await?;
        let answer = reader.next(&mut stream).await?;
        let latency = asked.elapsed();
        if answer.status != 200 || answer.body != expected {
            return Err(format!("status {} and a body of {} bytes", answer.status, answer.body.len()).into());
        }
        tally.latencies.borrow_mut().record(latency);
    }
    Ok(())
}

/// Asks once and looks at everything: status, content type, body.
///
/// # Errors
/// What was wrong with the answer.
pub async fn check(address: SocketAddr, host: &str, workload: Workload) -> Result<(), Error> {
    let (name, expected) = (workload.name(), workload.expected());
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&workload.request(host)).await?;
        let mut reader = Reader::default();
        let answer = reader.next(&mut stream).await?;
        let body = String::from_utf8_lossy(answer.body);
        if answer.status != 200 {
            return Err(format!("{name}: status {}: {body}", answer.status).into());
        }
        let kind = String::from_utf8_lossy(header(answer.head, b"content-type").unwrap_or_default()).to_lowercase();
        if !kind.starts_with(workload.content_type()) {
            return Err(format!("{name}: content type {kind:?}, expected {:?}", workload.content_type()).into());
        }
        if answer.body != expected {
            return Err(format!("{name}: body {body:?}, expected {:?}", String::from_utf8_lossy(expected)).into());
        }
        Ok::<_, Error>(())
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, asking).await {
        Ok(checked) => checked,
        Err(_) => Err(format!("{name}: no answer within {} s", ANSWER_TIMEOUT.as_secs()).into()),
    }
}
