//! What a transfer pays for: the codes in its memo, and what they settle.
//!
//! [`extract`] finds candidates by the evidence they give, [`decide`] settles only what is unambiguous.
//! Intake looks the candidates up between the two and books the result; nothing here does I/O.

mod settle;
#[cfg(test)]
mod tests;

pub use settle::{Depositor, Direction, OpenOrder, Reason, Settlement, ShopAccounts, TransferFacts, decide};

use crate::code::CodeFormat;
use crate::fold::upper_ascii;

/// How a code was found, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The whole code stands by itself: `…-DH123456-…`.
    Exact,
    /// As exact, with spaces, dots, dashes or underscores inside: `DH12  3456`.
    Spaced,
    /// Glued to other text: `NGUYENVANADH123456`.
    Embedded,
    /// Only in SePay's `code` field, which can be a part of another word.
    CodeField,
}

impl Level {
    /// The name stored and shown: `exact`, `spaced`, `embedded` or `code_field`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Exact => "exact",
            Level::Spaced => "spaced",
            Level::Embedded => "embedded",
            Level::CodeField => "code_field",
        }
    }

    /// Whether the code alone is enough to settle; otherwise the amount has to agree as well.
    pub const fn is_strong(self) -> bool {
        matches!(self, Level::Exact | Level::Spaced)
    }
}

/// A code that a transfer may have been meant for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// In upper case, without anything between its characters.
    pub code: String,
    /// The evidence for it.
    pub level: Level,
}

/// The distinct codes of `formats` in a transfer, each once, in the order in which they were found.
///
/// Looks through `content` level by level and stops at the first level with hits; `description` is read only
/// when `content` has none. SePay's `code` field comes last, as one more candidate, when it fits a format.
pub fn extract(content: &str, description: &str, code_field: &str, formats: &[CodeFormat]) -> Vec<Candidate> {
    let mut candidates = codes_in(content, formats);
    if candidates.is_empty() {
        candidates = codes_in(without_notify_prefix(description), formats);
    }
    let code = upper_ascii(code_field.trim());
    if formats.iter().any(|format| format.fits(&code)) && candidates.iter().all(|known| known.code != code) {
        candidates.push(Candidate { code, level: Level::CodeField });
    }
    candidates
}

/// SePay puts this word before the memo of banks that are linked by API.
fn without_notify_prefix(description: &str) -> &str {
    const PREFIX: &str = "BankAPINotify ";
    let description = description.trim_start();
    match description.get(..PREFIX.len()) {
        Some(start) if start.eq_ignore_ascii_case(PREFIX) => &description[PREFIX.len()..],
        _ => description,
    }
}

fn codes_in(text: &str, formats: &[CodeFormat]) -> Vec<Candidate> {
    let chars: Vec<char> = upper_ascii(text).chars().collect();
    for level in [Level::Exact, Level::Spaced, Level::Embedded] {
        let mut found: Vec<Candidate> = Vec::new();
        // Where each format's next code may begin: not inside its last one.
        let mut free = vec![0; formats.len()];
        for start in 0..chars.len() {
            for (format, free) in formats.iter().zip(&mut free) {
                if start < *free {
                    continue;
                }
                let Some((code, end)) = code_at(&chars, start, format, level) else { continue };
                *free = end;
                if found.iter().all(|known| known.code != code) {
                    found.push(Candidate { code, level });
                }
            }
        }
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// The longest code of `format` that begins at `start`, by the rules of `level`, and where it ends.
fn code_at(chars: &[char], start: usize, format: &CodeFormat, level: Level) -> Option<(String, usize)> {
    if level != Level::Embedded && start > 0 && is_word(chars[start - 1]) {
        return None;
    }
    let spaced = level == Level::Spaced;
    let mut at = start;
    for (i, expected) in format.prefix.chars().enumerate() {
        if spaced && i > 0 {
            at = skip_separators(chars, at);
        }
        if chars.get(at) != Some(&expected) {
            return None;
        }
        at += 1;
    }
    let mut code = format.prefix.to_string();
    let mut complete = None;
    for length in 1..=format.max {
        let next = if spaced { skip_separators(chars, at) } else { at };
        let Some(&c) = chars.get(next).filter(|c| format.charset.contains(**c)) else { break };
        code.push(c);
        at = next + 1;
        // A longer run of the same kind is another code or a telephone number, never this one.
        let ends = chars.get(at).is_none_or(|&after| match level {
            Level::Embedded => !format.charset.contains(after) && !is_foreign_digit(after),
            _ => !is_word(after),
        });
        if length >= format.min && ends {
            complete = Some((code.len(), at));
        }
    }
    let (length, end) = complete?;
    code.truncate(length);
    Some((code, end))
}

fn skip_separators(chars: &[char], from: usize) -> usize {
    let separators = chars[from.min(chars.len())..].iter().take_while(|c| is_separator(**c)).count();
    from + separators
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '.' | '_' | '-')
}

/// What a code must not touch: letters and digits as banks pass them on.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || is_foreign_digit(c)
}

fn is_foreign_digit(c: char) -> bool {
    !c.is_ascii() && c.is_numeric()
}
