//! The operations that the platform's `fetch` is made of, and one isolate's account of them.
//!
//! They take the place of deno_fetch's own, which would open sockets: same names and shapes, so that
//! its script (redirects, abort, bodies, what a `Response` is) runs unchanged.

use super::decode::{Codings, Decoder};
use super::exchange::{Call, Fetches};
use super::response::{Origin, ResponseBody, Upload};
use super::upload::{self, Source};
use crate::ext::InvocationMark;
use base64::Engine;
use bytes::Bytes;
use data_url::DataUrl;
use deno_core::convert::{ByteString, Uint8Array};
use deno_core::url::Url;
use deno_core::{OpState, Resource, ResourceId, ToV8, op2, v8};
use deno_error::JsErrorBox;
use isle_wire::{BODY_BYTES_UNKNOWN, BODY_CHUNK_BYTES_MAX, FetchRequest, FetchResponse, Limits};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Invocations whose count outlives them, at most: those that fetched after their own end.
const COUNTS_MAX: usize = 4_096;

/// An isolate's way to the gateway, and what its function may ask of it. An isolate without one, in
/// a builder, has no fetch.
pub struct Outbound {
    fetches: Arc<Fetches>,
    version: Cell<u32>,
    fetches_max: Cell<u32>,
    response_bytes_max: Cell<u32>,
    counts: RefCell<HashMap<u32, u32>>,
}

impl Outbound {
    /// Nobody's yet: it may fetch nothing.
    pub fn new(fetches: Arc<Fetches>) -> Rc<Outbound> {
        Rc::new(Outbound {
            fetches,
            version: Cell::new(0),
            fetches_max: Cell::new(0),
            response_bytes_max: Cell::new(0),
            counts: RefCell::default(),
        })
    }

    /// From now on it is this version's.
    pub fn assign(&self, version: u32, limits: &Limits) {
        self.version.set(version);
        self.fetches_max.set(limits.fetches_max);
        self.response_bytes_max.set(limits.fetch_response_bytes_max);
    }

    /// The invocation has ended.
    pub fn forget(&self, invocation: u32) {
        let mut counts = self.counts.borrow_mut();
        if !counts.is_empty() {
            counts.remove(&invocation);
        }
    }

    /// Counts a fetch of the invocation.
    fn count(&self, invocation: u32) -> Result<(), JsErrorBox> {
        let mut counts = self.counts.borrow_mut();
        if counts.len() >= COUNTS_MAX && !counts.contains_key(&invocation) {
            counts.clear();
        }
        let count = counts.entry(invocation).or_default();
        let max = self.fetches_max.get();
        if *count >= max {
            let message =
                format!("fetch failed: one invocation may make {max} requests, redirects counted (limit fetches_max)");
            return Err(JsErrorBox::type_error(message));
        }
        *count += 1;
        Ok(())
    }
}

/// Whether some isolate of this process asked for what only a connected one has.
static ASKED_IN_VAIN: AtomicBool = AtomicBool::new(false);

/// Whether a function of this process tried to fetch without a way to the gateway: what a builder
/// sees of it then says little about how it starts where there is one.
pub fn asked_in_vain() -> bool {
    ASKED_IN_VAIN.load(Ordering::Relaxed)
}

/// A request that was made and whose response somebody will wait for.
struct Asked {
    origin: Origin,
    media_type: Option<String>,
    url: String,
    bytes_max: u64,
}

/// Lets the platform's script give the request up while it waits.
struct GiveUp(Rc<Call>);

/// The waiting request, in the resource table.
struct AskedResource(RefCell<Option<Asked>>);

impl Resource for AskedResource {
    fn name(&self) -> Cow<'_, str> {
        "fetchRequest".into()
    }
}

impl Resource for GiveUp {
    fn name(&self) -> Cow<'_, str> {
        "fetchCancelHandle".into()
    }

    fn close(self: Rc<Self>) {
        // The script closes this also when it has a response, whose body is another resource's.
        if !self.0.is_answered() {
            self.0.give_up("fetch failed: the request was aborted");
        }
    }
}

#[derive(ToV8)]
pub struct FetchReturn {
    request_rid: ResourceId,
    cancel_handle_rid: Option<ResourceId>,
}

