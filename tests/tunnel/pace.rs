//! Time that passes as fast as the machine keeps up: the shop's clock is moved ahead in small steps, and between two
//! of them requests really travel.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chotdon_core::ports::Probe;
use chotdon_tests::TestShop;
use serde_json::Value;

use super::tunnel;

/// While a program is started, time goes this much faster than the machine's own, which a start takes.
const FASTER: i64 = 3;
/// While an answer is waited for.
const STEADY: i64 = 100;
/// While nothing is under way.
const BRISK: i64 = 500;
/// Nothing takes longer, ms.
const LONGEST: i64 = 600_000;

/// Knows whether the shop is looking at its public address.
#[derive(Clone, Default)]
pub(crate) struct Pace(Arc<AtomicI64>);

impl Pace {
    /// Tells this pace; for the shop's setup.
    pub(crate) fn probe(&self) -> Probe {
        self.probe_and(None)
    }

    /// The same, and whatever else is to be called.
    pub(crate) fn probe_and(&self, other: Probe) -> Probe {
        let under_way = self.0.clone();
        Some(Arc::new(move |point: &str| {
            match point {
                "tunnel:check" => under_way.store(1, Ordering::SeqCst),
                "tunnel:checked" => under_way.store(0, Ordering::SeqCst),
                _ => {}
            }
            match &other {
                Some(other) => other(point),
                None => Box::pin(async {}),
            }
        }))
    }

    /// Lets time pass until `enough` says so of the tunnel; answers how long it took by the shop's clock, ms, and the
    /// tunnel.
    pub(crate) async fn until(&self, shop: &TestShop, enough: impl Fn(&Value) -> bool) -> (i64, Value) {
        let began = shop.clock.now_ms();
        loop {
            let now = tunnel(shop).await;
            let took = shop.clock.now_ms() - began;
            if enough(&now) {
                return (took, now);
            }
            assert!(took < LONGEST, "it never came to that: {}", in_short(now));
            self.step(shop, if now["state"] == "up" { Some(BRISK) } else { None }).await;
        }
    }

    /// Lets time pass until the tunnel is so; answers how long it took, ms, and the tunnel.
    pub(crate) async fn until_state(&self, shop: &TestShop, state: &str) -> (i64, Value) {
        self.until(shop, |now| now["state"] == state).await
    }

    /// Lets `ms` pass.
    pub(crate) async fn pass(&self, shop: &TestShop, ms: i64) {
        let end = shop.clock.now_ms() + ms;
        while shop.clock.now_ms() < end {
            self.step(shop, Some(3 * BRISK)).await;
        }
    }

    async fn step(&self, shop: &TestShop, most: Option<i64>) {
        let began = shop.clock.now_ms();
        // A machine that is busy with other things answers late, and time waits for it.
        for _ in 0..2 {
            let _ = shop.http.get(shop.public("/healthz")).send().await;
        }
        let quiet = self.0.load(Ordering::SeqCst) == 0;
        shop.clock.jump(match most {
            Some(most) if quiet => most,
            Some(most) => most.min(STEADY),
            None => FASTER * (shop.clock.now_ms() - began),
        });
    }
}

/// What a failing test has to say of the tunnel.
fn in_short(mut tunnel: Value) -> Value {
    for list in ["output", "history"] {
        let rows = tunnel[list].as_array_mut().unwrap();
        let old = rows.len().saturating_sub(6);
        rows.drain(..old);
    }
    tunnel
}
