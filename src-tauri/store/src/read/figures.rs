//! The figures of a shop for monitors: tallies, buckets and short index ranges, so that asking costs the same with a
//! million orders.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::{BucketRecord, QueueRecord};
use crate::{Result, Store};

/// A paid order that is not delivered after this long is late, ms.
const LATE_MS: i64 = super::overview::LATE_MS;

pub(super) const GROUPS: &str =
    "SELECT err_group, count(*) FROM task WHERE state = 'failed' AND err_group > '' GROUP BY err_group";
pub(super) const MOMENTS: &str = "\
SELECT (SELECT count(*) FROM transfer WHERE state = 'unmatched') AS unmatched,
       (SELECT count(*) FROM orders WHERE stage IN ('paid','processing') AND paid_at <= $1) AS late,
       (SELECT count(*) FROM notice WHERE state <> 'resolved' AND class = 1) AS stopped,
       (SELECT count(*) FROM notice WHERE state <> 'resolved' AND class = 2) AS needs_owner,
       (SELECT received_at FROM transfer WHERE id = (SELECT max(id) FROM transfer)) AS last_transfer_at,
       (SELECT ended_at FROM reconcile_run WHERE state = 'done' ORDER BY id DESC LIMIT 1) AS reconciled_at,
       (SELECT at FROM backup_run WHERE file IS NOT NULL AND code IS NULL ORDER BY id DESC LIMIT 1) AS backed_up_at";

/// What is counted at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Orders by stage.
    pub stages: BTreeMap<String, i64>,
    /// Tasks by lane and state.
    pub tasks: Vec<(String, String, i64)>,
    /// Failed tasks by kind and stage.
    pub failed: Vec<(String, String, i64)>,
    /// Lanes with their oldest due task.
    pub queue: QueueRecord,
    /// Money by bucket.
    pub money: BucketRecord,
    /// SePay's listed money in less ours, whole đồng.
    pub difference_vnd: i64,
    /// Counts and times of their own.
    pub moments: Moments,
}

/// Counts and times, ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromRow)]
pub struct Moments {
    /// Transfers that wait for the owner.
    pub unmatched: i64,
    /// Paid orders without their course for more than 15 minutes.
    pub late: i64,
    /// Notices of class 1 that are not resolved.
    pub stopped: i64,
    /// Notices of class 2 that are not resolved.
    pub needs_owner: i64,
    /// When the last transfer was recorded.
    pub last_transfer_at: Option<i64>,
    /// When the last reconciliation ended well.
    pub reconciled_at: Option<i64>,
    /// When the last copy of the shop was made.
    pub backed_up_at: Option<i64>,
}

impl Store {
    /// The shop's figures as of `now` (ms UTC).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn figures(&self, now: i64) -> Result<Figures> {
        let mut connection = self.reader.acquire().await?;
        let tallies: Vec<(String, i64)> = sqlx::query_as(
            "SELECT name, n FROM tally WHERE name >= 'order:' AND name < 'order;' OR name >= 'task:' AND name < 'task;'",
        )
        .fetch_all(&mut *connection)
        .await?;
        let (mut stages, mut tasks) = (BTreeMap::new(), Vec::new());
        for (name, n) in tallies {
            match name.split(':').collect::<Vec<_>>()[..] {
                ["order", stage] => drop(stages.insert(stage.to_owned(), n)),
                ["task", lane, state] => tasks.push((lane.to_owned(), state.to_owned(), n)),
                _ => {}
            }
        }
        let groups: Vec<(String, i64)> = sqlx::query_as(GROUPS).fetch_all(&mut *connection).await?;
        let queue = super::tasks::queue(&mut connection).await?;
        let moments =
            sqlx::query_as(MOMENTS).bind(now.saturating_sub(LATE_MS)).fetch_one(&mut *connection).await?;
        drop(connection);
        Ok(Figures {
            stages,
            tasks,
            failed: by_stage(&groups),
            queue,
            money: self.buckets().await?,
            difference_vnd: self.sepay_difference().await?,
            moments,
        })
    }
}

/// Groups are `kind:stage:code`; codes are too many for a monitor.
fn by_stage(groups: &[(String, i64)]) -> Vec<(String, String, i64)> {
    let mut sums: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for (group, n) in groups {
        let mut words = group.split(':');
        let key = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        *sums.entry(key).or_default() += n;
    }
    sums.into_iter().map(|((kind, stage), n)| (kind.to_owned(), stage.to_owned(), n)).collect()
}
