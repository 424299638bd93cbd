//! What workers on other machines do to the queue: claim, renew, hand over, fail. Each request is remembered by its
//! `webhook-id` in the commit that it causes. Their leases are ended by the clock, unlike those of this process.
//!
//! Who they are is in `worker_keys`; what they brought is looked at by the pool.

mod looks;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::Row;

use crate::aftermath::Aftermath;
use crate::enqueue::jittered_backoff_ms;
use crate::notices::{self, NEEDS_OWNER, Raise};
use crate::queue::{Failure, Settlement, Settling, StageResult, begin_orders, claim_script, claimed, lease};
use crate::writer::{Script, Set, Tx, script};
use crate::{Error, Result, Store};

pub use looks::{ExternalLease, WorkerResult};

/// Requests that changed nothing lasting are remembered this long, ms: three times what a timestamp may be off.
const PASSING_MS: i64 = 15 * 60_000;

/// A signed request.
#[derive(Debug, Clone)]
pub struct WorkerCall {
    /// Name of the worker whose key signed it.
    pub worker: String,
    /// Its `webhook-id`.
    pub id: String,
    /// SHA-256 of what was signed besides id and time, lower-case hexadecimal.
    pub sha256: String,
    /// Now, ms.
    pub now: i64,
}

/// What a signed request came to. Kept as JSON, and answered again when the request comes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CallOutcome {
    /// Tasks were leased; none when there was nothing to do.
    Claimed {
        /// The tasks.
        tasks: Vec<ExternalTask>,
    },
    /// The lease holds on.
    Renewed {
        /// Until when, ms.
        until: i64,
    },
    /// The owner called the task off.
    CalledOff,
    /// What was brought is taken for now; it is read before it counts.
    Accepted,
    /// The failure is written down.
    FailureNoted {
        /// When the task is tried again, ms; `None` = it is given up.
        retry_at: Option<i64>,
    },
    /// The lease is not this worker's any more; nothing was changed.
    Lost,
}

/// A task leased to a worker on another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalTask {
    /// Task id.
    pub task: i64,
    /// The fencing token of this claim.
    pub epoch: i64,
    /// When the lease ends, ms.
    pub until: i64,
    /// The course's slug.
    pub slug: String,
    /// The course's title.
    pub title: String,
    /// The version to prepare.
    pub version: i64,
    /// JSON source, without values of secrets.
    pub source: String,
}

/// What a worker would take.
#[derive(Debug, Clone)]
pub struct ExternalWish {
    /// At most so many tasks.
    pub max: i64,
    /// Kinds of sources that it can read.
    pub sources: Vec<String>,
    /// When the lease ends, ms.
    pub until: i64,
    /// Whether an empty answer is final, and so remembered.
    pub last: bool,
}

/// A lease that a worker wants to keep or give up.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Task id.
    pub task: i64,
    /// Epoch of the claim.
    pub epoch: i64,
}

/// How a worker gives a task up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Giving {
    /// It failed; trying again later may help.
    UpForNow,
    /// It failed; trying again cannot help.
    UpForGood,
    /// The worker stops; nothing failed, and the attempt is given back.
    Back,
}

/// Why a worker could not finish.
#[derive(Debug, Clone)]
pub struct ExternalFailure {
    /// Whether the task is tried again.
    pub giving: Giving,
    /// Stable code.
    pub code: String,
    /// Technical detail without secrets.
    pub detail: String,
    /// Wait before the second attempt, ms.
    pub retry_base_ms: i64,
}

/// The worker's own running task whose lease the clock has not ended; `$1` worker, `$2` task, `$3` epoch, `$4` now.
macro_rules! held {
    () => {
        "id = $2 AND lease_epoch = $3 AND state = 'running' AND lease_owner = 'worker:' || $1 AND lease_until >= $4"
    };
}

/// A preparation whose result was brought and not looked at yet.
macro_rules! brought {
    () => {
        "EXISTS (SELECT 1 FROM worker_result AS r WHERE r.task_id = task.id AND r.received_at IS NULL AND r.rejected_at IS NULL)"
    };
}
pub(crate) use {brought, held};

