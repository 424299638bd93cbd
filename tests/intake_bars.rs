//! One payment is one payment, however often, from wherever and in whatever order SePay reports it.
//! `CHOTDON_TEST_QUICK=1` does a tenth.
#![allow(clippy::unwrap_used)] // a test may stop anywhere

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chotdon_tests::{API_KEY, Answered, HMAC_SECRET, Payment, TestShop, Wire, chance, quick_or_full};
use rand::seq::SliceRandom;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const CONNECTIONS: usize = 64;

/// Times that SePay signs with, seconds from now; all within the tolerance of 300 s.
const SIGNED_AT: [i64; 4] = [0, -250, 3, 250];

/// The same delivery as different senders put it: both addresses, both proofs, headers that say one thing in several ways.
struct Sender {
    n: usize,
    signed: Vec<(String, String)>,
}

impl Sender {
    fn of(n: usize, now_s: i64, body: &[u8]) -> Self {
        let signed = SIGNED_AT.map(|moved| {
            let timestamp = (now_s + moved).to_string();
            let signature = sepay::sign(HMAC_SECRET.as_bytes(), &timestamp, body);
            (timestamp, signature)
        });
        Self { n, signed: signed.to_vec() }
    }

    async fn deliver(&self, wire: &mut Wire, body: &[u8]) -> std::io::Result<Answered> {
        let path = ["/api/v1/payment/webhook", "/api/webhook/sepay"][self.n % 2];
        let kind = ["application/json", "application/json; charset=utf-8", "text/plain", "APPLICATION/JSON"]
            [self.n / 2 % 4];
        let (timestamp, signature) = &self.signed[self.n / 4 % SIGNED_AT.len()];
        let key = match self.n / 3 % 5 {
            0 => format!("Apikey {API_KEY}"),
            1 => format!("apikey   {API_KEY}  "),
            2 => format!("Bearer Apikey {API_KEY}"),
            3 => format!("APIKEY {API_KEY}, "),
            _ => format!("apiKEY {API_KEY}"),
        };
        let mut headers = vec![("Content-Type", kind), ("User-Agent", "SePay"), ("x-request-id", timestamp)];
        if self.n.is_multiple_of(3) {
            headers.extend([
                ("X-SePay-Signature", signature.as_str()),
                ("X-SEPAY-TIMESTAMP", timestamp.as_str()),
            ]);
        } else {
            headers.push((["Authorization", "authorization"][self.n % 2], key.as_str()));
        }
        wire.ask("POST", path, &headers, body).await
    }
}

