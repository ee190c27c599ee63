//! Many different function snapshots in one process, on many threads, through thousands of lives:
//! whole answers are compared, so that an isolate which read another's memory would show.
//!
//! `ISLE_STRESS_CYCLES=100000 cargo test --workspace --test soundness` runs it for longer.

#[path = "support/builder.rs"]
mod builder;

use builder::{EVENT, Order, base, spec};
use isle_runtime::ConsoleSink;
use isle_runtime::function::Function;
use isle_runtime::handler::Expects;
use isle_runtime::handler::event::EventBody;
use isle_runtime::handler::response::Reply;
use isle_runtime::isolate::{Built, Call, Called, Isolate, build_snapshot, guard, map_snapshot, platform};
use isle_runtime::snapshot::artifact::{Artifact, encode};
use isle_runtime::snapshot::web::{Bases, Platform};
use isle_wire::{ConsoleLevel, FunctionSpec, StartKind};
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

const FUNCTIONS: usize = 32;
const THREADS: usize = 8;
const CYCLES: usize = 2_400;
/// Full collections: before and after the call of every so many-th isolate.
const COLLECT_EVERY: usize = 7;
/// Every so many-th begins with the web's snapshot instead of its function's own.
const POOLED_EVERY: usize = 5;

/// A function unlike the others: in its strings, its shapes, its tables, what it has compiled.
fn text(n: usize) -> String {
    const TEMPLATE: &str = r#"
class Shape_N { #secret = "private N"; static made = 0; field_N = [N, "N"]; constructor() { Shape_N.made++; }
  get secret() { return this.#secret; } ["method N"](x) { return `${x}:${this.#secret}`; } }
class Heir_N extends Shape_N { extra = new Date(1_600_000_000_000 + N); }
const words = Array.from({ length: 200 + N }, (_, i) => `word N ${i} ${"xyz"[i % 3].repeat(i % 9)}`);
const map = new Map(words.map((word, i) => [word, { i, ["key " + (i % (N + 3))]: word }]));
const set = new Set(words.map((word) => word.length * N));
const keys = [{ k: "N" }, Symbol.for("symbol N"), new Shape_N()];
const weak = new WeakMap([[keys[0], "weak N"], [keys[2], words[1]]]);
const shapes = [new Shape_N(), new Heir_N()];
const bytes = new Uint32Array(1_000 + N).map((_, i) => i * 2_654_435_761 + N);
const dictionary = {};
for (let i = 0; i < 300; i++) dictionary[`d${(i * 7_919 + N) % 1_000}`] = i;
for (let i = 0; i < 100; i++) delete dictionary[`d${i * 3}`];
const pattern = /(?<first>w\w+) N (?<number>\d+)(?:\s(?<tail>[xyz]*))?/u;
const link = new URL(`https://n-N.example/path/N?a=${words[2]}&b=N#hash-N`);
const headers = new Headers([["x-function", "N"], ["x-words", words[3]], ["cookie", "a=N"]]);
const frozen = Object.freeze({ list: Object.freeze([N, N + 1]), [Symbol.for("symbol N")]: "N" });
const big = 2n ** BigInt(N + 64) + BigInt(N);
function* numbers() { let i = N; while (true) yield i++ * N; }
const generator = numbers();
generator.next();
const made = new Function("x", "return `made N ${x}`");
const proxy = new Proxy({ real: "N" }, { get: (target, key) => `${String(key)} of ${target.real}` });
const promise = Promise.resolve("resolved N");
let nested = null;
for (let i = 0; i < 500 + N; i++) nested = { i, nested };
const tagged = ((strings, ...values) => [strings.raw.join("|"), ...values]) `raw\nN ${N} end`;
const hash = (text) => { let h = N; for (let i = 0; i < text.length; i++) h = (h * 31 + text.charCodeAt(i)) | 0; return h; };
for (let i = 0; i < 2_000; i++) hash(words[i % words.length]);

export const handler = async (event) => {
  let depth = 0;
  for (let at = nested; at; at = at.nested) depth += at.i;
  const matched = words[5].match(pattern);
  const fresh = {};
  for (const word of words) fresh[word] = (fresh[word] ?? 0) + map.get(word).i;
  const result = {
    n: N, path: event.rawPath, depth, matched: { ...matched.groups }, set: [...set].sort((a, b) => a - b),
    weak: [weak.get(keys[0]), weak.get(keys[2]), weak.has(shapes[0])], symbol: keys[1] === Symbol.for("symbol N"),
    shapes: shapes.map((shape) => [shape.secret, shape["method N"]("call"), shape.field_N, shape.extra?.toISOString()]),
    count: Shape_N.made, bytes: bytes.reduce((a, b) => (a ^ b) >>> 0, 0), dictionary: Object.entries(dictionary),
    link: [link.href, link.searchParams.get("a"), link.hash], headers: [...headers], frozen: [frozen, Object.isFrozen(frozen)],
    big: String(big), next: generator.next().value, made: made(words[7]), proxy: proxy.anything, tagged,
    promise: await promise, text: new TextDecoder().decode(new TextEncoder().encode(words.join("ü"))),
    eval: (0, eval)("'evaluated ' + N"), sum: Object.values(fresh).reduce((a, b) => a + b, 0), hash: hash(words.join()),
    sorted: words.toSorted().slice(0, 9), url: new URL("../N", link).href, clone: structuredClone({ map: new Map([[1, "N"]]) }).map.get(1),
    date: new Date(N * 86_400_000).toLocaleDateString("en-GB", { timeZone: "UTC" }), words,
  };
  return { statusCode: 200, headers: { "x-n": "N" }, body: JSON.stringify(result) };
};
"#;
    let number = (n + 11).to_string();
    // `N` as a word of its own, and in names like `Shape_N`.
    let mut out = String::new();
    let bytes = TEMPLATE.as_bytes();
    for (at, character) in TEMPLATE.char_indices() {
        let alone = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_none_or(|b| !b.is_ascii_alphanumeric());
        let named = at > 0 && bytes[at - 1] == b'_';
        if character == 'N' && (alone(at.checked_sub(1)) || named) && alone(Some(at + 1)) {
            out.push_str(&number);
        } else {
            out.push(character);
        }
    }
    out
}

struct Mute;

impl ConsoleSink for Mute {
    fn line(&self, _invocation: u32, _level: ConsoleLevel, _text: String) {}
}

fn executor() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Both base snapshots, mapped; with V8 ready and an anchor that keeps the read-only heap.
fn bases() -> Bases {
    static BASES: OnceLock<Bases> = OnceLock::new();
    *BASES.get_or_init(|| {
        platform::init();
        let mapped = Bases::open(base()).unwrap();
        let (made, wait) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let executor = executor();
            let _entered = executor.enter();
            let _anchor = Isolate::new(mapped.base(), 16 << 20, Box::new(Mute));
            made.send(()).unwrap();
            loop {
                std::thread::park();
            }
        });
        wait.recv().unwrap();
        mapped
    })
}

