//! A signing key is changed again and again beside a running server, by command and by the admin API, while webhooks come
//! in: nobody with a valid key is turned away, and nobody with a void one gets in.
//!
//! `CHOTDON_ROTATIONS=1000` is the long form.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use chotdon_tests::served::{Home, Served};
use chotdon_tests::{Payment, TestShop};
use serde_json::json;
use tokio::sync::RwLock;

use crate::{asked, now_ms, serve};

const SECRET: &str = "sepay.hmac_secret";
/// Together they send fifty webhooks a second.
const SENDERS: usize = 10;
const EACH: Duration = Duration::from_millis(200);

/// Status of a webhook that is signed with `key`.
async fn send(http: &reqwest::Client, public: &str, key: &str, id: i64) -> u16 {
    let body = TestShop::body(&Payment { id, amount: 1000, content: "khong co ma".to_owned() });
    let timestamp = (now_ms() / 1000).to_string();
    let signature = sepay::sign(key.as_bytes(), &timestamp, &body);
    let request = http
        .post(format!("{public}/api/v1/payment/webhook"))
        .header("content-type", "application/json")
        .header("x-sepay-timestamp", timestamp)
        .header("x-sepay-signature", signature)
        .body(body);
    request.send().await.expect("the listener answers").status().as_u16()
}

fn fresh() -> String {
    format!("whsec_{:032x}", rand::random::<u128>())
}

