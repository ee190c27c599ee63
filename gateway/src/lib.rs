//! The gateway: from a stranger's connection to a handler's response, and back. No V8 in here.
//!
//! A connection is *accepted*, and its HTTP checked for everything that two readers could read in two
//! ways. Host, method and path are *routed* to a function version, by a table that a deploy replaces
//! whole. The request is *admitted* within the limits of its function, its tenant and the node, before a
//! byte of its body is read. It is *dispatched* to the one process that runs its tenant's code, a *cell*,
//! over a socket that all its requests share; a cell that dies before it began a request costs a retry.
//! What comes back, or fails to, is turned into a status by *respond* and counted once by *account*.
//!
//! | stage | file | how a request can end there |
//! |---|---|---|
//! | accept | [`accept`] | 400, 408, 414, 431, 503, 505, closed: [`accept::Refusal`] |
//! | route | [`route`] | `no_route` |
//! | admit | [`admit`] | `refused_busy`: [`admit::Refused`] says which limit |
//! | dispatch | [`dispatch`] | `request_too_large`, `request_incomplete`, `wall_exceeded`, `cancelled` |
//! | cell | [`cells`] | `cell_died`, `unavailable`; in the cell: `ok` and every limit of the function |
//! | respond | [`respond`] | `invalid_response`, when a cell sends what is no HTTP |
//! | account | [`account`], [`metrics`], [`logs`] | |
//!
//! What functions themselves ask of others leaves through [`egress`], the one room that resolves names
//! and connects for them.
//!
//! [`serve`] joins the stages, one comment per join. [`plane`] holds what they need of each function,
//! made when it is deployed, and [`cors`] answers browsers that only ask. Beside the path: [`control`]
//! says what is deployed, [`admin`] is the door to it, `invoke` leads from there to a function without
//! HTTP in between, [`artifacts`] makes functions start quickly, [`config`] is the operator's word, and
//! [`node`] starts and stops all of it.
#![forbid(unsafe_code)]

pub mod accept;
pub mod account;
pub mod admin;
pub mod admit;
pub mod artifacts;
pub mod cells;
pub mod config;
pub mod control;
pub mod cors;
pub mod dispatch;
pub mod egress;
mod files;
mod invoke;
pub mod logs;
pub mod metrics;
pub mod node;
pub mod plane;
pub mod request_id;
pub mod respond;
pub mod route;
pub mod serve;
#[cfg(test)]
mod stage;
