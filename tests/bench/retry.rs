//! A bulk retry of ten thousand failed deliveries, and how long another writer waited meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use chotdon_core::store::{FailureFilterRow, Store, bench};
use chotdon_tests::TestShop;

use crate::figures::{Report, Times, median, now, now_ms};

const FAILED: u32 = 10_000;
const ROUNDS: usize = 3;

/// Measures the bulk retry, and small commits while it runs.
pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let (mut totals, mut longest, mut usual) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let (total, waits) = round().await?;
        totals.push(total.as_secs_f64());
        usual.push(waits.ms(50));
        longest.push(waits.ms(100));
    }
    report.at_most("10,000 failed tasks back in line", median(totals), 1.0, "s");
    report.note("another commit meanwhile, p50", &format!("{:.2} ms", median(usual)));
    report.at_most("another commit meanwhile, longest", median(longest), 20.0, "ms");
    Ok(())
}

async fn round() -> anyhow::Result<(Duration, Times)> {
    // A shop that was furnished and closed again: its courses without its workers.
    let shop = TestShop::start().await;
    let (code, total) = shop.order(&["rust-co-ban"]).await;
    shop.bank_receives(total, &code).await;
    shop.settled(&code, "completed").await;
    shop.shop.shutdown(Duration::from_secs(5)).await;

    let store = Store::open(shop.dir()).await?;
    bench::seed_failed(&store, FAILED, now_ms()).await?;
    let over = Arc::new(AtomicBool::new(false));
    let other = tokio::spawn({
        let (store, over) = (store.clone(), over.clone());
        async move {
            let mut waits = Vec::new();
            while !over.load(Ordering::Acquire) {
                let started = now();
                bench::small_commit(&store).await?;
                waits.push(started.elapsed());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            anyhow::Ok(waits)
        }
    });
    let started = now();
    let counts = store.retry_failed(&FailureFilterRow::default(), false, "owner", now_ms()).await?;
    let took = started.elapsed();
    over.store(true, Ordering::Release);
    let waits = other.await??;
    ensure!(counts.retried == i64::from(FAILED), "{} tasks were retried", counts.retried);
    store.close().await;
    Ok((took, Times::new(waits)))
}
