//! Exactly what the admin API needs of a running shop. The shop builds a [`Desk`]; tests build one without a shop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use chotdon_domain::channel::Channel;
use chotdon_domain::task::{Lane, TaskKind};
use chotdon_store::{CheckCase, SourceCheck, Store};
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use super::checks::CheckBook;
use crate::config::{Config, ConfigError};
use crate::delivery::mail::Templates;
use crate::delivery::{Offered, SourceSpec};
use crate::demo::DemoBank;
use crate::http::storefront::KeyUses;
use crate::metrics::{Metrics, StageTimes};
use crate::ports::{Clock, SecretStore};
use crate::present::Crew;
use crate::reconcile::Reconciler;
use crate::secrets::Credentials;
use crate::services::Services;
use crate::shop::keys::{KeyGlance, KeysError};
use crate::shop::{GoogleGlance, HealthBook, Record, Rejection};
use crate::tell::Desktop;
use crate::tunnel::Tunnel;
use crate::views::{Component, Event, Progress};
use crate::workers::StageError;

/// Who does what the admin API is asked to do, as audit rows say it.
pub(super) const OWNER: &str = "owner";

/// The parts of a shop that live only in its memory.
pub(crate) trait Running: Send + Sync + 'static {
    /// The settings in use.
    fn config(&self) -> Arc<Config>;
    /// Reads the settings file again and takes it into use.
    fn reload(&self) -> BoxFuture<'_, Result<(), ConfigError>>;
    /// Where the shop lives.
    fn data_dir(&self) -> &Path;
    /// Whether this is the demo.
    fn demo(&self) -> bool;
    /// The bank of a demo shop.
    fn demo_bank(&self) -> Option<&DemoBank>;
    /// Address of the public listener.
    fn public_addr(&self) -> SocketAddr;
    /// What links are built from, without a slash at the end.
    fn base_url(&self) -> String;
    /// The hosted page on which an order is paid.
    fn pay_url(&self, code: &str) -> String;
    /// The hosted page on which a wallet is topped up.
    fn topup_url(&self, deposit_code: &str) -> String;
    /// When this process started, ms UTC.
    fn started_at(&self) -> i64;
    /// False once the ledger or the disk stopped money writes.
    fn ledger_ok(&self) -> bool;
    /// When the last authentic webhook came, ms UTC, in this run or an earlier one.
    fn last_webhook_at(&self) -> Option<i64>;
    /// Webhooks refused for a wrong key in the last 24 hours.
    fn rejected_24h(&self) -> i64;
    /// Requests that the webhook door refused in the last 24 hours, by reason, most frequent first: how many, and when the
    /// last one came (ms UTC).
    fn rejected(&self, now: i64) -> Vec<(Rejection, i64, i64)>;
    /// The owner has changed what kept webhooks out for this reason.
    fn mended(&self, reason: Rejection) -> BoxFuture<'_, Result<(), chotdon_store::Error>>;
    /// The time within which 95 of 100 of the latest webhooks were answered, ms; `None` before the first.
    fn answer_p95_ms(&self) -> Option<i64>;
    /// The long-running parts.
    fn components(&self) -> Vec<Component>;
    /// Every worker.
    fn workers(&self) -> Vec<WorkerGlance>;
    /// Tasks of a lane that may run at once.
    fn limit(&self, lane: Lane) -> i64;
    /// Progress of running tasks.
    fn progress(&self) -> BTreeMap<i64, Progress>;
    /// Finished tasks per minute and lane (course, order, owner) of the last hour, oldest first, the current minute last.
    fn per_minute(&self) -> Vec<[u64; Lane::COUNT]>;
    /// Late results refused since the start.
    fn stale_refused(&self) -> u64;
    /// Stops the handler of a task that was cancelled.
    fn cancel(&self, task: i64);
    /// Reads which lanes are paused.
    fn lanes_changed(&self) -> BoxFuture<'_, ()>;
    /// What a source has; `None` for one that cannot be listed without fetching it.
    fn look_at<'a>(
        &'a self,
        source: &'a SourceSpec,
    ) -> BoxFuture<'a, Result<Option<Vec<Offered>>, StageError>>;
    /// Looks whether a course's source has changed, and queues its next version when it has.
    fn check_source(
        &self,
        case: CheckCase,
    ) -> BoxFuture<'_, Result<(SourceCheck, Option<i64>), chotdon_store::Error>>;
    /// Begins to ask for consent to the owner's Google Drive; answers the address to open.
    fn ask_google(&self) -> BoxFuture<'_, Result<String, StageError>>;
    /// The owner's Google account as it is now.
    fn google(&self) -> BoxFuture<'_, GoogleGlance>;
    /// Forgets the owner's Google account.
    fn leave_google<'a>(&'a self, actor: &'a str) -> BoxFuture<'a, Result<(), StageError>>;
    /// The words of mails.
    fn templates(&self) -> &Templates;
    /// The keys with their ages.
    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyGlance>, KeysError>>;
    /// When storefronts last asked.
    fn key_uses(&self) -> &KeyUses;
    /// Watches over the record of human actions.
    fn record(&self) -> &Record;
    /// Catches up on what no webhook reported.
    fn reconciler(&self) -> &Reconciler;
    /// What is counted for monitors.
    fn metrics(&self) -> &Metrics;
    /// Kind and stage of every task in work.
    fn in_work(&self) -> Vec<(TaskKind, String)>;
    /// How stages of tasks ended.
    fn stage_times(&self) -> &StageTimes;
    /// The way from the internet.
    fn tunnel(&self) -> &Tunnel;
    /// When the last sleep of the machine was over, and how long it was, ms.
    fn woke(&self) -> Option<(i64, i64)>;
    /// The outside services.
    fn services(&self) -> &Services;
    /// How the parts are.
    fn health(&self) -> &HealthBook;
    /// Sends a test to the owner over a channel.
    fn try_channel(&self, channel: Channel) -> BoxFuture<'_, Result<(), StageError>>;
    /// Numbered events from now on.
    fn events(&self) -> BoxStream<'static, Event>;
}

