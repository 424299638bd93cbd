//! Where storefronts are told what happens, and what they were told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An endpoint that is told by webhook.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct WebhookEndpoint {
    pub name: String,
    pub url: String,
    /// Empty means every event.
    pub events: Vec<String>,
    /// `on`, `gone` (it answered 410) or `no_secret` (`webhook.NAME` is not set).
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
}

/// The id of a test that was queued.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct QueuedWebhook {
    /// As the endpoint gets it.
    pub webhook_id: String,
}
