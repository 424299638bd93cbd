//! How a bought course reaches its buyer: fetched from its source, put at its target, linked, mailed.
//!
//! Owns files, HTTP and SMTP. Knows no SQL and no queue: `core/tasks` calls it stage by stage and stores what
//! it answers. Every function reports through [`StageContext`](crate::workers::StageContext) and may be run
//! again after a crash at any point.

pub mod download;
mod drive_error;
mod files;
mod leftovers;
pub mod links;
pub mod mail;
mod manifest;
mod rclone;
mod received;
mod source;
mod target;

pub(crate) use drive_error::drive_error;
pub use files::discard_staging;
pub(crate) use files::staged;
pub(crate) use manifest::check_paths;
pub use manifest::{Manifest, ManifestFile, check_path};
pub use rclone::{RemoteSpec, Remotes};
pub(crate) use received::take_received;
pub(crate) use source::Reader;
pub use source::{
    ByWorkers, CourseAsked, Downloader, HttpSource, Offer, Offered, Order, SourceSpec, Ways, executable,
    fetch,
};
pub(crate) use target::drive;
pub use target::rclone as on_remote;
pub use target::{DriveFile, Location, TargetSpec, available, upload, verify};
