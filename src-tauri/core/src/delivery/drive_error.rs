//! What Drive's errors mean for a stage. Sharing looks at the class itself before it asks here.

use gdrive::{Class, Error};

use crate::workers::StageError;

/// The stage's error for one of Drive's.
pub(crate) fn drive_error(error: Error) -> StageError {
    let detail = error.to_string();
    match error.class() {
        Class::Reconnect => StageError::permanent("drive_reconnect", detail),
        Class::Busy { retry_after } => StageError::transient("drive_busy", detail).after(*retry_after),
        Class::SharingQuota => StageError::transient("drive_sharing_quota", detail),
        Class::StorageFull => StageError::permanent("drive_full", detail),
        Class::NotFound => StageError::permanent("drive_not_found", detail),
        Class::Denied(_) | Class::AlreadyThere | Class::CannotExpire | Class::NeedsNotification => {
            StageError::permanent("drive_denied", detail)
        }
        Class::SessionLost => StageError::transient("drive_session_lost", detail),
        Class::Unclear => StageError::transient("drive_unclear", detail),
        Class::Unreachable => StageError::transient("drive_unreachable", detail),
    }
}
