//! The catalogue: courses and bundles as they are, and changing them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chotdon_store::{BundleEdit, CourseEdit};
use serde_json::Value;

use super::Desk;
use super::state::OWNER;
use crate::delivery::{SourceSpec, TargetSpec};
use crate::enrolment::EnrolmentSpec;
use crate::http::problem::{Answer, Given};
use crate::ordering::limited;
use crate::present;
use crate::views::{
    Announcement, ArchiveRequest, BundleChange, BundleRow, CourseChange, CourseDetail, CourseRow,
    DuplicateRequest, Page, Problem,
};

const DEAREST_VND: i64 = 1_000_000_000;
const LONGEST_DESCRIPTION: usize = 5_000;
const LONGEST_ACCESS_DAYS: i64 = 3_650;

/// Every course, by title; one page.
#[utoipa::path(get, path = "/admin/api/courses", tag = "catalogue",
    responses((status = 200, body = Page<CourseRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn courses(State(desk): State<Desk>) -> Answer<Json<Page<CourseRow>>> {
    let courses = desk.store.courses(desk.now()).await?;
    Ok(Json(Page { rows: courses.iter().map(present::course_row).collect(), next: None }))
}

/// One course with its versions, prices, last test and past buyers.
#[utoipa::path(get, path = "/admin/api/courses/{slug}", tag = "catalogue", params(("slug" = String, Path, description = "Slug")),
    responses((status = 200, body = CourseDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn course(State(desk): State<Desk>, Path(slug): Path<String>) -> Answer<Json<CourseDetail>> {
    Ok(Json(detail(&desk, &slug).await?))
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
    named(&slug, &change.title, change.price_vnd)?;
    let source = spec::<SourceSpec>("source", change.source)?;
    source.validate().map_err(|why| Problem::bad(format!("source: {why}")))?;
    let target = spec::<TargetSpec>("target", change.target)?;
    let description = change.description.as_deref().map(described).transpose()?;
    if change.access_days.is_some_and(|days| !(0..=LONGEST_ACCESS_DAYS).contains(&days)) {
        return Err(Problem::bad(format!("access_days: 0 (for ever) to {LONGEST_ACCESS_DAYS}")));
    }
    if change.create && desk.store.course(&slug, desk.now()).await?.is_some() {
        return Err(taken(&slug));
    }
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
        description,
        access_days: change.access_days,
    };
    desk.store.save_course(edit, OWNER, desk.now()).await?;
    Ok(Json(row(&desk, &slug).await?))
}

/// Takes a course off sale, or puts it back. Those who bought it keep it.
#[utoipa::path(post, path = "/admin/api/courses/{slug}/archive", tag = "catalogue", request_body = ArchiveRequest,
    params(("slug" = String, Path, description = "Slug")),
    responses((status = 200, body = CourseRow), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn archive_course(
    State(desk): State<Desk>,
    Path(slug): Path<String>,
    Given(request): Given<ArchiveRequest>,
) -> Answer<Json<CourseRow>> {
    desk.store.archive_course(&slug, request.active, OWNER, desk.now()).await?;
    Ok(Json(row(&desk, &slug).await?))
}

/// Copies a course under another slug, not on sale yet.
#[utoipa::path(post, path = "/admin/api/courses/{slug}/duplicate", tag = "catalogue", request_body = DuplicateRequest,
    params(("slug" = String, Path, description = "Slug of the original")),
    responses((status = 201, body = CourseRow), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn duplicate_course(
    State(desk): State<Desk>,
    Path(slug): Path<String>,
    Given(request): Given<DuplicateRequest>,
) -> Answer<(StatusCode, Json<CourseRow>)> {
    let title = request.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
    named(&request.slug, title.unwrap_or("x"), 1)?;
    desk.store.duplicate_course(&slug, &request.slug, title, OWNER, desk.now()).await?;
    Ok((StatusCode::CREATED, Json(row(&desk, &request.slug).await?)))
}

/// Every bundle, by title; one page.
#[utoipa::path(get, path = "/admin/api/bundles", tag = "catalogue",
    responses((status = 200, body = Page<BundleRow>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn bundles(State(desk): State<Desk>) -> Answer<Json<Page<BundleRow>>> {
    let bundles = desk.store.bundles().await?;
    Ok(Json(Page { rows: bundles.iter().map(present::bundle_row).collect(), next: None }))
}

/// Adds a bundle or changes it; orders that exist keep what they bought.
#[utoipa::path(put, path = "/admin/api/bundles/{slug}", tag = "catalogue", request_body = BundleChange,
    params(("slug" = String, Path, description = "Lower-case letters, digits and dashes, at most 64; no course may have it")),
    responses((status = 200, body = BundleRow), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn save_bundle(
    State(desk): State<Desk>,
    Path(slug): Path<String>,
    Given(change): Given<BundleChange>,
) -> Answer<Json<BundleRow>> {
    named(&slug, &change.title, change.price_vnd)?;
    let edit = BundleEdit {
        slug: slug.clone(),
        title: change.title,
        description: described(&change.description)?,
        price_vnd: change.price_vnd,
        courses: change.courses,
        active: change.active,
    };
    desk.store.save_bundle(edit, OWNER, desk.now()).await?;
    let bundles = desk.store.bundles().await?;
    let saved = bundles.iter().find(|bundle| bundle.slug == slug);
    Ok(Json(saved.map(present::bundle_row).ok_or_else(|| Problem::not_found("the bundle"))?))
}

pub(super) async fn row(desk: &Desk, slug: &str) -> Answer<CourseRow> {
    let course = desk.store.course(slug, desk.now()).await?.ok_or_else(|| unknown(slug))?;
    Ok(present::course_row(&course))
}

pub(super) async fn detail(desk: &Desk, slug: &str) -> Answer<CourseDetail> {
    let now = desk.now();
    let story = desk.store.course_story(slug, now).await?.ok_or_else(|| unknown(slug))?;
    let past = desk.store.past_buyers(story.course.id, story.course.version, now).await?;
    let mut detail = present::course_detail(&story, past);
    if !story.course.ready {
        detail.past = Announcement { version: story.course.version, ..Announcement::default() };
    }
    Ok(detail)
}

pub(super) fn unknown(slug: &str) -> Problem {
    let short: String = slug.chars().filter(|c| !c.is_control()).take(64).collect();
    Problem::not_found(format_args!("course {short}"))
}

fn taken(slug: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, "slug_taken", format!("slug: a course is named {slug} already"))
}

/// Checks what courses and bundles have in common.
fn named(slug: &str, title: &str, price_vnd: i64) -> Answer<()> {
    if !is_slug(slug) {
        return Err(Problem::bad("slug: lower-case letters, digits and dashes, at most 64, not at the ends"));
    }
    if title.trim().is_empty() || title.chars().count() > 200 {
        return Err(Problem::bad("title: 1 to 200 characters"));
    }
    if !(1..=DEAREST_VND).contains(&price_vnd) {
        let detail = format!("price_vnd: whole đồng from 1 to {DEAREST_VND}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_amount", detail));
    }
    Ok(())
}

fn described(text: &str) -> Answer<String> {
    limited("description", text.trim(), LONGEST_DESCRIPTION)
}

fn is_slug(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

pub(super) fn spec<T: serde::de::DeserializeOwned>(field: &str, given: Value) -> Answer<T> {
    serde_json::from_value(given).map_err(|error| Problem::bad(format!("{field}: {error}")))
}

/// Written in one way, so that the same source never looks like a new one.
fn written(spec: &impl serde::Serialize) -> Answer<String> {
    serde_json::to_string(spec).map_err(|error| Problem::bad(error.to_string()))
}
