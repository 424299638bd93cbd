//! An empty shop filled with made-up orders, so that lists can be measured at any size.

use sqlx::Row;

use crate::{Error, Result, Store};

const CHUNK: i64 = 20_000;
const DAY_MS: i64 = 86_400_000;

// Names and titles repeat as they do among real customers: a few family names cover most people.
const ORDERS: &str = "\
WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
INSERT INTO orders (id, code, customer_id, stage, flags, total_vnd, paid_vnd, prio, channel, summary, created_at, expires_at, paid_at, completed_at)
SELECT i, printf('DH%06d', i % 1000000), 1 + i % $5,
       CASE WHEN i % 97 = 0 THEN 'failed' WHEN i % 50 = 1 THEN 'pending' WHEN i % 50 = 2 THEN 'expired' WHEN i % 5000 = 3 THEN 'processing' ELSE 'completed' END,
       CASE WHEN i % 1009 = 0 THEN 2 ELSE 0 END, 99000 + 100000 * (i % 7), 99000 + 100000 * (i % 7), 2, 'storefront',
       CASE i % 3 WHEN 0 THEN 'Rust cơ bản' WHEN 1 THEN 'Nhiếp ảnh' ELSE 'Tiếng Anh' END,
       $3 - ($4 - i) * 60000, $3 - ($4 - i) * 60000 + 86400000, $3 - ($4 - i) * 60000 + 30000, $3 - ($4 - i) * 60000 + 45000 FROM n";
const SEARCH: &str = "\
WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
INSERT INTO order_search (rowid, text)
SELECT i, printf('dh%06d ', i % 1000000) || c.name || ' ' || c.email_key || ' ' || c.phone || CASE i % 3 WHEN 0 THEN ' rust co ban' WHEN 1 THEN ' nhiep anh' ELSE ' tieng anh' END
  FROM n CROSS JOIN customer c ON c.id = 1 + n.i % $3";
const TASKS: &str = "\
WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
INSERT INTO task (kind, lane, state, stage, run_at, max_attempt, attempt, order_id, created_at, finished_at, err_class, err_code, err_group, err_detail)
SELECT 'deliver_order', 'order', CASE WHEN i % 97 = 0 THEN 'failed' ELSE 'done' END, 'mail', $3, 8, 1, i, $3, $3,
       iif(i % 97 = 0, 'permanent', NULL), iif(i % 97 = 0, 'mail_refused', NULL), iif(i % 97 = 0, 'deliver_order:mail:mail_refused', NULL), iif(i % 97 = 0, '550', NULL) FROM n";
const TIMELINE: &str = "\
WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
INSERT INTO timeline (order_id, at, kind) SELECT i, $3, k FROM n, (SELECT 'created' AS k UNION ALL SELECT 'booked' UNION ALL SELECT 'completed')";

impl Store {
    /// Fills an empty shop with `count` orders of the last months up to `now` (ms UTC), with tasks, timeline and
    /// search text; four orders to a customer. For measurements, never for a shop in use.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the shop has orders already.
    pub async fn seed_orders(&self, count: i64, now: i64) -> Result<()> {
        let customers = (count / 4).max(1);
        let taken = self
            .writer
            .run(move |tx| {
                Box::pin(async move {
                    let row = sqlx::query("SELECT EXISTS (SELECT 1 FROM orders)").fetch_one(&mut tx.conn).await?;
                    if row.try_get::<bool, _>(0)? {
                        return Ok(true);
                    }
                    sqlx::query(
                        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
                         INSERT INTO customer (id, email, email_key, name, phone, deposit_code, created_at) \
                         SELECT i, 'buyer' || i || '@example.com', 'buyer' || i || '@example.com', \
                         CASE WHEN i % 5 < 2 THEN 'nguyen' WHEN i % 5 = 2 THEN 'tran' WHEN i % 5 = 3 THEN 'le' ELSE 'pham' END \
                         || CASE i % 4 WHEN 0 THEN ' duc thang' WHEN 1 THEN ' thi lan' WHEN 2 THEN ' van an' ELSE ' minh ngoc' END, \
                         printf('09%08d', i), printf('NAPSEED%d', i), $2 FROM n",
                    )
                    .bind(customers)
                    .bind(now - 90 * DAY_MS)
                    .execute(&mut tx.conn)
                    .await?;
                    Ok(false)
                })
            })
            .await?;
        if taken {
            return Err(Error::Conflict("only an empty shop is filled with made-up orders".to_owned()));
        }
        let mut first = 1;
        while first <= count {
            let last = (first + CHUNK - 1).min(count);
            self.writer
                .run(move |tx| {
                    Box::pin(async move {
                        let query =
                            sqlx::query(ORDERS).bind(first).bind(last).bind(now).bind(count).bind(customers);
                        query.execute(&mut tx.conn).await?;
                        sqlx::query(SEARCH)
                            .bind(first)
                            .bind(last)
                            .bind(customers)
                            .execute(&mut tx.conn)
                            .await?;
                        sqlx::query(TASKS).bind(first).bind(last).bind(now).execute(&mut tx.conn).await?;
                        sqlx::query(TIMELINE).bind(first).bind(last).bind(now).execute(&mut tx.conn).await?;
                        Ok(())
                    })
                })
                .await?;
            first = last + 1;
        }
        Ok(())
    }
}
