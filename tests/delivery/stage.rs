//! A running stage under the test's control, and course folders to deliver.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chotdon_core::delivery::{Manifest, ManifestFile};
use chotdon_core::ports::Clock;
use chotdon_core::workers::{Meter, StageContext};
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// 2023-11-14T22:13:20Z.
pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// Stands still, and tells whenever it is read, which every sign of life of a stage does.
#[derive(Default)]
struct Still(Arc<Notify>);

impl Clock for Still {
    fn now_ms(&self) -> i64 {
        self.0.notify_one();
        NOW_MS
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// A stage and the directories it works in.
pub(crate) struct Stage {
    pub(crate) cx: StageContext,
    pub(crate) meter: Arc<Meter>,
    life: Arc<Notify>,
    dir: Arc<TempDir>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let (meter, life) = (Arc::new(Meter::default()), Arc::default());
        let cx = StageContext::new(
            CancellationToken::new(),
            Arc::clone(&meter),
            Arc::new(Still(Arc::clone(&life))),
        );
        Self { cx, meter, life, dir: Arc::new(tempfile::tempdir().unwrap()) }
    }

    /// The same directories, not cancelled: the next attempt.
    pub(crate) fn next(&self) -> Self {
        Self { dir: Arc::clone(&self.dir), ..Self::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.path("staging/1")
    }

    pub(crate) fn library(&self) -> PathBuf {
        self.path("library")
    }

    /// Waits until the stage has reported this many bytes.
    pub(crate) async fn has_done(&self, bytes: u64) {
        while self.progress().0 < bytes {
            self.life.notified().await;
        }
    }

    /// Bytes done and in all, as the owner sees them.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.meter.done.load(Ordering::Relaxed), self.meter.total.load(Ordering::Relaxed))
    }
}

/// Bytes that are never the same twice in a file, so that a wrong offset shows.
pub(crate) fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Writes `files` below `root` and answers their manifest.
pub(crate) fn course(root: &Path, files: &[(&str, &[u8])]) -> Manifest {
    let mut manifest = Manifest::default();
    for (path, bytes) in files {
        let to = root.join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(&to, bytes).unwrap();
        let (size, sha256) = (bytes.len() as u64, sha256(bytes));
        manifest.files.push(ManifestFile { path: (*path).to_owned(), size, sha256 });
    }
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    manifest
}
