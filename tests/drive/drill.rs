//! The drill: a course from nginx to Drive with 503s, a lost session and a `kill -9` in the middle.
//! `CHOTDON_DRILL_BYTES` says how large it is; the figures of the undisturbed run beside are printed.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chotdon_tests::drive::{DriveStandIn, Faults, REFRESH_TOKEN};
use chotdon_tests::nginx::Nginx;
use chotdon_tests::served::{Home, Served};
use gdrive::{Drive, Ends, NewUpload, OAuthClient, Piece, Progress, Tokens};
use serde_json::{Value, json};

use super::course::{Files, MIB, on_drive, pattern, sums, write};

/// What the shop sends at a time.
const CHUNK: u64 = 8 << 20;

#[allow(clippy::disallowed_methods)] // how large the drill is comes by the environment
fn size() -> usize {
    let given = std::env::var("CHOTDON_DRILL_BYTES").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(40 * MIB)
}

#[allow(clippy::disallowed_methods)] // figures for the reader; nothing depends on them
fn now() -> Instant {
    Instant::now()
}

#[allow(clippy::disallowed_methods)] // the shop under test has the machine's clock
fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// A sixth, a third and a half of the whole; none of them a multiple of anything.
fn course(size: usize) -> Files {
    let part = |n: usize, seed| pattern(size * n / 6 + 11 * n, seed);
    [("1.mp4", part(1, 1)), ("Chương 2/2.mp4", part(2, 2)), ("Chương 2/3.mp4", part(3, 3))]
        .map(|(path, bytes)| (path.to_owned(), bytes))
        .into()
}

/// Memory of a process, KiB: what is in use, and the most that ever was.
fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (line("VmRSS:"), line("VmHWM:"))
}

/// The shop at rest: memory in use, KiB; the most is counted from here on.
async fn at_rest(served: &Served) -> u64 {
    let mut look = tokio::time::interval(Duration::from_millis(50));
    loop {
        look.tick().await;
        let (_, running) = served.admin("GET", "/admin/api/tasks?state=running", None).await.unwrap();
        if running["rows"].as_array().is_some_and(Vec::is_empty) {
            std::fs::write(format!("/proc/{}/clear_refs", served.pid()), "5").unwrap();
            return memory(served.pid()).0;
        }
    }
}

async fn sell(served: &Served, slug: &str, title: &str, url: &str, id: i64) {
    let course = json!({ "title": title, "price_vnd": 50_000, "active": true,
        "source": { "kind": "http", "url": url }, "target": { "kind": "drive" } });
    let (status, answer) =
        served.admin("PUT", &format!("/admin/api/courses/{slug}"), Some(course)).await.unwrap();
    assert!((200..300).contains(&status), "{answer}");
    let (order, amount) = served.order(slug).await.unwrap();
    let (status, answer) = served.webhook(id, amount, &order, now_s()).await.unwrap();
    assert_eq!(status, 200, "{answer}");
}

/// Waits until so many preparations for Drive are done.
async fn prepared(served: &Served, count: usize) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    loop {
        look.tick().await;
        let (_, tasks) = served.admin("GET", "/admin/api/tasks?limit=200", None).await.unwrap();
        let rows: Vec<&Value> = tasks["rows"].as_array().unwrap().iter().collect();
        let ours =
            |row: &&&Value| row["kind"] == "prepare_course" && row["title"].as_str().is_none_or(|_| true);
        let failed = rows.iter().filter(ours).find(|row| row["state"] == "failed");
        assert!(failed.is_none(), "{failed:#?}");
        let done = rows.iter().filter(ours).filter(|row| row["state"] == "done").count();
        if done >= count {
            return;
        }
    }
}

async fn home(google: &DriveStandIn) -> (Home, String) {
    let mut home = Home::new().await.unwrap();
    home.env.extend(google.env());
    for (name, value) in google.secrets() {
        home.set_secret(name, value).await.unwrap();
    }
    let token = home.run(&["admin-token"], "").await.unwrap();
    (home, token)
}

async fn serve(home: &Home, token: &str) -> Served {
    let mut served = home.serve().await.unwrap();
    token.clone_into(&mut served.token);
    served
}

