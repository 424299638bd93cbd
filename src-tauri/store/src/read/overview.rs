//! The Overview in a handful of statements, all of them on roll-ups or short index ranges.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, FromRow, SqliteConnection};

use super::orders::{COLUMNS, MONEY_FLAGS};
use super::tasks::queue;
use super::{AccountRecord, FailureRecord, OrderRecord, QueueRecord};
use crate::{Result, Store};

const HOUR_MS: i64 = 3_600_000;
const WEEK_HOURS: i64 = 7 * 24;
/// Vietnam is seven hours ahead of UTC, all year.
const VIETNAM_HOURS: i64 = 7;
/// A paid order that is not delivered after this long needs the owner, ms.
pub(super) const LATE_MS: i64 = 15 * 60_000;

/// Money by bucket; every đồng in is in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct BucketRecord {
    pub in_vnd: i64,
    pub orders_vnd: i64,
    pub wallets_vnd: i64,
    pub unmatched_vnd: i64,
    pub set_aside_vnd: i64,
    /// Given back to buyers.
    pub refunded_vnd: i64,
    /// The shop's own account: below zero by what adjustments added to wallets.
    pub shop_vnd: i64,
    /// Transfers recorded so far.
    pub transfers: i64,
}

/// Sums over some hours of one day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct DayFigures {
    pub in_vnd: i64,
    pub transfers: i64,
    pub paid: i64,
    pub topups: i64,
    pub completed: i64,
    pub failed: i64,
    /// Money in per hour of the day, 24 numbers.
    pub hours_vnd: Vec<i64>,
}

/// How long the last deliveries took, from payment to completion, ms, shortest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryTimes(pub Vec<i64>);

impl DeliveryTimes {
    /// The time within which `percent` of them were delivered, ms; `None` when there are none.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Option<i64> {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied()
    }
}

/// Counts and times that change with every payment.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct PulseRecord {
    pub unmatched: i64,
    pub unmatched_oldest_at: Option<i64>,
    /// Orders whose money is not what it should be.
    pub flagged: i64,
    pub undelivered: i64,
    /// When the oldest undelivered order was paid.
    pub undelivered_since: Option<i64>,
    pub last_transfer_at: Option<i64>,
    /// Courses on sale.
    pub courses: i64,
}

/// Everything the Overview shows that the database knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OverviewRecord {
    /// Orders by stage.
    pub stages: BTreeMap<String, i64>,
    pub money: BucketRecord,
    pub today: DayFigures,
    /// The same weekday last week, up to the same hour.
    pub before: DayFigures,
    pub delivery: DeliveryTimes,
    pub queue: QueueRecord,
    pub failures: Vec<FailureRecord>,
    pub pulse: PulseRecord,
    pub newest: Vec<OrderRecord>,
    pub accounts: Vec<AccountRecord>,
}

pub(super) const PULSE: &str = "\
SELECT (SELECT count(*) FROM transfer WHERE state = 'unmatched') AS unmatched,
       (SELECT received_at FROM transfer WHERE state = 'unmatched' ORDER BY id LIMIT 1) AS unmatched_oldest_at,
       (SELECT count(*) FROM orders WHERE flags <> 0 AND flags & $1 <> 0) AS flagged,
       (SELECT count(*) FROM orders WHERE stage IN ('paid','processing') AND paid_at <= $2) AS undelivered,
       (SELECT min(paid_at) FROM orders WHERE stage IN ('paid','processing') AND paid_at <= $2) AS undelivered_since,
       (SELECT received_at FROM transfer WHERE id = (SELECT max(id) FROM transfer)) AS last_transfer_at,
       (SELECT count(*) FROM course WHERE active = 1) AS courses";

