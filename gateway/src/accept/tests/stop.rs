//! The word to stop.

use super::*;

#[tokio::test]
async fn requests_in_flight_finish_idle_connections_close_and_nobody_new_comes_in() {
    let node = Node::start(settings());
    let (mut idle, mut busy) = (node.connect().await, node.connect().await);
    idle.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    idle.until("hello").await;
    let mut silent = node.connect().await;
    busy.send(b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\n").await;
    within(node.handler.holding.notified()).await;

    node.stop.send(true).unwrap();
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    assert!(TcpStream::connect(node.addr).await.is_err());
    assert!(!node.serving.is_finished());
    node.handler.release.notify_one();
    let answer = busy.rest().await;
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("hello"), "{answer}");
    within(node.serving).await.unwrap();
    assert_eq!(node.counters.connections_open(), 0);
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_dropped() {
    let node = Node::start(Settings { drain: Duration::from_millis(100), ..settings() });
    let mut client = node.connect().await;
    client.send(b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\n").await;
    within(node.handler.holding.notified()).await;
    let handler = node.handler.clone();
    node.stop().await;
    assert_eq!(client.rest().await, "");
    assert_eq!(handler.dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn it_also_stops_when_nobody_is_left_to_say_so() {
    let node = Node::start(settings());
    drop(node.stop);
    within(node.serving).await.unwrap();
}
