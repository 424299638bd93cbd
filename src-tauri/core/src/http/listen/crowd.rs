//! Who is connected, and who has to go when there are too many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Caps;
use super::pulse::Pulse;

/// The connections of one listener.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    inner: Arc<Mutex<Inner>>,
    order: Arc<AtomicU64>,
    /// Connections that lost their place and still have their socket.
    leaving: Arc<watch::Sender<usize>>,
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
            self.free_one(&mut inner, |ip| ip == from)?;
        }
        if inner.seated.len() >= caps.connections.max(1) {
            self.free_one(&mut inner, |_| true)?;
        }
        let pulse = Arc::new(Pulse::new(Arc::clone(&self.order)));
        let number = inner.next;
        inner.next += 1;
        inner.seated.insert(number, (from, Arc::clone(&pulse)));
        let (crowd, leaving) = (Arc::clone(&self.inner), Arc::clone(&self.leaving));
        Some(Seat { number, pulse, crowd, leaving })
    }

    /// Ends when whoever lost its place is gone, socket and all. Without that, a burst of connections is taken faster
    /// than those before it go, and the cap is none.
    pub(super) async fn settled(&self) {
        // Fails only without a sender, which this is.
        let _ = self.leaving.subscribe().wait_for(|number| *number == 0).await;
    }

    /// Ends one connection that is not being answered.
    pub(super) fn make_room(&self) {
        self.free_one(&mut lock(&self.inner), |_| true);
    }

    fn free_one(&self, inner: &mut Inner, whose: impl Fn(IpAddr) -> bool) -> Option<()> {
        let pulse = inner.give_up_one(whose)?;
        self.leaving.send_modify(|number| *number += 1);
        pulse.taken.cancel();
        Some(())
    }

    /// Ends all connections.
    pub(super) fn clear(&self) {
        for (_, pulse) in lock(&self.inner).seated.values() {
            pulse.taken.cancel();
        }
    }
}

impl Inner {
    /// Takes the place from the one that waits for longest.
    fn give_up_one(&mut self, whose: impl Fn(IpAddr) -> bool) -> Option<Arc<Pulse>> {
        let waiting = self.seated.iter().filter(|(_, (ip, _))| whose(*ip));
        let waiting = waiting.filter_map(|(number, (_, pulse))| Some((pulse.waits_since()?, *number)));
        let (_, number) = waiting.min()?;
        self.seated.remove(&number).map(|(_, pulse)| pulse)
    }
}

/// A connection's place; free again when dropped, which is after its socket.
#[derive(Debug)]
pub(super) struct Seat {
    number: u64,
    pulse: Arc<Pulse>,
    crowd: Arc<Mutex<Inner>>,
    leaving: Arc<watch::Sender<usize>>,
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
        if lock(&self.crowd).seated.remove(&self.number).is_none() {
            self.leaving.send_modify(|number| *number -= 1);
        }
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}
