//! The queue without anything to do: how many empty tasks a second, and how soon after its commit one begins.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::ensure;
use chotdon_core::ports::SystemClock;
use chotdon_core::store::{Claimed, Store, bench};
use chotdon_core::workers::{Pool, PoolSettings, StageContext, StageError, StageOutcome, Stages};
use futures::future::BoxFuture;
use tokio::sync::Notify;

use crate::figures::{Report, Times, median, now, now_ms};

const ROUNDS: u32 = 3;
const TASKS: u32 = 30_000;
const WORKERS: usize = 256;
const SINGLES: usize = 500;

/// Does nothing, and counts how often it was asked to for each task.
struct Empty {
    runs: Vec<AtomicU32>,
    begun: Mutex<Option<Instant>>,
    woken: Notify,
}

impl Empty {
    fn new(tasks: u32) -> Arc<Self> {
        let runs = (0..=tasks).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self { runs, begun: Mutex::default(), woken: Notify::new() })
    }
}

struct Handed(Arc<Empty>);

impl Stages for Handed {
    fn run<'a>(
        &'a self,
        task: &'a Claimed,
        _: &'a StageContext,
    ) -> BoxFuture<'a, Result<StageOutcome, StageError>> {
        Box::pin(async move {
            let begun = now();
            if let Some(runs) = usize::try_from(task.id).ok().and_then(|id| self.0.runs.get(id)) {
                runs.fetch_add(1, Ordering::Relaxed);
            }
            if let Ok(mut slot) = self.0.begun.lock() {
                *slot = Some(begun);
            }
            self.0.woken.notify_one();
            Ok(StageOutcome::done())
        })
    }
}

fn pool(store: &Store, empty: &Arc<Empty>, workers: usize) -> Pool {
    let settings = PoolSettings { workers, lease_ms: 30_000, retry_base_ms: 1_000, stall_ms: 60_000 };
    Pool::new(
        store.clone(),
        Arc::new(SystemClock),
        Arc::new(Handed(empty.clone())),
        None,
        "bench".to_owned(),
        settings,
    )
}

/// Measures how many empty tasks a second go from ready to done, each exactly once.
pub(crate) async fn throughput(report: &mut Report) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path()).await?;
    let empty = Empty::new(ROUNDS * TASKS);
    let mut rates = Vec::new();
    for round in 1..=ROUNDS {
        bench::seed_ready(&store, TASKS, now_ms()).await?;
        let pool = pool(&store, &empty, WORKERS);
        let changes = store.changes();
        let started = now();
        let life = tokio::spawn(pool.clone().run(changes));
        while pool.processed() < u64::from(TASKS) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        rates.push(f64::from(TASKS) / started.elapsed().as_secs_f64());
        pool.drain(Duration::from_secs(5)).await;
        life.await?;
        ensure!(
            pool.processed() == u64::from(TASKS),
            "round {round}: {} tasks were finished",
            pool.processed()
        );
    }
    let once = empty.runs.iter().skip(1).filter(|runs| runs.load(Ordering::Relaxed) == 1).count();
    ensure!(once == usize::try_from(ROUNDS * TASKS)?, "{once} tasks ran exactly once");
    let rounds: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
    report.note("rounds", &rounds.join(" "));
    report.at_least("empty tasks, each exactly once", median(rates), 15_000.0, "/s");
    store.close().await;
    Ok(())
}

/// Measures how long after the commit that made a task its handler begins, in a pool that was idle.
pub(crate) async fn pickup(report: &mut Report) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path()).await?;
    let empty = Empty::new(0);
    let pool = pool(&store, &empty, 2);
    let life = tokio::spawn(pool.clone().run(store.changes()));
    let mut taken = Vec::with_capacity(SINGLES);
    for _ in 0..SINGLES {
        tokio::time::sleep(Duration::from_millis(rand::random_range(5..60))).await;
        bench::seed_ready(&store, 1, now_ms()).await?;
        let committed = now();
        empty.woken.notified().await;
        let begun = empty.begun.lock().ok().and_then(|mut slot| slot.take());
        // A handler may begin before the answer to the commit that queued its task has reached us.
        taken.push(begun.map_or(Duration::MAX, |begun| begun.saturating_duration_since(committed)));
    }
    pool.drain(Duration::from_secs(5)).await;
    life.await?;
    let times = Times::new(taken);
    // The handler begins after the commit of its claim, so that much is the least it can be.
    let raw = bench::raw_commits(dir.path(), Duration::from_secs(2)).await?;
    report.note("raw commit p50", &format!("{:.3} ms", raw.p50.as_secs_f64() * 1e3));
    report.at_most("commit → handler start p50", times.ms(50), 0.5, "ms");
    report.at_most("commit → handler start p99", times.ms(99), 2.0, "ms");
    store.close().await;
    Ok(())
}
