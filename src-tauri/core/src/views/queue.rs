//! Tasks, lanes, workers, failures and their retry.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{QueueCounts, TaskState};

/// One line of the task list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct TaskRow {
    pub id: i64,
    /// `prepare_course`, `deliver_order`, `notify_owner`, `mail_customer`, `send_webhook`, `revoke_access`, `test_delivery`.
    pub kind: String,
    pub lane: String,
    pub state: TaskState,
    /// The stage that runs or runs next.
    pub stage: String,
    pub attempt: i64,
    pub max_attempt: i64,
    pub vip: bool,
    pub order: Option<String>,
    pub course: Option<String>,
    /// True while it waits for a course to be prepared.
    pub waiting_for_course: bool,
    /// The outside service it waits for: `drive`, `drive_sharing`, `smtp`, `lms:NAME`, …
    pub waiting_for: Option<String>,
    pub run_at: Option<String>,
    pub created_at: String,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub error: Option<ErrorText>,
    pub progress: Option<Progress>,
}

/// What went wrong, for people. Words come from the UI's own catalogue by `code`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct ErrorText {
    /// Stable code, e.g. `source_not_found`.
    pub code: String,
    /// `transient`, `permanent`, `crashed`, `hung`.
    pub class: String,
    /// Technical detail, folded away in the UI.
    pub detail: String,
}

/// Live progress of a running task.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Progress {
    pub stage: String,
    pub done_bytes: u64,
    /// `null` when the total is not known.
    pub total_bytes: Option<u64>,
    pub bytes_per_s: u64,
    pub eta_s: Option<u64>,
    /// The file or step being worked on.
    pub item: Option<String>,
}

/// `GET /admin/api/tasks/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct TaskDetail {
    pub task: TaskRow,
    pub stages: Vec<StageRow>,
    /// Newest first.
    pub attempts: Vec<AttemptRow>,
    /// Orders that wait for this task (preparation of a course).
    pub waiting_orders: i64,
    pub lease_epoch: i64,
    pub dedupe_key: Option<String>,
    /// `retry`, `cancel`, `run_now`, `priority`.
    pub actions: Vec<String>,
}

/// One stage of a task.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct StageRow {
    pub stage: String,
    /// `done`, `current`, `next`.
    pub state: String,
    pub ended_at: Option<String>,
}

/// One attempt that failed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct AttemptRow {
    pub stage: String,
    pub started_at: String,
    pub ended_at: String,
    pub error: ErrorText,
}

/// Failed tasks with one cause.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct FailureGroup {
    /// Key to pass in a retry filter.
    pub group: String,
    pub kind: String,
    pub stage: String,
    pub error: ErrorText,
    pub count: i64,
    /// Orders that are held up, waiting ones included.
    pub orders: i64,
    pub amount_vnd: i64,
    pub first_at: String,
    pub last_at: String,
    /// Up to five order codes.
    pub sample_orders: Vec<String>,
    /// Up to five course titles.
    pub sample_courses: Vec<String>,
}

/// `GET /admin/api/failures`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Failures {
    pub groups: Vec<FailureGroup>,
    pub failed: i64,
    pub retrying: i64,
    /// When the last failed task was finished after all.
    pub last_resolved_at: Option<String>,
}

/// Which failed tasks a bulk action means. All given conditions must hold; none given means every failed task.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FailureFilter {
    /// Key of a [`FailureGroup`].
    pub group: Option<String>,
    /// Task kind.
    pub kind: Option<String>,
    /// Stable error code.
    pub code: Option<String>,
    /// Task ids.
    pub ids: Option<Vec<i64>>,
}

/// `POST /admin/api/failures/retry`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryRequest {
    /// Which tasks.
    pub filter: FailureFilter,
    /// True only counts.
    pub dry_run: bool,
}

/// Answer to a bulk retry.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RetryReport {
    /// Tasks that match the filter.
    pub matched: i64,
    /// Tasks put back in the queue; 0 in a dry run.
    pub retried: i64,
    /// Tasks that had moved on in between.
    pub skipped: i64,
}

/// `GET /admin/api/queue`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Queue {
    pub counts: QueueCounts,
    pub lanes: Vec<LaneRow>,
    pub workers: Vec<WorkerRow>,
    /// Late results of stale workers that were refused since the start.
    pub stale_refused: i64,
}

/// One lane of the queue.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct LaneRow {
    /// `course`, `order`, `owner`.
    pub name: String,
    pub ready: i64,
    pub running: i64,
    pub scheduled: i64,
    pub failed: i64,
    pub limit: i64,
    pub oldest_wait_ms: i64,
    /// Tasks finished in the last minute.
    pub per_minute: i64,
    pub paused_at: Option<String>,
    pub resumes_at: Option<String>,
    pub reason: Option<String>,
}

/// One worker.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct WorkerRow {
    pub id: i64,
    /// `idle`, `busy`, `hung`.
    pub state: String,
    pub task: Option<TaskRow>,
    pub started_at: Option<String>,
    /// When the handler last showed life.
    pub seen_at: String,
    /// How often this worker was replaced since the start.
    pub restarts: i64,
}

/// `POST /admin/api/queue/pause` and `/resume`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PauseRequest {
    /// A lane; none means all.
    pub lane: Option<String>,
    /// Minutes until it resumes by itself; none means until resumed.
    pub minutes: Option<i64>,
    /// Why, shown beside the pause.
    pub reason: Option<String>,
}

/// `POST /admin/api/tasks/{id}/retry`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryTask {
    /// Restarts from this stage; none goes on at the stage that failed.
    pub from_stage: Option<String>,
}

/// `POST /admin/api/tasks/{id}/priority`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriorityRequest {
    /// True moves the task to the front.
    pub vip: bool,
}
