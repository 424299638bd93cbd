//! A remote as source: listed, copied into the staging directory where it differs, hashed, and listed once more.
//!
//! rclone writes a file under another name until it is complete, so what lies under a file's own name is whole;
//! an attempt goes on with the files that are missing.

use std::path::Path;

use rclone::{Item, Place, Rclone};

use super::super::files::{Slot, blocking, staged, write_error};
use super::super::leftovers::{Kind, Tree};
use super::super::manifest::{MAX_FILES, Manifest, ManifestFile, check_paths};
use super::super::source::{Offered, check_room};
use super::{End, RemoteSpec, Remotes, finished, group, stage_error};
use crate::workers::{StageContext, StageError};

impl Remotes {
    /// Copies everything the remote has below the path into `staging`, as
    /// [`fetch`](crate::delivery::fetch) does.
    ///
    /// # Errors
    /// Permanent: `rclone_missing`, `rclone_too_old`, `rclone_remote_unknown`, `rclone_remote_invalid`,
    /// `source_not_found`, `source_unauthorized`, `source_invalid`. Transient: `rclone_stopped`, `rclone_failed`,
    /// `source_changed`, `checksum_mismatch`, `disk_full`, `target_unwritable`, `cancelled`.
    pub(in super::super) async fn fetch(
        &self,
        cx: &StageContext,
        spec: RemoteSpec<'_>,
        staging: &Path,
    ) -> Result<Manifest, StageError> {
        let (talk, from) = self.open(spec, End::Source).await?;
        cx.alive();
        let hash = cheap_sha256(&talk, &from).await?;
        let items = list(cx, &talk, &from, hash).await?;
        check_room(staging, items.iter().map(|item| (item.path.as_str(), size(item)))).await?;
        forget_changed(cx, staging, &items).await?;
        copy(cx, &talk, &from, staging, &items).await?;
        let manifest = take(cx, staging, &items).await?;
        if list(cx, &talk, &from, hash).await? != items {
            return Err(StageError::transient("source_changed", "the remote changed while it was read"));
        }
        Ok(manifest)
    }
}

impl Remotes {
    /// What the remote has below the path. Its times are left out: not every remote has any.
    ///
    /// # Errors
    /// As [`Remotes::fetch`] before its first file.
    pub(in super::super) async fn offered(
        &self,
        cx: &StageContext,
        spec: RemoteSpec<'_>,
    ) -> Result<Vec<Offered>, StageError> {
        let (talk, from) = self.open(spec, End::Source).await?;
        let hash = cheap_sha256(&talk, &from).await?;
        let items = list(cx, &talk, &from, hash).await?;
        Ok(items
            .into_iter()
            .map(|item| Offered {
                size: size(&item),
                sha256: item.hashes.get("sha256").cloned(),
                path: item.path,
                stamp: None,
                changed_at: None,
            })
            .collect())
    }
}

/// `sha256` when the remote keeps it, so that asking costs no reading.
async fn cheap_sha256(talk: &Rclone, from: &Place) -> Result<Option<&'static str>, StageError> {
    let features = talk.features(from).await.map_err(|e| stage_error(&e, End::Source))?;
    Ok((!features.slow_hash && features.hashes.iter().any(|name| name == "sha256")).then_some("sha256"))
}

/// Lists what is there, checked and in a fixed order.
async fn list(
    cx: &StageContext,
    talk: &Rclone,
    from: &Place,
    hash: Option<&str>,
) -> Result<Vec<Item>, StageError> {
    let listing = talk.list(from, hash);
    let mut items = tokio::select! {
        biased;
        () = cx.cancel.cancelled() => return cx.check().map(|()| Vec::new()),
        items = listing => items.map_err(|e| stage_error(&e, End::Source))?,
    };
    cx.alive();
    if items.len() > MAX_FILES {
        return Err(StageError::permanent(
            "source_invalid",
            format!("the remote has more than {MAX_FILES} files"),
        ));
    }
    check_paths(items.iter().map(|item| item.path.as_str()))?;
    items.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(items)
}

/// What is known of a file before it is read; `None` where the remote makes it up when it is read.
fn size(item: &Item) -> Option<u64> {
    u64::try_from(item.size).ok()
}

