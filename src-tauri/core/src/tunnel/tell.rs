//! What the owner is told about the public address, and what is made up for when it is back.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use chotdon_store::{INFORMATION, NEEDS_OWNER, Raise, STOPPED};

use super::{Reach, State};
use crate::private_file;
use crate::reconcile::{Cause, Reconciler};
use crate::shop::Floor;

/// After this long away the owner is told, and what was missed is looked for when it is back, ms.
const PATIENCE_MS: i64 = 60_000;
/// Again after this, then every hour, ms.
const AGAIN_MS: i64 = 15 * 60_000;
const HOURLY_MS: i64 = 3_600_000;
/// How long is waited for a run of reconciliation before its count is left out.
const RUN: Duration = Duration::from_secs(120);
/// The cause that notices of an unreachable address share.
const DOWN: &str = "conn";
const BACK: &str = "conn_back";
const MOVED: &str = "tunnel_moved";
const CERTIFICATE: &str = "tunnel_certificate";
/// Holds the address that was told last.
const LAST_URL: &str = "last_url";

/// Tells the owner.
pub(super) struct Teller {
    floor: Floor,
    reconciler: Reconciler,
    stop: CancellationToken,
    /// Since when it is away for the owner, ms.
    away_since: Option<i64>,
    /// Since when nothing could come, as far as reconciliation has not seen to it already, ms.
    owed_since: Option<i64>,
    /// When the owner was last told that it is away, ms, and how often.
    told: Option<(i64, u32)>,
    /// Whether notices of an earlier run may still be open.
    unsure: bool,
}

impl Teller {
    pub(super) fn new(floor: Floor, reconciler: Reconciler, stop: CancellationToken) -> Self {
        Self { floor, reconciler, stop, away_since: None, owed_since: None, told: None, unsure: true }
    }

    /// It does not work from `now` (ms) on, or it is not known.
    pub(super) fn away(&mut self, now: i64) {
        self.away_since.get_or_insert(now);
        self.owed_since.get_or_insert(now);
    }

    /// The machine woke at `now` (ms): what came meanwhile is made up for by the wake.
    pub(super) fn slept(&mut self, now: i64) {
        self.owed_since = Some(now);
    }

    /// When [`Teller::step`] has something to say, ms.
    pub(super) fn due_at(&self) -> Option<i64> {
        let away = self.away_since?;
        Some(match self.told {
            None => away + PATIENCE_MS,
            Some((at, 1)) => at + AGAIN_MS,
            Some((at, _)) => at + HOURLY_MS,
        })
    }

    /// Tells what is due.
    pub(super) async fn step(&mut self, state: &State, now: i64) {
        if state.state == Reach::Off {
            self.away_since = None;
            self.owed_since = None;
            if self.told.take().is_some() || std::mem::take(&mut self.unsure) {
                self.over(DOWN).await;
            }
            return;
        }
        if self.due_at().is_none_or(|at| at > now) {
            return;
        }
        let times = self.told.map_or(0, |(_, times)| times);
        self.told = Some((now, times.saturating_add(1)));
        let data = json!({ "code": state.reason, "since": self.away_since, "url": state.public_url });
        self.raise(STOPPED, DOWN, "tunnel_down", data, now).await;
    }

    /// It works; `before` is how it was until now.
    pub(super) async fn back(&mut self, before: &State, state: &State, now: i64) {
        if !matches!(before.state, Reach::Up | Reach::Degraded) {
            self.moved(state, now).await;
        }
        if state.state == Reach::Degraded && before.reason != state.reason {
            let data = json!({ "until": state.certificate_until, "url": state.public_url });
            self.raise(NEEDS_OWNER, CERTIFICATE, "tunnel_certificate", data, now).await;
        } else if state.state == Reach::Up && before.state == Reach::Degraded {
            self.over(CERTIFICATE).await;
        }
        let told = self.told.take().is_some();
        if told || std::mem::take(&mut self.unsure) {
            self.over(DOWN).await;
        }
        let Some(since) = self.away_since.take() else { return };
        let owed = self.owed_since.take().is_some_and(|from| now - from >= PATIENCE_MS);
        if !told && !owed {
            return;
        }
        tracing::info!(away_s = (now - since) / 1000, "the public address works again");
        let (floor, reconciler, stop) = (self.floor.clone(), self.reconciler.clone(), self.stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = recovered(&floor, &reconciler, since, owed, told, now) => {}
            }
        });
    }

    /// Tells that the address is another one than the last time, which SePay has to know.
    async fn moved(&self, state: &State, now: i64) {
        let Some(url) = &state.public_url else { return };
        let file = self.floor.tunnel.dir.join(LAST_URL);
        let before = std::fs::read_to_string(&file).ok();
        if before.as_deref() == Some(url) {
            return;
        }
        if let Err(error) = keep(file, url.clone()).await {
            tracing::error!(%error, "the public address could not be noted");
        }
        if before.is_some() {
            self.raise(NEEDS_OWNER, MOVED, "tunnel_moved", json!({ "url": url }), now).await;
        }
    }

    async fn raise(&self, class: i64, key: &str, kind: &'static str, data: serde_json::Value, now: i64) {
        let notice = Raise { class, merge_key: Some(key.to_owned()), kind, data, task: None };
        if let Err(error) = self.floor.store.raise_notice(notice, now).await {
            tracing::error!(%error, kind, "the owner could not be told");
        }
    }

    async fn over(&self, key: &'static str) {
        if let Err(error) = self.floor.store.resolve_notice(key, self.floor.clock.now_ms()).await {
            tracing::error!(%error, key, "a notice that is over stays open");
        }
    }
}

async fn keep(file: PathBuf, url: String) -> std::io::Result<()> {
    let written = tokio::task::spawn_blocking(move || private_file::replace(&file, url.as_bytes())).await;
    written.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

/// Makes up for what was missed, and tells that it is over.
async fn recovered(floor: &Floor, reconciler: &Reconciler, since: i64, owed: bool, told: bool, now: i64) {
    let run = if owed {
        tokio::time::timeout(RUN, reconciler.after(Cause::Tunnel)).await.ok().and_then(Result::ok)
    } else {
        None
    };
    if !told {
        return;
    }
    // A run for another cause tells by itself what it found.
    let count =
        run.filter(|run| run.cause == Cause::Tunnel.as_str() && run.code.is_none()).map(|run| run.added);
    let data = json!({ "minutes": (now - since).max(0) / 60_000, "count": count });
    let notice =
        Raise { class: INFORMATION, merge_key: Some(BACK.to_owned()), kind: "tunnel_back", data, task: None };
    if let Err(error) = floor.store.raise_notice(notice, floor.clock.now_ms()).await {
        tracing::error!(%error, "the owner could not be told that the public address works again");
    }
}
