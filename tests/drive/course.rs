//! Courses brought to Drive by a whole shop.

use std::collections::BTreeMap;
use std::path::Path;

use chotdon_core::ports::SecretStore;
use chotdon_tests::drive::{DriveStandIn, Faults, Refusal};
use chotdon_tests::nginx::Nginx;
use chotdon_tests::proxy::{Fate, Proxy};
use chotdon_tests::{Ground, Setup, TestShop};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const MIB: usize = 1 << 20;

/// Bytes that are never the same twice in a file, so that a wrong offset shows.
pub(crate) fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

fn files(files: &[(&str, Vec<u8>)]) -> Files {
    files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.clone())).collect()
}

pub(crate) fn write(root: &Path, files: &Files) {
    for (path, bytes) in files {
        let to = root.join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, bytes).unwrap();
    }
}

/// SHA-256 by path: what a failed comparison can show.
pub(crate) type Sums = BTreeMap<String, String>;

pub(crate) fn sums(files: &Files) -> Sums {
    files.iter().map(|(path, bytes)| (path.clone(), hex::encode(Sha256::digest(bytes)))).collect()
}

/// What lies on Drive below the one folder of the account's root, read back, and that folder's name.
pub(crate) fn on_drive(google: &DriveStandIn) -> (String, Sums) {
    let tree = google.tree();
    let top: Vec<&String> =
        tree.keys().filter(|path| path.matches('/').count() == 1 && path.ends_with('/')).collect();
    assert_eq!(top.len(), 1, "{:?}", tree.keys());
    let root = top[0].clone();
    let files = tree.iter().filter(|(path, _)| !path.ends_with('/')).map(|(path, item)| {
        let bytes = std::fs::read(google.bytes_of(&item.id)).unwrap();
        let sum = hex::encode(Sha256::digest(&bytes));
        assert_eq!(item.sha256, sum);
        (path.strip_prefix(&root).unwrap().to_owned(), sum)
    });
    (root.trim_end_matches('/').to_owned(), files.collect())
}

async fn connected(google: &DriveStandIn) -> Ground {
    let ground = Ground::new();
    for (name, value) in google.secrets() {
        ground.secrets.set(name, value.into()).await.unwrap();
    }
    ground
}

