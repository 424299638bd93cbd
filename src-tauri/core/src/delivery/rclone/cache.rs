//! What buyers download from remotes: brought once, kept for the next buyer, read while it still comes in.
//!
//! Files are named by their SHA-256 and are whole, or end in `.part`. The last piece of a file is given out only
//! when its sum was found right. Everything here may be deleted at any time.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures::Stream;
use rclone::Place;
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::files::{blocking, check_space, write_error};
use super::super::manifest::ManifestFile;
use super::{End, RemoteSpec, Remotes, finished, group, join, stage_error};
use crate::workers::{Meter, StageContext, StageError};

/// Bytes in memory per download.
const CHUNK: usize = 64 * 1024;
/// What is held back of a file until it is known to be right.
const HELD_BACK: u64 = CHUNK as u64;
/// How often a file that grows is looked at.
const BEAT: Duration = Duration::from_millis(100);

/// How a file that is being brought stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Coming {
    Growing,
    Whole,
    Failed(StageError),
}

/// The directory of downloads.
pub(super) struct Cache {
    dir: PathBuf,
    most: AtomicU64,
    begun: AtomicBool,
    coming: Mutex<HashMap<String, watch::Receiver<Coming>>>,
}

impl Cache {
    pub(super) fn new(dir: PathBuf, most: u64) -> Self {
        Self { dir, most: AtomicU64::new(most), begun: AtomicBool::new(false), coming: Mutex::default() }
    }

    pub(super) fn set_most(&self, bytes: u64) {
        self.most.store(bytes, Ordering::Relaxed);
    }

    fn whole(&self, file: &ManifestFile) -> PathBuf {
        self.dir.join(&file.sha256)
    }

    fn part(&self, file: &ManifestFile) -> PathBuf {
        self.dir.join(format!("{}.part", file.sha256))
    }

