//! Logs: what functions print and what requests did, to the node's log and to whoever follows.
//!
//! - `isle::request`: one line per request. With that target filtered out it costs a comparison.
//! - `isle::console`: functions' console lines, with the request's id.
//!
//! Per app the newest console lines are kept ([`RING_LINES`], [`RING_BYTES`]) for `isle logs`, and a
//! bounded broadcast carries new ones: who reads too slowly misses lines, nobody waits for him.
//! The node's own log takes at most [`TRACED_PER_SECOND`] console lines and failures' details of an
//! app; the rest are counted, so that one tenant's flood does not drown what others print.

use crate::control::LogLine;
use isle_wire::{ConsoleLevel, FailureDetail, FunctionSpec, Outcome, StartKind, Timing};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::broadcast;

/// Lines kept per app: some screens of history.
pub const RING_LINES: usize = 1_000;
/// Bytes of text kept per app. 256 KiB: 10,000 apps that all print stay below 3 GB.
pub const RING_BYTES: usize = 256 << 10;
/// The longest line, in bytes; the rest of it is cut off.
pub const LINE_BYTES_MAX: usize = 16 << 10;
/// Console lines and failures' details of one app that enter the node's own log in a second.
pub const TRACED_PER_SECOND: u32 = 200;
/// The longest detail of a failure there, in bytes. 1 KiB: the message and the frames that matter;
/// all of it is in the app's log.
const DETAIL_BYTES_MAX: usize = 1 << 10;
/// Lines that a follower may be behind.
const FOLLOW_LINES: usize = 256;

/// What one request did, for whoever watches a node from inside its process (`isle dev`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// The request's id.
    pub request_id: String,
    /// The function's tenant; empty when no route fit.
    pub tenant: String,
    /// Its app.
    pub app: String,
    /// Its name.
    pub function: String,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The status that was sent; 499 when the client did not wait for one.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// How its isolate came to be there.
    pub start: StartKind,
    /// From arrival to the response's head, in µs; to its end when it was streamed.
    pub total_us: u64,
    /// Where the time in the cell went.
    pub timing: Timing,
    /// Why it failed, as the function's author should see it: [`isle_wire::FailureDetail`] as JSON.
    pub detail: bytes::Bytes,
}

/// The same, borrowed: what the end of a request hands over.
#[derive(Clone, Copy, Debug)]
pub struct RequestEnd<'a> {
    /// The request's id.
    pub request_id: &'a str,
    /// The function, if a route fit.
    pub function: Option<&'a FunctionSpec>,
    /// The method.
    pub method: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// The status that was sent; 499 when the client did not wait for one.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// How its isolate came to be there.
    pub start: StartKind,
    /// From arrival to the response's head, in µs.
    pub total_us: u64,
    /// From arrival to admission, in µs.
    pub admit_us: u64,
    /// Where the time in the cell went.
    pub timing: Timing,
    /// [`isle_wire::FailureDetail`] as JSON.
    pub detail: &'a bytes::Bytes,
}

#[derive(Debug)]
struct AppLog {
    ring: VecDeque<LogLine>,
    ring_bytes: usize,
    follow: broadcast::Sender<LogLine>,
    second: Instant,
    traced: u32,
    dropped: u64,
}

impl AppLog {
    fn new(now: Instant) -> AppLog {
        AppLog {
            ring: VecDeque::new(),
            ring_bytes: 0,
            follow: broadcast::Sender::new(FOLLOW_LINES),
            second: now,
            traced: 0,
            dropped: 0,
        }
    }

    fn push(&mut self, line: LogLine) {
        self.ring_bytes += line.text.len();
        while self.ring.len() >= RING_LINES || self.ring_bytes > RING_BYTES {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.ring_bytes -= oldest.text.len();
        }
        // Nobody follows: no error.
        let _ = self.follow.send(line.clone());
        self.ring.push_back(line);
    }

    /// Whether the node's log takes another text now, and how many it did not take before.
    fn may_trace(&mut self, now: Instant) -> (bool, u64) {
        let mut missed = 0;
        if now.saturating_duration_since(self.second) >= Duration::from_secs(1) {
            (self.second, self.traced) = (now, 0);
            missed = std::mem::take(&mut self.dropped);
        }
        let may = self.traced < TRACED_PER_SECOND;
        if may {
            self.traced += 1;
        } else {
            self.dropped += 1;
        }
        (may, missed)
    }
}

type Key = (String, String);

