//! One fetch, from its frame to the last byte of its response. A task of its own: dropping it, which
//! is what the function's giving up and the cell's end do, ends it wherever it is.

use super::exchange::{Exchange, UploadBody};
use super::failure::{Failure, HOPS_MAX, Refused};
use super::target::{Target, Way};
use super::tenant::Tenant;
use super::{Egress, Hops, fields};
use crate::accept::{Peer, ReplyBody};
use crate::cells::link::Link;
use crate::metrics::FunctionMetrics;
use crate::route::FunctionVersion;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use isle_wire::{BODY_BYTES_UNKNOWN, BODY_CHUNK_BYTES_MAX, FetchFrame, FetchRequest, FetchResponse};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout, timeout_at};

/// The source address of a function's request inside the node: RFC 7600's dummy, which nobody can
/// take for a neighbour that is to be trusted.
const NOBODY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

/// A fetch as its cell asks for it.
pub struct Asked {
    /// The link it came by.
    pub link: Arc<Link>,
    /// The function that asks.
    pub function: Arc<FunctionVersion>,
    /// How deep in a chain of functions the asking invocation is.
    pub depth: u8,
    /// The cell's number for it.
    pub id: u32,
    /// What to fetch.
    pub request: FetchRequest,
}

/// Begins a fetch.
pub fn start(egress: &Arc<Egress>, asked: Asked) {
    let exchange = Exchange::new(asked.id, &asked.link);
    let (link, id) = (asked.link.clone(), asked.id);
    let begin = || {
        let fetch = Fetch::new(egress.clone(), asked, exchange.clone());
        tokio::spawn(fetch.run()).abort_handle()
    };
    if link.underway().begin(&exchange, begin).is_none() {
        egress.metrics.fetch_refused(Refused::TooMany.reason());
        link.send_fetch(id, FetchFrame::Failed(said(&Refused::TooMany.into())));
    }
}

/// What the function's author reads.
fn said(failure: &Failure) -> String {
    format!("fetch failed: {failure}")
}

/// Counts a fetch however it ends.
struct Account {
    metrics: Arc<FunctionMetrics>,
    asked: Instant,
    outcome: &'static str,
    status: u16,
    head: Option<Duration>,
}

struct Fetch {
    egress: Arc<Egress>,
    link: Arc<Link>,
    function: Arc<FunctionVersion>,
    depth: u8,
    exchange: Arc<Exchange>,
    request: FetchRequest,
    account: Account,
    /// For the log: host and port, nothing that could be a secret.
    place: (String, u16),
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.link.underway().end(self.exchange.id);
        self.exchange.finish();
        let Account { metrics, asked, outcome, status, head } = &self.account;
        metrics.fetched(outcome, head.unwrap_or_else(|| asked.elapsed()));
        tracing::debug!(
            target: "isle::egress",
            tenant = self.function.spec.tenant,
            app = self.function.spec.app,
            function = self.function.spec.function,
            method = %String::from_utf8_lossy(&self.request.method),
            host = self.place.0,
            port = self.place.1,
            outcome,
            status,
            took_us = asked.elapsed().as_micros() as u64,
            "fetch"
        );
    }
}

/// A response's body, from wherever it comes.
enum Reply {
    Net(Incoming),
    Inside(ReplyBody),
}

impl Reply {
    async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            let frame = match self {
                Reply::Net(body) => body.frame().await?.map_err(|error| broken(&error)),
                Reply::Inside(body) => {
                    body.frame().await?.map_err(|_| Failure::Broken("the function broke off its response"))
                }
            };
            match frame.map(|frame| frame.into_data()) {
                Ok(Ok(data)) if data.is_empty() => {}
                Ok(Ok(data)) => return Some(Ok(data)),
                // Trailers: nobody can read them.
                Ok(Err(_)) => {}
                Err(failure) => return Some(Err(failure)),
            }
        }
    }

    fn is_end(&self) -> bool {
        match self {
            Reply::Net(body) => body.is_end_stream(),
            Reply::Inside(body) => body.is_end_stream(),
        }
    }

    fn at_least(&self) -> u64 {
        match self {
            Reply::Net(body) => body.size_hint().lower(),
            Reply::Inside(body) => body.size_hint().lower(),
        }
    }
}

