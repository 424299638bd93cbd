//! The webhook inbox, and the answers that were given.

use chotdon_store::read::{WebhookBodies, WebhookRecord};
use serde_json::json;

use super::rfc3339;
use crate::views::{WebhookDetail, WebhookResponse, WebhookRow};

/// One transaction as SePay reported it.
pub(crate) fn webhook_row(record: &WebhookRecord) -> WebhookRow {
    WebhookRow {
        sepay_id: record.sepay_id,
        received_at: rfc3339(record.received_at),
        source: record.source.clone(),
        outcome: record.outcome.clone(),
        direction: record.direction.clone(),
        amount_vnd: record.amount_vnd,
        gateway: record.gateway.clone(),
        content: record.content.clone(),
        reference: record.reference.clone(),
        transfer_id: record.transfer_id,
        order: record.order_code.clone(),
        repeats: record.repeats,
        different_body: record.different_body,
    }
}

/// One transaction with its bodies and the answer.
pub(crate) fn webhook_detail(record: &WebhookRecord, bodies: WebhookBodies) -> WebhookDetail {
    let mut body = json!({ "success": true, "outcome": record.outcome });
    // Where the owner placed it, SePay had been told nothing of an order.
    let settled = matches!(record.outcome.as_str(), "paid" | "partial" | "overpaid" | "late");
    if let Some(order) = record.order_code.as_ref().filter(|_| settled) {
        body["order"] = json!(order);
    }
    WebhookDetail {
        row: webhook_row(record),
        body: bodies.body,
        other_body: bodies.other_body,
        response: WebhookResponse { status: 200, body },
        transfer_id: record.transfer_id,
        can_reprocess: record.state == "unmatched",
    }
}
