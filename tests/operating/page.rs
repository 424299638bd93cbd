//! Logs, health and the bundle for support, as the app's pages ask for them.

use chotdon_tests::{ADMIN_TOKEN, TestShop};
use serde_json::Value;

#[tokio::test]
async fn the_health_page_has_a_card_for_each_part() {
    let shop = TestShop::start().await;
    let page = shop
        .until(|| async {
            let (_, page) = shop.admin("GET", "/admin/api/health", None).await;
            page["cards"].as_array().is_some_and(|cards| cards.len() == 10).then_some(page)
        })
        .await;
    for card in page["cards"].as_array().unwrap() {
        assert_eq!(card["hours"].as_array().unwrap().len(), 24);
        assert!(["ok", "off", "warn"].contains(&card["state"].as_str().unwrap()), "{card}");
        assert!(card["state"] == "ok" || card["fix"].is_string(), "what is not well can be mended: {card}");
    }
    assert_eq!(shop.admin("POST", "/admin/api/queue/pause", Some(serde_json::json!({}))).await.0, 200);
    let workers = shop
        .until(|| async {
            shop.clock.jump(5_000);
            let (_, page) = shop.admin("GET", "/admin/api/health", None).await;
            let card = page["cards"].as_array()?.iter().find(|card| card["id"] == "workers")?.clone();
            (card["state"] == "warn").then_some(card)
        })
        .await;
    assert_eq!((&workers["code"], &workers["fix"]), (&"lanes_paused".into(), &"resume".into()));
}

#[tokio::test]
async fn log_lines_can_be_asked_for() {
    let shop = TestShop::start().await;
    let (status, page) = shop.admin("GET", "/admin/api/logs?level=info&limit=5", None).await;
    assert_eq!(status, 200, "{page}");
    assert!(page["rows"].is_array() && page["level"] == "info", "{page}");
    assert_eq!(shop.admin("GET", "/admin/api/logs?level=loud", None).await.0, 400);
}

#[tokio::test]
async fn the_bundle_holds_nobody() {
    let shop = TestShop::start().await;
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    shop.bank_receives(total, &code).await;
    shop.settled(&code, "completed").await;
    let url = format!("http://{}/admin/api/diagnostics", shop.shop.private_addr().unwrap());
    let answer = shop
        .http
        .post(&url)
        .bearer_auth(ADMIN_TOKEN)
        .header("content-type", "application/json")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
        (200, "application/zip")
    );
    let zip = answer.bytes().await.unwrap();
    // Nothing in it is compressed, so that anybody can look.
    let text = String::from_utf8_lossy(&zip);
    for there in
        ["versions.json", "settings.json", "health.json", "metrics.txt", "chotdon_orders", "retry_max"]
    {
        assert!(text.contains(there), "{there}");
    }
    for personal in ["lan@example.com", "Trần Thị Lan", "0900000699", ADMIN_TOKEN, chotdon_tests::API_KEY]
    {
        assert!(!text.contains(personal), "{personal}");
    }
    let (status, preview) = shop.admin("GET", "/admin/api/diagnostics", None).await;
    let names: Vec<&str> =
        preview["files"].as_array().unwrap().iter().filter_map(|file| file["name"].as_str()).collect();
    assert_eq!((status, names.len()), (200, 5), "{names:?}");
    let (_, audit) = shop.admin("GET", "/admin/api/audit", None).await;
    assert!(
        audit["rows"].as_array().unwrap().iter().any(|row: &Value| row["action"] == "diagnostics.export")
    );
}
