//! View models: what the UI and the HTTP API show, as it is serialised.
//!
//! Field names are the wire names. Money is whole đồng and ends in `_vnd`; times are RFC 3339 UTC
//! strings; ids are integers. No secret ever enters one of these types. The UI does no business
//! arithmetic: whatever it shows is a field here.

use std::collections::BTreeMap;

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

/// The sum the owner can trust: every đồng in is in exactly one bucket.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Money {
    pub in_vnd: i64,
    pub orders_vnd: i64,
    pub wallets_vnd: i64,
    pub unmatched_vnd: i64,
    pub set_aside_vnd: i64,
    /// `in − (orders + wallets + unmatched + set aside)`; 0 unless something is broken.
    pub difference_vnd: i64,
    pub transfers: i64,
    pub ledger_ok: bool,
}

/// The queue in five numbers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct QueueCounts {
    pub queued: i64,
    pub running: i64,
    /// Scheduled again after a failed attempt.
    pub retrying: i64,
    pub failed: i64,
    /// Age of the oldest ready task; 0 when none waits.
    pub oldest_wait_ms: i64,
    pub workers: i64,
    pub busy: i64,
    pub paused: bool,
}

/// Today's numbers, beside the same weekday last week up to the same hour.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Today {
    /// The day in Vietnam, `YYYY-MM-DD`.
    pub date: String,
    pub in_vnd: i64,
    pub in_before_vnd: i64,
    pub transfers: i64,
    pub paid: i64,
    pub paid_before: i64,
    pub awaiting: i64,
    pub completed: i64,
    pub completed_before: i64,
    /// Median seconds from payment to delivery of the last 100 completed orders; `null` when there are none.
    pub delivery_p50_s: Option<i64>,
    /// 95th percentile of the same.
    pub delivery_p95_s: Option<i64>,
    /// Money in per hour of today, 24 numbers.
    pub hours_vnd: Vec<i64>,
}

/// One thing that needs the owner.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs, clippy::large_enum_variant)] // a handful per answer
pub enum Attention {
    Failures { group: FailureGroup },
    Unmatched { count: i64, amount_vnd: i64, oldest_at: String },
    WrongAmount { count: i64 },
    Undelivered { count: i64, oldest_at: String },
    Secrets { code: String },
}

/// `GET /admin/api/overview`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Overview {
    pub shop: String,
    pub demo: bool,
    pub version: String,
    /// Orders by stage.
    pub stages: BTreeMap<String, i64>,
    pub today: Today,
    pub queue: QueueCounts,
    /// Finished tasks per minute of the last 60 minutes, oldest first.
    pub queue_sparkline: Vec<i64>,
    pub money: Money,
    /// What needs the owner, most urgent first; empty on a good day.
    pub attention: Vec<Attention>,
    pub newest: Vec<OrderRow>,
    /// When the last transfer arrived.
    pub last_transfer_at: Option<String>,
    pub checklist: Checklist,
    pub receiving: Receiving,
}

/// Whether money can come in now.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Receiving {
    /// `ok`, `not_set_up` (no SePay key), `stopped` (listener or ledger halted).
    pub state: String,
    pub since: String,
    pub webhook_url: String,
    pub last_webhook_at: Option<String>,
    pub rejected_24h: i64,
}

/// One line of the order list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct OrderRow {
    pub code: String,
    pub customer: CustomerName,
    /// Course titles, joined.
    pub summary: String,
    pub stage: Stage,
    pub flags: Vec<Flag>,
    pub total_vnd: i64,
    pub paid_vnd: i64,
    pub vip: bool,
    pub created_at: String,
    pub paid_at: Option<String>,
    pub completed_at: Option<String>,
    /// When the next automatic attempt runs, while one is waiting.
    pub retry_at: Option<String>,
}

/// Who bought.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct CustomerName {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
}

/// `GET /admin/api/orders/{code}`: the whole story of one order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct OrderDetail {
    pub order: OrderRow,
    pub note: String,
    pub channel: String,
    pub expires_at: String,
    pub items: Vec<OrderItem>,
    /// `null` when no bank account is set up.
    pub payment: Option<Payment>,
    pub timeline: Vec<TimelineRow>,
    pub tasks: Vec<TaskRow>,
    pub transfers: Vec<TransferRow>,
    pub mails: Vec<MailRow>,
    /// What can be done now: `retry`, `redeliver`, `cancel`, `copy_link`.
    pub actions: Vec<String>,
}

/// One course of an order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct OrderItem {
    pub course: String,
    pub title: String,
    pub price_vnd: i64,
    pub delivery: Delivery,
    pub link: Option<String>,
}

/// How to pay an order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Payment {
    pub bank: String,
    pub bin: String,
    pub account: String,
    pub holder: String,
    /// The exact transfer text.
    pub memo: String,
    /// What is still to pay.
    pub amount_vnd: i64,
    pub vietqr: String,
    pub pay_url: String,
    /// The QR as an SVG document.
    pub qr_svg: String,
}

