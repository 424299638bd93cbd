//! Brings one version of a course from its source to its target: fetch → upload → verify.

use secrecy::SecretString;

use chotdon_store::{Aftermath, Claimed};

use super::place::Fetched;
use super::{damaged, incomplete, place, unreadable};
use crate::delivery::drive::Placed;
use crate::delivery::{self, CourseAsked, Location, Manifest, SourceSpec, TargetSpec};
use crate::external;
use crate::secrets::SecretName;
use crate::shop::Floor;
use crate::workers::{Next, StageContext, StageError, StageOutcome};

pub(super) async fn run(
    floor: &Floor,
    task: &Claimed,
    cx: &StageContext,
) -> Result<StageOutcome, StageError> {
    let course = task.course_id.ok_or_else(|| incomplete("course"))?;
    let version = task.course_version.ok_or_else(|| incomplete("version"))?;
    let case = floor.store.prepare_case(course).await.map_err(unreadable)?;
    let staging = floor.data_dir.join("staging").join(format!("course-{course}-v{version}"));
    let target: TargetSpec = serde_json::from_str(&case.target).map_err(|error| damaged("target", &error))?;
    match task.stage.as_str() {
        "fetch" => {
            if let Some(manifest) = external::taken(floor, task, cx, &staging).await? {
                let output = text(&manifest)?;
                return Ok(StageOutcome { output, aftermath: Aftermath::TakenIn, ..StageOutcome::done() });
            }
            let source: SourceSpec =
                serde_json::from_str(&case.source).map_err(|error| damaged("source", &error))?;
            let asked = CourseAsked { slug: &case.slug, version };
            let fetched = place::fetch(floor, cx, &target, &source, asked, &staging).await?;
            Ok(StageOutcome { output: text(&fetched)?, ..StageOutcome::done() })
        }
        "upload" => {
            let fetched = fetched(floor, task).await?;
            let placed = place::upload(floor, task, cx, &target, &case, &staging, fetched).await?;
            Ok(StageOutcome { output: text(&placed)?, ..StageOutcome::done() })
        }
        _ => {
            let Placed { location, manifest } = placed(floor, task).await?;
            place::verify(floor, cx, &location, &staging, &manifest).await?;
            delivery::discard_staging(&staging).await?;
            prepared(course, version, &manifest, &location)
        }
    }
}

fn prepared(
    course: i64,
    version: i64,
    manifest: &Manifest,
    location: &Location,
) -> Result<StageOutcome, StageError> {
    let aftermath = Aftermath::Prepared {
        course,
        version,
        manifest: text(manifest)?,
        location: text(location)?,
        bytes: i64::try_from(manifest.bytes()).unwrap_or(i64::MAX),
    };
    Ok(StageOutcome { output: "{}".to_owned(), aftermath, next: Next::Advance })
}

/// The value of the secret that this source wants.
pub(crate) async fn secret(floor: &Floor, source: &SourceSpec) -> Result<Option<SecretString>, StageError> {
    let Some(name) = source.secret_name() else { return Ok(None) };
    let name = SecretName::parse(name)
        .map_err(|error| StageError::permanent("source_invalid", error.to_string()))?;
    let value = floor
        .credentials
        .get(&name, floor.clock.now_ms())
        .await
        .map_err(|error| StageError::transient("secret_store_unavailable", error.to_string()))?;
    match value {
        Some(value) => Ok(Some(value)),
        None => Err(StageError::permanent(
            "source_unauthorized",
            format!("the secret {} is not set", name.as_str()),
        )),
    }
}

async fn fetched(floor: &Floor, task: &Claimed) -> Result<Fetched, StageError> {
    serde_json::from_str(&left_by(floor, task, "fetch").await?).map_err(|error| damaged("manifest", &error))
}

async fn placed(floor: &Floor, task: &Claimed) -> Result<Placed, StageError> {
    serde_json::from_str(&left_by(floor, task, "upload").await?).map_err(|error| damaged("location", &error))
}

async fn left_by(floor: &Floor, task: &Claimed, stage: &str) -> Result<String, StageError> {
    let mut outputs = floor.store.stage_outputs(task.id).await.map_err(unreadable)?;
    outputs.remove(stage).ok_or_else(|| {
        StageError::permanent("internal", format!("the checkpoint of {stage} is missing; retry from {stage}"))
    })
}

fn text(value: &impl serde::Serialize) -> Result<String, StageError> {
    serde_json::to_string(value).map_err(|error| StageError::permanent("internal", error.to_string()))
}
