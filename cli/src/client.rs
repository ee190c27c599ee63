//! A small client of a node's admin API: one HTTP/1.1 connection per call, JSON both ways.
//!
//! Every way a call can fail is a [`ClientError`] whose message says what to do about it.

use crate::args::NodeArgs;
use crate::failure::{Failure, plain};
use crate::node_url::NodeUrl;
use crate::term::{Paint, harmless, remark};
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use nix::sys::socket::{setsockopt, sockopt};
use serde::{Deserialize, de::DeserializeOwned};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time for a TCP connection, and for TLS on it. 5 s: half around the world and one lost packet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a whole answer. 120 s: the node does little for it, but may be at a deployment of the
/// same app first.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Time for the answer to an upload. 6 h: for a hundred functions whose builders all take the 30 s
/// that they may, one after another, a node needs 50 minutes, and tenants take turns.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(6 * 3600);
/// How often somebody who waits for an upload is told that it goes on.
const NOTE_EVERY: Duration = Duration::from_secs(60);
/// A node that is gone is found after a silence of 15 s and three probes without an answer: what is
/// waited for may take long, and a machine that is off closes no connection.
const KEEPALIVE: (u32, u32, u32) = (15, 5, 3);
/// The longest answer that is read whole, in bytes.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// The longest line of a stream, in bytes.
const LINE_BYTES_MAX: usize = 1 << 20;

/// A call that did not give what was asked for.
#[derive(Debug)]
pub enum ClientError {
    /// No connection.
    Unreachable { node: NodeUrl, why: String },
    /// The token has characters that no token has.
    BadToken,
    /// The node took too long. What was to change something may still do so.
    Slow { node: NodeUrl, waited: Duration, changing: bool },
    /// The connection broke in the middle.
    Broken { node: NodeUrl, why: String },
    /// The node said no.
    Refused { status: u16, error: ApiError },
    /// Something answered that is no Isle node, or one of another age.
    Strange { node: NodeUrl, what: String },
}

/// The API's error object.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct ApiError {
    /// A word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// More, depending on `code`.
    #[serde(default)]
    pub details: serde_json::Value,
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ClientError::Unreachable { node, why } => {
                write!(f, "cannot reach node at {node}: {why}; is `isle serve` running?")
            }
            ClientError::BadToken => write!(f, "the token has characters that no token has"),
            ClientError::Slow { node, waited, changing } => {
                let perhaps = if *changing { "; it may still finish what it was asked to do" } else { "" };
                write!(f, "node at {node} did not answer within {} s{perhaps}", waited.as_secs())
            }
            ClientError::Broken { node, why } => write!(f, "the connection to {node} broke: {why}"),
            ClientError::Refused { status: 401, error } => {
                write!(f, "{} (set ISLE_TOKEN or pass --token)", error.message)
            }
            ClientError::Refused { error, .. } => write!(f, "{}", error.message),
            ClientError::Strange { node, what } => write!(f, "what answers at {node} is no Isle admin API: {what}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        Failure::Said(harmless(&error.to_string(), true).into_owned())
    }
}

/// Talks to one node with one token.
#[derive(Clone)]
pub struct Client {
    node: NodeUrl,
    token: Option<String>,
    answer_timeout: Duration,
}

/// A successful answer.
#[derive(Debug)]
pub struct Answer {
    /// The body as it came.
    pub body: Bytes,
    node: NodeUrl,
}

impl Answer {
    /// The body as a value.
    ///
    /// # Errors
    /// [`ClientError::Strange`] when it is not one.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ClientError::Strange { node: self.node.clone(), what: error.to_string() })
    }

    /// The body as text, for `--json`.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim_end().to_owned()
    }
}

impl Client {
    /// A client; nothing is sent yet.
    pub fn new(node: NodeUrl, token: Option<String>) -> Client {
        Client { node, token, answer_timeout: ANSWER_TIMEOUT }
    }

    /// A client as the command line asks for. Says so when the token would be readable on its way.
    pub fn of(args: &NodeArgs) -> Client {
        if args.token.is_some() && !args.url.tls && !args.url.is_loopback() {
            let warning = Paint::stderr().yellow("warning");
            remark(&format!("{warning}: your token goes to {} without encryption", args.url));
        }
        Client::new(args.url.clone(), args.token.clone())
    }

