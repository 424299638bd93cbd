//! The record of human actions: searched, walked, accepted after a restore.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chotdon_store::AuditEntry;
use chotdon_store::read::AuditQuery;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::Desk;
use super::page::{page, window};
use super::state::OWNER;
use crate::http::problem::{Answer, Asked, Given};
use crate::present;
use crate::views::{AuditCheck, AuditRow, Exported, Page, Problem};

/// What the record can be asked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditAsked {
    /// Who: `owner`, `cli`, `storefront:NAME`; `storefront:` = every storefront.
    actor: Option<String>,
    /// What: `order.cancel`; `order.` = everything about orders.
    action: Option<String>,
    /// To what, exactly: an order's code, a secret's name.
    subject: Option<String>,
    /// From this time on, RFC 3339.
    from: Option<String>,
    /// Before this time, RFC 3339.
    to: Option<String>,
    /// Words anywhere in it; without diacritics too.
    q: Option<String>,
    /// Cursor: `next` of the page before.
    after: Option<String>,
    /// Rows, 1 to 200; 50 when left out.
    limit: Option<String>,
}

/// What people did, newest first.
#[utoipa::path(get, path = "/admin/api/audit", tag = "people", params(AuditAsked),
    responses((status = 200, body = Page<AuditRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn audit(
    State(desk): State<Desk>,
    Asked(asked): Asked<AuditAsked>,
) -> Answer<Json<Page<AuditRow>>> {
    let window = window(asked.after.as_deref(), asked.limit.as_deref())?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let query = AuditQuery {
        actor: given(asked.actor),
        action: given(asked.action),
        subject: given(asked.subject),
        from: time("from", asked.from.as_deref())?,
        to: time("to", asked.to.as_deref())?,
        text: given(asked.q),
    };
    let slice = desk.store.audit(&query, window).await?;
    Ok(Json(page(&slice, present::audit_row)))
}

/// Walks the whole record and says where it is not as it was written.
#[utoipa::path(get, path = "/admin/api/audit/check", tag = "people",
    responses((status = 200, body = AuditCheck), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn check_record(State(desk): State<Desk>) -> Answer<Json<AuditCheck>> {
    Ok(Json(walked(&desk).await?))
}

/// Takes the record as it is for whole, after a restore; what was wrong is written into it.
#[utoipa::path(post, path = "/admin/api/audit/accept", tag = "people",
    responses((status = 200, body = AuditCheck), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn accept_record(State(desk): State<Desk>) -> Answer<Json<AuditCheck>> {
    desk.shop.record().accept(OWNER, desk.now()).await?;
    Ok(Json(walked(&desk).await?))
}

/// Writes down that the owner took a list out of the app.
#[utoipa::path(post, path = "/admin/api/exports", tag = "people", request_body = Exported,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn note_export(
    State(desk): State<Desk>,
    Given(export): Given<Exported>,
) -> Answer<StatusCode> {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if export.what.is_empty() || export.what.len() > 40 || !export.what.chars().all(known) {
        return Err(Problem::bad("what: 1 to 40 letters, digits, `-` and `_`"));
    }
    recorded(&desk, "export", &export.what, json!({ "rows": export.rows })).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Writes down that the owner did something to what is not in the database.
pub(super) async fn recorded(desk: &Desk, action: &str, subject: &str, data: Value) -> Answer<()> {
    let entry =
        AuditEntry { actor: OWNER.to_owned(), action: action.to_owned(), subject: subject.to_owned(), data };
    Ok(desk.store.record_audit(entry, desk.now()).await?)
}

async fn walked(desk: &Desk) -> Answer<AuditCheck> {
    let (findings, kept) = desk.shop.record().check(desk.now()).await?;
    Ok(AuditCheck {
        rows: findings.rows,
        broken_id: findings.broken.as_ref().map(|broken| broken.id),
        broken: findings.broken.map(|broken| broken.what.to_owned()),
        kept_id: kept.map(|kept| kept.id),
    })
}

fn time(name: &str, given: Option<&str>) -> Answer<Option<i64>> {
    let Some(given) = given.filter(|given| !given.is_empty()) else { return Ok(None) };
    match given.parse::<jiff::Timestamp>() {
        Ok(time) => Ok(Some(time.as_millisecond())),
        Err(_) => Err(Problem::bad(format!("`{name}` must be a time such as 2026-11-22T00:00:00Z"))),
    }
}
