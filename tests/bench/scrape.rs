//! What a monitor's question costs: `GET /metrics` of a whole shop over its private listener, with a thousand orders
//! and with a million.

use std::time::Duration;

use anyhow::{Context, ensure};
use chotdon_core::store::Store;
use chotdon_tests::{ADMIN_TOKEN, Ground, Setup, TestShop};

use crate::figures::{Report, Times, now, now_ms};

const SCRAPES: usize = 1_000;
/// Longer than counting the books of a million orders takes.
const BOOKS: Duration = Duration::from_secs(300);

/// Measures the answers with few orders and with many.
pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let (few, _) = scrapes(1_000).await?;
    let (many, bytes) = scrapes(1_000_000).await?;
    report.note("the page", &format!("{bytes} bytes"));
    report.note("with 1 thousand orders, p50 / p99", &format!("{:.2} / {:.2} ms", few.ms(50), few.ms(99)));
    report.note("with 1 million orders, p50", &format!("{:.2} ms", many.ms(50)));
    report.at_most("with 1 million orders, p99", many.ms(99), 50.0, "ms");
    Ok(())
}

/// Times to answer, and the length of the page.
async fn scrapes(orders: i64) -> anyhow::Result<(Times, usize)> {
    let ground = Ground::new();
    let store = Store::open(ground.dir()).await?;
    store.seed_orders(orders, now_ms()).await?;
    store.close().await;
    let shop = TestShop::on(ground, Setup::default()).await;
    // The made-up orders were never paid, which the count of the books at the start finds; then nothing else is going on.
    let before = now();
    while sample(&page(&shop).await?, "chotdon_ledger_ok")? == 1 && before.elapsed() < BOOKS {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut taken = Vec::with_capacity(SCRAPES);
    let mut bytes = 0;
    for _ in 0..SCRAPES {
        let started = now();
        let text = page(&shop).await?;
        taken.push(started.elapsed());
        bytes = text.len();
    }
    let text = page(&shop).await?;
    let counted: i64 = text
        .lines()
        .filter(|line| line.starts_with("chotdon_orders{"))
        .map(|line| sample(line, "chotdon_orders"))
        .sum::<anyhow::Result<i64>>()?;
    ensure!(counted == orders, "{counted} orders are counted, {orders} were made");
    shop.shop.shutdown(Duration::ZERO).await;
    Ok((Times::new(taken), bytes))
}

async fn page(shop: &TestShop) -> anyhow::Result<String> {
    let addr = shop.shop.private_addr().context("a private listener")?;
    let asked = shop.http.get(format!("http://{addr}/metrics")).bearer_auth(ADMIN_TOKEN);
    Ok(asked.send().await?.error_for_status()?.text().await?)
}

/// The value of the first sample whose name begins so.
fn sample(page: &str, name: &str) -> anyhow::Result<i64> {
    let line = page.lines().find(|line| line.starts_with(name)).context("the figure is on the page")?;
    Ok(line.rsplit_once(' ').context("a value")?.1.parse()?)
}
