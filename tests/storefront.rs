//! The storefront's API from outside: keys, orders, customers, pictures, refusals.
#![allow(clippy::unwrap_used)]

use std::process::Stdio;

use chotdon_tests::{Storefront, TestShop};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

fn body(course: &str) -> Value {
    json!({ "customer": { "email": "lan@example.com", "name": "Trần Thị Lan" }, "items": [{ "course": course }] })
}

#[tokio::test]
async fn an_order_is_created_paid_and_read_with_its_link() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "orders courses").await;
    let catalogue = front.get("/api/v1/courses").await.json();
    let course = &catalogue["courses"][0];
    let created = front.post("/api/v1/orders", &body("rust-co-ban")).await;
    assert_eq!(created.status, 201);
    let order = created.json();
    let code = order["code"].as_str().unwrap();
    assert_eq!(created.header("location"), format!("/api/v1/orders/{code}"));
    assert!(course["price_vnd"].as_i64().unwrap() > 0);
    assert_eq!((&order["stage"], &order["paid_vnd"]), (&json!("pending"), &json!(0)));
    assert_eq!(order["payment"]["memo"], code);
    let qr = vietqr::read(order["payment"]["vietqr"].as_str().unwrap()).unwrap();
    assert_eq!((qr.amount, qr.additional.memo.as_str()), (order["total_vnd"].as_i64(), code));

    assert_eq!(shop.bank_receives(order["total_vnd"].as_i64().unwrap(), code).await, "paid");
    shop.settled(code, "completed").await;
    let order = front.get(&format!("/api/v1/orders/{code}")).await.json();
    assert_eq!((&order["stage"], &order["items"][0]["delivery"]), (&json!("completed"), &json!("delivered")));
    assert!(order["items"][0]["link"].as_str().unwrap().contains("/d/"));
    assert_eq!(order["payment"]["vietqr"], "", "nobody is asked to pay twice");
}

#[tokio::test]
async fn a_key_may_do_what_its_scopes_say_and_nothing_else() {
    let shop = TestShop::start().await;
    let reader = Storefront::with(&shop, "orders:read courses").await;
    let writer = Storefront::with(&shop, "orders:write").await;
    let code = writer.order(&["rust-co-ban"]).await["code"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/orders/{code}");
    assert_eq!(reader.get(&path).await.status, 200);
    assert_eq!(reader.post(&format!("{path}/cancel"), &json!({})).await.problem(403), "forbidden");
    assert_eq!(reader.post("/api/v1/orders", &body("rust-co-ban")).await.problem(403), "forbidden");
    assert_eq!(reader.get("/api/v1/customers/1").await.problem(403), "forbidden");
    assert_eq!(writer.get(&path).await.problem(403), "forbidden");
    assert_eq!(writer.get("/api/v1/courses").await.problem(403), "forbidden");
    let stranger = Storefront { key: "cd_none".into(), ..writer };
    let refused = stranger.get(&path).await;
    assert_eq!(refused.problem(401), "unauthorized");
    assert!(refused.header("www-authenticate").starts_with("Bearer"));
    // What a refused key was refused is the same whether the order exists or not.
    assert_eq!(stranger.get("/api/v1/orders/DH000000").await.text, refused.text);
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_order_and_another_body_is_refused() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "orders").await;
    let text = body("rust-co-ban").to_string();
    let headers = [("idempotency-key", "cart-1")];
    let calls = (0..20).map(|_| front.send("POST", "/api/v1/orders", &headers, Some(&text)));
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|said| said.status == 201), "{answers:?}");
    assert!(answers.iter().all(|said| said.json() == answers[0].json()));
    let first: Vec<_> =
        answers.iter().filter(|said| said.header("idempotency-replayed").is_empty()).collect();
    assert_eq!(first.len(), 1, "one call made the order, the others were told of it");

    let other = body("tieng-nhat-n3").to_string();
    let refused = front.send("POST", "/api/v1/orders", &headers, Some(&other)).await;
    assert_eq!(refused.problem(409), "idempotency_conflict");
    // The control: another key, or another storefront's, makes another order.
    let again = front.send("POST", "/api/v1/orders", &[("idempotency-key", "cart-2")], Some(&text)).await;
    assert_ne!(again.json()["code"], answers[0].json()["code"]);
    let elsewhere = Storefront::with(&shop, "orders").await;
    let theirs = elsewhere.send("POST", "/api/v1/orders", &headers, Some(&text)).await;
    assert_ne!(theirs.json()["code"], answers[0].json()["code"]);
    assert_eq!(
        front.send("POST", "/api/v1/orders", &[("idempotency-key", "")], Some(&text)).await.problem(400),
        "bad_request"
    );
}

