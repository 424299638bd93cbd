//! How long to wait before a program that ended is started again.

use std::time::Duration;

const FIRST_MS: u64 = 1_000;
const LONGEST_MS: u64 = 60_000;
/// Without a network a start costs little, and the network may be back any moment.
const LONGEST_OFFLINE_MS: u64 = 5_000;

/// Doubles from one second to one minute, with a fifth of jitter either way.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Begins at one second again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next wait; `offline` keeps it short.
    pub(super) fn next(&mut self, offline: bool) -> Duration {
        let longest = if offline { LONGEST_OFFLINE_MS } else { LONGEST_MS };
        let plain = (FIRST_MS << self.failures.min(6)).min(longest);
        if !offline {
            self.failures = self.failures.saturating_add(1);
        }
        Duration::from_millis(plain * rand::random_range(80..=120) / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_begin_again() {
        let mut backoff = Backoff::default();
        for expected in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000] {
            let wait = u64::try_from(backoff.next(false).as_millis()).unwrap();
            assert!((expected * 8 / 10..=expected * 12 / 10).contains(&wait), "{wait} for {expected}");
        }
        assert!(backoff.next(true) <= Duration::from_secs(6), "a network that comes back is not waited for");
        backoff.reset();
        assert!(backoff.next(false) <= Duration::from_millis(1_200));
    }
}
