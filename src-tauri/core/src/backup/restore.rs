//! The way back. A copy is brought aside, checked, taken to this version's schema and calmed down, all in a folder of its
//! own; only then does it take the shop's place, in a few renames that go on after a crash. What was there is kept.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use chotdon_store::{Contents, CopyCounts, Store};

use super::{BackupError, aside, check};
use crate::lock::{DirectoryLock, NotLocked};
use crate::private_file;

/// Where the next shop waits, in the data directory.
const PENDING: &str = "restore-pending";
/// Written last: from then on the next start takes it.
const READY: &str = "ready.json";
/// What belongs to a shop's database, in the order in which it goes.
const DATABASE: [&str; 3] = ["shop.db-wal", "shop.db-shm", "shop.db"];

/// A copy that waits for the next start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// When the copy was made, ms; `None` when it does not say.
    pub(crate) made_at: Option<i64>,
    /// When it was asked for, ms.
    pub(crate) asked_at: i64,
    /// Where the shop of today goes, below the data directory.
    pub(crate) aside: String,
    /// Files that come back besides the database.
    files: Vec<String>,
    /// Orders, customers, courses, transfers, tasks that had not ended.
    pub(crate) counts: [i64; 5],
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the copy holds.
    pub contents: Contents,
    /// Where the shop that was there is now.
    pub aside: PathBuf,
}

/// Puts a copy in the place of the shop in `data_dir`, which nobody may have open.
///
/// # Errors
/// [`BackupError::Running`]; otherwise the shop is as it was.
pub async fn restore_now(
    data_dir: &Path,
    file: &Path,
    actor: &str,
    now: i64,
) -> Result<Restored, BackupError> {
    private_file::create_folder(data_dir).map_err(|error| BackupError::Io(data_dir.to_owned(), error))?;
    let lock = DirectoryLock::take(data_dir).map_err(|not| match not {
        NotLocked::Taken => BackupError::Running,
        NotLocked::Io(error) => BackupError::Io(data_dir.to_owned(), error),
    })?;
    let contents = stage(data_dir, file, actor, now).await?;
    let aside = apply_pending(data_dir).map_err(|error| BackupError::Io(data_dir.to_owned(), error))?;
    drop(lock);
    Ok(Restored { contents, aside: aside.unwrap_or_default() })
}

/// Prepares a copy to take the shop's place at the next start: checked, at this version's schema, with everything
/// paused. The shop goes on meanwhile.
///
/// # Errors
/// [`BackupError`]; nothing waits then.
pub async fn stage(data_dir: &Path, file: &Path, actor: &str, now: i64) -> Result<Contents, BackupError> {
    let contents = check(file).await?;
    withdraw(data_dir).map_err(|error| BackupError::Io(data_dir.to_owned(), error))?;
    let folder = data_dir.join(PENDING);
    let staged = {
        let (folder, file, contents, actor) =
            (folder.clone(), file.to_owned(), contents.clone(), actor.to_owned());
        // Migrating holds what cannot change threads.
        let here = tokio::runtime::Handle::current();
        let preparing = move || here.block_on(prepare(&folder, &file, &contents, &actor, now));
        tokio::task::spawn_blocking(preparing).await
    };
    let staged = staged.unwrap_or_else(|error| Err(BackupError::Damaged(error.to_string())));
    if staged.is_err() {
        let _ = std::fs::remove_dir_all(&folder);
    }
    staged?;
    Ok(contents)
}

async fn prepare(
    folder: &Path,
    file: &Path,
    contents: &Contents,
    actor: &str,
    now: i64,
) -> Result<(), BackupError> {
    let io = |error: io::Error| BackupError::Io(folder.to_owned(), error);
    private_file::create_folder(folder).map_err(io)?;
    let target = folder.join("shop.db");
    drop(private_file::create_new(&target).map_err(io)?);
    std::fs::copy(file, &target).map_err(io)?;
    private_file::owner_only_now(&target).map_err(io)?;
    let store = Store::open(folder).await?;
    let calmed = async {
        store.begin_again(contents, actor, now).await?;
        store.verify().await
    }
    .await;
    store.close().await;
    if let Some(problem) = calmed?.problems.first() {
        return Err(BackupError::Damaged(problem.clone()));
    }
    // What is renamed later is one file.
    Store::into_one_file(&target).await?;
    let mut files = Vec::new();
    for along in contents.files.iter().filter(|along| is_ours(&along.path)) {
        let path = folder.join(&along.path);
        private_file::create_folder(path.parent().unwrap_or(folder)).map_err(io)?;
        private_file::replace(&path, &along.body).map_err(io)?;
        files.push(along.path.clone());
    }
    let CopyCounts { orders, customers, courses, transfers, open_tasks, .. } = contents.counts;
    let pending = Pending {
        made_at: contents.made_at,
        asked_at: now,
        aside: aside::folder_name(now),
        files,
        counts: [orders, customers, courses, transfers, open_tasks],
    };
    let words = serde_json::to_vec(&pending).map_err(|error| io(io::Error::other(error)))?;
    private_file::replace(&folder.join(READY), &words).map_err(io)
}

/// Only what we put into copies comes out of them.
fn is_ours(path: &str) -> bool {
    let plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    path == crate::config::FILE_NAME || path.strip_prefix("templates/").is_some_and(plain)
}

