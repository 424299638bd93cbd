//! What can go wrong in the database, in words the callers can act on.

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The database cannot take writes now (locked, disk full); trying later can help.
    #[error("the database cannot be written now: {0}")]
    Unavailable(String),
    /// A sync to disk failed: nothing written since can be trusted, so nothing more is acknowledged by this process.
    #[error("the disk failed to keep a write: {0}; restart the app")]
    Halted(String),
    /// The file is damaged, or was written by a newer version.
    #[error("the database file cannot be used: {0}")]
    Unusable(String),
    /// The thing that was named does not exist.
    #[error("{0} was not found")]
    NotFound(String),
    /// The state of things does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The state of things does not allow it, for a reason that has a word of its own.
    #[error("{text}")]
    Refused {
        /// The word, snake case, stable: `insufficient_funds`.
        code: &'static str,
        /// What, where and what to do.
        text: String,
    },
    /// The books do not add up, so no money is moved until a restart has found them sound; reading goes on.
    #[error("no money is moved, because the books do not add up: {0}")]
    LedgerStopped(String),
    /// The input breaks a rule of the schema.
    #[error("{0}")]
    Invalid(String),
    /// A mistake of ours.
    #[error("internal database error: {0}")]
    Internal(String),
}

impl Error {
    /// A refusal with a word of its own.
    pub(crate) fn refused(code: &'static str, text: impl Into<String>) -> Self {
        Self::Refused { code, text: text.into() }
    }

    /// True when only the one unit of work is at fault, and its neighbours in the same commit are sound.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NotFound(_)
                | Self::Conflict(_)
                | Self::Refused { .. }
                | Self::LedgerStopped(_)
                | Self::Invalid(_)
        )
    }
}

const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const NOTADB: i32 = 26;
const IOERR_FSYNC: i32 = 1034;
const IOERR_DIR_FSYNC: i32 = 1290;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = &error else {
            return match error {
                sqlx::Error::RowNotFound => Self::NotFound("the row".to_owned()),
                sqlx::Error::PoolTimedOut => Self::Unavailable("every connection is in use".to_owned()),
                sqlx::Error::Io(io) => Self::Unavailable(io.to_string()),
                other => Self::Internal(other.to_string()),
            };
        };
        let code = database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
        let text = database.message().to_owned();
        match (code, code & 0xff) {
            (IOERR_FSYNC | IOERR_DIR_FSYNC, _) => Self::Halted(text),
            (_, BUSY | LOCKED | FULL | IOERR | READONLY | CANTOPEN) => Self::Unavailable(text),
            (_, CORRUPT | NOTADB) => Self::Unusable(text),
            (_, CONSTRAINT) => Self::Conflict(text),
            _ => Self::Internal(text),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::VersionMissing(version) => Self::Unusable(format!(
                "it was written by a newer version of the app (migration {version}); install that version again"
            )),
            other => Self::Unusable(other.to_string()),
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.to_string())
    }
}
