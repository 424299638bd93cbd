//! How a command ends when it does not end well: what is said, and with which exit code.

use std::fmt;
use std::process::ExitCode;

use chotdon_core::ports::SecretError;

/// Why a command stopped.
pub(crate) struct End {
    code: u8,
    cause: anyhow::Error,
}

impl End {
    /// It failed, and would fail again.
    pub(crate) fn failed(cause: impl Into<anyhow::Error>) -> Self {
        Self { code: 1, cause: cause.into() }
    }

    /// The command line or a file makes no sense.
    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self { code: 2, cause: anyhow::anyhow!("{text}") }
    }

    /// Nothing is wrong with the request; the same may succeed later.
    pub(crate) fn later(cause: impl Into<anyhow::Error>) -> Self {
        Self { code: 75, cause: cause.into() }
    }

    /// The same end, saying first what was being done.
    pub(crate) fn while_doing(mut self, what: impl fmt::Display + Send + Sync + 'static) -> Self {
        self.cause = self.cause.context(what);
        self
    }

    /// Says why on standard error.
    pub(crate) fn report(self) -> ExitCode {
        eprintln!("chotdon-server: {:#}", self.cause);
        ExitCode::from(self.code)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.cause)
    }
}

impl From<chotdon_core::secrets::ChangeError> for End {
    fn from(error: chotdon_core::secrets::ChangeError) -> Self {
        use chotdon_core::secrets::ChangeError;
        match error {
            ChangeError::Secrets(error) => error.into(),
            ChangeError::Store(error) => error.into(),
        }
    }
}

impl From<anyhow::Error> for End {
    fn from(cause: anyhow::Error) -> Self {
        Self::failed(cause)
    }
}

impl From<SecretError> for End {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Unavailable(_) => Self::later(error),
            SecretError::Unreadable(_) => Self::failed(error),
        }
    }
}

impl From<chotdon_core::backup::BackupError> for End {
    fn from(error: chotdon_core::backup::BackupError) -> Self {
        use chotdon_core::backup::BackupError;
        match error {
            BackupError::Store(error) => error.into(),
            BackupError::Running | BackupError::NoSpace { .. } => Self::later(error),
            other => Self::failed(other),
        }
    }
}

impl From<chotdon_core::store::Error> for End {
    fn from(error: chotdon_core::store::Error) -> Self {
        match error {
            chotdon_core::store::Error::Unavailable(_) => Self::later(error),
            _ => Self::failed(error),
        }
    }
}

impl From<chotdon_core::external::KeyError> for End {
    fn from(error: chotdon_core::external::KeyError) -> Self {
        use chotdon_core::external::KeyError;
        match error {
            KeyError::Name => Self::usage(error),
            KeyError::Store(error) => error.into(),
            KeyError::Secrets(error) => error.into(),
        }
    }
}
