//! The worker as a program, against the shop as a program: stopped, killed, paused, revoked.

use chotdon_tests::nginx::Nginx;
use chotdon_tests::worker_program::{WorkedShop, WorkerProgram, lay_out};
use serde_json::json;

/// So slow that there is time to do something to the worker.
const SLOW: &str = "location / { limit_rate 300k; }";
const SLOW_BYTES: usize = 1_500_000;

#[allow(clippy::disallowed_methods)] // the shop under test has the machine's clock
fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn source(server: &str, bytes: usize) -> (tempfile::TempDir, Nginx) {
    let files = tempfile::tempdir().unwrap();
    lay_out(files.path(), bytes).unwrap();
    let nginx = Nginx::start(files.path(), server).unwrap();
    (files, nginx)
}

fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_worker_does_one_task_and_ends_or_works_on_until_it_is_told_to_stop() {
    let shop = WorkedShop::new("127.0.0.1:0").await.unwrap();
    let served = shop.serve().await.unwrap();
    let (files, nginx) = source("", 20_000_000);
    let key = shop.key("nas").await.unwrap();
    let mut idle = WorkerProgram::start(&served.public, "nas", &key, &[], &[]).await.unwrap();
    let code = shop.sell(&served, "mot", &nginx.url("/course.json"), now_s()).await.unwrap();
    idle.says("handed over").await.unwrap();
    shop.delivered(&served, &code, "mot", files.path()).await.unwrap();
    assert_eq!(std::fs::read_dir(idle.dir.path().join("work")).unwrap().count(), 1, "only its lock is left");
    idle.signal("-TERM").await.unwrap();
    assert_eq!(idle.ended().await.unwrap(), Some(0));

    let code = shop.sell(&served, "hai", &nginx.url("/course.json"), now_s()).await.unwrap();
    let mut once = WorkerProgram::start(&served.public, "nas", &key, &[], &["--once"]).await.unwrap();
    assert_eq!(once.ended().await.unwrap(), Some(0));
    shop.delivered(&served, &code, "hai", files.path()).await.unwrap();

    // A source that is not there: the shop is told why.
    shop.sell(&served, "ba", &nginx.url("/nothing.json"), now_s()).await.unwrap();
    let mut once = WorkerProgram::start(&served.public, "nas", &key, &[], &["--once"]).await.unwrap();
    assert_eq!(once.ended().await.unwrap(), Some(1));
    let failures = shop.until(&served, "/admin/api/failures", |told| told["failed"] == 1).await.unwrap();
    assert_eq!(failures["groups"][0]["error"]["code"], "source_not_found", "{failures}");
    for (url, code) in [("http://127.0.0.1:9", 75), ("http://192.0.2.1", 2), ("https://x.example/path", 2)] {
        let mut worker = WorkerProgram::start(url, "nas", &key, &[], &["--once"]).await.unwrap();
        assert_eq!(worker.ended().await.unwrap(), Some(code), "{url}");
    }
    served.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_was_paused_past_its_lease_is_refused_and_drops_the_task() {
    let shop = WorkedShop::new("127.0.0.1:0").await.unwrap();
    let served = shop.serve().await.unwrap();
    let (files, nginx) = source(SLOW, SLOW_BYTES);
    let mut slow = WorkerProgram::start(&served.public, "slow", &shop.key("slow").await.unwrap(), &[], &[])
        .await
        .unwrap();
    let code = shop.sell(&served, "cham", &nginx.url("/course.json"), now_s()).await.unwrap();
    slow.says("fetching").await.unwrap();
    slow.signal("-STOP").await.unwrap();
    let lost = |tasks: &serde_json::Value| tasks["rows"][0]["error"]["code"] == "worker_lost";
    shop.until(&served, "/admin/api/tasks?kind=prepare_course", lost).await.unwrap();
    let key = shop.key("quick").await.unwrap();
    let mut quick = WorkerProgram::start(&served.public, "quick", &key, &[], &[]).await.unwrap();
    quick.says("fetching").await.unwrap();
    slow.signal("-CONT").await.unwrap();
    slow.says("the lease is gone").await.unwrap();
    quick.says("handed over").await.unwrap();
    shop.delivered(&served, &code, "cham", files.path()).await.unwrap();
    let queue =
        shop.until(&served, "/admin/api/queue", |queue| queue["stale_refused"] != json!(0)).await.unwrap();
    assert!(queue["stale_refused"].as_i64().unwrap() >= 1, "{queue}");
    // It works on: what was lost is one task.
    let code = shop.sell(&served, "sau", &nginx.url("/course.json"), now_s()).await.unwrap();
    quick.signal("-STOP").await.unwrap();
    slow.says("handed over").await.unwrap();
    shop.delivered(&served, &code, "sau", files.path()).await.unwrap();
    served.stop().await.unwrap();
}

#[tokio::test]
async fn a_shop_that_is_killed_in_between_finds_its_worker_still_at_it() {
    let shop = WorkedShop::new(&free_port()).await.unwrap();
    let served = shop.serve().await.unwrap();
    let (files, nginx) = source(SLOW, SLOW_BYTES);
    let key = shop.key("nas").await.unwrap();
    let mut worker = WorkerProgram::start(&served.public, "nas", &key, &[], &[]).await.unwrap();
    let code = shop.sell(&served, "cham", &nginx.url("/course.json"), now_s()).await.unwrap();
    worker.says("fetching").await.unwrap();
    served.kill().await.unwrap();
    let served = shop.serve().await.unwrap();
    shop.delivered(&served, &code, "cham", files.path()).await.unwrap();
    worker.says("handed over").await.unwrap();
    served.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_whose_key_is_revoked_ends_and_says_why() {
    let shop = WorkedShop::new("127.0.0.1:0").await.unwrap();
    let served = shop.serve().await.unwrap();
    let (_files, nginx) = source(SLOW, SLOW_BYTES);
    let key = shop.key("nas").await.unwrap();
    let mut worker = WorkerProgram::start(&served.public, "nas", &key, &[], &[]).await.unwrap();
    shop.sell(&served, "cham", &nginx.url("/course.json"), now_s()).await.unwrap();
    worker.says("fetching").await.unwrap();
    let listed = shop.home.run(&["worker-key", "list"], "").await.unwrap();
    assert!(listed.contains("nas") && listed.contains("valid") && !listed.contains(&key[6..]), "{listed}");
    shop.home.run(&["worker-key", "revoke", "nas"], "").await.unwrap();
    worker.says("worker_revoked").await.unwrap();
    assert_eq!(worker.ended().await.unwrap(), Some(1));
    let listed = shop.home.run(&["worker-key", "list"], "").await.unwrap();
    assert!(listed.contains("revoked"), "{listed}");
    assert!(shop.home.run(&["worker-key", "rotate", "nas"], "").await.is_err());
    served.stop().await.unwrap();
}

#[tokio::test]
async fn a_worker_runs_the_program_that_its_owner_allows_and_no_other() {
    let shop = WorkedShop::new("127.0.0.1:0").await.unwrap();
    let served = shop.serve().await.unwrap();
    let files = tempfile::tempdir().unwrap();
    lay_out(files.path(), 100_000).unwrap();
    let program = |name: &str| {
        let path = files.path().join(name);
        let copy =
            format!("#!/bin/sh\ncp {}/*.mp4 {0}/*.txt .\n: > {0}/{name}-ran\n", files.path().display());
        std::fs::write(&path, copy).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (allowed, other) = (program("allowed"), program("other"));
    let source = |command: &str| json!({ "kind": "program", "command": command, "worker": "only" });
    let key = shop.key("nas").await.unwrap();

    let code = shop.sell_from(&served, "mot", source(&allowed), now_s()).await.unwrap();
    let may = ["--once", "--program", &allowed];
    let mut worker = WorkerProgram::start(&served.public, "nas", &key, &[], &may).await.unwrap();
    assert_eq!(worker.ended().await.unwrap(), Some(0));
    shop.delivered(&served, &code, "mot", files.path()).await.unwrap();
    assert!(files.path().join("allowed-ran").exists());

    shop.sell_from(&served, "hai", source(&other), now_s()).await.unwrap();
    let mut worker = WorkerProgram::start(&served.public, "nas", &key, &[], &may).await.unwrap();
    assert_eq!(worker.ended().await.unwrap(), Some(1));
    let failures = shop.until(&served, "/admin/api/failures", |told| told["failed"] == 1).await.unwrap();
    assert_eq!(failures["groups"][0]["error"]["code"], "program_not_allowed", "{failures}");
    assert!(!files.path().join("other-ran").exists());
    served.stop().await.unwrap();
}
