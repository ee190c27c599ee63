//! Making a function's own snapshot: its modules evaluated and perhaps its handler called once, in
//! an isolate made for serialising. Runs in a child process of its own, which V8 may abort.
//!
//! V8 hides some of the language from such an isolate, and some of the platform's objects cannot
//! be in a snapshot or would be wrong in it. `bootstrap.js` notes what start-up and warm-up touch;
//! what is noted decides here whether the state may be shared between isolates.

use super::startup::{adopt, evaluate, fixed_context};
use super::{Handles, call_hook, modules, settled, take_hooks};
use crate::ext;
use crate::function::Function;
use deno_core::{JsRuntime, JsRuntimeForSnapshot, PollEventLoopOptions, RuntimeOptions, v8};
use isle_wire::ModuleKind;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A call that is made for the sake of the state it leaves: lazily compiled functions, filled
/// caches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmUp {
    /// The event's JSON.
    pub event: String,
}

/// A snapshot, or why there is none.
pub enum Built {
    /// The blob.
    Snapshot(Box<[u8]>),
    /// Refused, with the reason for the author; `warm_up` tells that it might do without one.
    Refused {
        /// What stands in the way.
        reason: String,
        /// Whether it arose in the warm-up call.
        warm_up: bool,
    },
}

/// What a module has in its text that can import at run time.
const IMPORT: &str = "import(";

/// Touches that are no harm by themselves: they only tell, should the process die of it, what may
/// have been the cause.
fn is_hint(touched: &str) -> bool {
    touched.starts_with("Intl.")
        || matches!(
            touched,
            "setTimeout"
                | "setInterval"
                | "FinalizationRegistry"
                | "CompressionStream"
                | "DecompressionStream"
                | "TextDecoderStream"
        )
}

struct Builder<'a> {
    runtime: JsRuntimeForSnapshot,
    handles: Handles,
    executor: &'a tokio::runtime::Runtime,
    announce: &'a mut dyn FnMut(&str),
}

impl Builder<'_> {
    /// What was touched since the last look. Announces all of it, returns what stands in the way.
    fn touched(&mut self) -> Vec<String> {
        let all = call_hook(&mut self.runtime, &self.handles, "touched", &[]).unwrap_or_default();
        let all: Vec<String> = serde_json::from_str(&all).unwrap_or_default();
        all.iter().for_each(|touched| (self.announce)(touched));
        all.into_iter().filter(|touched| !is_hint(touched)).collect()
    }

    /// Lets everything run that can; whether nothing is left.
    fn drain(&mut self) -> bool {
        let runtime = &mut self.runtime;
        let turns = std::cell::Cell::new(0);
        self.executor.block_on(std::future::poll_fn(|cx| {
            turns.set(turns.get() + 1);
            match runtime.poll_event_loop(cx, PollEventLoopOptions::default()) {
                std::task::Poll::Ready(_) => std::task::Poll::Ready(true),
                // What needs more than a moment is a timer or an operation: state outside the heap.
                std::task::Poll::Pending if turns.get() < 50 => {
                    cx.waker().wake_by_ref();
                    std::task::Poll::Pending
                }
                std::task::Poll::Pending => std::task::Poll::Ready(false),
            }
        }))
    }
}

fn refused(reason: impl Into<String>) -> Built {
    Built::Refused { reason: reason.into(), warm_up: false }
}

fn refused_warm_up(reason: impl Into<String>) -> Built {
    Built::Refused { reason: reason.into(), warm_up: true }
}

