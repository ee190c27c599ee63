//! HTTP/2 with prior knowledge, without TLS.

use super::*;
use crate::accept::Refusal;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

pub(super) async fn client<I>(io: I) -> http2::SendRequest<Full<Bytes>>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = within(http2::handshake(TokioExecutor::new(), TokioIo::new(io))).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(super) async fn fetch(
    sender: &mut http2::SendRequest<Full<Bytes>>,
    request: http::request::Builder,
    body: &str,
) -> hyper::Result<(StatusCode, String)> {
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let (head, body) = within(sender.send_request(request)).await?.into_parts();
    let body = within(body.collect()).await?.to_bytes();
    Ok((head.status, String::from_utf8(body.to_vec()).unwrap()))
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let node = Node::start(settings());
    let mut sender = client(TcpStream::connect(node.addr).await.unwrap()).await;
    let hold = Request::builder().uri("http://a.test/hold");
    let held = {
        let mut sender = sender.clone();
        tokio::spawn(async move { fetch(&mut sender, hold, "").await })
    };
    within(node.handler.holding.notified()).await;
    let body = "x".repeat(200_000);
    let post = Request::post("http://a.test/echo");
    assert_eq!(fetch(&mut sender, post, &body).await.unwrap(), (StatusCode::OK, body));
    let host = Request::get("http://a.test:80/host");
    assert_eq!(fetch(&mut sender, host, "").await.unwrap().1, "a.test tls=false");
    node.handler.release.notify_one();
    assert_eq!(within(held).await.unwrap().unwrap().1, "hello");
    assert_eq!(node.counters.connections_total(), 1);
    node.stop().await;
}

#[tokio::test]
async fn an_authority_and_a_host_that_differ_are_refused() {
    let node = Node::start(settings());
    let mut sender = client(TcpStream::connect(node.addr).await.unwrap()).await;
    let differ = Request::get("http://a.test/host").header("host", "b.test");
    assert_eq!(fetch(&mut sender, differ, "").await.unwrap().0, StatusCode::BAD_REQUEST);
    let agree = Request::get("http://a.test/host").header("host", "a.test");
    assert_eq!(fetch(&mut sender, agree, "").await.unwrap().0, StatusCode::OK);
    node.stop().await;
}

#[tokio::test]
async fn headers_that_are_too_large_are_refused_and_the_connection_goes_on() {
    let node = Node::start(settings());
    let mut sender = client(TcpStream::connect(node.addr).await.unwrap()).await;
    // The settings say the limit; a client that knows them refuses by itself, so wait for none.
    let large = Request::get("http://a.test/").header("x", "y".repeat(8000));
    match fetch(&mut sender, large, "").await {
        Ok((status, _)) => assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(error) => assert!(!error.is_timeout(), "{error}"),
    }
    assert_eq!(node.handled(), 0);
    node.stop().await;
}

#[tokio::test]
async fn what_http1_would_refuse_is_refused_and_the_connection_goes_on() {
    let node = Node::start(settings());
    let mut sender = client(TcpStream::connect(node.addr).await.unwrap()).await;
    let get = |uri: &str| Request::get(uri);
    let star = || http::Uri::builder().scheme("http").authority("a.test").path_and_query("*").build().unwrap();
    let fields = |count| (0..count).fold(get("http://a.test/"), |request, _| request.header("x", "y"));
    let long = |length: usize| get(&format!("http://a.test/{}", "y".repeat(length - 1)));
    let cases = [
        (long(513), 414, Refusal::UriTooLong),
        (get(&format!("http://a.test/?{}", "y".repeat(511))), 414, Refusal::UriTooLong),
        (fields(21), 431, Refusal::HeadTooLarge),
        (get("http://a.test/").method("X".repeat(33).as_str()), 400, Refusal::Malformed),
        (Request::connect("a.test:80"), 400, Refusal::Malformed),
        (Request::get(star()), 400, Refusal::Malformed),
    ];
    for (request, status, reason) in cases {
        let (told, before) = (format!("{request:?}"), node.counters.refused(reason));
        let (given, body) = fetch(&mut sender, request, "").await.unwrap();
        assert_eq!((given.as_u16(), node.counters.refused(reason)), (status, before + 1), "{told}");
        assert!(body.starts_with("{\"message\":"), "{told}: {body}");
    }
    assert_eq!(node.handled(), 0);
    for request in
        [long(512), fields(20), Request::options(star()), get("http://a.test/").method("X".repeat(32).as_str())]
    {
        let told = format!("{request:?}");
        assert_eq!(fetch(&mut sender, request, "").await.unwrap().0, StatusCode::OK, "{told}");
    }
    assert_eq!(node.counters.connections_total(), 1);
    node.stop().await;
}

#[tokio::test]
async fn a_stop_lets_streams_finish() {
    let node = Node::start(settings());
    let mut sender = client(TcpStream::connect(node.addr).await.unwrap()).await;
    let held = tokio::spawn(async move { fetch(&mut sender, Request::get("http://a.test/hold"), "").await });
    within(node.handler.holding.notified()).await;
    node.stop.send(true).unwrap();
    node.handler.release.notify_one();
    assert_eq!(within(held).await.unwrap().unwrap().1, "hello");
    within(node.serving).await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let node = Node::start(Settings { idle_timeout: Duration::from_millis(200), ..settings() });
    let mut sender = client(TcpStream::connect(node.addr).await.unwrap()).await;
    fetch(&mut sender, Request::get("http://a.test/"), "").await.unwrap();
    node.all_closed().await;
    node.stop().await;
}

#[tokio::test]
async fn a_preface_in_pieces_is_understood_and_half_a_preface_is_let_go() {
    let node = Node::start(Settings { header_timeout: Duration::from_millis(500), ..settings() });
    let mut half = node.connect().await;
    half.send(b"PRI * HT").await;
    assert_eq!(half.rest().await, "");
    let mut like = node.connect().await;
    like.send(b"P").await;
    like.stream.set_nodelay(true).unwrap();
    like.send(b"OST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    assert_eq!(statuses(&like.rest().await), [200]);
    let mut whole = node.connect().await;
    whole.send(b"PRI * HTTP/2.0\r\n\r\nSM").await;
    whole.send(b"\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let len = within(whole.stream.read_buf(&mut whole.read)).await.unwrap();
    assert!(len >= 9 && whole.read[3] == 4, "expected a SETTINGS frame: {:?}", whole.read);
    drop(whole);
    node.stop().await;
}
