//! Watches over running tasks: renews leases, replaces workers that hang, takes back what nobody works on.
//! Sleeps as long as nothing runs.

use std::time::Duration;

use super::pool::Pool;
use super::worker::{failure, settle, tell_owner};
use super::{ErrorClass, StageError};
use crate::wake::Seen;

impl Pool {
    /// Keeps watch until the pool has drained.
    pub async fn watch(self) {
        let stopped = self.stopped();
        let mut seen = Seen::now(&*self.inner.clock);
        loop {
            // Three heartbeats fit into a lease, so that one may be late.
            let settings = self.settings();
            let beat = u64::try_from(settings.lease_ms.min(settings.stall_ms) / 3).unwrap_or(1_000).max(10);
            let beat = Duration::from_millis(beat);
            tokio::select! {
                () = stopped.cancelled() => return,
                () = self.inner.clock.sleep(beat) => {}
            }
            let now = Seen::now(&*self.inner.clock);
            if let Some(slept_ms) = std::mem::replace(&mut seen, now).slept_until(&now) {
                // Whoever slept could show no sign of life.
                self.excuse(slept_ms);
            }
            if self.busy() > 0 {
                self.beat().await;
            }
        }
    }

    /// One round: first renew, then replace, so that a machine that slept keeps what it was doing.
    async fn beat(&self) {
        let now = self.inner.clock.now_ms();
        let leases = self.leases();
        match self
            .inner
            .store
            .heartbeat(&self.inner.boot, leases.clone(), now + self.settings().lease_ms)
            .await
        {
            Ok(held) => {
                for (task, _) in leases.iter().filter(|(task, _)| !held.contains(task)) {
                    // Cancelled by the owner, or settled this very moment.
                    self.cancel(*task);
                }
            }
            Err(error) => tracing::error!(%error, "leases could not be renewed"),
        }
        for (task, seen_at) in self.stalled(now) {
            tracing::error!(task_id = task.id, stage = %task.stage, silent_ms = now - seen_at, "a worker hangs and is replaced");
            let error = StageError {
                class: ErrorClass::Hung,
                code: "worker_hung",
                detail: format!("no sign of life for {} s", (now - seen_at) / 1000),
                retry_after: None,
                waits: None,
            };
            let (result, aftermath) = failure(self, &task, &error, seen_at, now);
            settle(self, &task, result, aftermath).await;
            self.replace(task.id);
            tell_owner(self, &task, "worker_hung").await;
        }
    }
}