/// One row of an order's timeline.
///
/// `kind` selects the sentence; `data` holds its words. Kinds: `created`, `transfer`
/// (`sepay_id, gateway, reference, amount_vnd`), `matched` (`level`), `booked` (`amount_vnd, paid_vnd, total_vnd`),
/// `overpaid`/`underpaid` (`difference_vnd`), `late`, `paid_twice`, `course_ready` (`course`),
/// `course_waiting` (`course`), `preparing` (`course`), `shared` (`course`), `mail_sent` (`recipient`), `completed`,
/// `attempt_failed` (`task, stage, code, attempt, max, retry_at`), `failed` (`task, stage, code`),
/// `retried` (`stage`), `cancelled` (`reason`), `expired`, `note` (`text`), `redelivered`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct TimelineRow {
    pub id: i64,
    pub at: String,
    pub kind: String,
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    /// `system`, `owner` or `storefront`.
    pub actor: String,
}

/// A mail of the outbox.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct MailRow {
    pub id: i64,
    pub recipient: String,
    pub subject: String,
    pub state: String,
    pub created_at: String,
    pub sent_at: Option<String>,
}

/// A transfer that arrived.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct TransferRow {
    pub id: i64,
    pub sepay_id: i64,
    /// `in` or `out`.
    pub direction: String,
    pub amount_vnd: i64,
    pub gateway: String,
    pub account: String,
    pub content: String,
    pub reference: String,
    /// `order`, `wallet`, `unmatched`, `set_aside`, `ignored`.
    pub state: String,
    /// Why it is unmatched or ignored.
    pub reason: Option<String>,
    pub level: Option<String>,
    pub order: Option<String>,
    pub received_at: String,
    pub booked_at: Option<String>,
}

/// One line of the task list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct TaskRow {
    pub id: i64,
    /// `prepare_course`, `deliver_order`, `notify_owner`.
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

/// A course of the catalogue.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct CourseRow {
    pub slug: String,
    pub title: String,
    pub price_vnd: i64,
    #[schema(value_type = Object)]
    pub source: serde_json::Value,
    #[schema(value_type = Object)]
    pub target: serde_json::Value,
    pub active: bool,
    pub version: i64,
    /// True when the current version is prepared.
    pub ready: bool,
    pub bytes: Option<i64>,
    pub files: Option<i64>,
    pub sold: i64,
}

/// A customer in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct CustomerRow {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
    pub deposit_code: String,
    pub wallet_vnd: i64,
    pub orders: i64,
    pub created_at: String,
}

/// What the owner has to set up, each with a state that a test button can renew.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Checklist {
    pub done: i64,
    pub total: i64,
    pub rows: Vec<CheckRow>,
}

/// One row of the checklist. `id`: `bank`, `sepay_key`, `webhook`, `mail`, `secrets`, `course`, `notifications`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct CheckRow {
    pub id: String,
    /// `pass`, `warn`, `fail`.
    pub state: String,
    /// Error or remark code for the UI's catalogue.
    pub code: Option<String>,
    pub detail: Option<String>,
    pub checked_at: Option<String>,
}

/// Result of one test button, `POST /admin/api/checks/{id}`.
pub type CheckResult = CheckRow;

/// `GET /admin/api/settings`. Secrets appear only as [`SecretRow`]s.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Settings {
    pub shop: ShopSettings,
    pub sepay: SepaySettings,
    pub bank_accounts: Vec<BankAccount>,
    pub mail: MailSettings,
    pub workers: WorkerSettings,
    pub orders: OrderSettings,
    pub notifications: NotificationSettings,
    pub secrets: Vec<SecretRow>,
    /// `keyring`, `file` or `memory`.
    pub secret_store: String,
}

/// Names and language of the shop.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct ShopSettings {
    pub name: String,
    /// Language of mails: `vi` or `en`.
    pub language: String,
}

/// What the owner enters at SePay, and what came of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct SepaySettings {
    /// To copy into SePay.
    pub webhook_url: String,
    pub last_webhook_at: Option<String>,
    /// Seconds by which a signature's timestamp may differ from our clock.
    pub timestamp_tolerance_s: i64,
}

/// A bank account that customers pay into.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct BankAccount {
    #[serde(default)]
    pub id: Option<i64>,
    pub bank: String,
    #[serde(default)]
    pub bin: Option<String>,
    pub account: String,
    pub holder: String,
    #[serde(default)]
    pub virtual_account: Option<String>,
    #[serde(default)]
    pub memo_prefix: Option<String>,
    #[serde(default)]
    pub preferred: bool,
}

/// Where mail goes out.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct MailSettings {
    /// `smtp`, `mailbox` or `none`.
    pub transport: String,
    pub host: String,
    pub port: u16,
    /// `starttls`, `tls` or `none`.
    pub tls: String,
    pub user: String,
    pub from: String,
}

/// The worker pool and its retries.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct WorkerSettings {
    pub count: u16,
    pub lease_s: u32,
    pub retry_base_s: u32,
    pub retry_max: u16,
}

/// How orders behave.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct OrderSettings {
    pub expire_after_min: i64,
    pub tolerance_vnd: i64,
    pub link_days: i64,
    pub link_max_downloads: i64,
}

