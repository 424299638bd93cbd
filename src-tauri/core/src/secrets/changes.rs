//! What people do to keys: set, rotate, revoke, delete. The value goes to the secret store, who did it and since when
//! to the database.

use std::time::Duration;

use chotdon_store::{KeyChange, Store};
use secrecy::SecretString;

use super::{Credentials, SecretName};
use crate::ports::SecretError;

/// Why a key was not changed, or the change not written down.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The secret store's word; nothing was changed.
    #[error(transparent)]
    Secrets(#[from] SecretError),
    /// The database's word; the key is changed and the record lacks it.
    #[error(transparent)]
    Store(#[from] chotdon_store::Error),
}

/// One person's changes.
#[derive(Clone, Copy)]
pub struct Changes<'a> {
    /// Where ages and the record of human actions are.
    pub store: &'a Store,
    /// Where the values are.
    pub credentials: &'a Credentials,
    /// Who does it: `owner` or `cli`.
    pub actor: &'a str,
    /// Now, ms.
    pub now: i64,
}

impl Changes<'_> {
    /// Sets or replaces the value; the one before is void at once.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn set(&self, name: &SecretName, value: SecretString) -> Result<(), ChangeError> {
        self.credentials.set(name, value).await?;
        self.noted(name, KeyChange::Set).await
    }

    /// Sets a new value and keeps the one before good for `overlap`; answers until when (ms).
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn rotate(
        &self,
        name: &SecretName,
        value: SecretString,
        overlap: Duration,
    ) -> Result<i64, ChangeError> {
        self.credentials.rotate(name, value, self.now, overlap).await?;
        let until = self.now.saturating_add(i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX));
        self.noted(name, KeyChange::Rotated(until)).await?;
        Ok(until)
    }

    /// Makes the value before the current one void at once.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn revoke_previous(&self, name: &SecretName) -> Result<(), ChangeError> {
        self.credentials.revoke_previous(name).await?;
        self.noted(name, KeyChange::PreviousRevoked).await
    }

    /// Removes the value and the one before it, both void at once.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn delete(&self, name: &SecretName) -> Result<(), ChangeError> {
        self.credentials.delete(name).await?;
        self.noted(name, KeyChange::Deleted).await
    }

    async fn noted(&self, name: &SecretName, change: KeyChange) -> Result<(), ChangeError> {
        Ok(self.store.key_changed(name.as_str(), change, self.actor, self.now).await?)
    }
}
