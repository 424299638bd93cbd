//! Problem details (RFC 9457): the body of every error of both listeners, from one mapping.
//!
//! Also the extractors whose refusals are problems: [`Given`] for JSON bodies, [`Asked`] for query strings.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::boundary::Cause;
use crate::config::ConfigError;
use crate::ports::SecretError;
use crate::secrets::UnknownName;
use crate::views::Problem;
use crate::workers::StageError;

/// The largest JSON body that is read, bytes.
const LARGEST: usize = 256 * 1024;

/// What a handler answers.
pub(crate) type Answer<T> = Result<T, Problem>;

impl Problem {
    /// A problem with a stable code that the UI has words for. `detail` says what, where and what to do; no secret.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            cause: None,
        }
    }

    /// The request is wrong; `detail` names the field or parameter.
    #[must_use]
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// There is no such thing.
    #[must_use]
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("{what} was not found"))
    }

    /// The same problem under a more telling code, when it is a conflict.
    #[must_use]
    pub fn when_conflict(mut self, code: &str) -> Self {
        if self.code == "conflict" {
            code.clone_into(&mut self.code);
        }
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let cause = self.cause.clone().map(Cause);
        let mut answer =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(self)).into_response();
        if let Some(cause) = cause {
            answer.extensions_mut().insert(cause);
        }
        answer
    }
}

impl From<chotdon_store::Error> for Problem {
    fn from(error: chotdon_store::Error) -> Self {
        use chotdon_store::Error;
        let text = error.to_string();
        match error {
            Error::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not_found", text),
            Error::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", text),
            Error::Refused { code, .. } => Self::new(StatusCode::CONFLICT, code, text),
            Error::LedgerStopped(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "ledger_stopped", text),
            Error::Invalid(_) => Self::bad(text),
            Error::Unavailable(_) => {
                let cause = Some(text.as_str().into());
                Self { cause, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", text) }
            }
            Error::Halted(_) | Error::Unusable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_stopped", text)
            }
            Error::Internal(_) => {
                let detail = "something went wrong here; the log says what";
                Self {
                    cause: Some(text.into()),
                    ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
                }
            }
        }
    }
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Unknown { .. } | ConfigError::Value { .. } | ConfigError::Shape(_) => {
                Self::bad(error.to_string())
            }
            ConfigError::Syntax { .. } => Self::new(StatusCode::CONFLICT, "conflict", error.to_string()),
            ConfigError::Io { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string())
            }
        }
    }
}

impl From<SecretError> for Problem {
    fn from(error: SecretError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "secret_store_unavailable", error.to_string())
    }
}

impl From<UnknownName> for Problem {
    fn from(error: UnknownName) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", error.to_string())
    }
}

impl From<StageError> for Problem {
    fn from(error: StageError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.code, error.detail)
    }
}

/// A JSON body. None at all counts as `{}`, whatever its content type says.
#[derive(Debug)]
pub(crate) struct Given<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = axum::body::to_bytes(request.into_body(), LARGEST).await.map_err(|_| {
            let detail = format!("the body is longer than {LARGEST} bytes, or broke off");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "bad_request", detail)
        })?;
        let text: &[u8] = if bytes.trim_ascii().is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text)
            .map(Self)
            .map_err(|error| Problem::bad(format!("the JSON body: {error}")))
    }
}

/// A query string.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|Query(asked)| Self(asked))
            .map_err(|error| Problem::bad(format!("the query: {}", error.body_text())))
    }
}

/// For paths that are not served.
pub(crate) async fn no_route(request: Request) -> Problem {
    Problem::not_found(format_args!("{} {}", request.method(), request.uri().path()))
}

/// For paths that are served, but not with this method.
pub(crate) async fn no_method(request: Request) -> Problem {
    let detail = format!("{} is not answered at {}", request.method(), request.uri().path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "bad_request", detail)
}
