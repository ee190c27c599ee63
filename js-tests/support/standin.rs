//! A server on loopback that stands in for the world: functions fetch from it.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What happened at the stand-in.
#[derive(Default)]
pub struct Seen {
    pub connections: AtomicU64,
    pub requests: AtomicU64,
    /// Bytes of `/big` that were taken from us.
    pub sent: AtomicU64,
    /// Bytes of bodies that came to `/slow-sink`.
    pub received: AtomicU64,
    /// Requests to `/hang` and `/endless` that were given up by the other side.
    pub given_up: AtomicU64,
    /// Lets `/two-pieces` write on.
    pub go: Notify,
    /// Lets `/slow-sink` read on.
    pub read_on: Notify,
}

/// A running stand-in; it ends with the value.
pub struct StandIn {
    pub addr: SocketAddr,
    pub seen: Arc<Seen>,
    _runtime: tokio::runtime::Runtime,
}

impl StandIn {
    /// HTTP/1.1 in the clear.
    pub fn start() -> StandIn {
        StandIn::start_with(None)
    }

    /// HTTP/2 and HTTP/1.1 by ALPN under TLS.
    pub fn start_tls(cert: &Path, key: &Path) -> StandIn {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let chain = vec![CertificateDer::from_pem_file(cert).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(key).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a pair");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        StandIn::start_with(Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn start_with(tls: Option<TlsAcceptor>) -> StandIn {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("tokio");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let addr = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        let noted = seen.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                noted.connections.fetch_add(1, Ordering::Relaxed);
                let (seen, tls) = (noted.clone(), tls.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(request, seen.clone()));
                    // A client that breaks off is no concern of the stand-in's.
                    match tls {
                        None => {
                            let _ = hyper::server::conn::http1::Builder::new()
                                .serve_connection(TokioIo::new(stream), service)
                                .await;
                        }
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                            if h2 {
                                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                            } else {
                                let builder = hyper::server::conn::http1::Builder::new();
                                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                            }
                        }
                    }
                });
            }
        });
        StandIn { addr, seen, _runtime: runtime }
    }

    /// Connections that came.
    pub fn connections(&self) -> u64 {
        self.seen.connections.load(Ordering::Relaxed)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// A body of pieces that are made while there is room.
fn pieces(receiver: mpsc::Receiver<Bytes>) -> Body {
    Pieces(receiver).boxed_unsync()
}

struct Pieces(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// Counts a request that was dropped before its end.
struct GivenUp(Arc<Seen>, bool);

impl Drop for GivenUp {
    fn drop(&mut self) {
        if !self.1 {
            self.0.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn answer(request: Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Body>, Infallible> {
    seen.requests.fetch_add(1, Ordering::Relaxed);
    let query: BTreeMap<String, String> = request
        .uri()
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect();
    let get = |name: &str| query.get(name).map(String::as_str);
    let status = get("status").and_then(|status| status.parse().ok()).unwrap_or(200u16);
    let mut response = Response::builder().status(status);
    let path = request.uri().path().to_owned();
    Ok(match path.as_str() {
        "/hello" => response.header("x-served-by", "stand-in").body(full("hello")),
        // What came, as JSON: the body is text.
        "/request" => {
            let (parts, body) = request.into_parts();
            let headers: Vec<_> =
                parts.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("?"))).collect();
            let version = if parts.version == Version::HTTP_2 { "2" } else { "1.1" };
            let authority = parts.uri.authority().map(|authority| authority.to_string());
            let head = json!({
                "method": parts.method.as_str(), "path": parts.uri.path(), "version": version,
                "headers": headers, "authority": authority,
            });
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let mut all = head;
            all["body"] = String::from_utf8_lossy(&body).into();
            response.header("content-type", "application/json").body(full(all.to_string()))
        }
        // The body comes back as it comes in.
        "/echo" => {
            let (sender, receiver) = mpsc::channel(1);
            tokio::spawn(async move {
                let mut body = request.into_body();
                while let Some(Ok(frame)) = body.frame().await {
                    if let Ok(data) = frame.into_data()
                        && sender.send(data).await.is_err()
                    {
                        return;
                    }
                }
            });
            response.body(pieces(receiver))
        }
        "/redirect" => {
            response = response.header("location", get("to").unwrap_or("/hello"));
            response.body(full("moved"))
        }
        "/around" => response.status(302).header("location", "/around").body(full("")),
        "/status" => response.header("x-status", "yes").body(full("")),
        "/gzip" | "/lie" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            let zeros: usize = get("zeros").and_then(|n| n.parse().ok()).unwrap_or(0);
            if zeros > 0 {
                let block = vec![0; 1 << 20];
                (0..zeros).for_each(|_| encoder.write_all(&block).expect("to memory"));
            } else {
                encoder.write_all(b"unpacked").expect("to memory");
            }
            let coding = if path == "/lie" { "br" } else { "gzip" };
            response.header("content-encoding", coding).body(full(encoder.finish().expect("to memory")))
        }
        // The word "unpacked" in a content coding.
        "/coded" => {
            let word = b"unpacked";
            let coding = get("as").unwrap_or("gzip");
            let bytes = match coding {
                "deflate" => {
                    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
                    encoder.write_all(word).expect("to memory");
                    encoder.finish().expect("to memory")
                }
                // One meta-block that is not compressed, and the last, which is empty.
                "br" => [&[0x8b, 0x03, 0x80], &word[..], &[0x03]].concat(),
                _ => {
                    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                    encoder.write_all(word).expect("to memory");
                    encoder.finish().expect("to memory")
                }
            };
            response.header("content-encoding", coding).header("x-origin", "yes").body(full(bytes))
        }
        // So many MiB, as fast as they are taken.
        "/big" => {
            let mib: u64 = get("mib").and_then(|n| n.parse().ok()).unwrap_or(1);
            let (sender, receiver) = mpsc::channel(1);
            tokio::spawn(async move {
                for _ in 0..mib * 16 {
                    if sender.send(Bytes::from(vec![b'x'; 64 << 10])).await.is_err() {
                        return;
                    }
                    seen.sent.fetch_add(64 << 10, Ordering::Relaxed);
                }
            });
            response.body(pieces(receiver))
        }
        "/two-pieces" => {
            let (sender, receiver) = mpsc::channel(1);
            tokio::spawn(async move {
                let _ = sender.send("first ".into()).await;
                seen.go.notified().await;
                let _ = sender.send("second".into()).await;
            });
            response.body(pieces(receiver))
        }
        // Says something once and then nothing until the other side leaves.
        "/endless" => {
            let (sender, receiver) = mpsc::channel(1);
            tokio::spawn(async move {
                let _ = sender.send("begun".into()).await;
                sender.closed().await;
                seen.given_up.fetch_add(1, Ordering::Relaxed);
            });
            response.body(pieces(receiver))
        }
        "/hang" => {
            let _given_up = GivenUp(seen, false);
            std::future::pending().await
        }
        // Ends in the middle of what it announced.
        "/cut" => {
            let (sender, receiver) = mpsc::channel(1);
            tokio::spawn(async move {
                let _ = sender.send("half".into()).await;
            });
            response.header("content-length", "1000").body(pieces(receiver))
        }
        // Reads nothing until it is told to, then all of it.
        "/slow-sink" => {
            seen.read_on.notified().await;
            let mut body = request.into_body();
            let mut length = 0;
            while let Some(Ok(frame)) = body.frame().await {
                length += frame.data_ref().map_or(0, Bytes::len);
                seen.received.store(length as u64, Ordering::Relaxed);
            }
            response.body(full(length.to_string()))
        }
        // Answers before it has read the body, and never reads it.
        "/early" => response.status(413).body(full("too much")),
        _ => Response::builder().status(404).body(full("nothing here")),
    }
    .expect("a response"))
}

fn decoded(text: &str) -> String {
    text.replace("%3A", ":").replace("%2F", "/").replace("%3F", "?").replace("%3D", "=").replace("%26", "&")
}
