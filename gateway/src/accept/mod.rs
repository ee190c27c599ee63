//! Accept: from a stranger's connection to a request that everybody reads alike.
//!
//! ```text
//! listener ─▶ caps ─▶ TLS (deadline, cap) ─▶ HTTP/2 ───────────────────────▶ Handler
//!                  └▶ first bytes ─────────┴▶ strict guard ─▶ HTTP/1 (hyper) ─▶ Handler
//! ```
//!
//! | file | what it decides | how a connection can end there |
//! |---|---|---|
//! | `mod` | who gets in; when to stop | 503, closed |
//! | `tls`, `room` | which certificate; which protocol | closed |
//! | `head`, `chunks`, `framing` | what is a request (pure) | |
//! | `strict` | what hyper may see | |
//! | `http1`, `patience` | when to refuse, to wait, to close | 400, 408, 414, 431, 505, closed |
//! | `http2`, `streams` | the same for HTTP/2 | GOAWAY, reset; 400, 414, 431 |
//! | `host` | for whom a request is | the caller answers 400 |
//!
//! The loop never dies and never waits for a client: each connection is a task of its own.

mod chunks;
mod counters;
mod framing;
mod head;
mod host;
mod http1;
mod http2;
mod names;
mod patience;
mod progress;
mod reply;
mod room;
mod stop;
mod streams;
mod strict;
#[cfg(test)]
mod tests;
mod tls;

pub use counters::{Counters, Refusal};
pub use host::{HostUnclear, host_of};
pub use names::HeaderNames;
pub(crate) use names::want as want_names;
pub use reply::{Broken, ReplyBody};
pub use tls::{Tls, TlsError};

use http::{Request, Response};
use room::Room;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// Connections that the kernel keeps for us while we are busy.
const BACKLOG: u32 = 4_096;

/// First and longest pause after the kernel could give no connection, in ms. Short: other
/// connections close all the time and give back what is missing.
const BACKOFF_MS: (u64, u64) = (5, 1_000);

/// Refused connections that are being told so at one time; the rest is closed without a word.
const FAREWELLS_MAX: usize = 64;

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The other end of the connection.
    pub addr: SocketAddr,
    /// Whether the connection is TLS.
    pub tls: bool,
}

/// What a listener serves.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. The future is dropped when the client leaves.
    fn handle(
        self: &Arc<Self>,
        peer: Peer,
        request: Request<hyper::body::Incoming>,
    ) -> impl Future<Output = Response<ReplyBody>> + Send;
}

/// Limits of one listener. Ranges are checked where they are read ([`crate::config`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From the first byte of a request head to its last.
    pub header_timeout: Duration,
    /// From the connection to the end of the TLS handshake, the wait for a place included.
    pub handshake_timeout: Duration,
    /// How long a connection may owe nothing and ask for nothing, and how long a client may take
    /// nothing of a response (up to a quarter more).
    pub idle_timeout: Duration,
    /// A request head, in bytes.
    pub head_bytes_max: usize,
    /// Header fields of a request.
    pub headers_max: u32,
    /// A request target, in bytes.
    pub uri_bytes_max: usize,
    /// Connections at one time.
    pub connections_max: u64,
    /// TLS handshakes at one time, of clients that go on.
    pub handshakes_max: usize,
    /// How long requests in flight may go on after the word to stop.
    pub drain: Duration,
}

/// A socket that listens, with what it needs to speak TLS.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    local: SocketAddr,
    tls: Option<Tls>,
}

impl Bound {
    /// Listens on `addr`; port 0 takes any free one. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The address is in use, not this machine's, or not allowed.
    pub fn bind(addr: SocketAddr, tls: Option<Tls>) -> io::Result<Bound> {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        let listener = socket.listen(BACKLOG)?;
        let local = listener.local_addr()?;
        Ok(Bound { listener, local, tls })
    }

    /// The address, with the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether clients must speak TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

/// A connection that counts as open.
struct Counted(Arc<Counters>);

impl Counted {
    fn new(counters: Arc<Counters>) -> Counted {
        counters.opened();
        Counted(counters)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.closed();
    }
}

/// Serves `listener` until `stop` says `true` (or its sender is gone). Then nothing more is
/// accepted, requests in flight have `settings.drain` to finish, and what is left is dropped.
pub async fn serve<H: Handler>(
    listener: Bound,
    settings: Arc<Settings>,
    handler: Arc<H>,
    counters: Arc<Counters>,
    mut stop: watch::Receiver<bool>,
) {
    let Bound { listener, local, tls } = listener;
    let room = Arc::new(Room::new(handler, settings, counters, tls));
    let farewells = Arc::new(Semaphore::new(FAREWELLS_MAX));
    let mut tasks = JoinSet::new();
    let mut backoff_ms = BACKOFF_MS.0;
    loop {
        tokio::select! {
            biased;
            () = told(&mut stop) => break,
            Some(ended) = tasks.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, addr)) => {
                    backoff_ms = BACKOFF_MS.0;
                    room.counters.accepted();
                    if room.counters.connections_open() >= room.settings.connections_max {
                        room.counters.refuse(Refusal::ConnectionsFull);
                        let place = farewells.clone().try_acquire_owned().ok();
                        if let (None, Some(place)) = (&room.tls, place) {
                            tasks.spawn(farewell(stream, place));
                        }
                        continue;
                    }
                    let counted = Counted::new(room.counters.clone());
                    let room = room.clone();
                    tasks.spawn(async move {
                        room.connection(stream, addr).await;
                        drop(counted);
                    });
                }
                Err(error) if is_about_one_connection(&error) => (),
                Err(error) => {
                    room.counters.accept_error();
                    tracing::warn!(listener = %local, %error, backoff_ms, "no connection can be accepted now");
                    tokio::select! {
                        () = told(&mut stop) => break,
                        () = tokio::time::sleep(Duration::from_millis(backoff_ms)) => (),
                    }
                    backoff_ms = (backoff_ms * 2).min(BACKOFF_MS.1);
                }
            },
        }
    }
    drop(listener);
    room.stop.begin();
    let drained = async {
        while let Some(ended) = tasks.join_next().await {
            report(ended);
        }
    };
    if tokio::time::timeout(room.settings.drain, drained).await.is_err() {
        tracing::warn!(listener = %local, connections = tasks.len(), "dropped connections that did not finish in time");
        tasks.abort_all();
    }
}

async fn told(stop: &mut watch::Receiver<bool>) {
    // An error says that nobody is left who could tell us.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn farewell(stream: TcpStream, _place: OwnedSemaphorePermit) {
    http1::close(stream, Refusal::ConnectionsFull.answer().unwrap_or_default(), true).await;
}

/// Such an error was the connection's, not ours: the next one may be fine at once.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}
