//! Courses without files: a place at a platform is all that their buyers get.

use chotdon_core::ports::SecretStore;
use chotdon_tests::TestShop;
use chotdon_tests::lms::School;
use serde_json::{Value, json};

use super::orders::{buy, kinds, refund, shop};

const LAN: &str = "lan@example.com";

/// A course of nothing but a place at `school`.
pub(crate) fn place(school: &School) -> Value {
    json!({ "title": "Học trên nền tảng", "price_vnd": 50_000, "source": { "kind": "none" }, "target": { "kind": "folder" },
            "active": true, "enrolment": school.enrolment("lms.school") })
}

async fn save(shop: &TestShop, slug: &str, course: &Value) -> (u16, Value) {
    shop.admin("PUT", &format!("/admin/api/courses/{slug}"), Some(course.clone())).await
}

pub(crate) async fn sell(shop: &TestShop, slug: &str, course: &Value) {
    let (status, answer) = save(shop, slug, course).await;
    assert_eq!(status, 200, "{answer}");
}

/// Text and page of the newest mail to `to`.
async fn newest_words(shop: &TestShop, to: &str) -> String {
    let mail = shop.newest_mail(to).await;
    format!("{}\n{}", mail["text"].as_str().unwrap(), mail["html"].as_str().unwrap())
}

#[tokio::test]
async fn the_buyer_is_enrolled_and_the_mail_names_the_platform_and_no_download() {
    let (shop, school) = (shop().await, School::start("moodle").await);
    sell(&shop, "hoc", &place(&school)).await;
    let code = buy(&shop, &["hoc"]).await;
    let order = shop.settled(&code, "completed").await;
    assert_eq!(school.rolls().students(), [LAN]);
    let learn = order["items"][0]["link"].as_str().unwrap().to_owned();
    assert!(learn.ends_with("/course/view.php?id=42"), "{order}");
    let told = kinds(&order);
    assert!(told.contains(&"enrolled") && !told.contains(&"shared"), "{told:?}");
    assert!(order["actions"].as_array().unwrap().contains(&json!("copy_link")));
    let mail = newest_words(&shop, LAN).await;
    assert!(mail.contains(&learn) && mail.contains("ghi danh"), "{mail}");
    assert!(!mail.contains("/d/") && !mail.contains("Tải") && !mail.contains("Google"), "{mail}");

    refund(&shop, &code).await;
    shop.until(|| async { kinds(&shop.look(&code).await).contains(&"unenrolled").then_some(()) }).await;
    assert!(school.rolls().students().is_empty());
    assert_eq!(shop.look(&code).await["items"][0]["delivery"], "revoked");
    shop.sound().await;
}

#[tokio::test]
async fn a_platform_that_writes_to_its_students_itself_is_spoken_of_without_an_address() {
    let (shop, school) = (shop().await, School::start("teachable").await);
    sell(&shop, "hoc", &place(&school)).await;
    let code = buy(&shop, &["hoc"]).await;
    let order = shop.settled(&code, "completed").await;
    assert_eq!((school.rolls().students().len(), &order["items"][0]["link"]), (1, &Value::Null));
    let mail = newest_words(&shop, LAN).await;
    assert!(
        mail.contains("gửi thư hướng dẫn") && !mail.contains("/d/") && !mail.contains("href=\"\""),
        "{mail}"
    );
    refund(&shop, &code).await;
    shop.until(|| async { school.rolls().students().is_empty().then_some(()) }).await;
}

#[tokio::test]
async fn nobody_is_told_before_the_place_is_verified() {
    let (shop, school) = (shop().await, School::start("moodle").await);
    let mut elsewhere = place(&school);
    elsewhere["enrolment"]["course"] = json!("43");
    sell(&shop, "hoc", &elsewhere).await;
    let code = buy(&shop, &["hoc"]).await;
    let order = shop.settled(&code, "failed").await;
    assert_eq!(shop.mails(), Vec::<String>::new());
    assert_eq!(
        (&order["items"][0]["delivery"], &order["items"][0]["link"]),
        (&json!("failed"), &Value::Null)
    );
    // The owner puts the course right and tries again.
    sell(&shop, "hoc", &place(&school)).await;
    let (status, answer) = shop.admin("POST", &format!("/admin/api/orders/{code}/redeliver"), None).await;
    assert!(status < 300, "{answer}");
    shop.settled(&code, "completed").await;
    assert_eq!((school.rolls().students().len(), shop.mails().len()), (1, 1), "the control");
}

