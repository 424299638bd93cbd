//! A remote as target: copied to a name of its own, compared, then moved to its final name.
//!
//! Layout: `PATH/SLUG/vN/…`, with `PATH/SLUG/.vN.incoming` until it is complete.

use std::collections::HashMap;
use std::path::Path;

use rclone::{Checked, Place, Rclone};

use super::super::files::{blocking, staged};
use super::super::manifest::{Manifest, check_path, check_paths};
use super::super::rclone::{End, RemoteSpec, Remotes, drop_strangers, finished, group, join, stage_error};
use super::Location;
use crate::workers::{StageContext, StageError};

/// Copies the staged files to the remote and gives them their final name.
///
/// May be called again after a crash at any point: what is there already and is the same is not sent again. The
/// staged files stay.
///
/// # Errors
/// Those of the remote's rclone; transient `checksum_mismatch` when the remote does not hold what was sent; permanent
/// `source_invalid`, and `checksum_mismatch` when a staged file is gone.
pub async fn upload(
    cx: &StageContext,
    remotes: &Remotes,
    spec: RemoteSpec<'_>,
    slug: &str,
    version: i64,
    staging: &Path,
    manifest: &Manifest,
) -> Result<Location, StageError> {
    if slug.contains('/') || check_path(slug).is_err() || slug.starts_with('.') {
        return Err(StageError::permanent(
            "source_invalid",
            format!("the slug {slug:?} cannot name a folder"),
        ));
    }
    check_paths(manifest.files.iter().map(|f| f.path.as_str()))?;
    let (talk, _) = remotes.open(spec, End::Target).await?;
    let course = join(spec.path, slug);
    let path = format!("{course}/v{version}");
    let (place, incoming) = (
        Place::remote(spec.remote, &path),
        Place::remote(spec.remote, &format!("{course}/.v{version}.incoming")),
    );
    let location =
        Location::Rclone { remote: spec.remote.to_owned(), path, secret: spec.secret.map(str::to_owned) };
    ready_to_send(cx, staging, manifest).await?;
    let sending = Sending { cx, talk: &talk, from: Place::Local(local(staging)?) };
    let there = sizes(&talk, &place).await?;
    if !there.is_empty() {
        if complete(&there, manifest) && sending.same(&place).await? {
            return Ok(location);
        }
        // A version that was begun with other files.
        sending.run(talk.purge(&place, &group()).await).await?;
    }
    sending.send(&incoming, manifest.bytes()).await?;
    let there = sizes(&talk, &incoming).await?;
    if !complete(&there, manifest) {
        // What is too much was begun with other files; what is missing is sent the next time.
        sending.run(talk.purge(&incoming, &group()).await).await?;
        return Err(StageError::transient("checksum_mismatch", "the remote does not hold what was sent"));
    }
    sending.run(talk.move_into(&incoming, &place, &group()).await).await?;
    if !complete(&sizes(&talk, &place).await?, manifest) {
        return Err(StageError::transient(
            "checksum_mismatch",
            "the remote lost files while it renamed them",
        ));
    }
    Ok(location)
}

struct Sending<'a> {
    cx: &'a StageContext,
    talk: &'a Rclone,
    from: Place,
}

impl Sending<'_> {
    async fn run(&self, job: Result<rclone::Job, rclone::Error>) -> Result<serde_json::Value, StageError> {
        let job = job.map_err(|e| stage_error(&e, End::Target))?;
        finished(self.cx, self.talk, (job, ""), End::Target, |_| {}).await
    }

    async fn send(&self, to: &Place, total: u64) -> Result<(), StageError> {
        let group = group();
        let job = self.talk.copy(&self.from, to, &group).await.map_err(|e| stage_error(&e, End::Target))?;
        let meter = self.cx.clone();
        finished(self.cx, self.talk, (job, &group), End::Target, |stats| {
            meter.progress(u64::try_from(stats.bytes).unwrap_or(0).min(total), total);
            if let Some(one) = stats.transferring.iter().flatten().next() {
                meter.item(&one.name);
            }
        })
        .await
        .map(drop)
    }

    /// Whether `to` has the same files with the same content; read back where the remote keeps no hashes.
    async fn same(&self, to: &Place) -> Result<bool, StageError> {
        let features = self.talk.features(to).await.map_err(|e| stage_error(&e, End::Target))?;
        let download = features.hashes.is_empty();
        let job = self.talk.check(&self.from, to, download, &group()).await;
        let answer = self.run(job).await?;
        Ok(Checked::of(answer).map_err(|e| stage_error(&e, End::Target))?.success)
    }
}

