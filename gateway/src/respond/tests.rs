use super::*;
use crate::accept::Peer;
use crate::cells::fake::{FakeCell, ok, spec};
use crate::serve::Front;
use crate::stage::{Answer, Stage, get, settings};
use http::Request;
use isle_wire::{End, FailureDetail, Frame, FunctionKind, FunctionSpec, Limits};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;

fn stage(response: ResponseFrame) -> Stage {
    Stage::new(move |mut cell: FakeCell| {
        cell.ready();
        while let Some((id, _)) = cell.next_invoke() {
            cell.send(&Frame::Response { id, response: response.clone() });
        }
    })
}

fn with_headers(headers: &[(&'static str, &'static str)]) -> ResponseFrame {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (Bytes::from_static(name.as_bytes()), Bytes::from_static(value.as_bytes()))
    };
    ResponseFrame { headers: headers.iter().map(pair).collect(), ..ok(b"body") }
}

async fn answer(response: ResponseFrame) -> Answer {
    stage(response).get("acme", "/").await
}

#[tokio::test]
async fn every_outcome_has_a_status_and_tells_strangers_nothing_else() {
    let secret = Bytes::from_static(b"{\"error_type\":\"E\",\"message\":\"/srv/secret\"}");
    for outcome in Outcome::ALL.into_iter().filter(|outcome| *outcome != Outcome::Ok) {
        let answer = answer(ResponseFrame::failed(outcome, secret.clone())).await;
        assert!((400..600).contains(&answer.status));
        let body: serde_json::Value = serde_json::from_slice(answer.body.as_ref().unwrap()).unwrap();
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["message"]);
        assert_eq!(answer.header("isle-outcome"), Some(outcome.as_str()));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(!format!("{answer:?}").contains("secret"));
    }
}

#[tokio::test]
async fn a_functions_fields_pass_and_ours_stay_ours() {
    let answer = answer(with_headers(&[
        ("content-type", "text/plain"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("content-length", "9999"),
        ("transfer-encoding", "chunked"),
        ("connection", "upgrade"),
        ("isle-outcome", "cpu_exceeded"),
        ("isle-request-id", "forged"),
    ]))
    .await;
    assert_eq!(answer.told(), (200, "ok", "body"));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    for name in ["content-length", "transfer-encoding", "connection"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!(answer.headers.get_all("isle-request-id").iter().count(), 1);
    assert_ne!(answer.header("isle-request-id"), Some("forged"));
}

#[tokio::test]
async fn what_is_no_http_is_an_invalid_response() {
    for bad in [
        with_headers(&[("na me", "x")]),
        with_headers(&[("", "x")]),
        with_headers(&[("x", "a\r\nset-cookie: b")]),
        ResponseFrame { status: 101, ..ok(b"") },
        ResponseFrame { status: 600, ..ok(b"") },
        ResponseFrame { status: 0, ..ok(b"") },
    ] {
        let mut stage = stage(bad.clone());
        assert_eq!(stage.get("acme", "/").await.told().1, "invalid_response", "{bad:?}");
        assert_eq!(stage.line().outcome, Outcome::InvalidResponse, "the log says what was sent");
    }
}

#[tokio::test]
async fn some_responses_have_no_body() {
    for status in [204, 304] {
        let answer = answer(ResponseFrame { status, ..ok(b"body") }).await;
        assert_eq!((answer.told(), answer.header("content-length")), ((status, "ok", ""), None));
    }
    let head = |app| Request::head("/").header("host", format!("{app}.test")).body(ReplyBody::empty()).unwrap();
    let good = stage(ok(b"body")).send(head("acme")).await;
    assert_eq!((good.told(), good.header("content-length")), ((200, "ok", ""), Some("4")));
    let missing = stage(ok(b"body")).send(head("nobody")).await;
    assert_eq!((missing.told(), missing.header("content-length")), ((404, "no_route", ""), Some("23")));
}

#[tokio::test]
async fn an_author_sees_why() {
    let detail = FailureDetail {
        error_type: "TypeError".into(),
        message: "<b> is not a function".into(),
        file: Some("hello.js".into()),
        line: Some(3),
        column: Some(9),
        stack: Some("TypeError: <b>\n    at hello.js:3:9".into()),
    };
    let detail = serde_json::to_vec(&detail).unwrap();
    let stage = stage(ResponseFrame::failed(Outcome::HandlerThrew, detail.into()));
    let dev = Stage {
        front: Arc::new(Front {
            plane: stage.front.plane.clone(),
            port: "1".into(),
            dev: true,
            body_idle: stage.front.body_idle,
        }),
        source: stage.source,
        lines: stage.lines,
    };
    let json = dev.get("acme", "/").await;
    assert_eq!((json.status, json.header("isle-start")), (500, Some("none")));
    let body: serde_json::Value = serde_json::from_slice(json.body.as_ref().unwrap()).unwrap();
    assert_eq!(
        (&body["errorType"], &body["file"], &body["line"]),
        (&"TypeError".into(), &"hello.js".into(), &3.into())
    );

    let mut request = get("acme", "/");
    request.headers_mut().insert("accept", "text/html,*/*".parse().unwrap());
    let page = dev.send(request).await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let page = std::str::from_utf8(page.body.as_ref().unwrap()).unwrap();
    assert!(page.contains("hello.js:3:9") && page.contains("&lt;b&gt; is not") && !page.contains("<b>"), "{page}");
}

#[tokio::test]
async fn a_stream_that_failed_holds_no_permit_for_a_client_that_takes_nothing() {
    let streamed = AtomicBool::new(false);
    let script = move |mut cell: FakeCell| {
        cell.ready();
        while let Some((id, _)) = cell.next_invoke() {
            if streamed.swap(true, Ordering::Relaxed) {
                cell.answer(id, b"next");
                continue;
            }
            let response = ResponseFrame { body_follows: true, streamed: true, ..ok(b"first") };
            cell.send(&Frame::Response { id, response });
            // Credit for a piece means that it is on its way to the client; two find room there.
            for piece in [b"second", b"unsent"] {
                while !matches!(cell.next().unwrap(), Frame::Credit { .. }) {}
                cell.send(&Frame::Body { id, last: false, data: Bytes::from_static(piece) });
            }
            let end = End { outcome: Outcome::WallExceeded, timing: Timing::default(), detail: Bytes::new() };
            cell.send(&Frame::End { id, end });
        }
    };
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let function = FunctionSpec { limits, kind: FunctionKind::Handler, ..spec("acme", "acme", "main") };
    let mut stage = Stage::with(settings(), script, vec![function]);
    let peer = Peer { addr: ([192, 0, 2, 1], 5).into(), tls: false };
    let unread = stage.front.answer(peer, get("acme", "/")).await;
    let line = timeout(Duration::from_secs(20), stage.lines.recv()).await.expect("it ended").unwrap();
    assert_eq!(line.outcome, Outcome::WallExceeded);
    assert_eq!(stage.get("acme", "/").await.told(), (200, "ok", "next"));
    assert!(Answer::of(unread).await.body.is_err(), "cut off, not ended");
}
