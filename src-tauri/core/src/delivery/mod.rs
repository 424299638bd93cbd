//! How a bought course reaches its buyer: fetched from its source, put at its target, linked, mailed.
//!
//! Owns files, HTTP and SMTP. Knows no SQL and no queue: `core/tasks` calls it stage by stage and stores what
//! it answers. Every function reports through [`StageContext`](crate::workers::StageContext) and may be run
//! again after a crash at any point.

pub mod download;
mod drive_error;
mod files;
pub mod links;
pub mod mail;
mod manifest;
mod source;
mod target;

pub(crate) use drive_error::drive_error;
pub use files::discard_staging;
pub use manifest::{Manifest, ManifestFile, check_path};
pub use source::{HttpSource, Offered, SourceSpec, fetch, look};
pub(crate) use target::drive;
pub use target::{DriveFile, Location, TargetSpec, available, upload, verify};
