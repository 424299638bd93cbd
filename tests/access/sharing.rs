//! One permission an address, given once and taken back with the last order that needs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chotdon_tests::Setup;
use chotdon_tests::drive::Refusal;

use crate::stage::Stage;

const LAN: &str = "lan@example.com";
const DAY_MS: i64 = 24 * 3_600_000;

#[tokio::test]
async fn a_buyer_gets_a_permission_of_their_own_and_googles_mail_stays_off() {
    let stage = Stage::set(&[]).await;
    let code = stage.delivered_to(LAN).await;
    assert_eq!(stage.readers(), [LAN]);
    assert_eq!(stage.google.counts().mails, 0);
    let order = stage.shop.look(&code).await;
    assert_eq!(
        (&order["access"][0]["state"], &order["access"][0]["email"]),
        (&"granted".into(), &LAN.into())
    );
    let link = order["items"][0]["link"].as_str().unwrap();
    assert!(link.contains(&stage.folder()), "{link}");
    assert_eq!(stage.shop.mails().len(), 1);
    let mail =
        std::fs::read_to_string(stage.shop.dir().join("mailbox").join(&stage.shop.mails()[0])).unwrap();
    assert!(mail.contains(&stage.folder()) && mail.contains(LAN), "{mail}");
    stage.shop.sound().await;
}

#[tokio::test]
async fn a_hundred_orders_make_one_upload_a_hundred_permissions_and_mails_and_a_refund_takes_one_back() {
    let stage = Stage::unprepared(&[("CHOTDON_WORKERS__COUNT", "4")], Setup::default()).await;
    let mut codes = Vec::new();
    for n in 0..100 {
        codes.push(stage.bought_by(&format!("khach{n}@example.com")).await);
    }
    for code in &codes {
        stage.shop.settled(code, "completed").await;
    }
    let counts = stage.google.counts();
    assert_eq!(counts.of("start"), 2, "each of the two files goes up once");
    assert_eq!((counts.permissions, counts.of("share")), (100, 100));
    assert_eq!((stage.readers().len(), stage.shop.mails().len()), (100, 100));

    stage.refund(&codes[41]).await;
    stage.access(&codes[41], "revoked").await;
    let readers = stage.readers();
    assert_eq!(readers.len(), 99);
    assert!(!readers.contains(&"khach41@example.com".to_owned()));
    stage.shop.sound().await;
}

#[tokio::test]
async fn two_orders_of_one_buyer_share_a_permission_that_lives_as_long_as_one_of_them() {
    let stage = Stage::set(&[]).await;
    let first = stage.delivered_to(LAN).await;
    let second = stage.delivered_to("Lan@Example.com").await;
    assert_eq!(stage.google.counts().of("share"), 1, "the second order finds it there");

    stage.refund(&first).await;
    stage.access(&first, "revoked").await;
    assert_eq!(
        (stage.readers().len(), stage.google.counts().of("unshare")),
        (1, 0),
        "kept for the other one"
    );

    // The control: nothing keeps it any more.
    stage.refund(&second).await;
    stage.access(&second, "revoked").await;
    assert_eq!((stage.readers().len(), stage.google.counts().of("unshare")), (0, 1));
    stage.shop.sound().await;
}

#[tokio::test]
async fn a_crash_between_the_call_and_its_record_gives_no_second_permission() {
    let stage = Stage::set(&[]).await;
    stage.delivered_to("an@example.com").await;
    // The answer is lost, as it is when the power goes: Drive has done it, and nobody here knows.
    let lost = Refusal { done_all_the_same: true, ..Refusal::once("share", 503, "backendError") };
    stage.google.faults(|faults| faults.refusals.push(lost));
    let code = stage.bought_by(LAN).await;
    stage.shop.settled(&code, "completed").await;
    assert_eq!(stage.google.counts().of("share"), 2, "looked at, not repeated");
    assert_eq!(stage.readers().len(), 2);

    // The control: one that was not done is made by the next attempt.
    stage.google.faults(|faults| faults.refusals.push(Refusal::once("share", 503, "backendError")));
    let code = stage.bought_by("binh@example.com").await;
    stage.shop.settled(&code, "completed").await;
    assert_eq!(stage.google.counts().of("share"), 4);
    assert_eq!(stage.readers().len(), 3);
}

