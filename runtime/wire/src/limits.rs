//! What one function may use. Units are in the names; the reason for each default is beside it.

use serde::{Deserialize, Serialize};

/// Limits of one function. Fields that a manifest leaves out take their defaults; a node's
/// configuration may cap them ([`Limits::capped_by`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// CPU time for evaluating the module, in ms. 1 s: the heaviest bundles measured need 60 ms.
    pub startup_cpu_ms: u32,
    /// CPU time of one invocation on its isolate's thread, in ms. 200 ms: a page rendered by
    /// react-dom/server takes 10; more is a loop or a job for another place.
    pub handler_cpu_ms: u32,
    /// Time from admission to the response, in ms; of a streamed one, to its head. 30 s: what API
    /// Gateway allows.
    pub wall_ms: u32,
    /// V8 heap, ArrayBuffers and WebAssembly memory of one isolate together, in MiB. 128: what
    /// edge hosts customarily give.
    pub heap_mb: u32,
    /// Request body, in bytes. 6 MiB: Lambda's payload limit.
    pub request_body_bytes_max: u32,
    /// Response body, in bytes, while it is buffered. 6 MiB: Lambda's payload limit.
    pub response_body_bytes_max: u32,
    /// A streamed request or response body, in MiB; 0: no limit. None: it takes no memory.
    pub stream_mb_max: u32,
    /// From a streamed response's head to its end, in ms. 15 min: what Lambda allows.
    pub stream_wall_ms: u32,
    /// How long a streamed response may stand still, in ms: nothing written, or nothing taken. 5
    /// min: what API Gateway allows.
    pub stream_idle_ms: u32,
    /// What `ctx.waitUntil` was given may take after the response's end, in ms. 30 s: as the hosts
    /// that `ctx` comes from.
    pub wait_until_ms: u32,
    /// CPU time of the same, in ms. 200 ms: as much as the handler.
    pub wait_until_cpu_ms: u32,
    /// Invocations of the function at one time on this node, those that wait included. 256: with
    /// the default body limits a cell that holds them all stays below its memory limit.
    pub concurrency: u32,
    /// Isolates of one function version at one time in its cell. 4: more than the cores of a
    /// small node gain nothing.
    pub isolates_max: u32,
    /// Console output of one invocation, in bytes; the rest is counted, not kept. 64 KiB.
    pub log_bytes_max: u32,
    /// Outbound requests that one invocation may make, redirects counted. 100: a page that asks a
    /// content system for each of its parts needs tens; more is a loop.
    pub fetches_max: u32,
    /// Outbound requests of the function at one time on this node; more wait. 64: ten invocations
    /// that ask six places each.
    pub fetches_in_flight_max: u32,
    /// Time from an outbound request to its response's head, and between two pieces of its
    /// body, in ms. 30 s: no longer than the invocation itself may take by default.
    pub fetch_ms: u32,
    /// Body of one outbound response, in bytes, as received and as decompressed. 64 MiB: half of
    /// the default heap.
    pub fetch_response_bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            startup_cpu_ms: 1_000,
            handler_cpu_ms: 200,
            wall_ms: 30_000,
            heap_mb: 128,
            request_body_bytes_max: 6 << 20,
            response_body_bytes_max: 6 << 20,
            stream_mb_max: 0,
            stream_wall_ms: 900_000,
            stream_idle_ms: 300_000,
            wait_until_ms: 30_000,
            wait_until_cpu_ms: 200,
            concurrency: 256,
            isolates_max: 4,
            log_bytes_max: 64 << 10,
            fetches_max: 100,
            fetches_in_flight_max: 64,
            fetch_ms: 30_000,
            fetch_response_bytes_max: 64 << 20,
        }
    }
}

/// A limit outside the range that makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitError {
    /// The field's name as written in manifests.
    pub field: &'static str,
    /// What was given.
    pub given: u32,
    /// The least allowed value.
    pub min: u32,
    /// The greatest allowed value.
    pub max: u32,
}

