//! A step of a builder: what runs a tenant's code, in a process that may die of it.

use super::call::{Mute, call, call_all, events};
use super::{Caches, StepReport, Task, WORTH_US, base_name, beside, write_artifact};
use crate::egress::asked_in_vain;
use crate::function::Function;
use crate::isolate::{Built, Control, Failure, Isolate, WarmUp, build_snapshot, guard, platform, thread_cpu_ns};
use crate::snapshot::artifact::Artifact;
use crate::snapshot::caches;
use crate::snapshot::web::{Bases, Platform};
use isle_wire::BuildOrder;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Times a start is measured; the least counts, the others were disturbed.
const TRIES: usize = 3;

/// Reads its task, does it and reports.
///
/// # Errors
/// A file that cannot be read or written, or a task that nobody knows.
pub(super) fn live(step: &str) -> io::Result<StepReport> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let task: Task = serde_json::from_str(&text).map_err(io::Error::other)?;
    let order = &task.order;
    let bases = Bases::open(Path::new(&order.base_snapshot))?;
    let base = bases.base();
    caches::use_for(Path::new(&order.base_snapshot));
    confine(order, task.cpu_s)?;
    platform::init();
    let executor = tokio::runtime::Builder::new_current_thread().enable_time().max_blocking_threads(1).build()?;
    let _entered = executor.enter();
    std::thread::Builder::new().name("watch".into()).spawn(keep_watch)?;
    match step {
        "measure" => measure(&task, bases, &executor),
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

fn watch(control: &Arc<Control>) {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(control));
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

fn fresh(
    base: &'static [u8],
    function: &Arc<Function>,
    executor: &tokio::runtime::Runtime,
    prepare: impl FnOnce(&mut Isolate),
) -> Result<(Isolate, u64), Failure> {
    let heap_bytes = (function.spec.limits.heap_mb as usize) << 20;
    let mut isolate = Isolate::new(base, heap_bytes, Box::new(Mute));
    watch(isolate.control());
    prepare(&mut isolate);
    let before = thread_cpu_ns();
    executor.block_on(isolate.load(function))?;
    Ok((isolate, thread_cpu_ns() - before))
}

fn measure(task: &Task, bases: Bases, executor: &tokio::runtime::Runtime) -> io::Result<StepReport> {
    let (order, base) = (&task.order, bases.base());
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
    let uses_web = isolate.uses_web();
    drop(isolate);
    write_artifact(task, &caches, None)?;
    let artifact = Artifact::open(Path::new(&order.out), &base_name(order), &order.spec.artifact)
        .map_err(|unfit| io::Error::other(unfit.to_string()))?;
    let cached = Arc::new(Function::with_artifact(order.spec.clone(), artifact));
    let source_us = first_answer_us(base, &function, executor, order);
    let (mut pooled_us, mut platform) = (first_answer_us(base, &cached, executor, order), Platform::Bare);
    if uses_web {
        let web_us = first_answer_us(bases.of(Platform::Web), &cached, executor, order);
        if web_us + WORTH_US < pooled_us {
            (pooled_us, platform) = (web_us, Platform::Web);
        }
    }
    let (lengths, bytes) = flatten(order, &caches);
    std::fs::write(beside(&order.out, "caches"), bytes)?;
    let agree = answers[0] == answers[1];
    drop(anchor);
    let answers = answers.remove(0);
    Ok(StepReport::Measured { answers, agree, source_us, pooled_us, caches: lengths, inventory, platform })
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
        Built::Snapshot(mut blob) => {
            // Trying it is what finds out if it may not be.
            guard::share_read_only(base, &mut blob);
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
    let restore = || Isolate::restore(base, &function, Box::new(Mute), watch);
    let mut isolate = match restore() {
        Ok(isolate) => isolate,
        Err(reason) => return Ok(StepReport::Unfit(reason.to_owned())),
    };
    isolate.make_deterministic();
    let answers = match call_all(&mut isolate, executor, order) {
        Ok(answers) => answers,
        Err(reason) => return Ok(StepReport::Unfit(reason)),
    };
    drop(isolate);
    let tries = (0..TRIES).filter_map(|_| {
        let before = thread_cpu_ns();
        let mut isolate = restore().ok()?;
        if let Some(event) = events(order).first() {
            call(&mut isolate, executor, order, event).ok()?;
        }
        Some((thread_cpu_ns() - before) / 1_000)
    });
    Ok(StepReport::Probed { answers, snapshot_us: tries.min().unwrap_or(u64::MAX) })
}
