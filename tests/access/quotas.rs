//! What each of Google's refusals leads to.

use chotdon_tests::drive::Refusal;
use serde_json::Value;

use crate::stage::{Stage, notices};

const HOUR_MS: i64 = 3_600_000;

fn subjects(stage: &Stage) -> Vec<String> {
    let dir = stage.shop.dir().join("mailbox");
    let read = |name: &String| std::fs::read_to_string(dir.join(name)).unwrap();
    stage.shop.mails().iter().map(read).collect()
}

#[tokio::test]
async fn a_sharing_quota_parks_sharing_tells_each_buyer_once_and_goes_on_by_itself() {
    let stage = Stage::set(&[]).await;
    stage.delivered_to("dau@example.com").await;
    stage.google.faults(|faults| faults.shares_left = Some(1));
    let fine = stage.bought_by("an@example.com").await;
    stage.shop.settled(&fine, "completed").await;
    let mut waiting = Vec::new();
    for buyer in ["binh@example.com", "chi@example.com", "dung@example.com"] {
        waiting.push(stage.bought_by(buyer).await);
    }
    let parked = stage.service_is("drive_sharing", "parked").await;
    assert_eq!(parked["code"], "drive_sharing_quota");
    assert!(parked["since"].is_string() && parked["until"].is_string(), "{parked}");
    let told = notices(&stage.shop, "drive_sharing").await;
    assert_eq!(told.len(), 1);
    assert!(told[0]["data"]["until"].is_i64() && told[0]["data"]["since"].is_i64(), "{told:?}");
    // Each buyer hears that it is on its way; the mails that went before are the two deliveries.
    stage.shop.until(|| async { (stage.shop.mails().len() == 5).then_some(()) }).await;
    stage.shop.until(|| async { (stage.service("drive_sharing").await["waiting"] == 3).then_some(()) }).await;
    let asked = stage.google.counts().of("share");
    for code in &waiting {
        let order = stage.shop.look(code).await;
        assert_eq!(order["order"]["stage"], "processing");
        assert_eq!(order["tasks"].as_array().unwrap().last().unwrap()["attempt"], 0, "no attempt is burnt");
        assert_eq!(order["tasks"].as_array().unwrap().last().unwrap()["waiting_for"], "drive_sharing");
    }

    // After an hour one is tried, in vain: a day then, and nobody is told twice.
    stage.shop.clock.jump(HOUR_MS + 1_000);
    stage.google.until(|counts| counts.of("share") == asked + 1).await;
    stage
        .shop
        .until(|| async {
            let told = notices(&stage.shop, "drive_sharing").await;
            let at = |key: &str| told.first()?["data"][key].as_i64();
            (at("until")? - at("since")? > 24 * HOUR_MS).then_some(())
        })
        .await;
    assert_eq!(stage.shop.mails().len(), 5);

    stage.google.faults(|faults| faults.shares_left = None);
    stage.shop.clock.jump(24 * HOUR_MS + 1_000);
    for code in &waiting {
        stage.shop.settled(code, "completed").await;
    }
    assert_eq!(stage.readers().len(), 5);
    assert_eq!(stage.service("drive_sharing").await["state"], "open");
    assert_eq!(notices(&stage.shop, "drive_sharing").await, Vec::<Value>::new(), "resolved by itself");
    let mails = subjects(&stage);
    assert_eq!(mails.len(), 8, "two, three that it is on its way, three deliveries");
    stage.shop.sound().await;
}

