//! The queue's hot path: claim, settle, heartbeat, promote, reclaim. Every write of a worker carries the
//! lease epoch of its claim; a write whose epoch is not the task's own is refused and changes nothing.
//!
//! `claim` and `settle` hold the SQL of the two. What people do to tasks (retry, cancel, pause) is in `queue_actions`.

mod claim;
mod settle;

use sqlx::Row;

use chotdon_domain::task::{Lane, TaskKind};

use crate::aftermath::Aftermath;
use crate::writer::{Request, Tx};
use crate::{Result, Store};

pub(crate) use claim::{Claiming, begin_orders, claim_one, claim_script, claimed, claimed_columns, lease};
pub(crate) use settle::Settling;

/// `run_at` of a task that waits for another task and not for a time: the last millisecond of year 9999.
pub(crate) const NEVER: i64 = 253_402_300_799_999;

/// A task in a row may be reclaimed after a crash of the app this often before it is given up as the cause.
const MOST_RECLAIMS: i64 = 50;

/// A task with the right to work on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Task id.
    pub id: i64,
    /// What it does.
    pub kind: TaskKind,
    /// 0 most urgent … 3.
    pub prio: i64,
    /// The stage to run.
    pub stage: String,
    /// This attempt, counted from 1.
    pub attempt: i64,
    /// Attempts after which it is given up.
    pub max_attempt: i64,
    /// The fencing token of this claim.
    pub epoch: i64,
    /// The order it serves.
    pub order_id: Option<i64>,
    /// The course it prepares.
    pub course_id: Option<i64>,
    /// The version of that course.
    pub course_version: Option<i64>,
    /// JSON, the kind's own.
    pub payload: String,
    /// When it was claimed, ms.
    pub claimed_at: i64,
}

/// A wish for tasks of one lane.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which lane.
    pub lane: Lane,
    /// At most this many.
    pub limit: i64,
    /// Take the oldest instead of the most urgent, which bounds how long anything waits.
    pub oldest_first: bool,
    /// Boot id of this process.
    pub owner: String,
    /// Now, ms.
    pub now: i64,
    /// When the lease ends, ms.
    pub until: i64,
}

/// What a worker says of the stage it ran.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Task id.
    pub task: i64,
    /// Epoch of the claim.
    pub epoch: i64,
    /// The stage that ran.
    pub stage: String,
    /// What became of it.
    pub result: StageResult,
    /// What else is true from this commit on.
    pub aftermath: Aftermath,
    /// Now, ms.
    pub now: i64,
}

/// What became of a stage.
#[derive(Debug, Clone)]
pub enum StageResult {
    /// The stage is done; the task goes on with `stage` under the same lease.
    Checkpoint {
        /// The stage that comes next.
        next: String,
        /// What later stages need to know, JSON.
        output: String,
    },
    /// The last stage is done.
    Done {
        /// What it left, JSON.
        output: String,
    },
    /// It failed and is tried again at `run_at`.
    Retry {
        /// When, ms.
        run_at: i64,
        /// Why.
        error: Failure,
    },
    /// It failed for good.
    Failed {
        /// Why.
        error: Failure,
    },
    /// It was stopped through no fault of its own: back in line, the attempt given back.
    Released,
    /// It runs again at `run_at` without having failed.
    Postponed {
        /// When, ms.
        run_at: i64,
    },
    /// It waits until the task with this dedupe key is done, or the service of this key can be used; the attempt is
    /// given back.
    Waits {
        /// Dedupe key, or `service:NAME`.
        on: String,
    },
}

/// Why a stage failed, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `transient`, `permanent`, `crashed`, `hung`.
    pub class: &'static str,
    /// Stable code.
    pub code: String,
    /// Technical detail without secrets.
    pub detail: String,
    /// When the attempt began, ms.
    pub started: i64,
}

/// Whether a settlement was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is durable.
    Accepted,
    /// The lease was not ours any more; nothing was changed.
    Stale,
}

