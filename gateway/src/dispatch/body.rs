//! A request's body on its way in: whole when it is small, in pieces when it is not.

use crate::cells::invocation::Upload;
use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use isle_wire::BODY_CHUNK_BYTES_MAX;
use std::time::Duration;
use tokio::time::timeout;

/// A body up to this long is collected and travels in the same frame as its head, and can be sent
/// again when a cell dies. In bytes: what fits one frame of a body anyway.
pub const INLINE_BYTES_MAX: usize = BODY_CHUNK_BYTES_MAX;

/// How long an invocation waits for the rest of a body that may still be small, where its function
/// may read bodies as they come. 5 ms: what one client's write brings is there sooner, and nobody
/// notices.
const LITTLE: Duration = Duration::from_millis(5);

/// Whether to wait for the rest of a small body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Until it is whole.
    Endless,
    /// As long as it takes when its client sent it at once.
    Little,
}

/// What a body may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// In all.
    pub bytes_max: u64,
    /// How long the client may be waited for, from piece to piece.
    pub idle: Duration,
}

/// What there is of a body before the invocation begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// All of it.
    Whole(Bytes),
    /// This much; the rest is still to come.
    Part(Bytes),
}

/// Why a body is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// Longer than the function's limit.
    TooLarge,
    /// It broke off.
    Broken,
    /// Its client was waited for too long.
    Late,
}

/// The next piece of a body, for which its client has `idle`.
async fn next<B>(body: &mut B, idle: Duration) -> Result<Option<Bytes>, Bad>
where
    B: Body<Data = Bytes> + Unpin,
{
    timeout(idle, piece(body)).await.unwrap_or(Err(Bad::Late))
}

/// The next piece of a body; `None` at its end. Trailers are passed over.
async fn piece<B>(body: &mut B) -> Result<Option<Bytes>, Bad>
where
    B: Body<Data = Bytes> + Unpin,
{
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let Ok(data) = frame.into_data()
                    && !data.is_empty()
                {
                    return Ok(Some(data));
                }
            }
            Err(_) => return Err(Bad::Broken),
        }
    }
    Ok(None)
}

/// What one step of sending a body came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There may be more.
    Next,
    /// All of it was taken.
    All,
    /// Nobody takes any more: there is an answer, or no cell.
    Unwanted,
}

/// A body on its way into an invocation.
#[derive(Debug)]
pub struct Coming<B = UnsyncBoxBody<Bytes, ()>> {
    body: B,
    upload: Upload,
    /// Read and not yet sent.
    rest: Bytes,
    /// Whether that is all there is.
    ended: bool,
    read: u64,
    limit: Limit,
}

impl<B> Coming<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    /// A body of which `part` was read already.
    pub(super) fn new(part: Bytes, body: B, upload: Upload, limit: Limit) -> Coming<B> {
        let read = part.len() as u64;
        Coming { body, upload, rest: part, ended: false, read, limit }
    }

    /// Sends what was read and reads on. The future may be dropped and the call made again.
    pub(super) async fn step(&mut self) -> Result<Step, Bad> {
        if (!self.rest.is_empty() || self.ended) && !self.upload.send(&mut self.rest, self.ended).await {
            return Ok(Step::Unwanted);
        }
        if self.ended {
            return Ok(Step::All);
        }
        match next(&mut self.body, self.limit.idle).await? {
            Some(piece) => {
                self.read += piece.len() as u64;
                if self.read > self.limit.bytes_max {
                    return Err(Bad::TooLarge);
                }
                self.rest = piece;
            }
            None => self.ended = true,
        }
        Ok(Step::Next)
    }

    /// Whether the next step begins with reading, not with sending what was read.
    pub(super) fn waits_for_client(&self) -> bool {
        self.rest.is_empty() && !self.ended
    }

    /// What is still to come, of a type that can be named.
    pub(super) fn boxed(self) -> Coming
    where
        B: Send + 'static,
    {
        let Coming { body, upload, rest, ended, read, limit } = self;
        // Once the response streams, both may take the time that the function gives them.
        let limit = Limit { idle: Duration::MAX, ..limit };
        Coming { body: body.map_err(|_| ()).boxed_unsync(), upload, rest, ended, read, limit }
    }
}

impl Coming {
    /// Sends all of it, or as much as is wanted.
    ///
    /// # Errors
    /// [`Bad`]: it broke off or is over the limit.
    pub(crate) async fn carry(mut self) -> Result<(), Bad> {
        while self.step().await? == Step::Next {}
        Ok(())
    }
}

