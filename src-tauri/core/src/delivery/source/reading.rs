//! One file of a source while it is read: over HTTP, reconnecting where a connection broke, or from a disk.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use bytes::Bytes;
use reqwest::header::{self, HeaderMap};
use reqwest::{Response, StatusCode};

use super::super::files::blocking;
use super::download::{ContentRange, WORTH_RECONNECTING, content_range, header_value, is_strong};
use super::folder::{open_inside, read_error, stamp};
use super::http::{Session, shown, text, unreachable_error};
use super::listing::Entry;
use super::reader::{Stamp, changed};
use crate::workers::StageError;

/// A file being read.
pub(crate) enum Reading {
    Remote(Box<Remote>),
    Local(Local),
}

impl Reading {
    /// What the file is like.
    pub(crate) fn stamp(&self) -> &Stamp {
        match self {
            Self::Remote(remote) => &remote.stamp,
            Self::Local(local) => &local.stamp,
        }
    }

    /// The next `want` bytes; fewer only at the end of the file, none after it.
    ///
    /// # Errors
    /// As [`super::Reader::read`].
    pub(crate) async fn next(&mut self, want: usize) -> Result<Bytes, StageError> {
        match self {
            Self::Remote(remote) => remote.next(want).await,
            Self::Local(local) => local.next(want).await,
        }
    }
}

/// A file of a server.
pub(crate) struct Remote {
    session: Session,
    entry: Entry,
    stamp: Stamp,
    /// The byte that comes next.
    at: u64,
    /// Where the present connection began.
    since: u64,
    response: Response,
    /// Bytes of the present answer to be passed over: the server ignores ranges.
    skip: u64,
    /// What came and was not asked for yet.
    rest: Bytes,
}

impl Remote {
    /// Opens `entry` at byte `at`; `None` when it has to be staged.
    pub(super) async fn open(
        session: &Session,
        entry: &Entry,
        at: u64,
        known: Option<&Stamp>,
    ) -> Result<Option<Self>, StageError> {
        let mut headers = HeaderMap::new();
        // The last byte is asked for even when nothing is wanted: a range that begins at the end cannot be satisfied.
        let from = known.map_or(0, |known| at.min(known.size.saturating_sub(1)));
        if from > 0 {
            headers.insert(header::RANGE, header_value(&format!("bytes={from}-"))?);
            if let Some(mark) = known.and_then(|known| known.mark.as_deref()) {
                headers.insert(header::IF_RANGE, header_value(mark)?);
            }
        }
        let response = session.get(&entry.url, &headers).await?;
        let mark = text(response.headers(), header::ETAG).filter(|etag| is_strong(etag)).map(str::to_owned);
        // A range that was given under `If-Range` is of the same file, whether the answer repeats the mark or not.
        let given_under = known.filter(|_| response.status() == StatusCode::PARTIAL_CONTENT);
        let mark = mark.or_else(|| given_under.and_then(|known| known.mark.clone()));
        let (size, begins) = match response.status() {
            StatusCode::PARTIAL_CONTENT if from > 0 => {
                let given = text(response.headers(), header::CONTENT_RANGE).unwrap_or_default();
                match content_range(given) {
                    Some(ContentRange { first, total, .. }) if first == from => (total, from),
                    _ => return Err(changed(&shown(&entry.url))),
                }
            }
            StatusCode::OK => (response.content_length().or(entry.size), 0),
            _ => return Err(changed(&shown(&entry.url))),
        };
        let Some(size) = size.or(known.map(|known| known.size)) else { return Ok(None) };
        if mark.is_none() && entry.sha256.is_none() {
            return Ok(None);
        }
        let stamp = Stamp { size, mark };
        if entry.size.is_some_and(|listed| listed != size) || known.is_some_and(|known| *known != stamp) {
            return Err(changed(&shown(&entry.url)));
        }
        let (session, entry) = (session.clone(), entry.clone());
        let skip = at - begins;
        Ok(Some(Self { session, entry, stamp, at, since: at, response, skip, rest: Bytes::new() }))
    }

