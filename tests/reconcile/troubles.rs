//! What goes wrong between the app and SePay, and what is said of it.

use chotdon_tests::TestShop;

use super::{begin, notices, reconcile, shop_at, until_done, until_state};

#[tokio::test]
async fn without_a_token_nothing_fails_and_it_says_so() {
    let shop = TestShop::start().await;
    let stands = until_state(&shop, "off").await;
    assert_eq!(
        (stands["configured"].as_bool(), stands["code"].as_str()),
        (Some(false), Some("sepay_token_missing"))
    );
    let (status, problem) = shop.admin("POST", "/admin/api/reconcile", None).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("sepay_token_missing")));
    assert_eq!(shop.money().await["difference_vnd"], 0);
    assert!(notices(&shop).await.is_empty());
}

#[tokio::test]
async fn a_payment_without_its_webhook_is_found_on_demand() {
    let (sepay, ground) = begin().await;
    let shop = shop_at(&sepay, ground).await;
    until_done(&shop).await;
    let (code, total) = shop.order(&["rust-co-ban"]).await;
    sepay.receives(shop.clock.now_ms(), total, &code);
    let run = reconcile(&shop).await;
    assert_eq!((run["state"].as_str(), run["cause"].as_str()), (Some("done"), Some("demand")), "{run}");
    assert_eq!((run["added"].as_i64(), run["added_vnd"].as_i64()), (Some(1), Some(total)));
    shop.settled(&code, "completed").await;
    assert_eq!(reconcile(&shop).await["added"], 0);
    assert_eq!(shop.money().await["in_vnd"], total);
}
