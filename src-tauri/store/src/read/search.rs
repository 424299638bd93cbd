//! What the owner types into the search box, as a full-text query, an exact code and an amount.

use chotdon_domain::fold::fold;

const WORDS: usize = 8;
const LETTERS: usize = 48;

/// The ways in which one search text can mean an order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Search {
    /// FTS5 query: each word as a prefix, all of them needed. Empty when the text has no word.
    pub(super) words: String,
    /// The text as an order's code, to be shown first when there is such an order.
    pub(super) code: Option<String>,
    /// The text as an amount, whole đồng.
    pub(super) amount_vnd: Option<i64>,
}

/// Reads a search text. Anything can be typed: quotes, operators and brackets are only letters here.
pub(super) fn read(text: &str) -> Search {
    let folded = fold(text);
    let words: Vec<String> = folded
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .take(WORDS)
        .map(prefix)
        .collect();
    let mut query = words.join(" AND ");
    let digits = number(&folded);
    if let Some(digits) = &digits
        && digits != folded.trim()
        && !words.is_empty()
    {
        // A phone number typed in groups.
        query = format!("({query}) OR {}", prefix(digits));
    }
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let code =
        (compact.len() <= 24 && compact.bytes().all(|b| b.is_ascii_alphanumeric()) && !compact.is_empty())
            .then(|| compact.to_ascii_uppercase());
    Search { words: query, code, amount_vnd: amount(&folded) }
}

/// A quoted FTS5 string: nothing inside it is an operator.
fn prefix(word: &str) -> String {
    let word: String = word.chars().filter(|c| !c.is_control()).take(LETTERS).collect();
    format!("\"{}\"*", word.replace('"', "\"\""))
}

/// The digits of a text that is digits and separators only.
fn number(folded: &str) -> Option<String> {
    let number = folded.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '.' | ',' | '-' | '+'));
    let digits: String = folded.chars().filter(char::is_ascii_digit).collect();
    (number && !digits.is_empty()).then_some(digits)
}

/// `499000`, `499.000`, `499,000 d` and `499k` are all 499,000 đồng.
fn amount(folded: &str) -> Option<i64> {
    let text = folded.trim().trim_end_matches('₫').trim_end_matches("vnd").trim_end_matches('d').trim_end();
    let (text, times) = match text.strip_suffix('k') {
        Some(thousands) => (thousands.trim_end(), 1000),
        None => (text, 1),
    };
    if text.contains(['-', '+']) {
        return None;
    }
    let value: i64 = number(text)?.parse().ok()?;
    value.checked_mul(times).filter(|value| *value > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_prefixes_without_their_marks() {
        assert_eq!(read("Đức  Nguyễn").words, "\"duc\"* AND \"nguyen\"*");
    }

    #[test]
    fn operators_and_quotes_are_only_letters() {
        assert_eq!(read("a\" OR b*").words, "\"a\"\"\"* AND \"or\"* AND \"b*\"*");
        assert_eq!(read("\" ( * ^ -").words, "");
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for text in ["499000", "499.000", "499,000 đ", "499k", " 499.000₫ ", "499000 VND"] {
            assert_eq!(read(text).amount_vnd, Some(499_000), "{text}");
        }
        for text in ["-5", "0", "duc", "99999999999999999999", "DH123456", ""] {
            assert_eq!(read(text).amount_vnd, None, "{text}");
        }
    }

    #[test]
    fn a_code_is_tried_however_it_is_typed() {
        assert_eq!(read("dh 123456").code.as_deref(), Some("DH123456"));
        assert_eq!(read("Đức").code, None);
    }

    #[test]
    fn a_phone_number_in_groups_is_found_as_one() {
        assert!(read("0912 345 678").words.ends_with("OR \"0912345678\"*"));
    }
}
