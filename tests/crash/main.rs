//! `kill -9` at random moments of the real program: what was acknowledged is there, every order completes once.
//! `CHOTDON_TEST_QUICK=1` does a tenth; `CHOTDON_TEST_SEED` repeats a run.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test that cannot go on has failed; figures are printed

mod checker;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use checker::{Acked, problems};
use chotdon_tests::nginx::Nginx;
use chotdon_tests::served::{Home, Served};
use chotdon_tests::{chance, quick_or_full};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::json;
use sha2::{Digest, Sha256};

const DIRS: usize = 4;

/// So slow that a kill within 400 ms finds a download under way.
const SLOW: &str = "location / { limit_rate 8m; }";
/// Bytes of the slow course's file.
const SLOW_BYTES: usize = 8_000_000;

#[allow(clippy::disallowed_methods)] // the shop under test has the machine's clock
fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// A payment that the bank has made and SePay reports until it is acknowledged.
#[derive(Debug, Clone)]
struct Due {
    id: i64,
    amount: i64,
    order: String,
}

/// What the world outside remembers of one shop.
#[derive(Default)]
struct Ledger {
    acked: Vec<Acked>,
    due: Vec<Due>,
    courses: HashMap<String, String>,
    next_id: i64,
}

struct Shop {
    home: Home,
    token: String,
    ledger: Arc<Mutex<Ledger>>,
    slow_courses: usize,
}

impl Shop {
    async fn new() -> Self {
        let home = Home::new().await.unwrap();
        let token = home.run(&["admin-token"], "").await.unwrap();
        Self { home, token, ledger: Arc::default(), slow_courses: 0 }
    }

    async fn serve(&self) -> Served {
        let mut served = self.home.serve().await.unwrap();
        served.token.clone_from(&self.token);
        served
    }

    async fn add_slow_course(&mut self, served: &Served, nginx: &Nginx) -> String {
        self.slow_courses += 1;
        let slug = format!("cham-{}", self.slow_courses);
        let course = json!({
            "title": slug, "price_vnd": 50_000, "active": true,
            "source": { "kind": "http", "url": nginx.url("/course.json") }, "target": { "kind": "folder" },
        });
        let (status, answer) =
            served.admin("PUT", &format!("/admin/api/courses/{slug}"), Some(course)).await.unwrap();
        assert!((200..300).contains(&status), "{answer}");
        slug
    }

    fn checked(&self) -> Vec<Acked> {
        self.ledger.lock().unwrap().acked.clone()
    }
}

/// Orders a course and lets the bank pay it; ends early when the shop dies.
async fn buy(served: &Served, ledger: &Mutex<Ledger>, course: &str) -> anyhow::Result<()> {
    let (order, amount) = served.order(course).await?;
    let due = {
        let mut ledger = ledger.lock().unwrap();
        ledger.next_id += 1;
        ledger.courses.insert(order.clone(), course.to_owned());
        let due = Due { id: ledger.next_id, amount, order };
        ledger.due.push(due.clone());
        due
    };
    report(served, ledger, &due).await
}

/// SePay reports a payment once.
async fn report(served: &Served, ledger: &Mutex<Ledger>, due: &Due) -> anyhow::Result<()> {
    let (status, answer) = served.webhook(due.id, due.amount, &format!("CK {}", due.order), now_s()).await?;
    anyhow::ensure!(status == 200, "{status}: {answer}");
    let mut ledger = ledger.lock().unwrap();
    ledger.due.retain(|other| other.id != due.id);
    if !ledger.acked.iter().any(|acked| acked.sepay_id == due.id) {
        ledger.acked.push(Acked { sepay_id: due.id, amount: due.amount, order: due.order.clone() });
    }
    Ok(())
}

/// Everything that is still due is reported again, as SePay does.
async fn report_due(served: &Served, ledger: &Mutex<Ledger>) -> anyhow::Result<()> {
    let due = ledger.lock().unwrap().due.clone();
    for due in due {
        report(served, ledger, &due).await?;
    }
    Ok(())
}

