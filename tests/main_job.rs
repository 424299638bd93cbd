//! The main job, end to end in one process: a transfer comes in, the course goes out, the owner sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use chotdon_tests::{ADMIN_TOKEN, Setup, TestShop};
use serde_json::json;
use sha2::{Digest, Sha256};

#[tokio::test]
async fn a_payment_delivers_the_course_and_one_mail() {
    let shop = TestShop::start().await;
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    assert_eq!(shop.bank_receives(total, &format!("thanh toan {code}")).await, "paid");
    let order = shop.settled(&code, "completed").await;
    let link = order["items"][0]["link"].as_str().unwrap();
    let got = shop.http.get(link).send().await.unwrap();
    assert_eq!(got.status(), 200);
    let source = std::fs::read(shop.dir().join("demo-courses/thiet-ke-giao-dien/giao-trinh.html")).unwrap();
    assert_eq!(Sha256::digest(got.bytes().await.unwrap()), Sha256::digest(source));
    assert_eq!(shop.mails().len(), 1);
    shop.sound().await;
}

#[tokio::test]
async fn a_course_of_several_files_is_a_page_of_links() {
    let shop = TestShop::start().await;
    let (code, total) = shop.order(&["rust-co-ban"]).await;
    shop.bank_receives(total, &code).await;
    let order = shop.settled(&code, "completed").await;
    let link = order["items"][0]["link"].as_str().unwrap();
    let page = shop.http.get(link).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("01-bat-dau.md") && page.contains("02-so-huu.md"), "{page}");
    let file = shop.http.get(format!("{link}/02-so-huu.md")).send().await.unwrap();
    let source = std::fs::read(shop.dir().join("demo-courses/rust-co-ban/02-so-huu.md")).unwrap();
    assert_eq!(file.bytes().await.unwrap(), source);
}

#[tokio::test]
async fn a_link_that_was_tampered_with_leads_nowhere() {
    let shop = TestShop::start().await;
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    shop.bank_receives(total, &code).await;
    let order = shop.settled(&code, "completed").await;
    let link = order["items"][0]["link"].as_str().unwrap().to_owned();
    let changed = format!("{}{}", &link[..link.len() - 1], if link.ends_with('A') { 'B' } else { 'A' });
    assert_eq!(shop.http.get(changed).send().await.unwrap().status(), 404);
    assert_eq!(shop.http.get(link).send().await.unwrap().status(), 200, "the control");
}

#[tokio::test]
async fn a_hundred_orders_of_one_course_fetch_it_once() {
    let shop = TestShop::start().await;
    let mut codes = Vec::new();
    for _ in 0..100 {
        let (code, total) = shop.order(&["tieng-nhat-n3"]).await;
        assert_eq!(shop.bank_receives(total, &code).await, "paid");
        codes.push(code);
    }
    for code in &codes {
        shop.settled(code, "completed").await;
    }
    let (_, tasks) = shop.admin("GET", "/admin/api/tasks?kind=prepare_course", None).await;
    assert_eq!(tasks["rows"].as_array().unwrap().len(), 1);
    assert_eq!(shop.mails().len(), 100);
    shop.sound().await;
}

#[tokio::test]
async fn a_missing_source_fails_tells_once_and_goes_on_where_it_failed_once_mended() {
    let shop = TestShop::start().await;
    let (code, total) = shop.order(&["khoa-hoc-loi"]).await;
    shop.bank_receives(total, &code).await;
    shop.settled(&code, "failed").await;
    let shown = shop
        .until(|| async {
            let shown = shop.notifier.shown();
            (!shown.is_empty()).then_some(shown)
        })
        .await;
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].route, "/failures");

    let (_, failures) = shop.admin("GET", "/admin/api/failures", None).await;
    let group = &failures["groups"][0];
    assert_eq!(group["error"]["code"], "source_not_found");
    assert_eq!((group["count"].as_i64(), group["orders"].as_i64()), (Some(1), Some(1)));

    assert_eq!(shop.admin("POST", "/admin/api/demo/mend", None).await.0, 204);
    let retry = json!({ "filter": { "group": group["group"] }, "dry_run": false });
    let (_, report) = shop.admin("POST", "/admin/api/failures/retry", Some(retry)).await;
    assert_eq!(report["retried"], 1);
    shop.settled(&code, "completed").await;
    assert_eq!(shop.notifier.shown().len(), 1, "told once");
    shop.sound().await;
}

