//! One service at one moment: whether a call may begin, and what its end changes. Decides, and does nothing else.

use chotdon_domain::service::ServiceState;
use chotdon_store::ServiceRecord;

/// A day of a daily cap, ms. It begins with its first call.
pub(super) const DAY_MS: i64 = 24 * 3_600_000;
/// Tasks that were let go and have not come by this time are counted on no longer, ms.
const OUT_MS: i64 = 5_000;
/// Reserved calls reach at most this far ahead, ms: so long may a service rest after a crash.
const AHEAD_MS: i64 = 30_000;
/// Calls reserved at once at most.
const MOST_RESERVED: i64 = 20;
/// A broken service is left alone for at most this long, ms.
const LONGEST_BREAK_MS: i64 = 15 * 60_000;

/// How much of a service is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Calls at once.
    pub(super) at_once: usize,
    /// Time between the beginnings of two calls, ms; 0 = no pace.
    pub(super) every_ms: i64,
    /// Calls in 24 hours; 0 = no cap.
    pub(super) per_day: i64,
    /// Failures in a row after which it counts as broken.
    pub(super) breaks_after: u32,
    /// How long it is left alone then, the first time, ms.
    pub(super) break_ms: i64,
}

impl Limits {
    fn metered(&self) -> bool {
        self.every_ms > 0 || self.per_day > 0
    }
}

/// Whether a call may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// It has begun.
    Go {
        /// To be written down before the call is made: next call (ms), start of the day (ms), calls of the day.
        reserve: Option<(i64, i64, i64)>,
    },
    /// The service is not used now.
    Closed,
    /// As many calls as may be are under way.
    Full,
    /// The pace allows it at this time, ms.
    NotBefore(i64),
    /// The day's calls are used up until this time, ms.
    DayIsOver(i64),
}

/// How many waiting tasks may be let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) tasks: i64,
    /// When to look again, ms; `None` = when something changes.
    pub(super) again_at: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Open,
    /// Its time is over: one call tries.
    Trying,
    Closed(Option<i64>),
}

/// A service as this process knows it.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) record: ServiceRecord,
    /// Whether tasks may wait for it.
    pub(super) waiters: bool,
    pub(super) in_use: usize,
    failures: u32,
    probing: bool,
    out: i64,
    out_at: i64,
    rounds: u64,
    /// What the database has of `next_at` and `day_count`.
    kept: (i64, i64),
}

impl Gate {
    pub(super) fn new(record: ServiceRecord) -> Self {
        let kept = (record.next_at, record.day_count);
        Self {
            record,
            waiters: false,
            in_use: 0,
            failures: 0,
            probing: false,
            out: 0,
            out_at: 0,
            rounds: 0,
            kept,
        }
    }

    fn standing(&self, now: i64) -> Standing {
        let record = &self.record;
        if record.paused_at.is_some() && record.paused_until.is_none_or(|until| until > now) {
            return Standing::Closed(record.paused_until);
        }
        match (record.state, record.until) {
            (ServiceState::Open, _) => Standing::Open,
            (_, Some(until)) if until <= now => Standing::Trying,
            (_, until) => Standing::Closed(until),
        }
    }

    /// Whether its time to be left alone is over and nobody tries.
    pub(super) fn may_try(&self, now: i64) -> bool {
        self.standing(now) == Standing::Trying && !self.probing
    }

    /// When the time to be left alone or paused is over, ms; `None` when it has no end or is open.
    pub(super) fn ends_at(&self) -> Option<i64> {
        let record = &self.record;
        let alone = record.until.filter(|_| record.state != ServiceState::Open);
        [alone, record.paused_until.filter(|_| record.paused_at.is_some())].into_iter().flatten().min()
    }

    /// Whether the owner's pause has ended by itself.
    pub(super) fn pause_over(&self, now: i64) -> bool {
        self.record.paused_at.is_some() && self.record.paused_until.is_some_and(|until| until <= now)
    }

