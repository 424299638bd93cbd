//! The staging directory of one preparation, and the few file operations that the other files share.
//!
//! Layout: `files/PATH` complete files, `parts/KEY.part` and `parts/KEY.state` a file under way and what is
//! known about it. Nothing here is the truth: all of it can be deleted at any time and is then fetched again.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::panics;
use crate::workers::{StageContext, StageError};

/// Bytes read, hashed and written at a time.
pub(super) const CHUNK: usize = 1 << 20;
/// Bytes after which a part is synced and that is recorded.
pub(super) const SYNC_EVERY: u64 = 8 << 20;

/// Removes a staging directory; one that is not there is fine.
///
/// # Errors
/// `target_unwritable` (transient) when the files cannot be removed.
pub async fn discard_staging(staging: &Path) -> Result<(), StageError> {
    match tokio::fs::remove_dir_all(staging).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(write_error(&error, staging)),
        _ => Ok(()),
    }
}

/// Where a complete file lies in `staging`.
pub(crate) fn staged(staging: &Path, path: &str) -> PathBuf {
    staging.join("files").join(path)
}

/// What is known about one file, kept beside its part and after it is complete.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileState {
    /// Where the bytes come from; bytes of another origin are never appended to.
    pub(super) origin: String,
    /// Validator of the bytes so far: an `ETag`, or size and time of a local file.
    pub(super) etag: Option<String>,
    /// `Last-Modified`, used only to ask whether a complete file changed.
    pub(super) last_modified: Option<String>,
    /// Size of the whole file where the origin said so.
    pub(super) length: Option<u64>,
    /// Bytes of the part that reached the disk. Without a checksum to compare in the end only these are
    /// trusted, because after a power failure a longer part may hold anything.
    #[serde(default)]
    pub(super) synced: u64,
    /// Set once the file is complete, synced and in place.
    pub(super) done: Option<Done>,
}

/// A complete staged file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) size: u64,
    pub(super) sha256: String,
}

/// The places of one file in a staging directory.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) file: PathBuf,
    pub(super) part: PathBuf,
    state: PathBuf,
}

impl Slot {
    /// The slot of `path`. Part names are digests: they fit any file system however long the path is.
    pub(super) fn new(staging: &Path, path: &str) -> Self {
        let key = hex::encode(Sha256::digest(path.as_bytes()));
        let parts = staging.join("parts");
        Self {
            file: staged(staging, path),
            part: parts.join(format!("{key}.part")),
            state: parts.join(format!("{key}.state")),
        }
    }

    /// What was recorded; an unreadable record is none.
    pub(super) async fn read_state(&self) -> FileState {
        let text = tokio::fs::read(&self.state).await.unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Records `state` by replacing the file, so that a crash leaves the old or the new one.
    pub(super) async fn write_state(&self, state: &FileState) -> Result<(), StageError> {
        let text = serde_json::to_vec(state).map_err(|e| StageError::permanent("internal", e.to_string()))?;
        let (path, new) = (self.state.clone(), self.state.with_extension("new"));
        blocking(move || {
            make_parent(&path)?;
            fs::write(&new, text).map_err(|e| write_error(&e, &new))?;
            fs::rename(&new, &path).map_err(|e| write_error(&e, &path))
        })
        .await
    }

    /// The complete file that `state` records, when it is really there with its size.
    pub(super) async fn done(&self, state: &FileState) -> Option<Done> {
        let done = state.done.clone()?;
        let meta = tokio::fs::metadata(&self.file).await.ok()?;
        (meta.is_file() && meta.len() == done.size).then_some(done)
    }

    /// Forgets everything about the file.
    pub(super) async fn forget(&self) -> Result<(), StageError> {
        for path in [&self.state, &self.part, &self.file] {
            match tokio::fs::remove_file(path).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(write_error(&error, path));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Length of the part on disk; 0 when there is none.
    pub(super) async fn part_len(&self) -> u64 {
        tokio::fs::metadata(&self.part).await.map_or(0, |meta| meta.len())
    }

    /// Opens the part, keeps its first `keep` bytes and hashes them.
    pub(super) async fn open_part(&self, cx: &StageContext, keep: u64) -> Result<Part, StageError> {
        let (path, cx) = (self.part.clone(), cx.clone());
        blocking(move || Part::open(path, keep, &cx)).await
    }

    /// Syncs the part and records in `state` how far it is on the disk.
    pub(super) async fn sync(&self, part: Part, state: &mut FileState) -> Result<Part, StageError> {
        let part =
            blocking(move || part.file.sync_data().map_err(|e| write_error(&e, &part.path)).map(|()| part))
                .await?;
        state.synced = part.len;
        self.write_state(state).await?;
        Ok(part)
    }

    /// Syncs a complete part, moves it to its place and records that.
    pub(super) async fn finish(&self, part: Part, state: &mut FileState) -> Result<Done, StageError> {
        let slot = self.clone();
        let done = blocking(move || {
            part.file.sync_all().map_err(|e| write_error(&e, &part.path))?;
            make_parent(&slot.file)?;
            fs::rename(&part.path, &slot.file).map_err(|e| write_error(&e, &slot.file))?;
            Ok(Done { size: part.len, sha256: hex::encode(part.hash.finalize()) })
        })
        .await?;
        state.done = Some(done.clone());
        self.write_state(state).await?;
        Ok(done)
    }
}

impl Slot {
    /// Takes over a complete file that `bring` moves to the slot's place: hashed, made durable, recorded.
    /// `progress` is given the bytes read so far.
    pub(super) async fn adopt(
        &self,
        cx: &StageContext,
        mut file: File,
        bring: impl FnOnce(&File, &Path) -> io::Result<()> + Send + 'static,
        progress: impl Fn(u64) + Send + 'static,
    ) -> Result<Done, StageError> {
        let (slot, cx) = (self.clone(), cx.clone());
        let done = blocking(move || {
            let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; CHUNK]);
            loop {
                cx.check()?;
                let n = file.read(&mut buffer).map_err(|e| write_error(&e, &slot.file))?;
                if n == 0 {
                    break;
                }
                hash.update(&buffer[..n]);
                size += n as u64;
                progress(size);
            }
            file.sync_all().map_err(|e| write_error(&e, &slot.file))?;
            make_parent(&slot.file)?;
            bring(&file, &slot.file).map_err(|e| write_error(&e, &slot.file))?;
            Ok(Done { size, sha256: hex::encode(hash.finalize()) })
        })
        .await?;
        self.write_state(&FileState { done: Some(done.clone()), ..FileState::default() }).await?;
        Ok(done)
    }
}

/// A file under way: what lies on disk and its hash so far.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: File,
    hash: Sha256,
    len: u64,
}

