//! What goes wrong between the app and SePay, what is made of it, and what is said.

use std::sync::Arc;

use chotdon_tests::TestShop;
use chotdon_tests::sepay::{API_TOKEN, Sepay};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{begin, notices, reconcile, shop_at, standing, token, until_done, until_state};

const MINUTE: i64 = 60_000;

/// Short of what counts as sleep, long enough for any wait after a failure.
fn nap(shop: &TestShop) {
    shop.clock.jump(MINUTE);
}

/// Waits until that many runs have ended.
async fn until_runs(shop: &TestShop, count: usize) -> Value {
    shop.until(|| async {
        let stands = standing(shop).await;
        let ended = stands["runs"].as_array().unwrap().iter().filter(|run| run["state"] != "running").count();
        (ended >= count).then_some(stands)
    })
    .await
}

async fn difference(shop: &TestShop) -> i64 {
    shop.money().await["difference_vnd"].as_i64().unwrap()
}

fn in_pace(sepay: &Sepay) {
    let asked = sepay.asked();
    assert!(asked.windows(2).all(|pair| pair[1].at - pair[0].at >= 990), "{asked:?}");
}

#[tokio::test]
async fn without_a_token_nothing_fails_and_it_says_so() {
    let ground = chotdon_tests::Ground::new();
    let sepay = Sepay::open(ground.clock.clone()).await;
    let shop = shop_at(&sepay, ground).await;
    let stands = until_state(&shop, "off").await;
    assert_eq!((&stands["configured"], &stands["code"]), (&json!(false), &json!("sepay_token_missing")));
    let (status, problem) = shop.admin("POST", "/admin/api/reconcile", None).await;
    assert_eq!((status, &problem["code"]), (409, &json!("sepay_token_missing")));
    let (_, check) = shop.admin("POST", "/admin/api/checks/sepay_api", None).await;
    assert_eq!((&check["state"], &check["code"]), (&json!("warn"), &json!("sepay_token_missing")));
    assert_eq!(difference(&shop).await, 0);
    assert!(notices(&shop).await.is_empty());
}

#[tokio::test]
async fn a_payment_without_its_webhook_is_found_on_demand() {
    let (sepay, ground) = begin().await;
    let shop = shop_at(&sepay, ground).await;
    until_done(&shop).await;
    let (code, total) = shop.order(&["rust-co-ban"]).await;
    sepay.receives(shop.clock.now_ms(), total, &code);
    let run = reconcile(&shop).await;
    assert_eq!((&run["state"], &run["cause"]), (&json!("done"), &json!("demand")), "{run}");
    assert_eq!((&run["added"], &run["added_vnd"]), (&json!(1), &json!(total)));
    shop.settled(&code, "completed").await;
    assert_eq!(reconcile(&shop).await["added"], 0);
    assert_eq!(shop.money().await["in_vnd"], total);
    let (_, check) = shop.admin("POST", "/admin/api/checks/sepay_api", None).await;
    assert_eq!((&check["state"], &check["detail"]), (&json!("pass"), &json!("MBBank …0699")));
    in_pace(&sepay);
}

#[tokio::test]
async fn a_wrong_token_is_told_after_three_failures_and_the_right_one_ends_it() {
    let (sepay, ground) = begin().await;
    token(&ground, "apitoken-of-somebody-else").await;
    let shop = shop_at(&sepay, ground).await;
    for failures in 1..=3 {
        let stands = until_runs(&shop, failures).await;
        assert_eq!(stands["last_run"]["code"], "sepay_token_wrong", "{stands}");
        assert_eq!(notices(&shop).await.len(), usize::from(failures == 3));
        if failures < 3 {
            nap(&shop);
        }
    }
    sepay.receives(shop.clock.now_ms(), 50_000, "chuyen tien");
    let value = Some(json!({ "value": API_TOKEN }));
    let (status, _) = shop.admin("PUT", "/admin/api/secrets/sepay.api_token", value).await;
    assert_eq!(status, 200);
    until_done(&shop).await;
    let open = notices(&shop).await;
    assert!(!open.contains(&"reconcile_failed".to_owned()), "{open:?}");
    assert_eq!(shop.money().await["unmatched_vnd"], 50_000);
}

#[tokio::test]
async fn sepay_is_asked_once_a_second_and_waited_for_when_it_says_so() {
    let (sepay, ground) = begin().await;
    sepay.faults().limited = (2, 2);
    let shop = shop_at(&sepay, ground).await;
    until_done(&shop).await;
    let asked = sepay.asked();
    let answers: Vec<u16> = asked.iter().map(|asked| asked.status).collect();
    assert_eq!(answers[..3], [429, 429, 200], "{asked:?}");
    assert!(asked[1].at - asked[0].at >= 1_990 && asked[2].at - asked[1].at >= 1_990, "{asked:?}");
    in_pace(&sepay);
}

