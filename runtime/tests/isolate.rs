//! One isolate by itself: the platform is there, handlers run, limits stop what they should, and
//! the isolate or its successor goes on. No sockets, no cell.

use isle_runtime::function::Function;
use isle_runtime::handler::Expects;
use isle_runtime::handler::event::EventBody;
use isle_runtime::handler::response::Reply;
use isle_runtime::isolate::{Call, Called, Failure, Isolate, Stop, map_snapshot, platform};
use isle_runtime::{ConsoleSink, snapshot};
use isle_wire::{ConsoleLevel, FunctionSpec, Limits, ModuleKind, ModuleSource, Outcome};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;

/// Not a test of its own: the child process that makes the base snapshot for the others.
#[test]
#[ignore = "run by the other tests as a child process"]
fn make_base() {
    snapshot::build_base(&PathBuf::from(std::env::var_os("ISLE_TEST_BASE").unwrap())).unwrap();
}

fn base() -> &'static [u8] {
    static BASE: OnceLock<&'static [u8]> = OnceLock::new();
    BASE.get_or_init(|| {
        platform::init();
        let path = std::env::temp_dir().join(format!("isle-test-base-{}", std::process::id()));
        let made = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "make_base", "--ignored"])
            .env("ISLE_TEST_BASE", &path)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let blob = map_snapshot(&std::fs::File::open(&path).unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        blob
    })
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(u32, ConsoleLevel, String)>>>);

impl ConsoleSink for Lines {
    fn line(&self, invocation: u32, level: ConsoleLevel, text: String) {
        self.0.lock().unwrap().push((invocation, level, text));
    }
}

fn spec(modules: &[(&str, &str)], limits: Limits) -> FunctionSpec {
    let modules: BTreeMap<_, _> = modules
        .iter()
        .map(|(path, text)| {
            let kind = ModuleKind::of_path(path).unwrap();
            ((*path).to_owned(), ModuleSource { kind, text: (*text).to_owned() })
        })
        .collect();
    FunctionSpec {
        tenant: "t".into(),
        app: "a".into(),
        function: "f".into(),
        deployment: "d".into(),
        entry: "index.js".into(),
        kind: Default::default(),
        modules,
        env: BTreeMap::new(),
        limits,
        code_generation: true,
        contract: Default::default(),
        egress_allow: None,
        artifact: String::new(),
    }
}

/// Runs `inside` on a thread with an executor, as an isolate is run in a cell.
fn on_thread<T: Send + 'static>(inside: impl FnOnce(&tokio::runtime::Runtime) -> T + Send + 'static) -> T {
    let base = base();
    std::thread::spawn(move || {
        // The anchor: V8's read-only heap must outlive each test's isolate.
        let executor = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = executor.enter();
        static ANCHOR: OnceLock<()> = OnceLock::new();
        ANCHOR.get_or_init(|| {
            std::thread::spawn(move || {
                let executor = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                let _entered = executor.enter();
                std::mem::forget(Isolate::new(base, 32 << 20, Box::new(Lines::default())));
            })
            .join()
            .unwrap();
        });
        inside(&executor)
    })
    .join()
    .unwrap()
}

struct Bed {
    isolate: Isolate,
    lines: Lines,
}

impl Bed {
    fn new(executor: &tokio::runtime::Runtime, spec: &FunctionSpec) -> Result<Bed, Failure> {
        let lines = Lines::default();
        let heap = (spec.limits.heap_mb as usize) << 20;
        let mut isolate = Isolate::new(base(), heap, Box::new(lines.clone()));
        executor.block_on(isolate.load(&Arc::new(Function::from_source(spec.clone()))))?;
        Ok(Bed { isolate, lines })
    }

    fn call(&mut self, executor: &tokio::runtime::Runtime) -> (Result<Reply, Failure>, Option<Stop>) {
        let call = Call {
            invocation: 7,
            event: r#"{"q":1}"#,
            body: &EventBody::None,
            request_id: "id",
            deadline_ms: f64::MAX,
            budget_ns: 2_000_000_000,
            expects: Expects::v2(1 << 20),
            client_context: None,
            fetch: None,
            follows: false,
        };
        let called = self.isolate.call(&call);
        match called.result {
            Called::Ended(result) => (result, called.stop),
            Called::Pending(promise) => {
                let isolate = &mut self.isolate;
                executor.block_on(std::future::poll_fn(|cx| {
                    let turned = isolate.turn(cx, 2_000_000_000);
                    let over = isolate.is_settled(&promise) || turned.result.is_ready();
                    if over { Poll::Ready(()) } else { Poll::Pending }
                }));
                isolate.release_callbacks(1_000_000_000);
                let settled = isolate.settle(&promise, 1_000_000_000, &Expects::v2(1 << 20));
                (settled.result, settled.stop)
            }
        }
    }
}

fn answer(modules: &'static [(&'static str, &'static str)]) -> String {
    on_thread(move |executor| {
        let mut bed = Bed::new(executor, &spec(modules, Limits::default())).map_err(|f| f.detail.to_string()).unwrap();
        let (result, stop) = bed.call(executor);
        assert_eq!(stop, None);
        String::from_utf8(result.map_err(|f| format!("{:?} {}", f.outcome, f.detail)).unwrap().body.to_vec()).unwrap()
    })
}

