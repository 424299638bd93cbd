//! Transfers, and what the owner can do with one that is not placed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LedgerRow, NewItem, Stage};

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
    /// Why it did not settle anything by itself: `no_code`, `unknown_code`, `ambiguous`, `weak_evidence`,
    /// `unknown_account`, `zero_amount`, `money_out`. Stays when the owner has placed it.
    pub reason: Option<String>,
    /// The evidence it was placed by: `exact`, `spaced`, `embedded`, `code_field`, or `manual` = by the owner.
    pub level: Option<String>,
    /// Code of the order that has the money.
    pub order: Option<String>,
    /// Whose wallet or order it is in.
    pub customer: Option<TransferCustomer>,
    /// The owner's words when it was set aside.
    pub note: Option<String>,
    pub received_at: String,
    pub booked_at: Option<String>,
    /// Whole seconds since it came in, as of the answer; `null` within an order.
    pub age_s: Option<i64>,
}

/// A customer, in a list of transfers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct TransferCustomer {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub deposit_code: String,
}

/// A transfer with everything the owner needs to place it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TransferDetail {
    /// The transfer.
    pub transfer: TransferRow,
    /// What it may have been meant for, likeliest first, at most 5. Empty when it is placed.
    pub suggestions: Vec<Suggestion>,
    /// Every movement of its money, oldest first.
    pub movements: Vec<LedgerRow>,
    /// What can be done with it now.
    pub actions: Vec<TransferAction>,
    /// Until when a match can be undone before its delivery begins. `null` when there is nothing to undo, or no end.
    pub undo_until: Option<String>,
}

/// Something that can be done with a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TransferAction {
    Match,
    Credit,
    CreateOrder,
    SetAside,
    Undo,
}

/// Something a transfer may have been meant for: an order, or a customer's wallet. Exactly one of both is there.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Suggestion {
    /// The order.
    pub order: Option<SuggestedOrder>,
    /// The customer whose wallet it may be for.
    pub customer: Option<TransferCustomer>,
    /// How likely, 0 to 100; only for ranking.
    pub score: i64,
    /// Why, strongest first.
    pub evidence: Vec<Evidence>,
}

/// An order that a transfer may have been meant for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct SuggestedOrder {
    pub code: String,
    pub stage: Stage,
    pub total_vnd: i64,
    pub paid_vnd: i64,
    /// What a match would leave: above 0 too much, below 0 still missing.
    pub difference_vnd: i64,
    /// Course titles.
    pub summary: String,
    pub customer: TransferCustomer,
    pub created_at: String,
}

/// One reason for or against a suggestion.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Which reason.
    pub kind: EvidenceKind,
    /// The words of the transfer it rests on, as they stand there, for highlighting.
    pub found: Option<String>,
    /// What they were taken for: a code, a name.
    pub meant: Option<String>,
    /// The amount that agrees, whole đồng.
    pub amount_vnd: Option<i64>,
    /// Seconds between the order and the transfer.
    pub seconds: Option<i64>,
}

/// The reasons there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// The code stands in the transfer, but was not enough alone. `found`, `meant`.
    Code,
    /// A code like it stands in the transfer. `found`, `meant`.
    NearCode,
    /// The amount is exactly what is open. `amount_vnd`.
    Amount,
    /// The customer's name stands in the transfer. `found`, `meant`.
    PayerName,
    /// The order was created shortly before. `seconds`.
    Time,
    /// This customer was paid for before from the same words. `found`.
    SameCustomer,
    /// Against: the order had expired or was called off.
    Late,
    /// Against: the order is paid already.
    AlreadyPaid,
}

/// `POST /admin/api/transfers/{id}/match`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchTransfer {
    /// Code of the order.
    pub order: String,
}

/// `POST /admin/api/transfers/{id}/credit`: a customer by id, or by e-mail, who may be new.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditTransfer {
    /// An existing customer.
    #[serde(default)]
    pub customer_id: Option<i64>,
    /// E-mail address, in place of the id.
    #[serde(default)]
    pub email: Option<String>,
    /// Name of a new customer.
    #[serde(default)]
    pub name: Option<String>,
}

/// `POST /admin/api/transfers/{id}/create-order`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderFromTransfer {
    /// The buyer; an existing one is found by e-mail.
    pub customer: super::NewCustomer,
    /// At least one course, each once.
    pub items: Vec<NewItem>,
}

/// `POST /admin/api/transfers/{id}/set-aside`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAsideTransfer {
    /// Why, 1 to 500 characters.
    pub reason: String,
}
