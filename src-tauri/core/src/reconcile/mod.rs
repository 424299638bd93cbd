//! Catches up on transfers that no webhook reported: at start, after a sleep, when a tunnel is back, by timer, on demand.
//!
//! One run at a time. It walks SePay's list from a little before the last row it knows, once an hour the last days by
//! date, hands every unknown row to the store's intake, and moves its cursor when all of that is committed. What the
//! store remembers of it is `chotdon_store`'s; the admin API and the command line ask through [`Reconciler`].

mod api;
mod walk;
mod words;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chotdon_store::{Cursor, RunEnd, RunRecord, Store};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sepay::transactions;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, SEPAY_API};
use crate::demo::DemoBank;
use crate::ports::{Clock, Probe};
use crate::present;
use crate::secrets::{Credentials, SecretName};
use crate::views::ReconcileRun;
use crate::wake::Wake;

use api::Api;
pub use api::Trouble;
pub(crate) use api::{Door, rest};
use walk::Walk;
pub(crate) use words::{ROUTE, is_ours, words};

/// How many ids before the last known one are read again: SePay's ids are shared by all its shops, which make about
/// 6,000 an hour.
const OVERLAP: i64 = 20_000;
/// How often the last days are read again by date, ms: late rows have low ids.
const DEEP_EVERY_MS: i64 = 3_600_000;
/// How far back that goes, and how far before its setup a shop is read at first, ms.
const DEEP_MS: i64 = 3 * 86_400_000;
/// The first wait after a failed run; it doubles with each further one.
const RETRY: Duration = Duration::from_secs(3);
const LONGEST_RETRY: Duration = Duration::from_secs(300);
/// The longest that others wait for a catch-up which does not succeed.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// Demands that wait for their run.
const QUEUE: usize = 64;

/// Why a run is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The app started.
    Start,
    /// The machine woke.
    Wake,
    /// It was time.
    Timer,
    /// A person asked.
    Demand,
    /// The public address answers again.
    Tunnel,
}

impl Cause {
    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Wake => "wake",
            Self::Timer => "timer",
            Self::Demand => "demand",
            Self::Tunnel => "tunnel",
        }
    }
}

/// One run without a running shop, for the command line; `from` (ms) as in [`Reconciler::demand`]. Works beside a
/// process that has the shop open.
///
/// # Errors
/// [`Trouble`], when the run could not even begin. A run that failed is an answer.
pub async fn alone(
    store: Store,
    config: Config,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    from: Option<i64>,
) -> Result<ReconcileRun, Trouble> {
    let config = Arc::new(config);
    let means = Means {
        store,
        wake: Arc::new(Wake::new(clock.clone())),
        clock,
        credentials,
        config: Box::new(move || config.clone()),
        probe: None,
        demo_bank: None,
    };
    let reconciler = Reconciler::new(means).map_err(|error| Trouble::Unreachable(error.to_string()))?;
    let ran = reconciler.inner.run(Cause::Demand, Some("cli"), from, 0).await?;
    Ok(present::reconcile_run(&ran.run))
}

/// Reads a day in Vietnam (`2026-11-20`) or an RFC 3339 time that is not after `now`, in ms UTC.
#[must_use]
pub fn time_of(text: &str, now: i64) -> Option<i64> {
    const VIETNAM_MS: i64 = 7 * 3_600_000;
    let day = || Some(text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let at = match text.parse::<Timestamp>() {
        Ok(at) => Some(at.as_millisecond()),
        Err(_) => day().map(|at| at.as_millisecond() - VIETNAM_MS),
    };
    at.filter(|at| (0..=now).contains(at))
}

/// What a reconciler works with.
pub(crate) struct Means {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) credentials: Credentials,
    /// The settings as they are now.
    pub(crate) config: Box<dyn Fn() -> Arc<Config> + Send + Sync>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) probe: Probe,
    /// Asked in SePay's place when there is no API token and no other address is set.
    pub(crate) demo_bank: Option<DemoBank>,
}

/// What the reconciler is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// `off` without a token, `idle`, `running`, `failed`.
    pub(crate) state: &'static str,
    /// Why it failed.
    pub(crate) code: Option<&'static str>,
    /// When the next run is due, ms; `None` = only at start, on wake and on demand.
    pub(crate) next_at: Option<i64>,
}

