//! A course that changed at its source, and the buyers who have the old one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chotdon_tests::{Setup, TestShop};
use serde_json::{Value, json};

use super::{done, link, mailed, nothing, post, refused, sold, status_of};

const SLUG: &str = "thiet-ke-giao-dien";
const HOURS: i64 = 3_600_000;

fn rewrite(shop: &TestShop, text: &str) {
    std::fs::write(shop.dir().join("demo-courses").join(SLUG).join("giao-trinh.html"), text).unwrap();
}

#[tokio::test]
async fn a_changed_source_is_prepared_anew_and_past_buyers_are_told_once() {
    let shop = TestShop::start().await;
    let code = sold(&shop, &[SLUG]).await;
    let before = shop.look(&code).await;
    let same = done(&shop, &format!("courses/{SLUG}/check"), nothing()).await;
    assert_eq!((same["state"].as_str(), same["queued_version"].as_i64()), (Some("same"), None), "{same}");

    rewrite(&shop, "<h1>Bản hai</h1>");
    let changed = done(&shop, &format!("courses/{SLUG}/check"), nothing()).await;
    assert_eq!(changed["state"], "changed");
    assert_eq!(changed["queued_version"], 2);
    let now = shop.at_version(SLUG, 2).await;
    assert_eq!((&now["past"]["orders"], &now["past"]["buyers"]), (&json!(1), &json!(1)));

    let message = "Thêm bài về màu sắc <b>mới</b>.";
    let dry =
        done(&shop, &format!("courses/{SLUG}/announce"), json!({ "dry_run": true, "message": message }))
            .await;
    assert_eq!((&dry["orders"], &dry["queued"]), (&json!(1), &json!(0)));
    assert_eq!(shop.mails().len(), 1, "a dry run tells nobody");
    let told = done(&shop, &format!("courses/{SLUG}/announce"), json!({ "message": message })).await;
    assert_eq!(told["queued"], 1);

    let after = mailed(&shop, &code, 2).await;
    let (old, new) = (link(&before, 0), link(&after, 0));
    assert_ne!(old, new);
    assert_eq!(after["items"][0]["version"], 2);
    assert_eq!(shop.http.get(&new).send().await.unwrap().text().await.unwrap(), "<h1>Bản hai</h1>");
    assert_eq!(status_of(&shop, &old).await, 200, "the old version stays where it was");
    let mail = shop.newest_mail("lan@example.com").await;
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains("bản mới") && text.contains(message) && text.contains(&new), "{text}");
    assert!(mail["html"].as_str().unwrap().contains("&lt;b&gt;mới"), "the owner's words are text");
    assert!(after["timeline"].as_array().unwrap().iter().any(|row| row["kind"] == "announced"));

    let again = done(&shop, &format!("courses/{SLUG}/announce"), nothing()).await;
    assert_eq!(
        (&again["queued"], &again["orders"]),
        (&json!(0), &json!(0)),
        "once for each order and version"
    );
    assert_eq!(shop.money().await["transfers"], 1);
    shop.sound().await;
}

#[tokio::test]
async fn buyers_get_the_current_version_while_the_next_one_cannot_be_prepared() {
    let shop =
        TestShop::with(Setup { env: vec![("CHOTDON_QUEUE__RETRY_MAX", "1".into())], ..Setup::default() })
            .await;
    sold(&shop, &[SLUG]).await;
    std::fs::remove_dir_all(shop.dir().join("demo-courses").join(SLUG)).unwrap();
    done(&shop, &format!("courses/{SLUG}/prepare"), nothing()).await;
    let failed = shop
        .until(|| async {
            let course = shop.course(SLUG).await;
            (course["course"]["preparation"]["state"] == "failed").then_some(course)
        })
        .await;
    assert_eq!((&failed["course"]["version"], &failed["course"]["ready"]), (&json!(1), &json!(true)));
    assert_eq!(failed["course"]["preparation"]["version"], 2);
    sold(&shop, &[SLUG]).await;

    // Mended, the same version is tried again: none is skipped.
    std::fs::create_dir_all(shop.dir().join("demo-courses").join(SLUG)).unwrap();
    rewrite(&shop, "<h1>Bản hai</h1>");
    done(&shop, &format!("courses/{SLUG}/prepare"), nothing()).await;
    let mended = shop.at_version(SLUG, 2).await;
    assert_eq!(mended["course"]["preparation"], json!(null));
    assert_eq!(mended["past"]["orders"], 2);
    shop.sound().await;
}

