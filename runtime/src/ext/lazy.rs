//! Globals that are made when a program first looks at them.
//!
//! V8's lazy data properties: to a program they are ordinary properties with a value, whatever it
//! asks; the first look calls [`first_look`] and keeps what it returns. Until then there is nothing
//! of them in any heap or snapshot.

use super::HOOKS_NAME;
use deno_core::{JsRuntime, v8};
use v8::MapFnTo;

/// Where the global object keeps the function that makes a lazy global by its name. It cannot be
/// the callback's data: V8 serialises that with what all contexts share, and a function belongs to one.
fn place<'s>(scope: &v8::PinScope<'s, '_, ()>) -> Option<v8::Local<'s, v8::Private>> {
    let name = v8::String::new(scope, "isle.make")?;
    Some(v8::Private::for_api(scope, Some(name)))
}

/// What V8 calls at the first look.
fn first_look(
    scope: &mut v8::PinScope<'_, '_>,
    name: v8::Local<'_, v8::Name>,
    _arguments: v8::PropertyCallbackArguments<'_>,
    mut result: v8::ReturnValue<'_, v8::Value>,
) {
    let global = scope.get_current_context().global(scope);
    let make = place(scope).and_then(|place| global.get_private(scope, place));
    let Some(Ok(make)) = make.map(v8::Local::<v8::Function>::try_from) else { return };
    let undefined = v8::undefined(scope);
    // What it throws (no stack left, no time left) is the program's, and the next look tries again.
    if let Some(value) = make.call(scope, undefined.into(), &[name.into()]) {
        result.set(value);
    }
}

/// The callback's address, for the list of external references.
pub(super) fn reference() -> v8::ExternalReference {
    let address: v8::AccessorNameGetterCallback = first_look.map_fn_to();
    v8::ExternalReference { pointer: address as *mut std::ffi::c_void }
}

/// Takes `lazy` from the hooks and makes properties of the global object of it: once, when the base
/// snapshot is made. `None` if `bootstrap.js` has left something else there.
pub fn install(runtime: &mut JsRuntime) -> Option<()> {
    deno_core::scope!(scope, runtime);
    let context = scope.get_current_context();
    let global = context.global(scope);
    let get = |scope: &mut v8::PinScope<'_, '_>, object: v8::Local<'_, v8::Object>, key: &str| {
        let key = v8::String::new(scope, key)?;
        let value = object.get(scope, key.into())?;
        Some(v8::Global::new(scope, value))
    };
    let hooks = get(scope, global, HOOKS_NAME)?;
    let hooks = v8::Local::<v8::Object>::try_from(v8::Local::new(scope, hooks)).ok()?;
    let lazy = get(scope, hooks, "lazy")?;
    let lazy = v8::Local::<v8::Object>::try_from(v8::Local::new(scope, lazy)).ok()?;
    let make = get(scope, lazy, "make")?;
    let make = v8::Local::new(scope, make);
    let place = place(scope)?;
    global.set_private(scope, place, make)?;
    let nothing: v8::Local<'_, v8::Value> = v8::undefined(scope).into();
    for list in ["hidden", "enumerable"] {
        let names = get(scope, lazy, list)?;
        let names = v8::Local::<v8::Array>::try_from(v8::Local::new(scope, names)).ok()?;
        for index in 0..names.length() {
            let name = v8::Local::<v8::Name>::try_from(names.get_index(scope, index)?).ok()?;
            let attributes =
                if list == "hidden" { v8::PropertyAttribute::DONT_ENUM } else { v8::PropertyAttribute::NONE };
            let (reading, writing) = (v8::SideEffectType::HasSideEffect, v8::SideEffectType::HasSideEffect);
            global.set_lazy_data_property_with_data(scope, name, first_look, nothing, attributes, reading, writing)?;
        }
    }
    let key = v8::String::new(scope, "lazy")?;
    hooks.delete(scope, key.into()).map(|_| ())
}
