//! The owner's own words in mails: edited in the app, tried out, broken by hand and mended.

use std::fs;
use std::path::PathBuf;

use chotdon_tests::TestShop;
use serde_json::{Value, json};

use super::sold;

const SLUG: &str = "thiet-ke-giao-dien";

async fn ask(shop: &TestShop, method: &str, rest: &str, body: Option<Value>) -> (u16, Value) {
    shop.admin(method, &format!("/admin/api/mail-templates/{rest}"), body).await
}

async fn saved(shop: &TestShop, name: &str, texts: Value) -> Value {
    let (status, answer) = ask(shop, "PUT", name, Some(json!({ "texts": texts }))).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn listed(shop: &TestShop, name: &str, lang: &str) -> Value {
    let (status, list) = shop.admin("GET", "/admin/api/mail-templates", None).await;
    assert_eq!(status, 200, "{list}");
    let rows = list["rows"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name && row["lang"] == lang).expect("in the list").clone()
}

async fn audited(shop: &TestShop) -> Vec<(String, String)> {
    let (_, audit) = shop.admin("GET", "/admin/api/audit", None).await;
    let rows = audit["rows"].as_array().unwrap().iter();
    let ours = rows.filter(|row| row["action"].as_str().unwrap().starts_with("mail_template."));
    ours.map(|row| (row["action"].as_str().unwrap().to_owned(), row["subject"].as_str().unwrap().to_owned()))
        .collect()
}

fn file(shop: &TestShop, name: &str) -> PathBuf {
    shop.dir().join("templates").join(name)
}

/// Orders with this buyer's name, pays, and waits for the end.
async fn bought_by(shop: &TestShop, email: &str, name: &str, stage: &str) -> String {
    let order = json!({ "customer": { "email": email, "name": name }, "items": [{ "course": SLUG }] });
    let (status, order) = shop.admin("POST", "/admin/api/orders", Some(order)).await;
    assert_eq!(status, 201, "{order}");
    let code = order["order"]["code"].as_str().unwrap().to_owned();
    shop.bank_receives(order["order"]["total_vnd"].as_i64().unwrap(), &code).await;
    shop.settled(&code, stage).await;
    code
}

#[tokio::test]
async fn an_order_is_delivered_in_the_owners_words_until_they_are_taken_back() {
    let shop = TestShop::start().await;
    let before = sold(&shop, &[SLUG]).await;
    let usual = shop.newest_mail("lan@example.com").await;
    assert!(usual["subject"].as_str().unwrap().contains("đã sẵn sàng"), "the control");

    let now = saved(
        &shop,
        "delivered/vi",
        json!({ "subject": "{{ customer_name }} ơi, {{ order_code }} xong rồi" }),
    )
    .await;
    let own: Vec<&Value> = now["parts"].as_array().unwrap().iter().map(|part| &part["own"]).collect();
    assert_eq!(own, [true, false, false]);
    assert_eq!(listed(&shop, "delivered", "vi").await["own"], json!(["subject"]));
    let code = sold(&shop, &[SLUG]).await;
    let mail = shop.newest_mail("lan@example.com").await;
    assert_eq!(mail["subject"], format!("Trần Thị Lan ơi, {code} xong rồi"));
    assert!(mail["text"].as_str().unwrap().contains("Chúc bạn học vui!"), "the other parts are ours");

    let (status, back) = ask(&shop, "DELETE", "delivered/vi", None).await;
    assert_eq!((status, &back["parts"][0]["own"]), (200, &json!(false)));
    let last = sold(&shop, &[SLUG]).await;
    assert_eq!(
        shop.newest_mail("lan@example.com").await["subject"],
        usual["subject"].as_str().unwrap().replace(&before, &last)
    );
    let did = |action: &str| (format!("mail_template.{action}"), "delivered.vi".to_owned());
    assert_eq!(audited(&shop).await, [did("reset"), did("save")]);
    shop.sound().await;
}

#[tokio::test]
async fn a_broken_template_is_refused_with_its_line_and_nothing_changes() {
    let shop = TestShop::start().await;
    let given = json!({ "texts": { "subject": "Mới", "text": "Chào bạn,\n\n{{ ten_khach }}\n" } });
    let (status, refused) = ask(&shop, "PUT", "delivered/vi", Some(given)).await;
    assert_eq!((status, &refused["code"]), (400, &json!("mail_template")));
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.starts_with("delivered.vi.text:3: ") && detail.contains("ten_khach"), "{detail}");
    assert!(!file(&shop, "delivered.vi.subject").exists(), "not even the part that is right");
    assert_eq!(audited(&shop).await, []);

    let (_, held) = ask(&shop, "GET", "delivered/vi", None).await;
    fs::create_dir_all(shop.dir().join("templates")).unwrap();
    fs::write(file(&shop, "delivered.vi.text"), "Bằng tay {{ order_code }}\n").unwrap();
    let late = json!({ "texts": { "subject": "Mới" }, "version": held["version"] });
    let (status, refused) = ask(&shop, "PUT", "delivered/vi", Some(late)).await;
    assert_eq!((status, &refused["code"]), (409, &json!("mail_template_changed")));
    for (name, status) in
        [("nothing/vi", 404), ("delivered/fr", 404), ("../config/vi", 404), ("_frame/vi", 400)]
    {
        let given = json!({ "texts": { "subject": "Mới" } });
        assert_eq!(ask(&shop, "PUT", name, Some(given)).await.0, status, "{name}");
    }
}

