//! Respond: the only place that turns an outcome into a status.
//!
//! Strangers learn a status, one word and the request's id; which limit fired is the word. Messages,
//! files and stacks are for `isle dev` alone ([`Audience::Author`]).
//!
//! | outcome | status |
//! |---|---|
//! | `ok` | the handler's |
//! | `handler_threw`, `never_settled` | 500; 502 in payload format 1.0 |
//! | `invalid_response`, `startup_failed`, `response_too_large`, `cell_died` | 502 |
//! | `startup_cpu_exceeded`, `cpu_exceeded`, `heap_exceeded`, `unavailable` | 503 |
//! | `wall_exceeded` | 504 |
//! | `refused_busy` | 429 |
//! | `request_too_large` | 413 |
//! | `request_incomplete` | 400, or 408 when it was time |
//! | `no_route` | 404; 403 where every function is a REST API's |
//! | `cancelled` | 499, in logs only |

mod page;
mod stream;
#[cfg(test)]
mod tests;

use crate::accept::ReplyBody;
use crate::account::StreamAccount;
use crate::admit::Admitted;
use crate::cells::invocation::Invocation;
use crate::cors::Policy;
use crate::dispatch::{Coming, Ended, is_hop_by_hop};
use crate::request_id::RequestId;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use isle_wire::{Outcome, PayloadFormat, ResponseFrame, StartKind, Timing};

static OUTCOME: HeaderName = HeaderName::from_static("isle-outcome");
static REQUEST_ID: HeaderName = HeaderName::from_static("isle-request-id");
static ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
static START: HeaderName = HeaderName::from_static("isle-start");
static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// A request that carries this field is told where its time went: for load tests.
pub static ASKS_TIMING: HeaderName = HeaderName::from_static("isle-timing");

/// The status in logs for a client that did not wait for one.
pub const CLIENT_LEFT: u16 = 499;

/// For whom a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Anybody: the outcome's word and nothing more.
    Stranger,
    /// The function's author, in `isle dev`: everything, as JSON or as a page.
    Author {
        /// Whether the client wants HTML.
        html: bool,
    },
}

/// What a response is made of, besides how the request ended.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The request's id.
    pub request_id: &'a RequestId,
    /// Whether it was a HEAD request.
    pub is_head: bool,
    /// For whom it is.
    pub audience: Audience,
    /// In whose words failures are told.
    pub format: PayloadFormat,
}

fn status(outcome: Outcome, body_late: bool, format: PayloadFormat) -> StatusCode {
    match outcome {
        Outcome::Ok => StatusCode::OK,
        // R60, R56: what a REST API says.
        Outcome::HandlerThrew | Outcome::NeverSettled if format != PayloadFormat::V2 => StatusCode::BAD_GATEWAY,
        Outcome::NoRoute if format == PayloadFormat::Rest => StatusCode::FORBIDDEN,
        Outcome::HandlerThrew | Outcome::NeverSettled => StatusCode::INTERNAL_SERVER_ERROR,
        Outcome::InvalidResponse | Outcome::StartupFailed | Outcome::ResponseTooLarge | Outcome::CellDied => {
            StatusCode::BAD_GATEWAY
        }
        Outcome::StartupCpuExceeded | Outcome::CpuExceeded | Outcome::HeapExceeded | Outcome::Unavailable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Outcome::WallExceeded => StatusCode::GATEWAY_TIMEOUT,
        Outcome::RefusedBusy => StatusCode::TOO_MANY_REQUESTS,
        Outcome::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Outcome::RequestIncomplete if body_late => StatusCode::REQUEST_TIMEOUT,
        Outcome::RequestIncomplete => StatusCode::BAD_REQUEST,
        Outcome::NoRoute => StatusCode::NOT_FOUND,
        // Nobody reads it; the log has a number of its own.
        Outcome::Cancelled => StatusCode::BAD_REQUEST,
    }
}

fn message(status: StatusCode, format: PayloadFormat) -> &'static str {
    match status {
        StatusCode::BAD_GATEWAY if format != PayloadFormat::V2 => r#"{"message":"Internal server error"}"#,
        StatusCode::GATEWAY_TIMEOUT if format != PayloadFormat::V2 => r#"{"message":"Endpoint request timed out"}"#,
        StatusCode::FORBIDDEN => r#"{"message":"Missing Authentication Token"}"#,
        StatusCode::BAD_REQUEST => r#"{"message":"Bad Request"}"#,
        StatusCode::NOT_FOUND => r#"{"message":"Not Found"}"#,
        StatusCode::REQUEST_TIMEOUT => r#"{"message":"Request Timeout"}"#,
        StatusCode::PAYLOAD_TOO_LARGE => r#"{"message":"Request Entity Too Large"}"#,
        StatusCode::TOO_MANY_REQUESTS => r#"{"message":"Too Many Requests"}"#,
        StatusCode::BAD_GATEWAY => r#"{"message":"Bad Gateway"}"#,
        StatusCode::SERVICE_UNAVAILABLE => r#"{"message":"Service Unavailable"}"#,
        StatusCode::GATEWAY_TIMEOUT => r#"{"message":"Gateway Timeout"}"#,
        _ => r#"{"message":"Internal Server Error"}"#,
    }
}

/// The name that payload format 1.0 gives a failure.
fn error_type(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::REQUEST_TIMEOUT => "BadRequestException",
        StatusCode::FORBIDDEN => "MissingAuthenticationTokenException",
        StatusCode::NOT_FOUND => "ResourceNotFoundException",
        StatusCode::PAYLOAD_TOO_LARGE => "RequestTooLargeException",
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequestsException",
        _ => "InternalServerErrorException",
    }
}

