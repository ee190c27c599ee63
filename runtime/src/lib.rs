//! The cell: V8 isolates, their limits, and the handler contract. No TCP in here.
#![deny(unsafe_code)]

pub mod clock;
mod egress;
mod ext;
pub mod function;
pub mod handler;
#[allow(unsafe_code, reason = "V8's C callbacks and memory maps; every block says why it is sound")]
pub mod isolate;
mod maps;
pub mod snapshot;

pub use ext::ConsoleSink;
pub mod cell;

pub use ext::{is_node_module, node_modules};
