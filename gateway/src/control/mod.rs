//! Control: who may deploy what, what is deployed, and the REST API over it.
//!
//! ```text
//!   api ──▶ manifest ──▶ plans (each function built once) ──▶ store (SQLite + blobs) ──▶ Plane::publish
//! ```
//!
//! A deployment is checked whole, then committed whole, then published whole; whichever step
//! refuses, the one before it keeps serving. What a node serves after a restart is exactly what
//! `store` has: nothing else is kept.

pub mod api;
pub mod bundle;
mod live;
pub mod manifest;
pub mod openapi;
pub mod plans;
mod rebuild;
mod reply;
pub mod store;
mod texts;
pub mod tokens;
pub mod warmup;

pub use api::{Api, ApiSettings, Caller, Opened, PublicBase};
pub use reply::{ApiBody, ApiReply};

use crate::artifacts::Workshop;
use crate::request_id::RequestId;
use crate::route::{FunctionVersion, RouteTable};
use bytes::Bytes;
use http::HeaderValue;
use isle_wire::{ConsoleLevel, LoadReply, Outcome, Timing};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::broadcast;

/// A line of a function's console, as tenants see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written, in ms since the Unix epoch.
    pub time_ms: u64,
    /// The request it belongs to; empty when it was written during start-up.
    pub request_id: String,
    /// Whose function wrote it.
    pub tenant: String,
    /// The function's app.
    pub app: String,
    /// The function.
    pub function: String,
    /// How loud.
    pub level: ConsoleLevel,
    /// The text, without a line end.
    pub text: String,
}

/// A call of a function with an event of the caller's.
#[derive(Clone, Debug)]
pub struct DirectCall {
    /// The invocation's id.
    pub request_id: RequestId,
    /// The event, as JSON; empty for an empty object.
    pub payload: Bytes,
    /// `context.clientContext`: base64 of JSON.
    pub client_context: Option<HeaderValue>,
}

/// What became of a [`DirectCall`].
#[derive(Clone, Debug)]
pub struct Invoked {
    /// The call's.
    pub request_id: RequestId,
    /// How it ended.
    pub outcome: Outcome,
    /// Where the time went.
    pub timing: Timing,
    /// Why it failed: [`isle_wire::FailureDetail`] as JSON, if it is known.
    pub detail: Bytes,
    /// The result as JSON.
    pub body: Bytes,
}

/// What control needs of the data plane. Tests bring one without cells.
pub trait Plane: Send + Sync + 'static {
    /// Starts the function once, in a throw-away cell, and says whether it can serve.
    fn check(&self, function: &Arc<FunctionVersion>) -> impl Future<Output = LoadReply> + Send;

    /// Where function versions are built. Without one they are only checked.
    fn workshop(&self) -> Option<&Arc<Workshop>>;

    /// From the next request on, this table is the one; what it lacks is unloaded.
    fn publish(&self, table: Arc<RouteTable>);

    /// Runs the function's handler with an event of the caller's.
    fn invoke(&self, function: &Arc<FunctionVersion>, call: DirectCall) -> impl Future<Output = Invoked> + Send;

    /// Drops the function's idle isolates.
    fn evict(&self, function: &FunctionVersion);

    /// The newest lines of an app, oldest first, and those that come from now on. The receiver may
    /// carry other apps' lines too; who reads it filters.
    fn logs(&self, tenant: &str, app: &str) -> (Vec<LogLine>, broadcast::Receiver<LogLine>);
}

/// Now, in ms since the Unix epoch.
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
