//! Fetch handlers and streamed responses: the ways into JavaScript beside the plain call.
//!
//! A plain call has a result and is over. These may go on: a body that is pumped
//! ([`Isolate::pump`]), work that outlives the response ([`Isolate::after`]), a client that leaves
//! ([`Isolate::abort`]). The scripts behind them are loaded with the first function that needs them.

use super::calls::outcome_of_throw;
use super::detail::detail_of;
use super::{Call, Catching, Control, Failure, Handles, Isolate, Stayed, call_hook, hook};
use crate::ext::{InvocationMark, Port};
use crate::handler::Expects;
use crate::handler::fetch::{self, FetchBody, FetchInput};
use crate::handler::response::{Reply, Unreadable, text_bytes};
use bytes::Bytes;
use deno_core::{JsRuntime, v8};
use std::cell::Cell;

/// What a function is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// `handler(event, context)`, answered when it returns.
    #[default]
    Handler,
    /// `awslambda.streamifyResponse(…)`: writes its response while it runs.
    Streamed,
    /// `fetch(request, env, ctx)`.
    Fetch,
}

/// What is left to do when a fetch handler has returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Follow {
    /// The response's body is a stream that must be pumped.
    pub stream: bool,
    /// Something was given to `ctx.waitUntil`.
    pub waits: bool,
}

/// What `bootstrap.js` calls them, in the order of their bits in `out[3]`.
const STREAM: u32 = 1;
const WAITS: u32 = 2;

type Function = v8::Global<v8::Function>;

/// The hooks of a function that is not a plain handler.
pub(super) struct Exchange {
    pub(super) kind: Kind,
    pub(super) enter: Function,
    pump: Function,
    after: Function,
    abort: Function,
    listens: Function,
    close: Function,
    /// How a fetch handler's response is read, and where it is put.
    respond: Option<(Function, v8::Global<v8::Array>)>,
    follow: Cell<Follow>,
}

impl Exchange {
    /// Takes the hooks; `None` for a plain handler.
    pub(super) fn take(runtime: &mut JsRuntime, handles: &Handles) -> Option<Exchange> {
        let kind = match call_hook(runtime, handles, "kind", &[])?.as_str() {
            "fetch" => Kind::Fetch,
            "streamed" => Kind::Streamed,
            _ => return None,
        };
        deno_core::scope!(scope, runtime);
        let hooks = v8::Local::new(scope, &handles.hooks);
        let respond = if kind == Kind::Fetch {
            let key = v8::String::new(scope, "out")?;
            let out = v8::Local::<v8::Array>::try_from(hooks.get(scope, key.into())?).ok()?;
            Some((global_hook(scope, hooks, "respond")?, v8::Global::new(scope, out)))
        } else {
            None
        };
        Some(Exchange {
            kind,
            enter: global_hook(scope, hooks, "enterExchange")?,
            pump: global_hook(scope, hooks, "pump")?,
            after: global_hook(scope, hooks, "after")?,
            abort: global_hook(scope, hooks, "abort")?,
            listens: global_hook(scope, hooks, "listens")?,
            close: global_hook(scope, hooks, "close")?,
            respond,
            follow: Cell::default(),
        })
    }
}

fn global_hook<'s>(scope: &mut v8::PinScope<'s, '_>, hooks: v8::Local<'s, v8::Object>, name: &str) -> Option<Function> {
    let function = hook(scope, hooks, name)?;
    Some(v8::Global::new(scope, function))
}

/// The arguments of a fetch handler's call.
pub(super) fn arguments<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    call: &Call<'_>,
    input: &FetchInput<'_>,
) -> Option<[v8::Local<'s, v8::Value>; 7]> {
    let FetchInput { head, body } = input;
    let (url, plain) = fetch::url(head);
    let url = match std::str::from_utf8(&url) {
        Ok(url) => super::text(scope, url)?,
        Err(_) => super::text(scope, &String::from_utf8_lossy(&url))?,
    };
    let method = v8::String::new_from_one_byte(scope, &head.method, v8::NewStringType::Internalized)?;
    let headers = v8::String::new_from_one_byte(scope, &fetch::header_text(head), v8::NewStringType::Normal)?;
    let body: v8::Local<v8::Value> = match body {
        FetchBody::None => v8::null(scope).into(),
        FetchBody::Coming => v8::Boolean::new(scope, true).into(),
        // Text costs less than a buffer, and reading ASCII as either gives the same bytes.
        FetchBody::Whole(body) if body.is_ascii() => {
            v8::String::new_from_one_byte(scope, body, v8::NewStringType::Normal)?.into()
        }
        FetchBody::Whole(body) => {
            let store = v8::ArrayBuffer::new_backing_store_from_vec(body.to_vec()).make_shared();
            let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
            v8::Uint8Array::new(scope, buffer, 0, body.len())?.into()
        }
    };
    let params = match fetch::params_json(head) {
        Some(json) => super::text(scope, &json)?.into(),
        None => v8::undefined(scope).into(),
    };
    let id = v8::Integer::new_from_unsigned(scope, call.invocation);
    let plain = v8::Boolean::new(scope, plain);
    Some([id.into(), method.into(), url.into(), plain.into(), headers.into(), body, params])
}

