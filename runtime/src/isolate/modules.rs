//! A deployment's modules in an isolate: compiled, linked by relative specifier, evaluated.
//!
//! Nothing is fetched and no file is opened: what a module may import is what was deployed with
//! it. V8's callbacks carry no data, so the graph is in a thread-local; an isolate has a thread of
//! its own.

use crate::function::Function;
use deno_core::v8;
use isle_wire::{FailureDetail, ModuleKind};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// How module names look to V8, and so in stacks and `import.meta.url`.
const SCHEME: &str = "file:///";
/// How Node's modules are imported.
const NODE: &str = "node:";
/// Where a bundle gets `require` for what it requires of Node's modules.
const REQUIRE: &str = "isle:require";

#[derive(Default)]
struct Graph {
    function: Option<Arc<Function>>,
    modules: HashMap<String, v8::Global<v8::Module>>,
    /// Why the last import was refused, with its place, which an exception of ours cannot carry.
    refusal: Option<FailureDetail>,
    /// What `bootstrap.js` offers.
    hooks: Option<v8::Global<v8::Object>>,
    /// A module whose code cache did not fit.
    refused_cache: Option<String>,
    /// Path by identity hash; hashes can collide, so the module is compared too.
    paths: HashMap<i32, Vec<(v8::Global<v8::Module>, String)>>,
}

thread_local! {
    static GRAPH: RefCell<Graph> = RefCell::default();
}

/// The file in the deployment that a V8 script name stands for.
pub fn path_of_name(name: &str) -> Option<&str> {
    name.strip_prefix(SCHEME)
}

/// Forgets the graph. Must run before the isolate goes: it holds handles into it.
pub fn clear() {
    GRAPH.set(Graph::default());
}

/// Notes the function whose modules and maps these are.
pub fn set_function(function: &Arc<Function>) {
    GRAPH.with_borrow_mut(|graph| graph.function = Some(function.clone()));
}

/// The function of this thread's isolate.
pub fn function() -> Option<Arc<Function>> {
    GRAPH.with_borrow(|graph| graph.function.clone())
}

/// Notes who makes Node's modules.
pub fn set_hooks(hooks: v8::Global<v8::Object>) {
    GRAPH.with_borrow_mut(|graph| graph.hooks = Some(hooks));
}

/// Where the hooks keep the entry's namespace in a snapshot of a function that may import itself.
const ENTRY: &str = "entry";

/// Has the entry's namespace be part of the snapshot that is being made.
pub fn keep_entry(runtime: &mut deno_core::JsRuntime, module: &v8::Global<v8::Module>) {
    deno_core::scope!(scope, runtime);
    let namespace = v8::Local::new(scope, module).get_module_namespace();
    let hooks = GRAPH.with_borrow(|graph| graph.hooks.clone());
    if let (Some(hooks), Some(key)) = (hooks, v8::String::new(scope, ENTRY)) {
        v8::Local::new(scope, hooks).set(scope, key.into(), namespace);
    }
}

/// The namespace of the module at `path`, if that is the entry and came with the snapshot.
fn kept_entry<'s>(scope: &mut v8::PinScope<'s, '_>, path: &str) -> Option<v8::Local<'s, v8::Object>> {
    let hooks = GRAPH.with_borrow(|graph| {
        let entry = graph.function.as_ref().filter(|function| function.spec.entry == path);
        entry.and(graph.hooks.clone())
    })?;
    let key = v8::String::new(scope, ENTRY)?;
    v8::Local::<v8::Object>::try_from(v8::Local::new(scope, hooks).get(scope, key.into())?).ok()
}

/// Text with the author's places in it.
pub fn with_authors_places(text: String) -> String {
    match function() {
        Some(function) => match function.maps.rewrite(&function.spec, &text) {
            std::borrow::Cow::Borrowed(_) => text,
            std::borrow::Cow::Owned(rewritten) => rewritten,
        },
        None => text,
    }
}

/// What a snapshot with modules in it refers to.
pub fn references() -> [v8::ExternalReference; 2] {
    use v8::MapFnTo;
    let json: v8::SyntheticModuleEvaluationSteps<'_> = evaluate_json.map_fn_to();
    let node: v8::SyntheticModuleEvaluationSteps<'_> = evaluate_node.map_fn_to();
    [json, node].map(|steps| v8::ExternalReference { pointer: steps as *mut std::ffi::c_void })
}

