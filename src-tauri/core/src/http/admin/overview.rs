//! The Overview and the sum of money.

use axum::Json;
use axum::extract::State;

use super::Desk;
use super::checks::{checklist_now, receiving};
use crate::http::problem::Answer;
use crate::present::{self, Glance};
use crate::views::{Money, Overview, Problem};

/// Everything the owner sees first.
#[utoipa::path(get, path = "/admin/api/overview", tag = "overview",
    responses((status = 200, body = Overview), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn overview(State(desk): State<Desk>) -> Answer<Json<Overview>> {
    let now = desk.now();
    let record = desk.store.overview(now).await?;
    let (checklist, secrets_ok) =
        checklist_now(&desk, &record.accounts, record.pulse.courses, record.pulse.last_transfer_at).await;
    let glance = Glance {
        shop: desk.shop.config().shop.name.clone(),
        demo: desk.shop.demo(),
        ledger_ok: desk.shop.ledger_ok(),
        sparkline: desk.sparkline(),
        secrets_ok,
        checklist,
        receiving: receiving(&desk).await?,
    };
    let mut overview = present::overview(&record, &desk.crew(), glance, now);
    to_sepay(&desk, &mut overview.money).await?;
    Ok(Json(overview))
}

/// Every đồng that came in, by bucket.
#[utoipa::path(get, path = "/admin/api/money", tag = "overview",
    responses((status = 200, body = Money), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn money(State(desk): State<Desk>) -> Answer<Json<Money>> {
    let buckets = desk.store.buckets().await?;
    let mut money = present::money(&buckets, desk.shop.ledger_ok());
    to_sepay(&desk, &mut money).await?;
    Ok(Json(money))
}

/// Adds to the sum's own difference the one to what SePay lists.
async fn to_sepay(desk: &Desk, money: &mut Money) -> Answer<()> {
    money.difference_vnd = money.difference_vnd.saturating_add(desk.store.sepay_difference().await?);
    Ok(())
}
