//! The owner's Google account: connecting it, how it is, and leaving it.

use axum::Json;
use axum::extract::State;

use super::Desk;
use super::state::OWNER;
use crate::http::problem::Answer;
use crate::secrets::SecretName;
use crate::views::{Google, GoogleConnect, Problem};

/// The account as it is now; asks Google when one is connected.
#[utoipa::path(get, path = "/admin/api/google", tag = "settings",
    responses((status = 200, body = Google), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn google(State(desk): State<Desk>) -> Answer<Json<Google>> {
    now(&desk).await
}

/// Begins to ask the owner for consent: their browser has to open the address. The answer comes to an address of this
/// machine, so the browser has to run here.
#[utoipa::path(post, path = "/admin/api/google/connect", tag = "settings",
    responses((status = 200, body = GoogleConnect), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn connect(State(desk): State<Desk>) -> Answer<Json<GoogleConnect>> {
    Ok(Json(GoogleConnect { url: desk.shop.ask_google().await? }))
}

/// Forgets the account and takes the consent back at Google.
#[utoipa::path(post, path = "/admin/api/google/disconnect", tag = "settings",
    responses((status = 200, body = Google), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn disconnect(State(desk): State<Desk>) -> Answer<Json<Google>> {
    desk.shop.leave_google(OWNER).await?;
    now(&desk).await
}

async fn now(desk: &Desk) -> Answer<Json<Google>> {
    let glance = desk.shop.google().await;
    let secret = desk.credentials.get(&SecretName::google_client_secret(), desk.now()).await?;
    let bytes = |n: Option<u64>| n.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    Ok(Json(Google {
        state: glance.state.to_owned(),
        email: glance.email,
        used_bytes: bytes(glance.used),
        limit_bytes: bytes(glance.limit),
        client_id: desk.shop.config().drive.client_id.clone(),
        secret_set: secret.is_some(),
        code: glance.trouble.as_ref().map(|error| error.code.to_owned()),
        detail: glance.trouble.map(|error| error.detail),
    }))
}
