//! The queue's hot path: claim, settle, heartbeat, promote, reclaim. Every write of a worker carries the
//! lease epoch of its claim; a write whose epoch is not the task's own is refused and changes nothing.
//!
//! What people do to tasks (retry, cancel, pause) is in `queue_actions`.

use std::collections::HashSet;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use chotdon_domain::task::{Lane, TaskKind};

use crate::aftermath::Aftermath;
use crate::external::{MOST_URGENT_COURSE, OLDEST_COURSE};
use crate::writer::{Request, Script, Set, Tx, script};
use crate::{Error, Result, Store};

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

/// Claims of one commit.
pub(crate) struct Claiming;

impl Set for Claiming {
    type Input = Claim;
    type Output = Vec<Claimed>;

    fn run<'c>(tx: &'c mut Tx, inputs: &'c [Claim]) -> BoxFuture<'c, Result<Vec<Vec<Claimed>>>> {
        Box::pin(async move {
            let mut outputs = Vec::with_capacity(inputs.len());
            let last = tx.is_last();
            for (at, claim) in inputs.iter().enumerate() {
                tx.set_last(last && at + 1 == inputs.len());
                outputs.push(claim_one(tx, claim).await?);
            }
            Ok(outputs)
        })
    }
}

/// Leases the ready tasks that `which` picks, for whoever claims: pieces of SQL that name the owner, the lease's end, the
/// present time and the choice. Returns what [`claimed`] reads.
macro_rules! lease {
    (owner: [$($owner:literal),+], until: [$($until:literal),+], now: [$($now:literal),+], which: [$($which:expr),+]) => {
        concat!(
            "UPDATE task SET state = 'running', attempt = attempt + 1, lease_epoch = lease_epoch + 1, lease_owner = ",
            $($owner),+, ", lease_until = ", $($until),+, ", started_at = ", $($now),+,
            " WHERE id IN (SELECT id FROM task WHERE state = 'ready' AND ", $($which),+, ") \
             RETURNING id, kind, prio, stage, attempt, max_attempt, lease_epoch, order_id, course_id, course_version, payload"
        )
    };
}
pub(crate) use lease;

macro_rules! claim_script {
    ($order:literal) => {
        claim_script!("", $order)
    };
    ($but:expr, $order:literal) => {
        script!(lease!(
            owner: ["$1"], until: ["$2"], now: ["$3"], which: ["lane = $4 ", $but, " ORDER BY ", $order, " LIMIT $5"]
        ))
    };
}
pub(crate) use claim_script;

const MOST_URGENT: Script = claim_script!("prio, id");
const OLDEST: Script = claim_script!("id");

async fn claim_one(tx: &mut Tx, claim: &Claim) -> Result<Vec<Claimed>> {
    let script = match (claim.lane, claim.oldest_first) {
        (Lane::Course, false) => &MOST_URGENT_COURSE,
        (Lane::Course, true) => &OLDEST_COURSE,
        (_, false) => &MOST_URGENT,
        (_, true) => &OLDEST,
    };
    let rows = sqlx::query(tx.opening(script))
        .bind(&claim.owner)
        .bind(claim.until)
        .bind(claim.now)
        .bind(claim.lane.as_str())
        .bind(claim.limit)
        .fetch_all(&mut tx.conn)
        .await?;
    let mut claimed = rows.iter().map(|row| claimed(row, claim.now)).collect::<Result<Vec<_>>>()?;
    claimed.sort_by_key(|task| if claim.oldest_first { (0, task.id) } else { (task.prio, task.id) });
    begin_orders(tx, &claimed).await?;
    if !claimed.is_empty() {
        tx.touched.topic("queue");
    }
    Ok(claimed)
}

const BEGIN_ORDERS: Script = script!(
    "UPDATE orders SET stage = 'processing' \
     WHERE stage = 'paid' AND id IN ( \
       SELECT value FROM json_each($1) UNION \
       SELECT order_id FROM task WHERE state = 'scheduled' AND waits_on IN (SELECT value FROM json_each($2))) \
     RETURNING code"
);

