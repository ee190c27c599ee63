//! The admin listener: `/healthz`, `/readyz` and `/metrics` from here, everything else from control.
//!
//! A body is read only when it is known whose it is. Whoever has no token of this node is answered
//! at once, and a request without a body never waits for one with.

mod places;

use crate::accept::{Counters, Handler, Peer, ReplyBody};
use crate::control::{Api, ApiBody, ApiReply, Caller};
use crate::node::NodePlane;
use crate::plane::DataPlane;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use places::Places;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How long a body may take, the wait for the caller's others included.
const BODY_TIME_MAX: Duration = Duration::from_secs(120);
/// Lines between a follower and its log.
const LINES: usize = 16;

/// The admin listener's side of a node.
pub struct Admin {
    api: Api<NodePlane>,
    plane: Arc<DataPlane>,
    listeners: Vec<(&'static str, Arc<Counters>)>,
    places: Places,
    draining: Arc<AtomicBool>,
    stop: watch::Receiver<bool>,
}

fn plain(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<ReplyBody> {
    let mut reply = Response::new(ReplyBody::from(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

fn refused(status: StatusCode, code: &str, message: &str) -> Response<ReplyBody> {
    let body = serde_json::json!({"error": {"code": code, "message": message, "details": {}}});
    plain(status, "application/json", body.to_string())
}

impl Admin {
    /// An admin listener over these.
    pub(crate) fn new(
        api: Api<NodePlane>,
        plane: Arc<DataPlane>,
        listeners: Vec<(&'static str, Arc<Counters>)>,
        draining: Arc<AtomicBool>,
        stop: watch::Receiver<bool>,
    ) -> Admin {
        Admin { api, plane, listeners, places: Places::default(), draining, stop }
    }

    fn metrics(&self) -> Response<ReplyBody> {
        let listeners: Vec<(&str, &Counters)> =
            self.listeners.iter().map(|(name, counters)| (*name, &**counters)).collect();
        self.plane.metrics.observe(&listeners, &self.plane.cells);
        plain(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.plane.metrics.encode())
    }

    fn ready(&self) -> Response<ReplyBody> {
        if self.draining.load(Ordering::Relaxed) {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "stopping\n");
        }
        if !self.plane.cells.is_ready() {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "no cell is ready yet\n");
        }
        plain(StatusCode::OK, "text/plain", "ready\n")
    }

    async fn api(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let (parts, body) = request.into_parts();
        let caller = if body.is_end_stream() { None } else { self.api.caller(&parts.headers) };
        let body = match caller {
            Some(caller) => match self.read(&caller, body).await {
                Ok(body) => body,
                Err(refusal) => return refusal,
            },
            // There is none, or what is said to strangers does not depend on it.
            None => Bytes::new(),
        };
        self.reply(self.api.handle(&parts.method, &parts.uri, &parts.headers, body).await)
    }

    /// Reads a body of the caller's.
    async fn read(&self, caller: &Caller, body: Incoming) -> Result<Bytes, Response<ReplyBody>> {
        let most = self.api.settings().body_bytes_max();
        let collect = async {
            let _place = self.places.take(caller).await;
            Limited::new(body, most).collect().await
        };
        match tokio::time::timeout(BODY_TIME_MAX, collect).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                let message = format!("expected a body of at most {most} bytes");
                Err(refused(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &message))
            }
            Ok(Err(_)) => Err(refused(StatusCode::BAD_REQUEST, "body_incomplete", "the body broke off")),
            Err(_) => Err(refused(StatusCode::REQUEST_TIMEOUT, "body_late", "the body took too long")),
        }
    }

    fn reply(&self, answer: ApiReply) -> Response<ReplyBody> {
        let body = match answer.body {
            ApiBody::Full(bytes) => bytes.into(),
            ApiBody::Lines(lines) => ReplyBody::Stream(until_stop(lines, self.stop.clone())),
        };
        let mut reply = Response::new(body);
        *reply.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if !answer.content_type.is_empty() {
            reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        }
        reply.headers_mut().extend(answer.headers);
        reply
    }
}

/// The same lines, ended when the node stops: a follower must not hold up its end.
fn until_stop(mut lines: mpsc::Receiver<Bytes>, mut stop: watch::Receiver<bool>) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(LINES);
    tokio::spawn(async move {
        loop {
            let line = tokio::select! {
                line = lines.recv() => line,
                _ = stop.wait_for(|stop| *stop) => return,
                () = sender.closed() => return,
            };
            let Some(line) = line else { return };
            if sender.send(line).await.is_err() {
                return;
            }
        }
    });
    receiver
}

impl Handler for Admin {
    fn handle(
        self: &Arc<Self>,
        _: Peer,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<ReplyBody>> + Send {
        let admin = self.clone();
        async move {
            let reads = request.method() == Method::GET || request.method() == Method::HEAD;
            match request.uri().path() {
                "/healthz" if reads => plain(StatusCode::OK, "text/plain", "ok\n"),
                "/readyz" if reads => admin.ready(),
                "/metrics" if reads => admin.metrics(),
                _ => admin.api(request).await,
            }
        }
    }
}
