//! The whole of `isle bench` against a small server that plays a node: both its listeners in one.

use crate::bench::args::{BenchArgs, BenchCommand};
use crate::bench::connect::Endpoint;
use crate::bench::load::{self, Job};
use crate::bench::summary::Summary;
use crate::failure::{Done, Failure};
use bytes::Bytes;
use clap::Parser;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the server behaves.
#[derive(Clone, Copy, Default)]
struct Manner {
    /// Says nothing about timing.
    silent: bool,
    /// Does not evict.
    stubborn: bool,
    /// Answers each n-th request with a refusal; 0 for none.
    refuse_each: u64,
    /// How long an answer takes.
    takes: Duration,
}

#[derive(Default)]
struct Node {
    port: u16,
    manner: Manner,
    warm: AtomicBool,
    requests: AtomicU64,
    evictions: AtomicU64,
    connections: AtomicU64,
    /// Requests to the function that came, answered or not.
    begun: watch::Sender<u64>,
}

async fn node(manner: Manner) -> Arc<Node> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let node = Arc::new(Node { port, manner, ..Node::default() });
    let serving = node.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serving.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(serving.clone(), stream));
        }
    });
    node
}

/// One connection. Requests have no bodies here.
async fn serve(node: Arc<Node>, mut stream: TcpStream) {
    let mut read = Vec::new();
    loop {
        let end = loop {
            match read.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None if stream.read_buf(&mut read).await.is_ok_and(|count| count > 0) => {}
                None => return,
            }
        };
        let head = String::from_utf8(read.drain(..end).collect()).unwrap().to_ascii_lowercase();
        // The first call of an eviction carries a JSON `null`.
        if head.contains("content-length: 4\r\n") {
            while read.len() < 4 {
                assert!(stream.read_buf(&mut read).await.unwrap() > 0);
            }
            read.drain(..4);
        }
        let answer = node.answer(&head).await;
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

impl Node {
    async fn answer(&self, head: &str) -> String {
        let path = head.split(' ').nth(1).unwrap();
        match path {
            "/v1/apps" => {
                assert!(head.contains("\r\nauthorization: bearer isle_t_x\r\n"), "{head}");
                let url = format!("http://blog.localhost:{}/hello/{{name}}", self.port);
                let body = serde_json::json!({"apps": [{
                    "app": "blog", "tenant": "acme", "deployment": "1", "updated_at": 1,
                    "functions": [{"name": "hello", "routes": ["GET /hello/{name}"], "urls": [url]}],
                }]});
                let body = body.to_string();
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            }
            "/v1/apps/blog/functions/hello/evict" => {
                assert!(head.contains("\r\nauthorization: bearer isle_t_x\r\n"), "{head}");
                self.evictions.fetch_add(1, Ordering::SeqCst);
                if !self.manner.stubborn {
                    self.warm.store(false, Ordering::SeqCst);
                }
                "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
            }
            "/hello/isle" => self.hello(head).await,
            _ => "HTTP/1.1 404 Not Found\r\nisle-outcome: no_route\r\ncontent-length: 0\r\n\r\n".to_owned(),
        }
    }

    async fn hello(&self, head: &str) -> String {
        assert!(head.contains(&format!("\r\nhost: blog.localhost:{}\r\n", self.port)), "{head}");
        assert!(head.contains("\r\nisle-timing: 1\r\n"), "{head}");
        self.begun.send_modify(|begun| *begun += 1);
        if !self.manner.takes.is_zero() {
            tokio::time::sleep(self.manner.takes).await;
        }
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        if self.manner.refuse_each > 0 && number.is_multiple_of(self.manner.refuse_each) {
            let head = "HTTP/1.1 429 Too Many Requests\r\nisle-outcome: refused_busy\r\nisle-start: none\r\n";
            return format!("{head}content-length: 0\r\n\r\n");
        }
        let (kind, start) = if self.warm.swap(true, Ordering::SeqCst) { ("warm", "0") } else { ("snapshot", "0.005") };
        let timing =
            format!("isle-start: {kind}\r\nserver-timing: queue;dur=0.001, start;dur={start}, run;dur=0.002\r\n");
        let timing = if self.manner.silent { "" } else { &timing };
        format!("HTTP/1.1 200 OK\r\nisle-outcome: ok\r\n{timing}content-length: 5\r\n\r\nhello")
    }

    fn seen(&self) -> (u64, u64) {
        (self.requests.load(Ordering::SeqCst), self.evictions.load(Ordering::SeqCst))
    }
}

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: BenchCommand,
}

