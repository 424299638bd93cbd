//! Copies of the shop: made every day and on demand, each opened and checked before it counts; and the way back.
//!
//! A copy holds the database, the settings and the owner's mail templates. It holds no secrets: these are in their own
//! store. Courses are not in it either; they are prepared again from their sources.

mod aside;
mod daily;
mod restore;

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use chotdon_store::{Along, BackupRun, Contents, Store};

pub(crate) use daily::daily;
pub use restore::{Restored, restore_now, stage};
pub(crate) use restore::{apply_pending, pending, withdraw};

use crate::config::Config;
use crate::metrics::process::disk;
use crate::private_file;

/// What follows the name of every copy that the app names.
const SUFFIX: &str = ".chotdon-backup.db";
/// The folder of copies in the data directory.
const FOLDER: &str = "backups";
/// Largest file that goes along with the database, bytes.
const LARGEST: u64 = 1_000_000;

/// Why a copy could not be made, or not be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Less room than a copy takes.
    #[error("the copy needs about {needed} MB and the disk of {folder} has {free} MB free")]
    NoSpace {
        /// MB.
        needed: u64,
        /// MB.
        free: u64,
        /// Where it was to go.
        folder: PathBuf,
    },
    /// The file is there already.
    #[error("{0} exists already")]
    Exists(PathBuf),
    /// There is no such copy.
    #[error("{0} is not there")]
    Missing(PathBuf),
    /// It is no copy of a shop, or not one that may be trusted.
    #[error("the copy cannot be used: {0}")]
    Damaged(String),
    /// A process has the shop open.
    #[error("the shop is running; stop it first")]
    Running,
    /// The file system's word.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// The database's word.
    #[error(transparent)]
    Store(#[from] chotdon_store::Error),
}

impl BackupError {
    /// Stable code that the UI has words for.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSpace { .. } => "backup_no_space",
            Self::Exists(_) => "backup_exists",
            Self::Missing(_) => "backup_missing",
            Self::Damaged(_) => "backup_damaged",
            Self::Running => "shop_is_running",
            Self::Io(..) | Self::Store(_) => "backup_failed",
        }
    }
}

/// A copy that was made and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Where it is.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What it holds.
    pub contents: Contents,
}

/// Makes a copy of the shop in `data_dir` at `file`, opens it and checks everything in it. `cause` is `timer`, `owner` or
/// `command`; the outcome is written down under it.
///
/// # Errors
/// [`BackupError`]; nothing is left at `file` then.
pub async fn make(
    store: &Store,
    data_dir: &Path,
    file: &Path,
    cause: &str,
    now: i64,
) -> Result<Made, BackupError> {
    let made = copy(store, data_dir, file, now).await;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut run = BackupRun {
        id: 0,
        cause: cause.to_owned(),
        at: now,
        took_ms: 0,
        file: None,
        bytes: None,
        code: None,
        detail: None,
    };
    match &made {
        Ok(made) => {
            run.file = name;
            run.bytes = i64::try_from(made.bytes).ok();
            tracing::info!(file = %file.display(), bytes = made.bytes, orders = made.contents.counts.orders, "a backup was made and checked");
        }
        Err(error) => {
            run.code = Some(error.code().to_owned());
            run.detail = Some(error.to_string());
            tracing::error!(%error, file = %file.display(), code = error.code(), "a backup failed");
        }
    }
    if let Err(error) = store.keep_backup_run(run).await {
        tracing::error!(%error, "how the backup went could not be written down");
    }
    made
}

async fn copy(store: &Store, data_dir: &Path, file: &Path, now: i64) -> Result<Made, BackupError> {
    let io = |error| BackupError::Io(file.to_owned(), error);
    if file.exists() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private_file::create_folder(folder).map_err(io)?;
    let size = |name: &str| std::fs::metadata(data_dir.join(name)).map_or(0, |found| found.len());
    let needed = size("shop.db") + size("shop.db-wal") + (16 << 20);
    if let Some((free, _)) = disk(folder).filter(|(free, _)| *free < needed) {
        return Err(BackupError::NoSpace {
            needed: needed >> 20,
            free: free >> 20,
            folder: folder.to_owned(),
        });
    }
    let name = file.file_name().ok_or_else(|| io(io::Error::other("the path names no file")))?;
    let draft = folder.join(format!(".{}.new", name.to_string_lossy()));
    let _ = std::fs::remove_file(&draft);
    let checked = async {
        store.back_up(&draft, &along(data_dir).map_err(io)?, env!("CARGO_PKG_VERSION"), now).await?;
        check(&draft).await
    }
    .await;
    let placed = checked.and_then(|contents| {
        std::fs::rename(&draft, file).map_err(io)?;
        Ok(contents)
    });
    if placed.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    let contents = placed?;
    private_file::sync_folder(folder).map_err(io)?;
    Ok(Made { file: file.to_owned(), bytes: std::fs::metadata(file).map_err(io)?.len(), contents })
}

