//! Asks SePay's transaction API: the token in a header, one request a second at most, nothing followed elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use reqwest::header::DATE;
use reqwest::{Client, redirect};
use secrecy::{ExposeSecret, SecretString};
use sepay::transactions::{self, ApiError, MAX_ANSWER, RETRY_AFTER};
use tokio::sync::Mutex;
use url::Url;

use crate::ports::Clock;

/// SePay allows three requests a second; one leaves room for others with the same token.
const PACE_MS: i64 = 1_000;
const CONNECT: Duration = Duration::from_secs(10);
/// SePay takes its time with long lists.
const DEADLINE: Duration = Duration::from_secs(60);
/// A 429 is waited out this often before the run gives up.
const TRIES: usize = 5;
/// The longest wait that a run sits through, seconds.
const LONGEST_WAIT: u64 = 60;

/// Why SePay could not be read, or what it said not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is no API token.
    #[error("the secret sepay.api_token is not set")]
    NoToken,
    /// The secret store does not answer.
    #[error("{0}")]
    Secrets(String),
    /// No answer.
    #[error("SePay cannot be reached: {0}")]
    Unreachable(String),
    /// An answer without rows.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A list that cannot be read to its end.
    #[error("SePay lists more than {0} rows of one second")]
    Endless(usize),
    /// The database.
    #[error(transparent)]
    Store(#[from] chotdon_store::Error),
}

impl Trouble {
    /// Stable code that the UI has words for.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoToken => "sepay_token_missing",
            Self::Secrets(_) => "secret_store_unavailable",
            Self::Unreachable(_) => "sepay_unreachable",
            Self::Api(ApiError::TokenWrong) => "sepay_token_wrong",
            Self::Api(ApiError::RateLimited(_)) => "sepay_rate_limited",
            Self::Api(ApiError::Unavailable(_)) => "sepay_unavailable",
            Self::Api(ApiError::Refused(_)) => "sepay_refused",
            Self::Api(ApiError::Unreadable(_)) | Self::Endless(_) => "sepay_answer_invalid",
            Self::Store(_) => "unavailable",
        }
    }

    /// How long SePay asks to be left alone.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Api(ApiError::RateLimited(seconds)) => Some(Duration::from_secs((*seconds).min(3_600))),
            _ => None,
        }
    }
}

/// Where SePay is, and what opens it.
pub(crate) struct Door {
    /// `https://my.sepay.vn/userapi`.
    pub(crate) base: String,
    pub(crate) token: SecretString,
}

/// The way to SePay's API, which keeps its pace whoever asks. No connection outlives a request by much, so that none
/// is left over from before a sleep.
pub(crate) struct Api {
    client: Client,
    clock: Arc<dyn Clock>,
    /// When the last request was made, ms.
    last: Mutex<Option<i64>>,
    /// Our clock less SePay's, ms; `i64::MIN` = not known.
    off: AtomicI64,
}

impl Api {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("ChotDon/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(DEADLINE)
            .pool_max_idle_per_host(0)
            // The token goes to the host that the owner named and to no other.
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { client, clock, last: Mutex::default(), off: AtomicI64::new(i64::MIN) })
    }

    /// By how much this machine's clock was ahead of SePay's at the last answer, ms.
    pub(crate) fn clock_off(&self) -> Option<i64> {
        Some(self.off.load(Ordering::Relaxed)).filter(|off| *off != i64::MIN)
    }

    /// The text of a good answer.
    pub(crate) async fn get(
        &self,
        door: &Door,
        path: &str,
        query: &[(&'static str, String)],
    ) -> Result<String, Trouble> {
        let mut url = Url::parse(&format!("{}/{path}", door.base.trim_end_matches('/')))
            .map_err(|error| Trouble::Unreachable(error.to_string()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut tries = 0;
        loop {
            let (status, retry_after, body) = self.send(door, url.clone()).await?;
            tries += 1;
            match transactions::sort(status, retry_after.as_deref(), &body) {
                Ok(text) => return Ok(text.to_owned()),
                Err(ApiError::RateLimited(seconds)) if tries < TRIES && seconds <= LONGEST_WAIT => {
                    tracing::debug!(seconds, "SePay asks to wait");
                    rest(&*self.clock, Duration::from_secs(seconds.max(1))).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn send(&self, door: &Door, url: Url) -> Result<(u16, Option<String>, Vec<u8>), Trouble> {
        let mut last = self.last.lock().await;
        let since = last.map_or(PACE_MS, |last| self.clock.now_ms().saturating_sub(last));
        if (0..PACE_MS).contains(&since) {
            rest(&*self.clock, Duration::from_millis(u64::try_from(PACE_MS - since).unwrap_or_default()))
                .await;
        }
        let asked = self.ask(door, url).await;
        *last = Some(self.clock.now_ms());
        asked.map_err(|error| Trouble::Unreachable(reason(&error)))
    }

    async fn ask(&self, door: &Door, url: Url) -> Result<(u16, Option<String>, Vec<u8>), reqwest::Error> {
        let mut answer = self.client.get(url).bearer_auth(door.token.expose_secret()).send().await?;
        let status = answer.status().as_u16();
        let date = answer.headers().get(DATE).and_then(|value| value.to_str().ok());
        if let Some(theirs) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) {
            let theirs = theirs.timestamp().as_millisecond();
            self.off.store(self.clock.now_ms().saturating_sub(theirs), Ordering::Relaxed);
        }
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(str::to_owned);
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            body.extend_from_slice(&piece);
            if body.len() > MAX_ANSWER {
                break;
            }
        }
        Ok((status, retry_after, body))
    }
}

/// The innermost cause, which says more than the layers around it, and no address.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Waits for `duration` of the clock's time, also when a wait ends early because the clock was moved.
pub(crate) async fn rest(clock: &dyn Clock, duration: Duration) {
    let duration = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let began = clock.now_ms();
    loop {
        let gone = clock.now_ms().saturating_sub(began);
        // A clock that was set back says nothing about how long was waited.
        if !(0..duration).contains(&gone) {
            return;
        }
        clock.sleep(Duration::from_millis(u64::try_from(duration - gone).unwrap_or_default())).await;
    }
}
