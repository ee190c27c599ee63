//! One connection before it is HTTP: TLS with its deadline and its cap, or the first bytes that
//! tell HTTP/1 from HTTP/2.

use super::counters::{Counters, Refusal};
use super::head::HeadCaps;
use super::http2::PREFACE;
use super::stop::Stop;
use super::streams::Streams;
use super::tls::Tls;
use super::{Handler, Peer, Settings, http1, http2};
use rustls::server::{Acceptor, ServerConfig};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// First read of a plain connection, in bytes: room for a usual head, so that it is read at once.
const FIRST_READ_BYTES: usize = 2 << 10;

/// How long a handshake keeps its place while it waits for its client, in all. 250 ms: most need one
/// round trip; as many clients as may be connected, each of which stops there, do not keep all places.
const PLACE_TIME_MAX: Duration = Duration::from_millis(250);

/// What the connections of one listener share.
pub(super) struct Room<H> {
    pub handler: Arc<H>,
    pub settings: Arc<Settings>,
    pub counters: Arc<Counters>,
    pub caps: HeadCaps,
    pub http1: hyper::server::conn::http1::Builder,
    pub http2: hyper::server::conn::http2::Builder<Streams>,
    pub tls: Option<Tls>,
    pub handshakes: Semaphore,
    pub stop: Stop,
}

impl<H: Handler> Room<H> {
    pub(super) fn new(handler: Arc<H>, settings: Arc<Settings>, counters: Arc<Counters>, tls: Option<Tls>) -> Room<H> {
        Room {
            handler,
            caps: HeadCaps {
                bytes_max: settings.head_bytes_max,
                headers_max: settings.headers_max,
                uri_bytes_max: settings.uri_bytes_max,
            },
            http1: http1::builder(&settings),
            http2: http2::builder(&settings, &counters),
            counters,
            tls,
            handshakes: Semaphore::new(settings.handshakes_max),
            stop: Stop::default(),
            settings,
        }
    }

    /// One connection's whole life.
    pub(super) async fn connection(&self, stream: TcpStream, addr: SocketAddr) {
        // Responses are written whole, so nothing is gained by waiting for more.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            Some(tls) => {
                let handshake = Box::pin(self.handshake(tls.config.clone(), stream));
                let Some(stream) = self.unless_stopping(handshake).await else { return };
                let peer = Peer { addr, tls: true };
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    Box::pin(http2::serve(self, stream, Vec::new(), peer)).await;
                } else {
                    Box::pin(http1::serve(self, stream, Vec::new(), peer)).await;
                }
            }
            None => {
                let peer = Peer { addr, tls: false };
                match self.unless_stopping(self.first_bytes(stream)).await {
                    Some((stream, first)) if first.starts_with(PREFACE) => {
                        Box::pin(http2::serve(self, stream, first, peer)).await;
                    }
                    Some((stream, first)) => http1::serve(self, stream, first, peer).await,
                    None => (),
                }
            }
        }
    }

    async fn unless_stopping<T>(&self, work: impl Future<Output = Option<T>>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.stop.begun() => None,
        }
    }

    async fn handshake(&self, config: Arc<ServerConfig>, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let mut refusal = Refusal::HandshakeTimeout;
        let handshake = async {
            // Until all that a client begins with is there nothing costs, and it holds no place.
            let Ok(hello) = LazyConfigAcceptor::new(Acceptor::default(), stream).await else {
                refusal = Refusal::HandshakeFailed;
                return None;
            };
            refusal = Refusal::HandshakesFull;
            let place = self.handshakes.acquire().await.ok()?;
            refusal = Refusal::HandshakeTimeout;
            let mut rest = hello.into_stream(config);
            let result = match timeout(PLACE_TIME_MAX, &mut rest).await {
                Ok(result) => result,
                Err(_) => {
                    drop(place);
                    rest.await
                }
            };
            refusal = Refusal::HandshakeFailed;
            result.ok()
        };
        let stream = timeout(self.settings.handshake_timeout, handshake).await.ok().flatten();
        if stream.is_none() {
            self.counters.refuse(refusal);
        }
        stream
    }

    /// Reads until it is clear whether this is HTTP/2 with prior knowledge. A connection that never
    /// says anything is merely idle; one that stops within the preface is as good as gone.
    async fn first_bytes(&self, mut stream: TcpStream) -> Option<(TcpStream, Vec<u8>)> {
        let mut first = Vec::with_capacity(FIRST_READ_BYTES);
        let mut patience: Duration = self.settings.idle_timeout;
        loop {
            let read = timeout(patience, stream.read_buf(&mut first)).await.ok()?.ok()?;
            if read == 0 {
                return None;
            }
            let common = first.len().min(PREFACE.len());
            if common == PREFACE.len() || first[..common] != PREFACE[..common] {
                return Some((stream, first));
            }
            patience = self.settings.header_timeout;
        }
    }
}
