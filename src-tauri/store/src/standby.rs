//! A claim that stands ready: an idle pool leaves it with the writer, and whichever commit makes tasks of the
//! order lane ready leases them in that same commit. A buyer's delivery then begins without a commit of its own; one
//! that a payment queues is leased from its first moment.
//!
//! The pool puts it up and takes it down; claims by request are in `queue`.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tokio::sync::mpsc;

use chotdon_domain::task::Lane;

use crate::queue::{Claim, Claimed, claim_one, claimed};
use crate::writer::Tx;
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
    /// Takes the standing claim up, if there is one.
    pub(crate) fn take_standing(&mut self) -> Option<Claim> {
        let standing = self.standby.replace(None)?;
        let now = (standing.now)();
        let claim = Claim {
            lane: LANE,
            limit: standing.limit,
            oldest_first: false,
            owner: standing.owner.clone(),
            now,
            until: now + standing.lease_ms,
        };
        self.taken = Some(Taken { standing, now, claimed: Vec::new() });
        Some(claim)
    }

    /// Keeps for the pool the tasks that [`begun`] read.
    pub(crate) fn note_begun(&mut self, rows: &[SqliteRow]) -> Result<()> {
        let Some(taken) = &mut self.taken else { return Ok(()) };
        let mut more = rows.is_empty();
        for row in rows {
            more |= row.try_get::<bool, _>("more")?;
            taken.claimed.push(claimed(row, taken.now)?);
        }
        taken.claimed.sort_by_key(|task| (task.prio, task.id));
        self.leave_to_pool(more);
        Ok(())
    }

    /// The pool is woken for the lane only when `more` is ready in it than its standing claim got.
    fn leave_to_pool(&mut self, more: bool) {
        if !more {
            self.touched.lanes.remove(LANE.as_str());
        }
    }

    /// Ends the transaction, with the standing claim when it made tasks ready for it.
    pub(crate) async fn end(&mut self) -> Result<()> {
        self.set_last(true);
        let made_ready = self.touched.lanes.contains(LANE.as_str());
        if let Some(claim) = made_ready.then(|| self.take_standing()).flatten() {
            let claimed = claim_one(self, &claim).await?;
            self.leave_to_pool(i64::try_from(claimed.len()).unwrap_or(i64::MAX) >= claim.limit);
            if let Some(taken) = &mut self.taken {
                taken.claimed = claimed;
            }
        }
        self.commit().await
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
