//! Where an order is delivered to, and sending it once more.

use axum::Json;
use axum::extract::{Path, State};
use chotdon_store::AddressChange;

use super::Desk;
use super::orders::{LONGEST_REASON, detail};
use super::state::OWNER;
use crate::http::problem::{Answer, Given};
use crate::ordering::{checked_address, limited};
use crate::views::{AddressRequest, OrderDetail, Problem};

/// Delivers the order to another address: the old one's access ends, the new one gets the same.
#[utoipa::path(post, path = "/admin/api/orders/{code}/change-email", tag = "orders", request_body = AddressRequest,
    params(("code" = String, Path, description = "Order code")),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn change_email(
    State(desk): State<Desk>,
    Path(code): Path<String>,
    Given(request): Given<AddressRequest>,
) -> Answer<Json<OrderDetail>> {
    let change = AddressChange {
        email: checked_address("email", &request.email)?,
        reason: limited("reason", request.reason.trim(), LONGEST_REASON)?,
        customer: request.customer,
    };
    let stopped = desk.store.change_email(&code, change, OWNER, desk.now()).await?;
    stopped.into_iter().for_each(|task| desk.shop.cancel(task));
    Ok(Json(detail(&desk, &code).await?))
}

/// Mails the buyer again what they have: the same version and links, a mail of its own.
#[utoipa::path(post, path = "/admin/api/orders/{code}/resend", tag = "orders",
    params(("code" = String, Path, description = "Order code")),
    responses((status = 200, body = OrderDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn resend(State(desk): State<Desk>, Path(code): Path<String>) -> Answer<Json<OrderDetail>> {
    desk.store.resend(&code, OWNER, desk.now()).await?;
    Ok(Json(detail(&desk, &code).await?))
}
