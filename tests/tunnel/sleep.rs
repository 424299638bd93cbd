//! The drill of sleep: for a minute up to three days nothing goes on, then everything does, once.

use std::sync::Arc;

use chotdon_core::ports::{Probe, SecretStore};
use chotdon_tests::sepay::{API_TOKEN, Sepay};
use chotdon_tests::{Ground, chance, quick_or_full};
use rand::RngExt;
use serde_json::Value;

use super::{Place, tunnel};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

async fn runs(place: &Place) -> Vec<Value> {
    let (_, reconcile) = place.shop.admin("GET", "/admin/api/reconcile", None).await;
    reconcile["runs"].as_array().unwrap().clone()
}

/// Sleeps for `ms` while `payments` are made, and waits until the tunnel is up again and all of them are booked. The
/// connector is as dead afterwards as sleep leaves it.
async fn sleep(place: &Place, sepay: &Sepay, ms: i64, payments: i64) {
    let (shop, before) = (&place.shop, runs(place).await);
    let newest = before.first().map_or(0, |run| run["id"].as_i64().unwrap());
    let had = shop.money().await["transfers"].as_i64().unwrap();
    // What a connector is after a sleep: it lives, and its connections do not.
    place.edge.signal("-STOP");
    for n in 0..payments {
        sepay.receives(shop.clock.now_ms() + ms / 2, 50_000 + n, "trong luc may ngu");
    }
    shop.clock.sleeps_for(ms);
    let woke = shop.clock.now_ms();

    let (noticed, _) = place.pace.until(shop, |now| now["woke"]["slept_s"] == ms / 1_000).await;
    assert!(noticed <= 10_000, "noticed {noticed} ms after the wake");
    place.until("up").await;
    let up = shop.clock.now_ms() - woke;
    assert!(up <= 30_000, "up {up} ms after the wake from {ms} ms");
    shop.until(async || (tunnel(shop).await["woke"]["added"] == payments).then_some(())).await;
    let after: Vec<Value> =
        runs(place).await.into_iter().filter(|run| run["id"].as_i64().unwrap() > newest).collect();
    assert_eq!(after.len(), 1, "one catch-up: {after:?}");
    assert_eq!((after[0]["cause"].as_str(), after[0]["added"].as_i64()), (Some("wake"), Some(payments)));
    let began: i64 = time(&after[0]["started_at"]) - woke;
    assert!(began <= 10_000, "reconciled {began} ms after the wake");
    assert_eq!(shop.money().await["transfers"], had + payments);
}

fn time(text: &Value) -> i64 {
    chotdon_core::reconcile::time_of(text.as_str().unwrap(), i64::MAX).unwrap()
}

async fn begin(probe: Probe) -> (Place, Sepay) {
    let ground = Ground::new();
    ground.secrets.set("sepay.api_token", API_TOKEN.into()).await.unwrap();
    let sepay = Sepay::open(ground.clock.clone()).await;
    let env = vec![
        ("CHOTDON_SEPAY__API_BASE", sepay.base()),
        // The timer would make runs of its own between two sleeps.
        ("CHOTDON_SEPAY__RECONCILE_EVERY_S", "0".to_owned()),
    ];
    let place = Place::open_with(ground, true, env, probe).await;
    place.until("up").await;
    place.shop.until(|| async { (!runs(&place).await.is_empty()).then_some(()) }).await;
    (place, sepay)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_any_sleep_the_tunnel_is_up_and_everything_is_made_up_for_once() {
    let (place, sepay) = begin(None).await;
    let mut chance = chance("sleep");
    let random = quick_or_full(2, 5);
    let lengths =
        [MINUTE, 72 * HOUR].into_iter().chain((0..random).map(|_| chance.random_range(MINUTE..72 * HOUR)));
    for (n, ms) in lengths.enumerate() {
        sleep(&place, &sepay, ms, i64::try_from(n).unwrap() % 4 + 1).await;
        let ran = runs(&place).await.len();
        place.pace.pass(&place.shop, 2 * MINUTE).await;
        assert_eq!(runs(&place).await.len(), ran, "nothing follows later");
    }
    place.shop.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_runs_through_a_sleep_keeps_its_lease_and_is_done_once() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let reached = Arc::new(tokio::sync::Notify::new());
    let (at, arrived) = (gate.clone(), reached.clone());
    let probe: Probe = Some(Arc::new(move |point: &str| {
        let wait = point == "deliver_order.share";
        let (gate, reached) = (at.clone(), arrived.clone());
        Box::pin(async move {
            if wait {
                reached.notify_one();
                gate.acquire().await.unwrap().forget();
            }
        })
    }));
    let (place, sepay) = begin(probe).await;
    let (code, price) = place.shop.order(&["rust-co-ban"]).await;
    place.shop.bank_receives(price, &code).await;
    reached.notified().await;
    sleep(&place, &sepay, 8 * HOUR, 1).await;
    gate.add_permits(10);
    place.shop.settled(&code, "completed").await;
    let (_, tasks) = place.shop.admin("GET", "/admin/api/tasks?kind=deliver_order", None).await;
    let task = tasks["rows"].as_array().unwrap().iter().find(|task| task["order"] == code.as_str()).unwrap();
    let (_, task) = place.shop.admin("GET", &format!("/admin/api/tasks/{}", task["id"]), None).await;
    assert_eq!(task["task"]["attempt"], 1, "{task}");
    assert_eq!(place.shop.mails().len(), 1);
    assert_eq!(tunnel(&place.shop).await["state"], "up");
}
