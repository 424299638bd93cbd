//! Workers on other machines, against a whole shop.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod work;

use chotdon_tests::TestShop;
use serde_json::{Value, json};

/// A course that only workers on other machines fetch, and an order for it that is paid.
async fn ordered(shop: &TestShop, slug: &str, more: Value) -> String {
    course(shop, slug, "https://files.example.invalid/course.json", more).await;
    let (code, total) = shop.order(&[slug]).await;
    assert_eq!(shop.bank_receives(total, &code).await, "paid");
    code
}

async fn course(shop: &TestShop, slug: &str, url: &str, more: Value) {
    let mut source = json!({ "kind": "http", "url": url, "worker": "only" });
    source.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let course = json!({
        "title": format!("Khóa {slug}"), "price_vnd": 50_000, "active": true,
        "source": source, "target": { "kind": "folder" },
    });
    let (status, answer) = shop.admin("PUT", &format!("/admin/api/courses/{slug}"), Some(course)).await;
    assert!((200..300).contains(&status), "{answer}");
}
