//! The public address of a shop over real programs: supervised, judged by what comes back, and told about.

#![allow(clippy::unwrap_used)] // a test may stop anywhere
#![cfg(unix)]

mod edge;
mod states;

use chotdon_core::ports::SecretStore;
use chotdon_tests::{Ground, Setup, TestShop};
use serde_json::Value;

use edge::{Edge, TOKEN};

/// How the public address stands.
async fn tunnel(shop: &TestShop) -> Value {
    let (status, tunnel) = shop.admin("GET", "/admin/api/tunnel", None).await;
    assert_eq!(status, 200, "{tunnel}");
    tunnel
}

/// Waits until it stands like this, in the machine's own time.
async fn until_state(shop: &TestShop, state: &str) -> Value {
    shop.until(|| async {
        let now = tunnel(shop).await;
        (now["state"] == state).then_some(now)
    })
    .await
}

/// Kinds of the notices that are open.
async fn notices(shop: &TestShop) -> Vec<String> {
    let (_, page) = shop.admin("GET", "/admin/api/notices", None).await;
    let rows = page["rows"].as_array().unwrap().iter().filter(|row| row["state"] != "resolved");
    rows.map(|row| row["kind"].as_str().unwrap().to_owned()).collect()
}

/// A shop behind the stand-in, with a named tunnel, and the directory of its program.
async fn begin(mut env: Vec<(&'static str, String)>) -> (Edge, TestShop, tempfile::TempDir) {
    let (edge, dir) = (Edge::open().await, tempfile::tempdir().unwrap());
    let ground = Ground::new();
    ground.secrets.set("tunnel.token", TOKEN.into()).await.unwrap();
    env.extend([
        ("CHOTDON_TUNNEL__KIND", "cloudflared".to_owned()),
        ("CHOTDON_TUNNEL__PROGRAM", edge.program(dir.path()).display().to_string()),
        ("CHOTDON_TUNNEL__URL", edge.url()),
    ]);
    let shop = TestShop::on(ground, Setup { env, probe: None }).await;
    edge.leads_to(shop.shop.public_addr());
    (edge, shop, dir)
}
