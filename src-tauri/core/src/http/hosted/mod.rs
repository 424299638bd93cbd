//! The pages that buyers see: paying an order, topping up a wallet. Vietnamese or English, usable without scripts.
//!
//! Each is opened by the token in its address; without it there is nothing to see. `live` tells an open page that
//! it has changed. Downloads have pages of their own in `delivery::download`.

mod bell;
mod live;
mod look;
mod pay;
mod topup;

use std::convert::Infallible;

use axum::Router;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::routing::get;
use serde::Deserialize;

use crate::shop::Floor;

pub(crate) use bell::Bell;

pub(super) fn router() -> Router<Floor> {
    Router::new()
        .route("/pay/{code}", get(pay::show))
        .route("/pay/{code}/live", get(live::order))
        .route("/topup/{code}", get(topup::show))
        .route("/topup/{code}/live", get(live::topup))
}

/// What stands behind the `?` of a page's address. Whatever cannot be read counts as left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// The token.
    t: String,
    /// `vi` or `en`; the browser's languages decide otherwise.
    lang: String,
    /// Whole đồng to top up, as a person types it.
    amount: String,
    /// The version that the page shows.
    v: String,
}

/// Which page is asked for: the code in its path, and what stands behind the `?`.
struct Opened {
    code: String,
    asked: Asked,
}

impl<S: Send + Sync> FromRequestParts<S> for Opened {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let code = Path::<String>::from_request_parts(parts, state).await;
        let asked = Query::<Asked>::from_request_parts(parts, state).await;
        Ok(Self {
            code: code.map(|Path(code)| code).unwrap_or_default(),
            asked: asked.map(|Query(asked)| asked).unwrap_or_default(),
        })
    }
}
