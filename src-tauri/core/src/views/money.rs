//! Money beyond the Overview: wallets, the ledger, customers, and what the owner does to an order's money.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OrderRow;

/// `GET /admin/api/wallet`: what the shop owes its customers. Today is the day in Vietnam.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct WalletSummary {
    /// In all wallets.
    pub owed_vnd: i64,
    /// Customers with money in their wallet.
    pub customers: i64,
    pub topups_today_vnd: i64,
    /// Spent on orders.
    pub spent_today_vnd: i64,
    /// Sum of adjustments; below 0 when more was taken out than added.
    pub adjusted_today_vnd: i64,
}

/// One movement of money.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LedgerRow {
    /// Counts up without gaps.
    pub id: i64,
    /// When.
    pub at: String,
    /// `transfer`, `match`, `credit`, `set_aside`, `undo`, `wallet_pay`, `surplus`, `refund`, `adjust`, `reverse`.
    pub kind: String,
    /// Account it left: `bank`, `unmatched`, `set_aside`, `shop`, `order:ID`, `wallet:ID`.
    pub debit: String,
    /// Account it went to; `refunded` besides.
    pub credit: String,
    /// Above 0.
    pub amount_vnd: i64,
    /// What the wallet, or else the order, that it touches held afterwards.
    pub balance_after_vnd: Option<i64>,
    /// The transfer behind it.
    pub transfer_id: Option<i64>,
    /// Code of the order it touches.
    pub order: Option<String>,
    /// Whose wallet, or else whose order, it touches.
    pub customer: Option<LedgerCustomer>,
    /// Why, in the words of whoever moved it.
    pub note: Option<String>,
    /// Who moved it; `null` for what the shop does by itself.
    pub actor: Option<String>,
    /// The row that it takes back.
    pub reverses: Option<i64>,
    /// The row that takes it back.
    pub reversed_by: Option<i64>,
    /// Whether it can be taken back now.
    pub can_reverse: bool,
}

/// Whose money moved.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[allow(missing_docs)]
pub struct LedgerCustomer {
    pub id: i64,
    pub name: String,
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
    /// How many.
    pub orders: i64,
    /// Held by their orders now.
    pub spent_vnd: i64,
    pub last_order_at: Option<String>,
    pub created_at: String,
}

/// `GET /admin/api/customers/{id}`: everything about one customer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CustomerDetail {
    /// The customer.
    pub customer: CustomerRow,
    /// Newest first, at most 50.
    pub orders: Vec<OrderRow>,
    /// Movements of the wallet, newest first, at most 50.
    pub ledger: Vec<LedgerRow>,
    /// What a transfer to the wallet has to say.
    pub deposit_code: String,
    /// The page at which they top up.
    pub topup_url: String,
    /// VietQR text without an amount; `null` when no bank account is set up.
    pub topup_vietqr: Option<String>,
    /// The same as an SVG document.
    pub topup_qr_svg: Option<String>,
}

/// `POST /admin/api/customers/{id}/adjust`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustRequest {
    /// Whole đồng, not 0; below 0 takes money out.
    pub amount_vnd: i64,
    /// Why, 1 to 500 characters.
    pub reason: String,
}

/// `POST /admin/api/orders/{code}/mark-paid` and `POST /admin/api/ledger/{id}/reverse`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReasonRequest {
    /// Why, 1 to 500 characters.
    pub reason: String,
}

/// `POST /admin/api/orders/{code}/refund`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RefundRequest {
    /// Why, 1 to 500 characters.
    pub reason: String,
    /// A part, above 0; everything that the order holds when left out.
    pub amount_vnd: Option<i64>,
}

/// `POST /admin/api/orders/{code}/surplus`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SurplusRequest {
    /// `wallet` or `set_aside`.
    pub to: String,
    /// Why, at most 500 characters; may be left out.
    #[serde(default)]
    pub reason: String,
}
