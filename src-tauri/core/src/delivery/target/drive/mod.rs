//! Google Drive as a target: a folder a version, made before anything is put into it, and every file under an id
//! made beforehand.
//!
//! What was begun is in the notebook before it is begun: ids, upload sessions, how far Drive has confirmed. Nothing is
//! searched by name. `file.rs` brings one file, `ahead.rs` reads and hashes while it is sent, `there.rs` looks at what
//! lies there.

mod ahead;
mod file;
mod note;
mod there;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use gdrive::{Class, Drive};

use super::super::drive_error::{ROOM_IS_LOOKED_FOR, drive_error};
use super::super::manifest::{Manifest, ManifestFile};
use super::super::source::Reader;
use super::{DriveFile, Location};
use crate::workers::{StageContext, StageError, Until};

use file::Bringing;
use note::{FileNote, FolderNote};
pub(crate) use note::{Note, Notebook};
use there::There;
pub(crate) use there::{available, verify};

/// How often a place that was destroyed meanwhile is made anew within one attempt.
const MAX_FRESH_STARTS: u32 = 2;

/// A version of a course about to be brought to Drive.
pub(crate) struct Course<'a> {
    /// The course, for the marks on its folder.
    pub(crate) id: i64,
    /// What buyers see, with the version behind it.
    pub(crate) title: &'a str,
    /// Counted from 1.
    pub(crate) version: i64,
    /// The folder that its own is made in; `None` = the account's root.
    pub(crate) parent: Option<&'a str>,
    /// Bytes that the account has left; `None` = not limited, or not to be known.
    pub(crate) room: Option<u64>,
    /// Where files are staged that cannot be read twice.
    pub(crate) staging: &'a Path,
}

/// Where everything ended up, and what it is.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Placed {
    /// For buyers.
    pub(crate) location: Location,
    /// As it was read at the source and confirmed by Drive.
    pub(crate) manifest: Manifest,
}

/// Brings everything that `reader` offers to a folder of its own.
///
/// May be called again after a crash at any point: folders are made once, complete files that the source did not change
/// are kept, an upload goes on at the byte that Drive confirms.
///
/// # Errors
/// The source's, as of `fetch`; Drive's, as [`drive_error`] sorts them; transient `checksum_mismatch`, `source_changed`.
pub(crate) async fn upload(
    cx: &StageContext,
    drive: &Drive,
    notebook: &std::sync::Arc<dyn Notebook>,
    course: &Course<'_>,
    reader: &Reader,
) -> Result<Placed, StageError> {
    let mut fresh_starts = 0;
    loop {
        let mut plan = Plan::read(notebook.as_ref(), reader).await?;
        match plan.make_folders(cx, drive, notebook.as_ref(), course, reader).await? {
            Some(folders) => {
                plan.check_room(course.room, reader)?;
                return plan.bring_files(cx, drive, notebook, course, reader, &folders).await;
            }
            None if fresh_starts == MAX_FRESH_STARTS => {
                return Err(StageError::transient(
                    "drive_not_found",
                    "the course's folder is deleted again and again",
                ));
            }
            None => fresh_starts += 1,
        }
        // The folder that was begun is gone or in the bin, and whatever was in it with it.
        plan.forget(notebook.as_ref()).await?;
    }
}

/// What has been written down so far.
struct Plan {
    notes: HashMap<String, Note>,
    /// Directories of the course, outermost first; the first is the course's own, `""`.
    dirs: Vec<String>,
}

/// The folders as they are on Drive.
struct Folders {
    ids: BTreeMap<String, String>,
    link: String,
    /// True when all of them were just made, so that nothing can lie in them.
    empty: bool,
}

fn key_of_dir(dir: &str) -> String {
    format!("dir:{dir}")
}

fn key_of_file(path: &str) -> String {
    format!("file:{path}")
}

