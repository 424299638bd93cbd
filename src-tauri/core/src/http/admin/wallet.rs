//! Wallets and the ledger: what is owed, every movement, taking one back.

use axum::Json;
use axum::extract::{Path, State};
use chotdon_store::read::LedgerFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Desk;
use super::orders::{LONGEST_REASON, text};
use super::page::{id, page, window};
use super::state::OWNER;
use crate::http::problem::{Answer, Asked, Given};
use crate::present;
use crate::views::{LedgerRow, Page, Problem, ReasonRequest, WalletSummary};

/// What the ledger can be asked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerQuery {
    /// Only movements of this account: `bank`, `unmatched`, `set_aside`, `refunded`, `shop`, `order:ID`, `wallet:ID`, or
    /// `wallets` for all wallets.
    account: Option<String>,
    /// Only this kind: `transfer`, `adjust`, `refund`, …
    kind: Option<String>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// Rows, 1 to 200; 50 when left out.
    limit: Option<String>,
}

/// What the shop owes its customers, and today's changes.
#[utoipa::path(get, path = "/admin/api/wallet", tag = "money",
    responses((status = 200, body = WalletSummary), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn wallet(State(desk): State<Desk>) -> Answer<Json<WalletSummary>> {
    Ok(Json(present::wallet_summary(&desk.store.wallets(desk.now()).await?)))
}

/// Movements of money, newest first.
#[utoipa::path(get, path = "/admin/api/ledger", tag = "money", params(LedgerQuery),
    responses((status = 200, body = Page<LedgerRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn ledger(
    State(desk): State<Desk>,
    Asked(asked): Asked<LedgerQuery>,
) -> Answer<Json<Page<LedgerRow>>> {
    let window = window(asked.after.as_deref(), asked.limit.as_deref())?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = LedgerFilter { account: given(asked.account), kind: given(asked.kind) };
    let slice = desk.store.ledger(&filter, window).await?;
    Ok(Json(page(&slice, present::ledger_row)))
}

/// Takes a movement back by a counter-entry; nothing is edited.
#[utoipa::path(post, path = "/admin/api/ledger/{id}/reverse", tag = "money", request_body = ReasonRequest,
    params(("id" = i64, Path, description = "Ledger row")),
    responses((status = 200, body = LedgerRow), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn reverse(
    State(desk): State<Desk>,
    Path(row): Path<String>,
    Given(request): Given<ReasonRequest>,
) -> Answer<Json<LedgerRow>> {
    let reason = text("reason", &request.reason, LONGEST_REASON)?;
    let made = desk.store.reverse(id(&row)?, &reason, OWNER, desk.now()).await?;
    let made = desk.store.ledger_row(made).await?.ok_or_else(|| Problem::not_found("the new ledger row"))?;
    Ok(Json(present::ledger_row(&made)))
}
