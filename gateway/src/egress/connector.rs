//! The one place that resolves names and opens connections for functions.
//!
//! ```text
//!   URL ─▶ rules again ─▶ resolve once ─▶ each address looked at ─▶ dial one of those ─▶ TLS, ALPN
//! ```

use super::address;
use super::failure::{Failure, Refused};
use super::target::{Rules, Target, Way};
use super::tenant::Usage;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// From resolving to the end of the TLS handshake. 10 s: three lost packets of a bad link.
const CONNECT_MS: u32 = 10_000;
/// Addresses of one host that are tried, and how long each but the last. 3 s: one lost packet.
const ADDRESSES_MAX: usize = 4;
const EACH_ADDRESS: Duration = Duration::from_secs(3);
/// Names being resolved at one time: each holds a thread, for as long as the system's resolver
/// likes.
const LOOKUPS_MAX: usize = 64;

type Later<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Names and connections as the system has them, or as a test has.
pub trait Net: Send + Sync + 'static {
    /// The addresses of a name.
    fn resolve<'a>(&'a self, host: &'a str) -> Later<'a, Vec<IpAddr>>;
    /// A connection to an address.
    fn dial(&self, address: SocketAddr) -> Later<'static, TcpStream>;
}

/// The system's resolver and sockets.
#[derive(Debug)]
pub struct SystemNet {
    lookups: Arc<Semaphore>,
}

impl Default for SystemNet {
    fn default() -> SystemNet {
        SystemNet { lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Net for SystemNet {
    fn resolve<'a>(&'a self, host: &'a str) -> Later<'a, Vec<IpAddr>> {
        Box::pin(async move {
            let permit = self.lookups.clone().acquire_owned().await.map_err(io::Error::other)?;
            let host = host.to_owned();
            let lookup = move || {
                // Held until the resolver is done, whoever still waits for it.
                let _permit = permit;
                Ok((host.as_str(), 0).to_socket_addrs()?.map(|address| address.ip()).collect())
            };
            tokio::task::spawn_blocking(lookup).await.map_err(io::Error::other)?
        })
    }

    fn dial(&self, address: SocketAddr) -> Later<'static, TcpStream> {
        Box::pin(TcpStream::connect(address))
    }
}

/// The roots file cannot be used.
#[derive(Debug)]
pub struct RootsError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub message: String,
}

/// TLS towards servers: the web's roots as Mozilla has them, and those in `extra` (PEM).
///
/// # Errors
/// The file cannot be read or holds no certificate.
pub fn tls_settings(extra: Option<&Path>) -> Result<Arc<ClientConfig>, RootsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra {
        let blame = |message: String| RootsError { path: path.to_owned(), message };
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| blame(format!("expected PEM certificates: {error}")))?;
        if certificates.is_empty() {
            return Err(blame("expected at least one PEM certificate".to_owned()));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|error| blame(format!("holds a certificate that is no root: {error}")))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has what its own defaults need")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// What all connectors of a node share.
pub struct Shared {
    pub(super) rules: Rules,
    tls: TlsConnector,
    net: Arc<dyn Net>,
    /// Connections open now.
    pub(super) open: Arc<AtomicU64>,
}

impl Shared {
    pub(super) fn new(rules: Rules, tls: Arc<ClientConfig>, net: Arc<dyn Net>) -> Shared {
        Shared { rules, tls: TlsConnector::from(tls), net, open: Arc::default() }
    }
}

/// Opens connections for one tenant.
#[derive(Clone)]
pub struct Connector {
    shared: Arc<Shared>,
    usage: Arc<Usage>,
}

impl Connector {
    pub(super) fn new(shared: Arc<Shared>, usage: Arc<Usage>) -> Connector {
        Connector { shared, usage }
    }

