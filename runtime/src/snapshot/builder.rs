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

use super::artifact::{self, Artifact};
use super::caches;
use crate::egress::asked_in_vain;
use crate::ext::ConsoleSink;
use crate::function::Function;
use crate::handler::Expects;
use crate::handler::event::EventBody;
use crate::handler::fetch::{self, FetchBody, FetchInput};
use crate::handler::response::Reply;
use crate::isolate::{
    Built, Call, Called, Control, Failure, Isolate, Kind, WarmUp, build_snapshot, guard, map_snapshot, platform,
    thread_cpu_ns,
};
use isle_wire::{BuildOrder, BuildReport, ConsoleLevel, FailureDetail, Outcome, StartKind, StartWish};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

/// Times a start is measured; the least counts, the others were disturbed.
const TRIES: usize = 3;
/// What a snapshot must save over a pooled start to be worth its place: it also costs an isolate
/// that a pool would have had ready.
const WORTH_US: u64 = 200;

/// CPU time for making a snapshot, or trying one, in s, beside ten times what a start takes: tenths of a
/// second are usual, and some code would run for ever.
const STEP_CPU_S: u64 = 3;
/// A warm-up call that needs more CPU time than this, in ms, is not made; nor more than the handler may.
const WARM_UP_CPU_MS: u32 = 1_000;
/// Nor one that takes longer than this, in ms.
const WARM_UP_WALL_MS: u32 = 2_000;

