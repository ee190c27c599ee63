//! The Invoke API: a function called by name, with an event of the caller's, as Lambda has it.
//!
//! Statuses, header fields and error types are the vendor's, so that its tools work; the token is
//! ours. A handler that fails is an answer (200 with `X-Amz-Function-Error`), not a failure of the
//! call. An invocation of type `Event` runs once, whatever comes of it, and ends with the node.

use super::{Answer, ApiReply, Caller, Inner, parameter};
use crate::control::reply::ApiBody;
use crate::control::{DirectCall, Invoked, Plane};
use crate::request_id::RequestId;
use crate::route::FunctionVersion;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use isle_wire::{FailureDetail, Outcome};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// `Event` invocations of one tenant at one time, waiting ones included.
const EVENTS_MAX: usize = 64;
/// The longest event of those, in bytes: what the vendor takes. A tenant's fit 16 MiB together.
const EVENT_BYTES_MAX: usize = 256 << 10;
/// The end of the log that `X-Amz-Log-Type: Tail` asks for, in bytes: what the vendor sends.
const LOG_BYTES_MAX: usize = 4 << 10;
/// The longest client context, in bytes of base64: what the vendor takes.
const CLIENT_CONTEXT_BYTES_MAX: usize = 3_583;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");
const INVOCATION_TYPE: &str = "x-amz-invocation-type";
const LOG_TYPE: &str = "x-amz-log-type";
const CLIENT_CONTEXT: &str = "x-amz-client-context";

