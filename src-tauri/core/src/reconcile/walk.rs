//! One walk through SePay's list: each row through the same intake as a webhook.
//!
//! SePay answers no more rows than a limit, and does not say which of them it leaves out. A full answer is therefore
//! asked for again in two halves of its time, the older one first, down to a second: nothing depends on the order.

use std::collections::HashSet;

use chotdon_store::{Error, Listed, RunEnd, Source};
use futures::future::join_all;
use sepay::transactions::{self, Ask, Row};
use sepay::{Direction, Notification};

use super::Means;
use super::api::{Api, Door, Trouble};
use crate::intake::incoming;

/// Rows asked for at once.
const PAGE: usize = 1_000;
/// What SePay gives at most; only for a single second with more rows than a page.
const MOST: usize = 5_000;
/// Banks book ahead of the clock now and then, ms.
const AHEAD_MS: i64 = 86_400_000;
const SECOND_MS: i64 = 1_000;

/// A run's walk and what it has found so far.
pub(super) struct Walk<'a> {
    pub(super) means: &'a Means,
    pub(super) api: &'a Api,
    pub(super) door: &'a Door,
    pub(super) end: RunEnd,
    seen: HashSet<i64>,
    highest: i64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(means: &'a Means, api: &'a Api, door: &'a Door) -> Self {
        Self { means, api, door, end: RunEnd::default(), seen: HashSet::new(), highest: 0 }
    }

    /// Rows from this id on, booked at `from` (ms) or later.
    pub(super) async fn since(&mut self, id: i64, from: i64) -> Result<(), Trouble> {
        self.through(Some(id), from).await
    }

    /// Rows booked at `from` (ms) or later.
    pub(super) async fn days(&mut self, from: i64) -> Result<(), Trouble> {
        self.through(None, from).await
    }

    /// What was found, everything that was asked for having been taken in.
    pub(super) fn complete(mut self) -> RunEnd {
        self.end.up_to = (self.highest > 0).then_some(self.highest);
        self.end
    }

    async fn through(&mut self, since_id: Option<i64>, from: i64) -> Result<(), Trouble> {
        let until = self.means.clock.now_ms() + AHEAD_MS;
        // Later ones first, so that the oldest is on top.
        let mut left = vec![Span { from: from.div_euclid(SECOND_MS), until: until.div_euclid(SECOND_MS) }];
        while let Some(span) = left.pop() {
            let limit = if span.from == span.until { MOST } else { PAGE };
            let (from, until) = (Some(span.from * SECOND_MS), Some(span.until * SECOND_MS));
            let ask = Ask { since_id, from, until, limit };
            let text = self.api.get(self.door, transactions::LIST, &ask.query()).await?;
            let rows = transactions::rows(&text)?;
            if rows.len() >= limit {
                let (older, newer) = span.halves().ok_or(Trouble::Endless(MOST))?;
                left.extend([newer, older]);
                continue;
            }
            let fresh = rows.into_iter().filter(|row| row.id.is_none_or(|id| self.seen.insert(id))).collect();
            self.take(fresh).await?;
        }
        Ok(())
    }

    /// Takes in what is new on a page, oldest first, then writes down that it was listed.
    async fn take(&mut self, rows: Vec<Row>) -> Result<(), Trouble> {
        self.end.listed += i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let mut read: Vec<(Notification, String)> = Vec::with_capacity(rows.len());
        for row in rows {
            self.highest = self.highest.max(row.id.unwrap_or_default());
            match row.read {
                Ok(notification) => read.push((notification, row.json)),
                Err(error) => {
                    self.end.unreadable += 1;
                    tracing::error!(sepay_id = row.id, %error, "a row of SePay's list cannot be read");
                }
            }
        }
        read.sort_by_key(|(notification, _)| (notification.booked_at, notification.sepay_id));
        let listed: Vec<Listed> = read.iter().map(|(notification, _)| line(notification)).collect();
        let ids: Vec<i64> = listed.iter().map(|row| row.sepay_id).collect();
        let known = self.means.store.known_transfers(&ids).await?;
        let now = self.means.clock.now_ms();
        read.retain(|(notification, _)| !known.contains(&notification.sepay_id));
        // Handed over together, they share commits; the writer keeps their order.
        let taken = join_all(
            read.into_iter().map(|(notification, json)| self.means.take_in(notification, json, now)),
        );
        for answer in taken.await {
            match answer? {
                Taken::New(amount_vnd) => {
                    self.end.added += 1;
                    self.end.added_vnd = self.end.added_vnd.saturating_add(amount_vnd);
                }
                Taken::Known => {}
                Taken::Refused => self.end.unreadable += 1,
            }
        }
        if let Some(probe) = &self.means.probe {
            probe("reconcile:taken").await;
        }
        self.means.store.reconcile_listed(listed, now).await?;
        Ok(())
    }
}

/// What became of one row.
enum Taken {
    /// Recorded; whole đồng in.
    New(i64),
    /// A webhook was faster.
    Known,
    /// It breaks a rule, and would again.
    Refused,
}

impl Means {
    async fn take_in(&self, notification: Notification, json: String, now: i64) -> Result<Taken, Trouble> {
        let sepay_id = notification.sepay_id;
        let in_vnd = match notification.direction {
            Direction::In => notification.amount_vnd,
            Direction::Out => 0,
        };
        let Ok(incoming) = incoming(notification, Source::Reconcile, json, now) else {
            return Ok(Taken::Refused);
        };
        let taken = self.store.take_in(incoming).await;
        match taken {
            Ok(answer) if answer.outcome.as_str() == "duplicate" => Ok(Taken::Known),
            Ok(answer) => {
                tracing::info!(
                    sepay_id,
                    amount_vnd = in_vnd,
                    outcome = answer.outcome.as_str(),
                    order_code = answer.order,
                    "transfer that no webhook reported"
                );
                Ok(Taken::New(in_vnd))
            }
            Err(error @ (Error::Invalid(_) | Error::Conflict(_) | Error::NotFound(_))) => {
                tracing::error!(%error, sepay_id, "a row of SePay's list is refused");
                Ok(Taken::Refused)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn line(notification: &Notification) -> Listed {
    let (in_vnd, out_vnd) = match notification.direction {
        Direction::In => (notification.amount_vnd, 0),
        Direction::Out => (0, notification.amount_vnd),
    };
    Listed {
        sepay_id: notification.sepay_id,
        account: notification.account.clone(),
        bank: notification.gateway.clone(),
        in_vnd,
        out_vnd,
        balance_vnd: notification.accumulated.filter(|balance| *balance != 0),
        reference: notification.reference.clone(),
        booked_at: notification.booked_at,
    }
}

/// Time in whole seconds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: i64,
    until: i64,
}

impl Span {
    /// The older and the newer half; `None` for a single second.
    fn halves(self) -> Option<(Self, Self)> {
        let middle = self.from + (self.until - self.from) / 2;
        let newer = Self { from: middle + 1, ..self };
        (self.from < self.until).then_some((Self { until: middle, ..self }, newer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_leave_no_second_out_and_none_twice() {
        let mut left = vec![Span { from: 3, until: 12 }];
        let mut seconds = Vec::new();
        while let Some(span) = left.pop() {
            match span.halves() {
                Some((older, newer)) => left.extend([newer, older]),
                None => seconds.push(span.from),
            }
        }
        assert!(seconds.iter().copied().eq(3..=12), "{seconds:?}");
    }
}