#[tokio::test]
async fn a_file_broken_by_hand_is_shown_and_once_mended_one_retry_delivers() {
    let shop = TestShop::start().await;
    fs::create_dir_all(shop.dir().join("templates")).unwrap();
    fs::write(file(&shop, "delivered.vi.text"), "Chào {{ customer_name }}\n{% if order_code %}\n").unwrap();
    let code = bought_by(&shop, "lan@example.com", "Lan", "failed").await;
    let (_, failures) = shop.admin("GET", "/admin/api/failures", None).await;
    let group = &failures["groups"][0];
    assert_eq!(group["error"]["code"], "mail_template");
    assert!(group["error"]["detail"].as_str().unwrap().starts_with("delivered.vi.text:"), "{group}");
    assert!(shop.mails().is_empty(), "nothing half-written goes out");

    let row = listed(&shop, "delivered", "vi").await;
    assert_eq!(
        (&row["mistakes"][0]["part"], &row["mistakes"][0]["code"]),
        (&json!("text"), &json!("syntax"))
    );
    assert_eq!(listed(&shop, "delivered", "en").await["mistakes"], json!([]));
    let (_, notices) = shop.admin("GET", "/admin/api/notices", None).await;
    let notice = notices["rows"].as_array().unwrap().iter().find(|row| row["kind"] == "task_failed").unwrap();
    assert_eq!(notice["route"], "/settings/mail-templates");

    saved(&shop, "delivered/vi", json!({ "text": "Chào {{ customer_name }}\n{{ items[0].link }}\n" })).await;
    assert_eq!(listed(&shop, "delivered", "vi").await["mistakes"], json!([]));
    let retry = json!({ "filter": { "group": group["group"] } });
    let (status, report) = shop.admin("POST", "/admin/api/failures/retry", Some(retry)).await;
    assert_eq!(status, 200, "{report}");
    shop.settled(&code, "completed").await;
    let text = shop.newest_mail("lan@example.com").await["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("Chào Lan") && text.contains("/d/"), "{text}");
    assert_eq!(shop.mails().len(), 1);
    shop.sound().await;
}

#[tokio::test]
async fn what_a_buyer_calls_themselves_stays_text_in_the_owners_html() {
    let shop = TestShop::start().await;
    let html = "<h1>{{ customer_name }}</h1><a href=\"{{ items[0].link }}\">{{ items[0].title }}</a>";
    saved(&shop, "delivered/vi", json!({ "html": html })).await;
    let name = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>";
    let code = bought_by(&shop, "lan@example.com", name, "completed").await;
    let mail = shop.newest_mail("lan@example.com").await;
    let html = mail["html"].as_str().unwrap();
    assert!(html.contains("<h1>&lt;script&gt;alert(1)&lt;/script&gt;"), "{html}");
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    let about = json!({ "order": code.to_lowercase() });
    let (status, preview) = ask(&shop, "POST", "delivered/vi/preview", Some(about)).await;
    assert_eq!(status, 200, "{preview}");
    assert_eq!(preview["html"].as_str().map(str::trim), Some(html.trim()), "the page shows what was sent");
}

#[tokio::test]
async fn a_preview_shows_what_is_not_saved_and_sends_nothing() {
    let shop = TestShop::start().await;
    let texts = json!({ "subject": "Thử {{ order_code }}", "html": "<p>\n{{ khong_co }}</p>" });
    let (status, seen) = ask(&shop, "POST", "delivered/vi/preview", Some(json!({ "texts": texts }))).await;
    assert_eq!(status, 200, "{seen}");
    assert_eq!((&seen["subject"], &seen["html"]), (&json!("Thử DH123456"), &Value::Null));
    assert!(seen["text"].as_str().unwrap().contains("Trần Thị Lan"));
    let mistake = &seen["mistakes"][0];
    assert_eq!(
        (&mistake["part"], &mistake["line"], &mistake["code"], &mistake["name"]),
        (&json!("html"), &json!(2), &json!("unknown_name"), &json!("khong_co"))
    );
    let (status, none) = ask(&shop, "POST", "topup/en/preview", Some(json!({ "order": "DH999999" }))).await;
    assert_eq!((status, &none["code"]), (404, &json!("not_found")));
    assert_eq!((shop.mails().len(), audited(&shop).await.len()), (0, 0));
    assert!(!shop.dir().join("templates").exists());

    // The control: what does send is seen.
    let test = json!({ "to": "an@example.com", "texts": { "subject": "Thử {{ order_code }}" } });
    assert_eq!(ask(&shop, "POST", "delivered/vi/test", Some(test)).await.0, 204);
    let mail = shop.newest_mail("an@example.com").await;
    assert_eq!(mail["subject"], "[Thử] Thử DH123456");
    assert_eq!(shop.mails().len(), 1);
    assert_eq!(audited(&shop).await.len(), 1);
    let bad = json!({ "to": "an@example.com", "texts": texts });
    assert_eq!(ask(&shop, "POST", "delivered/vi/test", Some(bad)).await.1["code"], "mail_template");
    let nobody = json!({ "to": "an" });
    assert_eq!(ask(&shop, "POST", "delivered/vi/test", Some(nobody)).await.1["code"], "invalid_email");
}

#[tokio::test]
async fn one_frame_stands_around_every_mail() {
    let shop = TestShop::start().await;
    let frame = "{% block body %}{% endblock %}\n--\n{{ shop_name }}, 12 Nguyễn Trãi\n";
    saved(&shop, "_frame/vi", json!({ "text": frame })).await;
    sold(&shop, &[SLUG]).await;
    let text = shop.newest_mail("lan@example.com").await["text"].as_str().unwrap().to_owned();
    assert!(text.contains("12 Nguyễn Trãi") && !text.starts_with("Chào"), "{text}");
    for name in ["new_version", "on_its_way", "topup", "surplus", "refund"] {
        let (_, seen) = ask(&shop, "POST", &format!("{name}/vi/preview"), Some(json!({}))).await;
        assert!(seen["text"].as_str().unwrap().contains("12 Nguyễn Trãi"), "{name}: {seen}");
    }
}
