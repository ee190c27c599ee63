//! A whole node over real sockets, on cells that do as they are told.

use super::*;
use crate::cells::fake::{FakeCell, FakeSource, spec};
use crate::route::RouteTable;
use crate::stage::function;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn config(data: &std::path::Path) -> NodeConfig {
    let mut config = NodeConfig { data_dir: data.to_owned(), ..NodeConfig::default() };
    config.public.listen = ([127, 0, 0, 1], 0).into();
    config.admin.listen = ([127, 0, 0, 1], 0).into();
    config
}

async fn start(data: &std::path::Path, mode: Mode, script: impl Fn(FakeCell) + Send + Sync + 'static) -> Node {
    Node::start_with(config(data), FakeSource::new(script), "/dev/null".into(), mode).await.unwrap()
}

async fn send(address: SocketAddr, request: String) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

fn request(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: blog.localhost\r\nconnection: close\r\n{more}\r\n")
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

async fn get(address: SocketAddr, path: &str) -> String {
    rest(send(address, request(path, "")).await).await
}

#[tokio::test]
async fn a_dev_node_serves_what_is_published_and_shows_how() {
    let home = tempfile::tempdir().unwrap();
    let node = start(home.path(), Mode::Dev, FakeCell::echo).await;
    let (mut lines, address) = (node.requests(), node.public_addr());
    assert!(get(address, "/early").await.starts_with("HTTP/1.1 404"));
    node.publish(Arc::new(RouteTable::single(function(spec("dev", "dev", "main")))));
    let answer = get(address, "/any").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("/any"), "{answer}");
    assert!(answer.contains("isle-start: none") && answer.contains("content-length: 4"), "{answer}");
    let statuses = [lines.recv().await.unwrap().status, lines.recv().await.unwrap().status];
    assert_eq!(statuses, [404, 200]);
    assert!(std::fs::read_dir(home.path()).unwrap().next().is_none(), "nothing is kept");
    node.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_admin_listener_shows_health_and_metrics_and_the_rest_wants_a_token() {
    let home = tempfile::tempdir().unwrap();
    let node = start(home.path(), Mode::Serve, FakeCell::echo).await;
    let admin = node.admin_address();
    assert!(get(admin, "/healthz").await.starts_with("HTTP/1.1 200"));
    while !get(admin, "/readyz").await.starts_with("HTTP/1.1 200") {}
    let metrics = get(admin, "/metrics").await;
    for family in ["isle_build_info{", "isle_cells{state=\"spare\"}", "isle_connections_total{listener=\"admin\"}"] {
        assert!(metrics.contains(family), "{family} is missing in\n{metrics}");
    }
    assert!(get(admin, "/v1/openapi.json").await.starts_with("HTTP/1.1 200"));
    assert!(get(admin, "/v1/apps").await.starts_with("HTTP/1.1 401"));
    let token = format!("authorization: Bearer {}\r\n", node.new_admin_token().unwrap());
    let apps = rest(send(admin, request("/v1/apps", &token)).await).await;
    assert!(apps.ends_with("{\"apps\":[]}"), "{apps}");
    assert!(get(node.public_addr(), "/metrics").await.starts_with("HTTP/1.1 404"));
    node.stop().await;
    let again = start(home.path(), Mode::Serve, FakeCell::echo).await;
    assert_eq!(again.new_admin_token(), None, "it is shown once");
    again.stop().await;
}

/// A POST to the admin listener whose body never comes whole.
async fn unfinished(admin: SocketAddr, path: &str, more: &str) -> TcpStream {
    let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n{more}\r\n");
    send(admin, head).await
}

/// Reads until the text has `part` in it.
async fn until(stream: &mut TcpStream, part: &str) {
    let mut text = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&text).contains(part) {
            assert!(stream.read_buf(&mut text).await.unwrap() > 0, "{}", String::from_utf8_lossy(&text));
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.unwrap_or_else(|_| panic!("no {part} comes"));
}

#[tokio::test]
async fn unfinished_uploads_keep_neither_strangers_nor_other_tenants_waiting() {
    let home = tempfile::tempdir().unwrap();
    let node = start(home.path(), Mode::Serve, FakeCell::echo).await;
    let (admin, operator) = (node.admin_address(), node.new_admin_token().unwrap().to_owned());
    let bearer = |token: &str| format!("authorization: Bearer {token}\r\n");
    let mut tokens = Vec::new();
    for name in ["acme", "zeta"] {
        let body = format!("{{\"name\":\"{name}\"}}");
        let more = format!("{}content-length: {}\r\nconnection: close\r\n", bearer(&operator), body.len());
        let answer = rest(send(admin, format!("POST /v1/tenants HTTP/1.1\r\nhost: a\r\n{more}\r\n{body}")).await).await;
        let token = answer.split("\"token\":\"").nth(1).and_then(|rest| rest.split('"').next());
        tokens.push(token.unwrap_or_else(|| panic!("{answer}")).to_owned());
    }
    let mut strangers = Vec::new();
    for path in ["/v1/apps/blog/deployments", "/2015-03-31/functions/blog/invocations"].repeat(4) {
        strangers.push(unfinished(admin, path, "").await);
    }
    for stranger in &mut strangers {
        until(stranger, "HTTP/1.1 401").await;
    }
    let path = "/v1/apps/blog/rollback";
    let expect = format!("{}expect: 100-continue\r\n", bearer(&tokens[0]));
    let mut uploads = Vec::new();
    for number in 0..8 {
        let mut upload = unfinished(admin, path, &expect).await;
        // These are read; the others wait for them.
        if number < 2 {
            until(&mut upload, "HTTP/1.1 100").await;
        }
        uploads.push(upload);
    }
    for token in [&tokens[1], &operator] {
        let mut other = unfinished(admin, path, &bearer(token)).await;
        other.write_all(b"not JSON!").await.unwrap();
        until(&mut other, "HTTP/1.1 400").await;
    }
    let mut reads = send(admin, request("/v1/apps", &bearer(&tokens[0]))).await;
    until(&mut reads, "{\"apps\":[]}").await;
    drop(uploads);
    node.stop().await;
}

#[tokio::test]
async fn stopping_lets_requests_in_flight_finish_and_ends_every_cell() {
    let home = tempfile::tempdir().unwrap();
    let (say, heard) = tokio::sync::mpsc::channel(1);
    let (go, gate) = std::sync::mpsc::sync_channel(0);
    let gate = std::sync::Mutex::new(gate);
    let node = start(home.path(), Mode::Dev, move |mut cell| {
        cell.ready();
        while let Some((id, _)) = cell.next_invoke() {
            say.blocking_send(()).unwrap();
            gate.lock().unwrap().recv().unwrap();
            cell.answer(id, b"finished");
        }
    })
    .await;
    let mut heard = heard;
    node.publish(Arc::new(RouteTable::single(function(spec("dev", "dev", "main")))));
    let in_flight = send(node.public_addr(), request("/", "")).await;
    heard.recv().await.unwrap();
    let (stopped, answer) = tokio::join!(node.stop(), async {
        // Refused connections say that the node is past accepting.
        while TcpStream::connect(node.public_addr()).await.is_ok() {}
        tokio::task::spawn_blocking(move || go.send(()).unwrap()).await.unwrap();
        rest(in_flight).await
    });
    assert_eq!(stopped, ());
    assert!(answer.ends_with("finished"), "{answer}");
    assert!(node.plane.cells.all().is_empty());
}

#[tokio::test]
async fn what_cannot_be_used_is_named() {
    let home = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(home.path());
    config.public.listen = taken.local_addr().unwrap();
    let source = FakeSource::new(FakeCell::echo);
    let error = Node::start_with(config.clone(), source.clone(), "/dev/null".into(), Mode::Dev).await.err().unwrap();
    assert!(error.to_string().contains(&taken.local_addr().unwrap().to_string()), "{error}");
    config.public.listen = ([127, 0, 0, 1], 0).into();
    let error = Node::start_with(config, source, "/no/snapshot".into(), Mode::Dev).await.err().unwrap();
    assert!(error.to_string().contains("/no/snapshot"), "{error}");
}
