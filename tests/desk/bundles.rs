//! One order, several courses, one mail.

use chotdon_tests::{Setup, Storefront, TestShop};
use serde_json::{Value, json};

use super::{done, mailed, refused, sold};

async fn bundle(shop: &TestShop, slug: &str, price_vnd: i64, courses: &[&str]) -> (u16, Value) {
    let body = json!({ "title": "Trọn bộ", "price_vnd": price_vnd, "courses": courses });
    shop.admin("PUT", &format!("/admin/api/bundles/{slug}"), Some(body)).await
}

#[tokio::test]
async fn a_bundle_is_paid_at_its_price_and_delivered_in_one_mail() {
    let shop = TestShop::start().await;
    let (status, row) = bundle(&shop, "tron-bo", 1_000_000, &["rust-co-ban", "thiet-ke-giao-dien"]).await;
    assert_eq!((status, &row["apart_vnd"]), (200, &json!(1_298_000)), "{row}");
    let (code, total) = shop.order(&["tron-bo"]).await;
    assert_eq!(total, 1_000_000);
    shop.bank_receives(total, &code).await;
    let order = mailed(&shop, &code, 1).await;
    let items = order["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items.iter().map(|item| item["price_vnd"].as_i64().unwrap()).sum::<i64>(), 1_000_000);
    assert!(items.iter().all(|item| item["bundle"]["slug"] == "tron-bo" && item["delivery"] == "delivered"));
    assert_eq!(order["order"]["summary"], "Trọn bộ");
    assert_eq!(shop.mails().len(), 1);
    let (_, found) = shop.admin("GET", "/admin/api/orders?q=thiet+ke", None).await;
    assert_eq!(found["rows"][0]["code"], code.as_str(), "found by a course in it too");
    let (_, bundles) = shop.admin("GET", "/admin/api/bundles", None).await;
    assert_eq!(bundles["rows"][0]["sold"], 1);
    shop.sound().await;
}

#[tokio::test]
async fn a_course_is_not_sold_twice_in_one_order_and_names_are_not_shared() {
    let shop = TestShop::start().await;
    bundle(&shop, "tron-bo", 900_000, &["rust-co-ban", "thiet-ke-giao-dien"]).await;
    let order = json!({ "customer": { "email": "lan@example.com" }, "items": [{ "course": "tron-bo" }, { "course": "rust-co-ban" }] });
    assert_eq!(refused(&shop, "orders", order).await, (409, "course_twice".into()));
    let named = |answer: (u16, Value)| (answer.0, answer.1["code"].as_str().unwrap_or_default().to_owned());
    assert_eq!(
        named(bundle(&shop, "rust-co-ban", 1, &["rust-co-ban", "tieng-nhat-n3"]).await),
        (409, "slug_taken".into())
    );
    assert_eq!(bundle(&shop, "mot", 1, &["rust-co-ban"]).await.0, 400);
    assert_eq!(bundle(&shop, "lap", 1, &["rust-co-ban", "rust-co-ban"]).await.0, 400);
    assert_eq!(bundle(&shop, "la", 1, &["rust-co-ban", "khong-co"]).await.0, 404);
    let edit = json!({ "title": "x", "price_vnd": 1, "source": { "kind": "folder", "path": "/x" }, "target": { "kind": "folder" } });
    let (status, answer) = shop.admin("PUT", "/admin/api/courses/tron-bo", Some(edit)).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("slug_taken")));
}

#[tokio::test]
async fn one_course_that_cannot_be_had_holds_the_mail_until_it_is_mended() {
    let shop =
        TestShop::with(Setup { env: vec![("CHOTDON_QUEUE__RETRY_MAX", "1".into())], ..Setup::default() })
            .await;
    sold(&shop, &["rust-co-ban"]).await;
    let (code, total) = shop.order(&["rust-co-ban", "khoa-hoc-loi", "thiet-ke-giao-dien"]).await;
    shop.bank_receives(total, &code).await;
    let failed = shop.settled(&code, "failed").await;
    assert!(failed["mails"].as_array().unwrap().is_empty(), "nothing is promised before everything is there");
    assert_eq!(shop.admin("POST", "/admin/api/demo/mend", None).await.0, 204);
    done(&shop, "failures/retry", json!({ "filter": {}, "dry_run": false })).await;
    let order = mailed(&shop, &code, 1).await;
    assert!(order["items"].as_array().unwrap().iter().all(|item| item["delivery"] == "delivered"));
    assert_eq!(shop.mails().len(), 2, "one mail for each order");
    shop.sound().await;
}

#[tokio::test]
async fn a_storefront_sells_bundles_and_lists_them() {
    let shop = TestShop::start().await;
    bundle(&shop, "tron-bo", 900_000, &["rust-co-ban", "thiet-ke-giao-dien"]).await;
    let storefront = Storefront::with(&shop, "orders courses").await;
    let catalogue = storefront.get("/api/v1/courses").await.json();
    let row = catalogue["courses"].as_array().unwrap().iter().find(|row| row["slug"] == "tron-bo").unwrap();
    assert_eq!(row["bundle"], json!(["rust-co-ban", "thiet-ke-giao-dien"]));
    let order = storefront.order(&["tron-bo"]).await;
    assert_eq!((order["total_vnd"].as_i64(), order["items"].as_array().unwrap().len()), (Some(900_000), 2));
}
