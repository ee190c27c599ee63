//! A cell's process with a test in the gateway's place.

#![allow(dead_code, reason = "each test program uses a part")]

use bytes::{Bytes, BytesMut};
use isle_gateway::route::Packed;
use isle_wire::{
    Board, CellConfig, CellStats, Clock, Decoder, Frame, FunctionSpec, Invoke, PROTOCOL_VERSION, RequestHead,
    ResponseFrame, StartKind,
};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::collections::HashMap;
use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn config(base: &Path) -> CellConfig {
    CellConfig {
        protocol: PROTOCOL_VERSION,
        base_snapshot: base.to_str().unwrap().to_owned(),
        memory_mb: 1_024,
        spare_isolates: 1,
        spare_isolates_max: 4,
        starts_max: 1,
        isolates_max: 32,
        isolate_idle_ms: 600_000,
        clock: Clock::Coarse,
        dev: true,
    }
}

/// A memory file with these bytes.
pub fn memory_file(bytes: &[u8]) -> File {
    let mut file = File::from(memfd_create("artifact", MFdFlags::MFD_CLOEXEC).unwrap());
    file.write_all(bytes).unwrap();
    file
}

pub struct Cell {
    child: Child,
    socket: UnixStream,
    pub board: File,
    decoder: Decoder,
    numbers: u32,
    responses: HashMap<u32, ResponseFrame>,
    /// Whose answers came, in their order.
    pub answered: Vec<u32>,
    unfit: Vec<(u32, String)>,
    stats: CellStats,
    pong: u32,
}

impl Drop for Cell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Cell {
    /// Starts one, and waits until it is ready.
    pub fn start(config: &CellConfig) -> Cell {
        let (socket, theirs) = UnixStream::pair().unwrap();
        let board = File::from(memfd_create("board", MFdFlags::MFD_CLOEXEC).unwrap());
        Board::new(board.try_clone().unwrap()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_isle"))
            .arg("__cell")
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(OwnedFd::from(board.try_clone().unwrap())))
            .spawn()
            .unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut cell = Cell {
            child,
            socket,
            board,
            decoder: Decoder::default(),
            numbers: 0,
            responses: HashMap::new(),
            answered: Vec::new(),
            unfit: Vec::new(),
            stats: CellStats::default(),
            pong: 0,
        };
        cell.send(&Frame::Configure(serde_json::to_vec(config).unwrap().into()));
        while !matches!(cell.next(), Frame::Ready(_)) {}
        cell
    }

    fn send(&mut self, frame: &Frame) {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        self.socket.write_all(&bytes).unwrap();
    }

    /// The next frame; notes what it says.
    fn next(&mut self) -> Frame {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                match &frame {
                    Frame::Response { id, response } => {
                        self.answered.push(*id);
                        self.responses.insert(*id, response.clone());
                    }
                    Frame::Unfit { version, why } => self.unfit.push((*version, why.clone())),
                    Frame::Stats(json) => self.stats = serde_json::from_slice(json).unwrap(),
                    Frame::Pong(number) => self.pong = *number,
                    _ => {}
                }
                return frame;
            }
            let mut bytes = vec![0; 64 << 10];
            let count = self.socket.read(&mut bytes).expect("the cell answers");
            assert!(count > 0, "the cell died: {:?}", self.child.wait());
            self.decoder.buffer.extend_from_slice(&bytes[..count]);
        }
    }

    /// Waits until it has ended by itself.
    pub fn dies(&mut self) {
        let mut bytes = [0; 4_096];
        // Nothing to read or a reset: it is gone. A timeout: it is not.
        loop {
            match self.socket.read(&mut bytes) {
                Ok(0) => break,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the cell lives"),
                Err(_) => break,
                Ok(_) => {}
            }
        }
        self.child.wait().unwrap();
    }

    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// Loads a version; its number.
    pub fn load(&mut self, spec: &FunctionSpec, plan: StartKind, artifact: Option<File>) -> u32 {
        let version = self.number();
        let Packed { spec, texts } = Packed::of(spec.clone());
        let mut bytes = BytesMut::new();
        Frame::Load { version, plan, artifact: artifact.is_some(), texts: texts.is_some(), spec }.encode(&mut bytes);
        let mut sent = 0;
        let rights: Vec<_> =
            artifact.iter().chain(texts.as_ref().map(|texts| &texts.file)).map(File::as_raw_fd).collect();
        if !rights.is_empty() {
            let (pieces, messages) = ([IoSlice::new(&bytes)], [ControlMessage::ScmRights(&rights)]);
            sent = sendmsg::<()>(self.socket.as_raw_fd(), &pieces, &messages, MsgFlags::empty(), None).unwrap();
        }
        self.socket.write_all(&bytes[sent..]).unwrap();
        version
    }

    pub fn unload(&mut self, version: u32) {
        self.send(&Frame::Unload { version });
    }

    pub fn evict(&mut self, version: u32) {
        self.send(&Frame::Evict { version });
    }

    /// Begins a request; its id.
    pub fn invoke(&mut self, version: u32, path: &str) -> u32 {
        let id = self.number() << 12;
        let text = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let head = RequestHead {
            method: text("GET"),
            path: text(path),
            route_key: text("$default"),
            host: text("a.test"),
            protocol: text("HTTP/1.1"),
            scheme: text("http"),
            source_ip: text("192.0.2.1"),
            request_id: text("request"),
            ..Default::default()
        };
        let invoke = Invoke { version, wall_ms: 30_000, body_follows: false, head, body: Bytes::new() };
        self.send(&Frame::Invoke { id, invoke });
        id
    }

    pub fn response(&mut self, id: u32) -> ResponseFrame {
        loop {
            if let Some(response) = self.responses.remove(&id) {
                return response;
            }
            self.next();
        }
    }

    pub fn call(&mut self, version: u32, path: &str) -> ResponseFrame {
        let id = self.invoke(version, path);
        self.response(id)
    }

    /// What it said of artifacts until now.
    pub fn take_unfit(&mut self) -> Vec<(u32, String)> {
        let number = self.number();
        self.send(&Frame::Ping(number));
        while self.pong != number {
            self.next();
        }
        std::mem::take(&mut self.unfit)
    }

    /// Waits until it reports a spare isolate.
    pub fn until_spare(&mut self) {
        while self.stats.spares == 0 {
            self.next();
        }
        self.stats.spares = 0;
    }

    pub fn stats(&self) -> &CellStats {
        &self.stats
    }

    pub fn rss_bytes(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4_096
    }
}
