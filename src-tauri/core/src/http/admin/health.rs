//! For monitors: health of the shop's parts. Also the API's own document.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::{Desk, openapi};
use crate::http::problem::Answer;
use crate::present;
use crate::views::{Health, HealthPage, Problem};

/// Status, uptime, version, tasks, and every long-running part with its state and since when.
#[utoipa::path(get, path = "/health", tag = "health",
    responses((status = 200, body = Health), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn health(State(desk): State<Desk>) -> Answer<Json<Health>> {
    let crew = desk.crew();
    let held: Vec<i64> = crew.workers.iter().filter_map(|worker| worker.task).collect();
    let tasks = desk.store.tasks_by_id(&held).await?;
    let components = desk.shop.components();
    let fine = components.iter().all(|component| component.state == "ok") && desk.shop.ledger_ok();
    Ok(Json(Health {
        status: if fine { "ok" } else { "degraded" }.to_owned(),
        uptime_s: desk.now().saturating_sub(desk.shop.started_at()).max(0) / 1000,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        tasks_processed: desk.store.tasks_processed().await?,
        current_tasks: tasks
            .iter()
            .map(|task| present::task_row(task, crew.progress.get(&task.id)))
            .collect(),
        components,
    }))
}

/// Every part that the shop needs, its state, since when, and what helps.
#[utoipa::path(get, path = "/admin/api/health", tag = "health",
    responses((status = 200, body = HealthPage), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn cards(State(desk): State<Desk>) -> Json<HealthPage> {
    Json(HealthPage {
        cards: desk.shop.health().cards(desk.now()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: desk.now().saturating_sub(desk.shop.started_at()).max(0) / 1000,
    })
}

/// This document.
#[utoipa::path(get, path = "/admin/api/openapi.json", tag = "health",
    responses((status = 200, description = "OpenAPI document", body = Object)))]
pub(super) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi())
}
