//! The words that the gateway and the cells share, and the frames they are said in.
//!
//! `isle-gateway` knows no V8 and `isle-runtime` knows no TCP; both know this crate, which knows
//! neither. It holds
//!
//! - [`Outcome`]: the closed list of ways an invocation can end;
//! - [`Limits`]: what one function may use, with units in the names and reasons beside the numbers;
//! - [`FunctionSpec`]: everything a cell needs to run one function version;
//! - [`Frame`] and its codec: what travels on the Unix socket between gateway and cell;
//! - [`FetchFrame`]: a function's own requests, made for it by the gateway;
//! - [`RequestHead`]: the HTTP request as the cell sees it, from which the handler's event is built;
//! - [`Board`]: which invocations a cell had begun, readable after the cell has died.

mod board;
mod build;
mod clock;
mod codec;
mod contract;
mod fetch;
mod frame;
mod function;
mod limits;
mod outcome;
mod pack;
mod request;

pub use board::{BOARD_SLOTS_MAX, Board, RESTORES_MAX, slot_of};
pub use build::{BuildOrder, BuildReport, StartWish};
pub use clock::Clock;
pub use codec::{Reader, WireError, Writer};
pub use contract::{Contract, INVOKE_ROUTE, PayloadFormat};
pub use fetch::{BODY_BYTES_UNKNOWN, FetchFrame, FetchRequest, FetchResponse};
pub use frame::{
    BODY_CHUNK_BYTES_MAX, Console, ConsoleLevel, Decoder, End, FRAME_BYTES_MAX, Frame, Invoke, LoadReply,
    ResponseFrame, Timing, WINDOW_BYTES,
};
pub use function::{
    CellConfig, CellStats, FailureDetail, FunctionKind, FunctionSpec, ModuleKind, ModuleSource, VersionStats,
};
pub use limits::{LimitError, Limits};
pub use outcome::{Outcome, StartKind};
pub use pack::{TextAt, UnpackError, text_at};
pub use request::RequestHead;

/// Changes whenever the meaning of a frame does. Gateway and cells are one binary, so a mismatch
/// means that the binary was replaced under a running node.
pub const PROTOCOL_VERSION: u32 = 4;
