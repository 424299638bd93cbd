//! The storefront's API: orders, customers, courses and QR codes, behind bearer keys with scopes.
//!
//! Handlers parse, ask the store and present. Whatever goes wrong is a problem document. The pages that buyers see
//! are in `hosted`; SePay's webhook is in `public`.

mod customers;
mod gate;
mod orders;
mod qr;
mod uses;

use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::{Value, json};

use super::problem::Answer;
use crate::shop::Floor;

pub use gate::SCOPES;
pub(crate) use gate::{least_scopes, no_method};
pub(crate) use orders::how_to_pay;
pub(crate) use uses::KeyUses;

use gate::{Key, Need};

pub(super) fn router() -> Router<Floor> {
    let json = Router::new()
        .route("/api/v1/orders", post(orders::create))
        .route("/api/v1/orders/{code}", get(orders::read))
        .route("/api/v1/orders/{code}/cancel", post(orders::cancel))
        .route("/api/v1/customers", post(customers::register))
        .route("/api/v1/customers/{id}", get(customers::read))
        .route("/api/v1/courses", get(courses))
        .route("/api/v1/openapi.json", get(document))
        .layer(middleware::from_fn(gate::json_wanted));
    json.route("/api/v1/qr/{file}", get(qr::draw)).layer(middleware::from_fn(gate::plain_refusals))
}

/// The public API as an OpenAPI document.
#[must_use]
pub fn openapi() -> Value {
    let mut document: Value =
        serde_json::from_str(include_str!("storefront/openapi.json")).expect("a test reads it");
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    super::worker::describe(&mut document);
    super::public::describe(&mut document);
    document
}

async fn document() -> Json<Value> {
    Json(openapi())
}

async fn courses(
    axum::extract::State(floor): axum::extract::State<Floor>,
    key: Key<{ Need::READ_COURSES }>,
) -> Answer<Json<Value>> {
    drop(key);
    let courses = floor.store.courses(floor.clock.now_ms()).await?;
    let rows: Vec<Value> = courses
        .iter()
        .filter(|course| course.active)
        .map(|course| json!({ "slug": course.slug, "title": course.title, "price_vnd": course.price_vnd }))
        .collect();
    let bundles = floor.store.bundles().await?;
    let bundles = bundles.iter().filter(|bundle| bundle.active).map(|bundle| {
        let courses: Vec<&str> = bundle.courses.iter().map(|(slug, ..)| slug.as_str()).collect();
        json!({ "slug": bundle.slug, "title": bundle.title, "price_vnd": bundle.price_vnd, "bundle": courses })
    });
    let rows: Vec<Value> = rows.into_iter().chain(bundles).collect();
    Ok(Json(json!({ "courses": rows })))
}

#[cfg(test)]
mod tests;