/// Opens a copy read-only and checks the file, the books and the work in it; answers what it holds. A copy of an older
/// version is checked as far as that goes.
///
/// # Errors
/// [`BackupError::Damaged`] with the first thing that is wrong.
pub async fn check(file: &Path) -> Result<Contents, BackupError> {
    if !file.exists() {
        return Err(BackupError::Missing(file.to_owned()));
    }
    let damaged = |error: chotdon_store::Error| BackupError::Damaged(error.to_string());
    let store = Store::open_copy(file).await.map_err(damaged)?;
    let looked = async {
        let findings = store.verify().await?;
        Ok((findings, store.contents().await?))
    }
    .await;
    store.close().await;
    let (findings, contents) = looked.map_err(damaged)?;
    match findings.problems.first() {
        Some(problem) => Err(BackupError::Damaged(problem.clone())),
        None => Ok(contents),
    }
}

/// The files that go along: settings and templates.
fn along(data_dir: &Path) -> io::Result<Vec<Along>> {
    let mut files = Vec::new();
    let mut take = |path: PathBuf, name: String| -> io::Result<()> {
        let found = std::fs::symlink_metadata(&path)?;
        if found.is_file() && found.len() <= LARGEST {
            files.push(Along { path: name, body: std::fs::read(&path)? });
        }
        Ok(())
    };
    if data_dir.join(crate::config::FILE_NAME).exists() {
        take(data_dir.join(crate::config::FILE_NAME), crate::config::FILE_NAME.to_owned())?;
    }
    if let Ok(templates) = std::fs::read_dir(data_dir.join("templates")) {
        for entry in templates {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                take(entry.path(), format!("templates/{name}"))?;
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Where daily copies and those of the button go.
pub(crate) fn folder(config: &Config, data_dir: &Path) -> PathBuf {
    config.backup.folder.as_ref().map_or_else(|| data_dir.join(FOLDER), PathBuf::from)
}

/// The name of a copy made at `now`, by Vietnam's time.
pub(crate) fn name(now: i64) -> String {
    let at = Timestamp::from_millisecond(now).unwrap_or_default();
    let vietnam = at.to_zoned(TimeZone::fixed(Offset::constant(7)));
    format!("{}{SUFFIX}", vietnam.strftime("%Y-%m-%d-%H%M%S"))
}

/// A copy in the folder: its name, when it was last written (ms), bytes. Newest first.
pub(crate) fn list(folder: &Path) -> Vec<(String, i64, i64)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let row = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok().filter(|name| is_name(name))?;
        let found = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let at = found.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some((name, i64::try_from(at.as_millis()).ok()?, i64::try_from(found.len()).ok()?))
    };
    let mut rows: Vec<_> = entries.filter_map(row).collect();
    rows.sort_by(|a, b| b.0.cmp(&a.0));
    rows
}

/// Whether this is a name that the app gives, and so no path to anywhere else.
pub(crate) fn is_name(name: &str) -> bool {
    name.strip_suffix(SUFFIX).is_some_and(|day| {
        day.len() == 17
            && day.bytes().all(|b| b.is_ascii_digit() || b == b'-')
            && day.starts_with(|c: char| c != '-')
    })
}

/// Removes all but the newest `keep` copies that the app has named.
fn prune(folder: &Path, keep: usize) {
    for (name, ..) in list(folder).into_iter().skip(keep) {
        if let Err(error) = std::fs::remove_file(folder.join(&name)) {
            tracing::warn!(%error, name, "an old backup could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_lead_nowhere_else() {
        assert_eq!(name(1_795_280_400_000), "2026-11-22-000000.chotdon-backup.db");
        assert!(is_name(&name(0)));
        for wrong in [
            "../2026-11-22-000000.chotdon-backup.db",
            "x.chotdon-backup.db",
            "2026-11-22-000000.db",
            "shop.db",
        ] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }

    #[test]
    fn only_our_own_old_copies_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        for day in 1..=5 {
            std::fs::write(dir.path().join(name(day * 86_400_000)), "x").unwrap();
        }
        std::fs::write(dir.path().join("by-hand.db"), "x").unwrap();
        prune(dir.path(), 2);
        assert_eq!(list(dir.path()).len(), 2);
        assert!(list(dir.path())[0].0.starts_with("1970-01-06") && dir.path().join("by-hand.db").exists());
    }
}
