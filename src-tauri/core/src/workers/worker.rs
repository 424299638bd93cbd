//! One worker at work: runs the stages of its task, settles each with the epoch of the claim, and turns
//! errors, panics and stops into what the queue writes down.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use chotdon_domain::task::TaskKind;
use chotdon_store::{
    Aftermath, Claimed, Error, Failure, Raise, STOPPED, Settled, Settlement, StageResult, jittered_backoff_ms,
};

use super::pool::{Next, Pool, StageOutcome};
use super::{ErrorClass, Meter, StageContext, StageError};
use crate::panics::{self, Panic};

/// How long a result waits for a database that cannot be written (disk full, locked) before it is given up;
/// the lease then runs out and the stage is run again.
const SETTLE_TRIES: u32 = 30;
const SETTLE_PAUSE: Duration = Duration::from_secs(2);
/// Technical detail kept of an error, characters.
const MOST_DETAIL: usize = 2_000;

pub(super) struct Worker {
    pub(super) pool: Pool,
    pub(super) task: Claimed,
    pub(super) meter: Arc<Meter>,
    pub(super) cancel: CancellationToken,
}

impl Worker {
    pub(super) async fn work(mut self) {
        loop {
            let started = self.begin_stage();
            let cx =
                StageContext::new(self.cancel.clone(), self.meter.clone(), self.pool.inner.clock.clone());
            let ran = panics::caught(self.run_stage(&cx)).await.unwrap_or_else(|panic| Err(crashed(&panic)));
            self.count(&ran, started);
            let crashed = matches!(&ran, Err(error) if error.class == ErrorClass::Crashed);
            let (result, aftermath) = match ran {
                Ok(outcome) => well_done(&self.task, outcome),
                Err(error) => self.failed(error, started),
            };
            let goes_on = match &result {
                StageResult::Checkpoint { next, .. } => Some(next.clone()),
                _ => None,
            };
            let done = matches!(result, StageResult::Done { .. });
            if crashed {
                self.pool.count_restart(self.task.id);
            }
            if !settle(&self.pool, &self.task, result, aftermath).await {
                return;
            }
            if crashed {
                tell_owner(&self.pool, &self.task, "worker_crashed").await;
            }
            if done {
                self.pool.finished(self.task.kind.lane());
            }
            let Some(next) = goes_on else { return };
            self.pool.at_stage(self.task.id, &next);
            self.task.stage = next;
        }
    }

    fn begin_stage(&self) -> i64 {
        let now = self.pool.inner.clock.now_ms();
        self.meter.started_at.store(now, Ordering::Relaxed);
        self.meter.seen_at.store(now, Ordering::Relaxed);
        self.meter.done.store(0, Ordering::Relaxed);
        self.meter.total.store(0, Ordering::Relaxed);
        now
    }

    async fn run_stage(&self, cx: &StageContext) -> Result<StageOutcome, StageError> {
        if let Some(probe) = &self.pool.inner.probe {
            probe(&format!("{}.{}", self.task.kind.as_str(), self.task.stage)).await;
        }
        cx.check()?;
        self.pool.inner.stages.run(&self.task, cx).await
    }

    fn count(&self, ran: &Result<StageOutcome, StageError>, started: i64) {
        let (times, kind) = (&self.pool.inner.times, self.task.kind);
        match ran {
            Ok(outcome) if matches!(outcome.next, Next::Advance | Next::Jump(_)) => {
                times.done(kind, &self.task.stage, self.pool.inner.clock.now_ms() - started);
            }
            Err(error) if error.code != "cancelled" => times.failed(kind, &self.task.stage, error.class),
            _ => {}
        }
    }

    fn failed(&self, error: StageError, started: i64) -> (StageResult, Aftermath) {
        let now = self.pool.inner.clock.now_ms();
        if error.code == "cancelled" {
            return (StageResult::Released, Aftermath::None);
        }
        let (result, aftermath) = failure(&self.pool, &self.task, &error, started, now);
        // The one line of this failure: what stages call passes its errors on and writes nothing.
        tracing::warn!(
            task_id = self.task.id, kind = self.task.kind.as_str(), stage = %self.task.stage, attempt = self.task.attempt,
            last = matches!(result, StageResult::Failed { .. }), class = error.class.as_str(), code = error.code,
            detail = %error.detail, "a stage failed"
        );
        (result, aftermath)
    }
}

