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
mod calls;
mod control;
mod detail;
mod exchange;
pub mod guard;
mod map;
mod modules;
pub mod platform;
mod processors;
mod receive;
mod rejections;
mod sources;
mod startup;

pub use build::{Built, WarmUp, build_snapshot};
pub use control::{Control, Memory, Stop, thread_cpu_ns};
pub use exchange::{Follow, Kind};
pub use map::{Begun, Mapped, map_snapshot};
pub use modules::{references, with_authors_places};
pub use receive::Receiver;
pub use sources::Sources;
pub use startup::set_development;

use crate::clock;
use crate::egress::Outbound;
use crate::ext::{self, ConsoleSink, InvocationMark};
use crate::function::Function;
use crate::handler::Expects;
use crate::handler::event::EventBody;
use crate::handler::fetch::FetchInput;
use crate::handler::response::{Names, Reply};
use calls::{call_handler, read_promise};
use deno_core::{JsRuntime, PollEventLoopOptions, RuntimeOptions, v8};
use exchange::Exchange;
use isle_wire::{FailureDetail, Outcome};
use startup::{adopt, evaluate, fixed_context, startup_stopped};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Address space that each isolate sets aside for machine code, which the kernel counts as writable
/// memory whether it is used or not. V8's own choice is twice this; it takes no less.
pub const CODE_RANGE_BYTES: usize = 64 << 20;

/// Why a function's snapshot is not used that changed what a restore relies on.
const UNPREPARED: &str = "the snapshot cannot be prepared within the limits of a start";

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
    /// How the result is read.
    pub expects: Expects,
    /// `context.clientContext` as JSON.
    pub client_context: Option<&'a str>,
    /// The request, for a fetch handler.
    pub fetch: Option<&'a FetchInput<'a>>,
    /// Whether it comes directly after another call on this thread.
    pub follows: bool,
}

