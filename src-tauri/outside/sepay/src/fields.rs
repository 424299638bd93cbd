//! The named values of a body, and how each kind of value is read. Numbers are read as text, never as floats.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Why an authentic body is not a transaction. Messages never repeat what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ParseError {
    /// Above [`MAX_BODY`](crate::webhook::MAX_BODY).
    #[error("the body is too large")]
    TooLarge,
    /// Not UTF-8, not JSON, not a form, or not an object.
    #[error("the body is malformed")]
    Malformed,
    /// A field is there twice.
    #[error("{0} is there twice")]
    Repeated(&'static str),
    /// A required field is missing, null or empty.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A required field has a value that it cannot have.
    #[error("{0} is not valid")]
    Invalid(&'static str),
    /// The body of SePay's payment gateway (IPN), which is another product.
    #[error("this is a payment gateway notification, not a bank transaction webhook")]
    WrongProduct,
}

impl ParseError {
    /// The stable name in counters and logs, in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            ParseError::TooLarge => "too_large",
            ParseError::Malformed => "malformed",
            ParseError::Repeated(_) => "repeated_field",
            ParseError::Missing(_) => "missing_field",
            ParseError::Invalid(_) => "invalid_field",
            ParseError::WrongProduct => "wrong_product",
        }
    }
}

/// The values of the fields that are looked for; all others are skipped unread.
pub(crate) struct Fields<'a> {
    known: &'static [&'static str],
    values: HashMap<&'static str, Value<'a>>,
}

enum Value<'a> {
    /// As it stands in the JSON text.
    Json(&'a RawValue),
    /// From a form.
    Text(Cow<'a, str>),
}

impl<'a> Fields<'a> {
    pub(crate) fn from_json(text: &'a str, known: &'static [&'static str]) -> Result<Fields<'a>, ParseError> {
        let mut repeated = None;
        let mut json = serde_json::Deserializer::from_str(text);
        let collector =
            Collector { fields: Fields { known, values: HashMap::new() }, repeated: &mut repeated };
        let fields = json.deserialize_map(collector).and_then(|fields| json.end().map(|()| fields));
        match repeated {
            Some(name) => Err(ParseError::Repeated(name)),
            None => fields.map_err(|_| ParseError::Malformed),
        }
    }

    pub(crate) fn from_pairs(
        pairs: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
        known: &'static [&'static str],
    ) -> Result<Fields<'a>, ParseError> {
        let mut fields = Fields { known, values: HashMap::new() };
        for (name, value) in pairs {
            if let Some(name) = fields.known_name(&name)
                && fields.values.insert(name, Value::Text(value)).is_some()
            {
                return Err(ParseError::Repeated(name));
            }
        }
        Ok(fields)
    }

    fn known_name(&self, name: &str) -> Option<&'static str> {
        self.known.iter().copied().find(|known| *known == name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The raw JSON of a field, for what is nested.
    pub(crate) fn json(&self, name: &str) -> Option<&'a str> {
        match self.values.get(name)? {
            Value::Json(raw) => Some(raw.get()),
            Value::Text(_) => None,
        }
    }

    /// A text, at most `limit` characters of it; empty for null, nothing and anything that is no text or number.
    pub(crate) fn text(&self, name: &str, limit: usize) -> String {
        let value = self.scalar(name).unwrap_or_default();
        value.chars().filter(|c| *c != '\0').take(limit).collect()
    }

    /// The decimal text of a number, or of a string that holds one; `None` for null, nothing, and empty.
    fn number(&self, name: &str) -> Option<String> {
        let value = self.scalar(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn scalar(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.values.get(name)? {
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Json(raw) => match raw.get().as_bytes().first()? {
                b'"' => json_string(raw.get()).map(Cow::Owned),
                b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw.get())),
                _ => None,
            },
        }
    }

    /// Whether a field has a value that is neither null nor empty.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        match self.values.get(name) {
            None => false,
            Some(Value::Text(text)) => !text.trim().is_empty(),
            Some(Value::Json(raw)) => {
                raw.get() != "null" && self.scalar(name).is_none_or(|s| !s.trim().is_empty())
            }
        }
    }

    /// A required positive whole number: plain digits, as a number or as a string.
    pub(crate) fn id(&self, name: &'static str) -> Result<i64, ParseError> {
        if !self.is_given(name) {
            return Err(ParseError::Missing(name));
        }
        let digits = self.number(name).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let id = digits.and_then(|text| text.parse::<i64>().ok()).filter(|id| *id > 0);
        id.ok_or(ParseError::Invalid(name))
    }

    /// A required amount in whole đồng, 0 to 10^15.
    pub(crate) fn amount(&self, name: &'static str) -> Result<i64, ParseError> {
        if !self.is_given(name) {
            return Err(ParseError::Missing(name));
        }
        let dong = self.number(name).and_then(|text| whole_dong(&text));
        dong.filter(|dong| (0..=MAX_AMOUNT).contains(dong)).ok_or(ParseError::Invalid(name))
    }

    /// A balance in whole đồng, which may be negative; `None` when it is missing or not one.
    pub(crate) fn balance(&self, name: &str) -> Option<i64> {
        let text = self.number(name)?;
        match text.strip_prefix('-') {
            Some(owed) => whole_dong(owed).map(|dong| -dong),
            None => whole_dong(&text),
        }
    }

    /// SePay's date, Vietnam's time without offset, in milliseconds since the Unix epoch, UTC.
    pub(crate) fn date(&self, name: &str) -> Option<i64> {
        read_date(&self.number(name)?)
    }
}

