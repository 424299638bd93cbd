//! Where a course comes from. [`fetch`] copies it into a staging directory and answers its manifest.
//!
//! `folder.rs` reads a directory, `http.rs` talks to a server, `listing.rs` reads what that server lists,
//! `download.rs` brings one file, resumed at the byte; `reader.rs` reads files where they are, without staging.

mod download;
mod folder;
mod http;
mod listing;
mod look;
mod program;
mod reader;
mod reading;
mod ways;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

pub(super) use folder::open_inside;
pub use http::HttpSource;
pub use look::Offered;
pub use program::{Downloader, Order, executable};
pub use reader::Offer;
pub(crate) use reader::{Opened, Reader, Stamp};
pub(crate) use reading::Reading;
pub use ways::{CourseAsked, Ways};

use super::files::{Slot, check_space};
use super::manifest::{Manifest, ManifestFile};
use super::rclone::{RemoteSpec, check_remote};
use crate::workers::{StageContext, StageError};

/// A course's source, as configured: `{"kind":"folder","path":"/courses/rust"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceSpec {
    /// A local or mounted directory. Links and devices in it are refused; `.DS_Store`, `Thumbs.db`,
    /// `desktop.ini` and `._*` are left out.
    Folder {
        /// Absolute.
        path: PathBuf,
    },
    /// A JSON manifest or an nginx `autoindex_format json` listing; see [`fetch`].
    Http {
        /// Of the manifest or listing, `http` or `https`.
        url: String,
        /// Name of the secret sent as bearer token to that host only, `source.<name>`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
        /// Whether workers on other machines may fetch it; `also` when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<ByWorkers>,
        /// Whether they are given the secret's value. Without it they do not get a source that has a secret.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        share_secret: bool,
    },
    /// A directory of any remote that rclone knows. Links in it are passed over.
    Rclone {
        /// Name of the remote; the secret `source.<remote>` has its configuration unless `secret` says otherwise.
        remote: String,
        /// Below the remote's root; empty for all of it.
        #[serde(default)]
        path: String,
        /// Name of the secret with the remote's configuration: a section of `rclone.conf`, or its options as JSON.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
    },
    /// A program of the owner's that leaves the files in a directory; `docs/downloader.md` is its contract.
    Program {
        /// Absolute path of the program.
        command: PathBuf,
        /// Its arguments. Everybody on the machine can read them: no secret belongs here.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        args: Vec<String>,
        /// Variables of its environment besides `PATH`, `HOME`, `TMPDIR` and the locale.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
        /// Name of the secret that it is given on its standard input, `downloader.<name>` or `source.<name>`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
        /// Seconds it may run; `downloader.timeout_s` when not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_s: Option<u32>,
        /// Whether workers on other machines may run it there; `also` when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<ByWorkers>,
        /// Whether they are given the secret's value. Without it they do not get a source that has a secret.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        share_secret: bool,
    },
    /// No files at all: buyers are made students at a platform, and that is all they get. Only with an enrolment; the
    /// course's target is ignored.
    None {},
}

/// Whether workers on other machines may fetch a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByWorkers {
    /// They and this machine, whoever is free first.
    Also,
    /// Only they.
    Only,
    /// Only this machine.
    Never,
}

impl SourceSpec {
    /// Whether the source can be meant, without touching it.
    ///
    /// # Errors
    /// What is wrong with it, as English text.
    pub fn validate(&self) -> Result<(), String> {
        match self {
            Self::Folder { path } if !path.is_absolute() => {
                Err("the source folder's path is not absolute".to_owned())
            }
            Self::Folder { .. } | Self::None {} => Ok(()),
            Self::Http { url, secret, worker, share_secret } => {
                parse_url(url)?;
                for_workers(*worker, secret.as_deref(), *share_secret)?;
                of_family(secret.as_deref(), &["source."])
            }
            Self::Rclone { remote, path, secret } => {
                check_remote(RemoteSpec { remote, path, secret: secret.as_deref() })
            }
            Self::Program { command, args, env, secret, timeout_s, worker, share_secret } => {
                for_workers(*worker, secret.as_deref(), *share_secret)?;
                program::validate(command, args, env, *timeout_s)?;
                of_family(secret.as_deref(), &["downloader.", "source."])
            }
        }
    }

    /// The outside service that a fetch keeps busy, as `core/services` names it; `None` for what is on this machine.
    #[must_use]
    pub fn service(&self) -> Option<String> {
        match self {
            Self::Folder { .. } | Self::Program { .. } | Self::None {} => None,
            Self::Rclone { .. } => Some("rclone".to_owned()),
            Self::Http { url, .. } => {
                let url = Url::parse(url).ok()?;
                url.host_str().map(|host| format!("source:{host}"))
            }
        }
    }

