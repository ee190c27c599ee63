//! The way out of a cell: frames from many threads, few system calls.
//!
//! A thread appends its frames and flushes when it has no more work at hand. Whoever finds nobody
//! writing writes everything there is, including what others append meanwhile. Writes block: a
//! gateway that does not read stops the cell's answers, which is the back-pressure wanted. What
//! can pile up is bounded by the invocations in the cell and the window of each body.

use crate::egress::FrameSink;
use bytes::BytesMut;
use isle_wire::Frame;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A buffer that grew beyond this is given back after it was written.
const KEEP_BYTES_MAX: usize = 1 << 20;

#[derive(Default)]
struct State {
    frames: BytesMut,
    writing: bool,
}

/// The cell's side of the socket, for writing.
pub struct Outbox {
    state: Mutex<State>,
    socket: UnixStream,
}

impl Outbox {
    /// An outbox that writes to `socket`.
    pub fn new(socket: UnixStream) -> Outbox {
        Outbox { state: Mutex::default(), socket }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends what `encode` writes. It goes out at the next flush by anybody.
    pub fn append(&self, encode: impl FnOnce(&mut BytesMut)) {
        encode(&mut self.state().frames);
    }

    /// Appends one frame and flushes.
    pub fn send(&self, frame: &Frame) {
        self.append(|out| frame.encode(out));
        self.flush();
    }

    /// Writes out what is there, unless another thread is at it, which then takes this along.
    pub fn flush(&self) {
        let mut state = self.state();
        if state.writing || state.frames.is_empty() {
            return;
        }
        state.writing = true;
        let mut batch = BytesMut::new();
        loop {
            std::mem::swap(&mut batch, &mut state.frames);
            drop(state);
            if (&self.socket).write_all(&batch).is_err() {
                // The gateway is gone; nobody is left to serve or to tell.
                std::process::exit(0);
            }
            if batch.capacity() > KEEP_BYTES_MAX {
                batch = BytesMut::new();
            } else {
                batch.clear();
            }
            state = self.state();
            if state.frames.is_empty() {
                state.writing = false;
                state.frames = batch;
                return;
            }
        }
    }
}

impl FrameSink for Outbox {
    fn send(&self, frame: &Frame) {
        Outbox::send(self, frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isle_wire::Decoder;
    use std::io::Read;
    use std::sync::Arc;

    #[test]
    fn frames_of_many_threads_arrive_whole() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let outbox = Arc::new(Outbox::new(ours));
        let threads: Vec<_> = (0..4u32)
            .map(|thread| {
                let outbox = outbox.clone();
                std::thread::spawn(move || {
                    for number in 0..500 {
                        outbox.append(|out| Frame::Pong(thread * 1_000 + number).encode(out));
                        if number % 3 == 0 {
                            outbox.flush();
                        }
                    }
                    outbox.flush();
                })
            })
            .collect();
        let (mut decoder, mut seen, mut chunk) = (Decoder::default(), Vec::new(), [0u8; 4_096]);
        while seen.len() < 2_000 {
            let count = theirs.read(&mut chunk).unwrap();
            decoder.buffer.extend_from_slice(&chunk[..count]);
            while let Some(Frame::Pong(number)) = decoder.next_frame().unwrap() {
                seen.push(number);
            }
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        for thread in 0..4 {
            let own: Vec<_> = seen.iter().filter(|n| **n / 1_000 == thread).copied().collect();
            assert!(own.is_sorted() && own.len() == 500, "thread {thread}'s frames came in order");
        }
    }
}
