//! The word to stop, for every connection of a listener, at the price of one atomic load per poll.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Given once; heard by all.
#[derive(Debug, Default)]
pub(super) struct Stop {
    begun: AtomicBool,
    notify: Arc<Notify>,
}

impl Stop {
    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Resolves once [`Stop::begin`] was called. Unlike most futures it registers its task only
    /// once, so it must stay with the task that polled it first.
    pub(super) fn begun(&self) -> Begun<'_> {
        Begun { stop: self, notified: Box::pin(self.notify.clone().notified_owned()), registered: false }
    }
}

/// See [`Stop::begun`].
pub(super) struct Begun<'a> {
    stop: &'a Stop,
    notified: Pin<Box<OwnedNotified>>,
    registered: bool,
}

impl Future for Begun<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.registered {
            self.registered = true;
            // Registered first and looked second, so that no word falls between the two.
            let _ = self.notified.as_mut().poll(cx);
        }
        if self.stop.begun.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}
