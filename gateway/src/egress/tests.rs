//! The connector against names and addresses that a script makes up. Every connection that is really
//! made is to a listener of the test on loopback.

use super::connector::{Connector, Net, Shared};
use super::failure::{Failure, Refused};
use super::host::HostPattern;
use super::target::Rules;
use super::tenant::{Tenant, Usage};
use super::{lock, tls_settings};
use http::Request;
use http_body_util::BodyExt;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service;

/// Answers each lookup with the script's next line (the last one again and again), and connects
/// everything to `server`.
struct Script {
    answers: Mutex<Vec<Vec<&'static str>>>,
    dialled: Mutex<Vec<SocketAddr>>,
    looked_up: Mutex<Vec<String>>,
    deaf: Vec<&'static str>,
    server: SocketAddr,
}

impl Net for Script {
    fn resolve<'a>(&'a self, host: &'a str) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        lock(&self.looked_up).push(host.to_owned());
        let mut answers = lock(&self.answers);
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(async move { Ok(answer.iter().map(|text| text.parse().unwrap()).collect()) })
    }

    fn dial(&self, address: SocketAddr) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>> {
        lock(&self.dialled).push(address);
        let deaf = self.deaf.contains(&address.ip().to_string().as_str());
        let server = self.server;
        Box::pin(async move {
            if deaf { Err(io::ErrorKind::ConnectionRefused.into()) } else { TcpStream::connect(server).await }
        })
    }
}

/// A server that answers one request a connection.
async fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 1_024];
                let _ = stream.read(&mut head).await;
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
                let _ = stream.write_all(answer).await;
            });
        }
    });
    addr
}

async fn script(answers: &[&[&'static str]], deaf: &[&'static str]) -> Arc<Script> {
    Arc::new(Script {
        answers: Mutex::new(answers.iter().map(|answer| answer.to_vec()).collect()),
        dialled: Mutex::default(),
        looked_up: Mutex::default(),
        deaf: deaf.to_vec(),
        server: server().await,
    })
}

fn shared(script: &Arc<Script>, open: &[&str]) -> Arc<Shared> {
    let rules = Rules {
        enabled: true,
        open: open.iter().map(|text| HostPattern::parse(text).unwrap()).collect(),
        own: vec!["127.0.0.1:3001".parse().unwrap(), "0.0.0.0:3000".parse().unwrap()],
        ..Rules::default()
    };
    Arc::new(Shared::new(rules, tls_settings(None).unwrap(), script.clone()))
}

async fn connect(script: &Arc<Script>, open: &[&str], url: &str) -> Result<(), Failure> {
    let mut connector = Connector::new(shared(script, open), Arc::new(Usage::default()));
    connector.call(url.parse().unwrap()).await.map(|_| ())
}

fn dialled(script: &Script) -> Vec<String> {
    std::mem::take(&mut *lock(&script.dialled)).iter().map(SocketAddr::to_string).collect()
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_without_a_connection() {
    for (address, kind) in [
        ("127.0.0.1", "loopback"),
        ("10.0.0.1", "private"),
        ("169.254.169.254", "link_local"),
        ("100.64.0.1", "carrier_nat"),
        ("0.0.0.0", "unspecified"),
        ("::1", "loopback"),
        ("fd00::1", "private"),
        ("::ffff:192.168.0.1", "embedded_ipv4"),
        ("64:ff9b::a00:1", "embedded_ipv4"),
        ("224.0.0.1", "multicast"),
    ] {
        let script = script(&[&[address]], &[]).await;
        let refused = connect(&script, &[], "http://evil.test/").await;
        assert_eq!(refused, Err(Refused::Address(kind).into()), "{address}");
        let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        let refused = connect(&script, &[], &format!("http://{host}/")).await;
        assert_eq!(refused, Err(Refused::Address(kind).into()), "{address} as it is");
        assert!(dialled(&script).is_empty(), "{address}");
    }
}

#[tokio::test]
async fn of_several_addresses_only_public_ones_are_dialled() {
    let script = script(&[&["10.0.0.1", "93.184.216.34", "::1", "1.1.1.1"]], &["93.184.216.34"]).await;
    assert_eq!(connect(&script, &[], "http://mixed.test:8080/").await, Ok(()));
    assert_eq!(dialled(&script), ["93.184.216.34:8080", "1.1.1.1:8080"], "one refuses, the next is tried");
    assert_eq!(*lock(&script.looked_up), ["mixed.test"], "resolved once");
}

#[tokio::test]
async fn an_opened_host_may_lead_inside_but_never_to_the_nodes_own_listeners() {
    let script = script(&[&["10.0.0.1"], &["127.0.0.1"], &["127.0.0.1"], &["127.0.0.2"]], &[]).await;
    assert_eq!(connect(&script, &["internal.test"], "http://internal.test/").await, Ok(()));
    assert_eq!(connect(&script, &["internal.test"], "http://internal.test:8080/").await, Ok(()));
    assert_eq!(dialled(&script), ["10.0.0.1:80", "127.0.0.1:8080"]);
    for url in ["http://internal.test:3001/", "http://internal.test:3000/"] {
        assert_eq!(connect(&script, &["internal.test"], url).await, Err(Refused::OwnListener.into()), "{url}");
    }
    assert!(dialled(&script).is_empty());
}

async fn get(tenant: &Tenant, url: &str) -> Result<String, Failure> {
    let request = Request::get(url).body(super::UploadBody::Whole(None)).unwrap();
    let response = tenant.pool().request(request).await.map_err(|error| {
        let failure = error.source().and_then(|source| source.downcast_ref::<Failure>());
        failure.unwrap_or_else(|| panic!("{error:?}")).clone()
    })?;
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_name_that_answers_otherwise_the_second_time_gains_nothing() {
    let script = script(&[&["93.184.216.34"], &["127.0.0.1"]], &[]).await;
    let tenant = Tenant::new(shared(&script, &[]), Instant::now());
    assert_eq!(get(&tenant, "http://rebind.test/").await.unwrap(), "ok");
    assert_eq!(dialled(&script), ["93.184.216.34:80"], "what was looked at is what was dialled");
    // The first connection was closed, so the name is resolved again, and looked at again.
    assert_eq!(get(&tenant, "http://rebind.test/").await, Err(Refused::Address("loopback").into()));
    assert!(dialled(&script).is_empty());
    assert_eq!(lock(&script.looked_up).len(), 2);
}

#[tokio::test]
async fn connections_of_one_tenant_have_a_bound_and_are_counted() {
    let usage = Arc::new(Usage::default());
    let script = script(&[&["93.184.216.34"]], &[]).await;
    let shared = shared(&script, &[]);
    let mut connector = Connector::new(shared.clone(), usage.clone());
    let open = || shared.open.load(std::sync::atomic::Ordering::Relaxed);
    let connection = connector.call("http://a.test/".parse().unwrap()).await;
    assert_eq!(open(), 1);
    drop(connection);
    assert_eq!(open(), 0);
    while usage.enter() {}
    let refused = connector.call("http://a.test/".parse().unwrap()).await.map(|_| ());
    assert_eq!(refused, Err(Failure::Unreachable("too many connections are open")));
}
