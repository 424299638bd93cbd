//! Times at the edge: RFC 3339 UTC, and the day as Vietnam counts it.

use jiff::Timestamp;

const VIETNAM_MS: i64 = 7 * 3_600_000;

/// `2026-11-22T00:34:12.345Z`. A time outside the years 0 to 9999 is shown as the nearest end.
pub(crate) fn rfc3339(ms: i64) -> String {
    let time =
        Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX });
    time.to_string()
}

/// The day in Vietnam, `YYYY-MM-DD`.
pub(super) fn vietnam_day(ms: i64) -> String {
    rfc3339(ms.saturating_add(VIETNAM_MS)).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_days_are_vietnams() {
        assert_eq!(rfc3339(1_795_282_200_123), "2026-11-21T17:30:00.123Z");
        assert_eq!(vietnam_day(1_795_282_200_123), "2026-11-22");
        assert!(rfc3339(i64::MAX).starts_with("9999-"));
    }
}