fn well_done(task: &Claimed, outcome: StageOutcome) -> (StageResult, Aftermath) {
    let result = match outcome.next {
        Next::Advance => match task.kind.next_stage(&task.stage) {
            Some(next) => StageResult::Checkpoint { next: next.to_owned(), output: outcome.output },
            None => StageResult::Done { output: outcome.output },
        },
        Next::Jump(stage) => StageResult::Checkpoint { next: stage.to_owned(), output: outcome.output },
        Next::WaitFor(on) => StageResult::Waits { on },
        Next::Later(run_at) => StageResult::Postponed { run_at },
    };
    (result, outcome.aftermath)
}

/// What a failed attempt becomes: another one later, or the end.
pub(super) fn failure(
    pool: &Pool,
    task: &Claimed,
    error: &StageError,
    started: i64,
    now: i64,
) -> (StageResult, Aftermath) {
    let kept = Failure {
        class: error.class.as_str(),
        code: error.code.to_owned(),
        detail: crate::logging::masked(&error.detail).chars().take(MOST_DETAIL).collect(),
        started,
    };
    if error.class == ErrorClass::Permanent || task.attempt >= task.max_attempt {
        return (StageResult::Failed { error: kept }, Aftermath::GivenUp);
    }
    let ours = match task.kind {
        // Storefronts are called by the schedule of their specification.
        TaskKind::SendWebhook => {
            crate::outgoing::wait_ms(task.attempt, i64::from(rand::random_range(0..=1_000_u16)))
        }
        _ => jittered_backoff_ms(pool.settings().retry_base_ms, task.attempt),
    };
    let theirs = error.retry_after.map_or(0, |after| i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
    let run_at = now.saturating_add(ours.max(theirs.min(24 * 3_600_000)));
    (StageResult::Retry { run_at, error: kept }, Aftermath::AttemptFailed)
}

/// Writes the result down. False when the lease was lost, or the database stayed unwritable: the task is not ours any more.
pub(super) async fn settle(pool: &Pool, task: &Claimed, result: StageResult, aftermath: Aftermath) -> bool {
    let settlement = Settlement {
        task: task.id,
        epoch: task.epoch,
        stage: task.stage.clone(),
        result,
        aftermath,
        now: pool.inner.clock.now_ms(),
    };
    let mut settlement = settlement;
    let mut given_up = false;
    for tried in 0..SETTLE_TRIES {
        match pool.inner.store.settle(settlement.clone()).await {
            Ok(Settled::Accepted) => return !given_up,
            Ok(Settled::Stale) => {
                pool.inner.stale_refused.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    task_id = task.id,
                    epoch = task.epoch,
                    "the late result of a stale worker was refused"
                );
                return false;
            }
            Err(Error::Unavailable(why)) => {
                if tried == 0 {
                    tracing::error!(task_id = task.id, %why, "a result cannot be written yet");
                }
                pool.inner.clock.sleep(SETTLE_PAUSE).await;
            }
            Err(error) if !given_up => {
                // The result itself cannot be written, so the stage counts as failed and the owner is told.
                tracing::error!(task_id = task.id, %error, "a result could not be written");
                given_up = true;
                let kept = Failure {
                    class: ErrorClass::Permanent.as_str(),
                    code: "internal".to_owned(),
                    detail: error.to_string(),
                    started: settlement.now,
                };
                settlement.result = StageResult::Failed { error: kept };
                settlement.aftermath = Aftermath::GivenUp;
            }
            Err(error) => {
                tracing::error!(task_id = task.id, %error, "a failure could not be written");
                return false;
            }
        }
    }
    tracing::error!(task_id = task.id, "a result was given up; the stage runs again when its lease is over");
    false
}

fn crashed(panic: &Panic) -> StageError {
    StageError {
        class: ErrorClass::Crashed,
        code: "worker_crashed",
        detail: panic.to_string(),
        retry_after: None,
        waits: None,
    }
}

/// A failing worker is never silent.
pub(super) async fn tell_owner(pool: &Pool, task: &Claimed, kind: &'static str) {
    let notice = Raise {
        class: STOPPED,
        merge_key: Some(kind.to_owned()),
        kind,
        data: json!({ "code": kind }),
        task: Some(task.id),
    };
    if let Err(error) = pool.inner.store.raise_notice(notice, pool.inner.clock.now_ms()).await {
        tracing::error!(%error, task_id = task.id, kind, "the owner could not be told");
    }
}
