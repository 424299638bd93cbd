//! Who came in by the private door, for the record of human actions. Refusals are counted and written down at most once a
//! minute, so that nobody fills the record by knocking.

use std::sync::{Arc, Mutex, PoisonError};

use chotdon_store::{AuditEntry, Store};
use serde_json::json;

/// Between two rows about refusals, ms.
const PAUSE_MS: i64 = 60_000;

/// What happened at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// A browser logged in.
    Login,
    /// A browser logged out.
    Logout,
    /// A login or a request with a wrong token.
    Refused,
}

/// Writes sign-ins into the record; the default one writes nothing.
#[derive(Clone, Default)]
pub struct SignIns {
    store: Option<Store>,
    refused: Arc<Mutex<Refused>>,
}

#[derive(Default)]
struct Refused {
    /// Since the last row.
    count: i64,
    written_at: Option<i64>,
}

impl SignIns {
    /// Keeps them in `store`.
    pub(crate) fn kept_in(store: Store) -> Self {
        Self { store: Some(store), refused: Arc::default() }
    }

    /// Notes what happened at `now` (ms). A record that cannot be written lets nobody in or out: it is only logged.
    pub(crate) async fn note(&self, what: SignIn, now: i64) {
        let Some(store) = &self.store else { return };
        let (action, data) = match what {
            SignIn::Login => ("login", json!({})),
            SignIn::Logout => ("logout", json!({})),
            SignIn::Refused => match self.refusals(now) {
                Some(count) => ("login.refused", json!({ "count": count })),
                None => return,
            },
        };
        let entry = AuditEntry {
            actor: if what == SignIn::Refused { "unknown" } else { "owner" }.to_owned(),
            action: action.to_owned(),
            subject: "private".to_owned(),
            data,
        };
        if let Err(error) = store.record_audit(entry, now).await {
            tracing::error!(%error, action, "the record could not be written");
        }
    }

    /// How many there were since the last row, when it is time for one.
    fn refusals(&self, now: i64) -> Option<i64> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.count += 1;
        let waited = |at: i64| !(0..PAUSE_MS).contains(&now.saturating_sub(at));
        if !refused.written_at.is_none_or(waited) {
            return None;
        }
        refused.written_at = Some(now);
        Some(std::mem::take(&mut refused.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_and_told_once_a_minute() {
        let signs = SignIns::default();
        assert_eq!(signs.refusals(0), Some(1));
        for n in 0..100 {
            assert_eq!(signs.refusals(n * 500), None);
        }
        assert_eq!(signs.refusals(60_000), Some(101));
        assert_eq!(signs.refusals(59_000), Some(1), "a clock that was set back hides nothing");
    }
}
