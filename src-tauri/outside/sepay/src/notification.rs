//! One bank transaction as SePay reports it, by webhook or by API.

use serde_json::json;

/// Which way the money went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the account.
    In,
    /// From the account.
    Out,
}

impl Direction {
    /// SePay's word: `in` or `out`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
        }
    }
}

/// One bank transaction. Texts are empty when SePay sent null, nothing or an empty string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// SePay's id of the transaction, positive; the key by which it counts once.
    pub sepay_id: i64,
    /// Bank brand name: `MBBank`. For display; compare account numbers instead.
    pub gateway: String,
    /// When the bank booked it, milliseconds since the Unix epoch, UTC. `None` when SePay's text is no time.
    /// May lie in the future by minutes; order by the time of receipt instead.
    pub booked_at: Option<i64>,
    /// Account number; leading zeros count.
    pub account: String,
    /// Virtual account or memo code of the account.
    pub sub_account: String,
    /// What SePay took for a payment code; may be a part of another word.
    pub code: String,
    /// The memo, as the bank rewrote it.
    pub content: String,
    /// For most banks `BankAPINotify ` and the memo again.
    pub description: String,
    /// Which way the money went.
    pub direction: Direction,
    /// Whole đồng, 0 to 10^15, for both directions.
    pub amount_vnd: i64,
    /// The account's balance after it, when the bank says; 0 and negative values are seen.
    pub accumulated: Option<i64>,
    /// The bank's reference; not unique.
    pub reference: String,
}

impl Notification {
    /// The JSON body that SePay's webhook has for this transaction. For simulators and tests.
    pub fn to_body(&self) -> Vec<u8> {
        let text_or_null = |text: &str| if text.is_empty() { json!(null) } else { json!(text) };
        json!({
            "id": self.sepay_id,
            "gateway": self.gateway,
            "transactionDate": self.booked_at.and_then(crate::fields::write_date).unwrap_or_default(),
            "accountNumber": self.account,
            "subAccount": text_or_null(&self.sub_account),
            "code": text_or_null(&self.code),
            "content": self.content,
            "transferType": self.direction.as_str(),
            "description": self.description,
            "transferAmount": self.amount_vnd,
            "referenceCode": text_or_null(&self.reference),
            "accumulated": self.accumulated.unwrap_or(0),
        })
        .to_string()
        .into_bytes()
    }
}
