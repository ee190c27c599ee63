//! Cells as the gateway sees them: fake ones, which do exactly what a test wants.

use super::fake::{FakeCell, FakeSource, spec};
use super::link::Begin;
use super::*;
use crate::artifacts::NoArtifacts;
use crate::stage::{function, settings};
use bytes::{Bytes, BytesMut};
use isle_wire::{CellStats, Console, ConsoleLevel, Frame, RequestHead, ResponseFrame, VersionStats, WINDOW_BYTES};
use std::sync::mpsc::{Receiver, sync_channel};

pub(super) fn cells(settings: Settings, script: impl Fn(FakeCell) + Send + Sync + 'static) -> (Cells, Arc<FakeSource>) {
    cells_with(settings, Arc::new(NoArtifacts), script)
}

pub(super) fn cells_with(
    settings: Settings,
    artifacts: Arc<dyn Artifacts>,
    script: impl Fn(FakeCell) + Send + Sync + 'static,
) -> (Cells, Arc<FakeSource>) {
    let source = FakeSource::new(script);
    (Cells::start(settings, source.clone(), artifacts, Arc::new(LogBus::default())), source)
}

fn begin(function: &Arc<FunctionVersion>) -> Begin<'_> {
    Begin {
        depth: 0,
        function,
        request_id: Bytes::from_static(b"request"),
        wall_ms: 60_000,
        deadline: Instant::now() + Duration::from_secs(60),
        body: Some(b""),
    }
}

fn head(path: &'static str) -> impl FnOnce(&mut BytesMut) {
    move |out| RequestHead { path: Bytes::from_static(path.as_bytes()), ..Default::default() }.encode(out)
}

/// An invocation of a function that is loaded first if it must be.
pub(super) async fn begun(cell: &Cell, function: &Arc<FunctionVersion>, path: &'static str) -> invocation::Invocation {
    loop {
        match cell.link.begin(begin(function), head(path)) {
            Err(link::NotBegun::NotLoaded) => cell.link.load(function).await.unwrap(),
            begun => return begun.unwrap(),
        }
    }
}

pub(super) async fn of(cells: &Cells, name: &str) -> Arc<Cell> {
    cells.acquire(&cells.group(name)).await.unwrap()
}

/// Waits for what a cell's thread has to say.
async fn hear<T: Send + 'static>(heard: Arc<Mutex<Receiver<T>>>) -> T {
    tokio::task::spawn_blocking(move || lock(&heard).recv().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_version_is_loaded_once_and_every_invocation_answered() {
    let (say, heard) = sync_channel(100);
    let (cells, _) = cells(settings(), move |mut cell| {
        cell.ready();
        while let Some(frame) = cell.next() {
            match frame {
                Frame::Load { version, .. } => say.send(version).unwrap(),
                Frame::Invoke { id, invoke } => cell.answer(id, &invoke.head.path),
                _ => {}
            }
        }
    });
    let (cell, function) = (of(&cells, "acme").await, function(spec("acme", "blog", "main")));
    for path in ["/a", "/b", "/c"] {
        let mut invocation = begun(&cell, &function, path).await;
        assert_eq!(invocation.response().await.unwrap().body, path);
    }
    assert_eq!(cell.link.in_flight(), 0);
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [function.id as u32]);
}

#[tokio::test]
async fn frames_of_many_requests_are_written_at_once() {
    let (cells, _) = cells(settings(), FakeCell::echo);
    let (cell, function) = (of(&cells, "acme").await, function(spec("acme", "blog", "main")));
    let before = cell.link.writes_total();
    cell.link.load(&function).await.unwrap();
    let many: Vec<_> = (0..500).map(|_| cell.link.begin(begin(&function), head("/x")).unwrap()).collect();
    for mut invocation in many {
        invocation.response().await.unwrap();
    }
    let writes = cell.link.writes_total() - before;
    assert!(writes < 10, "{writes} writes for 500 requests");
}

