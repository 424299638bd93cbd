//! Whole orders whose courses make students.

use chotdon_core::ports::SecretStore;
use chotdon_tests::lms::{KEY, School};
use chotdon_tests::{Ground, Setup, TestShop};
use serde_json::{Value, json};

async fn shop() -> TestShop {
    let ground = Ground::new();
    ground.secrets.set("lms.school", KEY.into()).await.unwrap();
    let env = vec![("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned())];
    TestShop::on(ground, Setup { env, probe: None }).await
}

/// Sells a course that is taught at `school`.
async fn sell(shop: &TestShop, slug: &str, school: &School) {
    let source = shop.dir().join("demo-courses/thiet-ke-giao-dien");
    let course = json!({ "title": slug, "price_vnd": 50_000, "source": { "kind": "folder", "path": source },
                         "target": { "kind": "folder" }, "active": true, "enrolment": school.enrolment("lms.school") });
    let (status, answer) = shop.admin("PUT", &format!("/admin/api/courses/{slug}"), Some(course)).await;
    assert_eq!(status, 200, "{answer}");
}

async fn buy(shop: &TestShop, courses: &[&str]) -> String {
    let (code, total) = shop.order(courses).await;
    assert_eq!(shop.bank_receives(total, &code).await, "paid");
    code
}

fn kinds(order: &Value) -> Vec<&str> {
    order["timeline"].as_array().unwrap().iter().filter_map(|row| row["kind"].as_str()).collect()
}

#[tokio::test]
async fn a_paid_order_makes_a_student_and_the_mail_says_where_to_learn() {
    let (shop, school) = (shop().await, School::start("moodle").await);
    sell(&shop, "hoc-moodle", &school).await;
    let code = buy(&shop, &["hoc-moodle"]).await;
    let order = shop.settled(&code, "completed").await;
    assert_eq!(school.rolls().students(), ["lan@example.com"]);
    assert!(kinds(&order).contains(&"enrolled"), "{:?}", kinds(&order));
    let mail = std::fs::read_to_string(shop.dir().join("mailbox").join(&shop.mails()[0])).unwrap();
    let flat = mail.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=");
    assert!(flat.contains("/course/view.php?id=42"), "{flat}");
    shop.sound().await;
}
