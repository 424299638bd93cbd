//! Whole đồng. Every amount in the program is a [`Vnd`] or comes from one; there is no float on any path.

use std::fmt;

/// An amount of money in whole đồng, from 0 to [`Vnd::MAX`].
///
/// The đồng has no minor unit: `100000` is 100.000 ₫. Signed differences are plain `i64`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vnd(i64);

/// Why a number or a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// There is no text at all.
    #[error("the amount is empty")]
    Empty,
    /// Below zero.
    #[error("the amount is negative")]
    Negative,
    /// Has a part smaller than one đồng.
    #[error("the amount is not whole đồng")]
    Fraction,
    /// Above [`Vnd::MAX`].
    #[error("the amount is too large")]
    TooLarge,
    /// Not a plain decimal number.
    #[error("the amount is not a number")]
    NotANumber,
}

impl Vnd {
    /// 0 ₫.
    pub const ZERO: Vnd = Vnd(0);
    /// The largest amount: 10^15 ₫. Safely inside what a web page holds exactly (2^53).
    pub const MAX: Vnd = Vnd(1_000_000_000_000_000);

    /// An amount of `dong` whole đồng.
    ///
    /// # Errors
    /// [`AmountError::Negative`] below 0, [`AmountError::TooLarge`] above [`Vnd::MAX`].
    pub const fn new(dong: i64) -> Result<Vnd, AmountError> {
        if dong < 0 {
            Err(AmountError::Negative)
        } else if dong > Vnd::MAX.0 {
            Err(AmountError::TooLarge)
        } else {
            Ok(Vnd(dong))
        }
    }

    /// Reads a plain decimal number: digits, and at most a fraction of one or two zeros (`100000.00`).
    ///
    /// Signs, spaces, exponents and thousands separators are refused rather than guessed at; `100.000` is a
    /// hundred thousand to a Vietnamese and a hundred to a program, so it is nothing here.
    ///
    /// # Errors
    /// The [`AmountError`] that fits.
    pub fn parse(text: &str) -> Result<Vnd, AmountError> {
        if text.is_empty() {
            return Err(AmountError::Empty);
        }
        if let Some(rest) = text.strip_prefix('-')
            && is_decimal(rest)
        {
            return Err(AmountError::Negative);
        }
        if !is_decimal(text) {
            return Err(AmountError::NotANumber);
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if fraction.len() > 2 {
            return Err(AmountError::NotANumber);
        }
        if fraction.bytes().any(|b| b != b'0') {
            return Err(AmountError::Fraction);
        }
        // All digits, so the only way to fail is to be too large.
        whole.parse::<i64>().map_err(|_| AmountError::TooLarge).and_then(Vnd::new)
    }

    /// The number of đồng.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Whether this is 0 ₫.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `None` above [`Vnd::MAX`].
    pub fn checked_add(self, other: Vnd) -> Option<Vnd> {
        // Two amounts of at most 10^15 cannot overflow an i64.
        Vnd::new(self.0 + other.0).ok()
    }

    /// The difference, or `None` when `other` is larger.
    pub fn checked_sub(self, other: Vnd) -> Option<Vnd> {
        Vnd::new(self.0 - other.0).ok()
    }

    /// The sum of `amounts` (0 ₫ when there are none), or `None` above [`Vnd::MAX`].
    pub fn checked_sum(amounts: impl IntoIterator<Item = Vnd>) -> Option<Vnd> {
        amounts.into_iter().try_fold(Vnd::ZERO, Vnd::checked_add)
    }

    /// The amount times `count`, or `None` above [`Vnd::MAX`].
    pub fn checked_mul(self, count: u32) -> Option<Vnd> {
        self.0.checked_mul(i64::from(count)).and_then(|dong| Vnd::new(dong).ok())
    }
}

/// `digits` or `digits.digits`.
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(text),
    }
}

impl TryFrom<i64> for Vnd {
    type Error = AmountError;

    fn try_from(dong: i64) -> Result<Vnd, AmountError> {
        Vnd::new(dong)
    }
}

impl From<Vnd> for i64 {
    fn from(amount: Vnd) -> i64 {
        amount.0
    }
}

