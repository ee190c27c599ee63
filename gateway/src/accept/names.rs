//! Header names as HTTP/1 clients wrote them, for functions whose payload format shows them so.
//!
//! hyper knows names in lower case only, and nothing else here cares. So they are kept beside the
//! request, by the guard that reads heads anyway, and only while some deployed function wants them:
//! otherwise it costs one load a head. HTTP/2 has no other case than the lower.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// One process serves one node, and a node has one table of routes.
static WANTED: AtomicBool = AtomicBool::new(false);

/// Says whether some function wants to see names as they were written.
pub(crate) fn want(wanted: bool) {
    WANTED.store(wanted, Relaxed);
}

pub(super) fn are_wanted() -> bool {
    WANTED.load(Relaxed)
}

/// The names of one request's header fields, in a request's extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderNames(Box<[u8]>);

impl HeaderNames {
    /// How the client wrote this (lower-case) name.
    pub fn written(&self, name: &str) -> Option<&[u8]> {
        self.0.split(|byte| *byte == b'\n').find(|written| written.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// Names of a head that is being read.
#[derive(Debug, Default)]
pub(super) struct Kept(Vec<u8>);

impl Kept {
    /// Adds a name: a token, so without the separator.
    pub(super) fn push(&mut self, name: &[u8]) {
        self.0.extend_from_slice(name);
        self.0.push(b'\n');
    }

    pub(super) fn take(&mut self) -> Option<HeaderNames> {
        (!self.0.is_empty()).then(|| HeaderNames(std::mem::take(&mut self.0).into()))
    }
}

/// Names of heads that were let through and not yet handled, by the head's number on its
/// connection. As many as fit one read, so there is no bound to keep.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<VecDeque<(u32, HeaderNames)>>);

impl Queue {
    pub(super) fn push(&self, head: u32, names: HeaderNames) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((head, names));
    }

    /// The names of this head, if they were kept; those of earlier ones are forgotten.
    pub(super) fn take(&self, head: u32) -> Option<HeaderNames> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((number, _)) = queue.front() {
            // Numbers wrap; what lies behind is at most a read's worth.
            if *number == head {
                return queue.pop_front().map(|(_, names)| names);
            }
            if head.wrapping_sub(*number) > u32::MAX / 2 {
                return None;
            }
            queue.pop_front();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> HeaderNames {
        let mut kept = Kept::default();
        all.iter().for_each(|name| kept.push(name.as_bytes()));
        kept.take().unwrap()
    }

    #[test]
    fn names_are_found_as_they_were_written() {
        let names = names(&["Host", "tEsT", "test"]);
        assert_eq!(names.written("test"), Some(&b"tEsT"[..]));
        assert_eq!(names.written("host"), Some(&b"Host"[..]));
        assert_eq!(names.written("hos"), None);
    }

    #[test]
    fn each_head_gets_its_own_names_although_some_kept_none() {
        let queue = Queue::default();
        queue.push(u32::MAX, names(&["A"]));
        queue.push(1, names(&["B"]));
        queue.push(4, names(&["C"]));
        assert_eq!(queue.take(0), None);
        assert_eq!(queue.take(1), Some(names(&["B"])));
        assert_eq!(queue.take(3), None);
        assert_eq!(queue.take(4), Some(names(&["C"])));
        assert_eq!(queue.take(5), None);
    }
}
