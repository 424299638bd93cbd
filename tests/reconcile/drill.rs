//! The drill: the app is away for hours, SePay gives up on it, and everything is made up for within a minute.

use std::collections::HashMap;
use std::net::SocketAddr;

use chotdon_core::ports::SecretStore;
use chotdon_tests::sepay::{GAPS_MIN, Webhooks};
use chotdon_tests::{TestShop, chance, quick_or_full};
use rand::RngExt;
use serde_json::json;

use super::{begin, shop_at, until_done};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// What the demo's course costs.
const PRICE: i64 = 499_000;

/// What is to be paid for.
struct Wants {
    /// Codes of orders.
    orders: Vec<String>,
    /// Deposit codes.
    deposits: Vec<String>,
}

async fn wants(shop: &TestShop, orders: usize) -> Wants {
    let mut codes = Vec::new();
    for n in 0..orders {
        let order = json!({ "customer": { "email": format!("khach{n}@example.com"), "name": format!("Khách {n}") },
                            "items": [{ "course": "rust-co-ban" }] });
        let (status, order) = shop.admin("POST", "/admin/api/orders", Some(order)).await;
        assert_eq!(status, 201, "{order}");
        codes.push(order["order"]["code"].as_str().unwrap().to_owned());
    }
    let deposits = wallets(shop).await.into_keys().collect();
    Wants { orders: codes, deposits }
}

/// Deposit code → what the wallet holds.
async fn wallets(shop: &TestShop) -> HashMap<String, i64> {
    let (mut wallets, mut after) = (HashMap::new(), String::new());
    loop {
        let path = format!("/admin/api/customers?limit=200{after}");
        let (status, page) = shop.admin("GET", &path, None).await;
        assert_eq!(status, 200, "{page}");
        for row in page["rows"].as_array().unwrap() {
            wallets.insert(
                row["deposit_code"].as_str().unwrap().to_owned(),
                row["wallet_vnd"].as_i64().unwrap(),
            );
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return wallets,
        }
    }
}

/// What came of a drill.
#[derive(Debug)]
struct Outcome {
    /// Payments that are in the books, and payments made.
    credited: (i64, usize),
    /// What went wrong, a sentence each.
    wrong: Vec<String>,
    /// Simulated time from the start of the app until everything was there, ms.
    took_ms: i64,
    attempts: Webhooks,
}

/// Closes the shop for `away` ms in which `payments` are made, opens it again, and lets SePay finish.
async fn drill(seed: &str, away: i64, payments: usize, reconciling: bool) -> Outcome {
    let mut chance = chance(seed);
    let (sepay, ground) = begin().await;
    if !reconciling {
        ground.secrets.delete("sepay.api_token").await.unwrap();
    }
    let clock = ground.clock.clone();
    let shop = shop_at(&sepay, ground).await;
    if reconciling {
        until_done(&shop).await;
    }
    let wants = wants(&shop, payments / 5).await;
    let dead = shop.shop.public_addr();
    let ground = shop.stop().await;

    let left = clock.now_ms();
    let mut webhooks = Webhooks::new(clock.clone());
    let mut expected: HashMap<String, i64> = HashMap::new();
    for n in 0..payments {
        let (notification, at) = match wants.orders.get(n) {
            // Whoever orders has a day to pay; what was paid in time is in time, whenever the app learns of it.
            Some(code) => {
                let at = left + chance.random_range(0..=away.min(23 * HOUR));
                (sepay.receives(at, PRICE, &format!("{code} chuyen tien")), at)
            }
            None => {
                let code = &wants.deposits[chance.random_range(0..wants.deposits.len())];
                let (at, amount) =
                    (left + chance.random_range(0..=away), chance.random_range(1..500) * 1_000);
                *expected.entry(code.clone()).or_default() += amount;
                (sepay.receives(at, amount, &format!("NAP TIEN {code}")), at)
            }
        };
        webhooks.report(notification, at);
    }
    webhooks.until(left + away, dead).await;

    let started = clock.now_ms();
    let shop = shop_at(&sepay, ground).await;
    let everything = i64::try_from(payments).unwrap();
    if reconciling {
        shop.until(|| async { (shop.money().await["transfers"] == everything).then_some(()) }).await;
    }
    let took_ms = clock.now_ms() - started;
    // The deliveries that SePay has not given up on go on, and some race the list.
    finish(&mut webhooks, shop.shop.public_addr()).await;
    let wrong = differences(&shop, &wants, &expected).await;
    let transfers = shop.money().await["transfers"].as_i64().unwrap();
    shop.sound().await;
    Outcome { credited: (transfers, payments), wrong, took_ms, attempts: webhooks }
}