/// What only other machines may fetch is left to them, until they have brought it.
macro_rules! ours {
    () => {
        concat!(
            "AND NOT (kind = 'prepare_course' AND stage = 'fetch' AND EXISTS (SELECT 1 FROM course WHERE course.id = task.course_id \
               AND course.source ->> '$.worker' = 'only') AND NOT ",
            brought!(),
            ")"
        )
    };
}
pub(crate) const MOST_URGENT_COURSE: Script = claim_script!(ours!(), "prio, id");
pub(crate) const OLDEST_COURSE: Script = claim_script!(ours!(), "id");

impl Store {
    /// Leases preparations that other machines may fetch. See [`CallOutcome::Claimed`].
    ///
    /// # Errors
    /// `worker_revoked`, `webhook_id_reused`, or when the database cannot be written.
    pub async fn claim_external(&self, call: WorkerCall, wish: ExternalWish) -> Result<CallOutcome> {
        self.writer
            .run(move |tx| {
                let (call, wish) = (call.clone(), wish.clone());
                Box::pin(async move {
                    if let Some(before) = heard(tx, &call).await? {
                        return Ok(before);
                    }
                    let tasks = claim(tx, &call, &wish).await?;
                    let (some, outcome) = (!tasks.is_empty(), CallOutcome::Claimed { tasks });
                    if some || wish.last {
                        keep(tx, &call, &outcome, some).await?;
                    }
                    Ok(outcome)
                })
            })
            .await
    }

    /// Renews a lease until `until` (ms): [`CallOutcome::Renewed`], [`CallOutcome::CalledOff`] or [`CallOutcome::Lost`].
    ///
    /// # Errors
    /// `worker_revoked`, `webhook_id_reused`, or when the database cannot be written.
    pub async fn renew_external(&self, call: WorkerCall, held: Held, until: i64) -> Result<CallOutcome> {
        self.writer
            .run(move |tx| {
                let call = call.clone();
                Box::pin(async move {
                    if let Some(before) = heard(tx, &call).await? {
                        return Ok(before);
                    }
                    let renewed = sqlx::query(concat!(
                        "UPDATE task SET lease_until = max(lease_until, $5) WHERE ",
                        held!()
                    ))
                    .bind(&call.worker)
                    .bind(held.task)
                    .bind(held.epoch)
                    .bind(call.now)
                    .bind(until)
                    .execute(&mut tx.conn)
                    .await?
                    .rows_affected();
                    let outcome = match renewed {
                        0 => gone(tx, held).await?,
                        _ => CallOutcome::Renewed { until },
                    };
                    keep(tx, &call, &outcome, false).await?;
                    Ok(outcome)
                })
            })
            .await
    }

    /// Takes what a worker brought for the stage `fetch`: the task goes back in line, for the pool to look at it.
    /// `files` is JSON `[{path, size, sha256}]`. [`CallOutcome::Accepted`] or [`CallOutcome::Lost`].
    ///
    /// # Errors
    /// `worker_revoked`, `webhook_id_reused`, or when the database cannot be written.
    pub async fn hand_over_external(
        &self,
        call: WorkerCall,
        held: Held,
        folder: &str,
        files: &str,
    ) -> Result<CallOutcome> {
        let given = (call, folder.to_owned(), files.to_owned());
        self.writer
            .run(move |tx| {
                let (call, folder, files) = given.clone();
                Box::pin(async move {
                    if let Some(before) = heard(tx, &call).await? {
                        return Ok(before);
                    }
                    // The attempt is given back: claiming it once more to look at the files is part of the same one.
                    let lane: Option<String> = sqlx::query_scalar(concat!(
                        "UPDATE task SET state = 'ready', lease_owner = NULL, lease_until = NULL, attempt = max(attempt - 1, 0), \
                           reclaims = 0 WHERE stage = 'fetch' AND ",
                        held!(),
                        " RETURNING lane"
                    ))
                    .bind(&call.worker)
                    .bind(held.task)
                    .bind(held.epoch)
                    .bind(call.now)
                    .fetch_optional(&mut tx.conn)
                    .await?;
                    let Some(lane) = lane else {
                        keep(tx, &call, &CallOutcome::Lost, true).await?;
                        return Ok(CallOutcome::Lost);
                    };
                    sqlx::query(
                        "INSERT INTO worker_result (task_id, epoch, worker, folder, files, accepted_at) VALUES ($1, $2, $3, $4, $5, $6) \
                         ON CONFLICT (task_id) DO UPDATE SET epoch = excluded.epoch, worker = excluded.worker, folder = excluded.folder, \
                           files = excluded.files, accepted_at = excluded.accepted_at, received_at = NULL, rejected_at = NULL",
                    )
                    .bind(held.task)
                    .bind(held.epoch)
                    .bind(&call.worker)
                    .bind(folder)
                    .bind(files)
                    .bind(call.now)
                    .execute(&mut tx.conn)
                    .await?;
                    tx.ready([lane.as_str()].into_iter());
                    tx.touched.topics.extend([format!("task:{}", held.task), "workers".to_owned()]);
                    keep(tx, &call, &CallOutcome::Accepted, true).await?;
                    Ok(CallOutcome::Accepted)
                })
            })
            .await
    }

