//! Leasing ready tasks: the claims of one commit, and what is true of a task from its claim on.

use futures::future::BoxFuture;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use chotdon_domain::task::{Lane, TaskKind};

use super::{Claim, Claimed, prepare_key};
use crate::external::{MOST_URGENT_COURSE, OLDEST_COURSE};
use crate::writer::{Script, Set, Tx, script};
use crate::{Error, Result};

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

/// What [`claimed`] reads.
macro_rules! claimed_columns {
    () => {
        "id, kind, prio, stage, attempt, max_attempt, lease_epoch, order_id, course_id, course_version, payload"
    };
}
pub(crate) use claimed_columns;

/// Leases the ready tasks of a lane that `which` picks, for whoever claims, unless the lane is paused: pieces of SQL that
/// name the lane, the owner, the lease's end, the present time and the choice. Returns what [`claimed`] reads.
macro_rules! lease {
    (lane: $lane:literal, owner: $owner:literal, until: $until:literal, now: $now:literal, which: [$($which:expr),+]) => {
        concat!(
            "UPDATE task SET state = 'running', attempt = attempt + 1, lease_epoch = lease_epoch + 1, lease_owner = ",
            $owner, ", lease_until = ", $until, ", started_at = ", $now,
            " WHERE id IN (SELECT id FROM task WHERE state = 'ready' AND lane = ", $lane,
            " AND NOT EXISTS (SELECT 1 FROM lane WHERE name = ", $lane, " AND paused_at IS NOT NULL AND (until IS NULL OR until > ",
            $now, ")) ", $($which),+, ") RETURNING ",
            $crate::queue::claimed_columns!()
        )
    };
}
pub(crate) use lease;

// SQLite plans by the value of a bare `LIMIT ?` and prepares the statement again whenever one is bound; `+` hides it.
macro_rules! claim_script {
    ($order:literal) => {
        claim_script!("", $order)
    };
    ($but:expr, $order:literal) => {
        script!(lease!(
            lane: "$4", owner: "$1", until: "$2", now: "$3", which: [$but, " ORDER BY ", $order, " LIMIT +$5"]
        ))
    };
}
pub(crate) use claim_script;

const MOST_URGENT: Script = claim_script!("prio, id");
const OLDEST: Script = claim_script!("id");

pub(crate) async fn claim_one(tx: &mut Tx, claim: &Claim) -> Result<Vec<Claimed>> {
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
