//! Telling the owner: over four channels, never too often, nothing lost, no token anywhere.

use std::time::Duration;

use chotdon_core::domain::channel::Channel;
use chotdon_core::outgoing::signature;
use chotdon_core::store::{INFORMATION, NEEDS_OWNER, Raise, STOPPED, Store};
use chotdon_tests::telegram::{BOT_TOKEN, CHAT, Telegram};
use chotdon_tests::{Ground, Listener, Setup, TestShop};
use secrecy::SecretString;
use serde_json::{Value, json};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const HOUR_MS: i64 = 3_600_000;

/// A shop that tells its owner over everything, with what hears it.
struct Told {
    shop: TestShop,
    telegram: Telegram,
    webhook: Listener,
}

impl Told {
    async fn start(more: Vec<(&'static str, String)>) -> Self {
        let (telegram, webhook) = (Telegram::start().await, Listener::start().await);
        let ground = Ground::new();
        ground.set_secret("telegram.bot_token", BOT_TOKEN);
        ground.set_secret("alerts.webhook_secret", SECRET);
        let mut env = vec![
            ("CHOTDON_NOTIFICATIONS__TELEGRAM_CHAT", CHAT.to_owned()),
            ("CHOTDON_NOTIFICATIONS__TELEGRAM_API", telegram.url()),
            ("CHOTDON_NOTIFICATIONS__TELEGRAM_ABOUT", "all".to_owned()),
            ("CHOTDON_NOTIFICATIONS__WEBHOOK_URL", webhook.url()),
            ("CHOTDON_NOTIFICATIONS__WEBHOOK_PRIVATE", "true".to_owned()),
            ("CHOTDON_NOTIFICATIONS__MAIL_TO", "chu@example.com".to_owned()),
            ("CHOTDON_NOTIFICATIONS__MAIL_ABOUT", "all".to_owned()),
            ("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned()),
        ];
        env.extend(more);
        let shop = TestShop::on(ground, Setup { env, probe: None }).await;
        Self { shop, telegram, webhook }
    }

    /// Something happened `times` times, each in a commit of its own; the shop takes notice afterwards.
    async fn happens(&self, class: i64, key: &str, code: &str, times: usize) {
        self.all_happen(class, &[key.to_owned()], code, times).await;
    }

    /// The same of several causes.
    async fn all_happen(&self, class: i64, keys: &[String], code: &str, times: usize) {
        let store = Store::open(self.shop.dir()).await.unwrap();
        for channel in Channel::ALL {
            store.tuning().tell(channel, INFORMATION);
        }
        for key in std::iter::repeat_n(keys, times).flatten() {
            let raise = Raise {
                class,
                merge_key: Some(key.clone()),
                kind: "task_failed",
                data: json!({ "code": code, "task_kind": "deliver_order" }),
                task: None,
            };
            store.raise_notice(raise, self.shop.clock.now_ms()).await.unwrap();
        }
        store.close().await;
        self.look();
    }

    /// Has the shop look for what others have written, as it does twice a minute.
    fn look(&self) {
        self.shop.clock.jump(1);
    }

    /// How many messages each channel has brought: desktop, Telegram, webhook, mail.
    fn messages(&self) -> [usize; 4] {
        let mails = self.shop.mails().len();
        [self.shop.notifier.shown().len(), self.telegram.texts().len(), self.webhook.told().len(), mails]
    }

    /// Waits until nothing is left to be told now.
    async fn quiet(&self) {
        self.shop
            .until(|| async {
                self.look();
                let (_, queue) = self.shop.admin("GET", "/admin/api/queue", None).await;
                let lane = queue["lanes"].as_array()?.iter().find(|lane| lane["name"] == "owner")?.clone();
                (lane["ready"] == 0 && lane["running"] == 0).then_some(())
            })
            .await;
    }

    async fn messages_are(&self, expected: [usize; 4]) {
        let there = || async {
            self.look();
            (self.messages() == expected).then_some(())
        };
        self.shop.until(there).await;
    }
}

async fn notices(shop: &TestShop) -> Vec<Value> {
    let (_, page) = shop.admin("GET", "/admin/api/notices", None).await;
    page["rows"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_thousand_failures_of_three_causes_are_three_messages() {
    let told = Told::start(Vec::new()).await;
    for (key, times) in [("a", 334), ("b", 333), ("c", 333)] {
        told.happens(NEEDS_OWNER, key, "source_not_found", times).await;
    }
    told.quiet().await;
    told.messages_are([3, 3, 3, 3]).await;
    let open = notices(&told.shop).await;
    assert_eq!(open.len(), 3, "{open:?}");
    assert_eq!(open.iter().map(|one| one["count"].as_i64().unwrap()).sum::<i64>(), 1_000);
    // It goes on: within the next minute each cause is told once more at most, with its count.
    told.shop.clock.jump(61_000);
    for key in ["a", "b", "c"] {
        told.happens(NEEDS_OWNER, key, "source_not_found", 50).await;
    }
    told.quiet().await;
    let now = told.messages();
    assert!(now.iter().all(|n| (4..=6).contains(n)), "{now:?}");
    assert!(told.telegram.texts().last().unwrap().contains("tác vụ thất bại"), "{:?}", told.telegram.texts());
}

#[tokio::test]
async fn a_thousand_failures_in_ten_minutes_keep_to_three_messages_a_minute_and_twenty_an_hour() {
    let told = Told::start(Vec::new()).await;
    let mut before = [0; 4];
    for minute in 0..10 {
        // The owner would hear of each of these by itself: they come one after the other.
        for part in 0..5 {
            let keys: Vec<String> = (0..10).map(|n| format!("cause-{minute}-{part}-{n}")).collect();
            told.all_happen(NEEDS_OWNER, &keys, "source_not_found", 2).await;
            told.quiet().await;
        }
        let now = told.messages();
        let more: Vec<usize> = now.iter().zip(before).map(|(now, before)| now - before).collect();
        assert!(more.iter().all(|n| *n <= 3), "minute {minute}: {more:?}");
        before = now;
        told.shop.clock.jump(60_000);
    }
    assert!(before.iter().all(|n| (10..=20).contains(n)), "{before:?}");
    let (mut causes, mut failures, mut after) = (0, 0, String::new());
    loop {
        let path = format!("/admin/api/notices?limit=200{after}");
        let (_, page) = told.shop.admin("GET", &path, None).await;
        let rows = page["rows"].as_array().unwrap();
        causes += rows.len();
        failures += rows.iter().map(|row| row["count"].as_i64().unwrap()).sum::<i64>();
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!((causes, failures), (500, 1_000), "the inbox has all of them");
    // An hour later one message is about the rest, and nothing is left over.
    told.shop.clock.jump(HOUR_MS);
    told.shop
        .until(|| async {
            told.look();
            let path = "/admin/api/tasks?lane=owner&state=scheduled";
            let (_, tasks) = told.shop.admin("GET", path, None).await;
            tasks["rows"].as_array().is_some_and(Vec::is_empty).then_some(())
        })
        .await;
    told.quiet().await;
    let after = told.messages();
    assert!(after.iter().zip(before).all(|(after, before)| after - before <= 3), "{before:?} then {after:?}");
}

#[tokio::test]
async fn many_causes_at_once_end_in_one_message_about_the_rest() {
    let told = Told::start(Vec::new()).await;
    for key in 0..12 {
        told.happens(NEEDS_OWNER, &format!("cause-{key}"), "disk_full", 1).await;
    }
    told.quiet().await;
    assert!(told.messages().iter().all(|n| *n <= 3), "{:?}", told.messages());
    told.shop.clock.jump(61_000);
    told.look();
    told.shop
        .until(|| async {
            told.telegram.texts().iter().any(|text| text.contains("việc cần xem")).then_some(())
        })
        .await;
    told.quiet().await;
    assert!(told.messages().iter().all(|n| *n <= 5), "{:?}", told.messages());
    // Nothing is left over.
    told.shop
        .until(|| async {
            told.look();
            let (_, tasks) =
                told.shop.admin("GET", "/admin/api/tasks?lane=owner&state=scheduled", None).await;
            tasks["rows"].as_array().is_some_and(Vec::is_empty).then_some(())
        })
        .await;
    assert!(told.messages().iter().all(|n| *n <= 5), "{:?}", told.messages());
}

#[tokio::test]
async fn each_channel_says_what_it_is_for() {
    let told = Told::start(vec![
        ("CHOTDON_NOTIFICATIONS__TELEGRAM_ABOUT", "stopped".to_owned()),
        ("CHOTDON_NOTIFICATIONS__MAIL_ABOUT", "needs_owner".to_owned()),
    ])
    .await;
    told.happens(INFORMATION, "news", "x", 1).await;
    told.messages_are([1, 0, 1, 0]).await;
    told.happens(NEEDS_OWNER, "need", "x", 1).await;
    told.messages_are([2, 0, 2, 1]).await;
    told.happens(STOPPED, "stop", "x", 1).await;
    told.messages_are([3, 1, 3, 2]).await;
    told.quiet().await;
    assert_eq!(told.messages(), [3, 1, 3, 2]);
    assert!(told.telegram.texts()[0].starts_with("‼ "), "{:?}", told.telegram.texts());
}

#[tokio::test]
async fn the_owners_address_gets_signed_messages() {
    let told = Told::start(Vec::new()).await;
    told.happens(STOPPED, "stop", "disk_full", 1).await;
    told.messages_are([1, 1, 1, 1]).await;
    let one = told.webhook.told().remove(0);
    let made = |secret: &str| signature(&SecretString::from(secret), &one.id, one.stamp, &one.body).unwrap();
    assert_eq!(one.signature, made(SECRET));
    assert_ne!(one.signature, made("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"), "the control");
    let body = one.json();
    assert_eq!((&body["type"], &body["data"]["urgent"]), (&json!("owner.notice"), &json!(true)));
    assert_eq!(body["data"]["notices"][0]["class"], "stopped");
}

#[tokio::test]
async fn a_channel_that_fails_is_told_by_the_others_and_loses_nothing() {
    let told = Told::start(Vec::new()).await;
    told.telegram.answers(&[401]);
    told.happens(NEEDS_OWNER, "one", "disk_full", 1).await;
    let parked = told
        .shop
        .until(|| async { notices(&told.shop).await.into_iter().find(|one| one["kind"] == "service_parked") })
        .await;
    assert_eq!(
        (&parked["data"]["service"], &parked["data"]["code"]),
        (&json!("telegram"), &json!("telegram_unauthorized"))
    );
    told.messages_are([2, 0, 2, 2]).await;
    told.quiet().await;
    assert_eq!(told.telegram.calls(), 1, "it is left alone");
    // A new token lets it go on with what it owes.
    let token = json!({ "value": BOT_TOKEN });
    assert_eq!(told.shop.admin("PUT", "/admin/api/secrets/telegram.bot_token", Some(token)).await.0, 200);
    told.messages_are([2, 1, 2, 2]).await;
    let text = told.telegram.texts().remove(0);
    assert!(text.contains("ổ đĩa đầy"), "{text}");
    told.quiet().await;
    assert_eq!(told.telegram.texts().len(), 1, "its own failure is no news to it");
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let told = Told::start(Vec::new()).await;
    told.telegram.answers(&[500, 429, 200]);
    told.webhook.answers(&[503]);
    told.happens(NEEDS_OWNER, "one", "disk_full", 1).await;
    told.shop
        .until(|| async {
            // The waits are by the shop's clock.
            told.shop.clock.jump(10_000);
            told.look();
            (told.telegram.texts().len() == 1 && told.webhook.told().len() == 2).then_some(())
        })
        .await;
    let ids: Vec<String> = told.webhook.told().into_iter().map(|one| one.id).collect();
    assert_eq!(ids[0], ids[1], "a retry is the same message");
    // The desktop and the mail go their own ways, no slower than a busy machine makes them.
    told.messages_are([1, 1, 2, 1]).await;
    told.quiet().await;
    assert_eq!(told.messages(), [1, 1, 2, 1]);
}

#[tokio::test]
async fn quiet_hours_hold_what_can_wait_and_the_morning_sums_it_up() {
    let told = Told::start(vec![
        ("CHOTDON_NOTIFICATIONS__QUIET_FROM", "22:00".to_owned()),
        ("CHOTDON_NOTIFICATIONS__QUIET_TO", "07:00".to_owned()),
    ])
    .await;
    // To 23:00 in Vietnam, which is 16:00 UTC.
    let now = told.shop.clock.now_ms();
    told.shop.clock.jump((16 * HOUR_MS - now).rem_euclid(24 * HOUR_MS));
    told.happens(NEEDS_OWNER, "one", "disk_full", 1).await;
    told.happens(INFORMATION, "two", "disk_full", 1).await;
    told.quiet().await;
    assert_eq!(told.messages(), [0, 0, 0, 0]);
    told.happens(STOPPED, "three", "disk_full", 1).await;
    told.messages_are([1, 1, 1, 1]).await;
    told.quiet().await;
    told.shop.clock.jump(8 * HOUR_MS + 1_000);
    told.look();
    told.messages_are([2, 2, 2, 2]).await;
    told.quiet().await;
    assert_eq!(told.messages(), [2, 2, 2, 2]);
    assert!(told.telegram.texts()[1].contains("2 việc cần xem"), "{:?}", told.telegram.texts());
}

#[tokio::test]
async fn the_test_buttons_say_what_is_wrong_and_never_the_token() {
    let told = Told::start(Vec::new()).await;
    let test = async |channel: &str| {
        let (status, row) =
            told.shop.admin("POST", &format!("/admin/api/channels/{channel}/test"), Some(json!({}))).await;
        assert_eq!(status, 200, "{row}");
        row
    };
    for channel in ["desktop", "telegram", "webhook", "mail"] {
        assert_eq!(test(channel).await["state"], "pass", "{channel}");
    }
    assert_eq!(told.messages(), [1, 1, 1, 1]);
    assert_eq!(told.webhook.told()[0].event(), "owner.test");
    for (answer, code) in
        [(401, "telegram_unauthorized"), (403, "telegram_chat_wrong"), (500, "telegram_unreachable")]
    {
        told.telegram.answers(&[answer]);
        assert_eq!(test("telegram").await["code"], code);
    }
    assert_eq!(told.shop.admin("POST", "/admin/api/channels/pigeon/test", Some(json!({}))).await.0, 400);

    // Nobody listens there; the token is in the address that was called.
    let settings = json!({
        "desktop_about": "all", "telegram_chat": CHAT, "telegram_about": "all", "webhook_url": "",
        "webhook_about": "all", "webhook_private": false, "mail_to": "", "mail_about": "all",
    });
    assert_eq!(told.shop.admin("PUT", "/admin/api/settings/channels", Some(settings)).await.0, 200);
    let gone =
        Told::start(vec![("CHOTDON_NOTIFICATIONS__TELEGRAM_API", "http://127.0.0.1:9".to_owned())]).await;
    let (_, row) = gone.shop.admin("POST", "/admin/api/channels/telegram/test", Some(json!({}))).await;
    assert_eq!(row["code"], "telegram_unreachable");
    let (secret, said) = (BOT_TOKEN.split_once(':').unwrap().1, row.to_string());
    assert!(!said.contains(secret) && !said.contains("127.0.0.1:9/bot"), "{said}");
    let (_, audit) = gone.shop.admin("GET", "/admin/api/audit", None).await;
    assert!(audit.to_string().contains("channel.test") && !audit.to_string().contains(secret));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let shop = TestShop::start().await;
    let with = |key: &str, value: Value| {
        let mut settings = json!({
            "desktop_about": "all", "telegram_chat": "", "telegram_about": "needs_owner", "webhook_url": "",
            "webhook_about": "all", "webhook_private": false, "mail_to": "", "mail_about": "stopped",
        });
        settings[key] = value;
        settings
    };
    for (key, value, status) in [
        ("mail_to", json!("chu@example.com"), 200),
        ("mail_to", json!("a b@example.com"), 400),
        ("telegram_chat", json!("-1001234567890"), 200),
        ("telegram_chat", json!("@kenh_cua_toi"), 200),
        ("telegram_chat", json!("https://t.me/x"), 400),
        ("webhook_url", json!("https://ntfy.example.com/x"), 200),
        ("webhook_url", json!("http://127.0.0.1:1/"), 400),
        ("webhook_url", json!("https://169.254.169.254/"), 400),
        ("telegram_about", json!("some"), 400),
    ] {
        let (answered, body) =
            shop.admin("PUT", "/admin/api/settings/channels", Some(with(key, value.clone()))).await;
        assert_eq!(answered, status, "{key} = {value}: {body}");
    }
    let (_, settings) = shop.admin("GET", "/admin/api/settings", None).await;
    assert_eq!(settings["channels"]["webhook_url"], "https://ntfy.example.com/x");
    tokio::time::timeout(Duration::from_secs(30), shop.stop()).await.unwrap();
}

/// Something happens every minute, for so many minutes.
async fn goes_on(told: &Told, minutes: usize) {
    for _ in 0..minutes {
        told.happens(NEEDS_OWNER, "again", "disk_full", 1).await;
        told.quiet().await;
        told.shop.clock.jump(60_000);
    }
}

#[tokio::test]
async fn after_thirty_quiet_minutes_a_cause_is_told_as_one_that_is_new() {
    let told = Told::start(Vec::new()).await;
    // At once, after 1, 5 and 15 minutes; the next one would be after an hour.
    goes_on(&told, 24).await;
    told.quiet().await;
    let before = told.telegram.texts().len();
    assert_eq!(before, 4, "{:?}", told.telegram.texts());
    // The control: a pause that is shorter than that changes nothing.
    told.shop.clock.jump(25 * 60_000);
    goes_on(&told, 2).await;
    told.quiet().await;
    assert_eq!(told.telegram.texts().len(), before, "{:?}", told.telegram.texts());
    // After more than thirty it is told at once, although a turn of the old pace is near, and again a minute later.
    told.shop.clock.jump(29 * 60_000 + 30_000);
    told.happens(NEEDS_OWNER, "again", "disk_full", 1).await;
    told.quiet().await;
    assert_eq!(told.telegram.texts().len(), before + 1, "{:?}", told.telegram.texts());
    told.shop.clock.jump(60_000);
    goes_on(&told, 2).await;
    told.quiet().await;
    assert_eq!(told.telegram.texts().len(), before + 2, "{:?}", told.telegram.texts());
    // An address that knows messages by their ids takes none for another.
    let ids: std::collections::BTreeSet<_> = told.webhook.told().iter().map(|one| one.id.clone()).collect();
    assert_eq!(ids.len(), told.webhook.told().len());
}
