//! Runs every folder of `hostile/`: code that means harm, or does it.
//!
//! Each folder is deployed for a tenant of its own. Its `/benign` path is good, every other path is
//! hostile. For each: the hostile request ends with the named outcome, twice over; the next good
//! request to the same function is answered; and a neighbour, another tenant whose requests are
//! in flight all the while, gets nothing but 200.

mod support;

use isle_wire::Outcome;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};
use support::api::Tenant;
use support::deployment::Deployment;
use support::http::{Connection, Request, Response};
use support::node::{Node, host};
use support::suite::{Suite, only_listed};
use support::{PATIENCE, until};

/// How hostile code must end.
enum End {
    /// The request ends with one of these outcomes.
    Answer(&'static [Outcome]),
    /// It ends well, with this body.
    Body(&'static str),
    /// It begins well and is cut off, with one of these outcomes.
    Cut(&'static [Outcome]),
    /// The deployment is refused, and the refusal names one of these.
    Refused(&'static [Outcome]),
}

use End::{Answer, Body, Cut, Refused};
use Outcome::{
    CellDied, CpuExceeded, HandlerThrew, HeapExceeded, InvalidResponse, NeverSettled, Ok as Fine, ResponseTooLarge,
    StartupCpuExceeded, WallExceeded,
};

/// Every folder and its end. More than one outcome where limits race each other, or where it is
/// the engine's to say who noticed first.
const TABLE: &[(&str, End)] = &[
    ("loop-at-top-level", Refused(&[StartupCpuExceeded])),
    ("microtasks-at-top-level", Refused(&[StartupCpuExceeded])),
    ("memory-at-top-level", Refused(&[HeapExceeded, StartupCpuExceeded])),
    ("loop-in-handler", Answer(&[CpuExceeded])),
    ("loop-that-catches", Answer(&[CpuExceeded])),
    ("loop-after-await", Answer(&[CpuExceeded])),
    ("loop-in-timer", Answer(&[CpuExceeded])),
    ("loop-in-getter", Answer(&[CpuExceeded])),
    ("loop-in-to-json", Answer(&[CpuExceeded])),
    ("loop-in-proxy", Answer(&[CpuExceeded])),
    ("loop-after-response", Body("answered")),
    ("loop-in-web-assembly", Answer(&[CpuExceeded])),
    ("pbkdf2-giant-salt", Body("answered")),
    ("regex-blow-up", Answer(&[CpuExceeded])),
    ("microtask-flood", Answer(&[CpuExceeded])),
    ("thenable-bomb", Answer(&[CpuExceeded])),
    ("never-settles", Answer(&[NeverSettled])),
    ("waits-too-long", Answer(&[WallExceeded])),
    ("interval-flood", Answer(&[WallExceeded, CpuExceeded])),
    ("timer-hoard", Body("answered")),
    ("array-bomb", Answer(&[HeapExceeded])),
    ("string-bomb", Answer(&[HeapExceeded])),
    ("map-bomb", Answer(&[HeapExceeded])),
    ("array-buffer-bomb", Answer(&[HeapExceeded])),
    ("resizable-array-buffer-bomb", Answer(&[HeapExceeded])),
    ("web-assembly-memory-bomb", Answer(&[HeapExceeded])),
    ("typed-array-giant", Answer(&[HeapExceeded, HandlerThrew])),
    ("blob-bomb", Answer(&[HeapExceeded, CellDied])),
    ("intl-bomb", Answer(&[HeapExceeded, CellDied])),
    ("giant-split", Answer(&[CellDied, HeapExceeded])),
    ("deep-recursion", Answer(&[HandlerThrew])),
    ("deep-result", Answer(&[HandlerThrew, InvalidResponse])),
    ("deep-clone", Answer(&[HandlerThrew, Fine])),
    ("deep-source", Answer(&[HandlerThrew])),
    ("throwing-getter", Answer(&[HandlerThrew])),
    ("throwing-to-json", Answer(&[HandlerThrew, InvalidResponse])),
    ("throwing-proxy", Answer(&[HandlerThrew])),
    ("throwing-header-value", Answer(&[HandlerThrew, InvalidResponse])),
    ("revoked-proxy", Answer(&[HandlerThrew, InvalidResponse])),
    ("plain-proxy", Body("through a proxy")),
    ("circular-result", Answer(&[InvalidResponse])),
    ("bigint-result", Answer(&[InvalidResponse])),
    ("fifty-megabytes", Answer(&[ResponseTooLarge])),
    // Writing it as JSON takes about the handler's CPU limit: which comes first is the machine's speed.
    ("fifty-megabytes-of-json", Answer(&[ResponseTooLarge, CpuExceeded])),
    ("log-flood", Body("answered")),
    ("log-giant", Body("answered")),
    ("unhandled-rejection", Body("answered")),
    ("unhandled-in-timer", Body("answered")),
    ("broken-prototypes", Body("answered")),
    ("polluted-object-prototype", Body("")),
    ("frozen-globals", Body("answered")),
    ("deleted-globals", Body("answered")),
    ("replaced-globals", Body("answered")),
    ("huge-header", Answer(&[InvalidResponse, ResponseTooLarge])),
    ("many-headers", Answer(&[InvalidResponse, ResponseTooLarge])),
    ("header-value-injection", Answer(&[InvalidResponse])),
    ("header-name-injection", Answer(&[InvalidResponse])),
    ("cookie-injection", Answer(&[InvalidResponse])),
    ("response-smuggling", Body("whole body")),
    ("impersonation", Body("answered")),
    ("loop-in-error-name", Answer(&[CpuExceeded])),
    ("loop-in-error-stack", Answer(&[CpuExceeded, HandlerThrew])),
    ("loop-in-prepare-stack-trace", Answer(&[CpuExceeded, HandlerThrew])),
    ("endless-causes", Answer(&[HandlerThrew, CpuExceeded, HeapExceeded])),
    ("self-cause", Answer(&[HandlerThrew])),
    ("error-getters-throw", Answer(&[HandlerThrew])),
    ("error-members-of-any-type", Answer(&[HandlerThrew])),
    ("huge-error", Answer(&[HandlerThrew, HeapExceeded])),
    ("huge-error-name", Answer(&[HandlerThrew, HeapExceeded])),
    ("huge-stack", Answer(&[HandlerThrew, HeapExceeded])),
    ("huge-cause", Answer(&[HandlerThrew, HeapExceeded])),
    ("web-assembly-wait", Answer(&[HandlerThrew])),
    ("throwing-thenable", Answer(&[HandlerThrew])),
    ("loop-in-thenable", Answer(&[CpuExceeded])),
    ("loop-in-released-thenable", Answer(&[CpuExceeded])),
    ("console-bomb", Answer(&[CpuExceeded])),
    ("loop-in-inspected-getter", Answer(&[CpuExceeded, Fine])),
    ("structured-clone-bomb", Answer(&[HeapExceeded])),
    ("message-bomb", Answer(&[HeapExceeded, CellDied])),
    ("decompression-bomb", Answer(&[HeapExceeded])),
    ("decompression-bomb-brotli", Answer(&[HeapExceeded])),
    ("decompression-bomb-zlib", Answer(&[HeapExceeded])),
    ("stream-never-moves", Cut(&[WallExceeded])),
    ("stream-never-ends", Cut(&[WallExceeded])),
    ("stream-fills-at-once", Answer(&[HeapExceeded, CpuExceeded])),
    ("stream-fills-in-turns", Cut(&[HeapExceeded, CpuExceeded, CellDied])),
    ("stream-loops-in-pull", Cut(&[CpuExceeded])),
    ("stream-spins-in-turns", Cut(&[CpuExceeded])),
    ("stream-throws-in-start", Answer(&[HandlerThrew])),
    ("stream-throws-in-pull", Cut(&[HandlerThrew])),
    ("stream-throws-nothing", Cut(&[HandlerThrew])),
    ("stream-of-text", Cut(&[HandlerThrew])),
    ("stream-of-anything", Cut(&[HandlerThrew])),
    ("stream-of-detached-pieces", Body("")),
    ("stream-of-resizable-pieces", Cut(&[HandlerThrew])),
    ("stream-of-one-giant", Answer(&[Fine])),
    ("stream-cancel-throws", Cut(&[WallExceeded])),
    ("response-used-twice", Answer(&[Fine, InvalidResponse])),
    ("response-subclass-with-getters", Body("answered")),
    ("response-proxy", Answer(&[Fine, InvalidResponse, HandlerThrew])),
    ("response-forged", Answer(&[InvalidResponse, HandlerThrew, CpuExceeded])),
    ("response-header-injection", Answer(&[HandlerThrew])),
    ("response-header-controls", Answer(&[InvalidResponse])),
    ("response-many-headers", Answer(&[InvalidResponse])),
    ("response-fifty-megabytes", Answer(&[ResponseTooLarge])),
    ("fetch-broken-prototypes", Body("answered")),
    ("fetch-thenable-loop", Answer(&[CpuExceeded])),
    ("wait-until-loop", Body("answered")),
    // The response is sent by then, unless the loop comes first.
    ("wait-until-microtask-loop", Answer(&[Fine, CpuExceeded])),
    ("wait-until-flood", Body("answered")),
    ("wait-until-never", Body("answered")),
    ("lambda-stream-flood", Answer(&[HeapExceeded, CpuExceeded])),
    ("lambda-stream-never-ends", Cut(&[WallExceeded])),
    ("lambda-stream-header-injection", Answer(&[HandlerThrew])),
    ("lambda-stream-metadata-getters", Answer(&[CpuExceeded])),
];

/// What a stranger is told of each outcome that these functions can have.
fn status(outcome: Outcome) -> u16 {
    match outcome {
        Fine => 200,
        HandlerThrew | NeverSettled => 500,
        InvalidResponse | ResponseTooLarge | CellDied => 502,
        StartupCpuExceeded | CpuExceeded | HeapExceeded => 503,
        WallExceeded => 504,
        other => panic!("no hostile function ends with {}", other.as_str()),
    }
}

const NEIGHBOUR: &str = r#"
export const handler = async (event) => {
  await new Promise((resolve) => setTimeout(resolve, 300));
  return "unharmed";
};
"#;

/// Runs `harm` while requests of another tenant are in flight: one began before it and one ends
/// after it. Panics when any of them is not answered well.
fn beside_neighbour(node: &Node, harm: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    let (sent, begun) = sync_channel(1);
    std::thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            let sent = sent;
            let mut connection = Connection::open(node.public);
            let request = Request::get(&host("neighbour"), "/");
            let mut slowest = Duration::ZERO;
            loop {
                let last = stop.load(Ordering::Acquire);
                let at = Instant::now();
                connection.send(&request).expect("the neighbour's request is sent");
                // Full means that the first request was announced already: nobody takes a second.
                let _ = sent.try_send(());
                let answer = connection.receive("GET").expect("the neighbour is answered");
                assert_eq!((answer.status(), answer.text().as_str()), (200, "unharmed"), "{}", answer.summary());
                slowest = slowest.max(at.elapsed());
                if last {
                    return slowest;
                }
            }
        });
        begun.recv().expect("the neighbour's first request");
        let harmed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(harm));
        stop.store(true, Ordering::Release);
        let slowest = neighbour.join().expect("the neighbour is unharmed");
        harmed.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // Its timer takes 300 ms; the rest is what the machine and the harm cost it.
        assert!(slowest < Duration::from_secs(5), "the neighbour waited {slowest:?}");
    });
}

