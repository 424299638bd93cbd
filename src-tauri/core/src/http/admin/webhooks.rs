//! The webhook inbox: the list, one with its bodies, the state of the door, deciding one anew.

use axum::Json;
use axum::extract::{Path, State};
use chotdon_store::read::WebhookFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Desk;
use super::page::{id, page, window, word};
use super::transfers::hand;
use crate::http::problem::{Answer, Asked};
use crate::present;
use crate::views::{Page, Problem, RejectedRow, Reprocessed, WebhookDetail, WebhookRow, WebhookSummary};

const SOURCES: [&str; 3] = ["webhook", "reconcile", "manual"];
const OUTCOMES: [&str; 7] = ["paid", "credited", "partial", "overpaid", "late", "unmatched", "ignored"];

/// What the inbox can be asked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct WebhooksQuery {
    /// Only this outcome: `paid`, `credited`, `partial`, `overpaid`, `late`, `unmatched`, `ignored`.
    outcome: Option<String>,
    /// Only this source: `webhook`, `reconcile`, `manual`.
    source: Option<String>,
    /// SePay id, amount, order code, reference, or words of the transfer.
    q: Option<String>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// Rows, 1 to 200; 50 when left out.
    limit: Option<String>,
}

/// What SePay reported, newest first.
#[utoipa::path(get, path = "/admin/api/webhooks", tag = "webhooks", params(WebhooksQuery),
    responses((status = 200, body = Page<WebhookRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn webhooks(
    State(desk): State<Desk>,
    Asked(asked): Asked<WebhooksQuery>,
) -> Answer<Json<Page<WebhookRow>>> {
    let window = window(asked.after.as_deref(), asked.limit.as_deref())?;
    let known = |name: &'static str, given: Option<&str>, all: &[&'static str]| {
        word(name, given, all.iter().copied(), |text| all.contains(&text).then(|| text.to_owned()))
    };
    let filter = WebhookFilter {
        outcome: known("outcome", asked.outcome.as_deref(), &OUTCOMES)?,
        source: known("source", asked.source.as_deref(), &SOURCES)?,
        text: asked.q,
    };
    let slice = desk.store.webhooks(&filter, window).await?;
    Ok(Json(page(&slice, present::webhook_row)))
}

/// What was sent, word for word, and what was answered.
#[utoipa::path(get, path = "/admin/api/webhooks/{sepay_id}", tag = "webhooks",
    params(("sepay_id" = i64, Path, description = "SePay's id")),
    responses((status = 200, body = WebhookDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn webhook(
    State(desk): State<Desk>,
    Path(sepay_id): Path<String>,
) -> Answer<Json<WebhookDetail>> {
    let sepay_id = id(&sepay_id)?;
    let (record, bodies) = desk
        .store
        .webhook(sepay_id)
        .await?
        .ok_or_else(|| Problem::not_found(format_args!("SePay id {sepay_id}")))?;
    Ok(Json(present::webhook_detail(&record, bodies)))
}

/// The state of the webhook door.
#[utoipa::path(get, path = "/admin/api/webhooks/summary", tag = "webhooks",
    responses((status = 200, body = WebhookSummary), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn summary(State(desk): State<Desk>) -> Answer<Json<WebhookSummary>> {
    let now = desk.now();
    let rejected = desk.shop.rejected(now);
    Ok(Json(WebhookSummary {
        webhook_url: desk.webhook_url(),
        last_webhook_at: desk.shop.last_webhook_at().map(present::rfc3339),
        p95_ms: desk.shop.answer_p95_ms(),
        today: desk.store.outcomes_today(now).await?,
        rejected_24h: rejected
            .into_iter()
            .map(|(reason, count, last_at)| RejectedRow {
                reason: reason.as_str().to_owned(),
                count,
                last_at: present::rfc3339(last_at),
            })
            .collect(),
    }))
}

/// Decides an unmatched transaction anew against the orders, customers and accounts there are now.
#[utoipa::path(post, path = "/admin/api/webhooks/{sepay_id}/reprocess", tag = "webhooks",
    params(("sepay_id" = i64, Path, description = "SePay's id")),
    responses((status = 200, body = Reprocessed), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn reprocess(
    State(desk): State<Desk>,
    Path(sepay_id): Path<String>,
) -> Answer<Json<Reprocessed>> {
    let (outcome, order) = desk.store.reprocess(id(&sepay_id)?, hand(&desk)).await?;
    Ok(Json(Reprocessed { outcome: outcome.as_str().to_owned(), order }))
}
