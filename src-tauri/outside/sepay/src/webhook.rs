//! The body of SePay's bank transaction webhook: tolerant about everything but ids and amounts.

use crate::auth::Authentic;
use crate::fields::{Fields, ParseError};
use crate::form;
use crate::notification::{Direction, Notification};

/// The largest body that is read, in bytes. Real ones have less than 2 KiB.
pub const MAX_BODY: usize = 64 * 1024;

/// Longest memo kept, in characters; the raw body has the rest.
pub(crate) const MAX_MEMO: usize = 4096;
/// Longest of every other text kept, in characters.
pub(crate) const MAX_TEXT: usize = 256;

const FIELDS: &[&str] = &[
    "id",
    "gateway",
    "transactionDate",
    "accountNumber",
    "subAccount",
    "code",
    "content",
    "transferType",
    "description",
    "transferAmount",
    "referenceCode",
    "accumulated",
    // Of the payment gateway.
    "notification_type",
    "order",
];

/// Reads what an authentic webhook says.
///
/// JSON, urlencoded and multipart bodies are told apart by `content_type` and by what the body looks like.
/// Optional fields may be missing, null, empty, numbers as strings or strings as numbers; a date that is none is
/// `None`; unknown fields are skipped.
///
/// # Errors
/// [`ParseError`] when the id is not a positive whole number, the amount not whole đồng from 0 to 10^15, the
/// direction neither `in` nor `out`, a field is there twice, or the body is something else altogether.
pub fn parse<B: AsRef<[u8]>>(
    webhook: &Authentic<B>,
    content_type: Option<&str>,
) -> Result<Notification, ParseError> {
    read(webhook.body().as_ref(), content_type.unwrap_or_default())
}

fn read(body: &[u8], content_type: &str) -> Result<Notification, ParseError> {
    if body.len() > MAX_BODY {
        return Err(ParseError::TooLarge);
    }
    let text = std::str::from_utf8(body).map_err(|_| ParseError::Malformed)?;
    let text = text.trim_start_matches('\u{feff}');
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let fields = if media_type.eq_ignore_ascii_case("multipart/form-data") {
        Fields::from_pairs(form::multipart(text, content_type)?, FIELDS)?
    } else if text.trim_start().starts_with(['{', '[', '"'])
        || media_type.eq_ignore_ascii_case("application/json")
    {
        Fields::from_json(text, FIELDS)?
    } else {
        Fields::from_pairs(form::urlencoded(text)?, FIELDS)?
    };
    notification(&fields)
}

fn notification(fields: &Fields<'_>) -> Result<Notification, ParseError> {
    if !fields.has("transferAmount") && is_payment_gateway(fields) {
        return Err(ParseError::WrongProduct);
    }
    Ok(Notification {
        sepay_id: fields.id("id")?,
        gateway: fields.text("gateway", MAX_TEXT),
        booked_at: fields.date("transactionDate"),
        account: fields.text("accountNumber", MAX_TEXT),
        sub_account: fields.text("subAccount", MAX_TEXT),
        code: fields.text("code", MAX_TEXT),
        content: fields.text("content", MAX_MEMO),
        description: fields.text("description", MAX_MEMO),
        direction: direction(fields)?,
        amount_vnd: fields.amount("transferAmount")?,
        accumulated: fields.balance("accumulated"),
        reference: fields.text("referenceCode", MAX_TEXT),
    })
}

fn is_payment_gateway(fields: &Fields<'_>) -> bool {
    fields.has("notification_type")
        || fields.json("order").is_some_and(|order| order.contains("\"order_invoice_number\""))
}

fn direction(fields: &Fields<'_>) -> Result<Direction, ParseError> {
    const NAME: &str = "transferType";
    if !fields.is_given(NAME) {
        return Err(ParseError::Missing(NAME));
    }
    match fields.text(NAME, MAX_TEXT).trim() {
        word if word.eq_ignore_ascii_case("in") => Ok(Direction::In),
        word if word.eq_ignore_ascii_case("out") => Ok(Direction::Out),
        _ => Err(ParseError::Invalid(NAME)),
    }
}

#[cfg(test)]
mod tests;