#[tokio::test]
async fn an_edit_during_a_preparation_gets_a_version_of_its_own() {
    let (held, open) = (Arc::new(AtomicBool::new(false)), Arc::new(tokio::sync::Notify::new()));
    let (hold, gate) = (held.clone(), open.clone());
    let probe: chotdon_core::ports::Probe = Some(Arc::new(move |point: &str| {
        let wait = point == "prepare_course.upload" && hold.swap(false, Ordering::SeqCst);
        let gate = gate.clone();
        Box::pin(async move {
            if wait {
                gate.notified().await;
            }
        })
    }));
    let shop = TestShop::with(Setup { probe, ..Setup::default() }).await;
    sold(&shop, &[SLUG]).await;
    held.store(true, Ordering::SeqCst);
    done(&shop, &format!("courses/{SLUG}/prepare"), nothing()).await;
    shop.until(|| async { (!held.load(Ordering::SeqCst)).then_some(()) }).await;
    assert_eq!(
        refused(&shop, &format!("courses/{SLUG}/prepare"), nothing()).await,
        (409, "already_preparing".into())
    );

    let other = shop.dir().join("other");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("x.txt"), "another source").unwrap();
    let edit = json!({ "title": "Thiết kế", "price_vnd": 799_000, "source": { "kind": "folder", "path": other }, "target": { "kind": "folder" } });
    let (status, row) = shop.admin("PUT", &format!("/admin/api/courses/{SLUG}"), Some(edit)).await;
    assert_eq!((status, &row["version"], &row["ready"]), (200, &json!(3), &json!(false)), "{row}");
    open.notify_one();
    let code = sold(&shop, &[SLUG]).await;
    let order = shop.look(&code).await;
    assert_eq!(order["items"][0]["version"], 3);
    let text = shop.http.get(link(&order, 0)).send().await.unwrap().text().await.unwrap();
    assert_eq!(text, "another source", "what was under way from the old source is not what the buyer gets");
    shop.sound().await;
}

#[tokio::test]
async fn sources_are_looked_at_once_a_day_without_being_asked() {
    let shop = TestShop::start().await;
    sold(&shop, &[SLUG]).await;
    done(&shop, &format!("courses/{SLUG}/check"), nothing()).await;
    rewrite(&shop, "<h1>Một ngày sau</h1>");
    shop.clock.jump(HOURS);
    assert_eq!(shop.course(SLUG).await["course"]["version"], 1, "the control: not yet");
    shop.until(|| async {
        shop.clock.jump(HOURS);
        (shop.course(SLUG).await["course"]["version"] == 2).then_some(())
    })
    .await;
    let row = shop.at_version(SLUG, 2).await;
    assert_eq!(row["course"]["check"]["state"], "changed");
}

#[tokio::test]
async fn a_version_is_announced_behind_those_who_wait_and_not_before_it_is_ready() {
    let shop =
        TestShop::with(Setup { env: vec![("CHOTDON_WORKERS__COUNT", "1".into())], ..Setup::default() }).await;
    assert_eq!(
        refused(&shop, &format!("courses/{SLUG}/announce"), nothing()).await,
        (409, "version_not_ready".into())
    );
    let first = sold(&shop, &[SLUG]).await;
    done(&shop, &format!("courses/{SLUG}/prepare"), nothing()).await;
    shop.at_version(SLUG, 2).await;
    done(&shop, "queue/pause", json!({ "lane": "order" })).await;
    done(&shop, &format!("courses/{SLUG}/announce"), nothing()).await;
    let (code, total) = shop.order(&[SLUG]).await;
    shop.bank_receives(total, &code).await;
    done(&shop, "queue/resume", json!({ "lane": "order" })).await;
    let served = mailed(&shop, &code, 1).await;
    let told = mailed(&shop, &first, 2).await;
    let sent = |order: &Value, at: usize| order["mails"][at]["sent_at"].as_str().unwrap().to_owned();
    assert!(sent(&served, 0) < sent(&told, 1), "who paid just now comes before who is only told");
    assert_eq!(post(&shop, &format!("courses/{SLUG}/announce"), json!({ "messag": "x" })).await.0, 400);
    shop.sound().await;
}
