//! What people do to tasks: retry one or many, cancel, hurry, pause. Each bumps the epoch of what it takes
//! away from a worker, so that the worker's late result is refused.

use serde_json::json;
use sqlx::Row;

use chotdon_domain::task::{Lane, TaskKind, TaskState};

use crate::aftermath::held_up;
use crate::orders::audit;
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// Tasks requeued in one commit by a bulk retry, so that no write lock is held for long.
const CHUNK: usize = 100;

/// Which failed tasks are meant; every given condition must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureFilterRow {
    /// `err_group`.
    pub group: Option<String>,
    /// Task kind.
    pub kind: Option<String>,
    /// Error code.
    pub code: Option<String>,
    /// Task ids.
    pub ids: Option<Vec<i64>>,
}

/// What a bulk retry did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryCounts {
    /// Tasks that matched.
    pub matched: i64,
    /// Tasks put back in line.
    pub retried: i64,
    /// Tasks that had moved on in between.
    pub skipped: i64,
}

/// A paused lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanePause {
    /// Which lane.
    pub lane: Lane,
    /// Since when, ms; `None` = runs.
    pub paused_at: Option<i64>,
    /// When it resumes by itself, ms.
    pub until: Option<i64>,
    /// Why.
    pub reason: Option<String>,
}

const RETRY: &str = concat!(
    "UPDATE task SET state = 'ready', attempt = 0, reclaims = 0, lease_epoch = lease_epoch + 1, lease_owner = NULL, \
       lease_until = NULL, finished_at = NULL, waits_on = NULL, run_at = $1 ->> 'now', stage = coalesce($1 ->> 'stage', stage) WHERE id = $1 ->> 'task'; \
     DELETE FROM task_stage WHERE task_id = $1 ->> 'task' AND stage IN (SELECT value FROM json_each($1, '$.forget')); \
     INSERT INTO timeline (order_id, at, kind, data, actor) SELECT order_id, $1 ->> 'now', 'retried', \
         json_object('stage', (SELECT stage FROM task WHERE id = $1 ->> 'task')), 'owner' FROM (",
    held_up!(),
    "); \
     UPDATE order_item SET delivery = 'waiting' WHERE delivery = 'failed' AND order_id IN (",
    held_up!(),
    "); \
     UPDATE orders SET stage = 'processing' WHERE stage = 'failed' AND id IN (",
    held_up!(),
    ") RETURNING code"
);

/// The failed tasks that the filter in `$1` means.
macro_rules! matching {
    () => {
        "state = 'failed' \
         AND ($1 ->> 'group' IS NULL OR err_group = $1 ->> 'group') \
         AND ($1 ->> 'kind' IS NULL OR kind = $1 ->> 'kind') \
         AND ($1 ->> 'code' IS NULL OR err_code = $1 ->> 'code') \
         AND ($1 -> 'ids' = 'null' OR id IN (SELECT value FROM json_each($1, '$.ids')))"
    };
}

/// The orders that the tasks of `$1` hold up.
macro_rules! held_by_many {
    () => {
        "SELECT order_id FROM task WHERE id IN (SELECT value FROM json_each($1)) AND order_id IS NOT NULL \
         UNION SELECT w.order_id FROM task AS t JOIN task AS w ON w.waits_on = t.dedupe_key AND w.state = 'scheduled' \
           WHERE t.id IN (SELECT value FROM json_each($1)) AND t.kind = 'prepare_course' AND w.order_id IS NOT NULL"
    };
}

const RETRY_MANY: &str = concat!(
    "UPDATE task SET state = 'ready', attempt = 0, reclaims = 0, lease_epoch = lease_epoch + 1, finished_at = NULL, run_at = $2 \
       WHERE state = 'failed' AND id IN (SELECT value FROM json_each($1)) \
         AND NOT EXISTS (SELECT 1 FROM task AS other WHERE other.dedupe_key = task.dedupe_key \
                           AND other.dedupe_key IS NOT NULL AND other.state NOT IN ('done','failed','cancelled')); \
     INSERT INTO timeline (order_id, at, kind, data, actor) \
       SELECT order_id, $2, 'retried', '{}', 'owner' FROM (",
    held_by_many!(),
    "); \
     UPDATE order_item SET delivery = 'waiting' WHERE delivery = 'failed' AND order_id IN (",
    held_by_many!(),
    "); \
     SELECT lane AS lane, NULL AS code FROM task WHERE id IN (SELECT value FROM json_each($1)) GROUP BY lane; \
     UPDATE orders SET stage = 'processing' WHERE stage = 'failed' AND id IN (",
    held_by_many!(),
    ") RETURNING 'order' AS lane, code AS code"
);

