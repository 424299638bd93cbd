//! The admin API of a real demo shop, asked through its router.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{ROUTES, openapi};

use crate::ports::{NoDesktop, Ports, SecretError, SystemClock};
use crate::secrets::MemorySecrets;
use crate::{Options, Shop};

mod record;

struct Desk {
    shop: Shop,
    secrets: Arc<MemorySecrets>,
    _dir: tempfile::TempDir,
}

impl Desk {
    async fn open(demo: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secrets = Arc::new(MemorySecrets::default());
        let options = Options {
            data_dir: dir.path().join("shop"),
            demo,
            public: Some("127.0.0.1:0".parse().unwrap()),
            private: None,
            env: Vec::new(),
        };
        let ports = Ports {
            clock: Arc::new(SystemClock),
            secrets: secrets.clone(),
            notifier: Arc::new(NoDesktop),
            probe: None,
        };
        let shop = Shop::start(options, ports).await.unwrap();
        Self { shop, secrets, _dir: dir }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request =
            Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let answer = self.shop.admin().oneshot(request).await.unwrap();
        let status = answer.status();
        let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        if status.is_client_error() || status.is_server_error() {
            assert_eq!(kind.unwrap(), "application/problem+json");
        }
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    async fn refused(&self, method: &str, path: &str, body: Option<Value>) -> (u16, String, String) {
        let (status, answer) = self.ask(method, path, body).await;
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        (status.as_u16(), text("code"), text("detail"))
    }

    async fn order(&self) -> Value {
        let courses = self.get("/admin/api/courses").await;
        let slug = courses["rows"][0]["slug"].as_str().unwrap().to_owned();
        let order = json!({ "customer": { "email": "lan@example.com", "name": "Trần Thị Lan" }, "items": [{ "course": slug }] });
        let (status, answer) = self.ask("POST", "/admin/api/orders", Some(order)).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer
    }

    /// Asks again after every event until `enough` says so.
    async fn until(&self, path: &str, enough: impl Fn(&Value) -> bool) -> Value {
        use futures::StreamExt;
        let mut events = Box::pin(self.shop.events());
        let wait = async {
            loop {
                let answer = self.get(path).await;
                if enough(&answer) {
                    return answer;
                }
                events.next().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("it should have come to that")
    }
}

/// Ids, times and amounts of a run taken out.
fn shape(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(shape),
        Value::Array(rows) => {
            rows.truncate(1);
            rows.iter_mut().for_each(shape);
        }
        Value::String(text) => "text".clone_into(text),
        Value::Number(_) => *value = json!(0),
        _ => {}
    }
}

#[test]
fn every_route_is_in_the_document_and_the_other_way_round() {
    let document: Value = serde_json::from_str(&openapi()).unwrap();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described.insert(format!("{method} {path}"));
        }
    }
    let served: BTreeSet<_> = ROUTES.iter().map(|(method, path)| format!("{method} {path}")).collect();
    assert_eq!(served, described);
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let text = openapi();
    let document: Value = serde_json::from_str(&text).unwrap();
    for part in text.split("\"$ref\": \"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn every_page_answers_on_a_fresh_shop() {
    let desk = Desk::open(true).await;
    for (method, path) in ROUTES {
        if *method == "get" && !path.contains('{') && !path.ends_with("/events") {
            desk.get(path).await;
        }
    }
}

#[tokio::test]
async fn an_order_is_created_paid_by_the_simulator_and_its_story_told() {
    let desk = Desk::open(true).await;
    let created = desk.order().await;
    assert_eq!(created["order"]["stage"], "pending");
    assert!(created["payment"]["qr_svg"].as_str().unwrap().contains("<svg"));
    assert_eq!(created["actions"], json!(["change_email", "mark_paid", "cancel"]));
    let code = created["order"]["code"].as_str().unwrap();
    let (status, paid) =
        desk.ask("POST", "/admin/api/simulate-transfer", Some(json!({ "order": code }))).await;
    assert_eq!(
        (status, &paid["http_status"], &paid["answer"]["outcome"]),
        (StatusCode::OK, &json!(200), &json!("paid"))
    );
    let story =
        desk.until(&format!("/admin/api/orders/{code}"), |story| story["order"]["stage"] != "paid").await;
    assert_eq!(story["order"]["paid_vnd"], story["order"]["total_vnd"]);
    assert_eq!(story["transfers"][0]["sepay_id"], paid["sepay_id"]);
    let money = desk.get("/admin/api/money").await;
    assert_eq!((&money["in_vnd"], &money["difference_vnd"]), (&story["order"]["paid_vnd"], &json!(0)));
    let overview = desk.get("/admin/api/overview").await;
    assert_eq!(overview["today"]["in_vnd"], money["in_vnd"]);
    assert_eq!(overview["receiving"]["state"], "ok");
    let found = desk.get(&format!("/admin/api/orders?q={}", code.to_lowercase())).await;
    assert_eq!(found["rows"][0]["code"], code);
    let found = desk.get("/admin/api/orders?q=tran%20lan").await;
    assert_eq!(found["rows"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn pages_have_these_shapes() {
    let desk = Desk::open(true).await;
    let order = desk.order().await;
    let code = order["order"]["code"].as_str().unwrap();
    for (name, path) in [
        ("overview", "/admin/api/overview".to_owned()),
        ("order", format!("/admin/api/orders/{code}")),
        ("orders", "/admin/api/orders".to_owned()),
        ("queue", "/admin/api/queue".to_owned()),
        ("settings", "/admin/api/settings".to_owned()),
        ("checklist", "/admin/api/checklist".to_owned()),
        ("failures", "/admin/api/failures".to_owned()),
        ("health", "/health".to_owned()),
    ] {
        let mut page = desk.get(&path).await;
        shape(&mut page);
        insta::assert_json_snapshot!(name, page);
    }
}

#[tokio::test]
async fn refusals_name_what_is_wrong() {
    let desk = Desk::open(false).await;
    for (path, word) in [
        ("/admin/api/orders?after=x", "`after`"),
        ("/admin/api/orders?after=-1", "`after`"),
        ("/admin/api/orders?limit=201", "`limit`"),
        ("/admin/api/orders?limit=0", "`limit`"),
        ("/admin/api/orders?stage=sold", "`stage`"),
        ("/admin/api/orders?flag=red", "`flag`"),
        ("/admin/api/tasks?state=ready,lost", "`state`"),
        ("/admin/api/tasks?lane=fast", "`lane`"),
        ("/admin/api/transfers?state=gone", "`state`"),
    ] {
        let (status, code, detail) = desk.refused("GET", path, None).await;
        assert_eq!((status, code.as_str()), (400, "bad_request"), "{path}");
        assert!(detail.contains(word), "{path}: {detail}");
    }
    assert_eq!(desk.refused("GET", "/admin/api/nothing", None).await.0, 404);
    assert_eq!(desk.refused("DELETE", "/admin/api/overview", None).await.0, 405);
    assert_eq!(desk.refused("GET", "/admin/api/orders/DH999999", None).await.1, "not_found");
    assert_eq!(desk.refused("GET", "/admin/api/tasks/99", None).await.1, "not_found");
    let order = json!({ "customer": { "email": "lan" }, "items": [{ "course": "x" }] });
    assert_eq!(desk.refused("POST", "/admin/api/orders", Some(order)).await.1, "invalid_email");
    let order = json!({ "customer": { "email": "lan@example.com" }, "items": [{ "course": "x" }] });
    assert_eq!(desk.refused("POST", "/admin/api/orders", Some(order)).await.1, "unknown_course");
    let (_, _, detail) =
        desk.refused("POST", "/admin/api/orders", Some(json!({ "customer": {}, "total": 1 }))).await;
    assert!(detail.contains("email"), "{detail}");
}

#[tokio::test]
async fn the_simulator_is_for_demos_only() {
    let desk = Desk::open(false).await;
    let (status, code, _) =
        desk.refused("POST", "/admin/api/simulate-transfer", Some(json!({ "amount_vnd": 1000 }))).await;
    assert_eq!((status, code.as_str()), (404, "not_demo"));
    assert_eq!(desk.refused("GET", "/admin/api/mailbox", None).await.0, 404);
}

#[tokio::test]
async fn a_cancelled_order_cannot_be_cancelled_again_and_both_are_on_record() {
    let desk = Desk::open(true).await;
    let order = desk.order().await;
    let path = format!("/admin/api/orders/{}/cancel", order["order"]["code"].as_str().unwrap());
    assert_eq!(desk.refused("POST", &path, None).await.0, 400, "a reason is needed");
    let (status, answer) = desk.ask("POST", &path, Some(json!({ "reason": "khách đổi ý" }))).await;
    assert_eq!((status, &answer["order"]["stage"]), (StatusCode::OK, &json!("cancelled")));
    let (status, code, _) = desk.refused("POST", &path, Some(json!({ "reason": "again" }))).await;
    assert_eq!((status, code.as_str()), (409, "order_not_cancellable"));
    let audit = desk.get("/admin/api/audit").await;
    let actions: Vec<_> = audit["rows"].as_array().unwrap().iter().map(|row| row["action"].clone()).collect();
    assert!(
        actions.contains(&json!("order.cancel")) && actions.contains(&json!("order.create")),
        "{actions:?}"
    );
}

#[tokio::test]
async fn settings_are_saved_checked_and_taken_into_use() {
    let desk = Desk::open(false).await;
    let shop = json!({ "name": "Khoá học An", "language": "en" });
    let (status, settings) = desk.ask("PUT", "/admin/api/settings/shop", Some(shop)).await;
    assert_eq!((status, &settings["shop"]["name"]), (StatusCode::OK, &json!("Khoá học An")), "{settings}");
    let workers = json!({ "count": 3, "lease_s": 20, "retry_base_s": 5, "retry_max": 4 });
    let (status, settings) = desk.ask("PUT", "/admin/api/settings/workers", Some(workers)).await;
    assert_eq!((status, &settings["workers"]["count"]), (StatusCode::OK, &json!(3)), "{settings}");
    assert_eq!(desk.get("/admin/api/queue").await["counts"]["workers"], 3);
    let (status, code, detail) =
        desk.refused("PUT", "/admin/api/settings/shop", Some(json!({ "name": "x", "language": "fr" }))).await;
    assert_eq!((status, code.as_str()), (400, "bad_request"));
    assert!(detail.contains("language"), "{detail}");
    assert_eq!(desk.refused("PUT", "/admin/api/settings/other", Some(json!({}))).await.0, 404);
}

#[tokio::test]
async fn a_secret_goes_in_and_never_comes_out() {
    let desk = Desk::open(false).await;
    let value = "canary-4f1b9c77-a9Z";
    let path = "/admin/api/secrets/smtp.password";
    let (status, settings) = desk.ask("PUT", path, Some(json!({ "value": value }))).await;
    assert_eq!(status, StatusCode::OK);
    let row =
        settings["secrets"].as_array().unwrap().iter().find(|row| row["name"] == "smtp.password").unwrap();
    assert_eq!((&row["set"], &row["hint"]), (&json!(true), &json!("-a9Z")));
    let mut said = settings.to_string();
    for (method, path) in ROUTES {
        if *method == "get" && !path.contains('{') && !path.ends_with("/events") {
            said += &desk.ask("GET", path, None).await.1.to_string();
        }
    }
    // A body that cannot be read is not repeated either.
    for body in [json!({ "value": [value] }), json!([value]), json!({ "wert": value })] {
        said += &desk.refused("PUT", path, Some(body)).await.2;
    }
    assert!(!said.contains(value));
    assert_eq!(
        desk.refused("PUT", "/admin/api/secrets/admin.token", Some(json!({ "value": "x" }))).await.0,
        404
    );
    assert_eq!(
        desk.refused("PUT", "/admin/api/secrets/sepay.api_key", Some(json!({ "value": "a b" }))).await.0,
        400
    );
    let (_, settings) = desk.ask("DELETE", path, None).await;
    let row =
        settings["secrets"].as_array().unwrap().iter().find(|row| row["name"] == "smtp.password").unwrap();
    assert_eq!(row["set"], false);
}

#[tokio::test]
async fn a_bank_account_gets_its_bin_and_an_unknown_bank_its_neighbours() {
    let desk = Desk::open(false).await;
    let account = |bank: &str| json!({ "bank": bank, "account": "0900 000 699", "holder": "NGUYEN VAN AN" });
    let (status, settings) = desk.ask("PUT", "/admin/api/bank-accounts", Some(account("mb bank"))).await;
    assert_eq!(status, StatusCode::OK, "{settings}");
    let saved = &settings["bank_accounts"][0];
    assert_eq!(
        (&saved["bank"], &saved["bin"], &saved["account"]),
        (&json!("MBBank"), &json!("970422"), &json!("0900000699"))
    );
    assert_eq!(saved["preferred"], true);
    let (status, code, detail) =
        desk.refused("PUT", "/admin/api/bank-accounts", Some(account("MBBanc"))).await;
    assert_eq!((status, code.as_str()), (400, "unknown_bank"));
    assert!(detail.contains("MBBank"), "{detail}");
    let path = format!("/admin/api/bank-accounts/{}", saved["id"]);
    let (_, settings) = desk.ask("DELETE", &path, None).await;
    assert_eq!(settings["bank_accounts"], json!([]));
    assert_eq!(desk.refused("DELETE", &path, None).await.0, 404);
}

#[tokio::test]
async fn the_queue_is_paused_with_a_reason_and_resumed() {
    let desk = Desk::open(true).await;
    let pause = json!({ "lane": "order", "minutes": 30, "reason": "kiểm kê" });
    let (status, queue) = desk.ask("POST", "/admin/api/queue/pause", Some(pause)).await;
    assert_eq!(status, StatusCode::OK, "{queue}");
    let lane = |queue: &Value| {
        queue["lanes"].as_array().unwrap().iter().find(|lane| lane["name"] == "order").unwrap().clone()
    };
    assert_eq!(lane(&queue)["reason"], "kiểm kê");
    assert!(lane(&queue)["resumes_at"].is_string());
    assert_eq!(queue["counts"]["paused"], false, "only one lane is");
    let (_, queue) = desk.ask("POST", "/admin/api/queue/resume", Some(json!({}))).await;
    assert!(lane(&queue)["paused_at"].is_null());
    assert_eq!(desk.refused("POST", "/admin/api/queue/pause", Some(json!({ "minutes": 0 }))).await.0, 400);
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing() {
    let desk = Desk::open(true).await;
    let (status, report) =
        desk.ask("POST", "/admin/api/failures/retry", Some(json!({ "dry_run": true }))).await;
    assert_eq!((status, report), (StatusCode::OK, json!({ "matched": 0, "retried": 0, "skipped": 0 })));
    let wrong = json!({ "filter": { "kind": "bake_bread" } });
    assert_eq!(desk.refused("POST", "/admin/api/failures/retry", Some(wrong)).await.0, 400);
}

#[tokio::test]
async fn test_buttons_find_out_and_the_checklist_remembers() {
    let desk = Desk::open(true).await;
    let mut states = Vec::new();
    for id in
        ["bank", "sepay_key", "sepay_api", "tunnel", "webhook", "mail", "secrets", "course", "notifications"]
    {
        let (status, row) = desk.ask("POST", &format!("/admin/api/checks/{id}"), None).await;
        assert_eq!(status, StatusCode::OK, "{id}: {row}");
        states.push((id, row["state"].as_str().unwrap().to_owned()));
    }
    let state =
        |id: &str| states.iter().find(|(known, _)| *known == id).map(|(_, state)| state.as_str()).unwrap();
    let own = ["bank", "sepay_key", "sepay_api", "mail", "secrets"];
    assert_eq!(own.map(state), ["pass"; 5], "the demo's bank stands in for SePay's API");
    assert_eq!([state("tunnel"), state("webhook"), state("notifications")], ["warn"; 3]);
    let list = desk.get("/admin/api/checklist").await;
    let mut pressed = list["rows"].as_array().unwrap().iter();
    assert!(pressed.all(|row| row["checked_at"].is_string()), "{list}");
    assert_eq!(desk.refused("POST", "/admin/api/checks/luck", None).await.0, 400);
}

#[tokio::test]
async fn a_machine_that_shows_no_messages_says_so_unasked_until_another_way_tells_the_owner() {
    let desk = Desk::open(true).await;
    let row = async || {
        let list = desk.get("/admin/api/checklist").await;
        let rows = list["rows"].as_array().unwrap();
        rows.iter().find(|row| row["id"] == "notifications").unwrap().clone()
    };
    let silent = row().await;
    assert_eq!((&silent["state"], &silent["code"]), (&json!("warn"), &json!("notifications_unavailable")));
    let mut told = desk.get("/admin/api/settings").await["channels"].clone();
    told["telegram_chat"] = json!("123456");
    let (status, settings) = desk.ask("PUT", "/admin/api/settings/channels", Some(told)).await;
    assert_eq!(status, StatusCode::OK, "{settings}");
    let told = row().await;
    assert_eq!(told["state"], "pass", "{told}");
}

#[tokio::test]
async fn a_secret_store_that_fails_is_shown_and_takes_no_page_away() {
    let desk = Desk::open(false).await;
    desk.secrets.break_with(Some(SecretError::Unavailable("locked".to_owned())));
    desk.shop.reload().await.unwrap();
    let overview = desk.get("/admin/api/overview").await;
    assert_eq!(overview["attention"][0]["kind"], "secrets");
    desk.get("/admin/api/settings").await;
    let (_, code, _) =
        desk.refused("PUT", "/admin/api/secrets/smtp.password", Some(json!({ "value": "x" }))).await;
    assert_eq!(code, "secret_store_unavailable");
}

#[tokio::test]
async fn a_course_is_saved_and_a_wrong_source_refused() {
    let desk = Desk::open(false).await;
    let course = json!({ "title": "Rust", "price_vnd": 499_000, "source": { "kind": "folder", "path": "/courses/rust" }, "target": { "kind": "folder" } });
    let (status, row) = desk.ask("PUT", "/admin/api/courses/rust-101", Some(course.clone())).await;
    assert_eq!((status, &row["version"], &row["active"]), (StatusCode::OK, &json!(1), &json!(true)), "{row}");
    for (key, value) in [
        ("price_vnd", json!(0)),
        ("title", json!(" ")),
        ("source", json!({ "kind": "magic" })),
        ("source", json!({ "kind": "folder", "path": "a" })),
    ] {
        let mut wrong = course.clone();
        wrong[key] = value;
        let (status, _, detail) = desk.refused("PUT", "/admin/api/courses/rust-101", Some(wrong)).await;
        assert_eq!(status, 400);
        assert!(detail.contains(key), "{detail}");
    }
    assert_eq!(desk.refused("PUT", "/admin/api/courses/Rust_101", Some(course)).await.0, 400);
}

#[tokio::test]
async fn events_are_numbered_frames() {
    let desk = Desk::open(true).await;
    let request = Request::get("/admin/api/events").body(Body::empty()).unwrap();
    let answer = desk.shop.admin().oneshot(request).await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = answer.into_body();
    desk.order().await;
    // What furnished the demo may still be told before.
    let told = async {
        loop {
            let frame = body.frame().await.unwrap().unwrap();
            let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
            assert!(text.contains("id:") && text.contains("data:"), "{text}");
            if text.contains("orders") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.unwrap();
}

#[tokio::test]
async fn books_that_do_not_add_up_stop_the_money_and_nothing_else() {
    let desk = Desk::open(true).await;
    let order = desk.order().await;
    let code = order["order"]["code"].as_str().unwrap().to_owned();
    let control = desk.get("/health").await;
    assert!(
        control["components"]
            .as_array()
            .unwrap()
            .iter()
            .any(|part| part["name"] == "ledger" && part["state"] == "ok")
    );
    assert_eq!(desk.get("/admin/api/money").await["ledger_ok"], true);

    desk.shop.store().stop_money("1 balance differs from the ledger");
    let (_, told) = desk.ask("POST", "/admin/api/simulate-transfer", Some(json!({ "order": code }))).await;
    assert_eq!(told["http_status"], 503, "SePay is asked to try again: {told}");
    let marked = desk
        .ask("POST", "/admin/api/customers/1/adjust", Some(json!({ "amount_vnd": 1, "reason": "x" })))
        .await;
    assert_eq!((marked.0.as_u16(), marked.1["code"].as_str()), (503, Some("ledger_stopped")));
    assert_eq!(desk.get("/admin/api/money").await["ledger_ok"], false);
    let health = desk.get("/health").await;
    assert_eq!(health["status"], "degraded");
    let notices = desk.until("/admin/api/notices", |page| page["rows"][0]["kind"] == "ledger_stopped").await;
    assert_eq!((&notices["rows"][0]["class"], &notices["rows"][0]["count"]), (&json!(1), &json!(1)));
    // Reading and work go on.
    assert_eq!(desk.get(&format!("/admin/api/orders/{code}")).await["order"]["stage"], "pending");
    let (status, _) = desk.ask("POST", "/admin/api/queue/pause", Some(json!({ "reason": "x" }))).await;
    assert!(status.is_success());
}