/// Routes V8's module callbacks here.
pub fn install(isolate: &mut v8::Isolate) {
    isolate.set_host_import_module_with_phase_dynamically_callback(import_dynamically);
    isolate.set_host_initialize_import_meta_object_callback(fill_import_meta);
}

/// Why the last import was refused, if that is what failed.
pub fn take_refusal() -> Option<FailureDetail> {
    GRAPH.with_borrow_mut(|graph| graph.refusal.take())
}

/// A module whose code cache V8 refused, if there is one.
pub fn take_refused_cache() -> Option<String> {
    GRAPH.with_borrow_mut(|graph| graph.refused_cache.take())
}

/// Compiles and links the entry and all it imports. `None` leaves an exception in the caller's
/// `TryCatch`.
pub fn link<'s>(scope: &mut v8::PinScope<'s, '_>, function: &Arc<Function>) -> Option<v8::Local<'s, v8::Module>> {
    set_function(function);
    let entry = &function.spec.entry;
    if !function.spec.modules.contains_key(entry) {
        throw(scope, "Runtime.ImportModuleError", &format!("Cannot find the entry module {entry}"));
        return None;
    }
    let entry = compile_graph(scope, entry)?;
    entry.instantiate_module(scope, resolve)?;
    Some(entry)
}

/// Adds the place of the import statement to what was refused.
fn place_refusal(file: &str, location: &v8::Location) {
    GRAPH.with_borrow_mut(|graph| {
        if let Some(refusal) = &mut graph.refusal {
            refusal.file = Some(file.to_owned());
            // V8 counts from 0.
            refusal.line = u32::try_from(location.get_line_number() + 1).ok();
            refusal.column = u32::try_from(location.get_column_number() + 1).ok();
        }
    });
}

fn throw(scope: &mut v8::PinScope<'_, '_>, name: &str, message: &str) {
    let text = v8::String::new(scope, message).unwrap_or_else(|| v8::String::empty(scope));
    let error = match name {
        "SyntaxError" => v8::Exception::syntax_error(scope, text),
        _ => v8::Exception::error(scope, text),
    };
    if let (Ok(object), Some(key), Some(value)) =
        (v8::Local::<v8::Object>::try_from(error), v8::String::new(scope, "name"), v8::String::new(scope, name))
    {
        object.set(scope, key.into(), value.into());
    }
    let refusal =
        FailureDetail { error_type: name.to_owned(), message: message.to_owned(), ..FailureDetail::default() };
    GRAPH.with_borrow_mut(|graph| graph.refusal = Some(refusal));
    scope.throw_exception(error);
}

/// `./x.js` as seen from `dir/y.js`; `None` when the specifier is bare or leaves the deployment.
fn join(specifier: &str, referrer: &str) -> Option<String> {
    let relative = specifier.starts_with("./") || specifier.starts_with("../");
    let rooted = specifier.strip_prefix(SCHEME).or_else(|| specifier.strip_prefix('/'));
    let mut parts: Vec<&str> = match rooted {
        Some(_) => Vec::new(),
        None if relative => referrer.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect(),
        None => return None,
    };
    for part in rooted.unwrap_or(specifier).split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}

/// The deployment's path for an import, or an exception that says what is wrong (R77).
fn locate(scope: &mut v8::PinScope<'_, '_>, specifier: &str, referrer: &str) -> Option<String> {
    const ERROR: &str = "Runtime.ImportModuleError";
    if specifier == REQUIRE {
        return Some(REQUIRE.to_owned());
    }
    if let Some(name) = specifier.strip_prefix(NODE) {
        if crate::ext::is_node_module(name) {
            return Some(specifier.to_owned());
        }
        let message = format!("Cannot import '{specifier}' from {referrer}: functions do not have that module of Node");
        throw(scope, ERROR, &message);
        return None;
    }
    let Some(path) = join(specifier, referrer) else {
        let message = format!(
            "Cannot import '{specifier}' from {referrer}: only modules of the deployment can be imported, \
             by a specifier that begins with './', '../' or '/'"
        );
        throw(scope, ERROR, &message);
        return None;
    };
    let is_module = |f: &Arc<Function>| f.spec.modules.get(&path).is_some_and(|m| m.kind != ModuleKind::SourceMap);
    if !GRAPH.with_borrow(|graph| graph.function.as_ref().is_some_and(is_module)) {
        throw(scope, ERROR, &format!("Cannot find module '{specifier}' imported from {referrer}"));
        return None;
    }
    Some(path)
}

