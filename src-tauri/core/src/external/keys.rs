//! Keys of workers on other machines: made, replaced, made void. The row in the database says who may work, the secret
//! store holds what they sign with.

use rand::distr::{Alphanumeric, SampleString};
use secrecy::SecretString;

use chotdon_store::Store;

use crate::ports::SecretError;
use crate::secrets::{Credentials, OVERLAP, SecretName};
use crate::signed::new_secret;

/// Why a key was not made, replaced or made void.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The name cannot be one.
    #[error("names are made of letters, digits, `-` and `_`, at most 64")]
    Name,
    /// The database's word.
    #[error(transparent)]
    Store(#[from] chotdon_store::Error),
    /// The secret store's word.
    #[error(transparent)]
    Secrets(#[from] SecretError),
}

/// Where workers are known.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// The database.
    pub store: &'a Store,
    /// The secret store.
    pub credentials: &'a Credentials,
    /// Who does it, for the audit log.
    pub actor: &'a str,
    /// Now, ms.
    pub now: i64,
}

impl Keys<'_> {
    /// Adds a worker and answers its key, which is shown this once.
    ///
    /// # Errors
    /// When a living worker has the name, or it cannot be written down.
    pub async fn create(&self, name: &str) -> Result<SecretString, KeyError> {
        let secret = named(name)?;
        let key = new_secret();
        // First who it is: a name that is taken keeps its key. Until the second step nobody can sign under this one.
        self.store.add_worker_key(name, &new_id(), self.actor, self.now).await?;
        self.credentials.set(&secret, key.clone()).await?;
        Ok(key)
    }

    /// Gives a worker a new key and answers it; the one before is good for 24 hours more.
    ///
    /// # Errors
    /// When there is no such living worker, or it cannot be written down.
    pub async fn rotate(&self, name: &str) -> Result<SecretString, KeyError> {
        let secret = named(name)?;
        let known = self.store.worker_key(name).await?.filter(|key| key.revoked_at.is_none());
        if known.is_none() {
            return Err(chotdon_store::Error::NotFound(format!("worker `{name}`")).into());
        }
        let key = new_secret();
        self.credentials.rotate(&secret, key.clone(), self.now, OVERLAP).await?;
        let until = self.now.saturating_add(i64::try_from(OVERLAP.as_millis()).unwrap_or(i64::MAX));
        self.store.worker_key_rotated(name, &new_id(), until, self.actor, self.now).await?;
        Ok(key)
    }

    /// Ends a worker's right to work at once; what it was doing is done by another.
    ///
    /// # Errors
    /// When there is no such living worker, or it cannot be written down.
    pub async fn revoke(&self, name: &str) -> Result<(), KeyError> {
        let secret = named(name)?;
        self.store.revoke_worker_key(name, self.actor, self.now).await?;
        Ok(self.credentials.delete(&secret).await?)
    }
}

fn named(name: &str) -> Result<SecretName, KeyError> {
    SecretName::worker(name).map_err(|_| KeyError::Name)
}

fn new_id() -> String {
    format!("wk_{}", Alphanumeric.sample_string(&mut rand::rng(), 12))
}
