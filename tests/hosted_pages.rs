//! The pages that buyers see, as a browser gets them: who may open them, what they say, how fast they follow.
#![allow(clippy::unwrap_used)]

use std::process::Stdio;
use std::time::Duration;

use chotdon_tests::{Storefront, TestShop};
use serde_json::{Value, json};

struct Page {
    status: u16,
    headers: reqwest::header::HeaderMap,
    text: String,
}

async fn open(shop: &TestShop, url: &str, language: &str) -> Page {
    let answer = shop.http.get(url).header("accept-language", language).send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Page { status, headers, text: answer.text().await.unwrap() }
}

/// Code, address of the page, and what it costs.
async fn order(front: &Storefront<'_>) -> (String, String, i64) {
    let order = front.order(&["thiet-ke-giao-dien"]).await;
    let text = |pointer: &str| order.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    (text("/code"), text("/payment/pay_url"), order["total_vnd"].as_i64().unwrap())
}

fn attribute(text: &str, name: &str) -> String {
    let at = text.find(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name}")) + name.len() + 2;
    text[at..].split('"').next().unwrap().replace("&amp;", "&")
}

#[tokio::test]
async fn without_the_token_there_is_nothing_to_see() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "*").await;
    let (code, url, _) = order(&front).await;
    let topup = front.post("/api/v1/customers", &json!({ "email": "lan@example.com" })).await.json();
    let deposit = topup["deposit_code"].as_str().unwrap().to_owned();
    let base = shop.public("");
    let none = open(&shop, &format!("{base}/pay/DH000000?t=x"), "vi").await;
    assert_eq!(none.status, 404);
    let plain = |page: &Page| {
        let nonce = attribute(&page.text, "nonce");
        page.text.replace(&nonce, "")
    };
    for shut in [
        format!("{base}/pay/{code}"),
        format!("{base}/pay/{code}?t="),
        format!("{base}/pay/{code}?t={}", "A".repeat(32)),
        format!("{base}/topup/{deposit}"),
        // The token of one page does not open another.
        format!("{base}/topup/{deposit}?t={}", url.split("t=").nth(1).unwrap()),
        format!("{base}/pay/%FF?t=x"),
    ] {
        let page = open(&shop, &shut, "vi").await;
        assert_eq!(page.status, 404, "{shut}");
        assert_eq!(plain(&page), plain(&none), "a page that exists looks like one that does not");
        assert!(!page.text.contains("lan@example.com") && !page.text.contains("0900000699"));
    }
    let live = format!("{base}/pay/{code}/live?t=x&v=y");
    assert_eq!(open(&shop, &live, "vi").await.status, 404);
    assert_eq!(open(&shop, &url, "vi").await.status, 200, "the control");
    assert_eq!(open(&shop, topup["topup_url"].as_str().unwrap(), "vi").await.status, 200);
}

#[tokio::test]
async fn a_page_keeps_to_itself() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "*").await;
    let (_, url, _) = order(&front).await;
    let (page, again) = (open(&shop, &url, "vi").await, open(&shop, &url, "vi").await);
    let header = |name: &str| page.headers[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    let nonce = attribute(&page.text, "nonce");
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        &format!("script-src 'nonce-{nonce}'"),
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_ne!(nonce, attribute(&again.text, "nonce"), "a nonce is used once");
    assert_eq!(
        (header("referrer-policy"), header("cache-control")),
        ("no-referrer".into(), "no-store".into())
    );
    assert_eq!(
        (header("x-robots-tag"), header("x-content-type-options")),
        ("noindex, nofollow".into(), "nosniff".into())
    );
    for outside in ["http://", "https://", "//cdn", " style=\"", " onclick", "lan@example.com"] {
        let text = page.text.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains(outside), "{outside}");
    }
}

#[tokio::test]
async fn each_state_is_said_in_plain_words_of_both_languages() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "*").await;
    let says = async |url: &str, vi: &str, en: &str| {
        for (language, words) in [("vi-VN,vi;q=0.9", vi), ("en-US,en;q=0.9", en)] {
            let page = open(&shop, url, language).await;
            assert_eq!(page.status, 200);
            assert!(page.text.contains(words), "{words}: {}", page.text);
            assert!(page.text.contains(&format!("<html lang=\"{}\">", &language[..2])));
        }
        open(&shop, &format!("{url}&lang=en"), "vi").await.text
    };
    let qr_of = |page: &str| page.contains("<svg xmlns");

    let (code, url, total) = order(&front).await;
    let page = says(&url, "Đang chờ thanh toán", "Waiting for your payment").await;
    assert!(
        qr_of(&page) && page.contains(&code) && page.contains("0900000699") && page.contains("NGUYEN VAN AN")
    );
    assert_eq!(shop.bank_receives(total - 200_000, &code).await, "partial");
    let page = says(&url, "Còn thiếu một phần tiền", "Part of the money is still missing").await;
    assert!(qr_of(&page) && page.contains("200.000"), "a fresh QR for the rest");
    assert_eq!(shop.bank_receives(250_000, &code).await, "overpaid");
    shop.settled(&code, "completed").await;
    let page = says(&url, "Hoàn tất", "Done. Thank you!").await;
    assert!(
        !qr_of(&page) && page.contains("/d/") && page.contains("50.000"),
        "the link, and what was too much"
    );
    assert!(!page.contains("data-live"), "nothing more to wait for");
    let reason = json!({ "reason": "khách đổi ý" });
    let (status, refunded) =
        shop.admin("POST", &format!("/admin/api/orders/{code}/refund"), Some(reason)).await;
    assert_eq!(status, 200, "{refunded}");
    let page = says(&url, "Đơn đã được hoàn tiền", "This order was refunded").await;
    assert!(!qr_of(&page) && !page.contains("/d/"), "no QR and no links");

    let (code, url, total) = order(&front).await;
    front.post(&format!("/api/v1/orders/{code}/cancel"), &json!({})).await;
    let page = says(&url, "Đơn đã được hủy", "This order was cancelled").await;
    assert!(!qr_of(&page), "nobody is asked to pay it");
    assert_eq!(shop.bank_receives(total, &code).await, "late");
    says(&url, "Tiền đến sau khi đơn đã đóng", "Your money came after the order had closed").await;

    let (code, url, _) = order(&front).await;
    shop.clock.jump(25 * 3_600_000);
    shop.settled(&code, "expired").await;
    let page = says(&url, "Đơn đã hết hạn", "This order has expired").await;
    assert!(!qr_of(&page));

    let failing = front.order(&["khoa-hoc-loi"]).await;
    let code = failing["code"].as_str().unwrap();
    shop.bank_receives(failing["total_vnd"].as_i64().unwrap(), code).await;
    shop.settled(code, "failed").await;
    let url = failing["payment"]["pay_url"].as_str().unwrap();
    says(url, "Đã nhận tiền, shop đang xử lý", "Paid, the shop is on it").await;
}