#[tokio::test]
async fn a_consent_that_ended_stops_drive_until_google_is_connected_again_and_nothing_else() {
    let stage = Stage::set(&[]).await;
    stage.delivered_to("an@example.com").await;
    stage.google.expire_tokens();
    stage.google.faults(|faults| faults.consent_ended = true);
    let code = stage.bought_by("binh@example.com").await;
    let parked = stage.service_is("drive", "parked").await;
    assert_eq!((&parked["code"], &parked["until"]), (&"drive_reconnect".into(), &Value::Null));
    assert_eq!(notices(&stage.shop, "drive").await[0]["class"], 1, "the owner has to act");

    // Courses of the app's own library go on.
    let (other, total) = stage.shop.order(&["thiet-ke-giao-dien"]).await;
    stage.shop.bank_receives(total, &other).await;
    stage.shop.settled(&other, "completed").await;
    assert_eq!(stage.shop.look(&code).await["order"]["stage"], "processing");

    stage.google.faults(|faults| faults.consent_ended = false);
    assert_eq!(stage.shop.admin("POST", "/admin/api/reload", None).await.0, 204);
    stage.shop.settled(&code, "completed").await;
    assert_eq!(notices(&stage.shop, "drive").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_rate_limit_is_waited_out_and_a_lasting_refusal_fails_at_once() {
    let stage = Stage::set(&[]).await;
    stage.delivered_to("dau@example.com").await;
    for (at, (status, reason)) in [
        (403, "userRateLimitExceeded"),
        (403, "rateLimitExceeded"),
        (429, "rateLimitExceeded"),
        (500, "backendError"),
    ]
    .into_iter()
    .enumerate()
    {
        stage.google.faults(|faults| faults.refusals.push(Refusal::once("share", status, reason)));
        let code = stage.delivered_to(&format!("khach{at}@example.com")).await;
        let order = stage.shop.look(&code).await;
        let failed = order["timeline"].as_array().unwrap().iter().find(|row| row["kind"] == "attempt_failed");
        assert_eq!(failed.unwrap()["data"]["code"], "drive_busy", "{status} {reason}");
    }
    for reason in ["insufficientFilePermissions", "appNotAuthorizedToFile", "domainPolicy"] {
        stage.google.faults(|faults| faults.refusals.push(Refusal::once("share", 403, reason)));
        let code = stage.bought_by(&format!("{reason}@example.com").to_lowercase()).await;
        let order = stage.shop.settled(&code, "failed").await;
        let last = order["tasks"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&last["error"]["code"], &last["attempt"]),
            (&"drive_denied".into(), &1.into()),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn a_daily_cap_of_our_own_lets_the_rest_wait_for_the_next_day() {
    let stage = Stage::set(&[("CHOTDON_DRIVE__SHARES_PER_DAY", "2")]).await;
    stage.delivered_to("an@example.com").await;
    stage.delivered_to("binh@example.com").await;
    let code = stage.bought_by("chi@example.com").await;
    let parked = stage.service_is("drive_sharing", "parked").await;
    assert_eq!((&parked["code"], &parked["today"]), (&"daily_cap".into(), &2.into()));
    assert_eq!(stage.google.counts().of("share"), 2, "Google was not asked");
    stage.shop.clock.jump(24 * HOUR_MS + 1_000);
    stage.shop.settled(&code, "completed").await;
    assert_eq!(stage.readers().len(), 3);
}

#[tokio::test]
async fn shares_keep_their_pace_and_the_most_urgent_goes_first() {
    let stage = Stage::set(&[("CHOTDON_SERVICES__SHARE_EVERY_S", "600")]).await;
    stage.delivered_to("dau@example.com").await;
    let mut codes = Vec::new();
    for buyer in ["an@example.com", "binh@example.com", "chi@example.com"] {
        codes.push(stage.bought_by(buyer).await);
    }
    stage.shop.until(|| async { (stage.service("drive_sharing").await["waiting"] == 3).then_some(()) }).await;
    assert_eq!(stage.google.counts().of("share"), 1, "the next one is due in ten minutes");
    let task = stage.shop.look(&codes[2]).await["tasks"].as_array().unwrap().last().unwrap()["id"].clone();
    let vip = serde_json::json!({ "vip": true });
    let (status, answer) =
        stage.shop.admin("POST", &format!("/admin/api/tasks/{task}/priority"), Some(vip)).await;
    assert!(status < 300, "{answer}");
    for (at, code) in [&codes[2], &codes[0], &codes[1]].into_iter().enumerate() {
        stage.shop.clock.jump(601_000);
        stage.shop.settled(code, "completed").await;
        assert_eq!(stage.google.counts().of("share"), at as u64 + 2);
    }
}
