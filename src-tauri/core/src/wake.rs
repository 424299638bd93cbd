//! Notices that the machine slept: more of the wall clock's time went by than was waited for.
//!
//! A timer stands still while the machine sleeps, the wall clock does not; both are the `Clock` port's. A clock that is
//! set ahead looks the same, and what follows from a wake does no harm then. Whoever is about to judge by the time of
//! day calls [`Wake::look`] first, so that nothing is decided before the wake is known.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::ports::Clock;

/// How often it is looked.
const TICK: Duration = Duration::from_secs(10);
/// A tick that comes later than this, ms, was slept through.
const SLEPT_MS: i64 = 90_000;

/// How often the machine woke since the start, and how long it slept last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Woke {
    /// Wakes since the start.
    pub(crate) times: u64,
    /// Length of the last sleep, ms.
    pub(crate) slept_ms: i64,
}

/// Where wakes are noticed and heard of.
pub(crate) struct Wake {
    clock: Arc<dyn Clock>,
    /// When it was last looked, ms.
    seen: Mutex<i64>,
    woke: watch::Sender<Woke>,
}

impl Wake {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let seen = Mutex::new(clock.now_ms());
        Self { clock, seen, woke: watch::Sender::new(Woke::default()) }
    }

    /// Looks now; wakes are heard through [`Wake::hear`].
    pub(crate) fn look(&self) {
        let now = self.clock.now_ms();
        let before = std::mem::replace(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner), now);
        let tick_ms = i64::try_from(TICK.as_millis()).unwrap_or(i64::MAX);
        let slept_ms = now.saturating_sub(before).saturating_sub(tick_ms);
        if slept_ms > SLEPT_MS {
            tracing::info!(slept_s = slept_ms / 1000, "the machine slept, or its clock was set ahead");
            self.woke.send_modify(|woke| *woke = Woke { times: woke.times + 1, slept_ms });
        }
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

    #[derive(Default)]
    struct HandClock(AtomicI64);

    impl Clock for HandClock {
        fn now_ms(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }
        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn only_time_that_nobody_waited_for_is_sleep() {
        let clock = Arc::new(HandClock::default());
        let wake = Wake::new(clock.clone());
        let after = |ms: i64| {
            clock.0.fetch_add(ms, Ordering::SeqCst);
            wake.look();
            wake.woke()
        };
        assert_eq!(after(10_000).times, 0);
        // A busy machine is late without having slept.
        assert_eq!(after(60_000).times, 0);
        assert_eq!(after(3_610_000), Woke { times: 1, slept_ms: 3_600_000 });
        // A clock that is set back is no sleep, and hides none that follows.
        assert_eq!(after(-86_400_000).times, 1);
        assert_eq!(after(200_000).times, 2);
    }
}
