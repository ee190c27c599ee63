//! The strict guard: a wrapper around an HTTP/1 connection's bytes that shows hyper only what
//! [`Framing`] let pass.
//!
//! ```text
//!   socket ──▶ hyper's buffer ──scan──▶ all passed: nothing is copied (nearly every request)
//!                                └────▶ an incomplete head at the end: cut off, kept in `held`,
//!                                       shown when its last byte is here
//! ```
//!
//! So hyper never sees part of a head: a slow head costs this buffer and no parsing, and when a head
//! is refused, hyper has nothing but whole requests, which it may finish. After a refusal no byte
//! is shown any more; the task that drives the connection answers.

use super::framing::Framing;
use super::head::HeadCaps;
use super::progress::Progress;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Read at a time while a head is incomplete, in bytes.
const HELD_READ_BYTES: usize = 4 << 10;

/// A kept buffer larger than this, in bytes, is given back once it is empty.
const HELD_BYTES_KEPT: usize = 8 << 10;

/// The guard around `io`.
#[derive(Debug)]
pub(super) struct Guard<I> {
    io: I,
    framing: Framing,
    progress: Arc<Progress>,
    /// Bytes that hyper has not got: `held[shown..passed]` may be shown, the rest is undecided.
    held: Vec<u8>,
    shown: usize,
    passed: usize,
}

impl<I> Guard<I> {
    /// Guards `io`, from which `first` has been read already.
    pub(super) fn new(io: I, first: Vec<u8>, caps: HeadCaps, progress: Arc<Progress>) -> Guard<I> {
        let mut guard = Guard { io, framing: Framing::new(caps), progress, held: first, shown: 0, passed: 0 };
        guard.scan_held();
        guard
    }

    /// The connection's bytes, and whether the client owes us some: closing would reset it then.
    pub(super) fn into_inner(self) -> (I, bool) {
        let mid_message = self.framing.in_body() || self.shown < self.held.len();
        (self.io, mid_message)
    }

    fn scan_held(&mut self) {
        let scan = self.framing.scan(&self.held[self.passed..]);
        self.passed += scan.passed;
        self.note(scan.heads, scan.refused, self.held.len() - self.passed);
    }

    fn note(&mut self, heads: u32, refused: Option<super::Refusal>, undecided: usize) {
        if heads > 0 {
            self.framing.names.drain(..).for_each(|(head, names)| self.progress.names.push(head, names));
            self.progress.pass_heads(heads);
        }
        self.progress.stands(self.framing.head_begun(undecided), self.framing.in_body());
        if let Some(reason) = refused {
            self.progress.refuse(reason);
        }
    }

    /// Moves to `buf` what may be shown; says whether that was anything.
    fn show(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let len = (self.passed - self.shown).min(buf.remaining());
        if len == 0 {
            return false;
        }
        buf.put_slice(&self.held[self.shown..self.shown + len]);
        self.shown += len;
        if self.shown == self.held.len() {
            self.held.clear();
            self.held.shrink_to(HELD_BYTES_KEPT);
            (self.shown, self.passed) = (0, 0);
        }
        true
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Guard<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.show(buf) {
                return Poll::Ready(Ok(()));
            }
            if this.progress.refused().is_some() {
                // While hyper owes responses it must not hear of an end. Where the bad bytes are
                // a body whose response has begun, an error is the only way to say so.
                return if this.framing.in_body() && this.progress.all_answered() {
                    Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
                } else {
                    Poll::Pending
                };
            }
            if this.held.is_empty() {
                let before = buf.filled().len();
                ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
                let new = &buf.filled()[before..];
                if new.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                let scan = this.framing.scan(new);
                if scan.refused.is_none() {
                    this.held.extend_from_slice(&new[scan.passed..]);
                }
                let undecided = new.len() - scan.passed;
                buf.set_filled(before + scan.passed);
                this.note(scan.heads, scan.refused, undecided);
                if scan.passed > 0 {
                    return Poll::Ready(Ok(()));
                }
            } else {
                let len = this.held.len();
                this.held.resize(len + HELD_READ_BYTES, 0);
                let mut more = ReadBuf::new(&mut this.held[len..]);
                let polled = Pin::new(&mut this.io).poll_read(cx, &mut more);
                let read = more.filled().len();
                this.held.truncate(len + read);
                ready!(polled)?;
                if read == 0 {
                    return Poll::Ready(Ok(()));
                }
                this.scan_held();
            }
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Guard<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write(cx, bytes);
        note_write(&this.progress, &polled);
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        note_write(&this.progress, &polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_flush(cx);
        note_room(&this.progress, &polled);
        polled
    }

    /// Flushes only: whether a refusal follows, and how to close, is the connection's task to say.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

fn note_write(progress: &Progress, polled: &Poll<io::Result<usize>>) {
    if let Poll::Ready(Ok(len)) = polled {
        progress.moved(*len);
    }
    note_room(progress, polled);
}

/// Notes whether the kernel took anything. TLS takes bytes before it does: only a finished flush
/// says that they have gone.
pub(super) fn note_room<T>(progress: &Progress, polled: &Poll<io::Result<T>>) {
    match polled {
        Poll::Ready(Ok(_)) => progress.takes(true),
        Poll::Ready(Err(_)) => (),
        Poll::Pending => progress.takes(false),
    }
}
