//! Exchange: where the bodies of an isolate's invocations come from and go to, as its ops see it.

use super::Cell;
use crate::ext::{BodyPort, Taken};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The head of a response that its handler began while it runs.
pub struct Begun {
    /// Whose.
    pub id: u32,
    /// Its status, as given.
    pub status: u32,
    /// Its header fields, as text.
    pub fields: Vec<u8>,
}

/// One isolate's port.
pub struct Exchange {
    cell: Arc<Cell>,
    begun: RefCell<Vec<Begun>>,
}

impl Exchange {
    /// A port of this cell.
    pub fn new(cell: Arc<Cell>) -> Rc<Exchange> {
        Rc::new(Exchange { cell, begun: RefCell::default() })
    }

    /// The responses begun since the last call.
    pub fn begun(&self) -> Vec<Begun> {
        self.begun.take()
    }
}

impl BodyPort for Exchange {
    fn take(&self, id: u32) -> Taken {
        let taken = self.cell.inbound.take(id);
        if let Taken::Bytes(bytes) = &taken {
            self.cell.credit(id, bytes.len() as u32);
        }
        taken
    }

    fn poll_arrived(&self, id: u32, cx: &mut Context<'_>) -> Poll<()> {
        self.cell.inbound.poll_arrived(id, cx)
    }

    fn discard(&self, id: u32) {
        let bytes = self.cell.inbound.discard(id);
        self.cell.credit(id, bytes);
    }

    fn write(&self, id: u32, bytes: &[u8]) -> i32 {
        self.cell.outgoing.write(id, bytes, &self.cell.outbox)
    }

    fn poll_room(&self, id: u32, cx: &mut Context<'_>) -> Poll<()> {
        self.cell.outgoing.poll_room(id, cx)
    }

    fn begin(&self, id: u32, status: u32, fields: Vec<u8>) {
        self.begun.borrow_mut().push(Begun { id, status, fields });
    }
}