impl Store {
    /// The Overview as of `now` (ms UTC).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn overview(&self, now: i64) -> Result<OverviewRecord> {
        let mut connection = self.reader.acquire().await?;
        let stages = stages(&mut connection).await?;
        let money = buckets(&mut connection).await?;
        let (today, before) = days(&mut connection, now).await?;
        let mut delivery: Vec<i64> = sqlx::query_scalar(
            "SELECT completed_at - paid_at FROM (SELECT completed_at, paid_at FROM orders WHERE stage = 'completed' \
             ORDER BY id DESC LIMIT 100) WHERE paid_at IS NOT NULL AND completed_at IS NOT NULL",
        )
        .fetch_all(&mut *connection)
        .await?;
        delivery.sort_unstable();
        let queue = queue(&mut connection).await?;
        let failures = super::failures::groups(&mut connection).await?;
        let pulse = sqlx::query_as(PULSE)
            .bind(MONEY_FLAGS)
            .bind(now.saturating_sub(LATE_MS))
            .fetch_one(&mut *connection)
            .await?;
        let newest = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM (SELECT id FROM orders ORDER BY id DESC LIMIT 10) p \
             CROSS JOIN orders o ON o.id = p.id JOIN customer c ON c.id = o.customer_id ORDER BY o.id DESC"
        )))
        .fetch_all(&mut *connection)
        .await?;
        let accounts = super::courses::accounts(&mut connection).await?;
        let delivery = DeliveryTimes(delivery);
        Ok(OverviewRecord {
            stages,
            money,
            today,
            before,
            delivery,
            queue,
            failures,
            pulse,
            newest,
            accounts,
        })
    }

    /// Money by bucket.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn buckets(&self) -> Result<BucketRecord> {
        let mut connection = self.reader.acquire().await?;
        buckets(&mut connection).await
    }

    /// Counts and times behind the attention block and the checklist, as of `now` (ms UTC).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn pulse(&self, now: i64) -> Result<PulseRecord> {
        Ok(sqlx::query_as(PULSE)
            .bind(MONEY_FLAGS)
            .bind(now.saturating_sub(LATE_MS))
            .fetch_one(&self.reader)
            .await?)
    }

    /// Tasks that reached an end since the shop exists, from the tally.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tasks_processed(&self) -> Result<i64> {
        Ok(sqlx::query_scalar(
            "SELECT coalesce(sum(n), 0) FROM tally WHERE name LIKE 'task:%:done' OR name LIKE 'task:%:failed'",
        )
        .fetch_one(&self.reader)
        .await?)
    }
}

async fn stages(connection: &mut SqliteConnection) -> Result<BTreeMap<String, i64>> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT substr(name, 7), n FROM tally WHERE name >= 'order:' AND name < 'order;'")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

async fn buckets(connection: &mut SqliteConnection) -> Result<BucketRecord> {
    // Transfers are never deleted, so the highest id is their number.
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT name, balance_vnd FROM bucket UNION ALL SELECT 'transfers', coalesce(max(id), 0) FROM transfer",
    )
    .fetch_all(connection)
    .await?;
    let mut record = BucketRecord::default();
    for (name, value) in rows {
        match name.as_str() {
            "in" => record.in_vnd = value,
            "orders" => record.orders_vnd = value,
            "wallets" => record.wallets_vnd = value,
            "unmatched" => record.unmatched_vnd = value,
            "set_aside" => record.set_aside_vnd = value,
            "refunded" => record.refunded_vnd = value,
            "shop" => record.shop_vnd = value,
            _ => record.transfers = value,
        }
    }
    Ok(record)
}

#[derive(FromRow)]
struct HourRow {
    hour: i64,
    in_vnd: i64,
    transfers: i64,
    paid: i64,
    topups: i64,
    completed: i64,
    failed: i64,
}

/// Today in Vietnam, and the same weekday last week up to the same hour.
async fn days(connection: &mut SqliteConnection, now: i64) -> Result<(DayFigures, DayFigures)> {
    let (first, this) = hours_of_day(now);
    let rows: Vec<HourRow> = sqlx::query_as(
        "SELECT hour, in_vnd, transfers, paid, topups, completed, failed FROM hour_stat \
         WHERE hour BETWEEN $1 AND $2 OR hour BETWEEN $3 AND $4",
    )
    .bind(first)
    .bind(first + 23)
    .bind(first - WEEK_HOURS)
    .bind(this - WEEK_HOURS)
    .fetch_all(connection)
    .await?;
    Ok((figures(&rows, first), figures(&rows, first - WEEK_HOURS)))
}

/// The first hour of Vietnam's day around `now`, and the hour of `now`, as numbers of `hour_stat`.
pub(super) fn hours_of_day(now: i64) -> (i64, i64) {
    let this = now.div_euclid(HOUR_MS);
    ((this + VIETNAM_HOURS).div_euclid(24) * 24 - VIETNAM_HOURS, this)
}

fn figures(rows: &[HourRow], first: i64) -> DayFigures {
    let mut day = DayFigures { hours_vnd: vec![0; 24], ..DayFigures::default() };
    for row in rows {
        let Some(hour) = usize::try_from(row.hour - first).ok().filter(|hour| *hour < 24) else {
            continue;
        };
        day.in_vnd = day.in_vnd.saturating_add(row.in_vnd);
        day.transfers += row.transfers;
        day.paid += row.paid;
        day.topups += row.topups;
        day.completed += row.completed;
        day.failed += row.failed;
        day.hours_vnd[hour] = row.in_vnd;
    }
    day
}