/// Compiles the module at `path` and, breadth first, all it imports statically.
fn compile_graph<'s>(scope: &mut v8::PinScope<'s, '_>, path: &str) -> Option<v8::Local<'s, v8::Module>> {
    let entry = compile(scope, path)?;
    let mut waiting = vec![(path.to_owned(), entry)];
    while let Some((referrer, module)) = waiting.pop() {
        if !module.is_source_text_module() {
            continue;
        }
        let requests = module.get_module_requests();
        for index in 0..requests.length() {
            let Some(request) = requests.get(scope, index) else { continue };
            let Ok(request) = v8::Local::<v8::ModuleRequest>::try_from(request) else { continue };
            let specifier = request.get_specifier().to_rust_string_lossy(scope);
            let attributes = request.get_import_attributes();
            let target = locate(scope, &specifier, &referrer)
                .and_then(|target| check_attributes(scope, attributes, 3, &target, &referrer).map(|()| target));
            let Some(target) = target else {
                place_refusal(&referrer, &module.source_offset_to_location(request.get_source_offset()));
                return None;
            };
            if !GRAPH.with_borrow(|graph| graph.modules.contains_key(&target)) {
                let module = compile(scope, &target)?;
                waiting.push((target, module));
            }
        }
    }
    Some(entry)
}

/// JSON needs `with { type: "json" }`, and JavaScript must not claim it: the importer says what it
/// expects to run. `stride` is 3 for static imports (key, value, position), 2 for dynamic ones.
fn check_attributes(
    scope: &mut v8::PinScope<'_, '_>,
    attributes: v8::Local<'_, v8::FixedArray>,
    stride: usize,
    target: &str,
    referrer: &str,
) -> Option<()> {
    let mut wants_json = false;
    for index in (0..attributes.length()).step_by(stride) {
        let text = |at: usize| {
            let data = attributes.get(scope, at)?;
            let value = v8::Local::<v8::Value>::try_from(data).ok()?;
            Some(value.to_rust_string_lossy(scope))
        };
        let (key, value) = (text(index)?, text(index + 1)?);
        if key == "type" && value == "json" {
            wants_json = true;
        } else {
            throw(scope, "TypeError", &format!("Import attribute {key}: \"{value}\" in {referrer} is not known"));
            return None;
        }
    }
    let is_json = ModuleKind::of_path(target) == Some(ModuleKind::Json);
    if is_json != wants_json {
        let hint = if is_json { "add" } else { "remove" };
        throw(scope, "TypeError", &format!("Import of '{target}' in {referrer}: {hint} `with {{ type: \"json\" }}`"));
        return None;
    }
    Some(())
}

fn compile<'s>(scope: &mut v8::PinScope<'s, '_>, path: &str) -> Option<v8::Local<'s, v8::Module>> {
    if let Some(known) = GRAPH.with_borrow(|graph| graph.modules.get(path).cloned()) {
        return Some(v8::Local::new(scope, known));
    }
    if path == REQUIRE || path.starts_with(NODE) {
        let exports = node_exports(scope, path)?;
        let mut names = export_names(scope, exports)?;
        names.push(v8::String::new(scope, "default")?);
        let name = v8::String::new(scope, path)?;
        let module = v8::Module::create_synthetic_module(scope, name, &names, evaluate_node);
        return Some(remember(scope, path, module));
    }
    let function = function()?;
    let source = function.spec.modules.get(path)?;
    let name = v8::String::new(scope, &format!("{SCHEME}{path}"))?;
    let module = match source.kind {
        // `locate` finds none.
        ModuleKind::SourceMap => return None,
        ModuleKind::JavaScript => {
            let text = match function.sources.get(path) {
                Some(external) => v8::String::new_from_onebyte_const(scope, external)?,
                None => v8::String::new(scope, &source.text)?,
            };
            let origin = v8::ScriptOrigin::new(scope, name.into(), 0, 0, false, -1, None, false, false, true, None);
            let cache = function.artifact.as_ref().and_then(|artifact| artifact.cache(path));
            let (module, refused) = compile_text(scope, text, &origin, cache)?;
            if refused {
                GRAPH.with_borrow_mut(|graph| graph.refused_cache = Some(path.to_owned()));
            }
            module
        }
        ModuleKind::Json => {
            let default = v8::String::new(scope, "default")?;
            v8::Module::create_synthetic_module(scope, name, &[default], evaluate_json)
        }
    };
    Some(remember(scope, path, module))
}

