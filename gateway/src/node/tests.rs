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
