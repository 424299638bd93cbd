//! What a stage of a task is given, and what it may say when it fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::ports::Clock;

/// Why a stage did not finish.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct StageError {
    /// Whether trying again can help.
    pub class: ErrorClass,
    /// Stable code that the UI has words for.
    pub code: &'static str,
    /// Technical detail; never a secret.
    pub detail: String,
    /// The other side's own wish (`Retry-After`); our backoff otherwise.
    pub retry_after: Option<Duration>,
    /// The service that the task waits for instead of failing; `None` = it failed.
    pub waits: Option<Box<Wait>>,
}

/// A task waits for a service; see [`StageError::parks`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// `drive`, `drive_sharing`, `smtp`, `lms:NAME`, `rclone`, `source:HOST`.
    pub service: String,
    /// Set when this error is the reason that the service is left alone from now on.
    pub until: Option<Until>,
}

/// How long a service is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until this time, ms; tried again then.
    At(i64),
    /// Until something changes: a setting, a secret, the owner's word.
    Change,
    /// For the first of these times, ms; each time in a row that it does not help, for the next one.
    Steps(&'static [i64]),
}

impl From<i64> for Until {
    fn from(at: i64) -> Self {
        Self::At(at)
    }
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Will likely pass: retried with backoff.
    Transient,
    /// Needs a person: the task fails at once and burns no retries.
    Permanent,
    /// The handler panicked; retried, and the owner is told.
    Crashed,
    /// The handler showed no life; replaced, retried, and the owner is told.
    Hung,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Transient, Self::Permanent, Self::Crashed, Self::Hung];

    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Crashed => "crashed",
            Self::Hung => "hung",
        }
    }
}

impl StageError {
    /// An error that trying again may cure.
    pub fn transient(code: &'static str, detail: impl Into<String>) -> Self {
        Self { class: ErrorClass::Transient, code, detail: detail.into(), retry_after: None, waits: None }
    }

    /// An error that needs a person.
    pub fn permanent(code: &'static str, detail: impl Into<String>) -> Self {
        Self { class: ErrorClass::Permanent, code, detail: detail.into(), retry_after: None, waits: None }
    }

    /// `service` cannot be used until then, which is no task's fault: this one and every other that needs it wait
    /// without burning an attempt, the owner sees since when, until when and why, and it goes on by itself.
    pub fn parks(
        service: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
        until: impl Into<Until>,
    ) -> Self {
        let wait = Wait { service: service.into(), until: Some(until.into()) };
        Self { waits: Some(Box::new(wait)), ..Self::transient(code, detail) }
    }

    /// The task waits for `service`, which is not used now or is used by as many as it may be.
    pub fn waits_for(service: impl Into<String>) -> Self {
        let wait = Wait { service: service.into(), until: None };
        Self { waits: Some(Box::new(wait)), ..Self::transient("service_waiting", "the service is not free") }
    }

    /// The same error, not to be tried again before `after`.
    #[must_use]
    pub fn after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }
}

/// Handed to a running stage: where it reports life and progress, and learns that it must stop.
#[derive(Clone)]
pub struct StageContext {
    /// Cancelled when the task was cancelled, its lease was lost, or the app drains. Long work checks it between chunks.
    pub cancel: CancellationToken,
    meter: Arc<Meter>,
    clock: Arc<dyn Clock>,
    used: Arc<std::sync::Mutex<Vec<String>>>,
}

/// Live figures of one running stage, read by the pool.
#[derive(Debug, Default)]
pub struct Meter {
    /// When the stage last showed life, ms.
    pub seen_at: AtomicI64,
    /// When it began, ms.
    pub started_at: AtomicI64,
    /// Bytes done.
    pub done: AtomicU64,
    /// Bytes in all; 0 = not known.
    pub total: AtomicU64,
    /// The file or step.
    pub item: std::sync::Mutex<Option<String>>,
}

impl StageContext {
    /// A context around `meter`.
    #[must_use]
    pub fn new(cancel: CancellationToken, meter: Arc<Meter>, clock: Arc<dyn Clock>) -> Self {
        Self { cancel, meter, clock, used: Arc::default() }
    }

    /// Notes that the stage uses an outside service.
    pub(crate) fn uses(&self, service: &str) {
        if let Ok(mut used) = self.used.lock() {
            used.push(service.to_owned());
        }
    }

    /// The outside services that the stage has used so far.
    pub(crate) fn used(&self) -> Vec<String> {
        self.used.lock().map(|mut used| std::mem::take(&mut *used)).unwrap_or_default()
    }

    /// Shows life without progress. A stage that shows none for `queue.stall_s` seconds is taken for hung.
    pub fn alive(&self) {
        self.meter.seen_at.store(self.clock.now_ms(), Ordering::Relaxed);
    }

    /// Reports progress in bytes; `total` 0 when not known. Cheap: call it per chunk.
    pub fn progress(&self, done: u64, total: u64) {
        self.meter.done.store(done, Ordering::Relaxed);
        self.meter.total.store(total, Ordering::Relaxed);
        self.alive();
    }

    /// Names the file or step being worked on.
    pub fn item(&self, name: &str) {
        if let Ok(mut item) = self.meter.item.lock() {
            *item = Some(name.to_owned());
        }
        self.alive();
    }

    /// The clock, for stages that need the time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Fails with `cancelled` once the stage must stop.
    ///
    /// # Errors
    /// A transient error with code `cancelled`; the pool gives the attempt back.
    pub fn check(&self) -> Result<(), StageError> {
        if self.cancel.is_cancelled() {
            return Err(StageError::transient("cancelled", "stopped before it was finished"));
        }
        Ok(())
    }
}