fn remember<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    path: &str,
    module: v8::Local<'s, v8::Module>,
) -> v8::Local<'s, v8::Module> {
    let handle = v8::Global::new(scope, module);
    GRAPH.with_borrow_mut(|graph| {
        let hash = module.get_identity_hash().get();
        graph.paths.entry(hash).or_default().push((handle.clone(), path.to_owned()));
        graph.modules.insert(path.to_owned(), handle);
    });
    module
}

/// What one of Node's modules exports; it is compiled at its first import.
fn node_exports<'s>(scope: &mut v8::PinScope<'s, '_>, path: &str) -> Option<v8::Local<'s, v8::Object>> {
    let hooks = GRAPH.with_borrow(|graph| graph.hooks.clone())?;
    let hooks = v8::Local::new(scope, hooks);
    let key = v8::String::new(scope, "node")?;
    let make = v8::Local::<v8::Function>::try_from(hooks.get(scope, key.into())?).ok()?;
    let name = v8::String::new(scope, path)?;
    v8::Local::<v8::Object>::try_from(make.call(scope, hooks.into(), &[name.into()])?).ok()
}

/// The names of an object's own properties that a program can see.
fn export_names<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    exports: v8::Local<'s, v8::Object>,
) -> Option<Vec<v8::Local<'s, v8::String>>> {
    let arguments = v8::GetPropertyNamesArgs {
        mode: v8::KeyCollectionMode::OwnOnly,
        property_filter: v8::PropertyFilter::ONLY_ENUMERABLE | v8::PropertyFilter::SKIP_SYMBOLS,
        index_filter: v8::IndexFilter::SkipIndices,
        key_conversion: v8::KeyConversionMode::ConvertToString,
    };
    let names = exports.get_own_property_names(scope, arguments)?;
    let name = |at| v8::Local::<v8::String>::try_from(names.get_index(scope, at)?).ok();
    (0..names.length()).map(name).collect()
}

fn evaluate_node<'s>(
    context: v8::Local<'s, v8::Context>,
    module: v8::Local<'s, v8::Module>,
) -> Option<v8::Local<'s, v8::Value>> {
    // SAFETY: V8 calls this with a live context of the isolate that is entered on this thread.
    v8::callback_scope!(unsafe scope, context);
    let path = path_of(scope, module)?;
    let exports = node_exports(scope, &path)?;
    for name in export_names(scope, exports)? {
        let value = exports.get(scope, name.into())?;
        module.set_synthetic_module_export(scope, name, value)?;
    }
    let default = v8::String::new(scope, "default")?;
    module.set_synthetic_module_export(scope, default, exports.into())?;
    let resolver = v8::PromiseResolver::new(scope)?;
    let nothing = v8::undefined(scope);
    resolver.resolve(scope, nothing.into());
    Some(resolver.get_promise(scope).into())
}

/// Compiles, from the code cache where there is one. V8 ignores a cache that does not fit; whether
/// it did is said beside the module.
fn compile_text<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    text: v8::Local<'s, v8::String>,
    origin: &v8::ScriptOrigin<'_>,
    cache: Option<&[u8]>,
) -> Option<(v8::Local<'s, v8::Module>, bool)> {
    use v8::script_compiler::{CachedData, CompileOptions, NoCacheReason, Source, compile_module2};
    let (mut source, options) = match cache {
        Some(cache) => {
            (Source::new_with_cached_data(text, Some(origin), CachedData::new(cache)), CompileOptions::ConsumeCodeCache)
        }
        None => (Source::new(text, Some(origin)), CompileOptions::NoCompileOptions),
    };
    let module = compile_module2(scope, &mut source, options, NoCacheReason::NoReason)?;
    let refused = cache.is_some() && source.get_cached_data().is_some_and(CachedData::rejected);
    Some((module, refused))
}

