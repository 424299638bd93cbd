//! What a task is about to do, or has done, where it cannot be undone: intent before, fact after.
//!
//! Keys stay the same across retries. Every write carries the epoch of the task's claim and is refused when the
//! lease is another worker's by now.

use sqlx::Row;

use crate::{Result, Store};

/// One effect outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// Its key.
    pub key: String,
    /// Whether it is known to have happened.
    pub done: bool,
    /// What is known of it, in the words of whoever wrote it down.
    pub reference: String,
}

/// Who writes an effect down: a task, and the claim under which it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// Task id.
    pub task: i64,
    /// The epoch of its claim.
    pub epoch: i64,
    /// The stage that runs.
    pub stage: String,
}

impl Store {
    /// Every effect whose key begins with `prefix`, by key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn effects(&self, prefix: &str) -> Result<Vec<Effect>> {
        let rows = sqlx::query(
            "SELECT key, done_at IS NOT NULL AS done, coalesce(reference, '') AS reference FROM effect \
             WHERE key >= $1 AND key < $1 || char(1114111) ORDER BY key",
        )
        .bind(prefix)
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Effect {
                    key: row.try_get("key")?,
                    done: row.try_get("done")?,
                    reference: row.try_get("reference")?,
                })
            })
            .collect()
    }

    /// Writes down how things stand with some effects, all or none; later words replace earlier ones. False when the
    /// lease is not this claimant's any more, and nothing was written.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn write_effects(&self, by: &Claimant, effects: Vec<Effect>, now: i64) -> Result<bool> {
        let by = by.clone();
        let rows: Vec<_> = effects.into_iter().map(|e| (e.key, e.done, e.reference)).collect();
        let rows = serde_json::to_string(&rows)?;
        self.writer
            .run(move |tx| {
                let (by, rows) = (by.clone(), rows.clone());
                Box::pin(async move {
                    let held: bool = sqlx::query_scalar(
                        "SELECT EXISTS (SELECT 1 FROM task WHERE id = $1 AND lease_epoch = $2 AND state = 'running')",
                    )
                    .bind(by.task)
                    .bind(by.epoch)
                    .fetch_one(&mut tx.conn)
                    .await?;
                    if held {
                        sqlx::query(
                            "INSERT INTO effect (key, task_id, stage, intent_at, done_at, reference) \
                             SELECT value ->> 0, $2, $3, $4, CASE WHEN value ->> 1 THEN $4 END, value ->> 2 \
                             FROM json_each($1) WHERE true \
                             ON CONFLICT (key) DO UPDATE SET task_id = excluded.task_id, stage = excluded.stage, \
                               done_at = excluded.done_at, reference = excluded.reference",
                        )
                        .bind(rows)
                        .bind(by.task)
                        .bind(by.stage)
                        .bind(now)
                        .execute(&mut tx.conn)
                        .await?;
                    }
                    Ok(held)
                })
            })
            .await
    }
}
