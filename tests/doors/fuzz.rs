//! Requests made by chance, put to the public door without a socket: no panic, no 5xx, and nothing comes of them.
//! `CHOTDON_LONG=1` runs half a million.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use chotdon_tests::{Setup, Storefront, TestShop, chance, quick_or_full};
use futures::FutureExt;
use http_body_util::BodyExt;
use rand::RngExt;
use rand::rngs::StdRng;
use tower::ServiceExt;

use crate::flood::long;

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "QWERTY"];
const PATHS: [&str; 22] = [
    "/api/v1/payment/webhook",
    "/api/webhook/sepay",
    "/api/v1/webhook/finalize",
    "/api/v1/worker/claim",
    "/api/v1/worker/heartbeat",
    "/api/v1/worker/progress",
    "/api/v1/worker/fail",
    "/api/v1/worker/files?task_id=1&lease_epoch=1&path=a&offset=0",
    "/api/v1/orders",
    "/api/v1/orders/DH123456",
    "/api/v1/orders/DH123456/cancel",
    "/api/v1/customers",
    "/api/v1/customers/1",
    "/api/v1/courses",
    "/api/v1/qr/DH123456.svg?t=x&size=100",
    "/pay/DH123456?t=x&lang=vi",
    "/pay/DH123456/live?t=x&v=",
    "/topup/NAP123?t=x&amount=5",
    "/d/abcdefghijklmnopqrstuvwxyz",
    "/d/abc/def/ghi",
    "/healthz",
    "/api/v1/openapi.json",
];
const NAMES: [&str; 16] = [
    "authorization",
    "x-sepay-signature",
    "x-sepay-timestamp",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "webhook-worker",
    "content-digest",
    "content-type",
    "accept",
    "accept-language",
    "idempotency-key",
    "range",
    "if-range",
    "if-none-match",
    "content-length",
];
const VALUES: [&str; 24] = [
    "Apikey x",
    "Bearer x",
    "Bearer ",
    "sha256=00",
    "v1,aGVsbG8=",
    "v1,",
    "-9223372036854775808",
    "9223372036854775807",
    "1790000000",
    "Infinity",
    "1e9",
    "+1",
    "msg_12345678",
    "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/html;q=0.5, */*;q=0",
    "en;q=0.0000001,vi;q=9",
    "bytes=0-",
    "bytes=-9223372036854775808",
    "bytes=5-2,3-4",
    "\"*\"",
    "",
];
const BODIES: [&str; 10] = [
    "",
    "{}",
    "null",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "{\"id\":1,\"gateway\":\"MBBank\",\"content\":\"DH123456\",\"transferType\":\"in\",\"transferAmount\":499000}",
    "{\"id\":9223372036854775808,\"transferAmount\":1e400}",
    "{\"type\":\"task.finalize\",\"data\":{\"task_id\":-1,\"lease_epoch\":1,\"folder_name\":\"../..\",\"files\":[]}}",
    "{\"customer\":{\"email\":\"a@b\"},\"items\":[{\"course\":\"x\"}]}",
    "{\"a\":\"\\ud800\"}",
    "id=1&transferAmount=5&content=%ff",
];

fn pick<'a>(chance: &mut StdRng, all: &[&'a str]) -> &'a str {
    all[chance.random_range(0..all.len())]
}

/// Changes some bytes, adds some, takes some away.
fn bend(chance: &mut StdRng, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..chance.random_range(0..4) {
        let at = chance.random_range(0..=bytes.len());
        match chance.random_range(0..4) {
            0 => bytes.insert(at, chance.random()),
            1 if at < bytes.len() => {
                bytes.remove(at);
            }
            2 if at < bytes.len() => bytes[at] ^= 1 << chance.random_range(0..8),
            _ => {
                let again = bytes[at..].to_vec();
                bytes.extend(again);
            }
        }
    }
    bytes
}

fn request(chance: &mut StdRng) -> Option<Request<Body>> {
    let method = Method::from_bytes(pick(chance, &METHODS).as_bytes()).ok()?;
    let path = pick(chance, &PATHS);
    let target = if chance.random_bool(0.5) { path.as_bytes().to_vec() } else { bend(chance, path) };
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::try_from(target).ok()?;
    *request.method_mut() = method;
    let host =
        if chance.random_bool(0.9) { "HOST".as_bytes().to_vec() } else { bend(chance, "localhost:80") };
    request.headers_mut().append("host", HeaderValue::from_bytes(&host).ok()?);
    for _ in 0..chance.random_range(0..7) {
        let name = HeaderName::from_static(NAMES[chance.random_range(0..NAMES.len())]);
        let value = pick(chance, &VALUES);
        let value = if chance.random_bool(0.5) { value.as_bytes().to_vec() } else { bend(chance, value) };
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            request.headers_mut().append(name, value);
        }
    }
    let body = pick(chance, &BODIES);
    let body = match chance.random_range(0..20) {
        0 => vec![b'['; 70_000],
        n if n < 10 => body.as_bytes().to_vec(),
        _ => bend(chance, body),
    };
    *request.body_mut() = Body::from(body);
    Some(request)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_made_by_chance_gets_a_5xx_or_leaves_a_trace() {
    let env = vec![("CHOTDON_LIMITS__ENABLED", "false".to_owned())];
    let shop = TestShop::with(Setup { env, ..Setup::default() }).await;
    let host = HeaderValue::from_str(&shop.shop.public_addr().to_string()).unwrap();
    let before = (shop.money().await, count(&shop, "orders").await, count(&shop, "customers").await);
    let router = shop.shop.public();
    let mut chance = chance("no_request_made_by_chance_gets_a_5xx_or_leaves_a_trace");
    let number = if long() { 500_000 } else { quick_or_full(3_000, 20_000) };
    let mut seen = std::collections::BTreeMap::<u16, usize>::new();
    for _ in 0..number {
        let Some(mut request) = request(&mut chance) else { continue };
        if request.headers()["host"] == "HOST" {
            request.headers_mut().insert("host", host.clone());
        }
        let told = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
        let answered = std::panic::AssertUnwindSafe(router.clone().oneshot(request)).catch_unwind().await;
        let answer = answered.unwrap_or_else(|_| panic!("it panicked at {told}")).unwrap();
        let status = answer.status().as_u16();
        assert!(status < 500, "{status} for {told}");
        answer.into_body().collect().await.unwrap();
        *seen.entry(status).or_default() += 1;
    }
    println!("{seen:?}");
    for status in [200, 400, 401, 403, 404, 405, 421] {
        assert!(seen.contains_key(&status) || status == 403, "{status} was never met: {seen:?}");
    }
    let after = (shop.money().await, count(&shop, "orders").await, count(&shop, "customers").await);
    assert_eq!(before, after);
    shop.sound().await;

    // The control: one right key leaves a trace.
    Storefront::with(&shop, "*").await.order(&["rust-co-ban"]).await;
    assert_ne!(count(&shop, "orders").await, before.1);
}

async fn count(shop: &TestShop, what: &str) -> usize {
    let (status, page) = shop.admin("GET", &format!("/admin/api/{what}?limit=200"), None).await;
    assert_eq!(status, 200, "{page}");
    page["rows"].as_array().or(page["items"].as_array()).unwrap_or_else(|| panic!("{page}")).len()
}
