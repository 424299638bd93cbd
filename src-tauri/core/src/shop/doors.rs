//! What the listeners of a shop allow, from its settings.

use std::sync::Arc;
use std::time::Duration;

use super::Floor;
use crate::http::listen::{Caps, Rules};
use crate::metrics::Door;

/// Connections of the owner's browsers and scripts at once.
const PRIVATE_CONNECTIONS: usize = 128;
/// The owner's own bodies are not hurried.
const PRIVATE_BODY: Duration = Duration::from_secs(300);

/// The listener that the tunnel reaches.
pub(super) fn public(floor: &Floor) -> Rules {
    let (asked, answering) = (floor.clone(), floor.clone());
    Rules {
        caps: Box::new(move || caps(&asked)),
        slow_body: |path| path == "/api/v1/worker/files",
        answered: Arc::new(move |status| answering.intake.metrics.answered(Door::Public, status)),
    }
}

/// The listener of the owner.
pub(super) fn private(floor: &Floor) -> Rules {
    let answering = floor.clone();
    let answered = Arc::new(move |status| answering.intake.metrics.answered(Door::Private, status));
    Rules { answered, ..bank(floor) }
}

/// The bank of a demo, which is no door of the shop's.
pub(super) fn bank(floor: &Floor) -> Rules {
    let floor = floor.clone();
    let caps = move || Caps { connections: PRIVATE_CONNECTIONS, body: PRIVATE_BODY, ..caps(&floor) };
    Rules { caps: Box::new(caps), slow_body: |_| false, answered: Arc::new(|_| ()) }
}

fn caps(floor: &Floor) -> Caps {
    let config = floor.config();
    let limits = &config.limits;
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Caps {
        connections: number(limits.connections),
        per_address: number(limits.connections_per_address),
        header_bytes: usize::from(limits.header_kb) << 10,
        header: Duration::from_secs(limits.header_s.into()),
        body: Duration::from_secs(limits.body_s.into()),
        idle: Duration::from_secs(limits.idle_s.into()),
    }
}
