//! How often something took how long.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of times by upper bound. Cheap to count into from many threads.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds_ms: &'static [u64],
    /// One a bound, and one for what is above the last.
    counts: Box<[AtomicU64]>,
    sum_ms: AtomicU64,
}

impl Histogram {
    /// An empty one; `bounds_ms` ascend.
    pub(crate) fn new(bounds_ms: &'static [u64]) -> Self {
        let counts = (0..=bounds_ms.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds_ms, counts, sum_ms: AtomicU64::new(0) }
    }

    /// Something took `ms`; a clock that went backwards counts as 0.
    pub(crate) fn observe(&self, ms: i64) {
        let ms = u64::try_from(ms).unwrap_or(0);
        let at = self.bounds_ms.partition_point(|bound| *bound < ms);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        self.sum_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// How many took at most each bound (ms; `None` = any time), in ascending order.
    pub(crate) fn up_to(&self) -> Vec<(Option<u64>, u64)> {
        let bounds = self.bounds_ms.iter().copied().map(Some).chain([None]);
        let mut sum = 0;
        bounds
            .zip(&self.counts)
            .map(|(bound, n)| {
                sum += n.load(Ordering::Relaxed);
                (bound, sum)
            })
            .collect()
    }

    /// Everything together, ms.
    pub(crate) fn sum_ms(&self) -> u64 {
        self.sum_ms.load(Ordering::Relaxed)
    }

    /// How many there were.
    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.up_to().last().map_or(0, |(_, n)| *n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_what_took_exactly_as_long() {
        let times = Histogram::new(&[10, 100]);
        for ms in [-5, 10, 11, 100, 101] {
            times.observe(ms);
        }
        assert_eq!(times.up_to(), [(Some(10), 2), (Some(100), 4), (None, 5)]);
        assert_eq!(times.sum_ms(), 222);
    }
}
