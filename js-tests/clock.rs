//! What functions see of time (`[cells] clock`), through real nodes.

mod support;

use serde_json::Value;
use support::deployment::Deployment;
use support::node::Node;

/// Every clock before and after much work, and after a timer. `Early` was taken when the module
/// was evaluated, as a library would.
const CLOCKS: &str = r#"
const Early = Date;
const format = new Intl.DateTimeFormat("en", { hour: "numeric", minute: "2-digit", second: "2-digit",
  fractionalSecondDigits: 3, timeZone: "UTC" });
const all = () => [Date.now(), new Date().getTime(), Early.now(), new Early().valueOf(), Date(), performance.now(),
  format.format(), format.formatToParts().map((part) => part.value).join(""), new Event("x").timeStamp,
  new File([], "x").lastModified, typeof Temporal === "undefined" ? 0 : Temporal.Now.instant().epochMilliseconds,
  typeof Temporal === "undefined" ? "" : Temporal.Now.plainDateTimeISO("UTC").toString()];
const work = () => {
  let sum = 0;
  for (let i = 0; i < 20_000_000; i++) sum += i;
  return sum;
};
export const handler = async (_event, context) => {
  const before = all(), left = context.getRemainingTimeInMillis();
  work();
  await null;
  const after = all(), leftAfter = context.getRemainingTimeInMillis();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const later = all();
  const steps = new Set();
  for (let i = 0; i < 20_000; i++) steps.add(performance.now());
  return {
    before, after, later, left, leftAfter, steps: [...steps],
    date: [Date.length, Date.name, Date.prototype.constructor === Date, new Date(5).getTime(), new Date(2020, 1).getMonth(),
      new (class extends Date {})() instanceof Date, Object.prototype.toString.call(new Date()), Date.UTC(1970, 0),
      structuredClone(new Date(7)) instanceof Date, Object.keys(Date).length],
  };
};
"#;

fn clocks(clock: &str) -> (Value, Value) {
    let node = Node::start(&format!("[cells]\nclock = \"{clock}\"\n"));
    let tenant = node.tenant("clock");
    tenant.deploy(&Deployment::of("clocks", CLOCKS));
    let first = tenant.get("clocks", "/");
    assert_eq!(first.status(), 200, "{}", first.summary());
    let second = tenant.get("clocks", "/");
    (first.json(), second.json())
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// How `Date` looks, whoever made it.
fn date_is_whole(answer: &Value) {
    let expected = serde_json::json!([7, "Date", true, 5, 1, true, "[object Date]", 0, true, 0]);
    assert_eq!(answer["date"], expected);
}

#[test]
fn coarse_clocks_move_in_steps() {
    let (answer, _) = clocks("coarse");
    date_is_whole(&answer);
    assert!(number(&answer["after"][0]) > number(&answer["before"][0]), "Date moves while code runs");
    assert!(number(&answer["after"][5]) > number(&answer["before"][5]), "performance.now() moves while code runs");
    for step in answer["steps"].as_array().expect("steps") {
        let tenths = number(step) * 10.0;
        assert!((tenths - tenths.round()).abs() < 1e-6, "{step} is no multiple of 0.1 ms");
    }
}

#[test]
fn frozen_clocks_stand_still_while_code_runs() {
    let (answer, next) = clocks("frozen");
    date_is_whole(&answer);
    assert_eq!(answer["before"], answer["after"], "no clock moves during a computation");
    assert_eq!(answer["left"], answer["leftAfter"], "nor does the time that is left");
    assert_eq!(answer["steps"].as_array().expect("steps").len(), 1);
    for clock in [0, 1, 2, 3, 5, 8, 9] {
        let (after, later) = (number(&answer["after"][clock]), number(&answer["later"][clock]));
        assert!(later - after >= 19.0, "a timer moves clock {clock}: {after} {later}");
    }
    assert!(number(&next["before"][0]) >= number(&answer["later"][0]), "a request moves the clock");
    let of_one_time = [0, 1, 2, 3, 9].map(|clock| number(&answer["before"][clock]));
    assert!(of_one_time.iter().all(|time| *time == of_one_time[0]), "all clocks show one time: {of_one_time:?}");
    assert_eq!(answer["before"][6], answer["before"][7]);
}

#[test]
fn precise_clocks_tell_microseconds() {
    let (answer, _) = clocks("precise");
    let finest = |step: &Value| (number(step) * 10.0 - (number(step) * 10.0).round()).abs() > 1e-6;
    assert!(answer["steps"].as_array().expect("steps").iter().any(finest));
}
