//! One HTTP/1 connection, from its first byte to its last.
//!
//! Waiting → (Serving ⇄ Waiting)* → Refused | Overdue | Ended → Closing
//!
//! hyper parses and writes; this task polls it and then looks at what the guard and the handler
//! have noted. Only when hyper owes nothing does it take the bytes back, to refuse or to close.

use super::patience::{Overdue, Patience};
use super::progress::Progress;
use super::reply::{Open, ReplyBody, Tracked};
use super::room::Room;
use super::strict::Guard;
use super::{Handler, Peer, Refusal};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A refused client gets this long to take the answer and to stop sending, in ms; closing at once
/// would reset the connection and the answer with it.
const LINGER_MS: u64 = 1_000;

/// Bytes that such a client may still send.
const LINGER_BYTES_MAX: usize = 1 << 20;

/// The least buffer hyper accepts, in bytes, and the largest that a body needs.
const BUFFER_BYTES: usize = 64 << 10;

/// Header fields for which hyper has room without allocating.
const HYPER_HEADERS: u32 = 100;

/// What the request side of a connection shares: one `Arc` clone per request.
pub(super) struct Link<H> {
    pub handler: Arc<H>,
    pub peer: Peer,
    pub progress: Arc<Progress>,
}

impl<H: Handler> Link<H> {
    pub(super) async fn call(self: Arc<Self>, mut request: Request<Incoming>) -> Result<Response<Tracked>, Infallible> {
        if let Some(names) = self.progress.written_names() {
            request.extensions_mut().insert(names);
        }
        let open = Open::new(self.progress.clone());
        let response: Response<ReplyBody> = self.handler.handle(self.peer, request).await;
        Ok(response.map(|body| open.answer(body)))
    }

    /// The answer to a request that comes to no handler.
    pub(super) fn refuse(&self, reason: Refusal) -> Response<Tracked> {
        let open = Open::new(self.progress.clone());
        reason.reply().map(|body| open.answer(body))
    }
}

/// The hyper side of every connection of a listener; made once.
pub(super) fn builder(settings: &super::Settings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .half_close(false)
        .header_read_timeout(None)
        // One buffer for head and body: one copy of a small body is cheaper than a vectored
        // write. (`pipeline_flush` would do the same, but forgets a response when a client's
        // body is left unread.)
        .writev(false)
        .max_header_size(settings.head_bytes_max)
        .max_buf_size(BUFFER_BYTES.max(settings.head_bytes_max + 8 * 1024));
    if settings.headers_max > HYPER_HEADERS {
        builder.max_headers(settings.headers_max as usize);
    }
    builder
}

/// How the serving of a connection ended.
enum End {
    /// By HTTP's rules, or by the client's leaving.
    Hyper(hyper::Result<()>),
    /// The client broke a rule, and hyper owes nothing; `answer`: nothing has been said yet.
    Refused {
        answer: bool,
    },
    Overdue(Overdue),
}

/// Serves `io`, from which `first` was read already, until it ends.
pub(super) async fn serve<H, I>(room: &Room<H>, io: I, first: Vec<u8>, peer: Peer)
where
    H: Handler,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = Arc::new(Progress::new());
    let link = Arc::new(Link { handler: room.handler.clone(), peer, progress: progress.clone() });
    let guard = Guard::new(io, first, room.caps, progress.clone());
    let mut hyper = room.http1.serve_connection(TokioIo::new(guard), service_fn(move |r| link.clone().call(r)));
    let mut patience = Patience::new(room.settings.header_timeout, room.settings.idle_timeout);
    let mut stopping = pin!(room.stop.begun());
    let (mut told, mut failed) = (false, false);

    let end = poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = Pin::new(&mut hyper).poll(cx) {
                return Poll::Ready(End::Hyper(result));
            }
            if progress.refused().is_some() {
                let quiet = progress.quiet() && !progress.write_blocked();
                // Bad bytes in a body make its own request bad, unless that has its response.
                if quiet || progress.in_body() && progress.awaiting_answer() {
                    return Poll::Ready(End::Refused { answer: !(quiet && progress.in_body()) });
                }
                // The response to a body gone bad has begun: hyper must look once more to see it.
                if !failed && progress.in_body() && progress.all_answered() {
                    failed = true;
                    continue;
                }
            }
            if !told && stopping.as_mut().poll(cx).is_ready() {
                told = true;
                Pin::new(&mut hyper).graceful_shutdown();
                continue;
            }
            return match patience.check(cx, &progress) {
                None => Poll::Pending,
                // Earlier requests of a pipeline get their responses first.
                Some(Overdue::Head) => {
                    progress.refuse(Refusal::HeadTimeout);
                    continue;
                }
                Some(overdue) => Poll::Ready(End::Overdue(overdue)),
            };
        }
    })
    .await;

    let parts = hyper.into_parts();
    drop(parts.service);
    let (io, mid_message) = parts.io.into_inner().into_inner();
    let refused = progress.refused();
    if let Some(reason) = refused {
        room.counters.refuse(reason);
    }
    match end {
        End::Hyper(result) => {
            if refused.is_none() && result.is_err_and(|e| e.is_parse()) {
                room.counters.refuse(Refusal::Malformed);
            }
            close(io, "", mid_message).await;
        }
        End::Refused { answer } => {
            let last_word = refused.filter(|_| answer).and_then(Refusal::answer);
            close(io, last_word.unwrap_or_default(), true).await;
        }
        End::Overdue(Overdue::Stalled) => room.counters.refuse(Refusal::Stalled),
        End::Overdue(_) => close(io, "", false).await,
    }
}

/// Says a last word and closes so that the client can hear it. Bounded in time and bytes.
pub(super) async fn close<I: AsyncRead + AsyncWrite + Unpin>(mut io: I, last_word: &str, linger: bool) {
    let closing = async {
        io.write_all(last_word.as_bytes()).await?;
        io.shutdown().await?;
        let mut left = if linger { LINGER_BYTES_MAX } else { 0 };
        let mut scratch = [0; 1024];
        while left > 0 {
            match io.read(&mut scratch).await? {
                0 => break,
                len => left = left.saturating_sub(len),
            }
        }
        std::io::Result::Ok(())
    };
    // Whatever goes wrong here, the connection is over.
    let _ = tokio::time::timeout(Duration::from_millis(LINGER_MS), closing).await;
}