    /// `GET`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get(&self, path: &str) -> Result<Answer, ClientError> {
        self.call(Method::GET, path, None, self.answer_timeout).await
    }

    /// `POST` of JSON text.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn post(&self, path: &str, json: &serde_json::Value) -> Result<Answer, ClientError> {
        self.call(Method::POST, path, Some(Bytes::from(json.to_string())), self.answer_timeout).await
    }

    /// `POST` of a deployment. The node answers when it has found out how to start each function, and
    /// that may take as long as it takes; who waits for long is told that it goes on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn upload(&self, path: &str, json: &serde_json::Value) -> Result<Answer, ClientError> {
        let mut call = pin!(self.call(Method::POST, path, Some(Bytes::from(json.to_string())), UPLOAD_TIMEOUT));
        loop {
            match timeout(NOTE_EVERY, &mut call).await {
                Ok(result) => return result,
                Err(_) => remark(&format!("node at {} is still at it", self.node)),
            }
        }
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn delete(&self, path: &str) -> Result<Answer, ClientError> {
        self.call(Method::DELETE, path, None, self.answer_timeout).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        limit: Duration,
    ) -> Result<Answer, ClientError> {
        let changing = method != Method::GET;
        let whole = async {
            let response = self.send(method, path, body).await?;
            let status = response.status().as_u16();
            let body = self.whole_body(response.into_body()).await?;
            if (200..300).contains(&status) {
                Ok(Answer { body, node: self.node.clone() })
            } else {
                Err(self.refusal(status, &body))
            }
        };
        match timeout(limit, whole).await {
            Ok(result) => result,
            Err(_) => Err(ClientError::Slow { node: self.node.clone(), waited: limit, changing }),
        }
    }

    /// `GET` of a stream of lines that may never end.
    ///
    /// # Errors
    /// See [`ClientError`]; the time limit is for the answer's head only.
    pub async fn lines(&self, path: &str) -> Result<Lines, ClientError> {
        let limit = self.answer_timeout;
        let slow = |_| ClientError::Slow { node: self.node.clone(), waited: limit, changing: false };
        let response = timeout(limit, self.send(Method::GET, path, None)).await.map_err(slow)??;
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(Lines {
                node: self.node.clone(),
                body: response.into_body(),
                read: BytesMut::new(),
                ended: false,
            });
        }
        let body = timeout(limit, self.whole_body(response.into_body())).await.map_err(slow)??;
        Err(self.refusal(status, &body))
    }

    async fn whole_body(&self, body: Incoming) -> Result<Bytes, ClientError> {
        match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) => Err(ClientError::Broken { node: self.node.clone(), why: error.to_string() }),
        }
    }

    /// The API's own words where there are some.
    fn refusal(&self, status: u16, body: &[u8]) -> ClientError {
        #[derive(Deserialize)]
        struct Envelope {
            error: ApiError,
        }
        match serde_json::from_slice::<Envelope>(body) {
            Ok(Envelope { error }) => ClientError::Refused { status, error },
            Err(_) => {
                ClientError::Strange { node: self.node.clone(), what: format!("status {status} without an error") }
            }
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Response<Incoming>, ClientError> {
        let request = self.request(method, path, body)?;
        let address = (self.node.host.as_str(), self.node.port);
        let stream = match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.unreachable(plain(&error))),
            Err(_) => return Err(self.unreachable(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))),
        };
        // A system that does not do it only finds out later that the node is gone.
        _ = keep_alive(&stream);
        if !self.node.tls {
            return self.exchange(stream, request).await;
        }
        match timeout(CONNECT_TIMEOUT, secured(&self.node.host, stream)).await {
            Ok(Ok(stream)) => self.exchange(stream, request).await,
            Ok(Err(why)) => Err(self.unreachable(why)),
            Err(_) => Err(self.unreachable(format!("no TLS within {} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    fn unreachable(&self, why: String) -> ClientError {
        ClientError::Unreachable { node: self.node.clone(), why }
    }

    fn request(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.node.prefix))
            .header(HOST, self.node.authority())
            .header(ACCEPT, "application/json, application/x-ndjson");
        if let Some(token) = &self.token {
            let mut value =
                HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(|_| ClientError::BadToken)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|error| ClientError::Strange { node: self.node.clone(), what: error.to_string() })
    }

    async fn exchange<S>(&self, stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| ClientError::Broken { node: self.node.clone(), why: error.to_string() };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Drives the connection until the response's body is dropped; its errors reach the body too.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(broken)
    }
}

/// Has the system find out whether the other side is still there.
fn keep_alive(stream: &TcpStream) -> nix::Result<()> {
    let (idle, interval, count) = KEEPALIVE;
    setsockopt(stream, sockopt::TcpKeepIdle, &idle)?;
    setsockopt(stream, sockopt::TcpKeepInterval, &interval)?;
    setsockopt(stream, sockopt::TcpKeepCount, &count)?;
    setsockopt(stream, sockopt::KeepAlive, &true)
}

/// TLS with the certificates that the system trusts.
async fn secured(host: &str, stream: TcpStream) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
    use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
    let mut roots = RootCertStore::empty();
    let trusted =
        rustls_native_certs::load_native_certs().map_err(|error| format!("no trusted certificates: {error}"))?;
    roots.add_parsable_certificates(trusted);
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| error.to_string())
}

/// A stream of lines.
pub struct Lines {
    node: NodeUrl,
    body: Incoming,
    read: BytesMut,
    ended: bool,
}

