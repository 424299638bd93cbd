//! The few things a shop asks of the machine it runs on: the time, secrets, a way to tell the owner.
//!
//! The desktop and the server bring real ones, tests bring ones they control.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use secrecy::SecretString;

/// The time. Nothing else in the program reads it.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch, UTC.
    fn now_ms(&self) -> i64;
    /// Milliseconds of a clock that nobody sets and that stands still while the machine sleeps; `None` when there is
    /// none. What the clock of [`Clock::now_ms`] gains on it was slept, or set ahead.
    fn awake_ms(&self) -> Option<i64> {
        None
    }
    /// Completes after `duration` of this clock's time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // this is the one place
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    #[allow(clippy::disallowed_methods)] // this is the one place
    fn awake_ms(&self) -> Option<i64> {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        i64::try_from(BEGAN.elapsed().as_millis()).ok()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Where credentials live. Names are those of the interface: `sepay.api_key`, `smtp.password`, …
pub trait SecretStore: Send + Sync + 'static {
    /// What the owner is told is in use: `keyring`, `file` or `memory`.
    fn kind(&self) -> &'static str;
    /// The value, or `None` when it was never set.
    fn get(&self, name: &str) -> BoxFuture<'_, Result<Option<SecretString>, SecretError>>;
    /// Sets or replaces the value.
    fn set(&self, name: &str, value: SecretString) -> BoxFuture<'_, Result<(), SecretError>>;
    /// Removes the value; removing one that is not there is fine.
    fn delete(&self, name: &str) -> BoxFuture<'_, Result<(), SecretError>>;
}

/// Why a secret could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretError {
    /// No Secret Service, or it is locked; or the disk refuses the secret file.
    #[error("the secret store is not available: {0}")]
    Unavailable(String),
    /// The encrypted file does not open with this passphrase, or is damaged.
    #[error("the secret file cannot be opened: {0}")]
    Unreadable(String),
}

/// A message for the owner's desktop. Text is ready to show, in the owner's language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// First line.
    pub title: String,
    /// One or two sentences.
    pub body: String,
    /// UI route that a click opens, e.g. `/failures`.
    pub route: String,
    /// True for "money or service stopped": passes quiet hours.
    pub urgent: bool,
}

/// Shows messages outside the app's own window. Failing to show one is not an error: the in-app inbox is the truth.
pub trait Notifier: Send + Sync + 'static {
    /// Shows `toast`; the text says why it could not be shown.
    fn show(&self, toast: Toast) -> BoxFuture<'_, Result<(), String>>;
    /// Whether there is something to show toasts on, without showing one; the text says why not.
    fn ready(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// A notifier for machines without a desktop.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDesktop;

impl Notifier for NoDesktop {
    fn show(&self, _: Toast) -> BoxFuture<'_, Result<(), String>> {
        self.ready()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Err("this process has no desktop".to_owned()) })
    }
}

/// Called at named points of a task's run; tests use it to panic, hang or count there.
pub type Probe = Option<Arc<dyn Fn(&str) -> BoxFuture<'static, ()> + Send + Sync>>;

/// Everything a shop is given by whoever starts it.
#[derive(Clone)]
pub struct Ports {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The credentials.
    pub secrets: Arc<dyn SecretStore>,
    /// The owner's desktop.
    pub notifier: Arc<dyn Notifier>,
    /// `None` outside tests.
    pub probe: Probe,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").field("secrets", &self.secrets.kind()).finish_non_exhaustive()
    }
}