fn ready() -> &'static [u8] {
    bases().base()
}

fn base_name() -> String {
    base().file_name().unwrap().to_str().unwrap().to_owned()
}

fn call(isolate: &mut Isolate, executor: &tokio::runtime::Runtime) -> String {
    let call = Call {
        invocation: 1,
        event: EVENT,
        body: &EventBody::None,
        request_id: "stress",
        deadline_ms: f64::MAX,
        budget_ns: u64::MAX,
        expects: Expects::v2(6 << 20),
        client_context: None,
        fetch: None,
        follows: false,
    };
    let answer = match isolate.call(&call).result {
        Called::Ended(answer) => answer,
        Called::Pending(promise) => {
            executor.block_on(std::future::poll_fn(|cx| {
                let turned = isolate.turn(cx, u64::MAX);
                if isolate.is_settled(&promise) { std::task::Poll::Ready(()) } else { turned.result }
            }));
            isolate.settle(&promise, u64::MAX, &Expects::v2(6 << 20)).result
        }
    };
    let Reply { status, headers, body } = answer.expect("the handler answers");
    format!("{status} {headers:?} {}", String::from_utf8_lossy(&body))
}

/// What an isolate says that never saw a snapshot.
fn fresh_answer(spec: &FunctionSpec) -> String {
    let executor = executor();
    let _entered = executor.enter();
    let function = Arc::new(Function::from_source(spec.clone()));
    let mut isolate = Isolate::new(ready(), 128 << 20, Box::new(Mute));
    executor.block_on(isolate.load(&function)).expect("it starts");
    call(&mut isolate, &executor)
}

fn life(function: &Arc<Function>, executor: &tokio::runtime::Runtime, collect: bool, start: StartKind) -> String {
    let _entered = executor.enter();
    let mut isolate = if start == StartKind::Snapshot {
        Isolate::restore(ready(), function, Box::new(Mute), |_| ()).expect("it is restored")
    } else {
        let mut isolate = Isolate::new(bases().of(Platform::Web), 128 << 20, Box::new(Mute));
        executor.block_on(isolate.load(function)).expect("it starts");
        assert_eq!(isolate.take_refused_cache(), None);
        isolate
    };
    if collect {
        isolate.collect();
    }
    let answer = call(&mut isolate, executor);
    if collect {
        isolate.collect();
    }
    answer
}

