//! Lets tasks go that wait for a service, as soon and as many as it can take. Sleeps while none waits.

use std::time::Duration;

use chotdon_store::{Touched, service_of};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::limits::limits;
use super::{Gate, Services, TIMER, millis};

/// A pause of the database is waited out for this long.
const AGAIN: Duration = Duration::from_secs(5);
/// Nothing to do until something changes.
const LONG: Duration = Duration::from_secs(24 * 3_600);

impl Services {
    /// Keeps the services until `stop`. `changes` must have been subscribed before tasks began to wait.
    pub(crate) async fn live(self, mut changes: Receiver<Touched>, stop: CancellationToken) {
        loop {
            let woken = self.inner.wake.notified();
            let wait = match self.round().await {
                Ok(Some(at)) => millis(at - self.inner.clock.now_ms()),
                Ok(None) => LONG,
                Err(error) => {
                    tracing::error!(%error, "tasks that wait for a service could not be let go");
                    AGAIN
                }
            };
            let sleep = self.inner.clock.sleep(wait);
            tokio::pin!(woken, sleep);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = &mut woken => break,
                    () = &mut sleep => break,
                    changed = changes.recv() => match changed {
                        Ok(touched) if self.note(&touched) => break,
                        Ok(_) => {}
                        Err(RecvError::Lagged(_)) => {
                            if let Err(error) = self.look_for_waiting().await {
                                tracing::error!(%error, "the tasks that wait for services could not be read");
                            }
                            break;
                        }
                        Err(RecvError::Closed) => return,
                    },
                }
            }
        }
    }

    /// A commit made tasks wait: true when there is something to look at.
    fn note(&self, touched: &Touched) -> bool {
        let mut any = false;
        for service in touched.topics.iter().filter_map(|topic| service_of(topic)) {
            self.with(service, |gate| gate.waiters = true);
            any = true;
        }
        any
    }

    pub(super) async fn look_for_waiting(&self) -> chotdon_store::Result<()> {
        for (service, _) in self.inner.store.waiting_for_services().await? {
            self.with(&service, |gate| gate.waiters = true);
        }
        Ok(())
    }

    /// One look at every service; answers when the next one is due, ms.
    async fn round(&self) -> chotdon_store::Result<Option<i64>> {
        let names: Vec<String> = self.gates().keys().cloned().collect();
        let mut next: Option<i64> = None;
        for name in names {
            let now = self.inner.clock.now_ms();
            if self.with(&name, |gate| gate.pause_over(now)) {
                self.resume(&name, TIMER).await?;
            }
            let again_at = self.let_go(&name, now).await?;
            next = [next, again_at].into_iter().flatten().min();
        }
        Ok(next)
    }

    async fn let_go(&self, name: &str, now: i64) -> chotdon_store::Result<Option<i64>> {
        let limits = limits(&(self.inner.config)(), name);
        let look = |gate: &mut Gate| {
            let release = gate.release(now, limits);
            (gate.waiters, release, release.tasks > 0 && gate.oldest_is_next())
        };
        let (waiters, release, oldest) = self.with(name, look);
        if !waiters {
            // Nobody is there to try it: whoever comes next does.
            let untried = self.with(name, |gate| {
                (gate.may_try(now) && gate.in_use == 0 && gate.answered(now)).then(|| gate.record.clone())
            });
            if let Some(record) = untried {
                self.inner.store.keep_service(record, now).await?;
                return Ok(None);
            }
            return Ok(self.with(name, |gate| gate.ends_at()));
        }
        if release.tasks == 0 {
            return Ok(release.again_at);
        }
        // Noted before: a task that begins to wait meanwhile says so by its commit.
        self.with(name, |gate| {
            gate.waiters = false;
            gate.released(release.tasks, now);
        });
        let gone = self.inner.store.release_waiting(name, release.tasks, oldest, now).await;
        let gone = gone.inspect_err(|_| self.with(name, |gate| gate.waiters = true))?;
        self.with(name, |gate| {
            gate.released(gone - release.tasks, now);
            gate.waiters |= gone == release.tasks;
        });
        if gone < release.tasks {
            return Ok(self.with(name, |gate| gate.ends_at()));
        }
        let again = self.with(name, |gate| gate.release(now, limits));
        Ok(again.again_at.or((again.tasks > 0).then_some(now)))
    }
}
