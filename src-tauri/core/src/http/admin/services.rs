//! Outside services: how they stand, pause and resume.

use axum::Json;
use axum::extract::{Path, State};

use super::Desk;
use super::orders::LONGEST_REASON;
use super::queue::LONGEST_PAUSE_MIN;
use super::state::OWNER;
use crate::http::problem::{Answer, Given};
use crate::present;
use crate::services::known;
use crate::views::{Problem, ServicePause, Services};

/// Drive, the mail server, platforms and sources: which are used, and why one is not.
#[utoipa::path(get, path = "/admin/api/services", tag = "queue",
    responses((status = 200, body = Services), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn services(State(desk): State<Desk>) -> Answer<Json<Services>> {
    now(&desk).await
}

/// Stops what needs this service; calls under way are finished.
#[utoipa::path(post, path = "/admin/api/services/{name}/pause", tag = "queue", request_body = ServicePause,
    params(("name" = String, Path, description = "Service")),
    responses((status = 200, body = Services), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn pause_service(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    Given(request): Given<ServicePause>,
) -> Answer<Json<Services>> {
    if !known(&name) {
        return Err(Problem::not_found("this service"));
    }
    if request.minutes.is_some_and(|minutes| !(1..=LONGEST_PAUSE_MIN).contains(&minutes)) {
        return Err(Problem::bad(format!("minutes: 1 to {LONGEST_PAUSE_MIN}, or leave it out")));
    }
    let reason = request.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > LONGEST_REASON) {
        return Err(Problem::bad(format!("reason: at most {LONGEST_REASON} characters")));
    }
    let until = request.minutes.map(|minutes| desk.now().saturating_add(minutes * 60_000));
    desk.shop.services().pause(&name, until, reason, OWNER).await?;
    now(&desk).await
}

/// Ends a pause. A service that is left alone for another reason is tried at once.
#[utoipa::path(post, path = "/admin/api/services/{name}/resume", tag = "queue",
    params(("name" = String, Path, description = "Service")),
    responses((status = 200, body = Services), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn resume_service(
    State(desk): State<Desk>,
    Path(name): Path<String>,
) -> Answer<Json<Services>> {
    if !known(&name) {
        return Err(Problem::not_found("this service"));
    }
    desk.shop.services().resume(&name, OWNER).await?;
    now(&desk).await
}

async fn now(desk: &Desk) -> Answer<Json<Services>> {
    let waiting = desk.store.waiting_for_services().await?;
    Ok(Json(present::services(desk.shop.services().glance(), &waiting, desk.now())))
}
