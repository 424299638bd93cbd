//! What the owner does with courses and deliveries, on a whole shop: versions, bundles, addresses, tests.
#![allow(clippy::unwrap_used)]

mod address;
mod bundles;
mod courses;
mod google;
mod mails;
mod trial;
mod versions;

use chotdon_tests::TestShop;
use serde_json::{Value, json};

/// Pays an order of these courses and waits until it is delivered; answers its code.
async fn sold(shop: &TestShop, courses: &[&str]) -> String {
    let (code, total) = shop.order(courses).await;
    assert_eq!(shop.bank_receives(total, &code).await, "paid");
    shop.settled(&code, "completed").await;
    code
}

/// Waits until the order's last mail is the `n`-th and it is complete.
async fn mailed(shop: &TestShop, code: &str, n: usize) -> Value {
    shop.until(|| async {
        let order = shop.look(code).await;
        let mails = order["mails"].as_array().unwrap();
        let sent = mails.len() == n && mails.iter().all(|mail| mail["state"] == "sent");
        (sent && order["order"]["stage"] == "completed" && order["items"][0]["delivery"] == "delivered")
            .then_some(order)
    })
    .await
}

async fn post(shop: &TestShop, path: &str, body: Value) -> (u16, Value) {
    shop.admin("POST", &format!("/admin/api/{path}"), Some(body)).await
}

async fn done(shop: &TestShop, path: &str, body: Value) -> Value {
    let (status, answer) = post(shop, path, body).await;
    assert!(status < 300, "{path}: {answer}");
    answer
}

async fn refused(shop: &TestShop, path: &str, body: Value) -> (u16, String) {
    let (status, answer) = post(shop, path, body).await;
    (status, answer["code"].as_str().unwrap_or_default().to_owned())
}

async fn status_of(shop: &TestShop, url: &str) -> u16 {
    shop.http.get(url).send().await.unwrap().status().as_u16()
}

fn link(order: &Value, at: usize) -> String {
    order["items"][at]["link"].as_str().expect("a link").to_owned()
}

fn nothing() -> Value {
    json!({})
}
