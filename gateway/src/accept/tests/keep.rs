//! Keep-alive, pipelining, HEAD, 100-continue, bodies that are not read, clients that leave.

use super::*;

#[tokio::test]
async fn a_connection_serves_many_requests_one_after_another() {
    let node = Node::start(settings());
    let mut client = node.connect().await;
    for nth in 0..5 {
        let body = "x".repeat(nth * 3000);
        let head = format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
        client.send(head.as_bytes()).await;
        client.send(body.as_bytes()).await;
        let end = format!("\r\n\r\n{body}");
        let answer = client.until(&end).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    assert_eq!(node.counters.connections_total(), 1);
    node.stop().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_wherever_they_are_cut() {
    let node = Node::start(settings());
    let chunked = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n";
    let sized = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\ntwo";
    let last = "GET /host HTTP/1.1\r\nhost: three:80\r\nconnection: close\r\n\r\n";
    let stream = format!("{chunked}{sized}{last}");
    for cut in 1..stream.len() {
        let mut client = node.connect().await;
        client.stream.set_nodelay(true).unwrap();
        client.send(&stream.as_bytes()[..cut]).await;
        tokio::task::yield_now().await;
        client.send(&stream.as_bytes()[cut..]).await;
        let answer = client.rest().await;
        let bodies = [answer.find("\r\n\r\none"), answer.find("\r\n\r\ntwo"), answer.find("\r\n\r\nthree tls=false")];
        assert_eq!(statuses(&answer), [200, 200, 200], "cut at {cut}: {answer}");
        assert!(bodies.is_sorted() && bodies[0].is_some(), "cut at {cut}: {answer}");
    }
    node.stop().await;
}

#[tokio::test]
async fn the_first_of_a_pipeline_is_answered_before_the_second_is_complete() {
    let node = Node::start(settings());
    let mut client = node.connect().await;
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /host HTTP/1.1\r\n").await;
    assert!(client.until("hello").await.starts_with("HTTP/1.1 200"));
    client.send(b"host: b\r\n\r\n").await;
    client.until("b tls=false").await;
    node.stop().await;
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let node = Node::start(settings());
    let answer = node.talk(b"HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("content-length: 5\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    node.stop().await;
}

#[tokio::test]
async fn expect_100_continue_is_answered_once_the_body_is_wanted() {
    let node = Node::start(settings());
    let mut client = node.connect().await;
    let head = |path| format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n");
    client.send(head("/echo").as_bytes()).await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"body").await;
    assert!(client.until("body").await.starts_with("HTTP/1.1 200"));
    // A handler that wants no body gets none, and the client is told so at once.
    client.send(head("/early").as_bytes()).await;
    let answer = client.rest().await;
    assert_eq!(statuses(&answer), [413], "{answer}");
    node.stop().await;
}

#[tokio::test]
async fn a_response_that_does_not_wait_for_the_body_arrives_though_the_client_goes_on_sending() {
    let node = Node::start(settings());
    for framing in ["content-length: 600000", "transfer-encoding: chunked"] {
        let mut client = node.connect().await;
        client.send(format!("POST /early HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n").as_bytes()).await;
        for _ in 0..100 {
            client.send(format!("1770\r\n{}\r\n", "x".repeat(6000)).as_bytes()).await;
        }
        let answer = client.rest().await;
        assert_eq!(statuses(&answer), [413], "{framing}: {answer}");
        assert!(answer.ends_with("hello"), "{framing}: {answer}");
    }
    node.stop().await;
}

#[tokio::test]
async fn streams_end_where_they_end_and_break_where_they_break() {
    let node = Node::start(settings());
    let whole = node.talk(b"GET /stream HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(whole.ends_with("3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"), "{whole}");
    let broken = node.talk(b"GET /broken HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(!broken.ends_with("0\r\n\r\n"), "{broken}");
    node.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_drops_its_handler() {
    let node = Node::start(settings());
    let mut client = node.connect().await;
    client.send(b"GET /hold HTTP/1.1\r\nhost: a\r\n\r\n").await;
    within(node.handler.holding.notified()).await;
    drop(client);
    let left = async {
        while node.handler.dropped.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(left).await;
    node.stop().await;
}

#[tokio::test]
async fn a_large_response_arrives_whole_at_a_slow_reader() {
    let node = Node::start(settings());
    let answer = node.talk(b"GET /big HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), 32 << 20);
    node.stop().await;
}
