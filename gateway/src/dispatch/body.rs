//! A request's body on its way in: whole when it is small, in pieces when it is not.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use isle_wire::BODY_CHUNK_BYTES_MAX;

/// A body up to this long is collected and travels in the same frame as its head, and can be sent
/// again when a cell dies. In bytes: what fits one frame of a body anyway.
pub const INLINE_BYTES_MAX: usize = BODY_CHUNK_BYTES_MAX;

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
pub(super) enum Bad {
    /// Longer than the function's limit.
    TooLarge,
    /// It broke off.
    Broken,
}

/// The next piece of a body; `None` at its end. Trailers are passed over.
pub(super) async fn next<B>(body: &mut B) -> Result<Option<Bytes>, Bad>
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

/// Collects the body as long as it may still be small.
pub(super) async fn begin<B>(body: &mut B, limit: usize) -> Result<Begun, Bad>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return Ok(Begun::Whole(Bytes::new()));
    }
    // With a Content-Length this refuses, or decides for pieces, before a byte is read.
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(Bad::TooLarge);
    }
    if announced > INLINE_BYTES_MAX as u64 {
        return Ok(Begun::Part(Bytes::new()));
    }
    let Some(first) = next(body).await? else { return Ok(Begun::Whole(Bytes::new())) };
    let mut all = BytesMut::new();
    let mut length = first.len();
    if length <= limit.min(INLINE_BYTES_MAX) {
        if body.is_end_stream() {
            return Ok(Begun::Whole(first));
        }
        let Some(second) = next(body).await? else { return Ok(Begun::Whole(first)) };
        all.reserve(INLINE_BYTES_MAX.min((announced as usize).max(length + second.len())));
        length += second.len();
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
    } else {
        all.extend_from_slice(&first);
    }
    loop {
        if length > limit {
            return Err(Bad::TooLarge);
        }
        if length > INLINE_BYTES_MAX {
            return Ok(Begun::Part(all.freeze()));
        }
        match next(body).await? {
            Some(piece) => {
                length += piece.len();
                all.extend_from_slice(&piece);
            }
            None => return Ok(Begun::Whole(all.freeze())),
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

    async fn begun(lengths: &[usize], limit: usize) -> Result<(bool, usize), Bad> {
        Ok(match begin(&mut pieces(lengths, None), limit).await? {
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
    async fn the_limit_holds_with_and_without_an_announced_length() {
        assert_eq!(begun(&[11], 10).await, Err(Bad::TooLarge));
        assert_eq!(begun(&[5, 5, 1], 10).await, Err(Bad::TooLarge));
        assert_eq!(begun(&[1], 0).await, Err(Bad::TooLarge));
        assert_eq!(begin(&mut pieces(&[1], Some(Broken)), 10).await, Err(Bad::Broken));
        let mut announced = Full::new(Bytes::from(vec![0; 1_000_000]));
        assert_eq!(begin(&mut announced, 999_999).await, Err(Bad::TooLarge));
        assert!(!announced.is_end_stream(), "refused without reading");
        assert_eq!(begin(&mut announced, 1_000_000).await, Ok(Begun::Part(Bytes::new())));
    }
}
