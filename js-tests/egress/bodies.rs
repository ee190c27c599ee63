//! Bodies: both ways, in pieces, no faster than they are taken, and given up when nobody wants them.

use super::{Test, World};
use crate::support::deployment::Deployment;
use crate::support::http::{Connection, Request};
use crate::support::node::host;
use crate::support::{PATIENCE, until};
use serde_json::json;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub const TESTS: &[(&str, Test)] = &[
    ("answers_without_a_body_have_none", answers_without_a_body_have_none),
    ("bodies_can_be_read_in_every_way", bodies_can_be_read_in_every_way),
    ("a_body_arrives_as_it_is_written", a_body_arrives_as_it_is_written),
    ("a_large_body_waits_for_its_reader", a_large_body_waits_for_its_reader),
    ("an_upload_waits_for_its_receiver", an_upload_waits_for_its_receiver),
    ("request_objects_carry_their_bodies", request_objects_carry_their_bodies),
    ("an_incoming_request_can_be_forwarded", an_incoming_request_can_be_forwarded),
    ("a_client_that_leaves_ends_what_was_fetched_for_it", a_client_that_leaves_ends_what_was_fetched_for_it),
    ("bodies_stream_both_ways_at_once", bodies_stream_both_ways_at_once),
    ("an_answer_may_come_before_the_body_is_sent", an_answer_may_come_before_the_body_is_sent),
    ("an_upload_that_fails_fails_the_request", an_upload_that_fails_fails_the_request),
    ("compressed_bodies_are_unpacked", compressed_bodies_are_unpacked),
    ("what_is_forwarded_says_what_it_is", what_is_forwarded_says_what_it_is),
    ("a_body_that_is_cut_off_is_an_error", a_body_that_is_cut_off_is_an_error),
    ("an_aborted_request_is_given_up", an_aborted_request_is_given_up),
    ("a_cancelled_body_is_given_up", a_cancelled_body_is_given_up),
    ("a_dead_cells_requests_are_given_up", a_dead_cells_requests_are_given_up),
];

const MIB: u64 = 1 << 20;

/// Waits until a count stands still, and returns it.
fn settled(what: &str, count: impl Fn() -> u64) -> u64 {
    let mut last = (u64::MAX, 0);
    until(what, PATIENCE, || {
        let now = count();
        last = if now == last.0 { (now, last.1 + 1) } else { (now, 0) };
        std::thread::sleep(Duration::from_millis(20));
        (now > 0 && last.1 >= 10).then_some(now)
    })
}

fn answers_without_a_body_have_none(world: &World<'_>) {
    for status in [204, 304] {
        let got = world.fetch(&world.near.url(&format!("/status?status={status}")), json!({}));
        assert_eq!((&got["status"], &got["empty"], &got["body"]), (&json!(status), &json!(true), &json!("")), "{got}");
        assert_eq!(got["headers"]["x-status"], "yes");
    }
    let got = world.fetch(&world.near.url("/hello"), json!({ "method": "HEAD" }));
    assert_eq!((&got["status"], &got["empty"], &got["body"]), (&json!(200), &json!(true), &json!("")), "{got}");
    assert_eq!(got["headers"]["content-length"], "5");
    let got = world.fetch(&world.near.url("/status?status=404"), json!({}));
    assert_eq!((&got["status"], &got["ok"], &got["body"]), (&json!(404), &json!(false), &json!("")), "{got}");
}

