//! Counts of requests that the webhook door refused, by hour and reason.

use sqlx::FromRow;

use crate::notices::{self, Raise};
use crate::{Result, Store};

/// What was refused in one hour for one reason.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RejectedHour {
    /// ms UTC / 3600000.
    pub hour: i64,
    /// `unauthorized`, `stale`, `malformed`, `too_large`, `wrong_product`, `rate_limited`,
    /// `not_allowed_ip`, `wrong_host`.
    pub reason: String,
    /// How many.
    pub n: i64,
    /// When the last one came, ms.
    pub last_at: i64,
}

/// Hours that are kept: 90 days.
const KEPT_HOURS: i64 = 90 * 24;

impl Store {
    /// Adds to the counts, and raises notices in the same commit. Counts of more than 90 days ago are dropped.
    ///
    /// # Errors
    /// When the database cannot be written; nothing is counted then.
    pub async fn keep_rejected(&self, rows: Vec<RejectedHour>, notices: Vec<Raise>, now: i64) -> Result<()> {
        self.writer
            .run(move |tx| {
                let (rows, notices) = (rows.clone(), notices.clone());
                Box::pin(async move {
                    for row in &rows {
                        sqlx::query(
                            "INSERT INTO rejected_stat (hour, reason, n, last_at) VALUES ($1, $2, $3, $4) \
                             ON CONFLICT (hour, reason) DO UPDATE SET n = n + excluded.n, last_at = max(last_at, excluded.last_at)",
                        )
                        .bind(row.hour)
                        .bind(&row.reason)
                        .bind(row.n)
                        .bind(row.last_at)
                        .execute(&mut tx.conn)
                        .await?;
                    }
                    sqlx::query("DELETE FROM rejected_stat WHERE hour < $1")
                        .bind(now.div_euclid(3_600_000) - KEPT_HOURS)
                        .execute(&mut tx.conn)
                        .await?;
                    tx.touched.topic("webhooks");
                    for notice in &notices {
                        notices::raise(tx, notice, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// The counts since an hour (ms UTC / 3600000).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn rejected_since(&self, hour: i64) -> Result<Vec<RejectedHour>> {
        let rows = sqlx::query_as(
            "SELECT hour, reason, n, last_at FROM rejected_stat WHERE hour >= $1 ORDER BY hour, reason",
        );
        Ok(rows.bind(hour).fetch_all(&self.reader).await?)
    }

    /// When SePay's last webhook came that was kept, ms UTC. Looks at the last thousand transactions.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn last_webhook_at(&self) -> Result<Option<i64>> {
        Ok(sqlx::query_scalar(
            "SELECT max(e.received_at) FROM (SELECT sepay_id FROM transfer ORDER BY id DESC LIMIT 1000) AS t \
             JOIN sepay_event AS e ON e.sepay_id = t.sepay_id WHERE e.source = 'webhook'",
        )
        .fetch_one(&self.reader)
        .await?)
    }
}
