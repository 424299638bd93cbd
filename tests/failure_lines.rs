//! A failure is one line of the log: written by whoever it ends at, with the task or the request that it was about,
//! and by nobody on its way there.
#![allow(clippy::unwrap_used)] // a test may stop anywhere

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use chotdon_core::config::LogConfig;
use chotdon_core::logging;
use chotdon_core::ports::Probe;
use chotdon_tests::smtp::SmtpServer;
use chotdon_tests::worker::HandWorker;
use chotdon_tests::{Setup, TestShop};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// A line of the log that is a warning or an error.
#[derive(Debug, Clone)]
struct Line {
    message: String,
    fields: BTreeMap<String, String>,
}

impl Line {
    fn has(&self, name: &str, value: &str) -> bool {
        self.fields.get(name).is_some_and(|found| found == value)
    }
}

/// The log of this process, from now on for one test alone.
struct Log {
    since: u64,
    _alone: MutexGuard<'static, ()>,
}

impl Log {
    async fn begin(shop: &TestShop) -> Self {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let _alone = ALONE.lock().await;
        start();
        let (_, page) = shop.admin("GET", "/admin/api/logs?limit=1", None).await;
        Self { since: page["rows"][0]["seq"].as_u64().unwrap_or_default(), _alone }
    }

    /// Warnings and errors since the beginning.
    async fn lines(&self, shop: &TestShop) -> Vec<Line> {
        let path = format!("/admin/api/logs?level=warn&limit=500&after={}", self.since);
        let (_, page) = shop.admin("GET", &path, None).await;
        assert_eq!(page["more"], false, "{page}");
        let line = |row: &Value| Line {
            message: row["message"].as_str().unwrap().to_owned(),
            fields: serde_json::from_value(row["fields"].clone()).unwrap(),
        };
        page["rows"].as_array().unwrap().iter().map(line).collect()
    }
}

/// The program's own logging, into a folder that ends with this process.
fn start() {
    static LOGGING: OnceLock<(tempfile::TempDir, std::sync::Mutex<Option<logging::Logging>>)> =
        OnceLock::new();
    LOGGING.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let logging = logging::start(dir.path(), &LogConfig::default()).unwrap();
        (dir, std::sync::Mutex::new(Some(logging)))
    });
}

/// Each failed attempt that the database knows has exactly one line, with its task, stage, attempt and code; and there
/// is no other line. The answer is how many.
async fn one_line_an_attempt(shop: &TestShop, log: &Log) -> usize {
    let failed = attempts(shop).await;
    let lines = log.lines(shop).await;
    let wrong = twice_or_not_at_all(&failed, &lines);
    assert!(wrong.is_empty(), "{wrong:#?} of {lines:#?}");
    failed.len()
}

/// Task, stage and code of every failed attempt, from the database.
async fn attempts(shop: &TestShop) -> Vec<(i64, String, String)> {
    let (_, tasks) = shop.admin("GET", "/admin/api/tasks?limit=200", None).await;
    let mut failed = Vec::new();
    for task in tasks["rows"].as_array().unwrap() {
        let id = task["id"].as_i64().unwrap();
        let (_, story) = shop.admin("GET", &format!("/admin/api/tasks/{id}"), None).await;
        for attempt in story["attempts"].as_array().unwrap() {
            let text = |name: &str| attempt[name].as_str().unwrap_or_default().to_owned();
            let code = attempt["error"]["code"].as_str().unwrap_or_default().to_owned();
            failed.push((id, text("stage"), code));
        }
    }
    failed
}

/// What is wrong between failed attempts and lines.
fn twice_or_not_at_all(failed: &[(i64, String, String)], lines: &[Line]) -> Vec<String> {
    let mut left: Vec<&Line> = lines.iter().collect();
    let mut wrong = Vec::new();
    for (task, stage, code) in failed {
        let task = task.to_string();
        let own =
            |line: &&Line| line.has("task_id", &task) && line.has("stage", stage) && line.has("code", code);
        match left.iter().position(own) {
            Some(at) => drop(left.remove(at)),
            None => wrong.push(format!("no line of task {task} at {stage}: {code}")),
        }
    }
    wrong.extend(left.into_iter().map(|line| format!("a line of no failure: {line:?}")));
    wrong
}

