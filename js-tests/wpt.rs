//! Runs web-platform tests as functions of a real node: `make wpt WPT=<tree>`.
//!
//! The tree is a checkout of web-platform-tests; nothing of it is kept here. Each test file becomes
//! a module that exports `handler` (`wpt/pack.rs`), is deployed, called, and answers with the
//! result of every subtest. What is printed is a row for each area beside the same rows of peers
//! (`wpt/areas.json`); which subtests failed, and why, goes to `wpt.txt` in the target folder.
//!
//! Tests that need their own server are run where one is: `WPT_SERVER=http://localhost:8000`, started
//! from a whole checkout with `./wpt serve` and a configuration that names `localhost` as the host.

#[path = "wpt/pack.rs"]
mod pack;
mod support;

use pack::{Packed, Packer, Server};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::api::Tenant;
use support::deployment::Deployment;
use support::http::{Connection, Request};
use support::node::{Node, host};
use support::suite::{only_listed, selected};

/// At most this many tests run at one time; each is CPU-bound.
const AT_ONCE: usize = 3;

/// Room for the largest: the harness for interface definitions, thousands of subtests' names. Every
/// test runs once, so no start is worth preparing.
const CONFIG: &str = "response_body_bytes_max = 67108864\nstartup_cpu_ms = 10000\nfetches_max = 1000\n[cells]\nmemory_mb = 2048\nstart = \"source\"\n";

#[derive(Deserialize)]
struct Areas {
    peers: Vec<String>,
    areas: Vec<Area>,
}

/// An area, and how peers did in it with the same files packed the same way.
#[derive(Deserialize)]
struct Area {
    name: String,
    paths: Vec<String>,
    /// Whether they need the tests' own server.
    #[serde(default)]
    served: bool,
    subtests: usize,
    passed: Vec<usize>,
}

/// What a packed test answers.
#[derive(Debug, Deserialize)]
struct Answer {
    status: u8,
    message: String,
    tests: Vec<(String, u8, String)>,
}

#[derive(Default)]
struct Row {
    files: usize,
    subtests: usize,
    passed: usize,
    failures: String,
}

fn call(tenant: &Tenant<'_>, app: &str, test: &Packed) -> Result<Answer, String> {
    let limits = [("wall_ms", 60_000), ("handler_cpu_ms", 60_000), ("heap_mb", 512)];
    let larger = [("startup_cpu_ms", 10_000), ("response_body_bytes_max", 64 << 20), ("fetches_max", 1_000)];
    let deployment = Deployment::of(app, &test.module).limits(&[&limits[..], &larger].concat());
    let deployed = tenant.try_deploy(&deployment);
    if deployed.status() >= 300 {
        return Err(format!("not deployed: {}", deployed.summary()));
    }
    let answer = Connection::try_open(tenant.node.public).and_then(|mut c| c.call(&Request::get(&host(app), "/")));
    tenant.api("DELETE", &format!("/v1/apps/{app}"), None);
    let answer = answer.map_err(|e| format!("not answered: {e}"))?;
    serde_json::from_slice(&answer.body).map_err(|_| format!("not answered: {}", answer.summary()))
}

impl Row {
    fn count(&mut self, test: &Packed, answer: &Result<Answer, String>) {
        self.files += 1;
        let (passed, all) = answer.as_ref().map_or((0, 0), |answer| {
            (answer.tests.iter().filter(|(_, status, _)| *status == 0).count(), answer.tests.len())
        });
        (self.passed, self.subtests) = (self.passed + passed, self.subtests + all);
        let whole = match answer {
            Ok(answer) if answer.status == 0 => String::new(),
            Ok(answer) => format!(" {}", answer.message),
            Err(message) => format!(" {message}"),
        };
        if passed < all || !whole.is_empty() || all == 0 {
            let _ = writeln!(self.failures, "## {} {passed}/{all}{whole}", test.name);
        }
        for (name, status, message) in answer.iter().flat_map(|answer| &answer.tests).filter(|test| test.1 != 0) {
            let line = format!("{status} {name} | {message}").replace(['\n', '\r'], " ");
            let _ = writeln!(self.failures, "   {line}");
        }
    }
}

