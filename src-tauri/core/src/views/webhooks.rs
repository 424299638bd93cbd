//! The webhook inbox: what SePay sent, what was answered, and what was refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One transaction as SePay reported it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct WebhookRow {
    pub sepay_id: i64,
    pub received_at: String,
    /// `webhook`, `reconcile`, `manual`.
    pub source: String,
    /// What SePay was answered: `paid`, `credited`, `partial`, `overpaid`, `late`, `unmatched`, `ignored`.
    pub outcome: String,
    /// `in` or `out`.
    pub direction: String,
    pub amount_vnd: i64,
    pub gateway: String,
    pub content: String,
    pub reference: String,
    pub transfer_id: i64,
    /// The order that has the money now.
    pub order: Option<String>,
    /// How often the same id came again.
    pub repeats: i64,
    /// True when it came again with another body.
    pub different_body: bool,
}

/// One transaction with what was sent and what was answered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookDetail {
    /// The row of the list.
    pub row: WebhookRow,
    /// The body that counts, as it was sent.
    pub body: String,
    /// The first different body under the same id; it had no effect.
    pub other_body: Option<String>,
    /// What was answered to the body that counts.
    pub response: WebhookResponse,
    /// The transfer it became.
    pub transfer_id: i64,
    /// Whether it can be decided anew: it is still unmatched.
    pub can_reprocess: bool,
}

/// An answer to a webhook.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookResponse {
    /// HTTP status.
    pub status: u16,
    /// The JSON body.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
}

/// The state of the webhook door.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookSummary {
    /// What the owner enters at SePay.
    pub webhook_url: String,
    /// When the last authentic webhook came.
    pub last_webhook_at: Option<String>,
    /// The time within which 95 of 100 of the latest webhooks were answered, milliseconds. `null` before the first.
    pub p95_ms: Option<i64>,
    /// Transactions of today (Vietnam time) by outcome.
    pub today: BTreeMap<String, i64>,
    /// Requests refused in the last 24 hours, most frequent first.
    pub rejected_24h: Vec<RejectedRow>,
}

/// Requests refused for one reason.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RejectedRow {
    /// `unauthorized`, `stale`, `malformed`, `too_large`, `wrong_product`, `rate_limited`,
    /// `not_allowed_ip`, `wrong_host`.
    pub reason: String,
    /// How many.
    pub count: i64,
    /// When the last one came.
    pub last_at: String,
}

/// What deciding a webhook anew came to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Reprocessed {
    /// `unmatched` when nothing changed, else as in [`WebhookRow::outcome`].
    pub outcome: String,
    /// The order that has the money now.
    pub order: Option<String>,
}
