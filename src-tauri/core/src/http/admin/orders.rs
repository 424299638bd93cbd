//! Orders: list, story, and what the owner does to them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chotdon_domain::order::{Flags, Stage};
use chotdon_store::SurplusTo;
use chotdon_store::read::OrderFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Desk;
use super::page::{page, window, word};
use super::state::OWNER;
use crate::http::problem::{Answer, Asked, Given};
use crate::ordering::{Origin, place};
use crate::present;
use crate::views::{
    CancelRequest, NewOrder, NoteRequest, OrderDetail, OrderRow, Page, Problem, ReasonRequest, RefundRequest,
    SurplusRequest,
};

/// A paid order that is not delivered after this long needs the owner, ms.
const LATE_MS: i64 = 15 * 60_000;
pub(super) const LONGEST_REASON: usize = 500;
const LONGEST_NOTE: usize = 2000;

/// What the list of orders can be asked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct OrdersQuery {
    /// Only this stage.
    stage: Option<String>,
    /// Only orders with this flag.
    flag: Option<String>,
    /// `1`: only orders that need the owner: failed, wrong amount, or paid and undelivered for 15 minutes.
    attention: Option<String>,
    /// Code, name, e-mail, phone, course or amount; without diacritics too.
    q: Option<String>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// Rows, 1 to 200; 50 when left out.
    limit: Option<String>,
}

