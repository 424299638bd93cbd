//! Secrets that live as long as the process: for tests.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;
use secrecy::SecretString;

use crate::ports::{SecretError, SecretStore};

/// A store in memory, whose failing can be arranged.
#[derive(Default)]
pub struct MemorySecrets {
    values: Mutex<HashMap<String, SecretString>>,
    broken: Mutex<Option<SecretError>>,
}

impl MemorySecrets {
    /// A store that already has `values`.
    pub fn with<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), SecretString::from(value)));
        Self { values: Mutex::new(values.collect()), broken: Mutex::new(None) }
    }

    /// From now on every call fails with `error`; `None` mends it.
    pub fn break_with(&self, error: Option<SecretError>) {
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    fn with_values<T>(
        &self,
        act: impl FnOnce(&mut HashMap<String, SecretString>) -> T,
    ) -> Result<T, SecretError> {
        if let Some(error) = self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(error);
        }
        Ok(act(&mut self.values.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl SecretStore for MemorySecrets {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn get(&self, name: &str) -> BoxFuture<'_, Result<Option<SecretString>, SecretError>> {
        let value = self.with_values(|values| values.get(name).cloned());
        Box::pin(async { value })
    }

    fn set(&self, name: &str, value: SecretString) -> BoxFuture<'_, Result<(), SecretError>> {
        let done = self.with_values(|values| drop(values.insert(name.to_owned(), value)));
        Box::pin(async { done })
    }

    fn delete(&self, name: &str) -> BoxFuture<'_, Result<(), SecretError>> {
        let done = self.with_values(|values| drop(values.remove(name)));
        Box::pin(async { done })
    }
}