fn assert_benign(tenant: &Tenant<'_>, app: &str, when: &str) {
    let answer = tenant.get(app, "/benign");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "benign"), "{when}: {}", answer.summary());
}

fn run(node: &Node, name: &str, end: &End) {
    let tenant = node.tenant(name);
    let deployment = Deployment::from_folder(name, &support::js_tests().join("hostile").join(name));
    if let Refused(outcomes) = end {
        return run_refused(node, &tenant, &deployment, outcomes);
    }
    tenant.deploy(&deployment);
    assert_benign(&tenant, name, "before");
    for round in 1..=2 {
        beside_neighbour(node, || {
            if let Cut(outcomes) = end {
                assert_cut(&tenant, name, outcomes, round);
                return assert_benign(&tenant, name, &format!("after round {round}"));
            }
            let answer = tenant.get(name, "/");
            match end {
                Answer(outcomes) => assert_outcome(&answer, outcomes),
                Body(body) => {
                    assert_eq!((answer.status(), answer.outcome()), (200, "ok"), "{}", answer.summary());
                    assert_eq!(&answer.text(), body);
                }
                Cut(_) | Refused(_) => unreachable!("handled above"),
            }
            assert_benign(&tenant, name, &format!("after round {round}"));
        });
    }
    check_after(&tenant, name);
}

