//! The transaction API v1 as it is on the wire: what to ask, what an answer means, its rows and accounts.
//!
//! A row is read as the same [`Notification`] as a webhook, under the same id. Who asks brings the HTTP client;
//! nothing here does I/O.

use serde_json::value::RawValue;

use crate::fields::{Fields, ParseError, write_date};
use crate::notification::{Direction, Notification};
use crate::webhook::{MAX_MEMO, MAX_TEXT};

/// Path of the list of transactions, below the API's base.
pub const LIST: &str = "transactions/list";
/// Path of the list of bank accounts.
pub const ACCOUNTS: &str = "bankaccounts/list";
/// The largest answer worth reading, bytes. A full page of 5,000 rows has less than 4 MiB.
pub const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Header of a 429 that says how many seconds to wait.
pub const RETRY_AFTER: &str = "x-sepay-userapi-retry-after";

/// The longest text of SePay's that is repeated in an error, in characters.
const MAX_WORDS: usize = 160;

/// What `/transactions/list` is asked for. SePay answers the newest `limit` rows of what fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Rows with this id or a higher one.
    pub since_id: Option<i64>,
    /// Rows booked at this time or later, ms UTC; SePay counts in whole seconds.
    pub from: Option<i64>,
    /// Rows booked at this time or earlier, ms UTC.
    pub until: Option<i64>,
    /// Rows at most, 1 to 5,000.
    pub limit: usize,
}

impl Ask {
    /// The query's names and values.
    #[must_use]
    pub fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("limit", self.limit.to_string())];
        query.extend(self.since_id.map(|id| ("since_id", id.to_string())));
        query.extend(self.from.and_then(write_date).map(|date| ("transaction_date_min", date)));
        query.extend(self.until.and_then(write_date).map(|date| ("transaction_date_max", date)));
        query
    }
}

/// Why an answer holds no rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// An empty 200, 401 or 403: this token opens nothing.
    #[error("SePay does not accept the API token")]
    TokenWrong,
    /// Asked too often; `0` when SePay did not say for how many seconds to wait.
    #[error("SePay asks to wait {0} s")]
    RateLimited(u64),
    /// SePay is in trouble.
    #[error("SePay answered with status {0}")]
    Unavailable(u16),
    /// SePay will not do it; its own words, shortened.
    #[error("SePay refused: {0}")]
    Refused(String),
    /// Not what this API answers.
    #[error("SePay's answer cannot be read: {0}")]
    Unreadable(&'static str),
}

/// One row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// SePay's id, when even that can be read.
    pub id: Option<i64>,
    /// What it says, or why that cannot be read.
    pub read: Result<Notification, ParseError>,
    /// Its JSON as it came.
    pub json: String,
}

/// One account of `/bankaccounts/list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Number; leading zeros count.
    pub account: String,
    /// Bank as SePay names it.
    pub bank: String,
    /// Balance in whole đồng, when the bank gives one.
    pub balance_vnd: Option<i64>,
}

/// The text of a good answer; `retry_after` is the header [`RETRY_AFTER`].
///
/// # Errors
/// [`ApiError`] by status, and [`ApiError::TokenWrong`] for an empty 200.
pub fn sort<'a>(status: u16, retry_after: Option<&str>, body: &'a [u8]) -> Result<&'a str, ApiError> {
    match status {
        200..=299 => {}
        401 | 403 => return Err(ApiError::TokenWrong),
        429 => {
            let seconds = retry_after.and_then(|text| text.trim().parse().ok()).unwrap_or_default();
            return Err(ApiError::RateLimited(seconds));
        }
        400..=499 => return Err(ApiError::Refused(format!("status {status}"))),
        _ => return Err(ApiError::Unavailable(status)),
    }
    if body.len() > MAX_ANSWER {
        return Err(ApiError::Unreadable("it is too large"));
    }
    let text = std::str::from_utf8(body).map_err(|_| ApiError::Unreadable("it is not UTF-8"))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() { Err(ApiError::TokenWrong) } else { Ok(text) }
}

/// The rows of an answer of [`LIST`], in SePay's order. A row that cannot be read does not spoil the others.
///
/// # Errors
/// [`ApiError`] when it is no such answer.
pub fn rows(text: &str) -> Result<Vec<Row>, ApiError> {
    let read = |raw: &RawValue| {
        let json = raw.get();
        let id = Fields::from_json(json, &["id"]).and_then(|fields| fields.id("id")).ok();
        Row { id, read: parse_row(json), json: json.to_owned() }
    };
    Ok(list(text, &["status", "error", "transactions"], "transactions")?.into_iter().map(read).collect())
}

/// The accounts of an answer of [`ACCOUNTS`].
///
/// # Errors
/// [`ApiError`] when it is no such answer.
pub fn accounts(text: &str) -> Result<Vec<Account>, ApiError> {
    const FIELDS: &[&str] = &["account_number", "bank_short_name", "accumulated"];
    let read = |raw: &RawValue| {
        let fields = Fields::from_json(raw.get(), FIELDS).ok()?;
        Some(Account {
            account: fields.text("account_number", MAX_TEXT),
            bank: fields.text("bank_short_name", MAX_TEXT),
            balance_vnd: fields.balance("accumulated"),
        })
    };
    let list = list(text, &["status", "error", "bankaccounts"], "bankaccounts")?;
    Ok(list.into_iter().filter_map(read).collect())
}

fn list<'a>(
    text: &'a str,
    known: &'static [&'static str],
    name: &'static str,
) -> Result<Vec<&'a RawValue>, ApiError> {
    let envelope =
        Fields::from_json(text, known).map_err(|_| ApiError::Unreadable("it is no JSON object"))?;
    let Some(list) = envelope.json(name) else {
        let words: String = envelope.text("error", MAX_WORDS).chars().filter(|c| !c.is_control()).collect();
        return match words.trim() {
            "" => Err(ApiError::Unreadable("the list is missing")),
            words => Err(ApiError::Refused(words.to_owned())),
        };
    };
    serde_json::from_str(list).map_err(|_| ApiError::Unreadable("the list is no list"))
}

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

impl Notification {
    /// The row that the transaction API lists for this transaction. For simulators and tests.
    #[must_use]
    pub fn to_row(&self) -> serde_json::Value {
        let money = |dong: i64| format!("{dong}.00");
        let (amount_in, amount_out) = match self.direction {
            Direction::In => (self.amount_vnd, 0),
            Direction::Out => (0, self.amount_vnd),
        };
        let code = if self.code.is_empty() { None } else { Some(&self.code) };
        serde_json::json!({
            "id": self.sepay_id.to_string(),
            "bank_brand_name": self.gateway,
            "account_number": self.account,
            "transaction_date": self.booked_at.and_then(write_date).unwrap_or_default(),
            "amount_out": money(amount_out),
            "amount_in": money(amount_in),
            "accumulated": money(self.accumulated.unwrap_or(0)),
            "transaction_content": self.content,
            "reference_number": self.reference,
            "code": code,
            "sub_account": self.sub_account,
            "bank_account_id": "1",
        })
    }
}

#[cfg(test)]
mod tests;
