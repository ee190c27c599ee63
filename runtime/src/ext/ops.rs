//! Our own ops: compiling an embedded script, and the console's way out.

use super::scripts;
use deno_core::{OpState, op2, v8};
use isle_wire::ConsoleLevel;

/// The invocation whose turn it is, for console lines. Kept in V8's continuation-preserved
/// embedder data, so it follows `await` and timers without any work of ours.
pub struct InvocationMark;

impl InvocationMark {
    /// Marks everything that follows from here as this invocation's.
    pub fn set(scope: &mut v8::PinScope<'_, '_>, invocation: u32) {
        let mark = v8::Integer::new_from_unsigned(scope, invocation);
        scope.set_continuation_preserved_embedder_data(mark.into());
    }

    /// Ends the marking for this turn.
    pub fn clear(scope: &mut v8::PinScope<'_, '_>) {
        let nothing = v8::undefined(scope);
        scope.set_continuation_preserved_embedder_data(nothing.into());
    }

    /// The invocation that runs now; 0 when it is none's turn.
    pub fn get(scope: &mut v8::PinScope<'_, '_>) -> u32 {
        let mark = scope.get_continuation_preserved_embedder_data();
        if let Ok(mark) = v8::Local::<v8::Integer>::try_from(mark) {
            return mark.value() as u32;
        }
        // AsyncLocalStorage keeps its values beside the mark (node/async_hooks.js).
        v8::Local::<v8::Array>::try_from(mark)
            .ok()
            .and_then(|both| both.get_index(scope, 0))
            .and_then(|mark| v8::Local::<v8::Integer>::try_from(mark).ok())
            .map_or(0, |mark| mark.value() as u32)
    }
}

/// Where console lines go; put into the isolate's `OpState` by its owner.
pub trait ConsoleSink {
    /// Takes one line. Must not block and must bound what it keeps.
    fn line(&self, invocation: u32, level: ConsoleLevel, text: String);
}

#[op2]
pub fn op_isle_compile<'s>(scope: &mut v8::PinScope<'s, '_>, #[string] specifier: &str) -> v8::Local<'s, v8::Value> {
    match scripts::compile(scope, specifier) {
        Some(function) => function.into(),
        None => v8::undefined(scope).into(),
    }
}

#[op2(fast)]
pub fn op_isle_console(scope: &mut v8::PinScope<'_, '_>, state: &mut OpState, #[string] text: String, level: i32) {
    let level = match level {
        0 => ConsoleLevel::Debug,
        2 => ConsoleLevel::Warn,
        3 => ConsoleLevel::Error,
        _ => ConsoleLevel::Info,
    };
    let invocation = InvocationMark::get(scope);
    let text = crate::isolate::with_authors_places(text);
    if let Some(sink) = state.try_borrow::<Box<dyn ConsoleSink>>() {
        sink.line(invocation, level, text);
    }
}

/// The names of Node's modules.
#[op2]
#[serde]
pub fn op_isle_node_modules() -> Vec<&'static str> {
    super::node_modules().collect()
}

/// Random bytes for code that runs while a snapshot is made.
#[op2(fast)]
pub fn op_isle_random(#[buffer] bytes: &mut [u8]) {
    // Without the kernel's random numbers nothing in this process can be trusted.
    getrandom::fill(bytes).expect("the kernel has random numbers");
}

/// What functions call themselves, and what their requests say.
#[op2]
#[string]
pub fn op_isle_user_agent() -> &'static str {
    concat!("Isle/", env!("CARGO_PKG_VERSION"))
}
