//! Tasks: list, one task, and what the owner does to it.

use axum::Json;
use axum::extract::{Path, State};
use chotdon_domain::task::{Lane, TaskKind, TaskState};
use chotdon_store::read::TaskFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Desk;
use super::page::{id, page, window, word};
use super::state::OWNER;
use crate::http::problem::{Answer, Asked, Given};
use crate::present;
use crate::views::{CancelRequest, Page, PriorityRequest, Problem, RetryTask, TaskDetail, TaskRow};

/// What the list of tasks can be asked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct TasksQuery {
    /// Only these states, separated by commas.
    state: Option<String>,
    /// Only this lane.
    lane: Option<String>,
    /// Only this kind.
    kind: Option<String>,
    /// Only failed tasks of this cause (`group` of a failure group).
    group: Option<String>,
    /// Only tasks of the order with this code.
    order: Option<String>,
    /// `true`: only tasks with an attempt behind them; with `state=scheduled` those that are tried again.
    tried: Option<bool>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// Rows, 1 to 200; 50 when left out.
    limit: Option<String>,
}

/// The list of tasks, newest first.
#[utoipa::path(get, path = "/admin/api/tasks", tag = "queue", params(TasksQuery),
    responses((status = 200, body = Page<TaskRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn tasks(
    State(desk): State<Desk>,
    Asked(asked): Asked<TasksQuery>,
) -> Answer<Json<Page<TaskRow>>> {
    let window = window(asked.after.as_deref(), asked.limit.as_deref())?;
    let mut states = Vec::new();
    for name in asked.state.as_deref().unwrap_or_default().split(',').map(str::trim) {
        let state = word("state", Some(name), TaskState::ALL.map(TaskState::as_str), TaskState::parse)?;
        states.extend(state.filter(|state| !states.contains(state)));
    }
    let filter = TaskFilter {
        states,
        lane: word("lane", asked.lane.as_deref(), Lane::ALL.map(Lane::as_str), Lane::parse)?,
        kind: word("kind", asked.kind.as_deref(), TaskKind::ALL.map(TaskKind::as_str), TaskKind::parse)?,
        group: asked.group.filter(|group| !group.is_empty()),
        order: asked.order.filter(|order| !order.is_empty()),
        tried: asked.tried == Some(true),
    };
    let slice = desk.store.tasks(&filter, window).await?;
    let progress = desk.shop.progress();
    Ok(Json(page(&slice, |task| present::task_row(task, progress.get(&task.id)))))
}

/// One task with its stages and attempts.
#[utoipa::path(get, path = "/admin/api/tasks/{id}", tag = "queue", params(("id" = i64, Path, description = "Task id")),
    responses((status = 200, body = TaskDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn task(State(desk): State<Desk>, Path(task): Path<String>) -> Answer<Json<TaskDetail>> {
    Ok(Json(detail(&desk, id(&task)?).await?))
}

/// Puts a failed, cancelled or waiting task back in line.
#[utoipa::path(post, path = "/admin/api/tasks/{id}/retry", tag = "queue", request_body = RetryTask,
    params(("id" = i64, Path, description = "Task id")),
    responses((status = 200, body = TaskDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn retry_task(
    State(desk): State<Desk>,
    Path(task): Path<String>,
    Given(request): Given<RetryTask>,
) -> Answer<Json<TaskDetail>> {
    let task = id(&task)?;
    desk.store
        .retry_task(task, request.from_stage.as_deref(), OWNER, desk.now())
        .await
        .map_err(|error| Problem::from(error).when_conflict("task_not_retryable"))?;
    Ok(Json(detail(&desk, task).await?))
}

/// Calls a task off; a running one is stopped.
#[utoipa::path(post, path = "/admin/api/tasks/{id}/cancel", tag = "queue", request_body = CancelRequest,
    params(("id" = i64, Path, description = "Task id")),
    responses((status = 200, body = TaskDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn cancel_task(
    State(desk): State<Desk>,
    Path(task): Path<String>,
    Given(request): Given<CancelRequest>,
) -> Answer<Json<TaskDetail>> {
    let task = id(&task)?;
    if request.reason.chars().count() > 500 {
        return Err(Problem::bad("reason: at most 500 characters"));
    }
    desk.store.cancel_task(task, request.reason.trim(), OWNER, desk.now()).await?;
    desk.shop.cancel(task);
    Ok(Json(detail(&desk, task).await?))
}

/// Moves a task to the front, or back to the usual place.
#[utoipa::path(post, path = "/admin/api/tasks/{id}/priority", tag = "queue", request_body = PriorityRequest,
    params(("id" = i64, Path, description = "Task id")),
    responses((status = 200, body = TaskDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn set_priority(
    State(desk): State<Desk>,
    Path(task): Path<String>,
    Given(request): Given<PriorityRequest>,
) -> Answer<Json<TaskDetail>> {
    let task = id(&task)?;
    desk.store.set_priority(task, request.vip, OWNER, desk.now()).await?;
    Ok(Json(detail(&desk, task).await?))
}

async fn detail(desk: &Desk, task: i64) -> Answer<TaskDetail> {
    let story =
        desk.store.task_story(task).await?.ok_or_else(|| Problem::not_found(format_args!("task {task}")))?;
    Ok(present::task_detail(&story, desk.shop.progress().get(&task)))
}
