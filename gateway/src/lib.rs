//! The gateway: from a stranger's connection to a handler's response, and back. No V8 in here.
#![forbid(unsafe_code)]

pub mod accept;
pub mod admit;
pub mod cells;
pub mod config;
pub mod control;
pub mod logs;
pub mod metrics;
pub mod route;
