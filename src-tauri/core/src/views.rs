//! View models: what the UI and the HTTP API show, as it is serialised.
//!
//! Field names are the wire names. Money is whole đồng and ends in `_vnd`; times are RFC 3339 UTC
//! strings; ids are integers. No secret ever enters one of these types, but for the key of a
//! new worker, which is shown once. The UI does no business arithmetic: whatever it shows is a field here.

use std::collections::BTreeMap;

mod courses;
mod enrolment;
mod google;
mod keys;
mod mails;
mod money;
mod operating;
mod orders;
mod overview;
mod queue;
mod reconcile;
mod services;
mod settings;
mod storefront;
mod transfers;
mod tunnel;
mod webhooks;
mod workers;

pub use courses::*;
pub use enrolment::*;
pub use google::*;
pub use keys::*;
pub use mails::*;
pub use money::*;
pub use operating::{
    BackupContents, BackupRow, BackupSettings, Backups, BundleWish, Diagnostics, DiagnosticsFile, HealthCard,
    HealthPage, LogLine, LogPage,
};
pub use orders::*;
pub use overview::*;
pub use queue::*;
pub use reconcile::*;
pub use services::*;
pub use settings::*;
pub use storefront::*;
pub use transfers::*;
pub use tunnel::*;
pub use webhooks::*;
pub use workers::*;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an order stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Stage {
    Pending,
    Paid,
    Processing,
    Completed,
    Failed,
    Expired,
    Cancelled,
    Refunded,
}

/// What is unusual about an order's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Flag {
    Underpaid,
    Overpaid,
    Late,
    PaidTwice,
    Marked,
}

/// How far one course of an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Delivery {
    Waiting,
    Preparing,
    Sharing,
    Delivered,
    Failed,
    Revoked,
}

/// State of a task in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TaskState {
    Scheduled,
    Ready,
    Running,
    Done,
    Failed,
    Cancelled,
}

/// A page of a keyset-paged list. `next` is the cursor to pass as `?after=`; `null` on the last page.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub rows: Vec<T>,
    /// Cursor of the following page.
    pub next: Option<String>,
}

/// One numbered event of `GET /admin/api/events` (SSE) or of the desktop's channel.
///
/// Events only say what changed; the UI asks again for what it shows. `seq` grows by one; a gap means
/// refetch everything. `topics`: `orders`, `order:CODE`, `queue`, `task:ID`, `failures`, `money`,
/// `customers`, `customer:ID`, `notices`, `settings`, `courses`, `reconcile`, `webhooks`, `logs`, `backups`, `tunnel`. Progress rides along so that bars move
/// without a question.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Sequence number.
    pub seq: u64,
    /// What changed, merged over up to 250 ms.
    pub topics: Vec<String>,
    /// Progress of running tasks by task id.
    pub progress: BTreeMap<i64, Progress>,
}

/// RFC 9457 problem details, the body of every error.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `about:blank`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short English title.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable code that the UI's catalogue knows.
    pub code: String,
    /// What, where and what to do, in English; never a secret.
    pub detail: String,
    /// What the log says of it when it is answered; nobody else is told.
    #[serde(skip)]
    #[schema(ignore)]
    pub(crate) cause: Option<Box<str>>,
}
