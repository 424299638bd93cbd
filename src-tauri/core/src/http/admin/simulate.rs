//! The demo's bank at work: books a transfer and sends a real webhook, authenticated with the shop's own key, to the public
//! listener, or loses it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::ExposeSecret;
use sepay::{Direction, Notification};

use super::Desk;
use crate::http::problem::{Answer, Given};
use crate::present;
use crate::secrets::SecretName;
use crate::views::{Problem, SimulateTransfer, SimulatedTransfer};

const LARGEST_VND: i64 = 1_000_000_000_000;

/// Pays an order, or sends any transfer. Demo only.
#[utoipa::path(post, path = "/admin/api/simulate-transfer", tag = "demo", request_body = SimulateTransfer,
    responses((status = 200, body = SimulatedTransfer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn simulate_transfer(
    State(desk): State<Desk>,
    Given(wish): Given<SimulateTransfer>,
) -> Answer<Json<SimulatedTransfer>> {
    let Some(bank) = desk.shop.demo_bank() else {
        let detail = "transfers can be simulated in demo mode only";
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_demo", detail));
    };
    let notification = notification(&desk, &wish).await?;
    bank.book(&notification).map_err(|error| {
        let detail = format!("the demo bank cannot write its book: {error}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    })?;
    if wish.lost {
        let answer = serde_json::json!({ "success": false, "lost": true });
        return Ok(Json(SimulatedTransfer { sepay_id: notification.sepay_id, http_status: 0, answer }));
    }
    let body = notification.to_body();
    let mut request = super::checks::client()?
        .post(format!("http://{}/api/v1/payment/webhook", desk.shop.public_addr()))
        .header("content-type", "application/json");
    let now = desk.now();
    if let Some(secret) = desk.credentials.get(&SecretName::sepay_hmac_secret(), now).await? {
        let timestamp = (now / 1000).to_string();
        let signature = sepay::sign(secret.expose_secret().as_bytes(), &timestamp, &body);
        request = request.header("x-sepay-timestamp", timestamp).header("x-sepay-signature", signature);
    } else if let Some(key) = desk.credentials.get(&SecretName::sepay_api_key(), now).await? {
        request = request.header("authorization", format!("Apikey {}", key.expose_secret()));
    } else {
        let detail = "the shop has no SePay key yet; set one in the settings";
        return Err(Problem::new(StatusCode::CONFLICT, "sepay_key_missing", detail));
    }
    let unreachable = |error: reqwest::Error| {
        let detail = format!("the public listener does not answer: {}", error.without_url());
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    };
    let answer = request.body(body).send().await.map_err(unreachable)?;
    let http_status = answer.status().as_u16();
    let text = answer.text().await.map_err(unreachable)?;
    let answer = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
    Ok(Json(SimulatedTransfer { sepay_id: notification.sepay_id, http_status, answer }))
}

/// Puts the source of the demo's failing course where it is looked for, so that a retry succeeds. Demo only.
#[utoipa::path(post, path = "/admin/api/demo/mend", tag = "demo",
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn mend_source(State(desk): State<Desk>) -> Answer<StatusCode> {
    if !desk.shop.demo() {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "not_demo",
            "sources can be mended in demo mode only",
        ));
    }
    crate::demo::mend(desk.shop.data_dir()).await.map_err(|error| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            format!("the source could not be written: {error}"),
        )
    })?;
    Ok(StatusCode::NO_CONTENT)
}

async fn notification(desk: &Desk, wish: &SimulateTransfer) -> Answer<Notification> {
    let accounts = desk.store.bank_accounts().await?;
    let mut amount = wish.amount_vnd;
    let mut content = wish.content.clone();
    let mut account = accounts.first();
    if let Some(code) = &wish.order {
        let story = desk
            .store
            .order_story(code)
            .await?
            .ok_or_else(|| Problem::not_found(format_args!("order {code}")))?;
        let open = story.order.total_vnd.saturating_sub(story.order.paid_vnd);
        amount = amount.or(Some(if open > 0 { open } else { story.order.total_vnd }));
        account = accounts.iter().find(|one| Some(one.id) == story.order.bank_account_id).or(account);
        let code = &story.order.code;
        content = content
            .or_else(|| Some(account.map_or_else(|| code.clone(), |account| present::memo(account, code))));
    }
    let amount_vnd = amount.filter(|amount| (1..=LARGEST_VND).contains(amount)).ok_or_else(|| {
        let detail = format!("amount_vnd: whole đồng from 1 to {LARGEST_VND}, or name an order");
        Problem::new(StatusCode::BAD_REQUEST, "invalid_amount", detail)
    })?;
    let sepay_id = match wish.id {
        Some(id) if id <= 0 => return Err(Problem::bad("id: a positive number")),
        Some(id) => id,
        // Real ids are below 100 million today; drawn ones stay clear of them and within what JavaScript can count.
        None => rand::random_range(1_000_000_000_000..9_000_000_000_000),
    };
    let content = content.unwrap_or_default();
    if content.chars().count() > 500 {
        return Err(Problem::bad("content: at most 500 characters"));
    }
    let now = desk.now();
    Ok(Notification {
        sepay_id,
        gateway: account.map_or_else(|| "MBBank".to_owned(), |account| account.bank.clone()),
        booked_at: Some(now),
        account: account.map_or_else(|| "0900000699".to_owned(), |account| account.account.clone()),
        sub_account: account.and_then(|account| account.virtual_account.clone()).unwrap_or_default(),
        code: String::new(),
        description: format!("BankAPINotify {content}"),
        content,
        direction: Direction::In,
        amount_vnd,
        accumulated: None,
        reference: format!("SIM{now}"),
    })
}
