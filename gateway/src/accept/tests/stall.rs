//! HTTP/2 clients that keep their windows closed, and those that are merely slow.

use super::http2::fetch;
use super::*;
use crate::accept::Refusal;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

const IDLE: Duration = Duration::from_millis(400);

fn node() -> Node {
    Node::start(Settings { idle_timeout: IDLE, ..settings() })
}

/// A client that lets `window` bytes of each response come before it reads, and sends PINGs.
async fn client(node: &Node, window: u32) -> http2::SendRequest<Full<Bytes>> {
    let io = TokioIo::new(TcpStream::connect(node.addr).await.unwrap());
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window).timer(TokioTimer::new());
    builder.keep_alive_interval(IDLE / 10).keep_alive_while_idle(true);
    let (sender, connection) = within(builder.handshake(io)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn get(sender: &mut http2::SendRequest<Full<Bytes>>, path: &str) -> Incoming {
    let request = Request::get(format!("http://a.test{path}")).body(Full::default()).unwrap();
    within(sender.send_request(request)).await.unwrap().into_body()
}

#[tokio::test]
async fn a_response_of_which_nothing_is_taken_is_reset_and_pings_do_not_help() {
    let node = node();
    let mut sender = client(&node, 0).await;
    let body = get(&mut sender, "/large").await;
    assert!(within(body.collect()).await.is_err(), "reset");
    assert_eq!(node.counters.refused(Refusal::Stalled), 1);
    node.all_closed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_stalled_stream_gives_back_what_it_holds_although_its_connection_is_busy() {
    let node = node();
    let mut sender = client(&node, 1000).await;
    // The first piece fits the window, so the second is the one that waits.
    let body = get(&mut sender, "/endless").await;
    let others = async {
        while fetch(&mut sender, Request::get("http://a.test/"), "").await.unwrap().1 == "hello" {
            tokio::time::sleep(IDLE / 10).await;
        }
    };
    tokio::select! {
        () = within(node.handler.left.notified()) => (),
        () = others => unreachable!("the other requests are answered"),
    }
    assert_eq!(node.counters.refused(Refusal::Stalled), 1);
    assert_eq!(fetch(&mut sender, Request::get("http://a.test/"), "").await.unwrap().1, "hello");
    drop((body, sender));
    node.stop().await;
}

#[tokio::test]
async fn a_response_that_is_in_the_window_s_queue_is_let_go_with_its_connection() {
    let node = node();
    let mut sender = client(&node, 1).await;
    let body = get(&mut sender, "/large").await;
    node.all_closed().await;
    assert!(within(body.collect()).await.is_err(), "cut off");
    node.stop().await;
}

#[tokio::test]
async fn a_stream_that_has_nothing_to_say_is_waited_for() {
    let node = node();
    let mut sender = client(&node, 1000).await;
    let mut body = get(&mut sender, "/quiet").await;
    assert_eq!(within(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "one");
    tokio::time::sleep(IDLE * 3).await;
    node.handler.release.notify_one();
    assert_eq!(within(body.collect()).await.unwrap().to_bytes(), "two");
    assert_eq!(node.counters.refused(Refusal::Stalled), 0);
    drop(sender);
    node.stop().await;
}

#[tokio::test]
async fn a_slow_client_gets_all_of_a_large_response() {
    let node = node();
    let mut sender = client(&node, 65_536).await;
    let mut body = get(&mut sender, "/large").await;
    let mut taken = 0;
    while let Some(frame) = within(body.frame()).await {
        taken += frame.unwrap().into_data().unwrap().len();
        tokio::time::sleep(IDLE / 20).await;
    }
    assert_eq!(taken, 1 << 20);
    drop(sender);
    node.stop().await;
}