/// The code caches of all modules that were compiled, with the functions compiled so far in them.
pub fn code_caches(scope: &mut v8::PinScope<'_, '_>) -> Vec<(String, Vec<u8>)> {
    let modules: Vec<_> =
        GRAPH.with_borrow(|graph| graph.modules.iter().map(|(path, module)| (path.clone(), module.clone())).collect());
    let mut caches: Vec<(String, Vec<u8>)> = modules
        .into_iter()
        .filter_map(|(path, module)| {
            let module = v8::Local::new(scope, module);
            if !module.is_source_text_module() {
                return None;
            }
            let cache = module.get_unbound_module_script(scope).create_code_cache()?;
            Some((path, cache.to_vec()))
        })
        .collect();
    caches.sort();
    caches
}

fn path_of(scope: &mut v8::PinScope<'_, '_>, module: v8::Local<'_, v8::Module>) -> Option<String> {
    let handle = v8::Global::new(scope, module);
    GRAPH.with_borrow(|graph| {
        let same_hash = graph.paths.get(&module.get_identity_hash().get())?;
        same_hash.iter().find(|(known, _)| *known == handle).map(|(_, path)| path.clone())
    })
}

fn resolve<'s>(
    context: v8::Local<'s, v8::Context>,
    specifier: v8::Local<'s, v8::String>,
    _attributes: v8::Local<'s, v8::FixedArray>,
    referrer: v8::Local<'s, v8::Module>,
) -> Option<v8::Local<'s, v8::Module>> {
    // SAFETY: V8 calls this with a live context of the isolate that is entered on this thread.
    v8::callback_scope!(unsafe scope, context);
    let referrer = path_of(scope, referrer)?;
    let specifier = specifier.to_rust_string_lossy(scope);
    let path = locate(scope, &specifier, &referrer)?;
    let module = GRAPH.with_borrow(|graph| graph.modules.get(&path).cloned())?;
    Some(v8::Local::new(scope, module))
}

fn evaluate_json<'s>(
    context: v8::Local<'s, v8::Context>,
    module: v8::Local<'s, v8::Module>,
) -> Option<v8::Local<'s, v8::Value>> {
    // SAFETY: V8 calls this with a live context of the isolate that is entered on this thread.
    v8::callback_scope!(unsafe scope, context);
    let path = path_of(scope, module)?;
    let function = GRAPH.with_borrow(|graph| graph.function.clone())?;
    let text = v8::String::new(scope, &function.spec.modules.get(&path)?.text)?;
    let value = parse_json(scope, text, &path)?;
    let default = v8::String::new(scope, "default")?;
    module.set_synthetic_module_export(scope, default, value)?;
    let resolver = v8::PromiseResolver::new(scope)?;
    let nothing = v8::undefined(scope);
    resolver.resolve(scope, nothing.into());
    Some(resolver.get_promise(scope).into())
}

/// Parses a JSON module; what is wrong with it is told with its file and line.
fn parse_json<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    text: v8::Local<'s, v8::String>,
    path: &str,
) -> Option<v8::Local<'s, v8::Value>> {
    v8::tc_scope!(let scope, scope);
    if let Some(value) = v8::json::parse(scope, text) {
        return Some(value);
    }
    let error = scope.exception()?;
    let message = error.to_rust_string_lossy(scope);
    let message = message.strip_prefix("SyntaxError: ").unwrap_or(&message).to_owned();
    let number_after = |word: &str| -> Option<u32> {
        let digits = message.rsplit_once(word)?.1;
        digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let refusal = FailureDetail {
        error_type: "SyntaxError".to_owned(),
        file: Some(path.to_owned()),
        line: Some(number_after("line ").unwrap_or(1)),
        column: Some(number_after("column ").unwrap_or(1)),
        message: format!("{path}: {message}"),
        stack: None,
    };
    GRAPH.with_borrow_mut(|graph| graph.refusal = Some(refusal));
    scope.rethrow();
    None
}

