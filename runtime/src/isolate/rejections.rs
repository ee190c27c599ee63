//! Rejections that nobody handles: collected as V8 reports them, told to the author when the turn
//! is over. They fail no request: which one they belong to is anybody's guess, and the others of
//! the isolate have nothing to do with it.

use deno_core::v8;
use std::cell::RefCell;
use std::collections::VecDeque;

/// More than this many in one turn say nothing new.
const KEPT_MAX: usize = 64;

/// What the collector has for the author.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nobody handled it.
    Unhandled,
    /// Somebody did, after it was told.
    HandledLate,
}

/// A rejection without a handler: the promise, the reason, and whose turn it was.
pub struct Rejection {
    /// Why it is here.
    pub kind: Kind,
    /// The promise.
    pub promise: v8::Global<v8::Promise>,
    /// What it was rejected with.
    pub reason: v8::Global<v8::Value>,
    /// V8's continuation data at that moment: the invocation's mark.
    pub mark: v8::Global<v8::Value>,
}

thread_local! {
    // V8's callback carries no data; an isolate has a thread of its own.
    static WAITING: RefCell<Vec<Rejection>> = const { RefCell::new(Vec::new()) };
    // The last ones that were told: somebody may handle them yet.
    static TOLD: RefCell<VecDeque<v8::Weak<v8::Promise>>> = const { RefCell::new(VecDeque::new()) };
}

/// Routes V8's reports here.
pub fn install(isolate: &mut v8::Isolate) {
    isolate.set_promise_reject_callback(on_reject);
}

/// Forgets what was collected. Must run before the isolate goes.
pub fn clear() {
    WAITING.set(Vec::new());
    TOLD.set(VecDeque::new());
}

/// Remembers a promise whose rejection was told.
pub fn told(scope: &mut v8::PinScope<'_, '_>, promise: &v8::Global<v8::Promise>) {
    let promise = v8::Local::new(scope, promise);
    let promise = v8::Weak::new(scope, promise);
    TOLD.with_borrow_mut(|told| {
        if told.len() == KEPT_MAX {
            told.pop_front();
        }
        told.push_back(promise);
    });
}

/// What nobody has handled by the end of the turn; nearly always nothing.
pub fn take() -> Vec<Rejection> {
    WAITING.with_borrow_mut(|waiting| if waiting.is_empty() { Vec::new() } else { std::mem::take(waiting) })
}

extern "C" fn on_reject(message: v8::PromiseRejectMessage<'_>) {
    // SAFETY: V8 calls this on the isolate's thread, with the isolate entered, while it reports.
    v8::callback_scope!(unsafe scope, &message);
    let promise = message.get_promise();
    let (kind, reason) = match message.get_event() {
        v8::PromiseRejectEvent::PromiseRejectWithNoHandler => (Kind::Unhandled, message.get_value()),
        v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject => {
            let handled = v8::Global::new(scope, promise);
            WAITING.with_borrow_mut(|waiting| waiting.retain(|rejection| rejection.promise != handled));
            let told = TOLD.with_borrow_mut(|told| {
                let at = told.iter().position(|told| told.to_local(scope) == Some(promise))?;
                told.remove(at)
            });
            if told.is_none() {
                return;
            }
            (Kind::HandledLate, Some(promise.result(scope)))
        }
        v8::PromiseRejectEvent::PromiseRejectAfterResolved | v8::PromiseRejectEvent::PromiseResolveAfterResolved => {
            return;
        }
    };
    let Some(reason) = reason else { return };
    let (promise, reason) = (v8::Global::new(scope, promise), v8::Global::new(scope, reason));
    let mark = scope.get_continuation_preserved_embedder_data();
    let mark = v8::Global::new(scope, mark);
    WAITING.with_borrow_mut(|waiting| {
        if waiting.len() < KEPT_MAX {
            waiting.push(Rejection { kind, promise, reason, mark });
        }
    });
}
