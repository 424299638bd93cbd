//! Webhooks to storefronts, in Standard Webhooks form: signs an event and sends it, once per attempt.
//!
//! The store writes events and their tasks down and the pool retries; `reach` says which addresses may be called,
//! `signed` makes signatures and secrets. What an attempt ends as is decided here.

mod reach;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, StatusCode, header, redirect};
use serde_json::{Value, json};

use chotdon_domain::order::Flags;
use chotdon_store::{Claimed, OutgoingRecord};

use crate::present::rfc3339;
use crate::secrets::{Credentials, SecretName};
use crate::shop::Floor;
use crate::workers::{StageContext, StageError, StageOutcome};

pub use crate::signed::{new_secret, signature};
pub use reach::{BadUrl, check_url};

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The waits of the Standard Webhooks specification, seconds: after the first attempt, after the second, …
const WAITS_S: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// How long to wait after a failed attempt, ms, with up to a tenth more so that events which failed together do not
/// come back together. `attempt` counts from 1; `jitter` is a random number in `0..=1000`.
#[must_use]
pub fn wait_ms(attempt: i64, jitter: i64) -> i64 {
    let last = WAITS_S.len() - 1;
    let at = usize::try_from(attempt.max(1) - 1).map_or(last, |at| at.min(last));
    let wait = WAITS_S[at] * 1_000;
    wait + wait / 10 * jitter.clamp(0, 1_000) / 1_000
}

/// Calls storefronts. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    client: Client,
    reach: Arc<reach::Reach>,
}

impl Caller {
    /// A caller that follows no redirects, uses no proxy and gives up after 15 s.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        let reach = Arc::new(reach::Reach::default());
        let client = Client::builder()
            .user_agent(concat!("ChotDon/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(30))
            .dns_resolver(reach.clone())
            .build()?;
        Ok(Self { client, reach })
    }
}

/// The stage `send` of a task.
pub(crate) async fn run(
    floor: &Floor,
    task: &Claimed,
    cx: &StageContext,
) -> Result<StageOutcome, StageError> {
    let id = serde_json::from_str::<Value>(&task.payload)
        .ok()
        .and_then(|payload| payload.get("event").and_then(Value::as_i64))
        .ok_or_else(|| StageError::permanent("internal", "the task names no event"))?;
    let event = floor.store.outgoing(id).await.map_err(unreadable)?;
    let Some(event) = event.filter(|event| event.active) else {
        // The endpoint was taken out of use meanwhile.
        return Ok(StageOutcome::done());
    };
    if event.delivered_at.is_some() {
        return Ok(StageOutcome::done());
    }
    let answered = call(floor, &event, cx).await;
    let (status, taken) = match &answered {
        Ok(status) => (Some(status.as_u16()), status.is_success()),
        Err(_) => (None, false),
    };
    floor.store.outgoing_tried(id, status, taken, floor.clock.now_ms()).await.map_err(unreadable)?;
    match answered {
        Ok(status) if status.is_success() => Ok(StageOutcome::done()),
        Ok(StatusCode::GONE) => {
            floor
                .store
                .endpoint_is_gone(event.endpoint_id, floor.clock.now_ms())
                .await
                .map_err(unreadable)?;
            let detail = format!("{} answered 410 Gone and gets no more events", event.endpoint);
            Err(StageError::permanent("webhook_gone", detail))
        }
        Ok(status) => {
            Err(StageError::transient("webhook_refused", format!("{} answered {status}", event.endpoint)))
        }
        Err(error) => Err(error),
    }
}

/// One attempt; answers the status, whatever it is.
async fn call(floor: &Floor, event: &OutgoingRecord, cx: &StageContext) -> Result<StatusCode, StageError> {
    let name = SecretName::webhook(&event.endpoint)
        .map_err(|error| StageError::permanent("webhook_secret_missing", error.to_string()))?;
    let signed = Signed {
        to: &event.endpoint,
        url: &event.url,
        private: floor.config().storefront.private_webhooks,
        secret: &name,
        id: &event.webhook_id,
        body: body(event),
    };
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Err(StageError::transient("cancelled", "stopped before it was answered")),
        answer = floor.caller.post(signed, &floor.credentials, floor.clock.now_ms()) => answer,
    }
}

/// A message to be signed and sent.
pub(crate) struct Signed<'a> {
    /// Who it is for, in words.
    pub(crate) to: &'a str,
    /// Where to.
    pub(crate) url: &'a str,
    /// Whether that may be on this machine or in the local network.
    pub(crate) private: bool,
    /// The secret that it is signed with.
    pub(crate) secret: &'a SecretName,
    /// Its `webhook-id`.
    pub(crate) id: &'a str,
    /// Its body.
    pub(crate) body: String,
}

impl Caller {
    /// Signs and sends a message once; answers the status, whatever it is.
    ///
    /// # Errors
    /// When it was not answered, or must not be sent.
    pub(crate) async fn post(
        &self,
        message: Signed<'_>,
        credentials: &Credentials,
        now: i64,
    ) -> Result<StatusCode, StageError> {
        let Signed { to, url, private, secret, id, body } = message;
        let url = check_url(url, private)
            .map_err(|error| StageError::permanent("webhook_address_refused", error.to_string()))?;
        self.reach.allow_private(private);
        let secrets = credentials
            .live_values(secret, now)
            .await
            .map_err(|error| StageError::transient("secret_store_unavailable", error.to_string()))?;
        let stamp = now.div_euclid(1_000);
        let signatures: Vec<String> =
            secrets.iter().filter_map(|secret| signature(secret, id, stamp, body.as_bytes())).collect();
        if signatures.is_empty() {
            let detail = format!("the secret {} is not set, or is not a whsec_ secret", secret.as_str());
            return Err(StageError::permanent("webhook_secret_missing", detail));
        }
        let request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", stamp.to_string())
            .header("webhook-signature", signatures.join(" "))
            .body(body);
        // The words of the error may hold the address with its query; the kind of it is enough.
        request.send().await.map(|answer| answer.status()).map_err(|error| {
            let (code, what) = if error.is_timeout() {
                ("webhook_timeout", "did not answer within 15 seconds")
            } else if reach::was_refused(&error) {
                ("webhook_address_refused", "has an address that is not called")
            } else {
                ("webhook_unreachable", "could not be reached")
            };
            StageError::transient(code, format!("{to} {what}"))
        })
    }
}

/// The body, the same bytes at every attempt.
fn body(event: &OutgoingRecord) -> String {
    let mut data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    if let Some(flags) = data.get("flags").and_then(Value::as_i64) {
        data["flags"] = json!(Flags(flags).names());
    }
    json!({ "type": event.kind, "timestamp": rfc3339(event.at), "data": data }).to_string()
}

fn unreadable(error: chotdon_store::Error) -> StageError {
    StageError::transient("internal", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_are_those_of_the_specification() {
        let waits: Vec<i64> = (1..=9).map(|attempt| wait_ms(attempt, 0) / 1_000).collect();
        assert_eq!(waits, [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
        assert_eq!(wait_ms(1, 1_000), 5_500);
        assert_eq!((wait_ms(0, 0), wait_ms(99, 0)), (5_000, 86_400_000));
    }
}
