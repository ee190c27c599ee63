//! The contract with tenants: the event a handler is given, and what its result means.
//!
//! The rules have numbers (`R10`, `R20`, …). Payload format 2.0 of API Gateway's HTTP APIs is what
//! is spoken, or 1.0 to functions whose manifest says so. Where a rule leaves a choice, the choice
//! is written at the code that makes it.

pub mod event;
mod event_v1;
pub mod fetch;
pub mod invocation;
pub mod response;
mod response_v1;

/// How a handler's result is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Payload format 2.0: a response, or a value to make one of (R20 to R36).
    V2,
    /// Payload format 1.0 of HTTP APIs: a response (R41).
    V1,
    /// Payload format 1.0 of REST APIs (R40 to R53).
    Rest {
        /// Whether `isBase64Encoded` has a meaning for this request (R50, R51).
        decodes: bool,
    },
    /// The Invoke API: the value as JSON.
    Direct,
}

use crate::egress::Codings;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What is expected of a handler's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expects {
    /// How it is read.
    pub reading: Reading,
    /// The longest body, in bytes.
    pub bytes_max: usize,
    /// Whose result it is.
    pub invocation: u32,
    /// Whether nobody wants the body.
    pub is_head: bool,
    /// Content codings that the client takes; only of a fetch handler's.
    pub accepts: Codings,
}

impl Expects {
    /// A result of a request to the function.
    pub fn of(spec: &isle_wire::FunctionSpec) -> Expects {
        use isle_wire::PayloadFormat;
        let reading = match spec.contract.payload_format {
            PayloadFormat::V2 => Reading::V2,
            PayloadFormat::V1 => Reading::V1,
            PayloadFormat::Rest => Reading::Rest { decodes: true },
        };
        Expects::new(reading, spec.limits.response_body_bytes_max as usize)
    }

    /// A result in payload format 2.0.
    pub fn v2(bytes_max: usize) -> Expects {
        Expects::new(Reading::V2, bytes_max)
    }

    /// A result that is read like this, of nobody's yet.
    pub fn new(reading: Reading, bytes_max: usize) -> Expects {
        Expects { reading, bytes_max, invocation: 0, is_head: false, accepts: Codings::default() }
    }
}

/// Decodes standard base64; `None` when it is not (R34).
pub fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Encodes as standard base64.
pub fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
