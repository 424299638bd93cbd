//! Asks a course's own target: brings the files there, looks whether they are there and as they should be.

use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use gdrive::Drive;

use chotdon_store::{Claimant, Claimed, Effect, PrepareCase};

use super::prepare_course::secret;
use super::{incomplete, unreadable};
use crate::delivery::drive::{self, Course, Note, Notebook, Placed};
use crate::delivery::{
    self, CourseAsked, Location, Manifest, Offer, Reader, RemoteSpec, SourceSpec, TargetSpec, drive_error,
    on_remote,
};
use crate::shop::Floor;
use crate::workers::{StageContext, StageError};

/// What the fetch stage leaves: a staged copy, or the list of what is read at the source itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Fetched {
    /// Every file, staged and hashed.
    Staged(Manifest),
    /// What the source offered; the files are read while they are sent.
    Listed(List),
}

/// What a source offers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    offered: Vec<Offer>,
}

/// Fetches a course's files for its target: over the disk, or not at all where they can be sent from where they are.
pub(super) async fn fetch(
    floor: &Floor,
    cx: &StageContext,
    target: &TargetSpec,
    source: &SourceSpec,
    asked: CourseAsked<'_>,
    staging: &Path,
) -> Result<Fetched, StageError> {
    if !source.has_files() {
        return Ok(Fetched::Staged(Manifest::default()));
    }
    let secret = secret(floor, source).await?;
    if let TargetSpec::Drive { .. } = target {
        // An account that cannot be reached is known before hours of work.
        floor.drive().await?;
    }
    let fetching = async {
        if let TargetSpec::Drive { .. } = target
            && let Some(reader) = Reader::open(cx, source, &floor.ways.http, secret.clone()).await?
        {
            return Ok(Fetched::Listed(List { offered: reader.offers().to_vec() }));
        }
        floor.ways.fetch(cx, source, asked, staging, secret).await.map(Fetched::Staged)
    };
    match source.service() {
        Some(service) => floor.services.through(&service, cx, fetching).await,
        None => fetching.await,
    }
}

/// Brings the files of a course's version to its target.
pub(super) async fn upload(
    floor: &Floor,
    task: &Claimed,
    cx: &StageContext,
    target: &TargetSpec,
    case: &PrepareCase,
    staging: &Path,
    fetched: Fetched,
) -> Result<Placed, StageError> {
    let id = task.course_id.ok_or_else(|| incomplete("course"))?;
    let version = task.course_version.ok_or_else(|| incomplete("version"))?;
    match (target, fetched) {
        // Only a course without files has none: every source refuses to be empty.
        (_, Fetched::Staged(manifest)) if manifest.files.is_empty() => {
            Ok(Placed { location: Location::None {}, manifest })
        }
        (TargetSpec::Folder {}, Fetched::Staged(manifest)) => {
            let location =
                delivery::upload(cx, &floor.library(), &case.slug, version, staging, &manifest).await?;
            Ok(Placed { location, manifest })
        }
        (TargetSpec::Rclone { remote, path, secret }, Fetched::Staged(manifest)) => {
            let remote = RemoteSpec { remote, path, secret: secret.as_deref() };
            let remotes = &floor.ways.remotes;
            let sending = on_remote::upload(cx, remotes, remote, &case.slug, version, staging, &manifest);
            let location = floor.services.through("rclone", cx, sending).await?;
            Ok(Placed { location, manifest })
        }
        (TargetSpec::Folder {} | TargetSpec::Rclone { .. }, Fetched::Listed(_)) => {
            // The target was another when the files were listed.
            Err(StageError::permanent("source_changed", "the files are not staged; retry from fetch"))
        }
        (TargetSpec::Drive { folder }, fetched) => {
            let source: SourceSpec =
                serde_json::from_str(&case.source).map_err(|error| super::damaged("source", &error))?;
            let at_source = source.service().filter(|_| matches!(fetched, Fetched::Listed(_)));
            let sending = async {
                let reader = match fetched {
                    Fetched::Staged(manifest) => Reader::of_staged(cx, staging, &manifest),
                    Fetched::Listed(_) => {
                        let secret = secret(floor, &source).await?;
                        let reader = Reader::open(cx, &source, &floor.ways.http, secret).await?;
                        reader.ok_or_else(|| {
                            StageError::permanent(
                                "source_changed",
                                "the files are not staged; retry from fetch",
                            )
                        })?
                    }
                };
                let account = floor.drive().await?;
                let room = look_at(floor, cx, &account).await?;
                let _permit = floor.services.enter("drive_upload", cx).await?;
                let config = floor.config();
                let parent = folder.as_deref().or(config.drive.parent_folder_id.as_deref());
                let course = Course { id, room, title: &case.title, version, parent, staging };
                let notebook: Arc<dyn Notebook> = Arc::new(Effects::new(floor, task, id, version));
                drive::upload(cx, &account, &notebook, &course, &reader).await
            };
            match at_source {
                Some(service) => from_source(floor, cx, &service, sending).await,
                None => sending.await,
            }
        }
    }
}

