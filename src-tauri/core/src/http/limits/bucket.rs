//! Token buckets in a table of fixed size: what a hundred thousand forged addresses cost is known beforehand.
//!
//! A bucket is one number, the time at which it is full again. When a place in the table is needed, the bucket goes
//! that is nearest to full: forgetting it forgives least.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

/// Places that one key can have.
const WAYS: usize = 4;
/// Buckets in all; 16 bytes each.
const PLACES: usize = 1 << 17;

/// So many a second, after a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// A second; 1 at least.
    per_s: u32,
    /// At once, after a pause.
    burst: u32,
}

impl Rate {
    pub(super) fn new(per_s: u32, burst: u32) -> Self {
        Self { per_s: per_s.max(1), burst: burst.max(1) }
    }

    /// µs that one request costs.
    fn cost(self) -> i64 {
        1_000_000 / i64::from(self.per_s)
    }

    /// µs of debt that a bucket takes.
    fn most(self) -> i64 {
        self.cost().saturating_mul(i64::from(self.burst))
    }
}

/// One bucket: the time at which nothing is owed any more, µs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    full_at: i64,
}

impl Bucket {
    /// Takes one token at `now`, ms, unless none is left.
    ///
    /// # Errors
    /// The time until there is one again, ms.
    pub(super) fn take(&mut self, rate: Rate, now: i64) -> Result<(), i64> {
        self.left(rate, now)?;
        self.full_at = self.full_at.max(now.saturating_mul(1_000)) + rate.cost();
        Ok(())
    }

    /// Whether a token is left; none is taken.
    ///
    /// # Errors
    /// As of [`take`](Self::take).
    pub(super) fn left(&mut self, rate: Rate, now: i64) -> Result<(), i64> {
        let now = now.saturating_mul(1_000);
        let owed = self.full_at.saturating_sub(now);
        if owed > rate.most() {
            // No bucket owes that much: the clock was set back, or the rate was raised.
            self.full_at = now;
            return Ok(());
        }
        let over = owed.saturating_add(rate.cost()).saturating_sub(rate.most());
        if over > 0 { Err((over + 999) / 1_000) } else { Ok(()) }
    }
}

impl Bucket {
    /// Marks the place until a time, ms, instead of counting in it.
    pub(super) fn hold_until(&mut self, until: i64) {
        self.full_at = until.saturating_mul(1_000);
    }

    /// Whether the place is marked; a mark that lies further ahead than `most`, ms, is of another time.
    pub(super) fn holds(&self, now: i64, most: i64) -> bool {
        let left = self.full_at / 1_000 - now;
        0 < left && left <= most
    }
}

/// Buckets by key.
#[derive(Debug)]
pub(super) struct Buckets {
    hasher: RandomState,
    places: Mutex<Box<[(u64, Bucket)]>>,
}

impl Default for Buckets {
    fn default() -> Self {
        let places = vec![(0, Bucket::default()); PLACES].into_boxed_slice();
        Self { hasher: RandomState::new(), places: Mutex::new(places) }
    }
}

impl Buckets {
    /// The key of something, not to be guessed from outside.
    pub(super) fn key(&self, of: impl std::hash::Hash) -> u64 {
        self.hasher.hash_one(of) | 1
    }

    /// Does something with the bucket of `key`; one that is not known is full.
    pub(super) fn with<T>(&self, key: u64, act: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let sets = u64::try_from(places.len() / WAYS).unwrap_or(1);
        let set = usize::try_from((key >> 1) % sets).unwrap_or(0) * WAYS;
        let ways = &mut places[set..set + WAYS];
        let at = ways.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            let least = ways.iter().enumerate().min_by_key(|(_, (_, bucket))| bucket.full_at);
            least.map_or(0, |(at, _)| at)
        });
        if ways[at].0 != key {
            ways[at] = (key, Bucket::default());
        }
        act(&mut ways[at].1)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.places.lock().map_or(0, |places| std::mem::size_of_val(&**places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let (rate, mut bucket) = (Rate::new(10, 5), Bucket::default());
        let passed = |bucket: &mut Bucket, now| (0..100).filter(|_| bucket.take(rate, now).is_ok()).count();
        assert_eq!(passed(&mut bucket, NOW), 5);
        assert_eq!(bucket.take(rate, NOW), Err(100), "one more in a tenth of a second");
        assert_eq!(passed(&mut bucket, NOW + 100), 1);
        assert_eq!(passed(&mut bucket, NOW + 10_000), 5, "no more than the burst is saved up");
    }

    #[test]
    fn looking_takes_nothing() {
        let (rate, mut bucket) = (Rate::new(1, 1), Bucket::default());
        for _ in 0..10 {
            assert_eq!(bucket.left(rate, NOW), Ok(()));
        }
        assert_eq!(bucket.take(rate, NOW), Ok(()));
        assert_eq!(bucket.left(rate, NOW), Err(1_000));
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let (rate, mut bucket) = (Rate::new(1, 1), Bucket::default());
        assert_eq!(bucket.take(rate, NOW), Ok(()));
        assert_eq!(bucket.take(rate, NOW - 3_600_000), Ok(()));
    }

    #[test]
    fn a_hundred_thousand_addresses_cost_no_more_memory_and_do_not_free_the_one_that_asks_most() {
        let (rate, buckets) = (Rate::new(1, 100), Buckets::default());
        let before = buckets.bytes();
        assert!(before <= 4 << 20, "{before}");
        let loud = buckets.key("203.0.113.9");
        while buckets.with(loud, |bucket| bucket.take(rate, NOW)).is_ok() {}
        for address in 0..100_000_u32 {
            let key = buckets.key(address);
            assert_eq!(buckets.with(key, |bucket| bucket.take(rate, NOW)), Ok(()));
        }
        assert_eq!(buckets.bytes(), before);
        assert!(buckets.with(loud, |bucket| bucket.take(rate, NOW)).is_err(), "it is not forgotten");
    }
}
