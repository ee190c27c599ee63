//! Requests through the whole data plane, on cells that do as they are told.

use super::WALL_GRACE;
use crate::accept::Broken;
use crate::cells::fake::{FakeCell, spec};
use crate::serve::Front;
use crate::stage::{Answer, Stage, get, post, settings};
use bytes::Bytes;
use isle_wire::{
    BODY_CHUNK_BYTES_MAX, Frame, FunctionKind, FunctionSpec, Limits, Outcome, ResponseFrame, StartKind, WINDOW_BYTES,
};
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::time::timeout;

fn with_limits(tenant: &str, limits: Limits) -> Vec<FunctionSpec> {
    vec![FunctionSpec { limits, kind: FunctionKind::Handler, ..spec(tenant, tenant, "main") }]
}

/// Whatever is spawned gets its turn until `done`.
async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_request_is_answered_counted_and_told() {
    let mut stage = Stage::new(FakeCell::echo);
    let answer = stage.get("acme", "/hello?x=1").await;
    assert_eq!(answer.told(), (200, "ok", "/hello"));
    let line = stage.line();
    assert_eq!((line.tenant.as_str(), line.path.as_str(), line.status), ("acme", "/hello", 200));
    assert_eq!(answer.header("isle-request-id"), Some(line.request_id.as_str()));
    assert_eq!(answer.header("isle-start"), None, "strangers do not learn how it started");
    let labels = r#"{app="acme",function="main",outcome="ok",tenant="acme"}"#;
    assert_eq!(stage.metric(&format!("isle_invocations_total{labels}")).as_deref(), Some("1"));
    assert_eq!(stage.metric(r#"isle_in_flight{app="acme",function="main",tenant="acme"}"#).as_deref(), Some("0"));
    assert_eq!(stage.get("nobody", "/").await.told(), (404, "no_route", r#"{"message":"Not Found"}"#));
    assert_eq!(stage.metric(r#"isle_refusals_total{reason="no_route"}"#).as_deref(), Some("1"));
}

#[tokio::test]
async fn a_path_that_its_function_would_read_differently_comes_to_none() {
    let mut stage = Stage::new(FakeCell::echo);
    for path in ["/public/../admin", "/public/%2e%2E/admin", "/public/..", "/public\\admin"] {
        let told = (400, "request_incomplete", r#"{"message":"Bad Request"}"#);
        assert_eq!(stage.get("acme", path).await.told(), told, "{path}");
        assert_eq!(stage.line().path, path);
    }
    assert_eq!(stage.get("acme", "/a.b/..c?x=../y").await.told(), (200, "ok", "/a.b/..c"));
}

#[tokio::test]
async fn a_request_that_a_dead_cell_had_not_begun_runs_on_another() {
    let died = AtomicBool::new(false);
    let stage = Stage::new(move |mut cell| {
        cell.ready();
        while let Some((id, invoke)) = cell.next_invoke() {
            if !died.swap(true, Ordering::Relaxed) {
                return;
            }
            cell.answer(id, &invoke.body);
        }
    });
    let (request, body) = post("acme", "/");
    body.send(Ok(Bytes::from_static(b"kept"))).await.unwrap();
    drop(body);
    assert_eq!(stage.send(request).await.told(), (200, "ok", "kept"));
}

#[tokio::test]
async fn a_request_is_retried_once_and_only_once() {
    let stage = Stage::new(|mut cell| {
        cell.ready();
        cell.next_invoke();
    });
    let answer = stage.get("acme", "/").await;
    assert_eq!(answer.told(), (502, "cell_died", r#"{"message":"Bad Gateway"}"#));
}

#[tokio::test]
async fn a_request_that_a_dead_cell_had_begun_is_not_run_again() {
    let (say, heard) = sync_channel(10);
    let stage = Stage::new(move |mut cell| {
        cell.ready();
        if let Some((id, _)) = cell.next_invoke() {
            cell.begin(id);
            say.send(id).unwrap();
        }
    });
    assert_eq!(stage.get("acme", "/").await.told().1, "cell_died");
    assert_eq!(heard.try_iter().count(), 1);
}

#[tokio::test]
async fn a_cells_death_harms_no_other_group() {
    let (go, gate) = sync_channel(0);
    let gate = Mutex::new(gate);
    let stage = Stage::new(move |mut cell| {
        cell.ready();
        while let Some((id, invoke)) = cell.next_invoke() {
            cell.begin(id);
            if invoke.head.path == "/die" {
                return;
            }
            gate.lock().unwrap().recv().unwrap();
            cell.answer(id, b"unharmed");
        }
    });
    let mut neighbour = pin!(stage.get("blog", "/"));
    let mut context = Context::from_waker(Waker::noop());
    assert!(neighbour.as_mut().poll(&mut context).is_pending());
    for _ in 0..3 {
        assert_eq!(stage.get("acme", "/die").await.told().1, "cell_died");
    }
    std::thread::spawn(move || go.send(()));
    assert_eq!(neighbour.await.told(), (200, "ok", "unharmed"));
}

#[tokio::test]
async fn a_group_that_kills_its_cells_backs_off_alone() {
    let stage = Stage::new(|mut cell| {
        cell.ready();
        while let Some((id, invoke)) = cell.next_invoke() {
            cell.begin(id);
            if invoke.head.path == "/die" {
                return;
            }
            cell.answer(id, b"fine");
        }
    });
    let mut ends = Vec::new();
    for _ in 0..8 {
        ends.push(stage.get("acme", "/die").await.told().1.to_owned());
    }
    assert_eq!(ends[0], "cell_died");
    assert_eq!(ends.last().unwrap(), "unavailable", "{ends:?}");
    assert_eq!(stage.get("blog", "/").await.told().1, "ok");
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_invocation() {
    let (say, heard) = sync_channel(10);
    let mut stage = Stage::new(move |mut cell| {
        cell.ready();
        while let Some(frame) = cell.next() {
            match frame {
                Frame::Invoke { id, .. } => cell.begin(id),
                Frame::Cancel { id } => {
                    cell.send(&Frame::Response {
                        id,
                        response: ResponseFrame::failed(Outcome::Cancelled, Bytes::new()),
                    });
                    say.send(()).unwrap();
                }
                _ => {}
            }
        }
    });
    {
        let mut request = pin!(stage.get("acme", "/"));
        let mut context = Context::from_waker(Waker::noop());
        let cells = &stage.front.plane.cells;
        until(|| {
            assert!(request.as_mut().poll(&mut context).is_pending());
            cells.all().iter().any(|cell| cell.link.in_flight() == 1)
        })
        .await;
    }
    let line = stage.line();
    assert_eq!((line.outcome, line.status), (Outcome::Cancelled, 499));
    until(|| heard.try_recv().is_ok()).await;
    let cells = &stage.front.plane.cells;
    until(|| cells.all().iter().all(|cell| cell.link.in_flight() == 0)).await;
    assert_eq!(stage.metric(r#"isle_in_flight{app="acme",function="main",tenant="acme"}"#).as_deref(), Some("0"));
}

#[tokio::test]
async fn a_cell_that_forgets_the_wall_limit_is_not_waited_for() {
    let limits = Limits { wall_ms: 500, ..Limits::default() };
    let settings = crate::cells::Settings { heartbeat_timeout: Duration::from_millis(600), ..settings() };
    let stage = Stage::with(
        settings,
        |mut cell| {
            cell.ready();
            while cell.next().is_some() {}
        },
        with_limits("acme", limits),
    );
    let begun = std::time::Instant::now();
    let answer = stage.get("acme", "/").await;
    assert_eq!(answer.told(), (504, "wall_exceeded", r#"{"message":"Gateway Timeout"}"#));
    assert!(begun.elapsed() >= WALL_GRACE);
}

#[tokio::test]
async fn a_large_body_is_never_further_ahead_than_the_window() {
    const BODY: usize = 3 * WINDOW_BYTES + 12_345;
    let stage = Stage::new(|mut cell| {
        cell.ready();
        let Some((id, invoke)) = cell.next_invoke() else { return };
        assert!(invoke.body_follows && invoke.body.is_empty());
        let (mut got, mut credited) = (0, 0);
        loop {
            match cell.next().unwrap() {
                Frame::Body { last, data, .. } => {
                    got += data.len();
                    assert!(data.len() <= BODY_CHUNK_BYTES_MAX && got - credited <= WINDOW_BYTES, "{got} {credited}");
                    if last {
                        break;
                    }
                }
                other => panic!("{other:?}"),
            }
            // Nothing is credited until the window is full: what is sent then is all there can be.
            if got - credited == WINDOW_BYTES {
                credited += 100_000;
                cell.send(&Frame::Credit { id, bytes: 100_000 });
            }
        }
        cell.answer(id, got.to_string().as_bytes());
        while cell.next().is_some() {}
    });
    let (request, body) = post("acme", "/");
    let feed = async move {
        let mut left = BODY;
        while left > 0 {
            let piece = left.min(10_000);
            left -= piece;
            body.send(Ok(vec![1; piece].into())).await.unwrap();
        }
    };
    let (answer, ()) = tokio::join!(stage.send(request), feed);
    assert_eq!(answer.told(), (200, "ok", BODY.to_string().as_str()));
}

/// A cell that takes whatever body comes and says whether it was cancelled.
fn takes_bodies(say: std::sync::mpsc::SyncSender<&'static str>) -> impl Fn(FakeCell) + Send + Sync + 'static {
    move |mut cell| {
        cell.ready();
        while let Some(frame) = cell.next() {
            match frame {
                Frame::Invoke { .. } => say.send("invoke").unwrap(),
                Frame::Body { id, data, .. } => cell.send(&Frame::Credit { id, bytes: data.len() as u32 }),
                Frame::Cancel { .. } => say.send("cancel").unwrap(),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_when_it_is_announced_and_while_it_comes() {
    let limits = Limits { request_body_bytes_max: 100_000, ..Limits::default() };
    let (say, heard) = sync_channel(10);
    let stage = Stage::with(settings(), takes_bodies(say), with_limits("acme", limits));
    let too_large = (413, "request_too_large", r#"{"message":"Request Entity Too Large"}"#);

    let announced = get("acme", "/").map(|_| Bytes::from(vec![0; 100_001]).into());
    assert_eq!(stage.send(announced).await.told(), too_large);
    assert!(heard.try_recv().is_err(), "the cell never saw it");

    let (request, body) = post("acme", "/");
    let feed = async move { while body.send(Ok(vec![0; 30_000].into())).await.is_ok() {} };
    let (answer, ()) = tokio::join!(stage.send(request), feed);
    assert_eq!(answer.told(), too_large);
    until(|| heard.try_iter().any(|word| word == "cancel")).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_or_never_ends_is_incomplete() {
    let limits = Limits { wall_ms: 50, ..Limits::default() };
    let (say, heard) = sync_channel(10);
    let stage = Stage::with(settings(), takes_bodies(say), with_limits("acme", limits));
    let (request, body) = post("acme", "/");
    body.send(Err(Broken)).await.unwrap();
    assert_eq!(stage.send(request).await.told().0, 400);

    let (request, body) = post("acme", "/");
    body.send(Ok(Bytes::from_static(b"some"))).await.unwrap();
    assert_eq!(stage.send(request).await.told(), (408, "request_incomplete", r#"{"message":"Request Timeout"}"#));
    assert!(heard.try_recv().is_err(), "neither reached a cell");

    let (request, body) = post("acme", "/");
    let feed = async {
        body.send(Ok(vec![0; BODY_CHUNK_BYTES_MAX + 1].into())).await.unwrap();
    };
    let (answer, ()) = tokio::join!(stage.send(request), feed);
    assert_eq!(answer.told().0, 408);
    until(|| heard.try_iter().any(|word| word == "cancel")).await;
}

/// The same stage for clients that are soon given up.
fn hurried(stage: Stage) -> Stage {
    let front = Front { plane: stage.front.plane.clone(), port: "1".into(), dev: false, body_idle: BODY_IDLE };
    Stage { front: front.into(), ..stage }
}

const BODY_IDLE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_body_that_stands_still_gives_its_places_back_before_the_wall_limit() {
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let (say, heard) = sync_channel(10);
    let stage = hurried(Stage::with(settings(), takes_bodies(say), with_limits("acme", limits)));
    let late = (408, "request_incomplete", r#"{"message":"Request Timeout"}"#);
    let send =
        async |request| timeout(Duration::from_secs(10), stage.send(request)).await.expect("long before wall_ms");
    for _ in 0..2 {
        let (request, _body) = post("acme", "/");
        assert_eq!(send(request).await.told(), late);
    }
    assert!(heard.try_recv().is_err(), "no cell was asked");

    let (request, body) = post("acme", "/");
    body.send(Ok(vec![0; BODY_CHUNK_BYTES_MAX + 1].into())).await.unwrap();
    assert_eq!(send(request).await.told(), late);
    until(|| heard.try_iter().any(|word| word == "cancel")).await;
}

#[tokio::test]
async fn a_client_is_not_late_when_it_is_the_function_that_takes_nothing() {
    let stage = hurried(Stage::new(|mut cell| {
        cell.ready();
        while let Some((id, _)) = cell.next_invoke() {
            // The window is full long before.
            std::thread::sleep(BODY_IDLE * 2);
            cell.answer(id, b"enough");
        }
    }));
    let (request, body) = post("acme", "/");
    let feed = async move { while body.send(Ok(vec![0; 30_000].into())).await.is_ok() {} };
    let (answer, ()) = tokio::join!(stage.send(request), feed);
    assert_eq!(answer.told(), (200, "ok", "enough"));
}

#[tokio::test]
async fn a_client_may_be_silent_while_its_response_streams() {
    let stage = hurried(Stage::new(|mut cell| {
        cell.ready();
        while let Some((id, _)) = cell.next_invoke() {
            let response = ResponseFrame { body_follows: true, streamed: true, ..crate::cells::fake::ok(b"first ") };
            cell.send(&Frame::Response { id, response });
            std::thread::sleep(BODY_IDLE * 2);
            cell.send(&Frame::Body { id, last: false, data: Bytes::from_static(b"last") });
            cell.send(&Frame::End {
                id,
                end: isle_wire::End { outcome: Outcome::Ok, timing: Default::default(), detail: Bytes::new() },
            });
        }
    }));
    let (request, body) = post("acme", "/");
    body.send(Ok(vec![0; BODY_CHUNK_BYTES_MAX + 1].into())).await.unwrap();
    assert_eq!(stage.send(request).await.told(), (200, "ok", "first last"));
}

#[tokio::test]
async fn a_function_that_takes_none_of_a_body_is_late_and_its_client_is_not() {
    let limits = Limits { wall_ms: 50, ..Limits::default() };
    let script = |mut cell: FakeCell| {
        cell.ready();
        while let Some((id, _)) = cell.next_invoke() {
            // A cell's clock that is behind ours.
            std::thread::sleep(Duration::from_millis(100));
            let response = ResponseFrame::failed(Outcome::WallExceeded, Bytes::from_static(b"why"));
            cell.send(&Frame::Response { id, response });
        }
    };
    let mut stage = Stage::with(settings(), script, with_limits("acme", limits));
    let (request, body) = post("acme", "/");
    let feed = async move { while body.send(Ok(vec![0; 30_000].into())).await.is_ok() {} };
    let (answer, ()) = tokio::join!(stage.send(request), feed);
    assert_eq!(answer.told(), (504, "wall_exceeded", r#"{"message":"Gateway Timeout"}"#));
    assert_eq!(stage.line().detail, "why", "as its cell told it");
}

#[tokio::test]
async fn an_early_answer_ends_the_upload() {
    let stage = Stage::new(|mut cell| {
        cell.ready();
        while let Some((id, _)) = cell.next_invoke() {
            let response = ResponseFrame::failed(Outcome::StartupFailed, Bytes::new());
            cell.send(&Frame::Response { id, response: ResponseFrame { start: StartKind::Pooled, ..response } });
        }
    });
    let (request, body) = post("acme", "/");
    let feed = async move { while body.send(Ok(vec![0; 30_000].into())).await.is_ok() {} };
    let (answer, ()) = tokio::join!(stage.send(request), feed);
    assert_eq!(answer.told().1, "startup_failed");
}

#[tokio::test]
async fn a_streamed_response_holds_its_permit_and_breaks_with_its_cell() {
    let (go, gate) = sync_channel(0);
    let (gate, streamed) = (Mutex::new(gate), AtomicBool::new(false));
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let stage = Stage::with(
        settings(),
        move |mut cell| {
            cell.ready();
            while let Some((id, _)) = cell.next_invoke() {
                if streamed.swap(true, Ordering::Relaxed) {
                    cell.answer(id, b"whole");
                    continue;
                }
                let response = ResponseFrame { body_follows: true, ..crate::cells::fake::ok(b"first ") };
                cell.send(&Frame::Response { id, response });
                gate.lock().unwrap().recv().unwrap();
                return;
            }
        },
        with_limits("acme", limits),
    );
    let peer = crate::accept::Peer { addr: ([192, 0, 2, 1], 5).into(), tls: false };
    let response = stage.front.answer(peer, get("acme", "/")).await;
    assert_eq!(response.status(), 200);
    let busy = stage.get("acme", "/").await;
    assert_eq!(busy.told(), (429, "refused_busy", r#"{"message":"Too Many Requests"}"#));
    assert_eq!(busy.header("retry-after"), Some("1"));
    assert_eq!(stage.metric(r#"isle_refusals_total{reason="function_busy"}"#).as_deref(), Some("1"));
    std::thread::spawn(move || go.send(()));
    assert!(Answer::of(response).await.body.is_err(), "cut off, not ended");
    assert_eq!(stage.get("acme", "/").await.told(), (200, "ok", "whole"));
}
