//! Where storefronts ask and with which keys, where they are told what happens, and what they were told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ErrorText;

/// `GET /admin/api/storefront`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct StorefrontApi {
    /// What every call begins with, without a slash at the end.
    pub api_url: String,
    /// The OpenAPI document of the calls; it needs no key.
    pub openapi_url: String,
    /// False while these addresses are good on this machine alone.
    pub public: bool,
    /// Whether endpoints on this machine and in the local network are called.
    pub private_webhooks: bool,
    /// What a key can be allowed, each by itself.
    pub scopes: Vec<String>,
    /// What an endpoint can be told of.
    pub events: Vec<String>,
    /// Since when `last_used_at` is known.
    pub uses_since: String,
    /// Hours for which a signing secret stays good after it was replaced, unless said otherwise.
    pub overlap_h: i64,
    /// The keys in use, by name.
    pub keys: Vec<StorefrontKeyRow>,
}

/// One storefront's key. Never its value.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct StorefrontKeyRow {
    pub name: String,
    /// What it may do, each by itself.
    pub scopes: Vec<String>,
    pub created_at: String,
    /// None when it was not used since `uses_since`.
    pub last_used_at: Option<String>,
}

/// An endpoint that is told by webhook.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct WebhookEndpoint {
    pub name: String,
    pub url: String,
    /// Empty means every event.
    pub events: Vec<String>,
    /// `on`, `off` (by the owner), `gone` (it answered 410) or `no_secret` (`webhook.NAME` is not set).
    pub state: String,
    pub created_at: String,
    pub last_ok_at: Option<String>,
    /// Events that are still tried.
    pub waiting: i64,
    /// Events that were given up.
    pub failed: i64,
}

/// `PUT /admin/api/storefront/webhooks/{name}`. Its signing secret is `webhook.NAME`, set like every other.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookEndpointChange {
    /// `https://…`; `http` on this machine and in the local network, where the settings allow it.
    pub url: String,
    /// Left out or empty means every event.
    #[serde(default)]
    pub events: Vec<String>,
    /// Whether it is told; left out = yes. What is still to be sent to one that is not is called off.
    #[serde(default = "yes")]
    pub active: bool,
}

fn yes() -> bool {
    true
}

/// An event that was or is to be told.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct OutgoingRow {
    pub id: i64,
    /// The same over all attempts.
    pub webhook_id: String,
    pub event: String,
    pub at: String,
    /// The order, when it is about one.
    pub order: Option<String>,
    pub attempts: i64,
    /// HTTP status of the last attempt.
    pub status: Option<i64>,
    pub delivered_at: Option<String>,
    /// `delivered`, `waiting` (for its first attempt), `sending`, `retrying`, `failed` (given up) or `called_off`.
    pub state: String,
    /// When it is tried again, while it is `retrying`.
    pub next_at: Option<String>,
    /// What went wrong at the last attempt, unless it was delivered.
    pub error: Option<ErrorText>,
    /// The task that sends it, while it is neither delivered nor called off.
    pub task: Option<i64>,
}

/// The id of a test that was queued.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct QueuedWebhook {
    /// As the endpoint gets it.
    pub webhook_id: String,
}