#[tokio::test]
async fn a_wedged_cell_is_killed_and_its_neighbour_is_not() {
    let settings = Settings { heartbeat_timeout: Duration::from_millis(60), ..settings() };
    let (cells, source) = cells(settings, |mut cell| {
        cell.ready();
        while let Some(frame) = cell.next() {
            if let Frame::Invoke { id, invoke } = frame {
                if invoke.head.path == "/wedge" {
                    cell.begin(id);
                    cell.hold();
                    return;
                }
                cell.answer(id, b"fine");
            }
        }
    });
    let (acme, blog) = (of(&cells, "acme").await, of(&cells, "blog").await);
    let function = function(spec("acme", "blog", "main"));
    let mut wedged = begun(&acme, &function, "/wedge").await;
    let lost = wedged.response().await.unwrap_err();
    assert_eq!(lost, invocation::Lost::Died { begun: true });
    let mut fine = begun(&blog, &function, "/").await;
    assert_eq!(fine.response().await.unwrap().body, "fine");
    assert!(!Arc::ptr_eq(&acme, &of(&cells, "acme").await));
    cells.stop().await;
    assert_eq!((cells.ended(Cause::Wedged), cells.all().len()), (1, 0));
    assert!(source.started.load(Ordering::Relaxed) >= 3);
}

#[tokio::test]
async fn a_cell_that_says_what_no_cell_says_is_killed() {
    let (cells, _) = cells(settings(), |mut cell| {
        cell.ready();
        while let Some(frame) = cell.next() {
            if let Frame::Invoke { id, .. } = frame {
                cell.send(&Frame::Cancel { id });
            }
        }
    });
    let (cell, function) = (of(&cells, "acme").await, function(spec("acme", "blog", "main")));
    let mut invocation = begun(&cell, &function, "/").await;
    assert_eq!(invocation.response().await.unwrap_err(), invocation::Lost::Died { begun: false });
    cells.stop().await;
    assert_eq!(cells.ended(Cause::Garbled), 1);
}

#[tokio::test]
async fn what_a_dying_cell_had_answered_is_not_lost() {
    let (cells, _) = cells(settings(), |mut cell| {
        cell.ready();
        let (first, _) = cell.next_invoke().unwrap();
        let (second, _) = cell.next_invoke().unwrap();
        cell.begin(first);
        cell.begin(second);
        cell.answer(first, b"in time");
    });
    let (cell, function) = (of(&cells, "acme").await, function(spec("acme", "blog", "main")));
    let mut first = begun(&cell, &function, "/").await;
    let mut second = begun(&cell, &function, "/").await;
    assert_eq!(second.response().await.unwrap_err(), invocation::Lost::Died { begun: true });
    assert_eq!(first.response().await.unwrap().body, "in time");
    assert_eq!(cell.link.begin(begin(&function), head("/")).unwrap_err(), link::NotBegun::Closed);
}

#[tokio::test]
async fn a_response_body_waits_for_its_reader() {
    let (say, heard) = sync_channel(1_000);
    let (cells, _) = cells(settings(), move |mut cell| {
        cell.ready();
        let (id, _) = cell.next_invoke().unwrap();
        let response = ResponseFrame { body_follows: true, ..super::fake::ok(b"first") };
        cell.send(&Frame::Response { id, response });
        for _ in 0..WINDOW_BYTES / 1_024 {
            cell.send(&Frame::Body { id, last: false, data: vec![7; 1_024].into() });
        }
        let mut credited = 0;
        while credited < WINDOW_BYTES {
            match cell.next().unwrap() {
                Frame::Credit { bytes, .. } => credited += bytes as usize,
                Frame::Load { .. } => {}
                other => panic!("{other:?}"),
            }
            say.send(credited).unwrap();
        }
        cell.send(&Frame::Body { id, last: true, data: Bytes::from_static(b"end") });
        while cell.next().is_some() {}
    });
    let (cell, function) = (of(&cells, "acme").await, function(spec("acme", "blog", "main")));
    let mut invocation = begun(&cell, &function, "/").await;
    assert_eq!(invocation.response().await.unwrap().body, "first");
    let mut taken = 0;
    while taken < WINDOW_BYTES {
        let piece = invocation.body().await.unwrap().unwrap();
        assert!(heard.try_iter().all(|credited| credited <= taken), "credit before it was taken");
        taken += piece.len();
        invocation.credit(piece.len());
    }
    assert_eq!(invocation.body().await.unwrap().unwrap(), "end");
    assert_eq!(invocation.body().await, Ok(None));
    assert_eq!(cell.link.in_flight(), 0);
}