/// Looks whether every staged file is there, and removes what else lies there.
async fn ready_to_send(cx: &StageContext, staging: &Path, manifest: &Manifest) -> Result<(), StageError> {
    let (cx, staging, manifest) = (cx.clone(), staging.to_owned(), manifest.clone());
    blocking(move || {
        for file in &manifest.files {
            let there = std::fs::symlink_metadata(staged(&staging, &file.path));
            if !there.is_ok_and(|meta| meta.is_file() && meta.len() == file.size) {
                let detail = format!("{} is not staged with {} bytes any more", file.path, file.size);
                return Err(StageError::permanent("checksum_mismatch", detail));
            }
        }
        drop_strangers(&cx, &staging.join("files"), |path| manifest.file(path).is_some())
    })
    .await
}

fn local(staging: &Path) -> Result<String, StageError> {
    let files = staging.join("files");
    match files.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(StageError::permanent("internal", "the data directory's path is not UTF-8")),
    }
}

/// Size of every file of a directory; nothing when it is not there.
async fn sizes(talk: &Rclone, place: &Place) -> Result<HashMap<String, i64>, StageError> {
    match talk.list(place, None).await {
        Ok(items) => Ok(items.into_iter().map(|item| (item.path, item.size)).collect()),
        Err(error) if error.class() == rclone::Class::NotFound => Ok(HashMap::new()),
        Err(error) => Err(stage_error(&error, End::Target)),
    }
}

fn complete(there: &HashMap<String, i64>, manifest: &Manifest) -> bool {
    there.len() == manifest.files.len()
        && manifest.files.iter().all(|file| {
            // Some remotes do not know the size of what they hold encrypted or converted.
            there.get(&file.path).is_some_and(|size| *size < 0 || u64::try_from(*size) == Ok(file.size))
        })
}

/// Compares what lies on the remote with the manifest: by the hashes it keeps, or by reading everything back.
///
/// # Errors
/// Permanent `checksum_mismatch` when a file is missing or differs; those of the remote's rclone.
pub async fn verify(
    cx: &StageContext,
    remotes: &Remotes,
    location: RemoteSpec<'_>,
    staging: &Path,
    manifest: &Manifest,
) -> Result<(), StageError> {
    let (talk, place) = remotes.open(location, End::Target).await?;
    let features = talk.features(&place).await.map_err(|e| stage_error(&e, End::Target))?;
    let keeps = |hash: &str| features.hashes.iter().any(|name| name == hash);
    let staged_still = ready_to_send(cx, staging, manifest).await.is_ok();
    if !keeps("sha256") && !features.hashes.is_empty() && staged_still {
        let sending = Sending { cx, talk: &talk, from: Place::Local(local(staging)?) };
        return match sending.same(&place).await? {
            true => Ok(()),
            false => {
                Err(StageError::permanent("checksum_mismatch", "the remote does not hold what was sent"))
            }
        };
    }
    let group = group();
    let job = talk.hashsum(&place, "sha256", !keeps("sha256"), &group).await;
    let job = job.map_err(|e| stage_error(&e, End::Target))?;
    let (meter, total) = (cx.clone(), manifest.bytes());
    let answer = finished(cx, &talk, (job, &group), End::Target, |stats| {
        meter.progress(u64::try_from(stats.bytes).unwrap_or(0).min(total), total);
    })
    .await?;
    let sums = rclone::sums(answer).map_err(|e| stage_error(&e, End::Target))?;
    for file in &manifest.files {
        match sums.get(&file.path) {
            Some(sum) if *sum == file.sha256 => {}
            Some(sum) => {
                let detail =
                    format!("{} has sha256 {sum} on the remote instead of {}", file.path, file.sha256);
                return Err(StageError::permanent("checksum_mismatch", detail));
            }
            None => {
                let detail = format!("{} is not on the remote", file.path);
                return Err(StageError::permanent("checksum_mismatch", detail));
            }
        }
    }
    Ok(())
}

/// Looks whether every file lies on the remote with its size, without reading it.
///
/// # Errors
/// Permanent `link_broken` when one does not; those of the remote's rclone.
pub async fn available(
    cx: &StageContext,
    remotes: &Remotes,
    location: RemoteSpec<'_>,
    manifest: &Manifest,
) -> Result<(), StageError> {
    let (talk, place) = remotes.open(location, End::Target).await?;
    cx.alive();
    let there = sizes(&talk, &place).await?;
    let fits = |file: &&super::super::manifest::ManifestFile| {
        there.get(&file.path).is_some_and(|size| *size < 0 || u64::try_from(*size) == Ok(file.size))
    };
    match manifest.files.iter().find(|file| !fits(file)) {
        None => Ok(()),
        Some(file) => {
            Err(StageError::permanent("link_broken", format!("{} is gone from the remote", file.path)))
        }
    }
}