impl Plan {
    async fn read(notebook: &dyn Notebook, reader: &Reader) -> Result<Self, StageError> {
        let notes = notebook.read().await?.into_iter().map(|note| (note.key.clone(), note)).collect();
        let mut dirs = BTreeSet::from([String::new()]);
        for offer in reader.offers() {
            let mut rest = offer.path.as_str();
            while let Some((dir, _)) = rest.rsplit_once('/') {
                dirs.insert(dir.to_owned());
                rest = dir;
            }
        }
        Ok(Self { notes, dirs: dirs.into_iter().collect() })
    }

    fn dir(&self, dir: &str) -> Option<FolderNote> {
        self.notes.get(&key_of_dir(dir)).and_then(Note::read)
    }

    fn file(&self, path: &str) -> Option<FileNote> {
        self.notes.get(&key_of_file(path)).and_then(Note::read)
    }

    /// Forgets everything, so that the next look begins with new ids.
    async fn forget(&self, notebook: &dyn Notebook) -> Result<(), StageError> {
        notebook.write(self.notes.keys().map(|key| Note::none(key)).collect()).await
    }

    /// Makes the course's folder and those in it, each under an id that was written down before. `None` when a folder
    /// that was made is no place for files any more.
    async fn make_folders(
        &mut self,
        cx: &StageContext,
        drive: &Drive,
        notebook: &dyn Notebook,
        course: &Course<'_>,
        reader: &Reader,
    ) -> Result<Option<Folders>, StageError> {
        cx.check()?;
        self.choose_ids(drive, notebook, reader).await?;
        let (id, version) = (course.id.to_string(), course.version.to_string());
        let marks = [("chotdon_course", id.as_str()), ("chotdon_version", version.as_str())];
        let mut folders = Folders { ids: BTreeMap::new(), link: String::new(), empty: true };
        for dir in self.dirs.clone() {
            let key = key_of_dir(&dir);
            let known =
                self.dir(&dir).ok_or_else(|| StageError::permanent("internal", "a folder has no id"))?;
            let done = self.notes.get(&key).is_some_and(|note| note.done);
            if done && !dir.is_empty() {
                folders.ids.insert(dir, known.id);
                continue;
            }
            cx.check()?;
            cx.item(&dir);
            let (parent, name) = match dir.rsplit_once('/') {
                _ if dir.is_empty() => (course.parent, format!("{} v{}", course.title, course.version)),
                Some((above, name)) => (folders.ids.get(above).map(String::as_str), name.to_owned()),
                None => (folders.ids.get("").map(String::as_str), dir.clone()),
            };
            let made = if done {
                folders.empty = false;
                drive.file(&known.id).await
            } else {
                drive.create_folder(&known.id, &name, parent, &marks).await
            };
            match made {
                Ok(folder) if folder.trashed => return Ok(None),
                Ok(folder) => {
                    if dir.is_empty() {
                        folders.link = folder.web_view_link.unwrap_or_else(|| web_view(&folder.id));
                    }
                    let note = Note::done(&key, &known)?;
                    if !done {
                        notebook.write(vec![note.clone()]).await?;
                    }
                    self.notes.insert(key, note);
                    folders.ids.insert(dir, known.id);
                }
                Err(error) if *error.class() == Class::AlreadyThere => return Ok(None),
                Err(error) if *error.class() == Class::NotFound && (done || !dir.is_empty()) => {
                    return Ok(None);
                }
                Err(error) => return Err(drive_error(error)),
            }
        }
        Ok(Some(folders))
    }

    /// Writes ids for all folders and files that have none.
    async fn choose_ids(
        &mut self,
        drive: &Drive,
        notebook: &dyn Notebook,
        reader: &Reader,
    ) -> Result<(), StageError> {
        let dirs: Vec<&String> = self.dirs.iter().filter(|dir| self.dir(dir).is_none()).collect();
        let files: Vec<&str> = reader
            .offers()
            .iter()
            .map(|offer| offer.path.as_str())
            .filter(|path| self.file(path).is_none())
            .collect();
        if dirs.is_empty() && files.is_empty() {
            return Ok(());
        }
        let ids = drive.generate_ids(dirs.len() + files.len()).await.map_err(drive_error)?;
        let (of_dirs, of_files) = ids.split_at(dirs.len());
        let mut intents = Vec::with_capacity(ids.len());
        for (dir, id) in dirs.into_iter().zip(of_dirs) {
            intents.push(Note::intent(&key_of_dir(dir), &FolderNote { id: id.clone() })?);
        }
        for (path, id) in files.into_iter().zip(of_files) {
            intents.push(Note::intent(&key_of_file(path), &FileNote::begin(id.clone()))?);
        }
        notebook.write(intents.clone()).await?;
        self.notes.extend(intents.into_iter().map(|note| (note.key.clone(), note)));
        Ok(())
    }