const MAX_AMOUNT: i64 = 1_000_000_000_000_000;

/// Digits, and at most a fraction of one or two zeros: three would be Vietnam's way of writing thousands.
fn whole_dong(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if plain(whole) && matches!(fraction, "0" | "00") { whole.parse().ok() } else { None }
}

/// A JSON string; half of a cut surrogate pair becomes U+FFFD, since banks cut memos anywhere.
fn json_string(raw: &str) -> Option<String> {
    struct Lossy;
    impl Visitor<'_> for Lossy {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<String, E> {
            Ok(String::from_utf8_lossy(bytes).into_owned())
        }
    }
    serde_json::Deserializer::from_str(raw).deserialize_bytes(Lossy).ok()
}

/// Collects known fields and notices repeated ones, which JSON libraries resolve differently.
struct Collector<'a, 'r> {
    fields: Fields<'a>,
    repeated: &'r mut Option<&'static str>,
}

impl<'a> Visitor<'a> for Collector<'a, '_> {
    type Value = Fields<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<Fields<'a>, A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let Some(name) = self.fields.known_name(&name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = Value::Json(map.next_value()?);
            if self.fields.values.insert(name, value).is_some() {
                *self.repeated = Some(name);
                return Err(de::Error::custom("repeated field"));
            }
        }
        Ok(self.fields)
    }
}

const VIETNAM_OFFSET_S: i64 = 7 * 3600;

/// `YYYY-MM-DD HH:mm[:ss]`, with `T` for the space if need be.
fn read_date(text: &str) -> Option<i64> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let number = |text: &str, digits: usize| {
        let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse::<i64>().ok()).flatten()
    };
    let mut parts = date.split('-');
    let (year, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let mut clock = time.split(':');
    let (hour, minute) = (number(clock.next()?, 2)?, number(clock.next()?, 2)?);
    let second = clock.next().map_or(Some(0), |text| number(text, 2))?;
    let valid = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && parts.next().is_none()
        && clock.next().is_none();
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    valid.then_some((seconds - VIETNAM_OFFSET_S) * 1000)
}

/// The text that [`read_date`] reads as `ms`; `None` outside the years 1970 to 9999.
pub(crate) fn write_date(ms: i64) -> Option<String> {
    let local = ms.div_euclid(1000) + VIETNAM_OFFSET_S;
    let (mut days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    if !(0..=days_from_epoch(9999, 12, 31)).contains(&days) {
        return None;
    }
    let mut year = 1970 + days / 366;
    while days_from_epoch(year + 1, 1, 1) <= days {
        year += 1;
    }
    days -= days_from_epoch(year, 1, 1);
    let mut month = 1;
    while days >= days_in_month(year, month) {
        days -= days_in_month(year, month);
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{year:04}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02}", days + 1))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar from 1970 on.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let months: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    (year - 1970) * 365 + leap_days + months + day - 1
}

#[cfg(test)]
mod tests;
