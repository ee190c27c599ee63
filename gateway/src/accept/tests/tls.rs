//! TLS: which certificate, which protocol, and clients that do not get on with it.

use super::http2::{client, fetch};
use super::*;
use crate::accept::Refusal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::PathBuf;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn tls() -> Tls {
    Tls::load(&[(data("localhost.crt"), data("localhost.key")), (data("acme.crt"), data("acme.key"))]).unwrap()
}

/// Somebody who trusts `cert` only.
fn client_config(cert: &str, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(data(cert)).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Connects as somebody who trusts `cert` only and asks for `name`.
async fn connect(node: &Node, name: &str, cert: &str, alpn: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(node.addr).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    within(TlsConnector::from(client_config(cert, alpn)).connect(name, stream)).await
}

async fn get_host(mut stream: TlsStream<TcpStream>) -> String {
    within(stream.write_all(b"GET /host HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn the_name_that_the_client_asks_for_chooses_the_certificate() {
    let node = Node::start_on(settings(), Some(tls()));
    for (name, cert) in [
        ("localhost", "localhost.crt"),
        ("blog.isle.test", "localhost.crt"),
        ("acme.test", "acme.crt"),
        ("Shop.Acme.test", "acme.crt"),
    ] {
        let stream = connect(&node, name, cert, &[]).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(get_host(stream).await.ends_with("a tls=true"));
    }
    // Deeper than the wildcard, or unknown: the first certificate, which is for somebody else.
    for name in ["a.b.acme.test", "other.test"] {
        assert!(connect(&node, name, "acme.crt", &[]).await.is_err(), "{name}");
    }
    node.stop().await;
}

#[tokio::test]
async fn alpn_chooses_the_protocol() {
    let node = Node::start_on(settings(), Some(tls()));
    let stream = connect(&node, "localhost", "localhost.crt", &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut sender = client(stream).await;
    let answer = fetch(&mut sender, Request::get("https://localhost/host"), "").await.unwrap();
    assert_eq!(answer, (StatusCode::OK, "localhost tls=true".to_owned()));
    let stream = connect(&node, "localhost", "localhost.crt", &["http/1.1"]).await.unwrap();
    assert!(get_host(stream).await.starts_with("HTTP/1.1 200"));
    drop(sender);
    node.stop().await;
}

#[tokio::test]
async fn the_guard_stands_behind_tls_too() {
    let node = Node::start_on(settings(), Some(tls()));
    let mut stream = connect(&node, "localhost", "localhost.crt", &[]).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(statuses(&answer), [400], "{answer}");
    node.stop().await;
}

#[tokio::test]
async fn stalled_handshakes_end_and_keep_nobody_out() {
    let settings = Settings { handshake_timeout: Duration::from_secs(1), handshakes_max: 2, ..settings() };
    let node = Node::start_on(settings, Some(tls()));
    // Silent ones do not even hold a place among the handshakes.
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(node.connect().await);
    }
    let good = connect(&node, "localhost", "localhost.crt", &[]).await.unwrap();
    assert!(get_host(good).await.starts_with("HTTP/1.1 200"));
    for client in &mut silent {
        assert_eq!(client.rest().await, "");
    }
    assert_eq!(node.counters.refused(Refusal::HandshakeTimeout), 5);

    // Neither do those that begin and stop.
    let mut stalled = Vec::new();
    for _ in 0..3 {
        let mut client = node.connect().await;
        client.send(b"\x16\x03\x01").await;
        stalled.push(client);
    }
    for client in &mut stalled {
        client.rest().await;
    }
    assert_eq!(node.counters.refused(Refusal::HandshakeTimeout), 8);
    let good = connect(&node, "localhost", "localhost.crt", &[]).await.unwrap();
    assert!(get_host(good).await.starts_with("HTTP/1.1 200"));
    node.stop().await;
}

#[tokio::test]
async fn who_stops_within_its_handshake_keeps_nobody_out() {
    let node = Node::start_on(Settings { handshakes_max: 1, ..settings() }, Some(tls()));
    let mut hello = Vec::new();
    let name = ServerName::try_from("localhost").unwrap();
    rustls::ClientConnection::new(client_config("localhost.crt", &[]), name).unwrap().write_tls(&mut hello).unwrap();
    for said in [&hello[..1], &hello[..hello.len() - 1], &hello] {
        let mut stopped = node.connect().await;
        stopped.send(said).await;
        if said == hello {
            // It is answered: it has a place.
            within(stopped.stream.read_u8()).await.unwrap();
        }
        let good = connect(&node, "localhost", "localhost.crt", &[]).await.unwrap();
        assert!(get_host(good).await.starts_with("HTTP/1.1 200"));
        assert_eq!(node.counters.refused(Refusal::HandshakeTimeout), 0, "it is still there");
    }
    node.stop().await;
}

#[tokio::test]
async fn no_tls_at_all_is_a_failed_handshake() {
    let node = Node::start_on(settings(), Some(tls()));
    let answer = {
        let mut client = node.connect().await;
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut bytes = Vec::new();
        let _ = within(client.stream.read_to_end(&mut bytes)).await;
        bytes
    };
    assert!(!answer.starts_with(b"HTTP"));
    let counted = async {
        while node.counters.refused(Refusal::HandshakeFailed) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(counted).await;
    node.stop().await;
}

#[test]
fn unusable_files_are_named() {
    let refusal = |cert: &str, key: &str| Tls::load(&[(data(cert), data(key))]).unwrap_err().to_string();
    assert!(refusal("none.crt", "acme.key").contains("none.crt: expected PEM certificates"));
    assert!(refusal("acme.key", "acme.key").contains("acme.key: expected at least one PEM certificate"));
    assert!(refusal("acme.crt", "acme.crt").contains("acme.crt: expected a PEM private key"));
    let mixed = refusal("acme.crt", "localhost.key");
    assert!(mixed.contains("localhost.key: not the key of") && mixed.contains("acme.crt"), "{mixed}");
    let none: [(PathBuf, PathBuf); 0] = [];
    assert!(Tls::load(&none).is_err());
    assert_eq!(tls().names(), ["localhost", "isle.test", "*.isle.test", "acme.test", "*.acme.test"]);
}
