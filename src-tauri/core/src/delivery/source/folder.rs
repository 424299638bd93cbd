//! A directory as source: listed without following links, copied file by file, resumed when nothing changed.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::super::files::{CHUNK, Done, FileState, SYNC_EVERY, Slot, blocking};
use super::super::manifest::{MAX_FILES, Manifest, check_paths};
use super::look::Offered;
use super::{Tally, check_room, listed};
use crate::workers::{StageContext, StageError};

/// Deepest nesting of a course.
const MAX_DEPTH: usize = 64;

/// One file of the directory as it was listed.
pub(super) struct Found {
    pub(super) path: String,
    pub(super) from: PathBuf,
    pub(super) size: u64,
}

pub(super) async fn fetch(cx: &StageContext, root: &Path, staging: &Path) -> Result<Manifest, StageError> {
    let (walk_cx, walk_root) = (cx.clone(), root.to_owned());
    let (root, found) = blocking(move || walk(&walk_cx, &walk_root)).await?;
    check_paths(found.iter().map(|f| f.path.as_str()))?;
    check_room(staging, found.iter().map(|f| (f.path.as_str(), Some(f.size)))).await?;

    let mut tally = Tally { done: 0, total: found.iter().map(|f| f.size).sum() };
    let mut manifest = Manifest::default();
    for file in &found {
        cx.check()?;
        cx.item(&file.path);
        let done = copy(cx, &root, file, &Slot::new(staging, &file.path), tally).await?;
        tally.done += done.size;
        cx.progress(tally.done, tally.total);
        manifest.files.push(listed(&file.path, done));
    }
    Ok(manifest)
}

/// What the directory has, with the time of each file's last change; nothing is read.
pub(super) async fn list(cx: &StageContext, root: &Path) -> Result<Vec<Offered>, StageError> {
    let (cx, root) = (cx.clone(), root.to_owned());
    blocking(move || {
        let found = walk(&cx, &root)?.1;
        check_paths(found.iter().map(|f| f.path.as_str()))?;
        found.into_iter().map(|file| offered(&file)).collect()
    })
    .await
}

fn offered(file: &Found) -> Result<Offered, StageError> {
    let meta = fs::symlink_metadata(&file.from).map_err(|e| read_error(&e, &file.from))?;
    let changed = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Ok(Offered {
        path: file.path.clone(),
        size: Some(meta.len()),
        sha256: None,
        stamp: changed.map(|at| at.as_nanos().to_string()),
        changed_at: changed.and_then(|at| i64::try_from(at.as_millis()).ok()),
    })
}

