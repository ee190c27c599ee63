//! The bodies' ops: how a function's requests come in and its responses go out, a piece at a time.
//!
//! Both are calls that answer at once with what there is, and a promise for when there may be more.
//! Nothing waits in between but what the windows of the gateway's frames allow.

use deno_core::{OpState, op2, v8};
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What there is of a request's body.
pub enum Taken {
    /// Its next bytes.
    Bytes(bytes::Bytes),
    /// Nothing yet.
    Nothing,
    /// Its end.
    End,
    /// It broke off, or nobody waits for the response any more.
    Broken,
}

/// Nobody wants more of the response.
pub const UNWANTED: i32 = -1;
/// The response's body is over the function's limit.
pub const TOO_LARGE: i32 = -2;

/// Where bodies come from and go to; put into the isolate's `OpState` by its owner.
pub trait BodyPort {
    /// Takes the next piece of a request's body.
    fn take(&self, invocation: u32) -> Taken;
    /// Ready when `take` has something to say.
    fn poll_arrived(&self, invocation: u32, cx: &mut Context<'_>) -> Poll<()>;
    /// The rest of a request's body is not wanted.
    fn discard(&self, invocation: u32);
    /// Sends as many of these bytes as may be sent now: how many, [`UNWANTED`] or [`TOO_LARGE`].
    fn write(&self, invocation: u32, bytes: &[u8]) -> i32;
    /// Ready when `write` may take more, or has something to say.
    fn poll_room(&self, invocation: u32, cx: &mut Context<'_>) -> Poll<()>;
    /// The head of a response that is made while its handler still runs.
    fn begin(&self, invocation: u32, status: u32, headers: Vec<u8>);
}

/// The port of an isolate.
pub type Port = Rc<dyn BodyPort>;

fn port(state: &OpState) -> Option<Port> {
    state.try_borrow::<Port>().cloned()
}

fn error(scope: &mut v8::PinScope<'_, '_>, message: &str) {
    if let Some(message) = v8::String::new(scope, message) {
        let exception = v8::Exception::type_error(scope, message);
        scope.throw_exception(exception);
    }
}

/// A piece, `null` at the end, `undefined` when there is none yet.
#[op2]
pub fn op_isle_body_take<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    invocation: u32,
) -> v8::Local<'s, v8::Value> {
    let taken = port(state).map_or(Taken::Broken, |port| port.take(invocation));
    match taken {
        Taken::Bytes(bytes) => {
            let length = bytes.len();
            let store = v8::ArrayBuffer::new_backing_store_from_vec(bytes.to_vec()).make_shared();
            let buffer = v8::ArrayBuffer::with_backing_store(scope, &store);
            match v8::Uint8Array::new(scope, buffer, 0, length) {
                Some(array) => array.into(),
                None => v8::null(scope).into(),
            }
        }
        Taken::Nothing => v8::undefined(scope).into(),
        Taken::End => v8::null(scope).into(),
        Taken::Broken => {
            error(scope, "the request's body broke off");
            v8::undefined(scope).into()
        }
    }
}

/// Resolves when there may be more of a request's body.
#[op2]
pub async fn op_isle_body_arrived(state: Rc<RefCell<OpState>>, invocation: u32) {
    let port = port(&state.borrow());
    if let Some(port) = port {
        poll_fn(|cx| port.poll_arrived(invocation, cx)).await;
    }
}

#[op2(fast)]
pub fn op_isle_body_discard(state: &mut OpState, invocation: u32) {
    if let Some(port) = port(state) {
        port.discard(invocation);
    }
}

/// Sends what may be sent of `bytes` from `from` on; see [`BodyPort::write`].
#[op2(fast)]
pub fn op_isle_body_write(state: &mut OpState, invocation: u32, #[buffer] bytes: &[u8], from: u32) -> i32 {
    let Some(port) = port(state) else { return UNWANTED };
    port.write(invocation, bytes.get(from as usize..).unwrap_or_default())
}

/// Resolves when more of a response's body may be sent.
#[op2]
pub async fn op_isle_body_room(state: Rc<RefCell<OpState>>, invocation: u32) {
    let port = port(&state.borrow());
    if let Some(port) = port {
        poll_fn(|cx| port.poll_room(invocation, cx)).await;
    }
}

/// `headers`: names and values, each ended by a line feed.
#[op2(fast)]
pub fn op_isle_body_begin(state: &mut OpState, invocation: u32, status: u32, #[buffer] headers: &[u8]) {
    if let Some(port) = port(state) {
        port.begin(invocation, status, headers.to_vec());
    }
}
