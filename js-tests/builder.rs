//! The builder of function snapshots, as a process of its own: which way to start it finds best,
//! and why it refuses a snapshot where state may not be shared between isolates.

use isle_runtime::isolate::guard;
use isle_wire::{
    BuildOrder, BuildReport, FunctionSpec, Limits, ModuleKind, ModuleSource, Outcome, StartKind, StartWish,
};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const ISLE: &str = env!("CARGO_BIN_EXE_isle");
const EVENT: &str =
    r#"{"version":"2.0","rawPath":"/","headers":{},"requestContext":{"http":{"method":"GET","path":"/"}}}"#;

/// One base snapshot for all tests of this process.
fn base() -> &'static PathBuf {
    static BASE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BASE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base.snapshot");
        for command in ["__base-snapshot", "__base-caches", "__base-web"] {
            let made = Command::new(ISLE).arg(command).arg(&path).output().unwrap();
            assert!(made.status.success(), "{command}: {}", String::from_utf8_lossy(&made.stderr));
        }
        (folder, path)
    });
    path
}

fn build(text: &str, env: &[(&str, &str)]) -> BuildReport {
    build_with(text, env, &[EVENT], StartWish::Auto)
}

fn build_with(text: &str, env: &[(&str, &str)], warm_ups: &[&str], wish: StartWish) -> BuildReport {
    let folder = tempfile::tempdir().unwrap();
    let module = ModuleSource { kind: ModuleKind::JavaScript, text: text.to_owned() };
    let spec = FunctionSpec {
        tenant: "t".into(),
        app: "a".into(),
        function: "f".into(),
        deployment: "d".into(),
        entry: "index.js".into(),
        kind: Default::default(),
        modules: [("index.js".to_owned(), module)].into(),
        env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        limits: Limits::default(),
        code_generation: true,
        contract: Default::default(),
        egress_allow: None,
        artifact: String::new(),
    };
    let out = folder.path().join("artifact");
    let order = BuildOrder {
        base_snapshot: base().to_str().unwrap().to_owned(),
        spec,
        warm_ups: warm_ups.iter().map(|event| (*event).to_owned()).collect(),
        out: out.to_str().unwrap().to_owned(),
        cpu_s: 20,
        memory_mb: 2_048,
        wall_s: 60,
        wish,
    };
    let mut child = Command::new(ISLE)
        .arg("__builder")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(&order).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: BuildReport = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report.artifact, out.exists(), "{report:?}");
    if let Ok(artifact) = std::fs::read(&out) {
        let secret = env.iter().find(|(_, value)| artifact.windows(value.len()).any(|part| part == value.as_bytes()));
        assert_eq!(secret, None, "no value of a variable is in an artifact");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.len() <= 1, "the steps' own files are removed: {left:?}");
    report
}

/// A start that does a lot: what a heavy bundle is, in small.
const HEAVY: &str = r#"
const table = new Map();
for (let i = 0; i < 200_000; i++) table.set(`key ${i % 20_000}`, { i, text: `value ${i}` });
export const handler = async (event) => ({ statusCode: 200, body: `${table.size} ${event.rawPath}` });
"#;

#[test]
fn a_heavy_start_gets_a_snapshot_and_a_light_one_does_not_need_it() {
    let heavy = build(HEAVY, &[]);
    assert_eq!((heavy.outcome, heavy.plan), (Outcome::Ok, StartKind::Snapshot), "{heavy:?}");
    assert!(heavy.warmed_up && heavy.snapshot_us.unwrap() < heavy.pooled_us, "{heavy:?}");
    let light = build("export const handler = () => 'light';", &[]);
    assert_eq!((light.outcome, light.plan), (Outcome::Ok, StartKind::Pooled), "{light:?}");
    assert!(light.snapshot_refused.is_none() && light.snapshot_us.is_some(), "{light:?}");
    assert!(light.cache_bytes > 0);
}

#[test]
fn a_snapshot_that_nothing_can_be_asked_of_is_not_used() {
    // What start-up keeps would be wrong in every copy, and no answer is there to show it.
    let stale = format!("const started = Date.now();\n{}", HEAVY.replace("${table.size}", "${started}"));
    let silent = build_with(&stale, &[], &[], StartWish::Auto);
    assert_eq!((silent.outcome, silent.plan), (Outcome::Ok, StartKind::Pooled), "{silent:?}");
    assert!(silent.measured && silent.cache_bytes > 0, "{silent:?}");
    assert!(silent.snapshot_refused.is_some_and(|reason| reason.contains("no warm-up call")));
    let asked = build(&stale, &[]);
    assert_eq!(asked.plan, StartKind::Pooled, "{asked:?}");
    assert!(asked.snapshot_refused.is_some_and(|reason| reason.contains("answers differently")));
    let forced = build_with(HEAVY, &[], &[], StartWish::Snapshot);
    assert_eq!((forced.plan, forced.warmed_up), (StartKind::Snapshot, false), "{forced:?}");
}

