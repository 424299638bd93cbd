//! What the webhook door has seen: how fast it answers, and what it refused, by hour and reason.
//!
//! A refusal costs a counter in memory, never a write of its own: strangers must not be able to wear the disk.
//! The counters are kept at most once a minute and at the end. The public listener tells it, the admin API asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sepay::ParseError;
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use chotdon_store::{NEEDS_OWNER, Raise, RejectedHour};

use super::Floor;
use super::kept_out::KeptOut;
use crate::metrics::Metrics;

const HOUR_MS: i64 = 3_600_000;
/// Hours that are kept in memory; a day and what is left of the current hour.
const HOURS: i64 = 25;
/// Answers of which the 95th percentile is taken.
const ANSWERS: usize = 512;
const KEEP: Duration = Duration::from_secs(60);

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Rejection {
    /// No key or a wrong one.
    Unauthorized,
    /// The right signature with a timestamp that is not recent.
    Stale,
    /// A body that says nothing.
    Malformed,
    /// A body longer than any of SePay's.
    TooLarge,
    /// The payment gateway's notification, sent to the wrong address.
    WrongProduct,
    /// No key or a wrong one, after too many of the same.
    RateLimited,
    /// The right key, from an address that the owner's list of SePay's addresses lacks.
    NotAllowedIp,
    /// Addressed to a name that is not the shop's.
    WrongHost,
}

impl Rejection {
    /// Every reason.
    pub(crate) const ALL: [Self; 8] = [
        Self::Unauthorized,
        Self::Stale,
        Self::Malformed,
        Self::TooLarge,
        Self::WrongProduct,
        Self::RateLimited,
        Self::NotAllowedIp,
        Self::WrongHost,
    ];

    /// The name stored and shown.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Stale => "stale",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::WrongProduct => "wrong_product",
            Self::RateLimited => "rate_limited",
            Self::NotAllowedIp => "not_allowed_ip",
            Self::WrongHost => "wrong_host",
        }
    }

    /// Why an authentic body could not be taken.
    pub(crate) const fn of(error: &ParseError) -> Self {
        match error {
            ParseError::WrongProduct => Self::WrongProduct,
            ParseError::TooLarge => Self::TooLarge,
            _ => Self::Malformed,
        }
    }
}

/// Refusals of one hour (ms / 3600000) and reason: how many, and when the last one came, ms.
type Counts = BTreeMap<(i64, Rejection), (i64, i64)>;

#[derive(Debug, Default)]
struct Refused {
    /// The last day's.
    recent: Counts,
    /// Those that the database does not have yet.
    unsaved: Counts,
}

/// What the webhook door has seen.
#[derive(Debug)]
pub(crate) struct Intake {
    /// When the last authentic webhook came, ms; 0 = none yet.
    last_at: AtomicI64,
    refused: Mutex<Refused>,
    kept_out: Mutex<KeptOut>,
    news: Notify,
    /// A ring of the latest times to answer, ms and 1 more; 0 = not used yet.
    answers: Box<[AtomicU32]>,
    next_answer: AtomicUsize,
    /// What is counted for monitors.
    pub(crate) metrics: Metrics,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            last_at: AtomicI64::new(0),
            refused: Mutex::default(),
            kept_out: Mutex::default(),
            news: Notify::new(),
            answers: (0..ANSWERS).map(|_| AtomicU32::new(0)).collect(),
            next_answer: AtomicUsize::new(0),
            metrics: Metrics::default(),
        }
    }
}

impl Intake {
    /// An authentic webhook came at `now`, ms.
    pub(crate) fn came(&self, now: i64) {
        self.last_at.fetch_max(now, Ordering::Relaxed);
    }