fn bodies_can_be_read_in_every_way(world: &World<'_>) {
    let handler = r#"
      export const handler = async (event) => {
        const { base } = JSON.parse(event.body);
        const echo = (body, type) => fetch(base + "/echo", { method: "POST", body, headers: type ? { "content-type": type } : {} });
        const bytes = new Uint8Array(200_000).map((_, i) => i * 31);
        const back = new Uint8Array(await (await echo(bytes)).arrayBuffer());
        const original = await echo("twice");
        const copy = original.clone();
        const form = new FormData();
        form.set("a", "1");
        form.set("file", new Blob(["content"], { type: "text/x" }), "name.txt");
        const sent = await fetch(base + "/request", { method: "POST", body: form });
        const query = await fetch(base + "/request", { method: "POST", body: new URLSearchParams({ a: "b c" }) });
        const blob = await (await echo(new Blob(["in a ", "blob"]))).blob();
        const piped = await echo((await echo("piped")).body);
        let iterated = "";
        for await (const piece of (await echo("iterated")).body) iterated += new TextDecoder().decode(piece);
        return {
          equal: back.length === bytes.length && back.every((byte, i) => byte === bytes[i]),
          both: [await original.text(), await copy.text()],
          json: (await (await echo('{"a":[1]}')).json()).a[0],
          form: (await sent.json()).body.includes('filename="name.txt"'),
          query: (await query.json()).body,
          blob: await blob.text(),
          piped: await piped.text(),
          iterated,
          again: await original.text().catch((error) => error.name),
        };
      };"#;
    world.deploy("reader", handler, &[]);
    let got = world.ask("reader", json!({ "base": world.near.url("") }));
    let expected = json!({
        "equal": true, "both": ["twice", "twice"], "json": 1, "form": true, "query": "a=b+c", "blob": "in a blob",
        "piped": "piped", "iterated": "iterated", "again": "TypeError",
    });
    assert_eq!(got, expected);
}

fn a_body_arrives_as_it_is_written(world: &World<'_>) {
    let handler = r#"
      export const handler = async (event) => {
        const response = await fetch(JSON.parse(event.body).url);
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        let all = "";
        for (;;) {
          const { value, done } = await reader.read();
          if (done) return all;
          all += value;
          console.log(value.trim());
        }
      };"#;
    world.deploy("pieces", handler, &[]);
    std::thread::scope(|scope| {
        let url = world.other.url("/two-pieces");
        let asking = scope.spawn(move || world.post("pieces", json!({ "url": url })).text());
        world.tenant.until_logged("pieces", "first");
        world.other.seen.go.notify_one();
        assert_eq!(asking.join().unwrap(), "first second");
    });
}

fn a_large_body_waits_for_its_reader(world: &World<'_>) {
    let handler = r#"
      export const handler = async (event) => {
        const { url, wait } = JSON.parse(event.body);
        const reader = (await fetch(url)).body.getReader();
        let length = (await reader.read()).value.length;
        await (await fetch(wait)).text();
        for (;;) {
          const { value, done } = await reader.read();
          if (done) return { length };
          length += value.length;
        }
      };"#;
    world.deploy("holder", handler, &[("handler_cpu_ms", 20_000)]);
    let (url, wait) = (world.near.url("/big?mib=40"), world.near.url("/two-pieces"));
    let before = world.near.seen.sent.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        let asking = scope.spawn(move || world.ask("holder", json!({ "url": url, "wait": wait })));
        let sent = settled("the sender waits", || world.near.seen.sent.load(Ordering::Relaxed) - before);
        assert!(sent < 12 * MIB, "{sent} bytes were sent to somebody who read one piece");
        world.near.seen.go.notify_one();
        assert_eq!(asking.join().unwrap(), json!({ "length": 40 * MIB }));
    });
}

fn an_upload_waits_for_its_receiver(world: &World<'_>) {
    let handler = r#"
      let pulled = 0;
      export const handler = async (event) => {
        if (event.body === undefined) return { pulled };
        let left = 320;
        const body = new ReadableStream({
          pull(controller) {
            if (left-- === 0) return controller.close();
            pulled += 65_536;
            controller.enqueue(new Uint8Array(65_536));
          },
        });
        const response = await fetch(JSON.parse(event.body).url, { method: "POST", body, duplex: "half" });
        return { received: await response.text() };
      };"#;
    world.deploy("uploader", handler, &[("handler_cpu_ms", 20_000)]);
    let pulled = || world.tenant.get("uploader", "/").json()["pulled"].as_u64().unwrap_or(0);
    std::thread::scope(|scope| {
        let url = world.other.url("/slow-sink");
        let asking = scope.spawn(move || world.ask("uploader", json!({ "url": url })));
        let sent = settled("the function waits", pulled);
        assert!(sent < 12 * MIB, "{sent} bytes were asked of the function by somebody who reads nothing");
        world.other.seen.read_on.notify_one();
        assert_eq!(asking.join().unwrap(), json!({ "received": (320 * 65_536).to_string() }));
    });
}

