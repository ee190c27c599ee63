//! What an author sees in `isle dev` instead of an answer: why there is none.

use crate::request_id::RequestId;
use bytes::Bytes;
use http::StatusCode;
use isle_wire::{FailureDetail, Outcome};
use serde::Serialize;
use std::fmt::Write;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    outcome: &'static str,
    error_type: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<&'a str>,
    request_id: &'a str,
}

/// What to say when the cell gave no reason: the reason is the outcome.
fn explanation(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "it went well",
        Outcome::HandlerThrew => "the handler threw",
        Outcome::InvalidResponse => "what the handler returned is no response",
        Outcome::NeverSettled => "the handler's promise can never settle: nothing is left to wait for",
        Outcome::StartupFailed => "the module could not be started",
        Outcome::StartupCpuExceeded => "evaluating the module took more CPU time than startup_cpu_ms",
        Outcome::CpuExceeded => "the handler took more CPU time than handler_cpu_ms",
        Outcome::WallExceeded => "the handler took longer than wall_ms",
        Outcome::HeapExceeded => "the function needed more memory than heap_mb",
        Outcome::ResponseTooLarge => "the response body is larger than response_body_bytes_max",
        Outcome::CellDied => "the process that ran the function died; the terminal may say why",
        Outcome::Cancelled => "the client left",
        Outcome::RefusedBusy => "too many requests at one time",
        Outcome::RequestTooLarge => "the request body is larger than request_body_bytes_max",
        Outcome::RequestIncomplete => "the request is incomplete or not understood",
        Outcome::NoRoute => "no route fits this host, method and path",
        Outcome::Unavailable => {
            "no process could be started for the function, or it died too often; try again in a moment"
        }
    }
}

/// Content type and body of the answer.
pub(super) fn page(
    status: StatusCode,
    outcome: Outcome,
    detail: &[u8],
    request_id: &RequestId,
    html: bool,
) -> (&'static str, Bytes) {
    let known: Option<FailureDetail> = serde_json::from_slice(detail).ok();
    let detail = known.unwrap_or_else(|| FailureDetail {
        error_type: outcome.as_str().to_owned(),
        message: explanation(outcome).to_owned(),
        ..FailureDetail::default()
    });
    if html {
        return ("text/html; charset=utf-8", document(status, outcome, &detail, request_id).into());
    }
    let json = Json {
        outcome: outcome.as_str(),
        error_type: &detail.error_type,
        message: &detail.message,
        file: detail.file.as_deref(),
        line: detail.line,
        column: detail.column,
        stack: detail.stack.as_deref(),
        request_id: request_id.as_str(),
    };
    ("application/json", serde_json::to_vec_pretty(&json).unwrap_or_default().into())
}

/// Text between tags or quotes: whatever it is, it stays text.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn document(status: StatusCode, outcome: Outcome, detail: &FailureDetail, request_id: &RequestId) -> String {
    let mut out = String::from(
        "<!doctype html><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1rem}\
         h1{font-size:1.4rem}pre{background:#8882;padding:1rem;overflow:auto;border-radius:4px}\
         small{color:#888}:root{color-scheme:light dark}</style>",
    );
    let (class, message) = (escaped(&detail.error_type), escaped(&detail.message));
    // Writing to a string cannot fail.
    let _ = write!(out, "<title>{class}</title><h1>{class}: {message}</h1>");
    if let Some(file) = &detail.file {
        let (line, column) = (detail.line.unwrap_or(1), detail.column.unwrap_or(1));
        let _ = write!(out, "<p><code>{}:{line}:{column}</code></p>", escaped(file));
    }
    if let Some(stack) = &detail.stack {
        let _ = write!(out, "<pre>{}</pre>", escaped(stack));
    }
    let word = outcome.as_str();
    let _ = write!(out, "<p>{}</p>", escaped(explanation(outcome)));
    let _ = write!(out, "<small>{} · {word} · {}</small>", status.as_u16(), request_id.as_str());
    out
}