    /// Refuses to begin what the account cannot hold.
    fn check_room(&self, room: Option<u64>, reader: &Reader) -> Result<(), StageError> {
        let open = |path: &str| !self.notes.get(&key_of_file(path)).is_some_and(|note| note.done);
        let missing = reader.offers().iter().filter(|offer| open(&offer.path));
        let needed = missing.fold(0_u64, |sum, offer| sum.saturating_add(offer.size.unwrap_or(0)));
        match room {
            Some(room) if room < needed => {
                let detail = format!("the course needs {needed} bytes, and the account has {room} left");
                Err(StageError::parks("drive_upload", "drive_full", detail, Until::Steps(ROOM_IS_LOOKED_FOR)))
            }
            _ => Ok(()),
        }
    }

    async fn bring_files(
        &self,
        cx: &StageContext,
        drive: &Drive,
        notebook: &std::sync::Arc<dyn Notebook>,
        course: &Course<'_>,
        reader: &Reader,
        folders: &Folders,
    ) -> Result<Placed, StageError> {
        let mut there = match folders.empty {
            true => There::default(),
            false => There::look(cx, drive, &folders.ids[""]).await?,
        };
        self.remove_strangers(cx, drive, notebook.as_ref(), reader).await?;
        let total =
            reader.offers().iter().try_fold(0_u64, |sum, offer| sum.checked_add(offer.size?)).unwrap_or(0);
        let (mut done, mut files, mut manifest) = (0, Vec::new(), Manifest::default());
        for (n, offer) in reader.offers().iter().enumerate() {
            cx.check()?;
            cx.item(&offer.path);
            let (dir, name) = offer.path.rsplit_once('/').unwrap_or(("", &offer.path));
            let bringing = Bringing {
                cx,
                drive,
                notebook,
                reader,
                n,
                name,
                folder: &folders.ids[dir],
                staging: course.staging,
                done,
                total,
            };
            let brought = bringing.run(self.file(&offer.path), &mut there).await?;
            done += brought.size;
            cx.progress(done, total);
            files.push(DriveFile { path: offer.path.clone(), id: brought.id, md5: brought.md5 });
            manifest.files.push(ManifestFile {
                path: offer.path.clone(),
                size: brought.size,
                sha256: brought.sha256,
            });
        }
        let location =
            Location::Drive { folder_id: folders.ids[""].clone(), link: folders.link.clone(), files };
        Ok(Placed { location, manifest })
    }

    /// Deletes files of an earlier try that the source has no more.
    async fn remove_strangers(
        &self,
        cx: &StageContext,
        drive: &Drive,
        notebook: &dyn Notebook,
        reader: &Reader,
    ) -> Result<(), StageError> {
        let offered: BTreeSet<String> =
            reader.offers().iter().map(|offer| key_of_file(&offer.path)).collect();
        let strangers =
            self.notes.values().filter(|note| note.key.starts_with("file:") && !offered.contains(&note.key));
        for note in strangers {
            let Some(file) = note.read::<FileNote>() else { continue };
            cx.check()?;
            drive.delete(&file.id).await.map_err(drive_error)?;
            notebook.write(vec![Note::none(&note.key)]).await?;
        }
        Ok(())
    }
}

/// The address of a folder, for an answer that lacks it.
fn web_view(id: &str) -> String {
    format!("https://drive.google.com/drive/folders/{id}")
}
