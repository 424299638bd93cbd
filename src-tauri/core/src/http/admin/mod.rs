//! The admin API.

use axum::Router;

use crate::shop::Shop;

pub(crate) fn router(shop: Shop) -> Router {
    let _ = shop;
    Router::new()
}
