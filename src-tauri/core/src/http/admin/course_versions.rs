//! Versions of a course: looking at its source, preparing it anew, telling past buyers, and delivering it as a test.

use axum::Json;
use axum::extract::{Path, State};
use chotdon_store::LONGEST_MESSAGE;
use serde_json::json;

use super::Desk;
use super::audit::recorded;
use super::courses::{detail, spec, unknown};
use super::state::OWNER;
use crate::delivery::SourceSpec;
use crate::http::problem::{Answer, Given};
use crate::ordering::{checked_address, limited};
use crate::present;
use crate::views::{
    AnnounceRequest, Announcement, CourseCheck, CourseDetail, Problem, SourceListing, SourceTest, TestRequest,
};

/// Prepares a new version from the source as it is now; buyers get the current one meanwhile.
#[utoipa::path(post, path = "/admin/api/courses/{slug}/prepare", tag = "catalogue", params(("slug" = String, Path, description = "Slug")),
    responses((status = 200, body = CourseDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn prepare(
    State(desk): State<Desk>,
    Path(slug): Path<String>,
) -> Answer<Json<CourseDetail>> {
    desk.store.prepare_again(&slug, OWNER, desk.now()).await?;
    Ok(Json(detail(&desk, &slug).await?))
}

/// Compares the source's listing with what was prepared; a source that changed is prepared anew.
#[utoipa::path(post, path = "/admin/api/courses/{slug}/check", tag = "catalogue", params(("slug" = String, Path, description = "Slug")),
    responses((status = 200, body = CourseCheck), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn check(State(desk): State<Desk>, Path(slug): Path<String>) -> Answer<Json<CourseCheck>> {
    let case = desk.store.check_case(&slug).await?.ok_or_else(|| unknown(&slug))?;
    let (found, queued) = desk.shop.check_source(case).await?;
    recorded(&desk, "course.check", &slug, json!({})).await?;
    Ok(Json(present::course_check(&found, queued, desk.now())))
}

/// Gives past buyers the current version and tells them, one delivery an order; with `dry_run` it only counts.
#[utoipa::path(post, path = "/admin/api/courses/{slug}/announce", tag = "catalogue", request_body = AnnounceRequest,
    params(("slug" = String, Path, description = "Slug")),
    responses((status = 200, body = Announcement), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn announce(
    State(desk): State<Desk>,
    Path(slug): Path<String>,
    Given(request): Given<AnnounceRequest>,
) -> Answer<Json<Announcement>> {
    let message = limited("message", request.message.trim(), LONGEST_MESSAGE)?;
    let counts = desk.store.announce(&slug, &message, request.dry_run, OWNER, desk.now()).await?;
    Ok(Json(present::announcement(counts)))
}

/// Delivers the course to an address of the owner's choice: no order, no money, no statistics.
#[utoipa::path(post, path = "/admin/api/courses/{slug}/test-delivery", tag = "catalogue", request_body = TestRequest,
    params(("slug" = String, Path, description = "Slug")),
    responses((status = 200, body = CourseDetail), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn test_delivery(
    State(desk): State<Desk>,
    Path(slug): Path<String>,
    Given(request): Given<TestRequest>,
) -> Answer<Json<CourseDetail>> {
    let email = checked_address("email", &request.email)?;
    desk.store.test_delivery(&slug, &email, OWNER, desk.now()).await?;
    Ok(Json(detail(&desk, &slug).await?))
}

/// Lists a source without fetching it.
#[utoipa::path(post, path = "/admin/api/courses/source-test", tag = "catalogue", request_body = SourceTest,
    responses((status = 200, body = SourceListing), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn source_test(
    State(desk): State<Desk>,
    Given(request): Given<SourceTest>,
) -> Answer<Json<SourceListing>> {
    let kind = request.source["kind"].as_str().unwrap_or_default().to_owned();
    let source = spec::<SourceSpec>("source", request.source)?;
    source.validate().map_err(|why| Problem::bad(format!("source: {why}")))?;
    let offered = desk.shop.look_at(&source).await?;
    recorded(&desk, "course.source_test", &kind, json!({})).await?;
    Ok(Json(present::source_listing(offered.as_deref())))
}
