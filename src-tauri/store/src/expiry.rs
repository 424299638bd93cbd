//! Access that ends by the app's own clock: grants at other systems, and places at learning platforms.
//!
//! What is over is marked in one commit, which also queues the tasks that take it back outside. What another living
//! order of the same buyer stands for stays there: the tasks ask. The core's timer calls this, and at every start.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::enqueue::{Taking, take_back};
use crate::orders::tell;
use crate::writer::Tx;
use crate::{Result, Store};

/// Grants, and places, that end in one commit.
const MOST_AT_ONCE: i64 = 200;

const NEXT: &str = "\
SELECT min(at) FROM (\
  SELECT min(expires_at) AS at FROM access_grant WHERE state = 'granted' AND expires_at IS NOT NULL \
  UNION ALL SELECT min(until_at) FROM enrolment WHERE state = 'enrolled' AND until_at IS NOT NULL)";

const GRANTS: &str = "\
UPDATE access_grant SET state = 'revoking', why = 'expired' WHERE id IN \
  (SELECT id FROM access_grant WHERE state = 'granted' AND expires_at IS NOT NULL AND expires_at <= $1 \
    ORDER BY expires_at LIMIT $2) \
RETURNING order_id, id";

const PLACES: &str = "\
UPDATE enrolment SET state = 'revoking' WHERE id IN \
  (SELECT id FROM enrolment WHERE state = 'enrolled' AND until_at IS NOT NULL AND until_at <= $1 \
    ORDER BY until_at LIMIT $2) \
RETURNING (SELECT order_id FROM order_item WHERE id = order_item_id), id";

impl Store {
    /// Lets access end whose time is over at `now` (ms). Returns how many grants and places ended, and when the next
    /// one is due (ms).
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn expire_access(&self, now: i64) -> Result<(usize, Option<i64>)> {
        let due: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(&self.reader).await?;
        if due.is_none_or(|at| at > now) {
            return Ok((0, due));
        }
        let ended = self.writer.run(move |tx| Box::pin(async move { end(tx, now).await })).await?;
        Ok((ended, sqlx::query_scalar(NEXT).fetch_one(&self.reader).await?))
    }
}

async fn end(tx: &mut Tx, now: i64) -> Result<usize> {
    let (mut ended, mut told) = (0, BTreeSet::new());
    for (what, script) in [(Taking::Grants, GRANTS), (Taking::Places, PLACES)] {
        let over: Vec<(i64, i64)> =
            sqlx::query_as(script).bind(now).bind(MOST_AT_ONCE).fetch_all(&mut tx.conn).await?;
        ended += over.len();
        let mut last: BTreeMap<i64, i64> = BTreeMap::new();
        for (order, id) in over {
            let highest = last.entry(order).or_insert(id);
            *highest = (*highest).max(id);
        }
        for (order, id) in last {
            take_back(tx, what, order, id, now).await?;
            if !told.insert(order) {
                continue;
            }
            tell(tx, order, now, "access_expired", &json!({}), "system").await?;
            let code: String = sqlx::query_scalar("SELECT code FROM orders WHERE id = $1")
                .bind(order)
                .fetch_one(&mut tx.conn)
                .await?;
            tx.orders_changed([code]);
        }
    }
    Ok(ended)
}
