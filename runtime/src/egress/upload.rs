//! A request's body on its way to the gateway, no faster than the gateway takes it.

use super::exchange::Call;
use bytes::Bytes;
use deno_core::Resource;
use isle_wire::BODY_CHUNK_BYTES_MAX;
use std::future::poll_fn;
use std::rc::Rc;

/// Where a body comes from.
pub enum Source {
    /// All of it is there.
    Bytes(Bytes),
    /// JavaScript's stream, or another response's body.
    Resource(Rc<dyn Resource>),
}

/// Sends the body to its end, or as far as anybody wants it.
pub async fn send(call: Rc<Call>, source: Source) {
    match source {
        Source::Bytes(mut bytes) => {
            while let Some(room) = poll_fn(|cx| call.poll_credit(cx)).await {
                let piece = bytes.split_to(bytes.len().min(room).min(BODY_CHUNK_BYTES_MAX));
                call.send_body(piece, bytes.is_empty());
                if bytes.is_empty() {
                    return;
                }
            }
        }
        Source::Resource(resource) => {
            while let Some(room) = poll_fn(|cx| call.poll_credit(cx)).await {
                match resource.clone().read(room.min(BODY_CHUNK_BYTES_MAX)).await {
                    Ok(piece) if piece.is_empty() => {
                        call.send_body(Bytes::new(), true);
                        break;
                    }
                    Ok(piece) => call.send_body(Bytes::copy_from_slice(&piece), false),
                    Err(error) => {
                        call.give_up(&format!("fetch failed: the request body's stream failed: {error}"));
                        break;
                    }
                }
            }
            resource.close();
        }
    }
}
