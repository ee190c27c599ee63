//! One isolate on one thread: how it is made, entered, limited and dropped. All the unsafe code of
//! Isle is in this folder.
//!
//! ```text
//!   thread ── owns ─▶ Isolate ─▶ JsRuntime ─▶ V8 isolate + context      (not Send)
//!                        │                       ▲ reads
//!                        ├─ Control (shared)     base snapshot: mapped once per process, read-only,
//!                        └─ Installed            never unmapped
//! ```
//!
//! Dropped in this order: the module graph and handles into V8, the runtime, then what V8's
//! callbacks point to. V8 frees its read-only heap with the last isolate of a process; the cell
//! keeps an *anchor* isolate for its whole life, so that this never happens while it serves.
//!
//! Every way into JavaScript has a name and a budget: [`Isolate::load`] (start-up),
//! [`Isolate::call`] (handler), [`Isolate::turn`] (what the handler waits for), [`Isolate::settle`]
//! (reading a result).

mod build;
mod control;
pub mod guard;
mod map;
mod modules;
pub mod platform;
mod rejections;
mod sources;

pub use build::{Built, WarmUp, build_snapshot};
pub use control::{Control, Memory, Stop, thread_cpu_ns};
pub use map::{Begun, Mapped, map_snapshot};
pub use sources::Sources;

use crate::ext::{self, ConsoleSink, InvocationMark};
use crate::function::Function;
use crate::handler::event::EventBody;
use crate::handler::response::{self, Names, Reply, Unreadable};
use deno_core::error::JsError;
use deno_core::{JsRuntime, PollEventLoopOptions, RuntimeOptions, v8};
use isle_wire::{FailureDetail, FunctionSpec, Outcome};
use std::sync::Arc;
use std::task::{Context, Poll};

/// Address space that each isolate sets aside for machine code, which the kernel counts as writable
/// memory whether it is used or not. V8's own choice is twice this; it takes no less.
pub const CODE_RANGE_BYTES: usize = 64 << 20;

/// Why a start or a call ended without a response.
#[derive(Debug)]
pub struct Failure {
    /// How it counts.
    pub outcome: Outcome,
    /// For the author.
    pub detail: FailureDetail,
}

impl Failure {
    /// A failure with a message of ours.
    pub fn new(outcome: Outcome, error_type: &str, message: impl Into<String>) -> Failure {
        let detail = FailureDetail { error_type: error_type.to_owned(), message: message.into(), ..Default::default() };
        Failure { outcome, detail }
    }
}

/// What a stay in JavaScript came to.
pub struct Stayed<T> {
    /// Its result.
    pub result: T,
    /// CPU time used, in ns.
    pub cpu_ns: u64,
    /// The limit that ended it; the isolate must not be used for new invocations then.
    pub stop: Option<Stop>,
}

/// What calling a handler came to.
pub enum Called {
    /// It is over.
    Ended(Result<Reply, Failure>),
    /// Its promise is pending.
    Pending(v8::Global<v8::Promise>),
}

/// The arguments of one call.
pub struct Call<'a> {
    /// The invocation's id, for console lines.
    pub invocation: u32,
    /// The event's JSON, without its body.
    pub event: &'a str,
    /// The body.
    pub body: &'a EventBody<'a>,
    /// The id shown to the function.
    pub request_id: &'a str,
    /// The wall limit, as ms since the Unix epoch.
    pub deadline_ms: f64,
    /// CPU budget, in ns.
    pub budget_ns: u64,
    /// The response's limit.
    pub body_bytes_max: usize,
    /// Whether it comes directly after another call on this thread.
    pub follows: bool,
}

struct Handles {
    hooks: v8::Global<v8::Object>,
    enter: v8::Global<v8::Function>,
    names: Names,
}

/// An isolate with the web platform in it, and perhaps a function. Belongs to its thread.
pub struct Isolate {
    handles: Option<Handles>,
    runtime: JsRuntime,
    control: Arc<Control>,
    _installed: control::Installed,
    /// Whose text the isolate reads; dropped after it.
    function: Option<Arc<Function>>,
}

impl Drop for Isolate {
    fn drop(&mut self) {
        modules::clear();
        rejections::clear();
        self.handles = None;
    }
}

