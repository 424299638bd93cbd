//! Codes that are like what stands in a memo: look-alike characters, one slip of a finger, a lost prefix.

use std::collections::HashMap;

use crate::code::{B28, CodeFormat};
use crate::fold::upper_ascii;
use crate::matching::{Candidate, Level};

/// How a code is like what was found, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Likeness {
    /// Its six digits stand alone, without the prefix.
    Bare,
    /// One character is missing, too many, another one, or two are swapped.
    OneSlip,
    /// It is the code, glued to other text or in SePay's field only.
    Glued,
    /// Only characters that look alike differ: `12O45` for `12045`.
    LooksAlike,
    /// It is the code.
    Whole,
}

/// A code to look up, with what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeClue {
    /// In upper case: `DH123456`.
    pub code: String,
    /// What stands in the transfer.
    pub found: String,
    /// How alike they are.
    pub likeness: Likeness,
}

/// More keys than this are not looked up, and no more of a text is read: a memo is not a phone book.
const MOST_CODES: usize = 1200;
const MOST_CHARS: usize = 600;

/// Clues being gathered, each code once.
#[derive(Default)]
pub(super) struct Codes {
    clues: Vec<CodeClue>,
    places: HashMap<String, usize>,
}

impl Codes {
    /// Adds a clue, or strengthens the one there is.
    pub(super) fn keep(&mut self, clue: CodeClue) {
        match self.places.get(&clue.code) {
            Some(&at) if self.clues[at].likeness < clue.likeness => self.clues[at] = clue,
            Some(_) => {}
            None if self.clues.len() < MOST_CODES => {
                self.places.insert(clue.code.clone(), self.clues.len());
                self.clues.push(clue);
            }
            None => {}
        }
    }

    pub(super) fn into_clues(self) -> Vec<CodeClue> {
        self.clues
    }
}

/// A candidate of matching as a clue; `content` is searched for how it stands there.
pub(super) fn of_candidate(candidate: &Candidate, content: &str) -> CodeClue {
    let letters = Letters::of(content);
    let code: Vec<char> = candidate.code.chars().collect();
    let found = (0..letters.chars.len()).find_map(|start| {
        let mut at = start;
        for (i, expected) in code.iter().enumerate() {
            if i > 0 {
                at = letters.skip_separators(at);
            }
            if letters.chars.get(at) != Some(expected) {
                return None;
            }
            at += 1;
        }
        Some(letters.slice(content, start, at))
    });
    let likeness = match candidate.level {
        Level::Exact | Level::Spaced => Likeness::Whole,
        Level::Embedded | Level::CodeField => Likeness::Glued,
    };
    CodeClue {
        found: found.unwrap_or_else(|| candidate.code.clone()),
        code: candidate.code.clone(),
        likeness,
    }
}

/// Adds every code that is like something in `text`.
pub(super) fn codes_like(text: &str, codes: &mut Codes) {
    let letters = Letters::of(text);
    for start in 0..letters.chars.len() {
        for (length, intact) in order_prefixes(&letters, start) {
            order_digits(text, &letters, start, start + length, intact, codes);
        }
        bare_digits(text, &letters, start, codes);
        deposit(text, &letters, start, codes);
    }
}

/// A text in upper-case ASCII, with where each character stands in the original.
struct Letters {
    chars: Vec<char>,
    offsets: Vec<usize>,
    end: usize,
}

impl Letters {
    fn of(text: &str) -> Self {
        let mut letters = Self { chars: Vec::new(), offsets: Vec::new(), end: text.len() };
        for (offset, c) in text.char_indices().take(MOST_CHARS) {
            for folded in upper_ascii(c.encode_utf8(&mut [0; 4])).chars() {
                letters.chars.push(folded);
                letters.offsets.push(offset);
            }
        }
        letters
    }

    fn slice(&self, text: &str, from: usize, to: usize) -> String {
        let from = self.offsets.get(from).copied().unwrap_or(self.end);
        let to = self.offsets.get(to).copied().unwrap_or(self.end);
        text.get(from..to).unwrap_or_default().trim().to_owned()
    }

    fn at(&self, at: usize) -> Option<char> {
        self.chars.get(at).copied()
    }

    fn is_word(&self, at: usize) -> bool {
        self.at(at).is_some_and(|c| c.is_ascii_alphanumeric())
    }

