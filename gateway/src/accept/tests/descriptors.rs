//! A node that runs out of file descriptors goes on when it has some again.

use super::*;
use nix::sys::resource::{Resource, setrlimit};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

const DESCRIPTORS: u64 = 40;
const CLIENTS: usize = 80;

/// The node, in a process of its own because the limit is the process's. Lives until its standard
/// input ends.
#[test]
#[ignore = "started by the test below"]
fn a_node_with_few_descriptors() {
    setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let node = Node::start(settings());
        println!("listening on {}", node.addr);
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
        println!("accept errors {}", node.counters.accept_errors());
        node.stop().await;
    });
}

#[tokio::test]
async fn accepting_survives_the_want_of_descriptors() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "accept::tests::descriptors::a_node_with_few_descriptors"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = |what: &str| {
        let mut lines = lines.by_ref().map(Result::unwrap);
        lines.find_map(|line| Some(line.split_once(what)?.1.to_owned())).unwrap()
    };
    let addr: SocketAddr = said("listening on ").parse().unwrap();

    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = Client { stream: TcpStream::connect(addr).await.unwrap(), read: Vec::new() };
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        clients.push(client);
    }
    // Each that leaves makes room for one that waits.
    for mut client in clients {
        client.until("hello").await;
    }
    drop(child.stdin.take());
    let errors: u64 = said("accept errors ").parse().unwrap();
    assert!(errors > 0);
    assert!(child.wait().unwrap().success());
}