/// Text as a V8 string: one byte a character where it can be.
fn text<'s>(scope: &mut v8::PinScope<'s, '_>, text: &str) -> Option<v8::Local<'s, v8::String>> {
    if text.is_ascii() {
        v8::String::new_from_one_byte(scope, text.as_bytes(), v8::NewStringType::Normal)
    } else {
        v8::String::new(scope, text)
    }
}

impl Isolate {
    /// Restores the base snapshot. `heap_bytes` is V8's own heap limit and the memory account's.
    pub fn new(base: &'static [u8], heap_bytes: usize, console: Box<dyn ConsoleSink>) -> Isolate {
        Isolate::of_blob(base, &Sources::default(), heap_bytes, console)
    }

    fn of_blob(blob: &'static [u8], sources: &Sources, heap_bytes: usize, console: Box<dyn ConsoleSink>) -> Isolate {
        let memory = Memory::new(heap_bytes);
        let parameters = v8::CreateParams::default()
            .heap_limits(0, heap_bytes)
            .set_code_range_size_in_bytes(CODE_RANGE_BYTES)
            .array_buffer_allocator(control::allocator(&memory).make_shared());
        let mut runtime = JsRuntime::new(RuntimeOptions {
            extensions: ext::extensions(sources),
            startup_snapshot: Some(blob),
            skip_op_registration: true,
            create_params: Some(parameters),
            // Without it, transferring an ArrayBuffer (structuredClone, MessagePort) copies it.
            shared_array_buffer_store: Some(Default::default()),
            ..Default::default()
        });
        let isolate = runtime.v8_isolate();
        isolate.set_allow_atomics_wait(false);
        modules::install(isolate);
        rejections::install(isolate);
        let (control, installed) = control::install(isolate, memory);
        runtime.op_state().borrow_mut().put(console);
        let handles = take_hooks(&mut runtime);
        Isolate { handles, runtime, control, _installed: installed, function: None }
    }