impl std::fmt::Display for LimitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "limit `{}` is {}, expected {} to {}", self.field, self.given, self.min, self.max)
    }
}

impl std::error::Error for LimitError {}

impl Limits {
    fn fields(&self) -> [(&'static str, u32, u32, u32); 18] {
        [
            ("startup_cpu_ms", self.startup_cpu_ms, 1, 60_000),
            ("handler_cpu_ms", self.handler_cpu_ms, 1, 60_000),
            ("wall_ms", self.wall_ms, 1, 900_000),
            ("heap_mb", self.heap_mb, 8, 2_048),
            ("request_body_bytes_max", self.request_body_bytes_max, 0, 256 << 20),
            ("response_body_bytes_max", self.response_body_bytes_max, 0, 256 << 20),
            (STREAM_MB_MAX, self.stream_mb_max, 0, 1 << 20),
            ("stream_wall_ms", self.stream_wall_ms, 1, 86_400_000),
            ("stream_idle_ms", self.stream_idle_ms, 1, 86_400_000),
            ("wait_until_ms", self.wait_until_ms, 0, 900_000),
            ("wait_until_cpu_ms", self.wait_until_cpu_ms, 1, 60_000),
            ("concurrency", self.concurrency, 1, 4_096),
            ("isolates_max", self.isolates_max, 1, 64),
            ("log_bytes_max", self.log_bytes_max, 0, 16 << 20),
            ("fetches_max", self.fetches_max, 0, 10_000),
            ("fetches_in_flight_max", self.fetches_in_flight_max, 1, 1_024),
            ("fetch_ms", self.fetch_ms, 1, 900_000),
            ("fetch_response_bytes_max", self.fetch_response_bytes_max, 0, u32::MAX),
        ]
    }

    /// Says which field, if any, is out of range.
    ///
    /// # Errors
    /// The first field outside its range.
    pub fn check(&self) -> Result<(), LimitError> {
        for (field, given, min, max) in self.fields() {
            if given < min || given > max {
                return Err(LimitError { field, given, min, max });
            }
        }
        Ok(())
    }

    /// Says which field, if any, asks for more than `cap` allows.
    ///
    /// # Errors
    /// The first field above the cap's.
    pub fn capped_by(&self, cap: &Limits) -> Result<(), LimitError> {
        for ((field, given, min, _), (_, max, _, _)) in self.fields().into_iter().zip(cap.fields()) {
            if Self::lesser(field, given, max) != given {
                return Err(LimitError { field, given, min, max });
            }
        }
        Ok(())
    }

    /// The stricter of two values of a field: the smaller one, unless 0 stands for no limit.
    pub fn lesser(field: &str, one: u32, other: u32) -> u32 {
        match (one, other) {
            (0, other) if field == STREAM_MB_MAX => other,
            (one, 0) if field == STREAM_MB_MAX => one,
            (one, other) => one.min(other),
        }
    }

    /// Bytes of a body that may be streamed.
    pub fn stream_bytes_max(&self) -> u64 {
        if self.stream_mb_max == 0 { u64::MAX } else { u64::from(self.stream_mb_max) << 20 }
    }
}

const STREAM_MB_MAX: &str = "stream_mb_max";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_a_bad_field_is_named() {
        assert_eq!(Limits::default().check(), Ok(()));
        let bad = Limits { heap_mb: 1, ..Limits::default() };
        assert_eq!(bad.check().unwrap_err().to_string(), "limit `heap_mb` is 1, expected 8 to 2048");
    }

    #[test]
    fn a_cap_refuses_what_exceeds_it() {
        let wants = Limits { wall_ms: 60_000, ..Limits::default() };
        assert_eq!(wants.capped_by(&Limits::default()).unwrap_err().field, "wall_ms");
        assert_eq!(Limits::default().capped_by(&wants), Ok(()));
        let capped = Limits { stream_mb_max: 5, ..Limits::default() };
        assert_eq!(capped.capped_by(&Limits::default()), Ok(()));
        assert_eq!(Limits::default().capped_by(&capped).unwrap_err().field, "stream_mb_max");
    }
}
