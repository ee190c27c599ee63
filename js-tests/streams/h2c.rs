//! The same over HTTP/2 in the clear: a client gives one stream up and keeps its connection.

use super::{SOURCE, deployed, outcomes, until_counted};
use crate::support::node::{Node, host};
use crate::support::{PATIENCE, until};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A body whose pieces come from elsewhere.
struct Pieces(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// One connection; its streams are its clones'.
struct Client {
    app: String,
    sender: SendRequest<Body>,
}

impl Client {
    async fn open(node: &Node, app: &str) -> Client {
        let stream = TcpStream::connect(node.public).await.expect("the node listens");
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        tokio::spawn(connection);
        Client { app: app.to_owned(), sender }
    }

    fn send(&self, method: &str, path: &str, body: Body) -> impl Future<Output = Response<Incoming>> + use<> {
        let uri = format!("http://{}{path}", host(&self.app));
        let request = Request::builder().method(method).uri(uri).body(body).expect("a request");
        let mut sender = self.sender.clone();
        async move { sender.send_request(request).await.expect("a response") }
    }

    async fn get(&self, path: &str) -> Response<Incoming> {
        self.send("GET", path, Empty::new().boxed_unsync()).await
    }

    async fn text(&self, path: &str) -> String {
        let body = self.get(path).await.into_body().collect().await.expect("a whole body");
        String::from_utf8(body.to_bytes().to_vec()).expect("text")
    }
}

async fn piece(response: &mut Response<Incoming>) -> Bytes {
    let frame = response.body_mut().frame().await.expect("the stream goes on").expect("the stream is whole");
    frame.into_data().expect("data")
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("tokio");
    runtime.block_on(async { tokio::time::timeout(4 * PATIENCE, test).await.expect("it ends") });
}

/// The other stream of the connection goes on, and so does the isolate that both are in.
pub fn a_reset_cancels_one_stream(node: &Node) {
    let tenant = deployed(node, "h2-reset", SOURCE, &[]);
    run(async {
        let client = Client::open(node, "h2-reset").await;
        let (mut left, mut kept) = (client.get("/watched").await, client.get("/events").await);
        assert_eq!((left.status(), client.text("/emit?text=one").await.as_str()), (hyper::StatusCode::OK, "2"));
        for stream in [&mut left, &mut kept] {
            assert_eq!(piece(stream).await, "data: one\n\n");
        }
        drop(left);
        tokio::task::block_in_place(|| {
            tenant.until_logged("h2-reset", "cancelled: AbortError");
            tenant.until_logged("h2-reset", "signalled: AbortError");
            until_counted(node, "h2-reset", "cancelled");
        });
        client.text("/emit?text=two").await;
        assert_eq!(piece(&mut kept).await, "data: two\n\n");
        assert_eq!(outcomes(node, "h2-reset", "cancelled"), 1.0);
        assert_eq!(node.metric("isle_in_flight", &[("app", "h2-reset")]), 1.0);
    });
}

/// Before the response's head, and in the middle of the request's body.
pub fn a_reset_ends_requests_without_a_head(node: &Node) {
    let tenant = deployed(node, "h2-early", SOURCE, &[]);
    run(async {
        let client = Client::open(node, "h2-early").await;
        let waiting = tokio::spawn(client.send("GET", "/signal", Empty::new().boxed_unsync()));
        tokio::task::block_in_place(|| tenant.until_logged("h2-early", "begun"));
        waiting.abort();
        tokio::task::block_in_place(|| tenant.until_logged("h2-early", "aborted: AbortError"));
        until_counted(node, "h2-early", "cancelled");

        let (pieces, receiver) = mpsc::channel::<Bytes>(1);
        let uploading = tokio::spawn(client.send("POST", "/broken", Pieces(receiver).boxed_unsync()));
        pieces.send("some".into()).await.expect("the body is read");
        let begun = || tenant.logs("h2-early", 100).iter().filter(|line| line.text == "begun").count();
        tokio::task::block_in_place(|| until("both began", PATIENCE, || (begun() == 2).then_some(())));
        uploading.abort();
        tokio::task::block_in_place(|| {
            until("the break is logged", PATIENCE, || {
                tenant.logs("h2-early", 100).into_iter().find(|line| line.text.starts_with("broke off: "))
            });
        });
        assert_eq!(client.text("/produced").await, "0", "the connection serves on");
    });
}

pub fn a_stream_that_fails_is_reset(node: &Node) {
    deployed(node, "h2-fails", SOURCE, &[]);
    run(async {
        let client = Client::open(node, "h2-fails").await;
        let mut response = client.get("/fail?text=half").await;
        assert_eq!(piece(&mut response).await, "half");
        let error = response.body_mut().frame().await.expect("no clean end").expect_err("it broke off");
        assert!(!error.is_closed(), "the stream ends and not the connection: {error}");
        assert_eq!(client.text("/produced").await, "0", "the connection serves on");
    });
    until_counted(node, "h2-fails", "handler_threw");
}
