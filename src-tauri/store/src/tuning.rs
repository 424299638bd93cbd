//! The few settings that decide what is written; they can change while the shop runs.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::guard::Guard;

/// Settings that the store reads at each commit.
#[derive(Debug)]
pub struct Tuning {
    max_attempt: AtomicI64,
    tolerance_vnd: AtomicI64,
    outgoing: AtomicBool,
    /// Whether money may be moved.
    pub(crate) guard: Guard,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            max_attempt: AtomicI64::new(8),
            tolerance_vnd: AtomicI64::new(0),
            outgoing: AtomicBool::new(false),
            guard: Guard::default(),
        }
    }
}

impl Tuning {
    /// Sets how many attempts new tasks get (1 …) and which shortfall of an order is forgiven (whole đồng).
    pub fn set(&self, max_attempt: i64, tolerance_vnd: i64) {
        self.max_attempt.store(max_attempt.max(1), Ordering::Relaxed);
        self.tolerance_vnd.store(tolerance_vnd.max(0), Ordering::Relaxed);
    }

    /// Whether any storefront wants webhooks, so that commits about orders and money wake their lane.
    pub(crate) fn outgoing(&self) -> bool {
        self.outgoing.load(Ordering::Relaxed)
    }

    pub(crate) fn set_outgoing(&self, any: bool) {
        self.outgoing.store(any, Ordering::Relaxed);
    }

    /// Attempts that a new task gets.
    #[must_use]
    pub fn max_attempt(&self) -> i64 {
        self.max_attempt.load(Ordering::Relaxed)
    }

    /// Shortfall of an order that is forgiven, whole đồng.
    #[must_use]
    pub fn tolerance_vnd(&self) -> i64 {
        self.tolerance_vnd.load(Ordering::Relaxed)
    }
}
