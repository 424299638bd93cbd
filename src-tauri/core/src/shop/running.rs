//! What the admin API asks of a running shop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use chotdon_domain::channel::Channel;
use chotdon_domain::task::{Lane, TaskKind};
use chotdon_store::{CheckCase, SourceCheck};

use super::keys::{KeyGlance, KeysError, keys};
use super::{GoogleGlance, HealthBook, Record, Rejection, Shop};
use crate::config::{Config, ConfigError};
use crate::delivery::mail::Templates;
use crate::delivery::{Offered, SourceSpec};
use crate::demo::DemoBank;
use crate::http::admin::state::{Running, WorkerGlance};
use crate::http::storefront::KeyUses;
use crate::metrics::{Metrics, StageTimes};
use crate::present;
use crate::reconcile::Reconciler;
use crate::services::Services;
use crate::tunnel::{Reach, Tunnel};
use crate::views::{Component, Event, Progress};
use crate::workers::StageError;

impl Running for Shop {
    fn config(&self) -> Arc<Config> {
        Shop::config(self)
    }

    fn reload(&self) -> BoxFuture<'_, Result<(), ConfigError>> {
        Box::pin(Shop::reload(self))
    }

    fn data_dir(&self) -> &Path {
        Shop::data_dir(self)
    }

    fn demo(&self) -> bool {
        Shop::demo(self)
    }

    fn demo_bank(&self) -> Option<&DemoBank> {
        self.inner.floor.demo_bank.as_ref()
    }

    fn public_addr(&self) -> SocketAddr {
        Shop::public_addr(self)
    }

    fn base_url(&self) -> String {
        self.inner.floor.base_url()
    }

    fn pay_url(&self, code: &str) -> String {
        self.inner.floor.pay_url(code)
    }

    fn topup_url(&self, deposit_code: &str) -> String {
        self.inner.floor.topup_url(deposit_code)
    }

    fn started_at(&self) -> i64 {
        self.inner.started_at
    }

    fn ledger_ok(&self) -> bool {
        let store = &self.inner.floor.store;
        !store.halted() && store.ledger_stopped().is_none()
    }

    fn last_webhook_at(&self) -> Option<i64> {
        self.inner.floor.intake.last_at()
    }

    fn rejected_24h(&self) -> i64 {
        let refused = self.rejected(self.clock().now_ms());
        let of_keys = |refusal: &Rejection| matches!(refusal, Rejection::Unauthorized | Rejection::Stale);
        refused.iter().filter(|(refusal, ..)| of_keys(refusal)).map(|(_, n, _)| n).sum()
    }

    fn rejected(&self, now: i64) -> Vec<(Rejection, i64, i64)> {
        self.inner.floor.intake.refused_since(now.saturating_sub(24 * 3_600_000))
    }

    fn mended(&self, reason: Rejection) -> BoxFuture<'_, Result<(), chotdon_store::Error>> {
        Box::pin(super::kept_out::mended(&self.inner.floor, reason))
    }

    fn answer_p95_ms(&self) -> Option<i64> {
        self.inner.floor.intake.p95_ms()
    }

    fn components(&self) -> Vec<Component> {
        let parts = self.inner.parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let since = present::rfc3339(self.inner.started_at);
        let mut components: Vec<Component> = parts
            .iter()
            .map(|(name, handle)| {
                let ended = handle.is_finished();
                Component {
                    name: (*name).to_owned(),
                    state: if ended { "stopped" } else { "ok" }.to_owned(),
                    since: since.clone(),
                    reason: ended.then(|| "it ended; restart the app".to_owned()),
                }
            })
            .collect();
        let standing = self.inner.reconciler.standing();
        if let Some(reconcile) =
            components.iter_mut().find(|one| one.name == "reconcile" && one.state == "ok")
            && standing.state == "failed"
        {
            reconcile.state = "degraded".to_owned();
            reconcile.reason = standing.code.map(str::to_owned);
        }
        let reach = self.inner.floor.tunnel.state();
        if let Some(tunnel) = components.iter_mut().find(|one| one.name == "tunnel" && one.state == "ok") {
            tunnel.since = present::rfc3339(reach.since);
            tunnel.reason = reach.reason.map(str::to_owned);
            let state = match reach.state {
                Reach::Off | Reach::Up => "ok",
                Reach::Starting => "starting",
                Reach::Degraded => "degraded",
                Reach::Down => "down",
            };
            state.clone_into(&mut tunnel.state);
        }
        let halted = self.inner.floor.store.halted();
        components.push(Component {
            name: "database".to_owned(),
            state: if halted { "stopped" } else { "ok" }.to_owned(),
            since,
            reason: halted.then(|| "the disk failed to keep a write; restart the app".to_owned()),
        });
        let stopped = self.inner.floor.store.ledger_stopped();
        components.push(Component {
            name: "ledger".to_owned(),
            state: if stopped.is_some() { "stopped" } else { "ok" }.to_owned(),
            since: present::rfc3339(self.inner.started_at),
            reason: stopped,
        });
        let started = self.inner.started_at;
        let broken = self.inner.record.broken();
        components.retain(|one| one.name != "record" || one.state != "ok");
        components.push(Component {
            name: "audit".to_owned(),
            state: if broken.is_some() { "degraded" } else { "ok" }.to_owned(),
            since: present::rfc3339(broken.as_ref().map_or(started, |(since, _)| *since)),
            reason: broken.map(|(_, broken)| broken.to_string()),
        });
        let credentials = &self.inner.floor.credentials;
        let trouble = credentials.trouble();
        components.push(Component {
            name: "secrets".to_owned(),
            state: if trouble.is_some() { "degraded" } else { "ok" }.to_owned(),
            since: present::rfc3339(trouble.as_ref().map_or(started, |(since, _)| *since)),
            reason: Some(match trouble {
                Some((_, error)) => format!("stored in: {}; {error}", credentials.kind()),
                None => format!("stored in: {}", credentials.kind()),
            }),
        });
        components
    }

    fn workers(&self) -> Vec<WorkerGlance> {
        let now = self.clock().now_ms();
        let stall = i64::from(self.config().queue.stall_s) * 1000;
        let glance = |sight: crate::workers::WorkerSight| {
            let seen_at = sight.work.as_ref().map_or(now, |(_, _, seen)| *seen);
            WorkerGlance {
                id: sight.id,
                task: sight.work.as_ref().map(|(task, _, _)| task.id),
                started_at: sight.work.as_ref().map(|(_, began, _)| *began),
                seen_at,
                restarts: sight.restarts,
                hung: sight.work.is_some() && now - seen_at >= stall,
            }
        };
        self.inner.pool.sight().into_iter().map(glance).collect()
    }

    fn limit(&self, lane: Lane) -> i64 {
        i64::try_from(self.inner.pool.limit(lane)).unwrap_or(i64::MAX)
    }

    fn progress(&self) -> BTreeMap<i64, Progress> {
        let mut progress = self.inner.floor.external.progress();
        progress.extend(self.inner.pool.progress());
        progress
    }

    fn per_minute(&self) -> Vec<[u64; Lane::COUNT]> {
        self.inner.pool.per_minute()
    }

    fn stale_refused(&self) -> u64 {
        self.inner.pool.stale_refused() + self.inner.floor.external.late()
    }

    fn cancel(&self, task: i64) {
        self.inner.pool.cancel(task);
    }

    fn lanes_changed(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.inner.pool.reload_lanes())
    }

    fn look_at<'a>(
        &'a self,
        source: &'a SourceSpec,
    ) -> BoxFuture<'a, Result<Option<Vec<Offered>>, StageError>> {
        Box::pin(self.inner.floor.look_at(source))
    }

    fn check_source(
        &self,
        case: CheckCase,
    ) -> BoxFuture<'_, Result<(SourceCheck, Option<i64>), chotdon_store::Error>> {
        Box::pin(self.inner.floor.check_source(case))
    }

    fn ask_google(&self) -> BoxFuture<'_, Result<String, StageError>> {
        Box::pin(self.inner.floor.ask_google())
    }

    fn google(&self) -> BoxFuture<'_, GoogleGlance> {
        Box::pin(self.inner.floor.google())
    }

    fn leave_google<'a>(&'a self, actor: &'a str) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(self.inner.floor.leave_google(actor))
    }

    fn templates(&self) -> &Templates {
        &self.inner.floor.templates
    }

    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyGlance>, KeysError>> {
        Box::pin(keys(&self.inner.floor))
    }

    fn key_uses(&self) -> &KeyUses {
        &self.inner.floor.key_uses
    }

    fn record(&self) -> &Record {
        &self.inner.record
    }

    fn reconciler(&self) -> &Reconciler {
        &self.inner.reconciler
    }

    fn metrics(&self) -> &Metrics {
        &self.inner.floor.intake.metrics
    }

    fn in_work(&self) -> Vec<(TaskKind, String)> {
        let sight = self.inner.pool.sight().into_iter();
        sight.filter_map(|one| one.work).map(|(task, ..)| (task.kind, task.stage)).collect()
    }

    fn stage_times(&self) -> &StageTimes {
        self.inner.pool.times()
    }

    fn tunnel(&self) -> &Tunnel {
        &self.inner.floor.tunnel
    }

    fn woke(&self) -> Option<(i64, i64)> {
        let woke = self.inner.floor.wake.woke();
        (woke.times > 0).then_some((woke.at, woke.slept_ms))
    }

    fn services(&self) -> &Services {
        &self.inner.floor.services
    }

    fn health(&self) -> &HealthBook {
        &self.inner.floor.health
    }

    fn try_channel(&self, channel: Channel) -> BoxFuture<'_, Result<(), StageError>> {
        Box::pin(crate::tell::try_out(&self.inner.floor, channel))
    }

    fn events(&self) -> BoxStream<'static, Event> {
        Shop::events(self).boxed()
    }
}
