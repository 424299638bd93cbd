//! Services that are paused, that refuse our login, and that break.

use chotdon_tests::smtp::SmtpServer;
use chotdon_tests::{Setup, TestShop};
use serde_json::{Value, json};

use crate::stage::{notices, service};

async fn pause(shop: &TestShop, name: &str, minutes: Option<i64>) {
    let body = json!({ "minutes": minutes, "reason": "bảo trì" });
    let (status, answer) = shop.admin("POST", &format!("/admin/api/services/{name}/pause"), Some(body)).await;
    assert_eq!(status, 200, "{answer}");
}

async fn bought(shop: &TestShop) -> String {
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    shop.bank_receives(total, &code).await;
    code
}

async fn waiting(shop: &TestShop, name: &str, n: i64) {
    shop.until(|| async { (service(shop, name).await["waiting"] == n).then_some(()) }).await;
}

fn mail(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("CHOTDON_MAIL__TRANSPORT", "smtp".to_owned()),
        ("CHOTDON_MAIL__HOST", "localhost".to_owned()),
        ("CHOTDON_MAIL__PORT", port.to_string()),
        ("CHOTDON_MAIL__TLS", "none".to_owned()),
        ("CHOTDON_MAIL__FROM", "shop@example.com".to_owned()),
        ("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned()),
    ]
}

#[tokio::test]
async fn a_paused_service_holds_what_needs_it_over_a_restart_and_ends_by_itself() {
    let shop = TestShop::start().await;
    pause(&shop, "smtp", Some(30)).await;
    let code = bought(&shop).await;
    waiting(&shop, "smtp", 1).await;
    assert_eq!(shop.mails().len(), 0);
    let row = service(&shop, "smtp").await;
    assert_eq!((&row["state"], &row["reason"]), (&"paused".into(), &"bảo trì".into()));
    let (_, audit) = shop.admin("GET", "/admin/api/audit", None).await;
    assert!(audit["rows"].as_array().unwrap().iter().any(|row| row["action"] == "service.pause"), "{audit}");

    let shop = TestShop::on(shop.stop().await, Setup::default()).await;
    assert_eq!(service(&shop, "smtp").await["state"], "paused");
    shop.clock.jump(31 * 60_000);
    shop.settled(&code, "completed").await;
    assert_eq!((shop.mails().len(), service(&shop, "smtp").await["state"].clone()), (1, "open".into()));
    shop.sound().await;
}

#[tokio::test]
async fn a_service_goes_on_when_the_owner_says_so_and_an_unknown_one_is_refused() {
    let shop = TestShop::start().await;
    pause(&shop, "smtp", None).await;
    let code = bought(&shop).await;
    waiting(&shop, "smtp", 1).await;
    assert_eq!(shop.admin("POST", "/admin/api/services/smtp/resume", None).await.0, 200);
    shop.settled(&code, "completed").await;
    for name in ["luck", "lms:", "source:a%20b"] {
        let (status, _) = shop.admin("POST", &format!("/admin/api/services/{name}/resume"), None).await;
        assert_eq!(status, 404, "{name}");
    }
}

#[tokio::test]
async fn a_refused_login_stops_mail_alone_until_the_password_is_changed() {
    let mut server = SmtpServer::start("none", Some(("shop", "right"))).await.unwrap();
    let mut env = mail(server.port);
    env.push(("CHOTDON_MAIL__USER", "shop".to_owned()));
    let ground = chotdon_tests::Ground::new();
    ground.set_secret("smtp.password", "wrong");
    let shop = TestShop::on(ground, Setup { env, probe: None }).await;
    let codes = [bought(&shop).await, bought(&shop).await];
    waiting(&shop, "smtp", 2).await;
    let row = service(&shop, "smtp").await;
    assert_eq!((&row["state"], &row["code"]), (&"parked".into(), &"mail_auth".into()));
    assert_eq!(notices(&shop, "smtp").await.len(), 1);
    let order = shop.look(&codes[0]).await;
    assert_eq!(order["tasks"].as_array().unwrap().last().unwrap()["attempt"], 0, "no order's fault");
    assert!(order["timeline"].as_array().unwrap().iter().any(|row| row["kind"] == "service_waiting"));
    let (_, queue) = shop.admin("GET", "/admin/api/queue", None).await;
    assert!(queue["lanes"].as_array().unwrap().iter().all(|lane| lane["paused_at"].is_null()), "{queue}");

    let (status, answer) =
        shop.admin("PUT", "/admin/api/secrets/smtp.password", Some(json!({ "value": "right" }))).await;
    assert!(status < 300, "{answer}");
    for code in &codes {
        shop.settled(code, "completed").await;
        server.mail().await.unwrap();
    }
    assert_eq!(notices(&shop, "smtp").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_service_that_fails_again_and_again_is_left_alone_and_tried_by_one() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let mut env = mail(port);
    env.push(("CHOTDON_SERVICES__BREAKS_AFTER", "3".to_owned()));
    env.push(("CHOTDON_SERVICES__BREAK_S", "600".to_owned()));
    let shop = TestShop::with(Setup { env, probe: None }).await;
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(bought(&shop).await);
    }
    let row = shop
        .until(|| async {
            let row = service(&shop, "smtp").await;
            (row["state"] == "broken" && row["waiting"].as_i64() >= Some(1)).then_some(row)
        })
        .await;
    assert_eq!(row["code"], "mail_unreachable");
    assert_eq!(notices(&shop, "smtp").await.len(), 1);
    // Everybody waits: no attempt is burnt while nobody tries.
    waiting(&shop, "smtp", 4).await;
    let attempts =
        |order: &Value| order["tasks"].as_array().unwrap().last().unwrap()["attempt"].as_i64().unwrap();
    let mut burnt = 0;
    for code in &codes {
        burnt += attempts(&shop.look(code).await);
    }
    shop.clock.jump(601_000);
    // One tries, in vain, and the rest goes on waiting.
    shop.until(|| async {
        let row = service(&shop, "smtp").await;
        (row["state"] == "broken" && row["waiting"] == 3).then_some(())
    })
    .await;
    let mut now = 0;
    for code in &codes {
        now += attempts(&shop.look(code).await);
    }
    assert_eq!(now, burnt + 1);
}