fn args(node: &Node, line: &str) -> BenchArgs {
    let line = format!("bench {line} --token isle_t_x --node http://127.0.0.1:{}", node.port);
    let line = line.replace("PORT", &node.port.to_string());
    match Line::parse_from(line.split(' ')).command {
        BenchCommand::Cold(args) | BenchCommand::Warm(args) => *args,
    }
}

async fn measured(node: &Node, line: &str) -> Done<Summary> {
    super::measured(&args(node, line), line.starts_with("cold")).await.map(|(summary, _)| summary)
}

#[tokio::test]
async fn each_request_of_a_cold_run_follows_an_eviction() {
    let node = node(Manner::default()).await;
    let run = measured(&node, "cold blog/hello -n 20 --warm-up 2").await.unwrap();
    assert_eq!((run.requests.sent, run.requests.measured, run.requests.left_out), (20, 20, 0));
    assert_eq!(run.by_start["snapshot"].latency.count, 20);
    assert_eq!(run.target.function.as_deref(), Some("blog/hello"));
    let parts: Vec<&str> = run.split.unwrap().parts.iter().map(|part| part.part).collect();
    assert_eq!(parts, ["queue", "start", "handler", "network_gateway"]);
    // A first of both and two of the warm-up; then one eviction for each request.
    assert_eq!(node.seen(), (23, 23));
}

#[tokio::test]
async fn a_url_is_made_cold_by_its_function() {
    let node = node(Manner::default()).await;
    let run = measured(&node, "cold http://blog.localhost:PORT/hello/isle -n 3 --rate 20 -c 3").await.unwrap();
    assert_eq!(run.target.function.as_deref(), Some("blog/hello"));
    assert_eq!((run.requests.sent, run.load.mode), (3, "open"));
    assert!(run.generator_lag_us.is_some());
}