/// A refusal in the vendor's words.
struct Refusal(StatusCode, &'static str, String);

impl Refusal {
    fn invalid(message: impl Into<String>) -> Refusal {
        Refusal(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message.into())
    }

    fn unknown(name: &str) -> Refusal {
        let message = format!("Function not found: {}", name.escape_debug());
        Refusal(StatusCode::NOT_FOUND, "ResourceNotFoundException", message)
    }

    fn busy() -> Refusal {
        Refusal(StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException", "Rate Exceeded.".to_owned())
    }
}

impl From<Refusal> for ApiReply {
    fn from(Refusal(status, kind, message): Refusal) -> ApiReply {
        let whose = if status.is_server_error() { "Service" } else { "User" };
        let mut reply = ApiReply::json(status, &json!({"Type": whose, "Message": message}));
        reply.headers.push((ERROR_TYPE, HeaderValue::from_static(kind)));
        if status == StatusCode::UNAUTHORIZED {
            reply.headers.push((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        reply
    }
}

/// How the caller wants to hear of it.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Wait,
    Event,
    DryRun,
}

fn word<'h>(headers: &'h HeaderMap, name: &str, default: &'h str) -> &'h str {
    headers.get(name).map_or(default, |value| value.to_str().unwrap_or("?"))
}

fn kind(headers: &HeaderMap) -> Result<Kind, Refusal> {
    match word(headers, INVOCATION_TYPE, "RequestResponse") {
        "RequestResponse" => Ok(Kind::Wait),
        "Event" => Ok(Kind::Event),
        "DryRun" => Ok(Kind::DryRun),
        other => Err(Refusal::invalid(format!(
            "X-Amz-Invocation-Type is `{}`, expected RequestResponse, Event or DryRun",
            other.escape_debug()
        ))),
    }
}

fn wants_log(headers: &HeaderMap) -> Result<bool, Refusal> {
    match word(headers, LOG_TYPE, "None") {
        "None" => Ok(false),
        "Tail" => Ok(true),
        other => {
            let message = format!("X-Amz-Log-Type is `{}`, expected None or Tail", other.escape_debug());
            Err(Refusal::invalid(message))
        }
    }
}

fn client_context(headers: &HeaderMap) -> Result<Option<HeaderValue>, Refusal> {
    let Some(given) = headers.get(CLIENT_CONTEXT) else { return Ok(None) };
    let json = STANDARD.decode(given).ok().filter(|_| given.len() <= CLIENT_CONTEXT_BYTES_MAX);
    let fits = json.is_some_and(|json| serde_json::from_slice::<Value>(&json).is_ok());
    let message =
        format!("X-Amz-Client-Context: expected base64 of JSON, at most {CLIENT_CONTEXT_BYTES_MAX} characters");
    if fits {
        Ok(Some(given.clone()))
    } else {
        Err(Refusal(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message))
    }
}

/// `app:function`, or the same at the end of an ARN; each with a version, or not. An app that has
/// one function needs no function's name.
fn names(name: &str) -> (String, Option<String>, Option<String>) {
    let name = name.replace("%3A", ":").replace("%3a", ":").replace("%24", "$");
    let local = match name.strip_prefix("arn:") {
        Some(arn) => arn.split_once(":function:").map_or("", |(_, local)| local).to_owned(),
        None => name,
    };
    let mut parts = local.splitn(3, ':').map(str::to_owned);
    (parts.next().unwrap_or_default(), parts.next(), parts.next())
}

/// Places for invocations that nobody waits for, so many for each tenant.
#[derive(Debug, Default)]
pub(super) struct Events(Mutex<HashMap<String, Arc<Semaphore>>>);

impl Events {
    fn place(&self, tenant: &str) -> Option<OwnedSemaphorePermit> {
        let mut tenants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever runs none now is not remembered.
        tenants.retain(|_, places| places.available_permits() < EVENTS_MAX);
        let places = tenants.entry(tenant.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(EVENTS_MAX)));
        places.clone().try_acquire_owned().ok()
    }
}

impl<P: Plane> Inner<P> {
    /// Answers `POST /2015-03-31/functions/{name}/invocations`.
    pub(super) async fn invoke(
        self: &Arc<Self>,
        name: &str,
        query: &str,
        headers: &HeaderMap,
        payload: Bytes,
    ) -> Answer {
        Ok(self.try_invoke(name, query, headers, payload).await.unwrap_or_else(ApiReply::from))
    }

    fn function(&self, caller: &Caller, name: &str, query: &str) -> Result<Arc<FunctionVersion>, Refusal> {
        let unknown = || Refusal::unknown(name);
        let (app, function, version) = names(name);
        let app = self.app(caller, &app).map_err(|_| unknown())?;
        let functions = &app.content.as_ref().ok_or_else(unknown)?.built.functions;
        let found = match &function {
            Some(function) => functions.get(function),
            None => functions.values().next().filter(|_| functions.len() == 1),
        };
        let found = &found.ok_or_else(unknown)?.version;
        let asked = parameter(query, "Qualifier").map(|asked| asked.replace("%24", "$"));
        for version in version.iter().chain(&asked) {
            if version != "$LATEST" && *version != found.spec.deployment {
                return Err(Refusal::unknown(&format!("{name}:{version}")));
            }
        }
        Ok(found.clone())
    }

    async fn try_invoke(
        self: &Arc<Self>,
        name: &str,
        query: &str,
        headers: &HeaderMap,
        payload: Bytes,
    ) -> Result<ApiReply, Refusal> {
        let caller = self.caller(headers).map_err(|_| {
            let message = "expected `Authorization: Bearer TOKEN` with a token of this node".to_owned();
            Refusal(StatusCode::UNAUTHORIZED, "UnrecognizedClientException", message)
        })?;
        let function = self.function(&caller, name, query)?;
        let (kind, wants_log) = (kind(headers)?, wants_log(headers)?);
        let client_context = client_context(headers)?;
        let limit = function.spec.limits.request_body_bytes_max as usize;
        let limit = if kind == Kind::Event { limit.min(EVENT_BYTES_MAX) } else { limit };
        if payload.len() > limit {
            let message = format!("{} byte payload is too large, expected at most {limit}", payload.len());
            return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message));
        }
        if !payload.is_empty()
            && let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&payload)
        {
            let message = format!("Could not parse request body into json: {error}");
            return Err(Refusal(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message));
        }
        let request_id = RequestId::next();
        let call = DirectCall { request_id: request_id.clone(), payload, client_context };
        let mut reply = match kind {
            Kind::DryRun => ApiReply::nothing(),
            Kind::Event => self.start(function, call)?,
            Kind::Wait => self.wait(&function, call, wants_log).await?,
        };
        if let Ok(id) = HeaderValue::from_maybe_shared(request_id.bytes().clone()) {
            reply.headers.push((REQUEST_ID, id));
        }
        Ok(reply)
    }

    /// Runs it apart and says no more than that it was accepted.
    fn start(self: &Arc<Self>, function: Arc<FunctionVersion>, call: DirectCall) -> Result<ApiReply, Refusal> {
        let place = self.events.place(&function.spec.tenant).ok_or_else(Refusal::busy)?;
        let this = self.clone();
        tokio::spawn(async move {
            let _place = place;
            this.plane.invoke(&function, call).await;
        });
        Ok(ApiReply { status: StatusCode::ACCEPTED.as_u16(), ..ApiReply::nothing() })
    }

    async fn wait(
        &self,
        function: &Arc<FunctionVersion>,
        call: DirectCall,
        wants_log: bool,
    ) -> Result<ApiReply, Refusal> {
        let invoked = self.plane.invoke(function, call).await;
        let mut reply = answer(&invoked, function)?;
        if let Ok(version) = HeaderValue::from_str(&function.spec.deployment) {
            reply.headers.push((EXECUTED_VERSION, version));
        }
        if wants_log {
            let log = self.log_of(&invoked, function);
            let end = &log.as_bytes()[log.len().saturating_sub(LOG_BYTES_MAX)..];
            if let Ok(value) = HeaderValue::from_str(&STANDARD.encode(end)) {
                reply.headers.push((LOG_RESULT, value));
            }
        }
        Ok(reply)
    }

    /// What the invocation printed, between the vendor's own lines.
    fn log_of(&self, invoked: &Invoked, function: &FunctionVersion) -> String {
        let (spec, id) = (&function.spec, invoked.request_id.as_str());
        let mut log = format!("START RequestId: {id} Version: {}\n", spec.deployment);
        let (lines, _) = self.plane.logs(&spec.tenant, &spec.app);
        for line in lines.iter().filter(|line| line.request_id == id) {
            log.push_str(&format!("{id}\t{}\t{}\n", line.level.as_str().to_ascii_uppercase(), line.text));
        }
        let timing = &invoked.timing;
        let duration =
            f64::from(timing.queue_us) / 1e3 + f64::from(timing.start_us) / 1e3 + f64::from(timing.run_us) / 1e3;
        log.push_str(&format!(
            "END RequestId: {id}\nREPORT RequestId: {id}\tDuration: {duration:.2} ms\tMemory Size: {} MB\n",
            spec.limits.heap_mb
        ));
        log
    }
}