    /// Writes a worker's failure down as one of our own would be: tried again later, or given up.
    ///
    /// # Errors
    /// `worker_revoked`, `webhook_id_reused`, or when the database cannot be written.
    pub async fn fail_external(
        &self,
        call: WorkerCall,
        held: Held,
        failure: ExternalFailure,
    ) -> Result<CallOutcome> {
        self.writer
            .run(move |tx| {
                let (call, failure) = (call.clone(), failure.clone());
                Box::pin(async move {
                    if let Some(before) = heard(tx, &call).await? {
                        return Ok(before);
                    }
                    let row = sqlx::query(concat!(
                        "SELECT stage, attempt, max_attempt, started_at FROM task WHERE ",
                        held!()
                    ))
                    .bind(&call.worker)
                    .bind(held.task)
                    .bind(held.epoch)
                    .bind(call.now)
                    .fetch_optional(&mut tx.conn)
                    .await?;
                    let outcome = match row {
                        None => CallOutcome::Lost,
                        Some(row) => {
                            let class =
                                if failure.giving == Giving::UpForGood { "permanent" } else { "transient" };
                            let kept = Failure {
                                class,
                                code: failure.code,
                                detail: format!("{}: {}", call.worker, failure.detail),
                                started: row.try_get::<Option<i64>, _>("started_at")?.unwrap_or(call.now),
                            };
                            let tried = Tried {
                                held,
                                stage: row.try_get("stage")?,
                                attempt: row.try_get("attempt")?,
                                max_attempt: row.try_get("max_attempt")?,
                            };
                            let retry_at = if failure.giving == Giving::Back {
                                give_back(tx, tried, call.now).await?;
                                Some(call.now)
                            } else {
                                settle_failed(tx, tried, kept, failure.retry_base_ms, call.now).await?
                            };
                            CallOutcome::FailureNoted { retry_at }
                        }
                    };
                    tx.touched.topic("workers");
                    keep(tx, &call, &outcome, true).await?;
                    Ok(outcome)
                })
            })
            .await
    }