#[tokio::test]
async fn an_order_without_money_can_be_called_off_and_one_with_money_cannot() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "orders").await;
    let code = front.order(&["rust-co-ban"]).await["code"].as_str().unwrap().to_owned();
    let cancel = format!("/api/v1/orders/{code}/cancel");
    let answer = front.post(&cancel, &json!({ "reason": "khách đổi ý" })).await;
    assert_eq!((answer.status, &answer.json()["stage"]), (200, &json!("cancelled")));
    assert_eq!(front.send("POST", &cancel, &[], None).await.status, 200, "twice is fine");
    assert_eq!(answer.json()["payment"]["amount_vnd"], 0);
    let story = shop.look(&code).await;
    let told = story["timeline"].as_array().unwrap().iter().find(|row| row["kind"] == "cancelled").unwrap();
    assert_eq!((&told["actor"], &told["data"]["reason"]), (&json!("storefront"), &json!("khách đổi ý")));

    let code = front.order(&["rust-co-ban"]).await["code"].as_str().unwrap().to_owned();
    assert_eq!(shop.bank_receives(1_000, &code).await, "partial");
    let cancel = format!("/api/v1/orders/{code}/cancel");
    assert_eq!(front.post(&cancel, &json!({})).await.problem(409), "not_cancellable");
    assert_eq!(front.post("/api/v1/orders/DH000000/cancel", &json!({})).await.problem(404), "not_found");
}

#[tokio::test]
async fn a_customer_is_one_per_address_and_has_a_wallet() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "customers").await;
    let new = front.post("/api/v1/customers", &json!({ "email": "Mai@Example.com", "name": "Mai" })).await;
    assert_eq!(new.status, 201, "{}", new.text);
    let customer = new.json();
    let again =
        front.post("/api/v1/customers", &json!({ "email": "mai@example.com", "phone": "0901234567" })).await;
    assert_eq!(again.status, 200);
    assert_eq!((&again.json()["id"], &again.json()["name"]), (&customer["id"], &json!("Mai")));
    assert_eq!(again.json()["phone"], "0901234567");
    let deposit = customer["deposit_code"].as_str().unwrap();
    assert_eq!(shop.bank_receives(200_000, deposit).await, "credited");
    let read = front.get(new.header("location")).await.json();
    assert_eq!(read["wallet_vnd"], 200_000);
    assert!(read["topup_url"].as_str().unwrap().contains(&format!("/topup/{deposit}?t=")));
    for (bad, code) in [
        (json!({ "email": "mai" }), "invalid_email"),
        (json!({ "name": "Mai" }), "bad_request"),
        (json!({ "email": "mai@example.com", "admin": true }), "bad_request"),
        (json!({ "email": "mai@example.com", "name": "x".repeat(201) }), "bad_request"),
    ] {
        assert_eq!(front.post("/api/v1/customers", &bad).await.problem(400), code, "{bad}");
    }
    assert_eq!(front.get("/api/v1/customers/999999").await.problem(404), "not_found");
    assert_eq!(front.get("/api/v1/customers/x").await.problem(404), "not_found");
}