/// The copy that waits for the next start.
pub(crate) fn pending(data_dir: &Path) -> Option<Pending> {
    serde_json::from_slice(&std::fs::read(data_dir.join(PENDING).join(READY)).ok()?).ok()
}

/// Forgets the copy that waits.
pub(crate) fn withdraw(data_dir: &Path) -> io::Result<()> {
    let folder = data_dir.join(PENDING);
    // First what makes it count, so that a crash in between leaves nothing half.
    for gone in [std::fs::remove_file(folder.join(READY)), std::fs::remove_dir_all(&folder)] {
        match gone {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Lets the copy that waits take the shop's place; answers where the shop before it is now. Called before anything is
/// opened, by whoever holds the directory. Goes on where an interrupted one stopped.
///
/// # Errors
/// The file system's word.
pub(crate) fn apply_pending(data_dir: &Path) -> io::Result<Option<PathBuf>> {
    let folder = data_dir.join(PENDING);
    let Some(pending) = pending(data_dir) else {
        // One that was never finished.
        return withdraw(data_dir).map(|()| None);
    };
    let aside = data_dir.join(&pending.aside);
    private_file::create_folder(&aside)?;
    if folder.join("shop.db").exists() {
        for name in DATABASE {
            set_aside(data_dir, &aside, name)?;
        }
        private_file::sync_folder(&aside)?;
        std::fs::rename(folder.join("shop.db"), data_dir.join("shop.db"))?;
    }
    for name in &pending.files {
        if folder.join(name).exists() {
            set_aside(data_dir, &aside, name)?;
            let place = data_dir.join(name);
            private_file::create_folder(place.parent().unwrap_or(data_dir))?;
            std::fs::rename(folder.join(name), place)?;
        }
    }
    private_file::sync_folder(data_dir)?;
    withdraw(data_dir)?;
    Ok(Some(aside))
}

fn set_aside(data_dir: &Path, aside: &Path, name: &str) -> io::Result<()> {
    let (from, to) = (data_dir.join(name), aside.join(name));
    if !from.exists() {
        return Ok(());
    }
    private_file::create_folder(to.parent().unwrap_or(aside))?;
    std::fs::rename(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lay_out(dir: &Path) -> Pending {
        std::fs::write(dir.join("shop.db"), "old").unwrap();
        std::fs::write(dir.join("shop.db-wal"), "old wal").unwrap();
        std::fs::write(dir.join("config.toml"), "old config").unwrap();
        let folder = dir.join(PENDING);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("shop.db"), "new").unwrap();
        std::fs::write(folder.join("config.toml"), "new config").unwrap();
        let pending = Pending {
            made_at: Some(1),
            asked_at: 2,
            aside: "before-restore-x".to_owned(),
            files: vec!["config.toml".to_owned()],
            counts: [0; 5],
        };
        std::fs::write(folder.join(READY), serde_json::to_vec(&pending).unwrap()).unwrap();
        pending
    }

    fn read(path: PathBuf) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn an_interrupted_swap_goes_on_wherever_it_stopped() {
        // After each step that the swap makes, once.
        for stop in 0..6 {
            let dir = tempfile::tempdir().unwrap();
            let dir = dir.path();
            let aside = dir.join(lay_out(dir).aside);
            let folder = dir.join(PENDING);
            let steps: [(PathBuf, PathBuf); 5] = [
                (dir.join("shop.db-wal"), aside.join("shop.db-wal")),
                (dir.join("shop.db"), aside.join("shop.db")),
                (folder.join("shop.db"), dir.join("shop.db")),
                (dir.join("config.toml"), aside.join("config.toml")),
                (folder.join("config.toml"), dir.join("config.toml")),
            ];
            std::fs::create_dir(&aside).unwrap();
            for (from, to) in &steps[..stop.min(5)] {
                std::fs::rename(from, to).unwrap();
            }
            assert_eq!(apply_pending(dir).unwrap(), Some(aside.clone()), "stopped after {stop}");
            assert_eq!(
                (read(dir.join("shop.db")), read(dir.join("config.toml"))),
                ("new".into(), "new config".into())
            );
            assert_eq!(
                (read(aside.join("shop.db")), read(aside.join("shop.db-wal"))),
                ("old".into(), "old wal".into())
            );
            assert_eq!(read(aside.join("config.toml")), "old config");
            assert!(!dir.join("shop.db-wal").exists() && !folder.exists());
            assert_eq!(apply_pending(dir).unwrap(), None, "once");
        }
    }

    #[test]
    fn one_that_was_never_finished_is_thrown_away() {
        let dir = tempfile::tempdir().unwrap();
        lay_out(dir.path());
        std::fs::remove_file(dir.path().join(PENDING).join(READY)).unwrap();
        assert_eq!(apply_pending(dir.path()).unwrap(), None);
        assert_eq!(read(dir.path().join("shop.db")), "old");
        assert!(!dir.path().join(PENDING).exists());
    }

    #[test]
    fn a_copy_brings_no_file_of_its_own_choice() {
        for path in [
            "../x",
            "templates/../x",
            "templates/",
            "secrets.json",
            "/etc/passwd",
            "templates/a/b",
            "templates/.x",
        ] {
            assert!(!is_ours(path), "{path}");
        }
        assert!(is_ours("config.toml") && is_ours("templates/delivery.vi.html"));
    }
}
