//! Workers on other machines, against a whole shop.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod bodies;
mod files;
mod gate;
mod lease;
mod program;
mod replay;
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

/// The task as the owner sees it.
async fn task(shop: &TestShop, id: i64) -> Value {
    let (status, task) = shop.admin("GET", &format!("/admin/api/tasks/{id}"), None).await;
    assert_eq!(status, 200, "{task}");
    task
}

/// Waits until the task is in this state.
async fn task_is(shop: &TestShop, id: i64, state: &str) -> Value {
    shop.until(|| async { Some(task(shop, id).await).filter(|task| task["task"]["state"] == state) }).await
}

/// A worker as the owner sees it.
async fn worker_row(shop: &TestShop, name: &str) -> Value {
    let (_, list) = shop.admin("GET", "/admin/api/workers", None).await;
    list["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
}

/// A refusal: its status and its code.
fn refused(status: u16, code: &str) -> impl Fn(&(u16, Value)) {
    let code = code.to_owned();
    move |(got, answer)| assert_eq!((*got, &answer["code"]), (status, &json!(code)), "{answer}")
}