#[tokio::test]
async fn a_course_that_would_give_nothing_is_refused() {
    let (shop, school) = (shop().await, School::start("moodle").await);
    let good = place(&school);
    let mut nothing = good.clone();
    nothing["enrolment"] = Value::Null;
    let refused =
        |(status, answer): (u16, Value)| (status, answer["code"].as_str().unwrap_or_default().to_owned());
    assert_eq!(refused(save(&shop, "hoc", &nothing).await), (409, "enrolment_missing".to_owned()));
    assert_eq!(shop.admin("GET", "/admin/api/courses/hoc", None).await.0, 404, "nothing is left of it");
    nothing.as_object_mut().unwrap().remove("enrolment");
    assert_eq!(refused(save(&shop, "hoc", &nothing).await).0, 409, "there is none to keep");
    sell(&shop, "hoc", &good).await;
    sell(&shop, "hoc", &nothing).await; // Left out, the enrolment stays.
    nothing["enrolment"] = Value::Null;
    assert_eq!(refused(save(&shop, "hoc", &nothing).await).0, 409);
    assert_eq!(shop.course("hoc").await["course"]["enrolment"]["name"], "moodle");
    let mut odd = good;
    odd["source"] = json!({ "kind": "none", "path": "/x" });
    assert_eq!(save(&shop, "hoc", &odd).await.0, 400);
}

#[tokio::test]
async fn an_order_of_both_kinds_is_one_mail_with_what_each_needs() {
    let (shop, school) = (shop().await, School::start("moodle").await);
    sell(&shop, "hoc", &place(&school)).await;
    let bundle = json!({ "title": "Trọn bộ", "price_vnd": 99_000, "courses": ["hoc", "thiet-ke-giao-dien"] });
    let (status, answer) = shop.admin("PUT", "/admin/api/bundles/tron-bo", Some(bundle)).await;
    assert_eq!(status, 200, "{answer}");
    let code = buy(&shop, &["tron-bo"]).await;
    let order = shop.settled(&code, "completed").await;
    let links: Vec<&str> =
        order["items"].as_array().unwrap().iter().filter_map(|item| item["link"].as_str()).collect();
    assert_eq!(links.len(), 2, "{order}");
    let mail = newest_words(&shop, LAN).await;
    assert!(links.iter().all(|link| mail.contains(link)) && mail.contains("tải khoá học"), "{mail}");
    assert_eq!((mail.matches("\n  http").count(), shop.mails().len()), (1, 1), "one download: {mail}");
    assert_eq!(kinds(&order).iter().filter(|kind| **kind == "shared").count(), 1);
}

#[tokio::test]
async fn a_test_delivery_asks_the_platform_and_enrols_nobody() {
    let (shop, school) = (shop().await, School::start("moodle").await);
    sell(&shop, "hoc", &place(&school)).await;
    let path = "/admin/api/courses/hoc/test-delivery";
    assert_eq!(shop.admin("POST", path, Some(json!({ "email": "chu@example.com" }))).await.0, 200);
    let test = shop
        .until(|| async {
            let test = shop.course("hoc").await["test"]["task"].take();
            matches!(test["state"].as_str(), Some("done" | "failed")).then_some(test)
        })
        .await;
    assert_eq!(test["state"], "done", "{test}");
    let mail = newest_words(&shop, "chu@example.com").await;
    assert!(mail.contains("/course/view.php?id=42") && !mail.contains("/d/"), "{mail}");
    let calls = school.rolls().calls.clone();
    assert!(!calls.is_empty() && calls.iter().all(|call| !call.contains("enrol_manual")), "{calls:?}");
    assert!(school.rolls().places.is_empty() && school.rolls().accounts.is_empty());

    let mut wrong = place(&school);
    wrong["enrolment"]["secret"] = json!("lms.other");
    sell(&shop, "sai", &wrong).await;
    shop.secrets.set("lms.other", "wrong-key-0123456789".into()).await.unwrap();
    let path = "/admin/api/courses/sai/test-delivery";
    assert_eq!(shop.admin("POST", path, Some(json!({ "email": "chu@example.com" }))).await.0, 200);
    shop.until(|| async {
        let (_, services) = shop.admin("GET", "/admin/api/services", None).await;
        services.to_string().contains("lms_unauthorized").then_some(())
    })
    .await;
    assert_ne!(
        shop.course("sai").await["test"]["task"]["state"],
        "done",
        "the control: a refused key is no pass"
    );
    assert_eq!(shop.mails().len(), 1);
}