/// One life of a shop, ended by `kill -9` somewhere. True when it got so far as to serve.
async fn live_and_die(shop: &mut Shop, nginx: &Nginx, chance: &mut StdRng, round: usize) -> bool {
    let moment = Duration::from_millis(chance.random_range(0..400));
    if chance.random_range(0..4) == 0 {
        // While it starts.
        let starting = shop.home.begin().unwrap();
        let ready = starting.ready();
        return tokio::time::timeout(moment, ready).await.is_ok();
    }
    let served = shop.serve().await;
    let courses = if (round / DIRS).is_multiple_of(3) {
        let slow = shop.add_slow_course(&served, nginx).await;
        vec![slow.clone(), "rust-co-ban".to_owned(), slow]
    } else {
        vec!["thiet-ke-giao-dien".to_owned(), "rust-co-ban".to_owned(), "tieng-nhat-n3".to_owned()]
    };
    let ledger = shop.ledger.clone();
    let life = async {
        let again = report_due(&served, &ledger);
        let buying = futures::future::join_all(courses.iter().map(|course| buy(&served, &ledger, course)));
        let (again, bought) = futures::join!(again, buying);
        again.unwrap();
        bought.into_iter().for_each(|bought| bought.unwrap());
        // Alive, with work to do, until its moment comes.
        std::future::pending::<()>().await;
    };
    let _ = tokio::time::timeout(moment, life).await;
    served.kill().await.unwrap();
    true
}

/// Waits until every paid order is completed, then downloads every link.
async fn finish(shop: &Shop, served: &Served, slow: &[u8]) {
    report_due(served, &shop.ledger).await.unwrap();
    let acked = shop.checked();
    let courses = shop.ledger.lock().unwrap().courses.clone();
    let mut look = tokio::time::interval(Duration::from_millis(100));
    for payment in &acked {
        let completed = async {
            loop {
                look.tick().await;
                let (_, order) =
                    served.admin("GET", &format!("/admin/api/orders/{}", payment.order), None).await.unwrap();
                let stage = order["order"]["stage"].as_str().unwrap_or_default().to_owned();
                assert_ne!(stage, "failed", "{order:#}");
                if stage == "completed" {
                    return order;
                }
            }
        };
        let order = tokio::time::timeout(Duration::from_secs(60), completed)
            .await
            .expect("it completes within a minute");
        let link = order["items"][0]["link"].as_str().expect("a link");
        download(shop.home.data().as_path(), served, link, &courses[&payment.order], slow).await;
    }
}

async fn download(data: &Path, served: &Served, link: &str, course: &str, slow: &[u8]) {
    // The link was made by an earlier life, whose port is gone.
    let token = link.rsplit('/').next().unwrap();
    let get = async |path: &str| {
        let answer = served.http.get(format!("{}/d/{token}{path}", served.public)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{course} {path}");
        Sha256::digest(answer.bytes().await.unwrap())
    };
    let folder = data.join("demo-courses").join(course);
    let Ok(files) = std::fs::read_dir(folder) else {
        assert_eq!(get("").await, Sha256::digest(slow), "{course}");
        return;
    };
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let path = if files.len() == 1 { String::new() } else { format!("/{name}") };
        assert_eq!(get(&path).await, Sha256::digest(std::fs::read(file).unwrap()), "{course} {name}");
    }
}

/// How long after the program's start the first waiting task was at work again, ms.
#[allow(clippy::disallowed_methods)] // a figure for the reader; nothing depends on it
async fn resumed_after(shop: &Shop) -> (Served, u128) {
    let before = {
        let served = shop.serve().await;
        for _ in 0..3 {
            buy(&served, &shop.ledger, "tieng-nhat-n3").await.unwrap();
        }
        served.kill().await.unwrap();
        shop.checked()
    };
    let started = std::time::Instant::now();
    let served = shop.serve().await;
    let mut look = tokio::time::interval(Duration::from_millis(5));
    assert!(before.len() >= 3);
    loop {
        look.tick().await;
        let (_, running) = served.admin("GET", "/admin/api/tasks?state=running", None).await.unwrap();
        let (_, done) = served.admin("GET", "/admin/api/orders?stage=completed", None).await.unwrap();
        let later = done["rows"]
            .as_array()
            .unwrap()
            .iter()
            .any(|order| order["code"] == before.last().unwrap().order.as_str());
        if later || running["rows"].as_array().is_some_and(|rows| !rows.is_empty()) {
            return (served, started.elapsed().as_millis());
        }
        assert!(started.elapsed() < Duration::from_secs(30), "no task was resumed");
    }
}

