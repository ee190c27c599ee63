//! What of deno_core's own objects the platform needs: the rest is taken out of the base snapshot.
//!
//! deno_core copies every built-in function of the language into its `primordials`, 400 of them as
//! bound functions of their own, and freezes the object. Scripts name a quarter of that. So freezing
//! is put off until [`prune`] has taken the rest out.

use super::{BOOTSTRAP, SCRIPTS};
use deno_core::{JsRuntime, error::JsError, v8};
use std::collections::BTreeSet;

/// What deno_core reads from `Deno.core` when it restores a snapshot.
const KEPT: &[&str] = &[
    "ops",
    "setUpAsyncStub",
    "buildCustomError",
    "errorConstructors",
    "runImmediateCallbacks",
    "__drainNextTickAndMacrotasks",
    "__eventLoopTick",
    "__handleRejections",
    "__processTimers",
    "__setImmediateInfo",
    "__setTickInfo",
    "__setTimerInfo",
];

/// Puts other functions in the place of two built-in ones: nothing in the two objects that are pruned
/// is made permanent, and for all others they are what they stand for.
const SPARE: &str = r#"{
  const { freeze } = Object, { defineProperty } = Reflect;
  const isPrimordials = (object) => object !== null && typeof object === "object" && Object.hasOwn(object, "uncurryThis");
  const isCore = (object) => object !== null && typeof object === "object" && Object.hasOwn(object, "setUpAsyncStub");
  let core;
  Object.freeze = (object) => {
    if (isCore(object)) core = { ...object };
    return isPrimordials(object) || isCore(object) ? object : freeze(object);
  };
  Object.freeze.original = freeze;
  Object.freeze.core = () => core;
  Reflect.defineProperty = (object, key, descriptor) =>
    defineProperty(object, key, isPrimordials(object) ? { ...descriptor, configurable: true } : descriptor);
  Reflect.defineProperty.original = defineProperty;
}"#;

/// For the context of the base snapshot, before deno_core puts anything in it.
pub(super) fn put_freezing_off(scope: &mut v8::PinScope<'_, '_>, _global: v8::Local<'_, v8::Object>) {
    let script = v8::String::new(scope, SPARE).and_then(|text| v8::Script::compile(scope, text, None));
    // Without it, pruning fails and says so.
    let _ = script.and_then(|script| script.run(scope));
}

/// Every word of the platform's scripts: more than they name of these objects, never less.
fn words() -> BTreeSet<&'static str> {
    let texts = SCRIPTS.iter().map(|(_, text)| text.as_str()).chain([BOOTSTRAP]);
    texts.flat_map(|text| text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '$'))).collect()
}

/// Prunes the context that deno_core has just prepared. Once, before `bootstrap.js`.
///
/// # Errors
/// What the script threw: the objects are not as this version of deno_core leaves them.
pub fn prune(runtime: &mut JsRuntime) -> Result<(), Box<JsError>> {
    let arguments = serde_json::json!([words(), KEPT]);
    let script = format!("({})(globalThis, ...{arguments});", include_str!("prune.js"));
    runtime.execute_script("isle:prune", script).map(|_| ())
}
