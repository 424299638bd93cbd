//! Where a prepared course lies for its buyers: what can be configured, and what is remembered of a place.
//!
//! One file a target brings the files there and looks whether they are still there; which one is asked is decided
//! in `tasks/place.rs`, where the shop's accounts are known.

pub(crate) mod drive;
mod folder;
pub mod rclone;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use folder::{available, upload, verify};

use super::manifest::check_path;
use crate::workers::StageError;

/// A course's target, as configured: `{"kind":"folder"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TargetSpec {
    /// The library of the data directory, served by signed links.
    Folder {},
    /// The shop's Google Drive; each buyer is given a permission of their own.
    Drive {
        /// Id of the Drive folder that the course's folders are made in; by default `drive.parent_folder_id`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        folder: Option<String>,
    },
    /// A directory of any remote that rclone knows; the app gives the files out by signed links.
    Rclone {
        /// Name of the remote; the secret `source.<remote>` has its configuration unless `secret` says otherwise.
        remote: String,
        /// Below the remote's root; empty for the root itself.
        #[serde(default)]
        path: String,
        /// Name of the secret with the remote's configuration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
    },
}

/// Where one version of a course ended up, in the target's own words; stored as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Location {
    /// A directory of the library.
    Folder {
        /// Relative to the library, `/` between components.
        dir: String,
    },
    /// A folder of Google Drive.
    Drive {
        /// Its id: what a buyer's permission is created on.
        folder_id: String,
        /// Its address for browsers, `webViewLink`: what a buyer is sent.
        link: String,
        /// Its files, in the manifest's order.
        files: Vec<DriveFile>,
    },
    /// A directory of a remote.
    Rclone {
        /// Name of the remote.
        remote: String,
        /// Below the remote's root.
        path: String,
        /// Name of the secret with the remote's configuration, when it is not `source.<remote>`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
    },
    /// Nowhere: the course has no files.
    None {},
}

/// One file of a course on Drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriveFile {
    /// As in the manifest.
    pub path: String,
    /// Drive's id of it.
    pub id: String,
    /// Lower-case hex, for accounts whose answers lack SHA-256; may be empty.
    #[serde(default)]
    pub md5: String,
}

impl Location {
    /// The directory this location names below `library`.
    ///
    /// # Errors
    /// `link_broken` when it is no directory of the library, or the stored text leads elsewhere.
    pub(super) fn dir(&self, library: &Path) -> Result<PathBuf, StageError> {
        let Self::Folder { dir } = self else {
            return Err(StageError::permanent("link_broken", "the course does not lie in the library"));
        };
        check_path(dir).map_err(|why| StageError::permanent("link_broken", format!("{why}: {dir:?}")))?;
        Ok(library.join(dir))
    }
}