/// Makes the snapshot. `inventory` is an ordinary isolate's; `announce` is called with each thing
/// touched, before anything that may end the process.
pub fn build_snapshot(
    base: &'static [u8],
    function: &Arc<Function>,
    inventory: &str,
    warm_ups: &[WarmUp],
    executor: &tokio::runtime::Runtime,
    announce: &mut dyn FnMut(&str),
) -> Built {
    let spec = &function.spec;
    // The graph of modules is not in a snapshot. With one module there is none to speak of: what it can
    // import at run time is Node's modules, which are scripts of the platform, and itself.
    let modules = || spec.modules.iter().filter(|(_, module)| module.kind != ModuleKind::SourceMap);
    let several = modules().nth(1).is_some();
    for (path, module) in modules().filter(|_| several) {
        for (needle, what) in [(IMPORT, "`import()`"), ("import.meta", "`import.meta`")] {
            if module.text.contains(needle) {
                let why = "which, beside other modules, needs the module's file at run time";
                return refused(format!("{path} uses {what}, {why}"));
            }
        }
    }
    let mut runtime = JsRuntimeForSnapshot::new(RuntimeOptions {
        extensions: ext::extensions(&function.sources),
        startup_snapshot: Some(base),
        skip_op_registration: true,
        ..Default::default()
    });
    modules::install(runtime.v8_isolate());
    let deno = global_value(&mut runtime, "Deno");
    let (Some(deno), Some(handles)) = (deno, take_hooks(&mut runtime)) else {
        return refused("the base snapshot has no hooks");
    };
    modules::set_hooks(handles.hooks.clone());
    let prepared = PREPARED.map(|name| global_value(&mut runtime, name));
    super::allow_code_generation(&mut runtime, spec.code_generation);
    let mut builder = Builder { runtime, handles, executor, announce };
    // Without these, nothing that stands in the way of a snapshot would be noticed.
    let fixed = fixed_context(spec, false);
    for (hook, arguments) in [("prepareBuild", &[][..]), ("beginBuild", &[inventory]), ("fix", &[&*fixed])] {
        if call_hook(&mut builder.runtime, &builder.handles, hook, arguments).is_none() {
            return refused(format!("the builder's own {hook} failed"));
        }
    }

    let (module, promise) = match evaluate(&mut builder.runtime, function) {
        Ok(evaluated) => evaluated,
        Err(failure) => {
            let touched = builder.touched();
            return refused(why(&touched, &format!("start-up failed: {}", failure.detail)));
        }
    };
    let idle = builder.drain();
    let touched = builder.touched();
    if settled(&mut builder.runtime, &promise) == v8::PromiseState::Pending {
        return refused(why(&touched, "start-up did not finish by itself"));
    }
    if !touched.is_empty() {
        return refused(why(&touched, ""));
    }
    if !idle {
        return refused("a timer or an operation is pending after start-up");
    }
    if let Err(failure) = adopt(&mut builder.runtime, &builder.handles, spec, &module, &promise) {
        return refused(format!("start-up failed where snapshots are made: {}", failure.detail));
    }
    if modules().any(|(_, module)| module.text.contains(IMPORT)) {
        modules::keep_entry(&mut builder.runtime, &module);
    }
    drop((module, promise));
    for warm_up in warm_ups {
        if let Some(refusal) = call_once(&mut builder, warm_up) {
            return refusal;
        }
    }
    finish(builder, deno, prepared)
}

/// "start-up uses Math.random" and the like.
fn why(touched: &[String], otherwise: &str) -> String {
    if touched.is_empty() { otherwise.to_owned() } else { format!("start-up uses {}", touched.join(", ")) }
}

/// One warm-up call; a refusal when its state may not be shared.
fn call_once(builder: &mut Builder<'_>, warm_up: &WarmUp) -> Option<Built> {
    let called = call_hook(&mut builder.runtime, &builder.handles, "warmUp", &[&warm_up.event]);
    let idle = builder.drain();
    let touched = builder.touched();
    if called.is_none() {
        return Some(refused_warm_up("the warm-up call threw"));
    }
    if !touched.is_empty() {
        return Some(refused_warm_up(format!("the warm-up call uses {}", touched.join(", "))));
    }
    if !idle {
        return Some(refused_warm_up("a timer or an operation is pending after the warm-up call"));
    }
    None
}

