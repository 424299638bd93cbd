//! Delivering a course to the owner's own address.

use chotdon_tests::TestShop;
use serde_json::{Value, json};

use super::{done, refused, sold, status_of};

const SLUG: &str = "rust-co-ban";
const DAY: i64 = 24 * 3_600_000;

async fn tested(shop: &TestShop, state: &str) -> Value {
    shop.until(|| async {
        let course = shop.course(SLUG).await;
        (course["test"]["task"]["state"] == state).then_some(course)
    })
    .await
}

#[tokio::test]
async fn a_test_prepares_shares_and_mails_and_counts_for_nothing() {
    let shop = TestShop::start().await;
    done(&shop, &format!("courses/{SLUG}/test-delivery"), json!({ "email": "chu@example.com" })).await;
    let course = tested(&shop, "done").await;
    assert_eq!(course["test"]["email"], "chu@example.com");
    assert_eq!((&course["course"]["sold"], &course["course"]["ready"]), (&json!(0), &json!(true)));
    let mail = shop.newest_mail("chu@example.com").await;
    let text = mail["text"].as_str().unwrap();
    assert!(mail["subject"].as_str().unwrap().starts_with("[Giao thử]"), "{mail}");
    let link = text.split_whitespace().find(|word| word.contains("/d/")).unwrap();
    assert_eq!(status_of(&shop, link).await, 200);
    let (_, overview) = shop.admin("GET", "/admin/api/overview", None).await;
    assert_eq!((&overview["today"]["completed"], &overview["today"]["paid"]), (&json!(0), &json!(0)));
    let (_, orders) = shop.admin("GET", "/admin/api/orders", None).await;
    assert!(orders["rows"].as_array().unwrap().is_empty());
    let (_, queue) = shop.admin("GET", "/admin/api/tasks?kind=test_delivery", None).await;
    assert_eq!(queue["rows"][0]["course"], "Rust cơ bản");
    shop.clock.jump(DAY + 60_000);
    assert_ne!(status_of(&shop, link).await, 200, "its link is good for a day");
    shop.sound().await;
}

#[tokio::test]
async fn a_test_of_a_course_that_cannot_be_had_disturbs_no_order() {
    let shop = TestShop::start().await;
    let path = "courses/khoa-hoc-loi/test-delivery";
    done(&shop, path, json!({ "email": "chu@example.com" })).await;
    assert_eq!(
        refused(&shop, path, json!({ "email": "chu@example.com" })).await,
        (409, "test_running".into())
    );
    shop.until(|| async {
        let course = shop.course("khoa-hoc-loi").await;
        (course["course"]["preparation"]["state"] == "failed").then_some(())
    })
    .await;
    assert_eq!(shop.admin("POST", "/admin/api/demo/mend", None).await.0, 204);
    done(&shop, "failures/retry", json!({ "filter": {}, "dry_run": false })).await;
    shop.until(|| async {
        let course = shop.course("khoa-hoc-loi").await;
        (course["test"]["task"]["state"] == "done").then_some(())
    })
    .await;
    sold(&shop, &["khoa-hoc-loi"]).await;
    assert_eq!(refused(&shop, path, json!({ "email": "chu" })).await, (400, "invalid_email".into()));
    shop.sound().await;
}