#[tokio::test]
async fn an_open_page_knows_of_the_money_within_a_second() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "*").await;
    let (code, url, total) = order(&front).await;
    let page = open(&shop, &url, "vi").await.text;
    let live =
        format!("{}/pay/{}&v={}", shop.public(""), attribute(&page, "data-live"), attribute(&page, "data-v"));
    let mut waiting = Box::pin(open(&shop, &live, "vi"));
    assert!(futures::poll!(&mut waiting).is_pending());
    // The question is on its way; it stays open until something happens.
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut waiting).await.is_err());
    assert_eq!(shop.bank_receives(total, &code).await, "paid");
    let told = tokio::time::timeout(Duration::from_secs(1), waiting).await.expect("within a second").text;
    let version: Value = serde_json::from_str(&told).unwrap();
    assert_ne!(version["v"], json!(attribute(&page, "data-v")));
    // Who asks with an old version is answered at once.
    let at_once = tokio::time::timeout(Duration::from_secs(1), open(&shop, &live, "vi")).await.unwrap();
    assert_eq!(at_once.status, 200);
    shop.settled(&code, "completed").await;
}

#[tokio::test]
async fn without_scripts_a_page_reloads_itself_and_an_amount_is_chosen_by_address() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "*").await;
    let (_, url, _) = order(&front).await;
    let page = open(&shop, &url, "vi").await.text;
    assert!(page.contains(r#"<noscript><meta http-equiv="refresh" content="10"></noscript>"#));
    let customer =
        front.post("/api/v1/customers", &json!({ "email": "mai@example.com", "name": "Mai" })).await.json();
    let url = customer["topup_url"].as_str().unwrap();
    let deposit = customer["deposit_code"].as_str().unwrap();
    assert_eq!(shop.bank_receives(300_000, deposit).await, "credited");
    let page = open(&shop, url, "en").await.text;
    assert!(page.contains("300.000") && page.contains(deposit), "{page}");
    assert!(!page.contains("mai@example.com") && !page.contains(">Mai<"));
    let chosen = open(&shop, &format!("{url}&amount=250.000"), "en").await.text;
    assert!(chosen.contains("250.000") && chosen.contains("data-copy=\"250000\""));
    let refused = open(&shop, &format!("{url}&amount=12"), "en").await.text;
    assert!(refused.contains("role=\"alert\"") && !refused.contains("<svg xmlns"));
}

#[tokio::test]
async fn the_qr_on_the_page_is_read_by_another_decoder() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "*").await;
    let order = front.order(&["thiet-ke-giao-dien"]).await;
    let url = order["payment"]["pay_url"].as_str().unwrap();
    let customer = front.post("/api/v1/customers", &json!({ "email": "mai@example.com" })).await.json();
    let topup = format!("{}&amount=150000", customer["topup_url"].as_str().unwrap());
    assert_eq!(seen(&shop, url, 360).await, order["payment"]["vietqr"].as_str().unwrap());
    assert_eq!(seen(&shop, url, 1280).await, order["payment"]["vietqr"].as_str().unwrap());
    let read = vietqr::read(&seen(&shop, &topup, 360).await).unwrap();
    assert_eq!((read.amount, json!(read.additional.memo)), (Some(150_000), customer["deposit_code"].clone()));
}

/// What zbar reads in a picture of the page.
async fn seen(shop: &TestShop, url: &str, width: u32) -> String {
    let picture = shop.dir().join(format!("page-{:08x}.png", rand::random::<u32>()));
    let profile = shop.dir().join("browser");
    let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let browser = browser.into_iter().find(|path| std::path::Path::new(path).exists()).expect("a browser");
    let taken = tokio::process::Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--window-size={width},1600"))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    assert!(tokio::time::timeout(Duration::from_secs(60), taken).await.unwrap().unwrap().success());
    let read = tokio::process::Command::new("zbarimg")
        .args(["--quiet", "--raw"])
        .arg(&picture)
        .stderr(Stdio::null())
        .output()
        .await
        .unwrap();
    String::from_utf8(read.stdout).unwrap().trim().to_owned()
}