fn request_objects_carry_their_bodies(world: &World<'_>) {
    let handler = r#"
      const stream = (...parts) => new ReadableStream({
        async start(controller) {
          for (const part of parts) {
            await new Promise((resolve) => setTimeout(resolve, 1));
            controller.enqueue(new TextEncoder().encode(part));
          }
          controller.close();
        },
      });
      const shown = async (promise) => {
        const { method, body, headers } = await (await promise).json();
        const all = Object.fromEntries(headers);
        return [method, body, all["content-length"] ?? all["transfer-encoding"] ?? null, all["x-a"] ?? null];
      };
      const name = (promise) => promise.then(() => "answered", (error) => error.name);
      export const handler = async (event) => {
        const { url } = JSON.parse(event.body);
        const init = { method: "POST", duplex: "half", headers: { "x-a": "b" } };
        const streamed = new Request(url, { ...init, body: stream("one ", "two") });
        const twice = new Request(url, { ...init, body: stream("copied") });
        const copy = twice.clone();
        const used = new Request(url, { ...init, body: "used" });
        await used.text();
        return {
          streamed: await shown(fetch(streamed)),
          spent: [streamed.bodyUsed, await name(fetch(streamed))],
          both: [await shown(fetch(twice)), await shown(fetch(copy))],
          over: await shown(fetch(new Request(url, { ...init, body: "first" }), { body: "second", method: "PUT" })),
          again: await shown(fetch(new Request(new Request(url, { ...init, body: stream("moved") })))),
          used: await name(fetch(used)),
          half: await name((async () => fetch(url, { method: "POST", body: stream("x") }))()),
          keepalive: [new Request(url, { keepalive: true }).keepalive, await shown(fetch(url, { keepalive: true, method: "POST", body: "kept" }))],
          timeout: await name(fetch(new Request(url.replace("/request", "/hang"), { signal: AbortSignal.timeout(20) }))),
          any: await name(fetch(url.replace("/request", "/hang"), { signal: AbortSignal.any([new AbortController().signal, AbortSignal.timeout(20)]) })),
          manual: await fetch(url.replace("/request", "/redirect?status=302"), { redirect: "manual" }).then((r) => [r.status, r.type, r.headers.get("location")]),
        };
      };"#;
    world.deploy("objects", handler, &[]);
    let got = world.ask("objects", json!({ "url": world.near.url("/request") }));
    let expected = json!({
        "streamed": ["POST", "one two", "chunked", "b"],
        "spent": [true, "TypeError"],
        "both": [["POST", "copied", "chunked", "b"], ["POST", "copied", "chunked", "b"]],
        "over": ["PUT", "second", "6", "b"],
        "again": ["POST", "moved", "chunked", "b"],
        "used": "TypeError",
        // The standard wants `duplex`; programs for edge hosts leave it out.
        "half": "answered",
        "keepalive": [true, ["POST", "kept", "4", null]],
        "timeout": "TimeoutError",
        "any": "TimeoutError",
        "manual": [302, "basic", "/hello"],
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&got[key], value, "{key}");
    }
}

/// `fetch(url, request)`, as proxies do it: method, fields and a body of any length, and the answer.
fn an_incoming_request_can_be_forwarded(world: &World<'_>) {
    let handler = r#"
      export default {
        fetch(request) {
          const url = new URL(request.url);
          const target = url.searchParams.get("to");
          return url.pathname === "/init" ? fetch(target, request) : fetch(new Request(target, request));
        },
      };"#;
    world.deploy("proxy", handler, &[("handler_cpu_ms", 5_000)]);
    for path in ["init", "object"] {
        let to = |target: &str| format!("/{path}?to={}", world.near.url(target));
        let request = Request::post(&host("proxy"), &to("/request"), "text").header("x-mine", "yes");
        let seen = world.node.call(&request).json();
        assert_eq!((&seen["method"], &seen["body"]), (&json!("POST"), &json!("text")), "{seen}");
        let fields = seen["headers"].as_array().unwrap();
        assert!(fields.contains(&json!(["x-mine", "yes"])), "{seen}");
        assert!(fields.contains(&json!(["host", world.near.addr.to_string()])), "{seen}");
        let body: Vec<u8> = (0..20 * MIB).map(|n| (n % 251) as u8).collect();
        let back = world.node.call(&Request::post(&host("proxy"), &to("/echo"), body.clone()));
        assert!(back.status() == 200 && back.body == body, "{path}: {}", back.body.len());
        assert_eq!(world.node.get("proxy", &to("/status%3Fstatus%3D404")).status(), 404);
    }
}

