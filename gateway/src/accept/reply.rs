//! The body of a response, as the rooms behind `accept` hand it over.

use super::progress::Progress;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// A response's body. An enum and not a box: nearly every response is one piece.
#[derive(Debug)]
pub enum ReplyBody {
    /// All of it (`None` once it has been taken, or when there is none).
    Full(Option<Bytes>),
    /// Pieces as they come; the channel's end is the body's end.
    Stream(mpsc::Receiver<Bytes>),
    /// Pieces as they come, from somebody who may fail: the client then sees the body cut off, not
    /// ended.
    Breakable(mpsc::Receiver<Result<Bytes, Broken>>),
    /// It has failed, which is still to be told.
    Failed(Broken),
}

/// The source of a body failed before the body's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the response body broke off")
    }
}

impl std::error::Error for Broken {}

impl ReplyBody {
    /// No body.
    pub fn empty() -> ReplyBody {
        ReplyBody::Full(None)
    }
}

impl From<Bytes> for ReplyBody {
    fn from(bytes: Bytes) -> ReplyBody {
        ReplyBody::Full((!bytes.is_empty()).then_some(bytes))
    }
}

impl From<&'static str> for ReplyBody {
    fn from(text: &'static str) -> ReplyBody {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let piece = match &mut *self {
            ReplyBody::Full(bytes) => bytes.take().map(Ok),
            ReplyBody::Stream(pieces) => ready!(pieces.poll_recv(cx)).map(Ok),
            ReplyBody::Breakable(pieces) => match ready!(pieces.poll_recv(cx)) {
                Some(Err(broken)) => {
                    // hyper forgets what it has not flushed when a body fails, and it flushes when
                    // there is nothing to take: what came before the failure shall be sent.
                    *self = ReplyBody::Failed(broken);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                piece => piece,
            },
            ReplyBody::Failed(broken) => Some(Err(*broken)),
        };
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, ReplyBody::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            ReplyBody::Stream(_) | ReplyBody::Breakable(_) | ReplyBody::Failed(_) => SizeHint::default(),
        }
    }
}

/// A request's time with us; its end is told however it comes: answered, reset or dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<Progress>);

impl Open {
    pub(super) fn new(progress: Arc<Progress>) -> Open {
        Open(progress)
    }

    /// The response to the request; hyper drops it when it is done with it.
    pub(super) fn answer(self, body: ReplyBody) -> Tracked {
        self.0.answer();
        Tracked { body, open: self }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// A response's body together with its request's time with us.
#[derive(Debug)]
pub(super) struct Tracked {
    body: ReplyBody,
    open: Open,
}

impl Tracked {
    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.open.0
    }
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
