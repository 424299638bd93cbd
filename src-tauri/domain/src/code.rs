//! Payment codes: what an order's and a deposit's code look like, and the types that hold one.
//!
//! Finding codes in what a bank made of a memo is `matching`'s work.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The characters after a code's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charset {
    /// `0-9`.
    Digits,
    /// `A-Z0-9`.
    Alnum,
    /// `2-9` and consonants without look-alikes ([`B28`]), so that no Vietnamese word can look like a code.
    B28,
}

/// The 28 characters of a deposit code, in the order of their indices.
pub const B28: &[u8; 28] = b"23456789BCDFGHJKLMNPQRSTVWXZ";

impl Charset {
    /// Whether an upper-case character belongs to it.
    pub fn contains(self, c: char) -> bool {
        match self {
            Charset::Digits => c.is_ascii_digit(),
            Charset::Alnum => c.is_ascii_digit() || c.is_ascii_uppercase(),
            Charset::B28 => u8::try_from(c).is_ok_and(|b| B28.contains(&b)),
        }
    }
}

/// The shape of a kind of code: a prefix, then `min` to `max` characters of a set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CodeFormat {
    /// Upper-case ASCII letters and digits, not empty.
    pub prefix: Cow<'static, str>,
    /// What may follow the prefix.
    pub charset: Charset,
    /// The least number of characters after the prefix, at least 1.
    pub min: usize,
    /// The greatest number of characters after the prefix, at least `min`.
    pub max: usize,
}

/// The formats of a shop's own codes: orders, then deposits.
pub static SHOP_FORMATS: [CodeFormat; 2] = [CodeFormat::ORDER, CodeFormat::DEPOSIT];

impl CodeFormat {
    /// `DH` and six digits.
    pub const ORDER: CodeFormat =
        CodeFormat { prefix: Cow::Borrowed("DH"), charset: Charset::Digits, min: 6, max: 6 };
    /// `NAP` and seven characters of [`B28`].
    pub const DEPOSIT: CodeFormat =
        CodeFormat { prefix: Cow::Borrowed("NAP"), charset: Charset::B28, min: 7, max: 7 };

    /// Whether `text`, in upper case, is a code of this format and nothing else.
    pub fn fits(&self, text: &str) -> bool {
        text.strip_prefix(self.prefix.as_ref()).is_some_and(|suffix| {
            (self.min..=self.max).contains(&suffix.len()) && suffix.chars().all(|c| self.charset.contains(c))
        })
    }
}

/// Why a text or a number is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a {expected}")]
pub struct CodeError {
    expected: &'static str,
}

const NOT_AN_ORDER: CodeError = CodeError { expected: "order code (DH and six digits)" };
const NOT_A_DEPOSIT: CodeError =
    CodeError { expected: "deposit code (NAP and seven of 2-9BCDFGHJKLMNPQRSTVWXZ)" };

/// The code of an order: `DH` and six digits, `DH000000` to `DH999999`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderCode(u32);

impl OrderCode {
    /// How many codes there are.
    pub const COUNT: u32 = 1_000_000;

    /// The code of a number below [`OrderCode::COUNT`].
    ///
    /// # Errors
    /// [`CodeError`] for a larger number.
    pub const fn from_number(number: u32) -> Result<OrderCode, CodeError> {
        if number < OrderCode::COUNT { Ok(OrderCode(number)) } else { Err(NOT_AN_ORDER) }
    }

    /// Reads a code, in either case, with nothing around it.
    ///
    /// # Errors
    /// [`CodeError`] for anything else.
    pub fn parse(text: &str) -> Result<OrderCode, CodeError> {
        let upper = text.to_ascii_uppercase();
        if !CodeFormat::ORDER.fits(&upper) {
            return Err(NOT_AN_ORDER);
        }
        upper[CodeFormat::ORDER.prefix.len()..].parse().map(OrderCode).map_err(|_| NOT_AN_ORDER)
    }

    /// The number in the code.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for OrderCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("DH{:06}", self.0))
    }
}

impl FromStr for OrderCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<OrderCode, CodeError> {
        OrderCode::parse(text)
    }
}

/// The code that a customer's top-ups carry: `NAP` and seven characters of [`B28`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DepositCode([u8; DepositCode::LENGTH]);

impl DepositCode {
    /// Characters after the prefix.
    pub const LENGTH: usize = 7;