fn a_client_that_leaves_ends_what_was_fetched_for_it(world: &World<'_>) {
    let handler = r#"
      export default {
        async fetch(request) {
          const { signal, url } = request;
          const target = new URL(url).searchParams.get("to");
          if (url.includes("/hang")) console.log("waits");
          return fetch(target, url.includes("signalled") ? { signal } : {});
        },
      };"#;
    world.deploy("relay", handler, &[]);
    let seen = world.other.seen.clone();
    for path in ["/plain", "/signalled"] {
        let before = seen.given_up.load(Ordering::Relaxed);
        let mut connection = Connection::open(world.node.public);
        let target = format!("{path}?to={}", world.other.url("/endless"));
        connection.send(&Request::get(&host("relay"), &target)).unwrap();
        assert_eq!(connection.receive_head().unwrap().status, 200);
        assert_eq!(connection.receive_chunk().unwrap().as_deref(), Some(&b"begun"[..]));
        drop(connection);
        given_up(&seen.given_up, before + 1);
    }
    // Before its answer's head: only the signal tells.
    let before = seen.given_up.load(Ordering::Relaxed);
    let mut connection = Connection::open(world.node.public);
    let target = format!("/signalled?to={}", world.other.url("/hang"));
    connection.send(&Request::get(&host("relay"), &target)).unwrap();
    world.tenant.until_logged("relay", "waits");
    drop(connection);
    given_up(&seen.given_up, before + 1);
}

fn bodies_stream_both_ways_at_once(world: &World<'_>) {
    let handler = r#"
      export const handler = async (event) => {
        let send;
        const body = new ReadableStream({ start(controller) { send = controller; } });
        const encoder = new TextEncoder(), decoder = new TextDecoder();
        send.enqueue(encoder.encode("0"));
        const response = await fetch(JSON.parse(event.body).url, { method: "POST", body, duplex: "half" });
        const reader = response.body.getReader();
        const heard = [];
        for (let i = 1; i <= 5; i++) {
          heard.push(decoder.decode((await reader.read()).value));
          send.enqueue(encoder.encode(String(i)));
        }
        send.close();
        while (!(await reader.read()).done);
        return heard;
      };"#;
    world.deploy("duplex", handler, &[]);
    for base in [world.near.url("/echo"), format!("https://localhost:{}/echo", world.secure.addr.port())] {
        assert_eq!(world.ask("duplex", json!({ "url": base })), json!(["0", "1", "2", "3", "4"]));
    }
}

fn an_answer_may_come_before_the_body_is_sent(world: &World<'_>) {
    let handler = r#"
      export const handler = async (event) => {
        let cancelled = false;
        const body = new ReadableStream({
          pull: (controller) => new Promise((resolve) => setTimeout(() => {
            controller.enqueue(new Uint8Array(65_536));
            resolve();
          }, 1)),
          cancel() { cancelled = true; },
        });
        const response = await fetch(JSON.parse(event.body).url, { method: "POST", body, duplex: "half" });
        return { status: response.status, text: await response.text() };
      };"#;
    world.deploy("early", handler, &[]);
    let got = world.ask("early", json!({ "url": world.near.url("/early") }));
    assert_eq!(got, json!({ "status": 413, "text": "too much" }));
}

fn an_upload_that_fails_fails_the_request(world: &World<'_>) {
    let handler = r#"
      export const handler = async (event) => {
        const body = new ReadableStream({
          pull(controller) { controller.error(new Error("no more")); },
        });
        try {
          await fetch(JSON.parse(event.body).url, { method: "POST", body, duplex: "half" });
        } catch (error) {
          return { name: error.name, message: error.message };
        }
      };"#;
    world.deploy("failing", handler, &[]);
    let got = world.ask("failing", json!({ "url": world.near.url("/request") }));
    assert_eq!(got["name"], "TypeError", "{got}");
    assert!(got["message"].as_str().unwrap().contains("request body"), "{got}");
}

