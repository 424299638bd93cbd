//! The admin API.

use axum::Router;

use crate::shop::Shop;

pub(crate) fn router(shop: Shop) -> Router {
    let _ = shop;
    Router::new()
}

/// The OpenAPI document of the admin API, as JSON.
#[must_use]
pub fn openapi() -> String {
    r#"{"openapi":"3.1.0","info":{"title":"ChotDon admin API","version":"0"},"paths":{}}"#.to_owned()
}
