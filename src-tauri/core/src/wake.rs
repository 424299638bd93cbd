//! Notices that the machine slept: the wall clock went on while the clock of being awake stood still.
//!
//! Both are the `Clock` port's. Where only the wall clock is known, a look that comes much too late tells the same. A
//! clock that is set ahead looks like sleep, and what follows from a wake does no harm then. Whoever is about to judge by the time of
//! day calls [`Wake::look`] first, so that nothing is decided before the wake is known.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::ports::Clock;

/// How often it is looked.
const TICK: Duration = Duration::from_secs(5);
/// What the wall clock gains on the clock of being awake, ms, was slept: a busy machine is late on both.
const SLEPT_MS: i64 = 10_000;
/// A tick that comes later than this, ms, was slept through, whatever the other clock says: on some systems it
/// goes on in sleep.
const LATE_MS: i64 = 90_000;

/// How often the machine woke since the start, and how long it slept last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Woke {
    /// Wakes since the start.
    pub(crate) times: u64,
    /// Length of the last sleep, ms.
    pub(crate) slept_ms: i64,
    /// When it was noticed, ms.
    pub(crate) at: i64,
}

/// What both clocks said when it was last looked, ms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    at: i64,
    awake: Option<i64>,
}

impl Seen {
    /// What they say now.
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self { at: clock.now_ms(), awake: clock.awake_ms() }
    }

    /// How long the machine slept from here until `now`, ms; `None` when it did not, or there is no clock of being awake.
    pub(crate) fn slept_until(&self, now: &Self) -> Option<i64> {
        let awake = now.awake?.saturating_sub(self.awake?);
        Some(now.at.saturating_sub(self.at).saturating_sub(awake)).filter(|slept| *slept > SLEPT_MS)
    }
}

/// Where wakes are noticed and heard of.
pub(crate) struct Wake {
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
    woke: watch::Sender<Woke>,
}

impl Wake {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let seen = Mutex::new(Seen::now(&*clock));
        Self { clock, seen, woke: watch::Sender::new(Woke::default()) }
    }

    /// Looks now; wakes are heard through [`Wake::hear`].
    pub(crate) fn look(&self) {
        let now = Seen::now(&*self.clock);
        let before = std::mem::replace(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner), now);
        let late = now.at.saturating_sub(before.at) - i64::try_from(TICK.as_millis()).unwrap_or(i64::MAX);
        let slept = before.slept_until(&now).or_else(|| (late > LATE_MS).then_some(late));
        let Some(slept_ms) = slept else { return };
        tracing::info!(slept_s = slept_ms / 1000, "the machine slept, or its clock was set ahead");
        self.woke.send_modify(|woke| *woke = Woke { times: woke.times + 1, slept_ms, at: now.at });
    }

    /// Wakes so far.
    pub(crate) fn woke(&self) -> Woke {
        *self.woke.borrow()
    }

    /// Changes with every wake.
    pub(crate) fn hear(&self) -> watch::Receiver<Woke> {
        self.woke.subscribe()
    }

    /// Looks again and again until `stop`.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.sleep(TICK) => self.look(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use futures::future::BoxFuture;

    use super::*;

    /// The wall clock, and the clock of being awake; below 0 = there is none.
    struct HandClock(AtomicI64, AtomicI64);

    impl Clock for HandClock {
        fn now_ms(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }
        fn awake_ms(&self) -> Option<i64> {
            Some(self.1.load(Ordering::SeqCst)).filter(|ms| *ms >= 0)
        }
        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn only_time_that_nobody_waited_for_is_sleep() {
        let clock = Arc::new(HandClock(AtomicI64::new(0), AtomicI64::new(-1)));
        let wake = Wake::new(clock.clone());
        let after = |ms: i64| {
            clock.0.fetch_add(ms, Ordering::SeqCst);
            wake.look();
            wake.woke()
        };
        assert_eq!(after(10_000).times, 0);
        // A busy machine is late without having slept.
        assert_eq!(after(60_000).times, 0);
        let slept = after(3_605_000);
        assert_eq!((slept.times, slept.slept_ms), (1, 3_600_000));
        // A clock that is set back is no sleep, and hides none that follows.
        assert_eq!(after(-86_400_000).times, 1);
        assert_eq!(after(200_000).times, 2);
    }

    #[test]
    fn a_clock_of_being_awake_tells_sleep_from_being_late() {
        let clock = Arc::new(HandClock(AtomicI64::new(0), AtomicI64::new(0)));
        let wake = Wake::new(clock.clone());
        let after = |awake: i64, slept: i64| {
            clock.0.fetch_add(awake + slept, Ordering::SeqCst);
            clock.1.fetch_add(awake, Ordering::SeqCst);
            wake.look();
            (wake.woke().times, wake.woke().slept_ms)
        };
        // Stalled for a minute by other programs, and a clock that was put right by seconds.
        assert_eq!(after(60_000, 0), (0, 0));
        assert_eq!(after(5_000, 3_000), (0, 0));
        assert_eq!(after(5_000, 60_000), (1, 60_000));
        assert_eq!(after(5_000, 72 * 3_600_000), (2, 72 * 3_600_000));
        // Systems whose other clock goes on in sleep.
        assert_eq!(after(600_000, 0), (3, 595_000));
    }
}
