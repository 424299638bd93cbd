//! A claim that stands ready: an idle pool leaves it with the writer, and whichever commit makes tasks of the
//! order lane ready leases them in that same commit. A buyer's delivery then begins without a commit of its own.
//!
//! The pool puts it up and takes it down; claims by request are in `queue`.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
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

/// Leases ready tasks of the order lane unless it is paused, and moves their orders. The argument is JSON.
macro_rules! standing_claim {
    ($args:literal) => {
        concat!(
            lease!(
                owner: [$args, " ->> 'owner'"],
                until: [$args, " ->> 'until'"],
                now: [$args, " ->> 'now'"],
                which: [
                    "lane = 'order' AND NOT EXISTS (SELECT 1 FROM lane WHERE name = 'order' AND paused_at IS NOT NULL ",
                    "AND (until IS NULL OR until > ", $args, " ->> 'now')) ORDER BY prio, id LIMIT ", $args, " ->> 'limit'"
                ]
            ),
            "; ",
            "UPDATE orders SET stage = 'processing' WHERE stage = 'paid' AND id IN (SELECT order_id FROM task ",
            "WHERE state = 'running' AND lease_until = ", $args, " ->> 'until' AND lease_owner = ", $args, " ->> 'owner') ",
            "RETURNING code"
        )
    };
}
pub(crate) use standing_claim;

const CLAIM: Script = script!(standing_claim!("$1"));

impl Tx {
    /// Takes the standing claim up, if there is one, and returns the argument of its script.
    pub(crate) fn take_standing(&mut self) -> Option<String> {
        let standing = self.standby.replace(None)?;
        let now = (standing.now)();
        let args = json!({
            "owner": standing.owner, "now": now, "until": now + standing.lease_ms, "limit": standing.limit,
        });
        self.taken = Some(Taken { standing, now, claimed: Vec::new() });
        Some(args.to_string())
    }

    /// Reads what the script of the standing claim returned.
    pub(crate) fn note_granted(&mut self, rows: &[SqliteRow]) -> Result<()> {
        let Some(taken) = &mut self.taken else { return Ok(()) };
        let mut codes: Vec<String> = Vec::new();
        for row in rows {
            match row.try_get("code") {
                Ok(code) => codes.push(code),
                Err(_) => taken.claimed.push(claimed(row, taken.now)?),
            }
        }
        taken.claimed.sort_by_key(|task| (task.prio, task.id));
        let all = i64::try_from(taken.claimed.len()).unwrap_or(i64::MAX) < taken.standing.limit;
        if all {
            // Nothing is left in the lane that the pool would have to be woken for.
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
            Some(args) => {
                let rows = sqlx::query(self.closing(&CLAIM)).bind(args).fetch_all(&mut self.conn).await?;
                self.note_granted(&rows)?;
            }
        }
        Ok(())
    }

    /// Tells the pool what became of its standing claim; `durable` is false when the commit came to nothing.
    pub(crate) fn grant(&mut self, durable: bool) {
        if let Some(taken) = self.taken.take() {
            let claimed = if durable { taken.claimed } else { Vec::new() };
            // A pool that is gone takes nothing; its leases are reclaimed at the next start.
            let _ = taken.standing.grants.send(claimed);
        }
    }
}
