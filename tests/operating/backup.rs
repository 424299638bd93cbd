//! Copies of the shop and the way back.

use std::path::{Path, PathBuf};
use std::process::Command;

use chotdon_core::backup;
use chotdon_tests::{API_KEY, HMAC_SECRET, Setup, TestShop};
use serde_json::{Value, json};

const DAY_MS: i64 = 24 * 3_600_000;

async fn post(shop: &TestShop, path: &str) -> (u16, Value) {
    shop.admin("POST", path, Some(json!({}))).await
}

/// Makes a copy by the button; answers its file.
async fn made(shop: &TestShop) -> PathBuf {
    let (status, page) = post(shop, "/admin/api/backups").await;
    assert_eq!(status, 200, "{page}");
    let name = page["rows"][0]["name"].as_str().unwrap();
    PathBuf::from(page["folder"].as_str().unwrap()).join(name)
}

async fn bought(shop: &TestShop) -> String {
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    shop.bank_receives(total, &code).await;
    code
}

/// Has the newest copy restored and opens the shop again.
async fn restored(shop: TestShop) -> TestShop {
    let (_, page) = shop.admin("GET", "/admin/api/backups", None).await;
    let name = page["rows"][0]["name"].as_str().unwrap().to_owned();
    let (status, page) = post(&shop, &format!("/admin/api/backups/{name}/restore")).await;
    assert_eq!(status, 200, "{page}");
    assert!(page["pending"]["orders"].is_i64(), "{page}");
    TestShop::on(shop.stop().await, Setup::default()).await
}

