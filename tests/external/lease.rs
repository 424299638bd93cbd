//! Leases on other machines: given once, ended by the clock, fenced by their epoch.

use std::collections::HashSet;

use chotdon_tests::worker::{HandWorker, Leased};
use chotdon_tests::{Setup, TestShop};
use serde_json::{Value, json};

use super::{course, ordered, refused, task, task_is, worker_row};

/// The lease of a test shop's workers, ms.
const LEASE_MS: i64 = 60_000;

async fn late(shop: &TestShop) -> i64 {
    shop.admin("GET", "/admin/api/queue", None).await.1["stale_refused"].as_i64().unwrap()
}

#[tokio::test]
async fn a_late_result_is_refused_and_another_machine_does_the_task() {
    let shop = TestShop::start().await;
    let (slow, quick) = (HandWorker::new(&shop, "slow").await, HandWorker::new(&shop, "quick").await);
    let code = ordered(&shop, "xa", Value::Null).await;
    let lease = slow.task().await;
    // The control: heartbeats carry it over many leases.
    for _ in 0..3 {
        shop.clock.jump(LEASE_MS - 5_000);
        assert_eq!(slow.beat(&lease).await.0, 200);
    }
    slow.put(&lease, "a", 0, b"stale").await;
    assert_eq!(late(&shop).await, 0);
    shop.clock.jump(LEASE_MS + 5_000);
    refused(409, "lease_lost")(&slow.finalize(&lease, "xa", &[("a", b"stale")]).await);
    refused(409, "lease_lost")(&slow.beat(&lease).await);
    refused(409, "lease_lost")(&slow.put(&lease, "a", 5, b"!").await);
    assert_eq!(late(&shop).await, 3);
    let crashed = shop
        .until(|| async {
            Some(task(&shop, lease.task).await).filter(|task| task["task"]["state"] != "running")
        })
        .await;
    assert_eq!(
        (&crashed["task"]["error"]["code"], &crashed["task"]["error"]["class"]),
        (&json!("worker_lost"), &json!("crashed")),
        "it counts as a crash of the worker"
    );
    let (_, notices) = shop.admin("GET", "/admin/api/notices", None).await;
    assert!(notices["rows"].as_array().unwrap().iter().any(|row| row["kind"] == "worker_lost"), "{notices}");
    shop.clock.jump(3_600_000);
    let again = quick.task().await;
    assert_eq!((again.task, again.epoch > lease.epoch), (lease.task, true));
    // Now somebody else has it, and the first one's words count for nothing.
    refused(409, "lease_lost")(&slow.finalize(&lease, "xa", &[("a", b"stale")]).await);
    let stolen = Leased { epoch: again.epoch, ..lease.clone() };
    refused(409, "lease_lost")(&slow.finalize(&stolen, "xa", &[("a", b"stale")]).await);
    assert_eq!(
        quick.size(&again, "a").await,
        (200, json!({ "size": 0 })),
        "nothing of the first try is there"
    );
    quick.put(&again, "a", 0, b"fresh").await;
    assert_eq!(quick.finalize(&again, "xa", &[("a", b"fresh")]).await.0, 200);
    shop.settled(&code, "completed").await;
    assert_eq!(std::fs::read(shop.dir().join("library/xa/v1/a")).unwrap(), b"fresh");
    shop.sound().await;
}

#[tokio::test]
async fn two_workers_never_get_the_same_task() {
    let shop = TestShop::start().await;
    let (one, other) = (HandWorker::new(&shop, "one").await, HandWorker::new(&shop, "other").await);
    for n in 0..12 {
        ordered(&shop, &format!("k{n}"), Value::Null).await;
    }
    let mut got: Vec<i64> = Vec::new();
    while got.len() < 12 {
        let (mine, theirs) = tokio::join!(one.claim(json!({ "max": 2 })), other.claim(json!({ "max": 2 })));
        got.extend(mine.iter().chain(&theirs).map(|lease| lease.task));
    }
    assert_eq!(got.iter().collect::<HashSet<_>>().len(), 12, "{got:?}");
    assert_eq!(worker_row(&shop, "one").await["state"], "working");
    assert!(one.claim(json!({})).await.is_empty());
}

#[tokio::test]
async fn a_lease_outlives_the_shop_that_gave_it() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let code = ordered(&shop, "xa", Value::Null).await;
    let lease = worker.task().await;
    worker.put(&lease, "a", 0, b"half").await;
    let HandWorker { key, name, says_name, .. } = worker;
    let ground = shop.stop().await;
    let shop = TestShop::on(ground, Setup::default()).await;
    let worker = HandWorker { shop: &shop, key, name, says_name };
    assert_eq!(worker.beat(&lease).await.0, 200, "the start took nothing back");
    assert_eq!(worker.size(&lease, "a").await, (200, json!({ "size": 4 })), "and removed nothing");
    worker.put(&lease, "a", 4, b" done").await;
    assert_eq!(worker.finalize(&lease, "xa", &[("a", b"half done")]).await.0, 200);
    shop.settled(&code, "completed").await;
}

