//! Transfers, what they may have been meant for, and what can be done with them.

use chotdon_domain::suggest;
use chotdon_store::Placing;
use chotdon_store::read::{CustomerOf, Suggested, SuggestionRecord, TransferRecord};

use super::orders::stage;
use super::rfc3339;
use crate::views::{
    Evidence, EvidenceKind, SuggestedOrder, Suggestion, TransferAction, TransferCustomer, TransferRow,
};

/// A transfer that arrived, and how old it is at `now` (ms UTC).
pub(crate) fn transfer_row(transfer: &TransferRecord, now: Option<i64>) -> TransferRow {
    let customer = transfer.customer_id.map(|id| TransferCustomer {
        id,
        name: transfer.customer_name.clone().unwrap_or_default(),
        email: transfer.customer_email.clone().unwrap_or_default(),
        deposit_code: transfer.deposit_code.clone().unwrap_or_default(),
    });
    TransferRow {
        id: transfer.id,
        sepay_id: transfer.sepay_id,
        direction: transfer.direction.clone(),
        amount_vnd: transfer.amount_vnd,
        gateway: transfer.gateway.clone(),
        account: transfer.account.clone(),
        content: transfer.content.clone(),
        reference: transfer.reference.clone(),
        state: transfer.state.clone(),
        reason: transfer.reason.clone(),
        level: transfer.level.clone(),
        order: transfer.order_code.clone(),
        customer,
        note: transfer.note.clone(),
        received_at: rfc3339(transfer.received_at),
        booked_at: transfer.booked_at.map(rfc3339),
        age_s: now.map(|now| now.saturating_sub(transfer.received_at).max(0) / 1000),
    }
}

/// What can be done with a transfer now.
pub(crate) fn transfer_actions(placing: &Placing) -> Vec<TransferAction> {
    let mut actions = Vec::new();
    if placing.placeable {
        actions.extend([TransferAction::Match, TransferAction::Credit, TransferAction::CreateOrder]);
    }
    if placing.waiting {
        actions.push(TransferAction::SetAside);
    }
    if placing.undoable {
        actions.push(TransferAction::Undo);
    }
    actions
}

/// What a transfer of `amount` whole đồng may have been meant for.
pub(crate) fn suggestion(record: &SuggestionRecord, amount: i64) -> Suggestion {
    let (order, whose) = match &record.suggested {
        Suggested::Order(order) => {
            let suggested = SuggestedOrder {
                code: order.code.clone(),
                stage: stage(order.stage),
                total_vnd: order.total_vnd,
                paid_vnd: order.paid_vnd,
                difference_vnd: order.paid_vnd.saturating_add(amount).saturating_sub(order.total_vnd),
                summary: order.summary.clone(),
                customer: customer(&order.customer),
                created_at: rfc3339(order.created_at),
            };
            (Some(suggested), None)
        }
        Suggested::Customer(one) => (None, Some(customer(one))),
    };
    let evidence = record.evidence.iter().map(evidence).collect();
    Suggestion { order, customer: whose, score: record.score, evidence }
}

fn customer(customer: &CustomerOf) -> TransferCustomer {
    TransferCustomer {
        id: customer.id,
        name: customer.name.clone(),
        email: customer.email.clone(),
        deposit_code: customer.deposit_code.clone(),
    }
}

fn evidence(evidence: &suggest::Evidence) -> Evidence {
    use suggest::Evidence as Known;
    let of = |kind| Evidence { kind, found: None, meant: None, amount_vnd: None, seconds: None };
    match evidence {
        Known::Code { found, meant } => {
            Evidence { found: Some(found.clone()), meant: Some(meant.clone()), ..of(EvidenceKind::Code) }
        }
        Known::NearCode { found, meant } => {
            Evidence { found: Some(found.clone()), meant: Some(meant.clone()), ..of(EvidenceKind::NearCode) }
        }
        Known::Amount(amount) => Evidence { amount_vnd: Some(*amount), ..of(EvidenceKind::Amount) },
        Known::PayerName { meant } => Evidence { meant: Some(meant.clone()), ..of(EvidenceKind::PayerName) },
        Known::Time(ms) => Evidence { seconds: Some(ms / 1000), ..of(EvidenceKind::Time) },
        Known::SameCustomer { found } => {
            Evidence { found: Some(found.clone()), ..of(EvidenceKind::SameCustomer) }
        }
        Known::Late => of(EvidenceKind::Late),
        Known::AlreadyPaid => of(EvidenceKind::AlreadyPaid),
    }
}