/// How the owner is told.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct NotificationSettings {
    pub desktop: bool,
    /// `HH:MM`; equal ends mean no quiet hours.
    pub quiet_from: String,
    pub quiet_to: String,
}

/// Whether a secret is set. The value itself never leaves the core.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct SecretRow {
    pub name: String,
    pub set: bool,
    /// Last four characters of values of at least 12; `null` otherwise.
    pub hint: Option<String>,
}

/// `PUT /admin/api/secrets/{name}`.
#[derive(Clone, Deserialize, ToSchema)]
pub struct SecretValue {
    /// The new value; write-only.
    pub value: String,
}

/// A note in the in-app inbox. `kind`: `task_failed`, `worker_crashed`, `worker_hung`, `mail_stopped`,
/// `different_body`, `ledger_stopped`; `data` holds its words (`code`, `task_kind`, `order`, `course`, `stage`, `amount_vnd`).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Notice {
    pub id: i64,
    /// 1 money or service stopped · 2 needs the owner · 3 information.
    pub class: i64,
    pub kind: String,
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    pub count: i64,
    pub first_at: String,
    pub last_at: String,
    /// `new`, `seen`, `resolved`.
    pub state: String,
    /// UI route that explains it, e.g. `/failures`.
    pub route: String,
}

/// `POST /admin/api/orders`, and (without `channel`) `POST /api/v1/orders`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// The buyer; an existing one is found by e-mail.
    pub customer: NewCustomer,
    /// At least one course, each once.
    pub items: Vec<NewItem>,
    /// `normal` (default) or `vip`.
    #[serde(default)]
    pub priority: Option<String>,
    /// Pay from the customer's wallet; default false.
    #[serde(default)]
    pub pay_from_wallet: bool,
    /// Internal note, at most 500 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// The buyer of a new order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NewCustomer {
    pub email: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub phone: Option<String>,
}

/// One course of a new order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    /// Slug of the course.
    pub course: String,
}

/// `POST /admin/api/simulate-transfer` (demo only): sends a real signed webhook to the public listener.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SimulateTransfer {
    /// Pays this order in full with its exact memo when `amount_vnd` and `content` are left out.
    pub order: Option<String>,
    /// Whole đồng.
    pub amount_vnd: Option<i64>,
    /// Transfer text.
    pub content: Option<String>,
    /// SePay id; drawn when left out.
    pub id: Option<i64>,
}

/// What the webhook endpoint answered to a simulated transfer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct SimulatedTransfer {
    pub sepay_id: i64,
    pub http_status: u16,
    #[schema(value_type = Object)]
    pub answer: serde_json::Value,
}

/// One message of the mailbox folder (`mail.transport = "mailbox"`).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct MailboxMessage {
    /// File name, the key for reading it.
    pub file: String,
    pub to: String,
    pub subject: String,
    pub at: String,
    /// Plain-text body; only when one message is read.
    pub text: Option<String>,
    /// HTML body; only when one message is read. Shown in a sandboxed frame without scripts.
    pub html: Option<String>,
}

/// `GET /health`, for monitors.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Health {
    /// `ok`, or `degraded` when a component is not `ok`.
    pub status: String,
    pub uptime_s: i64,
    pub version: String,
    /// Tasks that reached an end since the shop exists.
    pub tasks_processed: i64,
    pub current_tasks: Vec<TaskRow>,
    pub components: Vec<Component>,
}

/// One long-running part of the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Component {
    pub name: String,
    /// `ok`, `starting`, `degraded`, `stopped`.
    pub state: String,
    pub since: String,
    pub reason: Option<String>,
}

/// What a person did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct AuditRow {
    pub id: i64,
    pub at: String,
    /// `owner`, `storefront:NAME`, `cli`.
    pub actor: String,
    /// `order.cancel`, `settings.save`, …
    pub action: String,
    pub subject: String,
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}

/// `POST /admin/api/orders/{code}/cancel` and `POST /admin/api/tasks/{id}/cancel`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CancelRequest {
    /// Why; needed for orders, at most 500 characters.
    pub reason: String,
}

/// `POST /admin/api/orders/{code}/note`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteRequest {
    /// 1 to 2000 characters.
    pub text: String,
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

/// `PUT /admin/api/courses/{slug}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CourseChange {
    /// Not empty.
    pub title: String,
    /// Whole đồng, positive.
    pub price_vnd: i64,
    /// `{"kind":"folder","path":"/…"}` or `{"kind":"http","url":"…","secret":"source.NAME"?}`.
    #[schema(value_type = Object)]
    pub source: serde_json::Value,
    /// `{"kind":"folder"}`.
    #[schema(value_type = Object)]
    pub target: serde_json::Value,
    /// False takes it off sale; default true.
    #[serde(default = "yes")]
    pub active: bool,
}

fn yes() -> bool {
    true
}

/// One numbered event of `GET /admin/api/events` (SSE) or of the desktop's channel.
///
/// Events only say what changed; the UI asks again for what it shows. `seq` grows by one; a gap means
/// refetch everything. `topics`: `orders`, `order:CODE`, `queue`, `task:ID`, `failures`, `money`,
/// `notices`, `settings`, `courses`. Progress rides along so that bars move without a question.
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
}