    /// Name of the secret that [`fetch`] wants the value of.
    #[must_use]
    pub fn secret_name(&self) -> Option<&str> {
        match self {
            Self::Http { secret, .. } | Self::Program { secret, .. } => secret.as_deref(),
            // rclone's own part reads a remote's configuration.
            Self::Folder { .. } | Self::Rclone { .. } | Self::None {} => None,
        }
    }

    /// Whether there is anything to fetch.
    #[must_use]
    pub fn has_files(&self) -> bool {
        !matches!(self, Self::None {})
    }
}

/// Refuses a source that nobody could ever fetch.
fn for_workers(worker: Option<ByWorkers>, secret: Option<&str>, shared: bool) -> Result<(), String> {
    if worker == Some(ByWorkers::Only) && secret.is_some() && !shared {
        return Err("a source that only other machines fetch has to share its secret with them".to_owned());
    }
    Ok(())
}

/// Refuses the name of a secret that is in none of the families.
fn of_family(secret: Option<&str>, families: &[&str]) -> Result<(), String> {
    let belongs =
        |name: &str| families.iter().any(|f| name.strip_prefix(f).is_some_and(|rest| !rest.is_empty()));
    match secret {
        Some(name) if !belongs(name) => {
            let families: Vec<String> = families.iter().map(|f| format!("{f}<name>")).collect();
            Err(format!("the source's secret is not named {}", families.join(" or ")))
        }
        _ => Ok(()),
    }
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("the source's URL cannot be read: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("the source's URL is not http or https".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the source's URL contains a password; use a secret".to_owned());
    }
    Ok(url)
}

/// Copies everything the source has into `staging` and hashes it once on the way.
///
/// May be called again on the same directory after any failure or crash: complete files that the source did not
/// change are kept, an incomplete one goes on where it stopped. `secret` is the value of
/// [`SourceSpec::secret_name`].
///
/// An HTTP source is `{"files":[{"path","size"?,"sha256"?,"url"?}]}`, the bare array of the same, or an nginx
/// listing `[{"name","type":"file"|"directory","size"?}]`, which is followed 16 levels deep. `url` is relative
/// to the manifest and on its host; without it, `path` is.
///
/// # Errors
/// Permanent: `source_not_found`, `source_unauthorized`, `source_invalid`. Transient: `source_unreachable`,
/// `source_server_error` (with the server's `Retry-After`), `source_changed`, `checksum_mismatch`, `disk_full`,
/// `target_unwritable`, `cancelled`.
pub async fn fetch(
    cx: &StageContext,
    spec: &SourceSpec,
    staging: &Path,
    http: &HttpSource,
    secret: Option<SecretString>,
) -> Result<Manifest, StageError> {
    spec.validate().map_err(|why| StageError::permanent("source_invalid", why))?;
    cx.check()?;
    let mut manifest = match spec {
        SourceSpec::Folder { path } => folder::fetch(cx, path, staging).await?,
        SourceSpec::Http { url, .. } => {
            let url = parse_url(url).map_err(|why| StageError::permanent("source_invalid", why))?;
            let session = http.session(cx, url, secret);
            let entries = listing::read(&session).await?;
            download::fetch(&session, &entries, staging).await?
        }
        SourceSpec::None {} => Manifest::default(),
        SourceSpec::Program { .. } | SourceSpec::Rclone { .. } => {
            return Err(StageError::permanent("internal", "programs are run by Ways::fetch"));
        }
    };
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(manifest)
}

/// Bytes done of a whole course, for progress.
#[derive(Debug, Clone, Copy)]
struct Tally {
    /// Of complete files.
    done: u64,
    /// Of all files; 0 when some size is not known.
    total: u64,
}

/// Checks that the disk takes what is still missing of files with these sizes.
pub(super) async fn check_room(
    staging: &Path,
    sizes: impl Iterator<Item = (&str, Option<u64>)>,
) -> Result<(), StageError> {
    let mut needed = 0_u64;
    for (path, size) in sizes {
        let slot = Slot::new(staging, path);
        let there = match slot.done(&slot.read_state().await).await {
            Some(done) => done.size,
            None => slot.part_len().await,
        };
        needed = needed.saturating_add(size.unwrap_or(0).saturating_sub(there));
    }
    check_space(staging, needed).await
}

fn listed(path: &str, done: super::files::Done) -> ManifestFile {
    ManifestFile { path: path.to_owned(), size: done.size, sha256: done.sha256 }
}
