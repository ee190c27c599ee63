//! Streams through the real node: what arrives when, what waits for whom, what it costs, and how what
//! breaks off ends.
//!
//! `ISLE_TEST_STREAM_MB` sets how much the tests of constant memory pass through; 256 by default.

#[path = "streams/h2c.rs"]
mod h2c;
#[path = "streams/leaving.rs"]
mod leaving;
mod support;

use std::io::ErrorKind;
use std::process::ExitCode;
use support::api::Tenant;
use support::deployment::Deployment;
use support::http::{Connection, Request};
use support::node::{Node, host};
use support::suite::{Suite, only_listed};
use support::{PATIENCE, until};

/// Every path is a way to stream; what has to be awaited is another request, never a timer.
const SOURCE: &str = r#"
const encoder = new TextEncoder();
let listeners = [], produced = 0, resolved = () => {};
const paths = {
  events: () => {
    let listener;
    return new Response(new ReadableStream({
      start: (controller) => void listeners.push(listener = (text) => controller.enqueue(encoder.encode(`data: ${text}\n\n`))),
      cancel: (reason) => {
        listeners = listeners.filter((other) => other !== listener);
        console.log(`cancelled: ${reason.name}`);
      },
    }), { headers: { "content-type": "text/event-stream" } });
  },
  watched: (_, request) => {
    request.signal.addEventListener("abort", () => console.log(`signalled: ${request.signal.reason.name}`));
    return paths.events();
  },
  emit: ({ text }) => {
    listeners.forEach((listener) => listener(text));
    return new Response(String(listeners.length));
  },
  echo: (_, request) => new Response(request.body),
  discard: async (_, request) => {
    let length = 0;
    for await (const piece of request.body) length += piece.byteLength;
    return new Response(String(length));
  },
  generate: ({ mb }) => {
    let left = Number(mb) * 16;
    return new Response(new ReadableStream({
      pull(controller) {
        if (left-- === 0) return controller.close();
        controller.enqueue(new Uint8Array(65536));
        produced += 65536;
      },
    }));
  },
  produced: () => new Response(String(produced)),
  fail: ({ text }) => {
    let n = 0;
    return new Response(new ReadableStream({
      pull(controller) {
        if (n++ === 0) controller.enqueue(encoder.encode(text));
        else throw new Error("in the middle");
      },
    }));
  },
  signal: async (_, request) => {
    await new Promise((resolve) => {
      request.signal.addEventListener("abort", () => resolve(console.log(`aborted: ${request.signal.reason.name}`)));
      console.log("begun");
    });
    return new Response("nobody reads this");
  },
  ignore: () => new Promise(() => setTimeout(() => {}, 20_000)),
  broken: async (_, request) => {
    console.log("begun");
    try {
      for await (const _ of request.body);
    } catch (error) {
      console.log(`broke off: ${error.name}`);
    }
    return new Response("nobody reads this");
  },
  forever: (_, request, ctx) => {
    ctx.waitUntil(new Promise(() => setInterval(() => {}, 100)));
    return new Response("answered");
  },
};
export default {
  fetch(request, env, ctx) {
    const url = new URL(request.url);
    return paths[url.pathname.slice(1)](Object.fromEntries(url.searchParams), request, ctx);
  },
};
"#;

const LAMBDA: &str = r#"
let stream, go;
export const handler = awslambda.streamifyResponse(async (event, responseStream) => {
  if (event.rawPath === "/go") go();
  if (event.rawPath === "/emit") stream.write(event.queryStringParameters.text);
  if (event.rawPath !== "/" && event.rawPath !== "/fail") {
    return void responseStream.end();
  }
  stream = responseStream;
  stream.setContentType("text/plain");
  stream.write("first");
  if (event.rawPath === "/fail") {
    await new Promise((resolve) => go = resolve);
    throw new Error("in the middle");
  }
  await new Promise((resolve) => stream.on("close", resolve));
});
"#;

fn deployed<'n>(node: &'n Node, app: &str, source: &str, limits: &[(&str, u32)]) -> Tenant<'n> {
    let tenant = node.tenant(app);
    // One isolate: what one request waits for, another brings.
    let limits = [&[("isolates_max", 1)], limits].concat();
    tenant.deploy(&Deployment::of(app, source).limits(&limits));
    tenant
}

