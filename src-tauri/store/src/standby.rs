//! A claim that stands ready: an idle pool leaves it with the writer, and whichever commit makes tasks of the
//! order lane ready leases them in that same commit. A buyer's delivery then begins without a commit of its own; one
//! that a payment queues is leased from its first moment.
//!
//! The pool puts it up and takes it down; claims by request are in `queue`.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tokio::sync::mpsc;

use chotdon_domain::task::Lane;

use crate::queue::{Claimed, claimed, lease};
use crate::writer::{Script, Tx, script};
use crate::{Result, Store};

/// The lane that buyers wait for, the only one with a standing claim.
const LANE: Lane = Lane::Order;

/// A standing wish for tasks of the order lane.
#[derive(Clone)]
pub struct Standing {
    /// At most this many, in all.
    pub limit: i64,
    /// Boot id of this process.
    pub owner: String,
    /// How long a lease lasts, ms.
    pub lease_ms: i64,
    /// Reads the clock, ms: the lease begins when a commit takes the wish up.
    pub now: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Gets the leased tasks once the commit is durable; an empty list when it took the wish up and came to nothing.
    pub grants: mpsc::UnboundedSender<Vec<Claimed>>,
}

/// Where it stands.
#[derive(Clone, Default)]
pub(crate) struct Standby(Arc<Mutex<Option<Standing>>>);

impl std::fmt::Debug for Standby {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Standby")
    }
}

impl Standby {
    fn replace(&self, standing: Option<Standing>) -> Option<Standing> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), standing)
    }
}

impl Store {
    /// Puts up a claim for tasks of the order lane that commits to come make ready. It is good for one commit.
    pub fn stand_by(&self, standing: Standing) {
        self.writer.standby.replace(Some(standing));
    }

    /// Takes the standing claim down. True when no commit has taken it up; else its grant is on its way.
    pub fn stand_down(&self) -> bool {
        self.writer.standby.replace(None).is_some()
    }
}

/// A standing claim that the present commit takes up.
pub(crate) struct Taken {
    standing: Standing,
    now: i64,
    claimed: Vec<Claimed>,
}

/// The lease under which a commit's own tasks begin.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Lease {
    owner: String,
    until: i64,
    pub(crate) started_at: i64,
}

/// Leases ready tasks of the order lane unless it is paused, and moves their orders.
const CLAIM: Script = script!(concat!(
    lease!(
        owner: ["$1"],
        until: ["$2"],
        now: ["$3"],
        which: [
            "lane = 'order' AND NOT EXISTS (SELECT 1 FROM lane WHERE name = 'order' AND paused_at IS NOT NULL ",
            "AND (until IS NULL OR until > $3)) ORDER BY prio, id LIMIT $4"
        ]
    ),
    "; ",
    "UPDATE orders SET stage = 'processing' WHERE stage = 'paid' AND id IN (SELECT order_id FROM task ",
    "WHERE state = 'running' AND lease_until = $2 AND lease_owner = $1) RETURNING code"
));

/// Reads the tasks above an id that run: those that began in the commit that queued them, each beside whether the lane
/// has more that is ready.
macro_rules! begun {
    ($above:literal) => {
        concat!(
            "SELECT ",
            $crate::queue::claimed_columns!(),
            ", EXISTS (SELECT 1 FROM task WHERE lane = 'order' AND state = 'ready') AS more \
             FROM task WHERE id > ",
            $above,
            " AND state = 'running'"
        )
    };
}
pub(crate) use begun;

impl Tx {
    /// Takes the standing claim up, if there is one: the lease, and how many tasks it is good for.
    pub(crate) fn take_standing(&mut self) -> Option<(Lease, i64)> {
        let standing = self.standby.replace(None)?;
        let now = (standing.now)();
        let lease = Lease { owner: standing.owner.clone(), until: now + standing.lease_ms, started_at: now };
        let limit = standing.limit;
        self.taken = Some(Taken { standing, now, claimed: Vec::new() });
        Some((lease, limit))
    }

    /// Keeps for the pool the tasks that [`begun`] read.
    pub(crate) fn note_begun(&mut self, rows: &[SqliteRow]) -> Result<()> {
        let mut more = rows.is_empty();
        for row in rows {
            more |= row.try_get::<bool, _>("more")?;
            self.note_granted(row)?;
        }
        if !more {
            // Nothing is left in the lane that the pool would have to be woken for.
            self.touched.lanes.remove(LANE.as_str());
        }
        Ok(())
    }

    fn note_granted(&mut self, row: &SqliteRow) -> Result<()> {
        if let Some(taken) = &mut self.taken {
            taken.claimed.push(claimed(row, taken.now)?);
        }
        Ok(())
    }

    /// Reads what the standing claim's script returned: tasks, and codes of orders.
    fn note_claimed(&mut self, rows: &[SqliteRow], limit: i64) -> Result<()> {
        let mut codes: Vec<String> = Vec::new();
        for row in rows {
            match row.try_get("code") {
                Ok(code) => codes.push(code),
                Err(_) => self.note_granted(row)?,
            }
        }
        if i64::try_from(rows.len() - codes.len()).unwrap_or(i64::MAX) < limit {
            self.touched.lanes.remove(LANE.as_str());
        }
        self.orders_changed(codes);
        Ok(())
    }

    /// Ends the transaction, with the standing claim when it made tasks ready for it.
    pub(crate) async fn end(&mut self) -> Result<()> {
        let made_ready = self.touched.lanes.contains(LANE.as_str());
        self.set_last(true);
        match made_ready.then(|| self.take_standing()).flatten() {
            None => {
                sqlx::query("COMMIT").execute(&mut self.conn).await?;
            }
            Some((lease, limit)) => {
                let rows = sqlx::query(self.closing(&CLAIM))
                    .bind(lease.owner)
                    .bind(lease.until)
                    .bind(lease.started_at)
                    .bind(limit)
                    .fetch_all(&mut self.conn)
                    .await?;
                self.note_claimed(&rows, limit)?;
            }
        }
        Ok(())
    }

    /// Tells the pool what became of its standing claim; `durable` is false when the commit came to nothing.
    pub(crate) fn grant(&mut self, durable: bool) {
        if let Some(taken) = self.taken.take() {
            let mut claimed = if durable { taken.claimed } else { Vec::new() };
            claimed.sort_by_key(|task| (task.prio, task.id));
            // A pool that is gone takes nothing; its leases are reclaimed at the next start.
            let _ = taken.standing.grants.send(claimed);
        }
    }
}
