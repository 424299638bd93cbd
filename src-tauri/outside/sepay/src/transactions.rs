//! One row of the transaction API v1 (`/transactions/list`), read as the same [`Notification`] as a webhook.

use crate::fields::{Fields, ParseError};
use crate::notification::{Direction, Notification};
use crate::webhook::{MAX_MEMO, MAX_TEXT};

const FIELDS: &[&str] = &[
    "id",
    "bank_brand_name",
    "transaction_date",
    "account_number",
    "sub_account",
    "code",
    "transaction_content",
    "amount_in",
    "amount_out",
    "accumulated",
    "reference_number",
];

/// Reads one element of the `transactions` list from its JSON text. Its id is the webhook's.
///
/// # Errors
/// [`ParseError`] as for a webhook, and when a row has money in both directions.
pub fn parse_row(json: &str) -> Result<Notification, ParseError> {
    let fields = Fields::from_json(json, FIELDS)?;
    let amount = |name| match fields.amount(name) {
        Err(ParseError::Missing(_)) => Ok(None),
        read => read.map(Some),
    };
    let (direction, amount_vnd) = match (amount("amount_in")?, amount("amount_out")?) {
        (None, None) => return Err(ParseError::Missing("amount_in")),
        (Some(amount), None | Some(0)) => (Direction::In, amount),
        (None | Some(0), Some(amount)) => (Direction::Out, amount),
        _ => return Err(ParseError::Invalid("amount_out")),
    };
    Ok(Notification {
        sepay_id: fields.id("id")?,
        gateway: fields.text("bank_brand_name", MAX_TEXT),
        booked_at: fields.date("transaction_date"),
        account: fields.text("account_number", MAX_TEXT),
        sub_account: fields.text("sub_account", MAX_TEXT),
        code: fields.text("code", MAX_TEXT),
        content: fields.text("transaction_content", MAX_MEMO),
        description: String::new(),
        direction,
        amount_vnd,
        accumulated: fields.balance("accumulated"),
        reference: fields.text("reference_number", MAX_TEXT),
    })
}
