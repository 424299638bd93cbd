//! The sample storefront of docs/storefront: its page in a browser, its commands in a shell, its check of signatures.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use chotdon_core::outgoing::signature;
use chotdon_tests::{Storefront, TestShop};
use serde_json::{Value, json};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/storefront")
}

/// The blocks of a page that are in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = text.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_commands_of_the_readme_work_in_their_order() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "courses:read orders customers").await;
    let readme = std::fs::read_to_string(docs().join("README.md")).unwrap();
    let commands = blocks(&readme, "sh");
    assert_eq!(commands.len(), 5);
    let mut code = String::new();
    let mut answers: Vec<Value> = Vec::new();
    for line in commands
        .iter()
        .flat_map(|block| block.replace("\\\n", "").lines().map(str::to_owned).collect::<Vec<_>>())
    {
        // The order that was called off has no QR any more; its picture is asked for with another.
        if line.contains("/qr/") {
            front.send("POST", "/api/v1/orders", &[], Some(&again())).await.json()["code"]
                .as_str()
                .unwrap()
                .clone_into(&mut code);
        }
        let ran = tokio::process::Command::new("bash")
            .args(["-ec", &line])
            .env("SHOP", shop.public(""))
            .env("KEY", &front.key)
            .env("CODE", &code)
            .current_dir(shop.dir())
            .output()
            .await
            .unwrap();
        assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
        let answer: Value = serde_json::from_slice(&ran.stdout).unwrap_or(Value::Null);
        assert!(answer.get("status").is_none(), "{line}: {answer}");
        if let Some(made) = answer["code"].as_str() {
            made.clone_into(&mut code);
        }
        answers.push(answer);
    }
    assert!(answers[0]["courses"].as_array().is_some_and(|courses| !courses.is_empty()));
    assert!(answers[1]["payment"]["pay_url"].as_str().unwrap().contains("/pay/"));
    assert_eq!((&answers[2]["stage"], &answers[3]["stage"]), (&json!("pending"), &json!("cancelled")));
    assert!(std::fs::read(shop.dir().join("qr.png")).unwrap().starts_with(b"\x89PNG"));
    assert!(answers[5]["topup_url"].as_str().unwrap().contains("/topup/NAP"));
}

fn again() -> String {
    json!({ "customer": { "email": "lan@example.com" }, "items": [{ "course": "rust-co-ban" }] }).to_string()
}

#[tokio::test]
async fn the_check_of_signatures_takes_ours_and_no_other() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body = r#"{"type":"order.paid","data":{"code":"DH123456","shop":"Khoá học"}}"#;
    let (id, stamp) = ("msg_0001", 1_795_282_200_i64);
    let good = signature(&secret.into(), id, stamp, body.as_bytes()).unwrap();
    let two = format!("v1,AAAA {good}");
    let module = docs().join("verify.mjs").canonicalize().unwrap();
    for (signature, body, now, fine) in [
        (&good, body, stamp, true),
        (&two, body, stamp + 299, true),
        (&good, body, stamp + 301, false),
        (&good, "{}", stamp, false),
        (&"v1,".to_owned(), body, stamp, false),
        (&good.replace("v1,", "v2,"), body, stamp, false),
    ] {
        let script = format!(
            "import {{ verify }} from {module:?}; const headers = {}; verify({secret:?}, headers, {}, {now});",
            json!({ "webhook-id": id, "webhook-timestamp": stamp.to_string(), "webhook-signature": signature }),
            json!(body)
        );
        let ran = tokio::process::Command::new("node")
            .args(["--input-type=module", "-e", &script])
            .output()
            .await
            .unwrap();
        assert_eq!(ran.status.success(), fine, "{signature} {now}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    let lines = std::fs::read_to_string(module).unwrap().lines().count();
    assert!(lines <= 22, "short enough to be copied");
}

/// The web server in front of the page: gives out the page, and adds the key to the two calls it makes.
async fn web_server(shop: &TestShop, key: &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let page = std::fs::read_to_string(docs().join("index.html")).unwrap();
    // A person's part: picks the first course, fills in the address, presses the button.
    let person = "<script>new MutationObserver((_, seen) => { const box = document.querySelector('[name=course]'); if (!box) return; \
         seen.disconnect(); box.click(); document.querySelector('[name=email]').value = 'lan@example.com'; \
         document.querySelector('form button').click(); }).observe(document.getElementById('courses'), { childList: true });</script>";
    let page = page.replace("</body>", &format!("{person}</body>"));
    let upstream = (shop.http.clone(), shop.public("/api/v1"), key.to_owned());
    let router = axum::Router::new()
        .route("/", axum::routing::get(move || async move { Html(page) }))
        .fallback(forward)
        .with_state(upstream);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn forward(
    State((http, api, key)): State<(reqwest::Client, String, String)>,
    uri: Uri,
    method: axum::http::Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(path @ ("/courses" | "/orders")) = uri.path().strip_prefix("/shop-api") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut request = http.request(method, format!("{api}{path}")).bearer_auth(key).body(body);
    for name in ["content-type", "idempotency-key"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await.unwrap();
    let (status, bytes) = (answer.status(), answer.bytes().await.unwrap());
    (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}

#[tokio::test]
async fn a_buyer_orders_on_the_page_and_comes_to_the_page_to_pay() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "courses:read orders:write").await;
    let url = web_server(&shop, &front.key).await;
    let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let browser = browser.into_iter().find(|path| Path::new(path).exists()).expect("a browser");
    let mut seen = tokio::process::Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .arg(format!("--user-data-dir={}", shop.dir().join("browser").display()))
        .arg("--remote-debugging-port=0")
        .arg(&url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ordered = async {
        shop.until(|| async {
            let (_, orders) = shop.admin("GET", "/admin/api/orders", None).await;
            orders["rows"].as_array().unwrap().first().cloned()
        })
        .await
    };
    let order = tokio::time::timeout(Duration::from_secs(60), ordered).await.unwrap();
    assert_eq!(
        (&order["customer"]["email"], &order["stage"]),
        (&json!("lan@example.com"), &json!("pending"))
    );
    // The page to pay is open once it waits for news of the order.
    let code = order["code"].as_str().unwrap();
    shop.until(|| async { (shop.shop.open_pages(code) > 0).then_some(()) }).await;
    seen.kill().await.unwrap();
}
