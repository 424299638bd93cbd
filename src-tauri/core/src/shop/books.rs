//! Watching over the books: counted in full at the start and every night, and told when they do not add up.
//!
//! What people move is compared by the store inside the commit; what transfers move is compared here shortly after it,
//! out of the way of the answer to SePay.

use std::time::Duration;

use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use chotdon_store::{Raise, STOPPED, Touched};

use super::Floor;

/// Between a commit and the look at what it touched.
const MOMENT: Duration = Duration::from_millis(250);
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 03:30 in Vietnam, as time since midnight UTC: 20:30 of the day before.
const NIGHT_MS: i64 = 20 * HOUR_MS + HOUR_MS / 2;

/// Counts the books now and at each 03:30 in Vietnam.
pub(super) async fn count(floor: Floor, stop: CancellationToken) {
    loop {
        match floor.store.check_money().await {
            Ok(findings) => {
                if let Some(problem) = findings.problems.first() {
                    let more = findings.problems.len() - 1;
                    let more =
                        if more > 0 { format!(" (and {more} more; run verify)") } else { String::new() };
                    floor.store.stop_money(&format!("{problem}{more}"));
                } else {
                    tracing::info!(ledger_rows = findings.ledger_rows, "the books add up");
                }
            }
            Err(error) => tracing::error!(%error, "the books could not be counted"),
        }
        let wait = until_night(floor.clock.now_ms());
        tokio::select! {
            () = stop.cancelled() => return,
            () = floor.clock.sleep(wait) => {}
        }
    }
}

/// Compares what commits have touched with the ledger, a moment after them and many at once.
pub(super) async fn touched(floor: Floor, mut changes: Receiver<Touched>, stop: CancellationToken) {
    loop {
        let mut seen = Seen::default();
        tokio::select! {
            () = stop.cancelled() => return,
            changed = changes.recv() => match changed {
                Ok(touched) => seen.note(&touched),
                // The nightly count looks at what was missed.
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            },
        }
        if seen.is_empty() {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = floor.clock.sleep(MOMENT) => {}
        }
        while let Ok(touched) = changes.try_recv() {
            seen.note(&touched);
        }
        if let Err(error) = floor.store.check_touched(&seen.orders, &seen.customers).await {
            tracing::error!(%error, "balances could not be compared");
        }
    }
}

/// Whose money has moved.
#[derive(Default)]
struct Seen {
    orders: Vec<String>,
    customers: Vec<i64>,
}

impl Seen {
    fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.customers.is_empty()
    }

    fn note(&mut self, touched: &Touched) {
        if !touched.topics.contains("money") {
            return;
        }
        for topic in &touched.topics {
            match topic.split_once(':') {
                Some(("order", code)) => self.orders.push(code.to_owned()),
                Some(("customer", id)) => self.customers.extend(id.parse::<i64>()),
                _ => {}
            }
        }
    }
}

/// Tells the owner, once, that money was stopped.
pub(super) async fn alarm(floor: Floor, stop: CancellationToken) {
    let mut stopped = floor.store.ledger_watch();
    loop {
        let cause = stopped.borrow_and_update().clone();
        if let Some(cause) = cause {
            let notice = Raise {
                class: STOPPED,
                merge_key: Some("ledger_stopped".to_owned()),
                kind: "ledger_stopped",
                data: json!({ "cause": cause }),
                task: None,
            };
            if let Err(error) = floor.store.raise_notice(notice, floor.clock.now_ms()).await {
                tracing::error!(%error, "the owner could not be told that money was stopped");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = stopped.changed() => if changed.is_err() { return },
        }
    }
}

/// The time until the next 03:30 in Vietnam after `now` (ms UTC).
fn until_night(now: i64) -> Duration {
    let passed = (now - NIGHT_MS).rem_euclid(DAY_MS);
    Duration::from_millis(u64::try_from(DAY_MS - passed).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_night_is_at_half_past_three_in_vietnam() {
        // 2026-11-21 20:30 UTC is 03:30 on the 22nd in Vietnam.
        let night: i64 = 1_795_293_000_000;
        assert_eq!(until_night(night), Duration::from_millis(DAY_MS as u64));
        assert_eq!(until_night(night - 1), Duration::from_millis(1));
        assert_eq!(until_night(night + HOUR_MS), Duration::from_millis((DAY_MS - HOUR_MS) as u64));
    }
}
