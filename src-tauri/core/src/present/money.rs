//! Wallets, the ledger, customers.

use chotdon_store::read::{AccountRecord, CustomerRecord, CustomerStory, LedgerRecord, WalletRecord};

use super::{order_row, payment, rfc3339};
use crate::views::{CustomerDetail, CustomerRow, LedgerCustomer, LedgerRow, WalletSummary};

/// What the shop owes its customers.
pub(crate) fn wallet_summary(record: &WalletRecord) -> WalletSummary {
    WalletSummary {
        owed_vnd: record.owed_vnd,
        customers: record.customers,
        topups_today_vnd: record.topups_today_vnd,
        spent_today_vnd: record.spent_today_vnd,
        adjusted_today_vnd: record.adjusted_today_vnd,
    }
}

/// One movement.
pub(crate) fn ledger_row(row: &LedgerRecord) -> LedgerRow {
    LedgerRow {
        id: row.id,
        at: rfc3339(row.at),
        kind: row.kind.clone(),
        debit: row.debit.clone(),
        credit: row.credit.clone(),
        amount_vnd: row.amount_vnd,
        balance_after_vnd: row.balance_after_vnd,
        transfer_id: row.transfer_id,
        order: row.order_code.clone(),
        customer: row
            .customer_id
            .map(|id| LedgerCustomer { id, name: row.customer_name.clone().unwrap_or_default() }),
        note: row.note.clone(),
        actor: row.actor.clone(),
        reverses: row.reverses,
        reversed_by: row.reversed_by,
        can_reverse: row.can_reverse(),
    }
}

/// A customer in a list.
pub(crate) fn customer_row(customer: &CustomerRecord) -> CustomerRow {
    CustomerRow {
        id: customer.id,
        name: customer.name.clone(),
        email: customer.email.clone(),
        phone: customer.phone.clone(),
        deposit_code: customer.deposit_code.clone(),
        wallet_vnd: customer.wallet_vnd,
        orders: customer.orders,
        spent_vnd: customer.spent_vnd,
        last_order_at: customer.last_order_at.map(rfc3339),
        created_at: rfc3339(customer.created_at),
    }
}

/// Everything about one customer.
pub(crate) fn customer_detail(
    story: &CustomerStory,
    account: Option<&AccountRecord>,
    topup_url: String,
) -> CustomerDetail {
    let code = &story.customer.deposit_code;
    let topup_vietqr = account.and_then(|account| payment::topup_vietqr(account, code));
    CustomerDetail {
        customer: customer_row(&story.customer),
        orders: story.orders.iter().map(order_row).collect(),
        ledger: story.ledger.iter().map(ledger_row).collect(),
        deposit_code: code.clone(),
        topup_url,
        topup_qr_svg: topup_vietqr.as_deref().and_then(payment::qr_svg),
        topup_vietqr,
    }
}