    /// What other threads may know and do about it.
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Restores a function's own snapshot: an isolate with the function in it.
    ///
    /// # Errors
    /// The function has no snapshot, or it is not of this base.
    pub fn restore(
        base: &'static [u8],
        function: &Arc<Function>,
        console: Box<dyn ConsoleSink>,
    ) -> Result<Isolate, &'static str> {
        let snapshot = function.artifact.as_ref().and_then(|artifact| artifact.snapshot()).ok_or("no snapshot")?;
        if !guard::may_share_process(base, snapshot) {
            return Err("the snapshot's read-only part is not the base's");
        }
        // SAFETY: V8 reads the blob for as long as the isolate lives. The artifact's mapping is
        // dropped with `function`, which the isolate holds until after its own end.
        let blob = unsafe { std::slice::from_raw_parts(snapshot.as_ptr(), snapshot.len()) };
        let heap_bytes = (function.spec.limits.heap_mb as usize) << 20;
        let mut isolate = Isolate::of_blob(blob, &function.sources, heap_bytes, console);
        isolate.function = Some(function.clone());
        let fixed = fixed_context(&function.spec, true);
        let refixed = isolate.stay(u64::MAX, |runtime, handles| call_hook(runtime, handles, "refix", &[&fixed]));
        refixed.result.map(|_| isolate).ok_or("the snapshot has no function in it")
    }

    /// Makes clocks and chance the same in every isolate, so that answers can be compared. Only for
    /// isolates that serve nobody.
    pub fn make_deterministic(&mut self) {
        self.stay(u64::MAX, |runtime, handles| call_hook(runtime, handles, "makeDeterministic", &[]));
    }

    /// The names that a program can look for, as JSON.
    pub fn inventory(&mut self) -> Option<String> {
        self.stay(u64::MAX, |runtime, handles| call_hook(runtime, handles, "inventory", &[])).result
    }

    /// V8's code caches of the function's modules, with what has been compiled so far.
    pub fn code_caches(&mut self) -> Vec<(String, Vec<u8>)> {
        deno_core::scope!(scope, &mut self.runtime);
        modules::code_caches(scope)
    }

    fn stay<T>(&mut self, budget_ns: u64, inside: impl FnOnce(&mut JsRuntime, &Handles) -> T) -> Stayed<T> {
        self.stay_on(budget_ns, false, inside)
    }

    fn stay_on<T>(
        &mut self,
        budget_ns: u64,
        follows: bool,
        inside: impl FnOnce(&mut JsRuntime, &Handles) -> T,
    ) -> Stayed<T> {
        let handles = self.handles.as_ref().expect("taken only by drop");
        self.control.enter(budget_ns, follows);
        let result = inside(&mut self.runtime, handles);
        let (cpu_ns, stop) = self.control.leave();
        Stayed { result, cpu_ns, stop }
    }

    /// Counts heap and external memory; whether they exceed the limit. A look from outside comes
    /// only to long stays: many short ones (a stream's pieces) must be counted between them.
    pub fn exceeds_memory(&mut self) -> bool {
        let control = self.control.clone();
        control.exceeds_memory(self.runtime.v8_isolate())
    }

    /// Compiles, links and evaluates a function's modules and takes its handler. Returns the CPU
    /// time used, in ns.
    ///
    /// # Errors
    /// `StartupFailed`, `StartupCpuExceeded` or `HeapExceeded`, with what the author needs to know.
    pub async fn load(&mut self, function: &Arc<Function>) -> Result<u64, Failure> {
        self.function = Some(function.clone());
        let spec = &function.spec;
        let budget_ns = u64::from(spec.limits.startup_cpu_ms) * 1_000_000;
        self.control.memory().set_limit((spec.limits.heap_mb as usize) << 20);
        let started = self.stay(budget_ns, |runtime, _| evaluate(runtime, function));
        let mut cpu_ns = started.cpu_ns;
        if let Some(stop) = started.stop {
            return Err(startup_stopped(stop, spec));
        }
        let (module, promise) = started.result?;
        while settled(&mut self.runtime, &promise) == v8::PromiseState::Pending {
            let left = budget_ns.saturating_sub(cpu_ns).max(1);
            let turned = std::future::poll_fn(|cx| {
                let turned = self.turn(cx, left);
                cpu_ns += turned.cpu_ns;
                let pending = turned.result.is_pending()
                    && turned.stop.is_none()
                    && settled(&mut self.runtime, &promise) == v8::PromiseState::Pending;
                if pending { Poll::Pending } else { Poll::Ready(turned) }
            })
            .await;
            if let Some(stop) = turned.stop {
                return Err(startup_stopped(stop, spec));
            }
            if settled(&mut self.runtime, &promise) == v8::PromiseState::Pending {
                let message = format!("{}: a top-level await never settles", spec.entry);
                return Err(Failure::new(Outcome::StartupFailed, "Runtime.NodeJsExit", message));
            }
        }
        let adopted = self.stay(budget_ns, |runtime, handles| adopt(runtime, handles, spec, true, &module, &promise));
        cpu_ns += adopted.cpu_ns;
        match adopted.stop {
            Some(stop) => Err(startup_stopped(stop, spec)),
            None => adopted.result.map(|()| cpu_ns),
        }
    }

    /// Calls the handler.
    pub fn call(&mut self, call: &Call<'_>) -> Stayed<Called> {
        let control = self.control.clone();
        self.stay_on(call.budget_ns, call.follows, |runtime, handles| {
            deno_core::scope!(scope, runtime);
            v8::tc_scope!(let scope, scope);
            InvocationMark::set(scope, call.invocation);
            let called = call_handler(scope, handles, call, &control);
            InvocationMark::clear(scope);
            report_rejections(scope, handles);
            called
        })
    }

    /// Lets timers, finished operations and microtasks run. Ready when nothing more can happen.
    pub fn turn(&mut self, cx: &mut Context<'_>, budget_ns: u64) -> Stayed<Poll<()>> {
        self.stay(budget_ns, |runtime, handles| {
            // An error that reached the loop has been reported to the console or is a stop.
            let turned = runtime.poll_event_loop(cx, PollEventLoopOptions::default()).map(|_| ());
            deno_core::scope!(scope, runtime);
            v8::tc_scope!(let scope, scope);
            report_rejections(scope, handles);
            turned
        })
    }

    /// Whether the promise is settled.
    pub fn is_settled(&mut self, promise: &v8::Global<v8::Promise>) -> bool {
        settled(&mut self.runtime, promise) != v8::PromiseState::Pending
    }

    /// Reads the result of a settled promise.
    pub fn settle(
        &mut self,
        promise: &v8::Global<v8::Promise>,
        budget_ns: u64,
        body_bytes_max: usize,
    ) -> Stayed<Result<Reply, Failure>> {
        let control = self.control.clone();
        self.stay(budget_ns, |runtime, handles| {
            deno_core::scope!(scope, runtime);
            v8::tc_scope!(let scope, scope);
            let promise = v8::Local::new(scope, promise);
            read_promise(scope, promise, handles, body_bytes_max, &control)
        })
    }
}

