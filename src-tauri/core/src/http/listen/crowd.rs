//! Who is connected, and who has to go when there are too many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Caps;
use super::pulse::Pulse;

/// The connections of one listener.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    inner: Arc<Mutex<Inner>>,
    order: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    seated: HashMap<u64, (IpAddr, Arc<Pulse>)>,
}

impl Crowd {
    /// A place for a new connection. When all are taken, the connection goes whose request has been incomplete for
    /// longest; `None` when all the others are being answered.
    pub(super) fn seat(&self, from: IpAddr, caps: &Caps) -> Option<Seat> {
        let mut inner = lock(&self.inner);
        let counted = !from.is_loopback();
        if counted && inner.seated.values().filter(|(ip, _)| *ip == from).count() >= caps.per_address {
            inner.free_one(|ip| ip == from)?;
        }
        if inner.seated.len() >= caps.connections.max(1) {
            inner.free_one(|_| true)?;
        }
        let pulse = Arc::new(Pulse::new(Arc::clone(&self.order)));
        let number = inner.next;
        inner.next += 1;
        inner.seated.insert(number, (from, Arc::clone(&pulse)));
        Some(Seat { number, pulse, crowd: Arc::clone(&self.inner) })
    }

    /// Ends one connection that is not being answered.
    pub(super) fn make_room(&self) {
        lock(&self.inner).free_one(|_| true);
    }

    /// Ends all connections.
    pub(super) fn clear(&self) {
        for (_, pulse) in lock(&self.inner).seated.values() {
            pulse.taken.cancel();
        }
    }
}

impl Inner {
    fn free_one(&mut self, whose: impl Fn(IpAddr) -> bool) -> Option<()> {
        let waiting = self.seated.iter().filter(|(_, (ip, _))| whose(*ip));
        let waiting = waiting.filter_map(|(number, (_, pulse))| Some((pulse.waits_since()?, *number)));
        let (_, number) = waiting.min()?;
        let (_, pulse) = self.seated.remove(&number)?;
        pulse.taken.cancel();
        Some(())
    }
}

/// A connection's place; free again when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    number: u64,
    pulse: Arc<Pulse>,
    crowd: Arc<Mutex<Inner>>,
}

impl Seat {
    pub(super) fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// Ends when the place was given to another.
    pub(super) async fn taken(&self) {
        self.pulse.taken.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.crowd).seated.remove(&self.number);
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}
