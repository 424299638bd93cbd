//! The yardstick of `cargo xtask bench`: what bare SQLite commits here, and shops of a size to measure in.
//!
//! Only the bench program calls it. Rows are made as the real paths leave them, many at a time.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection};

use crate::{Result, Store};

/// Commits in one call: far fewer crossings to SQLite's thread than commits, as a program in C would have.
const GROUP: usize = 16;

/// How fast single commits are.
#[derive(Debug, Clone, Copy)]
pub struct Raw {
    /// Commits per second.
    pub per_s: f64,
    /// Median time of one commit, taken over groups of 16.
    pub p50: Duration,
}

/// A database file with nothing but rows of 400 bytes and the pragmas of a shop.
pub struct RawFile {
    connection: sqlx::SqliteConnection,
    path: std::path::PathBuf,
}

impl RawFile {
    /// Makes one in `directory`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn create(directory: &Path) -> Result<Self> {
        let path = directory.join("raw-commits.db");
        // With SQLite's own checkpoints: the file has nobody else to do them.
        let options = crate::open::options(&path)?.pragma("wal_autocheckpoint", "1000");
        let mut connection = options.connect().await?;
        sqlx::query("CREATE TABLE row (id INTEGER PRIMARY KEY, body TEXT NOT NULL, at INTEGER NOT NULL)")
            .execute(&mut connection)
            .await?;
        Ok(Self { connection, path })
    }

    /// Commits `count` transactions of one row each in one call.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn commit(&mut self, count: usize) -> Result<()> {
        let rows = "INSERT INTO row (body, at) VALUES ($1, $2);".repeat(count);
        sqlx::query(sqlx::AssertSqlSafe(rows))
            .bind("x".repeat(400))
            .bind(1_i64)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Closes and removes it.
    ///
    /// # Errors
    /// When the file cannot be closed.
    pub async fn remove(self) -> Result<()> {
        self.connection.close().await?;
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.path.display()));
        }
        Ok(())
    }
}

/// Commits one row of 400 bytes a transaction for `time`, with the pragmas of a shop, into a file of its own
/// in `directory`, which is removed afterwards.
///
/// # Errors
/// When the file cannot be written.
#[allow(clippy::disallowed_methods)] // measures real time
pub async fn raw_commits(directory: &Path, time: Duration) -> Result<Raw> {
    let mut file = RawFile::create(directory).await?;
    let mut took = Vec::new();
    let started = Instant::now();
    while started.elapsed() < time {
        let before = Instant::now();
        file.commit(GROUP).await?;
        took.push(before.elapsed());
    }
    let elapsed = started.elapsed();
    file.remove().await?;
    let commits = (took.len() * GROUP) as f64;
    took.sort_unstable();
    Ok(Raw { per_s: commits / elapsed.as_secs_f64(), p50: took[took.len() / 2] / GROUP as u32 })
}

/// Adds `count` unpaid orders of the first ready course, by 1,000 buyers. Returns code and total, whole đồng.
///
/// # Errors
/// When no course is ready, or the database cannot be written.
pub async fn seed_orders(store: &Store, count: u32, now: i64) -> Result<Vec<(String, i64)>> {
    store
        .writer
        .run(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
                     INSERT INTO customer (email, email_key, name, deposit_code, created_at) \
                       SELECT 'buyer' || i || '@example.com', 'buyer' || i || '@example.com', 'Buyer ' || i, \
                              'NAP' || replace(replace(printf('%07d', i), '0', 'B'), '1', 'C'), $1 FROM n WHERE true \
                     ON CONFLICT DO NOTHING",
                )
                .bind(now)
                .execute(&mut tx.conn)
                .await?;
                // Codes lie all over their index, as drawn ones do: 7919 has no divisor in common with a million.
                let rows = sqlx::query_as(
                    "WITH RECURSIVE n (i) AS (SELECT (SELECT coalesce(max(id), 0) FROM orders) + 1 \
                                              UNION ALL SELECT i + 1 FROM n LIMIT $2) \
                     INSERT INTO orders (code, customer_id, stage, total_vnd, channel, summary, created_at, expires_at) \
                       SELECT 'DH' || printf('%06d', i * 7919 % 1000000), \
                              (SELECT id FROM customer WHERE email_key = 'buyer' || (1 + i % 1000) || '@example.com'), \
                              'pending', c.price_vnd, 'owner', c.title, $1, $1 + 3600000 \
                         FROM n, (SELECT title, price_vnd FROM course WHERE ready = 1 ORDER BY id LIMIT 1) AS c WHERE true \
                     ON CONFLICT DO NOTHING RETURNING code, total_vnd",
                )
                .bind(now)
                .bind(i64::from(count))
                .fetch_all(&mut tx.conn)
                .await?;
                sqlx::query(
                    "INSERT INTO order_item (order_id, course_id, price_vnd) \
                       SELECT o.id, c.id, c.price_vnd \
                         FROM orders AS o, (SELECT id, price_vnd FROM course WHERE ready = 1 ORDER BY id LIMIT 1) AS c \
                        WHERE o.stage = 'pending' AND NOT EXISTS (SELECT 1 FROM order_item WHERE order_id = o.id)",
                )
                .execute(&mut tx.conn)
                .await?;
                Ok(rows)
            })
        })
        .await
}

/// Adds `count` ready deliveries of no order, at their last stage.
///
/// # Errors
/// When the database cannot be written.
pub async fn seed_ready(store: &Store, count: u32, now: i64) -> Result<()> {
    store
        .writer
        .run(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
                     INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, created_at) \
                       SELECT 'deliver_order', 'order', 1 + i % 3, 'ready', 'mail', $2, 8, $2 FROM n",
                )
                .bind(i64::from(count))
                .bind(now)
                .execute(&mut tx.conn)
                .await?;
                tx.ready(["order"].into_iter());
                Ok(())
            })
        })
        .await
}

/// Adds `count` failed orders, each with its failed delivery, all of one cause.
///
/// # Errors
/// When the database cannot be written.
pub async fn seed_failed(store: &Store, count: u32, now: i64) -> Result<()> {
    seed_orders(store, count, now).await?;
    store
        .writer
        .run(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE orders SET stage = 'failed' WHERE stage = 'pending'; \
                     UPDATE order_item SET delivery = 'failed'; \
                     INSERT INTO task (kind, lane, state, stage, run_at, attempt, max_attempt, dedupe_key, order_id, \
                                       err_class, err_code, err_group, err_detail, created_at, finished_at) \
                       SELECT 'deliver_order', 'order', 'failed', 'mail', $1, 8, 8, 'deliver:' || id, id, \
                              'transient', 'mail_unreachable', 'deliver_order:mail:mail_unreachable', 'connection refused', $1, $1 \
                         FROM orders WHERE stage = 'failed'",
                )
                .bind(now)
                .execute(&mut tx.conn)
                .await?;
                Ok(())
            })
        })
        .await
}

/// A commit as small as they get.
///
/// # Errors
/// When the database cannot be written.
pub async fn small_commit(store: &Store) -> Result<()> {
    store
        .writer
        .run(|tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO hour_stat (hour) VALUES (1) ON CONFLICT DO UPDATE SET paid = paid + 1",
                )
                .execute(&mut tx.conn)
                .await?;
                Ok(())
            })
        })
        .await
}
