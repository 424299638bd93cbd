//! Customers with their wallets: register, read.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chotdon_store::{Buyer, NewBuyer};
use serde_json::{Value, json};

use super::gate::{Key, Named, Need, Sent, answered};
use crate::http::problem::Answer;
use crate::ordering::checked_buyer;
use crate::present;
use crate::shop::Floor;
use crate::views::{NewCustomer, Problem};

/// Found by address: a known customer is completed and answered with 200.
pub(super) async fn register(
    State(floor): State<Floor>,
    key: Key<{ Need::WRITE_CUSTOMERS }>,
    sent: Sent<NewCustomer>,
) -> Answer<Response> {
    let (email, name, phone) = checked_buyer(&sent.value, "")?;
    let buyer = NewBuyer { email, name, phone, actor: key.actor(), now: floor.clock.now_ms() };
    let (buyer, new) = floor.store.register_buyer(buyer).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let location = [("location", format!("/api/v1/customers/{}", buyer.id))];
    Ok(answered(status, &view(&floor, &buyer), location))
}

pub(super) async fn read(
    State(floor): State<Floor>,
    _key: Key<{ Need::READ_CUSTOMERS }>,
    Named(id): Named,
) -> Answer<Json<Value>> {
    let unknown = || Problem::not_found(format_args!("customer {}", super::orders::shortened(&id)));
    let number: i64 = id.parse().map_err(|_| unknown())?;
    let buyer = floor.store.buyer(number).await?.ok_or_else(unknown)?;
    Ok(Json(view(&floor, &buyer)))
}

fn view(floor: &Floor, buyer: &Buyer) -> Value {
    json!({
        "id": buyer.id, "email": buyer.email, "name": buyer.name, "phone": buyer.phone,
        "deposit_code": buyer.deposit_code, "wallet_vnd": buyer.wallet_vnd,
        "topup_url": floor.topup_url(&buyer.deposit_code), "created_at": present::rfc3339(buyer.created_at),
    })
}