async fn sell(shop: &TestShop, slug: &str, source: Value) {
    let course = json!({ "title": slug, "price_vnd": 50_000, "source": source, "target": { "kind": "folder" }, "active": true });
    let (status, answer) = shop.admin("PUT", &format!("/admin/api/courses/{slug}"), Some(course)).await;
    assert_eq!(status, 200, "{answer}");
}

async fn bought(shop: &TestShop, slug: &str, stage: &str) -> String {
    let (code, total) = shop.order(&[slug]).await;
    shop.bank_receives(total, &code).await;
    shop.settled(&code, stage).await;
    code
}

/// A server that answers everything with this status.
async fn answers(status: StatusCode) -> String {
    let router = axum::Router::new().fallback(move || async move { status });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/course/manifest.json", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn with(env: &[(&'static str, &str)]) -> Setup {
    Setup { env: env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(), probe: None }
}

#[tokio::test]
async fn a_source_that_is_not_there_is_one_line() {
    let shop = TestShop::start().await;
    let log = Log::begin(&shop).await;
    sell(&shop, "gone", json!({ "kind": "http", "url": answers(StatusCode::NOT_FOUND).await })).await;
    bought(&shop, "gone", "failed").await;
    assert_eq!(one_line_an_attempt(&shop, &log).await, 1);
    let line = log.lines(&shop).await.remove(0);
    assert!(line.has("code", "source_not_found") && line.has("last", "true"), "{line:?}");
}

#[tokio::test]
async fn a_source_that_is_down_is_one_line_an_attempt_until_they_are_used_up() {
    let env = [("CHOTDON_QUEUE__RETRY_BASE_S", "1"), ("CHOTDON_QUEUE__RETRY_MAX", "3")];
    let shop = TestShop::with(with(&env)).await;
    let log = Log::begin(&shop).await;
    sell(&shop, "down", json!({ "kind": "http", "url": answers(StatusCode::SERVICE_UNAVAILABLE).await }))
        .await;
    bought(&shop, "down", "failed").await;
    assert_eq!(one_line_an_attempt(&shop, &log).await, 3);
    let last: Vec<bool> = log.lines(&shop).await.iter().map(|line| line.has("last", "true")).collect();
    assert_eq!(last, [false, false, true]);
}

#[tokio::test]
async fn an_address_that_a_mail_server_refuses_is_one_line() {
    let mail = SmtpServer::start("none", None).await.unwrap();
    let port = mail.port.to_string();
    let shop = TestShop::with(with(&[
        ("CHOTDON_MAIL__TRANSPORT", "smtp"),
        ("CHOTDON_MAIL__HOST", "127.0.0.1"),
        ("CHOTDON_MAIL__PORT", &port),
        ("CHOTDON_MAIL__TLS", "none"),
        ("CHOTDON_MAIL__FROM", "an@example.com"),
    ]))
    .await;
    let log = Log::begin(&shop).await;
    let wish = json!({ "customer": { "email": "nobody@example.com", "name": "Lan" }, "items": [{ "course": "thiet-ke-giao-dien" }] });
    let (_, order) = shop.admin("POST", "/admin/api/orders", Some(wish)).await;
    let code = order["order"]["code"].as_str().unwrap().to_owned();
    shop.bank_receives(order["order"]["total_vnd"].as_i64().unwrap(), &code).await;
    shop.settled(&code, "failed").await;
    assert_eq!(one_line_an_attempt(&shop, &log).await, 1);
    let line = log.lines(&shop).await.remove(0);
    assert!(line.has("stage", "mail") && line.fields["detail"].contains("550"), "{line:?}");
}

/// Panics the first time that a point is passed.
fn panics_at(point: &'static str) -> Probe {
    let done = AtomicBool::new(false);
    Some(Arc::new(move |passed: &str| {
        let panics = passed == point && !done.swap(true, Ordering::SeqCst);
        Box::pin(async move { assert!(!panics, "the probe panics on purpose") })
    }))
}

