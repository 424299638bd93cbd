use proptest::prelude::*;

use super::*;

#[test]
fn dates_are_vietnams_time() {
    for (text, ms) in [
        ("1970-01-01 07:00:00", Some(0)),
        ("2026-01-17 13:20:00", Some(1_768_630_800_000)),
        ("2026-01-17T13:20:00", Some(1_768_630_800_000)),
        ("2026-01-17 13:20", Some(1_768_630_800_000)),
        // Stored as 06:58:34Z by its receiver, half a minute later.
        ("2026-06-25 13:58:00", Some(1_782_370_680_000)),
        ("2024-02-29 00:00:00", Some(1_709_139_600_000)),
        ("1970-01-01 00:00:00", Some(-25_200_000)),
        ("2023-02-29 00:00:00", None),
        ("2026-13-01 00:00:00", None),
        ("2026-00-01 00:00:00", None),
        ("2026-01-00 00:00:00", None),
        ("2026-01-32 00:00:00", None),
        ("2026-04-31 00:00:00", None),
        ("2026-01-17 24:00:00", None),
        ("2026-01-17 13:60:00", None),
        ("2026-01-17 13:20:60", None),
        ("2026-01-17 13:20:00Z", None),
        ("2026-01-17 13:20:00:00", None),
        ("2026-01-17-01 13:20:00", None),
        ("2026-01-17", None),
        ("17/01/2026 13:20:00", None),
        ("0000-00-00 00:00:00", None),
        ("+026-01-17 13:20:00", None),
        ("", None),
        ("hôm qua", None),
    ] {
        assert_eq!(read_date(text), ms, "{text:?}");
    }
}

#[test]
fn an_amount_is_whole_dong_however_it_is_written() {
    for (text, dong) in [
        ("100000", Some(100_000)),
        ("100000.00", Some(100_000)),
        ("0.0", Some(0)),
        ("19689000.00", Some(19_689_000)),
        ("100000.50", None),
        ("100.000", None),
        ("100000.", None),
        (".00", None),
        ("1e5", None),
        ("1E5", None),
        ("-1", None),
        ("+1", None),
        ("1,000", None),
        ("", None),
        ("99999999999999999999", None),
    ] {
        assert_eq!(whole_dong(text), dong, "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_written_date_is_read_back(seconds in 0..253_370_000_000i64) {
        let ms = seconds * 1000;
        prop_assert_eq!(read_date(&write_date(ms).unwrap()), Some(ms));
    }

    #[test]
    fn reading_dates_never_panics(text in "\\PC{0,30}|[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}") {
        if let Some(ms) = read_date(&text) {
            prop_assert_eq!(read_date(&write_date(ms).unwrap()), Some(ms));
        }
    }

    #[test]
    fn any_time_is_written_or_refused(ms in any::<i64>()) {
        let _ = write_date(ms);
    }
}
