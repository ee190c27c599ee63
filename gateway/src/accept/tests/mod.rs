//! The listeners over real loopback sockets, with clients that write raw bytes.

mod descriptors;
mod http2;
mod keep;
mod limits;
mod malformed;
mod stall;
mod stop;
mod stream;
mod tls;

use super::{Bound, Broken, Counters, Handler, Peer, ReplyBody, Settings, Tls, host_of, serve};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

/// Nothing in these tests takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

fn settings() -> Settings {
    Settings {
        header_timeout: Duration::from_secs(10),
        handshake_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(10),
        head_bytes_max: 4096,
        headers_max: 20,
        uri_bytes_max: 512,
        connections_max: 100,
        handshakes_max: 10,
        drain: Duration::from_secs(10),
    }
}

/// Answers by path; counts, and lets a test hold a request.
#[derive(Default)]
struct Echo {
    handled: AtomicU64,
    dropped: AtomicU64,
    holding: Notify,
    release: Notify,
    left: Notify,
}

/// Tells that a handler's future was dropped before it had an answer.
struct Leaves<'a>(&'a AtomicU64, bool);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Handler for Echo {
    async fn handle(self: &Arc<Self>, peer: Peer, request: Request<Incoming>) -> Response<ReplyBody> {
        self.handled.fetch_add(1, Ordering::SeqCst);
        let mut leaves = Leaves(&self.dropped, false);
        let mut response = Response::new(ReplyBody::from("hello"));
        match request.uri().path() {
            "/echo" => match request.into_body().collect().await {
                Ok(body) => *response.body_mut() = body.to_bytes().into(),
                Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
            },
            "/hold" => {
                self.holding.notify_one();
                self.release.notified().await;
            }
            "/host" => match host_of(&request) {
                Ok(host) => *response.body_mut() = Bytes::from(format!("{host} tls={}", peer.tls)).into(),
                Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
            },
            "/early" => *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE,
            "/stream" => {
                let (pieces, body) = mpsc::channel(1);
                tokio::spawn(async move {
                    for piece in ["one", "two", "three"] {
                        let _ = pieces.send(Bytes::from(piece)).await;
                    }
                });
                *response.body_mut() = ReplyBody::Stream(body);
            }
            "/broken" => {
                let (pieces, body) = mpsc::channel(2);
                let _ = pieces.send(Ok(Bytes::from("one"))).await;
                let _ = pieces.send(Err(Broken)).await;
                *response.body_mut() = ReplyBody::Breakable(body);
            }
            "/quiet" => {
                let (pieces, body) = mpsc::channel(1);
                let handler = self.clone();
                tokio::spawn(async move {
                    let _ = pieces.send(Bytes::from("one")).await;
                    handler.release.notified().await;
                    let _ = pieces.send(Bytes::from("two")).await;
                });
                *response.body_mut() = ReplyBody::Stream(body);
            }
            "/endless" => {
                let (pieces, body) = mpsc::channel(1);
                let handler = self.clone();
                tokio::spawn(async move {
                    while pieces.send(Bytes::from_static(&[b'x'; 1000])).await.is_ok() {}
                    handler.left.notify_one();
                });
                *response.body_mut() = ReplyBody::Stream(body);
            }
            "/large" => *response.body_mut() = Bytes::from(vec![b'x'; 1 << 20]).into(),
            "/big" => *response.body_mut() = Bytes::from(vec![b'x'; 32 << 20]).into(),
            _ => (),
        }
        leaves.1 = true;
        response
    }
}

struct Node {
    addr: SocketAddr,
    handler: Arc<Echo>,
    counters: Arc<Counters>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Node {
    fn start(settings: Settings) -> Node {
        Node::start_on(settings, None)
    }

    fn start_on(settings: Settings, tls: Option<Tls>) -> Node {
        let listener = Bound::bind(SocketAddr::from(([127, 0, 0, 1], 0)), tls).unwrap();
        let addr = listener.local_addr();
        let (handler, counters) = (Arc::new(Echo::default()), Arc::new(Counters::default()));
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(listener, Arc::new(settings), handler.clone(), counters.clone(), stopped));
        Node { addr, handler, counters, stop, serving }
    }

    async fn connect(&self) -> Client {
        Client { stream: TcpStream::connect(self.addr).await.unwrap(), read: Vec::new() }
    }

    /// Sends `bytes` on a connection of their own and returns all that comes back until its end.
    async fn talk(&self, bytes: &[u8]) -> String {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.rest().await
    }

    fn handled(&self) -> u64 {
        self.handler.handled.load(Ordering::SeqCst)
    }

    /// Waits until no connection is open.
    async fn all_closed(&self) {
        let closed = async {
            while self.counters.connections_open() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(closed).await;
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        within(self.serving).await.unwrap();
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("hangs")
}

struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    /// The other side may have closed already: then what it said is what counts.
    async fn send(&mut self, bytes: &[u8]) {
        let _ = within(self.stream.write_all(bytes)).await;
    }

    /// All that has come and comes until the connection's end.
    async fn rest(&mut self) -> String {
        let _ = within(self.stream.read_to_end(&mut self.read)).await;
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }

    /// Reads until the text ends with `end`.
    async fn until(&mut self, end: &str) -> String {
        while !self.read.ends_with(end.as_bytes()) {
            let len = within(self.stream.read_buf(&mut self.read)).await.unwrap();
            assert!(len > 0, "closed after {:?}", String::from_utf8_lossy(&self.read));
        }
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }
}

/// The statuses of the responses in `text`, in order.
fn statuses(text: &str) -> Vec<u16> {
    text.match_indices("HTTP/1.").map(|(at, _)| text[at + 9..at + 12].parse().unwrap()).collect()
}
