//! Whether money may be moved: yes, until the books were found not to add up. Also the look after a commit at the
//! balances that it touched.
//!
//! Kept in memory on purpose. A restart checks the books in full and stops again when they are still wrong.

use tokio::sync::watch;

use crate::posting::OFF;
use crate::{Error, Result, Store};

/// The switch. It only ever goes from moving to stopped.
#[derive(Debug)]
pub(crate) struct Guard(watch::Sender<Option<String>>);

impl Default for Guard {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Guard {
    /// Stops all movement of money; the first cause is kept.
    pub(crate) fn stop(&self, cause: &str) {
        let changed = self.0.send_if_modified(|state| {
            let first = state.is_none();
            if first {
                *state = Some(cause.to_owned());
            }
            first
        });
        if changed {
            tracing::error!(cause, "the books do not add up; no money is moved from here on");
        }
    }

    /// Refuses when money has been stopped.
    pub(crate) fn may_move(&self) -> Result<()> {
        match &*self.0.borrow() {
            None => Ok(()),
            Some(cause) => Err(Error::LedgerStopped(cause.clone())),
        }
    }
}

impl Store {
    /// Why no money is moved; `None` while all is well.
    #[must_use]
    pub fn ledger_stopped(&self) -> Option<String> {
        self.tuning().guard.0.borrow().clone()
    }

    /// Tells when money is stopped, with the cause.
    #[must_use]
    pub fn ledger_watch(&self) -> watch::Receiver<Option<String>> {
        self.tuning().guard.0.subscribe()
    }

    /// Compares what these orders and customers hold with the ledger, after the commits that touched them, and stops all
    /// movement of money when something differs. Reads only; sees one moment.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn check_touched(&self, codes: &[String], customers: &[i64]) -> Result<()> {
        let orders: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM orders WHERE code IN (SELECT value FROM json_each($1))")
                .bind(serde_json::to_string(codes)?)
                .fetch_all(&self.reader)
                .await?;
        let off: i64 = sqlx::query_scalar(OFF)
            .bind(serde_json::to_string(&orders)?)
            .bind(serde_json::to_string(customers)?)
            .fetch_one(&self.reader)
            .await?;
        if off > 0 {
            let names = codes.iter().cloned().chain(customers.iter().map(|id| format!("wallet:{id}")));
            let names: Vec<String> = names.take(20).collect();
            self.stop_money(&format!("{off} balances differ from the ledger, among {}", names.join(", ")));
        }
        Ok(())
    }

    /// Stops all movement of money until the next start.
    pub fn stop_money(&self, cause: &str) {
        self.tuning().guard.stop(cause);
    }
}
