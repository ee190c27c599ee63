//! Account: one count, one observation and one log line per request, however it ends.
//!
//! A client that leaves drops the request's future, and with it the [`Account`]: that is counted as
//! `cancelled`. Every other way out closes it.

use crate::admit::Refused;
use crate::logs::{RequestEnd, unix_ms};
use crate::plane::{DataPlane, Served};
use crate::request_id::RequestId;
use crate::respond::CLIENT_LEFT;
use bytes::Bytes;
use http::{Request, Response};
use isle_wire::{Outcome, StartKind, Timing};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A request's time with us.
pub struct Account<'a> {
    plane: &'a DataPlane,
    request: &'a Request<()>,
    request_id: &'a RequestId,
    arrived: Instant,
    time_ms: u64,
    admit: Duration,
    served: Option<Arc<Served>>,
    closed: bool,
}

impl<'a> Account<'a> {
    /// A request has arrived.
    pub fn open(plane: &'a DataPlane, request: &'a Request<()>, request_id: &'a RequestId) -> Account<'a> {
        Account {
            plane,
            request,
            request_id,
            arrived: Instant::now(),
            time_ms: unix_ms(),
            admit: Duration::ZERO,
            served: None,
            closed: false,
        }
    }

    /// Arrival, in ms since the Unix epoch.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// Its function is known.
    pub fn routed(&mut self, served: &Arc<Served>) {
        self.plane.metrics.touch(&served.metrics, self.arrived);
        served.metrics.begin();
        self.served = Some(served.clone());
    }

    /// It may enter.
    pub fn admitted(&mut self) {
        self.admit = self.arrived.elapsed();
    }

    /// It may not enter.
    pub fn refused(&self, refused: Refused) {
        self.plane.metrics.refused(refused);
    }

    /// It ended before it reached a cell.
    pub fn close_early<B>(mut self, outcome: Outcome, reply: &Response<B>) {
        if outcome == Outcome::NoRoute {
            self.plane.metrics.no_route();
        }
        self.end(outcome, StartKind::None, Timing::default(), &Bytes::new(), reply.status().as_u16());
    }

    /// It ended.
    pub fn close(mut self, outcome: Outcome, start: StartKind, timing: Timing, detail: &Bytes, status: u16) {
        self.end(outcome, start, timing, detail, status);
    }

    fn end(&mut self, outcome: Outcome, start: StartKind, timing: Timing, detail: &Bytes, status: u16) {
        self.closed = true;
        let took = self.arrived.elapsed();
        if let Some(served) = &self.served {
            served.metrics.start(start, timing.start_us);
            served.metrics.end(outcome, took, timing.cpu_us);
        }
        self.plane.logs().request(&RequestEnd {
            request_id: self.request_id.as_str(),
            function: self.served.as_ref().map(|served| &served.function.spec),
            method: self.request.method().as_str(),
            path: self.request.uri().path(),
            status,
            outcome,
            start,
            total_us: took.as_micros() as u64,
            admit_us: self.admit.as_micros() as u64,
            timing,
            detail,
        });
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        if !self.closed {
            self.end(Outcome::Cancelled, StartKind::None, Timing::default(), &Bytes::new(), CLIENT_LEFT);
        }
    }
}