async fn paused(shop: &TestShop) -> Vec<String> {
    let (_, queue) = shop.admin("GET", "/admin/api/queue", None).await;
    let lanes = queue["lanes"].as_array().unwrap().iter().filter(|lane| !lane["paused_at"].is_null());
    lanes.map(|lane| lane["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_copy_brings_the_shop_back_as_it_was_and_keeps_what_there_is() {
    let shop = TestShop::start().await;
    let first = bought(&shop).await;
    shop.settled(&first, "completed").await;
    let money = shop.money().await;
    std::fs::write(shop.dir().join("config.toml"), "[shop]\nname = \"Khoá học An\"\n").unwrap();
    let file = made(&shop).await;
    let (_, page) = shop.admin("GET", "/admin/api/backups", None).await;
    assert!(page["last_at"].is_string() && page["code"].is_null() && page["pending"].is_null(), "{page}");
    std::fs::write(shop.dir().join("config.toml"), "[shop]\nname = \"Tên mới\"\n").unwrap();
    let second = bought(&shop).await;
    shop.settled(&second, "completed").await;

    let shop = restored(shop).await;
    assert_eq!(shop.look(&first).await["order"]["stage"], "completed");
    assert_eq!(shop.admin("GET", &format!("/admin/api/orders/{second}"), None).await.0, 404);
    assert_eq!(shop.money().await["in_vnd"], money["in_vnd"]);
    assert_eq!(shop.shop.config().shop.name, "Khoá học An");
    assert_eq!(paused(&shop).await, ["course", "order", "webhook"], "telling the owner goes on");
    let (_, notices) = shop.admin("GET", "/admin/api/notices", None).await;
    assert!(notices.to_string().contains("\"restored\""), "{notices}");
    shop.sound().await;
    // What was there is kept, and could be restored itself.
    let aside = std::fs::read_dir(shop.dir()).unwrap().map(|entry| entry.unwrap().path());
    let aside = aside
        .into_iter()
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("before-restore-"));
    let aside = aside.expect("the shop before it");
    assert!(aside.join("shop.db").exists());
    assert!(std::fs::read_to_string(aside.join("config.toml")).unwrap().contains("Tên mới"));
    assert!(file.exists() && !shop.dir().join("restore-pending").exists());
}

#[tokio::test]
async fn a_restored_shop_sends_nothing_before_the_owner_says_so() {
    let shop = TestShop::start().await;
    assert_eq!(post(&shop, "/admin/api/queue/pause").await.0, 200);
    let code = bought(&shop).await;
    made(&shop).await;
    assert_eq!(post(&shop, "/admin/api/queue/resume").await.0, 200);
    shop.settled(&code, "completed").await;
    assert_eq!(shop.mails().len(), 1);

    // In the copy the mail is still to be sent.
    let shop = restored(shop).await;
    // SePay's ids go on where they were.
    for _ in 0..9 {
        shop.payment(1, "");
    }
    let other = bought(&shop).await;
    shop.clock.jump(600_000);
    let (_, notices) = shop.admin("GET", "/admin/api/notices", None).await;
    let told =
        notices["rows"].as_array().unwrap().iter().find(|one| one["kind"] == "restored").unwrap().clone();
    assert!(told["data"]["count"].as_i64().unwrap() >= 1, "{told}");
    assert_eq!(shop.look(&code).await["order"]["stage"], "paid");
    assert_eq!(shop.look(&other).await["order"]["stage"], "paid", "money goes on being taken in");
    assert_eq!(shop.mails().len(), 1);
    // The owner has looked.
    assert_eq!(post(&shop, "/admin/api/queue/resume").await.0, 200);
    shop.settled(&code, "completed").await;
    shop.settled(&other, "completed").await;
    assert!(shop.mails().len() >= 2, "the control: resumed, they go out");
}

#[tokio::test]
async fn a_restore_can_be_taken_back() {
    let shop = TestShop::start().await;
    made(&shop).await;
    let code = bought(&shop).await;
    shop.settled(&code, "completed").await;
    let (_, page) = shop.admin("GET", "/admin/api/backups", None).await;
    let name = page["rows"][0]["name"].as_str().unwrap();
    let (status, staged) = post(&shop, &format!("/admin/api/backups/{name}/restore")).await;
    assert_eq!(status, 200, "{staged}");
    let (status, page) = shop.admin("DELETE", "/admin/api/backups/pending", None).await;
    assert_eq!((status, page["pending"].is_null()), (200, true), "{page}");
    let shop = TestShop::on(shop.stop().await, Setup::default()).await;
    assert_eq!(shop.look(&code).await["order"]["stage"], "completed");
}

fn sqlite(file: &Path, sql: &str) {
    let ended = Command::new("sqlite3").arg(file).arg(sql).output().expect("sqlite3 is installed");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[tokio::test]
async fn a_copy_that_cannot_be_trusted_is_refused() {
    let shop = TestShop::start().await;
    let code = bought(&shop).await;
    shop.settled(&code, "completed").await;
    let file = made(&shop).await;
    assert!(backup::check(&file).await.is_ok(), "the control");
    let name = file.file_name().unwrap().to_str().unwrap();
    let fine = std::fs::read(&file).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut torn = fine.clone();
    let half = torn.len() / 2;
    torn[half..half + 4096].fill(0x5a);
    let spoil = [
        ("torn", Box::new(|| std::fs::write(&file, &torn).unwrap()) as Box<dyn Fn()>),
        ("cut off", Box::new(|| std::fs::write(&file, &fine[..half]).unwrap())),
        ("no database", Box::new(|| std::fs::write(&file, "hello").unwrap())),
        (
            "someone else's database",
            Box::new(|| {
                std::fs::remove_file(&file).unwrap();
                sqlite(&file, "CREATE TABLE a (b)");
            }),
        ),
        (
            "money that is not in the ledger",
            Box::new(|| {
                std::fs::write(&file, &fine).unwrap();
                sqlite(&file, "UPDATE bucket SET balance_vnd = balance_vnd + 1 WHERE name = 'orders'");
            }),
        ),
        (
            "a changed ledger",
            Box::new(|| {
                std::fs::write(&file, &fine).unwrap();
                let triggers = "SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'ledger'";
                let found = Command::new("sqlite3").arg(&file).arg(triggers).output().unwrap();
                let drop = String::from_utf8(found.stdout).unwrap();
                sqlite(&file, &format!("{drop} UPDATE ledger SET reason = 'x' WHERE id = 1"));
            }),
        ),
    ];
    for (what, spoil) in &spoil {
        spoil();
        for way in ["check", "restore"] {
            let (status, answer) = post(&shop, &format!("/admin/api/backups/{name}/{way}")).await;
            assert_eq!((status, &answer["code"]), (422, &json!("backup_damaged")), "{what}: {answer}");
        }
    }
    assert!(!shop.dir().join("restore-pending").exists());
    for strange in ["shop.db", "..%2F..%2Fshop.db", "2026-11-22-000000.chotdon-backup.db"] {
        assert_eq!(post(&shop, &format!("/admin/api/backups/{strange}/check")).await.0, 404, "{strange}");
    }
}

#[tokio::test]
async fn no_secret_is_in_a_copy() {
    let shop = TestShop::start().await;
    let code = bought(&shop).await;
    shop.settled(&code, "completed").await;
    let bytes = std::fs::read(made(&shop).await).unwrap();
    let has = |word: &str| bytes.windows(word.len()).any(|found| found == word.as_bytes());
    for secret in [API_KEY, HMAC_SECRET, chotdon_tests::ADMIN_TOKEN] {
        assert!(!has(secret));
    }
    assert!(has(&code), "the control: what is in the database is found");
}

#[tokio::test]
async fn a_copy_is_made_every_day_and_the_old_ones_go() {
    let setup = Setup { env: vec![("CHOTDON_BACKUP__KEEP", "2".to_owned())], probe: None };
    let shop = TestShop::with(setup).await;
    let count = || std::fs::read_dir(shop.dir().join("backups")).map_or(0, |files| files.count());
    shop.until(|| async { (post(&shop, "/admin/api/queue/resume").await.0 == 200).then_some(()) }).await;
    assert_eq!(count(), 0, "a new shop has nothing to copy yet");
    let mut last = Value::Null;
    for day in 1..=4 {
        shop.clock.jump(DAY_MS);
        last = shop
            .until(|| async {
                let (_, page) = shop.admin("GET", "/admin/api/backups", None).await;
                let newer = page["last_at"].is_string() && page["last_at"] != last;
                if !newer {
                    shop.clock.jump(1);
                }
                newer.then(|| page["last_at"].clone())
            })
            .await;
        shop.until(|| async { (count() == day.min(2)).then_some(()) }).await;
    }
}

#[tokio::test]
async fn two_days_without_a_copy_are_told() {
    let setup = Setup { env: vec![("CHOTDON_BACKUP__FOLDER", "/proc/nowhere".to_owned())], probe: None };
    let shop = TestShop::with(setup).await;
    let notice = async || {
        let (_, notices) = shop.admin("GET", "/admin/api/notices", None).await;
        notices["rows"].as_array().unwrap().iter().find(|one| one["kind"] == "backup_failed").cloned()
    };
    let failed = async || {
        shop.clock.jump(1);
        let (_, page) = shop.admin("GET", "/admin/api/backups", None).await;
        page["code"].is_string().then(|| page["code"].clone())
    };
    shop.until(|| async {
        shop.clock.jump(1);
        let (_, health) = shop.admin("GET", "/admin/api/health", None).await;
        health["cards"].as_array().is_some_and(|cards| cards.len() >= 9).then_some(())
    })
    .await;
    shop.clock.jump(DAY_MS);
    assert_eq!(shop.until(failed).await, "backup_failed");
    assert!(notice().await.is_none(), "one day is no alarm");
    shop.clock.jump(2 * DAY_MS);
    let told = shop
        .until(|| async {
            shop.clock.jump(1_800_000);
            notice().await
        })
        .await;
    assert_eq!(told["class"], 1);
    let (status, answer) = post(&shop, "/admin/api/backups").await;
    assert_eq!((status, &answer["code"]), (503, &json!("backup_failed")));
}