#[tokio::test]
async fn a_failure_is_written_down_as_one_of_our_own() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let code = ordered(&shop, "xa", Value::Null).await;
    let fail = |lease: Leased, class: &'static str| {
        let worker = &worker;
        async move {
            let mut data = lease.data();
            data["class"] = json!(class);
            data["code"] = json!("source_unreachable");
            data["detail"] = json!("no route to host");
            let (status, answer) = worker.call("/api/v1/worker/fail", "task.fail", data).await;
            assert_eq!(status, 200, "{answer}");
            answer
        }
    };
    let given_back = fail(worker.task().await, "released").await;
    assert!(given_back["retry_at"].is_string());
    let lease = worker.task().await;
    assert_eq!(task(&shop, lease.task).await["task"]["attempt"], 1, "giving back burns no attempt");
    let answer = fail(lease.clone(), "transient").await;
    assert!(answer["retry_at"].is_string(), "{answer}");
    let waiting = task_is(&shop, lease.task, "scheduled").await;
    assert_eq!(waiting["task"]["error"]["code"], "source_unreachable");
    assert!(waiting["task"]["error"]["detail"].as_str().unwrap().starts_with("nas: "), "it says who");
    shop.clock.jump(3_600_000);
    assert_eq!(fail(worker.task().await, "permanent").await["retry_at"], Value::Null);
    task_is(&shop, lease.task, "failed").await;
    shop.settled(&code, "failed").await;
}

#[tokio::test]
async fn only_what_is_meant_for_other_machines_is_given_away() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let pause = json!({ "lane": "course", "reason": "thử" });
    // Nobody takes anything while the lane is paused, so that what is ready stays ready.
    assert_eq!(shop.admin("POST", "/admin/api/queue/pause", Some(pause.clone())).await.0, 200);
    ordered(&shop, "only", Value::Null).await;
    ordered(&shop, "never", json!({ "worker": "never" })).await;
    ordered(&shop, "secret", json!({ "worker": "also", "secret": "source.nas" })).await;
    let (folder, total) = shop.order(&["khoa-hoc-loi"]).await;
    shop.bank_receives(total, &folder).await;
    assert!(worker.claim(json!({ "max": 16 })).await.is_empty(), "a paused lane gives nothing");
    let all = async |sources: Value| worker.claim(json!({ "max": 16, "sources": sources })).await;
    shop.admin("POST", "/admin/api/queue/resume", Some(json!({ "lane": "course" }))).await;
    assert!(all(json!(["program"])).await.is_empty(), "it cannot read these sources");
    let given = all(json!(["http"])).await;
    let slugs: Vec<&str> = given.iter().filter_map(|lease| lease.given["course"]["slug"].as_str()).collect();
    assert_eq!(slugs, ["only"]);
    let source =
        json!({ "kind": "http", "url": "https://x.example/", "worker": "only", "secret": "source.nas" });
    let course = json!({ "title": "x", "price_vnd": 1_000, "active": true, "source": source, "target": { "kind": "folder" } });
    let (status, answer) = shop.admin("PUT", "/admin/api/courses/nobody", Some(course)).await;
    assert_eq!(status, 400, "nobody could ever fetch it: {answer}");
}

#[tokio::test]
async fn a_shared_secret_is_given_to_the_worker_and_kept_nowhere() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let canary = "canary-0123456789-canary";
    let secret = json!({ "value": canary });
    assert_eq!(shop.admin("PUT", "/admin/api/secrets/source.nas", Some(secret)).await.0, 200);
    ordered(&shop, "xa", json!({ "secret": "source.nas", "share_secret": true })).await;
    let lease = worker.task().await;
    assert_eq!(lease.given["source"]["secret"], canary);
    assert_eq!(lease.given["source"].get("share_secret"), None);
    let keys =
        ["shop.db", "shop.db-wal"].map(|file| std::fs::read(shop.dir().join(file)).unwrap_or_default());
    let holds =
        |text: &str| keys.iter().any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()));
    assert!(holds("source.nas"), "the control: the secret's name is there");
    assert!(!holds(canary));
    let (_, listed) = shop.admin("GET", "/admin/api/workers", None).await;
    assert!(!listed.to_string().contains("whsec_"));
}

#[tokio::test]
async fn a_worker_that_waits_gets_the_task_when_it_is_there() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let (asked, code) =
        tokio::join!(worker.claim(json!({ "wait_s": 25 })), ordered(&shop, "xa", Value::Null));
    assert_eq!(asked.len(), 1, "{code}");
    let nothing = worker.claim(json!({ "wait_s": 1 })).await;
    assert!(nothing.is_empty(), "a wait that comes to nothing ends with an empty answer");
}

#[tokio::test]
async fn the_owner_hears_when_work_waits_for_a_machine_that_does_not_come() {
    let shop = TestShop::start().await;
    ordered(&shop, "xa", Value::Null).await;
    shop.clock.jump(20 * 60_000);
    let notice = shop
        .until(|| async {
            let (_, notices) = shop.admin("GET", "/admin/api/notices", None).await;
            notices["rows"].as_array().unwrap().iter().find(|row| row["kind"] == "worker_missing").cloned()
        })
        .await;
    assert_eq!(notice["state"], "new");
}

#[tokio::test]
async fn what_a_worker_says_of_its_progress_is_shown() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    ordered(&shop, "xa", Value::Null).await;
    let lease = worker.task().await;
    let mut data = lease.data();
    data["done_bytes"] = json!(5_000_000);
    data["total_bytes"] = json!(10_000_000);
    data["item"] = json!("Bài 1.mp4\u{7}");
    assert_eq!(worker.call("/api/v1/worker/progress", "task.progress", data).await.0, 200);
    let row = worker_row(&shop, "nas").await;
    let progress = &row["tasks"][0]["progress"];
    assert_eq!((&progress["done_bytes"], &progress["total_bytes"]), (&json!(5_000_000), &json!(10_000_000)));
    assert_eq!(progress["item"], "Bài 1.mp4");
    assert_eq!(task(&shop, lease.task).await["task"]["progress"]["done_bytes"], 5_000_000);
    assert_eq!(row["tasks"][0]["course"], "Khóa xa");
    course(&shop, "xb", "https://files.example.invalid/b.json", Value::Null).await;
}