#[test]
fn what_isolates_may_not_share_is_refused_by_name() {
    let handler = "export const handler = () => 'x';";
    for (start, reason) in [
        ("const id = Math.random();", "Math.random"),
        ("const id = crypto.randomUUID();", "crypto.randomUUID"),
        ("const k = crypto.getRandomValues(new Uint8Array(4));", "crypto.getRandomValues"),
        ("setTimeout(() => {}, 10_000);", "pending after start-up"),
        ("const there = WebAssembly.validate(new Uint8Array(8));", "WebAssembly"),
        ("const one = Promise.try(() => 1);", "Promise.try"),
        ("class Both extends SuppressedError {}", "SuppressedError"),
        ("const there = typeof Float16Array;", "Float16Array"),
        ("Promise.try = () => 1;", "Promise.try"),
        ("const key = process.env.KEY;", "process.env.KEY"),
        ("const all = { ...process.env };", "process.env"),
        ("process.env.MINE = 'x';", "process.env.MINE"),
        ("const name = process.env.AWS_LAMBDA_FUNCTION_NAME;", "process.env.AWS_LAMBDA_FUNCTION_NAME"),
        ("globalThis.locale = new Intl.Locale('de');", "Intl.Locale"),
        ("globalThis.format = new Intl.NumberFormat(new Intl.Locale('de'));", "Intl.NumberFormat"),
        (
            "await crypto.subtle.importKey('raw', new Uint8Array(16), 'AES-GCM', false, ['encrypt']);",
            "crypto.subtle.importKey",
        ),
        ("Object.freeze(Promise);", "unchangeable"),
        ("globalThis.SharedArrayBuffer = ArrayBuffer;", "replaces SharedArrayBuffer"),
        ("globalThis.Atomics = new Proxy(Atomics, {});", "replaces Atomics"),
        (
            "const later = Date.now() + 60_000; Object.defineProperty(globalThis, 'SharedArrayBuffer', \
             { configurable: true, get() { while (Date.now() > later); } });",
            "replaces SharedArrayBuffer",
        ),
        (
            "Object.defineProperty(Object.prototype, 'SharedArrayBuffer', { configurable: true, get() {} });",
            "replaces SharedArrayBuffer",
        ),
        ("Object.defineProperty(globalThis, 'Intl', { configurable: true, get: () => undefined });", "replaces Intl"),
    ] {
        let report = build(&format!("{start}\n{handler}"), &[("KEY", "value")]);
        assert_eq!(report.plan, StartKind::Pooled, "{start} {report:?}");
        let refused = report.snapshot_refused.unwrap_or_default();
        assert!(refused.contains(reason), "{start}: {refused}");
    }
}

/// That the answers of a restored isolate are a fresh one's is what the builder itself makes sure of.
#[test]
fn what_programs_commonly_do_at_the_top_level_may_be_in_a_snapshot() {
    for (start, body) in [
        ("const there = [typeof WebAssembly, typeof Temporal, typeof SuppressedError, typeof Promise.try];", "there"),
        ("const limit = Error.stackTraceLimit; Error.stackTraceLimit = 0; Error.stackTraceLimit = limit;", "limit"),
        ("const debug = process.env.DEBUG, there = 'DEBUG' in process.env;", "`${debug} ${there}`"),
        ("const { env } = process;", "`${env.DEBUG} ${context.env.DEBUG} ${'toString' in env}`"),
        ("const { NODE_ENV, AWS_REGION, NONE } = process.env;", "[NODE_ENV, AWS_REGION, NONE]"),
        ("const nf = new Intl.NumberFormat('de-DE', { style: 'currency', currency: 'EUR' });", "nf.format(1234.5)"),
        ("const nf = new Intl.NumberFormat(['xx', 'de']); const before = nf.format(0.5);", "before + nf.format(0.5)"),
        ("const { format } = Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeZone: 'UTC' });", "format(0)"),
        ("const { compare } = new Intl.Collator('sv');", "['\u{f6}', 'z', 'a'].sort(compare).join('')"),
        ("class Own extends Intl.PluralRules {} const own = new Own('en', { type: 'ordinal' });", "own.select(2)"),
        ("let late;", "(late ??= new Intl.ListFormat('en')).format(['a', 'b'])"),
        ("let zone = Intl.DateTimeFormat().resolvedOptions().timeZone;", "zone"),
        ("const path = await import('node:path');", "path.join('a', '..', 'b')"),
        ("export const same = {};", "(await import('./index.js')).same === same"),
        ("const url = import.meta.url;", "`${url} ${import.meta.url}`"),
        ("", "await import('./none.js').catch((error) => error.message)"),
    ] {
        let text = format!(
            "{start}\nexport const handler = async (event, context) => ({{ statusCode: 200, body: String({body}) }});"
        );
        let report = build(&text, &[("KEY", "value")]);
        assert!(report.snapshot_us.is_some() && report.warmed_up, "{start} {body}: {report:?}");
    }
}

