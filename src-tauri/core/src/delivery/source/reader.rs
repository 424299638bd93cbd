//! Files of a source that are read from any byte, in pieces, without being staged: what a target streams from.
//!
//! A file's stamp (a strong `ETag`, or size and time of a local file) tells whether it is still the same; where a
//! server gives neither a strong stamp nor a checksum, the file has to be staged first.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::super::files::{blocking, staged};
use super::super::manifest::{Manifest, check_paths};
use super::folder::{self, Found};
use super::http::Session;
use super::listing::{self, Entry};
use super::reading::{Local, Reading, Remote};
use super::{HttpSource, SourceSpec, download, parse_url};
use crate::workers::{StageContext, StageError};

/// One file that a source offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// As in a manifest.
    pub path: String,
    /// Bytes, where the source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Lower-case hex, where the source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// By what the bytes of a file are known to be the same as before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Of the whole file.
    pub(crate) size: u64,
    /// None where only the checksum vouches for the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mark: Option<String>,
}

/// A source, listed.
pub(crate) struct Reader {
    cx: StageContext,
    kind: Kind,
    offers: Vec<Offer>,
}

enum Kind {
    Http { session: Session, entries: Vec<Entry> },
    Folder { root: PathBuf, found: Vec<Found> },
    Staged { staging: PathBuf },
}

/// A file that was opened.
pub(crate) enum Opened {
    /// Read on here.
    Reading(Box<Reading>),
    /// Nothing vouches for its bytes after an interruption: [`Reader::stage`] it.
    MustStage,
}

impl Reader {
    /// Lists a source whose files can be read where they are; `None` for one that has to be staged.
    ///
    /// # Errors
    /// As [`super::fetch`].
    pub(crate) async fn open(
        cx: &StageContext,
        spec: &SourceSpec,
        http: &HttpSource,
        secret: Option<SecretString>,
    ) -> Result<Option<Self>, StageError> {
        let invalid = |why: String| StageError::permanent("source_invalid", why);
        spec.validate().map_err(invalid)?;
        cx.check()?;
        let (kind, offers) = match spec {
            SourceSpec::Folder { path } => {
                let (walk_cx, walk_root) = (cx.clone(), path.clone());
                let (root, found) = blocking(move || folder::walk(&walk_cx, &walk_root)).await?;
                check_paths(found.iter().map(|file| file.path.as_str()))?;
                let offer =
                    |file: &Found| Offer { path: file.path.clone(), size: Some(file.size), sha256: None };
                let offers = found.iter().map(offer).collect();
                (Kind::Folder { root, found }, offers)
            }
            SourceSpec::Http { url, .. } => {
                let session = http.session(cx, parse_url(url).map_err(invalid)?, secret);
                let entries = listing::read(&session).await?;
                let offer = |entry: &Entry| Offer {
                    path: entry.path.clone(),
                    size: entry.size,
                    sha256: entry.sha256.clone(),
                };
                let offers = entries.iter().map(offer).collect();
                (Kind::Http { session, entries }, offers)
            }
            SourceSpec::Rclone { .. } | SourceSpec::Program { .. } | SourceSpec::None {} => return Ok(None),
        };
        Ok(Some(Self { cx: cx.clone(), kind, offers }))
    }

    /// Files that were staged.
    pub(crate) fn of_staged(cx: &StageContext, staging: &Path, manifest: &Manifest) -> Self {
        let offer = |file: &super::ManifestFile| Offer {
            path: file.path.clone(),
            size: Some(file.size),
            sha256: Some(file.sha256.clone()),
        };
        let offers = manifest.files.iter().map(offer).collect();
        Self { cx: cx.clone(), kind: Kind::Staged { staging: staging.to_owned() }, offers }
    }

    /// Its files, by path.
    pub(crate) fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// Opens file `n` at byte `at`. `known` is its stamp as it was when the bytes before were read.
    ///
    /// # Errors
    /// Transient `source_changed` when it is not the same any more, else as [`super::fetch`].
    pub(crate) async fn read(&self, n: usize, at: u64, known: Option<&Stamp>) -> Result<Opened, StageError> {
        let local = match &self.kind {
            Kind::Http { session, entries } => {
                return Ok(match Remote::open(session, &entries[n], at, known).await? {
                    Some(remote) => Opened::Reading(Box::new(Reading::Remote(Box::new(remote)))),
                    None => Opened::MustStage,
                });
            }
            Kind::Folder { root, found } => Local::open(root.clone(), found[n].from.clone(), at).await?,
            Kind::Staged { staging } => {
                let from = staged(staging, &self.offers[n].path);
                Local::open(staging.clone(), from, at).await?
            }
        };
        if known.is_some_and(|known| *known != local.stamp) {
            return Err(changed(&self.offers[n].path));
        }
        Ok(Opened::Reading(Box::new(Reading::Local(local))))
    }

    /// Copies file `n` to disk; the answer reads it, and nothing else, from there.
    ///
    /// # Errors
    /// As [`super::fetch`].
    pub(crate) async fn stage(&self, n: usize, staging: &Path) -> Result<Self, StageError> {
        match &self.kind {
            Kind::Http { session, entries } => {
                let manifest = download::fetch(session, &entries[n..=n], staging).await?;
                Ok(Self::of_staged(&self.cx, staging, &manifest))
            }
            Kind::Folder { .. } | Kind::Staged { .. } => {
                Err(StageError::permanent("internal", "a local file needs no staging"))
            }
        }
    }

    /// Whether file `n` is still what it was with this stamp and checksum.
    ///
    /// # Errors
    /// As [`super::fetch`].
    pub(crate) async fn same(&self, n: usize, stamp: &Stamp, sha256: &str) -> Result<bool, StageError> {
        if let Some(sum) = &self.offers[n].sha256 {
            return Ok(sum == sha256);
        }
        if self.offers[n].size.is_some_and(|size| size != stamp.size) {
            return Ok(false);
        }
        match &self.kind {
            Kind::Http { session, entries } => Remote::same(session, &entries[n], stamp).await,
            Kind::Folder { root, found } => {
                Ok(Local::open(root.clone(), found[n].from.clone(), 0).await?.stamp == *stamp)
            }
            Kind::Staged { .. } => Ok(false),
        }
    }
}

pub(super) fn changed(what: &str) -> StageError {
    StageError::transient("source_changed", format!("{what} changed while it was read"))
}