/// A run that was made, and what it failed for.
#[derive(Clone)]
struct Ran {
    run: RunRecord,
    trouble: Option<Trouble>,
}

struct Demand {
    cause: Cause,
    actor: Option<&'static str>,
    from: Option<i64>,
    answer: Option<oneshot::Sender<Result<RunRecord, Trouble>>>,
}

/// Handle to the reconciliation of a shop. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reconciler {
    inner: Arc<Inner>,
}

struct Inner {
    means: Means,
    api: Api,
    standing: Mutex<Standing>,
    demands: mpsc::Sender<Demand>,
    inbox: Mutex<Option<mpsc::Receiver<Demand>>>,
    /// The wake after which everything was last caught up; `None` until that is so after the start.
    caught_up: watch::Sender<Option<u64>>,
}

impl Reconciler {
    /// A reconciler that rests until [`Reconciler::live`].
    ///
    /// # Errors
    /// When the machine's TLS cannot be set up.
    pub(crate) fn new(means: Means) -> Result<Self, reqwest::Error> {
        let (demands, inbox) = mpsc::channel(QUEUE);
        let standing = Standing { state: "idle", code: None, next_at: None };
        Ok(Self {
            inner: Arc::new(Inner {
                api: Api::new(means.clock.clone())?,
                means,
                standing: Mutex::new(standing),
                demands,
                inbox: Mutex::new(Some(inbox)),
                caught_up: watch::Sender::new(None),
            }),
        })
    }

