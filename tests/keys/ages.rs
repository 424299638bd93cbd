//! Keys grow old and their owner is reminded once; a store that goes away while the shop runs is told and does no harm.

use chotdon_core::ports::SecretError;
use chotdon_tests::TestShop;
use serde_json::{Value, json};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

async fn reminders(shop: &TestShop) -> Vec<(String, i64, String)> {
    let (_, notices) = shop.admin("GET", "/admin/api/notices?limit=200", None).await;
    let rows = notices["rows"].as_array().unwrap().iter().filter(|row| row["kind"] == "key_old");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<_> = rows
        .map(|row| (text(&row["data"]["name"]), row["count"].as_i64().unwrap(), text(&row["state"])))
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_is_reminded_once_of_a_key_that_is_ninety_days_old() {
    let shop = TestShop::start().await;
    // Known from the start on, so the ages begin there.
    shop.until(|| async {
        let (_, keys) = shop.admin("GET", "/admin/api/keys", None).await;
        let row = keys["rows"].as_array()?.iter().find(|row| row["name"] == "sepay.api_key")?.clone();
        (row["days"] == 0 && row["exact"] == false).then_some(())
    })
    .await;
    shop.clock.jump(89 * DAY_MS);
    shop.until(|| async { (shop.admin("GET", "/health", None).await.0 == 200).then_some(()) }).await;
    assert_eq!(reminders(&shop).await, []);
    shop.clock.jump(DAY_MS + 1000);
    // Looked at once an hour, also when a look is under way while the time goes on.
    let hourly = || async {
        shop.clock.jump(HOUR_MS);
        Some(reminders(&shop).await).filter(|found| found.len() >= 3)
    };
    let first = shop.until(hourly).await;
    assert!(first.iter().any(|(name, count, _)| name == "sepay.api_key" && *count == 1), "{first:?}");

    // Replaced: the reminder is done with, and nobody is reminded of the others a second time.
    let path = "/admin/api/secrets/sepay.api_key/rotate";
    let (status, made) = shop.admin("POST", path, Some(json!({ "overlap_h": 1 }))).await;
    assert_eq!((status, made["value"].as_str().map(str::len)), (200, Some(43)), "{made}");
    let (_, keys) = shop.admin("GET", "/admin/api/keys", None).await;
    let row =
        keys["rows"].as_array().unwrap().iter().find(|row| row["name"] == "sepay.api_key").unwrap().clone();
    assert_eq!(
        (&row["days"], &row["exact"], &row["old"], &row["by"]),
        (&json!(0), &json!(true), &json!(false), &json!("owner"))
    );
    assert!(
        row["previous_until"].is_string()
            && row["actions"].as_array().unwrap().contains(&json!("revoke_previous"))
    );
    shop.clock.jump(2 * DAY_MS);
    shop.until(|| async { (shop.admin("GET", "/health", None).await.0 == 200).then_some(()) }).await;
    let later = reminders(&shop).await;
    assert!(later.iter().all(|(_, count, _)| *count == 1), "{later:?}");
    assert!(later.iter().any(|(name, _, state)| name == "sepay.api_key" && state == "resolved"), "{later:?}");
    let (status, refused) = shop.admin("POST", "/admin/api/secrets/smtp.password/rotate", None).await;
    assert_eq!((status, &refused["code"]), (409, &json!("value_needed")), "the other side gives it out");
    assert_eq!(shop.admin("POST", "/admin/api/secrets/link.key/rotate", None).await.0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_goes_away_is_told_and_payments_go_on() {
    let shop = TestShop::start().await;
    let component = async || {
        let (_, health) = shop.admin("GET", "/health", None).await;
        health["components"].as_array().unwrap().iter().find(|one| one["name"] == "secrets").unwrap().clone()
    };
    assert_eq!(shop.bank_receives(1000, "khong co ma").await, "unmatched");
    assert_eq!(component().await["state"], "ok");
    assert_eq!(component().await["reason"], "stored in: memory");
    shop.secrets.break_with(Some(SecretError::Unavailable("the keyring is locked".to_owned())));
    shop.clock.jump(31_000);
    assert_eq!(shop.bank_receives(1000, "khong co ma").await, "unmatched");
    let found = component().await;
    assert_eq!(found["state"], "degraded", "{found}");
    assert!(found["reason"].as_str().unwrap().contains("the keyring is locked"), "{found}");
    let (status, keys) = shop.admin("GET", "/admin/api/keys", None).await;
    assert_eq!((status, keys["rows"].as_array().unwrap().len()), (200, 0));
    assert!(keys["trouble"].is_string(), "{keys}");
    let (status, refused) =
        shop.admin("PUT", "/admin/api/secrets/smtp.password", Some(json!({ "value": "x1y2z3" }))).await;
    assert_eq!((status, &refused["code"]), (503, &json!("secret_store_unavailable")));
    shop.secrets.break_with(None);
    shop.clock.jump(31_000);
    assert_eq!(shop.bank_receives(1000, "khong co ma").await, "unmatched");
    assert_eq!(component().await["state"], "ok");
}