#[test]
fn a_handler_answers_and_modules_import_each_other() {
    let body = answer(&[
        (
            "index.js",
            "import { b } from './lib/b.js'; import data from './d.json' with { type: 'json' };\n\
          export const handler = async (event) => ({ statusCode: 200, body: b + data.x + event.q + (await import('./lib/b.js')).b + import.meta.url });",
        ),
        ("lib/b.js", "import '../index.js'; export const b = 'b';"),
        ("d.json", "{\"x\": 5}"),
    ]);
    assert_eq!(body, "b51bfile:///index.js");
}

#[test]
fn the_platform_is_there_and_internals_are_not() {
    let names = [
        "URL",
        "URLSearchParams",
        "URLPattern",
        "Headers",
        "Request",
        "Response",
        "ReadableStream",
        "WritableStream",
        "TransformStream",
        "TextEncoder",
        "TextDecoder",
        "AbortController",
        "crypto",
        "setTimeout",
        "structuredClone",
        "console",
        "performance",
        "atob",
        "btoa",
        "Blob",
        "File",
        "FormData",
        "CompressionStream",
        "Event",
        "EventTarget",
        "queueMicrotask",
        "fetch",
        "WebAssembly",
        "DOMException",
        "MessageChannel",
        "Intl",
    ];
    let text = format!(
        "const missing = {names:?}.filter((n) => globalThis[n] === undefined);\n\
         const leaked = ['Deno', '__bootstrap', '__isle', 'SharedArrayBuffer'].filter((n) => n in globalThis);\n\
         export const handler = async () => {{\n\
           const r = new Response(new Blob(['x']).stream().pipeThrough(new CompressionStream('gzip')));\n\
           const gz = (await r.arrayBuffer()).byteLength;\n\
           const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode('a')))[0];\n\
           await new Promise((r) => setTimeout(r, 1));\n\
           console.log('hi', {{ a: 1 }});\n\
           let shared = 'refused'; try {{ new WebAssembly.Memory({{ initial: 1, maximum: 1, shared: true }}); shared = 'made'; }} catch {{}}\n\
           return {{ missing, leaked, gz, hash, uuid: crypto.randomUUID().length, intl: new Intl.NumberFormat('de').format(1.5),\n\
             wait: typeof Atomics.wait, shared, origin: performance.timeOrigin > 1.7e12, h: new Headers({{ A: 'b' }}).get('a') }};\n\
         }};"
    );
    let text: &'static str = text.leak();
    on_thread(move |executor| {
        let mut bed = Bed::new(executor, &spec(&[("index.js", text)], Limits::default()))
            .map_err(|f| f.detail.to_string())
            .unwrap();
        let (result, _) = bed.call(executor);
        let reply = result.map_err(|f| f.detail.to_string()).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"missing": [], "leaked": [], "gz": 21, "hash": 0xca, "uuid": 36, "intl": "1,5",
                "wait": "undefined", "shared": "refused", "origin": true, "h": "b"})
        );
        let lines = bed.lines.0.lock().unwrap();
        assert_eq!(lines.as_slice(), [(7, ConsoleLevel::Info, "hi { a: 1 }\n".to_owned())]);
    });
}

fn start_failure(modules: &'static [(&'static str, &'static str)]) -> Failure {
    on_thread(move |executor| {
        let limits = Limits { startup_cpu_ms: 100, ..Limits::default() };
        Bed::new(executor, &spec(modules, limits)).err().expect("it must not start")
    })
}

#[test]
fn starts_that_fail_say_where_and_why() {
    let failure = start_failure(&[("index.js", "export const a = 1;\nconst = 2;")]);
    assert_eq!(failure.outcome, Outcome::StartupFailed);
    assert_eq!(failure.detail.error_type, "Runtime.UserCodeSyntaxError");
    assert_eq!((failure.detail.file.as_deref(), failure.detail.line), (Some("index.js"), Some(2)));

    let failure = start_failure(&[("index.js", "export const a = 1;")]);
    assert_eq!(failure.detail.error_type, "Runtime.HandlerNotFound");

    let failure = start_failure(&[("index.js", "import './gone.js'; export const handler = () => 1;")]);
    assert_eq!(failure.detail.error_type, "Runtime.ImportModuleError");
    assert!(failure.detail.message.contains("'./gone.js'"), "{}", failure.detail.message);

    let failure = start_failure(&[("index.js", "\n\nthrow new TypeError('no');")]);
    assert_eq!((failure.detail.error_type.as_str(), failure.detail.line), ("TypeError", Some(3)));

    let failure = start_failure(&[("index.js", "await new Promise(() => {}); export const handler = () => 1;")]);
    assert_eq!(failure.detail.error_type, "Runtime.NodeJsExit");
}

#[test]
fn results_mean_what_the_contract_says() {
    for (result, expected) in [
        ("({ hello: 'world' })", r#"{"hello":"world"}"#),
        ("'hello'", "hello"),
        ("['hello', 3, true]", r#"["hello",3,true]"#),
        ("3.1", "3.1"),
        ("true", "true"),
        ("null", "null"),
        ("undefined", "null"),
        ("({ toJSON: () => undefined })", "null"),
        ("({ statusCode: 201, body: 'aGk=', isBase64Encoded: true })", "hi"),
        ("({ statusCode: '418' })", ""),
        ("({ then: (ok) => ok('thenable') })", "thenable"),
    ] {
        let text: &'static str = format!("export const handler = () => ({result});").leak();
        let modules: &'static [(&str, &str)] = Vec::leak(vec![("index.js", text)]);
        assert_eq!(answer(modules), expected, "{result}");
    }
}
