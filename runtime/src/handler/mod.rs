//! The contract with tenants: the event a handler is given, and what its result means.
//!
//! The rules have numbers (`R10`, `R20`, …). Payload format 2.0 of API Gateway's HTTP APIs is what
//! is spoken. Where a rule leaves a choice, the choice is written at the code that makes it.

pub mod event;
pub mod fetch;
pub mod response;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Decodes standard base64; `None` when it is not (R34).
pub fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Encodes as standard base64.
pub fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