/// A step's work: the order, and what earlier steps made.
#[derive(Serialize, Deserialize)]
struct Task {
    order: BuildOrder,
    warm: bool,
    inventory: String,
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
    match step_live(step) {
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
}

fn build(order: &BuildOrder) -> io::Result<BuildReport> {
    stand_alone(order);
    let _leftovers = Leftovers(&order.out);
    let warm = !order.warm_ups.is_empty();
    let mut task = Task { order: order.clone(), warm, inventory: String::new(), cpu_s: order.cpu_s };
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
        Ok(StepReport::Measured { answers, agree, source_us, pooled_us, caches, inventory }) => {
            task.inventory = inventory;
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
    write_artifact(order, &caches, None)?;
    report.artifact = true;
    report.measured = true;
    if matches!(order.wish, StartWish::Source | StartWish::Pooled) {
        return Ok(report);
    }
    if unsuited.is_some() {
        report.snapshot_refused = unsuited;
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
                write_artifact(order, &caches, None)?;
            }
        }
        Err(reason) => {
            write_artifact(order, &caches, None)?;
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
    write_artifact(&task.order, caches, Some(&blob))?;
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
fn write_artifact(order: &BuildOrder, caches: &Caches, snapshot: Option<&[u8]>) -> io::Result<()> {
    let bytes =
        artifact::encode(&base_name(order), &order.spec.artifact, caches, snapshot).map_err(io::Error::other)?;
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

fn step_live(step: &str) -> io::Result<StepReport> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let task: Task = serde_json::from_str(&text).map_err(io::Error::other)?;
    let order = &task.order;
    let base = map_snapshot(&File::open(&order.base_snapshot)?)?;
    caches::use_for(Path::new(&order.base_snapshot));
    confine(order, task.cpu_s)?;
    platform::init();
    let executor = tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(1).build()?;
    let _entered = executor.enter();
    std::thread::Builder::new().name("watch".into()).spawn(keep_watch)?;
    match step {
        "measure" => measure(order, base, &executor),
        "snapshot" => snapshot(&task, base, &executor),
        "probe" => probe(order, base, &executor),
        _ => Err(io::Error::other("no such step")),
    }
}

fn confine(order: &BuildOrder, cpu_s: u64) -> io::Result<()> {
    use nix::sys::resource::{Resource, setrlimit};
    // A builder that is killed takes its step with it.
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    nix::sys::prctl::set_no_new_privs()?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_CPU, cpu_s, cpu_s)?;
    setrlimit(Resource::RLIMIT_DATA, order.memory_mb << 20, order.memory_mb << 20)?;
    setrlimit(Resource::RLIMIT_FSIZE, 256 << 20, 256 << 20)?;
    Ok(())
}

/// Every isolate of this process whose limits are watched. A step is one process with one thread
/// for JavaScript, so there is one list.
static WATCHED: Mutex<Vec<Weak<Control>>> = Mutex::new(Vec::new());
/// Between two looks at what runs.
const LOOK_EVERY: Duration = Duration::from_millis(4);
/// JavaScript that has run for this long has its memory looked at, each time.
const LOOK_AT_MEMORY_AFTER_NS: u64 = 3_000_000;

fn watch(isolate: &Isolate) {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(isolate.control()));
}

/// Stops what exceeds its limits, as a cell's governor does: a function that would be stopped there
/// is refused here for the same reason.
fn keep_watch() {
    loop {
        std::thread::sleep(LOOK_EVERY);
        WATCHED.lock().unwrap_or_else(PoisonError::into_inner).retain(|control| match control.upgrade() {
            Some(control) => {
                control.check(LOOK_AT_MEMORY_AFTER_NS);
                true
            }
            None => false,
        });
    }
}

/// Nobody reads the console of a function that is only being tried.
struct Mute;

impl ConsoleSink for Mute {
    fn line(&self, _invocation: u32, _level: ConsoleLevel, _text: String) {}
}

/// The events to call with: the author's, or none.
fn events(order: &BuildOrder) -> Vec<&str> {
    order.warm_ups.iter().map(String::as_str).collect()
}

/// The answer to an event as text; or why the handler cannot be called with it.
fn call(
    isolate: &mut Isolate,
    executor: &tokio::runtime::Runtime,
    order: &BuildOrder,
    event: &str,
) -> Result<String, String> {
    let limits = &order.spec.limits;
    let budget_ns = u64::from(limits.handler_cpu_ms.min(WARM_UP_CPU_MS)) * 1_000_000;
    let expects = Expects::of(&order.spec);
    let head = (isolate.kind() == Kind::Fetch).then(|| fetch::head_of_event(event));
    let fetch = head.as_ref().map(|head| FetchInput { head, body: FetchBody::None });
    let call = Call {
        invocation: 1,
        event,
        body: &EventBody::None,
        request_id: "warm-up",
        deadline_ms: f64::MAX,
        budget_ns,
        expects,
        client_context: None,
        fetch: fetch.as_ref(),
        follows: false,
    };
    let beyond = || Err("the warm-up call needs more than its limits".to_owned());
    let called = isolate.call(&call);
    if called.stop.is_some() {
        return beyond();
    }
    if isolate.kind() == Kind::Streamed {
        return Ok(STREAMED.to_owned());
    }
    let result = match called.result {
        Called::Ended(result) => result,
        Called::Pending(promise) => {
            let waited = executor.block_on(async {
                let settled = std::future::poll_fn(|cx| {
                    let turned = isolate.turn(cx, budget_ns);
                    let over = isolate.is_settled(&promise) || turned.result.is_ready() || turned.stop.is_some();
                    if over { Poll::Ready(turned.stop.is_some()) } else { Poll::Pending }
                });
                let most = Duration::from_millis(u64::from(limits.wall_ms.min(WARM_UP_WALL_MS)));
                tokio::time::timeout(most, settled).await
            });
            match waited {
                // Who could have called back and did not has answered, too.
                Ok(false) if isolate.is_settled(&promise) || isolate.release_callbacks() => {}
                Ok(false) => return Err("the warm-up call never settles".to_owned()),
                Ok(true) => return beyond(),
                Err(_) => return Err("the warm-up call takes too long".to_owned()),
            }
            if !isolate.is_settled(&promise) {
                return Err("the warm-up call never settles".to_owned());
            }
            let settled = isolate.settle(&promise, budget_ns, &expects);
            if settled.stop.is_some() {
                return beyond();
            }
            settled.result
        }
    };
    let streams = result.is_ok() && isolate.follow().stream;
    match &result {
        Err(failure) if failure.outcome == Outcome::HeapExceeded => beyond(),
        _ if streams => Ok(STREAMED.to_owned()),
        result => Ok(describe(result)),
    }
}

/// The answers to all events, in order.
fn call_all(
    isolate: &mut Isolate,
    executor: &tokio::runtime::Runtime,
    order: &BuildOrder,
) -> Result<Vec<String>, String> {
    events(order).iter().map(|event| call(isolate, executor, order, event)).collect()
}

/// What stands for an answer that nobody reads to its end here.
const STREAMED: &str = "(streamed)";

/// A whole answer as text: what is compared.
fn describe(result: &Result<Reply, Failure>) -> String {
    match result {
        Ok(reply) => format!("{} {:?} {:?}", reply.status, reply.headers, reply.body),
        Err(failure) => format!("{:?} {} {}", failure.outcome, failure.detail.error_type, failure.detail.message),
    }
}

fn fresh(
    base: &'static [u8],
    function: &Arc<Function>,
    executor: &tokio::runtime::Runtime,
    prepare: impl FnOnce(&mut Isolate),
) -> Result<(Isolate, u64), Failure> {
    let heap_bytes = (function.spec.limits.heap_mb as usize) << 20;
    let mut isolate = Isolate::new(base, heap_bytes, Box::new(Mute));
    watch(&isolate);
    prepare(&mut isolate);
    let before = thread_cpu_ns();
    executor.block_on(isolate.load(function))?;
    Ok((isolate, thread_cpu_ns() - before))
}

fn measure(order: &BuildOrder, base: &'static [u8], executor: &tokio::runtime::Runtime) -> io::Result<StepReport> {
    let function = Arc::new(Function::from_source(order.spec.clone()));
    let failed = |failure: Failure| match asked_in_vain() {
        // A module that fetches while it is evaluated starts where there is a network, or fails there.
        true => StepReport::Unfit("start-up uses fetch".to_owned()),
        false => StepReport::Failed { outcome: failure.outcome, detail: failure.detail },
    };
    let mut anchor = Isolate::new(base, 32 << 20, Box::new(Mute));
    let inventory = anchor.inventory().unwrap_or_default();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let (mut isolate, _) = match fresh(base, &function, executor, Isolate::make_deterministic) {
            Ok(isolate) => isolate,
            Err(failure) => return Ok(failed(failure)),
        };
        match call_all(&mut isolate, executor, order) {
            Ok(answered) => answers.push(answered),
            Err(reason) => return Ok(StepReport::Unsuited(reason)),
        }
    }
    // The caches are taken after the calls, so that lazily compiled functions are in them.
    let (mut isolate, _) = match fresh(base, &function, executor, |_| ()) {
        Ok(isolate) => isolate,
        Err(failure) => return Ok(failed(failure)),
    };
    if let Err(reason) = call_all(&mut isolate, executor, order) {
        return Ok(StepReport::Unsuited(reason));
    }
    let caches = isolate.code_caches();
    drop(isolate);
    write_artifact(order, &caches, None)?;
    let artifact = Artifact::open(Path::new(&order.out), &base_name(order), &order.spec.artifact)
        .map_err(|unfit| io::Error::other(unfit.to_string()))?;
    let cached = Arc::new(Function::with_artifact(order.spec.clone(), artifact));
    let source_us = first_answer_us(base, &function, executor, order);
    let pooled_us = first_answer_us(base, &cached, executor, order);
    let (lengths, bytes) = flatten(order, &caches);
    std::fs::write(beside(&order.out, "caches"), bytes)?;
    let agree = answers[0] == answers[1];
    drop(anchor);
    Ok(StepReport::Measured { answers: answers.remove(0), agree, source_us, pooled_us, caches: lengths, inventory })
}

