//! Reading payloads, as banking apps do: CRC first, then the fields that say who is paid.

use crate::payload::{AdditionalData, COUNTRY, CURRENCY_VND, NAPAS, Payload, Service, crc};

/// Why a text is not a VietQR payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ReadError {
    /// There is no CRC at the end.
    #[error("there is no CRC at the end")]
    NoCrc,
    /// The CRC does not fit the text: it was damaged or changed.
    #[error("the CRC is wrong")]
    BadCrc,
    /// A tag or a length is not two digits, a value is cut, or a tag is there twice.
    #[error("the fields are malformed")]
    Malformed,
    /// It is an EMVCo payload, but not for a transfer over NAPAS.
    #[error("not a VietQR payload")]
    NotVietQr,
    /// The BIN or the amount is not one.
    #[error("a value is not valid")]
    Invalid,
}

/// Longest text read, in bytes; a QR code holds no more.
const MAX_TEXT: usize = 4296;

/// Decodes a payload. The hex digits of the CRC may be in either case.
///
/// # Errors
/// [`ReadError`]; the CRC is checked before anything else.
pub fn read(text: &str) -> Result<Payload, ReadError> {
    let text = text.trim();
    let fields = fields(checked(text)?)?;
    let one = |tag| value(&fields, tag);
    if one(0) != Some("01") {
        return Err(ReadError::NotVietQr);
    }
    let transfer = self::fields(one(38).ok_or(ReadError::NotVietQr)?)?;
    if value(&transfer, 0) != Some(NAPAS) || one(53).is_some_and(|code| code != CURRENCY_VND) {
        return Err(ReadError::NotVietQr);
    }
    if one(58).is_some_and(|country| country != COUNTRY) {
        return Err(ReadError::NotVietQr);
    }
    let service = match value(&transfer, 2) {
        None | Some("QRIBFTTA") => Service::Account,
        Some("QRIBFTTC") => Service::Card,
        Some(_) => return Err(ReadError::NotVietQr),
    };
    let beneficiary = self::fields(value(&transfer, 1).ok_or(ReadError::NotVietQr)?)?;
    let bin = value(&beneficiary, 0).unwrap_or_default();
    let account = value(&beneficiary, 1).unwrap_or_default();
    if bin.len() != 6 || !bin.bytes().all(|b| b.is_ascii_digit()) || account.is_empty() {
        return Err(ReadError::Invalid);
    }
    Ok(Payload {
        dynamic: one(1) == Some("12"),
        bin: bin.to_owned(),
        account: account.to_owned(),
        service,
        amount: one(54).map(amount).transpose()?,
        additional: one(62).map(additional).transpose()?.unwrap_or_default(),
        other: others(&fields, &[0, 1, 38, 53, 54, 58, 62]),
    })
}

/// The text before the CRC field, when the CRC fits.
fn checked(text: &str) -> Result<&str, ReadError> {
    if text.len() > MAX_TEXT {
        return Err(ReadError::Malformed);
    }
    let end = text.len().checked_sub(4).ok_or(ReadError::NoCrc)?;
    let (signed, given) = text.split_at_checked(end).ok_or(ReadError::NoCrc)?;
    let body = signed.strip_suffix("6304").ok_or(ReadError::NoCrc)?;
    if !given.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ReadError::NoCrc);
    }
    let given = u16::from_str_radix(given, 16).map_err(|_| ReadError::NoCrc)?;
    if given == crc(signed.as_bytes()) { Ok(body) } else { Err(ReadError::BadCrc) }
}

type Fields<'a> = Vec<(u8, &'a str)>;

/// Splits a value into fields; lengths count characters.
fn fields(text: &str) -> Result<Fields<'_>, ReadError> {
    let mut fields: Fields<'_> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let tag = two_digits(rest.get(..2))?;
        let length = usize::from(two_digits(rest.get(2..4))?);
        let after = rest.get(4..).ok_or(ReadError::Malformed)?;
        let mut ends = after.char_indices().map(|(at, _)| at).chain([after.len()]);
        let end = ends.nth(length).ok_or(ReadError::Malformed)?;
        if value(&fields, tag).is_some() {
            return Err(ReadError::Malformed);
        }
        fields.push((tag, &after[..end]));
        rest = &after[end..];
    }
    Ok(fields)
}

fn two_digits(text: Option<&str>) -> Result<u8, ReadError> {
    let text = text.filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).ok_or(ReadError::Malformed)
}

fn value<'a>(fields: &[(u8, &'a str)], tag: u8) -> Option<&'a str> {
    fields.iter().find(|(known, _)| *known == tag).map(|(_, value)| *value)
}

fn others(fields: &[(u8, &str)], known: &[u8]) -> Vec<(u8, String)> {
    fields
        .iter()
        .filter(|(tag, _)| !known.contains(tag))
        .map(|(tag, value)| (*tag, (*value).to_owned()))
        .collect()
}

fn additional(text: &str) -> Result<AdditionalData, ReadError> {
    let fields = fields(text)?;
    let text = |tag| value(&fields, tag).unwrap_or_default().to_owned();
    Ok(AdditionalData {
        bill: text(1),
        reference: text(5),
        terminal: text(7),
        memo: text(8),
        other: others(&fields, &[1, 5, 7, 8]),
    })
}

/// Whole đồng; some banks write a fraction of one or two zeros.
fn amount(text: &str) -> Result<i64, ReadError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = (1..=13).contains(&whole.len()) && whole.bytes().all(|b| b.is_ascii_digit());
    let plain = plain && matches!(fraction, "0" | "00");
    if plain { whole.parse().map_err(|_| ReadError::Invalid) } else { Err(ReadError::Invalid) }
}
