//! SePay's keys are changed while webhooks come in, and nobody with a valid key is turned away; those without one are
//! counted, never stored.
#![allow(clippy::unwrap_used)] // a test may stop anywhere

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use chotdon_core::secrets::{Credentials, OVERLAP, SecretName};
use chotdon_tests::{API_KEY, HMAC_SECRET, Payment, TestShop};
use serde_json::{Value, json};

const NEW_KEY: &str = "another0key0of0SePay0ABCDEF";
const NEW_SECRET: &str = "whsec_another_0123456789abcdef";
const WEBHOOK: &str = "/api/v1/payment/webhook";

/// How a webhook is authenticated.
#[derive(Debug, Clone, Copy)]
enum With {
    Key(&'static str),
    Secret(&'static str),
}

async fn send(shop: &TestShop, with: With, id: i64) -> u16 {
    let body = TestShop::body(&Payment { id, amount: 1000, content: "khong co ma".to_owned() });
    let request = shop.http.post(shop.public(WEBHOOK)).header("content-type", "application/json");
    let request = match with {
        With::Key(key) => request.header("authorization", format!("Apikey {key}")),
        With::Secret(secret) => {
            let timestamp = shop.now_s().to_string();
            let signature = sepay::sign(secret.as_bytes(), &timestamp, &body);
            request.header("x-sepay-timestamp", timestamp).header("x-sepay-signature", signature)
        }
    };
    request.body(body).send().await.expect("the listener answers").status().as_u16()
}

/// Changes both keys as `chotdon-server secret rotate` does beside a running shop, which is told to read them again.
async fn rotate(shop: &TestShop) {
    let beside = Credentials::new(shop.secrets.clone());
    let now = shop.clock.now_ms();
    beside.rotate(&SecretName::sepay_api_key(), NEW_KEY.into(), now, OVERLAP).await.unwrap();
    beside.rotate(&SecretName::sepay_hmac_secret(), NEW_SECRET.into(), now, OVERLAP).await.unwrap();
    assert_eq!(shop.admin("POST", "/admin/api/reload", None).await.0, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_keys_change_nobody_with_a_valid_one_is_turned_away() {
    let shop = Arc::new(TestShop::start().await);
    let (ids, sent) = (Arc::new(AtomicI64::new(1_000)), Arc::new(AtomicUsize::new(0)));
    let (rotated, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let senders: Vec<_> = (0..8)
        .map(|n| {
            let (shop, ids, sent) = (shop.clone(), ids.clone(), sent.clone());
            let (rotated, over) = (rotated.clone(), over.clone());
            tokio::spawn(async move {
                let mut refused = Vec::new();
                while !over.load(Ordering::SeqCst) {
                    // The new keys are in use only once they are known to be in force.
                    let new = rotated.load(Ordering::SeqCst) && n % 2 == 0;
                    let with = match (n % 4 < 2, new) {
                        (true, false) => With::Key(API_KEY),
                        (true, true) => With::Key(NEW_KEY),
                        (false, false) => With::Secret(HMAC_SECRET),
                        (false, true) => With::Secret(NEW_SECRET),
                    };
                    let status = send(&shop, with, ids.fetch_add(1, Ordering::SeqCst)).await;
                    sent.fetch_add(1, Ordering::SeqCst);
                    if status != 200 {
                        refused.push((with, status));
                    }
                }
                refused
            })
        })
        .collect();
    let until = |goal: usize| {
        let sent = sent.clone();
        async move {
            while sent.load(Ordering::SeqCst) < goal {
                tokio::task::yield_now().await;
            }
        }
    };
    until(150).await;
    rotate(&shop).await;
    rotated.store(true, Ordering::SeqCst);
    until(sent.load(Ordering::SeqCst) + 300).await;
    over.store(true, Ordering::SeqCst);
    for sender in senders {
        assert_eq!(format!("{:?}", sender.await.unwrap()), "[]");
    }
    let count = i64::try_from(sent.load(Ordering::SeqCst)).unwrap();
    assert_eq!(shop.money().await["transfers"], count);

    // When the overlap is over, the keys before are worth nothing: the check above can tell.
    shop.clock.jump(i64::try_from(OVERLAP.as_millis()).unwrap() + 31_000);
    assert_eq!(send(&shop, With::Key(API_KEY), 1).await, 401);
    assert_eq!(send(&shop, With::Secret(HMAC_SECRET), 1).await, 401);
    assert_eq!(send(&shop, With::Key(NEW_KEY), 2).await, 200);
    assert_eq!(send(&shop, With::Secret(NEW_SECRET), 3).await, 200);
    assert_eq!(shop.money().await["transfers"], count + 2);
    shop.sound().await;
}

async fn refused(shop: &TestShop) -> BTreeMap<String, i64> {
    let (status, summary) = shop.admin("GET", "/admin/api/webhooks/summary", None).await;
    assert_eq!(status, 200, "{summary}");
    let rows = summary["rejected_24h"].as_array().unwrap();
    rows.iter()
        .map(|row| (row["reason"].as_str().unwrap().to_owned(), row["count"].as_i64().unwrap()))
        .collect()
}

/// Rows of refused requests in the file, summed.
async fn kept(shop: &TestShop) -> BTreeMap<String, i64> {
    let store = chotdon_core::store::Store::open(shop.dir()).await.expect("a second look at the database");
    let rows = store.rejected_since(0).await.unwrap();
    store.close().await;
    let mut sums = BTreeMap::new();
    for row in rows {
        *sums.entry(row.reason).or_default() += row.n;
    }
    sums
}

#[tokio::test]
async fn what_is_turned_away_is_counted_by_reason_and_kept_at_most_once_a_minute() {
    let shop = TestShop::start().await;
    assert_eq!(send(&shop, With::Key("wrong"), 1).await, 401);
    let first = shop.until(|| async { Some(kept(&shop).await).filter(|kept| !kept.is_empty()) }).await;
    assert_eq!(first, BTreeMap::from([("unauthorized".to_owned(), 1)]), "the first at once");

    for _ in 0..40 {
        assert_eq!(send(&shop, With::Key("wrong"), 1).await, 401);
    }
    let post = |headers: Vec<(&'static str, String)>, body: Vec<u8>| {
        let mut request = shop.http.post(shop.public(WEBHOOK)).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        async { request.send().await.unwrap().status().as_u16() }
    };
    let key = || ("authorization", format!("Apikey {API_KEY}"));
    let body = TestShop::body(&shop.payment(1, "x"));
    let old = (shop.now_s() - 10_000).to_string();
    let signature = sepay::sign(HMAC_SECRET.as_bytes(), &old, &body);
    assert_eq!(post(vec![("x-sepay-timestamp", old), ("x-sepay-signature", signature)], body).await, 401);
    assert_eq!(post(vec![key()], b"{".to_vec()).await, 400);
    assert_eq!(post(vec![key()], vec![b'x'; 70_000]).await, 413);
    let gateway =
        json!({ "notification_type": "ORDER_PAID", "order": { "order_invoice_number": "DH123456" } });
    assert_eq!(post(vec![key()], gateway.to_string().into_bytes()).await, 400);
    assert_eq!(
        post(vec![("x-secret-key", "theirs".to_owned())], gateway.to_string().into_bytes()).await,
        401
    );
    assert_eq!(post(vec![], gateway.to_string().into_bytes()).await, 401);

    let wanted = BTreeMap::from(
        [("unauthorized", 41), ("stale", 1), ("malformed", 1), ("too_large", 1), ("wrong_product", 3)]
            .map(|(reason, n)| (reason.to_owned(), n)),
    );
    assert_eq!(refused(&shop).await, wanted);
    assert_eq!(kept(&shop).await, first, "not within the same minute");
    shop.clock.jump(61_000);
    shop.until(|| async { (kept(&shop).await == wanted).then_some(()) }).await;
    assert_eq!(shop.stored_transfers().await, 0);

    let told = shop
        .until(|| async {
            let (_, notices) = shop.admin("GET", "/admin/api/notices", None).await;
            let rows = notices["rows"].as_array()?.clone();
            rows.into_iter().find(|row| row["kind"] == "wrong_product")
        })
        .await;
    assert_eq!((&told["route"], &told["count"]), (&json!("/webhooks"), &Value::from(1)));
    shop.clock.jump(25 * 3_600_000);
    assert!(refused(&shop).await.is_empty(), "a day later they are history");
}
