//! What can be seen of leases on other machines and of what was brought. Changes nothing.

use sqlx::FromRow;

use super::{Held, brought, held};
use crate::{Result, Store};

/// A lease of another machine.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ExternalLease {
    /// Task id.
    pub task: i64,
    /// Epoch of the claim.
    pub epoch: i64,
    /// Name of the worker.
    pub worker: String,
    /// When it ends, ms.
    pub until: i64,
    /// When it began, ms.
    pub started_at: i64,
    /// The stage.
    pub stage: String,
    /// The course's title.
    pub course: String,
}

/// What a worker says it has brought, not looked at yet.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct WorkerResult {
    /// Task id.
    pub task_id: i64,
    /// Epoch of the claim under which it was brought.
    pub epoch: i64,
    /// Name of the worker.
    pub worker: String,
    /// The folder's name, as the worker gave it.
    pub folder: String,
    /// JSON `[{path, size, sha256}]`.
    pub files: String,
}

impl Store {
    /// Every lease that another machine holds, whether the clock has ended it or not, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn external_leases(&self) -> Result<Vec<ExternalLease>> {
        Ok(sqlx::query_as(
            "SELECT task.id AS task, lease_epoch AS epoch, substr(lease_owner, 8) AS worker, lease_until AS until, \
                    coalesce(started_at, 0) AS started_at, stage, coalesce(course.title, '') AS course \
             FROM task LEFT JOIN course ON course.id = task.course_id \
             WHERE state = 'running' AND lease_owner GLOB 'worker:*' ORDER BY task.id",
        )
        .fetch_all(&self.reader)
        .await?)
    }

    /// Whether this worker holds this lease at `now` (ms).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn holds_external(&self, worker: &str, held: Held, now: i64) -> Result<bool> {
        Ok(sqlx::query_scalar(concat!("SELECT EXISTS (SELECT 1 FROM task WHERE ", held!(), ")"))
            .bind(worker)
            .bind(held.task)
            .bind(held.epoch)
            .bind(now)
            .fetch_one(&self.reader)
            .await?)
    }

    /// What was brought for a task and not looked at yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn brought(&self, task: i64) -> Result<Option<WorkerResult>> {
        Ok(sqlx::query_as(
            "SELECT task_id, epoch, worker, folder, files FROM worker_result \
             WHERE task_id = $1 AND received_at IS NULL AND rejected_at IS NULL",
        )
        .bind(task)
        .fetch_optional(&self.reader)
        .await?)
    }

    /// `(task, epoch)` of everything that was brought and not looked at yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn all_brought(&self) -> Result<Vec<(i64, i64)>> {
        Ok(sqlx::query_as(
            "SELECT task_id, epoch FROM worker_result WHERE received_at IS NULL AND rejected_at IS NULL",
        )
        .fetch_all(&self.reader)
        .await?)
    }

    /// Preparations that only other machines may fetch and that have been ready since before `since` (ms): the oldest one's
    /// task and course, unless a living worker was seen after `since`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn waits_in_vain(&self, since: i64) -> Result<Option<(i64, String)>> {
        Ok(sqlx::query_as(concat!(
            "SELECT task.id, course.title FROM task JOIN course ON course.id = task.course_id \
             WHERE task.state = 'ready' AND task.lane = 'course' AND task.stage = 'fetch' AND task.run_at < $1 \
               AND course.source ->> '$.worker' = 'only' AND NOT ",
            brought!(),
            " AND NOT EXISTS (SELECT 1 FROM worker_key WHERE revoked_at IS NULL AND seen_at >= $1) ORDER BY task.id LIMIT 1"
        ))
        .bind(since)
        .fetch_optional(&self.reader)
        .await?)
    }
}
