//! Failures by cause, and putting many back in line at once.

use axum::Json;
use axum::extract::State;
use chotdon_domain::task::TaskKind;
use chotdon_store::FailureFilterRow;

use super::Desk;
use super::page::word;
use super::state::OWNER;
use crate::http::problem::{Answer, Given};
use crate::present;
use crate::views::{Failures, Page, Problem, RetryReport, RetryRequest, TaskRow};

/// Failed tasks, grouped by cause.
#[utoipa::path(get, path = "/admin/api/failures", tag = "failures",
    responses((status = 200, body = Failures), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn failures(State(desk): State<Desk>) -> Answer<Json<Failures>> {
    let groups = desk.store.failures().await?;
    let queue = desk.store.queue().await?;
    let resolved = desk.store.last_resolved_at().await?;
    Ok(Json(present::failures(&groups, &queue, resolved)))
}

/// Tasks that failed and were finished after all, the last finished first; one page.
#[utoipa::path(get, path = "/admin/api/failures/mended", tag = "failures",
    responses((status = 200, body = Page<TaskRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn mended(State(desk): State<Desk>) -> Answer<Json<Page<TaskRow>>> {
    let tasks = desk.store.mended_tasks().await?;
    Ok(Json(Page { rows: tasks.iter().map(|task| present::task_row(task, None)).collect(), next: None }))
}

/// Puts every failed task that matches back in line; a dry run only counts.
#[utoipa::path(post, path = "/admin/api/failures/retry", tag = "failures", request_body = RetryRequest,
    responses((status = 200, body = RetryReport), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn retry_failures(
    State(desk): State<Desk>,
    Given(request): Given<RetryRequest>,
) -> Answer<Json<RetryReport>> {
    let filter = request.filter;
    word("filter.kind", filter.kind.as_deref(), TaskKind::ALL.map(TaskKind::as_str), TaskKind::parse)?;
    let filter =
        FailureFilterRow { group: filter.group, kind: filter.kind, code: filter.code, ids: filter.ids };
    let counts = desk.store.retry_failed(&filter, request.dry_run, OWNER, desk.now()).await?;
    Ok(Json(RetryReport { matched: counts.matched, retried: counts.retried, skipped: counts.skipped }))
}
