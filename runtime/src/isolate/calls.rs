//! A call: the handler entered with an event, and what it returned made a response or a failure.

use super::detail::detail_of;
use super::exchange;
use super::{Call, Called, Catching, Control, Failure, Handles, text};
use crate::handler::Expects;
use crate::handler::event::EventBody;
use crate::handler::response::{self, Reply, Unreadable};
use deno_core::v8;
use isle_wire::{FailureDetail, Outcome};

pub(super) fn call_handler(
    scope: &mut Catching<'_, '_, '_, '_>,
    handles: &Handles,
    call: &Call<'_>,
    control: &Control,
) -> Called {
    let nothing: v8::Local<v8::Value> = v8::undefined(scope).into();
    if let (Some(exchange), Some(input)) = (&handles.exchange, call.fetch) {
        let Some(arguments) = exchange::arguments(scope, call, input) else { return too_long() };
        let enter = v8::Local::new(scope, &exchange.enter);
        let returned = enter.call(scope, nothing, &arguments);
        return called(scope, handles, returned, &call.expects, control);
    }
    let arguments = (|| {
        let event = text(scope, call.event)?;
        let body = match call.body {
            EventBody::None => nothing,
            EventBody::Text(body) => text(scope, body)?.into(),
            EventBody::Base64(body) | EventBody::Lossy(body) => text(scope, body)?.into(),
        };
        let request_id = text(scope, call.request_id)?;
        let deadline = v8::Number::new(scope, call.deadline_ms);
        let client_context = match call.client_context {
            Some(json) => text(scope, json)?.into(),
            None => nothing,
        };
        let id = v8::Integer::new_from_unsigned(scope, call.invocation);
        Some([event.into(), body, request_id.into(), deadline.into(), client_context, id.into()])
    })();
    let Some(arguments) = arguments else { return too_long() };
    let enter = match &handles.exchange {
        Some(exchange) => v8::Local::new(scope, &exchange.enter),
        None => v8::Local::new(scope, &handles.enter),
    };
    let returned = enter.call(scope, nothing, &arguments);
    called(scope, handles, returned, &call.expects, control)
}

fn too_long() -> Called {
    let message = "the request is longer than the longest JavaScript string";
    Called::Ended(Err(Failure::new(Outcome::HeapExceeded, "RangeError", message)))
}

/// What a call came to that returned this, or threw.
fn called<'o>(
    scope: &mut Catching<'_, '_, 'o, '_>,
    handles: &Handles,
    returned: Option<v8::Local<'o, v8::Value>>,
    expects: &Expects,
    control: &Control,
) -> Called {
    if returned.is_some() {
        scope.perform_microtask_checkpoint();
    }
    let Some(returned) = returned.filter(|_| !scope.has_terminated()) else {
        return Called::Ended(Err(thrown(scope, control)));
    };
    if let Ok(promise) = v8::Local::<v8::Promise>::try_from(returned) {
        promise.mark_as_handled();
        if promise.state() == v8::PromiseState::Pending {
            return Called::Pending(v8::Global::new(scope, promise));
        }
        return Called::Ended(read_promise(scope, promise, handles, expects, control));
    }
    if let Some(promise) = as_promise(scope, returned) {
        // R70: returning a thenable decides, whoever made it.
        promise.mark_as_handled();
        scope.perform_microtask_checkpoint();
        return match promise.state() {
            v8::PromiseState::Pending => Called::Pending(v8::Global::new(scope, promise)),
            _ => Called::Ended(read_promise(scope, promise, handles, expects, control)),
        };
    }
    if scope.has_caught() {
        return Called::Ended(Err(thrown(scope, control)));
    }
    Called::Ended(read_value(scope, returned, handles, expects, control))
}

/// A promise for an object that has a `then`; `None` for everything else.
fn as_promise<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    value: v8::Local<'s, v8::Value>,
) -> Option<v8::Local<'s, v8::Promise>> {
    let object = v8::Local::<v8::Object>::try_from(value).ok()?;
    let key = v8::String::new(scope, "then")?;
    let then = object.get(scope, key.into())?;
    if !then.is_function() {
        return None;
    }
    let resolver = v8::PromiseResolver::new(scope)?;
    resolver.resolve(scope, value)?;
    Some(resolver.get_promise(scope))
}

pub(super) fn read_promise<'o>(
    scope: &mut Catching<'_, '_, 'o, '_>,
    promise: v8::Local<'o, v8::Promise>,
    handles: &Handles,
    expects: &Expects,
    control: &Control,
) -> Result<Reply, Failure> {
    let value = promise.result(scope);
    if promise.state() == v8::PromiseState::Rejected {
        let detail = detail_of(scope, value);
        return Err(Failure { outcome: outcome_of_throw(&detail, control), detail });
    }
    read_value(scope, value, handles, expects, control)
}

fn read_value<'o>(
    scope: &mut Catching<'_, '_, 'o, '_>,
    value: v8::Local<'o, v8::Value>,
    handles: &Handles,
    expects: &Expects,
    control: &Control,
) -> Result<Reply, Failure> {
    let reply = match &handles.exchange {
        Some(exchange) => exchange::read(scope, exchange, value, expects),
        None => response::read(scope, value, &handles.names, expects),
    };
    reply.map_err(|unreadable| match unreadable {
        Unreadable::Threw => {
            let mut failure = thrown(scope, control);
            // R79: what cannot be written as JSON is no response; a getter that throws is a throw.
            if failure.detail.message.contains("circular structure") || failure.detail.message.contains("BigInt") {
                failure.outcome = Outcome::InvalidResponse;
            }
            failure
        }
        Unreadable::Invalid(message) => Failure::new(Outcome::InvalidResponse, "Isle.InvalidResponse", message),
        Unreadable::TooLarge(bytes) => Failure::new(
            Outcome::ResponseTooLarge,
            "Isle.ResponseTooLarge",
            format!("the response body has at least {bytes} bytes, the limit is {}", expects.bytes_max),
        ),
    })
}

/// The exception that the scope caught, as a failure of the handler.
fn thrown(scope: &mut Catching<'_, '_, '_, '_>, control: &Control) -> Failure {
    match scope.exception() {
        Some(exception) if !scope.has_terminated() => {
            let detail = detail_of(scope, exception);
            scope.reset();
            Failure { outcome: outcome_of_throw(&detail, control), detail }
        }
        _ => Failure::new(Outcome::HandlerThrew, "Isle.Terminated", "the handler was stopped"),
    }
}

/// An ArrayBuffer that was refused for memory, uncaught, is the memory limit and not a throw.
pub(super) fn outcome_of_throw(detail: &FailureDetail, control: &Control) -> Outcome {
    if detail.error_type == "RangeError" && control.refused_memory() {
        Outcome::HeapExceeded
    } else {
        Outcome::HandlerThrew
    }
}
