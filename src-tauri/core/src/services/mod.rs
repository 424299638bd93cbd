//! The outside services: how much of each is used at once, how fast, and which are left alone for a while.
//!
//! A stage takes a permit by [`Services::enter`] or, better, works [`Services::through`]. What cannot go now makes its
//! task wait on the service, without burning an attempt; `keeper` lets the waiting ones go. The hot path costs no
//! statement: figures live in memory and are written down when a state changes, or many calls at once.

mod gate;
mod keeper;
mod limits;
mod words;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chotdon_domain::service::ServiceState;
use chotdon_store::{Aftermath, ServiceRecord, Store, service_key};
use tokio::sync::Notify;

use crate::config::Config;
use crate::ports::Clock;
use crate::workers::{ErrorClass, Next, StageContext, StageError, StageOutcome, Until, Wait};
use gate::{Decision, Gate};
pub(crate) use limits::known;
use limits::limits;
pub(crate) use words::words;

/// A worker waits in place for at most this long, ms; then it is free for other work.
const PATIENCE_MS: i64 = 2_000;
/// Who ends a pause whose time is over.
const TIMER: &str = "timer";

/// Every outside service. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Services {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    config: Box<dyn Fn() -> Arc<Config> + Send + Sync>,
    gates: Mutex<HashMap<String, Gate>>,
    /// A call ended, or a service changed.
    freed: Notify,
    /// The keeper has to look.
    wake: Notify,
}

/// A service as the owner sees it.
#[derive(Debug, Clone)]
pub(crate) struct Glance {
    pub(crate) record: ServiceRecord,
    /// Calls under way.
    pub(crate) in_use: i64,
    /// Calls that may be under way at once.
    pub(crate) at_once: i64,
    /// Calls in 24 hours; 0 = no cap.
    pub(crate) per_day: i64,
    /// Whether its time is over and the next call tries.
    pub(crate) trying: bool,
}

/// The right to one call. It ends when dropped.
#[must_use]
pub(crate) struct Permit {
    services: Services,
    name: String,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let waiters = self.services.with(&self.name, |gate| {
            gate.leave();
            gate.waiters
        });
        self.services.inner.freed.notify_waiters();
        if waiters {
            self.services.inner.wake.notify_one();
        }
    }
}

