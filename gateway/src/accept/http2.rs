//! One HTTP/2 connection. Frames, windows and floods of resets are hyper's (h2's) to judge; this
//! sets the caps, refuses the requests that HTTP/1's guard would, and ends connections that are
//! idle, stalled or told to stop.

use super::head::{HeadCaps, METHOD_BYTES_MAX};
use super::http1::Link;
use super::patience::{Overdue, Patience};
use super::progress::Progress;
use super::room::Room;
use super::streams::{Paced, Streams};
use super::strict::note_room;
use super::{Counters, Handler, Peer, Refusal, Settings};
use http::{Method, Request};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Requests at one time on one connection. 128: what browsers use at most is about 100.
const STREAMS_MAX: u32 = 128;

/// Bytes of one stream's response that wait in memory for the client. 64 KiB, as for HTTP/1.
const SEND_BUFFER_BYTES: usize = 64 << 10;

/// The bytes with which every HTTP/2 client begins.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The hyper side of every connection of a listener; made once.
pub(super) fn builder(settings: &Settings, counters: &Arc<Counters>) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(Streams::new(settings.idle_timeout, counters.clone()));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        // HPACK counts 32 bytes more for each field than HTTP/1 does.
        .max_header_list_size((settings.head_bytes_max as u32).saturating_add(32 * settings.headers_max));
    builder
}

/// Serves `io`, from which `first` was read already, until it ends.
pub(super) async fn serve<H, I>(room: &Room<H>, io: I, first: Vec<u8>, peer: Peer)
where
    H: Handler,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = Arc::new(Progress::new());
    let link = Arc::new(Link { handler: room.handler.clone(), peer, progress: progress.clone() });
    let (caps, counters) = (room.caps, room.counters.clone());
    let service = service_fn(move |request| {
        link.progress.pass_heads(1);
        let (link, checked) = (link.clone(), check(&request, &caps));
        if let Err(reason) = checked {
            counters.refuse(reason);
        }
        async move {
            let response = match checked {
                Ok(()) => link.call(request).await?,
                Err(reason) => link.refuse(reason),
            };
            Ok::<_, Infallible>(response.map(Paced::new))
        }
    });
    let io = TokioIo::new(Watched { io, first, shown: 0, progress: progress.clone() });
    let mut hyper = pin!(room.http2.serve_connection(io, service));
    let mut patience = Patience::new(room.settings.header_timeout, room.settings.idle_timeout);
    let mut stopping = pin!(room.stop.begun());
    let (mut told, mut idle) = (false, false);

    let overdue = poll_fn(|cx| {
        loop {
            if hyper.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            if !told && stopping.as_mut().poll(cx).is_ready() {
                told = true;
                hyper.as_mut().graceful_shutdown();
                continue;
            }
            return match patience.check(cx, &progress) {
                None => Poll::Pending,
                // Says goodbye first; a client that does not hear it has one more tick.
                Some(Overdue::Idle) if !idle => {
                    idle = true;
                    hyper.as_mut().graceful_shutdown();
                    continue;
                }
                overdue => Poll::Ready(overdue),
            };
        }
    })
    .await;
    if overdue == Some(Overdue::Stalled) {
        room.counters.refuse(Refusal::Stalled);
    }
}

/// Whether a request is one that HTTP/1's guard would let through: the same sizes, targets and methods.
fn check<B>(request: &Request<B>, caps: &HeadCaps) -> Result<(), Refusal> {
    let (method, uri) = (request.method(), request.uri());
    if uri.path_and_query().is_some_and(|target| target.as_str().len() > caps.uri_bytes_max) {
        return Err(Refusal::UriTooLong);
    }
    if request.headers().len() > caps.headers_max as usize {
        return Err(Refusal::HeadTooLarge);
    }
    let form = uri.path().starts_with('/') || uri.path() == "*" && method == Method::OPTIONS;
    if !form || method == Method::CONNECT || method.as_str().len() > METHOD_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    Ok(())
}

/// The connection's bytes, the first of which were read to see which protocol they are. That some
/// went says nothing about requests: every PING has its answer.
struct Watched<I> {
    io: I,
    first: Vec<u8>,
    shown: usize,
    progress: Arc<Progress>,
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.shown < this.first.len() {
            let len = (this.first.len() - this.shown).min(buf.remaining());
            buf.put_slice(&this.first[this.shown..this.shown + len]);
            this.shown += len;
            if this.shown == this.first.len() {
                (this.first, this.shown) = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.io).poll_read(cx, buf)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write(cx, bytes);
        note_room(&this.progress, &polled);
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        note_room(&this.progress, &polled);
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

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
        Poll::Ready(Ok(()))
    }
}