impl Store {
    /// Puts a task back in line with its attempts reset. It goes on at the stage that failed, or at `from_stage`,
    /// whose checkpoint and later ones are then forgotten.
    ///
    /// # Errors
    /// [`Error::Conflict`] unless it is failed, cancelled or waiting for its next attempt; [`Error::Invalid`] for an unknown stage.
    pub async fn retry_task(&self, id: i64, from_stage: Option<&str>, actor: &str, now: i64) -> Result<()> {
        let (from_stage, actor) = (from_stage.map(str::to_owned), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (from_stage, actor) = (from_stage.clone(), actor.clone());
                Box::pin(async move {
                    let task = find(tx, id).await?;
                    if !matches!(task.state, TaskState::Failed | TaskState::Cancelled | TaskState::Scheduled)
                        || task.waits
                    {
                        return Err(Error::Conflict(format!(
                            "task {id} is {} and cannot be retried",
                            task.state.as_str()
                        )));
                    }
                    if let Some(stage) = &from_stage
                        && !task.kind.stages().contains(&stage.as_str())
                    {
                        return Err(Error::Invalid(format!(
                            "\"{stage}\" is not a stage of {}; it has {}",
                            task.kind.as_str(),
                            task.kind.stages().join(", ")
                        )));
                    }
                    retry(tx, &task, from_stage.as_deref(), now).await?;
                    audit(
                        tx,
                        now,
                        &actor,
                        "task.retry",
                        &id.to_string(),
                        &json!({ "from_stage": from_stage }),
                    )
                    .await
                })
            })
            .await
    }

    /// Puts every failed task that matches back in line, 100 a commit. A dry run only counts.
    ///
    /// # Errors
    /// When the database cannot be written; what was requeued before stays requeued.
    pub async fn retry_failed(
        &self,
        filter: &FailureFilterRow,
        dry_run: bool,
        actor: &str,
        now: i64,
    ) -> Result<RetryCounts> {
        let filter =
            json!({ "group": filter.group, "kind": filter.kind, "code": filter.code, "ids": filter.ids })
                .to_string();
        // Found outside of the writer: looking for them takes longer than it may hold the lock.
        let matching: Vec<i64> =
            sqlx::query_scalar(concat!("SELECT id FROM task WHERE ", matching!(), " ORDER BY id"))
                .bind(&filter)
                .fetch_all(&self.reader)
                .await?;
        let mut counts = RetryCounts { matched: matching.len() as i64, ..RetryCounts::default() };
        if dry_run {
            return Ok(counts);
        }
        for chunk in matching.chunks(CHUNK) {
            let (chunk, actor) = (serde_json::to_string(chunk)?, actor.to_owned());
            let retried = self
                .writer
                .run(move |tx| {
                    let (chunk, actor) = (chunk.clone(), actor.clone());
                    Box::pin(async move { retry_chunk(tx, &chunk, &actor, now).await })
                })
                .await?;
            counts.retried += retried as i64;
        }
        counts.skipped = (counts.matched - counts.retried).max(0);
        Ok(counts)
    }

    /// Calls a task off. A running one loses its lease at once.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it is finished.
    pub async fn cancel_task(&self, id: i64, reason: &str, actor: &str, now: i64) -> Result<()> {
        let (reason, actor) = (reason.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (reason, actor) = (reason.clone(), actor.clone());
                Box::pin(async move {
                    let task = find(tx, id).await?;
                    if matches!(task.state, TaskState::Done | TaskState::Cancelled) {
                        return Err(Error::Conflict(format!("task {id} is {} and cannot be cancelled", task.state.as_str())));
                    }
                    let codes: Vec<String> = sqlx::query_scalar(concat!(
                        "UPDATE task SET state = 'cancelled', lease_epoch = lease_epoch + 1, lease_owner = NULL, lease_until = NULL, \
                           waits_on = NULL, finished_at = $1 ->> 'now' WHERE id = $1 ->> 'task'; \
                         INSERT INTO timeline (order_id, at, kind, data, actor) \
                           SELECT order_id, $1 ->> 'now', 'task_cancelled', json_object('reason', $1 ->> 'reason'), 'owner' FROM (",
                        held_up!(),
                        "); UPDATE orders SET stage = 'failed' WHERE stage IN ('paid', 'processing') AND id IN (",
                        held_up!(),
                        ") RETURNING code"
                    ))
                    .bind(json!({ "now": now, "task": id, "reason": reason }).to_string())
                    .fetch_all(&mut tx.conn)
                    .await?;
                    tx.orders_changed(codes);
                    tx.touched.topics.extend(["queue".to_owned(), "failures".to_owned(), format!("task:{id}")]);
                    audit(tx, now, &actor, "task.cancel", &id.to_string(), &json!({ "reason": reason })).await
                })
            })
            .await
    }

    /// Moves a task to the front (`vip`) or back to the usual place.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown task.
    pub async fn set_priority(&self, id: i64, vip: bool, actor: &str, now: i64) -> Result<()> {
        let actor = actor.to_owned();
        self.writer
            .run(move |tx| {
                let actor = actor.clone();
                Box::pin(async move {
                    let task = find(tx, id).await?;
                    sqlx::query("UPDATE task SET prio = $2 WHERE id = $1")
                        .bind(task.id)
                        .bind(if vip { 0_i64 } else { 2 })
                        .execute(&mut tx.conn)
                        .await?;
                    tx.touched.topics.extend(["queue".to_owned(), format!("task:{id}")]);
                    audit(tx, now, &actor, "task.priority", &id.to_string(), &json!({ "vip": vip })).await
                })
            })
            .await
    }

    /// Stops claims of one lane, or of all; what runs goes on.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn pause(
        &self,
        lane: Option<Lane>,
        until: Option<i64>,
        reason: Option<String>,
        actor: &str,
        now: i64,
    ) -> Result<()> {
        self.set_pause(lane, Some(now), until, reason, actor, now).await
    }

    /// Lets a lane, or all, go on.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn resume(&self, lane: Option<Lane>, actor: &str, now: i64) -> Result<()> {
        self.set_pause(lane, None, None, None, actor, now).await
    }

    async fn set_pause(
        &self,
        lane: Option<Lane>,
        paused_at: Option<i64>,
        until: Option<i64>,
        reason: Option<String>,
        actor: &str,
        now: i64,
    ) -> Result<()> {
        let actor = actor.to_owned();
        self.writer
            .run(move |tx| {
                let (actor, reason) = (actor.clone(), reason.clone());
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE lane SET paused_at = $2, until = $3, reason = $4 WHERE $1 IS NULL OR name = $1",
                    )
                    .bind(lane.map(Lane::as_str))
                    .bind(paused_at)
                    .bind(until)
                    .bind(&reason)
                    .execute(&mut tx.conn)
                    .await?;
                    let action = if paused_at.is_some() { "queue.pause" } else { "queue.resume" };
                    audit(tx, now, &actor, action, lane.map_or("all", Lane::as_str), &json!({ "until": until, "reason": reason })).await?;
                    tx.ready(Lane::ALL.iter().map(|lane| lane.as_str()));
                    Ok(())
                })
            })
            .await
    }

    /// Every lane with its pause.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lanes(&self) -> Result<Vec<LanePause>> {
        let rows =
            sqlx::query("SELECT name, paused_at, until, reason FROM lane").fetch_all(&self.reader).await?;
        rows.into_iter()
            .map(|row| {
                let name: String = row.try_get("name")?;
                Ok(LanePause {
                    lane: Lane::parse(&name)
                        .ok_or_else(|| Error::Unusable(format!("unknown lane {name}")))?,
                    paused_at: row.try_get("paused_at")?,
                    until: row.try_get("until")?,
                    reason: row.try_get("reason")?,
                })
            })
            .collect()
    }
}

