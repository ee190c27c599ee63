//! Answers of the admin API, and the one place where its refusals become statuses.

use super::bundle::BundleError;
use super::store::StoreError;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

const JSON: &str = "application/json";

/// An answer of the admin API.
#[derive(Debug)]
pub struct ApiReply {
    /// The HTTP status.
    pub status: u16,
    /// The body's type; empty when there is no body (204).
    pub content_type: &'static str,
    /// Further header fields.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: ApiBody,
}

/// The body of an [`ApiReply`].
#[derive(Debug)]
pub enum ApiBody {
    /// All of it.
    Full(Bytes),
    /// Lines as they come, each with its line end. The stream ends when the channel does; dropping
    /// the receiver ends the sender.
    Lines(mpsc::Receiver<Bytes>),
}

impl ApiReply {
    pub(super) fn bytes(status: StatusCode, content_type: &'static str, body: Bytes) -> ApiReply {
        ApiReply { status: status.as_u16(), content_type, headers: Vec::new(), body: ApiBody::Full(body) }
    }

    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> ApiReply {
        match serde_json::to_vec(body) {
            Ok(body) => Self::bytes(status, JSON, body.into()),
            Err(error) => ApiError::internal(&error).into(),
        }
    }

    pub(super) fn nothing() -> ApiReply {
        Self::bytes(StatusCode::NO_CONTENT, "", Bytes::new())
    }

    pub(super) fn lines(lines: mpsc::Receiver<Bytes>) -> ApiReply {
        ApiReply { body: ApiBody::Lines(lines), ..Self::bytes(StatusCode::OK, super::api::NDJSON, Bytes::new()) }
    }
}

/// A refusal, as the caller sees it.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    // Boxed: every answer of the API carries room for a refusal.
    details: Box<Value>,
    extra: Extra,
}

/// A header field that goes with a refusal.
#[derive(Debug)]
enum Extra {
    Nothing,
    Authenticate,
    Allow(&'static str),
}

impl Extra {
    fn header(self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Extra::Nothing => None,
            Extra::Authenticate => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            Extra::Allow(methods) => Some((header::ALLOW, HeaderValue::from_static(methods))),
        }
    }
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, code, message: message.into(), details: Box::new(json!({})), extra: Extra::Nothing }
    }

    pub(super) fn details(self, details: Value) -> ApiError {
        ApiError { details: Box::new(details), ..self }
    }

    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> ApiError {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn unauthorized() -> ApiError {
        let message = "expected `Authorization: Bearer TOKEN` with a token of this node";
        ApiError { extra: Extra::Authenticate, ..Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message) }
    }

    pub(super) fn admin_required() -> ApiError {
        Self::new(StatusCode::FORBIDDEN, "admin_required", "this needs the administrator's token")
    }

    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> ApiError {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(super) fn app_not_found(app: &str) -> ApiError {
        Self::not_found("app_not_found", format!("there is no app `{}`", app.escape_debug()))
    }

    pub(super) fn method_not_allowed(allow: &'static str) -> ApiError {
        let message = format!("expected {allow}");
        let error = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
        ApiError { extra: Extra::Allow(allow), ..error }
    }

    pub(super) fn too_large(message: impl Into<String>) -> ApiError {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    pub(super) fn invalid(code: &'static str, message: impl Into<String>) -> ApiError {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    pub(super) fn unavailable(message: impl Into<String>) -> ApiError {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// What happened goes to the log; the caller learns only that it was not the request's fault.
    pub(super) fn internal(error: &dyn std::fmt::Display) -> ApiError {
        tracing::error!(%error, "the admin API failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the node failed; its log says why")
    }
}

impl From<ApiError> for ApiReply {
    fn from(error: ApiError) -> ApiReply {
        let body = json!({"error": {"code": error.code, "message": error.message, "details": error.details}});
        let mut reply = ApiReply::bytes(error.status, JSON, body.to_string().into());
        reply.headers.extend(error.extra.header());
        reply
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        let message = error.to_string();
        match error {
            StoreError::TenantExists => Self::new(StatusCode::CONFLICT, "tenant_exists", message),
            StoreError::TenantHasApps => Self::new(StatusCode::CONFLICT, "tenant_has_apps", message),
            StoreError::NothingBefore => Self::new(StatusCode::CONFLICT, "nothing_before", message),
            StoreError::TenantUnknown => Self::not_found("tenant_not_found", message),
            StoreError::AppUnknown => Self::not_found("app_not_found", message),
            StoreError::DeploymentUnknown => Self::not_found("deployment_not_found", message),
            StoreError::Damaged(_) => {
                tracing::error!(error = message, "a deployment cannot be read");
                let message = "the deployment's content is damaged; deploy it again";
                Self::new(StatusCode::CONFLICT, "deployment_damaged", message)
            }
            StoreError::TooNew(_)
            | StoreError::Locked(_)
            | StoreError::Closed
            | StoreError::Sqlite(_)
            | StoreError::Io(_) => Self::internal(&message),
        }
    }
}

impl From<BundleError> for ApiError {
    fn from(error: BundleError) -> ApiError {
        let message = error.to_string();
        match error {
            BundleError::Manifest(error) => Self::invalid("manifest_invalid", message).details(json!({
                "file": super::manifest::FILE, "line": error.line, "key": error.key, "message": error.message,
            })),
            BundleError::File(path, what) => {
                Self::invalid("file_invalid", message).details(json!({"file": path, "message": what}))
            }
            BundleError::TooLarge(..) => Self::too_large(message),
        }
    }
}
