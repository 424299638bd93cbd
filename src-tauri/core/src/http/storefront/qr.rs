//! The QR of an order as a picture.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::gate::{Named, Need, accepts, not_acceptable, storefront};
use super::how_to_pay;
use crate::http::problem::{Answer, Asked};
use crate::shop::Floor;
use crate::views::Problem;

/// Pixels a side at least, when nothing is said.
const SIZE: u32 = 480;

#[derive(Deserialize)]
pub(super) struct Wanted {
    /// The token of the order's page.
    #[serde(default)]
    t: String,
    /// Pixels a side at least, 64 to 2048.
    size: Option<u32>,
}

/// `DH123456.svg` or `.png`. The token of the order's page, or a key, is needed: a QR says what somebody owes.
pub(super) async fn draw(
    State(floor): State<Floor>,
    headers: HeaderMap,
    Named(file): Named,
    Asked(wanted): Asked<Wanted>,
) -> Answer<Response> {
    let unknown = || Problem::not_found("a QR that is neither .svg nor .png");
    let (code, form) = file.rsplit_once('.').ok_or_else(unknown)?;
    let kind = match form {
        "svg" => "image/svg+xml",
        "png" => "image/png",
        _ => return Err(unknown()),
    };
    if !accepts(&headers, kind) {
        return Err(not_acceptable(kind));
    }
    let size = wanted.size.unwrap_or(SIZE);
    if !(64..=2048).contains(&size) {
        return Err(Problem::bad("size: 64 to 2048"));
    }
    if !floor.may_see(code, &wanted.t) {
        storefront(&floor, &headers, Need::name(Need::READ_ORDERS)).await?;
    }
    let story = floor
        .store
        .order_story(code)
        .await?
        .ok_or_else(|| Problem::not_found(format_args!("order {}", super::orders::shortened(code))))?;
    let conflict = |code: &str, detail: &str| Problem::new(StatusCode::CONFLICT, code, detail);
    let payment = how_to_pay(&floor, &story.order)
        .await?
        .ok_or_else(|| conflict("no_bank_account", "The shop has no bank account yet."))?;
    if payment.vietqr.is_empty() {
        return Err(conflict(
            "nothing_to_pay",
            "This order does not wait for money, so there is no QR to pay it with.",
        ));
    }
    let picture = match form {
        "svg" => vietqr::svg(&payment.vietqr, size).map(String::into_bytes),
        _ => vietqr::png(&payment.vietqr, size),
    };
    let picture = picture.map_err(|error| Problem::bad(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, kind), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], picture).into_response())
}
