//! `isle logs`: an app's console lines, as they are or as they come.

use crate::api::LogLine;
use crate::args::LogsArgs;
use crate::client::Client;
use crate::clock;
use crate::failure::{Done, Failure};
use crate::node_url::escape;
use crate::term::{Paint, harmless, line};

/// Runs the command.
///
/// # Errors
/// What the user should read; a stream that is followed ends only by an error.
pub async fn run(args: LogsArgs) -> Done {
    let follow = u8::from(args.follow);
    let path = format!("/v1/apps/{}/logs?follow={follow}&tail={}", escape(&args.app), args.tail);
    let mut lines = Client::of(&args.node).lines(&path).await?;
    let paint = Paint::stdout();
    while let Some(json) = lines.next().await? {
        match serde_json::from_slice::<LogLine>(&json) {
            Ok(said) if !args.node.json => line(&shown(&said, paint))?,
            _ => line(&String::from_utf8_lossy(&json))?,
        }
    }
    if args.follow { Err(Failure::said("the node ended the stream of lines")) } else { Ok(()) }
}

fn shown(said: &LogLine, paint: Paint) -> String {
    let time = paint.dim(&clock::local_hms(said.time_ms));
    format!("{time} {}", console(&said.function, &said.level, &said.text, paint))
}

/// A console line as terminals show it: `hello | text`, each further line of it indented alike.
pub fn console(function: &str, level: &str, text: &str, paint: Paint) -> String {
    let text = harmless(text, true);
    let mut out = String::new();
    for (number, part) in text.trim_end_matches('\n').split('\n').enumerate() {
        if number > 0 {
            out.push('\n');
        }
        let part = match level {
            "error" => paint.red(part),
            "warn" => paint.yellow(part),
            "debug" => paint.dim(part),
            _ => part.to_owned(),
        };
        out.push_str(&format!("{} {} {part}", paint.cyan(function), paint.dim("|")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_text_carries_the_functions_name() {
        assert_eq!(console("hello", "log", "a\nb\n", Paint::OFF), "hello | a\nhello | b");
        assert_eq!(console("hello", "error", "", Paint::OFF), "hello | ");
        assert_eq!(console("hello", "log", "\x1b[2J", Paint::OFF), "hello | \\u{1b}[2J");
    }
}