#[tokio::test]
async fn a_shop_that_is_ended_while_it_shares_finds_the_permission_when_it_starts_again() {
    let reached = Arc::new(tokio::sync::Notify::new());
    let (seen, armed) = (reached.clone(), Arc::new(AtomicBool::new(true)));
    let probe: chotdon_core::ports::Probe = Some(Arc::new(move |point: &str| {
        let stops = point == "access.shared" && armed.swap(false, Ordering::SeqCst);
        let seen = seen.clone();
        Box::pin(async move {
            if stops {
                seen.notify_one();
                std::future::pending::<()>().await;
            }
        })
    }));
    let stage = Stage::with(&[], Setup { probe, ..Setup::default() }).await;
    let code = stage.bought_by(LAN).await;
    reached.notified().await;
    assert_eq!(stage.readers(), [LAN]);
    let Stage { google, shop } = stage;
    assert_eq!(shop.look(&code).await["access"][0]["state"], "intent");
    let ground = shop.stop().await;
    let shop = Stage::open(&google, ground, &[], Setup::default()).await;
    shop.settled(&code, "completed").await;
    let stage = Stage { google, shop };
    assert_eq!((stage.google.counts().of("share"), stage.readers().len()), (1, 1));
    assert_eq!(stage.shop.mails().len(), 1);
    stage.shop.sound().await;
}

#[tokio::test]
async fn a_refund_while_it_is_shared_leaves_nothing_behind() {
    let reached = Arc::new(tokio::sync::Notify::new());
    let goes_on = Arc::new(tokio::sync::Notify::new());
    let (seen, waits) = (reached.clone(), goes_on.clone());
    let probe: chotdon_core::ports::Probe = Some(Arc::new(move |point: &str| {
        let stops = point == "access.shared";
        let (seen, waits) = (seen.clone(), waits.clone());
        Box::pin(async move {
            if stops {
                seen.notify_one();
                waits.notified().await;
            }
        })
    }));
    let stage = Stage::with(&[], Setup { probe, ..Setup::default() }).await;
    let code = stage.bought_by(LAN).await;
    reached.notified().await;
    stage.refund(&code).await;
    goes_on.notify_one();
    stage.access(&code, "revoked").await;
    assert_eq!(stage.readers(), Vec::<String>::new());
    stage.shop.until(|| async { (!stage.shop.mails().is_empty()).then_some(()) }).await;
    let [mail] = &stage.shop.mails()[..] else { panic!("one mail, about the money") };
    let mail = std::fs::read_to_string(stage.shop.dir().join("mailbox").join(mail)).unwrap();
    assert!(!mail.contains(&stage.folder()), "nobody is told of a course they do not get: {mail}");
    assert_eq!(stage.shop.look(&code).await["order"]["stage"], "refunded");
    stage.shop.sound().await;
}

#[tokio::test]
async fn a_permission_that_is_gone_already_counts_as_taken_back() {
    let stage = Stage::set(&[]).await;
    let code = stage.delivered_to(LAN).await;
    stage.google.tamper(&stage.folder(), |folder| folder.permissions.clear());
    stage.refund(&code).await;
    stage.access(&code, "revoked").await;
    assert_eq!(stage.google.counts().of("unshare"), 1);
}