fn compressed_bodies_are_unpacked(world: &World<'_>) {
    let got = world.fetch(&world.near.url("/gzip"), json!({}));
    assert_eq!((&got["body"], &got["headers"]["content-encoding"]), (&json!("unpacked"), &json!("gzip")), "{got}");
    let got = world.fetch(&world.near.url("/lie"), json!({}));
    assert_eq!(got["error"], "TypeError", "{got}");
    assert!(got["message"].as_str().unwrap().contains("content-encoding"), "{got}");
    let got = world.fetch(&world.near.url("/gzip"), json!({ "method": "HEAD" }));
    assert_eq!((&got["status"], &got["body"]), (&json!(200), &json!("")), "{got}");
}

/// A body that was unpacked goes out without the fields of the packed one, whatever way it and they
/// took; one that nobody read, to a client that takes its coding, goes out as it came.
fn what_is_forwarded_says_what_it_is(world: &World<'_>) {
    let handler = r#"
      const pass = () => new TransformStream();
      const ways = {
        itself: (r) => r,
        clone: (r) => r.clone(),
        again: (r) => new Response(r.body, r),
        headers: (r) => new Response(r.body, { headers: new Headers(r.headers) }),
        changed: (r) => {
          const copy = new Response(r.body, r);
          copy.headers.set("x-more", "yes");
          return copy;
        },
        object: (r) => new Response(r.body, { headers: Object.fromEntries(r.headers) }),
        piped: (r) => new Response(r.body.pipeThrough(pass()), r),
        text: async (r) => new Response(await r.text(), r),
        text_object: async (r) => new Response(await r.text(), { headers: Object.fromEntries(r.headers) }),
        bytes: async (r) => new Response(await r.arrayBuffer(), r),
        unencoded: (r) => {
          const copy = new Response(r.body, r);
          copy.headers.delete("content-encoding");
          return copy;
        },
        packed: (r) => {
          const copy = new Response(r.body.pipeThrough(new CompressionStream("gzip")), r);
          copy.headers.set("content-encoding", "gzip");
          return copy;
        },
      };
      export default {
        async fetch(request) {
          const { searchParams: query } = new URL(request.url);
          return ways[query.get("way")](await fetch(query.get("url")));
        },
      };"#;
    world.deploy("forward", handler, &[]);
    let ask = |way: &str, coding: &str, accepts: &str| {
        let url = world.near.url(&format!("/coded?as={coding}"));
        let path = format!("/?way={way}&url={}", url.replace('?', "%3F").replace('=', "%3D"));
        let mut request = Request::get(&host("forward"), &path);
        if !accepts.is_empty() {
            request = request.header("accept-encoding", accepts);
        }
        let answer = world.node.call(&request);
        assert_eq!(answer.status(), 200, "{way}: {}", answer.summary());
        assert_eq!(answer.head.header("x-origin"), Some("yes"), "{way}: {}", answer.summary());
        let length = answer.head.header("content-length").map(|length| length.parse::<usize>().expect("a number"));
        assert!(length.is_none_or(|length| length == answer.body.len()), "{way}: {}", answer.summary());
        (answer.head.header("content-encoding").map(str::to_owned), answer.body)
    };
    for way in [
        "itself",
        "clone",
        "again",
        "headers",
        "changed",
        "object",
        "piped",
        "text",
        "text_object",
        "bytes",
        "unencoded",
    ] {
        for coding in ["gzip", "deflate", "br"] {
            let (says, body) = ask(way, coding, "");
            assert_eq!((says, &body[..]), (None, &b"unpacked"[..]), "{way}, {coding}");
        }
    }
    for way in ["itself", "again", "headers", "changed"] {
        for coding in ["gzip", "deflate", "br"] {
            let (says, body) = ask(way, coding, "br;q=0.9, gzip, deflate");
            assert_eq!(says.as_deref(), Some(coding), "{way}");
            assert_ne!(body, b"unpacked", "{way}, {coding}");
            let (says, body) = ask(way, coding, "zstd, *;q=0.1");
            assert_eq!((says, &body[..]), (None, &b"unpacked"[..]), "{way}, {coding}");
        }
    }
    for way in ["clone", "object", "piped", "text", "unencoded"] {
        let (says, body) = ask(way, "gzip", "gzip");
        assert_eq!((says, &body[..]), (None, &b"unpacked"[..]), "{way}");
    }
    for (way, coding) in [("itself", "gzip"), ("packed", "br")] {
        let (says, body) = ask(way, coding, "gzip");
        assert_eq!(says.as_deref(), Some("gzip"), "{way}");
        let mut text = String::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).expect("gzip");
        assert_eq!(text, "unpacked", "{way}");
    }
}

