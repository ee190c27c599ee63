//! Limits of a function's requests: each ends the request with an error that names it, and nobody else.

use super::{Test, World};
use crate::support::{PATIENCE, until};
use serde_json::json;
use std::sync::atomic::Ordering;

pub const TESTS: &[(&str, Test)] = &[
    ("an_invocation_may_make_so_many_requests", an_invocation_may_make_so_many_requests),
    ("requests_beyond_those_in_flight_wait", requests_beyond_those_in_flight_wait),
    ("a_server_that_does_not_answer_is_left", a_server_that_does_not_answer_is_left),
    ("a_body_that_stalls_is_left", a_body_that_stalls_is_left),
    ("a_response_over_the_limit_is_an_error", a_response_over_the_limit_is_an_error),
    ("a_packed_giant_is_an_error_and_costs_no_memory", a_packed_giant_is_an_error_and_costs_no_memory),
    (
        "an_invocation_over_its_wall_limit_leaves_nothing_behind",
        an_invocation_over_its_wall_limit_leaves_nothing_behind,
    ),
    ("waiting_costs_no_cpu_time", waiting_costs_no_cpu_time),
    ("many_requests_at_one_time", many_requests_at_one_time),
];

const COUNT: &str = r#"
export const handler = async (event) => {
  const { url, count } = JSON.parse(event.body);
  const one = async () => {
    try { return (await (await fetch(url)).text()).length; } catch (error) { return error.message; }
  };
  return await Promise.all(Array.from({ length: count }, one));
};
"#;

fn an_invocation_may_make_so_many_requests(world: &World<'_>) {
    world.deploy("counted", COUNT, &[("fetches_max", 3)]);
    let what = json!({ "url": world.near.url("/hello"), "count": 4 });
    let message = "fetch failed: one invocation may make 3 requests, redirects counted (limit fetches_max)";
    for _ in 0..2 {
        assert_eq!(world.ask("counted", what.clone()), json!([5, 5, 5, message]), "each invocation has its own");
    }
}

fn requests_beyond_those_in_flight_wait(world: &World<'_>) {
    world.deploy("queued", COUNT, &[("fetches_in_flight_max", 2)]);
    let got = world.ask("queued", json!({ "url": world.near.url("/hello"), "count": 20 }));
    assert_eq!(got, json!(vec![5; 20]));
    // A response whose body goes on keeps its place.
    const HELD: &str = r#"
export const handler = async (event) => {
  const { first, second } = JSON.parse(event.body);
  const reader = (await fetch(first)).body.getReader();
  let waiting = true;
  const reading = (async () => {
    while (waiting) {
      await reader.read();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  try {
    return [(await fetch(second)).status];
  } catch (error) {
    return [error.message];
  } finally {
    waiting = false;
    await reading;
    await reader.cancel();
  }
};
"#;
    world.deploy("late", HELD, &[("fetches_in_flight_max", 1), ("fetch_ms", 300)]);
    let got = world.ask("late", json!({ "first": world.near.url("/big?mib=16"), "second": world.near.url("/hello") }));
    let late = "fetch failed: waiting for the function's other requests took longer than 300 ms (limit fetch_ms)";
    assert_eq!(got, json!([late]));
}

fn a_server_that_does_not_answer_is_left(world: &World<'_>) {
    world.deploy("patient", COUNT, &[("fetch_ms", 200)]);
    let before = world.other.seen.given_up.load(Ordering::Relaxed);
    let got = world.ask("patient", json!({ "url": world.other.url("/hang"), "count": 1 }));
    assert_eq!(got, json!(["fetch failed: waiting for the response took longer than 200 ms (limit fetch_ms)"]));
    until("the server sees it", PATIENCE, || {
        (world.other.seen.given_up.load(Ordering::Relaxed) > before).then_some(())
    });
}

fn a_body_that_stalls_is_left(world: &World<'_>) {
    world.deploy("stalled", COUNT, &[("fetch_ms", 200)]);
    let got = world.ask("stalled", json!({ "url": world.other.url("/endless"), "count": 1 }));
    let message = "fetch failed: waiting for more of the response body took longer than 200 ms (limit fetch_ms)";
    assert_eq!(got, json!([message]));
}

fn a_response_over_the_limit_is_an_error(world: &World<'_>) {
    world.deploy("small", COUNT, &[("fetch_response_bytes_max", 1 << 20)]);
    let over = "fetch failed: the response body is over 1048576 bytes (limit fetch_response_bytes_max)";
    let got = world.ask("small", json!({ "url": world.near.url("/big?mib=1"), "count": 1 }));
    assert_eq!(got, json!([1 << 20]), "exactly the limit is not over it");
    assert_eq!(world.ask("small", json!({ "url": world.near.url("/big?mib=2"), "count": 1 })), json!([over]));
}

fn a_packed_giant_is_an_error_and_costs_no_memory(world: &World<'_>) {
    // 64 KiB on the wire, 60 MiB unpacked.
    world.deploy("bombed", COUNT, &[("fetch_response_bytes_max", 1 << 20)]);
    let got = world.ask("bombed", json!({ "url": world.near.url("/gzip?zeros=60"), "count": 1 }));
    let over = "fetch failed: the response body is over 1048576 bytes (limit fetch_response_bytes_max)";
    assert_eq!(got, json!([over]));
}

fn an_invocation_over_its_wall_limit_leaves_nothing_behind(world: &World<'_>) {
    world.deploy("walled", COUNT, &[("wall_ms", 300)]);
    let before = world.other.seen.given_up.load(Ordering::Relaxed);
    let answer = world.post("walled", json!({ "url": world.other.url("/hang"), "count": 1 }));
    assert_eq!((answer.status(), answer.outcome()), (504, "wall_exceeded"));
    until("the server sees it", PATIENCE, || {
        (world.other.seen.given_up.load(Ordering::Relaxed) > before).then_some(())
    });
    let got = world.ask("walled", json!({ "url": world.near.url("/hello"), "count": 1 }));
    assert_eq!(got, json!([5]), "the next request works");
}

fn waiting_costs_no_cpu_time(world: &World<'_>) {
    world.deploy("idler", COUNT, &[("handler_cpu_ms", 150), ("fetch_ms", 1_000)]);
    let got = world.ask("idler", json!({ "url": world.near.url("/hang"), "count": 3 }));
    assert!(got[0].as_str().is_some_and(|message| message.contains("fetch_ms")), "{got}");
}

fn many_requests_at_one_time(world: &World<'_>) {
    world.deploy("many", COUNT, &[("handler_cpu_ms", 20_000)]);
    let url = &world.near.url("/hello");
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(move || world.ask("many", json!({ "url": url, "count": 60 })))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), json!(vec![5; 60]));
        }
    });
}
