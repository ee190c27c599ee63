//! The builder of a function version: finds the cheapest way to start it, by trying.
//!
//! ```text
//!   isle __builder            order in, report out; never runs tenants' code itself
//!     ├─ step measure         start twice, compare answers; make code caches; time both ways
//!     ├─ step snapshot        evaluate, warm up, serialise        (V8 may abort it)
//!     └─ step probe           restore on probation, compare whole answers, time it  (may die, too)
//! ```
//!
//! Each step is a process of its own with kernel limits on CPU time and memory. A step that dies,
//! refuses or answers differently means that the version has no snapshot; the reason is kept.

mod call;
mod step;

use super::artifact;
use super::web::Platform;
use crate::isolate::platform::{Urgency, set_urgency};
use call::STREAMED;
use isle_wire::{BuildOrder, BuildReport, FailureDetail, Outcome, StartKind, StartWish};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// What a snapshot must save over a pooled start to be worth its place: it also costs an isolate
/// that a pool would have had ready.
const WORTH_US: u64 = 200;

/// CPU time for making a snapshot, or trying one, in s, beside ten times what a start takes: tenths of a
/// second are usual, and some code would run for ever.
const STEP_CPU_S: u64 = 3;

/// A step's work: the order, and what earlier steps made.
#[derive(Serialize, Deserialize)]
struct Task {
    order: BuildOrder,
    warm: bool,
    inventory: String,
    platform: Platform,
    /// CPU time that the step may use, in s.
    cpu_s: u64,
}

#[derive(Serialize, Deserialize)]
enum StepReport {
    Failed {
        outcome: Outcome,
        detail: FailureDetail,
    },
    Measured {
        answers: Vec<String>,
        agree: bool,
        source_us: u64,
        pooled_us: u64,
        caches: Vec<usize>,
        inventory: String,
        platform: Platform,
    },
    /// The handler cannot be called with the warm-up events.
    Unsuited(String),
    Snapshot {
        refused: Option<String>,
        warm_up: bool,
    },
    Probed {
        answers: Vec<String>,
        snapshot_us: u64,
    },
    Unfit(String),
}

