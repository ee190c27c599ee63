//! A function's console, on its way out: each invocation may write so much, the rest is dropped
//! and said so once.

use super::outbox::Outbox;
use crate::ext::ConsoleSink;
use bytes::Bytes;
use isle_wire::{BOARD_SLOTS_MAX, ConsoleLevel, Frame};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// The longest single line, in bytes; the rest of it is cut.
const LINE_BYTES_MAX: usize = 16 << 10;

/// Accounts of an isolate's console: an invocation each, and one for all others.
const ACCOUNTS_MAX: usize = BOARD_SLOTS_MAX as usize;

/// One isolate's console.
pub struct Console {
    outbox: Arc<Outbox>,
    version: Cell<u32>,
    bytes_max: Cell<usize>,
    written: RefCell<HashMap<u32, usize>>,
    /// The requests of invocations that outlive their responses.
    requests: RefCell<HashMap<u32, Bytes>>,
}

impl Console {
    /// A console of nobody yet.
    pub fn new(outbox: Arc<Outbox>) -> Rc<Console> {
        Rc::new(Console {
            outbox,
            version: Cell::new(0),
            bytes_max: Cell::new(0),
            written: RefCell::default(),
            requests: RefCell::default(),
        })
    }

    /// From now on it is this version's, with so many bytes an invocation.
    pub fn assign(&self, version: u32, bytes_max: usize) {
        self.version.set(version);
        self.bytes_max.set(bytes_max);
    }

    /// The invocation has ended.
    pub fn forget(&self, invocation: u32) {
        let mut written = self.written.borrow_mut();
        if !written.is_empty() {
            written.remove(&invocation);
        }
        drop(written);
        let mut requests = self.requests.borrow_mut();
        if !requests.is_empty() {
            requests.remove(&invocation);
        }
    }

    /// The invocation outlives its response: from now on its lines say which request they are of.
    pub fn outlives(&self, invocation: u32, request_id: &[u8]) {
        self.requests.borrow_mut().insert(invocation, Bytes::copy_from_slice(request_id));
    }

    /// Writes a failure of an invocation, whatever the function wrote before.
    pub fn error(&self, invocation: u32, text: String) {
        self.put(invocation, ConsoleLevel::Error, cut(&text, LINE_BYTES_MAX).to_owned());
    }

    fn put(&self, invocation: u32, level: ConsoleLevel, text: String) {
        let request_id = self.requests.borrow().get(&invocation).cloned().unwrap_or_default();
        let line = isle_wire::Console { version: self.version.get(), invocation, request_id, level, text };
        self.outbox.append(|out| Frame::Console(line).encode(out));
    }
}

/// What of `text` fits `bytes`, to a character boundary.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// What an isolate's `OpState` holds.
pub struct Sink(pub Rc<Console>);

impl ConsoleSink for Sink {
    fn line(&self, invocation: u32, level: ConsoleLevel, text: String) {
        let console = &self.0;
        let bytes_max = console.bytes_max.get();
        let mut written = console.written.borrow_mut();
        // Lines that belong to no invocation share an account that `forget` never clears. So do those of more
        // than can be under way: invocations that wrote after their end are forgotten by nobody.
        let room = written.len() < ACCOUNTS_MAX || written.contains_key(&invocation);
        let account = if room { invocation } else { 0 };
        let used = written.entry(account).or_default();
        if *used > bytes_max {
            return;
        }
        let text = cut(text.trim_end_matches('\n'), LINE_BYTES_MAX);
        *used += text.len() + 1;
        let over = *used > bytes_max;
        drop(written);
        if over {
            let text = format!("(console output is over {bytes_max} bytes; the rest is dropped)");
            console.put(invocation, ConsoleLevel::Warn, text);
        } else {
            console.put(invocation, level, text.to_owned());
        }
    }
}