fn assert_outcome(answer: &Response, outcomes: &[Outcome]) {
    let ended = outcomes.iter().find(|outcome| outcome.as_str() == answer.outcome());
    let ended = ended.unwrap_or_else(|| panic!("expected {outcomes:?}: {}", answer.summary()));
    assert_eq!(answer.status(), status(*ended), "{}", answer.summary());
    if *ended != Fine {
        let body = answer.json();
        let fields: Vec<&String> = body.as_object().expect("a JSON object").keys().collect();
        assert_eq!(fields, ["message"], "strangers learn nothing more: {}", answer.summary());
    }
}

/// The response begins and is cut off, and is counted as what ended it.
fn assert_cut(tenant: &Tenant<'_>, app: &str, outcomes: &[Outcome], round: u32) {
    let mut connection = Connection::open(tenant.node.public);
    connection.send(&Request::get(&host(app), "/")).expect("the request is sent");
    let head = connection.receive_head().expect("a head");
    assert_eq!((head.status, head.header("isle-outcome")), (200, Some("ok")));
    let cut = until("the body is cut off", PATIENCE, || match connection.receive_chunk() {
        Ok(Some(_)) => None,
        Ok(None) => panic!("the body ended well"),
        Err(error) => Some(error),
    });
    assert_ne!(cut.kind(), std::io::ErrorKind::WouldBlock, "cut off, not left standing");
    let counted = |outcome: &Outcome| {
        let labels = [("app", app), ("outcome", outcome.as_str())];
        tenant.node.metric("isle_invocations_total", &labels)
    };
    until(&format!("{outcomes:?} are counted"), PATIENCE, || {
        (outcomes.iter().map(counted).sum::<f64>() >= f64::from(round)).then_some(())
    });
}