/// The orders that these tasks serve are being processed from this commit on.
pub(crate) async fn begin_orders(tx: &mut Tx, claimed: &[Claimed]) -> Result<()> {
    let orders: Vec<i64> = claimed.iter().filter_map(|task| task.order_id).collect();
    let courses: Vec<Value> = claimed
        .iter()
        .filter(|task| task.kind == TaskKind::PrepareCourse)
        .filter_map(|task| Some(json!(prepare_key(task.course_id?, task.course_version?))))
        .collect();
    if orders.is_empty() && courses.is_empty() {
        return Ok(());
    }
    let codes: Vec<String> = sqlx::query_scalar(tx.closing(&BEGIN_ORDERS))
        .bind(serde_json::to_string(&orders)?)
        .bind(serde_json::to_string(&courses)?)
        .fetch_all(&mut tx.conn)
        .await?;
    for code in codes {
        tx.touched.topic(format!("order:{code}"));
        tx.touched.topic("orders");
    }
    Ok(())
}

pub(crate) fn claimed(row: &SqliteRow, now: i64) -> Result<Claimed> {
    let kind: String = row.try_get("kind")?;
    Ok(Claimed {
        id: row.try_get("id")?,
        kind: TaskKind::parse(&kind).ok_or_else(|| Error::Unusable(format!("unknown task kind {kind}")))?,
        prio: row.try_get("prio")?,
        stage: row.try_get("stage")?,
        attempt: row.try_get("attempt")?,
        max_attempt: row.try_get("max_attempt")?,
        epoch: row.try_get("lease_epoch")?,
        order_id: row.try_get("order_id")?,
        course_id: row.try_get("course_id")?,
        course_version: row.try_get("course_version")?,
        payload: row.try_get("payload")?,
        claimed_at: now,
    })
}

/// Dedupe key of the preparation of one version of a course; orders wait on it.
#[must_use]
pub fn prepare_key(course_id: i64, version: i64) -> String {
    format!("prepare:{course_id}:{version}")
}

/// Settlements of one commit.
pub(crate) struct Settling;

impl Set for Settling {
    type Input = Settlement;
    type Output = Settled;

    fn run<'c>(tx: &'c mut Tx, inputs: &'c [Settlement]) -> BoxFuture<'c, Result<Vec<Settled>>> {
        Box::pin(async move {
            // Two results for one task cannot both be true: the first one counts, as it would in two commits.
            let mut seen = HashSet::new();
            let first: Vec<bool> = inputs.iter().map(|settlement| seen.insert(settlement.task)).collect();
            let rows: Vec<Value> = inputs
                .iter()
                .zip(&first)
                .filter(|(_, first)| **first)
                .map(|(settlement, _)| fenced_row(settlement))
                .collect();
            let last = tx.is_last();
            let accepted: HashSet<i64> = sqlx::query_scalar(tx.opening(&FENCED))
                .bind(serde_json::to_string(&rows)?)
                .fetch_all(&mut tx.conn)
                .await?
                .into_iter()
                .collect();
            let mut outputs = Vec::with_capacity(inputs.len());
            for (settlement, first) in inputs.iter().zip(first) {
                let taken = first && accepted.contains(&settlement.task);
                outputs.push(if taken { Settled::Accepted } else { Settled::Stale });
                if taken {
                    tx.touched.topic("queue");
                    match settlement.result {
                        StageResult::Retry { .. } | StageResult::Postponed { .. } => {
                            tx.touched.scheduled = true
                        }
                        StageResult::Released => {
                            tx.touched.topics.extend([format!("task:{}", settlement.task)])
                        }
                        _ => {}
                    }
                }
            }
            let mut follows = Vec::new();
            for (settlement, settled) in inputs.iter().zip(&outputs) {
                if *settled == Settled::Accepted && !matches!(settlement.aftermath, Aftermath::None) {
                    follows.push(settlement);
                }
            }
            let ends = follows.len();
            for (at, settlement) in follows.into_iter().enumerate() {
                tx.set_last(last && at + 1 == ends);
                settlement.aftermath.apply(tx, settlement).await?;
            }
            Ok(outputs)
        })
    }
}

/// One settlement as the script below reads it.
macro_rules! settled {
    () => {
        "FROM jsonb_each($1) AS j JOIN task ON task.id = j.value ->> 'task' \
         WHERE task.lease_epoch = j.value ->> 'epoch' AND task.state = 'running'"
    };
}

