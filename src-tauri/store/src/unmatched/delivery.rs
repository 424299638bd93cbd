//! The delivery of an order that was settled by hand: held for a while, and taken back while it has not begun.

use serde_json::json;
use sqlx::SqliteConnection;

use super::{Hand, OrderRow};
use crate::Result;
use crate::enqueue::ensure_prepared;
use crate::orders::tell;
use crate::writer::Tx;

/// Queues the delivery for after the hold. Its courses are prepared meanwhile: that gives nobody access.
pub(super) async fn queue(tx: &mut Tx, order: &OrderRow, hand: &Hand) -> Result<()> {
    let courses: Vec<(i64, i64, bool, String)> = sqlx::query_as(
        "SELECT c.id, c.version, c.ready, c.title FROM order_item AS i JOIN course AS c ON c.id = i.course_id \
         WHERE i.order_id = $1 ORDER BY i.id",
    )
    .bind(order.id)
    .fetch_all(&mut tx.conn)
    .await?;
    for (course, version, ready, title) in &courses {
        let kind = if *ready { "course_ready" } else { "course_waiting" };
        tell(tx, order.id, hand.now, kind, &json!({ "course": title }), "system").await?;
        if !ready {
            ensure_prepared(tx, *course, *version, hand.now).await?;
        }
    }
    let run_at = hand.now.saturating_add(hand.hold_ms.max(0));
    let state = if run_at > hand.now { "scheduled" } else { "ready" };
    sqlx::query(
        "UPDATE order_item SET delivery = 'preparing' WHERE order_id = $1 AND delivery = 'waiting' \
           AND course_id IN (SELECT id FROM course WHERE ready = 0); \
         INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, dedupe_key, order_id, created_at) \
           VALUES ('deliver_order', 'order', $2, $3, 'share', $4, $5, 'deliver:' || $1, $1, $6) \
         ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL AND state NOT IN ('done','failed','cancelled') DO NOTHING",
    )
    .bind(order.id)
    .bind(order.prio)
    .bind(state)
    .bind(run_at)
    .bind(tx.tuning.max_attempt())
    .bind(hand.now)
    .execute(&mut tx.conn)
    .await?;
    if state == "ready" {
        tx.ready(["order"].into_iter());
    } else {
        tx.touched.scheduled = true;
        tx.touched.topic("queue");
    }
    Ok(())
}

/// Whether a delivery of the order has begun to run, so that it cannot be taken for not having happened.
pub(super) async fn begun(connection: &mut SqliteConnection, order: i64) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM task AS t WHERE order_id = $1 AND kind = 'deliver_order' \
           AND (state IN ('running', 'done', 'failed') OR attempt > 0 \
                OR EXISTS (SELECT 1 FROM task_stage WHERE task_id = t.id)))",
    )
    .bind(order)
    .fetch_one(connection)
    .await?)
}

/// When the held delivery begins, ms UTC; `None` when none is held.
pub(super) async fn due(connection: &mut SqliteConnection, order: i64) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar(
        "SELECT run_at FROM task WHERE order_id = $1 AND kind = 'deliver_order' AND state = 'scheduled' \
           AND waits_on IS NULL ORDER BY id DESC LIMIT 1",
    )
    .bind(order)
    .fetch_optional(connection)
    .await?)
}

/// Takes the delivery out of the queue; false when it has begun.
pub(super) async fn take_back(tx: &mut Tx, order: i64, now: i64) -> Result<bool> {
    if begun(&mut tx.conn, order).await? {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE task SET state = 'cancelled', lease_epoch = lease_epoch + 1, finished_at = $2 \
           WHERE order_id = $1 AND kind = 'deliver_order' AND state IN ('scheduled', 'ready'); \
         UPDATE order_item SET delivery = 'waiting' WHERE order_id = $1 AND delivery = 'preparing'",
    )
    .bind(order)
    .bind(now)
    .execute(&mut tx.conn)
    .await?;
    tx.touched.topic("queue");
    Ok(true)
}