#[tokio::test]
async fn more_body_than_the_window_ends_the_cell() {
    let (cells, _) = cells(settings(), |mut cell| {
        cell.ready();
        let (id, _) = cell.next_invoke().unwrap();
        cell.send(&Frame::Response { id, response: ResponseFrame { body_follows: true, ..super::fake::ok(b"") } });
        for _ in 0..2 * WINDOW_BYTES / 1_024 {
            cell.send(&Frame::Body { id, last: false, data: vec![7; 1_024].into() });
        }
        while cell.next().is_some() {}
    });
    let (cell, function) = (of(&cells, "acme").await, function(spec("acme", "blog", "main")));
    let mut invocation = begun(&cell, &function, "/").await;
    invocation.response().await.unwrap();
    cell.link.room().await;
    while let Some(_unread) = cells.all().iter().find(|other| Arc::ptr_eq(other, &cell)) {
        tokio::task::yield_now().await;
    }
    assert_eq!(cells.ended(Cause::Garbled), 1);
    while let Ok(Some(_)) = invocation.body().await {}
    assert_eq!(invocation.body().await, Err(invocation::BrokenOff));
}

#[tokio::test]
async fn a_check_uses_a_cell_of_its_own_and_ends_it() {
    let checks = AtomicU64::new(0);
    let (cells, source) = cells(settings(), move |mut cell| {
        cell.ready();
        while let Some(frame) = cell.next() {
            if let Frame::Check { version } = frame {
                if checks.fetch_add(1, Ordering::Relaxed) == 1 {
                    return;
                }
                let reply = LoadReply { outcome: Outcome::Ok, cpu_us: 7, detail: Bytes::new() };
                cell.send(&Frame::Checked { version, reply });
            }
        }
    });
    let function = function(spec("acme", "blog", "main"));
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        outcomes.push(cells.check(&function).await.outcome);
    }
    assert_eq!(outcomes, [Outcome::Ok, Outcome::CellDied, Outcome::Ok]);
    cells.stop().await;
    assert_eq!(cells.all().len(), 0);
    assert!(source.started.load(Ordering::Relaxed) >= 3);
}

#[tokio::test]
async fn console_lines_carry_the_id_of_their_request() {
    let (cells, _) = cells(settings(), |mut cell| {
        cell.ready();
        let (id, invoke) = cell.next_invoke().unwrap();
        for invocation in [id, 0] {
            let (version, text) = (invoke.version, "hi".to_owned());
            cell.send(&Frame::Console(Console {
                version,
                invocation,
                request_id: Bytes::new(),
                level: ConsoleLevel::Warn,
                text,
            }));
        }
        let versions = vec![VersionStats { version: invoke.version, isolates: 2, heap_bytes: 9, evictions: 0 }];
        let stats = CellStats { isolates: 3, spares: 1, rss_bytes: 5, versions };
        cell.send(&Frame::Stats(serde_json::to_vec(&stats).unwrap().into()));
        cell.answer(id, b"");
        while cell.next().is_some() {}
    });
    let (cell, function) = (of(&cells, "acme").await, function(spec("acme", "blog", "main")));
    let mut invocation = begun(&cell, &function, "/").await;
    invocation.response().await.unwrap();
    let (lines, _) = cells.inner.console.tail("acme", "blog");
    let ids: Vec<&str> = lines.iter().map(|line| line.request_id.as_str()).collect();
    assert_eq!(ids, ["request", ""]);
    let mut heap = 0;
    let stats = cell.link.stats(|of, stats| heap += stats.heap_bytes * u64::from(of.spec.app == "blog"));
    assert_eq!((stats.isolates, heap), (3, 9));
}

