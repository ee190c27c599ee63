//! Sizes, times and numbers above which a client is refused, and that its neighbour is not.

use super::*;
use crate::accept::Refusal;

async fn good(node: &Node) {
    let answer = node.talk(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert_eq!(statuses(&answer), [200]);
}

#[tokio::test]
async fn a_head_that_is_too_large_gets_431_also_when_it_never_ends() {
    let node = Node::start(settings());
    let whole = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(5000));
    let endless = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "y".repeat(200_000));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(20));
    for (nth, request) in [whole, endless, many].into_iter().enumerate() {
        let answer = node.talk(request.as_bytes()).await;
        assert_eq!(statuses(&answer), [431], "{answer}");
        assert!(answer.ends_with("{\"message\":\"Request Header Fields Too Large\"}"), "{answer}");
        assert_eq!(node.counters.refused(Refusal::HeadTooLarge), nth as u64 + 1);
    }
    let most = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{}\r\n", "x: y\r\n".repeat(18));
    assert_eq!(statuses(&node.talk(most.as_bytes()).await), [200]);
    node.stop().await;
}

#[tokio::test]
async fn a_target_that_is_too_long_gets_414_also_when_it_never_ends() {
    let node = Node::start(settings());
    let whole = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "y".repeat(512));
    let endless = format!("GET /{}", "y".repeat(600));
    for request in [whole, endless] {
        let answer = node.talk(request.as_bytes()).await;
        assert_eq!(statuses(&answer), [414], "{answer}");
    }
    let longest = format!("GET /{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "y".repeat(511));
    assert_eq!(statuses(&node.talk(longest.as_bytes()).await), [200]);
    assert_eq!(node.counters.refused(Refusal::UriTooLong), 2);
    node.stop().await;
}

#[tokio::test]
async fn a_head_that_is_not_finished_gets_408_and_trickling_does_not_help() {
    let node = Node::start(Settings { header_timeout: Duration::from_millis(200), ..settings() });
    let mut stalled = node.connect().await;
    stalled.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /second HTTP/1.1\r\nho").await;
    // A good neighbour is served meanwhile.
    good(&node).await;
    let trickling = async {
        while stalled.stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(trickling).await;

    let answer = node.talk(b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /second HTTP/1.1\r\nho").await;
    assert_eq!(statuses(&answer), [200, 408], "{answer}");
    assert!(answer.ends_with("{\"message\":\"Request Timeout\"}"), "{answer}");
    assert_eq!(node.counters.refused(Refusal::HeadTimeout), 2);
    node.stop().await;
}

#[tokio::test]
async fn a_408_waits_for_the_response_that_is_owed_before_it() {
    let node = Node::start(Settings { header_timeout: Duration::from_millis(100), ..settings() });
    let mut client = node.connect().await;
    client.send(b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\nGET /second HT").await;
    within(node.handler.holding.notified()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    node.handler.release.notify_one();
    assert_eq!(statuses(&client.rest().await), [200, 408]);
    node.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_silently_and_a_busy_one_is_not() {
    let node = Node::start(Settings { idle_timeout: Duration::from_millis(200), ..settings() });
    let mut silent = node.connect().await;
    assert_eq!(silent.rest().await, "");
    let mut kept = node.connect().await;
    kept.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n\r\n").await;
    assert_eq!(statuses(&kept.rest().await), [200]);
    let mut busy = node.connect().await;
    busy.send(b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\n").await;
    within(node.handler.holding.notified()).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    node.handler.release.notify_one();
    assert_eq!(statuses(&busy.until("hello").await), [200]);
    assert!(Refusal::ALL.into_iter().all(|reason| node.counters.refused(reason) == 0));
    node.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_response_is_dropped() {
    let node = Node::start(Settings { idle_timeout: Duration::from_millis(200), ..settings() });
    let mut client = node.connect().await;
    client.send(b"GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let dropped = async {
        while node.counters.refused(Refusal::Stalled) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(dropped).await;
    node.stop().await;
}

#[tokio::test]
async fn above_the_connections_cap_a_client_gets_503_until_another_leaves() {
    let node = Node::start(Settings { connections_max: 2, ..settings() });
    let mut kept = [node.connect().await, node.connect().await];
    for client in &mut kept {
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        client.until("hello").await;
    }
    assert_eq!(node.counters.connections_open(), 2);
    let answer = node.talk(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(statuses(&answer), [503], "{answer}");
    assert!(answer.ends_with("{\"message\":\"Service Unavailable\"}"), "{answer}");
    assert_eq!(node.counters.refused(Refusal::ConnectionsFull), 1);
    assert_eq!(node.counters.connections_total(), 3);
    drop(kept);
    node.all_closed().await;
    good(&node).await;
    node.stop().await;
}