impl Store {
    /// Leases up to `claim.limit` ready tasks of a lane.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>> {
        self.writer.ask::<Claiming>(claim, Request::Claim).await
    }

    /// Writes down what became of a stage, if the lease still holds.
    ///
    /// # Errors
    /// When the database cannot be written; the lease still stands and the caller may try again.
    pub async fn settle(&self, settlement: Settlement) -> Result<Settled> {
        self.writer.ask::<Settling>(settlement, Request::Settle).await
    }

    /// Renews the leases `(task, epoch)` of `owner` until `until` and returns those that still hold.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn heartbeat(&self, owner: &str, leases: Vec<(i64, i64)>, until: i64) -> Result<Vec<i64>> {
        let owner = owner.to_owned();
        let pairs = serde_json::to_string(&leases)?;
        self.writer
            .run(move |tx| {
                let (owner, pairs) = (owner.clone(), pairs.clone());
                Box::pin(async move {
                    Ok(sqlx::query_scalar(
                        "UPDATE task SET lease_until = $3 \
                         FROM (SELECT value ->> 0 AS id, value ->> 1 AS epoch FROM json_each($2)) AS held \
                         WHERE task.id = held.id AND task.lease_epoch = held.epoch \
                           AND task.state = 'running' AND task.lease_owner = $1 RETURNING task.id",
                    )
                    .bind(owner)
                    .bind(pairs)
                    .bind(until)
                    .fetch_all(&mut tx.conn)
                    .await?)
                })
            })
            .await
    }

    /// Makes scheduled tasks ready whose time has come. Returns how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn promote(&self, now: i64) -> Result<u64> {
        self.writer
            .run(move |tx| {
                Box::pin(async move {
                    let lanes: Vec<String> = sqlx::query_scalar(
                        "UPDATE task SET state = 'ready' WHERE state = 'scheduled' AND run_at <= $1 RETURNING lane",
                    )
                    .bind(now)
                    .fetch_all(&mut tx.conn)
                    .await?;
                    tx.ready(lanes.iter().map(String::as_str));
                    Ok(lanes.len() as u64)
                })
            })
            .await
    }

    /// Takes back the tasks that earlier processes on this directory left running: their leases cannot be alive,
    /// since one process owns the directory. The attempt is given back; a task under which the app died
    /// 50 times in a row is failed as `worker_crashed`. Returns how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn reclaim(&self, owner: &str, now: i64) -> Result<u64> {
        let owner = owner.to_owned();
        self.writer
            .run(move |tx| {
                let owner = owner.clone();
                Box::pin(async move {
                    let lanes: Vec<String> = sqlx::query_scalar(
                        "UPDATE task SET reclaims = reclaims + 1, lease_owner = NULL, lease_until = NULL, \
                           attempt = max(attempt - 1, 0), \
                           state       = CASE WHEN reclaims >= $3 THEN 'failed' ELSE 'ready' END, \
                           finished_at = CASE WHEN reclaims >= $3 THEN $2 END, \
                           err_class   = CASE WHEN reclaims >= $3 THEN 'crashed' ELSE err_class END, \
                           err_code    = CASE WHEN reclaims >= $3 THEN 'worker_crashed' ELSE err_code END, \
                           err_group   = CASE WHEN reclaims >= $3 THEN kind || ':' || stage || ':worker_crashed' ELSE err_group END, \
                           err_detail  = CASE WHEN reclaims >= $3 THEN 'the app died under this task again and again' ELSE err_detail END \
                         WHERE state = 'running' AND lease_owner <> $1 AND lease_owner NOT GLOB 'worker:*' RETURNING lane",
                    )
                    .bind(owner)
                    .bind(now)
                    .bind(MOST_RECLAIMS)
                    .fetch_all(&mut tx.conn)
                    .await?;
                    tx.ready(lanes.iter().map(String::as_str));
                    Ok(lanes.len() as u64)
                })
            })
            .await
    }

    /// Puts running tasks back in line whose lease ran out, except those in `alive`, which this process knows to be
    /// worked on (after a sleep of the machine their heartbeat is only late). Returns how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn reap(&self, alive: Vec<i64>, now: i64) -> Result<u64> {
        let alive = serde_json::to_string(&alive)?;
        self.writer
            .run(move |tx| {
                let alive = alive.clone();
                Box::pin(async move {
                    let lanes: Vec<String> = sqlx::query_scalar(
                        "UPDATE task SET state = 'ready', lease_owner = NULL, lease_until = NULL, reclaims = reclaims + 1 \
                         WHERE state = 'running' AND lease_until < $2 AND lease_owner NOT GLOB 'worker:*' \
                           AND id NOT IN (SELECT value FROM json_each($1)) RETURNING lane",
                    )
                    .bind(alive)
                    .bind(now)
                    .fetch_all(&mut tx.conn)
                    .await?;
                    tx.ready(lanes.iter().map(String::as_str));
                    Ok(lanes.len() as u64)
                })
            })
            .await
    }

    /// When the next scheduled task is due (ms), and which lanes have ready tasks: one statement, for the pool's timer.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outlook(&self, now: i64) -> Result<Outlook> {
        let row = sqlx::query(
            "SELECT (SELECT min(run_at) FROM task WHERE state = 'scheduled') AS due, \
                    EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND lane = 'course') AS course, \
                    EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND lane = 'order')  AS orders, \
                    EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND lane = 'owner')  AS owner, \
                    EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND lane = 'webhook') AS webhook, \
                    EXISTS (SELECT 1 FROM task WHERE state = 'running' AND lease_until < $1 AND lease_owner NOT GLOB 'worker:*') AS overdue",
        )
        .bind(now)
        .fetch_one(&self.reader)
        .await?;
        let due: Option<i64> = row.try_get("due")?;
        let mut lanes = Vec::new();
        for (column, lane) in [
            ("course", Lane::Course),
            ("orders", Lane::Order),
            ("owner", Lane::Owner),
            ("webhook", Lane::Webhook),
        ] {
            if row.try_get::<bool, _>(column)? {
                lanes.push(lane);
            }
        }
        Ok(Outlook { due: due.filter(|at| *at < NEVER), ready: lanes, overdue: row.try_get("overdue")? })
    }
}

/// What the queue holds for later and for now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// When the next scheduled task is due, ms; `None` when nothing waits for a time.
    pub due: Option<i64>,
    /// Lanes with ready tasks.
    pub ready: Vec<Lane>,
    /// True when the lease of a running task has run out.
    pub overdue: bool,
}

impl Tx {
    /// Notes that tasks became ready in these lanes.
    pub(crate) fn ready<'a>(&mut self, lanes: impl Iterator<Item = &'a str>) {
        let mut any = false;
        for lane in lanes.filter_map(Lane::parse) {
            self.touched.lanes.insert(lane.as_str());
            any = true;
        }
        if any {
            self.touched.topic("queue");
        }
    }
}

/// Dedupe key of the preparation of one version of a course; orders wait on it.
#[must_use]
pub fn prepare_key(course_id: i64, version: i64) -> String {
    format!("prepare:{course_id}:{version}")
}
