//! Rejections that nobody handles: collected as V8 reports them, told to the author when the turn
//! is over. They fail no request: which one they belong to is anybody's guess, and the others of
//! the isolate have nothing to do with it.

use deno_core::v8;
use std::cell::RefCell;

/// More than this many in one turn say nothing new.
const KEPT_MAX: usize = 64;

/// A rejection without a handler: the promise, the reason, and whose turn it was.
pub struct Rejection {
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
}

/// Routes V8's reports here.
pub fn install(isolate: &mut v8::Isolate) {
    isolate.set_promise_reject_callback(on_reject);
}

/// Forgets what was collected. Must run before the isolate goes.
pub fn clear() {
    WAITING.set(Vec::new());
}

/// What nobody has handled by the end of the turn; nearly always nothing.
pub fn take() -> Vec<Rejection> {
    WAITING.with_borrow_mut(|waiting| if waiting.is_empty() { Vec::new() } else { std::mem::take(waiting) })
}

extern "C" fn on_reject(message: v8::PromiseRejectMessage<'_>) {
    // SAFETY: V8 calls this on the isolate's thread, with the isolate entered, while it reports.
    v8::callback_scope!(unsafe scope, &message);
    let promise = v8::Global::new(scope, message.get_promise());
    match message.get_event() {
        v8::PromiseRejectEvent::PromiseRejectWithNoHandler => {
            let Some(reason) = message.get_value() else { return };
            let reason = v8::Global::new(scope, reason);
            let mark = scope.get_continuation_preserved_embedder_data();
            let mark = v8::Global::new(scope, mark);
            WAITING.with_borrow_mut(|waiting| {
                if waiting.len() < KEPT_MAX {
                    waiting.push(Rejection { promise, reason, mark });
                }
            });
        }
        v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject => {
            WAITING.with_borrow_mut(|waiting| waiting.retain(|rejection| rejection.promise != promise));
        }
        v8::PromiseRejectEvent::PromiseRejectAfterResolved | v8::PromiseRejectEvent::PromiseResolveAfterResolved => {}
    }
}