    /// Asks for one call.
    pub(super) fn ask(&mut self, now: i64, limits: Limits) -> Decision {
        self.out = (self.out - 1).max(0);
        let trying = match self.standing(now) {
            Standing::Closed(_) => return Decision::Closed,
            Standing::Trying if self.probing => return Decision::Closed,
            Standing::Trying => true,
            Standing::Open => false,
        };
        if self.in_use >= limits.at_once {
            return Decision::Full;
        }
        let mut reserve = None;
        if limits.metered() {
            self.roll(now);
            if limits.per_day > 0 && self.record.day_count >= limits.per_day {
                return Decision::DayIsOver(self.record.day_from + DAY_MS);
            }
            if now < self.record.next_at {
                return Decision::NotBefore(self.record.next_at);
            }
            self.record.next_at = now + limits.every_ms;
            self.record.day_count += 1;
            reserve = self.reserve(limits);
        }
        self.in_use += 1;
        self.probing |= trying;
        Decision::Go { reserve }
    }

    /// Begins a new day when the last one is over.
    fn roll(&mut self, now: i64) {
        let over = now - self.record.day_from >= DAY_MS || now < self.record.day_from;
        if over || self.record.day_count == 0 {
            self.record.day_from = now;
            self.record.day_count = 0;
            self.kept = (self.kept.0, 0);
        }
    }

    /// Calls are written down many at once, so that most cost no commit; what was written down and not made is lost
    /// by a crash, and never the other way round.
    fn reserve(&mut self, limits: Limits) -> Option<(i64, i64, i64)> {
        if self.record.day_count <= self.kept.1 {
            return None;
        }
        let more = match limits.every_ms {
            0 => MOST_RESERVED,
            every => (AHEAD_MS / every).clamp(1, MOST_RESERVED),
        } - 1;
        self.kept = (self.record.next_at + more * limits.every_ms, self.record.day_count + more);
        Some((self.kept.0, self.record.day_from, self.kept.1))
    }

    /// A call is over, however it ended.
    pub(super) fn leave(&mut self) {
        self.in_use = self.in_use.saturating_sub(1);
        if self.in_use == 0 {
            self.probing = false;
        }
    }

    /// The service answered. True when it is open again by that, which is to be kept. The answer to a call that began
    /// before it was left alone opens nothing.
    pub(super) fn answered(&mut self, now: i64) -> bool {
        self.failures = 0;
        if self.standing(now) != Standing::Trying {
            return false;
        }
        self.probing = false;
        let record = &mut self.record;
        record.state = ServiceState::Open;
        (record.since, record.until, record.code, record.detail) = (None, None, None, None);
        record.strikes = 0;
        true
    }

    /// The service failed. True when it counts as broken from now on, which is to be kept.
    pub(super) fn failed(&mut self, code: &str, detail: &str, now: i64, limits: Limits) -> bool {
        self.failures = self.failures.saturating_add(1);
        let trying = self.standing(now) == Standing::Trying;
        if !trying && (self.record.state != ServiceState::Open || self.failures < limits.breaks_after) {
            return false;
        }
        let doubled = limits.break_ms.saturating_mul(1_i64 << self.record.strikes.clamp(0, 20));
        let until = now.saturating_add(doubled.min(LONGEST_BREAK_MS.max(limits.break_ms)));
        // One that was parked for a reason of its own keeps it: the try failed in another way.
        let state = match self.record.state {
            ServiceState::Open => ServiceState::Broken,
            state => state,
        };
        self.close(state, code, detail, Some(until), now)
    }

    /// Leaves the service alone until then. False when nothing changes.
    pub(super) fn close(
        &mut self,
        state: ServiceState,
        code: &str,
        detail: &str,
        until: Option<i64>,
        now: i64,
    ) -> bool {
        let closed = self.record.state != ServiceState::Open && self.standing(now) != Standing::Trying;
        let same = closed && self.record.code.as_deref() == Some(code);
        if same
            && (self.record.until.is_none() || until.is_some_and(|until| Some(until) <= self.record.until))
        {
            return false;
        }
        let record = &mut self.record;
        if !closed {
            record.strikes += 1;
        }
        if record.state == ServiceState::Open {
            record.since = Some(now);
        }
        record.state = state;
        record.until = until;
        record.code = Some(code.to_owned());
        record.detail = Some(detail.to_owned());
        self.probing = false;
        true
    }

