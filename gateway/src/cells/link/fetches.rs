//! What a link does for its cell's own requests: hands them to [`crate::egress`] and back.

use super::{Link, OUT_BYTES_HIGH, Outgoing, lock, number};
use crate::cells::slots::Breach;
use crate::egress::{Asked, Underway, start};
use crate::route::FunctionVersion;
use isle_wire::{FetchFrame, Frame};
use std::sync::Arc;

impl Outgoing {
    /// A version that was unloaded is gone from the cell. It may have been unloaded more than once.
    pub(super) fn gone(&mut self, version: u32) {
        if let Some(at) = self.retired.iter().position(|known| number(known) == version) {
            self.retired.swap_remove(at);
        }
    }

    /// The version of this number, also after it was unloaded, until it is gone.
    pub(super) fn function(&self, version: u32) -> Option<Arc<FunctionVersion>> {
        let retired = || self.retired.iter().find(|known| number(known) == version).cloned();
        self.loaded.get(&version).map(|entry| entry.function().clone()).or_else(retired)
    }
}

impl Link {
    /// The cell's requests under way.
    pub(crate) fn underway(&self) -> &Underway {
        &self.underway
    }

    /// Sends a frame about one of them.
    pub(crate) fn send_fetch(&self, id: u32, frame: FetchFrame) {
        self.send(&Frame::Fetch { id, frame });
    }

    /// Takes what the cell says about one of them. What it says about one that has ended is late,
    /// not wrong.
    pub(super) fn take_fetch(self: &Arc<Self>, id: u32, frame: FetchFrame) -> Result<(), Breach> {
        match frame {
            FetchFrame::Request(request) => {
                let out = lock(&self.out);
                if out.buffer.len() > 2 * OUT_BYTES_HIGH {
                    return Err(Breach("it asks and does not listen to the answers"));
                }
                let function = out.function(request.version);
                drop(out);
                let (Some(egress), Some(function)) = (&self.egress, function) else {
                    let message = "fetch failed: outbound requests are not available".to_owned();
                    self.send_fetch(id, FetchFrame::Failed(message));
                    return Ok(());
                };
                let depth = lock(&self.slots).depth(request.invocation);
                start(egress, Asked { link: self.clone(), function, depth, id, request });
            }
            FetchFrame::Body { last, data } => {
                if let Some(exchange) = self.underway.get(id)
                    && !exchange.body(last, &data)
                {
                    return Err(Breach("more of a fetch's body than it was given credit for"));
                }
            }
            FetchFrame::Credit(bytes) => {
                if let Some(exchange) = self.underway.get(id) {
                    exchange.credit(bytes);
                }
            }
            FetchFrame::Cancel => self.underway.cancel(id),
            FetchFrame::Response(_) | FetchFrame::Failed(_) => {
                return Err(Breach("a fetch's frame that only a gateway sends"));
            }
        }
        Ok(())
    }
}
