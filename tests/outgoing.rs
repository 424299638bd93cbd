//! Webhooks to storefronts: what is told, how it is signed, when it is told again, and when never.
#![allow(clippy::unwrap_used)]

use chotdon_core::outgoing::signature;
use chotdon_tests::{Listener, Setup, TestShop, Told};
use secrecy::SecretString;
use serde_json::json;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

async fn endpoint(shop: &TestShop, name: &str, url: &str, events: &[&str]) {
    let path = format!("/admin/api/storefront/webhooks/{name}");
    let (status, answer) = shop.admin("PUT", &path, Some(json!({ "url": url, "events": events }))).await;
    assert_eq!(status, 200, "{answer}");
    let secret = json!({ "value": SECRET });
    assert_eq!(shop.admin("PUT", &format!("/admin/api/secrets/webhook.{name}"), Some(secret)).await.0, 200);
}

fn signed(told: &Told, secret: &str) -> bool {
    let secret = SecretString::from(secret);
    let expected = signature(&secret, &told.id, told.stamp, &told.body).unwrap();
    told.signature.split(' ').any(|one| one == expected)
}

/// Waits until the listener has heard this many times.
async fn heard(shop: &TestShop, listener: &Listener, times: usize) -> Vec<Told> {
    shop.until(|| async { Some(listener.told()).filter(|told| told.len() >= times) }).await
}

async fn deliver(shop: &TestShop) -> String {
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    assert_eq!(shop.bank_receives(total, &code).await, "paid");
    shop.settled(&code, "completed").await;
    code
}

