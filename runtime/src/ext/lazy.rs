//! Properties of the global object whose value is made when somebody first looks: to JavaScript
//! they are data properties like any other.

use deno_core::{op2, v8};
use v8::MapFnTo as _;

/// V8 calls this once for each property. `data` is the function that makes the value.
fn make<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: v8::Local<'s, v8::Name>,
    arguments: v8::PropertyCallbackArguments<'s>,
    mut value: v8::ReturnValue<'_, v8::Value>,
) {
    let Ok(load) = v8::Local::<v8::Function>::try_from(arguments.data()) else { return };
    let nothing = v8::undefined(scope).into();
    // What it throws, the one who looks gets.
    if let Some(made) = load.call(scope, nothing, &[name.into()]) {
        value.set(made);
    }
}

/// The getter as snapshots refer to it.
pub fn reference() -> v8::ExternalReference {
    let getter: v8::AccessorNameGetterCallback = make.map_fn_to();
    v8::ExternalReference { pointer: getter as *mut std::ffi::c_void }
}

/// Gives `object` a property that `load(name)` makes.
#[op2]
pub fn op_isle_lazy<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    object: v8::Local<'s, v8::Object>,
    name: v8::Local<'s, v8::String>,
    enumerable: bool,
    load: v8::Local<'s, v8::Function>,
) {
    let attributes = if enumerable { v8::PropertyAttribute::NONE } else { v8::PropertyAttribute::DONT_ENUM };
    let effects = v8::SideEffectType::HasSideEffect;
    object.set_lazy_data_property_with_data(scope, name.into(), make, load.into(), attributes, effects, effects);
}
