//! Start-up: a function's modules evaluated and its handler taken.

use super::detail::detail_of;
use super::{Catching, Failure, Handles, Kind, Stop, hook, modules};
use crate::function::Function;
use deno_core::{JsRuntime, v8};
use isle_wire::{FailureDetail, FunctionKind, FunctionSpec, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) fn startup_stopped(stop: Stop, spec: &FunctionSpec) -> Failure {
    let limits = &spec.limits;
    match stop {
        Stop::Cpu => Failure::new(
            Outcome::StartupCpuExceeded,
            "Isle.StartupCpuExceeded",
            format!("{}: start-up used more than {} ms of CPU time", spec.entry, limits.startup_cpu_ms),
        ),
        Stop::Heap => Failure::new(
            Outcome::HeapExceeded,
            "Isle.HeapExceeded",
            format!("{}: start-up needed more than {} MiB of memory", spec.entry, limits.heap_mb),
        ),
    }
}

pub(super) type Evaluated = (v8::Global<v8::Module>, v8::Global<v8::Promise>);

pub(super) fn evaluate(runtime: &mut JsRuntime, function: &Arc<Function>) -> Result<Evaluated, Failure> {
    let spec = &function.spec;
    deno_core::scope!(scope, runtime);
    v8::tc_scope!(let scope, scope);
    let evaluated = modules::link(scope, function).and_then(|module| Some((module, module.evaluate(scope)?)));
    scope.perform_microtask_checkpoint();
    let promise = evaluated.and_then(|(module, value)| Some((module, v8::Local::<v8::Promise>::try_from(value).ok()?)));
    match promise {
        Some((module, promise)) => {
            // Its rejection is reported as a failed start, not as nobody's.
            promise.mark_as_handled();
            Ok((v8::Global::new(scope, module), v8::Global::new(scope, promise)))
        }
        None => {
            let detail = match scope.exception() {
                Some(exception) => {
                    startup_detail(modules::take_refusal().unwrap_or_else(|| detail_of(scope, exception)), spec)
                }
                None => FailureDetail { error_type: "Runtime.Unknown".into(), ..Default::default() },
            };
            Err(Failure { outcome: Outcome::StartupFailed, detail })
        }
    }
}

/// R77: a syntax error has a name of its own.
fn startup_detail(mut detail: FailureDetail, spec: &FunctionSpec) -> FailureDetail {
    if detail.error_type == "SyntaxError" {
        detail.error_type = "Runtime.UserCodeSyntaxError".into();
    }
    if detail.file.is_none() {
        detail.file = Some(spec.entry.clone());
    }
    detail
}

/// Whether this process serves the code's author alone: what `NODE_ENV` says.
static DEVELOPMENT: AtomicBool = AtomicBool::new(false);

/// Has functions be told that they are being developed. For the whole process, before the first one.
pub fn set_development(development: bool) {
    DEVELOPMENT.store(development, Ordering::Relaxed);
}

/// The region of functions that name none (`AWS_REGION`): packages expect some.
const REGION: &str = "local";

fn stem(entry: &str) -> &str {
    entry.rsplit_once('.').map_or(entry, |(stem, _)| stem)
}

/// What of the handler's context is the same for every invocation, as JSON (R70 ff). Where a snapshot
/// is made, the variables are left out but for their names: no value of theirs may be in it.
pub(super) fn fixed_context(spec: &FunctionSpec, with_env: bool) -> String {
    let mut fixed = serde_json::json!({
        "functionName": spec.function,
        "functionVersion": spec.deployment,
        "invokedFunctionArn":
            format!("arn:isle:lambda:{REGION}:{}:function:{}:{}", spec.tenant, spec.app, spec.function),
        "memoryLimitInMB": spec.limits.heap_mb.to_string(),
        "logGroupName": format!("/isle/{}/{}", spec.app, spec.function),
        "logStreamName": spec.deployment,
        "handler": format!("{}.{}", stem(&spec.entry), spec.contract.handler_path()),
        "region": REGION,
        "environment": if DEVELOPMENT.load(Ordering::Relaxed) { "development" } else { "production" },
        "env": if with_env { spec.env.clone() } else { Default::default() },
    });
    if !with_env {
        fixed["names"] = spec.env.keys().cloned().collect();
    }
    fixed.to_string()
}

/// Takes the function that the module exports: `handler`, or else a fetch handler (R76).
pub(super) fn adopt(
    runtime: &mut JsRuntime,
    handles: &Handles,
    spec: &FunctionSpec,
    module: &v8::Global<v8::Module>,
    promise: &v8::Global<v8::Promise>,
) -> Result<Kind, Failure> {
    deno_core::scope!(scope, runtime);
    v8::tc_scope!(let scope, scope);
    let promise = v8::Local::new(scope, promise);
    if promise.state() == v8::PromiseState::Rejected {
        let error = promise.result(scope);
        let detail = startup_detail(modules::take_refusal().unwrap_or_else(|| detail_of(scope, error)), spec);
        return Err(Failure { outcome: Outcome::StartupFailed, detail });
    }
    let module = v8::Local::new(scope, module);
    let namespace = v8::Local::<v8::Object>::try_from(module.get_module_namespace()).ok();
    // R75: an export, or with dots a property of one.
    let path = spec.contract.handler_path();
    let mut names = path.split('.');
    let handler = namespace.filter(|_| spec.kind != FunctionKind::Fetch).and_then(|namespace| {
        names.try_fold(namespace.into(), |holder: v8::Local<'_, v8::Value>, name| {
            let key = v8::String::new(scope, name)?;
            v8::Local::<v8::Object>::try_from(holder).ok()?.get(scope, key.into())
        })
    });
    let handler = handler.filter(|handler| !handler.is_undefined());
    // Who names the handler means it.
    let named = spec.kind == FunctionKind::Handler || !spec.contract.handler.is_empty();
    if handler.is_none() && named && spec.kind != FunctionKind::Fetch {
        return Err(not_found(spec, format!("{} exports no `{path}`", spec.entry)));
    }
    if handler.is_some_and(|handler| !handler.is_function()) {
        return Err(not_found(spec, format!("`{path}` of {} is not a function", spec.entry)));
    }
    let (hook_name, exported) = match (handler, namespace) {
        (Some(handler), _) => ("adopt", handler),
        (None, Some(namespace)) => ("adoptFetch", namespace.into()),
        (None, None) => return Err(not_found(spec, format!("{} has no exports", spec.entry))),
    };
    let hooks = v8::Local::new(scope, &handles.hooks);
    let adopt = hook(scope, hooks, hook_name);
    let adopted = adopt.and_then(|adopt| adopt.call(scope, hooks.into(), &[exported]));
    match adopted.map(|kind| kind.to_rust_string_lossy(scope)).as_deref() {
        Some("fetch") => Ok(Kind::Fetch),
        Some("streamed") => Ok(Kind::Streamed),
        Some(_) => Ok(Kind::Handler),
        None => Err(not_found(spec, format!("{} {}", spec.entry, why(scope)))),
    }
}

fn not_found(spec: &FunctionSpec, message: String) -> Failure {
    let mut failure = Failure::new(Outcome::StartupFailed, "Runtime.HandlerNotFound", message);
    failure.detail.file = Some(spec.entry.clone());
    failure
}

/// What the entry module is or does that it cannot serve.
fn why(scope: &mut Catching<'_, '_, '_, '_>) -> String {
    match scope.exception() {
        Some(exception) if !scope.has_terminated() => detail_of(scope, exception).message,
        _ => "has exports that cannot be read".to_owned(),
    }
}