#[tokio::test]
async fn a_storefront_is_told_of_an_order_that_is_paid_and_delivered() {
    let (shop, listener) = (TestShop::start().await, Listener::start().await);
    endpoint(&shop, "web", &listener.url(), &[]).await;
    let code = deliver(&shop).await;
    let told = heard(&shop, &listener, 2).await;
    let mut events: Vec<String> = told.iter().map(Told::event).collect();
    events.sort();
    assert_eq!(events, ["order.delivered", "order.paid"]);
    for one in &told {
        assert!(signed(one, SECRET), "{one:?}");
        assert!(!signed(one, OTHER), "the control");
        assert!(one.id.starts_with("msg_") && one.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        assert!((one.stamp - shop.now_s()).abs() <= 60);
        let body = one.json();
        assert_eq!(body["data"]["code"], code);
        assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
        let text = String::from_utf8(one.body.clone()).unwrap();
        assert!(!text.contains("lan@example.com") && !text.contains("Lan"), "no personal data: {text}");
    }
    let paid = told.iter().find(|one| one.event() == "order.paid").unwrap().json();
    assert_eq!((&paid["data"]["stage"], &paid["data"]["flags"]), (&json!("paid"), &json!([])));
    assert_eq!(paid["data"]["paid_vnd"], paid["data"]["total_vnd"]);
    shop.sound().await;
}

#[tokio::test]
async fn a_refund_and_a_payment_by_the_owners_word_are_told() {
    let (shop, listener) = (TestShop::start().await, Listener::start().await);
    endpoint(&shop, "web", &listener.url(), &["order.paid", "order.refunded"]).await;
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    assert_eq!(shop.bank_receives(total - 1_000, &code).await, "partial");
    let reason = json!({ "reason": "khách quen" });
    assert_eq!(
        shop.admin("POST", &format!("/admin/api/orders/{code}/mark-paid"), Some(reason.clone())).await.0,
        200
    );
    shop.settled(&code, "completed").await;
    assert_eq!(shop.admin("POST", &format!("/admin/api/orders/{code}/refund"), Some(reason)).await.0, 200);
    let told = heard(&shop, &listener, 2).await;
    let paid = told.iter().find(|one| one.event() == "order.paid").unwrap().json();
    assert!(paid["data"]["flags"].as_array().unwrap().contains(&json!("marked")), "{paid}");
    let refunded = told.iter().find(|one| one.event() == "order.refunded").unwrap().json();
    assert_eq!((&refunded["data"]["stage"], &refunded["data"]["paid_vnd"]), (&json!("refunded"), &json!(0)));
    assert!(refunded["timestamp"].as_str() >= paid["timestamp"].as_str());
}

#[tokio::test]
async fn an_endpoint_hears_what_it_asked_for_and_a_shop_without_one_writes_nothing() {
    let (shop, listener) = (TestShop::start().await, Listener::start().await);
    deliver(&shop).await;
    let (_, tasks) = shop.admin("GET", "/admin/api/tasks?kind=send_webhook", None).await;
    assert_eq!(tasks["rows"], json!([]), "nobody wants to be told");

    endpoint(&shop, "web", &listener.url(), &["order.failed", "wallet.credited"]).await;
    let (code, total) = shop.order(&["khoa-hoc-loi"]).await;
    shop.bank_receives(total, &code).await;
    shop.settled(&code, "failed").await;
    let (_, people) = shop.admin("GET", "/admin/api/customers", None).await;
    let deposit = people["rows"][0]["deposit_code"].as_str().unwrap().to_owned();
    assert_eq!(shop.bank_receives(70_000, &deposit).await, "credited");
    let told = heard(&shop, &listener, 2).await;
    assert_eq!(told.iter().filter(|one| one.event() == "order.failed").count(), 1);
    let credited = told.iter().find(|one| one.event() == "wallet.credited").unwrap().json();
    assert_eq!(
        (&credited["data"]["amount_vnd"], &credited["data"]["deposit_code"]),
        (&json!(70_000), &json!(deposit))
    );
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn a_webhook_that_is_not_taken_comes_again_by_the_schedule_under_the_same_id() {
    let (shop, listener) = (TestShop::start().await, Listener::start().await);
    endpoint(&shop, "web", &listener.url(), &["order.paid"]).await;
    // Refused, redirected (which is not followed), unwell, then taken.
    listener.answers(&[400, 302, 503]);
    deliver(&shop).await;
    let task = |state: &'static str| {
        let shop = &shop;
        async move {
            let path = format!("/admin/api/tasks?kind=send_webhook&state={state}");
            shop.admin("GET", &path, None).await.1["rows"].as_array().unwrap().first().cloned()
        }
    };
    for (times, wait_s) in [(1, 5), (2, 300), (3, 1_800)] {
        heard(&shop, &listener, times).await;
        let waiting = shop.until(|| task("scheduled")).await;
        assert_eq!(listener.told().len(), times, "not before its time");
        // The wait is that of the specification, with at most a tenth more.
        shop.clock.jump(wait_s * 1_000 - 1_000);
        assert_eq!(shop.until(|| task("scheduled")).await["id"], waiting["id"]);
        shop.clock.jump(wait_s * 100 + 1_000);
    }
    let told = heard(&shop, &listener, 4).await;
    shop.until(|| task("done")).await;
    assert!(told.iter().all(|one| one.id == told[0].id && one.body == told[0].body), "{told:?}");
    assert!(told.iter().all(|one| signed(one, SECRET)));
    assert!(told[3].stamp - told[0].stamp >= 2_000, "each attempt has its own time");
    assert!(told.iter().map(|one| &one.signature).collect::<std::collections::HashSet<_>>().len() > 1);
    let (_, events) = shop.admin("GET", "/admin/api/storefront/webhooks/web/events", None).await;
    assert_eq!((&events["rows"][0]["attempts"], &events["rows"][0]["status"]), (&json!(4), &json!(204)));
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_told_nothing_more_and_the_owner_knows() {
    let (shop, listener) = (TestShop::start().await, Listener::start().await);
    endpoint(&shop, "web", &listener.url(), &["order.paid"]).await;
    listener.answers(&[410]);
    deliver(&shop).await;
    heard(&shop, &listener, 1).await;
    let group = shop
        .until(|| async {
            let (_, failures) = shop.admin("GET", "/admin/api/failures", None).await;
            failures["groups"].as_array().unwrap().first().cloned()
        })
        .await;
    assert_eq!(group["error"]["code"], "webhook_gone");
    let (_, list) = shop.admin("GET", "/admin/api/storefront/webhooks", None).await;
    assert_eq!(list["rows"][0]["state"], "gone");
    let code = deliver(&shop).await;
    assert_eq!(shop.look(&code).await["order"]["stage"], "completed", "orders are not touched by it");
    assert_eq!(listener.told().len(), 1);
    // Saved again, it is told again.
    endpoint(&shop, "web", &listener.url(), &["order.paid"]).await;
    deliver(&shop).await;
    heard(&shop, &listener, 2).await;
}

#[tokio::test]
async fn while_a_secret_is_rotated_both_signatures_are_there() {
    let (shop, listener) = (TestShop::start().await, Listener::start().await);
    endpoint(&shop, "web", &listener.url(), &[]).await;
    let test = "/admin/api/storefront/webhooks/web/test";
    let (status, queued) = shop.admin("POST", test, None).await;
    assert_eq!(status, 202);
    let told = heard(&shop, &listener, 1).await;
    assert_eq!((told[0].event().as_str(), json!(told[0].id)), ("webhook.test", queued["webhook_id"].clone()));
    assert!(signed(&told[0], SECRET) && told[0].signature.split(' ').count() == 1);

    let secret = json!({ "value": OTHER });
    assert_eq!(shop.admin("PUT", "/admin/api/secrets/webhook.web", Some(secret)).await.0, 200);
    shop.admin("POST", test, None).await;
    let told = heard(&shop, &listener, 2).await;
    assert!(signed(&told[1], OTHER) && signed(&told[1], SECRET), "{:?}", told[1]);
    shop.clock.jump(25 * 3_600_000);
    shop.admin("POST", test, None).await;
    let told = heard(&shop, &listener, 3).await;
    assert!(signed(&told[2], OTHER) && !signed(&told[2], SECRET), "{:?}", told[2]);
}

#[tokio::test]
async fn addresses_of_the_local_network_need_the_setting_and_metadata_services_are_never_called() {
    let env = vec![("CHOTDON_STOREFRONT__PRIVATE_WEBHOOKS", "false".to_owned())];
    let shop = TestShop::with(Setup { env, probe: None }).await;
    let listener = Listener::start().await;
    let put = |url: String| {
        let shop = &shop;
        async move { shop.admin("PUT", "/admin/api/storefront/webhooks/x", Some(json!({ "url": url }))).await }
    };
    for url in [listener.url(), "http://169.254.169.254/latest".into(), "http://shop.example.com/".into()] {
        let (status, problem) = put(url.clone()).await;
        assert_eq!((status, &problem["code"]), (400, &json!("webhook_address_refused")), "{url}");
    }
    // A setting that was taken back holds for endpoints that are there already.
    let store = chotdon_core::store::Store::open(shop.dir()).await.unwrap();
    store.save_endpoint("web", &listener.url(), &[], true, "test", 0).await.unwrap();
    store.close().await;
    let secret = json!({ "value": SECRET });
    shop.admin("PUT", "/admin/api/secrets/webhook.web", Some(secret)).await;
    shop.admin("POST", "/admin/api/reload", None).await;
    deliver(&shop).await;
    let group = shop
        .until(|| async {
            let (_, failures) = shop.admin("GET", "/admin/api/failures", None).await;
            failures["groups"].as_array().unwrap().first().cloned()
        })
        .await;
    assert_eq!(group["error"]["code"], "webhook_address_refused");
    assert!(listener.told().is_empty());
}

#[tokio::test]
async fn a_removed_endpoint_gets_nothing_of_what_was_still_to_be_sent() {
    let (shop, listener) = (TestShop::start().await, Listener::start().await);
    endpoint(&shop, "web", &listener.url(), &["order.paid"]).await;
    listener.answers(&[500]);
    deliver(&shop).await;
    heard(&shop, &listener, 1).await;
    let (status, _) = shop.admin("DELETE", "/admin/api/storefront/webhooks/web", None).await;
    assert_eq!(status, 204);
    shop.clock.jump(60_000);
    let (_, tasks) = shop.admin("GET", "/admin/api/tasks?kind=send_webhook&state=cancelled", None).await;
    assert_eq!(tasks["rows"].as_array().unwrap().len(), 1);
    assert_eq!(listener.events(), ["order.paid"]);
    assert_eq!(shop.admin("DELETE", "/admin/api/storefront/webhooks/web", None).await.0, 404);
}

/// The newest thing that the endpoint was told, once it stands like this.
async fn stands(shop: &TestShop, state: &str) -> serde_json::Value {
    shop.until(|| async {
        let (_, events) = shop.admin("GET", "/admin/api/storefront/webhooks/web/events", None).await;
        Some(events["rows"][0].clone()).filter(|row| row["state"] == state)
    })
    .await
}

#[tokio::test]
async fn the_owner_sees_how_each_event_stands_and_when_it_is_sent_again() {
    let (shop, listener) = (TestShop::start().await, Listener::start().await);
    endpoint(&shop, "web", &listener.url(), &[]).await;
    let test = "/admin/api/storefront/webhooks/web/test";
    listener.answers(&[503]);
    let (_, queued) = shop.admin("POST", test, None).await;
    let row = stands(&shop, "retrying").await;
    assert_eq!((&row["webhook_id"], &row["status"]), (&queued["webhook_id"], &json!(503)));
    assert_eq!(row["error"]["code"], "webhook_refused");
    assert!(row["next_at"].as_str() > row["at"].as_str() && row["task"].is_i64(), "{row}");

    shop.clock.jump(6_000);
    let row = stands(&shop, "delivered").await;
    assert_eq!((&row["status"], &row["attempts"]), (&json!(204), &json!(2)));
    assert_eq!((&row["error"], &row["next_at"], &row["task"]), (&json!(null), &json!(null), &json!(null)));

    shop.admin("DELETE", "/admin/api/secrets/webhook.web", None).await;
    shop.admin("POST", test, None).await;
    let row = stands(&shop, "failed").await;
    assert_eq!((&row["error"]["code"], &row["next_at"]), (&json!("webhook_secret_missing"), &json!(null)));
    let (_, list) = shop.admin("GET", "/admin/api/storefront/webhooks", None).await;
    assert_eq!((&list["rows"][0]["state"], &list["rows"][0]["failed"]), (&json!("no_secret"), &json!(1)));
}

#[tokio::test]
async fn an_endpoint_that_is_turned_off_is_told_nothing_until_it_is_on_again() {
    let (shop, listener) = (TestShop::start().await, Listener::start().await);
    endpoint(&shop, "web", &listener.url(), &["order.paid"]).await;
    listener.answers(&[503]);
    deliver(&shop).await;
    stands(&shop, "retrying").await;
    let path = "/admin/api/storefront/webhooks/web";
    let off = json!({ "url": listener.url(), "events": ["order.paid"], "active": false });
    let (status, row) = shop.admin("PUT", path, Some(off)).await;
    assert_eq!((status, &row["state"], &row["waiting"]), (200, &json!("off"), &json!(0)), "{row}");
    stands(&shop, "called_off").await;
    shop.clock.jump(600_000);
    deliver(&shop).await;
    assert_eq!(listener.told().len(), 1, "neither what waited nor what is new");

    let on = json!({ "url": listener.url(), "events": ["order.paid"] });
    assert_eq!(shop.admin("PUT", path, Some(on)).await.1["state"], "on");
    let code = deliver(&shop).await;
    let told = heard(&shop, &listener, 2).await;
    assert_eq!(told[1].json()["data"]["code"], code, "the control");
    let (_, audit) = shop.admin("GET", "/admin/api/audit?action=webhook.save", None).await;
    let saved: Vec<bool> =
        audit["rows"].as_array().unwrap().iter().map(|row| row["data"]["on"].as_bool().unwrap()).collect();
    assert_eq!(saved, [true, false, true]);
}

#[tokio::test]
async fn a_signing_secret_that_is_made_here_is_shown_once_and_signs() {
    let (shop, listener) = (TestShop::start().await, Listener::start().await);
    let path = "/admin/api/storefront/webhooks/web";
    let (_, row) = shop.admin("PUT", path, Some(json!({ "url": listener.url() }))).await;
    assert_eq!(row["state"], "no_secret");
    let rotate = "/admin/api/secrets/webhook.web/rotate";
    let (status, made) = shop.admin("POST", rotate, Some(json!({ "overlap_h": 0 }))).await;
    assert_eq!((status, &made["previous_until"]), (200, &json!(null)), "{made}");
    let secret = made["value"].as_str().unwrap();
    let (_, list) = shop.admin("GET", "/admin/api/storefront/webhooks", None).await;
    assert_eq!(list["rows"][0]["state"], "on");
    shop.admin("POST", &format!("{path}/test"), None).await;
    let told = heard(&shop, &listener, 1).await;
    assert!(signed(&told[0], secret) && !signed(&told[0], OTHER));

    let (_, audit) = shop.admin("GET", "/admin/api/audit?action=secret.", None).await;
    assert_eq!(audit["rows"][0]["action"], "secret.set", "the first value takes nobody's place");
    let (_, alerts) = shop.admin("POST", "/admin/api/secrets/alerts.webhook_secret/rotate", None).await;
    assert!(
        alerts["value"].as_str().unwrap().starts_with("whsec_"),
        "the owner's own webhook is signed alike"
    );
    let (_, keys) = shop.admin("GET", "/admin/api/keys", None).await;
    assert!(!keys.to_string().contains("whsec_"), "{keys}");
}
