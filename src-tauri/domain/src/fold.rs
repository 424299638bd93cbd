//! Text without its diacritics: `Đức` and `duc` are the same word for search and for matching.
//!
//! Precomposed (NFC) and decomposed (NFD) spellings fold alike. Letters of other scripts stay as they are.

/// The form in which names and notes are searched: without diacritics, `đ` as `d`, lower case.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_combining_mark(*c)) {
        match base_letter(c) {
            Some(letter) => folded.push(letter),
            // Lower case can bring up an accented letter or a mark of its own: Å (Ångström), ᾼ.
            None => folded.extend(
                c.to_lowercase().filter(|c| !is_combining_mark(*c)).map(|c| base_letter(c).unwrap_or(c)),
            ),
        }
    }
    folded
}

/// The form in which payment codes are looked for: without diacritics, ASCII letters in upper case.
///
/// Everything that is not a Latin letter stays as it is, so the result holds no letter or digit that the
/// text did not have.
pub fn upper_ascii(text: &str) -> String {
    text.chars()
        .filter(|c| !is_combining_mark(*c))
        .map(|c| base_letter(c).unwrap_or(c).to_ascii_uppercase())
        .collect()
}

fn is_combining_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// The lower-case ASCII letter under a precomposed Latin letter, `None` for every other character.
fn base_letter(c: char) -> Option<char> {
    if c.is_ascii() {
        return None;
    }
    // All Vietnamese letters, and the other accented Latin ones that stand beside them in the blocks.
    Some(match c {
        'À'..='Å' | 'à'..='å' | 'Ā'..='ą' | 'Ǎ' | 'ǎ' | 'Ạ'..='ặ' => 'a',
        'Ç' | 'ç' | 'Ć'..='č' => 'c',
        'Ď'..='đ' | 'Ð' | 'ð' => 'd',
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' | 'Ẹ'..='ệ' => 'e',
        'Ĝ'..='ģ' => 'g',
        'Ĥ' | 'ĥ' => 'h',
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='İ' | 'Ǐ' | 'ǐ' | 'Ỉ'..='ị' => 'i',
        'Ĵ' | 'ĵ' => 'j',
        'Ķ' | 'ķ' => 'k',
        'Ĺ'..='ľ' => 'l',
        'Ñ' | 'ñ' | 'Ń'..='ň' => 'n',
        'Ò'..='Ö' | 'ò'..='ö' | 'Ō'..='ő' | 'Ơ' | 'ơ' | 'Ǒ' | 'ǒ' | 'Ọ'..='ợ' => 'o',
        'Ŕ'..='ř' => 'r',
        'Ś'..='š' | 'Ș' | 'ș' => 's',
        'Ţ'..='ť' | 'Ț' | 'ț' => 't',
        'Ù'..='Ü' | 'ù'..='ü' | 'Ũ'..='ų' | 'Ư' | 'ư' | 'Ǔ' | 'ǔ' | 'Ụ'..='ự' => 'u',
        'Ŵ' | 'ŵ' => 'w',
        'Ý' | 'ý' | 'ÿ' | 'Ŷ'..='Ÿ' | 'Ỳ'..='ỹ' => 'y',
        'Ź'..='ž' => 'z',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn vietnamese_is_found_without_its_marks() {
        for (text, folded) in [
            ("Đức", "duc"),
            ("NGUYỄN THỊ HỒNG ĐÀO", "nguyen thi hong dao"),
            ("Khoá học Rust cơ bản", "khoa hoc rust co ban"),
            ("ưỡng ượt", "uong uot"),
            ("Ðỗ", "do"),
            (
                "ắ ẳ ẵ ặ ấ ẩ ẫ ậ ế ể ễ ệ ố ổ ỗ ộ ớ ở ỡ ợ ứ ử ữ ự ỳ ỷ ỹ ỵ",
                "a a a a a a a a e e e e o o o o o o o o u u u u y y y y",
            ),
            ("Crème brûlée ÑANDÚ", "creme brulee nandu"),
            ("", ""),
            ("\u{212b}\u{212a}", "ak"),
            ("订单 Заказ", "订单 заказ"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn composed_and_decomposed_spellings_fold_alike() {
        for (composed, decomposed) in [
            ("ế", "e\u{302}\u{301}"),
            ("ợ", "o\u{31b}\u{323}"),
            ("Ữ", "U\u{31b}\u{303}"),
            ("ạ", "a\u{323}"),
            ("Trần Thị Lan", "Tra\u{302}\u{300}n Thi\u{323} Lan"),
        ] {
            assert_eq!(fold(composed), fold(decomposed));
            assert_eq!(upper_ascii(composed), upper_ascii(decomposed));
        }
    }

    #[test]
    fn every_vietnamese_letter_has_its_base() {
        let rows = [
            ("a", "àáảãạăằắẳẵặâầấẩẫậ"),
            ("e", "èéẻẽẹêềếểễệ"),
            ("i", "ìíỉĩị"),
            ("o", "òóỏõọôồốổỗộơờớởỡợ"),
            ("u", "ùúủũụưừứửữự"),
            ("y", "ỳýỷỹỵ"),
            ("d", "đ"),
        ];
        for (base, letters) in rows {
            for letter in letters.chars() {
                assert_eq!(fold(&letter.to_string()), base, "{letter}");
                assert_eq!(fold(&letter.to_uppercase().to_string()), base, "{letter}");
                assert_eq!(upper_ascii(&letter.to_string()), base.to_uppercase(), "{letter}");
            }
        }
    }

    #[test]
    fn signs_between_the_letters_are_not_letters() {
        assert_eq!(upper_ascii("2×3÷1 ½ ß"), "2×3÷1 ½ ß");
        assert_eq!(upper_ascii("dh１２３４５６"), "DH１２３４５６");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC*") {
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
            prop_assert_eq!(upper_ascii(&upper_ascii(&text)), upper_ascii(&text));
        }

        #[test]
        fn digits_are_neither_made_nor_lost(text in "\\PC*") {
            let digits = |t: &str| t.chars().filter(char::is_ascii_digit).collect::<String>();
            prop_assert_eq!(digits(&upper_ascii(&text)), digits(&text));
        }
    }
}