#[op2]
#[allow(clippy::too_many_arguments, reason = "the platform's script calls it like this")]
pub fn op_fetch(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    #[scoped] method: ByteString,
    #[string] url: String,
    #[scoped] headers: Vec<(ByteString, ByteString)>,
    #[smi] _client_rid: Option<u32>,
    has_body: bool,
    data: Option<Uint8Array>,
    #[smi] resource: Option<ResourceId>,
) -> Result<FetchReturn, JsErrorBox> {
    let invocation = InvocationMark::get(scope);
    let mut url = Url::parse(&url).map_err(|error| JsErrorBox::type_error(format!("fetch failed: {error}")))?;
    let (asked, give_up) = match url.scheme() {
        "data" => (here(&url)?, None),
        "http" | "https" => {
            let body = match (data, resource) {
                (Some(data), _) if has_body => Some(Source::Bytes(Bytes::from(data.0))),
                (None, Some(rid)) if has_body => {
                    Some(Source::Resource(state.resource_table.take_any(rid).map_err(JsErrorBox::from_err)?))
                }
                _ => None,
            };
            let Some(outbound) = state.try_borrow::<Rc<Outbound>>().cloned() else {
                ASKED_IN_VAIN.store(true, Ordering::Relaxed);
                let message = "fetch failed: there is no network while a function is being built; \
                               a request at the top level of a module is made when the function starts";
                return Err(JsErrorBox::type_error(message));
            };
            outbound.count(invocation)?;
            let mut fields: Vec<(Bytes, Bytes)> =
                headers.iter().map(|(n, v)| (Bytes::copy_from_slice(n), Bytes::copy_from_slice(v))).collect();
            complete(&mut fields, &mut url);
            let request = FetchRequest {
                version: outbound.version.get(),
                invocation,
                method: Bytes::copy_from_slice(&method),
                url: Bytes::copy_from_slice(url.as_str().as_bytes()),
                headers: fields,
                body_bytes: BODY_BYTES_UNKNOWN,
                ..FetchRequest::default()
            };
            let bytes_max = u64::from(outbound.response_bytes_max.get());
            let call = ask(&outbound.fetches, request, body);
            let give_up = match &call {
                Origin::Call(call, _) => Some(GiveUp(call.clone())),
                Origin::Here(_) => None,
            };
            (Asked { origin: call, media_type: None, url: url.into(), bytes_max }, give_up)
        }
        "blob" => return Err(JsErrorBox::type_error("fetch failed: the blob URL stands for nothing (any more)")),
        scheme => return Err(JsErrorBox::type_error(format!("fetch failed: {scheme}: URLs cannot be fetched"))),
    };
    let request_rid = state.resource_table.add(AskedResource(RefCell::new(Some(asked))));
    Ok(FetchReturn { request_rid, cancel_handle_rid: give_up.map(|give_up| state.resource_table.add(give_up)) })
}

/// A `data:` URL: there is nobody to ask.
fn here(url: &Url) -> Result<Asked, JsErrorBox> {
    let wrong = |_| JsErrorBox::type_error("fetch failed: the data: URL is malformed");
    let data = DataUrl::process(url.as_str()).map_err(|_| wrong(()))?;
    let (body, _) = data.decode_to_vec().map_err(|_| wrong(()))?;
    Ok(Asked {
        media_type: Some(data.mime_type().to_string()),
        origin: Origin::Here(body.into()),
        url: url.as_str().to_owned(),
        bytes_max: u64::MAX,
    })
}

/// Makes header fields of what the URL says beside the place, and asks for what can be decoded.
fn complete(fields: &mut Vec<(Bytes, Bytes)>, url: &mut Url) {
    let has = |fields: &[(Bytes, Bytes)], name: &[u8]| fields.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    if !url.username().is_empty() || url.password().is_some() {
        let decode = |text: &str| percent_decoded(text);
        let pair = format!("{}:{}", decode(url.username()), decode(url.password().unwrap_or_default()));
        if !has(fields, b"authorization") {
            let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
            fields.push((Bytes::from_static(b"authorization"), value.into()));
        }
        // Neither fails for the schemes that are fetched.
        let _ = (url.set_username(""), url.set_password(None));
    }
    url.set_fragment(None);
    if !has(fields, b"accept-encoding") {
        // A range of an encoded body would be another range.
        let codings: &[u8] = if has(fields, b"range") { b"identity" } else { b"gzip, deflate, br, zstd" };
        fields.push((Bytes::from_static(b"accept-encoding"), Bytes::from_static(codings)));
    }
}

