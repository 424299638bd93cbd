//! What Drive's errors mean for a stage: which are one task's own, and which stop everything that needs Drive, its
//! uploads or its sharing. Sharing looks at the class itself before it asks here.

use gdrive::{Class, Error};

use crate::workers::{StageError, Until};

const HOUR_MS: i64 = 3_600_000;
/// Google does not publish how much may be shared; asking again too soon makes it worse.
const SHARING_RESTS: &[i64] = &[HOUR_MS, 24 * HOUR_MS];
/// The owner has to make room; whether there is some is looked for this often.
pub(super) const ROOM_IS_LOOKED_FOR: &[i64] = &[HOUR_MS];

/// The stage's error for one of Drive's.
pub(crate) fn drive_error(error: Error) -> StageError {
    let detail = error.to_string();
    match error.class() {
        Class::Reconnect => StageError::parks("drive", "drive_reconnect", detail, Until::Change),
        Class::Busy { retry_after } => StageError::transient("drive_busy", detail).after(*retry_after),
        Class::SharingQuota => {
            StageError::parks("drive_sharing", "drive_sharing_quota", detail, Until::Steps(SHARING_RESTS))
        }
        Class::StorageFull => {
            StageError::parks("drive_upload", "drive_full", detail, Until::Steps(ROOM_IS_LOOKED_FOR))
        }
        Class::NotFound => StageError::permanent("drive_not_found", detail),
        Class::Denied(_) | Class::AlreadyThere | Class::CannotExpire | Class::NeedsNotification => {
            StageError::permanent("drive_denied", detail)
        }
        Class::SessionLost => StageError::transient("drive_session_lost", detail),
        Class::Unclear => StageError::transient("drive_unclear", detail),
        Class::Unreachable => StageError::transient("drive_unreachable", detail),
    }
}