/// Lists `root` without following links; answers its real path and the files.
pub(super) fn walk(cx: &StageContext, root: &Path) -> Result<(PathBuf, Vec<Found>), StageError> {
    let root = root.canonicalize().map_err(|e| read_error(&e, root))?;
    if !fs::metadata(&root).map_err(|e| read_error(&e, &root))?.is_dir() {
        return Err(invalid("it is not a folder", &root));
    }
    let mut found = Vec::new();
    let mut open = vec![(root.clone(), String::new(), 0)];
    while let Some((dir, prefix, depth)) = open.pop() {
        cx.check()?;
        cx.alive();
        for entry in fs::read_dir(&dir).map_err(|e| read_error(&e, &dir))? {
            let entry = entry.map_err(|e| read_error(&e, &dir))?;
            let from = entry.path();
            let name = entry.file_name();
            let Some(name) = name.to_str() else { return Err(invalid("its name is not UTF-8", &from)) };
            let kind = entry.file_type().map_err(|e| read_error(&e, &from))?;
            if kind.is_dir() {
                if depth >= MAX_DEPTH {
                    return Err(invalid("it is nested too deep", &from));
                }
                open.push((from, format!("{prefix}{name}/"), depth + 1));
            } else if !kind.is_file() {
                let what =
                    if kind.is_symlink() { "it is a symbolic link" } else { "it is not a regular file" };
                return Err(invalid(what, &from));
            } else if !dropping(name) {
                let size = entry.metadata().map_err(|e| read_error(&e, &from))?.len();
                found.push(Found { path: format!("{prefix}{name}"), from, size });
                if found.len() > MAX_FILES {
                    return Err(invalid("it has too many files", &root));
                }
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((root, found))
}

/// What desktops leave in folders by themselves.
fn dropping(name: &str) -> bool {
    name.starts_with("._")
        || [".DS_Store", "Thumbs.db", "desktop.ini"].iter().any(|n| n.eq_ignore_ascii_case(name))
}

async fn copy(
    cx: &StageContext,
    root: &Path,
    file: &Found,
    slot: &Slot,
    tally: Tally,
) -> Result<Done, StageError> {
    let (from, real_root) = (file.from.clone(), root.to_owned());
    let (source, meta) = blocking(move || open_inside(&real_root, &from)).await?;
    let origin = file.from.to_string_lossy().into_owned();
    let fresh =
        FileState { origin, etag: Some(stamp(&meta)), length: Some(meta.len()), ..FileState::default() };

    let mut state = slot.read_state().await;
    let same = state.origin == fresh.origin && state.etag == fresh.etag && state.length == fresh.length;
    if same && let Some(done) = slot.done(&state).await {
        return Ok(done);
    }
    if !same || state.done.is_some() {
        slot.forget().await?;
        state = fresh;
        slot.write_state(&state).await?;
    }

    let mut part = slot.open_part(cx, state.synced.min(slot.part_len().await)).await?;
    let mut source = seek(source, part.len(), &file.from).await?;
    loop {
        cx.check()?;
        let (cx, from) = (cx.clone(), file.from.clone());
        let (total, until) = (tally, part.len() + SYNC_EVERY);
        let at_end;
        (part, source, at_end) = blocking(move || {
            let mut buffer = vec![0; CHUNK];
            while part.len() < until && !cx.cancel.is_cancelled() {
                let n = source.read(&mut buffer).map_err(|e| read_error(&e, &from))?;
                if n == 0 {
                    return Ok((part, source, true));
                }
                part.append(&buffer[..n])?;
                cx.progress(total.done + part.len(), total.total);
            }
            Ok((part, source, false))
        })
        .await?;
        if at_end {
            break;
        }
        part = slot.sync(part, &mut state).await?;
    }

    let (path, now) = (file.from.clone(), source);
    let after = blocking(move || now.metadata().map_err(|e| read_error(&e, &path))).await?;
    if Some(stamp(&after)) != state.etag || part.len() != after.len() {
        slot.forget().await?;
        return Err(StageError::transient(
            "source_changed",
            format!("{} changed while it was read", file.from.display()),
        ));
    }
    slot.finish(part, &mut state).await
}

/// Opens a file that really lies below `root`, whatever was put there since it was listed.
pub(in crate::delivery) fn open_inside(root: &Path, path: &Path) -> Result<(File, Metadata), StageError> {
    let real = path.canonicalize().map_err(|e| read_error(&e, path))?;
    if real != *path || !real.starts_with(root) {
        return Err(invalid("it is a symbolic link", path));
    }
    let file = File::open(path).map_err(|e| read_error(&e, path))?;
    let meta = file.metadata().map_err(|e| read_error(&e, path))?;
    if !meta.is_file() {
        return Err(invalid("it is not a regular file", path));
    }
    Ok((file, meta))
}

async fn seek(mut file: File, to: u64, path: &Path) -> Result<File, StageError> {
    let path = path.to_owned();
    blocking(move || {
        file.seek(SeekFrom::Start(to)).map_err(|e| read_error(&e, &path))?;
        Ok(file)
    })
    .await
}

/// Size and time of change: the validator of a local file.
pub(super) fn stamp(meta: &Metadata) -> String {
    let changed = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{}-{}", meta.len(), changed.as_nanos())
}

fn invalid(why: &str, path: &Path) -> StageError {
    StageError::permanent("source_invalid", format!("{why}: {}", path.display()))
}

/// A network drive that went away may come back; a missing or closed path needs the owner.
pub(super) fn read_error(error: &io::Error, path: &Path) -> StageError {
    let detail = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => StageError::permanent("source_not_found", detail),
        io::ErrorKind::PermissionDenied => StageError::permanent("source_unauthorized", detail),
        io::ErrorKind::NotADirectory => StageError::permanent("source_invalid", detail),
        _ => StageError::transient("source_unreachable", detail),
    }
}
