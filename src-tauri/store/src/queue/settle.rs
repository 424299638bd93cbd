//! What became of stages: the settlements of one commit, each taken only while its lease holds.

use std::collections::HashSet;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::{Failure, NEVER, Settled, Settlement, StageResult};
use crate::Result;
use crate::aftermath::Aftermath;
use crate::writer::{Script, Set, Tx, script};

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