/// As Vietnamese read it: `499.000 ₫`, with a no-break space before the sign.
impl fmt::Display for Vnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 5);
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                text.push('.');
            }
            text.push(digit);
        }
        text.push_str("\u{a0}₫");
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vnd(dong: i64) -> Vnd {
        Vnd::new(dong).unwrap()
    }

    #[test]
    fn amounts_are_written_as_vietnamese_read_them() {
        for (dong, text) in [
            (0, "0\u{a0}₫"),
            (999, "999\u{a0}₫"),
            (1_000, "1.000\u{a0}₫"),
            (499_000, "499.000\u{a0}₫"),
            (3_000_000_000, "3.000.000.000\u{a0}₫"),
            (1_000_000_000_000_000, "1.000.000.000.000.000\u{a0}₫"),
        ] {
            assert_eq!(vnd(dong).to_string(), text);
        }
    }

    #[test]
    fn only_plain_whole_dong_are_read() {
        for (text, expected) in [
            ("100000", Ok(vnd(100_000))),
            ("100000.00", Ok(vnd(100_000))),
            ("0", Ok(Vnd::ZERO)),
            ("1000000000000000", Ok(Vnd::MAX)),
            ("1000000000000001", Err(AmountError::TooLarge)),
            ("99999999999999999999999999", Err(AmountError::TooLarge)),
            ("100000.50", Err(AmountError::Fraction)),
            ("-1", Err(AmountError::Negative)),
            ("-1.5", Err(AmountError::Negative)),
            ("", Err(AmountError::Empty)),
            ("1e5", Err(AmountError::NotANumber)),
            ("+1", Err(AmountError::NotANumber)),
            (" 1", Err(AmountError::NotANumber)),
            ("1 ", Err(AmountError::NotANumber)),
            ("1.", Err(AmountError::NotANumber)),
            (".0", Err(AmountError::NotANumber)),
            ("1.0.0", Err(AmountError::NotANumber)),
            ("100.000", Err(AmountError::NotANumber)),
            ("100,000", Err(AmountError::NotANumber)),
            ("١٢٣", Err(AmountError::NotANumber)),
            ("NaN", Err(AmountError::NotANumber)),
            ("Infinity", Err(AmountError::NotANumber)),
            ("--1", Err(AmountError::NotANumber)),
        ] {
            assert_eq!(Vnd::parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn arithmetic_never_leaves_the_range() {
        assert_eq!(Vnd::MAX.checked_add(vnd(1)), None);
        assert_eq!(Vnd::ZERO.checked_sub(vnd(1)), None);
        assert_eq!(vnd(5).checked_sub(vnd(5)), Some(Vnd::ZERO));
        assert_eq!(Vnd::MAX.checked_mul(2), None);
        assert_eq!(vnd(250_000).checked_mul(3), Some(vnd(750_000)));
        assert_eq!(Vnd::checked_sum([Vnd::MAX, vnd(1)]), None);
        assert_eq!(Vnd::checked_sum([]), Some(Vnd::ZERO));
        assert_eq!(Vnd::new(-1), Err(AmountError::Negative));
        assert_eq!(Vnd::new(i64::MAX), Err(AmountError::TooLarge));
        assert_eq!(Vnd::new(i64::MIN), Err(AmountError::Negative));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn what_is_written_plainly_is_read_back(dong in 0..=Vnd::MAX.get()) {
            prop_assert_eq!(Vnd::parse(&dong.to_string()), Vnd::new(dong));
            prop_assert_eq!(Vnd::parse(&format!("{dong}.00")), Vnd::new(dong));
            prop_assert_eq!(Vnd::parse(&format!("-{dong}")), Err(AmountError::Negative));
        }

        #[test]
        fn reading_never_panics_and_stays_in_range(text in "\\PC{0,30}|[-+0-9.eE]{0,40}") {
            if let Ok(amount) = Vnd::parse(&text) {
                prop_assert!((0..=Vnd::MAX.get()).contains(&amount.get()));
            }
        }

        #[test]
        fn taking_away_undoes_adding(a in 0..=Vnd::MAX.get(), b in 0..=Vnd::MAX.get()) {
            let (a, b) = (vnd(a), vnd(b));
            match a.checked_add(b) {
                Some(sum) => prop_assert_eq!(sum.checked_sub(b), Some(a)),
                None => prop_assert!(a.get() + b.get() > Vnd::MAX.get()),
            }
        }
    }
}
