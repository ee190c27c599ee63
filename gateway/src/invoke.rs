//! An invocation that came through the Invoke API: the same gates, cells and books as a request's,
//! with the event given and the result taken as it is.

use crate::accept::{Peer, ReplyBody};
use crate::account::Account;
use crate::admit::QUEUE_WAIT;
use crate::cells::invocation::Invocation;
use crate::control::{DirectCall, Invoked};
use crate::dispatch::{Head, dispatch};
use crate::plane::DataPlane;
use crate::route::{FunctionVersion, Matched};
use bytes::{Bytes, BytesMut};
use http::{HeaderName, Request, Response};
use isle_wire::{INVOKE_ROUTE, Outcome, ResponseFrame};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

static CLIENT_CONTEXT: HeaderName = HeaderName::from_static("x-amz-client-context");
/// The status in the log line of an invocation whose handler failed: the caller gets it as an answer.
const FAILED: u16 = 500;

fn ended(call: &DirectCall, response: ResponseFrame, body: Bytes) -> Invoked {
    let ResponseFrame { outcome, timing, detail, .. } = response;
    Invoked { request_id: call.request_id.clone(), outcome, timing, detail, body }
}

/// Runs the function's handler with the call's payload as its event.
pub(crate) async fn invoke(plane: &Arc<DataPlane>, function: &Arc<FunctionVersion>, mut call: DirectCall) -> Invoked {
    let payload = std::mem::take(&mut call.payload);
    let refused = |outcome| ended(&call, ResponseFrame::failed(outcome, Bytes::new()), Bytes::new());
    // What the caller's own request said is between it and the node: the function gets none of it.
    let spec = &function.spec;
    let path = format!("/2015-03-31/functions/{}:{}/invocations", spec.app, spec.function);
    let mut request = Request::post(path);
    if let Some(context) = &call.client_context {
        request = request.header(&CLIENT_CONTEXT, context);
    }
    let Ok(request) = request.body(()) else { return refused(Outcome::RequestIncomplete) };

    let served = plane.served(function);
    let mut account = Account::open(plane, &request, &call.request_id);
    account.routed(&served);
    let admitted = match served.gates.admit(QUEUE_WAIT).await {
        Ok(admitted) => admitted,
        Err(reason) => {
            account.refused(reason);
            let mut reply = Response::new(());
            *reply.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
            account.close_early(Outcome::RefusedBusy, &reply);
            return refused(Outcome::RefusedBusy);
        }
    };
    account.admitted();

    let matched = Matched {
        function: function.clone(),
        route_key: Bytes::from_static(INVOKE_ROUTE),
        path_parameters: Vec::new(),
        cors: None,
    };
    let head = Head {
        request: &request,
        host: "",
        matched: &matched,
        peer: Peer { addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), tls: false },
        port: "",
        request_id: call.request_id.as_str(),
        time_ms: account.time_ms(),
    };
    let body = ReplyBody::from(payload);
    // Its body is here, so nobody is waited for.
    let mut end = dispatch(&plane.cells, &served, &admitted, &call.request_id, head, body, Duration::MAX).await;
    let mut result = std::mem::take(&mut end.response.body);
    if let Some(rest) = end.rest.take() {
        match whole(std::mem::take(&mut result), rest, spec.limits.response_body_bytes_max as usize).await {
            Ok(all) => result = all,
            Err(outcome) => end.response.outcome = outcome,
        }
    }
    let response = end.response;
    let status = if response.outcome == Outcome::Ok { 200 } else { FAILED };
    account.close(response.outcome, response.start, response.timing, &response.detail, status);
    ended(&call, response, result)
}

/// A result that did not fit one frame, or is streamed: then it is bounded only here.
async fn whole(first: Bytes, mut rest: Invocation, bytes_max: usize) -> Result<Bytes, Outcome> {
    let mut all = BytesMut::from(&first[..]);
    rest.credit(first.len());
    loop {
        match rest.body().await {
            Ok(Some(piece)) => {
                all.extend_from_slice(&piece);
                rest.credit(piece.len());
            }
            Ok(None) => return Ok(all.freeze()),
            Err(_) => return Err(rest.end().map_or(Outcome::CellDied, |end| end.outcome)),
        }
        if all.len() > bytes_max {
            return Err(Outcome::ResponseTooLarge);
        }
    }
}
