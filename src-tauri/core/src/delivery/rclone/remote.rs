//! Which remote is meant, and its configuration from the secret store.

use super::super::manifest::check_path;
use crate::secrets::SecretName;
use crate::workers::StageError;

/// A directory of a remote, as a course's source or target says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteSpec<'a> {
    /// Name of the remote.
    pub remote: &'a str,
    /// Below its root; empty for the root.
    pub path: &'a str,
    /// Name of the secret with its configuration; `source.<remote>` when not given.
    pub secret: Option<&'a str>,
}

impl RemoteSpec<'_> {
    pub(super) fn secret_name(&self) -> Result<SecretName, StageError> {
        let name = self.secret.map_or_else(|| format!("source.{}", self.remote), str::to_owned);
        SecretName::parse(&name)
            .map_err(|error| StageError::permanent("rclone_remote_invalid", error.to_string()))
    }
}

/// Refuses what cannot name a directory of a remote.
pub(in super::super) fn check_remote(spec: RemoteSpec<'_>) -> Result<(), String> {
    if !rclone::is_name(spec.remote) {
        return Err("a remote's name has only letters, digits, - and _".to_owned());
    }
    if !spec.path.is_empty() {
        check_path(spec.path).map_err(|why| format!("the remote's path: {why}"))?;
    }
    match spec.secret {
        Some(name) if name.strip_prefix("source.").is_none_or(str::is_empty) => {
            Err("the remote's secret is not named source.<name>".to_owned())
        }
        _ => Ok(()),
    }
}

/// `name` below the directory `path`, which may be empty.
pub(in super::super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}
