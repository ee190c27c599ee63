//! What the listeners count, and the closed list of reasons for which they refuse.

use super::reply::ReplyBody;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use std::sync::atomic::{AtomicU64, Ordering};

/// An answer is one constant: refusing must cost less than asking.
macro_rules! answer {
    ($status:literal, $length:literal, $message:literal) => {
        concat!(
            "HTTP/1.1 ",
            $status,
            "\r\ncontent-type: application/json\r\ncontent-length: ",
            $length,
            "\r\nconnection: close\r\n\r\n{\"message\":\"",
            $message,
            "\"}"
        )
    };
}

/// Why a connection or a request was refused before any function was chosen.
///
/// A new reason does not compile until its word and its answer are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Refusal {
    /// A request line or header that is not HTTP/1: bare LF or CR, NUL, obs-fold, bad names. 400.
    Malformed = 0,
    /// Where the body ends is in doubt: Content-Length, Transfer-Encoding or chunks. 400.
    Framing = 1,
    /// No Host, two Hosts, or a Host that is no host. 400.
    Host = 2,
    /// A request head was begun and not finished within `header_timeout_ms`. 408.
    HeadTimeout = 3,
    /// The request target is longer than `uri_bytes_max`. 414.
    UriTooLong = 4,
    /// The head has more than `head_bytes_max` bytes or `headers_max` fields. 431.
    HeadTooLarge = 5,
    /// Neither HTTP/1.0 nor HTTP/1.1. 505.
    Version = 6,
    /// More than `connections_max` connections. 503 on a plain listener, closed on a TLS one.
    ConnectionsFull = 7,
    /// No TLS handshake could be begun in time: `handshakes_max` were under way. Closed.
    HandshakesFull = 8,
    /// The TLS handshake was not finished within `handshake_timeout_ms`. Closed.
    HandshakeTimeout = 9,
    /// The TLS handshake failed: no TLS at all, or nothing in common. Closed.
    HandshakeFailed = 10,
    /// The client took none of its response for `idle_timeout_ms`. Closed; an HTTP/2 stream is reset.
    Stalled = 11,
}

impl Refusal {
    /// Every reason, in the order of the counters.
    pub const ALL: [Refusal; 12] = [
        Refusal::Malformed,
        Refusal::Framing,
        Refusal::Host,
        Refusal::HeadTimeout,
        Refusal::UriTooLong,
        Refusal::HeadTooLarge,
        Refusal::Version,
        Refusal::ConnectionsFull,
        Refusal::HandshakesFull,
        Refusal::HandshakeTimeout,
        Refusal::HandshakeFailed,
        Refusal::Stalled,
    ];

    /// The metric label and log word.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::Malformed => "malformed",
            Refusal::Framing => "framing",
            Refusal::Host => "host",
            Refusal::HeadTimeout => "head_timeout",
            Refusal::UriTooLong => "uri_too_long",
            Refusal::HeadTooLarge => "head_too_large",
            Refusal::Version => "version",
            Refusal::ConnectionsFull => "connections_full",
            Refusal::HandshakesFull => "handshakes_full",
            Refusal::HandshakeTimeout => "handshake_timeout",
            Refusal::HandshakeFailed => "handshake_failed",
            Refusal::Stalled => "stalled",
        }
    }

    /// The whole HTTP/1.1 answer, or `None` where there is nobody to answer in HTTP.
    pub(super) fn answer(self) -> Option<&'static str> {
        match self {
            Refusal::Malformed | Refusal::Framing | Refusal::Host => {
                Some(answer!("400 Bad Request", "25", "Bad Request"))
            }
            Refusal::HeadTimeout => Some(answer!("408 Request Timeout", "29", "Request Timeout")),
            Refusal::UriTooLong => Some(answer!("414 URI Too Long", "26", "URI Too Long")),
            Refusal::HeadTooLarge => {
                Some(answer!("431 Request Header Fields Too Large", "45", "Request Header Fields Too Large"))
            }
            Refusal::Version => Some(answer!("505 HTTP Version Not Supported", "40", "HTTP Version Not Supported")),
            Refusal::ConnectionsFull => Some(answer!("503 Service Unavailable", "33", "Service Unavailable")),
            Refusal::HandshakesFull | Refusal::HandshakeTimeout | Refusal::HandshakeFailed | Refusal::Stalled => None,
        }
    }

    /// The same as a response, where the protocol frames its responses itself.
    pub(super) fn reply(self) -> Response<ReplyBody> {
        let (head, body) = self.answer().and_then(|answer| answer.split_once("\r\n\r\n")).unwrap_or_default();
        let mut reply = Response::new(ReplyBody::from(body));
        // Behind `HTTP/1.1 `.
        let status = head.get(9..12).and_then(|digits| digits.parse().ok());
        *reply.status_mut() = status.unwrap_or(StatusCode::BAD_REQUEST);
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        reply
    }

    pub(super) fn from_index(index: u8) -> Option<Refusal> {
        Refusal::ALL.get(usize::from(index)).copied()
    }
}

/// Counters of one listener; they only grow, except [`Counters::connections_open`].
#[derive(Debug, Default)]
pub struct Counters {
    open: AtomicU64,
    total: AtomicU64,
    accept_errors: AtomicU64,
    refusals: [AtomicU64; Refusal::ALL.len()],
}

impl Counters {
    /// Connections open now.
    pub fn connections_open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections ever accepted, those refused for want of room included.
    pub fn connections_total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Times that the kernel gave no connection: out of file descriptors or memory.
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Ordering::Relaxed)
    }

    /// How often `reason` was given.
    pub fn refused(&self, reason: Refusal) -> u64 {
        self.refusals[reason as usize].load(Ordering::Relaxed)
    }

    pub(super) fn refuse(&self, reason: Refusal) {
        self.refusals[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn accept_error(&self) {
        self.accept_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn accepted(&self) {
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_in_the_order_of_their_numbers() {
        for (index, reason) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            assert_eq!(Refusal::from_index(index as u8), Some(reason));
        }
        assert_eq!(Refusal::from_index(Refusal::ALL.len() as u8), None);
    }

    #[test]
    fn every_answer_states_its_own_length() {
        for answer in Refusal::ALL.into_iter().filter_map(Refusal::answer) {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{answer}");
            serde_json::from_str::<serde_json::Value>(body).unwrap();
        }
    }

    #[test]
    fn every_answer_is_the_same_as_a_response() {
        for reason in Refusal::ALL {
            let Some(answer) = reason.answer() else { continue };
            let reply = reason.reply();
            assert!(answer.starts_with(&format!("HTTP/1.1 {}\r\n", reply.status())), "{answer}");
            let ReplyBody::Full(Some(body)) = reply.into_body() else { panic!("{answer}") };
            assert!(answer.as_bytes().ends_with(&body), "{answer}");
        }
    }
}
