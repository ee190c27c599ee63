//! Bodies that do not fit one frame: requests collected until they are whole, responses sent as
//! the gateway takes them.

use super::outbox::Outbox;
use bytes::{Bytes, BytesMut};
use isle_wire::{BODY_CHUNK_BYTES_MAX, Frame, Invoke, WINDOW_BYTES};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A request whose body is still arriving. Belongs to the reader.
pub struct Incoming {
    /// The request.
    pub invoke: Invoke,
    /// What has come of the body.
    pub body: BytesMut,
    /// The function's limit, in bytes.
    pub limit: usize,
}

/// What a piece of a request's body did.
pub enum Piece {
    /// More is to come.
    More,
    /// It was the last: the request is whole.
    Whole(Box<Invoke>),
    /// The body is over the limit; the invocation is gone.
    TooLarge,
    /// The piece belongs to nothing known: its invocation has ended before.
    Stray,
}

/// Adds a piece to the body of an arriving request.
pub fn take_piece(incoming: &mut HashMap<u32, Incoming>, id: u32, last: bool, data: &[u8]) -> Piece {
    let Some(request) = incoming.get_mut(&id) else { return Piece::Stray };
    if request.body.len() + data.len() > request.limit {
        incoming.remove(&id);
        return Piece::TooLarge;
    }
    request.body.extend_from_slice(data);
    if !last {
        return Piece::More;
    }
    match incoming.remove(&id) {
        Some(Incoming { mut invoke, body, .. }) => {
            invoke.body = body.freeze();
            Piece::Whole(Box::new(invoke))
        }
        None => Piece::Stray,
    }
}

struct Stream {
    rest: Bytes,
    credit: usize,
}

/// Response bodies on their way.
#[derive(Default)]
pub struct Outgoing {
    streams: Mutex<HashMap<u32, Stream>>,
}

impl Outgoing {
    /// Starts sending what follows the response's own frame.
    pub fn start(&self, id: u32, rest: Bytes, outbox: &Outbox) {
        let mut stream = Stream { rest, credit: WINDOW_BYTES };
        if !push(&mut stream, id, outbox) {
            self.streams().insert(id, stream);
        }
    }

    /// The gateway took `bytes` more.
    pub fn credit(&self, id: u32, bytes: usize, outbox: &Outbox) {
        let mut streams = self.streams();
        if let Some(stream) = streams.get_mut(&id) {
            stream.credit = (stream.credit + bytes).min(WINDOW_BYTES);
            if push(stream, id, outbox) {
                streams.remove(&id);
            }
        }
    }

    /// Nobody wants the rest.
    pub fn cancel(&self, id: u32) {
        self.streams().remove(&id);
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends what the credit allows; `true` when all is sent.
fn push(stream: &mut Stream, id: u32, outbox: &Outbox) -> bool {
    while !stream.rest.is_empty() && stream.credit > 0 {
        let count = stream.rest.len().min(BODY_CHUNK_BYTES_MAX).min(stream.credit);
        let data = stream.rest.split_to(count);
        stream.credit -= count;
        let last = stream.rest.is_empty();
        outbox.append(|out| Frame::Body { id, last, data }.encode(out));
    }
    stream.rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use isle_wire::Decoder;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    fn incoming(limit: usize) -> HashMap<u32, Incoming> {
        HashMap::from([(5, Incoming { invoke: Invoke::default(), body: BytesMut::new(), limit })])
    }

    #[test]
    fn a_request_body_is_put_together_within_its_limit() {
        let mut requests = incoming(6);
        assert!(matches!(take_piece(&mut requests, 5, false, b"abc"), Piece::More));
        match take_piece(&mut requests, 5, true, b"def") {
            Piece::Whole(invoke) => assert_eq!(invoke.body, "abcdef"),
            _ => panic!("the body is whole"),
        }
        assert!(matches!(take_piece(&mut requests, 5, true, b"x"), Piece::Stray));
        let mut requests = incoming(2);
        assert!(matches!(take_piece(&mut requests, 5, false, b"abc"), Piece::TooLarge));
        assert!(requests.is_empty());
    }

    #[test]
    fn a_response_body_never_runs_ahead_of_its_credit() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).unwrap();
            let mut decoder = Decoder { buffer: BytesMut::from(&all[..]) };
            let mut sizes = Vec::new();
            while let Some(frame) = decoder.next_frame().unwrap() {
                if let Frame::Body { last, data, .. } = frame {
                    sizes.push((data.len(), last));
                }
            }
            sizes
        });
        let outbox = Outbox::new(ours);
        let outgoing = Outgoing::default();
        outgoing.start(9, Bytes::from(vec![1u8; WINDOW_BYTES + 10]), &outbox);
        outgoing.credit(9, 4, &outbox);
        outgoing.credit(9, 100, &outbox);
        assert!(outgoing.streams().is_empty());
        outbox.flush();
        drop(outbox);
        let sizes = reader.join().unwrap();
        assert_eq!(sizes.iter().map(|(size, _)| size).sum::<usize>(), WINDOW_BYTES + 10);
        assert_eq!(sizes[4..], [(4, false), (6, true)]);
    }
}
