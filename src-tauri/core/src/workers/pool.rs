//! The pool itself: who works on what, when to claim, when a worker is taken for dead.
//!
//! Claims are event-driven: a commit that makes tasks ready wakes the loop. While idle it asks the database
//! one question every 30 seconds. Results are settled with the epoch of the claim; see `settle`.

mod sight;
mod standing;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use chotdon_domain::task::Lane;
use chotdon_store::{Aftermath, Claim, Claimed, LanePause, Store, Touched};

pub use sight::WorkerSight;

use super::{Meter, StageContext, StageError};
use crate::metrics::StageTimes;
use crate::ports::{Clock, Probe};

/// Every this many claims of a lane takes the oldest task instead of the most urgent one.
const OLDEST_EVERY: u64 = 8;
/// The question that an idle pool asks, in case a wake-up was lost or another process wrote.
const SAFETY: Duration = Duration::from_secs(30);
/// Calls to storefronts that run at once.
const WEBHOOKS: usize = 2;
/// Finished tasks per minute are kept this long.
const MINUTES: usize = 60;

/// How a stage ended well.
#[derive(Debug, Clone)]
pub struct StageOutcome {
    /// What later stages need to know, JSON.
    pub output: String,
    /// What else becomes true with it.
    pub aftermath: Aftermath,
    /// What the task does now.
    pub next: Next,
}

/// What a task does after a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Goes on with the following stage, or is done.
    Advance,
    /// Goes on with this stage, leaving out those in between.
    Jump(&'static str),
    /// Waits until the task with this dedupe key is done, or the service of this key can be used.
    WaitFor(String),
    /// Runs the stage again at this time (ms) without having failed.
    Later(i64),
}

impl StageOutcome {
    /// The stage is done and leaves nothing behind.
    #[must_use]
    pub fn done() -> Self {
        Self { output: "{}".to_owned(), aftermath: Aftermath::None, next: Next::Advance }
    }
}

/// What the stages of all kinds of tasks do.
pub trait Stages: Send + Sync + 'static {
    /// Runs the stage that `task` stands at.
    fn run<'a>(
        &'a self,
        task: &'a Claimed,
        cx: &'a StageContext,
    ) -> BoxFuture<'a, Result<StageOutcome, StageError>>;
}

/// Settings of the pool; may change while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSettings {
    /// Tasks that run at once.
    pub workers: usize,
    /// How long a lease lasts without a heartbeat, ms.
    pub lease_ms: i64,
    /// Wait before the second attempt, ms.
    pub retry_base_ms: i64,
    /// A stage that shows no life for this long is taken for hung, ms.
    pub stall_ms: i64,
}

/// The worker pool of one process.
#[derive(Clone)]
pub struct Pool {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stages: Arc<dyn Stages>,
    pub(super) probe: Probe,
    /// Random per start, never reused: whose leases these are.
    pub(super) boot: String,
    settings: Mutex<PoolSettings>,
    running: Mutex<HashMap<i64, Running>>,
    seats: Mutex<Vec<Seat>>,
    lanes: Mutex<Vec<LanePause>>,
    /// Lanes that may have ready tasks, by position in [`Lane::ALL`].
    hints: [AtomicBool; Lane::COUNT],
    claims: [AtomicU64; Lane::COUNT],
    wake: Notify,
    idle: Notify,
    draining: AtomicBool,
    stop: CancellationToken,
    pub(super) stale_refused: AtomicU64,
    pub(super) times: StageTimes,
    processed: AtomicU64,
    minutes: Mutex<VecDeque<(i64, [u64; Lane::COUNT])>>,
    next_due: AtomicI64,
    outlook_wanted: AtomicBool,
    in_work: AtomicUsize,
    /// Seats that a standing claim may still fill.
    reserved: AtomicUsize,
}

/// A task in work.
struct Running {
    task: Claimed,
    seat: usize,
    meter: Arc<Meter>,
    cancel: CancellationToken,
    abort: Option<AbortHandle>,
}

/// A worker's place.
#[derive(Debug, Clone, Copy, Default)]
struct Seat {
    taken: bool,
    restarts: i64,
}