/// Keeps checkpoints and failed attempts, then moves the tasks: all three for those settlements only whose lease holds.
const FENCED: Script = script!(concat!(
    "INSERT INTO task_stage (task_id, stage, epoch, ended, output) \
       SELECT task.id, j.value ->> 'ran', task.lease_epoch, j.value ->> 'now', j.value ->> 'output' ",
    settled!(),
    " AND j.value ->> 'output' IS NOT NULL \
       ON CONFLICT (task_id, stage) DO UPDATE SET epoch = excluded.epoch, ended = excluded.ended, output = excluded.output; \
     INSERT INTO attempt (task_id, stage, epoch, started, ended, err_class, err_code, detail) \
       SELECT task.id, j.value ->> 'ran', task.lease_epoch, j.value ->> 'started', j.value ->> 'now', \
              j.value ->> 'err_class', j.value ->> 'err_code', j.value ->> 'err_detail' ",
    settled!(),
    " AND j.value ->> 'err_code' IS NOT NULL; \
     UPDATE task SET state = j.state, stage = j.stage, run_at = coalesce(j.run_at, task.run_at), \
       waits_on = j.waits_on, attempt = max(task.attempt - j.give_back, 0), \
       reclaims = CASE WHEN j.state = 'running' OR j.state = 'done' THEN 0 ELSE task.reclaims END, \
       lease_owner = CASE WHEN j.state = 'running' THEN task.lease_owner END, \
       lease_until = CASE WHEN j.state = 'running' THEN task.lease_until END, \
       err_class = coalesce(j.err_class, task.err_class), err_code = coalesce(j.err_code, task.err_code), \
       err_group = CASE WHEN j.err_code IS NULL THEN task.err_group ELSE task.kind || ':' || task.stage || ':' || j.err_code END, \
       err_detail = coalesce(j.err_detail, task.err_detail), finished_at = j.finished_at \
     FROM (SELECT value ->> 'task' AS id, value ->> 'epoch' AS epoch, value ->> 'state' AS state, value ->> 'stage' AS stage, \
                  value ->> 'run_at' AS run_at, value ->> 'waits_on' AS waits_on, value ->> 'give_back' AS give_back, \
                  value ->> 'err_class' AS err_class, value ->> 'err_code' AS err_code, \
                  value ->> 'err_detail' AS err_detail, value ->> 'finished_at' AS finished_at \
             FROM jsonb_each($1)) AS j \
     WHERE task.id = j.id AND task.lease_epoch = j.epoch AND task.state = 'running' \
     RETURNING task.id"
));

fn fenced_row(settlement: &Settlement) -> Value {
    let mut row = json!({
        "task": settlement.task, "epoch": settlement.epoch, "ran": settlement.stage, "stage": settlement.stage,
        "now": settlement.now, "give_back": 0,
    });
    let failed = |error: &Failure| {
        json!({
            "err_class": error.class, "err_code": error.code, "err_detail": error.detail, "started": error.started,
        })
    };
    let mut more = |fields: Value| {
        if let (Value::Object(row), Value::Object(fields)) = (&mut row, fields) {
            row.extend(fields);
        }
    };
    match &settlement.result {
        StageResult::Checkpoint { next, output } => {
            more(json!({ "state": "running", "stage": next, "output": output }));
        }
        StageResult::Done { output } => {
            more(json!({ "state": "done", "finished_at": settlement.now, "output": output }));
        }
        StageResult::Retry { run_at, error } => {
            more(json!({ "state": "scheduled", "run_at": run_at }));
            more(failed(error));
        }
        StageResult::Failed { error } => {
            more(json!({ "state": "failed", "finished_at": settlement.now }));
            more(failed(error));
        }
        StageResult::Released => more(json!({ "state": "ready", "give_back": 1 })),
        StageResult::Postponed { run_at } => {
            more(json!({ "state": "scheduled", "run_at": run_at, "give_back": 1 }));
        }
        StageResult::Waits { on } => {
            more(json!({ "state": "scheduled", "run_at": NEVER, "waits_on": on, "give_back": 1 }));
        }
    }
    row
}