/// The handler's result, or its failure as one (R80 to R82).
fn answer(invoked: &Invoked, function: &FunctionVersion) -> Result<ApiReply, Refusal> {
    let body = match invoked.outcome {
        Outcome::Ok => {
            let mut reply = ApiReply::bytes(StatusCode::OK, "application/json", Bytes::new());
            reply.body = ApiBody::Full(invoked.body.clone());
            return Ok(reply);
        }
        Outcome::RefusedBusy => return Err(Refusal::busy()),
        Outcome::RequestTooLarge => {
            let message = "the payload is too large".to_owned();
            return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message));
        }
        Outcome::Unavailable | Outcome::Cancelled | Outcome::RequestIncomplete | Outcome::NoRoute => {
            let message = "the node cannot run the function now".to_owned();
            return Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", message));
        }
        Outcome::WallExceeded => {
            let seconds = f64::from(function.spec.limits.wall_ms) / 1e3;
            let id = invoked.request_id.as_str();
            let message = format!("RequestId: {id} Error: Task timed out after {seconds:.2} seconds");
            json!({"errorType": "Sandbox.Timedout", "errorMessage": message})
        }
        Outcome::HandlerThrew
        | Outcome::NeverSettled
        | Outcome::InvalidResponse
        | Outcome::StartupFailed
        | Outcome::ResponseTooLarge
        | Outcome::CellDied
        | Outcome::StartupCpuExceeded
        | Outcome::CpuExceeded
        | Outcome::HeapExceeded => failure(invoked),
    };
    let mut reply = ApiReply::json(StatusCode::OK, &body);
    reply.headers.push((FUNCTION_ERROR, HeaderValue::from_static("Unhandled")));
    Ok(reply)
}

fn failure(invoked: &Invoked) -> Value {
    match serde_json::from_slice::<FailureDetail>(&invoked.detail) {
        Ok(FailureDetail { error_type, message, stack, .. }) => {
            let trace: Vec<&str> = stack.as_deref().map(|stack| stack.lines().collect()).unwrap_or_default();
            json!({"errorType": error_type, "errorMessage": message, "trace": trace})
        }
        Err(_) => {
            let (id, word) = (invoked.request_id.as_str(), invoked.outcome.as_str());
            let message = format!("RequestId: {id} Error: Runtime exited: {word}");
            json!({"errorType": "Runtime.ExitError", "errorMessage": message})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_in_every_way_that_tools_use() {
        let three = |app: &str, function: Option<&str>, version: Option<&str>| {
            (app.to_owned(), function.map(str::to_owned), version.map(str::to_owned))
        };
        for (name, expected) in [
            ("blog", three("blog", None, None)),
            ("blog:hello", three("blog", Some("hello"), None)),
            ("blog%3Ahello%3a%24LATEST", three("blog", Some("hello"), Some("$LATEST"))),
            ("arn:isle:lambda:local:acme:function:blog:hello", three("blog", Some("hello"), None)),
            ("arn:nothing", three("", None, None)),
        ] {
            assert_eq!(names(name), expected, "{name}");
        }
    }

    #[test]
    fn one_tenants_events_take_no_place_from_anothers() {
        let events = Events::default();
        let mut held: Vec<_> = (0..EVENTS_MAX).map(|_| events.place("acme").expect("a place")).collect();
        assert!(events.place("acme").is_none());
        assert!(events.place("zeta").is_some());
        held.pop();
        assert!(events.place("acme").is_some());
        drop(held);
        assert!(events.place("zeta").is_some());
        assert_eq!(events.0.lock().unwrap().len(), 1, "who runs nothing is forgotten");
    }
}
