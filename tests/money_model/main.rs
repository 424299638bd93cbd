//! The money of the shop against a model of it: random sequences of everything that can happen to a customer's money,
//! compared after each step, and the same comparison seen red when something is broken on purpose.
//!
//! `CHOTDON_MODEL_SEQUENCES=100000` does the long run; the usual one is 2,000 sequences.
#![allow(clippy::unwrap_used)] // a test may stop anywhere

mod day;
mod drive;
mod model;

use std::panic::AssertUnwindSafe;

use chotdon_core::domain::order::Flags;
use chotdon_core::store::read::{BucketRecord, OrderFilter, Window};
use chotdon_core::store::{CourseEdit, NewOrderRow, Store};
use chotdon_tests::chance;
use futures::FutureExt;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use drive::{Broken, PRICE, Sequence};
use model::Model;

/// Sequences that go on side by side, as many as one page of a list shows.
const ABREAST: usize = 200;
const STEPS: i64 = 14;
const MINUTE: i64 = 60_000;
const FAR: i64 = 100 * MINUTE;
const START: i64 = 1_790_000_000_000;

async fn shop() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let course = CourseEdit {
        slug: "sql".to_owned(),
        title: "SQL".to_owned(),
        price_vnd: PRICE,
        source: r#"{"kind":"folder","path":"/x"}"#.to_owned(),
        target: r#"{"kind":"folder"}"#.to_owned(),
        enrolment: None,
        active: true,
        description: None,
        access_days: None,
    };
    store.save_course(course, "owner", START).await.unwrap();
    (store, dir)
}

/// Every sequence's own order, which expires somewhere in the middle of it.
async fn sequences(store: &Store, rng: &mut StdRng, batch: usize, now: i64) -> Vec<Sequence> {
    let made = (0..ABREAST).map(|at| {
        let expires_at = now + rng.random_range(1..2 * STEPS) * MINUTE;
        let (store, rng) = (store.clone(), StdRng::seed_from_u64(rng.next_u64()));
        async move {
            let row = NewOrderRow {
                email: format!("m{batch}.{at}@example.com"),
                name: String::new(),
                phone: None,
                courses: vec!["sql".to_owned()],
                prio: 2,
                note: String::new(),
                channel: "owner",
                actor: "owner".to_owned(),
                expires_at,
                now,
                pay_from_wallet: false,
                idempotency: None,
            };
            let created = store.create_order(row).await.unwrap();
            let story = store.order_story(&created.code).await.unwrap().unwrap();
            let customer = store.customer_story(story.order.customer_id).await.unwrap().unwrap().customer;
            let model = Model { stage: "pending", total: PRICE, expires: expires_at, ..Model::default() };
            let first = ((batch * ABREAST + at) as i64 + 1) * 1_000;
            let order = (story.order.id, created.code);
            Sequence::new(order, (customer.id, customer.deposit_code), model, rng, first)
        }
    });
    join_all(made.collect::<Vec<_>>()).await
}

/// Compares everything the shop shows with what the models say.
async fn compare(store: &Store, before: &BucketRecord, sequences: &[Sequence]) {
    let window = Window { below: None, limit: 200 };
    let orders = store.orders(&OrderFilter::default(), window).await.unwrap().rows;
    let customers = store.customers(None, false, window).await.unwrap().rows;
    for one in sequences {
        let order = orders.iter().find(|order| order.code == one.code).unwrap();
        let wallet = customers.iter().find(|customer| customer.id == one.customer).unwrap().wallet_vnd;
        assert_eq!(
            (order.stage.as_str(), order.paid_vnd, wallet),
            (one.model.stage, one.model.held, one.model.wallet),
            "{}",
            one.story()
        );
        let needs_eyes = order.flags.without(Flags::MARKED) != Flags::default();
        let left_over = order.paid_vnd > 0 && order.stage.as_str() != "pending" && !order.stage.is_settled();
        assert!(needs_eyes || !left_over, "money nobody needs is flagged\n{}", one.story());
    }
    let sum = |what: fn(&Model) -> i64| sequences.iter().map(|one| what(&one.model)).sum::<i64>();
    let meant = BucketRecord {
        in_vnd: before.in_vnd + sum(|m| m.came_in),
        orders_vnd: before.orders_vnd + sum(|m| m.held),
        wallets_vnd: before.wallets_vnd + sum(|m| m.wallet),
        unmatched_vnd: before.unmatched_vnd + sum(|m| m.unmatched),
        set_aside_vnd: before.set_aside_vnd + sum(|m| m.aside),
        refunded_vnd: before.refunded_vnd + sum(|m| m.refunded),
        shop_vnd: before.shop_vnd - sum(|m| m.adjusted),
        transfers: 0,
    };
    let shown = store.buckets().await.unwrap();
    assert_eq!(BucketRecord { transfers: 0, ..shown }, meant);
    let placed =
        shown.orders_vnd + shown.refunded_vnd + shown.wallets_vnd + shown.unmatched_vnd + shown.set_aside_vnd;
    assert_eq!(shown.in_vnd - shown.shop_vnd, placed, "every đồng is in exactly one place");
}

/// Runs `count` sequences with `broken` broken; panics at the first difference.
async fn run(count: usize, broken: Broken, rng: &mut StdRng) {
    let (store, _dir) = shop().await;
    let mut now = START;
    for batch in 0..count.div_ceil(ABREAST) {
        // Orders of the batch before are out of the way of this one's sweeps.
        now += FAR;
        sweep(&store, now).await;
        let before = store.buckets().await.unwrap();
        let mut all = sequences(&store, rng, batch, now).await;
        for _ in 0..STEPS {
            now += MINUTE;
            if broken != Broken::Expiry && rng.random_range(0..3_u8) == 0 {
                sweep(&store, now).await;
                all.iter_mut().for_each(|one| one.model.expire(now));
            } else if broken == Broken::Expiry {
                all.iter_mut().for_each(|one| one.model.expire(now));
            }
            join_all(all.iter_mut().map(|one| one.step(&store, broken, now))).await;
            compare(&store, &before, &all).await;
        }
    }
    assert_eq!(store.ledger_stopped(), None);
    assert_eq!(store.verify().await.unwrap().problems, Vec::<String>::new());
    store.close().await;
}

async fn sweep(store: &Store, now: i64) {
    while store.expire_orders(now).await.unwrap().0 > 0 {}
}

#[allow(clippy::disallowed_methods)] // how long a test may take is said by the environment
fn count() -> usize {
    std::env::var("CHOTDON_MODEL_SEQUENCES").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_the_money_is_what_the_model_says() {
    run(count(), Broken::Nothing, &mut chance("money_model")).await;
}

async fn is_noticed(broken: Broken) {
    let seen =
        AssertUnwindSafe(run(4 * ABREAST, broken, &mut chance("money_model_broken"))).catch_unwind().await;
    assert!(seen.is_err(), "nobody noticed that this is broken: {broken:?}");
}

#[tokio::test]
async fn a_transfer_that_counts_twice_is_noticed() {
    is_noticed(Broken::Dedupe).await;
}

#[tokio::test]
async fn a_balance_that_does_not_follow_is_noticed() {
    is_noticed(Broken::Balance).await;
}

#[tokio::test]
async fn orders_that_never_expire_are_noticed() {
    is_noticed(Broken::Expiry).await;
}

#[tokio::test]
async fn a_reversal_that_does_nothing_is_noticed() {
    is_noticed(Broken::Reversal).await;
}