    /// What it is about.
    pub(crate) fn standing(&self) -> Standing {
        self.inner.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// By how much this machine's clock was ahead of SePay's at the last answer, ms.
    pub(crate) fn clock_off(&self) -> Option<i64> {
        self.inner.api.clock_off()
    }

    /// Whether there is anyone to ask: SePay with a token, or the bank of a demo.
    ///
    /// # Errors
    /// [`Trouble::Secrets`] when that cannot be seen.
    pub(crate) async fn configured(&self) -> Result<bool, Trouble> {
        match self.inner.door().await {
            Ok(_) => Ok(true),
            Err(Trouble::NoToken) => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }

    /// Asks for a run, for whoever does not wait for it.
    pub(crate) fn nudge(&self, cause: Cause) {
        // A full queue holds a demand already.
        let _ = self.inner.demands.try_send(Demand { cause, actor: None, from: None, answer: None });
    }

    /// Runs now and answers what came of it; `from` (ms) reads by date from then on as well. Demands that come while
    /// a run is under way share the next one.
    ///
    /// # Errors
    /// [`Trouble::NoToken`], or the database's word. A run that failed is an answer.
    pub(crate) async fn demand(&self, actor: &'static str, from: Option<i64>) -> Result<RunRecord, Trouble> {
        self.ask(Cause::Demand, Some(actor), from).await
    }

    /// Runs now because of `cause` and answers what came of it. A run for another cause that was owed anyway counts.
    ///
    /// # Errors
    /// As [`Reconciler::demand`].
    pub(crate) async fn after(&self, cause: Cause) -> Result<RunRecord, Trouble> {
        self.ask(cause, None, None).await
    }

    async fn ask(
        &self,
        cause: Cause,
        actor: Option<&'static str>,
        from: Option<i64>,
    ) -> Result<RunRecord, Trouble> {
        let (answer, run) = oneshot::channel();
        let demand = Demand { cause, actor, from, answer: Some(answer) };
        let closing = || chotdon_store::Error::Unavailable("the shop is shutting down".to_owned());
        self.inner.demands.send(demand).await.map_err(|_| closing())?;
        run.await.map_err(|_| closing())?
    }

    /// SePay's accounts, asked now: proof that the token opens something.
    ///
    /// # Errors
    /// [`Trouble`].
    pub(crate) async fn accounts(&self) -> Result<Vec<transactions::Account>, Trouble> {
        let door = self.inner.door().await?;
        let text = self.inner.api.get(&door, transactions::ACCOUNTS, &[]).await?;
        Ok(transactions::accounts(&text)?)
    }

    /// Waits until nothing is left to catch up on after a start or a sleep, an hour at most. At once without a token.
    pub(crate) async fn caught_up(&self) {
        let means = &self.inner.means;
        means.wake.look();
        let mut caught_up = self.inner.caught_up.subscribe();
        let now_even = caught_up.wait_for(|after| *after == Some(means.wake.woke().times));
        tokio::select! {
            _ = now_even => {}
            () = rest(&*means.clock, LONGEST_WAIT) => {}
        }
    }

    /// Reconciles whenever there is reason to, until `stop`.
    pub(crate) async fn live(self, stop: CancellationToken) {
        let inner = &self.inner;
        let Some(mut inbox) = inner.inbox.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let mut wakes = inner.means.wake.hear();
        // What is to be made up for, until a run succeeds.
        let mut owed = Some((Cause::Start, 0));
        let mut failures = 0_u32;
        let mut first = None;
        loop {
            let mut demands: Vec<Demand> = first.take().into_iter().collect();
            while let Ok(demand) = inbox.try_recv() {
                demands.push(demand);
            }
            // A timer may end before the sleep that ended it is noticed.
            inner.means.wake.look();
            if wakes.has_changed().unwrap_or_default() {
                owed = Some((Cause::Wake, inner.means.wake.woke().slept_ms));
                failures = 0;
            }
            let woke = wakes.borrow_and_update().times;
            let (cause, slept_ms) = match (owed, demands.first()) {
                (Some(owed), _) => owed,
                (None, Some(demand)) => (demand.cause, 0),
                (None, None) => (Cause::Timer, 0),
            };
            let actor = demands.iter().find_map(|demand| demand.actor);
            let from = demands.iter().filter_map(|demand| demand.from).min();
            let ran = tokio::select! {
                () = stop.cancelled() => return,
                ran = inner.run(cause, actor, from, slept_ms) => ran,
            };
            let wait = inner.settle(&ran, &mut failures, woke);
            if failures == 0 {
                owed = None;
            }
            for demand in demands {
                if let Some(answer) = demand.answer {
                    let _ = answer.send(ran.clone().map(|ran| ran.run));
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                demand = inbox.recv() => {
                    first = demand;
                }
                _ = wakes.changed() => wakes.mark_changed(),
                () = due(&*inner.means.clock, wait) => {}
            }
        }
    }
}

impl Inner {
    async fn door(&self) -> Result<Door, Trouble> {
        let name = SecretName::sepay_api_token();
        let token = self.means.credentials.get(&name, self.means.clock.now_ms()).await;
        let token = token.map_err(|error| Trouble::Secrets(error.to_string()))?;
        let base = (self.means.config)().sepay.api_base.clone();
        match (token, &self.means.demo_bank) {
            (Some(token), _) => Ok(Door { base, token }),
            (None, Some(bank)) if base == SEPAY_API => Ok(bank.door()),
            (None, _) => Err(Trouble::NoToken),
        }
    }

    fn stand(&self, state: &'static str, code: Option<&'static str>, next_at: Option<i64>) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = Standing { state, code, next_at };
    }

    /// Takes note of how a run ended; answers how long to wait for the next one, `None` = until there is reason.
    fn settle(&self, ran: &Result<Ran, Trouble>, failures: &mut u32, woke: u64) -> Option<Duration> {
        let every = (self.means.config)().sepay.reconcile_every_s;
        let every = (every > 0).then(|| Duration::from_secs(u64::from(every)));
        let failed = match ran {
            Ok(ran) => ran.trouble.as_ref(),
            Err(Trouble::NoToken) => {
                *failures = 0;
                self.stand("off", Some(Trouble::NoToken.code()), None);
                self.caught_up.send_replace(Some(woke));
                return every;
            }
            Err(trouble) => Some(trouble),
        };
        let now = self.means.clock.now_ms();
        let at = |wait: Duration| now.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        let Some(trouble) = failed else {
            *failures = 0;
            self.stand("idle", None, every.map(at));
            self.caught_up.send_replace(Some(woke));
            return every;
        };
        let doubled = RETRY.saturating_mul(1 << (*failures).min(16));
        *failures = failures.saturating_add(1);
        let wait = doubled.min(LONGEST_RETRY).max(trouble.wait().unwrap_or_default());
        self.stand("failed", Some(trouble.code()), Some(at(wait)));
        Some(wait)
    }

    /// One run from beginning to end. Failing is an outcome; an error is a run that could not even begin or be ended.
    async fn run(
        &self,
        cause: Cause,
        actor: Option<&'static str>,
        from: Option<i64>,
        slept_ms: i64,
    ) -> Result<Ran, Trouble> {
        let door = self.door().await?;
        let means = &self.means;
        self.stand("running", None, None);
        let began = means.clock.now_ms();
        let id = means.store.reconcile_begin(cause.as_str(), actor, slept_ms, began).await?;
        let mut walk = Walk::new(means, &self.api, &door);
        let walked = self.walk(&mut walk, from, began).await;
        let (end, trouble) = match walked {
            Ok(deep) => (RunEnd { deep, ..walk.complete() }, None),
            Err(trouble) => {
                tracing::warn!(code = trouble.code(), %trouble, cause = cause.as_str(), "reconciliation failed");
                (RunEnd { failed: Some((trouble.code(), trouble.to_string())), ..walk.end }, Some(trouble))
            }
        };
        if end.added > 0 {
            tracing::info!(
                cause = cause.as_str(),
                added = end.added,
                amount_vnd = end.added_vnd,
                "reconciled"
            );
        }
        means.store.reconcile_end(id, end, means.clock.now_ms()).await?;
        let runs = means.store.reconcile_runs(1).await?;
        let missing = || chotdon_store::Error::NotFound(format!("run {id}"));
        Ok(Ran { run: runs.into_iter().next().ok_or_else(missing)?, trouble })
    }

    /// Answers whether the last days were read by date as well.
    async fn walk(&self, walk: &mut Walk<'_>, from: Option<i64>, now: i64) -> Result<bool, Trouble> {
        let cursor = self.means.store.reconcile_cursor().await?;
        if cursor.last_id > 0 {
            walk.since((cursor.last_id - OVERLAP).max(1), beginning(&cursor, now)).await?;
        }
        let Some(days_from) = days_from(&cursor, from, now) else { return Ok(false) };
        walk.days(days_from).await?;
        self.keep_balances(walk.door).await;
        Ok(true)
    }

    /// Balances are for show; a run does not fail without them.
    async fn keep_balances(&self, door: &Door) {
        let asked = self.api.get(door, transactions::ACCOUNTS, &[]).await;
        let kept = match asked.and_then(|text| Ok(transactions::accounts(&text)?)) {
            Ok(accounts) => {
                let accounts = accounts.into_iter().map(|one| (one.account, one.bank, one.balance_vnd));
                let now = self.means.clock.now_ms();
                self.means.store.keep_balances(accounts.collect(), now).await.map_err(Trouble::from)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = kept {
            tracing::warn!(code = error.code(), %error, "SePay's balances could not be read");
        }
    }
}

/// Nothing that was booked before this (ms) is the shop's business.
fn beginning(cursor: &Cursor, now: i64) -> i64 {
    cursor.opened_at.unwrap_or(now).min(now) - DEEP_MS
}

/// From when on the list is read by date, ms; `None` when that was done within the hour and nobody asks for it.
fn days_from(cursor: &Cursor, asked: Option<i64>, now: i64) -> Option<i64> {
    let recent = cursor.deep_at.is_some_and(|at| (0..DEEP_EVERY_MS).contains(&(now - at)));
    let due = match cursor.last_id {
        // The first time: not years, only what the shop can have missed.
        0 => Some(beginning(cursor, now)),
        _ => (!recent).then_some(now - DEEP_MS),
    };
    [due, asked].into_iter().flatten().min()
}

/// Waits until the next run is due; for ever when none is.
async fn due(clock: &dyn Clock, wait: Option<Duration>) {
    match wait {
        Some(wait) => rest(clock, wait).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_vietnam() {
        let now = 1_800_000_000_000;
        for text in ["2026-11-22", "2026-11-22T00:00:00+07:00", "2026-11-21T17:00:00Z"] {
            assert_eq!(time_of(text, now), Some(1_795_280_400_000), "{text}");
        }
        for wrong in ["", "yesterday", "2026-13-01", "2099-01-01", "22/11/2026"] {
            assert_eq!(time_of(wrong, now), None, "{wrong}");
        }
    }
}
