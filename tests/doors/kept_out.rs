//! Webhooks with the right key that a setting keeps out are told to the owner; what nobody signed costs no notice.

use chotdon_tests::{API_KEY, Ground, Setup, TestShop};
use serde_json::{Value, json};

use crate::raw::{Line, Raw};

const PATH: &str = "/api/v1/payment/webhook";

async fn shop(env: &[(&'static str, &str)]) -> TestShop {
    let env = env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    TestShop::on(Ground::new(), Setup { env, probe: None }).await
}

/// Sends a webhook with this key, from this address and under this name; answers the status.
async fn post(shop: &TestShop, key: &str, from: &str, host: &str) -> u16 {
    let mut raw = Raw::new("POST", PATH)
        .with("host", host)
        .with("content-type", "application/json")
        .with("authorization", format!("Apikey {key}"))
        .with("cf-connecting-ip", from);
    raw.body = TestShop::body(&shop.payment(1_000, "kept out"));
    Line::to(shop.shop.public_addr()).ask(&raw).await.unwrap().status
}

/// The open notices of this kind.
async fn told(shop: &TestShop, kind: &str) -> Vec<Value> {
    let (_, page) = shop.admin("GET", "/admin/api/notices", None).await;
    let rows = page["rows"].as_array().cloned().unwrap_or_default();
    rows.into_iter().filter(|one| one["kind"] == kind && one["state"] != "resolved").collect()
}

/// Waits until the counters are in the database; what was refused before is told by then.
async fn saved(shop: &TestShop, reason: &str, n: i64) {
    let db = chotdon_core::store::Store::open(shop.dir()).await.unwrap();
    shop.until(|| async {
        shop.clock.jump(61_000);
        let rows = db.rejected_since(0).await.unwrap();
        (rows.iter().filter(|row| row.reason == reason).map(|row| row.n).sum::<i64>() == n).then_some(())
    })
    .await;
    db.close().await;
}

const LISTED: [(&str, &str); 2] = [
    ("CHOTDON_SEPAY__ALLOWED_IPS", "172.236.138.20"),
    ("CHOTDON_PUBLIC__CLIENT_IP_HEADER", "CF-Connecting-IP"),
];

#[tokio::test]
async fn the_right_key_from_an_address_that_the_list_lacks_is_told_once_and_counted() {
    const KIND: &str = "webhook_not_allowed_ip";
    let shop = shop(&LISTED).await;
    let host = shop.shop.public_addr().to_string();
    // The control: whoever has no key raises nothing, however often.
    for _ in 0..3 {
        assert_eq!(post(&shop, "guess", "203.0.113.9", &host).await, 401);
    }
    saved(&shop, "unauthorized", 3).await;
    assert_eq!(told(&shop, KIND).await, Vec::<Value>::new());

    for from in ["203.0.113.7", "203.0.113.8", "203.0.113.9"] {
        assert_eq!(post(&shop, API_KEY, from, &host).await, 403);
    }
    saved(&shop, "not_allowed_ip", 3).await;
    let open = told(&shop, KIND).await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0]["data"], json!({ "address": "203.0.113.9", "count": 3 }));
    assert_eq!((&open[0]["route"], &open[0]["class"]), (&json!("/settings?section=access"), &json!(1)));
    assert!(open[0]["count"].as_i64().unwrap() <= 3, "at most one write a minute: {open:?}");

    assert_eq!(post(&shop, API_KEY, "203.0.113.10", &host).await, 403);
    saved(&shop, "not_allowed_ip", 4).await;
    let again = told(&shop, KIND).await;
    assert_eq!((again.len(), &again[0]["data"]["count"]), (1, &json!(4)));
    assert!(again[0]["count"].as_i64() > open[0]["count"].as_i64(), "{again:?}");
    assert_eq!(shop.money().await["transfers"], 0);
}

#[tokio::test]
async fn the_right_key_under_a_strange_name_is_told_until_the_name_is_listed() {
    const KIND: &str = "webhook_wrong_host";
    let shop = shop(&[]).await;
    assert_eq!(post(&shop, "guess", "", "old-name.example.com").await, 421);
    saved(&shop, "wrong_host", 1).await;
    assert_eq!(told(&shop, KIND).await, Vec::<Value>::new(), "the control: nobody signed it");
    assert_eq!(post(&shop, API_KEY, "", "old-name.example.com").await, 421);
    saved(&shop, "wrong_host", 2).await;
    let open = told(&shop, KIND).await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0]["data"], json!({ "host": "old-name.example.com", "count": 1 }));

    let wrong = json!({ "allowed_hosts": ["https://old-name.example.com"], "client_ip_header": "", "allowed_ips": [] });
    let (status, refused) = shop.admin("PUT", "/admin/api/settings/access", Some(wrong)).await;
    assert_eq!((status, &refused["code"]), (400, &json!("host_invalid")), "{refused}");
    let right =
        json!({ "allowed_hosts": ["old-name.example.com"], "client_ip_header": "", "allowed_ips": [] });
    let (status, saved) = shop.admin("PUT", "/admin/api/settings/access", Some(right)).await;
    assert_eq!(
        (status, &saved["access"]["allowed_hosts"]),
        (200, &json!(["old-name.example.com"])),
        "{saved}"
    );
    assert_eq!(told(&shop, KIND).await, Vec::<Value>::new(), "what kept them out is mended");
    assert_eq!(post(&shop, API_KEY, "", "old-name.example.com").await, 200);
    assert_eq!(shop.money().await["transfers"], 1);
}
