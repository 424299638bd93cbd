//! What must not be readable in a log: values that were registered, and whatever looks like a credential.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

/// Written in place of a credential.
pub(super) const COVER: &str = "‹hidden›";

/// Shorter values would mask ordinary words.
const SHORTEST: usize = 6;

/// What stands before a credential, in lower case.
const MARKS: &[&str] = &["apikey ", "bearer ", "whsec_"];

/// A set of values that may not be shown. Clones share it.
#[derive(Clone, Default)]
pub struct Mask {
    /// Every spelling of every value, longest first.
    spellings: Arc<RwLock<Vec<String>>>,
}

impl Mask {
    /// The mask over all logs of this process.
    pub(super) fn of_process() -> &'static Self {
        static MASK: LazyLock<Mask> = LazyLock::new(Mask::default);
        &MASK
    }

    /// From now on `value` is masked: as it is, as JSON and debug output escape it, URL-encoded, in hex and Base64.
    pub fn hide(&self, value: &SecretString) {
        let value = value.expose_secret();
        if value.chars().count() < SHORTEST {
            return;
        }
        let mut spellings = self.spellings.write().unwrap_or_else(PoisonError::into_inner);
        if spellings.iter().any(|known| known == value) {
            return;
        }
        for spelling in spell(value) {
            if !spellings.contains(&spelling) {
                spellings.push(spelling);
            }
        }
        spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
    }

    /// `text` without the values, and without what follows `Apikey `, `Bearer ` or `whsec_`.
    #[must_use]
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for spelling in self.spellings.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if masked.contains(spelling.as_str()) {
                masked = Cow::Owned(masked.replace(spelling.as_str(), COVER));
            }
        }
        match after_marks(&masked) {
            Some(masked) => Cow::Owned(masked),
            None => masked,
        }
    }
}

fn spell(value: &str) -> Vec<String> {
    let escaped = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let debug = format!("{value:?}");
    let debug = &debug[1..debug.len() - 1];
    vec![
        value.to_owned(),
        escaped(value),
        escaped(&escaped(value)),
        debug.to_owned(),
        escaped(debug),
        utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
        hex::encode(value),
        STANDARD_NO_PAD.encode(value),
        URL_SAFE_NO_PAD.encode(value),
    ]
}

/// `None` when nothing was to be hidden.
fn after_marks(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase(); // keeps byte positions
    let mut out = String::new();
    let mut copied = 0;
    let mut position = 0;
    while let Some((start, mark)) = next_mark(&lower, position) {
        let begin = start + mark.len();
        let length = text[begin..].find(|c: char| !is_token(c)).unwrap_or(text.len() - begin);
        position = begin + length;
        if length >= SHORTEST {
            out.push_str(&text[copied..begin]);
            out.push_str(COVER);
            copied = position;
        }
    }
    if copied == 0 {
        return None;
    }
    out.push_str(&text[copied..]);
    Some(out)
}

fn next_mark(lower: &str, from: usize) -> Option<(usize, &'static str)> {
    MARKS
        .iter()
        .filter_map(|mark| lower[from..].find(mark).map(|at| (from + at, *mark)))
        .min_by_key(|(at, _)| *at)
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/=".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_after_their_marks_are_hidden_without_being_registered() {
        let mask = Mask::default();
        for (text, shown) in [
            ("Authorization: Apikey abc123def456", "Authorization: Apikey ‹hidden›"),
            ("authorization: bearer abc123def456, next", "authorization: bearer ‹hidden›, next"),
            ("{\"k\":\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"}", "{\"k\":\"whsec_‹hidden›\"}"),
            ("Bearer aaaaaaaa Apikey bbbbbbbb Đức", "Bearer ‹hidden› Apikey ‹hidden› Đức"),
        ] {
            assert_eq!(mask.apply(text), shown);
        }
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        let mask = Mask::default();
        mask.hide(&SecretString::from("short"));
        for text in ["the bearer of the order", "Apikey", "short words", "Đơn DH123456 đã trả 499.000 ₫"]
        {
            assert!(matches!(mask.apply(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn encoded_spellings_are_hidden_too() {
        let mask = Mask::default();
        mask.hide(&SecretString::from("canary/+0123456789"));
        for text in [
            "canary/+0123456789",
            "canary%2F%2B0123456789",
            "63616e6172792f2b30313233343536373839",
            "Y2FuYXJ5LyswMTIzNDU2Nzg5",
        ] {
            assert_eq!(mask.apply(text), COVER, "{text}");
        }
        assert_eq!(mask.apply("canary/+012345678"), "canary/+012345678");
    }
}