/// The builder's whole life.
pub fn main() -> ExitCode {
    let mut text = String::new();
    let order = io::stdin()
        .read_to_string(&mut text)
        .and_then(|_| serde_json::from_str::<BuildOrder>(&text).map_err(io::Error::other));
    match order.and_then(|order| build(&order)) {
        Ok(report) => print_json(&report),
        Err(error) => {
            eprintln!("isle builder: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A step's whole life.
pub fn step_main(step: &str) -> ExitCode {
    match step::live(step) {
        Ok(report) => print_json(&report),
        Err(error) => {
            eprintln!("isle builder: {step}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print_json(value: &impl Serialize) -> ExitCode {
    let written = serde_json::to_vec(value).map_err(io::Error::other).and_then(|json| {
        let mut out = io::stdout().lock();
        out.write_all(&json)?;
        out.flush()
    });
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn beside(out: &str, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{out}.{suffix}"))
}

/// Removes the steps' files when the builder is done with them, however it ends.
struct Leftovers<'a>(&'a str);

impl Drop for Leftovers<'_> {
    fn drop(&mut self) {
        for suffix in ["caches", "blob", "part"] {
            let _ = std::fs::remove_file(beside(self.0, suffix));
        }
    }
}

/// A session of its own, so that whoever started it can end it with all its steps; and an end even
/// if nobody is there to end it.
fn stand_alone(order: &BuildOrder) {
    // It leads its session already when a shell's job control made it so.
    let _ = nix::unistd::setsid();
    nix::unistd::alarm::set(order.wall_s.max(1));
    set_urgency(Urgency::Background);
}

fn build(order: &BuildOrder) -> io::Result<BuildReport> {
    stand_alone(order);
    let _leftovers = Leftovers(&order.out);
    let warm = !order.warm_ups.is_empty();
    let (inventory, platform) = (String::new(), Platform::default());
    let mut task = Task { order: order.clone(), warm, inventory, platform, cpu_s: order.cpu_s };
    let mut unsuited = None;
    let mut measured = run_step("measure", &task)?;
    if warm && matches!(measured, Ok(StepReport::Unsuited(_)) | Err(_)) {
        // What the handler does with these events is no reason to know nothing of its start.
        unsuited = Some(match measured {
            Ok(StepReport::Unsuited(reason)) => reason,
            _ => "the warm-up call ended the process it was in".to_owned(),
        });
        task.order.warm_ups.clear();
        measured = run_step("measure", &task)?;
    }
    let (answers, agree, caches) = match measured {
        Ok(StepReport::Measured { answers, agree, source_us, pooled_us, caches, inventory, platform }) => {
            (task.inventory, task.platform) = (inventory, platform);
            task.cpu_s = order.cpu_s.min(STEP_CPU_S + 10 * source_us / 1_000_000);
            let caches = split_caches(order, &caches)?;
            let mut report = BuildReport::from_source(source_us);
            report.pooled_us = pooled_us;
            report.plan = StartKind::Pooled;
            report.cache_bytes = caches.iter().map(|(_, bytes)| bytes.len() as u64).sum();
            ((answers, report), agree, caches)
        }
        Ok(StepReport::Failed { outcome, detail }) => {
            let mut report = BuildReport::from_source(0);
            (report.outcome, report.failure, report.measured) = (outcome, Some(detail), true);
            return Ok(report);
        }
        Ok(StepReport::Unfit(reason)) => {
            let mut report = BuildReport::from_source(0);
            report.snapshot_refused = Some(reason);
            return Ok(report);
        }
        // It could not even be measured: source is what is left, and the cell's limits will tell.
        Ok(_) | Err(_) => return Ok(BuildReport::from_source(0)),
    };
    let ((answers, mut report), agree) = (answers, agree);
    write_artifact(&task, &caches, None)?;
    report.artifact = true;
    report.measured = true;
    if matches!(order.wish, StartWish::Source | StartWish::Pooled) {
        return Ok(report);
    }
    if unsuited.is_some() {
        report.snapshot_refused = unsuited;
        return Ok(report);
    }
    // Only who forces snapshots takes one that nothing was asked of.
    if answers.is_empty() && order.wish != StartWish::Snapshot {
        report.snapshot_refused = Some("no warm-up call is made, so a restored isolate cannot be compared".to_owned());
        return Ok(report);
    }
    if answers.iter().any(|answer| answer == STREAMED) {
        report.snapshot_refused = Some("a response that is streamed cannot be compared whole".to_owned());
        return Ok(report);
    }
    if !agree {
        let reason = "two fresh isolates answer differently, so a restored one cannot be compared with them";
        report.snapshot_refused = Some(reason.to_owned());
        return Ok(report);
    }
    match try_snapshot(&mut task, &caches, &answers)? {
        Ok((snapshot_us, bytes)) => {
            report.snapshot_us = Some(snapshot_us);
            report.snapshot_bytes = bytes;
            report.warmed_up = task.warm;
            if order.wish == StartWish::Snapshot || snapshot_us + WORTH_US < report.pooled_us {
                report.plan = StartKind::Snapshot;
            } else {
                write_artifact(&task, &caches, None)?;
            }
        }
        Err(reason) => {
            write_artifact(&task, &caches, None)?;
            report.snapshot_refused = Some(reason);
        }
    }
    Ok(report)
}

type Caches = Vec<(String, Vec<u8>)>;

/// Makes a snapshot and tries it; leaves the artifact with the snapshot in place. Takes the
/// warm-up call out when that is what stands in the way: state that it leaves behind, too.
fn try_snapshot(task: &mut Task, caches: &Caches, answers: &[String]) -> io::Result<Result<(u64, u64), String>> {
    loop {
        match try_once(task, caches, answers)? {
            Err((_, true)) if task.warm => task.warm = false,
            Err((reason, _)) => return Ok(Err(reason)),
            Ok(tried) => return Ok(Ok(tried)),
        }
    }
}

/// The start's cost in µs and the snapshot's bytes; or the reason, and whether the warm-up call
/// may be to blame.
type Tried = Result<(u64, u64), (String, bool)>;

fn try_once(task: &Task, caches: &Caches, answers: &[String]) -> io::Result<Tried> {
    match run_step("snapshot", task)? {
        Ok(StepReport::Snapshot { refused: None, .. }) => {}
        Ok(StepReport::Snapshot { refused: Some(reason), warm_up }) => return Ok(Err((reason, warm_up))),
        Ok(_) => return Ok(Err(("the builder gave no answer".to_owned(), false))),
        Err(death) => return Ok(Err((death, true))),
    }
    let blob = std::fs::read(beside(&task.order.out, "blob"))?;
    write_artifact(task, caches, Some(&blob))?;
    Ok(match run_step("probe", task)? {
        Ok(StepReport::Probed { answers: restored, snapshot_us }) if restored == answers => {
            Ok((snapshot_us, blob.len() as u64))
        }
        Ok(StepReport::Probed { .. }) => {
            Err(("a restored isolate answers differently from a fresh one".to_owned(), true))
        }
        Ok(StepReport::Unfit(reason)) => Err((reason, false)),
        Ok(_) => Err(("the restored isolate gave no answer".to_owned(), false)),
        Err(death) => Err((format!("restoring it on probation: {death}"), true)),
    })
}

fn split_caches(order: &BuildOrder, lengths: &[usize]) -> io::Result<Caches> {
    let bytes = std::fs::read(beside(&order.out, "caches"))?;
    let paths = order.spec.modules.keys().cloned();
    let mut rest = &bytes[..];
    let mut caches = Vec::new();
    for (path, length) in paths.zip(lengths) {
        let (cache, tail) =
            rest.split_at_checked(*length).ok_or_else(|| io::Error::other("the code caches are cut off"))?;
        rest = tail;
        if !cache.is_empty() {
            caches.push((path, cache.to_vec()));
        }
    }
    Ok(caches)
}

fn base_name(order: &BuildOrder) -> String {
    Path::new(&order.base_snapshot).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Writes beside the target and renames: what is mapped is never written to.
fn write_artifact(task: &Task, caches: &Caches, snapshot: Option<&[u8]>) -> io::Result<()> {
    let Task { order, platform, .. } = task;
    let bytes = artifact::encode(&base_name(order), &order.spec.artifact, *platform, caches, snapshot)
        .map_err(io::Error::other)?;
    let part = beside(&order.out, "part");
    std::fs::write(&part, bytes)?;
    std::fs::rename(part, &order.out)
}

/// Runs a step in a child. The inner error says how the child died, with what it had touched.
fn run_step(step: &str, task: &Task) -> io::Result<Result<StepReport, String>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["__builder-step", step])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let json = serde_json::to_vec(task).map_err(io::Error::other)?;
    let mut stdin = child.stdin.take().ok_or_else(|| io::Error::other("the child has no input"))?;
    // A child that dies early closes its input; how it died is the better message.
    let _ = stdin.write_all(&json);
    drop(stdin);
    let output = child.wait_with_output()?;
    if output.status.success() {
        return serde_json::from_slice(&output.stdout).map(Ok).map_err(io::Error::other);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let touched: Vec<&str> = words.lines().filter_map(|line| line.strip_prefix("touched ")).collect();
    let used = if touched.is_empty() { String::new() } else { format!(", after use of {}", touched.join(", ")) };
    Ok(Err(format!("the process that tried it died ({}{used})", output.status)))
}