    /// Lets one call try, whatever its time. True when it was left alone.
    pub(super) fn try_now(&mut self, now: i64) -> bool {
        let closed = self.record.state != ServiceState::Open;
        if closed {
            self.record.until = Some(now);
        }
        closed
    }

    /// How many of the waiting tasks may go.
    pub(super) fn release(&mut self, now: i64, limits: Limits) -> Release {
        if self.out > 0 && now - self.out_at >= OUT_MS {
            self.out = 0;
        }
        let out_until = (self.out > 0).then_some(self.out_at + OUT_MS);
        let none = |again_at| Release { tasks: 0, again_at };
        let tasks = match self.standing(now) {
            Standing::Closed(until) => return none(until),
            Standing::Trying => i64::from(!self.probing) - self.out,
            Standing::Open => {
                let free = i64::try_from(limits.at_once.saturating_sub(self.in_use)).unwrap_or(i64::MAX);
                if limits.metered() {
                    self.roll(now);
                    if now < self.record.next_at {
                        return none(Some(self.record.next_at));
                    }
                    let left = if limits.per_day > 0 { limits.per_day - self.record.day_count } else { 1 };
                    // A cap that is reached is noticed by a task, which parks the service.
                    let at_once = if limits.every_ms > 0 { 1 } else { left.max(1) };
                    free.min(at_once) - self.out
                } else {
                    free.saturating_mul(2) - self.out
                }
            }
        };
        Release { tasks: tasks.max(0), again_at: out_until }
    }

    /// Notes that tasks were let go; they come soon.
    pub(super) fn released(&mut self, tasks: i64, now: i64) {
        self.out += tasks;
        self.out_at = now;
    }