    /// When the last authentic webhook came, ms.
    pub(crate) fn last_at(&self) -> Option<i64> {
        Some(self.last_at.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    /// A webhook was answered after `ms`.
    pub(crate) fn answered(&self, ms: i64) {
        let at = self.next_answer.fetch_add(1, Ordering::Relaxed) % ANSWERS;
        let ms = u32::try_from(ms.max(0)).unwrap_or(u32::MAX - 1).saturating_add(1);
        self.answers[at].store(ms, Ordering::Relaxed);
    }

    /// The time within which 95 of 100 of the latest webhooks were answered, ms.
    pub(crate) fn p95_ms(&self) -> Option<i64> {
        let times = self.answers.iter().map(|answer| answer.load(Ordering::Relaxed)).filter(|ms| *ms > 0);
        let mut times: Vec<u32> = times.collect();
        times.sort_unstable();
        let at = (times.len() * 95).div_ceil(100).checked_sub(1)?;
        times.get(at).map(|ms| i64::from(ms - 1))
    }

    /// Counts a refused request.
    pub(crate) fn refuse(&self, refusal: Rejection, now: i64) {
        self.metrics.refused(refusal);
        let hour = now.div_euclid(HOUR_MS);
        let mut refused = self.refused();
        for counts in [true, false] {
            let counts = if counts { &mut refused.recent } else { &mut refused.unsaved };
            let (n, last_at) = counts.entry((hour, refusal)).or_default();
            *n += 1;
            *last_at = now.max(*last_at);
        }
        refused.recent.retain(|(kept, _), _| *kept > hour - HOURS);
        drop(refused);
        self.news.notify_one();
    }

    /// Counts a refused webhook that has the right key, come from or meant for `what`: the owner is told.
    pub(crate) fn keep_out(&self, refusal: Rejection, what: &str, now: i64) {
        self.kept_out().one(refusal, what);
        self.refuse(refusal, now);
    }

    pub(super) fn kept_out(&self) -> MutexGuard<'_, KeptOut> {
        self.kept_out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests refused since then (ms, by whole hours): reason, how many, when the last one came; most first.
    pub(crate) fn refused_since(&self, since: i64) -> Vec<(Rejection, i64, i64)> {
        let refused = self.refused();
        let mut sums: BTreeMap<Rejection, (i64, i64)> = BTreeMap::new();
        for ((_, refusal), (n, at)) in
            refused.recent.iter().filter(|((hour, _), _)| *hour >= since.div_euclid(HOUR_MS))
        {
            let (sum, last_at) = sums.entry(*refusal).or_default();
            *sum += n;
            *last_at = (*last_at).max(*at);
        }
        let mut sums: Vec<_> = sums.into_iter().map(|(refusal, (n, at))| (refusal, n, at)).collect();
        sums.sort_by_key(|(_, n, _)| -n);
        sums
    }

    fn refused(&self) -> MutexGuard<'_, Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_unsaved(&self) -> Counts {
        std::mem::take(&mut self.refused().unsaved)
    }

    fn put_back(&self, counts: Counts) {
        let mut refused = self.refused();
        for (key, (n, at)) in counts {
            let (kept, last_at) = refused.unsaved.entry(key).or_default();
            *kept += n;
            *last_at = (*last_at).max(at);
        }
    }
}

/// Reads what an earlier run has seen.
pub(super) async fn remember(floor: &Floor) -> Result<(), chotdon_store::Error> {
    let since = floor.clock.now_ms().div_euclid(HOUR_MS) - HOURS;
    let hours = floor.store.rejected_since(since).await?;
    if let Some(at) = floor.store.last_webhook_at().await? {
        floor.intake.came(at);
    }
    let mut refused = floor.intake.refused();
    for row in hours {
        let Some(refusal) = Rejection::ALL.into_iter().find(|refusal| refusal.as_str() == row.reason) else {
            continue;
        };
        let (n, last_at) = refused.recent.entry((row.hour, refusal)).or_default();
        *n += row.n;
        *last_at = (*last_at).max(row.last_at);
    }
    Ok(())
}

/// Keeps the counters: the first refusal at once, then at most once a minute, and the rest at the end.
pub(super) async fn keep_refusals(floor: Floor, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = floor.intake.news.notified() => {}
        }
        save(&floor).await;
        tokio::select! {
            () = stop.cancelled() => break,
            () = floor.clock.sleep(KEEP) => {}
        }
    }
    save(&floor).await;
}

async fn save(floor: &Floor) {
    let counts = floor.intake.take_unsaved();
    if counts.is_empty() {
        return;
    }
    let rows = counts
        .iter()
        .map(|((hour, refusal), (n, last_at))| RejectedHour {
            hour: *hour,
            reason: refusal.as_str().to_owned(),
            n: *n,
            last_at: *last_at,
        })
        .collect();
    let foreign = counts.keys().any(|(_, refusal)| *refusal == Rejection::WrongProduct);
    // The owner has our address entered where the payment gateway calls; the words say what to change at SePay.
    let mut notices = Vec::from_iter(foreign.then(|| Raise {
        class: NEEDS_OWNER,
        merge_key: Some("wrong_product".to_owned()),
        kind: "wrong_product",
        data: json!({}),
        task: None,
    }));
    let told = {
        let mut kept_out = floor.intake.kept_out();
        let told = kept_out.take_untold();
        notices.extend(kept_out.notices(&told));
        told
    };
    if let Err(error) = floor.store.keep_rejected(rows, notices, floor.clock.now_ms()).await {
        tracing::warn!(%error, "the counts of refused requests could not be kept; they are tried again");
        floor.intake.put_back(counts);
        floor.intake.kept_out().untold_again(&told);
        return;
    }
    // However many there are, the log has one line a minute of them.
    let requests: i64 = counts.values().map(|(n, _)| n).sum();
    let reasons: Vec<String> =
        counts.iter().map(|((_, refusal), (n, _))| format!("{} {n}", refusal.as_str())).collect();
    tracing::warn!(requests, reasons = reasons.join(", "), "webhooks were refused");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_summed_by_reason_over_a_day() {
        let intake = Intake::default();
        let now = 1_790_000_000_000;
        for hour in 0..30 {
            intake.refuse(Rejection::Unauthorized, now + hour * HOUR_MS);
        }
        let later = now + 29 * HOUR_MS;
        intake.refuse(Rejection::WrongProduct, later);
        let refused = intake.refused_since(later - 24 * HOUR_MS);
        assert_eq!(refused, [(Rejection::Unauthorized, 25, later), (Rejection::WrongProduct, 1, later)]);
        assert_eq!(intake.refused().recent.len(), 26, "no more than a day is kept");
        assert_eq!(intake.take_unsaved().len(), 31);
        assert!(intake.take_unsaved().is_empty());
    }

    #[test]
    fn ninety_five_of_a_hundred_answers_are_within_the_95th_percentile() {
        let intake = Intake::default();
        assert_eq!(intake.p95_ms(), None);
        intake.answered(7);
        assert_eq!(intake.p95_ms(), Some(7));
        for ms in 1..=100 {
            intake.answered(ms);
        }
        assert_eq!(intake.p95_ms(), Some(95));
        for _ in 0..ANSWERS {
            intake.answered(0);
        }
        assert_eq!(intake.p95_ms(), Some(0), "only the latest count");
    }
}
