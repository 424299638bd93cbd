//! A demo shop has a bank that reconciliation asks like SePay, so that a lost webhook can be tried.

use chotdon_tests::{Ground, TestShop};
use serde_json::json;

use super::{reconcile, standing, token, until_done, until_state};

#[tokio::test]
async fn a_payment_whose_webhook_was_lost_is_found_by_reconciliation() {
    let shop = TestShop::start().await;
    until_done(&shop).await;
    let (code, total) = shop.order(&["rust-co-ban"]).await;
    let (status, lost) = shop
        .admin("POST", "/admin/api/simulate-transfer", Some(json!({ "order": code, "lost": true })))
        .await;
    assert_eq!((status, &lost["http_status"]), (200, &json!(0)), "{lost}");
    assert_eq!(shop.look(&code).await["order"]["stage"], "pending", "nobody has told the shop");

    let run = reconcile(&shop).await;
    assert_eq!((&run["state"], &run["added"]), (&json!("done"), &json!(1)), "{run}");
    shop.settled(&code, "completed").await;
    assert_eq!(shop.money().await["orders_vnd"], total);

    // The bank's book outlives the program, and a webhook that did come is not counted again.
    let (again, _) = shop.order(&["rust-co-ban"]).await;
    shop.admin("POST", "/admin/api/simulate-transfer", Some(json!({ "order": again }))).await;
    shop.settled(&again, "completed").await;
    let shop = TestShop::on(shop.stop().await, chotdon_tests::Setup::default()).await;
    until_done(&shop).await;
    let run = reconcile(&shop).await;
    assert_eq!((&run["added"], &shop.money().await["difference_vnd"]), (&json!(0), &json!(0)), "{run}");
    assert_eq!(shop.stored_transfers().await, 2);
    shop.sound().await;
}

#[tokio::test]
async fn a_token_of_the_owners_is_for_sepay_and_not_for_the_demo_bank() {
    let ground = Ground::new();
    token(&ground, "the owner's own").await;
    let setup = chotdon_tests::Setup {
        env: vec![("CHOTDON_SEPAY__API_BASE", "http://127.0.0.1:9/userapi".to_owned())],
        probe: None,
    };
    let shop = TestShop::on(ground, setup).await;
    assert_eq!(until_state(&shop, "failed").await["code"], "sepay_unreachable");
    let (code, _) = shop.order(&["rust-co-ban"]).await;
    shop.admin("POST", "/admin/api/simulate-transfer", Some(json!({ "order": code, "lost": true }))).await;
    assert_eq!(reconcile(&shop).await["state"], "failed");
    assert_eq!(standing(&shop).await["configured"], true);
    assert_eq!(shop.look(&code).await["order"]["stage"], "pending");
}
