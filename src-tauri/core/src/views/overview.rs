//! The Overview, the health of the shop, notices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Checklist, FailureGroup, OrderRow, TaskRow, TunnelGlance, Woke};

/// The sum the owner can trust: `in + adjusted = orders + wallets + unmatched + set aside`, to the đồng.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Money {
    /// Everything that ever came in by transfer.
    pub in_vnd: i64,
    /// Held by orders, and refunded from them.
    pub orders_vnd: i64,
    pub wallets_vnd: i64,
    pub unmatched_vnd: i64,
    pub set_aside_vnd: i64,
    /// Of `orders_vnd`: given back to buyers.
    pub refunded_vnd: i64,
    /// Sum of the adjustments of wallets; below 0 when more was taken out than added.
    pub adjusted_vnd: i64,
    /// `in + adjusted − (orders + wallets + unmatched + set aside)`, and what SePay lists less what came in, over what
    /// was reconciled; 0 unless something is broken.
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
    /// `ok`, `not_set_up` (no SePay key), `unreachable` (the public address does not work), `stopped` (listener or ledger
    /// halted).
    pub state: String,
    pub since: String,
    pub webhook_url: String,
    pub last_webhook_at: Option<String>,
    pub rejected_24h: i64,
    /// The way from the internet.
    pub tunnel: TunnelGlance,
    /// The last time that the machine slept, since the app runs.
    pub woke: Option<Woke>,
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
    /// `ok`, `starting`, `degraded`, `down` (outside of the app), `stopped`.
    pub state: String,
    pub since: String,
    pub reason: Option<String>,
}

/// A note in the in-app inbox. `kind`: `task_failed`, `worker_crashed`, `worker_hung`, `worker_lost`, `worker_missing`, `mail_stopped`, `service_parked` (`service, code, state, since, until`),
/// `different_body`, `unmatched`, `wrong_product`, `ledger_stopped`, `caught_up`, `reconcile_failed`, `sepay_difference`, `sepay_balance_gap`,
/// `soft_duplicate`, `sepay_row_unreadable`, `webhook_not_allowed_ip` (`address, count`), `webhook_wrong_host` (`host, count`), `tunnel_down` (`code, since, url`), `tunnel_back` (`minutes, count`),
/// `tunnel_moved` (`url`), `tunnel_certificate` (`until, url`); `data` holds its words (`code`, `task_kind`, `order`, `course`, `stage`, `amount_vnd`).
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