    /// True for every eighth round, which takes the oldest task, so that nothing waits for ever.
    pub(super) fn oldest_is_next(&mut self) -> bool {
        self.rounds += 1;
        self.rounds.is_multiple_of(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Limits = Limits { at_once: 2, every_ms: 0, per_day: 0, breaks_after: 3, break_ms: 30_000 };
    const PACED: Limits = Limits { every_ms: 5_000, per_day: 3, ..PLAIN };

    fn gate() -> Gate {
        Gate::new(ServiceRecord::open("drive"))
    }

    fn goes(decision: Decision) -> bool {
        matches!(decision, Decision::Go { .. })
    }

    #[test]
    fn as_many_calls_as_may_be_are_under_way() {
        let mut gate = gate();
        assert!(goes(gate.ask(0, PLAIN)) && goes(gate.ask(0, PLAIN)));
        assert_eq!(gate.ask(0, PLAIN), Decision::Full);
        gate.leave();
        assert!(goes(gate.ask(0, PLAIN)));
    }

    #[test]
    fn a_pace_and_a_daily_cap_are_kept_over_a_crash() {
        let mut gate = gate();
        let Decision::Go { reserve: Some((next, from, count)) } = gate.ask(1_000_000, PACED) else {
            panic!()
        };
        assert_eq!((next, from, count), (1_030_000, 1_000_000, 6));
        gate.leave();
        assert_eq!(gate.ask(1_004_999, PACED), Decision::NotBefore(1_005_000));
        assert_eq!(gate.ask(1_005_000, PACED), Decision::Go { reserve: None }, "written down already");
        gate.leave();

        // What another process reads after a crash: all reserved calls count as made.
        let kept = ServiceRecord { next_at: next, day_from: from, day_count: count, ..gate.record.clone() };
        let mut other = Gate::new(kept);
        assert_eq!(other.ask(1_040_000, PACED), Decision::DayIsOver(1_000_000 + DAY_MS));
        assert!(goes(other.ask(1_000_000 + DAY_MS, PACED)), "a new day");

        assert!(goes(gate.ask(1_010_000, PACED)));
        gate.leave();
        assert_eq!(gate.ask(1_020_000, PACED), Decision::DayIsOver(1_000_000 + DAY_MS));
    }

    #[test]
    fn failures_in_a_row_break_it_one_call_tries_and_the_breaks_grow() {
        let mut gate = gate();
        assert!(!gate.failed("x", "", 0, PLAIN) && !gate.failed("x", "", 0, PLAIN));
        assert!(!gate.answered(0), "an answer in between counts from the start");
        assert!(!gate.failed("x", "", 0, PLAIN) && !gate.failed("x", "", 0, PLAIN));
        assert!(gate.failed("x", "", 0, PLAIN));
        assert_eq!((gate.record.state, gate.record.until), (ServiceState::Broken, Some(30_000)));
        assert_eq!(gate.ask(29_999, PLAIN), Decision::Closed);

        assert!(goes(gate.ask(30_000, PLAIN)), "one tries");
        assert_eq!(gate.ask(30_000, PLAIN), Decision::Closed, "only one");
        assert!(gate.failed("x", "", 31_000, PLAIN));
        gate.leave();
        assert_eq!(gate.record.until, Some(31_000 + 60_000));

        assert!(goes(gate.ask(91_000, PLAIN)));
        assert!(gate.answered(91_000));
        gate.leave();
        assert!(goes(gate.ask(91_000, PLAIN)) && goes(gate.ask(91_000, PLAIN)));
        assert_eq!(gate.record.strikes, 0);
    }

    #[test]
    fn calls_that_were_under_way_do_not_count_as_further_strikes() {
        let mut gate = gate();
        assert!(gate.close(ServiceState::Parked, "drive_sharing_quota", "", Some(3_600_000), 0));
        assert!(!gate.close(ServiceState::Parked, "drive_sharing_quota", "", Some(3_600_000), 5));
        assert!(!gate.answered(6), "so does an answer");
        assert_eq!(gate.record.strikes, 1);
        assert!(gate.may_try(3_600_000));
        assert!(gate.close(ServiceState::Parked, "drive_sharing_quota", "", Some(90_000_000), 3_600_000));
        assert_eq!((gate.record.strikes, gate.record.since), (2, Some(0)), "since the first time");
    }

    #[test]
    fn a_pause_by_the_owner_ends_at_its_time_and_leaves_the_rest_as_it_was() {
        let mut gate = gate();
        gate.record.paused_at = Some(0);
        gate.record.paused_until = Some(60_000);
        assert_eq!(gate.ask(1, PLAIN), Decision::Closed);
        assert_eq!(gate.release(1, PLAIN), Release { tasks: 0, again_at: Some(60_000) });
        assert!(gate.pause_over(60_000) && goes(gate.ask(60_000, PLAIN)));
    }

    #[test]
    fn waiting_tasks_are_let_go_as_the_service_can_take_them() {
        let mut gate = gate();
        assert_eq!(gate.release(0, PLAIN).tasks, 4);
        gate.released(4, 0);
        assert_eq!(gate.release(1, PLAIN), Release { tasks: 0, again_at: Some(OUT_MS) });
        assert_eq!(gate.release(OUT_MS, PLAIN).tasks, 4, "who did not come is not waited for");

        assert!(goes(gate.ask(0, PACED)));
        assert_eq!(gate.release(0, PACED), Release { tasks: 0, again_at: Some(5_000) });
        gate.leave();
        assert_eq!(gate.release(5_000, PACED).tasks, 1);

        gate.close(ServiceState::Parked, "x", "", Some(10_000), 0);
        assert_eq!(gate.release(5_000, PLAIN), Release { tasks: 0, again_at: Some(10_000) });
        assert_eq!(gate.release(10_000, PLAIN).tasks, 1, "one tries");
    }
}