struct Handles {
    exchange: Option<Exchange>,
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
    outbound: Option<Rc<Outbound>>,
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
        Isolate::of_blob(base, &Sources::default(), heap_bytes, console, u64::MAX, |_| ())
    }

    /// `watch` comes before anything runs in it.
    fn of_blob(
        blob: &'static [u8],
        sources: &Sources,
        heap_bytes: usize,
        console: Box<dyn ConsoleSink>,
        budget_ns: u64,
        watch: impl FnOnce(&Arc<Control>),
    ) -> Isolate {
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
        watch(&control);
        control.enter(budget_ns, false);
        let taken = take_hooks(&mut runtime);
        let (_, stop) = control.leave();
        let handles = taken.filter(|_| stop.is_none());
        if let Some(handles) = &handles {
            modules::set_hooks(handles.hooks.clone());
        }
        Isolate { handles, runtime, control, _installed: installed, outbound: None, function: None }
    }

    /// What other threads may know and do about it.
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Restores a function's own snapshot: an isolate with the function in it. Its global object is
    /// the function's, whose code may run: within its limits for a start, if whoever keeps them is
    /// told by `watch`.
    ///
    /// # Errors
    /// The function has no snapshot, it is not of this base, or it does not let itself be restored.
    pub fn restore(
        base: &'static [u8],
        function: &Arc<Function>,
        console: Box<dyn ConsoleSink>,
        watch: impl FnOnce(&Arc<Control>),
    ) -> Result<Isolate, &'static str> {
        let snapshot = function.artifact.as_ref().and_then(|artifact| artifact.snapshot()).ok_or("no snapshot")?;
        if !guard::may_share_process(base, snapshot) {
            return Err("the snapshot's read-only part is not the base's");
        }
        // SAFETY: V8 reads the blob for as long as the isolate lives. The artifact's mapping is
        // dropped with `function`, which the isolate holds until after its own end.
        let blob = unsafe { std::slice::from_raw_parts(snapshot.as_ptr(), snapshot.len()) };
        let heap_bytes = (function.spec.limits.heap_mb as usize) << 20;
        let budget_ns = u64::from(function.spec.limits.startup_cpu_ms) * 1_000_000;
        let mut isolate = Isolate::of_blob(blob, &function.sources, heap_bytes, console, budget_ns, watch);
        isolate.function = Some(function.clone());
        if isolate.handles.is_none() {
            return Err(UNPREPARED);
        }
        modules::set_function(function);
        allow_code_generation(&mut isolate.runtime, function.spec.code_generation);
        let fixed = fixed_context(&function.spec, true);
        let refixed = isolate.stay(budget_ns, |runtime, handles| call_hook(runtime, handles, "refix", &[&fixed]));
        if refixed.stop.is_some() {
            return Err(UNPREPARED);
        }
        refixed.result.ok_or("the snapshot has no function in it")?;
        isolate.take_exchange();
        Ok(isolate)
    }

    /// Gives it a way to the gateway. Without one its function cannot fetch.
    pub fn connect(&mut self, outbound: Rc<Outbound>) {
        self.runtime.op_state().borrow_mut().put(outbound.clone());
        self.outbound = Some(outbound);
    }

    /// Its way to the gateway, if it has one.
    pub fn outbound(&self) -> Option<&Rc<Outbound>> {
        self.outbound.as_ref()
    }

    /// Makes clocks and chance the same in every isolate, so that answers can be compared. Only for
    /// isolates that serve nobody.
    pub fn make_deterministic(&mut self) {
        self.stay(u64::MAX, |runtime, handles| {
            call_hook(runtime, handles, "prepareBuild", &[]);
            call_hook(runtime, handles, "makeDeterministic", &[])
        });
    }

    /// The names that a program can look for, with the lengths of functions and the types of all
    /// else, as JSON.
    pub fn inventory(&mut self) -> Option<String> {
        let inventory = self.stay(u64::MAX, |runtime, handles| {
            call_hook(runtime, handles, "prepareBuild", &[]);
            call_hook(runtime, handles, "inventory", &[])
        });
        inventory.result
    }

    /// Whether its function has made anything of the web platform that the base does not have.
    pub fn uses_web(&mut self) -> bool {
        let uses = self.stay(u64::MAX, |runtime, handles| call_hook(runtime, handles, "usesWeb", &[]));
        uses.result.as_deref() == Some("true")
    }

    /// Runs a script of ours to its end, promise and all.
    ///
    /// # Errors
    /// What it threw.
    pub async fn exercise(&mut self, script: &'static str) -> Result<(), String> {
        let promise = self.runtime.execute_script("isle:exercise", script).map_err(|error| error.to_string())?;
        let settled = self.runtime.resolve(promise);
        let settled = self.runtime.with_event_loop_promise(settled, PollEventLoopOptions::default()).await;
        settled.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Code caches of the platform's scripts that were compiled since [`ext::record`].
    pub fn platform_caches(&mut self) -> Vec<(String, Vec<u8>)> {
        deno_core::scope!(scope, &mut self.runtime);
        ext::recorded_caches(scope)
    }

    /// V8's code caches of the function's modules, with what has been compiled so far.
    pub fn code_caches(&mut self) -> Vec<(String, Vec<u8>)> {
        deno_core::scope!(scope, &mut self.runtime);
        modules::code_caches(scope)
    }

    /// A module whose code cache V8 refused: it was compiled from its text.
    pub fn take_refused_cache(&mut self) -> Option<String> {
        modules::take_refused_cache()
    }

    /// Collects garbage and lets go of memory that is kept for later.
    pub fn collect(&mut self) {
        let isolate = self.runtime.v8_isolate();
        isolate.memory_pressure_notification(v8::MemoryPressureLevel::Critical);
        isolate.low_memory_notification();
        isolate.memory_pressure_notification(v8::MemoryPressureLevel::None);
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
        allow_code_generation(&mut self.runtime, spec.code_generation);
        let started = self.stay(budget_ns, |runtime, handles| {
            // Code at the top of a module may look at `process.env`.
            call_hook(runtime, handles, "fix", &[&fixed_context(spec, true)]);
            evaluate(runtime, function)
        });
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
        let adopted = self.stay(budget_ns, |runtime, handles| adopt(runtime, handles, spec, &module, &promise));
        cpu_ns += adopted.cpu_ns;
        if let Some(stop) = adopted.stop {
            return Err(startup_stopped(stop, spec));
        }
        if adopted.result? != Kind::Handler {
            self.take_exchange();
        }
        Ok(cpu_ns)
    }

    fn take_exchange(&mut self) {
        let taken = self.stay(u64::MAX, Exchange::take);
        if let Some(handles) = &mut self.handles {
            handles.exchange = taken.result;
        }
    }

    /// Calls the handler.
    pub fn call(&mut self, call: &Call<'_>) -> Stayed<Called> {
        let control = self.control.clone();
        clock::happened();
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
        clock::happened();
        self.stay(budget_ns, |runtime, handles| {
            // An error that reached the loop has been reported to the console or is a stop.
            let turned = runtime.poll_event_loop(cx, PollEventLoopOptions::default()).map(|_| ());
            deno_core::scope!(scope, runtime);
            v8::tc_scope!(let scope, scope);
            report_rejections(scope, handles);
            turned
        })
    }

    /// Gives up on handlers that might have called back: nothing is left that could. Whether any did.
    pub fn release_callbacks(&mut self, budget_ns: u64) -> Stayed<bool> {
        self.stay(budget_ns, |runtime, handles| call_hook(runtime, handles, "release", &[]).as_deref() == Some("true"))
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
        expects: &Expects,
    ) -> Stayed<Result<Reply, Failure>> {
        let control = self.control.clone();
        self.stay(budget_ns, |runtime, handles| {
            deno_core::scope!(scope, runtime);
            v8::tc_scope!(let scope, scope);
            let promise = v8::Local::new(scope, promise);
            read_promise(scope, promise, handles, expects, &control)
        })
    }
}

/// Lets the function make code from strings, or not.
fn allow_code_generation(runtime: &mut JsRuntime, allowed: bool) {
    if !allowed {
        deno_core::scope!(scope, runtime);
        scope.get_current_context().set_allow_generation_from_strings(false);
    }
}

/// Takes `hooks` from the global object and removes everything that a function must not reach.
fn take_hooks(runtime: &mut JsRuntime) -> Option<Handles> {
    deno_core::scope!(scope, runtime);
    v8::tc_scope!(let scope, scope);
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
    Some(Handles { exchange: None, hooks: v8::Global::new(scope, hooks), enter: v8::Global::new(scope, enter), names })
}

/// A function that an object has under a name: one of the hooks, or a method.
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
        let promise = v8::Local::new(scope, &rejection.promise);
        let unhandled = rejection.kind == rejections::Kind::Unhandled;
        if unhandled && promise.has_handler() {
            continue; // somebody waits for it by now, if only for the handler's own result
        }
        let mark = v8::Local::new(scope, &rejection.mark);
        scope.set_continuation_preserved_embedder_data(mark);
        let hooks = v8::Local::new(scope, &handles.hooks);
        let reason = v8::Local::new(scope, &rejection.reason);
        if let Some(report) = hook(scope, hooks, if unhandled { "unhandled" } else { "handledLate" }) {
            report.call(scope, hooks.into(), &[reason, promise.into()]);
        }
        if unhandled {
            rejections::told(scope, &rejection.promise);
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

/// A scope that catches what JavaScript throws.
type Catching<'p, 't, 'o, 'i> = v8::PinnedRef<'p, v8::TryCatch<'t, 'o, v8::HandleScope<'i>>>;
