//! A real cell, spoken to in frames as the gateway does: how functions start in it by each plan,
//! what it does with artifacts that are no good, and what is given back afterwards.

#[path = "support/builder.rs"]
mod builder;
#[path = "support/cell.rs"]
mod cell;

use builder::{Order, base, spec};
use cell::{Cell, config};
use isle_gateway::route::Packed;
use isle_wire::{CellConfig, FunctionSpec, ModuleKind, ModuleSource, Outcome, StartKind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// State that takes a while to make, so that each plan has something to carry.
const STATEFUL: &str = r#"
const table = new Map();
for (let i = 0; i < 2_000; i++) table.set(`key ${i}`, { i });
const id = { made: Date.now() };
let calls = 0;
export const handler = async (event, context) => ({
  statusCode: 200,
  body: JSON.stringify([table.size, ++calls, event.rawPath, context.env.SECRET ?? null]),
});
"#;

fn stateful(secret: &str) -> FunctionSpec {
    let mut spec = spec("stateful", STATEFUL);
    spec.env.insert("SECRET".into(), secret.into());
    spec
}

fn quiet() -> CellConfig {
    CellConfig { spare_isolates: 1, spare_isolates_max: 1, ..config(base()) }
}

#[test]
fn a_version_starts_by_its_plan_and_answers_the_same_by_each() {
    let built = Order::new(stateful("built")).build();
    assert!(built.report.snapshot_us.is_some(), "{:?}", built.report);
    let mut cell = Cell::start(&quiet());
    for (plan, artifact, start) in [
        (StartKind::Snapshot, true, StartKind::Snapshot),
        (StartKind::Pooled, true, StartKind::Pooled),
        (StartKind::Source, true, StartKind::Source),
        // What is not there cannot be used, and that is nobody's fault.
        (StartKind::Snapshot, false, StartKind::Pooled),
    ] {
        let version = cell.load(&stateful("live"), plan, artifact.then(|| built.file()));
        cell.until_spare();
        let first = cell.call(version, "/a");
        assert_eq!((first.outcome, first.start), (Outcome::Ok, start), "{first:?}");
        assert_eq!(&first.body[..], br#"[2000,1,"/a","live"]"#);
        let second = cell.call(version, "/b");
        assert_eq!((second.start, &second.body[..]), (StartKind::Warm, &br#"[2000,2,"/b","live"]"#[..]));
        assert_eq!(cell.take_unfit(), []);
        cell.unload(version);
    }
}

/// Texts that a gateway sends in a memory file: one that V8 reads there, one that is not ASCII, data.
#[test]
fn long_texts_are_read_where_they_are_by_each_plan() {
    let mut long = spec(
        "long",
        "import { word } from './word.js';\nimport list from './list.json' with { type: 'json' };\n\
         const late = () => [word, list.length, list[9_999]].join();\n\
         export const handler = () => late() + late.toString().length;\n",
    );
    let padding = "// what a bundle has in it\n".repeat(5_000);
    let text = |kind, text: String| ModuleSource { kind, text };
    long.modules.get_mut("index.js").unwrap().text.push_str(&padding);
    let word = format!("{padding}export const word = 'm\u{f6}\u{1f600}';\n");
    long.modules.insert("word.js".into(), text(ModuleKind::JavaScript, word));
    let list: Vec<u32> = (0..10_000).collect();
    long.modules.insert("list.json".into(), text(ModuleKind::Json, serde_json::to_string(&list).unwrap()));
    assert!(Packed::of(long.clone()).texts.is_some());
    let built = Order::new(long.clone()).build();
    assert!(built.report.snapshot_us.is_some(), "{:?}", built.report);
    let mut cell = Cell::start(&quiet());
    for (plan, artifact) in [(StartKind::Snapshot, true), (StartKind::Pooled, true), (StartKind::Source, false)] {
        let version = cell.load(&long, plan, artifact.then(|| built.file()));
        cell.until_spare();
        let answer = cell.call(version, "/");
        assert_eq!((answer.outcome, answer.start), (Outcome::Ok, plan), "{answer:?}");
        assert_eq!(String::from_utf8_lossy(&answer.body), "m\u{f6}\u{1f600},10000,999945");
        assert_eq!(cell.take_unfit(), []);
    }
}

#[test]
fn an_artifact_that_is_no_good_is_reported_and_the_function_starts_without() {
    let built = Order::new(stateful("x")).build();
    let other = Order::new(spec("other", "export const handler = () => 'other';")).build();
    let bytes = std::fs::read(&built.path).unwrap();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut copy = bytes.clone();
        change(&mut copy);
        cell::memory_file(&copy)
    };
    let snapshot_at = built.snapshot_at();
    let cases: [(std::fs::File, &str); 6] = [
        (other.file(), "another function"),
        (with(&|bytes| bytes.truncate(100)), "cut off"),
        (with(&|bytes| bytes.truncate(bytes.len() - 5_000)), "cut off"),
        (with(&|bytes| bytes[0] = b'X'), "no artifact"),
        (with(&|bytes| bytes.clear()), "cannot be read"),
        // The length of the read-only part: what a snapshot made in an extensible builder has longer.
        (with(&|bytes| bytes[snapshot_at + 80] ^= 0x40), "read-only"),
    ];
    let mut cell = Cell::start(&quiet());
    for (file, why) in cases {
        let version = cell.load(&stateful("live"), StartKind::Snapshot, Some(file));
        let answer = cell.call(version, "/a");
        assert_eq!((answer.outcome, &answer.body[..]), (Outcome::Ok, &br#"[2000,1,"/a","live"]"#[..]), "{answer:?}");
        assert_ne!(answer.start, StartKind::Snapshot);
        let unfit = cell.take_unfit();
        assert!(unfit.len() == 1 && unfit[0].0 == version && unfit[0].1.contains(why), "{why}: {unfit:?}");
        cell.unload(version);
    }
}

/// What is restored is the function's own world: whatever it does there, a start ends.
#[test]
fn a_snapshot_that_goes_mad_when_it_is_restored_costs_a_start_its_limit() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let from = now() + 15_000;
    let mad = format!(
        "export const attempt = Promise.try, RealPromise = Promise;\n\
         Object.defineProperty(globalThis, 'Promise', {{ configurable: true, get() {{\n\
           while (Date.now() > {from});\n\
           return RealPromise;\n\
         }} }});\n\
         export const handler = () => 'sane';\n"
    );
    let mad = spec("mad", &mad);
    let built = Order::new(mad.clone()).build();
    assert!(built.report.snapshot_us.is_some(), "{:?}", built.report);
    assert!(now() < from, "the machine is too slow for this test");
    let mut cell = Cell::start(&quiet());
    let version = cell.load(&mad, StartKind::Snapshot, Some(built.file()));
    while now() <= from {
        std::thread::sleep(Duration::from_millis(50));
    }
    let answer = cell.call(version, "/");
    assert_eq!((answer.outcome, &answer.body[..]), (Outcome::Ok, &b"sane"[..]), "{answer:?}");
    assert_ne!(answer.start, StartKind::Snapshot);
    let unfit = cell.take_unfit();
    assert!(unfit.len() == 1 && unfit[0].1.contains("limits of a start"), "{unfit:?}");
}

/// What no check of the file finds, and V8 does not survive.
#[test]
fn a_cell_that_dies_of_a_snapshot_leaves_its_name() {
    let built = Order::new(stateful("x")).build();
    let mut bytes = std::fs::read(&built.path).unwrap();
    let (at, end) = (built.snapshot_at(), bytes.len());
    bytes[at + (end - at) / 2..].fill(0xff);
    let mut cell = Cell::start(&quiet());
    let fine = cell.load(&stateful("live"), StartKind::Snapshot, Some(built.file()));
    assert_eq!(cell.call(fine, "/a").start, StartKind::Snapshot);
    let fatal = cell.load(&stateful("live"), StartKind::Snapshot, Some(cell::memory_file(&bytes)));
    cell.invoke(fatal, "/a");
    cell.dies();
    let board = isle_wire::Board::new(cell.board.try_clone().unwrap()).unwrap();
    assert_eq!(board.restoring(), [fatal]);
}

#[test]
fn a_code_cache_that_v8_refuses_is_noticed() {
    let built = Order::new(stateful("x")).build();
    let mut bytes = std::fs::read(&built.path).unwrap();
    let at = built.cache_at();
    bytes[at + 8] ^= 0xff;
    let mut cell = Cell::start(&quiet());
    let version = cell.load(&stateful("live"), StartKind::Pooled, Some(cell::memory_file(&bytes)));
    let answer = cell.call(version, "/a");
    assert_eq!((answer.outcome, &answer.body[..]), (Outcome::Ok, &br#"[2000,1,"/a","live"]"#[..]), "{answer:?}");
    let unfit = cell.take_unfit();
    assert!(unfit.len() == 1 && unfit[0].1.contains("code cache"), "{unfit:?}");
}

/// What must never be the same twice, of one snapshot: in one cell and in two.
#[test]
fn two_restores_share_no_chance_no_clock_and_no_secret() {
    const UNIQUE: &str = r#"
        const cache = new Map([["a", 1]]);
        export const handler = (event, context) => ({
          statusCode: 200,
          body: JSON.stringify({
            random: [Math.random(), Math.random()],
            uuid: crypto.randomUUID(),
            bytes: Array.from(crypto.getRandomValues(new Uint8Array(16))).join(),
            origin: performance.timeOrigin,
            now: Date.now(),
            elapsed: performance.now(),
            env: context.env,
          }),
        });
    "#;
    let with_env = |value: &str| {
        let mut spec = spec("unique", UNIQUE);
        spec.env.insert("SECRET".into(), value.into());
        spec
    };
    let before = epoch_ms();
    let built = Order::new(with_env("a secret of the builder")).build();
    assert!(built.report.snapshot_us.is_some(), "{:?}", built.report);
    let artifact = std::fs::read(&built.path).unwrap();
    assert!(!artifact.windows(23).any(|part| part == b"a secret of the builder"));
    std::thread::sleep(Duration::from_millis(20)); // so that a baked clock is seen
    let restored = epoch_ms();
    let mut seen = Vec::new();
    for round in 0..2 {
        let mut cell = Cell::start(&quiet());
        for restore in 0..3 {
            let secret = format!("{round} {restore}");
            let version = cell.load(&with_env(&secret), StartKind::Snapshot, Some(built.file()));
            let answer = cell.call(version, "/");
            assert_eq!((answer.outcome, answer.start), (Outcome::Ok, StartKind::Snapshot), "{answer:?}");
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(body["env"]["SECRET"], secret);
            let ms = |name: &str| body[name].as_f64().unwrap();
            assert!(ms("now") >= restored && ms("origin") >= restored - 1.0, "since {before}: {body}");
            assert!(ms("elapsed") < 10_000.0, "{body}");
            seen.push(body);
        }
    }
    for name in ["random", "uuid", "bytes"] {
        let mut values: Vec<String> = seen.iter().map(|body| body[name].to_string()).collect();
        values.sort();
        values.dedup();
        assert_eq!(values.len(), seen.len(), "{name}: {values:?}");
    }
}

fn epoch_ms() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() * 1_000.0
}

#[test]
fn memory_goes_back_to_the_kernel_when_isolates_are_evicted() {
    const COUNT: usize = 50;
    let config = CellConfig { isolates_max: 64, spare_isolates: 0, spare_isolates_max: 0, memory_mb: 4_096, ..quiet() };
    let mut cell = Cell::start(&config);
    let versions: Vec<u32> = (0..COUNT).map(|_| cell.load(&stateful("live"), StartKind::Pooled, None)).collect();
    let before = cell.rss_bytes();
    versions.iter().for_each(|version| drop(cell.call(*version, "/")));
    let full = cell.rss_bytes();
    cell.evict(0);
    let used = full - before;
    let started = Instant::now();
    let mut after = cell.rss_bytes();
    while after > before + used / 4 && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(100));
        after = cell.rss_bytes();
    }
    let mib = |bytes: u64| bytes >> 20;
    eprintln!("resident MiB: {} before, {} with {COUNT} isolates, {} after", mib(before), mib(full), mib(after));
    assert!(after <= before + used / 4, "{} of {} MiB stay", mib(after.saturating_sub(before)), mib(used));
}

/// The answer is out before the isolate that gave it has come to wait.
#[test]
fn what_follows_an_answer_and_an_eviction_is_a_fresh_start() {
    let mut cell = Cell::start(&quiet());
    let version = cell.load(&stateful("fresh"), StartKind::Pooled, None);
    for round in 0..300 {
        let answer = cell.call(version, "/");
        assert_eq!(answer.outcome, Outcome::Ok, "{answer:?}");
        assert_ne!(answer.start, StartKind::Warm, "round {round}");
        cell.evict(version);
    }
}

#[test]
fn a_storm_of_starts_is_served_a_few_at_a_time_and_every_request_answered() {
    let config = CellConfig { isolates_max: 8, starts_max: 1, ..quiet() };
    let mut cell = Cell::start(&config);
    let text = "export const handler = (e) => e.rawPath;";
    let versions: Vec<u32> =
        (0..60).map(|n| cell.load(&spec(&format!("f{n}"), text), StartKind::Pooled, None)).collect();
    let ids: Vec<u32> = versions.iter().map(|version| cell.invoke(*version, "/storm")).collect();
    for id in &ids {
        let answer = cell.response(*id);
        assert_eq!((answer.outcome, &answer.body[..]), (Outcome::Ok, &b"/storm"[..]), "{answer:?}");
    }
    // First come, first served, although most wait for another's room. Two threads notice requests;
    // neighbours may change places.
    for (at, id) in ids.iter().enumerate() {
        let answered = cell.answered.iter().position(|answered| answered == id).unwrap();
        assert!(answered.abs_diff(at) <= 3, "{at} is answered as {answered}: {:?}", cell.answered);
    }
}

/// More functions than there is memory for: the idle ones go before the cell does.
#[test]
fn a_storm_of_functions_that_keep_much_ends_neither_the_cell_nor_a_request() {
    let config = CellConfig { isolates_max: 64, memory_mb: 192, ..quiet() };
    let mut cell = Cell::start(&config);
    let text = "const kept = []; for (let i = 0; i < 30_000; i++) kept.push({ i, text: 'x' + i });
                export const handler = () => String(kept.length);";
    let versions: Vec<u32> =
        (0..150).map(|n| cell.load(&spec(&format!("f{n}"), text), StartKind::Pooled, None)).collect();
    let ids: Vec<u32> = versions.iter().map(|version| cell.invoke(*version, "/")).collect();
    for id in ids {
        let answer = cell.response(id);
        assert_eq!((answer.outcome, &answer.body[..]), (Outcome::Ok, &b"30000"[..]), "{answer:?}");
    }
}
