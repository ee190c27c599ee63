//! A cell without a process or V8: a thread that speaks frames as a script tells it.

use super::spawn::{CellSource, Exit, NewCell, Process};
use bytes::BytesMut;
use isle_wire::{Board, Decoder, Frame, FunctionSpec, Invoke, Outcome, ResponseFrame};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use std::collections::VecDeque;
use std::fs::File;
use std::future::Future;
use std::io::{IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::watch;

/// A function's spec with defaults everywhere else.
pub(crate) fn spec(tenant: &str, app: &str, function: &str) -> FunctionSpec {
    FunctionSpec {
        tenant: tenant.into(),
        app: app.into(),
        function: function.into(),
        deployment: "d1".into(),
        entry: "index.js".into(),
        kind: Default::default(),
        modules: Default::default(),
        env: Default::default(),
        limits: Default::default(),
        code_generation: true,
        contract: Default::default(),
        egress_allow: None,
        artifact: String::new(),
    }
}

/// A cell's end of things.
pub(crate) struct FakeCell {
    /// Counts from 1 in each source.
    pub number: u32,
    socket: UnixStream,
    board: File,
    decoder: Decoder,
    files: VecDeque<File>,
}

impl FakeCell {
    /// The next frame; `None` when the gateway is gone or has killed the cell.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.next_frame().expect("the gateway speaks frames") {
                if let Frame::Ping(number) = frame {
                    self.send(&Frame::Pong(number));
                    continue;
                }
                return Some(frame);
            }
            let mut bytes = vec![0; 256 << 10];
            let count = self.read(&mut bytes).filter(|&count| count > 0)?;
            self.decoder.buffer.extend_from_slice(&bytes[..count]);
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let (mut pieces, mut control) = ([IoSliceMut::new(bytes)], nix::cmsg_space!([RawFd; 4]));
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(self.socket.as_raw_fd(), &mut pieces, Some(&mut control), flags).ok()?;
        for control in message.cmsgs().expect("room for descriptors") {
            if let ControlMessageOwned::ScmRights(rights) = control {
                for fd in rights {
                    // By its name, since a bare number cannot be owned without unsafe code.
                    self.files.push_back(File::open(format!("/proc/self/fd/{fd}")).expect("a file"));
                    nix::unistd::close(fd).expect("ours");
                }
            }
        }
        Some(message.bytes)
    }

    /// The oldest descriptor that came and was not taken.
    pub fn take_file(&mut self) -> Option<File> {
        self.files.pop_front()
    }

    /// The next frame that asks for something, past what only informs.
    pub fn next_invoke(&mut self) -> Option<(u32, Invoke)> {
        loop {
            if let Frame::Invoke { id, invoke } = self.next()? {
                return Some((id, invoke));
            }
        }
    }

    pub fn send(&mut self, frame: &Frame) {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        // A cell that was killed writes no more.
        let _ = self.socket.write_all(&bytes);
    }

    pub fn ready(&mut self) {
        self.send(&Frame::Ready(self.number));
    }

    /// Marks the invocation begun.
    pub fn begin(&self, id: u32) {
        self.board.write_all_at(&id.to_le_bytes(), u64::from(id & 0xfff) * 4).unwrap();
    }

    /// Notes that the version's snapshot is being restored.
    pub fn restore(&self, version: u32) {
        self.board.write_all_at(&version.to_le_bytes(), u64::from(isle_wire::BOARD_SLOTS_MAX) * 4).unwrap();
    }

    pub fn answer(&mut self, id: u32, body: &[u8]) {
        self.send(&Frame::Response { id, response: ok(body) });
    }

    /// Does nothing, pings included, until it is killed.
    pub fn hold(&mut self) {
        let mut bytes = [0; 4_096];
        while self.socket.read(&mut bytes).is_ok_and(|count| count > 0) {}
    }

    /// Serves until it is killed: every invocation is answered with its path, or its body.
    pub fn echo(mut self) {
        self.ready();
        while let Some(frame) = self.next() {
            match frame {
                Frame::Invoke { id, invoke } => {
                    self.begin(id);
                    let body = if invoke.body.is_empty() { invoke.head.path } else { invoke.body };
                    self.answer(id, &body);
                }
                Frame::Cancel { id } => {
                    let response = ResponseFrame::failed(Outcome::Cancelled, Default::default());
                    self.send(&Frame::Response { id, response });
                }
                _ => {}
            }
        }
    }
}

/// A good response.
pub(crate) fn ok(body: &[u8]) -> ResponseFrame {
    ResponseFrame { status: 200, body: body.to_vec().into(), ..ResponseFrame::failed(Outcome::Ok, Default::default()) }
}

struct FakeProcess {
    number: u32,
    socket: UnixStream,
    ended: watch::Receiver<bool>,
}

impl Process for FakeProcess {
    fn id(&self) -> u32 {
        self.number
    }

    fn kill(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    fn wait(&mut self) -> Pin<Box<dyn Future<Output = Exit> + Send + '_>> {
        Box::pin(async {
            let _ = self.ended.wait_for(|ended| *ended).await;
            Exit::Signal(9)
        })
    }
}

impl Drop for FakeProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a process's end does, however the script ended: what it had open is closed.
struct End(UnixStream, watch::Sender<bool>);

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
        let _ = self.1.send(true);
    }
}

/// Starts cells that run `script`, each on a thread of its own.
pub(crate) struct FakeSource {
    script: Arc<dyn Fn(FakeCell) + Send + Sync>,
    pub started: AtomicU32,
}

impl FakeSource {
    pub fn new(script: impl Fn(FakeCell) + Send + Sync + 'static) -> Arc<FakeSource> {
        Arc::new(FakeSource { script: Arc::new(script), started: AtomicU32::new(0) })
    }
}

impl CellSource for FakeSource {
    fn start(&self) -> std::io::Result<NewCell> {
        let (socket, theirs) = UnixStream::pair()?;
        let board = File::from(memfd_create("fake-board", MFdFlags::MFD_CLOEXEC)?);
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let (end, ended) = watch::channel(false);
        let process = FakeProcess { number, socket: theirs.try_clone()?, ended };
        let (board_of_cell, decoder) = (board.try_clone()?, Decoder::default());
        let cell = FakeCell { number, socket: theirs, board: board_of_cell, decoder, files: VecDeque::new() };
        let script = self.script.clone();
        let end = End(cell.socket.try_clone()?, end);
        std::thread::spawn(move || {
            let _end = end;
            script(cell);
        });
        Ok(NewCell { socket, board: Board::new(board)?, process: Box::new(process), stderr: None })
    }
}
