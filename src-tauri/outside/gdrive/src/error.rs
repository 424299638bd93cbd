//! What went wrong, and what it asks for. Google's reasons are sorted in one table, [`classify`].

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap};
use serde::Deserialize;

/// What an error asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// The owner has to give consent again: the grant ended, or the client's credentials are wrong.
    Reconnect,
    /// Too many calls, or a moment of weakness: again later, with backoff.
    Busy {
        /// Google's own wish.
        retry_after: Option<Duration>,
    },
    /// No more sharing for hours; asking again makes it worse.
    SharingQuota,
    /// The account takes no more files.
    StorageFull,
    /// Not allowed, or not understood: a person has to look. Holds Google's reason.
    Denied(String),
    /// There is no such thing, or this app may not see it.
    NotFound,
    /// Something with this id is there already.
    AlreadyThere,
    /// The upload session is gone; a new one is needed, from the first byte.
    SessionLost,
    /// This account cannot let permissions end by themselves.
    CannotExpire,
    /// The address belongs to no Google account: sharing needs Google's own mail to it.
    NeedsNotification,
    /// It may have been done all the same: look before doing it again.
    Unclear,
    /// No answer, or a connection that broke.
    Unreachable,
}

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    class: Class,
    status: Option<u16>,
    reason: String,
    detail: String,
}

impl Error {
    /// What it asks for.
    #[must_use]
    pub fn class(&self) -> &Class {
        &self.class
    }

    /// The HTTP status; `None` when there was no answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Google's reason, such as `userRateLimitExceeded`; empty when it gave none.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    pub(crate) fn new(class: Class, detail: impl Into<String>) -> Self {
        Self { class, status: None, reason: String::new(), detail: detail.into() }
    }

    pub(crate) fn denied(reason: &str, detail: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), ..Self::new(Class::Denied(reason.to_owned()), detail) }
    }

    /// An answer that says yes and cannot be read.
    pub(crate) fn unreadable(what: &str) -> Self {
        Self::new(Class::Unclear, format!("Drive's answer to {what} cannot be read"))
    }

    /// No answer. The address is left out: of an upload it is as good as a password.
    pub(crate) fn unreachable(what: &str, error: reqwest::Error) -> Self {
        let mut detail = what.to_owned();
        let error = error.without_url();
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            detail.push_str(": ");
            detail.push_str(&error.to_string());
            cause = error.source();
        }
        Self::new(Class::Unreachable, detail)
    }

    /// The error of an answer that says no.
    pub(crate) fn answered(what: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let said = Said::read(body);
        let class = classify(status.as_u16(), &said.reason, &said.message, retry_after(headers));
        let mut detail = format!("{what}: {}", status.as_u16());
        for text in [&said.reason, &said.message] {
            if !text.is_empty() {
                detail.push(' ');
                detail.extend(text.chars().filter(|c| !c.is_control()).take(300));
            }
        }
        Self { class, status: Some(status.as_u16()), reason: said.reason, detail }
    }

    /// The same error where it met an upload session: what is not known there anymore has to begin again.
    pub(crate) fn in_session(mut self) -> Self {
        let lasting = ["insufficientFilePermissions", "appNotAuthorizedToFile", "domainPolicy"];
        let lost = match &self.class {
            Class::NotFound | Class::AlreadyThere | Class::Unclear => true,
            Class::Denied(reason) => !lasting.contains(&reason.as_str()),
            _ => false,
        };
        if lost {
            self.class = Class::SessionLost;
        }
        self
    }
}

/// What an error's body says, in either of Google's two shapes.
#[derive(Debug, Default)]
struct Said {
    reason: String,
    message: String,
}

#[derive(Deserialize)]
struct ApiBody {
    error: ApiError,
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(default)]
    message: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    errors: Vec<ApiReason>,
}

#[derive(Deserialize)]
struct ApiReason {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct TokenBody {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        if let Ok(ApiBody { error }) = serde_json::from_slice(body) {
            let reason = error.errors.into_iter().next().map_or(error.status, |first| first.reason);
            return Self { reason, message: error.message };
        }
        match serde_json::from_slice::<TokenBody>(body) {
            Ok(token) => Self { reason: token.error, message: token.error_description },
            Err(_) => Self::default(),
        }
    }
}

/// What an answer asks for. `reason` decides, the status where no reason is known.
fn classify(status: u16, reason: &str, message: &str, retry_after: Option<Duration>) -> Class {
    // Google says this one in words only.
    if message.contains("Notify people") {
        return Class::NeedsNotification;
    }
    match reason {
        "invalid_grant" | "invalid_client" | "unauthorized_client" | "deleted_client" | "authError" => {
            return Class::Reconnect;
        }
        "userRateLimitExceeded" | "rateLimitExceeded" | "backendError" => return Class::Busy { retry_after },
        "sharingRateLimitExceeded" => return Class::SharingQuota,
        "storageQuotaExceeded"
        | "quotaExceeded"
        | "teamDriveFileLimitExceeded"
        | "numChildrenInNonRootLimitExceeded" => return Class::StorageFull,
        "cannotSetExpiration" => return Class::CannotExpire,
        "invalidSharingRequest" => return Class::Unclear,
        _ => {}
    }
    match status {
        401 => Class::Reconnect,
        404 | 410 => Class::NotFound,
        408 | 429 | 500..=599 => Class::Busy { retry_after },
        409 => Class::AlreadyThere,
        _ if reason.is_empty() => Class::Denied(status.to_string()),
        _ => Class::Denied(reason.to_owned()),
    }
}

/// Seconds, or a date beside the answer's own; at most a day.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let wish = text(header::RETRY_AFTER)?;
    let seconds = match wish.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let date = |text: &str| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
            let wait = date(wish)?.as_second() - date(text(header::DATE)?)?.as_second();
            u64::try_from(wait).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds.min(24 * 3600)))
}

#[cfg(test)]
mod tests;