/// What of the global object is looked up and changed whenever an isolate is restored, before it has
/// a function.
const PREPARED: [&str; 5] = ["WebAssembly", "SharedArrayBuffer", "Atomics", "Temporal", "Intl"];
/// Of those, what there are polyfills of, and what is V8's own again after a restore.
const MAY_DIFFER: [&str; 2] = ["Temporal", "Intl"];

/// What of it the function has put its own in the place of: code that would run then, or an object
/// that would be changed instead of V8's.
fn replaced(runtime: &mut JsRuntime, prepared: &[Option<v8::Global<v8::Value>>]) -> Option<&'static str> {
    deno_core::scope!(scope, runtime);
    let global = scope.get_current_context().global(scope);
    let is_replaced = |name: &str, before: &Option<v8::Global<v8::Value>>| {
        let key = v8::String::new(scope, name)?;
        let descriptor = global.get_own_property_descriptor(scope, key.into())?;
        let Ok(descriptor) = v8::Local::<v8::Object>::try_from(descriptor) else {
            return global.has(scope, key.into()); // inherited, that is
        };
        let value_key = v8::String::new(scope, "value")?;
        if !descriptor.has_own_property(scope, value_key.into())? {
            return Some(true);
        }
        let value = descriptor.get(scope, value_key.into())?;
        let same = before.as_ref().is_some_and(|before| v8::Local::new(scope, before).strict_equals(value));
        Some(!same && !MAY_DIFFER.contains(&name))
    };
    PREPARED.into_iter().zip(prepared).find_map(|(name, before)| is_replaced(name, before)?.then_some(name))
}

fn global_value(runtime: &mut JsRuntime, name: &str) -> Option<v8::Global<v8::Value>> {
    deno_core::scope!(scope, runtime);
    let global = scope.get_current_context().global(scope);
    let key = v8::String::new(scope, name)?;
    let value = global.get(scope, key.into())?;
    Some(v8::Global::new(scope, value))
}

fn set_global(runtime: &mut JsRuntime, name: &str, value: v8::Global<v8::Value>) -> Option<bool> {
    deno_core::scope!(scope, runtime);
    let global = scope.get_current_context().global(scope);
    let key = v8::String::new(scope, name)?;
    let value = v8::Local::new(scope, value);
    global.define_own_property(scope, key.into(), value, v8::PropertyAttribute::DONT_ENUM)
}

/// Puts back what a restore looks for, lets go of every handle, and serialises.
fn finish(
    mut builder: Builder<'_>,
    deno: v8::Global<v8::Value>,
    prepared: [Option<v8::Global<v8::Value>>; PREPARED.len()],
) -> Built {
    match call_hook(&mut builder.runtime, &builder.handles, "endBuild", &[]).as_deref() {
        Some("true") => {}
        Some(_) => return refused("start-up made built-in objects unchangeable"),
        None => return refused("the builder's own endBuild failed"),
    }
    if let Some(name) = replaced(&mut builder.runtime, &prepared) {
        return refused(format!("start-up replaces {name}"));
    }
    drop(prepared);
    let Builder { mut runtime, handles, executor, .. } = builder;
    let hooks = {
        deno_core::scope!(scope, &mut runtime);
        let hooks = v8::Local::new(scope, &handles.hooks);
        v8::Global::new(scope, v8::Local::<v8::Value>::from(hooks))
    };
    drop(handles);
    let put_back = set_global(&mut runtime, ext::HOOKS_NAME, hooks) == Some(true)
        && set_global(&mut runtime, "Deno", deno) == Some(true);
    modules::clear();
    if !put_back {
        return refused("start-up made the global object unchangeable");
    }
    if crate::snapshot::settle(executor, &mut runtime).is_err() {
        return refused("an error was left in the event loop");
    }
    Built::Snapshot(runtime.snapshot())
}