    fn coming(&self) -> MutexGuard<'_, HashMap<String, watch::Receiver<Coming>>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remotes {
    /// The bytes of a file of a remote from `first` on, `len` of them: from the disk, or as they come in.
    ///
    /// # Errors
    /// Those of the remote's rclone, when nothing of it can be had. Later errors break the stream off.
    pub(in super::super) async fn read(
        &self,
        place: RemoteSpec<'_>,
        file: &ManifestFile,
        first: u64,
        len: u64,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, StageError> {
        let cache = Arc::clone(self.cache());
        if file.sha256.len() != 64 || !file.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(StageError::permanent("link_broken", "the file's sum is no name"));
        }
        let (whole, part) = (cache.whole(file), cache.part(file));
        let there = tokio::fs::metadata(&whole).await.is_ok_and(|meta| meta.len() == file.size);
        let coming = if there {
            touch(whole.clone(), self.clock().now_ms());
            watch::channel(Coming::Whole).1
        } else {
            self.bring(place, file)
        };
        let mut reader =
            Reader { file: None, whole, part, at: first, end: first + len, size: file.size, coming };
        reader.begins().await?;
        Ok(futures::stream::unfold(Some(reader), |reader| async {
            let mut reader = reader?;
            match reader.next().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(reader))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    /// Begins to bring a file, unless somebody has begun already.
    fn bring(&self, place: RemoteSpec<'_>, file: &ManifestFile) -> watch::Receiver<Coming> {
        let cache = Arc::clone(self.cache());
        let mut under_way = cache.coming();
        if let Some(coming) = under_way.get(&file.sha256) {
            return coming.clone();
        }
        let (tell, coming) = watch::channel(Coming::Growing);
        under_way.insert(file.sha256.clone(), coming.clone());
        drop(under_way);
        let (remotes, file) = (self.clone(), file.clone());
        let (remote, path, secret) =
            (place.remote.to_owned(), place.path.to_owned(), place.secret.map(str::to_owned));
        tokio::spawn(async move {
            let place = RemoteSpec { remote: &remote, path: &path, secret: secret.as_deref() };
            let brought = remotes.brought(place, &file).await;
            if let Err(error) = &brought {
                tracing::error!(code = error.code, detail = %error.detail, path = %file.path, "a buyer's file does not come");
                let _ = tokio::fs::remove_file(remotes.cache().part(&file)).await;
            }
            remotes.cache().coming().remove(&file.sha256);
            tell.send_replace(brought.map_or_else(Coming::Failed, |()| Coming::Whole));
        });
        coming
    }

    async fn brought(&self, place: RemoteSpec<'_>, file: &ManifestFile) -> Result<(), StageError> {
        let cache = self.cache();
        let cx =
            StageContext::new(CancellationToken::new(), Arc::new(Meter::default()), self.clock().clone());
        make_room(Arc::clone(cache), file.size).await?;
        let (talk, _) = self.open(place, End::Target).await?;
        let (path, name) = match file.path.rsplit_once('/') {
            Some((folder, name)) => (join(place.path, folder), name),
            None => (place.path.to_owned(), file.path.as_str()),
        };
        let from = Place::remote(place.remote, &path);
        let to = Place::Growing(cache.dir.to_string_lossy().into_owned());
        let (part, whole) = (cache.part(file), cache.whole(file));
        let part_name = format!("{}.part", file.sha256);
        let group = group();
        let job = talk.copy_file((&from, name), (&to, &part_name), &group).await;
        let job = job.map_err(|e| stage_error(&e, End::Target))?;
        finished(&cx, &talk, (job, &group), End::Target, |_| {}).await?;
        let wanted = file.sha256.clone();
        blocking(move || {
            let sum = sum(&part).map_err(|e| write_error(&e, &part))?;
            if sum != wanted {
                let detail = format!("sha256 {sum} instead of {wanted}");
                return Err(StageError::permanent("checksum_mismatch", detail));
            }
            std::fs::rename(&part, &whole).map_err(|e| write_error(&e, &whole))
        })
        .await
    }
}

/// One buyer's reading.
struct Reader {
    file: Option<File>,
    whole: PathBuf,
    part: PathBuf,
    at: u64,
    end: u64,
    size: u64,
    coming: watch::Receiver<Coming>,
}

impl Reader {
    /// Waits until something is there to be read, or it is known that nothing will be.
    async fn begins(&mut self) -> Result<(), StageError> {
        loop {
            let now = self.coming.borrow().clone();
            match now {
                Coming::Failed(error) => return Err(error),
                Coming::Whole => return Ok(()),
                Coming::Growing if tokio::fs::metadata(&self.part).await.is_ok() => return Ok(()),
                Coming::Growing => self.pause().await,
            }
        }
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while self.at < self.end {
            let now = self.coming.borrow().clone();
            let until = match &now {
                Coming::Failed(error) => return Err(io::Error::other(error.code)),
                Coming::Whole => self.end,
                Coming::Growing => self.end.min(self.size.saturating_sub(HELD_BACK)),
            };
            if self.at < until
                && let Some(piece) = self.piece(until - self.at).await?
            {
                self.at += piece.len() as u64;
                return Ok(Some(piece));
            }
            if now == Coming::Whole {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            self.pause().await;
        }
        Ok(None)
    }

    /// What is there now of the next `most` bytes; none when nothing is.
    async fn piece(&mut self, most: u64) -> io::Result<Option<Bytes>> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let opened = match File::open(&self.part).await {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => File::open(&self.whole).await,
                    opened => opened,
                };
                match opened {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    opened => none.insert(opened?),
                }
            }
        };
        file.seek(io::SeekFrom::Start(self.at)).await?;
        let mut piece = Vec::with_capacity(CHUNK);
        let most = most.min(CHUNK as u64);
        file.take(most).read_to_end(&mut piece).await?;
        Ok((!piece.is_empty()).then(|| Bytes::from(piece)))
    }

    async fn pause(&mut self) {
        // Either is a reason to look again; a teller that is gone has told.
        let _ = tokio::time::timeout(BEAT, self.coming.changed()).await;
    }
}

/// Removes the files that were not asked for the longest, until `needed` more bytes fit.
async fn make_room(cache: Arc<Cache>, needed: u64) -> Result<(), StageError> {
    let dir = cache.dir.clone();
    blocking(move || {
        crate::private_file::create_folder(&cache.dir).map_err(|e| write_error(&e, &cache.dir))?;
        let fresh = !cache.begun.swap(true, Ordering::Relaxed);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&cache.dir).map_err(|e| write_error(&e, &cache.dir))?.flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if entry.path().extension().is_none_or(|end| end != "part") {
                files.push((meta.modified().unwrap_or(UNIX_EPOCH), meta.len(), entry.path()));
            } else if fresh {
                // Of a run before this one.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        files.sort();
        let most = cache.most.load(Ordering::Relaxed);
        let mut kept: u64 = files.iter().map(|(_, len, _)| len).sum();
        for (_, len, path) in files {
            if kept.saturating_add(needed) <= most {
                break;
            }
            std::fs::remove_file(&path).map_err(|e| write_error(&e, &path))?;
            kept -= len;
        }
        Ok(())
    })
    .await?;
    check_space(&dir, needed).await
}

/// Notes that somebody asked for the file.
fn touch(path: PathBuf, now_ms: i64) {
    tokio::task::spawn_blocking(move || {
        let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
        std::fs::File::options().write(true).open(path).and_then(|file| file.set_modified(now))
    });
}

fn sum(path: &Path) -> io::Result<String> {
    let (mut file, mut hash) = (std::fs::File::open(path)?, Sha256::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = io::Read::read(&mut file, &mut buffer)?;
        if n == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&buffer[..n]);
    }
}