#[tokio::test]
async fn warm_starts_are_no_part_of_a_cold_run() {
    let node = node(Manner { stubborn: true, ..Manner::default() }).await;
    let run = measured(&node, "cold blog/hello -n 5").await.unwrap();
    assert_eq!((run.requests.measured, run.requests.left_out), (0, 5));
    let line = "cold blog/hello -n 5";
    let ended = super::measure(&args(&node, line), true).await;
    assert_eq!(ended, Err(Failure::said("none of the requests was a cold start")));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_measured_without_a_split() {
    let node = node(Manner { silent: true, ..Manner::default() }).await;
    let run = measured(&node, "cold blog/hello -n 5").await.unwrap();
    assert_eq!((run.requests.measured, run.requests.unverified), (5, 5));
    assert!(run.split.is_none() && run.by_start.is_empty());
}

#[tokio::test]
async fn refusals_are_failures_and_in_no_percentile() {
    let node = node(Manner { refuse_each: 4, ..Manner::default() }).await;
    let run = measured(&node, "warm blog/hello -n 40 -c 1 --warm-up 3").await.unwrap();
    assert_eq!((run.requests.measured, run.requests.failed), (30, 10));
    assert_eq!((run.failures[0].what.as_str(), run.failures[0].count), ("status 429 refused_busy", 10));
    assert_eq!(node.evictions.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn connections_are_kept_or_fresh() {
    let node = node(Manner::default()).await;
    let url = "warm http://blog.localhost:PORT/hello/isle -n 30 -c 3 --warm-up 0";
    measured(&node, url).await.unwrap();
    assert_eq!(node.connections.swap(0, Ordering::SeqCst), 3);
    let run = measured(&node, &format!("{url} --fresh")).await.unwrap();
    assert_eq!(node.connections.load(Ordering::SeqCst), 31, "one is for the first look");
    assert_eq!(run.split.unwrap().parts[0].part, "connect");
}

#[tokio::test]
async fn an_open_loop_shows_the_queue_that_a_closed_loop_hides() {
    let node = node(Manner { takes: Duration::from_millis(20), ..Manner::default() }).await;
    let url = "warm http://blog.localhost:PORT/hello/isle -n 10 -c 1 --warm-up 0";
    let closed = measured(&node, url).await.unwrap();
    let open = measured(&node, &format!("{url} --rate 1000")).await.unwrap();
    // Ten requests due within 10 ms, served one by one in 20 ms each: the last waits for all others.
    assert!(open.latency_us.max > 190_000.0, "{:?}", open.latency_us);
    assert!(open.latency_us.p50 > closed.latency_us.p50 * 2.0, "{:?} {:?}", open.latency_us, closed.latency_us);
    let split = open.split.unwrap();
    assert_eq!(split.parts[0].part, "backlog");
    assert!(split.parts[0].latency.max > 170_000.0);
}

#[tokio::test]
async fn what_is_under_way_when_a_run_is_stopped_is_no_failure() {
    let node = node(Manner { takes: Duration::from_secs(3_600), ..Manner::default() }).await;
    let args = args(&node, "warm http://blog.localhost:PORT/hello/isle -n 2 -c 2 --rate 1000000");
    let found = super::find(&args, false).await.unwrap();
    let endpoint = Endpoint::of(&found.url, None).await.unwrap();
    let request = super::request(&args, &found, &Bytes::new()).unwrap();
    let job = Arc::new(Job { request, eviction: None, timeout: args.timeout });
    let lanes = super::lanes(&args, false, endpoint).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let (plan, progress) = (args.plan(false), Arc::default());
    let interrupt = async {
        drop(node.begun.subscribe().wait_for(|begun| *begun == 2).await);
        stop.send_replace(true);
    };
    let ((recorder, _), ()) = tokio::join!(load::run(&job, plan, lanes, &progress, &stopped), interrupt);
    let run = Summary::of(super::before(&args, false, &found, 0), &plan, &recorder);
    assert!(run.interrupted);
    assert_eq!((run.requests.sent, run.requests.given_up, run.requests.not_sent), (0, 2, 0));
}

#[tokio::test]
async fn time_limits_hold() {
    let node = node(Manner { takes: Duration::from_millis(200), ..Manner::default() }).await;
    let line = "warm blog/hello -c 1 --timeout 20ms -n 2 --warm-up 0";
    let ended = measured(&node, line).await.map(|_| ());
    let Err(Failure::Said(message)) = ended else { panic!("{ended:?}") };
    assert!(message.contains("timed out: no answer within 20ms"), "{message}");
}

#[tokio::test]
async fn a_broken_promise_fails_and_the_report_is_written_all_the_same() {
    let node = node(Manner::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let line = format!("warm blog/hello -n 20 --json --threshold p50=1us --threshold max=1m --html {}", file.display());
    let Err(Failure::Said(message)) = super::measure(&args(&node, &line), false).await else {
        panic!("it should fail")
    };
    assert!(
        message.starts_with("threshold exceeded: p50 ≤ 1.0 µs, measured ") && !message.contains("max"),
        "{message}"
    );
    let page = std::fs::read_to_string(file).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("blog/hello"));
}

#[tokio::test]
async fn what_cannot_be_measured_is_said_before_anything_is_sent() {
    let node = node(Manner::default()).await;
    for (line, expected) in [
        ("cold blog/nothing", "blog has no function \"nothing\": there is hello"),
        ("cold http://blog.localhost:1/hello/isle", "none of your functions on this node answers"),
        ("warm http://blog.localhost:PORT/ --path /x", "--path is for APP/FUNCTION"),
        ("warm http://127.0.0.1:PORT/ --body @/nowhere", "cannot read /nowhere: no such file"),
        ("warm nothing", "neither a URL"),
    ] {
        let ended = measured(&node, line).await.map(|_| ());
        assert!(matches!(&ended, Err(Failure::Said(message)) if message.contains(expected)), "{line}: {ended:?}");
    }
    let ended = super::measure(&args(&node, "warm blog/hello --html /nowhere/report.html"), false).await;
    assert_eq!(ended, Err(Failure::said("cannot write to /nowhere: no such file or folder")));
    assert_eq!(node.seen(), (0, 0));
}