fn percent(passed: usize, of: usize) -> String {
    if of == 0 { "-".into() } else { format!("{:.1}", 100.0 * passed as f64 / of as f64) }
}

fn print_row(name: &str, subtests: usize, passed: usize, peers: &[usize]) {
    let best = peers.iter().copied().max().unwrap_or(0);
    let mark = if passed >= best { "" } else { " <" };
    let peers: String = peers.iter().map(|peer| format!("{:>12}", percent(*peer, subtests))).collect();
    println!("{name:<30}{subtests:>9}{passed:>9}{:>8}{peers}{mark}", percent(passed, subtests));
}

/// Sums of several rows: subtests, passed, and peers' passed.
fn sum<'a>(areas: impl Iterator<Item = (&'a Area, &'a Row)>) -> (usize, usize, Vec<usize>) {
    areas.fold((0, 0, Vec::new()), |(subtests, passed, mut peers), (area, row)| {
        peers.resize(area.passed.len(), 0);
        peers.iter_mut().zip(&area.passed).for_each(|(sum, peer)| *sum += peer);
        (subtests + area.subtests.max(row.subtests), passed + row.passed, peers)
    })
}

fn main() -> ExitCode {
    let areas: Areas = serde_json::from_str(include_str!("wpt/areas.json")).expect("areas.json");
    if only_listed(&areas.areas.iter().map(|area| area.name.clone()).collect::<Vec<_>>()) {
        return ExitCode::SUCCESS;
    }
    let Some(tree) = std::env::var_os("WPT").filter(|tree| !tree.is_empty()) else {
        println!("web-platform tests are not run: they need a tree of them, make wpt WPT=<tree>");
        return ExitCode::SUCCESS;
    };
    let tree = Path::new(&tree).canonicalize().expect("WPT is a folder");
    let server = std::env::var("WPT_SERVER").ok().filter(|origin| !origin.is_empty()).map(|origin| Server::at(&origin));
    let wanted = |area: &Area| selected(&area.name) && (!area.served || server.is_some());
    let areas = Areas { areas: areas.areas.into_iter().filter(wanted).collect(), ..areas };
    let open: Vec<String> = server.iter().flat_map(Server::authorities).collect();
    let packer = Packer::new(&tree, server);
    let paths = areas.areas.iter().flat_map(|area| area.paths.iter().map(move |path| (area, path)));
    let tests: Vec<(&Area, Packed)> = paths
        .flat_map(|(area, path)| packer.pack(path, area.served).into_iter().map(move |test| (area, test)))
        .collect();

    let node = Node::start(&format!("{CONFIG}[egress]\nopen = {open:?}\n"));
    let tenant = node.tenant("wpt");
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<&str, Row>::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((area, test)) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answer = call(&tenant, &format!("wpt-{:p}", test).replace("0x", ""), test);
                    rows.lock().expect("rows").entry(&area.name).or_default().count(test, &answer);
                }
            });
        }
    });

    let rows = rows.into_inner().expect("rows");
    let named = |area: &'_ Area| rows.get(area.name.as_str());
    let peers: String = areas.peers.iter().map(|peer| format!("{peer:>12}")).collect();
    println!("{:<30}{:>9}{:>9}{:>8}{peers}", "area", "subtests", "passed", "Isle");
    for area in &areas.areas {
        let passed = named(area).map_or(0, |row| row.passed);
        // What a file that breaks down does not report counts as failed.
        let subtests = area.subtests.max(named(area).map_or(0, |row| row.subtests));
        print_row(&area.name, subtests, passed, &area.passed);
    }
    let every = || areas.areas.iter().filter_map(|area| Some((area, named(area)?)));
    for (name, (subtests, passed, peers)) in [
        ("all but WebCryptoAPI", sum(every().filter(|(area, _)| !area.served && area.name != "WebCryptoAPI"))),
        ("all", sum(every().filter(|(area, _)| !area.served))),
    ] {
        print_row(name, subtests, passed, &peers);
    }
    let failures: String = every().map(|(_, row)| row.failures.as_str()).collect();
    let list = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wpt.txt");
    std::fs::write(&list, failures).expect("the target folder is writable");
    println!("\nin % of the subtests; < marks a row in which a peer is better. What failed: {}", list.display());
    ExitCode::SUCCESS
}
