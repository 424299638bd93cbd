//! Whole orders whose courses make students.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chotdon_core::ports::{Probe, SecretStore};
use chotdon_tests::lms::{COURSES, KEY, School, Trouble};
use chotdon_tests::{Ground, Setup, TestShop};
use serde_json::{Value, json};

pub(crate) async fn shop() -> TestShop {
    let ground = Ground::new();
    ground.secrets.set("lms.school", KEY.into()).await.unwrap();
    let env = vec![("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned())];
    TestShop::on(ground, Setup { env, probe: None }).await
}

/// Sells a course that is taught at `school`.
async fn sell(shop: &TestShop, slug: &str, school: &School) {
    let source = shop.dir().join("demo-courses/thiet-ke-giao-dien");
    let course = json!({ "title": slug, "price_vnd": 50_000, "source": { "kind": "folder", "path": source },
                         "target": { "kind": "folder" }, "active": true, "enrolment": school.enrolment("lms.school") });
    let (status, answer) = shop.admin("PUT", &format!("/admin/api/courses/{slug}"), Some(course)).await;
    assert_eq!(status, 200, "{answer}");
}

pub(crate) async fn buy(shop: &TestShop, courses: &[&str]) -> String {
    let (code, total) = shop.order(courses).await;
    assert_eq!(shop.bank_receives(total, &code).await, "paid");
    code
}

pub(crate) fn kinds(order: &Value) -> Vec<&str> {
    order["timeline"].as_array().unwrap().iter().filter_map(|row| row["kind"].as_str()).collect()
}

#[tokio::test]
async fn a_paid_order_makes_a_student_and_the_mail_says_where_to_learn() {
    let (shop, school) = (shop().await, School::start("moodle").await);
    sell(&shop, "hoc-moodle", &school).await;
    let code = buy(&shop, &["hoc-moodle"]).await;
    let order = shop.settled(&code, "completed").await;
    assert_eq!(school.rolls().students(), ["lan@example.com"]);
    assert!(kinds(&order).contains(&"enrolled"), "{:?}", kinds(&order));
    let mail = std::fs::read_to_string(shop.dir().join("mailbox").join(&shop.mails()[0])).unwrap();
    let flat = mail.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=");
    assert!(flat.contains("/course/view.php?id=42"), "{flat}");
    shop.sound().await;
}

/// The course's own delivery never comes to the stage that it does not need.
fn counting(points: &'static [&'static str]) -> (Probe, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    let probe: Probe = Some(Arc::new(move |point: &str| {
        if points.contains(&point) {
            seen.fetch_add(1, Ordering::SeqCst);
        }
        Box::pin(async {})
    }));
    (probe, count)
}

#[tokio::test]
async fn an_order_without_a_platform_skips_the_stage() {
    let (probe, count) = counting(&["deliver_order.enrol"]);
    let shop = TestShop::with(Setup { probe, ..Setup::default() }).await;
    let code = buy(&shop, &["thiet-ke-giao-dien"]).await;
    shop.settled(&code, "completed").await;
    assert_eq!(count.load(Ordering::SeqCst), 0);
    let school = School::start("canvas").await;
    shop.secrets.set("lms.school", KEY.into()).await.unwrap();
    sell(&shop, "hoc-canvas", &school).await;
    let code = buy(&shop, &["hoc-canvas"]).await;
    shop.settled(&code, "completed").await;
    assert_eq!(count.load(Ordering::SeqCst), 1, "the control");
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_not_made_twice() {
    for (name, deed) in [
        ("moodle", "enrol_manual_enrol_users"),
        ("teachable", "POST /v1/enroll"),
        ("canvas", "POST /api/v1/courses/42/enrollments"),
    ] {
        let (shop, school) = (shop().await, School::start(name).await);
        sell(&shop, "hoc", &school).await;
        school.loses_the_answer(deed);
        let code = buy(&shop, &["hoc"]).await;
        let order = shop.settled(&code, "completed").await;
        assert!(kinds(&order).contains(&"attempt_failed"), "{name}");
        assert_eq!(school.rolls().places.len(), 1, "{name}: {:?}", school.rolls().calls);
        assert_eq!(shop.mails().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_platform_that_is_down_for_a_while_is_asked_again() {
    let (shop, school) = (shop().await, School::start("open_edx").await);
    sell(&shop, "hoc", &school).await;
    school.refuses("", 503);
    school.refuses("", 500);
    let code = buy(&shop, &["hoc"]).await;
    shop.settled(&code, "completed").await;
    assert_eq!(school.rolls().students(), ["lan@example.com"], "invited, having no account there");
}

#[tokio::test]
async fn a_course_that_the_platform_does_not_have_fails_at_once_with_words() {
    let (shop, school) = (shop().await, School::start("moodle").await);
    sell(&shop, "hoc", &school).await;
    let mut spec = school.enrolment("lms.school");
    spec["course"] = json!("43");
    let (_, course) = shop.admin("GET", "/admin/api/courses", None).await;
    let row = course["rows"].as_array().unwrap().iter().find(|row| row["slug"] == "hoc").unwrap().clone();
    let change = json!({ "title": row["title"], "price_vnd": row["price_vnd"], "source": row["source"], "target": row["target"], "enrolment": spec });
    assert_eq!(shop.admin("PUT", "/admin/api/courses/hoc", Some(change)).await.0, 200);
    let code = buy(&shop, &["hoc"]).await;
    shop.settled(&code, "failed").await;
    let (_, failures) = shop.admin("GET", "/admin/api/failures", None).await;
    assert_eq!(failures["groups"][0]["error"]["code"], "lms_course_unknown");
    assert!(shop.mails().is_empty(), "nobody is told of access that they do not have");
}

#[tokio::test]
async fn a_refused_key_holds_every_order_and_none_fails_until_it_is_right() {
    let ground = Ground::new();
    ground.secrets.set("lms.school", "an-old-key-0123456789".into()).await.unwrap();
    let env = vec![("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned())];
    let shop = TestShop::on(ground, Setup { env, probe: None }).await;
    let school = School::start("moodle").await;
    sell(&shop, "hoc", &school).await;
    let codes = [buy(&shop, &["hoc"]).await, buy(&shop, &["hoc"]).await];
    let parked = shop
        .until(|| async {
            let (_, services) = shop.admin("GET", "/admin/api/services", None).await;
            let rows = services["services"].as_array().unwrap().clone();
            rows.into_iter().find(|row| {
                row["name"].as_str().is_some_and(|name| name.starts_with("lms:")) && row["state"] != "open"
            })
        })
        .await;
    assert!(parked.to_string().contains("lms_unauthorized"), "{parked}");
    assert!(!parked.to_string().contains("0123456789"), "the key is not repeated: {parked}");
    for code in &codes {
        assert_eq!(shop.look(code).await["order"]["stage"], "processing");
    }
    let put = shop.admin("PUT", "/admin/api/secrets/lms.school", Some(json!({ "value": KEY }))).await;
    assert_eq!(put.0, 200, "{}", put.1);
    for code in &codes {
        let order = shop.settled(code, "completed").await;
        assert!(!kinds(&order).contains(&"attempt_failed"), "no attempt is burnt");
    }
    assert_eq!(school.rolls().students(), ["lan@example.com"], "one place for two orders");
}

#[tokio::test]
async fn a_bundle_of_two_platforms_is_one_order_and_one_mail() {
    let (shop, moodle, canvas) = (shop().await, School::start("moodle").await, School::start("canvas").await);
    sell(&shop, "hoc-moodle", &moodle).await;
    sell(&shop, "hoc-canvas", &canvas).await;
    let code = buy(&shop, &["hoc-moodle", "hoc-canvas", "thiet-ke-giao-dien"]).await;
    shop.settled(&code, "completed").await;
    assert_eq!((moodle.rolls().places.len(), canvas.rolls().places.len(), shop.mails().len()), (1, 1, 1));
}

#[tokio::test]
async fn the_key_is_nowhere_but_in_the_secret_store() {
    let (shop, school) = (shop().await, School::start("open_edx").await);
    sell(&shop, "hoc", &school).await;
    school.trouble(Trouble {
        at: "bulk_enroll",
        status: 500,
        header: None,
        body: format!("{KEY} canary-jwt-eyJhbGciOi"),
        done: false,
    });
    let code = buy(&shop, &["hoc"]).await;
    let order = shop.settled(&code, "completed").await.to_string();
    assert!(order.contains("lms_server_error"), "the trouble was met: {order}");
    let dir = shop.dir().to_owned();
    let _ground = shop.stop().await;
    let mut seen = false;
    for file in files(&dir) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        seen |= bytes.windows(code.len()).any(|part| part == code.as_bytes());
        for canary in [KEY, "canary-jwt-eyJhbGciOi"] {
            let found = bytes.windows(canary.len()).any(|part| part == canary.as_bytes());
            assert!(!found, "{canary} is in {}", file.display());
        }
    }
    assert!(seen, "the control: what is kept is found");
}

fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

#[tokio::test]
async fn the_owner_tries_a_recipe_without_enrolling_anybody() {
    let (shop, school) = (shop().await, School::start("thinkific").await);
    let (status, recipes) = shop.admin("GET", "/admin/api/recipes", None).await;
    assert_eq!((status, recipes.as_array().unwrap().len()), (200, 5));
    let ask = |dry_run| json!({ "enrolment": school.enrolment("lms.school"), "email": "lan@example.com", "dry_run": dry_run });
    let (_, dry) = shop.admin("POST", "/admin/api/recipes/test", Some(ask(true))).await;
    assert_eq!(dry["state"], "dry_run");
    assert!(dry.to_string().contains("X-Auth-Subdomain: an") && !dry.to_string().contains(KEY), "{dry}");
    assert!(school.rolls().calls.is_empty());
    let (_, asked) = shop.admin("POST", "/admin/api/recipes/test", Some(ask(false))).await;
    assert_eq!(asked["state"], "not_enrolled", "{asked}");
    assert!(school.rolls().calls.iter().all(|call| call.starts_with("GET")), "{:?}", school.rolls().calls);
    shop.secrets.set("lms.other", "wrong-key-0123456789".into()).await.unwrap();
    let wrong = json!({ "enrolment": school.enrolment("lms.other"), "email": "lan@example.com" });
    let (_, refused) = shop.admin("POST", "/admin/api/recipes/test", Some(wrong)).await;
    assert_eq!(
        (refused["state"].as_str(), refused["code"].as_str()),
        (Some("failed"), Some("lms_unauthorized")),
        "{refused}"
    );
    let mut odd = school.enrolment("lms.school");
    odd["name"] = json!("udemy");
    let (status, problem) = shop
        .admin("POST", "/admin/api/recipes/test", Some(json!({ "enrolment": odd, "email": "a@b.vn" })))
        .await;
    assert_eq!(status, 400);
    assert!(problem["detail"].as_str().unwrap().contains("udemy"), "{problem}");
}

#[tokio::test]
async fn a_refund_takes_the_student_out_again_on_every_platform() {
    for (name, _) in COURSES {
        let (shop, school) = (shop().await, School::start(name).await);
        sell(&shop, "hoc", &school).await;
        let code = buy(&shop, &["hoc"]).await;
        shop.settled(&code, "completed").await;
        assert_eq!(school.rolls().students(), ["lan@example.com"], "{name}");
        assert_eq!(access(&shop, &code).await, ("lms:127.0.0.1".to_owned(), "granted".to_owned()), "{name}");
        // The first word of it is lost on the way.
        school.loses_the_answer("nenrol");
        refund(&shop, &code).await;
        shop.until(|| async { school.rolls().students().is_empty().then_some(()) }).await;
        shop.until(|| async { kinds(&shop.look(&code).await).contains(&"unenrolled").then_some(()) }).await;
        assert_eq!(shop.look(&code).await["order"]["stage"], "refunded", "{name}");
        assert_eq!(access(&shop, &code).await.1, "revoked", "{name}");
        assert_eq!(school.rolls().violations, Vec::<String>::new(), "{name}");
        shop.sound().await;
    }
}

/// What the owner sees of the buyer's access: where, without the port, and how it stands.
async fn access(shop: &TestShop, code: &str) -> (String, String) {
    let order = shop.look(code).await;
    let text = |key: &str| order["access"][0][key].as_str().unwrap_or_default().to_owned();
    (text("kind").rsplit_once(':').unwrap_or_default().0.to_owned(), text("state"))
}

pub(crate) async fn refund(shop: &TestShop, code: &str) {
    let how = json!({ "reason": "khách đổi ý" });
    let (status, answer) = shop.admin("POST", &format!("/admin/api/orders/{code}/refund"), Some(how)).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_refund_leaves_a_place_that_another_order_holds() {
    let (shop, school) = (shop().await, School::start("moodle").await);
    sell(&shop, "hoc", &school).await;
    let (first, second) = (buy(&shop, &["hoc"]).await, buy(&shop, &["hoc"]).await);
    shop.settled(&first, "completed").await;
    shop.settled(&second, "completed").await;
    refund(&shop, &first).await;
    shop.until(|| async { kinds(&shop.look(&first).await).contains(&"enrolment_left").then_some(()) }).await;
    assert_eq!(school.rolls().students(), ["lan@example.com"]);
    refund(&shop, &second).await;
    shop.until(|| async { kinds(&shop.look(&second).await).contains(&"unenrolled").then_some(()) }).await;
    assert!(school.rolls().students().is_empty(), "the control: with the last one it goes");
}

#[tokio::test]
async fn a_refund_leaves_a_place_that_was_there_before() {
    let (shop, school) = (shop().await, School::start("canvas").await);
    let id = school.rolls().open_account("lan@example.com");
    school.rolls().seat(id, "42");
    sell(&shop, "hoc", &school).await;
    let code = buy(&shop, &["hoc"]).await;
    shop.settled(&code, "completed").await;
    refund(&shop, &code).await;
    shop.until(|| async { kinds(&shop.look(&code).await).contains(&"enrolment_left").then_some(()) }).await;
    assert_eq!(school.rolls().students(), ["lan@example.com"]);
}
