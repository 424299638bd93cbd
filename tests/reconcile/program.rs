//! `chotdon-server reconcile`, beside a running shop and without one.

use chotdon_tests::Ground;
use chotdon_tests::sepay::{API_TOKEN, Sepay};
use chotdon_tests::served::Home;
use serde_json::{Value, json};

async fn reconcile(home: &Home) -> Value {
    serde_json::from_str(&home.run(&["reconcile"], "").await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_reconciles_beside_a_running_shop_and_without_one() {
    let clock = Ground::new().clock;
    let sepay = Sepay::open(clock.clone()).await;
    let mut home = Home::new().await.unwrap();
    home.env.push(("CHOTDON_SEPAY__API_BASE", sepay.base()));
    home.set_secret("sepay.api_token", API_TOKEN).await.unwrap();
    let served = home.serve().await.unwrap();
    sepay.receives(clock.now_ms(), 20_000, "chuyen tien");
    let run = reconcile(&home).await;
    assert_eq!((&run["state"], &run["added_vnd"]), (&json!("done"), &json!(20_000)), "{run}");
    served.kill().await.unwrap();

    // What is left of the killed one says where it was; nobody answers there.
    sepay.receives(clock.now_ms(), 30_000, "chuyen tien");
    let run = reconcile(&home).await;
    assert_eq!((&run["state"], &run["added_vnd"]), (&json!("done"), &json!(30_000)), "{run}");

    home.set_secret("sepay.api_token", "of-somebody-else").await.unwrap();
    let refused = home.run(&["reconcile"], "").await.unwrap_err().to_string();
    assert!(refused.contains("exit status: 1") && refused.contains("sepay_token_wrong"), "{refused}");
    assert!(!refused.contains("of-somebody-else"));
    sepay.faults().broken = 1;
    let later = home.run(&["reconcile"], "").await.unwrap_err().to_string();
    assert!(later.contains("exit status: 75") && later.contains("sepay_unavailable"), "{later}");
    let usage = home.run(&["reconcile", "--from", "tomorrow"], "").await.unwrap_err().to_string();
    assert!(usage.contains("exit status: 2"), "{usage}");
}