#[test]
fn isolates_of_many_snapshots_live_side_by_side() {
    let started = std::time::Instant::now();
    let cycles = std::env::var_os("ISLE_STRESS_CYCLES");
    let cycles = cycles.and_then(|text| text.to_str()?.parse().ok()).unwrap_or(CYCLES);
    let specs: Vec<FunctionSpec> = (0..FUNCTIONS).map(|n| spec(&format!("f{n}"), &text(n))).collect();
    let next = AtomicUsize::new(0);
    let built: Vec<(Arc<Function>, String)> = std::thread::scope(|scope| {
        let builders: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut made = Vec::new();
                    while let Some(spec) = specs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let built = Order::new(spec.clone()).build();
                        assert!(built.report.snapshot_us.is_some(), "{:?}", built.report);
                        let artifact = Artifact::map(&built.file(), &base_name(), &spec.artifact).unwrap();
                        assert!(guard::same_read_only(ready(), artifact.snapshot().unwrap()));
                        made.push((Arc::new(Function::with_artifact(spec.clone(), artifact)), fresh_answer(spec)));
                    }
                    made
                })
            })
            .collect();
        builders.into_iter().flat_map(|builder| builder.join().unwrap()).collect()
    });
    let building = started.elapsed();
    assert_eq!(built.len(), FUNCTIONS);
    let mut answers: Vec<&String> = built.iter().map(|(_, answer)| answer).collect();
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), FUNCTIONS, "all are different");

    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let executor = executor();
                loop {
                    let cycle = next.fetch_add(1, Ordering::Relaxed);
                    if cycle >= cycles {
                        return;
                    }
                    // Another order each time round, so that neighbours change.
                    let (function, expected) = &built[(cycle * 5 + cycle / FUNCTIONS) % FUNCTIONS];
                    let pooled = cycle.is_multiple_of(POOLED_EVERY);
                    let start = if pooled { StartKind::Pooled } else { StartKind::Snapshot };
                    let answer = life(function, &executor, cycle.is_multiple_of(COLLECT_EVERY), start);
                    assert!(&answer == expected, "cycle {cycle}: {answer}\n\nexpected {expected}");
                }
            });
        }
    });
    let whole = started.elapsed();
    println!("{FUNCTIONS} functions built in {building:.1?}, {cycles} lives in {:.1?}", whole - building);
}

/// Not a test of its own: a builder without the flag that keeps the read-only heap as it is.
#[test]
#[ignore = "run by the test below as a child process"]
fn build_extensibly() {
    let out = std::env::var_os("ISLE_TEST_OUT").unwrap();
    let flags: Vec<&str> = platform::FLAGS.iter().copied().filter(|f| *f != "--no-extensible-ro-snapshot").collect();
    assert_eq!(flags.len() + 1, platform::FLAGS.len());
    let base = std::env::var_os("ISLE_TEST_BASE").unwrap();
    let base = map_snapshot(&File::open(base).unwrap()).unwrap();
    platform::init_with(&flags);
    let executor = executor();
    let _entered = executor.enter();
    let function = Arc::new(Function::from_source(spec("extensible", &text(1))));
    match build_snapshot(base, &function, "[]", &[], &executor, &mut |_| ()) {
        Built::Snapshot(blob) => std::fs::write(out, blob).unwrap(),
        Built::Refused { reason, .. } => panic!("{reason}"),
    }
}

#[test]
fn a_snapshot_of_a_builder_without_the_flag_is_refused_by_the_guard() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("blob");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "build_extensibly", "--ignored"])
        .env("ISLE_TEST_OUT", &out)
        .env("ISLE_TEST_BASE", base())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let blob = std::fs::read(&out).unwrap();
    let spec = spec("extensible", &text(1));
    assert!(!guard::may_share_process(ready(), &blob) && !guard::same_read_only(ready(), &blob));
    let file = artifact_of(folder.path(), &spec, &blob);
    let artifact = Artifact::map(&file, &base_name(), &spec.artifact).unwrap();
    let function = Arc::new(Function::with_artifact(spec, artifact));
    let executor = executor();
    let _entered = executor.enter();
    let refused = Isolate::restore(ready(), &function, Box::new(Mute), |_| ()).err();
    assert_eq!(refused, Some("the snapshot's read-only part is not the base's"));
}

fn artifact_of(folder: &Path, spec: &FunctionSpec, blob: &[u8]) -> File {
    let path = folder.join("artifact");
    std::fs::write(&path, encode(&base_name(), &spec.artifact, Platform::Web, &[], Some(blob)).unwrap()).unwrap();
    File::open(path).unwrap()
}