fn invalid(message: impl Into<String>) -> Unreadable {
    Unreadable::Invalid(message.into())
}

/// Reads what a fetch handler returned.
pub(super) fn read(
    scope: &mut v8::PinScope<'_, '_>,
    exchange: &Exchange,
    value: v8::Local<'_, v8::Value>,
    expects: &Expects,
) -> Result<Reply, Unreadable> {
    let Expects { invocation, is_head, accepts, bytes_max: body_bytes_max, .. } = *expects;
    exchange.follow.set(Follow::default());
    let Some((respond, out)) = &exchange.respond else {
        return Err(invalid("the handler ended without a response"));
    };
    let (respond, out) = (v8::Local::new(scope, respond), v8::Local::new(scope, out));
    let id = v8::Integer::new_from_unsigned(scope, invocation);
    let how = v8::Integer::new_from_unsigned(scope, u32::from(is_head) | u32::from(accepts.0) << 1);
    let this = v8::undefined(scope).into();
    let wrong = respond.call(scope, this, &[value, id.into(), how.into()]).ok_or(Unreadable::Threw)?;
    if !wrong.is_undefined() {
        return Err(invalid(wrong.to_rust_string_lossy(scope)));
    }
    let part = |index| out.get_index(scope, index).ok_or(Unreadable::Threw);
    let (status, headers, body, follow) = (part(0)?, part(1)?, part(2)?, part(3)?);
    let status = status.uint32_value(scope).ok_or(Unreadable::Threw)?;
    let status = u16::try_from(status).ok().filter(|status| (200..600).contains(status));
    let status = status.ok_or_else(|| invalid("the Response's status is not one of 200 to 599"))?;
    let headers = match v8::Local::<v8::String>::try_from(headers) {
        Ok(text) => fetch::fields(one_byte(scope, text)?)?,
        Err(_) => kind_of_text(headers.uint32_value(scope).unwrap_or(0)),
    };
    let body = if let Ok(text) = v8::Local::<v8::String>::try_from(body) {
        text_bytes(scope, text, body_bytes_max)?
    } else if let Ok(view) = v8::Local::<v8::Uint8Array>::try_from(body) {
        if view.byte_length() > body_bytes_max {
            return Err(Unreadable::TooLarge(view.byte_length()));
        }
        let mut bytes = vec![0; view.byte_length()];
        let copied = view.copy_contents(&mut bytes);
        bytes.truncate(copied);
        Bytes::from(bytes)
    } else {
        Bytes::new()
    };
    let follow = follow.uint32_value(scope).unwrap_or(0);
    exchange.follow.set(Follow { stream: follow & STREAM != 0, waits: follow & WAITS != 0 });
    Ok(Reply { status, headers, body })
}

fn one_byte(scope: &mut v8::PinScope<'_, '_>, text: v8::Local<'_, v8::String>) -> Result<Vec<u8>, Unreadable> {
    if !text.contains_only_onebyte() {
        return Err(invalid("a header field has characters that are no bytes"));
    }
    let mut bytes = vec![0; text.length()];
    text.write_one_byte_v2(scope, 0, &mut bytes, v8::WriteFlags::empty());
    Ok(bytes)
}

/// The header fields that a Response of text or JSON has when it is given none.
fn kind_of_text(kind: u32) -> Vec<(Bytes, Bytes)> {
    let media_type: &[u8] = match kind {
        1 => b"text/plain;charset=UTF-8",
        2 => b"application/json",
        _ => return Vec::new(),
    };
    vec![(Bytes::from_static(b"content-type"), Bytes::from_static(media_type))]
}

type Promise = v8::Global<v8::Promise>;

impl Isolate {
    /// What the function in it is.
    pub fn kind(&self) -> Kind {
        self.exchange().map_or(Kind::Handler, |exchange| exchange.kind)
    }

    fn exchange(&self) -> Option<&Exchange> {
        self.handles.as_ref().and_then(|handles| handles.exchange.as_ref())
    }

