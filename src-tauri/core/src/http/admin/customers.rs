//! Customers: list, story, and adjusting their wallet.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Desk;
use super::orders::{LONGEST_REASON, text};
use super::page::{id, page, window, word};
use super::state::OWNER;
use crate::http::problem::{Answer, Asked, Given};
use crate::present;
use crate::views::{AdjustRequest, CustomerDetail, CustomerRow, Page, Problem};

/// More than this is a slip of the finger, whole đồng.
const MOST: i64 = 1_000_000_000_000;

/// What the list of customers can be asked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct CustomersQuery {
    /// Name without marks too, e-mail, phone in any form, deposit code or order code.
    q: Option<String>,
    /// `1`: only customers whose wallet holds money.
    owed: Option<String>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// Rows, 1 to 200; 50 when left out.
    limit: Option<String>,
}

/// Customers, newest first.
#[utoipa::path(get, path = "/admin/api/customers", tag = "people", params(CustomersQuery),
    responses((status = 200, body = Page<CustomerRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn customers(
    State(desk): State<Desk>,
    Asked(asked): Asked<CustomersQuery>,
) -> Answer<Json<Page<CustomerRow>>> {
    let window = window(asked.after.as_deref(), asked.limit.as_deref())?;
    let owed = word("owed", asked.owed.as_deref(), ["0", "1"], |word| match word {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    })?;
    let slice = desk.store.customers(asked.q.as_deref(), owed.unwrap_or(false), window).await?;
    Ok(Json(page(&slice, present::customer_row)))
}

/// Everything about one customer.
#[utoipa::path(get, path = "/admin/api/customers/{id}", tag = "people", params(("id" = i64, Path, description = "Customer id")),
    responses((status = 200, body = CustomerDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn customer(
    State(desk): State<Desk>,
    Path(customer): Path<String>,
) -> Answer<Json<CustomerDetail>> {
    Ok(Json(detail(&desk, id(&customer)?).await?))
}

/// Adds to a customer's wallet or takes out of it, with a reason.
#[utoipa::path(post, path = "/admin/api/customers/{id}/adjust", tag = "people", request_body = AdjustRequest,
    params(("id" = i64, Path, description = "Customer id")),
    responses((status = 200, body = CustomerDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn adjust(
    State(desk): State<Desk>,
    Path(customer): Path<String>,
    Given(request): Given<AdjustRequest>,
) -> Answer<Json<CustomerDetail>> {
    let customer = id(&customer)?;
    let reason = text("reason", &request.reason, LONGEST_REASON)?;
    if request.amount_vnd == 0 || !(-MOST..=MOST).contains(&request.amount_vnd) {
        return Err(Problem::bad(format!("amount_vnd: whole đồng, not 0, at most {MOST} either way")));
    }
    desk.store.adjust_wallet(customer, request.amount_vnd, &reason, OWNER, desk.now()).await?;
    Ok(Json(detail(&desk, customer).await?))
}

async fn detail(desk: &Desk, customer: i64) -> Answer<CustomerDetail> {
    let story = desk
        .store
        .customer_story(customer)
        .await?
        .ok_or_else(|| Problem::not_found(format_args!("customer {customer}")))?;
    let accounts = desk.store.bank_accounts().await?;
    let topup_url = desk.shop.topup_url(&story.customer.deposit_code);
    Ok(present::customer_detail(&story, accounts.first(), topup_url))
}
