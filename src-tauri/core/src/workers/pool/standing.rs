//! The claim that an idle pool leaves with the store, so that a delivery begins with the commit that queued it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use chotdon_domain::task::Lane;
use chotdon_store::{Aftermath, Claimed, StageResult, Standing};

use super::Pool;
use crate::workers::worker::settle;

impl Pool {
    /// Leaves a standing claim with the store when every worker is free to wait: what a commit makes ready is then
    /// leased in that commit. Seats it may fill stay reserved until it is taken down or granted.
    pub(super) fn stand_by(&self, grants: &mpsc::UnboundedSender<Vec<Claimed>>) {
        let inner = &self.inner;
        let limit = self.free(Lane::Order);
        if limit <= 0
            || inner.reserved.load(Ordering::Acquire) > 0
            || inner.draining.load(Ordering::Acquire)
            || inner.hints[1].load(Ordering::Acquire)
            || inner.paused(Lane::Order)
        {
            return;
        }
        inner.reserved.store(usize::try_from(limit).unwrap_or_default(), Ordering::Release);
        let clock = inner.clock.clone();
        inner.store.stand_by(Standing {
            limit,
            owner: inner.boot.clone(),
            lease_ms: inner.settings().lease_ms,
            now: Arc::new(move || clock.now_ms()),
            grants: grants.clone(),
        });
    }

    pub(super) fn start_granted(&self, tasks: Vec<Claimed>) {
        self.inner.reserved.store(0, Ordering::Release);
        for task in tasks {
            let now = task.claimed_at;
            self.start(task, now);
        }
    }

    /// Takes the claim down for good. What a commit leased at the last moment goes back in line, its attempt given back.
    pub(super) async fn stand_down(&self, mut granted: mpsc::UnboundedReceiver<Vec<Claimed>>) {
        if !self.inner.store.stand_down() && self.inner.reserved.load(Ordering::Acquire) > 0 {
            for task in granted.recv().await.unwrap_or_default() {
                settle(self, &task, StageResult::Released, Aftermath::None).await;
            }
        }
    }
}
