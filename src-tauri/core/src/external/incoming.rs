//! Files that workers on other machines send: `DATA/incoming/TASK-EPOCH/…`, a directory for each claim, so that a worker
//! whose lease is gone writes where nobody looks any more.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use axum::body::{Body, BodyDataStream};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use chotdon_store::{Claimed, Held};

use super::lock;
use crate::delivery::{Manifest, ManifestFile, discard_staging, take_received};
use crate::shop::Floor;
use crate::workers::{ErrorClass, StageContext, StageError};

/// What stays free of the disk whatever workers send, bytes.
const KEPT_FREE: u64 = 256 << 20;

/// A piece of a file that is about to be sent.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) held: Held,
    /// Checked already.
    pub(crate) path: String,
    /// Where it belongs; has to be the end of what is there.
    pub(crate) offset: u64,
    /// Bytes of it.
    pub(crate) length: u64,
    /// Its SHA-256.
    pub(crate) sha256: [u8; 32],
}

/// Why a piece was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It does not begin where the file ends.
    #[error("the file has {0} bytes")]
    Elsewhere(u64),
    /// The same file is being written by another request.
    #[error("another request is writing this file")]
    Busy,
    /// The bytes are not those that were signed, or broke off.
    #[error("the bytes are not the ones that were signed: {0}")]
    Damaged(String),
    /// The task has had all it may send.
    #[error("a task may send {0} bytes")]
    TooMuch(u64),
    /// No room.
    #[error("the shop's disk is full")]
    DiskFull,
    /// The path cannot be, beside the others.
    #[error("the path cannot be written: {0}")]
    Path(String),
}

/// The directory of one claim.
pub(super) fn directory(data_dir: &Path, held: Held) -> PathBuf {
    root(data_dir).join(format!("{}-{}", held.task, held.epoch))
}

pub(super) fn root(data_dir: &Path) -> PathBuf {
    data_dir.join("incoming")
}

/// How many bytes of a file are there.
pub(crate) async fn received(floor: &Floor, held: Held, path: &str) -> u64 {
    let at = directory(&floor.data_dir, held).join(path);
    tokio::fs::metadata(at).await.ok().filter(std::fs::Metadata::is_file).map_or(0, |meta| meta.len())
}

/// Appends a piece as it comes in; answers the file's new size. What is not taken whole is not taken at all.
pub(crate) async fn write_chunk(floor: &Floor, chunk: &Chunk, body: Body) -> Result<u64, Refused> {
    let external = &floor.external;
    let lease = (chunk.held.task, chunk.held.epoch);
    let _busy =
        external.enter(format!("file:{}:{}:{}", lease.0, lease.1, chunk.path)).ok_or(Refused::Busy)?;
    let directory = directory(&floor.data_dir, chunk.held);
    let there = received(floor, chunk.held, &chunk.path).await;
    if there != chunk.offset {
        return Err(Refused::Elsewhere(there));
    }
    make_room(floor, &directory, lease, chunk.length).await?;
    let written = append(&directory.join(&chunk.path), chunk, body.into_data_stream()).await;
    if written.is_err()
        && let Some(sent) = lock(&external.sent).get_mut(&lease)
    {
        *sent = sent.saturating_sub(chunk.length);
    }
    written.map(|()| chunk.offset + chunk.length)
}

/// Counts `length` bytes more, unless that is too much.
async fn make_room(floor: &Floor, directory: &Path, lease: (i64, i64), length: u64) -> Result<(), Refused> {
    let most = u64::try_from(floor.config().workers.incoming_max_mb).unwrap_or(0).saturating_mul(1_000_000);
    let known = lock(&floor.external.sent).get(&lease).copied();
    let before = match known {
        Some(before) => before,
        None => {
            let directory = directory.to_owned();
            tokio::task::spawn_blocking(move || size_of(&directory)).await.unwrap_or(0)
        }
    };
    if before.saturating_add(length) > most {
        return Err(Refused::TooMuch(most));
    }
    let at = floor.data_dir.clone();
    let free = tokio::task::spawn_blocking(move || fs4::available_space(&at).unwrap_or(u64::MAX)).await;
    if free.unwrap_or(u64::MAX) < length.saturating_add(KEPT_FREE) {
        return Err(Refused::DiskFull);
    }
    *lock(&floor.external.sent).entry(lease).or_insert(before) += length;
    Ok(())
}

