//! A blocking HTTP/1.1 client over one socket: small enough to trust, low enough to misbehave.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A request to send. The client adds `host` and, with a body, `content-length`; nothing else.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub host: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

impl Request {
    pub fn new(method: &str, host: &str, path: &str) -> Request {
        Request { method: method.into(), host: host.into(), path: path.into(), headers: Vec::new(), body: None }
    }

    pub fn get(host: &str, path: &str) -> Request {
        Request::new("GET", host, path)
    }

    pub fn post(host: &str, path: &str, body: impl Into<Vec<u8>>) -> Request {
        Request { body: Some(body.into()), ..Request::new("POST", host, path) }
    }

    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", self.method, self.path, self.host);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head + "\r\n"
    }
}

/// The status line and header fields of a response.
#[derive(Clone, Debug)]
pub struct Head {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// Every value of this (lower-case) name, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct Response {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Response {
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The `isle-outcome` header, or `(none)`.
    pub fn outcome(&self) -> &str {
        self.head.header("isle-outcome").unwrap_or("(none)")
    }

    pub fn request_id(&self) -> &str {
        self.head.header("isle-request-id").unwrap_or("(none)")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e} in the body {:?}", self.text()))
    }

    /// Status, outcome and body in one line, for assertions' messages.
    pub fn summary(&self) -> String {
        let mut text = self.text();
        if let Some((end, _)) = text.char_indices().nth(300) {
            text.truncate(end);
        }
        format!("{} {} {text:?}", self.status(), self.outcome())
    }
}

/// One connection, kept alive from call to call.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// # Panics
    /// When nobody listens at `addr`.
    pub fn open(addr: SocketAddr) -> Connection {
        Connection::try_open(addr).unwrap_or_else(|e| panic!("cannot connect to {addr}: {e}"))
    }

    pub fn try_open(addr: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.set_write_timeout(Some(Duration::from_secs(60)))?;
        Ok(Connection { stream, buffer: Vec::new() })
    }

    /// A second hold on the connection: one may send while the other receives.
    pub fn second(&self) -> Connection {
        Connection { stream: self.stream.try_clone().expect("a descriptor"), buffer: Vec::new() }
    }

    /// How long a write may wait.
    pub fn set_write_timeout(&self, timeout: Duration) {
        self.stream.set_write_timeout(Some(timeout)).expect("a timeout above 0");
    }

    /// Sends a request and waits for its response.
    pub fn call(&mut self, request: &Request) -> io::Result<Response> {
        self.send(request)?;
        self.receive(&request.method)
    }

    pub fn send(&mut self, request: &Request) -> io::Result<()> {
        let mut bytes = request.head().into_bytes();
        bytes.extend_from_slice(request.body.as_deref().unwrap_or_default());
        // A refused body may close the connection before all of it is written; the answer counts.
        match self.stream.write_all(&bytes) {
            Err(e) if matches!(e.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => Ok(()),
            other => other,
        }
    }

    /// Sends these bytes as they are.
    pub fn send_raw(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Receives the response to a request of `method`, passing over interim ones.
    pub fn receive(&mut self, method: &str) -> io::Result<Response> {
        let head = loop {
            let head = self.receive_head()?;
            if head.status >= 200 {
                break head;
            }
        };
        let mut body = Vec::new();
        if method == "HEAD" || head.status == 204 || head.status == 304 {
            return Ok(Response { head, body });
        }
        if head.header("transfer-encoding").is_some() {
            while let Some(mut chunk) = self.receive_chunk()? {
                body.append(&mut chunk);
            }
        } else if let Some(length) = head.header("content-length") {
            let length = length.parse().map_err(|_| io::Error::other(format!("content-length {length:?}")))?;
            self.fill_to(length)?;
            body = self.buffer.drain(..length).collect();
        } else {
            while self.fill()? > 0 {}
            body = std::mem::take(&mut self.buffer);
        }
        Ok(Response { head, body })
    }

    /// Receives a head: of an interim response too.
    pub fn receive_head(&mut self) -> io::Result<Head> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            if self.fill()? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed before a response"));
            }
        };
        let bytes: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.trim_end().split("\r\n");
        let line = lines.next().unwrap_or_default();
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("status line {line:?}")))?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Ok(Head { status, headers })
    }

    /// Receives a chunk of a chunked body; `None` is its end.
    pub fn receive_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.receive_line()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| io::Error::other(format!("chunk size {line:?}")))?;
        if size == 0 {
            while !self.receive_line()?.is_empty() {}
            return Ok(None);
        }
        self.fill_to(size + 2)?;
        let chunk = self.buffer.drain(..size).collect();
        self.buffer.drain(..2);
        Ok(Some(chunk))
    }

    fn receive_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|w| w == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..at]).into_owned());
            }
            if self.fill()? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed inside a chunked body"));
            }
        }
    }

    fn fill_to(&mut self, length: usize) -> io::Result<()> {
        while self.buffer.len() < length {
            if self.fill()? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed inside a body"));
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0u8; 16 << 10];
        let count = self.stream.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}

/// One request on a connection of its own.
///
/// # Panics
/// When no whole response comes.
pub fn call(addr: SocketAddr, request: &Request) -> Response {
    let answer = Connection::open(addr).call(request);
    answer.unwrap_or_else(|e| panic!("{} {}{}: {e}", request.method, request.host, request.path))
}