#[tokio::test]
async fn a_worker_that_panics_is_one_line_with_its_words_and_place() {
    let env = vec![("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned())];
    let shop = TestShop::with(Setup { env, probe: panics_at("deliver_order.share") }).await;
    let log = Log::begin(&shop).await;
    bought(&shop, "thiet-ke-giao-dien", "completed").await;
    assert_eq!(one_line_an_attempt(&shop, &log).await, 1);
    let line = log.lines(&shop).await.remove(0);
    assert!(line.has("class", "crashed"), "{line:?}");
    let said = &line.fields["detail"];
    assert!(said.contains("the probe panics on purpose, at tests/failure_lines.rs:"), "{said}");
}

#[tokio::test]
async fn a_handler_that_panics_answers_500_and_is_one_line_under_the_number_that_is_answered() {
    let probe = panics_at("GET /d/{token}");
    let shop = TestShop::with(Setup { env: Vec::new(), probe }).await;
    let log = Log::begin(&shop).await;
    let url = shop.public("/d/a-token-that-is-nobodys-business");
    let answer = shop.http.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 500);
    let number = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "internal");
    let lines = log.lines(&shop).await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].has("request_id", &number) && lines[0].has("route", "/d/{token}"), "{lines:#?}");
    assert!(lines[0].fields["error"].contains("the probe panics on purpose"), "{lines:#?}");
    assert!(!format!("{lines:?}").contains("nobodys-business"), "a buyer's token is in no log");
    let again = shop.http.get(&url).send().await.unwrap();
    assert_eq!(again.status(), 404, "the next request is answered");
    assert!(again.headers().get("x-request-id").is_none());
}

#[tokio::test]
async fn a_panic_that_nobody_catches_is_one_line() {
    let shop = TestShop::start().await;
    let log = Log::begin(&shop).await;
    let alone = tokio::spawn(async { panic!("a part on its own, on purpose") });
    assert!(alone.await.unwrap_err().is_panic());
    let lines = log.lines(&shop).await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].has("panic", "a part on its own, on purpose"), "{lines:#?}");
}

#[tokio::test]
async fn what_a_worker_elsewhere_fails_at_is_one_line_here() {
    let shop = TestShop::start().await;
    let log = Log::begin(&shop).await;
    let worker = HandWorker::new(&shop, "may-2").await;
    let source =
        json!({ "kind": "http", "url": "https://files.example.invalid/course.json", "worker": "only" });
    sell(&shop, "far", source).await;
    let (code, total) = shop.order(&["far"]).await;
    shop.bank_receives(total, &code).await;
    let lease = worker.task().await;
    let data = json!({ "task_id": lease.task, "lease_epoch": lease.epoch, "class": "permanent",
                       "code": "source_not_found", "detail": "404" });
    assert_eq!(worker.call("/api/v1/worker/fail", "task.fail", data).await.0, 200);
    shop.settled(&code, "failed").await;
    assert_eq!(one_line_an_attempt(&shop, &log).await, 1);
    let line = log.lines(&shop).await.remove(0);
    assert!(line.has("worker", "may-2") && line.has("last", "true"), "{line:?}");
}

#[tokio::test]
async fn a_flood_of_refused_webhooks_is_a_line_a_minute_that_counts_them_all() {
    const FLOOD: i64 = 2_000;
    let shop = TestShop::start().await;
    let log = Log::begin(&shop).await;
    let ask = || shop.http.post(shop.public("/api/v1/payment/webhook")).body("{}").send();
    for _ in 0..FLOOD / 50 {
        for answer in futures::future::join_all((0..50).map(|_| ask())).await {
            assert!([401, 429].contains(&answer.unwrap().status().as_u16()));
        }
    }
    let counted = |lines: &[Line]| -> i64 {
        lines.iter().map(|line| line.fields["requests"].parse::<i64>().unwrap()).sum()
    };
    let all = shop
        .until(|| async {
            // Past the minute in which nothing is written.
            shop.clock.jump(61_000);
            let lines = log.lines(&shop).await;
            (counted(&lines) == FLOOD).then_some(lines)
        })
        .await;
    assert!(all.len() <= 5, "{all:#?}");
    assert!(all.iter().all(|line| line.message == "webhooks were refused"), "{all:#?}");
}

#[tokio::test]
async fn the_count_sees_a_line_too_many_and_one_too_few() {
    let line = |task: &str| Line {
        message: "a stage failed".to_owned(),
        fields: [("task_id", task), ("stage", "mail"), ("code", "mail_refused")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    };
    let failed = [(7, "mail".to_owned(), "mail_refused".to_owned())];
    assert!(twice_or_not_at_all(&failed, &[line("7")]).is_empty());
    assert_eq!(twice_or_not_at_all(&failed, &[line("7"), line("7")]).len(), 1, "twice");
    assert_eq!(twice_or_not_at_all(&failed, &[]).len(), 1, "not at all");
    assert_eq!(twice_or_not_at_all(&failed, &[line("8")]).len(), 2, "of another task");
}
