//! The owner's desktop, and whether messages appear on it.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::ports::{Notifier, Toast};

/// Shows toasts and remembers how that went.
pub(crate) struct Desktop {
    notifier: Arc<dyn Notifier>,
    /// How the last toast went, or the first look; `None` before either.
    last: Mutex<Option<Result<(), String>>>,
}

impl Desktop {
    pub(crate) fn new(notifier: Arc<dyn Notifier>) -> Self {
        Self { notifier, last: Mutex::default() }
    }

    /// Shows `toast`; the text says why it could not be shown.
    pub(crate) async fn show(&self, toast: Toast) -> Result<(), String> {
        let shown = self.notifier.show(toast).await;
        *self.last.lock().await = Some(shown.clone());
        shown
    }

    /// Why messages do not appear, as far as is known; asks the desktop only before the first of them.
    pub(crate) async fn trouble(&self) -> Option<String> {
        let mut last = self.last.lock().await;
        if last.is_none() {
            *last = Some(self.notifier.ready().await);
        }
        last.as_ref().and_then(|seen| seen.as_ref().err().cloned())
    }
}