#[tokio::test]
async fn an_order_is_paid_from_the_wallet_or_not_made_at_all() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "*").await;
    let mut order = body("rust-co-ban");
    order["pay_from_wallet"] = json!(true);
    assert_eq!(front.post("/api/v1/orders", &order).await.problem(409), "insufficient_funds");
    let (_, orders) = shop.admin("GET", "/admin/api/orders", None).await;
    assert_eq!(orders["rows"], json!([]), "nothing is left of it");

    let customer = front.post("/api/v1/customers", &json!({ "email": "lan@example.com" })).await.json();
    let deposit = customer["deposit_code"].as_str().unwrap();
    assert_eq!(shop.bank_receives(500_000, deposit).await, "credited");
    let made = front.post("/api/v1/orders", &order).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (code, total) =
        (made.json()["code"].as_str().unwrap().to_owned(), made.json()["total_vnd"].as_i64().unwrap());
    shop.settled(&code, "completed").await;
    let left = front.get(&format!("/api/v1/customers/{}", customer["id"])).await.json();
    assert_eq!(left["wallet_vnd"].as_i64().unwrap(), 500_000 - total);
    shop.sound().await;
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "*").await;
    let text = body("rust-co-ban").to_string();
    let send = |headers: &'static [(&'static str, &'static str)], text: String| {
        let front = &front;
        async move { front.send("POST", "/api/v1/orders", headers, Some(&text)).await }
    };
    assert_eq!(send(&[], "{".into()).await.problem(400), "malformed_json");
    assert_eq!(send(&[], "[]".into()).await.problem(400), "bad_request");
    assert_eq!(send(&[], "\u{0}".into()).await.problem(400), "malformed_json");
    assert_eq!(send(&[], body("no-such").to_string()).await.problem(400), "unknown_course");
    assert_eq!(
        send(&[("content-type", "text/plain")], text.clone()).await.problem(415),
        "unsupported_media_type"
    );
    assert_eq!(send(&[("accept", "text/html")], text.clone()).await.problem(406), "not_acceptable");
    assert_eq!(send(&[], " ".repeat(70_000)).await.problem(413), "body_too_large");
    assert_eq!(front.get("/api/v1/orders/DH000000").await.problem(404), "not_found");
    assert_eq!(front.get("/api/v1/orders/%FF%FE").await.problem(404), "not_found");
    assert_eq!(front.get("/api/v1/nowhere").await.problem(404), "not_found");
    let long = format!("/api/v1/orders/DH000000?x={}", "y".repeat(3_000));
    assert_eq!(front.get(&long).await.problem(414), "uri_too_long");
    let method = front.send("DELETE", "/api/v1/orders/DH000000", &[], None).await;
    assert_eq!(method.problem(405), "method_not_allowed");
    assert!(method.header("allow").contains("GET"), "{:?}", method.headers);
    for said in [method, front.get("/api/v1/courses").await] {
        assert!(said.header("access-control-allow-origin").is_empty());
    }
    assert_eq!(
        send(&[("accept", "*/*"), ("content-type", "application/json; charset=utf-8")], text).await.status,
        201
    );
}

#[tokio::test]
async fn the_picture_of_an_order_is_read_by_another_decoder() {
    let shop = TestShop::start().await;
    let front = Storefront::with(&shop, "orders").await;
    let order = front.order(&["rust-co-ban"]).await;
    let code = order["code"].as_str().unwrap();
    let expected = order["payment"]["vietqr"].as_str().unwrap();
    let token = order["payment"]["pay_url"].as_str().unwrap().split("t=").nth(1).unwrap();
    for size in ["", "&size=64", "&size=1024"] {
        let url = shop.public(&format!("/api/v1/qr/{code}.png?t={token}{size}"));
        let picture = shop.http.get(url).send().await.unwrap();
        assert_eq!(picture.headers()["content-type"], "image/png");
        assert_eq!(scanned(&picture.bytes().await.unwrap()).await, expected);
    }
    let svg = front.get(&format!("/api/v1/qr/{code}.svg")).await;
    assert!(svg.header("content-type") == "image/svg+xml" && svg.text.contains("<svg"));
    // Nobody else sees what is owed.
    let shut = shop.http.get(shop.public(&format!("/api/v1/qr/{code}.png?t=wrong"))).send().await.unwrap();
    assert_eq!(shut.status(), 401);
    assert_eq!(front.get(&format!("/api/v1/qr/{code}.gif")).await.problem(404), "not_found");
    assert_eq!(front.get(&format!("/api/v1/qr/{code}.png?size=9")).await.problem(400), "bad_request");
    shop.bank_receives(order["total_vnd"].as_i64().unwrap(), code).await;
    assert_eq!(front.get(&format!("/api/v1/qr/{code}.png")).await.problem(409), "nothing_to_pay");
}