/// Removes staged files that the remote has changed since they were listed, and those it does not have.
async fn forget_changed(cx: &StageContext, staging: &Path, items: &[Item]) -> Result<(), StageError> {
    let (cx, staging, items) = (cx.clone(), staging.to_owned(), items.to_vec());
    blocking(move || {
        let record = staging.join("remote.json");
        let before: Vec<Item> = std::fs::read(&record)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let text =
            serde_json::to_vec(&items).map_err(|e| StageError::permanent("internal", e.to_string()))?;
        let files = staging.join("files");
        crate::private_file::create_folder(&files).map_err(|e| write_error(&e, &files))?;
        drop_strangers(&cx, &files, |path| {
            let same = |list: &[Item]| {
                list.binary_search_by(|item| item.path.as_str().cmp(path)).ok().map(|at| list[at].clone())
            };
            matches!((same(&before), same(&items)), (Some(before), Some(now)) if before == now)
        })?;
        // Only now: a crash in between must not make the old files pass for the new ones.
        crate::private_file::replace(&record, &text).map_err(|e| write_error(&e, &record))
    })
    .await
}

/// Removes every file below `dir` that is not to be kept.
pub(in super::super) fn drop_strangers(
    cx: &StageContext,
    dir: &Path,
    keep: impl Fn(&str) -> bool,
) -> Result<(), StageError> {
    let unreadable = |why: String| StageError::transient("target_unwritable", why);
    let tree = Tree::hold(dir).map_err(|e| write_error(&e, dir))?;
    let mut open = vec![String::new()];
    while let Some(prefix) = open.pop() {
        cx.check()?;
        for (name, kind) in tree.list(&prefix).map_err(|e| unreadable(e.to_string()))? {
            let path = format!("{prefix}{}", name.to_string_lossy());
            match kind {
                Kind::Folder => open.push(format!("{path}/")),
                Kind::File { .. } if keep(&path) => {}
                _ => {
                    let file = dir.join(&prefix).join(&name);
                    std::fs::remove_file(&file).map_err(|e| write_error(&e, &file))?;
                }
            }
        }
    }
    Ok(())
}

async fn copy(
    cx: &StageContext,
    talk: &Rclone,
    from: &Place,
    staging: &Path,
    items: &[Item],
) -> Result<(), StageError> {
    let total = items.iter().map(|item| size(item).unwrap_or(0)).sum();
    let there = |item: &&Item| {
        std::fs::symlink_metadata(staged(staging, &item.path))
            .is_ok_and(|meta| Some(meta.len()) == size(item))
    };
    let before: u64 = items.iter().filter(there).filter_map(size).sum();
    cx.progress(before, total);
    let group = group();
    let to = Place::Local(staging.join("files").to_string_lossy().into_owned());
    let job = talk.copy(from, &to, &group).await.map_err(|e| stage_error(&e, End::Source))?;
    finished(cx, talk, (job, &group), End::Source, |stats| {
        let moved = u64::try_from(stats.bytes).unwrap_or(0);
        cx.progress(before.saturating_add(moved).min(total.max(before)), total);
        if let Some(one) = stats.transferring.iter().flatten().next() {
            cx.item(&one.name);
        }
    })
    .await
    .map(drop)
}

/// Hashes what lies in the staging directory and compares it with the listing.
async fn take(cx: &StageContext, staging: &Path, items: &[Item]) -> Result<Manifest, StageError> {
    let files = staging.join("files");
    let tree = Tree::hold(&files).map_err(|e| write_error(&e, &files))?;
    let (mut done, total) = (0, items.iter().filter_map(size).sum());
    let mut manifest = Manifest::default();
    for item in items {
        cx.check()?;
        cx.item(&item.path);
        let file = tree.open(&item.path).map_err(|error| {
            StageError::permanent("source_invalid", format!("{:?} was not copied: {error}", item.path))
        })?;
        let slot = Slot::new(staging, &item.path);
        let meter = cx.clone();
        let taken =
            slot.adopt(cx, file, |_, _| Ok(()), move |read| meter.progress(done + read, total)).await?;
        if size(item).is_some_and(|size| size != taken.size) {
            slot.forget().await?;
            let detail = format!("{:?} has {} bytes, {} were listed", item.path, taken.size, item.size);
            return Err(StageError::transient("source_changed", detail));
        }
        if let Some(sum) = item.hashes.get("sha256").filter(|sum| !sum.is_empty() && **sum != taken.sha256) {
            slot.forget().await?;
            let detail = format!("{:?}: sha256 {} instead of {sum}", item.path, taken.sha256);
            return Err(StageError::transient("checksum_mismatch", detail));
        }
        done += taken.size;
        manifest.files.push(ManifestFile { path: item.path.clone(), size: taken.size, sha256: taken.sha256 });
    }
    Ok(manifest)
}
