//! The closed list of ways an invocation can end, and what each is called.

use serde::{Deserialize, Serialize};

/// How an invocation ended.
///
/// A new variant does not compile until its label ([`Outcome::as_str`]), its HTTP status (the
/// gateway's `respond` room) and its log level are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Outcome {
    /// The handler returned a valid response.
    Ok = 0,
    /// The handler threw, or its promise was rejected.
    HandlerThrew = 1,
    /// The handler returned something that is no response (R27, R34, R35, R79).
    InvalidResponse = 2,
    /// The handler's promise is pending and nothing is left that could settle it (R73).
    NeverSettled = 3,
    /// The module failed to compile, threw while it was evaluated, or has no handler (R76, R77).
    StartupFailed = 4,
    /// Evaluating the module used more CPU time than `startup_cpu_ms`.
    StartupCpuExceeded = 5,
    /// The handler used more CPU time than `handler_cpu_ms`.
    CpuExceeded = 6,
    /// The invocation took longer than `wall_ms`.
    WallExceeded = 7,
    /// The isolate needed more memory than `heap_mb`, counting ArrayBuffers and WebAssembly.
    HeapExceeded = 8,
    /// The response body is larger than `response_body_bytes_max`.
    ResponseTooLarge = 9,
    /// The cell's process ended while the invocation was inside it.
    CellDied = 10,
    /// The client left before the response was ready.
    Cancelled = 11,
    /// Refused before it began: a concurrency limit or a full queue.
    RefusedBusy = 12,
    /// The request body is larger than `request_body_bytes_max`.
    RequestTooLarge = 13,
    /// The request body did not arrive whole, or not in time.
    RequestIncomplete = 14,
    /// No route of any deployment fits the request.
    NoRoute = 15,
    /// The node is stopping or no cell could be started.
    Unavailable = 16,
}

impl Outcome {
    /// Every outcome, in wire order.
    pub const ALL: [Outcome; 17] = [
        Outcome::Ok,
        Outcome::HandlerThrew,
        Outcome::InvalidResponse,
        Outcome::NeverSettled,
        Outcome::StartupFailed,
        Outcome::StartupCpuExceeded,
        Outcome::CpuExceeded,
        Outcome::WallExceeded,
        Outcome::HeapExceeded,
        Outcome::ResponseTooLarge,
        Outcome::CellDied,
        Outcome::Cancelled,
        Outcome::RefusedBusy,
        Outcome::RequestTooLarge,
        Outcome::RequestIncomplete,
        Outcome::NoRoute,
        Outcome::Unavailable,
    ];

    /// The word for it: metric label, log field and the `isle-outcome` response header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::HandlerThrew => "handler_threw",
            Outcome::InvalidResponse => "invalid_response",
            Outcome::NeverSettled => "never_settled",
            Outcome::StartupFailed => "startup_failed",
            Outcome::StartupCpuExceeded => "startup_cpu_exceeded",
            Outcome::CpuExceeded => "cpu_exceeded",
            Outcome::WallExceeded => "wall_exceeded",
            Outcome::HeapExceeded => "heap_exceeded",
            Outcome::ResponseTooLarge => "response_too_large",
            Outcome::CellDied => "cell_died",
            Outcome::Cancelled => "cancelled",
            Outcome::RefusedBusy => "refused_busy",
            Outcome::RequestTooLarge => "request_too_large",
            Outcome::RequestIncomplete => "request_incomplete",
            Outcome::NoRoute => "no_route",
            Outcome::Unavailable => "unavailable",
        }
    }

    /// The outcome with this wire number, if there is one.
    pub fn from_wire(byte: u8) -> Option<Outcome> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

/// How the isolate that served an invocation came to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum StartKind {
    /// A resident isolate was reused.
    #[default]
    Warm = 0,
    /// A spare base isolate was taken and the module evaluated in it.
    Pooled = 1,
    /// An isolate was created for it, and the module evaluated in it.
    Source = 2,
    /// The function's own heap snapshot was restored.
    Snapshot = 3,
    /// No isolate was involved: the request was refused before it reached one.
    None = 4,
}

impl StartKind {
    /// Every kind, in wire order.
    pub const ALL: [StartKind; 5] =
        [StartKind::Warm, StartKind::Pooled, StartKind::Source, StartKind::Snapshot, StartKind::None];

    /// The word for it in metrics, logs and the `isle-start` header.
    pub const fn as_str(self) -> &'static str {
        match self {
            StartKind::Warm => "warm",
            StartKind::Pooled => "pooled",
            StartKind::Source => "source",
            StartKind::Snapshot => "snapshot",
            StartKind::None => "none",
        }
    }

    /// The kind with this wire number, if there is one.
    pub fn from_wire(byte: u8) -> Option<StartKind> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_numbers_are_positions_and_words_are_unique() {
        for (position, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, position);
            assert_eq!(Outcome::from_wire(position as u8), Some(outcome));
        }
        let words: std::collections::HashSet<_> = Outcome::ALL.iter().map(|o| o.as_str()).collect();
        assert_eq!(words.len(), Outcome::ALL.len());
        assert_eq!(Outcome::from_wire(Outcome::ALL.len() as u8), None);
        for (position, kind) in StartKind::ALL.into_iter().enumerate() {
            assert_eq!(StartKind::from_wire(position as u8), Some(kind));
        }
    }
}
