//! What is refused, and that a request before it in a pipeline is still answered.

use super::*;
use crate::accept::Refusal;

const OK: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// Everything that could be read in two ways, and how it is refused.
const REFUSED: &[(&str, &str, u16, Refusal)] = &[
    ("bare LF", "GET / HTTP/1.1\nhost: a\n\n", 400, Refusal::Malformed),
    ("bare LF after a header", "GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n", 400, Refusal::Malformed),
    ("bare CR in a value", "GET / HTTP/1.1\r\nhost: a\r\nx: y\rz\r\n\r\n", 400, Refusal::Malformed),
    ("NUL", "GET / HTTP/1.1\r\nhost: a\r\nx: y\0z\r\n\r\n", 400, Refusal::Malformed),
    ("obs-fold", "GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n", 400, Refusal::Malformed),
    ("obs-fold first", "GET / HTTP/1.1\r\n host: a\r\n\r\n", 400, Refusal::Malformed),
    ("blank before the colon", "GET / HTTP/1.1\r\nhost: a\r\nx : y\r\n\r\n", 400, Refusal::Malformed),
    ("tab before the colon", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length\t: 5\r\n\r\n", 400, Refusal::Malformed),
    ("no colon", "GET / HTTP/1.1\r\nhost: a\r\nxyz\r\n\r\n", 400, Refusal::Malformed),
    ("no name", "GET / HTTP/1.1\r\nhost: a\r\n: y\r\n\r\n", 400, Refusal::Malformed),
    ("two blanks", "GET  / HTTP/1.1\r\nhost: a\r\n\r\n", 400, Refusal::Malformed),
    ("blank in the target", "GET /a b HTTP/1.1\r\nhost: a\r\n\r\n", 400, Refusal::Malformed),
    ("target that is no path", "GET a HTTP/1.1\r\nhost: a\r\n\r\n", 400, Refusal::Malformed),
    ("CONNECT", "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", 400, Refusal::Malformed),
    ("fragment", "GET /a#b HTTP/1.1\r\nhost: a\r\n\r\n", 400, Refusal::Malformed),
    ("no method", " / HTTP/1.1\r\nhost: a\r\n\r\n", 400, Refusal::Malformed),
    ("HTTP/0.9", "GET /\r\n\r\n", 400, Refusal::Malformed),
    ("TLS on a plain port", "\x16\x03\x01\0\x01\x01\0\r\n\r\n", 400, Refusal::Malformed),
    ("HTTP/1.2", "GET / HTTP/1.2\r\nhost: a\r\n\r\n", 505, Refusal::Version),
    ("HTTP/2.0", "GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505, Refusal::Version),
    ("HTTP/1.x", "GET / HTTP/1.x\r\nhost: a\r\n\r\n", 400, Refusal::Malformed),
    ("lower-case http", "GET / http/1.1\r\nhost: a\r\n\r\n", 400, Refusal::Malformed),
    ("no Host", "GET / HTTP/1.1\r\n\r\n", 400, Refusal::Host),
    ("two Hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400, Refusal::Host),
    ("the same Host twice", "GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n", 400, Refusal::Host),
    ("a list of Hosts", "GET / HTTP/1.1\r\nhost: a, b\r\n\r\n", 400, Refusal::Host),
    ("a Host with user", "GET / HTTP/1.1\r\nhost: u@a\r\n\r\n", 400, Refusal::Host),
    ("a Host with path", "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n", 400, Refusal::Host),
    ("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n", 400, Refusal::Host),
    (
        "two lengths",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        400,
        Refusal::Framing,
    ),
    (
        "a length twice",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
        400,
        Refusal::Framing,
    ),
    ("a list of lengths", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\na", 400, Refusal::Framing),
    ("+1", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\na", 400, Refusal::Framing),
    ("-1", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\na", 400, Refusal::Framing),
    ("0x1", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x1\r\n\r\na", 400, Refusal::Framing),
    ("empty length", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\na", 400, Refusal::Framing),
    ("2^64 + 1", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551617\r\n\r\na", 400, Refusal::Framing),
    (
        "length and chunks",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        Refusal::Framing,
    ),
    (
        "chunks and length",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        400,
        Refusal::Framing,
    ),
    (
        "gzip, chunked",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        400,
        Refusal::Framing,
    ),
    (
        "chunked, identity",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        400,
        Refusal::Framing,
    ),
    ("xchunked", "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n", 400, Refusal::Framing),
    (
        "vertical tab before chunked",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        400,
        Refusal::Framing,
    ),
    (
        "chunked twice",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        Refusal::Framing,
    ),
    (
        "chunked in HTTP/1.0",
        "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        Refusal::Framing,
    ),
];

/// Chunks that are refused while the body is read.
const BAD_CHUNKS: &[(&str, &str)] = &[
    ("no size", "\r\nab\r\n0\r\n\r\n"),
    ("no hexadecimal size", "2g\r\nab\r\n0\r\n\r\n"),
    ("0x2", "0x2\r\nab\r\n0\r\n\r\n"),
    ("-2", "-2\r\nab\r\n0\r\n\r\n"),
    ("blank after the size", "2 \r\nab\r\n0\r\n\r\n"),
    ("blank before the size", " 2\r\nab\r\n0\r\n\r\n"),
    ("2^64 + 2", "10000000000000002\r\nab\r\n0\r\n\r\n"),
    ("bare LF after the size", "2\nab\r\n0\r\n\r\n"),
    ("bare LF in an extension", "2;a\nb\r\nab\r\n0\r\n\r\n"),
    ("bare CR after the size", "2\rab\r\n0\r\n\r\n"),
    ("chunk longer than its size", "2\r\nabc\r\n0\r\n\r\n"),
    ("no line end after a chunk", "2\r\nab0\r\n\r\n"),
    ("bare LF after a chunk", "2\r\nab\n0\r\n\r\n"),
    ("obs-fold in trailers", "0\r\nx: y\r\n z\r\n\r\n"),
    ("bare LF in trailers", "0\r\nx: y\n\r\n"),
    ("bare LF at the end", "0\r\n\n"),
];

/// The request that an attacker wants somebody to see.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn whatever_could_be_read_in_two_ways_is_refused_and_the_connection_closed() {
    let node = Node::start(settings());
    for (what, request, status, reason) in REFUSED {
        let before = node.counters.refused(*reason);
        let answer = node.talk(format!("{request}{SMUGGLED}").as_bytes()).await;
        assert_eq!(statuses(&answer), [*status], "{what}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{what}: {answer}");
        assert!(answer.contains("\r\n\r\n{\"message\":\""), "{what}: {answer}");
        assert_eq!(node.counters.refused(*reason), before + 1, "{what}");
    }
    assert_eq!(node.handled(), 0);
    node.stop().await;
}

#[tokio::test]
async fn a_refusal_does_not_depend_on_how_the_bytes_are_cut() {
    let node = Node::start(settings());
    for (what, request, status, _) in REFUSED {
        let mut client = node.connect().await;
        client.stream.set_nodelay(true).unwrap();
        for byte in request.as_bytes() {
            client.send(&[*byte]).await;
        }
        let answer = client.rest().await;
        assert_eq!(statuses(&answer), [*status], "{what}: {answer}");
    }
    assert_eq!(node.handled(), 0);
    node.stop().await;
}

#[tokio::test]
async fn valid_requests_before_a_bad_one_are_answered_in_order() {
    let node = Node::start(settings());
    for (what, request, status, _) in REFUSED {
        let answer = node.talk(format!("{OK}{OK}{request}{SMUGGLED}").as_bytes()).await;
        assert_eq!(statuses(&answer), [200, 200, *status], "{what}: {answer}");
    }
    assert_eq!(node.handled(), 2 * REFUSED.len() as u64);
    node.stop().await;
}

#[tokio::test]
async fn bad_chunks_are_refused_and_nothing_behind_them_is_read() {
    let node = Node::start(settings());
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    for (what, body) in BAD_CHUNKS {
        let before = node.handled();
        let answer = node.talk(format!("{OK}{head}{body}{SMUGGLED}").as_bytes()).await;
        assert_eq!(statuses(&answer), [200, 400], "{what}: {answer}");
        assert!(answer.ends_with("{\"message\":\"Bad Request\"}"), "{what}: {answer}");
        assert!(node.handled() <= before + 2, "{what}: smuggled");
    }
    assert_eq!(node.counters.refused(Refusal::Framing), BAD_CHUNKS.len() as u64);
    node.stop().await;
}

#[tokio::test]
async fn bad_chunks_after_the_answer_has_begun_end_the_connection() {
    let node = Node::start(settings());
    let mut client = node.connect().await;
    client.send(b"POST /early HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n").await;
    client.send(b"zz\r\n").await;
    client.send(SMUGGLED.as_bytes()).await;
    let answer = client.rest().await;
    assert_eq!(statuses(&answer), [413], "{answer}");
    assert_eq!(node.handled(), 1);
    node.stop().await;
}

#[tokio::test]
async fn what_looks_odd_and_is_valid_is_served() {
    let node = Node::start(settings());
    for request in [
        "GET / HTTP/1.1\r\nHOST:a\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nhost:\t a \t\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "GET /%00%2e%2e//a/../%zz?%&=?/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        "GET /\"{}|[]^~!$&'()*+,;=:@?{}|[]^`\\~!$&'()*+,;=:@/? HTTP/1.1\r\nhost: [::1]:80\r\nconnection: close\r\n\r\n",
        "BREW / HTTP/1.1\r\nhost: a\r\nx:\r\nconnection: close\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 005\r\nconnection: close\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: Chunked\r\nconnection: close\r\n\r\n\
         0002;a=\"b\"\r\nhe\r\n3\r\nllo\r\n0;x\r\nx-t: y\r\n\r\n",
    ] {
        let answer = node.talk(request.as_bytes()).await;
        assert_eq!(statuses(&answer), [200], "{request}: {answer}");
        assert!(answer.ends_with("hello"), "{request}: {answer}");
    }
    node.stop().await;
}