fn no_secret_in(dir: &Path) {
    let logs =
        std::fs::read_dir(dir.join("shop/logs")).into_iter().flatten().flatten().map(|file| file.path());
    for file in logs.chain([dir.join("stderr"), dir.join("stdout")]) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap_or_default()).into_owned();
        for secret in ["canary", "ya29.", "GOCSPX", "upload_id"] {
            assert!(!text.contains(secret), "{secret} in {}", file.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_course_survives_faults_and_a_kill_on_its_way_to_drive() {
    let whole = course(size());
    let bytes: u64 = whole.values().map(|file| file.len() as u64).sum();
    let www = tempfile::tempdir().unwrap();
    write(www.path(), &whole);
    let nginx = Nginx::start(www.path(), "location / { autoindex on; autoindex_format json; }").unwrap();
    let google = DriveStandIn::start().await.unwrap();
    let chunks: u64 = whole.values().map(|file| (file.len() as u64).div_ceil(CHUNK)).sum();
    google.faults(|faults| {
        faults.fail_each = Some(if chunks < 40 { 3 } else { 20 });
        faults.lose = [2].into();
    });
    let (home, token) = home(&google).await;
    let served = serve(&home, &token).await;
    let idle = at_rest(&served).await;
    sell(&served, "khoa-drive", "Khoá Drive", &nginx.url("/"), 1).await;
    // In the middle, with a piece on the line.
    google.until(|counts| counts.chunks >= chunks / 2).await;
    google.faults(|faults| faults.slow = Some(Duration::from_millis(1)));
    google.until(|counts| counts.chunks > chunks / 2).await;
    let first_life = memory(served.pid()).1.saturating_sub(idle);
    served.kill().await.unwrap();
    google.faults(|faults| faults.slow = None);
    let served = serve(&home, &token).await;
    let idle = at_rest_or_busy(&served);
    prepared(&served, 1).await;
    let second_life = memory(served.pid()).1.saturating_sub(idle);

    assert_eq!(on_drive(&google), ("Khoá Drive v1".to_owned(), sums(&whole)));
    let counts = google.counts();
    // The kill is a fault like the others: what was on the line is sent again.
    let most = bytes + bytes / 20 + (counts.faults + 1) * CHUNK;
    assert!(counts.bytes <= most, "{} of at most {most} bytes: {counts:?}", counts.bytes);
    assert!(counts.faults >= 2, "{counts:?}");
    assert_eq!(counts.of("create"), 2, "each folder was made once: {counts:?}");
    assert!(!home.data().join("staging").join("course-1-v1").exists());
    no_secret_in(home.path());
    println!(
        "drill: {bytes} bytes, {} uploaded ({:.3} of the size), {} faults and a kill; memory over idle {} and {} KiB",
        counts.bytes,
        counts.bytes as f64 / bytes as f64,
        counts.faults,
        first_life,
        second_life
    );
    assert!(first_life.max(second_life) <= 64 << 10, "more than 64 MiB over idle");
    undisturbed(&google, &nginx, &served, &whole).await;
}

/// What a process just started uses; it may have begun to work already.
fn at_rest_or_busy(served: &Served) -> u64 {
    memory(served.pid()).0
}

/// The same course without faults: time beside reading alone and sending alone, and memory.
async fn undisturbed(google: &DriveStandIn, nginx: &Nginx, served: &Served, whole: &Files) {
    google.faults(|faults| *faults = Faults::default());
    let reading = now();
    for path in whole.keys() {
        let url = nginx.url(&format!("/{}", path.replace(' ', "%20")));
        let mut curl = tokio::process::Command::new("curl");
        let status = curl.args(["--silent", "--fail", "--output", "/dev/null", &url]).status().await.unwrap();
        assert!(status.success(), "{url}");
    }
    let reading = reading.elapsed();
    let sending = now();
    send_from_memory(google, whole).await;
    let sending = sending.elapsed();

    let idle = at_rest(served).await;
    let both = now();
    sell(served, "khoa-khac", "Khoá khác", &nginx.url("/"), 2).await;
    prepared(served, 2).await;
    let both = both.elapsed();
    let over = memory(served.pid()).1.saturating_sub(idle);
    let ratio = both.as_secs_f64() / reading.max(sending).as_secs_f64();
    println!(
        "undisturbed: reading alone {reading:.2?}, sending alone {sending:.2?}, both {both:.2?}: {ratio:.2} of the slower; \
         memory over idle {over} KiB"
    );
    assert!(over <= 64 << 10, "{over} KiB over idle");
}

async fn send_from_memory(google: &DriveStandIn, whole: &Files) {
    let ends = Ends::new(&google.base, &google.base, &google.base);
    let client = OAuthClient { id: "shop.apps.googleusercontent.com".to_owned(), secret: None };
    let drive = Drive::new(ends, Tokens::of_owner(client, REFRESH_TOKEN.into())).unwrap();
    for bytes in whole.values() {
        let all = Bytes::from(bytes.clone());
        let id = drive.generate_ids(1).await.unwrap().remove(0);
        let total = all.len() as u64;
        let file = NewUpload {
            id: &id,
            name: "alone",
            parent: None,
            mime: "video/mp4",
            size: total,
            app_properties: &[],
        };
        let session = drive.start_upload(&file).await.unwrap();
        let mut first = 0;
        loop {
            let from = usize::try_from(first).unwrap();
            let until = usize::try_from((first + CHUNK).min(total)).unwrap();
            let piece = Piece { first, total, bytes: all.slice(from..until) };
            match drive.send(&session, piece, std::sync::Arc::new(|_| ())).await.unwrap() {
                Progress::More(next) => first = next,
                Progress::Done(_) => break,
            }
        }
        drive.delete(&id).await.unwrap();
    }
}
