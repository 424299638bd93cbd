//! Outside services: which are used, which are left alone and until when.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /admin/api/services`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Services {
    /// By name.
    pub services: Vec<ServiceRow>,
}

/// One outside service.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct ServiceRow {
    /// `drive`, `drive_upload`, `drive_sharing`, `smtp`, `rclone`, `lms:NAME`, `source:HOST`.
    pub name: String,
    /// `open`; `paused` by the owner; `parked` for a quota, or because the owner has to do something; `broken` after
    /// failures in a row; `trying` when its time is over and the next call shows whether it is well.
    pub state: String,
    /// Since when it is not open.
    pub since: Option<String>,
    /// When it goes on by itself; `null` while it is open or waits for the owner.
    pub until: Option<String>,
    /// Why it is left alone, for the words: `drive_sharing_quota`, `mail_auth`, `drive_reconnect`, `daily_cap`, …
    pub code: Option<String>,
    /// Technical detail.
    pub detail: Option<String>,
    /// The owner's words, while paused.
    pub reason: Option<String>,
    /// Tasks that wait for it.
    pub waiting: i64,
    /// Calls under way.
    pub in_use: i64,
    /// Calls that may be under way at once.
    pub at_once: i64,
    /// Calls in the 24 hours being counted; 0 for a service without pace and cap.
    pub today: i64,
    /// Calls that 24 hours allow; `null` = no cap of ours.
    pub per_day: Option<i64>,
}

/// `POST /admin/api/services/{name}/pause`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServicePause {
    /// Minutes until it resumes by itself; none means until resumed.
    pub minutes: Option<i64>,
    /// Why, shown beside the pause.
    pub reason: Option<String>,
}
