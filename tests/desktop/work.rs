//! The owner's day in the window: an order is made, paid and delivered; another fails, is told of, and is
//! mended with one click.

use std::time::Duration;

use anyhow::Result;
use chotdon_tests::machine::Machine;
use serde_json::json;

use crate::app::{PATIENCE, desk, picture};
use crate::page::Page;

const VIETNAMESE: Option<&str> = Some("vi_VN.UTF-8");

/// Makes an order in the window and has the simulator pay it. The dialog stays open.
async fn order_and_pay(page: &Page, course: &str, email: &str) -> Result<()> {
    page.part("create-order").await?.click().await?;
    page.part(&format!("course-{course}")).await?.click().await?;
    page.part("order-email").await?.write(email).await?;
    page.part("order-submit").await?.click().await?;
    page.part("pay-qr").await?;
    page.part("simulate-payment").await?.click().await
}

#[tokio::test]
async fn an_order_is_made_paid_and_delivered_and_its_link_gives_the_course() {
    let machine = desk();
    let page = Page::open(&machine, VIETNAMESE).await.unwrap();
    order_and_pay(&page, "rust-co-ban", "lan@example.com").await.unwrap();
    page.wait("[data-testid=created-stage]", "Hoàn tất").await.unwrap();
    picture(&machine, "paid");
    page.part("open-created").await.unwrap().click().await.unwrap();
    let link = page.part("order-link").await.unwrap();
    picture(&machine, "order");
    let address = link.attribute("href").await.unwrap();
    let answer = reqwest::get(&address).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{address}");
    assert!(!answer.bytes().await.unwrap().is_empty());

    page.part("nav-mailbox").await.unwrap().click().await.unwrap();
    page.wait("main a[href*=mailbox]", "lan@example.com").await.unwrap().click().await.unwrap();
    page.wait("iframe[sandbox]", "").await.unwrap();
    picture(&machine, "mail");
    assert_eq!(page.blocked().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failure_is_told_once_and_its_notification_leads_to_the_button_that_mends_it() {
    let machine = desk();
    let page = Page::open(&machine, VIETNAMESE).await.unwrap();
    order_and_pay(&page, "khoa-hoc-loi", "duc@example.com").await.unwrap();
    let told = machine.next_notification(PATIENCE).expect("a failed task is told");
    assert_eq!(told.app, "ChotDon");
    picture(&machine, "notification");
    page.wait("[data-testid=created-stage]", "Thất bại").await.unwrap();
    assert_eq!(machine.next_notification(Duration::from_millis(500)), None, "once");

    page.wait("[role=dialog] button, dialog button", "Đóng").await.unwrap().click().await.unwrap();
    machine.click_notification().unwrap();
    page.part("retry-all").await.unwrap();
    assert!(page.route().await.unwrap().starts_with("/failures"));
    picture(&machine, "failures");
    mend(&machine);
    page.part("retry-all").await.unwrap().click().await.unwrap();
    page.part("nav-orders").await.unwrap().click().await.unwrap();
    page.wait("[data-testid=order-stage]", "Hoàn tất").await.unwrap();
    picture(&machine, "mended");
    assert_eq!(page.blocked().await.unwrap(), Vec::<String>::new());
}

/// Puts the missing course where the shop looks for it.
fn mend(machine: &Machine) {
    let source = machine.home().join("data/ChotDon-demo/demo-courses/khoa-hoc-loi");
    std::fs::create_dir_all(&source).unwrap();
    std::fs::write(source.join("bai-01.md"), "# Bài 1\n").unwrap();
}

#[tokio::test]
async fn the_page_works_on_a_machine_without_a_language() {
    for language in [None, Some("C.UTF-8")] {
        let machine = desk();
        let page = Page::open(&machine, language).await.unwrap();
        page.part("nav-orders").await.unwrap();
        page.wait("main", "Danh sách kiểm tra").await.unwrap();
        let number = page.run("return new Intl.NumberFormat(navigator.language).format(1)", json!([])).await;
        assert_eq!(number.unwrap(), json!("1"), "{language:?}");
    }
}

#[tokio::test]
async fn the_page_can_do_what_it_needs_and_nothing_else() {
    let machine = desk();
    let page = Page::open(&machine, VIETNAMESE).await.unwrap();
    page.part("nav-orders").await.unwrap();
    let invoke = "return window.__TAURI_INTERNALS__.invoke(arguments[0], arguments[1])
        .then((v) => 'allowed: ' + JSON.stringify(v), (e) => 'refused: ' + e)";
    let invoke = async |command: &str, args: serde_json::Value| {
        let said = page.run(invoke, json!([command, args])).await.unwrap();
        said.as_str().unwrap_or_default().to_owned()
    };
    let health = invoke("api", json!({ "method": "GET", "path": "/health", "body": null })).await;
    assert!(health.starts_with("allowed: ") && health.contains("200"), "{health}");

    for (command, args) in [
        ("api", json!({ "method": "GET", "path": "/metrics", "body": null })),
        ("api", json!({ "method": "GET", "path": "/admin/api/events", "body": null })),
        ("open_external", json!({ "url": "file:///etc/passwd" })),
        ("open_external", json!({ "url": "http://127.0.0.1:1/pay/x" })),
        ("plugin:event|emit", json!({ "event": "navigate", "payload": "/" })),
        ("plugin:dialog|open", json!({ "options": {} })),
        ("plugin:autostart|enable", json!({})),
        ("plugin:window|close", json!({ "label": "main" })),
        (
            "plugin:webview|create_webview_window",
            json!({ "options": { "label": "x", "url": "https://example.com" } }),
        ),
    ] {
        let said = invoke(command, args).await;
        assert!(said.starts_with("refused: "), "{command}: {said}");
    }
    // Starting with the machine is the owner's choice, and can be taken back.
    let entry = machine.home().join(".config/autostart/ChotDon.desktop");
    assert_eq!(invoke("start_at_login", json!({ "on": null })).await, "allowed: false");
    assert_eq!(invoke("start_at_login", json!({ "on": true })).await, "allowed: true");
    let said = std::fs::read_to_string(&entry).unwrap();
    assert!(said.lines().any(|line| line.starts_with("Exec=") && line.ends_with("--hidden")), "{said}");
    assert_eq!(invoke("start_at_login", json!({ "on": false })).await, "allowed: false");
    assert!(!entry.exists());

    for (script, what) in [
        ("return typeof window.__TAURI__", "undefined"),
        ("return String(window.open('https://example.com'))", "null"),
        ("return fetch('http://127.0.0.1:8686/healthz').then(() => 'reached', () => 'blocked')", "blocked"),
        (
            "location.href = 'https://example.com/'; return new Promise((r) => setTimeout(() => r(location.hostname), 300))",
            "localhost",
        ),
        ("try { Object.prototype.x = 1 } catch (e) { return 'frozen' } return String(({}).x)", "frozen"),
    ] {
        let said = page.run(script, json!([])).await.unwrap();
        assert!(said == json!(what) || (what == "frozen" && said == json!("undefined")), "{script}: {said}");
    }
}
