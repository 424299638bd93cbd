//! One course whole, what the owner does to it, and bundles.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CourseRow, ErrorText, TaskRow};

/// `GET /admin/api/courses/{slug}`: everything about one course.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct CourseDetail {
    pub course: CourseRow,
    /// Newest first.
    pub versions: Vec<VersionRow>,
    /// Newest first; the first is today's.
    pub prices: Vec<PriceRow>,
    /// The last test delivery.
    pub test: Option<TestRow>,
    /// Bundles that have it.
    pub bundles: Vec<BundleName>,
    /// Orders whose buyers have an older version and were not told of the current one.
    pub past: Announcement,
}

/// A prepared version of a course.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct VersionRow {
    pub version: i64,
    pub files: i64,
    pub bytes: i64,
    pub ready_at: String,
    /// Orders whose buyers have this one.
    pub orders: i64,
}

/// A price and since when it holds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct PriceRow {
    pub price_vnd: i64,
    pub from_at: String,
}

/// A test delivery.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct TestRow {
    pub email: String,
    pub task: TaskRow,
}

/// A bundle by name.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct BundleName {
    pub slug: String,
    pub title: String,
}

/// The preparation of a course that is under way or has failed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Preparation {
    pub task: i64,
    pub version: i64,
    /// `scheduled`, `ready`, `running`, `failed`.
    pub state: String,
    /// Error code of the last attempt.
    pub code: Option<String>,
}

/// The last look at a course's source.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct CourseCheck {
    pub at: String,
    /// `same`, `changed`, `unknown` (cannot be listed without fetching it), `failed`.
    pub state: String,
    /// Files that differ; `null` when it is not known how many.
    pub files: Option<i64>,
    pub error: Option<ErrorText>,
    /// The version that this look queued.
    pub queued_version: Option<i64>,
}

/// `POST /admin/api/courses/{slug}/announce`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AnnounceRequest {
    /// Only counts.
    pub dry_run: bool,
    /// The owner's words to the buyers, at most 1000 characters.
    pub message: String,
}

/// Who gets a new version.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Announcement {
    pub version: i64,
    /// Orders that get it.
    pub orders: i64,
    /// Buyers of these orders.
    pub buyers: i64,
    /// Orders told of this version before.
    pub told: i64,
    /// Orders being delivered just now: announce once more afterwards.
    pub busy: i64,
    /// Orders whose access is over.
    pub over: i64,
    /// Deliveries queued by this call.
    pub queued: i64,
}

/// `POST /admin/api/courses/{slug}/test-delivery`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// Where the test goes.
    pub email: String,
}

/// `POST /admin/api/courses/{slug}/duplicate`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DuplicateRequest {
    /// Slug of the copy.
    pub slug: String,
    /// Its title; that of the original when left out.
    #[serde(default)]
    pub title: Option<String>,
}

/// `POST /admin/api/courses/{slug}/archive`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ArchiveRequest {
    /// True puts it on sale again.
    pub active: bool,
}

/// `POST /admin/api/courses/source-test`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceTest {
    /// As in a course.
    #[schema(value_type = Object)]
    pub source: serde_json::Value,
}

/// What a source has.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct SourceListing {
    /// False for a source that cannot be listed without fetching it.
    pub listed: bool,
    pub files: i64,
    /// Sum of the sizes that are known.
    pub bytes: i64,
    /// The first files, at most 20.
    pub first: Vec<SourceFile>,
}

/// One file of a source.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct SourceFile {
    pub path: String,
    pub bytes: Option<i64>,
}

/// A bundle: several courses at one price.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct BundleRow {
    pub slug: String,
    pub title: String,
    pub description: String,
    pub price_vnd: i64,
    pub active: bool,
    pub courses: Vec<BundleName>,
    /// What the courses cost one by one.
    pub apart_vnd: i64,
    /// Orders it was delivered in.
    pub sold: i64,
}

/// `PUT /admin/api/bundles/{slug}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BundleChange {
    /// Not empty.
    pub title: String,
    /// At most 5000 characters.
    #[serde(default)]
    pub description: String,
    /// Whole đồng, positive.
    pub price_vnd: i64,
    /// Slugs of at least two courses, each once.
    pub courses: Vec<String>,
    /// False takes it off sale; default true.
    #[serde(default = "super::yes")]
    pub active: bool,
}

/// `POST /admin/api/orders/{code}/change-email`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressRequest {
    /// Where this order is delivered to from now on.
    pub email: String,
    /// Why, at most 500 characters; may be empty.
    #[serde(default)]
    pub reason: String,
    /// True changes the customer's own address as well.
    #[serde(default)]
    pub customer: bool,
}
