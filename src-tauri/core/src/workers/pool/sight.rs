//! What can be seen of the pool: workers, progress, counts. Changes nothing.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use chotdon_domain::task::Lane;
use chotdon_store::Claimed;

use super::{MINUTES, Pool, Running};
use crate::metrics::StageTimes;
use crate::views::Progress;

/// What one worker is doing.
#[derive(Debug, Clone)]
pub struct WorkerSight {
    /// Number of the worker, from 1.
    pub id: i64,
    /// The task in work and when its stage began and last showed life, ms.
    pub work: Option<(Claimed, i64, i64)>,
    /// How often this worker was replaced.
    pub restarts: i64,
}

impl Pool {
    /// What every worker does.
    #[must_use]
    pub fn sight(&self) -> Vec<WorkerSight> {
        let workers = self.inner.settings().workers;
        let seats = self.inner.seats.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let running = self.inner.running();
        (0..seats.len().max(workers))
            .map(|at| {
                let work = running.values().find(|one| one.seat == at).map(|one| {
                    let (began, seen) = (&one.meter.started_at, &one.meter.seen_at);
                    (one.task.clone(), began.load(Ordering::Relaxed), seen.load(Ordering::Relaxed))
                });
                WorkerSight {
                    id: i64::try_from(at + 1).unwrap_or(i64::MAX),
                    work,
                    restarts: seats.get(at).map_or(0, |seat| seat.restarts),
                }
            })
            .filter(|sight| sight.work.is_some() || usize::try_from(sight.id).is_ok_and(|id| id <= workers))
            .collect()
    }

    /// Progress of the tasks in work that have any, by task.
    #[must_use]
    pub fn progress(&self) -> BTreeMap<i64, Progress> {
        let now = self.inner.clock.now_ms();
        let running = self.inner.running();
        running.iter().filter_map(|(id, one)| Some((*id, progress_of(one, now)?))).collect()
    }

    /// Tasks in work.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.inner.in_work.load(Ordering::Acquire)
    }

    /// Tasks that ended well since the start.
    #[must_use]
    pub fn processed(&self) -> u64 {
        self.inner.processed.load(Ordering::Relaxed)
    }

    /// Late results that were refused since the start.
    #[must_use]
    pub fn stale_refused(&self) -> u64 {
        self.inner.stale_refused.load(Ordering::Relaxed)
    }

    /// How stages ended and how long they took, since the start.
    #[must_use]
    pub(crate) fn times(&self) -> &StageTimes {
        &self.inner.times
    }

    /// Finished tasks per minute and lane of the last hour, oldest first, the current minute last.
    #[must_use]
    pub fn per_minute(&self) -> Vec<[u64; Lane::COUNT]> {
        let current = self.inner.clock.now_ms() / 60_000;
        let minutes = self.inner.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = vec![[0; Lane::COUNT]; MINUTES];
        for (minute, count) in minutes.iter() {
            let age = usize::try_from(current - minute).unwrap_or(MINUTES);
            if age < MINUTES {
                counts[MINUTES - 1 - age] = *count;
            }
        }
        counts
    }
}

fn progress_of(running: &Running, now: i64) -> Option<Progress> {
    let meter = &running.meter;
    let done = meter.done.load(Ordering::Relaxed);
    let total = meter.total.load(Ordering::Relaxed);
    let item = meter.item.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if done == 0 && total == 0 && item.is_none() {
        return None;
    }
    let elapsed = u64::try_from(now - meter.started_at.load(Ordering::Relaxed)).unwrap_or(0).max(1);
    let rate = done.saturating_mul(1000) / elapsed;
    let left = total.saturating_sub(done);
    Some(Progress {
        stage: running.task.stage.clone(),
        done_bytes: done,
        total_bytes: (total > 0).then_some(total),
        bytes_per_s: rate,
        eta_s: (total > 0 && rate > 0).then(|| left / rate),
        item,
    })
}
