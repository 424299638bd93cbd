//! Places that end: the app takes them back at their time, whether the platform knows an end or not.

use chotdon_tests::lms::School;
use chotdon_tests::{Setup, TestShop};
use serde_json::{Value, json};

use super::no_files::{place, sell};
use super::orders::{buy, kinds, shop};

const DAY_MS: i64 = 24 * 3_600_000;
const MINUTE_MS: i64 = 60_000;

/// A course that ends after 30 days, by its own terms.
fn for_a_month(school: &School) -> Value {
    let mut course = place(school);
    course["access_days"] = json!(30);
    course
}

async fn ended(shop: &TestShop, code: &str, how: &str) {
    shop.until(|| async {
        let order = shop.look(code).await;
        (kinds(&order).contains(&how) && order["access"][0]["state"] == "revoked").then_some(())
    })
    .await;
    let order = shop.look(code).await;
    assert!(kinds(&order).contains(&"access_expired"), "{order}");
    assert_eq!(
        order["order"]["stage"], "completed",
        "an order whose access has ended was delivered all the same"
    );
}

#[tokio::test]
async fn a_place_ends_at_its_time_at_a_platform_that_knows_no_end() {
    for name in ["teachable", "open_edx", "moodle"] {
        let (shop, school) = (shop().await, School::start(name).await);
        sell(&shop, "hoc", &for_a_month(&school)).await;
        let code = buy(&shop, &["hoc"]).await;
        let order = shop.settled(&code, "completed").await;
        assert!(order["items"][0]["access_until"].is_string(), "{name}: {order}");
        assert_eq!(order["access"][0]["expires_at"], order["items"][0]["access_until"], "{name}");

        shop.clock.jump(30 * DAY_MS - MINUTE_MS);
        let other = buy(&shop, &["thiet-ke-giao-dien"]).await;
        shop.settled(&other, "completed").await;
        assert_eq!(school.rolls().students(), ["lan@example.com"], "{name}: not before");
        shop.clock.jump(MINUTE_MS);
        ended(&shop, &code, "unenrolled").await;
        assert!(school.rolls().students().is_empty(), "{name}");
        let (status, answer) = shop.admin("POST", &format!("/admin/api/orders/{code}/redeliver"), None).await;
        assert!(status < 300, "{answer}");
        let (_, failures) = shop
            .until(|| async {
                let failures = shop.admin("GET", "/admin/api/failures", None).await;
                failures.1["groups"].as_array().is_some_and(|groups| !groups.is_empty()).then_some(failures)
            })
            .await;
        assert_eq!(failures["groups"][0]["error"]["code"], "access_expired", "{name}: its time is over");
        assert!(school.rolls().students().is_empty(), "{name}");
        shop.sound().await;
    }
}

#[tokio::test]
async fn a_later_order_of_the_same_buyer_keeps_the_place_for_its_own_time() {
    let (shop, school) = (shop().await, School::start("teachable").await);
    sell(&shop, "hoc", &for_a_month(&school)).await;
    let first = buy(&shop, &["hoc"]).await;
    shop.settled(&first, "completed").await;
    shop.clock.jump(10 * DAY_MS);
    let second = buy(&shop, &["hoc"]).await;
    shop.settled(&second, "completed").await;
    shop.clock.jump(20 * DAY_MS + MINUTE_MS);
    ended(&shop, &first, "enrolment_left").await;
    assert_eq!(school.rolls().students(), ["lan@example.com"], "the second order's time is not over");
    assert_eq!(school.asked("unenroll"), 0);
    shop.clock.jump(10 * DAY_MS);
    ended(&shop, &second, "unenrolled").await;
    assert!(school.rolls().students().is_empty());
}

#[tokio::test]
async fn a_platform_that_knows_the_end_is_told_the_later_one() {
    for name in ["moodle", "canvas", "thinkific"] {
        let (shop, school) = (shop().await, School::start(name).await);
        sell(&shop, "hoc", &for_a_month(&school)).await;
        let first = buy(&shop, &["hoc"]).await;
        shop.settled(&first, "completed").await;
        let end =
            || school.rolls().places.iter().find(|place| place.active).and_then(|place| place.until.clone());
        let before = end().expect("an end");
        shop.clock.jump(10 * DAY_MS);
        let second = buy(&shop, &["hoc"]).await;
        shop.settled(&second, "completed").await;
        let after = end().expect("an end");
        assert!(after > before, "{name}: {after} after {before}");
        // What is shorter moves nothing.
        let (status, answer) = shop.admin("POST", &format!("/admin/api/orders/{first}/resend"), None).await;
        assert!(status < 300, "{answer}");
        shop.until(|| async { (shop.mails().len() == 3).then_some(()) }).await;
        assert_eq!(end().as_ref(), Some(&after), "{name}");
        shop.clock.jump(20 * DAY_MS + MINUTE_MS);
        ended(&shop, &first, "enrolment_left").await;
        assert_eq!(school.rolls().students(), ["lan@example.com"], "{name}");
        assert_eq!(school.rolls().violations, Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn a_place_whose_time_ended_while_the_shop_was_closed_is_taken_back_at_the_next_start() {
    let (shop, school) = (shop().await, School::start("teachable").await);
    let mut days = place(&school);
    days["enrolment"]["days"] = json!(7);
    sell(&shop, "hoc", &days).await;
    let code = buy(&shop, &["hoc"]).await;
    shop.settled(&code, "completed").await;
    let ground = shop.stop().await;
    ground.clock.jump(7 * DAY_MS + MINUTE_MS);
    assert_eq!(school.rolls().students(), ["lan@example.com"], "nobody was there to do it");
    let env = vec![("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned())];
    let shop = TestShop::on(ground, Setup { env, probe: None }).await;
    ended(&shop, &code, "unenrolled").await;
    assert!(school.rolls().students().is_empty());
}

#[tokio::test]
async fn the_shorter_of_two_terms_counts() {
    let (shop, school) = (shop().await, School::start("teachable").await);
    let mut course = for_a_month(&school);
    course["enrolment"]["days"] = json!(7);
    sell(&shop, "hoc", &course).await;
    let code = buy(&shop, &["hoc"]).await;
    let order = shop.settled(&code, "completed").await;
    assert!(
        order["access"][0]["expires_at"].as_str() < order["items"][0]["access_until"].as_str(),
        "{order}"
    );
    shop.clock.jump(7 * DAY_MS + MINUTE_MS);
    ended(&shop, &code, "unenrolled").await;
}