#[tokio::test]
async fn a_course_may_lose_its_files_and_have_files_again() {
    let (shop, school) = (shop().await, School::start("moodle").await);
    let bare = place(&school);
    let mut full = bare.clone();
    full["source"] = json!({ "kind": "folder", "path": shop.dir().join("demo-courses/thiet-ke-giao-dien") });
    sell(&shop, "hoc", &full).await;
    let first = buy(&shop, &["hoc"]).await;
    let download = shop.settled(&first, "completed").await["items"][0]["link"].as_str().unwrap().to_owned();
    assert!(download.contains("/d/"), "{download}");

    sell(&shop, "hoc", &bare).await;
    assert_eq!(shop.course("hoc").await["course"]["version"], 2);
    let second = buy(&shop, &["hoc"]).await;
    let order = shop.settled(&second, "completed").await;
    assert!(order["items"][0]["link"].as_str().unwrap().contains("/course/"), "{order}");
    let now = shop.at_version("hoc", 2).await;
    assert_eq!(
        (&now["past"]["orders"], &now["course"]["files"]),
        (&json!(0), &json!(0)),
        "nothing to announce"
    );
    let (status, answer) = shop.admin("POST", "/admin/api/courses/hoc/prepare", None).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("no_files")), "nothing to prepare either");
    let (_, check) = shop.admin("POST", "/admin/api/courses/hoc/check", None).await;
    assert_eq!(check["state"], "same", "{check}");
    assert_eq!(shop.http.get(&download).send().await.unwrap().status(), 200, "who had files has them");

    // Another target is no other version of nothing.
    let mut moved = bare.clone();
    moved["target"] = json!({ "kind": "drive" });
    sell(&shop, "hoc", &moved).await;
    assert_eq!(shop.course("hoc").await["course"]["version"], 2);

    full["enrolment"] = Value::Null;
    sell(&shop, "hoc", &full).await;
    assert_eq!(shop.course("hoc").await["course"]["version"], 3);
    let third = buy(&shop, &["hoc"]).await;
    let link = shop.settled(&third, "completed").await["items"][0]["link"].as_str().unwrap().to_owned();
    assert_eq!(shop.http.get(&link).send().await.unwrap().status(), 200);

    // What the second buyer has cannot be given again: it says so, and a delivery of what is there now goes on.
    let (status, answer) = shop.admin("POST", &format!("/admin/api/orders/{second}/resend"), None).await;
    assert!(status < 300, "{answer}");
    let group = shop
        .until(|| async {
            let (_, failures) = shop.admin("GET", "/admin/api/failures", None).await;
            failures["groups"].as_array().and_then(|groups| groups.first().cloned())
        })
        .await;
    assert_eq!(group["error"]["code"], "enrolment_missing", "{group}");
    let (status, answer) = shop.admin("POST", &format!("/admin/api/orders/{second}/redeliver"), None).await;
    assert!(status < 300, "{answer}");
    shop.until(|| async {
        let order = shop.look(&second).await;
        order["items"][0]["link"].as_str()?.contains("/d/").then_some(())
    })
    .await;
    shop.sound().await;
}

#[tokio::test]
async fn who_may_fetch_a_course_is_no_matter_of_its_version() {
    let shop = TestShop::start().await;
    let with = |worker: &str, url: &str| {
        json!({ "title": "Từ kho", "price_vnd": 10_000, "target": { "kind": "folder" },
                "source": { "kind": "http", "url": url, "secret": "source.kho", "worker": worker, "share_secret": true } })
    };
    let version = || async { shop.course("kho").await["course"]["version"].as_i64().unwrap() };
    sell(&shop, "kho", &with("also", "http://127.0.0.1:9/a")).await;
    sell(&shop, "kho", &with("only", "http://127.0.0.1:9/a")).await;
    assert_eq!(version().await, 1);
    let mut ours = with("never", "http://127.0.0.1:9/a");
    ours["source"].as_object_mut().unwrap().remove("share_secret");
    sell(&shop, "kho", &ours).await;
    assert_eq!(version().await, 1);
    assert_eq!(shop.course("kho").await["course"]["source"]["worker"], "never", "it is kept");
    sell(&shop, "kho", &with("never", "http://127.0.0.1:9/b")).await;
    assert_eq!(version().await, 2, "the control: other files are another version");
}