fn broken(error: &hyper::Error) -> Failure {
    if error.is_timeout() {
        Failure::Broken("the server does not answer any more")
    } else if error.is_parse() {
        Failure::Broken("the server's answer is no HTTP")
    } else {
        Failure::Broken("the connection broke off")
    }
}

/// What went wrong, found among what the client library wrapped around it.
fn cause(error: &(dyn Error + 'static)) -> Failure {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return failure.clone();
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && error.source().is_none()
        {
            return broken(error);
        }
        next = error.source();
    }
    Failure::Broken("the connection broke off")
}

impl Fetch {
    fn new(egress: Arc<Egress>, asked: Asked, exchange: Arc<Exchange>) -> Fetch {
        let Asked { link, function, depth, request, .. } = asked;
        let now = Instant::now();
        let metrics = egress.metrics.function(&function.spec, now);
        let account = Account { metrics, asked: now, outcome: Failure::Aborted.outcome(), status: 0, head: None };
        Fetch { egress, link, function, depth, exchange, request, account, place: (String::new(), 0) }
    }

    async fn run(mut self) {
        match self.fetch().await {
            Ok(()) => self.account.outcome = "ok",
            Err(failure) => {
                self.account.outcome = failure.outcome();
                if let Failure::Refused(refused) = &failure {
                    self.egress.metrics.fetch_refused(refused.reason());
                }
                self.link.send_fetch(self.exchange.id, FetchFrame::Failed(said(&failure)));
            }
        }
    }

    fn limit_ms(&self) -> u32 {
        self.function.spec.limits.fetch_ms
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(u64::from(self.limit_ms()))
    }

    async fn fetch(&mut self) -> Result<(), Failure> {
        let own = self.egress.function(&self.function);
        let target = Target::parse(&self.request.url)?;
        self.place = (target.host.clone(), target.port);
        let way = self.egress.shared.rules.judge(&target, own.allow.as_deref())?;
        let request = self.http_request(&target)?;
        let is_head = *request.method() == Method::HEAD;
        let tenant = self.egress.tenant(&self.function.spec.tenant, Instant::now());
        let _turn = self.turn(&own.in_flight).await?;
        let _tenants_turn = self.turn(&tenant.in_flight).await?;
        if self.request.body_follows {
            self.exchange.open();
        }
        let response = match way {
            Way::Inside => self.inside(&target, request).await?,
            Way::Public | Way::Open => self.outside(&tenant, request).await?,
        };
        self.account.head = Some(self.account.asked.elapsed());
        self.hand_over(response, is_head).await
    }

    /// Waits for a place among the function's, or its tenant's, requests.
    async fn turn(&self, in_flight: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Failure> {
        let deadline = self.account.asked + self.patience();
        match timeout_at(deadline.into(), in_flight.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Failure::Aborted),
            Err(_) => Err(Failure::Late("waiting for the function's other requests", self.limit_ms())),
        }
    }