fn percent_decoded(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while at < bytes.len() {
        let escape = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let digits = escape.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Sends the request, and has a body that does not fit its frame follow.
fn ask(fetches: &Arc<Fetches>, mut request: FetchRequest, body: Option<Source>) -> Origin {
    let follows = match body {
        Some(Source::Bytes(bytes)) if bytes.len() <= BODY_CHUNK_BYTES_MAX => {
            request.body = bytes;
            None
        }
        Some(Source::Bytes(bytes)) => {
            request.body_bytes = bytes.len() as u64;
            Some(Source::Bytes(bytes))
        }
        Some(Source::Resource(resource)) => {
            if let (least, Some(most)) = resource.size_hint()
                && least == most
                && most > 0
            {
                request.body_bytes = most;
            }
            Some(Source::Resource(resource))
        }
        None => None,
    };
    request.body_follows = follows.is_some();
    let call = Rc::new(fetches.ask(request));
    let upload =
        follows.map(|source| Upload(deno_core::unsync::spawn(upload::send(call.clone(), source)).abort_handle()));
    Origin::Call(call, upload)
}

/// What the platform's script makes a `Response` of.
#[derive(ToV8)]
pub struct FetchAnswer {
    status: u16,
    status_text: String,
    headers: Vec<(ByteString, ByteString)>,
    url: String,
    response_rid: ResourceId,
    content_length: Option<u64>,
    body_decoded: bool,
    error: Option<(String, String)>,
}

#[op2]
pub async fn op_fetch_send(state: Rc<RefCell<OpState>>, #[smi] rid: ResourceId) -> Result<FetchAnswer, JsErrorBox> {
    let asked = {
        let mut state = state.borrow_mut();
        let resource = state.resource_table.take::<AskedResource>(rid).map_err(JsErrorBox::from_err)?;
        resource.0.borrow_mut().take().ok_or_else(|| JsErrorBox::type_error("fetch failed: asked twice"))?
    };
    let Asked { origin, media_type, url, bytes_max } = asked;
    let head = match &origin {
        Origin::Call(call, _) => poll_fn(|cx| call.poll_head(cx)).await.map_err(JsErrorBox::type_error)?,
        Origin::Here(_) => FetchResponse {
            status: 200,
            reason: Bytes::from_static(b"OK"),
            headers: vec![(Bytes::from_static(b"content-type"), media_type.unwrap_or_default().into())],
            body_follows: true,
        },
    };
    let codings = head.headers.iter().filter(|(name, _)| &name[..] == b"content-encoding");
    let decoder = Decoder::for_codings(codings.map(|(_, value)| &value[..]));
    let body_decoded = decoder.is_some() && head.body_follows;
    let body = ResponseBody::new(origin, decoder, bytes_max);
    let response_rid = state.borrow_mut().resource_table.add(body);
    let field = |bytes: &Bytes| ByteString::from(&bytes[..]);
    Ok(FetchAnswer {
        status: head.status,
        // Bytes stand for characters here, as in header fields.
        status_text: head.reason.iter().map(|byte| char::from(*byte)).collect(),
        headers: head.headers.iter().map(|(name, value)| (field(name), field(value))).collect(),
        url,
        response_rid,
        content_length: None,
        body_decoded,
        error: None,
    })
}

/// How a response's body is sent on that was fetched, to somebody who takes these codings: 1 when it is
/// unpacked, 2 when it is sent as it came and would have been, else 0.
#[op2(fast)]
pub fn op_isle_fetch_pass(state: &mut OpState, #[smi] rid: ResourceId, codings: u32) -> u32 {
    let Ok(body) = state.resource_table.get::<ResponseBody>(rid) else { return 0 };
    body.unpacks_unless(Codings(codings as u8)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_says_beside_the_place_becomes_fields() {
        let mut url = Url::parse("https://me:p%40ss@host.test/a?b=%20#part").unwrap();
        let mut fields = Vec::new();
        complete(&mut fields, &mut url);
        assert_eq!(url.as_str(), "https://host.test/a?b=%20");
        let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("me:p@ss"));
        assert_eq!(fields[0], (Bytes::from_static(b"authorization"), value.into()));
        assert_eq!(fields[1].1, "gzip, deflate, br, zstd");
        let mut url = Url::parse("https://host.test/").unwrap();
        let mut fields = vec![(Bytes::from_static(b"Range"), Bytes::from_static(b"bytes=0-1"))];
        complete(&mut fields, &mut url);
        assert_eq!(fields[1].1, "identity", "a range of an encoded body would be another range");
    }
}
