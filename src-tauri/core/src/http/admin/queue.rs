//! The queue: lanes, workers, pause and resume.

use axum::Json;
use axum::extract::State;
use chotdon_domain::task::Lane;

use super::Desk;
use super::page::word;
use super::state::OWNER;
use crate::http::problem::{Answer, Given};
use crate::present;
use crate::views::{PauseRequest, Problem, Queue};

/// A pause of more than this many minutes is a slip.
pub(super) const LONGEST_PAUSE_MIN: i64 = 7 * 24 * 60;

/// Lanes and workers.
#[utoipa::path(get, path = "/admin/api/queue", tag = "queue",
    responses((status = 200, body = Queue), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn queue(State(desk): State<Desk>) -> Answer<Json<Queue>> {
    now(&desk).await
}

/// Stops new work in one lane or in all; what runs goes on.
#[utoipa::path(post, path = "/admin/api/queue/pause", tag = "queue", request_body = PauseRequest,
    responses((status = 200, body = Queue), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn pause(
    State(desk): State<Desk>,
    Given(request): Given<PauseRequest>,
) -> Answer<Json<Queue>> {
    let lane = lane(&request)?;
    if request.minutes.is_some_and(|minutes| !(1..=LONGEST_PAUSE_MIN).contains(&minutes)) {
        return Err(Problem::bad(format!("minutes: 1 to {LONGEST_PAUSE_MIN}, or leave it out")));
    }
    let reason = request.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > 500) {
        return Err(Problem::bad("reason: at most 500 characters"));
    }
    let at = desk.now();
    let until = request.minutes.map(|minutes| at.saturating_add(minutes * 60_000));
    desk.store.pause(lane, until, reason, OWNER, at).await?;
    desk.shop.lanes_changed().await;
    now(&desk).await
}

/// Lets a paused lane, or all, go on.
#[utoipa::path(post, path = "/admin/api/queue/resume", tag = "queue", request_body = PauseRequest,
    responses((status = 200, body = Queue), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn resume(
    State(desk): State<Desk>,
    Given(request): Given<PauseRequest>,
) -> Answer<Json<Queue>> {
    desk.store.resume(lane(&request)?, OWNER, desk.now()).await?;
    desk.shop.lanes_changed().await;
    now(&desk).await
}

fn lane(request: &PauseRequest) -> Answer<Option<Lane>> {
    word("lane", request.lane.as_deref(), Lane::ALL.map(Lane::as_str), Lane::parse)
}

async fn now(desk: &Desk) -> Answer<Json<Queue>> {
    let record = desk.store.queue().await?;
    let crew = desk.crew();
    let held: Vec<i64> = crew.workers.iter().filter_map(|worker| worker.task).collect();
    let tasks = desk.store.tasks_by_id(&held).await?;
    Ok(Json(present::queue(&record, &tasks, &crew, desk.now())))
}
