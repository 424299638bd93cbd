//! What a claim costs when a thousand tasks wait, and when a million do.

use anyhow::ensure;
use chotdon_core::store::{Aftermath, Claim, Settled, Settlement, StageResult, Store, bench};
use chotdon_domain::task::Lane;

use crate::figures::{Report, Times, now, now_ms};

const CLAIMS: usize = 300;

/// Measures claims of ten among a thousand and among a million waiting tasks.
pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let few = claims(1_000).await?;
    let many = claims(1_000_000).await?;
    report.note("claim of 10 of 1 thousand, p50 / p99", &format!("{:.3} / {:.3} ms", few.ms(50), few.ms(99)));
    report
        .note("claim of 10 of 1 million, p50 / p99", &format!("{:.3} / {:.3} ms", many.ms(50), many.ms(99)));
    report.at_most("p50 of 1 million ÷ p50 of 1 thousand", many.ms(50) / few.ms(50), 2.0, "×");
    Ok(())
}

async fn claims(waiting: u32) -> anyhow::Result<Times> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path()).await?;
    bench::seed_ready(&store, waiting, now_ms()).await?;
    let mut taken = Vec::with_capacity(CLAIMS);
    for round in 0..CLAIMS {
        let now_at = now_ms();
        let claim = Claim {
            lane: Lane::Order,
            limit: 10,
            oldest_first: round % 8 == 7,
            owner: "bench".to_owned(),
            now: now_at,
            until: now_at + 60_000,
        };
        let started = now();
        let claimed = store.claim(claim).await?;
        taken.push(started.elapsed());
        ensure!(claimed.len() == 10, "{} of 10 tasks were claimed", claimed.len());
        // Back in line, so that as many wait for the next claim.
        let released = claimed.into_iter().map(|task| {
            store.settle(Settlement {
                task: task.id,
                epoch: task.epoch,
                stage: task.stage,
                result: StageResult::Released,
                aftermath: Aftermath::None,
                now: now_at,
            })
        });
        for settled in futures::future::join_all(released).await {
            ensure!(settled? == Settled::Accepted, "a task could not be given back");
        }
    }
    store.close().await;
    Ok(Times::new(taken))
}
