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
    plane: &'a Arc<DataPlane>,
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
    pub fn open(plane: &'a Arc<DataPlane>, request: &'a Request<()>, request_id: &'a RequestId) -> Account<'a> {
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
        let series = served.series(&self.plane.metrics);
        self.plane.metrics.touch(series, self.arrived);
        series.begin();
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

    /// Its response is on its way and goes on after this: it is closed when that ends.
    pub fn streams(mut self, start: StartKind, timing: Timing, status: u16) -> StreamAccount {
        self.closed = true;
        StreamAccount {
            plane: self.plane.clone(),
            request_id: self.request_id.as_str().to_owned(),
            method: self.request.method().clone(),
            path: self.request.uri().path().to_owned(),
            arrived: self.arrived,
            admit: self.admit,
            served: self.served.take(),
            start,
            timing,
            status,
            closed: false,
        }
    }

    fn end(&mut self, outcome: Outcome, start: StartKind, timing: Timing, detail: &Bytes, status: u16) {
        self.closed = true;
        let line = RequestEnd {
            request_id: self.request_id.as_str(),
            function: self.served.as_ref().map(|served| &served.function.spec),
            method: self.request.method().as_str(),
            path: self.request.uri().path(),
            status,
            outcome,
            start,
            total_us: self.arrived.elapsed().as_micros() as u64,
            admit_us: self.admit.as_micros() as u64,
            timing,
            detail,
        };
        end(self.plane, self.served.as_deref(), &line);
    }
}

fn end(plane: &DataPlane, served: Option<&Served>, line: &RequestEnd<'_>) {
    if let Some(served) = served {
        let series = served.series(&plane.metrics);
        series.start(line.start, line.timing.start_us);
        series.end(line.outcome, Duration::from_micros(line.total_us), line.timing.cpu_us);
    }
    plane.logs().request(line);
}

/// The time of a request whose response is streamed: it outlives the request's own task.
pub struct StreamAccount {
    plane: Arc<DataPlane>,
    request_id: String,
    method: http::Method,
    path: String,
    arrived: Instant,
    admit: Duration,
    served: Option<Arc<Served>>,
    start: StartKind,
    timing: Timing,
    status: u16,
    closed: bool,
}

impl StreamAccount {
    /// Its body ended. `timing` is what is known of its time in the end, if anything is.
    pub fn close(mut self, outcome: Outcome, timing: Option<Timing>, detail: &Bytes) {
        self.timing = timing.unwrap_or(self.timing);
        self.end(outcome, detail);
    }

    fn end(&mut self, outcome: Outcome, detail: &Bytes) {
        self.closed = true;
        let line = RequestEnd {
            request_id: &self.request_id,
            function: self.served.as_ref().map(|served| &served.function.spec),
            method: self.method.as_str(),
            path: &self.path,
            status: self.status,
            outcome,
            start: self.start,
            total_us: self.arrived.elapsed().as_micros() as u64,
            admit_us: self.admit.as_micros() as u64,
            timing: self.timing,
            detail,
        };
        end(&self.plane, self.served.as_deref(), &line);
    }
}

impl Drop for StreamAccount {
    fn drop(&mut self) {
        if !self.closed {
            self.end(Outcome::Cancelled, &Bytes::new());
        }
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        if !self.closed {
            self.end(Outcome::Cancelled, StartKind::None, Timing::default(), &Bytes::new(), CLIENT_LEFT);
        }
    }
}
