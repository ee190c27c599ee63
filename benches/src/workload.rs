//! The three workloads: what is asked and what must come back, byte for byte, from every server.

use bytes::Bytes;

/// 1,024 bytes of JSON: the answer of `json`, the body that `echo` gets and gives back.
pub const RECORD: &str = include_str!("../record.json");

/// What the `hello` function says.
pub const HELLO: &str = "Hello";

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// `GET /hello` → five bytes of text
    Hello,
    /// `GET /json` → 1 KB of JSON, built and written out per request
    Json,
    /// `POST /echo` of 1 KB → the same 1 KB
    Echo,
}

impl Workload {
    /// The word in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Hello => "hello",
            Workload::Json => "json",
            Workload::Echo => "echo",
        }
    }

    /// The body that a right answer has.
    pub fn expected(self) -> &'static [u8] {
        match self {
            Workload::Hello => HELLO.as_bytes(),
            Workload::Json | Workload::Echo => RECORD.as_bytes(),
        }
    }

    /// How the content type of a right answer begins.
    pub fn content_type(self) -> &'static str {
        match self {
            Workload::Hello => "text/plain",
            Workload::Json | Workload::Echo => "application/json",
        }
    }

    /// The whole request as it goes over the wire, the same for every server.
    pub fn request(self, host: &str) -> Bytes {
        let common = format!("Host: {host}\r\nUser-Agent: isle-bench/1\r\nAccept: */*\r\n");
        let text = match self {
            Workload::Hello => format!("GET /hello HTTP/1.1\r\n{common}\r\n"),
            Workload::Json => format!("GET /json HTTP/1.1\r\n{common}\r\n"),
            Workload::Echo => format!(
                "POST /echo HTTP/1.1\r\n{common}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{RECORD}",
                RECORD.len()
            ),
        };
        Bytes::from(text)
    }
}
