//! When each storefront key was last used, since this process started. Kept in memory: a question that only reads
//! never costs a write.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The last use of each key, by its id.
#[derive(Debug, Default)]
pub(crate) struct KeyUses(Mutex<HashMap<i64, i64>>);

impl KeyUses {
    /// A key was shown at the public door, at this time (ms).
    pub(crate) fn note(&self, key: i64, now: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, now);
    }

    /// When that was last, ms; `None` when not since the start.
    pub(crate) fn last(&self, key: i64) -> Option<i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }
}