impl Services {
    /// The services of a shop; none is known before [`Services::load`].
    pub(crate) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        config: impl Fn() -> Arc<Config> + Send + Sync + 'static,
    ) -> Self {
        let config = Box::new(config);
        let (gates, freed, wake) = (Mutex::default(), Notify::new(), Notify::new());
        Self { inner: Arc::new(Inner { store, clock, config, gates, freed, wake }) }
    }

    /// Reads what an earlier process left.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn load(&self) -> chotdon_store::Result<()> {
        for record in self.inner.store.services().await? {
            self.gates().insert(record.name.clone(), Gate::new(record));
        }
        self.look_for_waiting().await
    }

    /// Takes the right to one call of `service`: `drive`, `drive_upload`, `drive_sharing`, `smtp`, `lms:NAME`, `rclone`,
    /// `source:HOST`. Waits in place for a moment when it is busy.
    ///
    /// What the stage makes of it is noticed when it ends well; failures count only through [`Services::through`].
    ///
    /// # Errors
    /// An error by which the task waits for the service, to be passed on as it is.
    pub(crate) async fn enter(&self, service: &str, cx: &StageContext) -> Result<Permit, StageError> {
        let inner = &self.inner;
        let patience = inner.clock.now_ms() + PATIENCE_MS;
        loop {
            cx.check()?;
            cx.alive();
            let freed = inner.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let now = inner.clock.now_ms();
            let limits = limits(&(inner.config)(), service);
            let at = match self.with(service, |gate| gate.ask(now, limits)) {
                Decision::Go { reserve } => {
                    let permit = Permit { services: self.clone(), name: service.to_owned() };
                    if let Some((next_at, day_from, day_count)) = reserve {
                        let kept = inner.store.reserve_calls(service, next_at, day_from, day_count).await;
                        kept.map_err(|error| StageError::transient("internal", error.to_string()))?;
                    }
                    cx.uses(service);
                    return Ok(permit);
                }
                Decision::Closed => return Err(StageError::waits_for(service)),
                Decision::DayIsOver(until) => {
                    let detail = format!("the {} calls of these 24 hours are made", limits.per_day);
                    return Err(StageError::parks(service, "daily_cap", detail, until));
                }
                Decision::Full => patience,
                Decision::NotBefore(at) => at,
            };
            if now >= patience || at > patience {
                return Err(StageError::waits_for(service));
            }
            tokio::select! {
                () = cx.cancel.cancelled() => {}
                () = &mut freed => {}
                () = inner.clock.sleep(millis(at - now)) => {}
            }
        }
    }

    /// Does `work` with a permit of `service`, and counts how the service answered: transient errors in a row break
    /// it, any other answer shows that it is there.
    ///
    /// # Errors
    /// Those of `work`, and those of [`Services::enter`].
    pub(crate) async fn through<T>(
        &self,
        service: &str,
        cx: &StageContext,
        work: impl Future<Output = Result<T, StageError>>,
    ) -> Result<T, StageError> {
        let permit = self.enter(service, cx).await?;
        let done = work.await;
        match &done {
            Err(error) if error.waits.is_some() || error.code == "cancelled" => {}
            Err(error) if error.class == ErrorClass::Transient => self.failed(service, error).await,
            _ => self.answered(service).await,
        }
        drop(permit);
        done
    }

    /// What the end of a stage says about the services it used; an error by which the task waits becomes an outcome.
    ///
    /// # Errors
    /// Every other error, as it is.
    pub(crate) async fn judge(
        &self,
        cx: &StageContext,
        ran: Result<StageOutcome, StageError>,
    ) -> Result<StageOutcome, StageError> {
        let error = match ran {
            Ok(outcome) => {
                for service in cx.used() {
                    self.answered(&service).await;
                }
                return Ok(outcome);
            }
            Err(error) => error,
        };
        let Some(wait) = &error.waits else { return Err(error) };
        let Wait { service, until } = &**wait;
        if let Some(until) = until {
            self.park(service, error.code, &error.detail, *until).await?;
        }
        let record = self.with(service, |gate| gate.record.clone());
        let alone = record.state != ServiceState::Open;
        let aftermath = Aftermath::WaitsForService {
            service: service.clone(),
            code: record.code.filter(|_| alone),
            until: record.until.filter(|_| alone),
        };
        Ok(StageOutcome { aftermath, next: Next::WaitFor(service_key(service)), ..StageOutcome::done() })
    }

    /// Leaves a service alone; see [`StageError::parks`].
    ///
    /// # Errors
    /// Transient `internal` when that cannot be written down.
    pub(crate) async fn park(
        &self,
        service: &str,
        code: &'static str,
        detail: &str,
        until: Until,
    ) -> Result<(), StageError> {
        let now = self.inner.clock.now_ms();
        let parked = self.with(service, |gate| {
            let until = match until {
                Until::At(at) => Some(at),
                Until::Change => None,
                Until::Steps(steps) => {
                    let at = usize::try_from(gate.record.strikes).unwrap_or(usize::MAX);
                    steps.get(at).or(steps.last()).map(|step| now + step)
                }
            };
            gate.close(ServiceState::Parked, code, detail, until, now).then(|| gate.record.clone())
        });
        if let Some(record) = parked {
            tracing::error!(service, code, detail, until = ?record.until, "a service is left alone");
            self.keep(record).await.map_err(|error| StageError::transient("internal", error.to_string()))?;
        }
        Ok(())
    }

    async fn answered(&self, service: &str) {
        let now = self.inner.clock.now_ms();
        let opened = self.with(service, |gate| gate.answered(now).then(|| gate.record.clone()));
        if let Some(record) = opened {
            tracing::info!(service, "a service is used again");
            self.keep_or_log(record).await;
        }
    }

    async fn failed(&self, service: &str, error: &StageError) {
        let now = self.inner.clock.now_ms();
        let limits = limits(&(self.inner.config)(), service);
        let broken = self.with(service, |gate| {
            gate.failed(error.code, &error.detail, now, limits).then(|| gate.record.clone())
        });
        if let Some(record) = broken {
            tracing::error!(service, code = error.code, until = ?record.until, "a service fails again and again and is left alone");
            self.keep_or_log(record).await;
        }
    }

    /// Stops a service by the owner's word, until `until` (ms) or until resumed.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub(crate) async fn pause(
        &self,
        service: &str,
        until: Option<i64>,
        reason: Option<String>,
        actor: &str,
    ) -> chotdon_store::Result<()> {
        let now = self.inner.clock.now_ms();
        let record = self.with(service, |gate| {
            let record = &mut gate.record;
            record.paused_at.get_or_insert(now);
            (record.paused_until, record.paused_reason) = (until, reason);
            record.clone()
        });
        self.inner.store.pause_service(record, actor, now).await?;
        self.stir();
        Ok(())
    }

    /// Ends the owner's pause. By the owner's word a service that is left alone is tried at once as well.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub(crate) async fn resume(&self, service: &str, actor: &str) -> chotdon_store::Result<()> {
        let now = self.inner.clock.now_ms();
        let record = self.with(service, |gate| {
            let record = &mut gate.record;
            (record.paused_at, record.paused_until, record.paused_reason) = (None, None, None);
            if actor != TIMER {
                gate.try_now(now);
            }
            gate.record.clone()
        });
        self.inner.store.pause_service(record, actor, now).await?;
        self.stir();
        Ok(())
    }

    /// Tries every service that waits for a change: a setting or a secret has changed.
    pub(crate) async fn reconsider(&self) {
        let now = self.inner.clock.now_ms();
        let mut tried = Vec::new();
        for gate in self.gates().values_mut() {
            if gate.record.until.is_none() && gate.try_now(now) {
                tried.push(gate.record.clone());
            }
        }
        for record in tried {
            self.keep_or_log(record).await;
        }
    }

    /// Every service that has been used, paused or left alone, and those that every shop has, by name.
    pub(crate) fn glance(&self) -> Vec<Glance> {
        let now = self.inner.clock.now_ms();
        let config = (self.inner.config)();
        let mut gates = self.gates().clone();
        for name in limits::EVERY_SHOP {
            gates.entry((*name).to_owned()).or_insert_with(|| Gate::new(ServiceRecord::open(name)));
        }
        let mut glances: Vec<Glance> = gates
            .into_values()
            .map(|gate| {
                let limits = limits(&config, &gate.record.name);
                Glance {
                    in_use: i64::try_from(gate.in_use).unwrap_or(i64::MAX),
                    at_once: i64::try_from(limits.at_once).unwrap_or(i64::MAX),
                    per_day: limits.per_day,
                    trying: gate.may_try(now),
                    record: gate.record,
                }
            })
            .collect();
        glances.sort_by(|a, b| a.record.name.cmp(&b.record.name));
        glances
    }

    async fn keep(&self, record: ServiceRecord) -> chotdon_store::Result<()> {
        let kept = self.inner.store.keep_service(record, self.inner.clock.now_ms()).await;
        self.stir();
        kept
    }

    /// What is not written down now is found out again by the next call.
    async fn keep_or_log(&self, record: ServiceRecord) {
        let name = record.name.clone();
        if let Err(error) = self.keep(record).await {
            tracing::error!(%error, service = %name, "the state of a service could not be written");
        }
    }

    fn stir(&self) {
        self.inner.freed.notify_waiters();
        self.inner.wake.notify_one();
    }

    fn gates(&self) -> MutexGuard<'_, HashMap<String, Gate>> {
        self.inner.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, service: &str, act: impl FnOnce(&mut Gate) -> T) -> T {
        let mut gates = self.gates();
        match gates.get_mut(service) {
            Some(gate) => act(gate),
            None => act(gates
                .entry(service.to_owned())
                .or_insert_with(|| Gate::new(ServiceRecord::open(service)))),
        }
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms.max(1)).unwrap_or(1))
}
