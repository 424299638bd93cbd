//! Failed tasks, grouped by cause, with what they hold up.

use sqlx::{FromRow, SqliteConnection};

use crate::{Result, Store};

const GROUPS: i64 = 100;

/// Failed tasks with one cause.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct FailureRecord {
    /// Key of the cause.
    pub err_group: String,
    pub kind: String,
    pub stage: String,
    pub err_class: String,
    pub err_code: String,
    /// Detail of the newest one.
    pub err_detail: String,
    pub count: i64,
    /// Orders held up, those waiting for a failed preparation included.
    pub orders: i64,
    /// What those orders cost together, whole đồng.
    pub amount_vnd: i64,
    pub first_at: i64,
    pub last_at: i64,
    /// JSON list of up to five order codes, newest first.
    pub sample_orders: String,
    /// JSON list of up to five course titles.
    pub sample_courses: String,
}

// One statement: the groups (read from the covering index of failed tasks alone), the orders each holds up,
// samples of both.
pub(super) const SQL: &str = "\
WITH failed AS NOT MATERIALIZED (
  SELECT id, err_group, order_id, course_id, dedupe_key, coalesce(finished_at, created_at) AS at
    FROM task WHERE state = 'failed' AND err_group > ''
), groups AS (
  SELECT err_group, count(*) AS count, min(at) AS first_at, max(at) AS last_at, max(id) AS newest
    FROM failed GROUP BY err_group ORDER BY count(*) DESC LIMIT $1
), held AS MATERIALIZED (
  SELECT err_group, order_id FROM failed WHERE order_id IS NOT NULL
  UNION
  SELECT f.err_group, w.order_id FROM failed f CROSS JOIN task w
    WHERE f.dedupe_key IS NOT NULL AND w.waits_on = f.dedupe_key AND w.state = 'scheduled' AND w.order_id IS NOT NULL
), sums AS (
  SELECT h.err_group, count(*) AS orders, sum(o.total_vnd) AS amount_vnd
    FROM held h CROSS JOIN orders o ON o.id = h.order_id GROUP BY h.err_group
), courses AS MATERIALIZED (
  SELECT DISTINCT err_group, course_id FROM failed WHERE course_id IS NOT NULL
)
SELECT g.err_group, t.kind, t.stage, coalesce(t.err_class, 'permanent') AS err_class,
       coalesce(t.err_code, 'internal') AS err_code, coalesce(t.err_detail, '') AS err_detail, g.count,
       coalesce(s.orders, 0) AS orders, coalesce(s.amount_vnd, 0) AS amount_vnd, g.first_at, g.last_at,
       (SELECT json_group_array(o.code) FROM (SELECT order_id FROM held h WHERE h.err_group = g.err_group
          ORDER BY order_id DESC LIMIT 5) n CROSS JOIN orders o ON o.id = n.order_id) AS sample_orders,
       (SELECT json_group_array(k.title) FROM (SELECT course_id FROM courses c WHERE c.err_group = g.err_group
          ORDER BY course_id LIMIT 5) n CROSS JOIN course k ON k.id = n.course_id) AS sample_courses
  FROM groups g CROSS JOIN task t ON t.id = g.newest
  LEFT JOIN sums s ON s.err_group = g.err_group
 ORDER BY g.count DESC, g.err_group";

impl Store {
    /// Failed tasks grouped by cause, the largest group first, at most 100 groups.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn failures(&self) -> Result<Vec<FailureRecord>> {
        let mut connection = self.reader.acquire().await?;
        groups(&mut connection).await
    }

    /// When a task that had failed attempts was last finished after all, ms UTC. Looks at the newest 200 attempts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn last_resolved_at(&self) -> Result<Option<i64>> {
        Ok(sqlx::query_scalar(
            "SELECT max(t.finished_at) FROM (SELECT task_id FROM attempt ORDER BY id DESC LIMIT 200) a \
             CROSS JOIN task t ON t.id = a.task_id WHERE t.state = 'done'",
        )
        .fetch_one(&self.reader)
        .await?)
    }
}

pub(super) async fn groups(connection: &mut SqliteConnection) -> Result<Vec<FailureRecord>> {
    Ok(sqlx::query_as(SQL).bind(GROUPS).fetch_all(connection).await?)
}