    fn starts_word(&self, at: usize) -> bool {
        at == 0 || !self.is_word(at - 1)
    }

    fn skip_separators(&self, from: usize) -> usize {
        let is_separator = |c: &&char| c.is_whitespace() || matches!(**c, '.' | '_' | '-');
        from + self.chars[from.min(self.chars.len())..].iter().take_while(is_separator).count()
    }
}

/// The digit that a character is, or is taken for.
fn digit(c: char) -> Option<char> {
    Some(match c {
        '0'..='9' => c,
        'O' | 'Q' | 'D' => '0',
        'I' | 'L' | '|' | '!' => '1',
        'Z' => '2',
        'A' => '4',
        'S' => '5',
        'G' => '6',
        'B' => '8',
        _ => return None,
    })
}

/// What can be `DH` at `start`: how long it is, and whether it is intact.
fn order_prefixes(letters: &Letters, start: usize) -> Vec<(usize, bool)> {
    let mut found = Vec::new();
    let Some(first) = letters.at(start) else { return found };
    if first == 'D' {
        let next = letters.skip_separators(start + 1);
        if letters.at(next) == Some('H') {
            found.push((next + 1 - start, true));
        }
    }
    if !letters.starts_word(start) || !first.is_ascii_alphabetic() {
        return found;
    }
    // One slip in the prefix: the rest must then be without one.
    let second = letters.at(start + 1).filter(char::is_ascii_alphabetic);
    match (first, second) {
        ('D', Some('H')) if letters.at(start + 2) == Some('H') => found.push((3, false)),
        ('D', Some('H')) => {}
        ('D', Some('D')) if letters.at(start + 2) == Some('H') => found.push((3, false)),
        ('H', Some('D')) => found.push((2, false)),
        ('D', Some(_)) => {
            found.push((2, false));
            found.push((1, false));
        }
        ('H', _) | ('D', None) => found.push((1, false)),
        (_, Some('H')) => found.push((2, false)),
        _ => {}
    }
    found
}

/// Reads the digits after a prefix, word by word, and adds what each end of a word may mean.
fn order_digits(
    text: &str,
    letters: &Letters,
    start: usize,
    after_prefix: usize,
    intact: bool,
    codes: &mut Codes,
) {
    let longest = CodeFormat::ORDER.max + 1;
    let mut digits = String::new();
    let mut alike = false;
    let mut at = after_prefix;
    while digits.len() <= longest {
        let begin = letters.skip_separators(at);
        let mut end = begin;
        while letters.at(end).is_some_and(|c| digit(c).is_some()) {
            end += 1;
        }
        let whole = !letters.is_word(end);
        // A letter counts as a digit only inside a run of real ones.
        while !whole && end > begin && !letters.chars[end - 1].is_ascii_digit() {
            end -= 1;
        }
        let word = &letters.chars[begin..end];
        let all_letters = intact && whole && digits.is_empty() && word.len() == CodeFormat::ORDER.max;
        if !word.iter().any(char::is_ascii_digit) && !all_letters {
            return;
        }
        alike |= word.iter().any(|c| !c.is_ascii_digit());
        let glued_run = digits.is_empty() && word.len() > longest;
        digits.extend(word.iter().filter_map(|c| digit(*c)));
        let found = letters.slice(text, start, end);
        if glued_run && intact {
            // A telephone number or another code stands right behind it.
            add(codes, &digits[..CodeFormat::ORDER.max], &found, Likeness::OneSlip);
        }
        meanings(codes, &digits, &found, alike, intact);
        if !whole {
            return;
        }
        at = end;
    }
}

fn meanings(codes: &mut Codes, digits: &str, found: &str, alike: bool, intact: bool) {
    const LENGTH: usize = CodeFormat::ORDER.max;
    let slips = match digits.len() {
        LENGTH => {
            let likeness = match (intact, alike) {
                (true, true) => Likeness::LooksAlike,
                (true, false) => Likeness::Glued,
                (false, _) => Likeness::OneSlip,
            };
            add(codes, digits, found, likeness);
            let mut slips = swapped(digits);
            slips.extend(replaced(digits, b"0123456789"));
            slips
        }
        length if length + 1 == LENGTH => inserted(digits, b"0123456789"),
        length if length == LENGTH + 1 => removed(digits),
        _ => return,
    };
    if intact {
        for slip in slips {
            add(codes, &slip, found, Likeness::OneSlip);
        }
    }
}