/// What zbar reads in a picture.
async fn scanned(picture: &[u8]) -> String {
    let mut zbar = tokio::process::Command::new("zbarimg")
        .args(["--quiet", "--raw", "-"])
        .stderr(Stdio::null())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    zbar.stdin.take().unwrap().write_all(picture).await.unwrap();
    let out = zbar.wait_with_output().await.unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_key_that_the_owner_makes_serves_its_website_until_it_is_revoked() {
    let shop = TestShop::start().await;
    let make = |name: &'static str, scopes: &'static [&'static str]| {
        let (shop, new) = (&shop, json!({ "name": name, "scopes": scopes }));
        async move { shop.admin("POST", "/admin/api/storefront/keys", Some(new)).await }
    };
    let page = || async {
        let (status, page) = shop.admin("GET", "/admin/api/storefront", None).await;
        assert_eq!(status, 200, "{page}");
        page
    };
    assert_eq!(page().await["keys"], json!([]));
    let (status, made) = make("web", &["courses", "orders:write"]).await;
    assert_eq!(status, 201, "{made}");
    let (_, other) = make("app", &["courses:read"]).await;
    let keys: Vec<String> =
        [&made, &other].iter().map(|made| made["key"].as_str().unwrap().to_owned()).collect();
    let [web, app] = [0, 1].map(|at| Storefront { shop: &shop, key: keys[at].clone() });

    let before = page().await;
    let row = &before["keys"][1];
    assert_eq!((&row["name"], &row["last_used_at"]), (&json!("web"), &Value::Null));
    assert_eq!(row["scopes"], json!(["orders:write", "courses:read"]), "each scope by itself");
    assert_eq!(before["api_url"], json!(shop.public("/api/v1")));
    assert_eq!(before["public"], false);
    assert!(!before.to_string().contains("cd_"), "a key is shown once: {before}");

    let document = shop.http.get(before["openapi_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(document.status(), 200, "it needs no key");
    assert_eq!(web.get("/api/v1/courses").await.status, 200);
    let code = web.order(&["rust-co-ban"]).await["code"].as_str().unwrap().to_owned();
    assert_eq!(web.get(&format!("/api/v1/orders/{code}")).await.problem(403), "forbidden");
    assert_eq!(app.post("/api/v1/orders", &body("rust-co-ban")).await.problem(403), "forbidden");
    assert!(page().await["keys"][1]["last_used_at"].is_string());

    let revoke = "/admin/api/storefront/keys/web";
    assert_eq!(shop.admin("DELETE", revoke, None).await.0, 204);
    assert_eq!(web.get("/api/v1/courses").await.problem(401), "unauthorized");
    assert_eq!(app.get("/api/v1/courses").await.status, 200, "the control");
    let names: Vec<Value> =
        page().await["keys"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, [json!("app")]);
    // The record tells keys apart by name.
    for name in ["web", "app"] {
        let (status, refused) = make(name, &["courses:read"]).await;
        assert_eq!((status, &refused["code"]), (409, &json!("name_taken")));
    }
    let (_, audit) = shop.admin("GET", "/admin/api/audit?action=storefront_key.", None).await;
    let done: Vec<&Value> = audit["rows"].as_array().unwrap().iter().map(|row| &row["action"]).collect();
    assert_eq!(done, ["storefront_key.revoke", "storefront_key.create", "storefront_key.create"]);
    assert!(!audit.to_string().contains("cd_"), "{audit}");
}