/// Takes `hooks` from the global object and removes everything that a function must not reach.
fn take_hooks(runtime: &mut JsRuntime) -> Option<Handles> {
    deno_core::scope!(scope, runtime);
    let context = scope.get_current_context();
    let global = context.global(scope);
    let take = |name: &str| {
        let key = v8::String::new(scope, name)?;
        let value = global.get(scope, key.into())?;
        Some((key, value))
    };
    let (hooks_key, hooks) = take(ext::HOOKS_NAME)?;
    let (_, web_assembly) = take("WebAssembly")?;
    let (_, shared) = take("SharedArrayBuffer")?;
    let (_, atomics) = take("Atomics")?;
    let hooks = v8::Local::<v8::Object>::try_from(hooks).ok()?;
    global.delete(scope, hooks_key.into());
    for name in ["Deno", "__bootstrap"] {
        let key = v8::String::new(scope, name)?;
        global.delete(scope, key.into());
    }
    let restored = hook(scope, hooks, "restored")?;
    restored.call(scope, hooks.into(), &[web_assembly, shared, atomics])?;
    let enter = hook(scope, hooks, "enter")?;
    let names = Names::new(scope);
    Some(Handles { hooks: v8::Global::new(scope, hooks), enter: v8::Global::new(scope, enter), names })
}

fn hook<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    hooks: v8::Local<'s, v8::Object>,
    name: &str,
) -> Option<v8::Local<'s, v8::Function>> {
    let key = v8::String::new(scope, name)?;
    let value = hooks.get(scope, key.into())?;
    v8::Local::<v8::Function>::try_from(value).ok()
}

/// Writes rejections that nobody handled to the function's console.
fn report_rejections(scope: &mut Catching<'_, '_, '_, '_>, handles: &Handles) {
    for rejection in rejections::take() {
        if v8::Local::new(scope, &rejection.promise).has_handler() {
            continue; // somebody waits for it by now, if only for the handler's own result
        }
        let mark = v8::Local::new(scope, &rejection.mark);
        scope.set_continuation_preserved_embedder_data(mark);
        let hooks = v8::Local::new(scope, &handles.hooks);
        let reason = v8::Local::new(scope, &rejection.reason);
        if let Some(report) = hook(scope, hooks, "unhandled") {
            report.call(scope, hooks.into(), &[reason]);
        }
        InvocationMark::clear(scope);
    }
}

/// Calls a hook with texts; its result as text, `None` when it threw.
fn call_hook(runtime: &mut JsRuntime, handles: &Handles, name: &str, arguments: &[&str]) -> Option<String> {
    deno_core::scope!(scope, runtime);
    v8::tc_scope!(let scope, scope);
    let hooks = v8::Local::new(scope, &handles.hooks);
    let function = hook(scope, hooks, name)?;
    let arguments: Vec<v8::Local<v8::Value>> =
        arguments.iter().map(|argument| Some(text(scope, argument)?.into())).collect::<Option<_>>()?;
    let result = function.call(scope, hooks.into(), &arguments)?;
    Some(result.to_rust_string_lossy(scope))
}

fn settled(runtime: &mut JsRuntime, promise: &v8::Global<v8::Promise>) -> v8::PromiseState {
    deno_core::scope!(scope, runtime);
    v8::Local::new(scope, promise).state()
}

