//! Learning platforms: the recipes there are, and what one would send.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A recipe that comes along, with what a course has to say to use it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct RecipeRow {
    pub name: String,
    pub title: String,
    /// What the owner does at the platform first. English.
    pub about: String,
    /// Address of the platform; none = the course has to say it.
    pub base_url: Option<String>,
    /// What the course's id is there and where it is found. English.
    pub course: String,
    pub secrets: Vec<RecipeNeed>,
    pub fields: Vec<RecipeNeed>,
    /// Whether access can be taken back.
    pub can_unenrol: bool,
}

/// Something that a recipe needs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct RecipeNeed {
    pub name: String,
    /// English.
    pub about: String,
    /// Used when nothing is said; none = it has to be said.
    pub default: Option<String>,
}

/// `POST /admin/api/recipes/test`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecipeTestRequest {
    /// As in a course: `{"kind":"recipe","name":"moodle","base_url":"https://…","course":"42","secret":"lms.NAME"}`.
    #[schema(value_type = Object)]
    pub enrolment: serde_json::Value,
    /// Whose enrolment is looked for. Nobody is enrolled.
    pub email: String,
    /// Their name, as in the requests shown.
    #[serde(default)]
    pub name: String,
    /// True shows the requests only and asks nobody.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a test of a recipe found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct RecipeTest {
    /// `enrolled`, `not_enrolled`, `failed`, or `dry_run`.
    pub state: String,
    /// Error code for the UI's catalogue, when it failed.
    pub code: Option<String>,
    /// Technical detail without secrets.
    pub detail: Option<String>,
    /// Every request of the recipe, in order, secrets masked.
    pub requests: Vec<RecipeRequest>,
}

/// A request that a recipe would send.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct RecipeRequest {
    /// `start`, `probe`, `enrol`, `unenrol`.
    pub part: String,
    pub step: String,
    pub method: String,
    /// With what earlier steps find as `‹name›`.
    pub url: String,
    /// The condition under which it is sent.
    pub when: Option<String>,
    /// `Name: value`.
    pub headers: Vec<String>,
    /// Before it is encoded.
    pub body: Option<String>,
}