fn opened(node: &Node, request: &Request) -> (Connection, u16) {
    let mut connection = Connection::open(node.public);
    connection.send(request).unwrap();
    let head = connection.receive_head().unwrap();
    assert_eq!(head.header("transfer-encoding"), Some("chunked"), "{head:?}");
    (connection, head.status)
}

fn chunk(connection: &mut Connection) -> String {
    let bytes = connection.receive_chunk().unwrap().expect("the stream goes on");
    String::from_utf8(bytes).unwrap()
}

fn outcomes(node: &Node, app: &str, outcome: &str) -> f64 {
    node.metric("isle_invocations_total", &[("app", app), ("outcome", outcome)])
}

fn until_counted(node: &Node, app: &str, outcome: &str) {
    let what = format!("{app} has ended with {outcome}");
    until(&what, PATIENCE, || (outcomes(node, app, outcome) >= 1.0).then_some(()));
}

fn events_arrive_as_they_are_written(node: &Node) {
    let tenant = deployed(node, "sse", SOURCE, &[]);
    let (mut events, status) = opened(node, &Request::get(&host("sse"), "/events"));
    assert_eq!(status, 200);
    for text in ["one", "two", "three"] {
        assert_eq!(tenant.get("sse", &format!("/emit?text={text}")).text(), "1");
        assert_eq!(chunk(&mut events), format!("data: {text}\n\n"));
    }
    drop(events);
    tenant.until_logged("sse", "cancelled: AbortError");
    until_counted(node, "sse", "cancelled");
    assert_eq!(tenant.get("sse", "/produced").status(), 200, "the isolate goes on");
}

