//! The two tasks of a link: one reads, one writes.

use super::{Link, OUT_BYTES_HIGH, lock};
use crate::artifacts::SealedFile;
use crate::cells::slots::{Answered, Breach};
use bytes::BytesMut;
use isle_wire::{Decoder, Frame, WireError};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::collections::VecDeque;
use std::io::IoSlice;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// Room made for reading at once: many small responses, or a whole body piece.
const READ_BYTES: usize = 64 << 10;
/// A buffer that grew beyond this (a function was loaded) is given back after use.
const KEEP_BYTES_MAX: usize = 1 << 20;
/// Why nothing more comes from a cell.
#[derive(Debug)]
pub enum ReadEnd {
    /// The cell closed its socket, which it does by ending.
    Closed,
    /// The socket failed.
    Failed(std::io::Error),
    /// The cell sent something that is no frame.
    Garbled(WireError),
    /// The cell sent a frame that it may not send.
    Breach(&'static str),
}

impl Link {
    /// Takes bytes until there are no more, and gives each frame to whom it concerns.
    pub(super) async fn read_all(self: Arc<Self>, mut half: OwnedReadHalf) -> ReadEnd {
        let mut decoder = Decoder::default();
        loop {
            loop {
                match decoder.next_frame() {
                    Ok(Some(Frame::Fetch { id, frame })) => {
                        if let Err(Breach(how)) = self.take_fetch(id, frame) {
                            return ReadEnd::Breach(how);
                        }
                    }
                    Ok(Some(frame)) => {
                        if let Err(Breach(how)) = self.take(frame) {
                            return ReadEnd::Breach(how);
                        }
                    }
                    Ok(None) => break,
                    Err(error) => return ReadEnd::Garbled(error),
                }
            }
            // Responses still being read hold the old buffer; a new one is made only when it is full.
            if decoder.buffer.capacity() - decoder.buffer.len() < READ_BYTES / 8 {
                decoder.buffer.reserve(READ_BYTES);
            }
            match half.read_buf(&mut decoder.buffer).await {
                Ok(0) => return ReadEnd::Closed,
                Ok(_) => {}
                Err(error) => return ReadEnd::Failed(error),
            }
        }
    }

    fn take(&self, frame: Frame) -> Result<(), Breach> {
        match frame {
            Frame::Response { id, response } => {
                let answered = lock(&self.slots).answer(id, response);
                match answered {
                    Answered::Waited(waker) => waker.into_iter().for_each(std::task::Waker::wake),
                    Answered::Unwanted => self.send(&Frame::Cancel { id }),
                }
            }
            Frame::Body { id, last, data } => {
                let waker = lock(&self.slots).body(id, last, &data)?;
                waker.into_iter().for_each(std::task::Waker::wake);
            }
            Frame::End { id, end } => {
                let wakers = lock(&self.slots).end(id, end)?;
                wakers.into_iter().flatten().for_each(std::task::Waker::wake);
            }
            Frame::Credit { id, bytes } => {
                let waker = lock(&self.slots).credit(id, bytes);
                waker.into_iter().for_each(std::task::Waker::wake);
            }
            Frame::Console(line) => {
                if self.muted.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let function = self.function(line.version);
                let known = lock(&self.slots).request_id(line.invocation).cloned();
                if let Some(function) = function {
                    // What a cell says is not believed further than it is well formed.
                    let told = line.request_id;
                    let well_formed = told.len() <= 64 && told.iter().all(u8::is_ascii_alphanumeric);
                    let request_id = known.unwrap_or(if well_formed { told } else { Default::default() });
                    self.console.line(&function.spec, &request_id, line.level, line.text);
                }
            }
            Frame::Unfit { version, why } => {
                if let Some(function) = self.function(version) {
                    self.artifacts.unfit(&function, &why);
                }
            }
            Frame::Gone { version } => lock(&self.out).gone(version),
            Frame::Lingers(some) => self.set_lingers(some),
            Frame::Pong(number) => self.pong.store(number, Ordering::Relaxed),
            Frame::Ready(pid) => {
                let sender = lock(&self.reports).ready.take().ok_or(Breach("ready twice"))?;
                // Nobody may wait any more: the start took too long.
                let _ = sender.send(pid);
            }
            Frame::Checked { reply, .. } => {
                let sender = lock(&self.reports).checked.take().ok_or(Breach("checked unasked"))?;
                let _ = sender.send(reply);
            }
            Frame::Stats(json) => {
                let stats = serde_json::from_slice(&json).map_err(|_| Breach("stats that are no stats"))?;
                lock(&self.reports).stats = stats;
            }
            Frame::Configure(_)
            | Frame::Load { .. }
            | Frame::Unload { .. }
            | Frame::Check { .. }
            | Frame::Invoke { .. }
            | Frame::Cancel { .. }
            | Frame::Ping(_)
            | Frame::Fetch { .. }
            | Frame::Evict { .. } => return Err(Breach("a frame that only a gateway sends")),
        }
        Ok(())
    }

    /// Writes what was appended, all of it at once, until the socket fails.
    pub(super) async fn write_all(self: Arc<Self>, mut half: OwnedWriteHalf) {
        let (mut batch, mut files) = (BytesMut::new(), VecDeque::new());
        loop {
            self.wake.notified().await;
            // Every other task that is ready now may append its frames first.
            tokio::task::yield_now().await;
            loop {
                {
                    let mut out = lock(&self.out);
                    std::mem::swap(&mut out.buffer, &mut batch);
                    std::mem::swap(&mut out.files, &mut files);
                }
                if batch.is_empty() {
                    break;
                }
                self.writes.fetch_add(1, Ordering::Relaxed);
                // A failed write says no more than the reader will: the cell is gone.
                if write_batch(&mut half, &batch, &mut files).await.is_err() {
                    return;
                }
                if batch.len() > OUT_BYTES_HIGH {
                    self.drained.notify_waiters();
                }
                batch.clear();
                if batch.capacity() > KEEP_BYTES_MAX {
                    batch = BytesMut::new();
                }
            }
        }
    }
}

/// Writes all of it; descriptors go with the byte at their place.
async fn write_batch(
    half: &mut OwnedWriteHalf,
    batch: &[u8],
    files: &mut VecDeque<(usize, Vec<Arc<SealedFile>>)>,
) -> std::io::Result<()> {
    let mut written = 0;
    while let Some((place, together)) = files.pop_front() {
        half.write_all(&batch[written..place]).await?;
        let piece = &batch[place..files.front().map_or(batch.len(), |(next, _)| *next)];
        written = place + send_with(half, piece, &together).await?;
    }
    half.write_all(&batch[written..]).await
}

/// Writes some of it, and the descriptors with its first byte.
async fn send_with(half: &OwnedWriteHalf, piece: &[u8], files: &[Arc<SealedFile>]) -> std::io::Result<usize> {
    let socket: &tokio::net::UnixStream = half.as_ref();
    let descriptors: Vec<_> = files.iter().map(|file| file.file.as_raw_fd()).collect();
    socket
        .async_io(Interest::WRITABLE, || {
            let (pieces, rights) = ([IoSlice::new(piece)], [ControlMessage::ScmRights(&descriptors)]);
            Ok(sendmsg::<()>(socket.as_raw_fd(), &pieces, &rights, MsgFlags::MSG_NOSIGNAL, None)?)
        })
        .await
}