/// Asks the account how much room it has, which shows that it can be reached. `None` = not limited.
async fn look_at(floor: &Floor, cx: &StageContext, account: &Drive) -> Result<Option<u64>, StageError> {
    let asking = async { account.about().await.map_err(drive_error) };
    let about = floor.services.through("drive", cx, asking).await?;
    // A shared drive has its own limits, which nobody tells.
    Ok(about.free().filter(|_| !account.is_shared()))
}

/// Does `work`, which reads at `service` and writes elsewhere: only what is the source's own fault counts against it.
async fn from_source<T>(
    floor: &Floor,
    cx: &StageContext,
    service: &str,
    work: impl Future<Output = Result<T, StageError>>,
) -> Result<T, StageError> {
    let sorted = async {
        match work.await {
            Err(error) if error.waits.is_none() && !error.code.starts_with("source_") => Ok(Err(error)),
            other => other.map(Ok),
        }
    };
    floor.services.through(service, cx, sorted).await?
}

/// Compares what lies at the target with the manifest.
pub(super) async fn verify(
    floor: &Floor,
    cx: &StageContext,
    location: &Location,
    staging: &Path,
    manifest: &Manifest,
) -> Result<(), StageError> {
    match location {
        Location::Folder { .. } => delivery::verify(cx, &floor.library(), location, manifest).await,
        Location::Drive { folder_id, files, .. } => {
            let account = floor.drive().await?;
            let looking = drive::verify(cx, &account, folder_id, files, manifest);
            floor.services.through("drive", cx, looking).await
        }
        Location::Rclone { remote, path, secret } => {
            let place = RemoteSpec { remote, path, secret: secret.as_deref() };
            let looking = on_remote::verify(cx, &floor.ways.remotes, place, staging, manifest);
            floor.services.through("rclone", cx, looking).await
        }
        Location::None {} => Ok(()),
    }
}

/// Looks whether what a buyer is about to be given is there, without reading it.
pub(super) async fn available(
    floor: &Floor,
    cx: &StageContext,
    location: &Location,
    manifest: &Manifest,
) -> Result<(), StageError> {
    match location {
        Location::Folder { .. } => delivery::available(cx, &floor.library(), location, manifest).await,
        Location::Drive { folder_id, .. } => drive::available(&floor.drive().await?, folder_id).await,
        Location::Rclone { remote, path, secret } => {
            let place = RemoteSpec { remote, path, secret: secret.as_deref() };
            let looking = on_remote::available(cx, &floor.ways.remotes, place, manifest);
            floor.services.through("rclone", cx, looking).await
        }
        Location::None {} => Ok(()),
    }
}

/// The notes of one version of a course, kept as effects under the task's claim.
struct Effects {
    floor: Floor,
    by: Claimant,
    prefix: String,
}

impl Effects {
    fn new(floor: &Floor, task: &Claimed, course: i64, version: i64) -> Self {
        let by = Claimant { task: task.id, epoch: task.epoch, stage: task.stage.clone() };
        Self { floor: floor.clone(), by, prefix: format!("drive:{course}:{version}:") }
    }
}

impl Notebook for Effects {
    fn read(&self) -> BoxFuture<'_, Result<Vec<Note>, StageError>> {
        Box::pin(async {
            let effects = self.floor.store.effects(&self.prefix).await.map_err(unreadable)?;
            let note = |effect: Effect| {
                let key = effect.key.strip_prefix(&self.prefix)?.to_owned();
                Some(Note { key, done: effect.done, text: effect.reference })
            };
            Ok(effects.into_iter().filter_map(note).collect())
        })
    }

    fn write(&self, notes: Vec<Note>) -> BoxFuture<'_, Result<(), StageError>> {
        Box::pin(async {
            let effect = |note: Note| Effect {
                key: format!("{}{}", self.prefix, note.key),
                done: note.done,
                reference: note.text,
            };
            let effects = notes.into_iter().map(effect).collect();
            let now = self.floor.clock.now_ms();
            match self.floor.store.write_effects(&self.by, effects, now).await.map_err(unreadable)? {
                true => Ok(()),
                false => Err(StageError::transient("cancelled", "another worker has the task by now")),
            }
        })
    }
}
