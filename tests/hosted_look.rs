//! The pages that buyers see, in a real browser: by axe, by keyboard, on a narrow screen, dark and light, with scripts off.
#![allow(clippy::unwrap_used)]

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use chotdon_tests::{Storefront, TestShop, browse};
use serde_json::{Value, json};

/// What a browser finds wrong with these pages.
async fn wrong_with(looks: &[Value]) -> Vec<String> {
    let said = browse("browser.mjs", &json!(looks)).await;
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A page in every dress that matters.
fn dresses(name: &str, url: &str) -> Vec<Value> {
    let look = |width: u32, dark: bool, language: &str, scripts: bool| {
        json!({ "name": format!("{name}, {width} px, {language}{}{}", if dark { ", dark" } else { "" },
                                if scripts { "" } else { ", no scripts" }),
                "url": url, "width": width, "dark": dark, "language": language, "scripts": scripts })
    };
    vec![
        look(360, false, "vi-VN", true),
        look(360, true, "en-US", true),
        look(1280, true, "vi-VN", true),
        look(360, false, "vi-VN", false),
    ]
}

#[tokio::test]
async fn every_page_is_fit_for_a_narrow_screen_a_keyboard_and_a_screen_reader() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "*").await;
    let text = |value: &Value, pointer: &str| value.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let waiting = front.order(&["thiet-ke-giao-dien"]).await;
    let paid = front.order(&["rust-co-ban"]).await;
    let code = text(&paid, "/code");
    assert_eq!(shop.bank_receives(paid["total_vnd"].as_i64().unwrap(), &code).await, "paid");
    shop.settled(&code, "completed").await;
    let partly = front.order(&["tieng-nhat-n3"]).await;
    assert_eq!(shop.bank_receives(1_000, &text(&partly, "/code")).await, "partial");
    let failing = front.order(&["khoa-hoc-loi"]).await;
    let broken = text(&failing, "/code");
    shop.bank_receives(failing["total_vnd"].as_i64().unwrap(), &broken).await;
    shop.settled(&broken, "failed").await;
    let customer = front.post("/api/v1/customers", &json!({ "email": "mai@example.com" })).await.json();
    let topup = text(&customer, "/topup_url");
    let delivered = shop.look(&code).await;
    let link = delivered["items"][0]["link"].as_str().unwrap_or_else(|| panic!("{delivered}")).to_owned();

    let pay = |order: &Value| text(order, "/payment/pay_url");
    let pages = [
        ("waiting for the money", pay(&waiting)),
        ("partly paid", pay(&partly)),
        ("completed", pay(&paid)),
        ("failed", pay(&failing)),
        ("top-up", topup.clone()),
        ("top-up with an amount", format!("{topup}&amount=150000")),
        ("download", link.clone()),
        ("nothing here", format!("{}/pay/DH000000?t=x", shop.public(""))),
        ("no such download", format!("{}/d/{}", shop.public(""), "x".repeat(43))),
    ];
    let looks: Vec<Value> = pages.iter().flat_map(|(name, url)| dresses(name, url)).collect();
    // A page that does not exist is answered 404, which the browser's console repeats.
    let found = wrong_with(&looks).await;
    let found: Vec<&String> =
        found.iter().filter(|one| !one.contains("the server responded with a status of 4")).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn a_page_that_is_not_fit_is_noticed() {
    const BAD: &str = "<!doctype html><title>x</title><main><img src='data:,'><a href='/'></a>\
        <p style='color:#ddd;background:#fff'>pale</p><div style='width:900px'>wide</div>\
        <button tabindex='-1'>never</button><style>a:focus{outline:none}</style></main>";
    let router = Router::new().route("/", get(|| async { Html(BAD) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let found = wrong_with(&dresses("bad", &url)).await;
    serving.abort();
    for what in [
        "px too wide",
        "axe image-alt",
        "axe color-contrast",
        "axe html-has-lang",
        "without a name",
        "cannot be seen",
        "cannot be reached by keyboard",
        "says nothing",
    ] {
        assert!(found.iter().any(|one| one.contains(what)), "{what}: {found:#?}");
    }
}
