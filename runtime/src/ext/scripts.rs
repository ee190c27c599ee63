//! The platform's scripts: embedded text, compiled when it is first asked for.
//!
//! Most of the platform is evaluated once, in the base snapshot. What few functions use (streams,
//! `Response`, encodings) is compiled in the isolate that first asks for it, and compiling all of
//! `Response` takes milliseconds: so a process may [`use_caches`] that were made with the base
//! snapshot, and V8 reads back what it once compiled.

use super::SCRIPTS;
use crate::snapshot::artifact::Artifact;
use deno_core::v8;
use std::cell::RefCell;
use std::sync::OnceLock;
use v8::script_compiler::{CachedData, CompileOptions, NoCacheReason, Source, compile_function};

/// The caches of this process. They are for one base snapshot, as the process is.
static CACHES: OnceLock<Artifact> = OnceLock::new();

/// A script's name, and what it was compiled to.
type Compiled = (&'static str, v8::Global<v8::Function>);

thread_local! {
    /// What has been compiled on this thread, while somebody records it.
    static RECORDED: RefCell<Option<Vec<Compiled>>> = const { RefCell::new(None) };
}

/// From now on, scripts are compiled from these caches, which are kept for the process's life.
/// Once; later calls change nothing.
pub fn use_caches(caches: Artifact) {
    let _ = CACHES.set(caches);
}

/// Compiles a script of [`SCRIPTS`] as a function of one parameter.
pub(super) fn compile<'s>(scope: &mut v8::PinScope<'s, '_>, specifier: &str) -> Option<v8::Local<'s, v8::Function>> {
    let (specifier, text) = SCRIPTS.iter().find(|(name, _)| *name == specifier)?;
    let text = v8::String::new_from_onebyte_const(scope, text)?;
    let name = v8::String::new(scope, specifier)?;
    let origin = v8::ScriptOrigin::new(scope, name.into(), 0, 0, false, -1, None, false, false, false, None);
    let (mut source, options) = match CACHES.get().and_then(|caches| caches.cache(specifier)) {
        // A cache that does not fit is ignored by V8: then the text is compiled.
        Some(cache) => {
            let cached = Source::new_with_cached_data(text, Some(&origin), CachedData::new(cache));
            (cached, CompileOptions::ConsumeCodeCache)
        }
        None => (Source::new(text, Some(&origin)), CompileOptions::NoCompileOptions),
    };
    let parameter = v8::String::new(scope, "__bootstrap")?;
    let compiled = compile_function(scope, &mut source, &[parameter], &[], options, NoCacheReason::NoReason)?;
    RECORDED.with_borrow_mut(|recorded| {
        if let Some(recorded) = recorded {
            recorded.push((specifier, v8::Global::new(scope, compiled)));
        }
    });
    Some(compiled)
}

/// Has every script that this thread compiles from now on remembered.
pub fn record() {
    RECORDED.set(Some(Vec::new()));
}

/// Code caches of the scripts that were remembered, with what of them has been compiled by now.
/// Ends the remembering.
pub fn recorded_caches(scope: &mut v8::PinScope<'_, '_>) -> Vec<(String, Vec<u8>)> {
    let recorded = RECORDED.take().unwrap_or_default();
    let cache = |(specifier, function): (&str, v8::Global<v8::Function>)| {
        let cache = v8::Local::new(scope, function).create_code_cache()?;
        Some((specifier.to_owned(), cache.to_vec()))
    };
    recorded.into_iter().filter_map(cache).collect()
}
