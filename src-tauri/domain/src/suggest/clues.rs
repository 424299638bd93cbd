//! What a transfer's words give to look up: codes and their likes, telephone numbers, names, the payer's account.

use super::near::{self, CodeClue, Codes};
use crate::code::SHOP_FORMATS;
use crate::fold::fold;
use crate::matching::extract;

/// A transfer without a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unplaced<'a> {
    /// The memo.
    pub content: &'a str,
    /// The longer text.
    pub description: &'a str,
    /// SePay's own guess of a code; empty when none.
    pub code_field: &'a str,
    /// Whole đồng.
    pub amount: i64,
    /// When it came, ms UTC.
    pub received_at: i64,
    /// Account numbers and holders of the shop, which say nothing about who paid.
    pub own: &'a [String],
}

/// What to look up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clues {
    /// Codes that stand in it or are like what stands in it, each once with its best likeness.
    pub codes: Vec<CodeClue>,
    /// Vietnamese telephone numbers, `0912345678`.
    pub phones: Vec<String>,
    /// What may be a person's name: two or three folded words, separated by one space.
    pub names: Vec<String>,
    /// Upper-case words of the content by which the same payer is known again: account numbers and full names.
    pub payers: Vec<String>,
}

const MOST_NAMES: usize = 6;
const MOST_PAYERS: usize = 6;

/// Words that banks and payers write around a memo. A name does not go across one.
const NOISE: &[&str] = &[
    "bank",
    "bankapinotify",
    "cam",
    "chuyen",
    "ck",
    "ckn",
    "code",
    "coc",
    "ct",
    "cua",
    "customer",
    "dat",
    "den",
    "dh",
    "dich",
    "don",
    "gd",
    "giao",
    "hang",
    "hoc",
    "ibft",
    "khoa",
    "khoan",
    "ma",
    "mbvcb",
    "momo",
    "mua",
    "nap",
    "nd",
    "nhan",
    "nhanh",
    "noi",
    "on",
    "qr",
    "ref",
    "sepay",
    "sevqr",
    "so",
    "stk",
    "tai",
    "thanh",
    "tien",
    "tk",
    "toan",
    "toi",
    "trace",
    "tu",
    "ung",
    "vao",
    "vi",
    "xin",
];

/// Reads the clues out of a transfer.
#[must_use]
pub fn clues(transfer: &Unplaced<'_>) -> Clues {
    let mut codes = Codes::default();
    for candidate in extract(transfer.content, transfer.description, transfer.code_field, &SHOP_FORMATS) {
        codes.keep(near::of_candidate(&candidate, transfer.content));
    }
    let text = if transfer.content.trim().is_empty() { transfer.description } else { transfer.content };
    near::codes_like(text, &mut codes);
    let words = words(transfer);
    let names = names(&words);
    Clues {
        codes: codes.into_clues(),
        phones: phones(text),
        payers: payers(text, transfer.own, &names),
        names,
    }
}

/// The folded words of the memo without those of the shop's own accounts.
pub(super) fn words(transfer: &Unplaced<'_>) -> Vec<String> {
    let text = if transfer.content.trim().is_empty() { transfer.description } else { transfer.content };
    let mut words: Vec<String> = fold(text)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    for own in transfer.own {
        let own: Vec<String> = fold(own).split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect();
        if own.is_empty() || own.iter().any(String::is_empty) {
            continue;
        }
        while let Some(at) = words.windows(own.len()).position(|window| *window == own[..]) {
            // A word that no name has keeps apart what stood on both sides.
            words.splice(at..at + own.len(), ["0".to_owned()]);
        }
    }
    words
}

/// Runs of words that can be a name: every three in a row, or a run of two.
fn names(words: &[String]) -> Vec<String> {
    let is_part = |word: &String| {
        (2..=10).contains(&word.len())
            && word.chars().all(|c| c.is_ascii_lowercase())
            && !NOISE.contains(&word.as_str())
    };
    let mut names: Vec<String> = Vec::new();
    for run in words.split(|word| !is_part(word)) {
        let of = match run.len() {
            0 | 1 => continue,
            2 => 2,
            _ => 3,
        };
        for name in run.windows(of).map(|words| words.join(" ")) {
            if names.len() < MOST_NAMES && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// Runs of ASCII digits.
fn digit_runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty())
}

fn phones(text: &str) -> Vec<String> {
    let mut phones = Vec::new();
    for run in digit_runs(text) {
        let phone = match (run.len(), run.as_bytes()) {
            (10, [b'0', b'3' | b'5' | b'7' | b'8' | b'9', ..]) => run.to_owned(),
            (11, [b'8', b'4', b'3' | b'5' | b'7' | b'8' | b'9', ..]) => format!("0{}", &run[2..]),
            _ => continue,
        };
        if !phones.contains(&phone) {
            phones.push(phone);
        }
    }
    phones
}

fn payers(text: &str, own: &[String], names: &[String]) -> Vec<String> {
    let accounts =
        digit_runs(text).filter(|run| (8..=16).contains(&run.len()) && !own.iter().any(|own| own == run));
    let whole_names =
        names.iter().filter(|name| name.split(' ').count() >= 3).map(|name| name.to_ascii_uppercase());
    let mut payers: Vec<String> = Vec::new();
    for payer in accounts.map(str::to_owned).chain(whole_names) {
        if payers.len() < MOST_PAYERS && !payers.contains(&payer) {
            payers.push(payer);
        }
    }
    payers
}