#[tokio::test]
async fn what_an_unloaded_version_still_prints_is_kept() {
    let (cells, _) = cells(settings(), |mut cell| {
        cell.ready();
        let (id, invoke) = cell.next_invoke().unwrap();
        while !matches!(cell.next().unwrap(), Frame::Unload { .. }) {}
        cell.send(&Frame::Console(Console {
            version: invoke.version,
            invocation: id,
            request_id: Bytes::new(),
            level: ConsoleLevel::Error,
            text: "late".to_owned(),
        }));
        cell.answer(id, b"");
        while cell.next().is_some() {}
    });
    let (cell, function) = (of(&cells, "acme").await, function(spec("acme", "blog", "main")));
    let mut invocation = begun(&cell, &function, "/").await;
    drop(function);
    cells.retain(|_| false);
    invocation.response().await.unwrap();
    let (lines, _) = cells.inner.console.tail("acme", "blog");
    let told: Vec<_> = lines.iter().map(|line| (line.request_id.as_str(), line.text.as_str())).collect();
    assert_eq!(told, [("request", "late")]);
}

#[tokio::test]
async fn versions_that_nobody_serves_leave_and_an_unneeded_cell_ends() {
    let (say, heard) = sync_channel(100);
    let (cells, _) = cells(settings(), move |mut cell| {
        cell.ready();
        while let Some(frame) = cell.next() {
            match frame {
                Frame::Unload { version } => say.send(version).unwrap(),
                Frame::Invoke { id, .. } => cell.answer(id, b""),
                _ => {}
            }
        }
    });
    let heard = Arc::new(Mutex::new(heard));
    let cell = of(&cells, "acme").await;
    let (old, new) = (function(spec("acme", "blog", "main")), function(spec("acme", "blog", "main")));
    for version in [&old, &new] {
        begun(&cell, version, "/").await.response().await.unwrap();
    }
    cells.retain(|function| function.id == new.id);
    assert_eq!(hear(heard).await, old.id as u32);
    assert!(!cell.link.is_closed());
    cells.retain(|_| false);
    assert!(cell.link.is_closed());
    cells.stop().await;
    let deaths: u64 =
        Cause::ALL.iter().filter(|cause| **cause != Cause::Retired).map(|cause| cells.ended(*cause)).sum();
    assert_eq!(deaths, 0);
}

#[tokio::test]
async fn an_idle_cell_ends_and_the_next_request_gets_another() {
    let settings =
        Settings { cell_idle: Duration::from_millis(20), heartbeat_timeout: Duration::from_millis(300), ..settings() };
    let (cells, _) = cells(settings, FakeCell::echo);
    let first = of(&cells, "acme").await;
    while cells.ended(Cause::Retired) == 0 {
        tokio::task::yield_now().await;
    }
    let second = of(&cells, "acme").await;
    assert!(!Arc::ptr_eq(&first, &second));
}

#[tokio::test]
async fn a_cell_that_is_taken_ends_the_row_of_spares_that_died() {
    let (cells, _) = cells(settings(), FakeCell::echo);
    while cells.counts().spare == 0 {
        tokio::task::yield_now().await;
    }
    let backing_off = || lock(&cells.inner.spares).backoff.wait(Instant::now()).is_some();
    for _ in 0..10 {
        cells.inner.spare_died(Duration::ZERO);
    }
    assert!(backing_off());
    of(&cells, "acme").await;
    cells.inner.spare_died(Duration::ZERO);
    assert!(!backing_off());
}

#[tokio::test]
async fn a_source_that_starts_nothing_is_an_error_for_the_request_alone() {
    let (cells, _) = cells(settings(), drop);
    let group = cells.group("acme");
    assert_eq!(cells.acquire(&group).await.unwrap_err(), NoCell::StartFailed);
    cells.stop().await;
    assert_eq!(cells.acquire(&group).await.unwrap_err(), NoCell::Stopping);
}