impl Lines {
    /// The next line that is not blank, without its end; `None` when the node closed the stream.
    ///
    /// # Errors
    /// A broken connection or an endless line.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            if let Some(line) = take_line(&mut self.read, self.ended) {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(None);
            }
            if self.read.len() > LINE_BYTES_MAX {
                let what = format!("a line of more than {LINE_BYTES_MAX} bytes");
                return Err(ClientError::Strange { node: self.node.clone(), what });
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.read.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => {
                    return Err(ClientError::Broken { node: self.node.clone(), why: error.to_string() });
                }
                None => self.ended = true,
            }
        }
    }
}

/// Takes the next line that is not blank off the front; at the end, a line may lack its end.
fn take_line(read: &mut BytesMut, ended: bool) -> Option<Bytes> {
    loop {
        let line = match read.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let line = read.split_to(end);
                read.advance(1);
                line
            }
            None if ended && !read.is_empty() => read.split(),
            None => return None,
        };
        if !line.trim_ascii().is_empty() {
            return Some(line.freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn lines_are_cut_wherever_the_pieces_end() {
        let mut read = BytesMut::from("one\n\ntw");
        assert_eq!(take_line(&mut read, false).unwrap(), "one");
        assert_eq!(take_line(&mut read, false), None);
        read.extend_from_slice(b"o\r\nlast");
        assert_eq!(take_line(&mut read, false).unwrap(), "two\r");
        assert_eq!(take_line(&mut read, true).unwrap(), "last");
        assert_eq!(take_line(&mut read, true), None);
    }

    /// A node that answers one request with these bytes and returns what it was sent.
    async fn node(answer: &'static str) -> (Client, tokio::task::JoinHandle<String>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/pre", listener.local_addr().unwrap()).parse().unwrap();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap().to_ascii_lowercase()
        });
        (Client::new(url, Some("isle_t_abc\n".to_owned())), served)
    }

    #[tokio::test]
    async fn a_call_carries_the_token_and_reads_json() {
        let (client, served) = node("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"apps\":[]}").await;
        let answer = client.get("/v1/apps").await.unwrap();
        assert_eq!(answer.json::<serde_json::Value>().unwrap(), serde_json::json!({"apps": []}));
        let request = served.await.unwrap();
        assert!(request.starts_with("get /pre/v1/apps http/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nauthorization: bearer isle_t_abc\r\n"), "{request}");
    }

    #[tokio::test]
    async fn a_refusal_speaks_in_the_nodes_words() {
        let (client, _served) = node(
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 59\r\n\r\n\
             {\"error\":{\"code\":\"unauthorized\",\"message\":\"unknown token\"}}",
        )
        .await;
        let error = client.get("/v1/apps").await.unwrap_err();
        assert_eq!(error.to_string(), "unknown token (set ISLE_TOKEN or pass --token)");
    }

    #[tokio::test]
    async fn a_stranger_is_recognised() {
        let (client, _served) = node("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\noops").await;
        let error = client.get("/v1/apps").await.unwrap_err().to_string();
        assert!(error.contains("is no Isle admin API: status 404"), "{error}");
    }

    #[tokio::test]
    async fn a_deployment_is_waited_for_longer_than_anything_else() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let client = Client { answer_timeout: Duration::from_millis(50), ..Client::new(url, None) };
        let nothing = serde_json::Value::Null;
        let upload = client.upload("/v1/apps/blog/deployments", &nothing);
        let others = async {
            let (mut deploying, _) = listener.accept().await.unwrap();
            // Longer than this the upload has waited already when its answer comes.
            let slow = client.post("/v1/apps/blog/rollback", &nothing).await.unwrap_err().to_string();
            assert!(slow.ends_with("did not answer within 0 s; it may still finish what it was asked to do"), "{slow}");
            let slow = client.get("/v1/apps").await.unwrap_err().to_string();
            assert!(slow.ends_with("did not answer within 0 s"), "{slow}");
            deploying.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
            // Dropped only when the answer has been read.
            deploying
        };
        let (answer, _deploying) = tokio::join!(upload, others);
        assert_eq!(answer.unwrap().text(), "{}");
    }

    #[tokio::test]
    async fn connections_find_out_that_a_node_is_gone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        keep_alive(&stream).unwrap();
        assert!(nix::sys::socket::getsockopt(&stream, sockopt::KeepAlive).unwrap());
        assert_eq!(nix::sys::socket::getsockopt(&stream, sockopt::TcpKeepIdle).unwrap(), KEEPALIVE.0);
    }

    #[tokio::test]
    async fn lines_come_one_by_one() {
        let (client, _served) =
            node("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{}\n{\r\n2\r\n}\n\r\n0\r\n\r\n").await;
        let mut lines = client.lines("/v1/apps/blog/logs").await.unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap(), "{}");
        assert_eq!(lines.next().await.unwrap().unwrap(), "{}");
        assert_eq!(lines.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn nobody_there_is_said_with_the_remedy() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let client = Client::new(format!("http://{address}").parse().unwrap(), None);
        let error = client.get("/v1/apps").await.unwrap_err().to_string();
        let expected = format!("cannot reach node at http://{address}: connection refused; is `isle serve` running?");
        assert_eq!(error, expected);
    }
}
