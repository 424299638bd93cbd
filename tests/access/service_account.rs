//! A shared drive that a service account manages: no owner's consent, no refresh token, no storage of its own.

use chotdon_tests::drive::{AccountKey, DriveStandIn};
use chotdon_tests::{Ground, Setup, TestShop};
use serde_json::{Value, json};

use crate::stage::service;

const ACCOUNT: &str = "shop@shop-1.iam.gserviceaccount.com";
const LAN: &str = "lan@example.com";

/// Google with a shared drive of `key`'s account, and a shop that has nothing but `held` to say who it is.
async fn stage(
    key: &AccountKey,
    held: &AccountKey,
    env: &[(&'static str, &str)],
) -> (DriveStandIn, TestShop, String) {
    let google = DriveStandIn::start().await.unwrap();
    let drive = google.shared_drive(key);
    let ground = Ground::new();
    ground.set_secret("google.service_account", &held.file);
    let mut all = google.env();
    all.push(("CHOTDON_SERVICES__SHARE_EVERY_S", "0".to_owned()));
    all.push(("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned()));
    all.push(("CHOTDON_DRIVE__SHARED_DRIVE_ID", drive.clone()));
    all.retain(|(name, _)| env.iter().all(|(other, _)| other != name));
    all.extend(
        env.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (*name, (*value).to_owned())),
    );
    let shop = TestShop::on(ground, Setup { env: all, probe: None }).await;
    let files = shop.dir().join("ve-chi");
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join("bai-1.md"), "đường thẳng").unwrap();
    let course = json!({ "title": "Vẽ chì", "price_vnd": 300_000, "source": { "kind": "folder", "path": files },
                         "target": { "kind": "drive" }, "active": true });
    let (status, answer) = shop.admin("PUT", "/admin/api/courses/ve-chi", Some(course)).await;
    assert_eq!(status, 200, "{answer}");
    (google, shop, drive)
}

async fn bought(shop: &TestShop) -> String {
    let (code, total) = shop.order(&["ve-chi"]).await;
    assert_eq!(shop.bank_receives(total, &code).await, "paid");
    code
}

#[tokio::test]
async fn a_service_account_brings_courses_to_its_shared_drive_and_shares_them_there() {
    let key = AccountKey::new(ACCOUNT);
    let (google, shop, drive) = stage(&key, &key, &[]).await;
    let code = bought(&shop).await;
    let order = shop.settled(&code, "completed").await;
    let items: Vec<_> = google.items().into_values().collect();
    assert_eq!(items.len(), 2, "{items:?}");
    assert!(items.iter().all(|item| item.drive.as_deref() == Some(drive.as_str())), "{items:?}");
    let folder = items.iter().find(|item| item.size.is_none()).unwrap().id.clone();
    let readers = || google.readers(&folder).into_iter().map(|one| one.email).collect::<Vec<_>>();
    assert_eq!(readers(), [LAN]);
    assert!(order["items"][0]["link"].as_str().unwrap().contains(&folder), "{order}");
    let (_, account) = shop.admin("GET", "/admin/api/google", None).await;
    assert_eq!(account["state"], "connected", "{account}");

    let why = json!({ "reason": "khách đổi ý" });
    let (status, answer) = shop.admin("POST", &format!("/admin/api/orders/{code}/refund"), Some(why)).await;
    assert_eq!(status, 200, "{answer}");
    shop.until(|| async { readers().is_empty().then_some(()) }).await;
    assert_eq!(google.items().len(), 2, "the course itself stays");
    // The control: whoever does not say that they know of shared drives sees nothing of it.
    let address = format!("{}/drive/v3/files/{folder}", google.base);
    for (query, status) in [("", 404), ("?supportsAllDrives=true", 200)] {
        let answer =
            shop.http.get(format!("{address}{query}")).bearer_auth(chotdon_tests::drive::FOREIGN_TOKEN);
        assert_eq!(answer.send().await.unwrap().status(), status, "{query}");
    }
    shop.sound().await;
}

#[tokio::test]
async fn a_key_that_google_does_not_know_parks_and_burns_no_attempt_until_it_is_right() {
    let (key, other) = (AccountKey::new(ACCOUNT), AccountKey::new(ACCOUNT));
    let (google, shop, _) = stage(&key, &other, &[]).await;
    let code = bought(&shop).await;
    let parked = shop
        .until(|| async {
            let row = service(&shop, "drive").await;
            (row["state"] == "parked").then_some(row)
        })
        .await;
    assert!(parked.to_string().contains("drive_reconnect"), "{parked}");
    assert!(!parked.to_string().contains("PRIVATE"), "{parked}");
    assert_eq!(shop.look(&code).await["order"]["stage"], "processing");
    assert!(google.items().is_empty());
    let right = json!({ "value": key.file });
    let (status, answer) = shop.admin("PUT", "/admin/api/secrets/google.service_account", Some(right)).await;
    assert_eq!(status, 200, "{answer}");
    let order = shop.settled(&code, "completed").await;
    let failed = |row: &&Value| row["kind"] == "attempt_failed";
    assert_eq!(order["timeline"].as_array().unwrap().iter().filter(failed).count(), 0, "{order}");
}

#[tokio::test]
async fn a_service_account_without_a_shared_drive_is_told_so_and_loses_no_order() {
    let key = AccountKey::new(ACCOUNT);
    let (google, shop, _) = stage(&key, &key, &[("CHOTDON_DRIVE__SHARED_DRIVE_ID", "")]).await;
    let code = bought(&shop).await;
    let trouble = shop
        .until(|| async {
            let (_, services) = shop.admin("GET", "/admin/api/services", None).await;
            services.to_string().contains("drive_full").then_some(services)
        })
        .await;
    assert!(trouble.to_string().contains("parked"), "{trouble}");
    assert!(google.items().values().all(|item| item.size.is_none()), "nothing was kept");
    assert_eq!(shop.look(&code).await["order"]["stage"], "processing");
}
