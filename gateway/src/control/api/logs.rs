//! Logs: an app's console lines, as they are or as they come.

use super::{Answer, ApiReply, Caller, Inner, NDJSON, parameter};
use crate::control::reply::ApiError;
use crate::control::{LogLine, Plane, now_ms};
use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

/// Recent lines when the caller does not say how many.
const TAIL_DEFAULT: usize = 100;
/// The most recent lines anyone gets.
const TAIL_MAX: usize = 10_000;
/// Lines on their way to one caller; one who reads slower loses lines, and is told how many.
const QUEUE_MAX: usize = 256;

#[derive(Serialize)]
struct LineView<'a> {
    time_ms: u64,
    request_id: &'a str,
    function: &'a str,
    level: &'a str,
    text: &'a str,
}

impl LineView<'_> {
    fn encode(&self) -> Bytes {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line.into()
    }
}

fn encode(line: &LogLine) -> Bytes {
    let LogLine { time_ms, request_id, function, level, text, .. } = line;
    LineView { time_ms: *time_ms, request_id, function, level: level.as_str(), text }.encode()
}

fn skipped(count: u64) -> Bytes {
    let text = format!("{count} lines were skipped: they came faster than they were read");
    LineView { time_ms: now_ms().try_into().unwrap_or(0), request_id: "", function: "", level: "warn", text: &text }
        .encode()
}

/// Whose lines are wanted.
struct Wanted {
    tenant: String,
    app: String,
}

async fn follow(
    recent: Vec<LogLine>,
    mut coming: broadcast::Receiver<LogLine>,
    wanted: Wanted,
    lines: mpsc::Sender<Bytes>,
) {
    for line in &recent {
        if lines.send(encode(line)).await.is_err() {
            return;
        }
    }
    loop {
        let next = tokio::select! {
            next = coming.recv() => next,
            () = lines.closed() => return,
        };
        let line = match next {
            Ok(line) if line.tenant == wanted.tenant && line.app == wanted.app => encode(&line),
            Ok(_) => continue,
            Err(RecvError::Lagged(count)) => skipped(count),
            Err(RecvError::Closed) => return,
        };
        if lines.send(line).await.is_err() {
            return;
        }
    }
}

impl<P: Plane> Inner<P> {
    pub(super) fn logs(&self, caller: &Caller, app: &str, query: &str) -> Answer {
        let app = self.app(caller, app)?;
        let bad = |name: &str, expected: String| {
            ApiError::bad_request("invalid_query", format!("`{name}`: expected {expected}"))
        };
        let follows = match parameter(query, "follow") {
            None | Some("0") => false,
            Some("1") => true,
            Some(_) => return Err(bad("follow", "0 or 1".into())),
        };
        let tail = match parameter(query, "tail").map(str::parse) {
            None => TAIL_DEFAULT,
            Some(Ok(tail)) if tail <= TAIL_MAX => tail,
            Some(_) => return Err(bad("tail", format!("0 to {TAIL_MAX}"))),
        };
        let (mut recent, coming) = self.plane.logs(&app.row.tenant, &app.row.name);
        recent.drain(..recent.len().saturating_sub(tail));
        if !follows {
            let body: Vec<u8> = recent.iter().flat_map(encode).collect();
            return Ok(ApiReply::bytes(StatusCode::OK, NDJSON, body.into()));
        }
        let (lines, received) = mpsc::channel(QUEUE_MAX);
        let wanted = Wanted { tenant: app.row.tenant.clone(), app: app.row.name.clone() };
        tokio::spawn(follow(recent, coming, wanted, lines));
        Ok(ApiReply::lines(received))
    }
}