impl Pool {
    /// A pool that does not run yet; [`Pool::run`] is its life.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        stages: Arc<dyn Stages>,
        probe: Probe,
        boot: String,
        settings: PoolSettings,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                clock,
                stages,
                probe,
                boot,
                settings: Mutex::new(settings),
                running: Mutex::default(),
                seats: Mutex::default(),
                lanes: Mutex::default(),
                hints: [true; Lane::COUNT].map(AtomicBool::new),
                claims: Default::default(),
                wake: Notify::new(),
                idle: Notify::new(),
                draining: AtomicBool::new(false),
                stop: CancellationToken::new(),
                stale_refused: AtomicU64::new(0),
                times: StageTimes::default(),
                processed: AtomicU64::new(0),
                minutes: Mutex::default(),
                next_due: AtomicI64::new(i64::MAX),
                outlook_wanted: AtomicBool::new(true),
                in_work: AtomicUsize::new(0),
                reserved: AtomicUsize::new(0),
            }),
        }
    }

    /// Claims and runs tasks until [`Pool::drain`]. `changes` must have been subscribed before the store was written to.
    pub async fn run(self, mut changes: broadcast::Receiver<Touched>) {
        let inner = &self.inner;
        self.reload_lanes().await;
        let (grants, mut granted) = mpsc::unbounded_channel();
        loop {
            // Armed before the claim: a slot freed while claiming is not missed.
            let woken = inner.wake.notified();
            self.look_ahead().await;
            self.fill().await;
            self.stand_by(&grants);
            tokio::select! {
                () = inner.stop.cancelled() => break,
                () = woken => {}
                Some(tasks) = granted.recv() => self.start_granted(tasks),
                changed = changes.recv() => match changed {
                    Ok(touched) => inner.note(&touched),
                    Err(broadcast::error::RecvError::Lagged(_)) => inner.expect_anything(),
                    Err(broadcast::error::RecvError::Closed) => break,
                },
                () = inner.clock.sleep(inner.until_due()) => inner.outlook_wanted.store(true, Ordering::Release),
            }
            while let Ok(touched) = changes.try_recv() {
                inner.note(&touched);
            }
            if inner.store.stand_down() {
                inner.reserved.store(0, Ordering::Release);
            }
            while let Ok(tasks) = granted.try_recv() {
                self.start_granted(tasks);
            }
        }
        drop(grants);
        self.stand_down(granted).await;
    }

    /// Reads what is due, at start, when something was scheduled, and when the timer says so.
    async fn look_ahead(&self) {
        let inner = &self.inner;
        if !inner.outlook_wanted.swap(false, Ordering::AcqRel) {
            return;
        }
        let now = inner.clock.now_ms();
        let mut outlook = match inner.store.outlook(now).await {
            Ok(outlook) => outlook,
            Err(error) => {
                tracing::error!(%error, "the queue could not be read");
                return;
            }
        };
        if outlook.due.is_some_and(|due| due <= now) {
            match inner.store.promote(now).await {
                Ok(_) => outlook = inner.store.outlook(now).await.unwrap_or(outlook),
                Err(error) => tracing::error!(%error, "due tasks could not be made ready"),
            }
        }
        if outlook.overdue {
            let alive = inner.running().keys().copied().collect();
            if let Err(error) = inner.store.reap(alive, now).await {
                tracing::error!(%error, "overdue tasks could not be taken back");
            }
        }
        for lane in outlook.ready {
            inner.hint(lane);
        }
        let resumes = inner.resumes_at();
        inner.next_due.store(outlook.due.unwrap_or(i64::MAX).min(resumes), Ordering::Release);
        if resumes <= now {
            if let Err(error) = inner.store.resume(None, "timer", now).await {
                tracing::error!(%error, "a pause could not be ended");
            }
            self.reload_lanes().await;
        }
    }

    /// Claims as long as there are free seats and lanes that may have work.
    async fn fill(&self) {
        let inner = &self.inner;
        for (at, lane) in [(1, Lane::Order), (2, Lane::Owner), (3, Lane::Webhook), (0, Lane::Course)] {
            while inner.hints[at].load(Ordering::Acquire) && !inner.draining.load(Ordering::Acquire) {
                let limit = self.free(lane);
                if limit <= 0 || inner.paused(lane) {
                    break;
                }
                inner.hints[at].store(false, Ordering::Release);
                let count = inner.claims[at].fetch_add(1, Ordering::Relaxed) + 1;
                let now = inner.clock.now_ms();
                let claim = Claim {
                    lane,
                    limit,
                    oldest_first: count.is_multiple_of(OLDEST_EVERY),
                    owner: inner.boot.clone(),
                    now,
                    until: now + inner.settings().lease_ms,
                };
                let claimed = match inner.store.claim(claim).await {
                    Ok(claimed) => claimed,
                    Err(error) => {
                        // Tried again by the safety timer; the tasks are still ready.
                        tracing::error!(%error, lane = lane.as_str(), "claiming failed");
                        inner.hints[at].store(true, Ordering::Release);
                        return;
                    }
                };
                if i64::try_from(claimed.len()).unwrap_or(limit) >= limit {
                    inner.hints[at].store(true, Ordering::Release);
                }
                for task in claimed {
                    self.start(task, now);
                }
            }
        }
    }

    /// How many tasks of a lane may be started now. Preparing courses leaves one worker for buyers; telling the
    /// owner and telling storefronts have workers of their own, so that no download can silence them.
    fn free(&self, lane: Lane) -> i64 {
        let workers = self.inner.settings().workers;
        let running = self.inner.running();
        let of = |lane: Lane| running.values().filter(|one| one.task.kind.lane() == lane).count();
        let shared = of(Lane::Order) + of(Lane::Course) + self.inner.reserved.load(Ordering::Acquire);
        let free = match lane {
            Lane::Owner => 1_usize.saturating_sub(of(Lane::Owner)),
            Lane::Webhook => self.limit(Lane::Webhook).saturating_sub(of(Lane::Webhook)),
            Lane::Order => workers.saturating_sub(shared),
            Lane::Course => {
                workers.saturating_sub(shared).min(self.limit(Lane::Course).saturating_sub(of(Lane::Course)))
            }
        };
        i64::try_from(free).unwrap_or(i64::MAX)
    }

    /// How many tasks of a lane may run at once.
    #[must_use]
    pub fn limit(&self, lane: Lane) -> usize {
        let workers = self.inner.settings().workers;
        match lane {
            Lane::Owner => 1,
            Lane::Webhook => WEBHOOKS,
            Lane::Order => workers,
            Lane::Course => workers.saturating_sub(1).max(1),
        }
    }

    fn start(&self, task: Claimed, now: i64) {
        let meter = Arc::new(Meter::default());
        meter.seen_at.store(now, Ordering::Relaxed);
        meter.started_at.store(now, Ordering::Relaxed);
        let cancel = CancellationToken::new();
        let id = task.id;
        let seat = self.inner.take_seat();
        let running =
            Running { task: task.clone(), seat, meter: meter.clone(), cancel: cancel.clone(), abort: None };
        self.inner.in_work.fetch_add(1, Ordering::AcqRel);
        self.inner.running().insert(id, running);
        let leave = Leave { pool: self.inner.clone(), task: id, epoch: task.epoch };
        let worker = super::worker::Worker { pool: self.clone(), task, meter, cancel };
        let handle = tokio::spawn(async move {
            let _leave = leave;
            worker.work().await;
        });
        if let Some(running) = self.inner.running().get_mut(&id) {
            running.abort = Some(handle.abort_handle());
        }
    }

    /// Takes the settings into use; more workers start at once, fewer as tasks end.
    pub fn set(&self, settings: PoolSettings) {
        *self.inner.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        self.inner.expect_anything();
        self.inner.wake.notify_one();
    }

    /// Reads which lanes are paused; called after a pause or resume.
    pub async fn reload_lanes(&self) {
        match self.inner.store.lanes().await {
            Ok(lanes) => *self.inner.lanes.lock().unwrap_or_else(PoisonError::into_inner) = lanes,
            Err(error) => tracing::error!(%error, "the lanes could not be read"),
        }
        self.inner.expect_anything();
        self.inner.wake.notify_one();
    }

    /// Which lanes are paused, as last read.
    #[must_use]
    pub fn lanes(&self) -> Vec<LanePause> {
        self.inner.lanes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops the handler of a task that was cancelled; its lease is gone already.
    pub fn cancel(&self, task: i64) {
        if let Some(running) = self.inner.running().get(&task) {
            running.cancel.cancel();
        }
    }

    /// Stops claiming, gives running stages up to `grace` to finish, then stops them without burning an attempt.
    pub async fn drain(&self, grace: Duration) {
        let inner = &self.inner;
        inner.draining.store(true, Ordering::Release);
        inner.wake.notify_one();
        let grace = inner.clock.sleep(grace);
        tokio::pin!(grace);
        let mut stopped = false;
        loop {
            let idle = inner.idle.notified();
            if inner.in_work.load(Ordering::Acquire) == 0 {
                break;
            }
            tokio::select! {
                () = idle => {}
                () = &mut grace, if !stopped => {
                    stopped = true;
                    inner.running().values().for_each(|running| running.cancel.cancel());
                }
                () = inner.clock.sleep(Duration::from_secs(5)), if stopped => {
                    // A handler that ignores the order loses its seat; its lease is reclaimed at the next start.
                    let running = inner.running();
                    running.values().filter_map(|running| running.abort.as_ref()).for_each(AbortHandle::abort);
                    break;
                }
            }
        }
        inner.stop.cancel();
    }

    /// True once [`Pool::drain`] was called.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.inner.draining.load(Ordering::Acquire)
    }

    pub(super) fn finished(&self, lane: Lane) {
        self.inner.processed.fetch_add(1, Ordering::Relaxed);
        let minute = self.inner.clock.now_ms() / 60_000;
        let mut minutes = self.inner.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.back().is_none_or(|(last, _)| *last != minute) {
            minutes.push_back((minute, [0; Lane::COUNT]));
            while minutes.len() > MINUTES {
                minutes.pop_front();
            }
        }
        if let Some((_, counts)) = minutes.back_mut() {
            let at = Lane::ALL.iter().position(|one| *one == lane).unwrap_or(0);
            counts[at] += 1;
        }
    }

    /// The stage that a task in work has come to.
    pub(super) fn at_stage(&self, task: i64, stage: &str) {
        if let Some(running) = self.inner.running().get_mut(&task) {
            stage.clone_into(&mut running.task.stage);
        }
    }

    /// Leases in work, for the heartbeat.
    pub(super) fn leases(&self) -> Vec<(i64, i64)> {
        self.inner.running().values().map(|one| (one.task.id, one.task.epoch)).collect()
    }

    /// Nobody could show life for so long, ms.
    pub(super) fn excuse(&self, slept_ms: i64) {
        for one in self.inner.running().values() {
            one.meter.seen_at.fetch_add(slept_ms, Ordering::Relaxed);
        }
    }

    /// Tasks whose handler has shown no life for too long, with the time of its last sign.
    pub(super) fn stalled(&self, now: i64) -> Vec<(Claimed, i64)> {
        let stall = self.inner.settings().stall_ms;
        let running = self.inner.running();
        let seen = |one: &Running| one.meter.seen_at.load(Ordering::Relaxed);
        running
            .values()
            .filter(|one| now - seen(one) >= stall)
            .map(|one| (one.task.clone(), seen(one)))
            .collect()
    }

    /// Throws a worker out and seats a new one in its place.
    pub(super) fn replace(&self, task: i64) {
        let Some(running) = self.inner.running().remove(&task) else { return };
        running.cancel.cancel();
        if let Some(abort) = running.abort {
            abort.abort();
        }
        self.inner.seats.lock().unwrap_or_else(PoisonError::into_inner)[running.seat].restarts += 1;
        self.inner.leave_seat(running.seat);
    }

    /// Counts a restart of the worker that runs `task`, whose handler crashed.
    pub(super) fn count_restart(&self, task: i64) {
        let seat = self.inner.running().get(&task).map(|running| running.seat);
        if let Some(seat) = seat {
            self.inner.seats.lock().unwrap_or_else(PoisonError::into_inner)[seat].restarts += 1;
        }
    }

    pub(super) fn settings(&self) -> PoolSettings {
        self.inner.settings()
    }

    pub(super) fn stopped(&self) -> CancellationToken {
        self.inner.stop.clone()
    }
}

