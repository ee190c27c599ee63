//! The API's own description, served at `/v1/openapi.json`. The tests hold every answer against it.

use super::reply::ApiReply;
use bytes::Bytes;
use http::StatusCode;

/// The OpenAPI 3.1 document.
pub const DOCUMENT: &str = include_str!("openapi.json");

pub(super) fn reply() -> ApiReply {
    ApiReply::bytes(StatusCode::OK, "application/json", Bytes::from_static(DOCUMENT.as_bytes()))
}