#[tokio::test]
async fn a_worker_that_panics_is_replaced_its_task_retried_and_the_owner_told() {
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let probe: chotdon_core::ports::Probe = Some(Arc::new(move |point: &str| {
        let panics = point == "deliver_order.share" && seen.fetch_add(1, Ordering::SeqCst) == 0;
        Box::pin(async move { assert!(!panics, "the probe panics on purpose") })
    }));
    let env = vec![("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned())];
    let shop = TestShop::with(Setup { env, probe }).await;
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    shop.bank_receives(total, &code).await;
    shop.settled(&code, "completed").await;
    assert!(calls.load(Ordering::SeqCst) >= 2);
    let toast = shop
        .until(|| async { shop.notifier.shown().into_iter().find(|toast| toast.route == "/queue") })
        .await;
    assert!(toast.urgent);
    assert_eq!(shop.mails().len(), 1);
    shop.sound().await;
}

#[tokio::test]
async fn a_worker_that_hangs_is_replaced_its_task_retried_and_the_owner_told() {
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let probe: chotdon_core::ports::Probe = Some(Arc::new(move |point: &str| {
        let hangs = point == "deliver_order.mail" && seen.fetch_add(1, Ordering::SeqCst) == 0;
        Box::pin(async move {
            if hangs {
                std::future::pending::<()>().await;
            }
        })
    }));
    let env =
        vec![("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned()), ("CHOTDON_QUEUE__STALL_S", "1".to_owned())];
    let shop = TestShop::with(Setup { env, probe }).await;
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    shop.bank_receives(total, &code).await;
    shop.settled(&code, "completed").await;
    shop.until(|| async { shop.notifier.shown().into_iter().find(|toast| toast.route == "/queue") }).await;
    let (_, queue) = shop.admin("GET", "/admin/api/queue", None).await;
    let restarts: i64 =
        queue["workers"].as_array().unwrap().iter().filter_map(|worker| worker["restarts"].as_i64()).sum();
    assert_eq!(restarts, 1);
    assert_eq!(shop.mails().len(), 1);
    shop.sound().await;
}

#[tokio::test]
async fn a_paused_queue_takes_money_and_delivers_after_it_is_resumed() {
    let shop = TestShop::start().await;
    let pause = json!({ "reason": "kiểm kê" });
    assert_eq!(shop.admin("POST", "/admin/api/queue/pause", Some(pause)).await.0, 200);
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    assert_eq!(shop.bank_receives(total, &code).await, "paid");
    assert_eq!(shop.look(&code).await["order"]["stage"], "paid");
    assert_eq!(shop.admin("POST", "/admin/api/queue/resume", Some(json!({}))).await.0, 200);
    shop.settled(&code, "completed").await;
}

#[tokio::test]
async fn an_order_delivered_again_keeps_its_link_and_mails_once_more() {
    let shop = TestShop::start().await;
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    shop.bank_receives(total, &code).await;
    let first = shop.settled(&code, "completed").await["items"][0]["link"].clone();
    assert_eq!(shop.admin("POST", &format!("/admin/api/orders/{code}/redeliver"), None).await.0, 200);
    shop.until(|| async { (shop.mails().len() == 2).then_some(()) }).await;
    assert_eq!(shop.look(&code).await["items"][0]["link"], first);
}

#[tokio::test]
async fn the_private_listener_shows_an_order_to_who_has_the_token() {
    let shop = TestShop::start().await;
    let (code, _) = shop.order(&["thiet-ke-giao-dien"]).await;
    let url = format!("http://{}/admin/api/orders/{code}", shop.shop.private_addr().unwrap());
    let order = shop.http.get(&url).bearer_auth(ADMIN_TOKEN).send().await.unwrap();
    assert_eq!(order.status(), 200);
    assert_eq!(order.json::<serde_json::Value>().await.unwrap()["order"]["code"], code);
    assert_eq!(shop.http.get(&url).send().await.unwrap().status(), 401, "without it");
    assert_eq!(
        shop.http.get(shop.public(&format!("/admin/api/orders/{code}"))).send().await.unwrap().status(),
        404
    );
}

/// A course on a web server that answers 503 to the first `bad` requests for its file, and counts all of them.
async fn moody_source(bad: usize) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let file = move || {
        let count = count.clone();
        async move {
            let nth = count.fetch_add(1, Ordering::SeqCst);
            let status = if nth < bad { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
            (status, "Bài học\n")
        }
    };
    let manifest = || async { axum::Json(json!({ "files": [{ "path": "bai.md" }] })) };
    let router = axum::Router::new()
        .route("/course/manifest.json", axum::routing::get(manifest))
        .route("/course/bai.md", axum::routing::get(file));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/course/manifest.json", listener.local_addr().expect("a bound address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked)
}

async fn sell(shop: &TestShop, slug: &str, url: &str) {
    let course = json!({ "title": slug, "price_vnd": 50_000, "source": { "kind": "http", "url": url },
                         "target": { "kind": "folder" }, "active": true });
    let (status, answer) = shop.admin("PUT", &format!("/admin/api/courses/{slug}"), Some(course)).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_source_that_answers_503_is_asked_again_later_and_the_order_completes() {
    let env = vec![("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned())];
    let shop = TestShop::with(Setup { env, probe: None }).await;
    let (url, asked) = moody_source(2).await;
    sell(&shop, "moody", &url).await;
    let (code, total) = shop.order(&["moody"]).await;
    shop.bank_receives(total, &code).await;
    let order = shop.settled(&code, "completed").await;
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let told: Vec<&str> =
        order["timeline"].as_array().unwrap().iter().filter_map(|row| row["kind"].as_str()).collect();
    assert_eq!(told.iter().filter(|kind| **kind == "attempt_failed").count(), 2, "{told:?}");
    assert!(shop.notifier.shown().is_empty(), "what mends itself is no news");
}

#[tokio::test]
async fn a_hundred_buyers_at_once_download_the_source_once() {
    let shop = TestShop::start().await;
    let (url, asked) = moody_source(0).await;
    sell(&shop, "wanted", &url).await;
    let mut orders = Vec::new();
    for _ in 0..100 {
        orders.push(shop.order(&["wanted"]).await);
    }
    let paid =
        futures::future::join_all(orders.iter().map(|(code, total)| shop.bank_receives(*total, code))).await;
    assert!(paid.iter().all(|outcome| outcome == "paid"));
    for (code, _) in &orders {
        shop.settled(code, "completed").await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(shop.mails().len(), 100);
}

#[tokio::test]
async fn forty_failures_of_one_cause_are_one_group_and_few_messages() {
    let shop = TestShop::start().await;
    for n in 0..40 {
        sell(&shop, &format!("gone-{n}"), "http://127.0.0.1:9/never").await;
        let missing = json!({ "title": "x", "price_vnd": 50_000, "active": true, "target": { "kind": "folder" },
                              "source": { "kind": "folder", "path": format!("{}/none-{n}", shop.dir().display()) } });
        shop.admin("PUT", &format!("/admin/api/courses/gone-{n}"), Some(missing)).await;
        let (code, total) = shop.order(&[&format!("gone-{n}")]).await;
        shop.bank_receives(total, &code).await;
    }
    let group = shop
        .until(|| async {
            let (_, failures) = shop.admin("GET", "/admin/api/failures", None).await;
            (failures["groups"][0]["count"] == 40).then(|| failures["groups"].clone())
        })
        .await;
    assert_eq!(group.as_array().unwrap().len(), 1);
    assert!(shop.notifier.shown().len() <= 2, "{:?}", shop.notifier.shown());
}
