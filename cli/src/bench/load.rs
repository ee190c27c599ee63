//! Sends what the plan says over all connections and records what comes back.

use crate::bench::connect::{Channel, Template};
use crate::bench::plan::{Next, Plan};
use crate::bench::progress::Progress;
use crate::bench::record::{Recorder, Reply, Sample, Trouble};
use crate::bench::timer::Timer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long before a request is due its function is evicted, at most. An eviction takes well under a
/// millisecond; earlier ones would only leave time for others to start the function again.
const EVICT_BEFORE_MAX: Duration = Duration::from_millis(20);
/// A closed loop pauses that long after trouble, so that a server that is gone is not asked a
/// hundred thousand times a second.
const PAUSE_AFTER_TROUBLE: Duration = Duration::from_millis(10);

/// What is sent.
pub struct Job {
    /// The request that is measured.
    pub request: Template,
    /// Cold runs: what makes the function cold, sent to the admin API.
    pub eviction: Option<Template>,
    /// When a request is given up.
    pub timeout: Duration,
}

/// What sends one request at a time.
pub struct Lane {
    requests: Channel,
    evictions: Option<Channel>,
    timer: Timer,
}

impl Lane {
    /// A lane; it connects when it is used.
    ///
    /// # Errors
    /// When the system has no timer to give.
    pub fn new(requests: Channel, evictions: Option<Channel>) -> std::io::Result<Lane> {
        Ok(Lane { requests, evictions, timer: Timer::new()? })
    }

    /// Sends one request now.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn probe(&mut self, job: &Job) -> Result<Reply, Trouble> {
        self.requests.exchange(job.request.clone(), job.timeout).await.1
    }

    async fn evict(&mut self, job: &Job) -> Result<(), Trouble> {
        let (Some(channel), Some(eviction)) = (&mut self.evictions, &job.eviction) else { return Ok(()) };
        let failed = |detail| Trouble { kind: "eviction failed", detail };
        match channel.exchange(eviction.clone(), job.timeout).await.1 {
            Ok(reply) if reply.status < 300 => Ok(()),
            Ok(reply) => Err(failed(format!("the node answered {}", reply.status))),
            Err(trouble) => Err(failed(trouble.detail)),
        }
    }

    /// Evicts and sends one request that is due at `due`, or at once in a closed loop.
    async fn turn(&mut self, job: &Job, due: Option<Duration>, began: Instant, evict_before: Duration) -> Sample {
        let mut excused = Duration::ZERO;
        let mut evicted = Ok(());
        if job.eviction.is_some() {
            if let Some(due) = due {
                self.timer.until(began, due.saturating_sub(evict_before)).await;
            }
            let from = began.elapsed().max(due.unwrap_or_default());
            evicted = self.evict(job).await;
            // Making it cold is our doing: it counts for nobody's latency.
            excused = began.elapsed().saturating_sub(from);
        }
        let free = began.elapsed();
        let mut lag = None;
        if let Some(due) = due.filter(|due| *due > free) {
            self.timer.until(began, due).await;
            lag = Some(began.elapsed().saturating_sub(due));
        }
        let sent = began.elapsed();
        let from = due.map_or(sent, |due| (due + excused).min(sent));
        let (connect, result) = match evicted {
            Ok(()) => self.requests.exchange(job.request.clone(), job.timeout).await,
            Err(trouble) => (Duration::ZERO, Err(trouble)),
        };
        let latency = began.elapsed() - from;
        Sample { at: due.unwrap_or(sent), latency, backlog: sent - from, connect, lag, result }
    }
}

/// Runs a plan to its end, or until `stop` says so, when what is under way is given up. Returns the
/// lanes for another run.
pub async fn run(
    job: &Arc<Job>,
    plan: Plan,
    lanes: Vec<Lane>,
    progress: &Arc<Progress>,
    stop: &watch::Receiver<bool>,
) -> (Recorder, Vec<Lane>) {
    let mut lanes = lanes;
    for lane in &mut lanes {
        lane.requests.prepare().await;
        if let Some(evictions) = &mut lane.evictions {
            evictions.prepare().await;
        }
    }
    let cold = job.eviction.is_some();
    let evict_before = match plan.rate {
        // No earlier than half way since the request before.
        Some(rate) => EVICT_BEFORE_MAX.min(Duration::from_secs_f64(0.5 / rate)),
        None => Duration::ZERO,
    };
    let tickets = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut running = Vec::with_capacity(lanes.len());
    for mut lane in lanes {
        let (job, progress, tickets, mut stop) = (job.clone(), progress.clone(), tickets.clone(), stop.clone());
        running.push(tokio::spawn(async move {
            let mut recorder = Recorder::new(cold);
            loop {
                let due = match plan.next(tickets.fetch_add(1, Ordering::Relaxed), began.elapsed()) {
                    Next::Now => None,
                    Next::At(due) => Some(due),
                    Next::Stop => break,
                };
                let sample = tokio::select! {
                    biased;
                    _ = stop.wait_for(|stop| *stop) => {
                        recorder.give_up(began.elapsed());
                        break;
                    }
                    sample = lane.turn(&job, due, began, evict_before) => sample,
                };
                recorder.record(&sample);
                progress.count(sample.result.is_ok_and(|reply| reply.status < 400));
                if due.is_none() && recorder.in_trouble {
                    tokio::time::sleep(PAUSE_AFTER_TROUBLE).await;
                }
            }
            (recorder, lane)
        }));
    }
    let mut all = Recorder::new(cold);
    let mut back = Vec::with_capacity(running.len());
    for lane in running {
        match lane.await {
            Ok((recorder, lane)) => {
                all.add(recorder);
                back.push(lane);
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    (all, back)
}
