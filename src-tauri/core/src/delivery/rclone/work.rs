//! Waits for what rclone does by itself. A job that nobody waits for any more is stopped.

use std::time::Duration;

use rclone::{Job, JobState, Rclone, Stats};
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use super::{End, stage_error};
use crate::workers::{StageContext, StageError};

/// How often a job is asked about.
const BEAT: Duration = Duration::from_millis(250);

/// A name for the figures of one attempt: errors of an earlier one would stay in them.
pub(in super::super) fn group() -> String {
    format!("chotdon-{:016x}", rand::random::<u64>())
}

/// Stops its job when it is dropped before the end.
struct Held<'a> {
    talk: &'a Rclone,
    job: Option<Job>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let (Some(job), Ok(runtime)) = (self.job.take(), tokio::runtime::Handle::try_current()) {
            let talk = self.talk.clone();
            runtime.spawn(async move { talk.stop(&job).await });
        }
    }
}

/// Waits until `job` has ended well, and gives its answer. Each time it is looked at, `seen` gets the figures of
/// its group.
///
/// # Errors
/// `cancelled` after the job was stopped; transient `rclone_stopped` when rclone died or does not know the job;
/// otherwise what the job's own error means at this `end`.
pub(in super::super) async fn finished(
    cx: &StageContext,
    talk: &Rclone,
    (job, group): (Job, &str),
    end: End,
    mut seen: impl FnMut(&Stats),
) -> Result<Value, StageError> {
    let mut held = Held { talk, job: Some(job.clone()) };
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => {
                held.job = None;
                talk.stop(&job).await;
                cx.check()?;
            }
            _ = beat.tick() => {}
        }
        let state = talk.job(&job).await.map_err(|error| stage_error(&error, end))?;
        cx.alive();
        match state {
            JobState::Running => {
                if let Ok(stats) = talk.stats(group).await {
                    seen(&stats);
                }
            }
            JobState::Done(answer) => {
                held.job = None;
                return Ok(answer);
            }
            JobState::Failed(message) => {
                held.job = None;
                return Err(stage_error(&rclone::Error::of_job(&message), end));
            }
        }
    }
}
