//! The shop's rclone: one supervised child for all remotes, started when it is first needed.
//!
//! `daemon` starts and watches it, `remote` configures remotes from the secret store, `work` waits for jobs,
//! `source` fetches courses, `cache` gives buyers the files of a remote. What is put on remotes is in `target/rclone.rs`.

mod cache;
mod daemon;
mod remote;
mod source;
mod work;

use crate::workers::StageError;

pub use daemon::Remotes;
pub use remote::RemoteSpec;
pub(super) use remote::{check_remote, join};
pub(super) use source::drop_strangers;
pub(super) use work::{finished, group};

/// Which end of a delivery a remote is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Source,
    Target,
}

/// What an error of rclone's means for a stage. The text passes the mask: a remote may repeat what it was given.
pub(super) fn stage_error(error: &rclone::Error, end: End) -> StageError {
    use rclone::Class;
    let detail = crate::logging::masked(&error.to_string());
    match (error.class(), end) {
        (Class::Gone | Class::JobUnknown, _) => StageError::transient("rclone_stopped", detail),
        (Class::Remote, _) => StageError::permanent("rclone_remote_unknown", detail),
        (Class::NotFound, End::Source) => StageError::permanent("source_not_found", detail),
        (Class::Denied, End::Source) => StageError::permanent("source_unauthorized", detail),
        (Class::Denied, End::Target) => StageError::permanent("rclone_denied", detail),
        (Class::Full, End::Target) => StageError::transient("rclone_full", detail),
        (Class::Full, End::Source) => StageError::transient("disk_full", detail),
        (Class::NotFound, End::Target) | (Class::Other, _) => StageError::transient("rclone_failed", detail),
    }
}