/// Sends every body once over 64 connections; answers how often each outcome came.
async fn deliver_all(to: SocketAddr, now_s: i64, bodies: Vec<Arc<[u8]>>) -> HashMap<String, usize> {
    let bodies: Arc<[Arc<[u8]>]> = bodies.into();
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (bodies, next) = (bodies.clone(), next.clone());
        senders.spawn(async move {
            let mut wire = Wire::open(to).await.unwrap();
            let mut outcomes: HashMap<String, usize> = HashMap::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some(body) = bodies.get(n) else { return outcomes };
                let answered = Sender::of(n, now_s, body).deliver(&mut wire, body).await.unwrap();
                let answer = answered.json();
                assert_eq!(answered.status, 200, "delivery {n}: {answer}");
                assert_eq!(answer["success"], true, "delivery {n}: {answer}");
                *outcomes.entry(answer["outcome"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        });
    }
    let mut all: HashMap<String, usize> = HashMap::new();
    while let Some(outcomes) = senders.join_next().await {
        for (outcome, count) in outcomes.unwrap() {
            *all.entry(outcome).or_default() += count;
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_deliveries_of_one_webhook_are_one_payment() {
    let times = quick_or_full(1_000, 10_000);
    let shop = TestShop::start().await;
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    let payment = shop.payment(total, &format!("thanh toan {code}"));
    let body: Arc<[u8]> = TestShop::body(&payment).into();
    let outcomes = deliver_all(shop.shop.public_addr(), shop.now_s(), vec![body; times]).await;

    assert_eq!(outcomes, HashMap::from([("paid".to_owned(), 1), ("duplicate".to_owned(), times - 1)]));
    let order = shop.settled(&code, "completed").await;
    assert_eq!(order["order"]["paid_vnd"], total);
    let money = shop.money().await;
    assert_eq!((money["in_vnd"].as_i64(), money["transfers"].as_i64()), (Some(total), Some(1)), "{money}");
    assert_eq!(shop.stored_transfers().await, 1);
    assert_eq!(shop.mails().len(), 1);
}

/// An event and where its money belongs.
struct Event {
    payment: Payment,
    bucket: &'static str,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_events_ten_times_each_in_random_order_are_a_thousand_credits() {
    let count = quick_or_full(100, 1_000);
    let mut chance = chance("a_thousand_events");
    let shop = TestShop::start().await;
    // Money is what is counted here; deliveries have tests of their own.
    assert_eq!(shop.admin("POST", "/admin/api/queue/pause", Some(json!({}))).await.0, 200);
    let events = events(&shop, count).await;
    let mut bodies: Vec<Arc<[u8]>> =
        events.iter().flat_map(|event| vec![Arc::from(TestShop::body(&event.payment)); 10]).collect();
    bodies.shuffle(&mut chance);
    let outcomes = deliver_all(shop.shop.public_addr(), shop.now_s(), bodies).await;

    let of = |bucket: &'static str| events.iter().filter(move |event| event.bucket == bucket);
    assert_eq!(
        outcomes,
        HashMap::from([
            ("duplicate".to_owned(), 9 * count),
            ("paid".to_owned(), of("orders_vnd").count()),
            ("credited".to_owned(), of("wallets_vnd").count()),
            ("unmatched".to_owned(), of("unmatched_vnd").count()),
        ])
    );
    let money = shop.money().await;
    assert_eq!(money["transfers"], count);
    assert_eq!(money["in_vnd"], events.iter().map(|event| event.payment.amount).sum::<i64>());
    for bucket in ["orders_vnd", "wallets_vnd", "unmatched_vnd"] {
        assert_eq!(money[bucket], of(bucket).map(|event| event.payment.amount).sum::<i64>(), "{bucket}");
    }
    assert_eq!(money["difference_vnd"], 0);
    assert_eq!(shop.stored_transfers().await, i64::try_from(count).unwrap());
}

/// Events of every kind in turn: orders paid, wallets topped up, money that nobody announced.
async fn events(shop: &TestShop, count: usize) -> Vec<Event> {
    let (code, _) = shop.order(&["rust-co-ban"]).await;
    let (_, customers) = shop.admin("GET", "/admin/api/customers?q=lan@example.com", None).await;
    let wallet = customers["rows"][0]["deposit_code"].as_str().expect("a deposit code").to_owned();
    let mut events = Vec::with_capacity(count);
    events.push(Event { payment: shop.payment(499_000, &code), bucket: "orders_vnd" });
    for n in 1..count {
        let odd = 10_000 + i64::try_from(n).unwrap();
        let (payment, bucket) = match n % 4 {
            0 => {
                let (code, total) = shop.order(&["rust-co-ban"]).await;
                (shop.payment(total, &format!("CK {code} cam on")), "orders_vnd")
            }
            1 | 2 => (shop.payment(odd, &format!("nap {wallet}")), "wallets_vnd"),
            _ => (shop.payment(odd, "mung sinh nhat"), "unmatched_vnd"),
        };
        events.push(Event { payment, bucket });
    }
    events
}

#[tokio::test]
async fn the_same_id_with_another_body_is_a_duplicate_and_the_owner_is_told() {
    let shop = TestShop::start().await;
    let first = shop.payment(50_000, "khong co ma");
    assert_eq!(shop.webhook(&first).await.1["outcome"], "unmatched");
    let other = Payment { amount: 5_000_000, ..first.clone() };
    let (status, answer) = shop.webhook(&other).await;
    assert_eq!((status, answer["outcome"].as_str()), (200, Some("duplicate")));
    assert_eq!(shop.money().await["in_vnd"], 50_000);
    let differing = |notices: &Value| {
        let rows = notices["rows"].as_array().or(notices.as_array()).expect("a list of notices");
        rows.iter().filter(|notice| notice["kind"] == "different_body").count()
    };
    let (_, notices) = shop.admin("GET", "/admin/api/notices", None).await;
    assert_eq!(differing(&notices), 1, "{notices}");
    assert_eq!(shop.stored_transfers().await, 1);

    // The control: another id is another payment.
    let (_, answer) = shop.webhook(&shop.payment(50_000, "khong co ma")).await;
    assert_eq!(answer["outcome"], "unmatched");
    assert_eq!(shop.stored_transfers().await, 2);
    let (_, notices) = shop.admin("GET", "/admin/api/notices", None).await;
    assert_eq!(differing(&notices), 1);
}