/// The caches in the order of the modules' paths, one after the other.
fn flatten(order: &BuildOrder, caches: &Caches) -> (Vec<usize>, Vec<u8>) {
    let mut bytes = Vec::new();
    let lengths = order
        .spec
        .modules
        .keys()
        .map(|path| {
            let cache = caches.iter().find(|(known, _)| known == path).map_or(&[][..], |(_, cache)| cache);
            bytes.extend_from_slice(cache);
            cache.len()
        })
        .collect();
    (lengths, bytes)
}

/// CPU time from a spare isolate to the first answer, in µs: the least of some tries.
fn first_answer_us(
    base: &'static [u8],
    function: &Arc<Function>,
    executor: &tokio::runtime::Runtime,
    order: &BuildOrder,
) -> u64 {
    let tries = (0..TRIES).filter_map(|_| {
        let (mut isolate, loaded_ns) = fresh(base, function, executor, |_| ()).ok()?;
        let before = thread_cpu_ns();
        if let Some(event) = events(order).first() {
            call(&mut isolate, executor, order, event).ok()?;
        }
        Some((loaded_ns + thread_cpu_ns() - before) / 1_000)
    });
    tries.min().unwrap_or(0)
}

fn snapshot(task: &Task, base: &'static [u8], executor: &tokio::runtime::Runtime) -> io::Result<StepReport> {
    let order = &task.order;
    let function = match Artifact::open(Path::new(&order.out), &base_name(order), &order.spec.artifact) {
        Ok(artifact) => Function::with_artifact(order.spec.clone(), artifact),
        Err(unfit) => return Err(io::Error::other(unfit.to_string())),
    };
    let warm_ups: Vec<WarmUp> = if task.warm {
        order.warm_ups.iter().map(|event| WarmUp { event: event.clone() }).collect()
    } else {
        Vec::new()
    };
    let mut announce = |touched: &str| eprintln!("touched {touched}");
    let function = Arc::new(function);
    Ok(match build_snapshot(base, &function, &task.inventory, &warm_ups, executor, &mut announce) {
        Built::Snapshot(blob) => {
            std::fs::write(beside(&order.out, "blob"), blob)?;
            StepReport::Snapshot { refused: None, warm_up: false }
        }
        Built::Refused { reason, warm_up } => StepReport::Snapshot { refused: Some(reason), warm_up },
    })
}