/// The response for a request that never reached a cell.
pub fn refuse(outcome: Outcome, asked: &Asked<'_>) -> Response<ReplyBody> {
    failure(outcome, StartKind::None, &Bytes::new(), false, asked)
}

/// What follows the head of a response.
struct Rest {
    invocation: Option<Invocation>,
    coming: Option<Coming>,
    admitted: Admitted,
}

/// The response for a dispatched request, and how it ended after all: a cell may have sent what is
/// no HTTP. `admitted` is kept until the last byte of the body has been taken. `account` is asked
/// for when the response is streamed, and closed when that ends.
pub fn respond(
    ended: Ended,
    admitted: Admitted,
    asked: &Asked<'_>,
    account: impl FnOnce() -> StreamAccount,
) -> (Response<ReplyBody>, Outcome) {
    let Ended { response, rest, coming, body_late } = ended;
    let outcome = response.outcome;
    if outcome != Outcome::Ok {
        return (failure(outcome, response.start, &response.detail, body_late, asked), outcome);
    }
    let start = response.start;
    let rest = Rest { invocation: rest, coming, admitted };
    match success(response, rest, asked, account) {
        Some(reply) => (reply, outcome),
        None => {
            let outcome = Outcome::InvalidResponse;
            (failure(outcome, start, &Bytes::new(), false, asked), outcome)
        }
    }
}

/// Adds how the isolate came to be there and where the time went, in ms (Server Timing, W3C).
pub fn tell_timing(reply: &mut Response<ReplyBody>, start: StartKind, timing: &Timing) {
    let ms = |micros: u32| f64::from(micros) / 1_000.0;
    let text = format!(
        "queue;dur={}, start;dur={}, run;dur={}, cpu;dur={}",
        ms(timing.queue_us),
        ms(timing.start_us),
        ms(timing.run_us),
        ms(timing.cpu_us)
    );
    let headers = reply.headers_mut();
    headers.insert(&START, HeaderValue::from_static(start.as_str()));
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
        headers.append(&SERVER_TIMING, value);
    }
}

fn marks(headers: &mut HeaderMap, outcome: Outcome, start: StartKind, asked: &Asked<'_>) {
    headers.insert(&OUTCOME, HeaderValue::from_static(outcome.as_str()));
    if let Ok(id) = HeaderValue::from_maybe_shared(asked.request_id.bytes().clone()) {
        headers.insert(&REQUEST_ID, id);
    }
    if asked.audience != Audience::Stranger {
        headers.insert(&START, HeaderValue::from_static(start.as_str()));
    }
}

/// Whether a function may set this field: framing is ours, and so is what we say about it.
fn is_ours(name: &HeaderName) -> bool {
    is_hop_by_hop(name) || *name == header::CONTENT_LENGTH || *name == OUTCOME || *name == REQUEST_ID || *name == START
}

/// The handler's response, or `None` when it is no HTTP.
fn success(
    frame: ResponseFrame,
    rest: Rest,
    asked: &Asked<'_>,
    account: impl FnOnce() -> StreamAccount,
) -> Option<Response<ReplyBody>> {
    let status = StatusCode::from_u16(frame.status).ok().filter(|status| (200..600).contains(&status.as_u16()))?;
    let mut headers = HeaderMap::with_capacity(frame.headers.len() + 4);
    for (name, value) in frame.headers {
        let name = HeaderName::from_bytes(&name).ok()?;
        if !is_ours(&name) {
            headers.try_append(name, HeaderValue::from_maybe_shared(value).ok()?).ok()?;
        }
    }
    marks(&mut headers, frame.outcome, frame.start, asked);
    let body = if status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        ReplyBody::empty()
    } else if asked.is_head {
        // What a GET would have; what follows is not wanted, and dropping `rest` says so.
        if rest.invocation.is_none() {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(frame.body.len()));
        }
        ReplyBody::empty()
    } else if rest.invocation.is_some() {
        stream::body(frame.body, rest, frame.streamed.then(account))
    } else {
        frame.body.into()
    };
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    *reply.headers_mut() = headers;
    Some(reply)
}

fn failure(
    outcome: Outcome,
    start: StartKind,
    detail: &Bytes,
    body_late: bool,
    asked: &Asked<'_>,
) -> Response<ReplyBody> {
    let status = status(outcome, body_late, asked.format);
    let (content_type, body) = match asked.audience {
        Audience::Stranger => ("application/json", Bytes::from_static(message(status, asked.format).as_bytes())),
        Audience::Author { html } => page::page(status, outcome, detail, asked.request_id, html),
    };
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if outcome == Outcome::RefusedBusy {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if asked.format != PayloadFormat::V2 {
        headers.insert(&ERROR_TYPE, HeaderValue::from_static(error_type(status)));
    }
    marks(&mut headers, outcome, start, asked);
    let body = if asked.is_head {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        ReplyBody::empty()
    } else {
        body.into()
    };
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    *reply.headers_mut() = headers;
    reply
}

/// The answer to a preflight: the policy's word and no body.
pub fn preflight(policy: &Policy, request: &HeaderMap, asked: &Asked<'_>) -> Response<ReplyBody> {
    let mut reply = Response::new(ReplyBody::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    *reply.headers_mut() = policy.preflight(request);
    marks(reply.headers_mut(), Outcome::Ok, StartKind::None, asked);
    reply
}
