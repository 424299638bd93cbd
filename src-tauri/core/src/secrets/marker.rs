//! `secrets.changed`: an empty file that is replaced by whoever changes a secret, so that every process of the shop asks
//! the store again with its very next question. Looking at it costs a microsecond.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::private_file;

/// Name of the file in the data directory.
const FILE_NAME: &str = "secrets.changed";

/// The file, and what it was when it was last looked at.
pub(super) struct Marker {
    path: PathBuf,
    seen: Mutex<Option<Stamp>>,
}

/// Changes with every replacement.
type Stamp = (u64, Option<SystemTime>);

impl Marker {
    pub(super) fn of(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE_NAME);
        let seen = Mutex::new(stamp(&path));
        Self { path, seen }
    }

    /// True when somebody has changed a secret since the last look.
    pub(super) fn moved(&self) -> bool {
        let now = stamp(&self.path);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *seen, now) != now
    }

    /// Tells every process, this one too. Where it cannot be written, others find out within half a minute.
    pub(super) fn move_on(&self) {
        let word = format!("{:016x}\n", rand::random::<u64>());
        if let Err(error) = private_file::replace(&self.path, word.as_bytes()) {
            tracing::warn!(%error, "other processes of the shop are not told at once that a secret changed");
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = metadata.len();
    Some((inode, metadata.modified().ok()))
}
