//! Egress, the cell's side: a function's own requests, asked of the gateway over the cell's socket.
//!
//! ```text
//!   fetch() ─▶ ext:deno_fetch/26_fetch.js ─▶ ops ─▶ Call ── frames ──▶ outbox ──▶ gateway
//!                                             ▲ wakes
//!   reader thread ── Fetches::take ──▶ Exchange
//! ```
//!
//! | file | what |
//! |---|---|
//! | `exchange` | what is known of one fetch; shared by the reader and an isolate's thread |
//! | `ops` | what the platform's script calls; one invocation's count |
//! | `upload` | a request body on its way out, as the gateway's credit allows |
//! | `response` | a response body as a resource that JavaScript reads |
//! | `decode` | gzip, deflate and brotli, piece by piece |
//!
//! A fetch belongs to its isolate: it ends when its signal fires, when nobody can read its body any
//! more, or with the isolate. A cell has no network: all of this is frames on its one socket.

mod decode;
mod exchange;
pub mod ops;
mod response;
mod upload;

pub use decode::Codings;
pub use exchange::{Fetches, FrameSink};
pub use ops::{Outbound, asked_in_vain};