/// Collects the body as long as it may still be small.
pub(super) async fn begin<B>(body: &mut B, limit: Limit, patience: Patience) -> Result<Begun, Bad>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return Ok(Begun::Whole(Bytes::new()));
    }
    // With a Content-Length this refuses, or decides for pieces, before a byte is read.
    let announced = body.size_hint().lower();
    if announced > limit.bytes_max {
        return Err(Bad::TooLarge);
    }
    if announced > INLINE_BYTES_MAX as u64 {
        return Ok(Begun::Part(Bytes::new()));
    }
    let mut all = BytesMut::new();
    let mut first = Bytes::new();
    loop {
        let piece = match patience {
            Patience::Endless => next(body, limit.idle).await?,
            Patience::Little => match timeout(LITTLE, piece(body)).await {
                Ok(piece) => piece?,
                Err(_) => return Ok(Begun::Part(if all.is_empty() { first } else { all.freeze() })),
            },
        };
        let Some(piece) = piece else {
            return Ok(Begun::Whole(if all.is_empty() { first } else { all.freeze() }));
        };
        let length = first.len().max(all.len()) + piece.len();
        if length as u64 > limit.bytes_max {
            return Err(Bad::TooLarge);
        }
        // Nearly every small body is one piece, which need not be copied.
        if first.is_empty() {
            first = piece;
            if length <= INLINE_BYTES_MAX && body.is_end_stream() {
                return Ok(Begun::Whole(first));
            }
        } else {
            if all.is_empty() {
                all.reserve(INLINE_BYTES_MAX.min((announced as usize).max(length)));
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&piece);
        }
        if length > INLINE_BYTES_MAX {
            return Ok(Begun::Part(if all.is_empty() { first } else { all.freeze() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::{Broken, ReplyBody};
    use http_body_util::Full;

    fn pieces(lengths: &[usize], end: Option<Broken>) -> ReplyBody {
        let (sender, receiver) = tokio::sync::mpsc::channel(lengths.len() + 1);
        for &length in lengths {
            sender.try_send(Ok(Bytes::from(vec![b'x'; length]))).unwrap();
        }
        end.into_iter().for_each(|broken| sender.try_send(Err(broken)).unwrap());
        ReplyBody::Breakable(receiver)
    }

    fn limit(bytes_max: u64) -> Limit {
        Limit { bytes_max, idle: Duration::from_millis(300) }
    }

    async fn begun(lengths: &[usize], bytes_max: u64) -> Result<(bool, usize), Bad> {
        Ok(match begin(&mut pieces(lengths, None), limit(bytes_max), Patience::Endless).await? {
            Begun::Whole(bytes) => (true, bytes.len()),
            Begun::Part(bytes) => (false, bytes.len()),
        })
    }

    #[tokio::test]
    async fn small_bodies_are_whole_and_large_ones_begun() {
        assert_eq!(begun(&[], 10).await, Ok((true, 0)));
        assert_eq!(begun(&[3], 10).await, Ok((true, 3)));
        assert_eq!(begun(&[3, 0, 4, 3], 10).await, Ok((true, 10)));
        assert_eq!(begun(&[INLINE_BYTES_MAX], 1 << 20).await, Ok((true, INLINE_BYTES_MAX)));
        assert_eq!(begun(&[INLINE_BYTES_MAX, 1, 9], 1 << 20).await, Ok((false, INLINE_BYTES_MAX + 1)));
        assert_eq!(begun(&[INLINE_BYTES_MAX + 7, 9], 1 << 20).await, Ok((false, INLINE_BYTES_MAX + 7)));
    }

    #[tokio::test]
    async fn a_client_may_take_its_time_for_each_piece_but_not_for_none() {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let trickle = async move {
            for _ in 0..4 {
                sender.send(Bytes::from_static(b"x")).await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            sender
        };
        let mut body = ReplyBody::Stream(receiver);
        let (began, begun) = (std::time::Instant::now(), begin(&mut body, limit(10), Patience::Endless));
        let (begun, sender) = tokio::join!(begun, trickle);
        assert_eq!(begun, Err(Bad::Late));
        assert!(began.elapsed() >= Duration::from_millis(3 * 100 + 300), "each piece had its own time");
        drop(sender);
    }

    #[tokio::test]
    async fn the_limit_holds_with_and_without_an_announced_length() {
        assert_eq!(begun(&[11], 10).await, Err(Bad::TooLarge));
        assert_eq!(begun(&[5, 5, 1], 10).await, Err(Bad::TooLarge));
        assert_eq!(begun(&[1], 0).await, Err(Bad::TooLarge));
        assert_eq!(begin(&mut pieces(&[1], Some(Broken)), limit(10), Patience::Endless).await, Err(Bad::Broken));
        let mut announced = Full::new(Bytes::from(vec![0; 1_000_000]));
        assert_eq!(begin(&mut announced, limit(999_999), Patience::Endless).await, Err(Bad::TooLarge));
        assert!(!announced.is_end_stream(), "refused without reading");
        assert_eq!(begin(&mut announced, limit(1_000_000), Patience::Endless).await, Ok(Begun::Part(Bytes::new())));
    }
}
