//! What the owner is told, and what is made up for.

use chotdon_core::ports::SecretStore;
use chotdon_tests::Ground;
use chotdon_tests::sepay::{API_TOKEN, Sepay};
use serde_json::{Value, json};

use super::{Place, notices, tunnel};

const MINUTE: i64 = 60_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_told_after_a_minute_and_once_when_it_is_back_with_what_was_made_up_for() {
    let ground = Ground::new();
    ground.secrets.set("sepay.api_token", API_TOKEN.into()).await.unwrap();
    let sepay = Sepay::open(ground.clock.clone()).await;
    let env = vec![
        ("CHOTDON_SEPAY__API_BASE", sepay.base()),
        // Only what the tunnel asks for.
        ("CHOTDON_SEPAY__RECONCILE_EVERY_S", "0".to_owned()),
    ];
    let place = Place::open(ground, true, env).await;
    let shop = &place.shop;
    place.until("up").await;

    // A flap is no news.
    place.edge.break_down(true);
    place.until("down").await;
    place.edge.break_down(false);
    place.until("up").await;
    assert!(notices(shop, "tunnel_down").await.is_empty() && notices(shop, "tunnel_back").await.is_empty());

    place.edge.break_down(true);
    place.until("down").await;
    for n in 0..4 {
        sepay.receives(shop.clock.now_ms(), 100_000 + n, "khach tra tien");
    }
    place.pace.pass(shop, MINUTE / 2).await;
    assert!(notices(shop, "tunnel_down").await.is_empty(), "not before a minute is over");
    place.pace.pass(shop, MINUTE).await;
    let told = async || notices(shop, "tunnel_down").await.into_iter().next();
    let down = shop.until(told).await;
    assert_eq!(down["data"]["code"], "tunnel_bad_gateway");
    assert_eq!((&down["class"], &down["route"]), (&json!(1), &json!("/settings?section=connection")));
    shop.until(|| async {
        shop.notifier
            .shown()
            .iter()
            .any(|toast| toast.title.contains("Mất kết nối") && toast.urgent)
            .then_some(())
    })
    .await;

    place.pace.pass(shop, 5 * MINUTE).await;
    assert_eq!(notices(shop, "tunnel_down").await[0]["count"], 1, "and not again within 15 minutes");
    place.pace.pass(shop, 10 * MINUTE).await;
    shop.until(async || told().await.filter(|down| down["count"] == 2)).await;

    place.edge.break_down(false);
    place.until("up").await;
    let back = shop.until(|| async { notices(shop, "tunnel_back").await.into_iter().next() }).await;
    assert_eq!(back["data"]["count"], 4, "{back}");
    assert!((16..=18).contains(&back["data"]["minutes"].as_i64().unwrap()), "{back}");
    assert!(notices(shop, "tunnel_down").await.is_empty(), "it is over");
    assert!(notices(shop, "caught_up").await.is_empty(), "and nothing is said twice");
    assert_eq!(shop.money().await["transfers"], 4);
    shop.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_the_owners_own_is_looked_at_without_a_program() {
    let pace = super::Pace::default();
    let env = vec![("CHOTDON_PUBLIC__BASE_URL", "https://shop.invalid/".to_owned())];
    let setup = chotdon_tests::Setup { env, probe: pace.probe() };
    let shop = chotdon_tests::TestShop::on(Ground::new(), setup).await;
    let (_, down) = pace.until_state(&shop, "down").await;
    assert_eq!((&down["kind"], &down["public_url"]), (&json!("none"), &json!("https://shop.invalid")));
    let reason = down["reason"].as_str().unwrap();
    assert!(["tunnel_dns", "tunnel_no_network"].contains(&reason), "{reason}");
    assert_eq!(tunnel(&shop).await["output"], Value::Array(Vec::new()));
}
