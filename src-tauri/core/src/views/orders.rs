//! Orders with their timeline, transfers, mails; making an order and paying it in a demo.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BundleName, Delivery, Flag, Stage, TaskRow, TransferRow};

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
    /// Where it is delivered to.
    pub deliver_to: String,
    pub expires_at: String,
    pub items: Vec<OrderItem>,
    /// `null` when no bank account is set up.
    pub payment: Option<Payment>,
    pub timeline: Vec<TimelineRow>,
    pub tasks: Vec<TaskRow>,
    pub transfers: Vec<TransferRow>,
    pub mails: Vec<MailRow>,
    /// Access at other systems, oldest first.
    pub access: Vec<AccessRow>,
    /// What it holds now, refunds and moved surplus taken off.
    pub held_vnd: i64,
    /// What it holds beyond its need.
    pub surplus_vnd: i64,
    /// Given back so far.
    pub refunded_vnd: i64,
    /// What can be done now: `retry`, `redeliver`, `cancel`, `copy_link`, `mark_paid`, `refund`, `surplus`,
    /// `pay_from_wallet`, `resend`, `change_email`.
    pub actions: Vec<String>,
}

/// What a buyer may open at another system.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct AccessRow {
    /// Title of the course.
    pub course: String,
    /// `drive`, or `lms:HOST` of a learning platform.
    pub kind: String,
    /// The address that has it.
    pub email: String,
    /// `intent`, `granted`, `revoking` or `revoked`.
    pub state: String,
    /// Since when it is in that state.
    pub since: String,
    /// When it ends by itself; `null` = never.
    pub expires_at: Option<String>,
}

/// One course of an order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct OrderItem {
    pub course: String,
    pub title: String,
    pub price_vnd: i64,
    pub delivery: Delivery,
    /// Where the buyer goes: to the files, or to the platform of a course without files.
    pub link: Option<String>,
    /// The version that was delivered.
    pub version: Option<i64>,
    /// When access ends by the course's terms; `null` = never, or not delivered yet.
    pub access_until: Option<String>,
    /// The bundle it was bought in.
    pub bundle: Option<BundleName>,
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
/// `retried` (`stage`), `service_waiting` (`service, code, until`), `cancelled` (`reason, held_vnd`), `expired`, `note` (`text`), `redelivered`,
/// `announced` (`course, version`), `resent`, `email_changed` (`from, to, reason, customer`),
/// `marked_paid` (`reason`), `refunded` (`amount_vnd, held_vnd, whole, reason`), `access_revoked` (`links`), `access_taken` (`course, email, kept`), `access_expired`,
/// `surplus_moved` (`amount_vnd, to, reason`), `wallet_paid` (`amount_vnd`), `reversed` (`amount_vnd, what, reason`).
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
    /// The bank has the transfer and its webhook is lost, so that only reconciliation finds it; `false` when left out.
    #[serde(default)]
    pub lost: bool,
}

/// What the webhook endpoint answered to a simulated transfer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct SimulatedTransfer {
    pub sepay_id: i64,
    /// 0 when the webhook was lost on purpose.
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