    /// The code of seven indices into [`B28`], which the caller draws at random.
    ///
    /// # Errors
    /// [`CodeError`] when an index is 28 or more.
    pub fn from_indices(indices: [u8; DepositCode::LENGTH]) -> Result<DepositCode, CodeError> {
        let mut suffix = [0; DepositCode::LENGTH];
        for (place, index) in suffix.iter_mut().zip(indices) {
            *place = *B28.get(usize::from(index)).ok_or(NOT_A_DEPOSIT)?;
        }
        Ok(DepositCode(suffix))
    }

    /// Reads a code, in either case, with nothing around it.
    ///
    /// # Errors
    /// [`CodeError`] for anything else.
    pub fn parse(text: &str) -> Result<DepositCode, CodeError> {
        let upper = text.to_ascii_uppercase();
        if !CodeFormat::DEPOSIT.fits(&upper) {
            return Err(NOT_A_DEPOSIT);
        }
        let suffix = &upper.as_bytes()[CodeFormat::DEPOSIT.prefix.len()..];
        suffix.try_into().map(DepositCode).map_err(|_| NOT_A_DEPOSIT)
    }
}

impl fmt::Display for DepositCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix: String = self.0.iter().map(|b| char::from(*b)).collect();
        f.pad(&format!("NAP{suffix}"))
    }
}

impl FromStr for DepositCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<DepositCode, CodeError> {
        DepositCode::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_order_code_is_dh_and_six_digits() {
        assert_eq!(OrderCode::parse("DH123456").map(OrderCode::number), Ok(123_456));
        assert_eq!(OrderCode::parse("dh000007").unwrap().to_string(), "DH000007");
        for text in [
            "",
            "DH",
            "DH12345",
            "DH1234567",
            "DH12345O",
            " DH123456",
            "DH123456 ",
            "DH-123456",
            "DH１２３４５６",
            "NAPK7Q2M9X",
        ] {
            assert_eq!(OrderCode::parse(text), Err(NOT_AN_ORDER), "{text:?}");
        }
        assert_eq!(OrderCode::from_number(1_000_000), Err(NOT_AN_ORDER));
    }

    #[test]
    fn a_deposit_code_has_no_vowel_and_no_look_alike() {
        assert_eq!(DepositCode::parse("napk7q2m9x").unwrap().to_string(), "NAPK7Q2M9X");
        for text in [
            "",
            "NAP",
            "NAPTIENVAO",
            "NAPK7Q2M9",
            "NAPK7Q2M9XX",
            "NAPK7Q2M90",
            "NAPK7Q2M9O",
            "NAPK7Q2M9Y",
            "NAP K7Q2M9X",
        ] {
            assert_eq!(DepositCode::parse(text), Err(NOT_A_DEPOSIT), "{text:?}");
        }
        assert_eq!(DepositCode::from_indices([0, 27, 8, 1, 2, 3, 4]).unwrap().to_string(), "NAP2ZB3456");
        assert_eq!(DepositCode::from_indices([28, 0, 0, 0, 0, 0, 0]), Err(NOT_A_DEPOSIT));
    }

    #[test]
    fn a_format_fits_whole_codes_only() {
        let format = CodeFormat { prefix: "OB".into(), charset: Charset::Alnum, min: 2, max: 4 };
        for (text, fits) in [
            ("OB12", true),
            ("OBABCD", true),
            ("OB1", false),
            ("OB12345", false),
            ("OB1-2", false),
            ("ob12", false),
            ("XOB12", false),
            ("OBÁB", false),
        ] {
            assert_eq!(format.fits(text), fits, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(number in 0..OrderCode::COUNT, indices in proptest::array::uniform7(0u8..28)) {
            let order = OrderCode::from_number(number).unwrap();
            prop_assert_eq!(order.to_string().parse(), Ok(order));
            prop_assert!(CodeFormat::ORDER.fits(&order.to_string()));
            let deposit = DepositCode::from_indices(indices).unwrap();
            prop_assert_eq!(deposit.to_string().parse(), Ok(deposit));
            prop_assert!(CodeFormat::DEPOSIT.fits(&deposit.to_string()));
        }

        #[test]
        fn reading_never_panics(text in "\\PC*|(DH|NAP)\\PC{0,8}") {
            let _ = OrderCode::parse(&text);
            let _ = DepositCode::parse(&text);
        }
    }
}
