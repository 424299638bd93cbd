//! Connecting the owner's Google account, against the stand-in.

use chotdon_tests::drive::DriveStandIn;
use chotdon_tests::{Setup, TestShop};
use serde_json::{Value, json};

use super::{done, nothing, refused};

async fn google(shop: &TestShop) -> Value {
    shop.admin("GET", "/admin/api/google", None).await.1
}

async fn in_state(shop: &TestShop, state: &str) -> Value {
    shop.until(|| async {
        let google = google(shop).await;
        (google["state"] == state).then_some(google)
    })
    .await
}

async fn shop_beside(drive: &DriveStandIn) -> TestShop {
    let shop = TestShop::with(Setup { env: drive.env(), ..Setup::default() }).await;
    let secret = json!({ "value": "GOCSPX-test" });
    assert_eq!(shop.admin("PUT", "/admin/api/secrets/google.client_secret", Some(secret)).await.0, 200);
    shop
}

#[tokio::test]
async fn the_owner_agrees_in_a_browser_and_the_account_is_connected() {
    let drive = DriveStandIn::start().await.unwrap();
    let shop = shop_beside(&drive).await;
    assert_eq!(google(&shop).await["state"], "off");
    let url = done(&shop, "google/connect", nothing()).await["url"].as_str().unwrap().to_owned();
    assert_eq!(google(&shop).await["state"], "waiting");

    // Whatever else a browser or a stranger sends to that address changes nothing.
    let back = url::Url::parse(&url).unwrap();
    let back = back.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    for other in ["/favicon.ico", "/?state=wrong&code=4/stolen", "/"] {
        let answer = shop.http.get(format!("{back}{other}")).send().await.unwrap();
        assert!(answer.status().is_client_error(), "{other}: {}", answer.status());
    }
    assert_eq!(google(&shop).await["state"], "waiting");

    let page = shop.http.get(&url).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    let text = page.text().await.unwrap();
    assert!(text.contains("Đã kết nối") && !text.contains("code="), "{text}");
    let connected = in_state(&shop, "connected").await;
    assert!(connected["email"].as_str().unwrap().contains('@'), "{connected}");
    let (_, settings) = shop.admin("GET", "/admin/api/settings", None).await;
    assert!(!settings.to_string().contains(chotdon_tests::drive::REFRESH_TOKEN), "no page holds the token");
    assert!(shop.http.get(&back).send().await.is_err(), "nobody listens any more");

    let left = done(&shop, "google/disconnect", nothing()).await;
    assert_eq!(left["state"], "off");
    let (_, audit) = shop.admin("GET", "/admin/api/audit", None).await;
    let actions: Vec<_> = audit["rows"].as_array().unwrap().iter().map(|row| row["action"].clone()).collect();
    assert!(
        actions.contains(&json!("google.connect")) && actions.contains(&json!("google.disconnect")),
        "{actions:?}"
    );
}

#[tokio::test]
async fn a_consent_that_was_taken_back_asks_to_reconnect() {
    let drive = DriveStandIn::start().await.unwrap();
    let shop = shop_beside(&drive).await;
    let url = done(&shop, "google/connect", nothing()).await["url"].as_str().unwrap().to_owned();
    shop.http.get(&url).send().await.unwrap();
    in_state(&shop, "connected").await;
    drive.faults(|faults| faults.consent_ended = true);
    drive.expire_tokens();
    let ended = in_state(&shop, "reconnect").await;
    assert_eq!(ended["code"], "drive_reconnect");
    let url = done(&shop, "google/connect", nothing()).await["url"].as_str().unwrap().to_owned();
    assert_eq!(shop.http.get(&url).send().await.unwrap().status(), 200);
    in_state(&shop, "connected").await;
}

#[tokio::test]
async fn saying_no_and_asking_again_are_told() {
    let drive = DriveStandIn::start().await.unwrap();
    let shop = shop_beside(&drive).await;
    let first = done(&shop, "google/connect", nothing()).await["url"].as_str().unwrap().to_owned();
    let second = done(&shop, "google/connect", nothing()).await["url"].as_str().unwrap().to_owned();
    let pairs = |url: &str| -> (String, String) {
        let url = url::Url::parse(url).unwrap();
        let field = |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).unwrap().1.into_owned();
        (field("redirect_uri"), field("state"))
    };
    let ((old, _), (back, state)) = (pairs(&first), pairs(&second));
    shop.until(|| async { shop.http.get(&old).send().await.is_err().then_some(()) }).await;
    let page = shop.http.get(format!("{back}/?error=access_denied&state={state}")).send().await.unwrap();
    assert_eq!(page.status(), 400);
    let off = in_state(&shop, "off").await;
    assert_eq!(off["code"], "drive_denied", "{off}");

    let bare = TestShop::start().await;
    assert_eq!(refused(&bare, "google/connect", nothing()).await.1, "drive_client_missing");
}
