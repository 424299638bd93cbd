//! What systemd is told by its notification socket: ready, stopping, and signs of life for its watchdog.

use std::time::Duration;

use chotdon_core::Shop;

use crate::environment::Environment;

/// The socket of a service manager; none outside of one.
pub(crate) struct Manager {
    #[cfg(target_os = "linux")]
    socket: Option<(std::os::unix::net::UnixDatagram, std::os::unix::net::SocketAddr)>,
    /// How often it wants a sign of life.
    watchdog: Option<Duration>,
}

#[cfg(target_os = "linux")]
impl Manager {
    /// The manager that `NOTIFY_SOCKET` names.
    pub(crate) fn of(environment: &Environment) -> Self {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixDatagram};
        let text = |name: &str| environment.get(name).and_then(|value| value.into_string().ok());
        let named = text("NOTIFY_SOCKET").and_then(|name| match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok(),
            None => SocketAddr::from_pathname(name).ok(),
        });
        let socket = named.and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        let micros = text("WATCHDOG_USEC").and_then(|micros| micros.parse::<u64>().ok());
        // Twice in the time it is given, so that one late sign is no death.
        let watchdog = micros.filter(|micros| *micros > 0).map(|micros| Duration::from_micros(micros / 2));
        Self { socket, watchdog }
    }

    /// Tells `words`, such as `READY=1`. A manager that does not hear finds out by itself.
    pub(crate) fn tell(&self, words: &str) {
        if let Some((socket, address)) = &self.socket {
            let _ = socket.send_to_addr(words.as_bytes(), address);
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Manager {
    /// There is none.
    pub(crate) fn of(_: &Environment) -> Self {
        Self { watchdog: None }
    }

    /// Nobody hears.
    pub(crate) fn tell(&self, _: &str) {}
}

impl Manager {
    /// Shows signs of life for as long as the shop can keep what it is told. A disk that lost a write ends them, so that
    /// the manager starts the shop anew and it reads back what the disk holds.
    pub(crate) async fn feed(&self, shop: &Shop) {
        let Some(every) = self.watchdog else { return std::future::pending().await };
        let mut rounds = tokio::time::interval(every);
        loop {
            rounds.tick().await;
            if shop.can_write() {
                self.tell("WATCHDOG=1");
            }
        }
    }
}
