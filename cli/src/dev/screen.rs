//! What `isle dev` shows: each request as one line, each console line with its function's name.
//!
//! The node says what happens through `tracing`; this is the subscriber that turns those events
//! into lines for a person. Targets and fields are the node's.

use crate::clock;
use crate::logs::console;
use crate::term::{Paint, harmless, line, remark};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Target of the one event per request.
const REQUEST: &str = "isle::request";
/// Target of functions' console lines.
const CONSOLE: &str = "isle::console";

/// Prints events.
pub struct Screen {
    paint: Paint,
}

impl Screen {
    /// A screen in these colours.
    pub fn new(paint: Paint) -> Screen {
        Screen { paint }
    }
}

impl<S: Subscriber> Layer<S> for Screen {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        // A screen that cannot be written to is not the node's problem.
        match metadata.target() {
            REQUEST => drop(line(&request(&fields, clock::now_ms(), self.paint))),
            CONSOLE => {
                drop(line(&console(fields.text("function"), fields.text("level"), fields.text("text"), self.paint)))
            }
            _ if *metadata.level() <= Level::WARN => remark(&trouble(&fields, *metadata.level(), self.paint)),
            _ => {}
        }
    }
}

/// `12:01:02 GET /hello 200 1.3 ms warm`, and the outcome's word when it is not `ok`.
fn request(fields: &Fields, now_ms: i64, paint: Paint) -> String {
    let status = fields.text("status");
    let status = match status.as_bytes().first() {
        Some(b'2') => paint.green(status),
        Some(b'3') => paint.cyan(status),
        Some(b'4') => paint.yellow(status),
        _ => paint.red(status),
    };
    let took = Duration::from_micros(fields.number("total_us"));
    let mut shown = format!(
        "{} {} {} {status} {}",
        paint.dim(&clock::local_hms(now_ms)),
        paint.bold(&harmless(fields.text("method"), false)),
        harmless(fields.text("path"), false),
        clock::duration(took),
    );
    let start = fields.text("start");
    if start != "none" && !start.is_empty() {
        shown.push(' ');
        shown.push_str(&if start == "warm" { paint.dim(start) } else { paint.cyan(start) });
    }
    let outcome = fields.text("outcome");
    if outcome != "ok" && !outcome.is_empty() {
        shown.push(' ');
        shown.push_str(&paint.red(outcome));
    }
    let detail = fields.text("detail");
    if !detail.is_empty() {
        for part in harmless(detail, true).lines() {
            shown.push_str(&format!("\n  {}", paint.red(part)));
        }
    }
    shown
}

/// Anything else worth a developer's attention.
fn trouble(fields: &Fields, level: Level, paint: Paint) -> String {
    let word = if level == Level::ERROR { paint.red("error") } else { paint.yellow("warning") };
    let mut shown = format!("{word}: {}", fields.text("message"));
    for (name, value) in fields.0.iter().filter(|(name, _)| *name != "message") {
        shown.push_str(&format!(" {name}={}", harmless(value, false)));
    }
    shown
}

/// An event's fields as text: an event is a line on a screen, so speed is of no concern.
#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&'static str, &str)]) -> Fields {
        Fields(list.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
    }

    #[test]
    fn a_request_is_one_line() {
        let fields = fields(&[
            ("method", "GET"),
            ("path", "/hello"),
            ("status", "200"),
            ("total_us", "1349"),
            ("start", "warm"),
            ("outcome", "ok"),
        ]);
        let shown = request(&fields, 0, Paint::OFF);
        assert_eq!(&shown[8..], " GET /hello 200 1.3 ms warm");
    }

    #[test]
    fn a_failure_is_named_and_told() {
        let fields = fields(&[
            ("method", "GET"),
            ("path", "/\u{1b}[2J"),
            ("status", "500"),
            ("total_us", "900"),
            ("start", "pooled"),
            ("outcome", "handler_threw"),
            ("detail", "hello.js:3:1: TypeError: x is not a function\n    at handler"),
        ]);
        let shown = request(&fields, 0, Paint::OFF);
        assert_eq!(
            &shown[8..],
            " GET /\\u{1b}[2J 500 0.90 ms pooled handler_threw\n  hello.js:3:1: TypeError: x is not a function\n      at handler",
        );
    }
}