#[tokio::test]
async fn a_redelivery_gives_back_what_was_taken_away_behind_our_back_and_nothing_twice() {
    let stage = Stage::set(&[]).await;
    let code = stage.delivered_to(LAN).await;
    let again = format!("/admin/api/orders/{code}/redeliver");
    let mails = |n: usize| {
        let stage = &stage;
        async move { stage.shop.until(|| async { (stage.shop.mails().len() == n).then_some(()) }).await }
    };
    assert_eq!(stage.shop.admin("POST", &again, None).await.0, 200);
    mails(2).await;
    assert_eq!(stage.google.counts().of("share"), 1, "it is there");
    stage.shop.settled(&code, "completed").await;
    stage.google.tamper(&stage.folder(), |folder| folder.permissions.clear());
    let done = || async { stage.shop.admin("POST", &again, None).await.0 == 200 };
    stage.shop.until(|| async { done().await.then_some(()) }).await;
    mails(3).await;
    assert_eq!((stage.google.counts().of("share"), stage.readers().len()), (2, 1));
}

#[tokio::test]
async fn access_ends_at_its_time_by_our_own_timer_where_google_cannot_end_it() {
    let stage = Stage::set(&[("CHOTDON_DRIVE__ACCESS_DAYS", "30")]).await;
    stage.google.faults(|faults| faults.cannot_expire = true);
    let code = stage.delivered_to(LAN).await;
    assert_eq!(stage.shared()[0].expires, None, "Google refused the end, and gave the rest");
    assert!(stage.shop.look(&code).await["access"][0]["expires_at"].is_string());

    stage.shop.clock.jump(29 * DAY_MS);
    let later = stage.delivered_to("an@example.com").await;
    assert_eq!(stage.readers().len(), 2, "not before");
    stage.shop.clock.jump(DAY_MS + 60_000);
    stage.access(&code, "revoked").await;
    assert_eq!(stage.readers(), ["an@example.com"]);
    assert_eq!(stage.shop.look(&later).await["access"][0]["state"], "granted");
    assert_eq!(stage.shop.look(&code).await["order"]["stage"], "completed");
    stage.shop.sound().await;
}

#[tokio::test]
async fn a_later_order_of_the_same_buyer_lasts_its_own_time() {
    let stage = Stage::set(&[("CHOTDON_DRIVE__ACCESS_DAYS", "30")]).await;
    let first = stage.delivered_to(LAN).await;
    let ends = stage.shared()[0].expires.clone().expect("Google ends it");
    stage.shop.clock.jump(10 * DAY_MS);
    let second = stage.delivered_to(LAN).await;
    let later = stage.shared()[0].expires.clone().expect("Google ends it");
    assert!(later > ends, "{later} after {ends}");
    stage.shop.clock.jump(20 * DAY_MS + 60_000);
    stage.access(&first, "revoked").await;
    assert_eq!(stage.readers(), [LAN], "the second order's time is not over");
    stage.shop.clock.jump(10 * DAY_MS);
    stage.access(&second, "revoked").await;
    assert_eq!(stage.readers(), Vec::<String>::new());
}

#[tokio::test]
async fn an_address_without_a_google_account_is_invited_by_google() {
    let stage = Stage::set(&[]).await;
    stage.google.faults(|faults| {
        faults.strangers.insert(LAN.to_owned());
    });
    stage.delivered_to(LAN).await;
    assert_eq!((stage.google.counts().mails, stage.google.counts().of("share")), (1, 2));
    stage.delivered_to("an@example.com").await;
    assert_eq!(stage.google.counts().mails, 1, "the control: nobody else is");
}

#[tokio::test]
async fn a_share_whose_mail_failed_is_looked_at_before_it_is_made_again() {
    let stage = Stage::set(&[]).await;
    let unclear = Refusal { done_all_the_same: true, ..Refusal::once("share", 400, "invalidSharingRequest") };
    stage.google.faults(|faults| faults.refusals.push(unclear));
    stage.delivered_to(LAN).await;
    assert_eq!((stage.google.counts().of("share"), stage.readers().len()), (1, 1));
}
