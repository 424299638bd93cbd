//! How old the keys are, and the reminder to replace them.
//!
//! A key is a secret of the store, the key of a storefront, or that of a worker. Which page replaces it, and at whose
//! site a new one comes from, is said here once.

use std::time::Duration;

use chotdon_store::{NEEDS_OWNER, Raise};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Floor;
use crate::ports::SecretError;
use crate::secrets::{Listed, SecretName};

const DAY_MS: i64 = 24 * 3_600_000;
/// Between two looks at the ages.
const LOOK: Duration = Duration::from_secs(3_600);

/// One key as the owner sees it.
#[derive(Debug, Clone)]
pub(crate) struct KeyGlance {
    /// `smtp.password`, `worker.NAME`, `storefront.NAME`, …
    pub(crate) name: String,
    pub(crate) set: bool,
    pub(crate) hint: Option<String>,
    /// Since when the value is in use, ms; `None` when it is not known yet.
    pub(crate) changed_at: Option<i64>,
    /// False when it may be older than that.
    pub(crate) exact: bool,
    pub(crate) by: Option<String>,
    /// Until when the value before is good, ms.
    pub(crate) previous_until: Option<i64>,
}

impl KeyGlance {
    /// Whole days since it was set.
    pub(crate) fn days(&self, now: i64) -> Option<i64> {
        self.changed_at.map(|at| now.saturating_sub(at).max(0) / DAY_MS)
    }
}

/// Who gives out a new value of this key: `sepay`, `google`, `mail`, `telegram`, `tunnel`, `lms`, `source`, `downloader`;
/// `here` when we make it.
pub(crate) fn given_by(name: &str) -> &'static str {
    match name.split('.').next().unwrap_or_default() {
        _ if name == "sepay.api_token" => "sepay",
        "google" => "google",
        "smtp" => "mail",
        "telegram" => "telegram",
        "tunnel" => "tunnel",
        "lms" => "lms",
        "source" => "source",
        "downloader" => "downloader",
        _ => "here",
    }
}

/// Every key that the owner can replace, set or not.
///
/// # Errors
/// When the secret store or the database cannot be read.
pub(crate) async fn keys(floor: &Floor) -> Result<Vec<KeyGlance>, KeysError> {
    let now = floor.clock.now_ms();
    let ages = floor.store.secret_ages().await?;
    let mut listed = floor.credentials.list(now).await?;
    listed.push(floor.credentials.look(&SecretName::admin_token(), now).await?);
    let mut keys: Vec<KeyGlance> = listed
        .into_iter()
        .map(|Listed { name, set, hint, previous_until }| {
            let age = ages.iter().find(|age| set && age.name == name.as_str());
            KeyGlance {
                name: name.as_str().to_owned(),
                set,
                hint,
                changed_at: age.map(|age| age.changed_at),
                exact: age.is_some_and(|age| age.exact),
                by: age.map(|age| age.by.clone()),
                previous_until,
            }
        })
        .collect();
    let storefronts = floor.store.storefront_keys().await?.into_iter().filter(|key| key.revoked_at.is_none());
    keys.extend(storefronts.map(|key| KeyGlance {
        name: format!("storefront.{}", key.name),
        set: true,
        hint: None,
        changed_at: Some(key.created_at),
        exact: true,
        by: None,
        previous_until: None,
    }));
    Ok(keys)
}

/// Why the keys cannot be listed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    #[error(transparent)]
    Secrets(#[from] SecretError),
    #[error(transparent)]
    Store(#[from] chotdon_store::Error),
}

/// Writes down since when each key is known, and reminds the owner of those that are too old: once for each value.
pub(super) async fn watch(floor: Floor, stop: CancellationToken) {
    loop {
        if let Err(error) = remind(&floor).await {
            tracing::warn!(%error, "the ages of the keys could not be looked at");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = floor.clock.sleep(LOOK) => {}
        }
    }
}

async fn remind(floor: &Floor) -> Result<(), KeysError> {
    let now = floor.clock.now_ms();
    let mut known = keys(floor).await?;
    let secrets: Vec<String> = known
        .iter()
        .filter(|key| key.set && !key.name.starts_with("storefront."))
        .map(|key| key.name.clone())
        .collect();
    floor.store.keys_seen(&secrets, now).await?;
    let after = i64::from(floor.config().secrets.remind_after_days);
    known.retain(|key| key.set && after > 0 && key.days(now).is_some_and(|days| days >= after));
    for key in known {
        let (Some(days), Some(changed_at)) = (key.days(now), key.changed_at) else { continue };
        let notice = Raise {
            class: NEEDS_OWNER,
            merge_key: Some(format!("key_old:{}", key.name)),
            kind: "key_old",
            data: json!({ "name": key.name, "days": days, "given_by": given_by(&key.name) }),
            task: None,
        };
        if floor.store.remind_of_key(&key.name, changed_at, notice, now).await? {
            tracing::info!(secret = key.name, days, "the owner is reminded to replace a key");
        }
    }
    Ok(())
}
