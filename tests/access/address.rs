//! An order's address is changed, and a course is tried, where access is given by Google Drive.

use serde_json::json;

use super::stage::{COURSE, Stage};

#[tokio::test]
async fn a_changed_address_takes_access_from_the_old_and_gives_it_to_the_new() {
    let stage = Stage::set(&[]).await;
    let code = stage.delivered_to("lan@example.com").await;
    let other = stage.delivered_to("minh@example.com").await;
    assert_eq!(stage.readers(), ["lan@example.com", "minh@example.com"], "the control");
    let change = json!({ "email": "lan.moi@example.com" });
    let path = format!("/admin/api/orders/{code}/change-email");
    assert_eq!(stage.shop.admin("POST", &path, Some(change)).await.0, 200);
    stage
        .shop
        .until(|| async {
            let mut readers = stage.readers();
            readers.sort();
            (readers == ["lan.moi@example.com", "minh@example.com"]).then_some(())
        })
        .await;
    let order = stage.shop.settled(&code, "completed").await;
    let last = order["mails"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["recipient"], "lan.moi@example.com");
    assert_eq!(stage.shop.look(&other).await["mails"].as_array().unwrap().len(), 1, "nobody else is touched");
    stage.shop.sound().await;
}

#[tokio::test]
async fn a_test_delivery_lets_the_owners_address_in_for_a_day() {
    let stage = Stage::set(&[]).await;
    stage.delivered_to("lan@example.com").await;
    let path = format!("/admin/api/courses/{COURSE}/test-delivery");
    let email = json!({ "email": "chu@example.com" });
    assert_eq!(stage.shop.admin("POST", &path, Some(email)).await.0, 200);
    stage
        .shop
        .until(|| async {
            let (_, course) = stage.shop.admin("GET", &format!("/admin/api/courses/{COURSE}"), None).await;
            (course["test"]["task"]["state"] == "done").then_some(())
        })
        .await;
    let given = stage.shared().into_iter().find(|one| one.email == "chu@example.com").expect("access");
    assert!(given.expires.is_some(), "{given:?}");
    assert_eq!(stage.shop.mails().len(), 2);
}