fn startup_stopped(stop: Stop, spec: &FunctionSpec) -> Failure {
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

type Evaluated = (v8::Global<v8::Module>, v8::Global<v8::Promise>);

fn evaluate(runtime: &mut JsRuntime, function: &Arc<Function>) -> Result<Evaluated, Failure> {
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

/// What of the handler's context is the same for every invocation, as JSON (R70 ff). The variables
/// are left out where a snapshot is made: no value of theirs may be in it.
fn fixed_context(spec: &FunctionSpec, with_env: bool) -> String {
    serde_json::json!({
        "functionName": spec.function,
        "functionVersion": spec.deployment,
        "invokedFunctionArn": format!("arn:isle:lambda:local:{}:function:{}:{}", spec.tenant, spec.app, spec.function),
        "memoryLimitInMB": spec.limits.heap_mb.to_string(),
        "logGroupName": format!("/isle/{}/{}", spec.app, spec.function),
        "logStreamName": spec.deployment,
        "env": if with_env { spec.env.clone() } else { Default::default() },
    })
    .to_string()
}

fn adopt(
    runtime: &mut JsRuntime,
    handles: &Handles,
    spec: &FunctionSpec,
    with_env: bool,
    module: &v8::Global<v8::Module>,
    promise: &v8::Global<v8::Promise>,
) -> Result<(), Failure> {
    deno_core::scope!(scope, runtime);
    v8::tc_scope!(let scope, scope);
    let promise = v8::Local::new(scope, promise);
    if promise.state() == v8::PromiseState::Rejected {
        let error = promise.result(scope);
        let detail = startup_detail(modules::take_refusal().unwrap_or_else(|| detail_of(scope, error)), spec);
        return Err(Failure { outcome: Outcome::StartupFailed, detail });
    }
    let not_found = |message: String| {
        let mut failure = Failure::new(Outcome::StartupFailed, "Runtime.HandlerNotFound", message);
        failure.detail.file = Some(spec.entry.clone());
        failure
    };
    let module = v8::Local::new(scope, module);
    let handler = v8::Local::<v8::Object>::try_from(module.get_module_namespace()).ok().and_then(|namespace| {
        let key = v8::String::new(scope, "handler")?;
        namespace.get(scope, key.into())
    });
    let Some(handler) = handler.filter(|handler| !handler.is_undefined()) else {
        return Err(not_found(format!("{} exports no `handler`", spec.entry)));
    };
    if !handler.is_function() {
        return Err(not_found(format!("`handler` of {} is not a function", spec.entry)));
    }
    let fixed = fixed_context(spec, with_env);
    let hooks = v8::Local::new(scope, &handles.hooks);
    let adopted = v8::String::new(scope, &fixed).and_then(|fixed| {
        let adopt = hook(scope, hooks, "adopt")?;
        adopt.call(scope, hooks.into(), &[handler, fixed.into()])
    });
    adopted.map(|_| ()).ok_or_else(|| not_found(format!("{}: `handler` could not be taken", spec.entry)))
}

/// A scope that catches what JavaScript throws.
type Catching<'p, 't, 'o, 'i> = v8::PinnedRef<'p, v8::TryCatch<'t, 'o, v8::HandleScope<'i>>>;

fn call_handler(scope: &mut Catching<'_, '_, '_, '_>, handles: &Handles, call: &Call<'_>, control: &Control) -> Called {
    let nothing: v8::Local<v8::Value> = v8::undefined(scope).into();
    let arguments = (|| {
        let event = text(scope, call.event)?;
        let body = match call.body {
            EventBody::None => nothing,
            EventBody::Text(body) => text(scope, body)?.into(),
            EventBody::Base64(body) => text(scope, body)?.into(),
        };
        let request_id = text(scope, call.request_id)?;
        let deadline = v8::Number::new(scope, call.deadline_ms);
        Some([event.into(), body, request_id.into(), deadline.into()])
    })();
    let Some(arguments) = arguments else {
        let message = "the request is longer than the longest JavaScript string";
        return Called::Ended(Err(Failure::new(Outcome::HeapExceeded, "RangeError", message)));
    };
    let enter = v8::Local::new(scope, &handles.enter);
    let returned = enter.call(scope, nothing, &arguments);
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
        return Called::Ended(read_promise(scope, promise, handles, call.body_bytes_max, control));
    }
    if let Some(promise) = as_promise(scope, returned) {
        // R70: returning a thenable decides, whoever made it.
        promise.mark_as_handled();
        scope.perform_microtask_checkpoint();
        return match promise.state() {
            v8::PromiseState::Pending => Called::Pending(v8::Global::new(scope, promise)),
            _ => Called::Ended(read_promise(scope, promise, handles, call.body_bytes_max, control)),
        };
    }
    if scope.has_caught() {
        return Called::Ended(Err(thrown(scope, control)));
    }
    Called::Ended(read_value(scope, returned, handles, call.body_bytes_max, control))
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

fn read_promise<'o>(
    scope: &mut Catching<'_, '_, 'o, '_>,
    promise: v8::Local<'o, v8::Promise>,
    handles: &Handles,
    body_bytes_max: usize,
    control: &Control,
) -> Result<Reply, Failure> {
    let value = promise.result(scope);
    if promise.state() == v8::PromiseState::Rejected {
        let detail = detail_of(scope, value);
        return Err(Failure { outcome: outcome_of_throw(&detail, control), detail });
    }
    read_value(scope, value, handles, body_bytes_max, control)
}

fn read_value<'o>(
    scope: &mut Catching<'_, '_, 'o, '_>,
    value: v8::Local<'o, v8::Value>,
    handles: &Handles,
    body_bytes_max: usize,
    control: &Control,
) -> Result<Reply, Failure> {
    response::read(scope, value, &handles.names, body_bytes_max).map_err(|unreadable| match unreadable {
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
            format!("the response body has at least {bytes} bytes, the limit is {body_bytes_max}"),
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
fn outcome_of_throw(detail: &FailureDetail, control: &Control) -> Outcome {
    if detail.error_type == "RangeError" && control.refused_memory() {
        Outcome::HeapExceeded
    } else {
        Outcome::HandlerThrew
    }
}

/// A stack with the author's frames only, and their files as the author names them.
fn own_frames(stack: &str) -> String {
    let ours = |line: &&str| line.trim_start().starts_with("at ") && (line.contains("isle:") || line.contains("ext:"));
    stack.lines().filter(|line| !ours(line)).collect::<Vec<_>>().join("\n").replace("file:///", "")
}

/// The beginning of an error's message that is too long to be copied around.
fn detail_of_giant<'s>(scope: &mut v8::PinScope<'s, '_>, exception: v8::Local<'s, v8::Value>) -> Option<FailureDetail> {
    const GIANT: usize = 1 << 20;
    const KEPT: usize = 1 << 10;
    let key = v8::String::new(scope, "message")?;
    let message = v8::Local::<v8::Object>::try_from(exception).ok()?.get(scope, key.into())?;
    let message = v8::Local::<v8::String>::try_from(message).ok()?;
    if message.length() < GIANT {
        return None;
    }
    let mut units = [0u16; KEPT];
    message.write_v2(scope, 0, &mut units, v8::WriteFlags::default());
    let message = format!("{}… ({} characters)", String::from_utf16_lossy(&units), message.length());
    Some(FailureDetail { error_type: "Error".to_owned(), message, ..FailureDetail::default() })
}

/// R80, R81: an exception's name, message, place and stack.
fn detail_of<'s>(scope: &mut v8::PinScope<'s, '_>, exception: v8::Local<'s, v8::Value>) -> FailureDetail {
    const TEXT_MAX: usize = 8 << 10;
    let cut = |text: &str| text.chars().take(TEXT_MAX).collect::<String>();
    if !exception.is_native_error() {
        let error_type = exception.type_of(scope).to_rust_string_lossy(scope);
        let message = match v8::Local::<v8::Symbol>::try_from(exception) {
            Ok(symbol) => symbol.description(scope).to_rust_string_lossy(scope),
            Err(_) if exception.is_object() => String::from("(an object)"),
            Err(_) => exception.to_rust_string_lossy(scope),
        };
        return FailureDetail { error_type, message: cut(&message), ..Default::default() };
    }
    if let Some(detail) = detail_of_giant(scope, exception) {
        return detail;
    }
    let error = JsError::from_v8_exception(scope, exception);
    let frame = error
        .frames
        .iter()
        .find(|frame| frame.file_name.as_deref().is_some_and(|name| modules::path_of_name(name).is_some()));
    FailureDetail {
        error_type: error.name.clone().unwrap_or_else(|| "Error".to_owned()),
        message: cut(error.message.as_deref().unwrap_or_default()),
        file: frame.and_then(|f| Some(modules::path_of_name(f.file_name.as_deref()?)?.to_owned())),
        line: frame.and_then(|f| u32::try_from(f.line_number?).ok()),
        column: frame.and_then(|f| u32::try_from(f.column_number?).ok()),
        stack: error.stack.as_deref().map(|stack| cut(&own_frames(stack))),
    }
}
