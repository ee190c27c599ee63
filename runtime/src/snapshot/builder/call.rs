//! Calling a handler for the sake of its answer.

use crate::ext::ConsoleSink;
use crate::handler::Expects;
use crate::handler::event::EventBody;
use crate::handler::fetch::{self, FetchBody, FetchInput};
use crate::handler::response::Reply;
use crate::isolate::{Call, Called, Failure, Isolate, Kind};
use isle_wire::{BuildOrder, ConsoleLevel, Outcome};
use std::task::Poll;
use std::time::Duration;

/// A warm-up call that needs more CPU time than this, in ms, is not made; nor more than the handler may.
const WARM_UP_CPU_MS: u32 = 1_000;
/// Nor one that takes longer than this, in ms.
const WARM_UP_WALL_MS: u32 = 2_000;

/// Nobody reads the console of a function that is only being tried.
pub(super) struct Mute;

impl ConsoleSink for Mute {
    fn line(&self, _invocation: u32, _level: ConsoleLevel, _text: String) {}
}

/// The events to call with: the author's, or none.
pub(super) fn events(order: &BuildOrder) -> Vec<&str> {
    order.warm_ups.iter().map(String::as_str).collect()
}

/// The answer to an event as text; or why the handler cannot be called with it.
pub(super) fn call(
    isolate: &mut Isolate,
    executor: &tokio::runtime::Runtime,
    order: &BuildOrder,
    event: &str,
) -> Result<String, String> {
    let limits = &order.spec.limits;
    let budget_ns = u64::from(limits.handler_cpu_ms.min(WARM_UP_CPU_MS)) * 1_000_000;
    let expects = Expects::of(&order.spec);
    let head = (isolate.kind() == Kind::Fetch).then(|| fetch::head_of_event(event));
    let fetch = head.as_ref().map(|head| FetchInput { head, body: FetchBody::None });
    let call = Call {
        invocation: 1,
        event,
        body: &EventBody::None,
        request_id: "warm-up",
        deadline_ms: f64::MAX,
        budget_ns,
        expects,
        client_context: None,
        fetch: fetch.as_ref(),
        follows: false,
    };
    let beyond = || Err("the warm-up call needs more than its limits".to_owned());
    let called = isolate.call(&call);
    if called.stop.is_some() {
        return beyond();
    }
    if isolate.kind() == Kind::Streamed {
        return Ok(STREAMED.to_owned());
    }
    let result = match called.result {
        Called::Ended(result) => result,
        Called::Pending(promise) => {
            let waited = executor.block_on(async {
                let settled = std::future::poll_fn(|cx| {
                    let turned = isolate.turn(cx, budget_ns);
                    let over = isolate.is_settled(&promise) || turned.result.is_ready() || turned.stop.is_some();
                    if over { Poll::Ready(turned.stop.is_some()) } else { Poll::Pending }
                });
                let most = Duration::from_millis(u64::from(limits.wall_ms.min(WARM_UP_WALL_MS)));
                tokio::time::timeout(most, settled).await
            });
            match waited {
                Ok(false) if isolate.is_settled(&promise) => {}
                // Who could have called back and did not has answered, too.
                Ok(false) if isolate.release_callbacks(budget_ns).stop.is_some() => return beyond(),
                Ok(false) => {}
                Ok(true) => return beyond(),
                Err(_) => return Err("the warm-up call takes too long".to_owned()),
            }
            if !isolate.is_settled(&promise) {
                return Err("the warm-up call never settles".to_owned());
            }
            let settled = isolate.settle(&promise, budget_ns, &expects);
            if settled.stop.is_some() {
                return beyond();
            }
            settled.result
        }
    };
    let streams = result.is_ok() && isolate.follow().stream;
    match &result {
        Err(failure) if failure.outcome == Outcome::HeapExceeded => beyond(),
        _ if streams => Ok(STREAMED.to_owned()),
        result => Ok(describe(result)),
    }
}

/// The answers to all events, in order.
pub(super) fn call_all(
    isolate: &mut Isolate,
    executor: &tokio::runtime::Runtime,
    order: &BuildOrder,
) -> Result<Vec<String>, String> {
    events(order).iter().map(|event| call(isolate, executor, order, event)).collect()
}

/// What stands for an answer that nobody reads to its end here.
pub(super) const STREAMED: &str = "(streamed)";

/// A whole answer as text: what is compared.
fn describe(result: &Result<Reply, Failure>) -> String {
    match result {
        Ok(reply) => format!("{} {:?} {:?}", reply.status, reply.headers, reply.body),
        Err(failure) => format!("{:?} {} {}", failure.outcome, failure.detail.error_type, failure.detail.message),
    }
}