#[tokio::test]
async fn a_sepay_in_trouble_is_tried_again_without_anyone() {
    let (sepay, ground) = begin().await;
    sepay.faults().broken = 2;
    let shop = shop_at(&sepay, ground).await;
    for failures in 1..=2 {
        let stands = until_runs(&shop, failures).await;
        assert_eq!(stands["last_run"]["code"], "sepay_unavailable", "{stands}");
        assert!(stands["next_at"].is_string());
        let (_, health) = shop.admin("GET", "/health", None).await;
        let part =
            health["components"].as_array().unwrap().iter().find(|one| one["name"] == "reconcile").unwrap();
        assert_eq!((&part["state"], &part["reason"]), (&json!("degraded"), &json!("sepay_unavailable")));
        nap(&shop);
    }
    until_done(&shop).await;
    assert!(notices(&shop).await.is_empty());
}

#[tokio::test]
async fn the_token_goes_to_no_other_host() {
    let (sepay, ground) = begin().await;
    let thief = TcpListener::bind("127.0.0.1:0").await.unwrap();
    sepay.faults().elsewhere =
        Some(format!("http://{}/userapi/transactions/list", thief.local_addr().unwrap()));
    let shop = shop_at(&sepay, ground).await;
    let stands = until_state(&shop, "failed").await;
    assert_eq!(stands["code"], "sepay_unavailable");
    let came = futures::FutureExt::now_or_never(thief.accept());
    assert!(came.is_none(), "the redirect was followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_arrives_both_ways_at_once_counts_once() {
    let (sepay, ground) = begin().await;
    let shop = Arc::new(shop_at(&sepay, ground).await);
    until_done(&shop).await;
    let payments: Vec<_> =
        (1..=300).map(|n| sepay.receives(shop.clock.now_ms(), n * 1_000, &format!("tien {n}"))).collect();
    let run = tokio::spawn({
        let shop = shop.clone();
        async move { reconcile(&shop).await }
    });
    let mut sent = tokio::task::JoinSet::new();
    for payment in payments {
        let request = shop
            .http
            .post(shop.public("/api/v1/payment/webhook"))
            .header("authorization", format!("Apikey {}", chotdon_tests::API_KEY))
            .header("content-type", "application/json")
            .body(payment.to_body());
        sent.spawn(async move { request.send().await.unwrap().json::<Value>().await.unwrap() });
    }
    let answers = sent.join_all().await;
    let duplicates = answers.iter().filter(|answer| answer["outcome"] == "duplicate").count();
    let run = run.await.unwrap();
    assert_eq!(run["added"].as_u64().unwrap(), u64::try_from(duplicates).unwrap(), "{run}");
    let money = shop.money().await;
    assert_eq!((&money["transfers"], &money["in_vnd"]), (&json!(300), &json!(45_150_000)));
    assert_eq!(reconcile(&shop).await["added"], 0);
    assert_eq!((difference(&shop).await, notices(&shop).await), (0, vec![]));
    shop.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_dies_between_a_page_and_its_cursor_reads_it_again_and_counts_it_once() {
    let (sepay, ground) = begin().await;
    for n in 1..=40 {
        sepay.receives(ground.clock.now_ms(), 1_000 * n, "chuyen tien");
    }
    let (reached, mut stuck) = tokio::sync::mpsc::unbounded_channel();
    let probe: chotdon_core::ports::Probe = Some(Arc::new(move |point: &str| {
        let here = point == "reconcile:taken";
        if here {
            reached.send(()).unwrap();
        }
        Box::pin(async move {
            if here {
                std::future::pending::<()>().await;
            }
        })
    }));
    let shop = TestShop::on(ground, chotdon_tests::Setup { probe, ..super::setup(&sepay) }).await;
    stuck.recv().await.unwrap();
    assert_eq!(shop.money().await["transfers"], 40);
    let ground = shop.stop().await;

    let shop = shop_at(&sepay, ground).await;
    let stands = until_done(&shop).await;
    let states: Vec<&str> =
        stands["runs"].as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "stopped"]);
    assert_eq!(stands["last_run"]["listed"], 40, "the page was not read again: {stands}");
    let money = shop.money().await;
    assert_eq!((&money["transfers"], &money["in_vnd"]), (&json!(40), &json!(820_000)));
    shop.sound().await;
}

