//! The storefront's API: create and read orders, list courses, draw QR codes, and the page to pay at.

mod pay_page;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use chotdon_store::Idempotency;

use super::problem::Answer;
use crate::ordering::{Origin, place};
use crate::present;
use crate::shop::Floor;
use crate::views::{NewOrder, Payment, Problem};
use chotdon_store::read::OrderRecord;

pub(super) fn router() -> Router<Floor> {
    Router::new()
        .route("/api/v1/orders", post(create_order))
        .route("/api/v1/orders/{code}", get(read_order))
        .route("/api/v1/orders/{code}/cancel", post(cancel_order))
        .route("/api/v1/courses", get(courses))
        .route("/api/v1/qr/{file}", get(qr))
        .route("/pay/{code}", get(pay_page::show))
        .route("/api/v1/openapi.json", get(|| async { Json(openapi()) }))
}

/// The public API as an OpenAPI document.
#[must_use]
pub fn openapi() -> Value {
    serde_json::from_str(include_str!("storefront/openapi.json")).unwrap_or_default()
}

/// The storefront that a bearer key belongs to.
async fn storefront(floor: &Floor, headers: &HeaderMap, scope: &str) -> Answer<String> {
    let refused = || {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Send a storefront key as `Authorization: Bearer …`; `chotdon-server storefront-key create` makes one.",
        )
    };
    let value =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
    let (scheme, key) = value.split_once(' ').ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused());
    }
    // Looked up by its hash: what the database compares is not the key.
    let hash = hex::encode(Sha256::digest(key.trim().as_bytes()));
    let known = floor
        .store
        .storefront_key(&hash)
        .await?
        .filter(|key| key.revoked_at.is_none())
        .ok_or_else(refused)?;
    if !known.scopes.split_whitespace().any(|one| one == scope || one == "*") {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!("This key lacks the scope {scope}."),
        ));
    }
    Ok(known.name)
}

async fn create_order(State(floor): State<Floor>, headers: HeaderMap, body: Bytes) -> Answer<Response> {
    let name = storefront(&floor, &headers, "orders").await?;
    let order: NewOrder = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad(format!("the body is not an order: {error}")))?;
    let idempotency = match headers.get("idempotency-key") {
        None => None,
        Some(key) => {
            let key = key.to_str().unwrap_or_default();
            if key.is_empty() || key.len() > 200 {
                return Err(Problem::bad("Idempotency-Key: 1 to 200 visible ASCII characters"));
            }
            let request_hash = hex::encode(Sha256::digest(&body));
            Some(Idempotency { scope: format!("storefront:{name}"), key: key.to_owned(), request_hash })
        }
    };
    let origin = Origin { channel: "storefront", actor: format!("storefront:{name}"), idempotency };
    let created = place(&floor.store, &floor.config(), floor.clock.now_ms(), order, origin).await?;
    let view = order_view(&floor, &created.code).await?;
    let status = if created.replayed { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(view)).into_response())
}

async fn read_order(
    State(floor): State<Floor>,
    headers: HeaderMap,
    Path(code): Path<String>,
) -> Answer<Json<Value>> {
    storefront(&floor, &headers, "orders").await?;
    Ok(Json(order_view(&floor, &code).await?))
}

async fn cancel_order(
    State(floor): State<Floor>,
    headers: HeaderMap,
    Path(code): Path<String>,
) -> Answer<Json<Value>> {
    let name = storefront(&floor, &headers, "orders").await?;
    let now = floor.clock.now_ms();
    floor
        .store
        .cancel_order(&code, "cancelled by the storefront", &format!("storefront:{name}"), now)
        .await?;
    Ok(Json(order_view(&floor, &code).await?))
}

async fn courses(State(floor): State<Floor>, headers: HeaderMap) -> Answer<Json<Value>> {
    storefront(&floor, &headers, "courses").await?;
    let courses = floor.store.courses().await?;
    let rows: Vec<Value> = courses
        .iter()
        .filter(|course| course.active)
        .map(|course| json!({ "slug": course.slug, "title": course.title, "price_vnd": course.price_vnd }))
        .collect();
    Ok(Json(json!({ "courses": rows })))
}

/// An order as the storefront sees it.
async fn order_view(floor: &Floor, code: &str) -> Answer<Value> {
    let story = floor
        .store
        .order_story(code)
        .await?
        .ok_or_else(|| Problem::not_found(format_args!("order {code}")))?;
    let order = &story.order;
    let payment = payment(floor, order).await?.map(|payment| {
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

/// How to pay an order: by the account it was created with, or the preferred one when that is gone.
async fn payment(floor: &Floor, order: &OrderRecord) -> Answer<Option<Payment>> {
    let accounts = floor.store.bank_accounts().await?;
    let account =
        accounts.iter().find(|account| Some(account.id) == order.bank_account_id).or(accounts.first());
    let open = order.total_vnd.saturating_sub(order.paid_vnd);
    Ok(account.map(|account| present::payment(account, &order.code, open, floor.pay_url(&order.code))))
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    t: String,
}

/// `DH123456.svg`. The token of the order's page is needed: a QR says what somebody owes.
async fn qr(
    State(floor): State<Floor>,
    headers: HeaderMap,
    Path(file): Path<String>,
    Query(token): Query<Token>,
) -> Answer<Response> {
    let Some(code) = file.strip_suffix(".svg") else {
        return Err(Problem::not_found("a QR that is not .svg"));
    };
    if !floor.may_see(code, &token.t) {
        storefront(&floor, &headers, "orders").await?;
    }
    let view = order_view(&floor, code).await?;
    let text = view.pointer("/payment/vietqr").and_then(Value::as_str).ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "no_bank_account", "The shop has no bank account yet.")
    })?;
    let svg = vietqr::svg(text, 480).map_err(|error| Problem::bad(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response())
}