/// One worker, as the pool sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) struct WorkerGlance {
    pub(crate) id: i64,
    /// The task in work.
    pub(crate) task: Option<i64>,
    pub(crate) started_at: Option<i64>,
    /// When it last showed life, ms UTC.
    pub(crate) seen_at: i64,
    pub(crate) restarts: i64,
    pub(crate) hung: bool,
}

/// State of every admin route. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    /// The database.
    pub(crate) store: Store,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// The credentials, with rotation.
    pub(crate) credentials: Credentials,
    /// Where they lie, for the test button.
    pub(crate) secrets: Arc<dyn SecretStore>,
    /// The owner's desktop.
    pub(crate) desktop: Arc<Desktop>,
    /// The rest of the shop.
    pub(crate) shop: Arc<dyn Running>,
    /// Results of test buttons.
    pub(crate) checks: Arc<CheckBook>,
}

impl Desk {
    /// A desk with no test results yet.
    pub(crate) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        secrets: Arc<dyn SecretStore>,
        credentials: Credentials,
        desktop: Arc<Desktop>,
        shop: Arc<dyn Running>,
    ) -> Self {
        Self { store, clock, credentials, secrets, desktop, shop, checks: Arc::default() }
    }

    /// Now, ms UTC.
    pub(super) fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    /// What the pool knows, at one moment.
    pub(super) fn crew(&self) -> Crew {
        let minutes = self.shop.per_minute();
        // The current minute has only begun; the rate is that of the one before it.
        let full = minutes.len().checked_sub(2).and_then(|at| minutes.get(at)).copied().unwrap_or_default();
        Crew {
            workers: self.shop.workers(),
            progress: self.shop.progress(),
            limits: Lane::ALL.map(|lane| self.shop.limit(lane)),
            per_minute: full.map(|done| i64::try_from(done).unwrap_or(i64::MAX)),
            stale_refused: i64::try_from(self.shop.stale_refused()).unwrap_or(i64::MAX),
        }
    }

    /// Finished tasks per minute of the last hour, 60 numbers, oldest first.
    pub(super) fn sparkline(&self) -> Vec<i64> {
        let minutes = self.shop.per_minute();
        let sum = |lanes: &[u64; Lane::COUNT]| i64::try_from(lanes.iter().sum::<u64>()).unwrap_or(i64::MAX);
        let mut line: Vec<i64> = minutes.iter().rev().take(60).rev().map(sum).collect();
        let missing = 60 - line.len();
        line.splice(..0, std::iter::repeat_n(0, missing));
        line
    }

    /// What the owner enters at SePay.
    pub(super) fn webhook_url(&self) -> String {
        format!("{}/api/v1/payment/webhook", self.shop.base_url())
    }
}
