//! Bringing tasks into being, inside the commit that causes them.

use chotdon_domain::task::backoff_ms;

use crate::Result;
use crate::queue::prepare_key;
use crate::writer::Tx;

/// Makes sure that one version of a course is being prepared or is about to be: there is one such task for ever.
/// One that failed is started again, because a new buyer is a good reason to look whether the cause is gone.
pub(crate) async fn ensure_prepared(tx: &mut Tx, course: i64, version: i64, now: i64) -> Result<()> {
    let lanes: Vec<String> = sqlx::query_scalar(
        "INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, dedupe_key, course_id, course_version, created_at) \
           SELECT 'prepare_course', 'course', 1, 'ready', 'fetch', $4, $5, $3, $1, $2, $4 \
            WHERE NOT EXISTS (SELECT 1 FROM task WHERE course_id = $1 AND course_version = $2 AND kind = 'prepare_course' \
                                AND state <> 'cancelled') \
              AND NOT EXISTS (SELECT 1 FROM course_version WHERE course_id = $1 AND version = $2) \
           RETURNING lane; \
         UPDATE task SET state = 'ready', attempt = 0, reclaims = 0, lease_epoch = lease_epoch + 1, finished_at = NULL, run_at = $4 \
          WHERE course_id = $1 AND course_version = $2 AND kind = 'prepare_course' AND state = 'failed' \
          RETURNING lane",
    )
    .bind(course)
    .bind(version)
    .bind(prepare_key(course, version))
    .bind(now)
    .bind(tx.tuning.max_attempt())
    .fetch_all(&mut tx.conn)
    .await?;
    tx.ready(lanes.iter().map(String::as_str));
    Ok(())
}

/// What a task takes back outside.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Taking {
    /// Grants at other systems.
    Grants,
    /// Places at learning platforms.
    Places,
}

/// Queues the task that takes back what an order's buyer was given. The order is not named in the task's row: whatever
/// becomes of the task, the order stays as it is. `mark` tells one occasion from the next.
pub(crate) async fn take_back(tx: &mut Tx, what: Taking, order: i64, mark: i64, now: i64) -> Result<()> {
    let (key, name) = match what {
        Taking::Grants => ("revoke", "order"),
        Taking::Places => ("unenrol", "unenrol"),
    };
    sqlx::query(
        "INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, dedupe_key, payload, created_at) \
           VALUES ('revoke_access', 'order', 1, 'ready', 'revoke', $3, $4, $5 || ':' || $1 || ':' || $2, \
                   json_object($6, $1), $3) \
         ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL AND state NOT IN ('done','failed','cancelled') DO NOTHING",
    )
    .bind(order)
    .bind(mark)
    .bind(now)
    .bind(tx.tuning.max_attempt())
    .bind(key)
    .bind(name)
    .execute(&mut tx.conn)
    .await?;
    tx.ready(["order"].into_iter());
    Ok(())
}

/// Backoff of a failed attempt with this process's randomness, ms.
#[must_use]
pub fn jittered_backoff_ms(base_ms: i64, attempt: i64) -> i64 {
    backoff_ms(base_ms, attempt, i64::from(rand::random_range(0..=1000_u16)))
}