/// Where every log line of the node passes.
#[derive(Debug)]
pub struct LogBus {
    apps: Mutex<HashMap<Key, Arc<Mutex<AppLog>>>>,
    requests: broadcast::Sender<Arc<RequestLine>>,
    console: broadcast::Sender<LogLine>,
}

impl Default for LogBus {
    fn default() -> Self {
        LogBus {
            apps: Mutex::default(),
            requests: broadcast::Sender::new(FOLLOW_LINES),
            console: broadcast::Sender::new(FOLLOW_LINES),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Now, in ms since the Unix epoch.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

fn cut(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

/// Says how many texts of an app were not shown, if any.
fn tell_missed(tenant: &str, app: &str, missed: u64) {
    if missed > 0 {
        tracing::warn!(target: "isle::logs", tenant, app, missed, "console lines or failures not shown: too many");
    }
}

/// An author's [`FailureDetail`] as text; `None`, and no field, when nothing failed.
fn detail_text(json: &[u8]) -> Option<String> {
    let detail: FailureDetail = (!json.is_empty()).then(|| serde_json::from_slice(json).ok()).flatten()?;
    let stack = detail.stack.as_deref().unwrap_or_default();
    Some(if stack.is_empty() { detail.to_string() } else { format!("{detail}\n{stack}") })
}

impl LogBus {
    fn app(&self, tenant: &str, app: &str) -> Arc<Mutex<AppLog>> {
        let key = (tenant.to_owned(), app.to_owned());
        lock(&self.apps).entry(key).or_insert_with(|| Arc::new(Mutex::new(AppLog::new(Instant::now())))).clone()
    }

    /// A function printed a line. `request_id` is empty during start-up.
    pub fn line(&self, of: &FunctionSpec, request_id: &[u8], level: ConsoleLevel, text: String) {
        let line = LogLine {
            time_ms: unix_ms(),
            request_id: String::from_utf8_lossy(request_id).into_owned(),
            tenant: of.tenant.clone(),
            app: of.app.clone(),
            function: of.function.clone(),
            level,
            text: cut(text, LINE_BYTES_MAX),
        };
        let app = self.app(&of.tenant, &of.app);
        let mut app = lock(&app);
        if tracing::enabled!(target: "isle::console", tracing::Level::INFO) {
            let (may, missed) = app.may_trace(Instant::now());
            let LogLine { request_id, tenant, app, function, text, .. } = &line;
            tell_missed(tenant, app, missed);
            if may {
                let level = level.as_str();
                tracing::info!(target: "isle::console", request_id, tenant, app, function, level, text);
            }
        }
        if self.console.receiver_count() > 0 {
            let _ = self.console.send(line.clone());
        }
        app.push(line);
    }

    /// An app's newest lines, oldest first, and those that come from now on: none twice, none lost.
    pub fn tail(&self, tenant: &str, app: &str) -> (Vec<LogLine>, broadcast::Receiver<LogLine>) {
        let app = self.app(tenant, app);
        let app = lock(&app);
        (app.ring.iter().cloned().collect(), app.follow.subscribe())
    }

    /// Forgets apps for which `keep` says no, unless somebody follows them.
    pub fn retain(&self, keep: impl Fn(&str, &str) -> bool) {
        lock(&self.apps).retain(|(tenant, app), log| keep(tenant, app) || lock(log).follow.receiver_count() > 0);
    }

    /// Every request of the node from now on.
    pub fn requests(&self) -> broadcast::Receiver<Arc<RequestLine>> {
        self.requests.subscribe()
    }

    /// Every console line of the node from now on.
    pub fn console(&self) -> broadcast::Receiver<LogLine> {
        self.console.subscribe()
    }

    /// What the node's log takes of why a request failed: it is a tenant's text, and one that throws
    /// in a loop shall not fill the log with it.
    fn detail(&self, end: &RequestEnd<'_>, now: Instant) -> Option<String> {
        let spec = end.function.filter(|_| !end.detail.is_empty())?;
        let (may, missed) = lock(&self.app(&spec.tenant, &spec.app)).may_trace(now);
        tell_missed(&spec.tenant, &spec.app, missed);
        if may { detail_text(end.detail).map(|text| cut(text, DETAIL_BYTES_MAX)) } else { None }
    }

    /// A request has ended.
    pub fn request(&self, end: &RequestEnd<'_>) {
        let (tenant, app, function) = match end.function {
            Some(spec) => (spec.tenant.as_str(), spec.app.as_str(), spec.function.as_str()),
            None => ("", "", ""),
        };
        tracing::info!(
            target: "isle::request",
            request_id = end.request_id,
            tenant,
            app,
            function,
            method = end.method,
            path = end.path,
            status = end.status,
            outcome = end.outcome.as_str(),
            start = end.start.as_str(),
            total_us = end.total_us,
            admit_us = end.admit_us,
            queue_us = end.timing.queue_us,
            start_us = end.timing.start_us,
            run_us = end.timing.run_us,
            cpu_us = end.timing.cpu_us,
            detail = self.detail(end, Instant::now()),
        );
        if self.requests.receiver_count() > 0 {
            let _ = self.requests.send(Arc::new(RequestLine {
                request_id: end.request_id.to_owned(),
                tenant: tenant.to_owned(),
                app: app.to_owned(),
                function: function.to_owned(),
                method: end.method.to_owned(),
                path: end.path.to_owned(),
                status: end.status,
                outcome: end.outcome,
                start: end.start,
                total_us: end.total_us,
                timing: end.timing,
                detail: end.detail.clone(),
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::fake::spec;

    #[test]
    fn a_follower_gets_history_and_news_without_a_gap() {
        let bus = LogBus::default();
        let blog = spec("acme", "blog", "hello");
        bus.line(&blog, b"r1", ConsoleLevel::Info, "before".into());
        bus.line(&spec("acme", "shop", "pay"), b"r2", ConsoleLevel::Warn, "elsewhere".into());
        let (recent, mut news) = bus.tail("acme", "blog");
        bus.line(&blog, b"", ConsoleLevel::Error, "after".into());
        assert_eq!(recent.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["before"]);
        assert_eq!(recent[0].request_id, "r1");
        let line = news.try_recv().unwrap();
        assert_eq!((line.text.as_str(), line.request_id.as_str()), ("after", ""));
        assert!(news.try_recv().is_err());
    }

    #[test]
    fn what_is_kept_has_a_bound_in_lines_and_in_bytes() {
        let bus = LogBus::default();
        let noisy = spec("acme", "blog", "hello");
        for number in 0..RING_LINES + 10 {
            bus.line(&noisy, b"", ConsoleLevel::Info, number.to_string());
        }
        let (recent, _) = bus.tail("acme", "blog");
        assert_eq!((recent.len(), recent[0].text.as_str()), (RING_LINES, "10"));
        for _ in 0..100 {
            bus.line(&noisy, b"", ConsoleLevel::Info, "é".repeat(LINE_BYTES_MAX));
        }
        let (recent, _) = bus.tail("acme", "blog");
        assert!(recent.iter().map(|line| line.text.len()).sum::<usize>() <= RING_BYTES);
        assert!(recent.iter().all(|line| line.text.len() <= LINE_BYTES_MAX));
        bus.retain(|_, app| app != "blog");
        assert_eq!(bus.tail("acme", "blog").0, []);
    }

    #[test]
    fn failures_of_one_app_write_a_bounded_amount_and_leave_others_theirs() {
        let (bus, now) = (LogBus::default(), Instant::now());
        let detail = FailureDetail {
            error_type: "Error".into(),
            message: "é".repeat(4 << 10),
            stack: Some("at x".into()),
            ..Default::default()
        };
        let detail = serde_json::to_vec(&detail).unwrap().into();
        let written = |of: &FunctionSpec| {
            let end = RequestEnd {
                request_id: "r",
                function: Some(of),
                method: "GET",
                path: "/",
                status: 500,
                outcome: Outcome::HandlerThrew,
                start: StartKind::Warm,
                total_us: 1,
                admit_us: 1,
                timing: Timing::default(),
                detail: &detail,
            };
            bus.detail(&end, now).map(|text| text.len())
        };
        let (noisy, quiet) = (spec("acme", "blog", "hello"), spec("acme", "shop", "pay"));
        let all: Vec<usize> = (0..10_000).filter_map(|_| written(&noisy)).collect();
        assert_eq!(all.len(), TRACED_PER_SECOND as usize);
        assert!(all.iter().all(|&bytes| (DETAIL_BYTES_MAX - 1..=DETAIL_BYTES_MAX).contains(&bytes)), "{all:?}");
        assert!(written(&quiet).is_some());
    }

    #[test]
    fn a_flood_is_counted_instead_of_traced() {
        let now = Instant::now();
        let mut app = AppLog::new(now);
        let traced = (0..TRACED_PER_SECOND + 7).filter(|_| app.may_trace(now).0).count();
        assert_eq!(traced, TRACED_PER_SECOND as usize);
        assert_eq!(app.may_trace(now + Duration::from_secs(1)), (true, 7));
    }
}
