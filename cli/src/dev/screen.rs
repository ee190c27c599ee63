//! What `isle dev` shows: each request as one line, each console line with its function's name,
//! each failure with its place in the code.

use super::source::Code;
use crate::api::Refused;
use crate::clock;
use crate::deploy::refusal;
use crate::logs::console;
use crate::term::{Paint, harmless, line};
use isle_gateway::control::LogLine;
use isle_gateway::logs::RequestLine;
use isle_wire::{FailureDetail, Outcome, StartKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

/// A view of everything that happens on a node.
pub struct Screen {
    requests: broadcast::Receiver<Arc<RequestLine>>,
    console: broadcast::Receiver<LogLine>,
    /// The code that is live: failures point into it.
    code: watch::Receiver<Arc<Code>>,
    paint: Paint,
}

impl Screen {
    /// A view of what these bring.
    pub fn new(
        requests: broadcast::Receiver<Arc<RequestLine>>,
        console: broadcast::Receiver<LogLine>,
        code: watch::Receiver<Arc<Code>>,
        paint: Paint,
    ) -> Screen {
        Screen { requests, console, code, paint }
    }

    /// Shows it, for as long as the node lives and the terminal is there.
    pub async fn show(mut self) {
        loop {
            let shown = tokio::select! {
                // A function's lines come before the end of the request that made it print them.
                biased;
                said = self.console.recv() => match said {
                    Ok(said) => console(&said.function, said.level.as_str(), &said.text, self.paint),
                    Err(RecvError::Lagged(count)) => self.skipped(count, "lines of console output"),
                    Err(RecvError::Closed) => return,
                },
                ended = self.requests.recv() => match ended {
                    Ok(ended) => request(&ended, clock::now_ms(), &self.code.borrow(), self.paint),
                    Err(RecvError::Lagged(count)) => self.skipped(count, "requests"),
                    Err(RecvError::Closed) => return,
                },
            };
            if line(&shown).is_err() {
                return;
            }
        }
    }

    fn skipped(&self, count: u64, what: &str) -> String {
        self.paint.yellow(&format!("{count} {what} came faster than they could be shown"))
    }
}

/// `12:01:02 GET /hello 200 1.3 ms warm`, and the outcome with its reason when it is not `ok`.
fn request(ended: &RequestLine, now_ms: i64, code: &Code, paint: Paint) -> String {
    let status = ended.status.to_string();
    let status = match ended.status {
        200..=299 => paint.green(&status),
        300..=399 => paint.cyan(&status),
        400..=499 => paint.yellow(&status),
        _ => paint.red(&status),
    };
    let mut shown = format!(
        "{} {} {} {status} {}",
        paint.dim(&clock::local_hms(now_ms)),
        paint.bold(&harmless(&ended.method, false)),
        harmless(&ended.path, false),
        clock::duration(Duration::from_micros(ended.total_us)),
    );
    match ended.start {
        StartKind::None => {}
        StartKind::Warm => shown.push_str(&format!(" {}", paint.dim(StartKind::Warm.as_str()))),
        cold => shown.push_str(&format!(" {}", paint.cyan(cold.as_str()))),
    }
    if ended.outcome != Outcome::Ok {
        shown.push_str(&format!(" {}", paint.red(ended.outcome.as_str())));
    }
    if let Ok(detail) = serde_json::from_slice::<FailureDetail>(&ended.detail) {
        let details = Refused::of(&ended.function, detail);
        shown.push('\n');
        shown.push_str(&refusal(&ended.app, &details, &code.manifest, code.folder.texts(), paint));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use isle_wire::Timing;

    fn ended() -> RequestLine {
        RequestLine {
            request_id: "r".to_owned(),
            tenant: "dev".to_owned(),
            app: "blog".to_owned(),
            function: "hello".to_owned(),
            method: "GET".to_owned(),
            path: "/hello".to_owned(),
            status: 200,
            outcome: Outcome::Ok,
            start: StartKind::Warm,
            total_us: 1_349,
            timing: Timing::default(),
            detail: bytes::Bytes::new(),
        }
    }

    #[test]
    fn a_request_is_one_line() {
        let shown = request(&ended(), 0, &Code::default(), Paint::OFF);
        assert_eq!(&shown[8..], " GET /hello 200 1.3 ms warm");
        let none = RequestLine { status: 404, outcome: Outcome::NoRoute, start: StartKind::None, ..ended() };
        assert_eq!(&request(&none, 0, &Code::default(), Paint::OFF)[8..], " GET /hello 404 1.3 ms no_route");
    }

    #[test]
    fn a_failure_points_into_the_code() {
        let mut code = Code::default();
        code.folder.files.insert("hello.js".to_owned(), "a;\nx();\n".to_owned());
        let detail = FailureDetail {
            error_type: "TypeError".to_owned(),
            message: "x is not a function".to_owned(),
            file: Some("hello.js".to_owned()),
            line: Some(2),
            column: Some(1),
            stack: None,
        };
        let failed = RequestLine {
            path: "/\u{1b}[2J".to_owned(),
            status: 500,
            outcome: Outcome::HandlerThrew,
            start: StartKind::Pooled,
            detail: serde_json::to_vec(&detail).unwrap().into(),
            ..ended()
        };
        assert_eq!(
            &request(&failed, 0, &code, Paint::OFF)[8..],
            " GET /\\u{1b}[2J 500 1.3 ms pooled handler_threw\n\
             blog/hello: hello.js:2:1: TypeError: x is not a function\n\
             \x20 1 | a;\n\
             \x20 2 | x();\n\
             \x20   | ^",
        );
    }
}