#[test]
fn a_node_hashes_with_a_seed_of_its_own() {
    let make = |folder: &tempfile::TempDir, name: &str| {
        let path = folder.path().join(name);
        let made = Command::new(ISLE).arg("__base-snapshot").arg(&path).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::fs::read(path).unwrap()
    };
    let [cache, other_cache] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [one, same, other] = [(&cache, "1"), (&cache, "2"), (&other_cache, "1")].map(|(cache, name)| make(cache, name));
    // The read-only part holds the seed and the hashes of common names.
    assert!(guard::same_read_only(&one, &same), "one cache, one seed");
    assert!(!guard::same_read_only(&one, &other), "another cache, another seed");
}

#[test]
fn digests_may_be_in_snapshots() {
    let at_start = "const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode('abc'));\n\
                    export const handler = () => new Uint8Array(digest)[0].toString(16);";
    let report = build(at_start, &[]);
    assert!(report.snapshot_us.is_some() && report.warmed_up, "{report:?}");
    let in_the_call = "export const handler = async () => \
                       (await crypto.subtle.digest({ name: 'sha-1' }, new Uint8Array(4))).byteLength;";
    let report = build(in_the_call, &[]);
    assert!(report.snapshot_us.is_some() && report.warmed_up, "{report:?}");
}

#[test]
fn state_and_secrets_of_the_warm_up_call_are_left_out() {
    let counting = "let n = 0; export const handler = () => ({ statusCode: 200, body: `${++n}` });";
    let report = build(counting, &[]);
    assert!(report.snapshot_us.is_some() && !report.warmed_up, "{report:?}");
    let caching = "let key; export const handler = (e, context) => { key ??= context.env.KEY; return 'ok'; };";
    let report = build(caching, &[("KEY", "a secret that nobody may read")]);
    assert!(report.snapshot_us.is_some() && !report.warmed_up, "{report:?}");
}

#[test]
fn a_function_that_fetches_keeps_its_answers_out_of_snapshots() {
    let at_start = "const config = await (await fetch('http://config.test/')).json();\n\
                    export const handler = () => config;";
    let report = build(at_start, &[]);
    assert_eq!((report.outcome, report.plan), (Outcome::Ok, StartKind::Source), "{report:?}");
    assert!(report.failure.is_none(), "it may well start where there is a network: {report:?}");
    assert_eq!(report.snapshot_refused.as_deref(), Some("start-up uses fetch"));
    let caught = "const config = await fetch('http://config.test/').catch((error) => error.message);\n\
                  export const handler = () => config;";
    let report = build(caught, &[]);
    assert_eq!((report.outcome, report.plan), (Outcome::Ok, StartKind::Pooled), "{report:?}");
    assert_eq!(report.snapshot_refused.as_deref(), Some("start-up uses fetch"));
    let caching = "let config; export const handler = async () => { \
                   config ??= await fetch('http://config.test/').catch((error) => error.message); return config; };";
    let report = build(caching, &[]);
    assert!(report.snapshot_us.is_some() && !report.warmed_up, "{report:?}");
}

#[test]
fn a_module_that_does_not_start_is_reported_with_its_place() {
    let report = build("export const a = 1;\nconst = 2;", &[]);
    assert_eq!(report.outcome, Outcome::StartupFailed);
    let failure = report.failure.unwrap();
    assert_eq!((failure.file.as_deref(), failure.line), (Some("index.js"), Some(2)));
}

#[test]
fn a_warm_up_call_that_does_not_end_costs_the_snapshot_and_little_time() {
    let begun = std::time::Instant::now();
    for (handler, reason) in [
        ("() => { for (;;); }", "more than its limits"),
        ("async () => { await null; for (;;); }", "more than its limits"),
        ("() => new Promise(() => {})", "never settles"),
        ("() => new Promise((done) => setTimeout(done, 60_000))", "takes too long"),
        ("() => { const all = []; for (;;) all.push(new Array(1e6).fill(1)); }", "warm-up call"),
    ] {
        let report = build(&format!("export const handler = {handler};"), &[]);
        assert_eq!((report.plan, report.measured), (StartKind::Pooled, true), "{handler} {report:?}");
        let refused = report.snapshot_refused.unwrap_or_default();
        assert!(refused.contains(reason), "{handler}: {refused}");
    }
    // A work that begins after the answer and never ends: only the process's own limit helps.
    let late = build("export const handler = () => { setTimeout(() => { for (;;); }, 0); return 'late'; };", &[]);
    assert!(late.measured && !late.warmed_up, "{late:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{:?}", begun.elapsed());
}
