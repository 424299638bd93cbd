//! Courses, customers, the setup checklist, settings, the record of human actions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BackupSettings, CourseCheck, Preparation};

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
    /// How the buyer becomes a student at a learning platform; none = not at all.
    #[schema(value_type = Option<Object>)]
    pub enrolment: Option<serde_json::Value>,
    pub active: bool,
    pub version: i64,
    /// True when the current version is prepared.
    pub ready: bool,
    pub bytes: Option<i64>,
    pub files: Option<i64>,
    pub sold: i64,
    pub description: String,
    /// Days of access after the first delivery; 0 = for ever.
    pub access_days: i64,
    /// Delivered of the orders paid in the last 30 days.
    pub sold_30d: i64,
    /// Of 100 deliveries of these orders, how many have failed.
    pub failed_30d_percent: i64,
    /// The preparation that is under way or has failed.
    pub preparation: Option<Preparation>,
    /// The last look at its source.
    pub check: Option<CourseCheck>,
}

/// What the owner has to set up, each with a state that a test button can renew.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Checklist {
    pub done: i64,
    pub total: i64,
    pub rows: Vec<CheckRow>,
}

/// One row of the checklist. `id`: `bank`, `sepay_key`, `webhook`, `sepay_api`, `mail`, `secrets`, `course`,
/// `notifications`, `tunnel`.
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
    pub tunnel: super::TunnelSettings,
    pub workers: WorkerSettings,
    pub orders: OrderSettings,
    pub notifications: NotificationSettings,
    pub channels: ChannelSettings,
    pub backup: BackupSettings,
    pub limits: LimitSettings,
    pub access: AccessSettings,
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

/// Where the owner is told besides the app, and of what: `stopped`, `needs_owner` or `all`. The section `channels`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ChannelSettings {
    pub desktop_about: String,
    /// Chat of the owner's bot; empty = none.
    pub telegram_chat: String,
    pub telegram_about: String,
    /// Address that is called; empty = none.
    pub webhook_url: String,
    pub webhook_about: String,
    /// Allows the address on this machine or in the local network.
    pub webhook_private: bool,
    /// Address of the owner; empty = none.
    pub mail_to: String,
    pub mail_about: String,
}

/// How much the public listener does for whom, in requests a second where nothing else is said.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct LimitSettings {
    /// Rates on; the caps on connections hold in any case.
    pub enabled: bool,
    /// Of one visitor: pages, downloads.
    pub visitor_per_s: u32,
    /// Of all visitors together.
    pub visitors_per_s: u32,
    /// Wrong keys of one sender.
    pub refused_per_s: u32,
    /// With one storefront key.
    pub key_per_s: u32,
    /// Connections at once.
    pub connections: u32,
}

/// Under which names and from which addresses the public door lets requests in. A wrong entry keeps SePay out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct AccessSettings {
    /// Names besides the public address and loopback, with a port where it is not the default one.
    pub allowed_hosts: Vec<String>,
    /// Header in which the owner's own proxy says who asks; empty = none, or the tunnel's own.
    pub client_ip_header: String,
    /// Addresses and networks that webhooks may come from; empty = any.
    pub allowed_ips: Vec<String>,
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

/// `PUT /admin/api/courses/{slug}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CourseChange {
    /// Not empty.
    pub title: String,
    /// Whole đồng, positive.
    pub price_vnd: i64,
    /// `{"kind":"folder","path":"/…"}`, `{"kind":"http","url":"…","secret":"source.NAME"?}`, …; `{"kind":"none"}` with an
    /// enrolment only.
    #[schema(value_type = Object)]
    pub source: serde_json::Value,
    /// `{"kind":"folder"}`.
    #[schema(value_type = Object)]
    pub target: serde_json::Value,
    /// `{"kind":"recipe","name":"moodle","base_url":"https://…","course":"42","secret":"lms.NAME"}`, or of kind `custom`
    /// with a `recipe`. Left out keeps what is there, `null` takes it away.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub enrolment: Option<Option<serde_json::Value>>,
    /// False takes it off sale; default true.
    #[serde(default = "yes")]
    pub active: bool,
    /// At most 5000 characters; left out = as it is.
    #[serde(default)]
    pub description: Option<String>,
    /// Days of access after the first delivery, 0 = for ever; left out = as it is.
    #[serde(default)]
    pub access_days: Option<i64>,
    /// True refuses to change a course that exists.
    #[serde(default)]
    pub create: bool,
}

/// Tells `null` from nothing at all.
fn given<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<serde_json::Value>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub(super) fn yes() -> bool {
    true
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
