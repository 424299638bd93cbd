//! What lies in a course's folder, compared with what ought to.

use std::collections::HashMap;

use gdrive::{Class, Drive, File};

use super::super::super::drive_error;
use super::super::super::manifest::Manifest;
use super::super::DriveFile;
use super::note::Complete;
use crate::workers::{StageContext, StageError};

/// Everything below a folder, by id.
#[derive(Default)]
pub(super) struct There(HashMap<String, File>);

impl There {
    pub(super) async fn look(cx: &StageContext, drive: &Drive, folder: &str) -> Result<Self, StageError> {
        let (mut found, mut open) = (HashMap::new(), vec![folder.to_owned()]);
        while let Some(folder) = open.pop() {
            cx.check()?;
            cx.alive();
            for file in drive.list(&folder).await.map_err(drive_error)? {
                if file.is_folder() && !found.contains_key(&file.id) {
                    open.push(file.id.clone());
                }
                found.insert(file.id.clone(), file);
            }
        }
        Ok(Self(found))
    }

    /// A file that ought to be there. A list is late at times, so that what it lacks is asked for by id.
    pub(super) async fn file(&mut self, drive: &Drive, id: &str) -> Result<Option<File>, StageError> {
        if let Some(file) = self.0.get(id) {
            return Ok(Some(file.clone()));
        }
        match drive.file(id).await {
            Ok(file) if file.trashed => Ok(None),
            Ok(file) => Ok(Some(file)),
            Err(error) if *error.class() == Class::NotFound => Ok(None),
            Err(error) => Err(drive_error(error)),
        }
    }
}

/// What is wrong with a file, for an error's detail; by the strongest sum that Drive gives, else by size alone.
pub(super) fn differs(file: &File, expected: &Complete) -> Option<String> {
    if file.size != Some(expected.size) {
        return Some(format!("has {:?} bytes at Drive instead of {}", file.size, expected.size));
    }
    let (name, there, ours) = match (&file.sha256_checksum, &file.md5_checksum) {
        (Some(sum), _) => ("sha256", sum, &expected.sha256),
        (None, Some(sum)) if !expected.md5.is_empty() => ("md5", sum, &expected.md5),
        _ => return None,
    };
    (!there.eq_ignore_ascii_case(ours)).then(|| format!("has {name} {there} at Drive instead of {ours}"))
}

/// Compares every file of a course with what Drive says of it.
///
/// # Errors
/// Permanent `checksum_mismatch` when a file is missing or differs: preparing again from the source is the cure. Else
/// Drive's own.
pub(crate) async fn verify(
    cx: &StageContext,
    drive: &Drive,
    folder: &str,
    files: &[DriveFile],
    manifest: &Manifest,
) -> Result<(), StageError> {
    let mismatch = |detail: String| Err(StageError::permanent("checksum_mismatch", detail));
    let mut there = There::look(cx, drive, folder).await?;
    let by_path: HashMap<&str, &DriveFile> = files.iter().map(|file| (file.path.as_str(), file)).collect();
    let (total, mut done) = (manifest.bytes(), 0);
    for listed in &manifest.files {
        cx.check()?;
        cx.item(&listed.path);
        let Some(known) = by_path.get(listed.path.as_str()) else {
            return mismatch(format!("{} was never brought to Drive", listed.path));
        };
        let Some(file) = there.file(drive, &known.id).await? else {
            return mismatch(format!("{} is gone from Drive", listed.path));
        };
        let expected = Complete { size: listed.size, sha256: listed.sha256.clone(), md5: known.md5.clone() };
        if let Some(difference) = differs(&file, &expected) {
            return mismatch(format!("{} {difference}", listed.path));
        }
        done += listed.size;
        cx.progress(done, total);
    }
    Ok(())
}

/// Looks whether the course's folder can still be opened.
///
/// # Errors
/// Permanent `link_broken` when it is gone or in the bin, else Drive's own.
pub(crate) async fn available(drive: &Drive, folder: &str) -> Result<(), StageError> {
    let broken = |why: &str| Err(StageError::permanent("link_broken", why));
    match drive.file(folder).await {
        Ok(file) if file.trashed => broken("the course's folder lies in Drive's bin"),
        Ok(_) => Ok(()),
        Err(error) if *error.class() == Class::NotFound => broken("the course's folder is gone from Drive"),
        Err(error) => Err(drive_error(error)),
    }
}