    fn http_request(&mut self, target: &Target) -> Result<Request<UploadBody>, Refused> {
        let method = Method::from_bytes(&self.request.method).map_err(|_| Refused::Malformed("the method is none"))?;
        if matches!(method, Method::CONNECT | Method::TRACE) {
            return Err(Refused::Malformed("the method is none that a function may use"));
        }
        let body = std::mem::take(&mut self.request.body);
        let body = if self.request.body_follows {
            let length = (self.request.body_bytes != BODY_BYTES_UNKNOWN).then_some(self.request.body_bytes);
            UploadBody::Pieces(self.exchange.clone(), length)
        } else {
            UploadBody::Whole((!body.is_empty()).then_some(body))
        };
        let empty = body.is_end_stream();
        let mut request = Request::new(body);
        *request.headers_mut() = fields::outbound(&self.request.headers)?;
        if empty && matches!(method, Method::POST | Method::PUT) {
            // Servers may take the lack of a length for the lack of a body that was meant to come.
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        *request.method_mut() = method;
        *request.uri_mut() = target.uri.clone();
        Ok(request)
    }

    /// A response's head, within the time limit; sending the request on counts as going on.
    async fn head<T>(&self, response: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::pin!(response);
        let mut deadline = self.account.asked + self.patience();
        loop {
            match timeout_at(deadline.into(), &mut response).await {
                Ok(response) => return Ok(response),
                Err(_) => {
                    let later = self.exchange.progress() + self.patience();
                    if later <= Instant::now() {
                        return Err(Failure::Late("waiting for the response", self.limit_ms()));
                    }
                    deadline = later;
                }
            }
        }
    }

    async fn outside(&self, tenant: &Tenant, request: Request<UploadBody>) -> Result<Response<Reply>, Failure> {
        let pool = tenant.pool();
        let response = self.head(pool.request(request)).await?.map_err(|error| cause(&error))?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Failure::Broken("the server switched protocols unasked"));
        }
        Ok(response.map(Reply::Net))
    }

    /// A function of this node is asked as a stranger would ask it.
    async fn inside(&self, target: &Target, mut request: Request<UploadBody>) -> Result<Response<Reply>, Failure> {
        if self.depth >= HOPS_MAX {
            return Err(Refused::Loop.into());
        }
        let unavailable = || Failure::Unreachable("the node is stopping");
        let inside = self.egress.inside.get().and_then(|inside| inside.upgrade()).ok_or_else(unavailable)?;
        let authority = target.uri.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::from_str(authority).map_err(|_| Refused::Url("is malformed"))?;
        request.headers_mut().insert(header::HOST, host);
        if let Some(length) = request.body().size_hint().exact()
            && length > 0
        {
            request.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        let path = target.uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().map_err(|_| Refused::Url("is malformed"))?;
        request.extensions_mut().insert(Hops(self.depth + 1));
        let peer = Peer { addr: SocketAddr::from((NOBODY, 0)), tls: target.tls };
        let response = self.head(inside.answer(peer, request)).await?;
        Ok(response.map(Reply::Inside))
    }

    /// Sends head and body to the cell, as it takes them.
    async fn hand_over(&mut self, response: Response<Reply>, is_head: bool) -> Result<(), Failure> {
        let (parts, mut body) = response.into_parts();
        self.account.status = parts.status.as_u16();
        let no_body = is_head
            || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
        let follows = !no_body && !body.is_end();
        let reason = match parts.extensions.get::<hyper::ext::ReasonPhrase>() {
            Some(reason) => Bytes::copy_from_slice(reason.as_bytes()),
            None if parts.version < http::Version::HTTP_2 => {
                Bytes::from_static(parts.status.canonical_reason().unwrap_or_default().as_bytes())
            }
            None => Bytes::new(),
        };
        let head = FetchResponse {
            status: parts.status.as_u16(),
            reason,
            headers: fields::inbound(&parts.headers),
            body_follows: follows,
        };
        self.send(FetchFrame::Response(head)).await?;
        if !follows {
            return Ok(());
        }
        let limit = self.function.spec.limits.fetch_response_bytes_max;
        if body.at_least() > u64::from(limit) {
            return Err(Failure::TooLarge(limit));
        }
        let mut received = 0u64;
        loop {
            let late = |_| Failure::Late("waiting for more of the response body", self.limit_ms());
            let Some(data) = timeout(self.patience(), body.next()).await.map_err(late)? else {
                return self.send(FetchFrame::Body { last: true, data: Bytes::new() }).await;
            };
            let mut data = data?;
            received += data.len() as u64;
            if received > u64::from(limit) {
                return Err(Failure::TooLarge(limit));
            }
            let ended = body.is_end();
            while !data.is_empty() {
                let unread = |_| Failure::Late("the function's reading of the response body", self.limit_ms());
                let want = data.len().min(BODY_CHUNK_BYTES_MAX);
                let room = timeout(self.patience(), self.exchange.room(want)).await.map_err(unread)?;
                let piece = data.split_to(room);
                let last = ended && data.is_empty();
                self.send(FetchFrame::Body { last, data: piece }).await?;
            }
            if ended {
                return Ok(());
            }
        }
    }

    /// Sends a frame when not too much waits to be written to the cell.
    async fn send(&self, frame: FetchFrame) -> Result<(), Failure> {
        self.link.room().await;
        self.link.send_fetch(self.exchange.id, frame);
        Ok(())
    }
}