async fn shop_on(ground: Ground, google: &DriveStandIn) -> TestShop {
    let mut env = google.env();
    env.push(("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned()));
    TestShop::on(ground, Setup { env, ..Setup::default() }).await
}

async fn shop(google: &DriveStandIn) -> TestShop {
    shop_on(connected(google).await, google).await
}

/// Offers a course, and sells it once so that it is prepared.
async fn sell(shop: &TestShop, source: Value) -> String {
    let course = json!({ "title": "Rust cơ bản", "price_vnd": 50_000, "active": true,
        "source": source, "target": { "kind": "drive" } });
    let (status, answer) = shop.admin("PUT", "/admin/api/courses/rust-drive", Some(course)).await;
    assert!((200..300).contains(&status), "{answer}");
    let (code, amount) = shop.order(&["rust-drive"]).await;
    shop.bank_receives(amount, &code).await;
    code
}

/// Waits until the course's preparation is in `state`; answers its row.
async fn preparation(shop: &TestShop, state: &str) -> Value {
    shop.until(|| async {
        let (_, tasks) = shop.admin("GET", &format!("/admin/api/tasks?state={state}"), None).await;
        let rows = tasks["rows"].as_array()?;
        rows.iter().find(|task| task["kind"] == "prepare_course").cloned()
    })
    .await
}

fn staged(shop: &TestShop) -> bool {
    let files = std::fs::read_dir(shop.dir().join("staging")).into_iter().flatten();
    files.flatten().any(|dir| dir.path().join("files").exists() || dir.path().join("parts").exists())
}

/// No secret of the account in the logs, nor anywhere in the database but in the notes of an upload under way.
fn nothing_leaked(shop: &TestShop) {
    for log in std::fs::read_dir(shop.dir().join("logs")).into_iter().flatten().flatten() {
        let text = String::from_utf8_lossy(&std::fs::read(log.path()).unwrap()).into_owned();
        for secret in ["canary", "ya29.", "GOCSPX", "upload_id"] {
            assert!(!text.contains(secret), "{secret} in {:?}", log.path());
        }
    }
}

#[tokio::test]
async fn a_folder_arrives_on_drive_byte_for_byte_without_a_copy() {
    let google = DriveStandIn::start().await.unwrap();
    let shop = shop(&google).await;
    let source = tempfile::tempdir().unwrap();
    let course = files(&[
        ("Chương 1/Bài 1: Giới thiệu.mp4", pattern(9 * MIB + 5, 1)),
        ("Chương 1/Phụ lục/it's.pdf", pattern(MIB, 2)),
        ("rỗng.txt", Vec::new()),
    ]);
    write(source.path(), &course);
    sell(&shop, json!({ "kind": "folder", "path": source.path() })).await;
    preparation(&shop, "done").await;
    assert_eq!(on_drive(&google), ("Rust cơ bản v1".to_owned(), sums(&course)));
    assert!(!staged(&shop));
    let counts = google.counts();
    assert_eq!((counts.of("create"), counts.of("start"), counts.of("generateIds")), (3, 3, 1), "{counts:?}");
    let folder = google.items().into_values().find(|item| item.name == "Rust cơ bản v1").unwrap();
    assert_eq!(folder.app_properties["chotdon_version"], "1");
    nothing_leaked(&shop);
}

#[tokio::test]
async fn a_server_s_files_stream_through_every_fault_of_the_way() {
    let google = DriveStandIn::start().await.unwrap();
    google.faults(|faults| {
        faults.fail_each = Some(4);
        faults.short_each = Some(5);
        faults.cut_each = Some(7);
        faults.lose = [3].into();
    });
    let shop = shop(&google).await;
    let www = tempfile::tempdir().unwrap();
    let course = files(&[("a.mp4", pattern(20 * MIB + 1, 3)), ("b/c.pdf", pattern(17 * MIB, 4))]);
    write(www.path(), &course);
    let nginx = Nginx::start(www.path(), "location / { autoindex on; autoindex_format json; }").unwrap();
    sell(&shop, json!({ "kind": "http", "url": nginx.url("/") })).await;
    preparation(&shop, "done").await;
    assert_eq!(on_drive(&google), ("Rust cơ bản v1".to_owned(), sums(&course)));
    assert!(!staged(&shop), "a strong validator needs no copy");
    let counts = google.counts();
    assert!(counts.faults >= 4, "{counts:?}");
    // One session more than files, since one was lost; each file was asked for once more than that at most.
    assert_eq!(counts.of("start"), 3, "{counts:?}");
    nothing_leaked(&shop);
}

#[tokio::test]
async fn a_file_that_nothing_vouches_for_goes_over_the_disk() {
    let google = DriveStandIn::start().await.unwrap();
    google.faults(|faults| faults.without = ["sha256Checksum"].into());
    let shop = shop(&google).await;
    let www = tempfile::tempdir().unwrap();
    let course = files(&[("a.mp4", pattern(9 * MIB, 5))]);
    write(www.path(), &course);
    let server = "etag off; location / { autoindex on; autoindex_format json; }";
    let nginx = Nginx::start(www.path(), server).unwrap();
    sell(&shop, json!({ "kind": "http", "url": nginx.url("/") })).await;
    preparation(&shop, "done").await;
    assert_eq!(on_drive(&google).1, sums(&course));
    let asked = nginx.requests().unwrap();
    assert!(asked.iter().any(|line| line.starts_with("/a.mp4 200")), "{asked:?}");
    assert!(!staged(&shop), "the copy is gone once the course is there");
}

#[tokio::test]
async fn an_interrupted_upload_goes_on_where_drive_has_confirmed() {
    let google = DriveStandIn::start().await.unwrap();
    let source = tempfile::tempdir().unwrap();
    let course = files(&[("a.mp4", pattern(40 * MIB + 3, 6)), ("b.mp4", pattern(3 * MIB, 7))]);
    write(source.path(), &course);
    let ground = {
        let shop = shop(&google).await;
        google.faults(|faults| {
            faults.refusals.push(Refusal { times: 3, ..Refusal::once("ask", 503, "backendError") })
        });
        google.faults(|faults| faults.slow = Some(std::time::Duration::from_millis(2)));
        sell(&shop, json!({ "kind": "folder", "path": source.path() })).await;
        google.until(|counts| counts.chunks >= 3).await;
        shop.stop().await
    };
    google.faults(|faults| *faults = Faults::default());
    let shop = shop_on(ground, &google).await;
    preparation(&shop, "done").await;
    assert_eq!(on_drive(&google), ("Rust cơ bản v1".to_owned(), sums(&course)));
    let counts = google.counts();
    assert_eq!((counts.of("create"), counts.of("start")), (1, 2), "{counts:?}");
    let whole: usize = course.values().map(Vec::len).sum();
    assert!(counts.bytes <= (whole + 8 * MIB) as u64, "{counts:?}");
}

#[tokio::test]
async fn a_file_that_was_damaged_at_drive_is_found_and_brought_again() {
    let google = DriveStandIn::start().await.unwrap();
    let ground = connected(&google).await;
    let source = tempfile::tempdir().unwrap();
    let course = files(&[("a.mp4", pattern(MIB, 8)), ("b.mp4", pattern(MIB, 9))]);
    write(source.path(), &course);
    // Between the upload and the look, something happens to one file, once.
    let shop = shop_on(ground, &google).await;
    google.faults(|faults| {
        faults.refusals.push(Refusal { times: 8, ..Refusal::always("list", 503, "backendError") })
    });
    sell(&shop, json!({ "kind": "folder", "path": source.path() })).await;
    google.until(|counts| counts.of("list") >= 1).await;
    let (id, _) = google.items().into_iter().find(|(_, item)| item.name == "a.mp4").unwrap();
    google.tamper(&id, |item| item.sha256 = "0".repeat(64));
    google.faults(|faults| *faults = Faults::default());
    let failed = preparation(&shop, "failed").await;
    assert_eq!(failed["error"]["code"], "checksum_mismatch", "{failed:#}");
    let retry = format!("/admin/api/tasks/{}/retry", failed["id"]);
    let (status, answer) = shop.admin("POST", &retry, Some(json!({ "from_stage": "fetch" }))).await;
    assert!((200..300).contains(&status), "{answer}");
    preparation(&shop, "done").await;
    assert_eq!(on_drive(&google).1, sums(&course));
    assert!(!google.items().contains_key(&id), "the damaged file is not left beside the good one");
    assert_eq!(google.counts().of("start"), 3, "the good file stayed where it was");
}

/// Waits until a service is left alone; answers its row.
async fn parked(shop: &TestShop, name: &str) -> Value {
    shop.until(|| async {
        let (_, services) = shop.admin("GET", "/admin/api/services", None).await;
        let rows = services["services"].as_array()?;
        rows.iter().find(|row| row["name"] == name && row["state"] == "parked").cloned()
    })
    .await
}

#[tokio::test]
async fn a_full_account_is_said_before_anything_is_sent_and_waited_for() {
    let google = DriveStandIn::start().await.unwrap();
    google.faults(|faults| faults.limit = Some(MIB as u64));
    let shop = shop(&google).await;
    let source = tempfile::tempdir().unwrap();
    let course = files(&[("a.mp4", pattern(2 * MIB, 10))]);
    write(source.path(), &course);
    sell(&shop, json!({ "kind": "folder", "path": source.path() })).await;
    let row = parked(&shop, "drive_upload").await;
    assert_eq!(row["code"], "drive_full", "{row:#}");
    assert_eq!((google.counts().bytes, google.counts().of("start")), (0, 0));
    google.faults(|faults| faults.limit = None);
    shop.clock.jump(3_700_000);
    preparation(&shop, "done").await;
    assert_eq!(on_drive(&google).1, sums(&course));
}

#[tokio::test]
async fn consent_that_ended_stops_what_needs_drive_until_it_is_given_again() {
    let google = DriveStandIn::start().await.unwrap();
    google.faults(|faults| faults.consent_ended = true);
    let shop = shop(&google).await;
    let source = tempfile::tempdir().unwrap();
    write(source.path(), &files(&[("a.mp4", pattern(MIB, 11))]));
    sell(&shop, json!({ "kind": "folder", "path": source.path() })).await;
    let row = parked(&shop, "drive").await;
    assert_eq!(row["code"], "drive_reconnect", "{row:#}");
    google.faults(|faults| faults.consent_ended = false);
    shop.shop.reload().await.unwrap();
    preparation(&shop, "done").await;
    nothing_leaked(&shop);
}

#[tokio::test]
async fn the_limit_on_bytes_a_day_parks_uploads_for_an_hour() {
    let google = DriveStandIn::start().await.unwrap();
    let refusal = Refusal::always("chunk", 403, "userRateLimitExceeded");
    google.faults(|faults| faults.refusals = vec![Refusal { times: 2, ..refusal.clone() }]);
    let shop = shop(&google).await;
    let source = tempfile::tempdir().unwrap();
    let course = files(&[("a.mp4", pattern(MIB, 12))]);
    write(source.path(), &course);
    // A few are waited out,
    sell(&shop, json!({ "kind": "folder", "path": source.path() })).await;
    preparation(&shop, "done").await;
    // what lasts is not.
    google.faults(|faults| faults.refusals = vec![refusal.clone(), Refusal { call: "ask", ..refusal }]);
    let other = tempfile::tempdir().unwrap();
    write(other.path(), &files(&[("b.mp4", pattern(MIB, 13))]));
    sell(&shop, json!({ "kind": "folder", "path": other.path() })).await;
    let row = parked(&shop, "drive_upload").await;
    assert_eq!(row["code"], "drive_busy", "{row:#}");
    google.faults(|faults| faults.refusals.clear());
    shop.clock.jump(3_700_000);
    shop.until(|| async { google.tree().contains_key("Rust cơ bản v2/b.mp4").then_some(()) }).await;
}

#[tokio::test]
async fn a_source_that_ignores_ranges_is_read_again_and_passed_over() {
    let google = DriveStandIn::start().await.unwrap();
    let shop = shop(&google).await;
    let www = tempfile::tempdir().unwrap();
    let course = files(&[("a.mp4", pattern(20 * MIB, 14))]);
    write(www.path(), &course);
    let server = "max_ranges 0; location / { autoindex on; autoindex_format json; }";
    let nginx = Nginx::start(www.path(), server).unwrap();
    // The first connection brings the list as well.
    let cuts = [9 << 20, 15 << 20].map(Fate::CutAfter);
    let proxy = Proxy::start(nginx.port, cuts).await.unwrap();
    sell(&shop, json!({ "kind": "http", "url": proxy.url("/") })).await;
    preparation(&shop, "done").await;
    assert_eq!(on_drive(&google).1, sums(&course));
    assert!(!staged(&shop));
}

#[tokio::test]
async fn a_source_that_changes_in_between_is_never_mixed() {
    let google = DriveStandIn::start().await.unwrap();
    let shop = shop(&google).await;
    let www = tempfile::tempdir().unwrap();
    write(www.path(), &files(&[("a.mp4", pattern(40 * MIB, 15))]));
    let nginx = Nginx::start(www.path(), "location / { autoindex on; autoindex_format json; }").unwrap();
    // The first connection ends within the file, and the second one comes to another file.
    let proxy = Proxy::start(nginx.port, [Fate::CutAfter(28 << 20), Fate::Held]).await.unwrap();
    sell(&shop, json!({ "kind": "http", "url": proxy.url("/") })).await;
    google.until(|counts| counts.chunks >= 1).await;
    let new = files(&[("a.mp4", pattern(40 * MIB, 16))]);
    let beside = www.path().join("new");
    std::fs::write(&beside, &new["a.mp4"]).unwrap();
    // nginx makes its ETag of the size and the whole second of the change.
    let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000);
    std::fs::File::options().write(true).open(&beside).unwrap().set_modified(later).unwrap();
    std::fs::rename(&beside, www.path().join("a.mp4")).unwrap();
    proxy.release();
    preparation(&shop, "done").await;
    assert_eq!(on_drive(&google).1, sums(&new));
}

#[tokio::test]
async fn a_folder_that_the_owner_threw_away_is_made_anew() {
    let google = DriveStandIn::start().await.unwrap();
    google.faults(|faults| faults.refusals.push(Refusal::always("list", 503, "backendError")));
    let shop = shop(&google).await;
    let source = tempfile::tempdir().unwrap();
    let course = files(&[("a/b.mp4", pattern(MIB, 17))]);
    write(source.path(), &course);
    sell(&shop, json!({ "kind": "folder", "path": source.path() })).await;
    google.until(|counts| counts.of("list") >= 1).await;
    let (id, _) = google.items().into_iter().find(|(_, item)| item.name == "Rust cơ bản v1").unwrap();
    google.tamper(&id, |item| item.trashed = true);
    let inside: Vec<String> = google.items().into_keys().collect();
    inside.iter().for_each(|id| google.tamper(id, |item| item.trashed = true));
    google.faults(|faults| *faults = Faults::default());
    let failed = preparation(&shop, "failed").await;
    assert_eq!(failed["error"]["code"], "checksum_mismatch", "{failed:#}");
    let retry = format!("/admin/api/tasks/{}/retry", failed["id"]);
    shop.admin("POST", &retry, Some(json!({ "from_stage": "fetch" }))).await;
    preparation(&shop, "done").await;
    assert_eq!(on_drive(&google), ("Rust cơ bản v1".to_owned(), sums(&course)));
}