/// The list of orders, newest first.
#[utoipa::path(get, path = "/admin/api/orders", tag = "orders", params(OrdersQuery),
    responses((status = 200, body = Page<OrderRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn orders(
    State(desk): State<Desk>,
    Asked(asked): Asked<OrdersQuery>,
) -> Answer<Json<Page<OrderRow>>> {
    let window = window(asked.after.as_deref(), asked.limit.as_deref())?;
    let stage = word("stage", asked.stage.as_deref(), Stage::ALL.map(Stage::as_str), Stage::parse)?;
    let flags = Flags::ALL.map(|(_, name)| name);
    let flag = word("flag", asked.flag.as_deref(), flags, |name| {
        Flags::ALL.into_iter().find(|(_, known)| *known == name).map(|(flag, _)| flag)
    })?;
    let attention = word("attention", asked.attention.as_deref(), ["1", "0"], |given| match given {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    })?;
    let filter = OrderFilter {
        stage,
        flag,
        attention_paid_before: attention.unwrap_or(false).then(|| desk.now().saturating_sub(LATE_MS)),
        text: asked.q.filter(|text| !text.trim().is_empty()),
        customer: None,
    };
    let slice = desk.store.orders(&filter, window).await?;
    Ok(Json(page(&slice, present::order_row)))
}

/// The whole story of one order.
#[utoipa::path(get, path = "/admin/api/orders/{code}", tag = "orders", params(("code" = String, Path, description = "Order code")),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn order(State(desk): State<Desk>, Path(code): Path<String>) -> Answer<Json<OrderDetail>> {
    Ok(Json(detail(&desk, &code).await?))
}

/// Creates an order for a buyer.
#[utoipa::path(post, path = "/admin/api/orders", tag = "orders", request_body = NewOrder,
    responses((status = 201, body = OrderDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn create_order(
    State(desk): State<Desk>,
    Given(order): Given<NewOrder>,
) -> Answer<(StatusCode, Json<OrderDetail>)> {
    let origin = Origin { channel: "owner", actor: OWNER.to_owned(), idempotency: None };
    let created = place(&desk.store, &desk.shop.config(), desk.now(), order, origin).await?;
    Ok((StatusCode::CREATED, Json(detail(&desk, &created.code).await?)))
}

/// Calls an unpaid or failed order off.
#[utoipa::path(post, path = "/admin/api/orders/{code}/cancel", tag = "orders", request_body = CancelRequest,
    params(("code" = String, Path, description = "Order code")),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn cancel_order(
    State(desk): State<Desk>,
    Path(code): Path<String>,
    Given(request): Given<CancelRequest>,
) -> Answer<Json<OrderDetail>> {
    let reason = text("reason", &request.reason, LONGEST_REASON)?;
    desk.store
        .cancel_order(&code, &reason, OWNER, desk.now())
        .await
        .map_err(|error| Problem::from(error).when_conflict("order_not_cancellable"))?;
    Ok(Json(detail(&desk, &code).await?))
}

/// Gives the buyer access again and mails them again.
#[utoipa::path(post, path = "/admin/api/orders/{code}/redeliver", tag = "orders",
    params(("code" = String, Path, description = "Order code")),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn redeliver(
    State(desk): State<Desk>,
    Path(code): Path<String>,
) -> Answer<Json<OrderDetail>> {
    desk.store.redeliver(&code, OWNER, desk.now()).await?;
    Ok(Json(detail(&desk, &code).await?))
}

/// Adds an internal note to the timeline.
#[utoipa::path(post, path = "/admin/api/orders/{code}/note", tag = "orders", request_body = NoteRequest,
    params(("code" = String, Path, description = "Order code")),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn add_note(
    State(desk): State<Desk>,
    Path(code): Path<String>,
    Given(request): Given<NoteRequest>,
) -> Answer<Json<OrderDetail>> {
    let note = text("text", &request.text, LONGEST_NOTE)?;
    desk.store.add_note(&code, &note, OWNER, desk.now()).await?;
    Ok(Json(detail(&desk, &code).await?))
}

/// Settles an order by the owner's word and queues its delivery; no money moves. Also accepts a shortage, and delivers
/// a payment that came late.
#[utoipa::path(post, path = "/admin/api/orders/{code}/mark-paid", tag = "orders", request_body = ReasonRequest,
    params(("code" = String, Path, description = "Order code")),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn mark_paid(
    State(desk): State<Desk>,
    Path(code): Path<String>,
    Given(request): Given<ReasonRequest>,
) -> Answer<Json<OrderDetail>> {
    let reason = text("reason", &request.reason, LONGEST_REASON)?;
    desk.store.mark_paid(&code, &reason, OWNER, desk.now()).await?;
    Ok(Json(detail(&desk, &code).await?))
}

/// Records that the bank gave money back. The whole sum ends the order and takes access back; a part leaves both.
#[utoipa::path(post, path = "/admin/api/orders/{code}/refund", tag = "orders", request_body = RefundRequest,
    params(("code" = String, Path, description = "Order code")),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn refund(
    State(desk): State<Desk>,
    Path(code): Path<String>,
    Given(request): Given<RefundRequest>,
) -> Answer<Json<OrderDetail>> {
    let reason = text("reason", &request.reason, LONGEST_REASON)?;
    if request.amount_vnd.is_some_and(|amount| amount <= 0) {
        return Err(Problem::bad("amount_vnd: whole đồng above 0, or left out for everything"));
    }
    let stopped = desk.store.refund(&code, request.amount_vnd, &reason, OWNER, desk.now()).await?;
    stopped.into_iter().for_each(|task| desk.shop.cancel(task));
    Ok(Json(detail(&desk, &code).await?))
}

/// Moves what an order holds beyond its need to its customer's wallet, or sets it aside.
#[utoipa::path(post, path = "/admin/api/orders/{code}/surplus", tag = "orders", request_body = SurplusRequest,
    params(("code" = String, Path, description = "Order code")),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn surplus(
    State(desk): State<Desk>,
    Path(code): Path<String>,
    Given(request): Given<SurplusRequest>,
) -> Answer<Json<OrderDetail>> {
    let Some(to) = SurplusTo::parse(&request.to) else {
        return Err(Problem::bad("to: `wallet` or `set_aside`"));
    };
    let reason = request.reason.trim();
    if reason.chars().count() > LONGEST_REASON {
        return Err(Problem::bad(format!("reason: at most {LONGEST_REASON} characters")));
    }
    desk.store.take_surplus(&code, to, reason, OWNER, desk.now()).await?;
    Ok(Json(detail(&desk, &code).await?))
}

/// Pays what is due from the customer's wallet, in full or not at all.
#[utoipa::path(post, path = "/admin/api/orders/{code}/pay-from-wallet", tag = "orders",
    params(("code" = String, Path, description = "Order code")),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn pay_from_wallet(
    State(desk): State<Desk>,
    Path(code): Path<String>,
) -> Answer<Json<OrderDetail>> {
    desk.store.pay_from_wallet(&code, OWNER, desk.now()).await?;
    Ok(Json(detail(&desk, &code).await?))
}

pub(super) async fn detail(desk: &Desk, code: &str) -> Answer<OrderDetail> {
    let story = desk
        .store
        .order_story(code)
        .await?
        .ok_or_else(|| Problem::not_found(format_args!("order {}", short(code))))?;
    let accounts = desk.store.bank_accounts().await?;
    // The account the order was created with; the preferred one when it is gone.
    let account =
        accounts.iter().find(|account| Some(account.id) == story.order.bank_account_id).or(accounts.first());
    let open = story.order.total_vnd.saturating_sub(story.order.paid_vnd);
    let code = &story.order.code;
    let payment = account.map(|account| present::payment(account, code, open, desk.shop.pay_url(code)));
    Ok(present::order_detail(&story, payment, desk.now()))
}

pub(super) fn text(field: &str, given: &str, longest: usize) -> Answer<String> {
    let given = given.trim();
    if given.is_empty() || given.chars().count() > longest {
        return Err(Problem::bad(format!("{field}: 1 to {longest} characters")));
    }
    Ok(given.to_owned())
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}
