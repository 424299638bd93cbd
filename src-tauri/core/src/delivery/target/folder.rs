//! The library of the data directory, which the app itself serves.
//!
//! Layout: `LIBRARY/SLUG/vN/…`, one directory per version, put there in one rename. Older versions stay, links
//! to them go on working.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::files::{CHUNK, blocking, check_space, make_parent, staged, sync_dir, write_error};
use super::super::manifest::{Manifest, ManifestFile, check_path, check_paths};
use super::Location;
use crate::workers::{StageContext, StageError};

/// Moves the staged files to the library: first below a name of its own, then, all synced, to the final one.
///
/// May be called again after a crash at any point; files already there are not moved twice. A directory that
/// already has the final name is answered as it is when nothing is staged, and replaced otherwise.
///
/// # Errors
/// Transient `disk_full`, `target_unwritable`, `cancelled`; permanent `source_invalid` for a manifest or slug
/// that names no place, `checksum_mismatch` when a staged file is gone (prepare it again from its source).
pub async fn upload(
    cx: &StageContext,
    library: &Path,
    slug: &str,
    version: i64,
    staging: &Path,
    manifest: &Manifest,
) -> Result<Location, StageError> {
    cx.check()?;
    if slug.contains('/') || check_path(slug).is_err() || slug.starts_with('.') {
        return Err(StageError::permanent(
            "source_invalid",
            format!("the slug {slug:?} cannot name a folder"),
        ));
    }
    check_paths(manifest.files.iter().map(|f| f.path.as_str()))?;
    let location = Location::Folder { dir: format!("{slug}/v{version}") };
    let moving = Moving {
        cx: cx.clone(),
        course: library.join(slug),
        incoming: library.join(slug).join(format!(".v{version}.incoming")),
        replaced: library.join(slug).join(format!(".v{version}.replaced")),
        place: location.dir(library)?,
        staging: staging.to_owned(),
        manifest: manifest.clone(),
    };
    if !moving.same_disk().await? {
        check_space(&moving.course, manifest.bytes()).await?;
    }
    blocking(move || moving.run()).await?;
    Ok(location)
}

struct Moving {
    cx: StageContext,
    course: PathBuf,
    incoming: PathBuf,
    replaced: PathBuf,
    place: PathBuf,
    staging: PathBuf,
    manifest: Manifest,
}

impl Moving {
    /// Whether a rename will do; otherwise the bytes are copied and need room.
    async fn same_disk(&self) -> Result<bool, StageError> {
        let (from, to) = (self.staging.join("files"), self.course.clone());
        blocking(move || {
            fs::create_dir_all(&to).map_err(|e| write_error(&e, &to))?;
            Ok(same_device(&from, &to))
        })
        .await
    }

    fn run(&self) -> Result<(), StageError> {
        let complete = |dir: &Path| self.manifest.files.iter().all(|f| has(&dir.join(&f.path), f.size));
        let nothing_staged = self.manifest.files.iter().all(|f| !staged(&self.staging, &f.path).exists());
        if nothing_staged && !self.incoming.exists() && complete(&self.place) {
            return self.tidy();
        }
        let total = self.manifest.bytes();
        let mut done = 0;
        for file in &self.manifest.files {
            self.cx.check()?;
            self.cx.item(&file.path);
            self.bring(file)?;
            done += file.size;
            self.cx.progress(done, total);
        }
        self.drop_strangers()?;
        self.sync_dirs()?;
        self.cx.check()?;
        if self.place.exists() {
            remove_tree(&self.replaced)?;
            fs::rename(&self.place, &self.replaced).map_err(|e| write_error(&e, &self.place))?;
        }
        fs::rename(&self.incoming, &self.place).map_err(|e| write_error(&e, &self.place))?;
        sync_dir(&self.course)?;
        if let Some(library) = self.course.parent() {
            sync_dir(library)?;
        }
        self.tidy()
    }

    fn tidy(&self) -> Result<(), StageError> {
        remove_tree(&self.replaced)
    }

    /// Brings one file under the incoming directory, by rename or, from another disk, by copy.
    fn bring(&self, file: &ManifestFile) -> Result<(), StageError> {
        let (from, to) = (staged(&self.staging, &file.path), self.incoming.join(&file.path));
        if !has(&from, file.size) {
            if has(&to, file.size) {
                return Ok(());
            }
            let detail = format!("{} is not staged with {} bytes any more", file.path, file.size);
            return Err(StageError::permanent("checksum_mismatch", detail));
        }
        make_parent(&to)?;
        match fs::rename(&from, &to) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => self.copy(&from, &to),
            Err(error) => Err(write_error(&error, &to)),
        }
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<(), StageError> {
        let mut source = File::open(from).map_err(|e| write_error(&e, from))?;
        let mut copy = File::create(to).map_err(|e| write_error(&e, to))?;
        let mut buffer = vec![0; CHUNK];
        loop {
            self.cx.check()?;
            self.cx.alive();
            let n = source.read(&mut buffer).map_err(|e| write_error(&e, from))?;
            if n == 0 {
                break;
            }
            copy.write_all(&buffer[..n]).map_err(|e| write_error(&e, to))?;
        }
        copy.sync_all().map_err(|e| write_error(&e, to))
    }

