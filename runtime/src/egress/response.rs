//! A response's body as the resource that JavaScript's stream reads.

use super::decode::{Codings, Decoder};
use super::exchange::Call;
use bytes::Bytes;
use deno_core::{AsyncRefCell, AsyncResult, BufView, CancelHandle, CancelTryFuture, RcRef, Resource};
use deno_error::JsErrorBox;
use std::borrow::Cow;
use std::future::poll_fn;
use std::rc::Rc;
use tokio::task::AbortHandle;

/// Where the bytes come from.
pub enum Origin {
    /// A fetch under way, and its upload, which may go on.
    Call(Rc<Call>, #[expect(dead_code, reason = "held for what its drop does")] Option<Upload>),
    /// They are there: a `data:` URL.
    Here(Bytes),
}

/// The task that sends a request's body; ended with its fetch.
pub struct Upload(pub AbortHandle);

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The body of a response.
pub struct ResponseBody {
    origin: Origin,
    reading: AsyncRefCell<Reading>,
    cancel: CancelHandle,
    /// Decoded bytes that may be read, and what to say when there are more.
    bytes_max: u64,
}

/// What a body has to do with content codings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpacks {
    /// It is as it came: it had none, or one that is not known.
    Never = 0,
    /// It is unpacked as it is read.
    Yes = 1,
    /// It was to be unpacked, and is as it came.
    NoMore = 2,
}

struct Reading {
    decoder: Option<Decoder>,
    piece: Bytes,
    ended: bool,
    read: u64,
}

impl ResponseBody {
    /// The body, decoded by `decoder` where there is one.
    pub fn new(origin: Origin, decoder: Option<Decoder>, bytes_max: u64) -> ResponseBody {
        let piece = match &origin {
            Origin::Here(bytes) => bytes.clone(),
            Origin::Call(..) => Bytes::new(),
        };
        let reading = Reading { decoder, piece, ended: false, read: 0 };
        ResponseBody { origin, reading: AsyncRefCell::new(reading), cancel: CancelHandle::new(), bytes_max }
    }

    /// Whether it is unpacked for its reader. One of these codings that nobody has read from is not any
    /// more: what is read from now on is the body as it came.
    pub fn unpacks_unless(self: &Rc<Self>, codings: Codings) -> Unpacks {
        let Some(mut reading) = RcRef::map(self.clone(), |body| &body.reading).try_borrow_mut() else {
            return Unpacks::Yes;
        };
        match &reading.decoder {
            None => Unpacks::Never,
            Some(decoder) if decoder.can_be_passed_over(codings) => {
                reading.decoder = None;
                Unpacks::NoMore
            }
            Some(_) => Unpacks::Yes,
        }
    }

    /// The next raw piece; `None` at the end.
    async fn raw(&self) -> Result<Option<Bytes>, JsErrorBox> {
        match &self.origin {
            Origin::Call(call, _) => poll_fn(|cx| call.poll_body(cx)).await.map_err(JsErrorBox::type_error),
            Origin::Here(_) => Ok(None),
        }
    }

    async fn next(&self, reading: &mut Reading, limit: usize) -> Result<Bytes, JsErrorBox> {
        let Reading { decoder, piece, ended, .. } = reading;
        let Some(decoder) = decoder else {
            if piece.is_empty() && !*ended {
                match self.raw().await? {
                    Some(next) => *piece = next,
                    None => *ended = true,
                }
            }
            return Ok(piece.split_to(piece.len().min(limit)));
        };
        let mut out = vec![0; limit];
        loop {
            let read = decoder.read(&mut out).map_err(|error| {
                JsErrorBox::type_error(format!(
                    "fetch failed: the response body is not what its content-encoding says: {error}"
                ))
            })?;
            match read {
                Some(count) => {
                    out.truncate(count);
                    return Ok(out.into());
                }
                None => match self.raw().await? {
                    Some(raw) => decoder.feed(raw),
                    None => decoder.end(),
                },
            }
        }
    }
}

impl Resource for ResponseBody {
    fn name(&self) -> Cow<'_, str> {
        "fetchResponse".into()
    }

    fn read(self: Rc<Self>, limit: usize) -> AsyncResult<BufView> {
        let cancel = RcRef::map(self.clone(), |body| &body.cancel);
        let read = async move {
            let mut reading = RcRef::map(&self, |body| &body.reading).borrow_mut().await;
            let data = self.next(&mut reading, limit.max(1)).await?;
            reading.read += data.len() as u64;
            if reading.read > self.bytes_max {
                let message = format!(
                    "fetch failed: the response body is over {} bytes (limit fetch_response_bytes_max)",
                    self.bytes_max
                );
                if let Origin::Call(call, _) = &self.origin {
                    call.give_up(&message);
                }
                return Err(JsErrorBox::type_error(message));
            }
            Ok(BufView::from(data))
        };
        Box::pin(async move { read.try_or_cancel(cancel).await })
    }

    fn close(self: Rc<Self>) {
        self.cancel.cancel();
        if let Origin::Call(call, _) = &self.origin {
            call.give_up("the response was given up");
        }
    }

    fn cancel_read_ops(self: Rc<Self>) {
        self.cancel.cancel();
    }
}
