//! Answers in Google's shapes.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::faults::Refusal;

/// A refusal as an answer; handlers fail with it.
#[derive(Debug)]
pub(super) struct No(pub(super) u16, pub(super) String, pub(super) String, pub(super) Option<u64>);

impl No {
    pub(super) fn new(status: u16, reason: &str, message: &str) -> Self {
        Self(status, reason.to_owned(), message.to_owned(), None)
    }

    pub(super) fn not_found(id: &str) -> Self {
        Self::new(404, "notFound", &format!("File not found: {id}."))
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.status, refusal.reason.to_owned(), refusal.message.to_owned(), refusal.retry_after_s)
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let Self(code, reason, message, retry_after) = self;
        let domain = if reason.ends_with("LimitExceeded") { "usageLimits" } else { "global" };
        let body = json!({ "error": { "code": code, "message": message,
            "errors": [{ "message": message, "domain": domain, "reason": reason }] } });
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match retry_after {
            Some(seconds) => (status, [("retry-after", seconds.to_string())], Json(body)).into_response(),
            None => (status, Json(body)).into_response(),
        }
    }
}

/// What most handlers answer.
pub(super) type Answer = Result<Json<Value>, No>;
