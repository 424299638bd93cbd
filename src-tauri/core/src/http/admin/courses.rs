//! The catalogue.

use axum::Json;
use axum::extract::{Path, State};
use chotdon_store::CourseEdit;
use serde_json::Value;

use super::Desk;
use super::state::OWNER;
use crate::delivery::{SourceSpec, TargetSpec};
use crate::enrolment::EnrolmentSpec;
use crate::http::problem::{Answer, Given};
use crate::present;
use crate::views::{CourseChange, CourseRow, Page, Problem};

const DEAREST_VND: i64 = 1_000_000_000;

/// Every course, by title; one page.
#[utoipa::path(get, path = "/admin/api/courses", tag = "catalogue",
    responses((status = 200, body = Page<CourseRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn courses(State(desk): State<Desk>) -> Answer<Json<Page<CourseRow>>> {
    let courses = desk.store.courses().await?;
    Ok(Json(Page { rows: courses.iter().map(present::course_row).collect(), next: None }))
}

/// Adds a course or changes it; a new source or target makes a new version.
#[utoipa::path(put, path = "/admin/api/courses/{slug}", tag = "catalogue", request_body = CourseChange,
    params(("slug" = String, Path, description = "Lower-case letters, digits and dashes, at most 64")),
    responses((status = 200, body = CourseRow), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn save_course(
    State(desk): State<Desk>,
    Path(slug): Path<String>,
    Given(change): Given<CourseChange>,
) -> Answer<Json<CourseRow>> {
    if !is_slug(&slug) {
        return Err(Problem::bad("slug: lower-case letters, digits and dashes, at most 64, not at the ends"));
    }
    if change.title.trim().is_empty() || change.title.chars().count() > 200 {
        return Err(Problem::bad("title: 1 to 200 characters"));
    }
    if !(1..=DEAREST_VND).contains(&change.price_vnd) {
        let detail = format!("price_vnd: whole đồng from 1 to {DEAREST_VND}");
        return Err(Problem::new(axum::http::StatusCode::BAD_REQUEST, "invalid_amount", detail));
    }
    let source = spec::<SourceSpec>("source", change.source)?;
    source.validate().map_err(|why| Problem::bad(format!("source: {why}")))?;
    let target = spec::<TargetSpec>("target", change.target)?;
    let enrolment = match change.enrolment {
        Some(Some(given)) => {
            let spec =
                EnrolmentSpec::parse(given).map_err(|why| Problem::bad(format!("enrolment: {why}")))?;
            Some(Some(written(&spec)?))
        }
        other => other.map(|_| None),
    };
    let edit = CourseEdit {
        slug: slug.clone(),
        title: change.title,
        price_vnd: change.price_vnd,
        source: written(&source)?,
        target: written(&target)?,
        enrolment,
        active: change.active,
    };
    desk.store.save_course(edit, OWNER, desk.now()).await?;
    let course = desk.store.course(&slug).await?.ok_or_else(|| Problem::not_found("the course"))?;
    Ok(Json(present::course_row(&course)))
}

fn is_slug(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn spec<T: serde::de::DeserializeOwned>(field: &str, given: Value) -> Answer<T> {
    serde_json::from_value(given).map_err(|error| Problem::bad(format!("{field}: {error}")))
}

/// Written in one way, so that the same source never looks like a new one.
fn written(spec: &impl serde::Serialize) -> Answer<String> {
    serde_json::to_string(spec).map_err(|error| Problem::bad(error.to_string()))
}