fn add(codes: &mut Codes, digits: &str, found: &str, likeness: Likeness) {
    let code = format!("{}{digits}", CodeFormat::ORDER.prefix);
    codes.keep(CodeClue { code, found: found.to_owned(), likeness });
}

/// Six digits that stand alone.
fn bare_digits(text: &str, letters: &Letters, start: usize, codes: &mut Codes) {
    let end = start + CodeFormat::ORDER.max;
    if !letters.starts_word(start) || letters.is_word(end) {
        return;
    }
    let Some(word) = letters.chars.get(start..end) else { return };
    if word.iter().all(char::is_ascii_digit) {
        let digits: String = word.iter().collect();
        add(codes, &digits, &letters.slice(text, start, end), Likeness::Bare);
    }
}

/// A deposit code with one slip, or with characters that its alphabet does not have.
fn deposit(text: &str, letters: &Letters, start: usize, codes: &mut Codes) {
    let prefix = CodeFormat::DEPOSIT.prefix.as_ref();
    if !letters.starts_word(start)
        || !prefix.chars().enumerate().all(|(i, c)| letters.at(start + i) == Some(c))
    {
        return;
    }
    let begin = letters.skip_separators(start + prefix.len());
    let length = letters.chars[begin..].iter().take_while(|c| c.is_ascii_alphanumeric()).count();
    let word: String = letters.chars[begin..begin + length].iter().collect();
    let found = letters.slice(text, start, begin + length);
    let wanted = CodeFormat::DEPOSIT.max;
    let mut put = |suffix: &str, likeness| {
        let code = format!("{prefix}{suffix}");
        if CodeFormat::DEPOSIT.fits(&code) {
            codes.keep(CodeClue { code, found: found.clone(), likeness });
        }
    };
    if length == wanted {
        for suffix in look_alikes(&word) {
            put(&suffix, Likeness::LooksAlike);
        }
        swapped(&word).iter().for_each(|slip| put(slip, Likeness::OneSlip));
        replaced(&word, B28).iter().for_each(|slip| put(slip, Likeness::OneSlip));
    } else if length + 1 == wanted {
        inserted(&word, B28).iter().for_each(|slip| put(slip, Likeness::OneSlip));
    } else if length == wanted + 1 {
        removed(&word).iter().for_each(|slip| put(slip, Likeness::OneSlip));
    }
}

/// Every spelling of a word in the deposit alphabet when characters outside of it are taken for their like.
fn look_alikes(word: &str) -> Vec<String> {
    let mut spellings = vec![String::new()];
    for c in word.chars() {
        let likes: &[char] = match c {
            '0' | 'O' => &['Q', 'D'],
            '1' | 'I' => &['L', 'J', 'T', '7'],
            'A' => &['4'],
            'E' => &['3', 'F'],
            'U' => &['V'],
            'Y' => &['V'],
            _ => &[],
        };
        let likes = if likes.is_empty() { vec![c] } else { likes.to_vec() };
        spellings = spellings
            .iter()
            .flat_map(|start| likes.iter().map(move |like| format!("{start}{like}")))
            .take(64)
            .collect();
    }
    spellings
}

fn swapped(word: &str) -> Vec<String> {
    let bytes = word.as_bytes();
    (1..bytes.len())
        .filter(|&at| bytes[at] != bytes[at - 1])
        .map(|at| {
            let mut other = bytes.to_vec();
            other.swap(at, at - 1);
            String::from_utf8_lossy(&other).into_owned()
        })
        .collect()
}

fn replaced(word: &str, alphabet: &[u8]) -> Vec<String> {
    let mut others = Vec::new();
    for at in 0..word.len() {
        for c in alphabet.iter().filter(|c| word.as_bytes()[at] != **c) {
            others.push(format!("{}{}{}", &word[..at], char::from(*c), &word[at + 1..]));
        }
    }
    others
}

fn inserted(word: &str, alphabet: &[u8]) -> Vec<String> {
    let mut others = Vec::new();
    for at in 0..=word.len() {
        for c in alphabet {
            others.push(format!("{}{}{}", &word[..at], char::from(*c), &word[at..]));
        }
    }
    others
}

fn removed(word: &str) -> Vec<String> {
    (0..word.len()).map(|at| format!("{}{}", &word[..at], &word[at + 1..])).collect()
}