    /// Removes what an earlier try with another manifest left in the incoming directory.
    fn drop_strangers(&self) -> Result<(), StageError> {
        for path in tree(&self.incoming)?.0 {
            let listed = path.strip_prefix(&self.incoming).ok().and_then(Path::to_str);
            let listed = listed.map(|p| p.replace(std::path::MAIN_SEPARATOR, "/"));
            if listed.is_none_or(|p| self.manifest.file(&p).is_none()) {
                fs::remove_file(&path).map_err(|e| write_error(&e, &path))?;
            }
        }
        Ok(())
    }

    fn sync_dirs(&self) -> Result<(), StageError> {
        for dir in tree(&self.incoming)?.1 {
            sync_dir(&dir)?;
        }
        Ok(())
    }
}

/// Looks whether every file lies at the target with its size, without reading it: what a buyer is about to be given.
///
/// # Errors
/// Permanent `link_broken` naming the first file that is missing or has another size; transient `target_unwritable`
/// when the target cannot be looked at.
pub async fn available(
    cx: &StageContext,
    library: &Path,
    location: &Location,
    manifest: &Manifest,
) -> Result<(), StageError> {
    check_paths(manifest.files.iter().map(|f| f.path.as_str()))?;
    let dir = location.dir(library)?;
    let (cx, manifest) = (cx.clone(), manifest.clone());
    blocking(move || {
        for file in &manifest.files {
            cx.check()?;
            match fs::metadata(dir.join(&file.path)) {
                Ok(found) if found.is_file() && found.len() == file.size => {}
                Ok(found) => {
                    let detail = format!("{} has {} bytes instead of {}", file.path, found.len(), file.size);
                    return Err(StageError::permanent("link_broken", detail));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(StageError::permanent(
                        "link_broken",
                        format!("{} is gone from the library", file.path),
                    ));
                }
                Err(error) => {
                    return Err(StageError::transient(
                        "target_unwritable",
                        format!("{}: {error}", file.path),
                    ));
                }
            }
        }
        Ok(())
    })
    .await
}

/// Reads back what lies at the target and compares it with the manifest.
///
/// # Errors
/// Permanent `checksum_mismatch` when a file is missing or differs: preparing again from the source is the cure.
/// Transient `target_unwritable` when it cannot be read, `cancelled`.
pub async fn verify(
    cx: &StageContext,
    library: &Path,
    location: &Location,
    manifest: &Manifest,
) -> Result<(), StageError> {
    check_paths(manifest.files.iter().map(|f| f.path.as_str()))?;
    let dir = location.dir(library)?;
    let (cx, manifest) = (cx.clone(), manifest.clone());
    blocking(move || {
        let total = manifest.bytes();
        let mut done = 0;
        for file in &manifest.files {
            cx.item(&file.path);
            let sum = hash(&cx, &dir.join(&file.path), done, total)?;
            if sum != file.sha256 {
                let detail =
                    format!("{} has sha256 {sum} at the target instead of {}", file.path, file.sha256);
                return Err(StageError::permanent("checksum_mismatch", detail));
            }
            done += file.size;
        }
        Ok(())
    })
    .await
}

fn hash(cx: &StageContext, path: &Path, before: u64, total: u64) -> Result<String, StageError> {
    let mut file = File::open(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => {
            StageError::permanent("checksum_mismatch", format!("{} is not at the target", path.display()))
        }
        _ => write_error(&e, path),
    })?;
    let (mut hash, mut done, mut buffer) = (Sha256::new(), before, vec![0; CHUNK]);
    loop {
        cx.check()?;
        let n = file.read(&mut buffer).map_err(|e| write_error(&e, path))?;
        if n == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&buffer[..n]);
        done += n as u64;
        cx.progress(done, total);
    }
}

fn has(path: &Path, size: u64) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == size)
}

#[cfg(unix)]
fn same_device(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => a.dev() == b.dev(),
        _ => true,
    }
}

#[cfg(not(unix))]
fn same_device(_: &Path, _: &Path) -> bool {
    true
}

/// The files of a tree, and its directories with the innermost first.
fn tree(root: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), StageError> {
    let (mut files, mut dirs) = (Vec::new(), vec![root.to_owned()]);
    let mut next = 0;
    while let Some(dir) = dirs.get(next).cloned() {
        next += 1;
        for entry in fs::read_dir(&dir).map_err(|e| write_error(&e, &dir))? {
            let entry = entry.map_err(|e| write_error(&e, &dir))?;
            let kind = entry.file_type().map_err(|e| write_error(&e, &dir))?;
            if kind.is_dir() { dirs.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    dirs.reverse();
    Ok((files, dirs))
}

fn remove_tree(path: &Path) -> Result<(), StageError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(write_error(&error, path)),
        _ => Ok(()),
    }
}
