//! Errors as RFC 9457 problem details: what, where, and what to do.

use std::time::Duration;

use assize_store::{Altered, StoreError};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::signer::SignError;

/// A problem (RFC 9457) with the field concerned.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// Which kind of problem: a stable URI reference.
    #[serde(rename = "type")]
    kind: String,
    /// The same for every problem of this kind.
    title: &'static str,
    /// HTTP status.
    status: u16,
    /// What is wrong this time, and what to do.
    detail: String,
    /// The field, header or parameter concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// Seconds until it makes sense to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &'static str, detail: impl ToString) -> Self {
        let kind = format!("https://assize.dev/problems/{kind}");
        Self { kind, title, status: status.as_u16(), detail: detail.to_string(), field: None, retry_after: None }
    }

    /// Names the field concerned.
    pub(crate) fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    fn later(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The request can't be read.
    pub(crate) fn bad_request(detail: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request can't be read", detail)
    }

    /// The request is read, and what it says can't be.
    pub(crate) fn invalid(field: impl Into<String>, detail: impl ToString) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "A value is not valid", detail).at(field)
    }

    pub(crate) fn unauthorized(detail: impl ToString) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid API key is needed", detail).at("Authorization")
    }

    pub(crate) fn forbidden(detail: impl ToString) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "The key's role doesn't allow this", detail)
    }

    /// It isn't there, or it is somebody else's: the answer doesn't tell which.
    pub(crate) fn not_found(what: impl ToString) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", format!("there is no {}", what.to_string()))
    }

    pub(crate) fn method_not_allowed(detail: impl ToString) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
    }

    pub(crate) fn conflict(detail: impl ToString) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "It contradicts what is there", detail)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!(
            "the body is larger than the {limit} bytes allowed; send less, or ask the operator to raise the limit"
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail)
    }

    pub(crate) fn too_slow(longest: Duration) -> Self {
        let detail = format!("the body didn't arrive within {} s; send it faster, or less of it", longest.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "The body takes too long", detail)
    }

    pub(crate) fn too_many(per_minute: u32, seconds: u64) -> Self {
        let detail = format!("this key may send {per_minute} requests a minute; try again in {seconds} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate-limit", "Too many requests", detail).later(seconds)
    }

    pub(crate) fn gone(detail: impl ToString) -> Self {
        Self::new(StatusCode::GONE, "erased", "What was asked for was erased", detail)
    }

    pub(crate) fn busy(detail: impl ToString) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "The host is at its limit", detail).later(1)
    }

    pub(crate) fn storage(detail: impl ToString) -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "storage", "Nothing can be recorded now", detail)
    }

    /// What is stored isn't what was recorded: nothing of it is passed on as if it were.
    pub(crate) fn altered(altered: &Altered) -> Self {
        tracing::error!(%altered, "a decision was altered");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "altered", "What is stored isn't what was recorded", altered)
    }

    pub(crate) fn internal(detail: impl ToString) -> Self {
        let detail = detail.to_string();
        tracing::error!(detail, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The host failed", detail)
    }

    /// Puts a sentence in front of the detail.
    pub(crate) fn because(mut self, sentence: &str) -> Self {
        self.detail = format!("{sentence} ({})", self.detail);
        self
    }

    pub(crate) fn is_conflict(&self) -> bool {
        self.status == StatusCode::CONFLICT.as_u16()
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<SignError> for Problem {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Store(error) => error.into(),
            SignError::Empty => Self::not_found("checkpoint: the log has no entries yet"),
            error @ (SignError::Elsewhere | SignError::WrongKey { .. }) => Self::conflict(error),
            error => Self::internal(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::QueueFull { .. } | StoreError::Stale { .. } => Self::busy(error),
            StoreError::DiskFull { .. } | StoreError::ReadOnly { .. } | StoreError::Poisoned { .. } => {
                tracing::error!(%error, "nothing can be recorded");
                Self::storage(format!("{error}; nothing of this request was kept"))
            }
            StoreError::IdempotencyConflict { .. } => Self::conflict(error).at("Idempotency-Key"),
            StoreError::VersionExists { .. }
            | StoreError::VersionConflict { .. }
            | StoreError::Overtaken { .. }
            | StoreError::LogKey { .. }
            | StoreError::Held { .. }
            | StoreError::RetentionChanged { .. }
            | StoreError::Exists { .. } => Self::conflict(error),
            StoreError::Claimed { .. } => {
                tracing::warn!(%error, "refused");
                Self::conflict(error).at("namespace")
            }
            StoreError::Revoked { .. } => Self::unauthorized(error),
            StoreError::NotFound { subject } => Self::not_found(subject),
            StoreError::Invalid { field, .. } => Self::invalid(*field, &error),
            StoreError::Proof(proof) => {
                let field = match proof {
                    assize_ledger::ProofError::Index { .. } => "seq",
                    _ => "size",
                };
                Self::invalid(field, proof)
            }
            StoreError::Closed => Self::busy("the host is shutting down"),
            StoreError::Missing { .. }
            | StoreError::InUse { .. }
            | StoreError::Origin { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Unknown { .. }
            | StoreError::Role { .. }
            | StoreError::Storage { .. } => Self::internal(error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