    /// Ends the leases of other machines that have run out by `now` (ms): each counts as a crash of its worker, is tried
    /// again or given up, and the owner is told. Returns the tasks.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn reap_external(&self, retry_base_ms: i64, now: i64) -> Result<Vec<i64>> {
        self.writer
            .run(move |tx| {
                Box::pin(async move {
                    let rows = sqlx::query(
                        "SELECT id, lease_epoch, stage, attempt, max_attempt, started_at, lease_until, substr(lease_owner, 8) AS worker \
                         FROM task WHERE state = 'running' AND lease_until < $1 AND lease_owner GLOB 'worker:*'",
                    )
                    .bind(now)
                    .fetch_all(&mut tx.conn)
                    .await?;
                    let mut ended = Vec::with_capacity(rows.len());
                    for row in rows {
                        let held = Held { task: row.try_get("id")?, epoch: row.try_get("lease_epoch")? };
                        let (worker, until): (String, i64) = (row.try_get("worker")?, row.try_get("lease_until")?);
                        let kept = Failure {
                            class: "crashed",
                            code: "worker_lost".to_owned(),
                            detail: format!("{worker} has not been heard of for {} s after its lease ended", (now - until) / 1_000),
                            started: row.try_get::<Option<i64>, _>("started_at")?.unwrap_or(now),
                        };
                        let tried = Tried {
                            held,
                            stage: row.try_get("stage")?,
                            attempt: row.try_get("attempt")?,
                            max_attempt: row.try_get("max_attempt")?,
                        };
                        settle_failed(tx, tried, kept, retry_base_ms, now).await?;
                        let notice = Raise {
                            class: NEEDS_OWNER,
                            merge_key: Some(format!("worker_lost:{worker}")),
                            kind: "worker_lost",
                            data: json!({ "code": "worker_lost", "worker": worker }),
                            task: Some(held.task),
                        };
                        notices::raise(tx, &notice, now).await?;
                        ended.push(held.task);
                    }
                    if !ended.is_empty() {
                        tx.touched.topic("workers");
                    }
                    Ok(ended)
                })
            })
            .await
    }

    /// Forgets requests that changed nothing lasting and whose timestamp is too old to be taken again by now (ms).
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_passing_calls(&self, now: i64) -> Result<()> {
        const OLD: &str = "FROM worker_call WHERE lasting = 0 AND at < $1";
        let before = now - PASSING_MS;
        let some: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT EXISTS (SELECT 1 {OLD})")))
            .bind(before)
            .fetch_one(&self.reader)
            .await?;
        // An idle shop writes nothing.
        if !some {
            return Ok(());
        }
        self.writer
            .run(move |tx| {
                Box::pin(async move {
                    sqlx::query(sqlx::AssertSqlSafe(format!("DELETE {OLD}")))
                        .bind(before)
                        .execute(&mut tx.conn)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// What was brought for a task is not what was promised: the stage is run again from its beginning.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn reject_brought(&self, task: i64, now: i64) -> Result<()> {
        self.writer
            .run(move |tx| {
                Box::pin(async move {
                    sqlx::query("UPDATE worker_result SET rejected_at = $2 WHERE task_id = $1 AND received_at IS NULL")
                        .bind(task)
                        .bind(now)
                        .execute(&mut tx.conn)
                        .await?;
                    Ok(())
                })
            })
            .await
    }
}

/// What this request came to before, if it came before. Refuses workers that were revoked, so that no request which was
/// on its way is done after the commit that ends its worker.
async fn heard(tx: &mut Tx, call: &WorkerCall) -> Result<Option<CallOutcome>> {
    let living = sqlx::query("UPDATE worker_key SET seen_at = $2 WHERE name = $1 AND revoked_at IS NULL")
        .bind(&call.worker)
        .bind(call.now)
        .execute(&mut tx.conn)
        .await?
        .rows_affected();
    if living == 0 {
        return Err(Error::refused("worker_revoked", format!("the worker {} was revoked", call.worker)));
    }
    let before: Option<(String, String)> =
        sqlx::query_as("SELECT request_sha256, outcome FROM worker_call WHERE worker = $1 AND id = $2")
            .bind(&call.worker)
            .bind(&call.id)
            .fetch_optional(&mut tx.conn)
            .await?;
    match before {
        None => Ok(None),
        Some((sha256, outcome)) if sha256 == call.sha256 => Ok(Some(serde_json::from_str(&outcome)?)),
        Some(_) => Err(Error::refused(
            "webhook_id_reused",
            "this webhook-id came before with another body; every request needs an id of its own",
        )),
    }
}

async fn keep(tx: &mut Tx, call: &WorkerCall, outcome: &CallOutcome, lasting: bool) -> Result<()> {
    sqlx::query("INSERT INTO worker_call (worker, id, at, request_sha256, outcome, lasting) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(&call.worker)
        .bind(&call.id)
        .bind(call.now)
        .bind(&call.sha256)
        .bind(serde_json::to_string(outcome)?)
        .bind(lasting)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

async fn claim(tx: &mut Tx, call: &WorkerCall, wish: &ExternalWish) -> Result<Vec<ExternalTask>> {
    let rows = sqlx::query(lease!(
        lane: "'course'",
        owner: "'worker:' || $1",
        until: "$2",
        now: "$3",
        which: [
            "AND kind = 'prepare_course' AND stage = 'fetch' AND EXISTS (SELECT 1 FROM course \
               WHERE course.id = task.course_id AND course.source ->> '$.kind' IN (SELECT value FROM json_each($4)) \
                 AND coalesce(course.source ->> '$.worker', 'also') <> 'never' \
                 AND (course.source ->> '$.secret' IS NULL OR course.source ->> '$.share_secret' = 1)) AND NOT ",
            brought!(),
            " ORDER BY prio, id LIMIT +$5"
        ]
    ))
    .bind(&call.worker)
    .bind(wish.until)
    .bind(call.now)
    .bind(serde_json::to_string(&wish.sources)?)
    .bind(wish.max)
    .fetch_all(&mut tx.conn)
    .await?;
    let mut leased = rows.iter().map(|row| claimed(row, call.now)).collect::<Result<Vec<_>>>()?;
    leased.sort_by_key(|task| (task.prio, task.id));
    begin_orders(tx, &leased).await?;
    let mut tasks = Vec::with_capacity(leased.len());
    for task in leased {
        let (slug, title, source): (String, String, String) =
            sqlx::query_as("SELECT slug, title, source FROM course WHERE id = $1")
                .bind(task.course_id)
                .fetch_one(&mut tx.conn)
                .await?;
        let version = task.course_version.unwrap_or_default();
        tasks.push(ExternalTask {
            task: task.id,
            epoch: task.epoch,
            until: wish.until,
            slug,
            title,
            version,
            source,
        });
    }
    if !tasks.is_empty() {
        tx.touched.topics.extend(["queue".to_owned(), "workers".to_owned()]);
    }
    Ok(tasks)
}

/// Why a lease is not there any more.
async fn gone(tx: &mut Tx, held: Held) -> Result<CallOutcome> {
    let state: Option<String> = sqlx::query_scalar("SELECT state FROM task WHERE id = $1")
        .bind(held.task)
        .fetch_optional(&mut tx.conn)
        .await?;
    Ok(if state.as_deref() == Some("cancelled") { CallOutcome::CalledOff } else { CallOutcome::Lost })
}

struct Tried {
    held: Held,
    stage: String,
    attempt: i64,
    max_attempt: i64,
}

/// Settles a failed attempt; answers when the next one is, ms, or `None` when it was the last.
async fn settle_failed(
    tx: &mut Tx,
    tried: Tried,
    error: Failure,
    base_ms: i64,
    now: i64,
) -> Result<Option<i64>> {
    let retry_at = (error.class != "permanent" && tried.attempt < tried.max_attempt)
        .then(|| now.saturating_add(jittered_backoff_ms(base_ms, tried.attempt)));
    let (result, aftermath) = match retry_at {
        Some(run_at) => (StageResult::Retry { run_at, error }, Aftermath::AttemptFailed),
        None => (StageResult::Failed { error }, Aftermath::GivenUp),
    };
    let settlement = Settlement {
        task: tried.held.task,
        epoch: tried.held.epoch,
        stage: tried.stage,
        result,
        aftermath,
        now,
    };
    Settling::run(tx, &[settlement]).await?;
    Ok(retry_at)
}

/// Puts a task back in line, the attempt given back.
async fn give_back(tx: &mut Tx, tried: Tried, now: i64) -> Result<()> {
    let Held { task, epoch } = tried.held;
    let (result, aftermath) = (StageResult::Released, Aftermath::None);
    Settling::run(tx, &[Settlement { task, epoch, stage: tried.stage, result, aftermath, now }]).await?;
    tx.ready(["course"].into_iter());
    Ok(())
}

#[cfg(test)]
mod tests;