#[tokio::test]
async fn a_row_that_shows_up_late_is_found_within_the_hour() {
    let (sepay, ground) = begin().await;
    let late = sepay.receives(ground.clock.now_ms(), 70_000, "chuyen tien");
    sepay.faults().hidden.insert(late.sepay_id);
    // Meanwhile SePay's other shops take more ids than are read again.
    sepay.skips(50_000);
    sepay.receives(ground.clock.now_ms(), 30_000, "chuyen tien");
    let shop = shop_at(&sepay, ground).await;
    until_done(&shop).await;
    sepay.faults().hidden.clear();
    assert_eq!(reconcile(&shop).await["added"], 0, "the ids are too far back");
    for _ in 0..61 {
        nap(&shop);
    }
    assert_eq!(
        shop.until(|| async { Some(shop.money().await["in_vnd"].clone()).filter(|sum| *sum == 100_000) })
            .await,
        100_000
    );
}

#[tokio::test]
async fn money_that_differs_from_sepays_list_is_shown_and_told() {
    let (sepay, ground) = begin().await;
    let shop = shop_at(&sepay, ground).await;
    until_done(&shop).await;
    let payment = sepay.receives(shop.clock.now_ms(), 100_000, "chuyen tien");
    sepay.faults().wrong = vec![(payment.sepay_id, 5_000)];
    let answer = shop
        .http
        .post(shop.public("/api/v1/payment/webhook"))
        .header("authorization", format!("Apikey {}", chotdon_tests::API_KEY))
        .body(payment.to_body())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    reconcile(&shop).await;
    assert_eq!(difference(&shop).await, 5_000);
    assert!(notices(&shop).await.contains(&"sepay_difference".to_owned()));
    sepay.faults().wrong.clear();
    reconcile(&shop).await;
    assert_eq!((difference(&shop).await, notices(&shop).await), (0, vec![]));
}

#[tokio::test]
async fn what_cannot_be_right_is_told_and_holds_nothing_up() {
    let (sepay, ground) = begin().await;
    let first = sepay.receives(ground.clock.now_ms(), 20_000, "chuyen tien");
    let half = sepay.receives(ground.clock.now_ms(), 30_000, "nua dong");
    sepay.receives(ground.clock.now_ms(), 40_000, "chuyen tien");
    sepay.pays(ground.clock.now_ms(), 15_000, "rut tien");
    sepay.relinks(&first);
    sepay.faults().halved.insert(half.sepay_id);
    let shop = shop_at(&sepay, ground).await;
    let stands = until_done(&shop).await;
    let run = &stands["last_run"];
    assert_eq!((&run["added"], &run["unreadable"]), (&json!(4), &json!(1)), "{run}");
    let open = notices(&shop).await;
    for kind in ["soft_duplicate", "sepay_row_unreadable", "caught_up"] {
        assert!(open.contains(&kind.to_owned()), "{kind}: {open:?}");
    }
    // Money out is recorded and credits nobody.
    assert_eq!(shop.money().await["in_vnd"], 80_000);
    assert_eq!(shop.money().await["transfers"], 4);
}

#[tokio::test]
async fn a_machine_that_slept_catches_up_before_orders_expire() {
    let (sepay, ground) = begin().await;
    let shop = shop_at(&sepay, ground).await;
    until_done(&shop).await;
    let (paid, total) = shop.order(&["rust-co-ban"]).await;
    let (unpaid, _) = shop.order(&["rust-co-ban"]).await;
    // The lid is closed; the buyer pays within the day, nobody hears of it.
    sepay.receives(shop.clock.now_ms() + 60 * MINUTE, total, &paid);
    let answers = Arc::new(tokio::sync::Semaphore::new(0));
    sepay.faults().held = Some(answers.clone());
    shop.clock.jump(30 * 60 * MINUTE);
    // While SePay has not answered, nothing is decided.
    until_state_running(&shop).await;
    assert_eq!(shop.look(&unpaid).await["order"]["stage"], "pending");
    answers.add_permits(100);
    let order = shop.settled(&paid, "completed").await;
    assert_eq!(order["order"]["flags"], json!([]), "{order}");
    shop.settled(&unpaid, "expired").await;
    let run =
        standing(&shop).await["runs"].as_array().unwrap().iter().find(|run| run["cause"] == "wake").cloned();
    assert!(run.as_ref().unwrap()["slept_s"].as_i64().unwrap() > 29 * 3_600, "{run:?}");
    assert!(notices(&shop).await.contains(&"caught_up".to_owned()));
}

async fn until_state_running(shop: &TestShop) {
    shop.until(|| async { (standing(shop).await["state"] == "running").then_some(()) }).await;
}

#[tokio::test]
async fn without_a_token_a_machine_that_slept_lets_orders_expire() {
    let shop = TestShop::start().await;
    let (unpaid, _) = shop.order(&["rust-co-ban"]).await;
    shop.clock.jump(30 * 60 * MINUTE);
    shop.settled(&unpaid, "expired").await;
}
