//! What SePay's webhooks did not bring is found in its list, once, over real HTTP between the app and a stand-in.

#![allow(clippy::unwrap_used)] // a test may stop anywhere

mod demo;
mod drill;
#[cfg(unix)]
mod program;
mod troubles;

use chotdon_core::ports::SecretStore;
use chotdon_tests::sepay::{API_TOKEN, Sepay};
use chotdon_tests::{Ground, Setup, TestShop};
use serde_json::Value;

/// A shop whose SePay is the stand-in.
async fn shop_at(sepay: &Sepay, ground: Ground) -> TestShop {
    TestShop::on(ground, setup(sepay)).await
}

fn setup(sepay: &Sepay) -> Setup {
    Setup { env: vec![("CHOTDON_SEPAY__API_BASE", sepay.base())], probe: None }
}

async fn token(ground: &Ground, value: &str) {
    ground.secrets.set("sepay.api_token", value.into()).await.unwrap();
}

/// A ground with the right token, and SePay.
async fn begin() -> (Sepay, Ground) {
    let ground = Ground::new();
    token(&ground, API_TOKEN).await;
    (Sepay::open(ground.clock.clone()).await, ground)
}

/// How reconciliation stands.
async fn standing(shop: &TestShop) -> Value {
    let (status, reconcile) = shop.admin("GET", "/admin/api/reconcile", None).await;
    assert_eq!(status, 200, "{reconcile}");
    reconcile
}

/// Waits until it stands like this.
async fn until_state(shop: &TestShop, state: &str) -> Value {
    shop.until(|| async {
        let reconcile = standing(shop).await;
        (reconcile["state"] == state && reconcile["last_run"]["state"] != "running").then_some(reconcile)
    })
    .await
}

/// Waits until a run has ended well.
async fn until_done(shop: &TestShop) -> Value {
    shop.until(|| async {
        let reconcile = standing(shop).await;
        (reconcile["state"] == "idle" && reconcile["last_run"]["state"] == "done").then_some(reconcile)
    })
    .await
}

/// Reconciles on demand; answers the run.
async fn reconcile(shop: &TestShop) -> Value {
    let (status, run) = shop.admin("POST", "/admin/api/reconcile", None).await;
    assert_eq!(status, 200, "{run}");
    run
}

/// Kinds of the notices that are open, the payments aside that nobody asked for.
async fn notices(shop: &TestShop) -> Vec<String> {
    let (_, page) = shop.admin("GET", "/admin/api/notices", None).await;
    let rows = page["rows"].as_array().unwrap().iter();
    rows.filter(|row| row["state"] != "resolved" && row["kind"] != "unmatched")
        .map(|row| row["kind"].as_str().unwrap().to_owned())
        .collect()
}