fn probe(order: &BuildOrder, base: &'static [u8], executor: &tokio::runtime::Runtime) -> io::Result<StepReport> {
    let artifact = match Artifact::open(Path::new(&order.out), &base_name(order), &order.spec.artifact) {
        Ok(artifact) => artifact,
        Err(unfit) => return Ok(StepReport::Unfit(unfit.to_string())),
    };
    if !artifact.snapshot().is_some_and(|blob| guard::same_read_only(base, blob)) {
        return Ok(StepReport::Unfit("the snapshot's read-only part is not the base's".to_owned()));
    }
    let function = Arc::new(Function::with_artifact(order.spec.clone(), artifact));
    let _anchor = Isolate::new(base, 32 << 20, Box::new(Mute));
    let restore = || Isolate::restore(base, &function, Box::new(Mute));
    let mut isolate = match restore() {
        Ok(isolate) => isolate,
        Err(reason) => return Ok(StepReport::Unfit(reason.to_owned())),
    };
    watch(&isolate);
    isolate.make_deterministic();
    let answers = match call_all(&mut isolate, executor, order) {
        Ok(answers) => answers,
        Err(reason) => return Ok(StepReport::Unfit(reason)),
    };
    drop(isolate);
    let tries = (0..TRIES).filter_map(|_| {
        let before = thread_cpu_ns();
        let mut isolate = restore().ok()?;
        watch(&isolate);
        if let Some(event) = events(order).first() {
            call(&mut isolate, executor, order, event).ok()?;
        }
        Some((thread_cpu_ns() - before) / 1_000)
    });
    Ok(StepReport::Probed { answers, snapshot_us: tries.min().unwrap_or(u64::MAX) })
}