    /// What is left to do for the response that was read last.
    pub fn follow(&self) -> Follow {
        self.exchange().map_or(Follow::default(), |exchange| exchange.follow.take())
    }

    /// Gives the function's bodies somewhere to come from and go to.
    pub fn set_port(&mut self, port: Port) {
        self.runtime.op_state().borrow_mut().put(port);
    }

    /// Begins to send a response's body. Returns the promise of its end, if the body is a stream's.
    pub fn pump(&mut self, invocation: u32, budget_ns: u64) -> Stayed<Option<Promise>> {
        self.call_exchange(invocation, budget_ns, |exchange| &exchange.pump)
    }

    /// The response is over. Returns the promise of what was to be waited for, if anything was.
    pub fn after(&mut self, invocation: u32, budget_ns: u64) -> Stayed<Option<Promise>> {
        self.call_exchange(invocation, budget_ns, |exchange| &exchange.after)
    }

    /// Nobody waits for the invocation any more: fires its signal and cancels its streams.
    pub fn abort(&mut self, invocation: u32, budget_ns: u64) -> Stayed<()> {
        let Stayed { cpu_ns, stop, .. } = self.call_exchange(invocation, budget_ns, |exchange| &exchange.abort);
        Stayed { result: (), cpu_ns, stop }
    }

    /// Whether the function may be waiting for nothing but its client's leaving.
    pub fn listens(&mut self, invocation: u32) -> bool {
        let listens = self.stay(u64::MAX, |runtime, handles| {
            let exchange = handles.exchange.as_ref()?;
            deno_core::scope!(scope, runtime);
            v8::tc_scope!(let scope, scope);
            let function = v8::Local::new(scope, &exchange.listens);
            let id = v8::Integer::new_from_unsigned(scope, invocation);
            let this = v8::undefined(scope).into();
            Some(function.call(scope, this, &[id.into()])?.is_true())
        });
        listens.result == Some(true)
    }

    /// Forgets the invocation. What others have left to run runs then.
    pub fn close(&mut self, invocation: u32, budget_ns: u64) -> Stayed<()> {
        let Stayed { cpu_ns, stop, .. } = self.call_exchange(invocation, budget_ns, |exchange| &exchange.close);
        Stayed { result: (), cpu_ns, stop }
    }

    /// Loads and runs the scripts of fetch handlers and streamed ones once, for their code caches.
    /// Only for isolates that serve nobody.
    pub fn exercise_exchange(&mut self) {
        self.stay(u64::MAX, |runtime, handles| call_hook(runtime, handles, "exerciseExchange", &[]));
    }

    fn call_exchange(
        &mut self,
        invocation: u32,
        budget_ns: u64,
        which: impl FnOnce(&Exchange) -> &Function,
    ) -> Stayed<Option<Promise>> {
        self.stay(budget_ns, |runtime, handles| {
            let exchange = handles.exchange.as_ref()?;
            deno_core::scope!(scope, runtime);
            v8::tc_scope!(let scope, scope);
            InvocationMark::set(scope, invocation);
            let function = v8::Local::new(scope, which(exchange));
            let id = v8::Integer::new_from_unsigned(scope, invocation);
            let this = v8::undefined(scope).into();
            let returned = function.call(scope, this, &[id.into()]);
            if returned.is_some() {
                scope.perform_microtask_checkpoint();
            }
            InvocationMark::clear(scope);
            let promise = v8::Local::<v8::Promise>::try_from(returned?).ok()?;
            // Its rejection ends the response and is told there.
            promise.mark_as_handled();
            Some(v8::Global::new(scope, promise))
        })
    }

    /// How a promise of these ended; `None` while it is pending.
    pub fn ended(&mut self, promise: &Promise, budget_ns: u64) -> Option<Result<(), Failure>> {
        if !self.is_settled(promise) {
            return None;
        }
        let control = self.control.clone();
        let stayed = self.stay(budget_ns, |runtime, _| {
            deno_core::scope!(scope, runtime);
            v8::tc_scope!(let scope, scope);
            let promise = v8::Local::new(scope, promise);
            match promise.state() {
                v8::PromiseState::Rejected => Err(rejection(scope, promise, &control)),
                v8::PromiseState::Pending | v8::PromiseState::Fulfilled => Ok(()),
            }
        });
        Some(stayed.result)
    }
}

fn rejection<'o>(
    scope: &mut Catching<'_, '_, 'o, '_>,
    promise: v8::Local<'o, v8::Promise>,
    control: &Control,
) -> Failure {
    let error = promise.result(scope);
    let detail = detail_of(scope, error);
    Failure { outcome: outcome_of_throw(&detail, control), detail }
}