fn a_body_that_is_cut_off_is_an_error(world: &World<'_>) {
    let got = world.fetch(&world.near.url("/cut"), json!({}));
    assert_eq!(got["error"], "TypeError", "{got}");
    assert!(got["message"].as_str().unwrap().contains("broke off"), "{got}");
}

fn an_aborted_request_is_given_up(world: &World<'_>) {
    let handler = r#"
      export const handler = async (event) => {
        const { url } = JSON.parse(event.body);
        const outcome = (promise) => promise.then(() => "answered", (error) => error.name);
        const controller = new AbortController();
        const aborted = outcome(fetch(url, { signal: controller.signal }));
        setTimeout(() => controller.abort(), 50);
        const late = outcome(fetch(url, { signal: AbortSignal.timeout(50) }));
        const before = outcome(fetch(url, { signal: AbortSignal.abort(new RangeError("mine")) }));
        return [await aborted, await late, await before];
      };"#;
    world.deploy("aborting", handler, &[]);
    let seen = world.other.seen.clone();
    let before = seen.given_up.load(Ordering::Relaxed);
    let got = world.ask("aborting", json!({ "url": world.other.url("/hang") }));
    assert_eq!(got, json!(["AbortError", "TimeoutError", "RangeError"]));
    given_up(&seen.given_up, before + 2);
}

fn given_up(count: &AtomicU64, wanted: u64) {
    until("the server sees that nobody waits", PATIENCE, || (count.load(Ordering::Relaxed) >= wanted).then_some(()));
}

fn a_cancelled_body_is_given_up(world: &World<'_>) {
    let handler = r#"
      export const handler = async (event) => {
        const { url } = JSON.parse(event.body);
        const first = await fetch(url);
        await first.body.cancel();
        const controller = new AbortController();
        const second = await fetch(url, { signal: controller.signal });
        const reader = second.body.getReader();
        await reader.read();
        controller.abort();
        return { error: await reader.read().then(() => "read", (error) => error.name) };
      };"#;
    world.deploy("cancelling", handler, &[]);
    let seen = world.secure.seen.clone();
    let before = seen.given_up.load(Ordering::Relaxed);
    let url = format!("https://localhost:{}/endless", world.secure.addr.port());
    assert_eq!(world.ask("cancelling", json!({ "url": url })), json!({ "error": "AbortError" }));
    given_up(&seen.given_up, before + 2);
}

fn a_dead_cells_requests_are_given_up(world: &World<'_>) {
    let handler = r#"
      export const handler = async (event) => {
        if (event.rawPath === "/die") "x".repeat(2 ** 29 - 30).split("");
        await fetch(JSON.parse(event.body).url);
      };"#;
    let tenant = world.node.tenant("mortal");
    tenant.deploy(&Deployment::of("mortal", handler));
    let (requests, given_up_before) = (&world.other.seen.requests, world.other.seen.given_up.load(Ordering::Relaxed));
    let before = requests.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        let url = world.other.url("/hang");
        let asking = scope.spawn(move || world.post("mortal", json!({ "url": url })).outcome().to_owned());
        until("the request arrives", PATIENCE, || (requests.load(Ordering::Relaxed) > before).then_some(()));
        tenant.get("mortal", "/die");
        assert_eq!(asking.join().unwrap(), "cell_died");
        given_up(&world.other.seen.given_up, given_up_before + 1);
    });
}