    async fn connect(self, uri: Uri) -> Result<Conn, Failure> {
        let deadline = Instant::now() + Duration::from_millis(u64::from(CONNECT_MS));
        let counted = Counted::enter(&self)?;
        let target = Target::of(uri)?;
        let way = self.shared.rules.outside(&target)?;
        let late = |_| Failure::Late("connecting", CONNECT_MS);
        let addresses = timeout_at(deadline, self.addresses(&target, way)).await.map_err(late)??;
        let tcp = timeout_at(deadline, self.dial(&addresses, target.port, way)).await.map_err(late)??;
        // A request is written at once: nothing is won by waiting for more of it.
        let _ = tcp.set_nodelay(true);
        if !target.tls {
            return Ok(Conn { stream: Stream::Tcp(TokioIo::new(tcp)), _counted: counted });
        }
        let name = ServerName::try_from(target.host).map_err(|_| Refused::Url("names no host that TLS knows"))?;
        let tls = timeout_at(deadline, self.shared.tls.connect(name, tcp)).await.map_err(late)?;
        let tls = tls.map_err(|error| Failure::Tls(tls_trouble(&error)))?;
        Ok(Conn { stream: Stream::Tls(Box::new(TokioIo::new(tls))), _counted: counted })
    }

    /// The addresses that may be dialled; at least one.
    async fn addresses(&self, target: &Target, way: Way) -> Result<Vec<IpAddr>, Failure> {
        let all = match target.address() {
            Some(address) => vec![address],
            None => {
                let _turn = self.usage.lookups.acquire().await.map_err(|_| Failure::Unresolved)?;
                self.shared.net.resolve(&target.host).await.map_err(|_| Failure::Unresolved)?
            }
        };
        let mut refused = None;
        let mut good = Vec::new();
        for address in all {
            let refusal = if self.shared.rules.is_own(SocketAddr::new(address, target.port)) {
                Some(Refused::OwnListener)
            } else if way == Way::Open {
                None
            } else {
                address::refusal(address).map(Refused::Address)
            };
            match refusal {
                Some(why) => refused = refused.or(Some(why)),
                None if good.len() < ADDRESSES_MAX => good.push(address),
                None => {}
            }
        }
        match refused {
            Some(why) if good.is_empty() => Err(why.into()),
            _ if good.is_empty() => Err(Failure::Unresolved),
            _ => Ok(good),
        }
    }

    async fn dial(&self, addresses: &[IpAddr], port: u16, way: Way) -> Result<TcpStream, Failure> {
        let mut failure = Failure::Unreachable("it has no address");
        for (index, &ip) in addresses.iter().enumerate() {
            let peer = SocketAddr::new(ip, port);
            let dialled = self.shared.net.dial(peer);
            let last = index + 1 == addresses.len();
            let patience = if last { Duration::from_millis(u64::from(CONNECT_MS)) } else { EACH_ADDRESS };
            match tokio::time::timeout(patience, dialled).await {
                Ok(Ok(stream)) => {
                    let home = |local: SocketAddr| self.shared.rules.leads_home(local.ip(), peer, way);
                    if stream.local_addr().is_ok_and(home) {
                        return Err(Refused::OwnListener.into());
                    }
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = Failure::Unreachable(dial_trouble(&error)),
                Err(_) => failure = Failure::Unreachable("no answer"),
            }
        }
        Err(failure)
    }
}

fn dial_trouble(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset => "connection reset",
        io::ErrorKind::TimedOut => "no answer",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "no route to it",
        _ => "the connection failed",
    }
}

fn tls_trouble(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => match wrong {
            CertificateError::UnknownIssuer => "its certificate is from an authority that is not trusted".into(),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another host".into()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".into(),
            _ => "its certificate is not valid".into(),
        },
        Some(rustls::Error::AlertReceived(alert)) => format!("it refused the handshake ({alert:?})"),
        Some(_) => "it does not speak TLS as this node does".into(),
        None => "the connection broke off".into(),
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = Conn;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Conn, Failure>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// One connection's place in the counts.
struct Counted {
    open: Arc<AtomicU64>,
    usage: Arc<Usage>,
}

impl Counted {
    fn enter(connector: &Connector) -> Result<Counted, Failure> {
        if !connector.usage.enter() {
            return Err(Failure::Unreachable("too many connections are open"));
        }
        connector.shared.open.fetch_add(1, Ordering::Relaxed);
        Ok(Counted { open: connector.shared.open.clone(), usage: connector.usage.clone() })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.usage.leave();
    }
}

enum Stream {
    Tcp(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

/// An open connection.
pub struct Conn {
    stream: Stream,
    _counted: Counted,
}

impl Connection for Conn {
    fn connected(&self) -> Connected {
        match &self.stream {
            Stream::Tls(tls) if tls.inner().get_ref().1.alpn_protocol() == Some(b"h2") => {
                Connected::new().negotiated_h2()
            }
            _ => Connected::new(),
        }
    }
}

impl Read for Conn {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl Write for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