fn slow_source() -> (tempfile::TempDir, Vec<u8>) {
    let www = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..SLOW_BYTES).map(|n| u8::try_from(n * 7919 % 251).unwrap()).collect();
    std::fs::write(www.path().join("bai-giang.bin"), &bytes).unwrap();
    // With a checksum a download goes on at the last byte that was written, synced or not.
    let file =
        json!({ "path": "bai-giang.bin", "size": SLOW_BYTES, "sha256": hex::encode(Sha256::digest(&bytes)) });
    std::fs::write(www.path().join("course.json"), json!({ "files": [file] }).to_string()).unwrap();
    (www, bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_lose_nothing_and_do_nothing_twice() {
    let rounds = quick_or_full(20, 200);
    let mut chance = chance("kills");
    let (www, slow) = slow_source();
    let nginx = Nginx::start(www.path(), SLOW).unwrap();
    let mut shops = Vec::new();
    for _ in 0..DIRS {
        shops.push(Shop::new().await);
    }
    let mut served = 0;
    for round in 0..rounds {
        let shop = &mut shops[round % DIRS];
        served += usize::from(live_and_die(shop, &nginx, &mut chance, round).await);
    }
    let (mut payments, mut slowest) = (0, 0);
    for shop in &shops {
        let (served, resumed) = resumed_after(shop).await;
        finish(shop, &served, &slow).await;
        assert_eq!(served.stop().await.unwrap(), Some(0));
        assert_eq!(problems(&shop.home.data(), &shop.checked()).await, Vec::<String>::new());
        shop.home.run(&["verify"], "").await.expect("the program's own check agrees");
        payments += shop.checked().len();
        slowest = slowest.max(resumed);
    }
    let downloads = nginx.requests().unwrap();
    let whole = format!("sent={SLOW_BYTES}");
    let cut = downloads
        .iter()
        .filter(|line| line.starts_with("/bai-giang.bin 200") && !line.ends_with(&whole))
        .count();
    let resumed = downloads.iter().filter(|line| line.contains(" 206 ")).count();
    println!(
        "{rounds} kills, {served} of them of a serving shop; {payments} payments, each order completed once; \
         {cut} downloads cut, {resumed} resumed at the byte; at work {slowest} ms after a restart at the latest"
    );
    assert!(cut > 0, "the control: some kills land in a download");
    assert!(payments >= rounds, "the control: shops that do nothing lose nothing");
}

fn copy_database(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["shop.db", "shop.db-wal", "shop.db-shm"] {
        let _ = std::fs::remove_file(to.join(name));
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checker_sees_what_was_lost_and_what_was_done_twice() {
    let shop = Shop::new().await;
    let served = shop.serve().await;
    buy(&served, &shop.ledger, "thiet-ke-giao-dien").await.unwrap();
    finish(&shop, &served, b"").await;
    assert_eq!(served.stop().await.unwrap(), Some(0));
    let earlier = shop.home.path().join("earlier");
    copy_database(&shop.home.data(), &earlier);

    let served = shop.serve().await;
    buy(&served, &shop.ledger, "rust-co-ban").await.unwrap();
    finish(&shop, &served, b"").await;
    assert_eq!(served.stop().await.unwrap(), Some(0));
    let data = shop.home.data();
    let acked = shop.checked();
    assert_eq!(problems(&data, &acked).await, Vec::<String>::new());
    let finds = async |words: &str| {
        let found = problems(&data, &acked).await;
        assert!(found.iter().any(|problem| problem.contains(words)), "{words}: {found:#?}");
    };

    // A database from before the second payment.
    let whole = shop.home.path().join("whole");
    copy_database(&data, &whole);
    copy_database(&earlier, &data);
    finds(&format!("acknowledged payment {} is there 0 times", acked[1].sepay_id)).await;
    copy_database(&whole, &data);
    assert_eq!(problems(&data, &acked).await, Vec::<String>::new());

    // One mail twice.
    let files = std::fs::read_dir(data.join("mailbox")).unwrap().map(|file| file.unwrap().path());
    let mail = files.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "eml")).unwrap();
    let double = mail.with_file_name("double.eml");
    std::fs::copy(&mail, &double).unwrap();
    finds("got 2 mails").await;
    std::fs::remove_file(double).unwrap();

    // The same payment booked under a second id.
    let served = shop.serve().await;
    let (status, _) = served.webhook(99_999, acked[0].amount, &acked[0].order, now_s()).await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(served.stop().await.unwrap(), Some(0));
    finds(&format!("{} was paid 2 times", acked[0].order)).await;
    finds("transfer 99999").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_in_the_middle_of_a_download_burns_no_attempt() {
    let (www, slow) = slow_source();
    let nginx = Nginx::start(www.path(), &SLOW.replace("8m", "2m")).unwrap();
    let mut shop = Shop::new().await;
    let served = shop.serve().await;
    let course = shop.add_slow_course(&served, &nginx).await;
    buy(&served, &shop.ledger, &course).await.unwrap();
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let task = loop {
        look.tick().await;
        let (_, tasks) = served.admin("GET", "/admin/api/tasks?kind=prepare_course", None).await.unwrap();
        if tasks["rows"][0]["state"] == "running" {
            break tasks["rows"][0]["id"].as_i64().unwrap();
        }
    };
    assert_eq!(served.stop().await.unwrap(), Some(0), "drained");
    assert!(!shop.home.data().join("run.json").exists());

    let store = chotdon_core::store::Store::open(&shop.home.data()).await.unwrap();
    let order = shop.checked()[0].order.clone();
    let story = store.order_story(&order).await.unwrap().unwrap();
    let stopped = story.tasks.iter().find(|one| one.id == task).expect("the task of the course");
    assert_eq!((stopped.state.as_str(), stopped.attempt), ("ready", 0), "{stopped:?}");
    assert!(!story.timeline.iter().any(|row| row.kind == "attempt_failed"), "{:?}", story.timeline);
    store.close().await;

    let served = shop.serve().await;
    finish(&shop, &served, &slow).await;
    assert_eq!(served.stop().await.unwrap(), Some(0));
    assert_eq!(problems(&shop.home.data(), &shop.checked()).await, Vec::<String>::new());
}

/// Sets the largest file that a process may write, bytes; `unlimited` for none.
fn limit_files(served: &Served, largest: &str) {
    let limit = format!("--fsize={largest}:unlimited");
    let done =
        std::process::Command::new("prlimit").args(["--pid", &served.pid().to_string(), &limit]).status();
    assert!(done.expect("prlimit, of util-linux, is there").success());
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_written_answers_503_and_the_event_is_stored_once_afterwards() {
    let mut shop = Shop::new().await;
    // The system's signal for a file that grows too large would end the program; a full disk sends none.
    shop.home.under = ["/bin/sh", "-c", r#"trap "" XFSZ; exec "$0" "$@""#].map(str::to_owned).to_vec();
    let served = shop.serve().await;
    let (order, amount) = served.order("thiet-ke-giao-dien").await.unwrap();
    limit_files(&served, "1");
    for _ in 0..3 {
        let (status, answer) = served.webhook(7, amount, &order, now_s()).await.unwrap();
        assert_eq!((status, answer["error"].as_str()), (503, Some("cannot_store_now")));
    }
    let (_, found) = served.admin("GET", &format!("/admin/api/orders/{order}"), None).await.unwrap();
    assert_eq!(found["order"]["stage"], "pending");
    limit_files(&served, "unlimited");
    for outcome in ["paid", "duplicate"] {
        let (status, answer) = served.webhook(7, amount, &order, now_s()).await.unwrap();
        assert_eq!((status, answer["outcome"].as_str()), (200, Some(outcome)), "{answer}");
    }
    let mut ledger = Ledger::default();
    ledger.courses.insert(order.clone(), "thiet-ke-giao-dien".to_owned());
    ledger.acked.push(Acked { sepay_id: 7, amount, order });
    shop.ledger = Arc::new(Mutex::new(ledger));
    finish(&shop, &served, b"").await;
    assert_eq!(served.stop().await.unwrap(), Some(0));
    assert_eq!(problems(&shop.home.data(), &shop.checked()).await, Vec::<String>::new());
}
