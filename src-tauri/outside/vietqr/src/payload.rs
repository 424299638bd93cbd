//! Building and writing payloads: tags of two digits, lengths of two digits, values, and a CRC at the end.
//!
//! Layout: NAPAS "QR switching, Part IV", v1.5.2.

use std::fmt::Write as _;

pub(crate) const NAPAS: &str = "A000000727";
pub(crate) const CURRENCY_VND: &str = "704";
pub(crate) const COUNTRY: &str = "VN";
/// Longest memo that fits every bank's reading of tag 62-08.
pub const MAX_MEMO: usize = 25;
/// Longest account or virtual account number.
pub const MAX_ACCOUNT: usize = 19;
/// Largest amount: tag 54 has 13 digits.
pub const MAX_AMOUNT: i64 = 9_999_999_999_999;

/// What a QR code asks the payer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// The bank's BIN, six digits ([`banks`](crate::banks)).
    pub bin: &'a str,
    /// Account or virtual account number, 1 to 19 of `A-Z a-z 0-9`.
    pub account: &'a str,
    /// Whole đồng, 1 to [`MAX_AMOUNT`]; `None` lets the payer choose.
    pub amount: Option<i64>,
    /// Transfer text, at most 25 of `A-Z` and `0-9`, since banks change everything else; words may stand apart by
    /// one space, for the prefix that some banks want (`SEVQR DH123456`). Empty for none.
    pub memo: &'a str,
}

/// Why a request cannot be a QR code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BuildError {
    /// Not six digits.
    #[error("the BIN is not six digits")]
    Bin,
    /// Empty, too long, or with other characters.
    #[error("the account number is not 1 to 19 letters and digits")]
    Account,
    /// Below 1 or above [`MAX_AMOUNT`].
    #[error("the amount cannot be in a QR code")]
    Amount,
    /// Too long, or with other characters.
    #[error("the memo is not words of A-Z and 0-9, 25 characters in all")]
    Memo,
}

/// Builds the text of a QR code for a transfer to an account, with its CRC.
///
/// # Errors
/// [`BuildError`] for the first part that cannot be written.
pub fn build(request: &Request<'_>) -> Result<String, BuildError> {
    Payload::try_from(request).map(|payload| payload.encode())
}

/// Whether the money goes to an account or to a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// `QRIBFTTA`.
    Account,
    /// `QRIBFTTC`.
    Card,
}

impl Service {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Service::Account => "QRIBFTTA",
            Service::Card => "QRIBFTTC",
        }
    }
}

/// What a payload says. Empty texts are absent fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Whether it is made for one payment (`12`) rather than many (`11`).
    pub dynamic: bool,
    /// The bank's BIN, six digits.
    pub bin: String,
    /// Account, virtual account or card number.
    pub account: String,
    /// What the number is.
    pub service: Service,
    /// Whole đồng; `None` when the payer chooses.
    pub amount: Option<i64>,
    /// What comes with it.
    pub additional: AdditionalData,
    /// Further top-level fields, by tag, which this crate has no meaning for.
    pub other: Vec<(u8, String)>,
}

/// Tag 62. Empty texts are absent fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdditionalData {
    /// 01: bill number.
    pub bill: String,
    /// 05: reference label.
    pub reference: String,
    /// 07: terminal label.
    pub terminal: String,
    /// 08: purpose, which banks put into the transfer text.
    pub memo: String,
    /// Further fields, by tag.
    pub other: Vec<(u8, String)>,
}

impl TryFrom<&Request<'_>> for Payload {
    type Error = BuildError;

    fn try_from(request: &Request<'_>) -> Result<Payload, BuildError> {
        if request.bin.len() != 6 || !request.bin.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BuildError::Bin);
        }
        let account_fits = (1..=MAX_ACCOUNT).contains(&request.account.len());
        if !account_fits || !request.account.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(BuildError::Account);
        }
        if request.amount.is_some_and(|amount| !(1..=MAX_AMOUNT).contains(&amount)) {
            return Err(BuildError::Amount);
        }
        if request.memo.len() > MAX_MEMO || !is_memo(request.memo) {
            return Err(BuildError::Memo);
        }
        Ok(Payload {
            dynamic: request.amount.is_some(),
            bin: request.bin.to_owned(),
            account: request.account.to_owned(),
            service: Service::Account,
            amount: request.amount,
            additional: AdditionalData { memo: request.memo.to_owned(), ..AdditionalData::default() },
            other: Vec::new(),
        })
    }
}

fn is_memo(memo: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    memo.is_empty() || memo.split(' ').all(is_word)
}

impl Payload {
    /// Writes it, fields in the order of their tags, CRC last.
    pub fn encode(&self) -> String {
        let mut beneficiary = String::new();
        field(&mut beneficiary, 0, &self.bin);
        field(&mut beneficiary, 1, &self.account);
        let mut transfer = String::new();
        field(&mut transfer, 0, NAPAS);
        field(&mut transfer, 1, &beneficiary);
        field(&mut transfer, 2, self.service.code());
        let amount = self.amount.map(|amount| amount.to_string()).unwrap_or_default();
        let text = written(
            [
                (0, "01"),
                (1, if self.dynamic { "12" } else { "11" }),
                (38, &transfer),
                (53, CURRENCY_VND),
                (54, &amount),
                (58, COUNTRY),
                (62, &self.additional.encode()),
            ],
            &self.other,
        );
        with_crc(text)
    }
}

impl AdditionalData {
    fn encode(&self) -> String {
        let known = [(1, &*self.bill), (5, &*self.reference), (7, &*self.terminal), (8, &*self.memo)];
        written(known, &self.other)
    }
}

/// The fields that are not empty, in the order of their tags.
fn written<const N: usize>(known: [(u8, &str); N], other: &[(u8, String)]) -> String {
    let mut fields: Vec<(u8, &str)> = known.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    fields.extend(other.iter().map(|(tag, value)| (*tag, value.as_str())));
    fields.sort_by_key(|(tag, _)| *tag);
    let mut text = String::new();
    for (tag, value) in fields {
        field(&mut text, tag, value);
    }
    text
}

fn field(text: &mut String, tag: u8, value: &str) {
    write!(text, "{tag:02}{:02}{value}", value.chars().count()).expect("writing to a string does not fail");
}

fn with_crc(mut text: String) -> String {
    text.push_str("6304");
    let crc = crc(text.as_bytes());
    write!(text, "{crc:04X}").expect("writing to a string does not fail");
    text
}

/// CRC-16/CCITT-FALSE: polynomial 1021, initial value FFFF, not reflected.
pub(crate) fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests;
