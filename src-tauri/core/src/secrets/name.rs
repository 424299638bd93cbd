//! Names of secrets: a fixed list, and five families with a free part.

use std::fmt;

/// The name of a secret that the program knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(String);

/// What the owner sets, in the order of the settings page.
const FIXED: &[&str] = &[
    "sepay.api_key",
    "sepay.hmac_secret",
    "sepay.api_token",
    "smtp.password",
    "google.client_secret",
    "google.refresh_token",
    "google.service_account",
    "tunnel.token",
    "telegram.bot_token",
    "alerts.webhook_secret",
];
/// Followed by a name of the owner's choice: letters, digits, `-` and `_`, at most 64.
const FAMILIES: &[&str] = &["lms.", "source.", "downloader.", "webhook.", "worker."];
/// Made by the program for itself.
const INTERNAL: &[&str] = &["admin.token", "link.key"];
/// Names that the program may invent a value for.
const OURS: &[&str] = &["sepay.api_key", "sepay.hmac_secret", "admin.token"];

/// A name that is none of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no secret `{0}`; known are {known}, and lms.NAME, source.NAME, downloader.NAME, webhook.NAME, worker.NAME", known = FIXED.join(", "))]
pub struct UnknownName(pub String);

impl SecretName {
    /// The key that SePay sends in `Authorization: Apikey …`.
    #[must_use]
    pub fn sepay_api_key() -> Self {
        Self("sepay.api_key".to_owned())
    }

    /// The key of SePay's HMAC-SHA256 signatures.
    #[must_use]
    pub fn sepay_hmac_secret() -> Self {
        Self("sepay.hmac_secret".to_owned())
    }

    /// The token for SePay's transaction API.
    #[must_use]
    pub fn sepay_api_token() -> Self {
        Self("sepay.api_token".to_owned())
    }

    /// The token of the owner's own Telegram bot.
    #[must_use]
    pub fn telegram_bot_token() -> Self {
        Self("telegram.bot_token".to_owned())
    }

    /// The key that signs what the owner's own address is told.
    #[must_use]
    pub fn alerts_webhook_secret() -> Self {
        Self("alerts.webhook_secret".to_owned())
    }

    /// The key of the tunnel.
    #[must_use]
    pub fn tunnel_token() -> Self {
        Self("tunnel.token".to_owned())
    }

    /// The password of the mail account.
    #[must_use]
    pub fn smtp_password() -> Self {
        Self("smtp.password".to_owned())
    }

    /// The secret of the owner's own OAuth client.
    #[must_use]
    pub fn google_client_secret() -> Self {
        Self("google.client_secret".to_owned())
    }

    /// What the owner's consent gave, for as long as it lasts.
    #[must_use]
    pub fn google_refresh_token() -> Self {
        Self("google.refresh_token".to_owned())
    }

    /// Google's JSON file of a service account, for shared drives.
    #[must_use]
    pub fn google_service_account() -> Self {
        Self("google.service_account".to_owned())
    }

    /// The bearer token of the private listener.
    #[must_use]
    pub fn admin_token() -> Self {
        Self("admin.token".to_owned())
    }

    /// The key that signs download links and page tokens.
    #[must_use]
    pub fn link_key() -> Self {
        Self("link.key".to_owned())
    }

    /// The key that signs webhooks to the endpoint of this name.
    ///
    /// # Errors
    /// [`UnknownName`] for a name with other characters than letters, digits, `-` and `_`, or longer than 64.
    pub fn webhook(endpoint: &str) -> Result<Self, UnknownName> {
        Self::parse(&format!("webhook.{endpoint}"))
    }

    /// The key that the worker of this name signs with.
    ///
    /// # Errors
    /// [`UnknownName`] for a name with other characters than letters, digits, `-` and `_`, or longer than 64.
    pub fn worker(name: &str) -> Result<Self, UnknownName> {
        Self::parse(&format!("worker.{name}"))
    }

    /// Reads a name.
    ///
    /// # Errors
    /// [`UnknownName`] for anything that is not in the list or a well-formed member of a family.
    pub fn parse(name: &str) -> Result<Self, UnknownName> {
        let fixed = FIXED.contains(&name) || INTERNAL.contains(&name);
        let member = FAMILIES.iter().any(|family| name.strip_prefix(family).is_some_and(is_free_part));
        if fixed || member { Ok(Self(name.to_owned())) } else { Err(UnknownName(shortened(name))) }
    }

    /// The fixed names that the owner sets.
    pub fn settable() -> impl Iterator<Item = Self> {
        FIXED.iter().map(|name| Self((*name).to_owned()))
    }

    /// The names that the program makes for itself.
    pub(super) fn internal() -> impl Iterator<Item = Self> {
        INTERNAL.iter().map(|name| Self((*name).to_owned()))
    }

    /// True for `admin.token` and `link.key`, which no page shows.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        INTERNAL.contains(&self.0.as_str())
    }

    /// True for `admin.token`, which the owner may replace and nobody types in.
    #[must_use]
    pub fn is_admin_token(&self) -> bool {
        self.0 == "admin.token"
    }

    /// True when the other side accepts a value that we invent.
    #[must_use]
    pub fn may_be_generated(&self) -> bool {
        OURS.contains(&self.0.as_str()) || self.signs_webhooks()
    }

    /// True for secrets in the form of Standard Webhooks, `whsec_…`, by which others know that a webhook is ours.
    #[must_use]
    pub fn signs_webhooks(&self) -> bool {
        self.0.starts_with("webhook.") || self.0 == "alerts.webhook_secret"
    }

    /// True for names of a family, whose members only the store knows.
    pub(super) fn is_family_member(&self) -> bool {
        FAMILIES.iter().any(|family| self.0.starts_with(family))
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the value before the current one lies. Not a name that [`parse`](Self::parse) accepts.
    pub(super) fn previous(&self) -> String {
        format!("{}.previous", self.0)
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_free_part(part: &str) -> bool {
    (1..=64).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// Someone may paste the secret where its name belongs; no more than a name's length is repeated.
fn shortened(name: &str) -> String {
    if name.chars().count() <= 24 { name.to_owned() } else { "…".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_interface_are_known_and_others_are_not() {
        for name in FIXED.iter().chain(INTERNAL).chain(&["lms.moodle", "source.nas-1", "downloader.x_y"]) {
            assert_eq!(SecretName::parse(name).unwrap().as_str(), *name);
        }
        for name in ["", "lms.", "lms.a.b", "lms.a/b", "sepay", "sepay.api_key.previous", "SEPAY.api_key"] {
            assert!(SecretName::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_secret_given_in_place_of_a_name_is_not_repeated() {
        let error = SecretName::parse("canary-canary-canary-canary-canary").unwrap_err().to_string();
        assert!(!error.contains("canary"));
    }
}
