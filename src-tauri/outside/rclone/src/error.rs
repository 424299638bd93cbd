//! What rclone's errors mean. Their texts are free English, so a class is a guess from words that its source has.

/// Longest text of rclone's that is kept, characters.
const LONGEST: usize = 600;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody answers: it is not running, or died meanwhile.
    #[error("rclone does not answer: {0}")]
    Unreachable(String),
    /// Our login was refused: somebody else's rclone is there.
    #[error("rclone refuses our login")]
    Login,
    /// rclone's own word.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The `error` of its answer, shortened.
        message: String,
    },
    /// An answer that is not understood.
    #[error("rclone answered something unknown to {0}")]
    Unknown(&'static str),
}

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// rclone itself is gone.
    Gone,
    /// The job is not known any more: it was another rclone's, or it is long over.
    JobUnknown,
    /// The remote is not configured, or its configuration is wrong.
    Remote,
    /// The directory or file is not there.
    NotFound,
    /// The remote refuses the login, or the action.
    Denied,
    /// The remote has no room left.
    Full,
    /// Anything else: likely to pass.
    Other,
}

impl Error {
    /// From an answer's status and body.
    pub(crate) fn answered(status: u16, body: &[u8]) -> Self {
        #[derive(serde::Deserialize)]
        struct Said {
            error: String,
        }
        if status == 401 {
            return Self::Login;
        }
        let message = serde_json::from_slice::<Said>(body).map(|said| said.error).unwrap_or_default();
        Self::Refused { status, message: message.chars().take(LONGEST).collect() }
    }

    /// A failed job's word.
    #[must_use]
    pub fn of_job(message: &str) -> Self {
        Self::Refused { status: 500, message: message.chars().take(LONGEST).collect() }
    }

    /// What it means.
    #[must_use]
    pub fn class(&self) -> Class {
        let (status, message) = match self {
            Self::Unreachable(_) | Self::Login => return Class::Gone,
            Self::Unknown(_) => return Class::Other,
            Self::Refused { status, message } => (*status, message.to_ascii_lowercase()),
        };
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if says(&["job not found"]) {
            Class::JobUnknown
        } else if says(&[
            "didn't find section",
            "find backend for type",
            "unknown backend",
            "config file section",
        ]) {
            Class::Remote
        } else if status == 404
            || says(&["directory not found", "object not found", "no such file or directory"])
        {
            Class::NotFound
        } else if says(&[
            "401 unauthorized",
            "403 forbidden",
            "access denied",
            "accessdenied",
            "permission denied",
            "invalid_grant",
            "invalidaccesskeyid",
            "signaturedoesnotmatch",
            "unable to authenticate",
            "couldn't find root",
            "empty token",
            "maybe it has expired",
        ]) {
            Class::Denied
        } else if says(&[
            "no space left",
            "insufficient storage",
            "quota exceeded",
            "quotaexceeded",
            "storage full",
        ]) {
            Class::Full
        } else {
            Class::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_never_repeats_what_rclone_was_given() {
        let body = br#"{"error":"error in ListJSON: couldn't list files: 401 Unauthorized","input":{"fs":{"pass":"F5Aj-canary","type":"webdav"}},"path":"operations/list","status":500}"#;
        let error = Error::answered(500, body);
        assert_eq!(error.class(), Class::Denied);
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert_eq!(Error::answered(401, b"401 Unauthorized"), Error::Login);
        assert_eq!(Error::answered(502, b"<html>").class(), Class::Other);
    }

    #[test]
    fn words_lead_to_their_class() {
        for (status, words, class) in [
            (500, "didn't find section in config file (\"nope\")", Class::Remote),
            (404, "error in ListJSON: directory not found", Class::NotFound),
            (500, "job not found", Class::JobUnknown),
            (500, "context canceled", Class::Other),
            (500, "write /x: no space left on device", Class::Full),
        ] {
            let error = Error::Refused { status, message: words.to_owned() };
            assert_eq!(error.class(), class, "{words}");
        }
    }
}