    /// Whether the server says that the file is unchanged.
    pub(super) async fn same(session: &Session, entry: &Entry, stamp: &Stamp) -> Result<bool, StageError> {
        let Some(mark) = &stamp.mark else { return Ok(false) };
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, header_value(mark)?);
        Ok(session.get(&entry.url, &headers).await?.status() == StatusCode::NOT_MODIFIED)
    }

    async fn next(&mut self, want: usize) -> Result<Bytes, StageError> {
        let left = usize::try_from(self.stamp.size - self.at).unwrap_or(usize::MAX);
        let want = want.min(left);
        let mut piece = Vec::with_capacity(want);
        while piece.len() < want {
            if self.rest.is_empty() {
                let at = self.at + piece.len() as u64;
                match self.frame(at).await {
                    Ok(bytes) => self.rest = bytes,
                    // A connection that brought little waits for the queue's patience.
                    Err(why) if why.code == "cancelled" || at - self.since < WORTH_RECONNECTING => {
                        return Err(why);
                    }
                    Err(_) => {
                        let again = Self::open(&self.session, &self.entry, at, Some(&self.stamp)).await?;
                        let again = again.ok_or_else(|| changed(&shown(&self.entry.url)))?;
                        *self = Self { at: self.at, ..again };
                        continue;
                    }
                }
            }
            let n = self.rest.len().min(want - piece.len());
            piece.extend_from_slice(&self.rest.split_to(n));
        }
        self.at += piece.len() as u64;
        Ok(piece.into())
    }

    /// Some bytes that begin at `at`.
    async fn frame(&mut self, at: u64) -> Result<Bytes, StageError> {
        loop {
            let url = &self.entry.url;
            let frame = self.session.wait(self.response.chunk()).await?;
            self.session.cx.alive();
            let Some(mut bytes) = frame.map_err(|error| unreachable_error(error, url))? else {
                let why = format!("{} ended after {at} bytes", shown(url));
                return Err(StageError::transient("source_unreachable", why));
            };
            let skipped = bytes.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            self.skip -= skipped as u64;
            let bytes = bytes.split_off(skipped);
            if !bytes.is_empty() {
                return Ok(bytes);
            }
        }
    }
}

/// A file on a disk.
pub(crate) struct Local {
    path: PathBuf,
    pub(super) stamp: Stamp,
    file: Option<File>,
    at: u64,
}

impl Local {
    /// Opens `path`, which has to lie below `root`, at byte `at`.
    pub(super) async fn open(root: PathBuf, path: PathBuf, at: u64) -> Result<Self, StageError> {
        blocking(move || {
            let root = root.canonicalize().map_err(|e| read_error(&e, &root))?;
            let path = match path.parent().map(std::path::Path::canonicalize) {
                // The root may be reached over a link; the file itself may not be one.
                Some(Ok(parent)) => path.file_name().map_or(path.clone(), |name| parent.join(name)),
                _ => path,
            };
            let (mut file, meta) = open_inside(&root, &path)?;
            file.seek(SeekFrom::Start(at)).map_err(|e| read_error(&e, &path))?;
            let stamp = Stamp { size: meta.len(), mark: Some(stamp(&meta)) };
            Ok(Self { path, stamp, file: Some(file), at })
        })
        .await
    }

    async fn next(&mut self, want: usize) -> Result<Bytes, StageError> {
        let Some(mut file) = self.file.take() else {
            return Err(StageError::transient("internal", "the file was closed"));
        };
        let left = usize::try_from(self.stamp.size.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let (want, path, stamped) = (want.min(left), self.path.clone(), self.stamp.mark.clone());
        let (file, piece) = blocking(move || {
            let mut piece = vec![0; want];
            let whole = file.read_exact(&mut piece);
            let meta = file.metadata().map_err(|e| read_error(&e, &path))?;
            if Some(stamp(&meta)) != stamped {
                return Err(changed(&path.display().to_string()));
            }
            whole.map_err(|e| read_error(&e, &path))?;
            Ok((file, piece))
        })
        .await?;
        self.file = Some(file);
        self.at += piece.len() as u64;
        Ok(piece.into())
    }
}
