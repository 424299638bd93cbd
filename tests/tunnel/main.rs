//! The public address of a shop over real programs: supervised, judged by what comes back, and told about.

#![allow(clippy::unwrap_used)] // a test may stop anywhere
#![cfg(unix)]

mod drill;
mod edge;
mod pace;
mod sleep;
mod states;
mod told;

use chotdon_core::ports::{Probe, SecretStore};
use chotdon_tests::{Ground, Setup, TestShop};
use serde_json::Value;

use edge::{Edge, TOKEN};
use pace::Pace;

/// How the public address stands.
async fn tunnel(shop: &TestShop) -> Value {
    let (status, tunnel) = shop.admin("GET", "/admin/api/tunnel", None).await;
    assert_eq!(status, 200, "{tunnel}");
    tunnel
}

/// The notices that are open, of this kind.
async fn notices(shop: &TestShop, kind: &str) -> Vec<Value> {
    let (_, page) = shop.admin("GET", "/admin/api/notices?limit=200", None).await;
    let rows = page["rows"].as_array().unwrap().iter();
    rows.filter(|row| row["state"] != "resolved" && row["kind"] == kind).cloned().collect()
}

/// A shop behind the stand-in of Cloudflare.
struct Place {
    edge: Edge,
    shop: TestShop,
    pace: Pace,
    /// Holds the program.
    _dir: tempfile::TempDir,
}

impl Place {
    /// With a named tunnel, and what else is set.
    async fn named(env: Vec<(&'static str, String)>) -> Self {
        Self::open(Ground::new(), true, env).await
    }

    /// With a quick tunnel, whose address is another one each time.
    async fn quick(env: Vec<(&'static str, String)>) -> Self {
        Self::open(Ground::new(), false, env).await
    }

    async fn open(ground: Ground, named: bool, env: Vec<(&'static str, String)>) -> Self {
        Self::open_with(ground, named, env, None).await
    }

    /// The same, and `probe` is called at the points of tasks.
    async fn open_with(
        ground: Ground,
        named: bool,
        mut env: Vec<(&'static str, String)>,
        probe: Probe,
    ) -> Self {
        let (edge, dir, pace) = (Edge::open().await, tempfile::tempdir().unwrap(), Pace::default());
        env.extend([
            ("CHOTDON_TUNNEL__KIND", "cloudflared".to_owned()),
            ("CHOTDON_TUNNEL__PROGRAM", edge.program(dir.path()).display().to_string()),
        ]);
        if named {
            ground.secrets.set("tunnel.token", TOKEN.into()).await.unwrap();
            env.push(("CHOTDON_TUNNEL__URL", edge.url()));
        }
        let shop = TestShop::on(ground, Setup { env, probe: pace.probe_and(probe) }).await;
        edge.leads_to(shop.shop.public_addr());
        Self { edge, shop, pace, _dir: dir }
    }

    /// Waits until it is so, while time passes.
    async fn until(&self, state: &str) -> (i64, Value) {
        self.pace.until_state(&self.shop, state).await
    }
}
