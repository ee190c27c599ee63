//! What cells are told of functions, and what happens on a machine that cannot start cells.

use super::fake::{FakeCell, spec};
use super::tests::{begun, cells, cells_with, of};
use super::*;
use crate::artifacts::{Artifacts, SealedFile};
use crate::stage::{function, settings};
use isle_wire::{Frame, StartKind};
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::mpsc::sync_channel;
use tokio::sync::Semaphore;

/// Artifacts that come when the test says so.
struct Slow {
    gate: Semaphore,
    asked: AtomicU64,
    unfit: Mutex<Vec<String>>,
}

impl Artifacts for Slow {
    fn get<'a>(
        &'a self,
        function: &'a FunctionVersion,
    ) -> Pin<Box<dyn Future<Output = Option<Arc<SealedFile>>> + Send + 'a>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if function.spec.function == "quick" {
                return None;
            }
            self.gate.acquire().await.unwrap().forget();
            Some(Arc::new(SealedFile::sealed(function.spec.function.as_bytes()).unwrap()))
        })
    }

    fn unfit(&self, function: &FunctionVersion, why: &str) {
        lock(&self.unfit).push(format!("{}: {why}", function.spec.function));
    }
}

/// Tells of each function that it is loaded with, and answers with what came as its artifact.
fn reads_artifacts(mut cell: FakeCell) {
    cell.ready();
    let mut known = HashMap::new();
    while let Some(frame) = cell.next() {
        match frame {
            Frame::Load { version, plan, artifact, .. } => {
                assert_eq!(plan, StartKind::Pooled);
                let file = artifact.then(|| cell.take_file().expect("the descriptor came before its frame"));
                let mut text = vec![0; file.as_ref().map_or(0, |file| file.metadata().unwrap().len() as usize)];
                file.inspect(|file| file.read_exact_at(&mut text, 0).unwrap());
                known.insert(version, text);
            }
            Frame::Unload { version } => drop(known.remove(&version)),
            Frame::Invoke { id, invoke } => {
                let (version, why) = (invoke.version, "it is green".to_owned());
                cell.send(&Frame::Unfit { version, why });
                cell.answer(id, &known[&version]);
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_snapshot_that_was_being_restored_when_its_cell_died_is_given_up() {
    let artifacts = slow();
    artifacts.gate.add_permits(10);
    let (cells, _) = cells_with(settings(), artifacts.clone(), |mut cell| {
        cell.ready();
        while let Some((id, invoke)) = cell.next_invoke() {
            match &invoke.head.path[..] {
                b"/restore" => return cell.restore(invoke.version),
                b"/die" => return,
                _ => cell.answer(id, b"fine"),
            }
        }
    });
    for (path, blamed) in [("/die", 0), ("/restore", 1)] {
        let (cell, function) = (of(&cells, "acme").await, function(spec("acme", "blog", "main")));
        let innocent = crate::stage::function(spec("acme", "blog", "other"));
        begun(&cell, &innocent, "/").await.response().await.unwrap();
        begun(&cell, &function, path).await.response().await.unwrap_err();
        // Before anybody learns of the death, so that who tries again starts without.
        let unfit = lock(&artifacts.unfit).clone();
        assert_eq!(unfit.len(), blamed, "{path}: {unfit:?}");
        assert!(unfit.iter().all(|unfit| unfit == "main: the cell died while it was restored"), "{unfit:?}");
    }
}

fn slow() -> Arc<Slow> {
    Arc::new(Slow { gate: Semaphore::new(0), asked: AtomicU64::new(0), unfit: Mutex::default() })
}

#[tokio::test]
async fn an_artifact_that_takes_long_holds_up_its_own_function_only_and_is_fetched_once() {
    let artifacts = slow();
    let (cells, _) = cells_with(settings(), artifacts.clone(), reads_artifacts);
    let (cell, slow) = (of(&cells, "acme").await, function(spec("acme", "blog", "slow")));
    let many: Vec<_> = (0..20)
        .map(|_| {
            let (cell, slow) = (cell.clone(), slow.clone());
            tokio::spawn(async move { begun(&cell, &slow, "/").await.response().await.unwrap().body })
        })
        .collect();
    let quick = function(spec("acme", "blog", "quick"));
    assert_eq!(begun(&cell, &quick, "/").await.response().await.unwrap().body, "");
    artifacts.gate.add_permits(1);
    for one in many {
        assert_eq!(one.await.unwrap(), "slow");
    }
    assert_eq!(artifacts.asked.load(Ordering::Relaxed), 2);
    assert!(lock(&artifacts.unfit).contains(&"slow: it is green".to_owned()));
}

#[tokio::test]
async fn every_descriptor_reaches_its_own_function() {
    let artifacts = slow();
    artifacts.gate.add_permits(200);
    let (cells, _) = cells_with(settings(), artifacts, reads_artifacts);
    let cell = of(&cells, "acme").await;
    let all: Vec<_> = (0..200).map(|n| function(spec("acme", "blog", &format!("f{n}")))).collect();
    let loads: Vec<_> = all
        .iter()
        .map(|function| {
            let (cell, function) = (cell.clone(), function.clone());
            tokio::spawn(async move { cell.link.load(&function).await })
        })
        .collect();
    for load in loads {
        load.await.unwrap().unwrap();
    }
    for function in &all {
        let body = begun(&cell, function, "/").await.response().await.unwrap().body;
        assert_eq!(body, function.spec.function);
    }
}

#[tokio::test]
async fn a_cell_knows_no_more_versions_than_it_may_and_forgets_the_least_used() {
    let (say, heard) = sync_channel(1_000);
    let settings = Settings { loaded_versions_max: 10, ..settings() };
    let (cells, _) = cells(settings, move |mut cell| {
        cell.ready();
        while let Some(frame) = cell.next() {
            match frame {
                Frame::Load { version, .. } => say.send(i64::from(version)).unwrap(),
                Frame::Unload { version } => say.send(-i64::from(version)).unwrap(),
                Frame::Invoke { id, .. } => cell.answer(id, b""),
                _ => {}
            }
        }
    });
    let cell = of(&cells, "acme").await;
    let all: Vec<_> = (0..40).map(|_| function(spec("acme", "blog", "main"))).collect();
    // The first stays: an invocation of it is open until the end.
    let mut open = begun(&cell, &all[0], "/").await;
    for function in &all[1..] {
        begun(&cell, function, "/").await.response().await.unwrap();
        assert!(cell.link.loaded() <= 10);
    }
    begun(&cell, &all[1], "/").await.response().await.unwrap();
    open.response().await.unwrap();
    drop(open);
    let said: Vec<i64> = heard.try_iter().collect();
    let (first, second) = (all[0].id as i64, all[1].id as i64);
    assert!(!said.contains(&-first), "nothing is unloaded under an invocation");
    assert_eq!(said.iter().filter(|said| **said == second).count(), 2, "loaded again when it was asked for");
    cell.link.unload_unused(Duration::ZERO);
    assert_eq!(cell.link.loaded(), 0);
}

#[tokio::test]
async fn a_machine_that_cannot_start_cells_is_asked_seldom_however_many_ask_for_one() {
    let (cells, source) = cells(settings(), drop);
    let started = Instant::now();
    for group in 0..300 {
        cells.acquire(&cells.group(&format!("tenant {group}"))).await.unwrap_err();
    }
    // Four that cost nothing, then one in 200 ms at first, and in 10 s at last.
    let most = 6 + started.elapsed().as_millis() as u32 / 200;
    let count = source.started.load(Ordering::Relaxed);
    assert!(count >= 5 && count <= most, "{count} processes");
}

#[tokio::test]
async fn functions_that_end_their_cell_when_they_are_tried_keep_nobody_from_getting_one() {
    let (cells, _) = cells(settings(), |mut cell| {
        cell.ready();
        while let Some(frame) = cell.next() {
            match frame {
                Frame::Check { .. } => return,
                Frame::Invoke { id, .. } => cell.answer(id, b"fine"),
                _ => {}
            }
        }
    });
    let hostile = function(spec("hostile", "app", "main"));
    for _ in 0..12 {
        assert_eq!(cells.check(&hostile).await.outcome, Outcome::CellDied);
    }
    let cell = of(&cells, "acme").await;
    let fine = function(spec("acme", "blog", "main"));
    assert_eq!(begun(&cell, &fine, "/").await.response().await.unwrap().body, "fine");
}

#[test]
fn spare_cells_follow_demand_between_their_bounds() {
    let settings = Settings { spare_cells: 2, spare_cells_max: 5, ..settings() };
    let (mut spares, now) = (Spares::default(), Instant::now());
    let at = |seconds| now + Duration::from_secs(seconds);
    assert_eq!(spares.wanted(&settings, now), 2);
    (0..3).for_each(|second| spares.note_taken(&settings, at(second)));
    assert_eq!(spares.wanted(&settings, at(3)), 3);
    (0..100).for_each(|_| spares.note_taken(&settings, at(5)));
    assert_eq!(spares.wanted(&settings, at(6)), 5);
    assert_eq!(spares.wanted(&settings, at(16)), 2, "forgotten");
}
