//! What shows how the shop itself is: log lines, health, copies, diagnostics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One line of the log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct LogLine {
    /// Grows by one a line; begins at 1 with each start of the app.
    pub seq: u64,
    pub at: String,
    /// `error`, `warn`, `info`, `debug`, `trace`.
    pub level: String,
    /// The part of the program.
    pub component: String,
    pub message: String,
    /// `order_code`, `task_id`, `sepay_id`, `amount_vnd`, `code`, …
    pub fields: BTreeMap<String, String>,
}

/// `GET /admin/api/logs`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    /// Oldest first.
    pub rows: Vec<LogLine>,
    /// Whether there are more in the direction that was asked.
    pub more: bool,
    /// The parts that have said something.
    pub components: Vec<String>,
    /// The level that is written, from the settings.
    pub level: String,
    /// Folder of the log files.
    pub folder: String,
}

/// `GET /admin/api/health`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct HealthPage {
    pub cards: Vec<HealthCard>,
    pub version: String,
    pub uptime_s: i64,
}

/// One part of what the shop needs to work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthCard {
    /// `tunnel`, `webhook`, `sepay_api`, `workers`, `delivery`, `channels`, `database`, `disk`, `backup`, `clock`.
    pub id: String,
    /// `ok`, `warn`, `fail` (seen twice), `off` when it is not set up.
    pub state: String,
    /// Since when it is so.
    pub since: String,
    /// Why, for the words.
    pub code: Option<String>,
    /// Figures and names for the words.
    pub detail: Option<String>,
    /// The worst of each of the last 24 hours, oldest first; `none` where the app did not run.
    pub hours: Vec<String>,
    /// What helps: `backup`, `reconcile`, `resume`, or a page such as `/settings?section=sepay`.
    pub fix: Option<String>,
}

/// `GET /admin/api/backups`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Backups {
    /// Newest first.
    pub rows: Vec<BackupRow>,
    /// Where they are.
    pub folder: String,
    /// When the last one was made.
    pub last_at: Option<String>,
    /// Why the last attempt failed; none when it did not.
    pub code: Option<String>,
    /// Technical detail of that.
    pub detail: Option<String>,
    /// The copy that takes the shop's place at the next start.
    pub pending: Option<BackupContents>,
}

/// A copy of the shop.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct BackupRow {
    pub name: String,
    pub at: String,
    pub bytes: i64,
}

/// What is in a copy.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct BackupContents {
    /// None when the copy does not say.
    pub made_at: Option<String>,
    pub orders: i64,
    pub customers: i64,
    pub courses: i64,
    pub transfers: i64,
    /// Tasks that had not ended; what they do may have been done since.
    pub open_tasks: i64,
}

/// The section `backup` of the settings.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct BackupSettings {
    pub daily: bool,
    /// `HH:MM` in Vietnam.
    pub at: String,
    pub keep: u16,
    /// Empty = in the data directory.
    pub folder: String,
}

/// `GET /admin/api/diagnostics`: what the bundle would hold.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Diagnostics {
    /// The files.
    pub files: Vec<DiagnosticsFile>,
    /// A few lines to paste into a message.
    pub summary: String,
}

/// A file of the bundle.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct DiagnosticsFile {
    pub name: String,
    pub bytes: i64,
    /// Its beginning, as it is in the bundle.
    pub beginning: String,
}

/// `POST /admin/api/diagnostics`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BundleWish {
    /// Keep the file in the shop's folder instead of answering it.
    pub save: bool,
}