impl Part {
    fn open(path: PathBuf, keep: u64, cx: &StageContext) -> Result<Self, StageError> {
        make_parent(&path)?;
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut part =
            Self { file: file.map_err(|e| write_error(&e, &path))?, path, hash: Sha256::new(), len: 0 };
        part.file.set_len(keep).map_err(|e| write_error(&e, &part.path))?;
        let mut buffer = vec![0; CHUNK];
        while part.len < keep {
            cx.check()?;
            cx.alive();
            let n = part.file.read(&mut buffer).map_err(|e| write_error(&e, &part.path))?;
            if n == 0 {
                return Err(StageError::transient(
                    "internal",
                    "a staged file became shorter while it was read",
                ));
            }
            part.hash.update(&buffer[..n]);
            part.len += n as u64;
        }
        part.file.seek(SeekFrom::Start(keep)).map_err(|e| write_error(&e, &part.path))?;
        Ok(part)
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Appends `bytes` off the async threads.
    pub(super) async fn write(
        mut self,
        bytes: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<Self, StageError> {
        blocking(move || self.append(bytes.as_ref()).map(|()| self)).await
    }

    /// Appends `bytes` on this thread.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), StageError> {
        self.file.write_all(bytes).map_err(|e| write_error(&e, &self.path))?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }
}

/// Runs file work off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StageError> + Send + 'static,
) -> Result<T, StageError> {
    match tokio::task::spawn_blocking(move || panics::caught_here(work)).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => panic.go_on(),
        Err(_) => Err(StageError::transient("cancelled", "the program is stopping")),
    }
}

/// The error for `error` while writing `path`.
pub(super) fn write_error(error: &io::Error, path: &Path) -> StageError {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk_full",
        _ => "target_unwritable",
    };
    StageError::transient(code, format!("{}: {error}", path.display()))
}

/// Makes the directory that `path` lies in.
pub(super) fn make_parent(path: &Path) -> Result<(), StageError> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|e| write_error(&e, parent))
}

/// Fails with `disk_full` when the disk of `dir` has not `needed` bytes left. A disk that does not say is trusted.
pub(super) async fn check_space(dir: &Path, needed: u64) -> Result<(), StageError> {
    let dir = dir.to_owned();
    blocking(move || {
        fs::create_dir_all(&dir).map_err(|e| write_error(&e, &dir))?;
        match fs4::available_space(&dir) {
            Ok(free) if free < needed => Err(StageError::transient(
                "disk_full",
                format!("{} needs {needed} bytes and {free} are free", dir.display()),
            )),
            _ => Ok(()),
        }
    })
    .await
}

/// Makes a directory's entries durable. Only Unix has a way to ask for it.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StageError> {
    if cfg!(unix) {
        File::open(dir).and_then(|d| d.sync_all()).map_err(|e| write_error(&e, dir))?;
    }
    Ok(())
}
