//! The few settings that decide what is written; they can change while the shop runs.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use chotdon_domain::channel::Channel;

use crate::guard::Guard;

/// Settings that the store reads at each commit.
#[derive(Debug)]
pub struct Tuning {
    max_attempt: AtomicI64,
    tolerance_vnd: AtomicI64,
    outgoing: AtomicBool,
    /// The least urgent class that each channel tells of; 0 = it is off.
    channels: [AtomicI64; Channel::COUNT],
    /// Whether money may be moved.
    pub(crate) guard: Guard,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            max_attempt: AtomicI64::new(8),
            tolerance_vnd: AtomicI64::new(0),
            outgoing: AtomicBool::new(false),
            // The command line's notices are for the desktop of the shop that runs.
            channels: [AtomicI64::new(3), AtomicI64::new(0), AtomicI64::new(0), AtomicI64::new(0)],
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

    /// Sets the least urgent class that a channel tells of: 1 … 3, 0 = nothing.
    pub fn tell(&self, channel: Channel, class: i64) {
        self.channels[channel as usize].store(class, Ordering::Relaxed);
    }

    /// The names of the channels that tell of notices of `class`.
    pub(crate) fn channels(&self, class: i64) -> Vec<&'static str> {
        let told = |channel: &Channel| self.channels[*channel as usize].load(Ordering::Relaxed) >= class;
        Channel::ALL.iter().filter(|channel| told(channel)).map(|channel| channel.as_str()).collect()
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