async fn finish(webhooks: &mut Webhooks, to: SocketAddr) {
    let now = webhooks.now_ms();
    webhooks.until(now + 40 * MINUTE, to).await;
    assert_eq!(webhooks.pending(), 0);
}

/// Orders that are not paid, exactly and in time, and wallets that hold something else than was paid into them.
async fn differences(shop: &TestShop, wants: &Wants, expected: &HashMap<String, i64>) -> Vec<String> {
    let mut wrong = Vec::new();
    for code in &wants.orders {
        let order = shop.look(code).await["order"].clone();
        let stage = order["stage"].as_str().unwrap().to_owned();
        let settled = ["paid", "processing", "completed"].contains(&stage.as_str());
        if !settled || order["paid_vnd"] != PRICE || order["flags"] != json!([]) {
            wrong.push(format!("{code} is {stage} with {} and {}", order["paid_vnd"], order["flags"]));
        }
    }
    let wallets = wallets(shop).await;
    for code in &wants.deposits {
        let (holds, paid) = (wallets[code], expected.get(code).copied().unwrap_or_default());
        if holds != paid {
            wrong.push(format!("wallet {code} holds {holds} of {paid}"));
        }
    }
    let money = shop.money().await;
    let paid = expected.values().sum::<i64>() + PRICE * i64::try_from(wants.orders.len()).unwrap();
    if money["in_vnd"] != paid || money["difference_vnd"] != 0 {
        wrong.push(format!("{paid} was paid: {money}"));
    }
    wrong
}

/// Nobody answered at first, so that SePay tried again at its own times and not once more.
fn sepay_kept_its_schedule(webhooks: &Webhooks) {
    let mut by_id: HashMap<i64, Vec<i64>> = HashMap::new();
    for tried in &webhooks.tried {
        by_id.entry(tried.id).or_default().push(tried.at);
    }
    assert!(by_id.values().any(|times| times.len() > 1), "no webhook was missed");
    for times in by_id.values() {
        let gaps = times.windows(2).map(|pair| (pair[1] - pair[0]) / MINUTE);
        assert!(gaps.eq(GAPS_MIN[1..times.len()].iter().copied()), "{times:?}");
    }
}

async fn nothing_is_missing_after(seed: &str, away: i64) {
    let outcome = drill(seed, away, quick_or_full(200, 1_000), true).await;
    assert_eq!(outcome.wrong, Vec::<String>::new());
    assert_eq!(outcome.credited.0, i64::try_from(outcome.credited.1).unwrap());
    assert!(outcome.took_ms <= MINUTE, "{} ms after the start", outcome.took_ms);
    sepay_kept_its_schedule(&outcome.attempts);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_was_away_for_half_an_hour_has_every_payment_once_within_a_minute() {
    nothing_is_missing_after("half an hour", HOUR / 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_was_away_for_three_days_has_every_payment_once_within_a_minute() {
    nothing_is_missing_after("three days", 72 * HOUR).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_was_away_for_any_time_has_every_payment_once_within_a_minute() {
    let away = chance("any time").random_range(0..=72 * HOUR);
    nothing_is_missing_after("away for any time", away).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_reconciliation_the_drill_loses_payments() {
    let outcome = drill("without reconciliation", 12 * HOUR, 200, false).await;
    assert!(outcome.credited.0 < 200, "the drill does not see what is lost");
    assert!(outcome.wrong.len() > 20, "{:?}", outcome.wrong);
}
