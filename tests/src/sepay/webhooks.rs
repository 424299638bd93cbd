//! The sender of webhooks: eight attempts within 33 minutes, then SePay gives up.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use sepay::Notification;

use crate::{HMAC_SECRET, MarkedClock};

/// Minutes before each attempt, counted from the one before it.
pub const GAPS_MIN: [i64; 8] = [0, 1, 1, 2, 3, 5, 8, 13];

/// One attempt that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// When, ms.
    pub at: i64,
    /// SePay's id.
    pub id: i64,
    /// Which attempt, from 1.
    pub attempt: usize,
    /// The answer's status; `None` when nobody answered.
    pub status: Option<u16>,
}

/// Deliveries under way, by the test's clock.
#[derive(Debug)]
pub struct Webhooks {
    clock: Arc<MarkedClock>,
    http: reqwest::Client,
    waiting: Vec<Notification>,
    /// When, which of `waiting`, attempts made.
    due: BTreeSet<(i64, usize, usize)>,
    /// Every attempt, in order.
    pub tried: Vec<Tried>,
}

impl Webhooks {
    /// The test's clock, ms.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// A sender with nothing to send.
    pub fn new(clock: Arc<MarkedClock>) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { clock, http, waiting: Vec::new(), due: BTreeSet::new(), tried: Vec::new() }
    }

    /// Sends `notification` from `at` (ms) on.
    pub fn report(&mut self, notification: Notification, at: i64) {
        self.due.insert((at, self.waiting.len(), 0));
        self.waiting.push(notification);
    }

    /// How many deliveries are neither accepted nor given up.
    pub fn pending(&self) -> usize {
        self.due.len()
    }

    /// Makes every attempt that is due until then (ms), each at its time: the clock is moved ahead from one to the
    /// next, and to `until` at the end.
    pub async fn until(&mut self, until: i64, to: SocketAddr) {
        while let Some((at, which, made)) = self.due.first().copied().filter(|(at, ..)| *at <= until) {
            self.due.remove(&(at, which, made));
            self.reach(at);
            let status = self.attempt(which, to).await;
            self.tried.push(Tried { at, id: self.waiting[which].sepay_id, attempt: made + 1, status });
            if !status.is_some_and(|status| (200..300).contains(&status))
                && let Some(gap) = GAPS_MIN.get(made + 1)
            {
                self.due.insert((at + gap * 60_000, which, made + 1));
            }
        }
        self.reach(until);
    }

    fn reach(&self, at: i64) {
        let ahead = at - self.clock.now_ms();
        if ahead > 0 {
            self.clock.jump(ahead);
        }
    }

    async fn attempt(&self, which: usize, to: SocketAddr) -> Option<u16> {
        let body = self.waiting[which].to_body();
        let timestamp = self.clock.now_ms().div_euclid(1000).to_string();
        let signature = sepay::sign(HMAC_SECRET.as_bytes(), &timestamp, &body);
        let request = self
            .http
            .post(format!("http://{to}/api/v1/payment/webhook"))
            .header("content-type", "application/json")
            .header("x-sepay-timestamp", timestamp)
            .header("x-sepay-signature", signature)
            .body(body);
        Some(request.send().await.ok()?.status().as_u16())
    }
}