async fn append(at: &Path, chunk: &Chunk, mut body: BodyDataStream) -> Result<(), Refused> {
    let parent = at.parent().unwrap_or(at);
    tokio::fs::create_dir_all(parent).await.map_err(|error| refused(&error))?;
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(at)
        .await
        .map_err(|error| refused(&error))?;
    let copied = copy(&mut file, chunk, &mut body).await;
    if copied.is_err() {
        // As if it had never come.
        let _ = file.set_len(chunk.offset).await;
    }
    copied
}

async fn copy(file: &mut File, chunk: &Chunk, body: &mut BodyDataStream) -> Result<(), Refused> {
    file.seek(SeekFrom::Start(chunk.offset)).await.map_err(|error| refused(&error))?;
    let (mut hash, mut came) = (Sha256::new(), 0_u64);
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|error| Refused::Damaged(error.to_string()))?;
        came += bytes.len() as u64;
        if came > chunk.length {
            return Err(Refused::Damaged("more came than was announced".to_owned()));
        }
        hash.update(&bytes);
        file.write_all(&bytes).await.map_err(|error| refused(&error))?;
    }
    file.flush().await.map_err(|error| refused(&error))?;
    if came != chunk.length {
        return Err(Refused::Damaged(format!("{came} of {} bytes came", chunk.length)));
    }
    if hash.finalize().as_slice() != chunk.sha256 {
        return Err(Refused::Damaged("their SHA-256 is another one".to_owned()));
    }
    Ok(())
}

fn refused(error: &std::io::Error) -> Refused {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Refused::DiskFull,
        kind => Refused::Path(kind.to_string()),
    }
}

fn size_of(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size_of(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// What a worker brought for this task, read, hashed and staged; `None` when nothing was brought.
///
/// # Errors
/// Transient `worker_files_missing` and `checksum_mismatch`: what was brought is not what was promised and is forgotten,
/// so that the next attempt fetches anew. Else those of staging.
pub(crate) async fn taken(
    floor: &Floor,
    task: &Claimed,
    cx: &StageContext,
    staging: &Path,
) -> Result<Option<Manifest>, StageError> {
    let unreadable = |error: chotdon_store::Error| StageError::transient("internal", error.to_string());
    let Some(brought) = floor.store.brought(task.id).await.map_err(unreadable)? else { return Ok(None) };
    let files: Vec<ManifestFile> = serde_json::from_str(&brought.files).map_err(|error| {
        StageError::permanent("internal", format!("the stored list cannot be read: {error}"))
    })?;
    let held = Held { task: task.id, epoch: brought.epoch };
    let sent = directory(&floor.data_dir, held);
    let shared = floor.config().workers.incoming_dir.as_ref().map(|dir| Path::new(dir).join(&brought.folder));
    // What was sent counts before what lies in the shared directory under a name that anyone may have chosen.
    let ours = sent.is_dir() || shared.is_none();
    let root = shared.filter(|_| !ours).unwrap_or_else(|| sent.clone());
    match take_received(cx, &root, ours, staging, files).await {
        Ok(manifest) => {
            discard(&sent).await;
            Ok(Some(manifest))
        }
        Err(error) if error.class == ErrorClass::Permanent => {
            floor.store.reject_brought(task.id, floor.clock.now_ms()).await.map_err(unreadable)?;
            discard(&sent).await;
            Err(StageError::transient(error.code, format!("{}: {}", brought.worker, error.detail)))
        }
        Err(error) => Err(error),
    }
}

/// Removes the directory of a claim; one that cannot be removed now is found again by the watch.
pub(crate) async fn discard(directory: &Path) {
    if let Err(error) = discard_staging(directory).await {
        tracing::warn!(%error, "files of a worker could not be removed");
    }
}