impl Inner {
    fn settings(&self) -> PoolSettings {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<i64, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, touched: &Touched) {
        for lane in touched.lanes.iter().filter_map(|lane| Lane::parse(lane)) {
            self.hint(lane);
        }
        if touched.scheduled {
            self.outlook_wanted.store(true, Ordering::Release);
        }
    }

    fn hint(&self, lane: Lane) {
        let at = Lane::ALL.iter().position(|one| *one == lane).unwrap_or(0);
        self.hints[at].store(true, Ordering::Release);
    }

    fn expect_anything(&self) {
        self.hints.iter().for_each(|hint| hint.store(true, Ordering::Release));
        self.outlook_wanted.store(true, Ordering::Release);
    }

    fn paused(&self, lane: Lane) -> bool {
        let now = self.clock.now_ms();
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.iter().any(|one| {
            one.lane == lane && one.paused_at.is_some() && one.until.is_none_or(|until| until > now)
        })
    }

    /// When the next pause with an end is over, ms.
    fn resumes_at(&self) -> i64 {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes
            .iter()
            .filter(|one| one.paused_at.is_some())
            .filter_map(|one| one.until)
            .min()
            .unwrap_or(i64::MAX)
    }

    fn until_due(&self) -> Duration {
        let due = self.next_due.load(Ordering::Acquire);
        let wait = due.saturating_sub(self.clock.now_ms()).max(1);
        Duration::from_millis(u64::try_from(wait).unwrap_or(u64::MAX)).min(SAFETY)
    }

    fn take_seat(&self) -> usize {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let free = seats.iter().position(|seat| !seat.taken).unwrap_or_else(|| {
            seats.push(Seat::default());
            seats.len() - 1
        });
        seats[free].taken = true;
        free
    }

    fn leave_seat(&self, seat: usize) {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)[seat].taken = false;
        self.in_work.fetch_sub(1, Ordering::AcqRel);
        self.wake.notify_one();
        self.idle.notify_one();
    }
}

/// Leaves the seat however the worker ends: done, panicked or aborted.
struct Leave {
    pool: Arc<Inner>,
    task: i64,
    epoch: i64,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let mut running = self.pool.running();
        // A worker that was replaced must not take the seat of its successor on the same task.
        let seat = match running.get(&self.task) {
            Some(one) if one.task.epoch == self.epoch => one.seat,
            _ => return,
        };
        running.remove(&self.task);
        drop(running);
        self.pool.leave_seat(seat);
    }
}