fn run_refused(node: &Node, tenant: &Tenant<'_>, deployment: &Deployment, outcomes: &[Outcome]) {
    beside_neighbour(node, || {
        let answer = tenant.try_deploy(deployment);
        assert_eq!(answer.status(), 422, "{}", answer.text());
        let details = answer.json()["error"]["details"].to_string();
        // As a word of ours (`heap_exceeded`) or as an error's class (`Isle.HeapExceeded`).
        let plain = |text: &str| text.replace('_', "").to_lowercase();
        let named = outcomes.iter().any(|outcome| plain(&details).contains(&plain(outcome.as_str())));
        assert!(named, "expected {outcomes:?} in {details}");
    });
    tenant.deploy(&Deployment::of(&deployment.app, "export const handler = async () => 'benign';"));
    assert_benign(tenant, &deployment.app, "after the refusal");
}

/// What some cases leave to look at afterwards.
fn check_after(tenant: &Tenant<'_>, name: &str) {
    match name {
        "log-flood" | "log-giant" => {
            let lines = tenant.logs(name, 10_000);
            let id = &lines.last().expect("some lines are kept").request_id;
            let bytes: usize = lines.iter().filter(|line| &line.request_id == id).map(|line| line.text.len()).sum();
            // 64 KiB of text, and a line or so that says that there was more.
            assert!(bytes <= (64 << 10) + 1024, "{bytes} bytes were kept of one request's output");
        }
        "unhandled-rejection" => {
            until("the rejection is logged", PATIENCE, || {
                let lines = tenant.logs(name, 100);
                lines.iter().any(|line| line.level == "error" && line.text.contains("nobody catches")).then_some(())
            });
        }
        "response-smuggling" => {
            let mut connection = Connection::open(tenant.node.public);
            for path in ["/", "/benign", "/"] {
                let request = Request::get(&host(name), path);
                let answer = connection.call(&request).expect("the connection stays in step");
                assert_eq!(answer.status(), 200, "{}", answer.summary());
                for header in ["keep-alive", "upgrade", "trailer"] {
                    assert_eq!(answer.head.header(header), None);
                }
            }
        }
        "impersonation" => {
            let answer = tenant.get(name, "/");
            assert_eq!(answer.head.all("isle-outcome"), ["ok"]);
            assert_eq!(answer.head.all("isle-request-id").len(), 1);
            assert_ne!(answer.request_id(), "forged");
        }
        _ => {}
    }
}