fn a_lambda_stream_arrives_as_it_is_written(node: &Node) {
    let tenant = deployed(node, "lambda-stream", LAMBDA, &[]);
    let (mut stream, _) = opened(node, &Request::get(&host("lambda-stream"), "/"));
    assert_eq!(chunk(&mut stream), "first");
    for text in ["second", "third"] {
        assert_eq!(tenant.get("lambda-stream", &format!("/emit?text={text}")).status(), 200);
        assert_eq!(chunk(&mut stream), text);
    }
    drop(stream);
    until_counted(node, "lambda-stream", "cancelled");

    // R94: what fails after its head is cut off, not ended.
    let (mut failing, status) = opened(node, &Request::get(&host("lambda-stream"), "/fail"));
    assert_eq!((status, chunk(&mut failing).as_str()), (200, "first"));
    assert_eq!(tenant.get("lambda-stream", "/go").status(), 200);
    assert_eq!(failing.receive_chunk().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    until_counted(node, "lambda-stream", "handler_threw");
}

fn a_request_and_its_response_stream_beside_each_other(node: &Node) {
    deployed(node, "duplex", SOURCE, &[]);
    let mut connection = Connection::open(node.public);
    connection.send_raw("POST /echo HTTP/1.1\r\nhost: duplex.localhost\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    connection.send_raw("5\r\nfirst\r\n").unwrap();
    assert_eq!(connection.receive_head().unwrap().status, 200);
    assert_eq!(chunk(&mut connection), "first");
    for text in ["second", "third", "fourth"] {
        connection.send_raw(format!("{:x}\r\n{text}\r\n", text.len())).unwrap();
        assert_eq!(chunk(&mut connection), text);
    }
    connection.send_raw("0\r\n\r\n").unwrap();
    assert_eq!(connection.receive_chunk().unwrap(), None);
    until_counted(node, "duplex", "ok");
}

fn what_fails_after_its_head_is_cut_off(node: &Node) {
    let tenant = deployed(node, "cut", SOURCE, &[]);
    let (mut connection, status) = opened(node, &Request::get(&host("cut"), "/fail?text=half"));
    assert_eq!((status, chunk(&mut connection).as_str()), (200, "half"));
    assert_eq!(connection.receive_chunk().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    until_counted(node, "cut", "handler_threw");
    let lines = tenant.logs("cut", 100);
    assert!(lines.iter().any(|line| line.level == "error" && line.text.contains("in the middle")), "{lines:?}");
}

fn a_client_that_leaves_is_noticed(node: &Node) {
    let tenant = deployed(node, "leaver", SOURCE, &[]);
    let mut connection = Connection::open(node.public);
    connection.send(&Request::get(&host("leaver"), "/signal")).unwrap();
    tenant.until_logged("leaver", "begun");
    drop(connection);
    tenant.until_logged("leaver", "aborted: AbortError");
    until_counted(node, "leaver", "cancelled");
}

fn a_body_that_breaks_off_errors_its_stream(node: &Node) {
    let tenant = deployed(node, "breaker", SOURCE, &[]);
    let mut connection = Connection::open(node.public);
    connection
        .send_raw("POST /broken HTTP/1.1\r\nhost: breaker.localhost\r\ncontent-length: 1000000\r\n\r\nsome")
        .unwrap();
    tenant.until_logged("breaker", "begun");
    drop(connection);
    let line = until("the break is logged", PATIENCE, || {
        tenant.logs("breaker", 100).into_iter().find(|line| line.text.starts_with("broke off: "))
    });
    assert!(!line.request_id.is_empty(), "a line says whose it is after the request's end, too");
}

fn a_slow_reader_slows_the_source(node: &Node) {
    let tenant = deployed(node, "slow-reader", SOURCE, &[]);
    let (mut connection, _) = opened(node, &Request::get(&host("slow-reader"), "/generate?mb=256"));
    let produced = || tenant.get("slow-reader", "/produced").text().parse::<u64>().unwrap();
    // It comes to a stop by itself, with what the sockets and the windows hold.
    let mut last = 0;
    let stopped = until("the source stands still", PATIENCE, || {
        let now = produced();
        (std::mem::replace(&mut last, now) == now).then_some(now)
    });
    assert!(stopped < 64 << 20, "{stopped} bytes were produced for nobody");
    let mut read = 0;
    while read < stopped + (8 << 20) {
        read += connection.receive_chunk().unwrap().expect("it goes on").len() as u64;
    }
    assert!(produced() > stopped);
}

fn a_body_that_nobody_reads_stops_its_sender(node: &Node) {
    deployed(node, "no-reader", SOURCE, &[]);
    let mut connection = Connection::open(node.public);
    connection.set_write_timeout(std::time::Duration::from_millis(500));
    connection
        .send_raw("POST /ignore HTTP/1.1\r\nhost: no-reader.localhost\r\ncontent-length: 1000000000\r\n\r\n")
        .unwrap();
    let piece = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while connection.send_raw(&piece).is_ok() {
        sent += 1;
        assert!(sent < 64, "{sent} MiB were taken for nobody");
    }
}

fn streams_have_limits_of_their_own(node: &Node) {
    let request = |app: &str, path: &str| Request::get(&host(app), path);
    for (app, limits, outcome) in
        [("still", [("stream_idle_ms", 200)], "wall_exceeded"), ("endless", [("stream_wall_ms", 200)], "wall_exceeded")]
    {
        let tenant = deployed(node, app, SOURCE, &limits);
        let (mut connection, _) = opened(node, &request(app, "/events"));
        assert_eq!(connection.receive_chunk().unwrap_err().kind(), ErrorKind::UnexpectedEof, "{app}");
        until_counted(node, app, outcome);
        tenant.until_logged(app, "cancelled: AbortError");
        assert_eq!(tenant.get(app, "/produced").status(), 200);
    }
    let tenant = deployed(node, "capped", SOURCE, &[("stream_mb_max", 1), ("request_body_bytes_max", 1)]);
    assert_eq!(tenant.get("capped", "/generate?mb=1").body.len(), 1 << 20);
    let (mut connection, _) = opened(node, &request("capped", "/generate?mb=2"));
    let cut = until("the body is cut off", PATIENCE, || connection.receive_chunk().err());
    assert_eq!(cut.kind(), ErrorKind::UnexpectedEof);
    until_counted(node, "capped", "response_too_large");
    let post = |length: usize| node.call(&Request::post(&host("capped"), "/discard", vec![b'x'; length]));
    assert_eq!(post(1 << 20).text(), "1048576");
    assert_eq!(post((1 << 20) + 1).outcome(), "request_too_large");
    // A wall limit of the handler's own is for the time to its head.
    deployed(node, "headed", SOURCE, &[("wall_ms", 200)]);
    let (mut events, _) = opened(node, &request("headed", "/events"));
    assert_eq!(node.get("headed", "/signal").outcome(), "wall_exceeded");
    assert_eq!(node.get("headed", "/emit?text=late").text(), "0", "which got an isolate of its own");
    drop(events.receive_chunk());
}

fn what_waits_too_long_is_dropped_and_told(node: &Node) {
    let tenant = deployed(node, "waiter", SOURCE, &[("wait_until_ms", 200)]);
    assert_eq!(tenant.get("waiter", "/forever").text(), "answered");
    until("it is told", PATIENCE, || {
        tenant.logs("waiter", 100).iter().any(|line| line.text.contains("ctx.waitUntil")).then_some(())
    });
    assert_eq!(tenant.get("waiter", "/produced").status(), 200);
    assert_eq!(outcomes(node, "waiter", "ok"), 2.0);
}

fn a_stream_counts_as_a_request_in_flight(node: &Node) {
    let tenant = deployed(node, "counted", SOURCE, &[("concurrency", 1)]);
    let (events, _) = opened(node, &Request::get(&host("counted"), "/events"));
    assert_eq!(tenant.get("counted", "/emit").outcome(), "refused_busy");
    assert_eq!(node.metric("isle_in_flight", &[("app", "counted")]), 1.0);
    drop(events);
    until("there is room again", PATIENCE, || (tenant.get("counted", "/produced").status() == 200).then_some(()));
}

fn bodies_for_handlers_are_still_limited(node: &Node) {
    let source = "export const handler = async (event) => String(event.body?.length);";
    let tenant = deployed(node, "whole", source, &[("request_body_bytes_max", 100_000)]);
    let post = |length: usize| {
        node.call(&Request::post(&host("whole"), "/", vec![b'x'; length]).header("content-type", "text/plain"))
    };
    let small = deployed(node, "whole-small", source, &[("request_body_bytes_max", 10)]);
    let answer = small.node.call(&Request::post(&host("whole-small"), "/", "eleven byte"));
    assert_eq!(answer.outcome(), "request_too_large");
    for _ in 0..2 {
        // Before anything is known of the function, and then again.
        assert_eq!((post(100_001).status(), post(100_001).outcome().to_owned()), (413, "request_too_large".to_owned()));
        assert_eq!(post(100_000).text(), "100000");
    }
    tenant.evict("whole", "main");
    assert_eq!(post(90_000).text(), "90000");
}

/// Resident memory of a process at its peak, in bytes.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

fn bodies_of_any_length_pass_in_constant_memory() {
    let mb: u64 = std::env::var("ISLE_TEST_STREAM_MB").ok().and_then(|mb| mb.parse().ok()).unwrap_or(256);
    let node = Node::start("");
    let tenant = deployed(&node, "passer", SOURCE, &[("wall_ms", 60_000)]);
    let call = |path: &str| tenant.get("passer", path);
    assert_eq!(call("/generate?mb=4").body.len(), 4 << 20);
    let peaks = || [node.pid()].into_iter().chain(node.children()).map(peak).max().unwrap_or(0);
    let before = peaks();

    let (mut connection, _) = opened(&node, &Request::get(&host("passer"), &format!("/generate?mb={mb}")));
    let mut length = 0;
    while let Some(piece) = connection.receive_chunk().unwrap() {
        length += piece.len() as u64;
    }
    assert_eq!(length, mb << 20, "generated");

    let send = |path: &str| {
        let mut connection = Connection::open(node.public);
        let head = format!("POST {path} HTTP/1.1\r\nhost: passer.localhost\r\ncontent-length: {}\r\n\r\n", mb << 20);
        connection.send_raw(head).unwrap();
        let mut sender = connection.second();
        let sending = std::thread::spawn(move || {
            let piece = vec![b'x'; 1 << 20];
            (0..mb).for_each(|_| sender.send_raw(&piece).unwrap());
        });
        (connection, sending)
    };
    let (mut connection, sending) = send("/discard");
    assert_eq!(connection.receive("POST").unwrap().text(), (mb << 20).to_string());
    sending.join().unwrap();

    let (mut connection, sending) = send("/echo");
    assert_eq!(connection.receive_head().unwrap().status, 200);
    let mut length = 0;
    while let Some(piece) = connection.receive_chunk().unwrap() {
        assert!(piece.iter().all(|byte| *byte == b'x'));
        length += piece.len() as u64;
    }
    sending.join().unwrap();
    assert_eq!(length, mb << 20, "echoed");

    let grown = peaks().saturating_sub(before);
    println!("    {mb} MiB generated, discarded and echoed: {} MiB more at the peak", grown >> 20);
    assert!(grown < 64 << 20, "{} MiB more at the peak", grown >> 20);
}

type Test = fn(&Node);

const TESTS: &[(&str, Test)] = &[
    ("events_arrive_as_they_are_written", events_arrive_as_they_are_written),
    ("a_lambda_stream_arrives_as_it_is_written", a_lambda_stream_arrives_as_it_is_written),
    ("a_request_and_its_response_stream_beside_each_other", a_request_and_its_response_stream_beside_each_other),
    ("what_fails_after_its_head_is_cut_off", what_fails_after_its_head_is_cut_off),
    ("a_client_that_leaves_is_noticed", a_client_that_leaves_is_noticed),
    ("a_body_that_breaks_off_errors_its_stream", a_body_that_breaks_off_errors_its_stream),
    ("a_reset_of_http2_cancels_one_stream", h2c::a_reset_cancels_one_stream),
    ("a_reset_of_http2_ends_requests_without_a_head", h2c::a_reset_ends_requests_without_a_head),
    ("a_stream_of_http2_that_fails_is_reset", h2c::a_stream_that_fails_is_reset),
    ("a_slow_reader_slows_the_source", a_slow_reader_slows_the_source),
    ("a_body_that_nobody_reads_stops_its_sender", a_body_that_nobody_reads_stops_its_sender),
    ("streams_have_limits_of_their_own", streams_have_limits_of_their_own),
    ("what_waits_too_long_is_dropped_and_told", what_waits_too_long_is_dropped_and_told),
    ("a_stream_counts_as_a_request_in_flight", a_stream_counts_as_a_request_in_flight),
    ("bodies_for_handlers_are_still_limited", bodies_for_handlers_are_still_limited),
    (
        "a_stream_of_a_replaced_version_is_cancelled_when_its_client_leaves",
        leaving::a_stream_of_a_replaced_version_is_cancelled_when_its_client_leaves,
    ),
    (
        "a_stream_in_a_retiring_isolate_is_cancelled_when_its_client_leaves",
        leaving::a_stream_in_a_retiring_isolate_is_cancelled_when_its_client_leaves,
    ),
    ("what_a_replaced_version_waits_for_comes_to_its_end", leaving::what_a_replaced_version_waits_for_comes_to_its_end),
    (
        "a_further_isolate_that_does_not_start_costs_no_request",
        leaving::a_further_isolate_that_does_not_start_costs_no_request,
    ),
];

fn main() -> ExitCode {
    let memory = "bodies_of_any_length_pass_in_constant_memory";
    let stop = "a_node_that_stops_lets_what_is_waited_for_end";
    let own = [memory, stop];
    let names: Vec<String> = TESTS.iter().map(|(name, _)| *name).chain(own).map(str::to_owned).collect();
    if only_listed(&names) {
        return ExitCode::SUCCESS;
    }
    let node = Node::start("");
    let mut suite = Suite::new();
    for (name, test) in TESTS {
        let node = &node;
        suite.add(name, move || test(node));
    }
    suite.add(memory, bodies_of_any_length_pass_in_constant_memory);
    suite.add(stop, leaving::a_node_that_stops_lets_what_is_waited_for_end);
    suite.run(2)
}
