//! Reconciliation: what it is about, its runs, SePay's accounts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /admin/api/reconcile`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct Reconcile {
    /// `off` (no API token), `idle`, `running`, `failed`.
    pub state: String,
    /// Whether there is an API token.
    pub configured: bool,
    /// Why it is off or failed, for the UI's catalogue.
    pub code: Option<String>,
    pub last_run: Option<ReconcileRun>,
    /// The last runs, newest first, at most 20.
    pub runs: Vec<ReconcileRun>,
    pub accounts: Vec<ReconcileAccount>,
    /// SePay's listed money in less ours; 0 unless something is missing on one side.
    pub difference_vnd: i64,
    /// When the next run is due; `null` = only at start, on wake and on demand.
    pub next_at: Option<String>,
}

/// One run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct ReconcileRun {
    pub id: i64,
    /// `start`, `wake`, `timer`, `demand`, `tunnel`.
    pub cause: String,
    /// `running`, `done`, `failed`; `stopped` when the app ended under it.
    pub state: String,
    pub started_at: String,
    pub ended_at: Option<String>,
    /// Rows that SePay listed.
    pub listed: i64,
    /// Transfers that no webhook had reported.
    pub added: i64,
    /// Of those, money in.
    pub added_vnd: i64,
    /// Rows that could not be read.
    pub unreadable: i64,
    /// How long the machine slept before it, seconds.
    pub slept_s: i64,
    /// Why it failed, for the UI's catalogue.
    pub code: Option<String>,
    pub detail: Option<String>,
}

/// SePay's view of one account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct ReconcileAccount {
    pub account: String,
    pub bank: String,
    /// `null` when the bank gives none.
    pub sepay_balance_vnd: Option<i64>,
    /// How much of the balance's change of the last seven days the listed rows do not explain; positive: money came
    /// in that SePay does not list; negative: money went out, which many banks do not report.
    pub gap_vnd: Option<i64>,
    pub at: String,
}

/// `POST /admin/api/reconcile`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReconcileWish {
    /// Reads by date from then on as well: a day in Vietnam (`2026-11-20`) or an RFC 3339 time.
    pub from: Option<String>,
}