/// A function that passed its check at deploy and goes mad at a later start.
fn start_up_goes_mad_later(node: &Node) {
    let tenant = node.tenant("late-loop");
    let app = "late-loop";
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_millis();
    let source = |from: u128, to: u128| {
        format!(
            "const now = Date.now();\nif (now > {from} && now < {to}) for (;;) {{}}\n\
             export const handler = async () => \"benign\";\n"
        )
    };
    // The machine decides how long a deployment takes: try until one was done before its time.
    let (from, to) = until("a deployment is done before its loop begins", 4 * PATIENCE, || {
        let from = now() + 2_000;
        let to = from + 6_000;
        let answer = tenant.try_deploy(&Deployment::of(app, &source(from, to)));
        (answer.status() == 201 && now() < from).then_some((from, to))
    });
    until("the time has come", PATIENCE, || (now() > from).then_some(()));
    tenant.evict(app, "main");
    beside_neighbour(node, || {
        let answer = tenant.get(app, "/");
        assert!(now() < to, "the machine is too slow for this test");
        assert_outcome(&answer, &[StartupCpuExceeded]);
    });
    until("the time has passed", PATIENCE, || (now() > to).then_some(()));
    assert_benign(&tenant, app, "once the module loads again");
}

fn main() -> ExitCode {
    let late = "start-up-goes-mad-later";
    let names: Vec<String> = TABLE.iter().map(|(name, _)| (*name).to_owned()).chain([late.to_owned()]).collect();
    if only_listed(&names) {
        return ExitCode::SUCCESS;
    }
    for entry in std::fs::read_dir(support::js_tests().join("hostile")).expect("js-tests/hostile") {
        let folder = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(names.contains(&folder), "hostile/{folder} is not in the table");
    }
    let node = Node::start("");
    let neighbour = node.tenant("neighbour");
    neighbour.deploy(&Deployment::of("neighbour", NEIGHBOUR));
    assert_eq!(neighbour.get("neighbour", "/").status(), 200);
    let mut suite = Suite::new();
    for (name, end) in TABLE {
        let node = &node;
        suite.add(name, move || run(node, name, end));
    }
    suite.add(late, || start_up_goes_mad_later(&node));
    suite.run(2)
}
