//! Serve: joins the rooms of a request. No logic of its own.

use crate::accept::{Handler, Peer, ReplyBody, host_of};
use crate::account::Account;
use crate::admit::QUEUE_WAIT;
use crate::cors::preflight_of;
use crate::dispatch::{Head, dispatch};
use crate::egress::{Answering, Inside, UploadBody};
use crate::plane::DataPlane;
use crate::request_id::RequestId;
use crate::respond::{ASKS_TIMING, Asked, Audience, preflight, refuse, respond, tell_timing};
use crate::route::is_ambiguous;
use http::{Method, Request, Response, header};
use http_body::Body;
use isle_wire::{Outcome, PayloadFormat};
use std::sync::Arc;
use std::time::Duration;

/// The public listener's side of a node.
pub struct Front {
    /// What is served.
    pub plane: Arc<DataPlane>,
    /// The port that strangers connect to, in digits.
    pub port: String,
    /// Whether clients are the functions' authors.
    pub dev: bool,
    /// How long a request's body may stand still.
    pub body_idle: Duration,
}

impl Front {
    fn audience(&self, request: &Request<()>) -> Audience {
        let wants_html = || {
            let mut accepts = request.headers().get_all(header::ACCEPT).iter();
            accepts.any(|value| value.to_str().is_ok_and(|value| value.contains("text/html")))
        };
        if self.dev { Audience::Author { html: wants_html() } } else { Audience::Stranger }
    }

    /// Answers one request.
    pub async fn answer<B>(&self, peer: Peer, request: Request<B>) -> Response<ReplyBody>
    where
        B: Body<Data = bytes::Bytes> + Send + Unpin + 'static,
    {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, ());
        let request_id = RequestId::next();
        let mut asked = Asked {
            request_id: &request_id,
            is_head: request.method() == Method::HEAD,
            audience: self.audience(&request),
            format: PayloadFormat::V2,
        };
        // account: from here on the request is counted, whatever becomes of it.
        let mut account = Account::open(&self.plane, &request, &request_id);

        // accept → route: which host and path are meant, and which function serves them.
        let host = host_of(&request).ok().filter(|_| !is_ambiguous(request.uri().path()));
        let Some(host) = host else {
            let reply = refuse(Outcome::RequestIncomplete, &asked);
            account.close_early(Outcome::RequestIncomplete, &reply);
            return reply;
        };
        let (routes, path) = (self.plane.routes.load(), request.uri().path());
        // A browser's preflight is answered here, where the app has a policy.
        if let Some(policy) = preflight_of(&request).and_then(|method| routes.policy(host, method, path)) {
            let reply = preflight(&policy, request.headers(), &asked);
            account.close_early(Outcome::Ok, &reply);
            return reply;
        }
        let Some(matched) = routes.route(host, request.method().as_str(), path) else {
            if routes.is_rest(host) {
                asked.format = PayloadFormat::Rest;
            }
            let mut reply = refuse(Outcome::NoRoute, &asked);
            if let Some(policy) = routes.policy(host, request.method().as_str(), path) {
                policy.apply(request.headers(), reply.headers_mut());
            }
            account.close_early(Outcome::NoRoute, &reply);
            return reply;
        };
        drop(routes);
        asked.format = matched.function.spec.contract.payload_format;
        let served = self.plane.served(&matched.function);
        account.routed(&served);

        // route → admit: may it enter, before a byte of its body is read.
        let admitted = match served.gates.admit(QUEUE_WAIT).await {
            Ok(admitted) => admitted,
            Err(refused) => {
                account.refused(refused);
                let mut reply = refuse(Outcome::RefusedBusy, &asked);
                if let Some(policy) = &matched.cors {
                    policy.apply(request.headers(), reply.headers_mut());
                }
                account.close_early(Outcome::RefusedBusy, &reply);
                return reply;
            }
        };
        account.admitted();

        // admit → dispatch → cell: the head as it came, the body as it comes.
        let head = Head {
            request: &request,
            host,
            matched: &matched,
            peer,
            port: &self.port,
            request_id: request_id.as_str(),
            time_ms: account.time_ms(),
        };
        let ended = dispatch(&self.plane.cells, &served, &admitted, &request_id, head, body, self.body_idle).await;

        // cell → respond → account: the one status, the one line, the one count.
        let (start, timing, detail) = (ended.response.start, ended.response.timing, ended.response.detail.clone());
        let status = ended.response.status;
        let mut account = Some(account);
        let streams = || account.take().expect("asked for once").streams(start, timing, status);
        let (mut reply, outcome) = respond(ended, admitted, &asked, streams);
        if let Some(policy) = &matched.cors {
            policy.apply(request.headers(), reply.headers_mut());
        }
        if request.headers().contains_key(&ASKS_TIMING) {
            tell_timing(&mut reply, start, &timing);
        }
        if let Some(account) = account {
            account.close(outcome, start, timing, &detail, reply.status().as_u16());
        }
        reply
    }
}

impl Inside for Front {
    fn answer(&self, peer: Peer, request: Request<UploadBody>) -> Answering<'_> {
        Box::pin(Front::answer(self, peer, request))
    }
}

impl Handler for Front {
    fn handle(
        self: &Arc<Self>,
        peer: Peer,
        request: Request<hyper::body::Incoming>,
    ) -> impl Future<Output = Response<ReplyBody>> + Send {
        let front = self.clone();
        async move { front.answer(peer, request).await }
    }
}
