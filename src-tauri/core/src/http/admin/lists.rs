//! Notices.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Desk;
use super::page::{id, page, window};
use crate::http::problem::{Answer, Asked};
use crate::present;
use crate::views::{Notice, Page, Problem};

/// What these lists can be asked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// Rows, 1 to 200; 50 when left out.
    limit: Option<String>,
}

/// The owner's inbox, newest first.
#[utoipa::path(get, path = "/admin/api/notices", tag = "notices", params(ListQuery),
    responses((status = 200, body = Page<Notice>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn notices(
    State(desk): State<Desk>,
    Asked(asked): Asked<ListQuery>,
) -> Answer<Json<Page<Notice>>> {
    let slice = desk.store.notices(window(asked.after.as_deref(), asked.limit.as_deref())?).await?;
    Ok(Json(page(&slice, present::notice)))
}

/// Marks one notice as seen.
#[utoipa::path(post, path = "/admin/api/notices/{id}/seen", tag = "notices", params(("id" = i64, Path, description = "Notice id")),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn notice_seen(State(desk): State<Desk>, Path(notice): Path<String>) -> Answer<StatusCode> {
    desk.store.notices_seen(Some(id(&notice)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Marks every new notice as seen.
#[utoipa::path(post, path = "/admin/api/notices/seen", tag = "notices",
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn all_notices_seen(State(desk): State<Desk>) -> Answer<StatusCode> {
    desk.store.notices_seen(None).await?;
    Ok(StatusCode::NO_CONTENT)
}
