//! Form bodies: SePay's webhook can be set to send `multipart/form-data` or urlencoded fields.

use std::borrow::Cow;

use crate::fields::ParseError;

/// No form of SePay's has more fields than this.
const MAX_FIELDS: usize = 128;

pub(crate) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The fields of `application/x-www-form-urlencoded`.
pub(crate) fn urlencoded(body: &str) -> Result<Pairs<'_>, ParseError> {
    let mut pairs = Vec::new();
    for pair in body.trim().split('&').filter(|pair| !pair.is_empty()) {
        if pairs.len() == MAX_FIELDS {
            return Err(ParseError::Malformed);
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

fn decode(text: &str) -> Result<Cow<'_, str>, ParseError> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    rest = after;
                }
                _ => decoded.push(b'%'),
            },
            _ => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| ParseError::Malformed)
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The text fields of `multipart/form-data`; files are skipped.
pub(crate) fn multipart<'a>(body: &'a str, content_type: &str) -> Result<Pairs<'a>, ParseError> {
    let boundary = parameter(content_type, "boundary").filter(|b| (1..=70).contains(&b.len()));
    let delimiter = format!("--{}", boundary.ok_or(ParseError::Malformed)?);
    let mut rest =
        body.find(&delimiter).map(|at| &body[at + delimiter.len()..]).ok_or(ParseError::Malformed)?;
    let next = format!("\r\n{delimiter}");
    let mut pairs = Vec::new();
    loop {
        if rest.starts_with("--") {
            return Ok(pairs);
        }
        let part = rest.trim_start_matches([' ', '\t']).strip_prefix("\r\n").ok_or(ParseError::Malformed)?;
        let end = part.find(&next).ok_or(ParseError::Malformed)?;
        let (head, value) = part[..end].split_once("\r\n\r\n").ok_or(ParseError::Malformed)?;
        if let Some(name) = field_name(head) {
            if pairs.len() == MAX_FIELDS {
                return Err(ParseError::Malformed);
            }
            pairs.push((Cow::Owned(name), Cow::Borrowed(value)));
        }
        rest = &part[end + next.len()..];
    }
}

fn field_name(head: &str) -> Option<String> {
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    if parameter(disposition, "filename").is_some() {
        return None;
    }
    parameter(disposition, "name")
}

/// A parameter of a header value, without its quotes.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.to_owned())
    })
}