extern "C" fn fill_import_meta(
    context: v8::Local<'_, v8::Context>,
    module: v8::Local<'_, v8::Module>,
    meta: v8::Local<'_, v8::Object>,
) {
    // SAFETY: V8 calls this with a live context of the isolate that is entered on this thread.
    v8::callback_scope!(unsafe scope, context);
    // A module that came out of a snapshot is in no graph; it is the only one of its function then.
    let path = path_of(scope, module).or_else(|| function().map(|function| function.spec.entry.clone()));
    if let Some(path) = path
        && let Some(key) = v8::String::new(scope, "url")
        && let Some(url) = v8::String::new(scope, &format!("{SCHEME}{path}"))
    {
        meta.create_data_property(scope, key.into(), url.into());
    }
}

/// `import()`: the same modules as static imports, linked and evaluated on demand.
fn import_dynamically<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    _options: v8::Local<'s, v8::Data>,
    resource: v8::Local<'s, v8::Value>,
    specifier: v8::Local<'s, v8::String>,
    _phase: v8::ModuleImportPhase,
    attributes: v8::Local<'s, v8::FixedArray>,
) -> Option<v8::Local<'s, v8::Promise>> {
    let resolver = v8::PromiseResolver::new(scope)?;
    let promise = resolver.get_promise(scope);
    let resource = resource.to_rust_string_lossy(scope);
    let specifier = specifier.to_rust_string_lossy(scope);
    v8::tc_scope!(let scope, scope);
    match evaluate_dynamically(scope, &resource, &specifier, attributes) {
        Some((evaluated, namespace)) => {
            let then = v8::Function::builder(
                |_: &mut v8::PinScope<'_, '_>, a: v8::FunctionCallbackArguments<'_>, mut r: v8::ReturnValue<'_>| {
                    r.set(a.data());
                },
            )
            .data(namespace)
            .build(scope)?;
            let chained = evaluated.then(scope, then)?;
            resolver.resolve(scope, chained.into());
        }
        None if scope.has_terminated() => return None,
        None => {
            let error = scope.exception().unwrap_or_else(|| v8::undefined(scope).into());
            scope.reset();
            resolver.reject(scope, error);
        }
    }
    Some(promise)
}

fn evaluate_dynamically<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    resource: &str,
    specifier: &str,
    attributes: v8::Local<'s, v8::FixedArray>,
) -> Option<(v8::Local<'s, v8::Promise>, v8::Local<'s, v8::Value>)> {
    // Code made from strings has no file; it imports as if it stood at the root.
    let referrer = path_of_name(resource).unwrap_or("eval.js").to_owned();
    let path = locate(scope, specifier, &referrer)?;
    check_attributes(scope, attributes, 2, &path, &referrer)?;
    if let Some(entry) = kept_entry(scope, &path) {
        let resolver = v8::PromiseResolver::new(scope)?;
        let nothing = v8::undefined(scope);
        resolver.resolve(scope, nothing.into());
        return Some((resolver.get_promise(scope), entry.into()));
    }
    let module = compile_graph(scope, &path)?;
    if module.get_status() == v8::ModuleStatus::Uninstantiated {
        module.instantiate_module(scope, resolve)?;
    }
    let evaluated = module.evaluate(scope)?;
    let evaluated = v8::Local::<v8::Promise>::try_from(evaluated).ok()?;
    Some((evaluated, module.get_module_namespace()))
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn specifiers_stay_inside_the_deployment() {
        for (specifier, referrer, expected) in [
            ("./b.js", "a.js", Some("b.js")),
            ("./b.js", "dir/a.js", Some("dir/b.js")),
            ("../b.js", "dir/a.js", Some("b.js")),
            (".././x/../b.js", "dir/a.js", Some("b.js")),
            ("/lib/b.js", "dir/a.js", Some("lib/b.js")),
            ("file:///lib/b.js", "a.js", Some("lib/b.js")),
            ("../b.js", "a.js", None),
            ("../../etc/passwd", "dir/a.js", None),
            ("lodash", "a.js", None),
            ("node:fs", "a.js", None),
            ("https://example.org/x.js", "a.js", None),
        ] {
            assert_eq!(join(specifier, referrer).as_deref(), expected, "{specifier} from {referrer}");
        }
    }
}