/// A chunk of a bulk retry: everything in sets. Answers how many of the chunk were still failed.
async fn retry_chunk(tx: &mut Tx, chunk: &str, actor: &str, now: i64) -> Result<usize> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM task WHERE id IN (SELECT value FROM json_each($1)) AND state = 'failed' ORDER BY id",
    )
    .bind(chunk)
    .fetch_all(&mut tx.conn)
    .await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let rows: Vec<(String, Option<String>)> = sqlx::query_as(RETRY_MANY)
        .bind(serde_json::to_string(&ids)?)
        .bind(now)
        .fetch_all(&mut tx.conn)
        .await?;
    tx.ready(rows.iter().filter(|(_, code)| code.is_none()).map(|(lane, _)| lane.as_str()));
    tx.orders_changed(rows.into_iter().filter_map(|(_, code)| code));
    tx.touched.topic("failures");
    audit(
        tx,
        now,
        actor,
        "failures.retry",
        &format!("{} tasks", ids.len()),
        &json!({ "first": ids.first(), "last": ids.last() }),
    )
    .await?;
    Ok(ids.len())
}

async fn retry(tx: &mut Tx, task: &Found, from_stage: Option<&str>, now: i64) -> Result<()> {
    let stages = task.kind.stages();
    let from = from_stage.and_then(|stage| stages.iter().position(|name| *name == stage));
    let forget: &[&str] = from.map_or(&[], |at| &stages[at..]);
    let args = json!({ "task": task.id, "now": now, "stage": from_stage, "forget": forget }).to_string();
    let codes: Vec<String> = sqlx::query_scalar(RETRY).bind(args).fetch_all(&mut tx.conn).await?;
    tx.ready([task.kind.lane().as_str()].into_iter());
    tx.orders_changed(codes);
    tx.touched.topics.extend(["failures".to_owned(), format!("task:{}", task.id)]);
    Ok(())
}

struct Found {
    id: i64,
    kind: TaskKind,
    state: TaskState,
    waits: bool,
}

async fn find(tx: &mut Tx, id: i64) -> Result<Found> {
    let row = sqlx::query("SELECT kind, state, waits_on IS NOT NULL AS waits FROM task WHERE id = $1")
        .bind(id)
        .fetch_optional(&mut tx.conn)
        .await?
        .ok_or_else(|| Error::NotFound(format!("task {id}")))?;
    let (kind, state): (String, String) = (row.try_get("kind")?, row.try_get("state")?);
    let unknown = || Error::Unusable(format!("task {id} has an unknown kind or state"));
    Ok(Found {
        id,
        kind: TaskKind::parse(&kind).ok_or_else(unknown)?,
        state: TaskState::parse(&state).ok_or_else(unknown)?,
        waits: row.try_get("waits")?,
    })
}
