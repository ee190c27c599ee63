//! The gateway: from a stranger's connection to a handler's response, and back. No V8 in here.
#![forbid(unsafe_code)]

pub mod accept;
pub mod account;
pub mod admin;
pub mod admit;
pub mod cells;
pub mod config;
pub mod control;
pub mod dispatch;
pub mod logs;
pub mod metrics;
pub mod node;
pub mod plane;
pub mod request_id;
pub mod respond;
pub mod route;
pub mod serve;
