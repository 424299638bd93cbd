//! Reconciliation.

use chotdon_store::{BalanceRecord, RunRecord};

use super::rfc3339;
use crate::views::{ReconcileAccount, ReconcileRun};

/// One run.
pub(crate) fn reconcile_run(run: &RunRecord) -> ReconcileRun {
    ReconcileRun {
        id: run.id,
        cause: run.cause.clone(),
        state: run.state.clone(),
        started_at: rfc3339(run.started_at),
        ended_at: run.ended_at.map(rfc3339),
        listed: run.listed,
        added: run.added,
        added_vnd: run.added_vnd,
        unreadable: run.unreadable,
        slept_s: run.slept_ms / 1000,
        code: run.code.clone(),
        detail: run.detail.clone(),
    }
}

/// SePay's view of one account.
pub(crate) fn reconcile_account(balance: &BalanceRecord) -> ReconcileAccount {
    ReconcileAccount {
        account: balance.account.clone(),
        bank: balance.bank.clone(),
        sepay_balance_vnd: balance.balance_vnd,
        gap_vnd: balance.gap_vnd,
        at: rfc3339(balance.checked_at),
    }
}
