//! Files that a worker on another machine brought, on their way into the staging directory: each is read and hashed
//! before it counts. What is not as promised stays where it is.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::files::{CHUNK, Done, FileState, Slot, blocking, check_space, make_parent, sync_dir, write_error};
use super::manifest::{Manifest, ManifestFile, check_paths};
use super::source::open_inside;
use crate::workers::{StageContext, StageError};

/// Takes the promised `files` from `root` into `staging`: moves them when the directory is `ours`, else copies them,
/// because somebody else can write to it while we read. May be called again after a crash at any point.
///
/// # Errors
/// Permanent `worker_files_missing` and `checksum_mismatch` name the first file that is not as promised. Transient
/// `disk_full`, `target_unwritable`, `cancelled`.
pub(crate) async fn take_received(
    cx: &StageContext,
    root: &Path,
    ours: bool,
    staging: &Path,
    files: Vec<ManifestFile>,
) -> Result<Manifest, StageError> {
    check_paths(files.iter().map(|file| file.path.as_str()))?;
    let mut manifest = Manifest { files };
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    if !ours {
        check_space(staging, manifest.bytes()).await?;
    }
    let total = manifest.bytes();
    let mut done = 0;
    for file in &manifest.files {
        cx.check()?;
        cx.item(&file.path);
        let slot = Slot::new(staging, &file.path);
        let promised = Done { size: file.size, sha256: file.sha256.clone() };
        let state = slot.read_state().await;
        if slot.done(&state).await.as_ref() != Some(&promised) {
            slot.forget().await?;
            // Written first: after a crash in between the record says what the file has to be, and it is not there yet.
            let origin = format!("received:{}", file.path);
            slot.write_state(&FileState { origin, done: Some(promised), ..FileState::default() }).await?;
            let taking = Taking {
                cx: cx.clone(),
                root: root.to_owned(),
                file: file.clone(),
                to: slot.file,
                part: slot.part,
                before: done,
                total,
            };
            blocking(move || if ours { taking.move_in() } else { taking.copy_in() }).await?;
        }
        done += file.size;
        cx.progress(done, total);
    }
    Ok(manifest)
}

/// One file on its way.
struct Taking {
    cx: StageContext,
    root: PathBuf,
    file: ManifestFile,
    to: PathBuf,
    part: PathBuf,
    before: u64,
    total: u64,
}

impl Taking {
    fn move_in(&self) -> Result<(), StageError> {
        let (mut from, at) = self.open()?;
        self.read(&mut from, |_| Ok(()))?;
        from.sync_all().map_err(|error| write_error(&error, &at))?;
        make_parent(&self.to)?;
        fs::rename(&at, &self.to).map_err(|error| write_error(&error, &self.to))?;
        self.to.parent().map_or(Ok(()), sync_dir)
    }

    fn copy_in(&self) -> Result<(), StageError> {
        let (mut from, _) = self.open()?;
        make_parent(&self.to)?;
        make_parent(&self.part)?;
        let failed = |error: std::io::Error| write_error(&error, &self.part);
        let mut copy = File::create(&self.part).map_err(failed)?;
        let read = self.read(&mut from, |bytes| std::io::Write::write_all(&mut copy, bytes).map_err(failed));
        if let Err(error) = read {
            let _ = fs::remove_file(&self.part);
            return Err(error);
        }
        copy.sync_all().map_err(failed)?;
        fs::rename(&self.part, &self.to).map_err(|error| write_error(&error, &self.to))?;
        self.to.parent().map_or(Ok(()), sync_dir)
    }

    fn open(&self) -> Result<(File, PathBuf), StageError> {
        let missing = |detail: String| StageError::permanent("worker_files_missing", detail);
        let root = self.root.canonicalize().map_err(|_| missing("nothing was brought".to_owned()))?;
        let at = root.join(&self.file.path);
        let (file, meta) = open_inside(&root, &at)
            .map_err(|error| missing(format!("{} was not brought: {}", self.file.path, error.code)))?;
        if meta.len() != self.file.size {
            let detail = format!("{} has {} bytes instead of {}", self.file.path, meta.len(), self.file.size);
            return Err(missing(detail));
        }
        Ok((file, at))
    }

    fn read(
        &self,
        from: &mut File,
        mut sink: impl FnMut(&[u8]) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let (mut hash, mut read, mut buffer) = (Sha256::new(), 0_u64, vec![0; CHUNK]);
        loop {
            self.cx.check()?;
            let n = from.read(&mut buffer).map_err(|error| {
                StageError::transient("source_unreachable", format!("{}: {error}", self.file.path))
            })?;
            read += n as u64;
            if n == 0 || read > self.file.size {
                break;
            }
            hash.update(&buffer[..n]);
            sink(&buffer[..n])?;
            self.cx.progress(self.before + read, self.total);
        }
        let sum = hex::encode(hash.finalize());
        if read != self.file.size || sum != self.file.sha256 {
            let detail = format!("{} has sha256 {sum} instead of {}", self.file.path, self.file.sha256);
            return Err(StageError::permanent("checksum_mismatch", detail));
        }
        Ok(())
    }
}
