//! Asks a course's own target: brings the files there, looks whether they are there and as they should be.

use std::path::Path;

use chotdon_store::{Claimed, PrepareCase};

use super::incomplete;
use crate::delivery::{self, Location, Manifest, RemoteSpec, TargetSpec, on_remote};
use crate::shop::Floor;
use crate::workers::{StageContext, StageError};

/// Brings the staged files of a course's version to its target.
pub(super) async fn upload(
    floor: &Floor,
    task: &Claimed,
    cx: &StageContext,
    target: &TargetSpec,
    case: &PrepareCase,
    staging: &Path,
    manifest: &Manifest,
) -> Result<Location, StageError> {
    let version = task.course_version.ok_or_else(|| incomplete("version"))?;
    match target {
        TargetSpec::Folder {} => {
            delivery::upload(cx, &floor.library(), &case.slug, version, staging, manifest).await
        }
        TargetSpec::Drive { .. } => {
            Err(StageError::permanent("drive_not_connected", "Google Drive is not connected"))
        }
        TargetSpec::Rclone { remote, path, secret } => {
            let remote = RemoteSpec { remote, path, secret: secret.as_deref() };
            let slug = &case.slug;
            let _permit = floor.services.enter("rclone", cx).await?;
            on_remote::upload(cx, &floor.ways.remotes, remote, slug, version, staging, manifest).await
        }
    }
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
        Location::Drive { .. } => {
            Err(StageError::permanent("drive_not_connected", "Google Drive is not connected"))
        }
        Location::Rclone { remote, path, secret } => {
            let place = RemoteSpec { remote, path, secret: secret.as_deref() };
            on_remote::verify(cx, &floor.ways.remotes, place, staging, manifest).await
        }
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
        Location::Drive { folder_id, .. } => {
            delivery::drive::available(&floor.drive().await?, folder_id).await
        }
        Location::Rclone { remote, path, secret } => {
            let place = RemoteSpec { remote, path, secret: secret.as_deref() };
            on_remote::available(cx, &floor.ways.remotes, place, manifest).await
        }
    }
}
