//! Transfers: the list, one with its suggestions, and placing one by hand.

use axum::Json;
use axum::extract::{Path, State};
use chotdon_store::read::TRANSFER_STATES;
use chotdon_store::{Credit, Error, Hand};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Desk;
use super::page::{id, page, window, word};
use super::state::OWNER;
use crate::http::problem::{Answer, Asked, Given};
use crate::ordering::{self, Origin};
use crate::present;
use crate::views::{
    CreditTransfer, MatchTransfer, NewCustomer, NewOrder, OrderFromTransfer, Page, Problem, SetAsideTransfer,
    TransferDetail, TransferRow,
};

const LONGEST_REASON: usize = 500;

/// What the list of transfers can be asked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct TransfersQuery {
    /// Only this state: `order`, `wallet`, `unmatched`, `set_aside`, `ignored`.
    state: Option<String>,
    /// SePay id, amount, order code, reference, or words of the transfer.
    q: Option<String>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// Rows, 1 to 200; 50 when left out.
    limit: Option<String>,
}

/// Transfers that arrived, newest first.
#[utoipa::path(get, path = "/admin/api/transfers", tag = "money", params(TransfersQuery),
    responses((status = 200, body = Page<TransferRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn transfers(
    State(desk): State<Desk>,
    Asked(asked): Asked<TransfersQuery>,
) -> Answer<Json<Page<TransferRow>>> {
    let window = window(asked.after.as_deref(), asked.limit.as_deref())?;
    let state = word("state", asked.state.as_deref(), TRANSFER_STATES, |name| {
        TRANSFER_STATES.into_iter().find(|known| *known == name)
    })?;
    let slice = desk.store.transfers(state, asked.q.as_deref(), window).await?;
    let now = desk.now();
    Ok(Json(page(&slice, |transfer| present::transfer_row(transfer, Some(now)))))
}

/// One transfer with what it may have been meant for.
#[utoipa::path(get, path = "/admin/api/transfers/{id}", tag = "money", params(("id" = i64, Path, description = "Transfer id")),
    responses((status = 200, body = TransferDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn transfer(
    State(desk): State<Desk>,
    Path(transfer): Path<String>,
) -> Answer<Json<TransferDetail>> {
    detail(&desk, id(&transfer)?).await
}

/// Books an unmatched transfer on an order. A delivery that follows begins after `orders.manual_match_hold_s`.
#[utoipa::path(post, path = "/admin/api/transfers/{id}/match", tag = "money", request_body = MatchTransfer,
    params(("id" = i64, Path, description = "Transfer id")),
    responses((status = 200, body = TransferDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn match_transfer(
    State(desk): State<Desk>,
    Path(transfer): Path<String>,
    Given(wish): Given<MatchTransfer>,
) -> Answer<Json<TransferDetail>> {
    let transfer = id(&transfer)?;
    desk.store.match_transfer(transfer, &wish.order, hand(&desk)).await?;
    detail(&desk, transfer).await
}

/// Puts an unmatched transfer into a customer's wallet.
#[utoipa::path(post, path = "/admin/api/transfers/{id}/credit", tag = "money", request_body = CreditTransfer,
    params(("id" = i64, Path, description = "Transfer id")),
    responses((status = 200, body = TransferDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn credit_transfer(
    State(desk): State<Desk>,
    Path(transfer): Path<String>,
    Given(wish): Given<CreditTransfer>,
) -> Answer<Json<TransferDetail>> {
    let transfer = id(&transfer)?;
    let to = match (wish.customer_id, wish.email) {
        (Some(customer), None) => Credit::Customer(customer),
        (None, Some(email)) => {
            let buyer = NewCustomer { email, name: wish.name.unwrap_or_default(), phone: None };
            let (email, name, _) = ordering::checked_buyer(&buyer, "")?;
            Credit::Email { email, name }
        }
        _ => return Err(Problem::bad("either customer_id or email is needed")),
    };
    desk.store.credit_transfer(transfer, to, hand(&desk)).await?;
    detail(&desk, transfer).await
}

/// Makes an order and books an unmatched transfer on it.
#[utoipa::path(post, path = "/admin/api/transfers/{id}/create-order", tag = "money", request_body = OrderFromTransfer,
    operation_id = "create_order_from_transfer",
    params(("id" = i64, Path, description = "Transfer id")),
    responses((status = 200, body = TransferDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn create_order(
    State(desk): State<Desk>,
    Path(transfer): Path<String>,
    Given(wish): Given<OrderFromTransfer>,
) -> Answer<Json<TransferDetail>> {
    let transfer = id(&transfer)?;
    let order = NewOrder {
        customer: wish.customer,
        items: wish.items,
        priority: None,
        pay_from_wallet: false,
        note: None,
    };
    let origin = Origin { channel: "owner", actor: OWNER.to_owned(), idempotency: None };
    let row = ordering::row(&desk.shop.config(), desk.now(), order, origin)?;
    desk.store.order_from_transfer(transfer, row, hand(&desk)).await.map_err(|error| match error {
        Error::NotFound(what) if what.starts_with("course") => ordering::unknown_course(&what),
        other => other.into(),
    })?;
    detail(&desk, transfer).await
}

/// Sets an unmatched transfer aside.
#[utoipa::path(post, path = "/admin/api/transfers/{id}/set-aside", tag = "money", request_body = SetAsideTransfer,
    params(("id" = i64, Path, description = "Transfer id")),
    responses((status = 200, body = TransferDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn set_aside(
    State(desk): State<Desk>,
    Path(transfer): Path<String>,
    Given(wish): Given<SetAsideTransfer>,
) -> Answer<Json<TransferDetail>> {
    let transfer = id(&transfer)?;
    let reason = wish.reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(Problem::bad(format!("reason: 1 to {LONGEST_REASON} characters")));
    }
    desk.store.set_transfer_aside(transfer, reason, hand(&desk)).await?;
    detail(&desk, transfer).await
}

/// Takes back what was done with a transfer by hand: its money is unmatched again.
#[utoipa::path(post, path = "/admin/api/transfers/{id}/undo", tag = "money", params(("id" = i64, Path, description = "Transfer id")),
    responses((status = 200, body = TransferDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn undo(
    State(desk): State<Desk>,
    Path(transfer): Path<String>,
) -> Answer<Json<TransferDetail>> {
    let transfer = id(&transfer)?;
    desk.store.undo_transfer(transfer, hand(&desk)).await?;
    detail(&desk, transfer).await
}

/// The owner's hand, now, with the hold of the settings.
pub(super) fn hand(desk: &Desk) -> Hand {
    let hold_ms = desk.shop.config().orders.manual_match_hold_s.saturating_mul(1000);
    Hand { actor: OWNER.to_owned(), hold_ms, now: desk.now() }
}

async fn detail(desk: &Desk, transfer: i64) -> Answer<Json<TransferDetail>> {
    let now = desk.now();
    let record = desk
        .store
        .transfer(transfer)
        .await?
        .ok_or_else(|| Problem::not_found(format_args!("transfer {transfer}")))?;
    let placing = desk.store.placing(transfer, now).await?;
    let suggestions = if placing.placeable { desk.store.suggestions(transfer).await? } else { Vec::new() };
    Ok(Json(TransferDetail {
        transfer: present::transfer_row(&record, Some(now)),
        suggestions: suggestions.iter().map(|one| present::suggestion(one, record.amount_vnd)).collect(),
        movements: desk.store.transfer_movements(transfer).await?.iter().map(present::ledger_row).collect(),
        actions: present::transfer_actions(&placing),
        undo_until: placing.undo_until.map(present::rfc3339),
    }))
}