/// Rotates by command and by the API in turn; the new key is in force when this returns.
async fn rotate(home: &Home, served: &Served, n: usize, key: &str) {
    if n.is_multiple_of(2) {
        home.run(&["secret", "rotate", SECRET], key).await.unwrap();
    } else {
        let body = json!({ "value": key });
        let path = format!("/admin/api/secrets/{SECRET}/rotate");
        let (status, answer) = served.admin("POST", &path, Some(body)).await.unwrap();
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["value"], json!(null), "what was given is not given back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_valid_webhook_is_refused_however_often_the_key_changes() {
    let rotations = asked("CHOTDON_ROTATIONS", 20);
    let mut home = Home::new().await.unwrap();
    home.env.push(("CHOTDON_LOG__LEVEL", "warn".to_owned()));
    let served = serve(&home).await;
    let over = Arc::new(AtomicBool::new(false));
    let (ids, sent) = (Arc::new(AtomicI64::new(1)), Arc::new(AtomicUsize::new(0)));
    // Who sends holds the key of its time; a key goes out of use only when nobody sends with the one before it.
    let key = Arc::new(RwLock::new(home.hmac_secret.clone()));
    let under_way: Arc<[RwLock<()>; 2]> = Arc::new([RwLock::new(()), RwLock::new(())]);
    let turn = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (over, ids, sent, key) = (over.clone(), ids.clone(), sent.clone(), key.clone());
            let (under_way, turn) = (under_way.clone(), turn.clone());
            let (http, public) = (served.http.clone(), served.public.clone());
            tokio::spawn(async move {
                let mut refused = Vec::new();
                let mut beat = tokio::time::interval(EACH);
                while !over.load(Ordering::SeqCst) {
                    beat.tick().await;
                    let known = key.read().await;
                    let _sending = under_way[turn.load(Ordering::SeqCst) % 2].read().await;
                    let mine = known.clone();
                    drop(known);
                    let id = ids.fetch_add(1, Ordering::SeqCst);
                    let status = send(&http, &public, &mine, id).await;
                    sent.fetch_add(1, Ordering::SeqCst);
                    if status != 200 {
                        refused.push((id, status));
                    }
                }
                refused
            })
        })
        .collect();
    let began = now_ms();
    for n in 0..rotations {
        let next = fresh();
        // Nobody sends with the key before the current one any more: it is void from now on.
        drop(under_way[(n + 1) % 2].write().await);
        rotate(&home, &served, n, &next).await;
        let mut known = key.write().await;
        *known = next;
        turn.store(n + 1, Ordering::SeqCst);
    }
    let took = now_ms() - began;
    over.store(true, Ordering::SeqCst);
    for sender in senders {
        assert_eq!(sender.await.unwrap(), []);
    }
    let sent = sent.load(Ordering::SeqCst);
    println!("{rotations} rotations in {took} ms, {sent} webhooks, none refused");
    assert!(sent > rotations, "webhooks came in all the while: {sent}");
    let (_, money) = served.admin("GET", "/admin/api/money", None).await.unwrap();
    assert_eq!(money["transfers"], json!(sent));
    let last = key.read().await.clone();
    assert_eq!(send(&served.http, &served.public, &last, 900_001).await, 200);
    assert_eq!(
        send(&served.http, &served.public, &home.hmac_secret, 900_002).await,
        401,
        "the control: the first is void"
    );
    let (_, found) =
        served.admin("GET", "/admin/api/audit?action=secret.rotate&limit=200", None).await.unwrap();
    assert!(found["rows"].as_array().unwrap().len() >= rotations.min(200), "each is in the record");
    served.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_key_ends_with_its_overlap_and_a_revoked_one_at_once() {
    let home = Home::new().await.unwrap();
    let served = serve(&home).await;
    let first = home.hmac_secret.clone();
    let (second, third) = (fresh(), fresh());
    let ids = AtomicI64::new(1);
    let works = async |key: &str| {
        send(&served.http, &served.public, key, ids.fetch_add(1, Ordering::SeqCst)).await == 200
    };
    assert!(works(&first).await);

    // With the overlap's end the old key ends, within a second.
    home.run(&["secret", "rotate", SECRET, "--overlap", "2s"], &second).await.unwrap();
    let (_, keys) = served.admin("GET", "/admin/api/keys", None).await.unwrap();
    let row = keys["rows"].as_array().unwrap().iter().find(|row| row["name"] == SECRET).unwrap();
    assert_eq!((&row["by"], &row["exact"], &row["days"]), (&json!("cli"), &json!(true), &json!(0)));
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let ended = loop {
        look.tick().await;
        let asked_at = now_ms();
        if !works(&first).await {
            break asked_at;
        }
        assert!(works(&second).await);
    };
    if let Some(until) = row["previous_until"].as_str() {
        // Seconds are enough for the bar; the server and this test read one clock.
        let (_, audit) =
            served.admin("GET", "/admin/api/audit?action=secret.rotate&limit=1", None).await.unwrap();
        let until_ms = audit["rows"][0]["data"]["previous_until"].as_i64().unwrap();
        let late = now_ms() - until_ms;
        println!("void {} ms after {until}", ended - until_ms);
        assert!(late >= 0 && ended - until_ms <= 1_000, "{ended} {until_ms}");
    }

    // Revoked: the very next request is refused, though the server remembered the key a moment ago.
    home.run(&["secret", "rotate", SECRET], &third).await.unwrap();
    assert!(works(&second).await && works(&third).await);
    home.run(&["secret", "revoke", SECRET], "").await.unwrap();
    assert!(!works(&second).await);
    assert!(works(&third).await);
    home.run(&["secret", "delete", SECRET], "").await.unwrap();
    assert!(!works(&third).await);

    // The same by the API.
    home.run(&["secret", "set", SECRET], &first).await.unwrap();
    let path = format!("/admin/api/secrets/{SECRET}");
    assert_eq!(
        served.admin("POST", &format!("{path}/rotate"), Some(json!({ "value": second }))).await.unwrap().0,
        200
    );
    assert!(works(&first).await);
    assert_eq!(served.admin("DELETE", &format!("{path}/previous"), None).await.unwrap().0, 204);
    assert!(!works(&first).await && works(&second).await);
    served.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_admin_token_works_beside_the_old_one_until_that_is_revoked() {
    let home = Home::new().await.unwrap();
    let mut served = serve(&home).await;
    let old = served.token.clone();
    let health = async |served: &Served| served.admin("GET", "/health", None).await.unwrap().0;
    let new = home.run(&["secret", "rotate", "admin.token"], "").await.unwrap();
    assert_ne!(new, old);
    assert_eq!(health(&served).await, 200);
    served.token.clone_from(&new);
    assert_eq!(health(&served).await, 200);
    home.run(&["secret", "revoke", "admin.token"], "").await.unwrap();
    assert_eq!(health(&served).await, 200);
    served.token.clone_from(&old);
    assert_eq!(health(&served).await, 401);
    served.token = new;
    let (_, said) = served.admin("GET", "/admin/api/audit?action=login.refused", None).await.unwrap();
    assert_eq!(said["rows"][0]["actor"], "unknown", "{said}");
    let listed = home.run(&["secret", "list"], "").await.unwrap();
    assert!(listed.starts_with("stored in: file"), "{listed}");
    assert!(listed.contains("days old"), "{listed}");
    served.stop().await.unwrap();
}
