//! Orders: create, read, call off.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chotdon_domain::order::Stage;
use chotdon_store::Idempotency;
use chotdon_store::read::OrderRecord;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::gate::{Key, Named, Need, Perhaps, Sent, answered};
use crate::http::problem::Answer;
use crate::ordering::{Origin, place};
use crate::present;
use crate::shop::Floor;
use crate::views::{NewOrder, Payment, Problem};

/// Longest `Idempotency-Key`, characters.
const LONGEST_KEY: usize = 200;

pub(super) async fn create(
    State(floor): State<Floor>,
    key: Key<{ Need::WRITE_ORDERS }>,
    headers: HeaderMap,
    sent: Sent<NewOrder>,
) -> Answer<Response> {
    let idempotency = idempotency(&headers, &key.actor(), &sent.bytes)?;
    let origin = Origin { channel: "storefront", actor: key.actor(), idempotency };
    let created = place(&floor.store, &floor.config(), floor.clock.now_ms(), sent.value, origin).await?;
    let order = view(&floor, &created.code).await?;
    // A repeated call gets the answer of the first one.
    let mut headers = vec![("location", format!("/api/v1/orders/{}", created.code))];
    if created.replayed {
        headers.push(("idempotency-replayed", "true".to_owned()));
    }
    Ok(answered(StatusCode::CREATED, &order, headers))
}

fn idempotency(headers: &HeaderMap, scope: &str, body: &[u8]) -> Answer<Option<Idempotency>> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let key = key.to_str().unwrap_or_default();
    let plain = key.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if key.is_empty() || key.len() > LONGEST_KEY || !plain || keys.next().is_some() {
        return Err(Problem::bad(format!("Idempotency-Key: once, 1 to {LONGEST_KEY} ASCII characters")));
    }
    let request_hash = hex::encode(Sha256::digest(body));
    Ok(Some(Idempotency { scope: scope.to_owned(), key: key.to_owned(), request_hash }))
}

pub(super) async fn read(
    State(floor): State<Floor>,
    _key: Key<{ Need::READ_ORDERS }>,
    Named(code): Named,
) -> Answer<Json<Value>> {
    Ok(Json(view(&floor, &code).await?))
}

/// Why an order is called off.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CancelOrder {
    /// At most 500 characters.
    reason: Option<String>,
}

pub(super) async fn cancel(
    State(floor): State<Floor>,
    key: Key<{ Need::WRITE_ORDERS }>,
    Named(code): Named,
    Perhaps(body): Perhaps<CancelOrder>,
) -> Answer<Json<Value>> {
    let reason = body.unwrap_or_default().reason.unwrap_or_default();
    let reason = crate::ordering::limited("reason", reason.trim(), 500)?;
    let reason = if reason.is_empty() { "cancelled by the storefront".to_owned() } else { reason };
    floor
        .store
        .cancel_unpaid_order(&code, &reason, &key.actor(), floor.clock.now_ms())
        .await
        .map_err(|error| Problem::from(error).when_conflict("not_cancellable"))?;
    Ok(Json(view(&floor, &code).await?))
}

/// An order as the storefront sees it.
async fn view(floor: &Floor, code: &str) -> Answer<Value> {
    let story = floor
        .store
        .order_story(code)
        .await?
        .ok_or_else(|| Problem::not_found(format_args!("order {}", shortened(code))))?;
    let order = &story.order;
    let payment = how_to_pay(floor, order).await?.map(|payment| {
        json!({
            "bank": payment.bank, "bin": payment.bin, "account": payment.account, "holder": payment.holder,
            "memo": payment.memo, "amount_vnd": payment.amount_vnd, "vietqr": payment.vietqr, "pay_url": payment.pay_url,
        })
    });
    let items: Vec<Value> = story
        .items
        .iter()
        .map(|item| json!({ "course": item.slug, "delivery": item.delivery.as_str(), "link": item.link }))
        .collect();
    Ok(json!({
        "code": order.code, "stage": order.stage.as_str(), "flags": order.flags.names(),
        "total_vnd": order.total_vnd, "paid_vnd": order.paid_vnd,
        "created_at": present::rfc3339(order.created_at), "expires_at": present::rfc3339(order.expires_at),
        "items": items, "payment": payment,
    }))
}

/// How to pay what an order still lacks: into the account it was created with, or the preferred one when that is
/// gone. Nothing is asked for once the order does not wait for money. `None` while the shop has no account.
pub(crate) async fn how_to_pay(floor: &Floor, order: &OrderRecord) -> Answer<Option<Payment>> {
    let accounts = floor.store.bank_accounts().await?;
    let account =
        accounts.iter().find(|account| Some(account.id) == order.bank_account_id).or(accounts.first());
    let open = if order.stage == Stage::Pending { order.total_vnd.saturating_sub(order.paid_vnd) } else { 0 };
    Ok(account.map(|account| present::payment(account, &order.code, open, floor.pay_url(&order.code))))
}

/// What was asked for, short enough to be repeated.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(20).collect()
}
