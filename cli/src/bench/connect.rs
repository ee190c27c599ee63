//! Connections: HTTP/1.1 over TCP or TLS, one request at a time on each, opened when needed.

use crate::bench::record::{Reply, Trouble};
use crate::bench::target::Url;
use crate::bench::timing;
use crate::failure::plain;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use isle_wire::Outcome;
use rustls::pki_types::ServerName;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Time for a TCP connection, and for TLS on it. 5 s: half around the world and one lost packet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A request as it is sent over and over.
pub type Template = Request<Full<Bytes>>;

/// Where to connect.
#[derive(Clone)]
pub struct Endpoint {
    address: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Endpoint {
    /// Finds where a URL is served; `at` overrides it. Names below `localhost` are this machine, as
    /// RFC 6761 has it, even where the system's resolver knows none of them.
    ///
    /// # Errors
    /// When the name is unknown, or TLS cannot be set up.
    pub async fn of(url: &Url, at: Option<SocketAddr>) -> Result<Endpoint, String> {
        let (host, port) = (url.origin.host.as_str(), url.origin.port);
        let address = match at {
            Some(address) => address,
            None if host == "localhost" || host.ends_with(".localhost") => (Ipv4Addr::LOCALHOST, port).into(),
            None => {
                let mut found = tokio::net::lookup_host((host, port))
                    .await
                    .map_err(|error| format!("cannot find {host}: {}", plain(&error)))?;
                found.next().ok_or_else(|| format!("{host} has no address"))?
            }
        };
        let tls = if url.origin.tls { Some((connector()?, server_name(host)?)) } else { None };
        Ok(Endpoint { address, tls })
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>, Trouble> {
        let cannot = |why: String| Trouble { kind: "cannot connect", detail: format!("{}: {why}", self.address) };
        let stream = match timeout(CONNECT_TIMEOUT, TcpStream::connect(self.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(cannot(plain(&error))),
            Err(_) => return Err(cannot(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))),
        };
        // Without it, a body may wait for the acknowledgement of the head. No worse than slower.
        drop(stream.set_nodelay(true));
        let Some((connector, name)) = &self.tls else {
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broke)?;
            // Its errors reach the requests too.
            tokio::spawn(connection);
            return Ok(sender);
        };
        match timeout(CONNECT_TIMEOUT, connector.connect(name.clone(), stream)).await {
            Ok(Ok(stream)) => {
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broke)?;
                tokio::spawn(connection);
                Ok(sender)
            }
            Ok(Err(error)) => Err(cannot(error.to_string())),
            Err(_) => Err(cannot(format!("no TLS within {} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }
}

/// TLS with the certificates that the system trusts.
fn connector() -> Result<TlsConnector, String> {
    let mut roots = rustls::RootCertStore::empty();
    let trusted =
        rustls_native_certs::load_native_certs().map_err(|error| format!("no trusted certificates: {error}"))?;
    roots.add_parsable_certificates(trusted);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(host.to_owned()).map_err(|_| format!("{host} is no name that a certificate can have"))
}

/// The error's own chain says what happened; the outermost message alone does not.
fn broke(error: hyper::Error) -> Trouble {
    let mut detail = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        detail = format!("{detail}: {error}");
        source = error.source();
    }
    Trouble { kind: "connection broke", detail }
}

/// One connection, reopened when it closed.
pub struct Channel {
    endpoint: Arc<Endpoint>,
    sender: Option<SendRequest<Full<Bytes>>>,
    fresh: bool,
}

impl Channel {
    /// Not connected yet. `fresh`: a new connection for each request.
    pub fn new(endpoint: Arc<Endpoint>, fresh: bool) -> Channel {
        Channel { endpoint, sender: None, fresh }
    }

    /// Connects now, so that the first request need not. An error will show up there.
    pub async fn prepare(&mut self) {
        if !self.fresh && !self.is_open().await {
            self.sender = self.endpoint.open().await.ok();
        }
    }

    /// Whether the server kept the connection.
    async fn is_open(&mut self) -> bool {
        match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        }
    }

    /// Sends a request and reads the whole answer. The first of the two is the time that connecting took.
    pub async fn exchange(&mut self, request: Template, limit: Duration) -> (Duration, Result<Reply, Trouble>) {
        let mut connect = Duration::ZERO;
        let whole = async {
            let kept = self.is_open().await;
            let mut sender = match self.sender.take() {
                Some(sender) if kept => sender,
                _ => {
                    let began = Instant::now();
                    let opened = self.endpoint.open().await;
                    connect = began.elapsed();
                    opened?
                }
            };
            let (head, mut body) = sender.send_request(request).await.map(Response::into_parts).map_err(broke)?;
            let bytes = length(&mut body).await?;
            if !self.fresh {
                self.sender = Some(sender);
            }
            Ok(reply(head.status.as_u16(), &head.headers, bytes))
        };
        let result = match timeout(limit, whole).await {
            Ok(result) => result,
            Err(_) => Err(Trouble { kind: "timed out", detail: format!("no answer within {limit:?}") }),
        };
        (connect, result)
    }
}

async fn length(body: &mut Incoming) -> Result<u64, Trouble> {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.map_err(broke)?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(bytes)
}

fn reply(status: u16, headers: &HeaderMap, bytes: u64) -> Reply {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let outcome = text("isle-outcome");
    Reply {
        status,
        outcome: outcome.and_then(|word| Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word)),
        start: text("isle-start").and_then(timing::start_kind),
        timing: text("server-timing").and_then(timing::server_timing),
        bytes,
    }
}
