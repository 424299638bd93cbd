//! Durable intake: signed webhooks through the public listener of a whole shop with its workers on, beside the
//! rate at which bare SQLite commits single rows in the same minute.

use std::time::Duration;

use anyhow::{Context, ensure};
use chotdon_core::store::{Store, bench};
use chotdon_tests::{Setup, TestShop};

use crate::figures::{Report, Times, median, now, now_ms};
use crate::load;

const ROUNDS: usize = 3;
/// Payments of one round over 64 connections, and over one.
const MANY: usize = 15_000;
const SINGLE: usize = 1_500;
const PACED: usize = 1_000;

/// Measures intake at 64 connections, at one, and at 100 a second.
pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    // Mail leaves a real shop for another machine; a folder of mails would be synced on the disk that is measured.
    let env = vec![("CHOTDON_MAIL__TRANSPORT", "none".to_owned())];
    let shop = TestShop::with(Setup { env, probe: None }).await;
    // The first delivery prepares the course; later ones find it ready.
    let (code, total) = shop.order(&["rust-co-ban"]).await;
    shop.bank_receives(total, &code).await;
    shop.settled(&code, "completed").await;

    let store = Store::open(shop.dir()).await?;
    let wanted = ROUNDS * (MANY + SINGLE) + PACED;
    let orders = bench::seed_orders(&store, u32::try_from(wanted + wanted / 50)?, now_ms()).await?;
    ensure!(orders.len() >= wanted, "only {} orders could be made", orders.len());
    let mut orders = orders.into_iter().zip(1_000_i64..);
    let addr = shop.shop.public_addr();
    let mut next = |count: usize| -> Vec<Vec<u8>> {
        orders.by_ref().take(count).map(|((code, total), id)| load::payment(addr, id, &code, total)).collect()
    };

    let (mut raw_rates, mut raw_p50, mut rates, mut p50, mut p99, mut single_p50, mut single_p99) =
        (vec![], vec![], vec![], vec![], vec![], vec![], vec![]);
    // The quiet measures come before the flood, whose deliveries keep the workers busy for long.
    let bare = paced_commits(shop.dir()).await?;
    let paced = send(addr, next(PACED), 8, Some(100)).await?;
    let mut singles = vec![];
    for _ in 0..ROUNDS {
        let raw = bench::raw_commits(shop.dir(), Duration::from_secs(1)).await?;
        let single = send(addr, next(SINGLE), 1, None).await?;
        single_p50.push(single.times.ms(50));
        single_p99.push(single.times.ms(99));
        singles.push(single.times.ms(50) / (raw.p50.as_secs_f64() * 1e3));
    }
    for _ in 0..ROUNDS {
        let raw = bench::raw_commits(shop.dir(), Duration::from_secs(2)).await?;
        raw_rates.push(raw.per_s);
        raw_p50.push(raw.p50.as_secs_f64() * 1e3);
        let many = send(addr, next(MANY), 64, None).await?;
        rates.push(MANY as f64 / many.took.as_secs_f64());
        p50.push(many.times.ms(50));
        p99.push(many.times.ms(99));
    }
    let ratios: Vec<f64> = rates.iter().zip(&raw_rates).map(|(rate, raw)| rate / raw).collect();
    report.note("raw single commits, rounds", &rounds(&raw_rates));
    report.note("64 connections, rounds", &rounds(&rates));
    report.note("raw single commits", &format!("{:.0} /s", median(raw_rates)));
    report.note("raw commit p50", &format!("{:.3} ms", median(raw_p50)));
    report.note("64 connections", &format!("{:.0} /s", median(rates)));
    report.at_least("64 connections ÷ raw (aim 2)", median(ratios), 1.0, "×");
    report.note("64 connections p50", &format!("{:.2} ms", median(p50)));
    report.at_most("64 connections p99", median(p99), 20.0, "ms");
    report.at_most("1 connection p50 ÷ raw commit p50", median(singles), 4.0, "×");
    report.note("1 connection p50", &format!("{:.3} ms", median(single_p50)));
    report.note("1 connection p99", &format!("{:.3} ms", median(single_p99)));

    report.note("bare commits, 100/s p50", &format!("{:.3} ms", bare.ms(50)));
    report.note("bare commits, 100/s p99", &format!("{:.3} ms", bare.ms(99)));
    report.note("100 payments/s p50", &format!("{:.3} ms", paced.times.ms(50)));
    report.at_most("100 payments/s p99", paced.times.ms(99), 2.0, "ms");

    let findings = store.verify().await?;
    let expected = i64::try_from(wanted + 1)?;
    ensure!(
        findings.transfers == expected,
        "{} transfers are stored, {expected} were sent",
        findings.transfers
    );
    ensure!(findings.problems.is_empty(), "{:?}", findings.problems);
    report.note("every payment stored once, ledger sound", "yes");
    store.close().await;
    shop.shop.shutdown(Duration::ZERO).await;
    Ok(())
}

/// Bare commits at the pace of the payments: what the disk and waking up cost when there is time in between.
async fn paced_commits(dir: &std::path::Path) -> anyhow::Result<Times> {
    let mut file = bench::RawFile::create(dir).await?;
    let mut times = Vec::with_capacity(PACED);
    for _ in 0..PACED {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let before = now();
        file.commit(1).await?;
        times.push(before.elapsed());
    }
    file.remove().await?;
    Ok(Times::new(times))
}

fn rounds(figures: &[f64]) -> String {
    figures.iter().map(|figure| format!("{figure:.0}")).collect::<Vec<_>>().join(" ")
}

async fn send(
    addr: std::net::SocketAddr,
    requests: Vec<Vec<u8>>,
    connections: usize,
    per_s: Option<u32>,
) -> anyhow::Result<load::Run> {
    tokio::task::spawn_blocking(move || load::run(addr, &requests, connections, per_s))
        .await
        .context("the client")?
}
