//! One walk through SePay's list: page after page, each row through the same intake as a webhook.
//!
//! SePay answers the newest rows of what is asked for, so a full page is followed by what is older; a list that comes
//! oldest first is followed forward. Rows of two pages may overlap; each is taken once.

use std::collections::HashSet;

use chotdon_store::{Error, Listed, RunEnd, Source};
use futures::future::join_all;
use sepay::transactions::{self, Ask, Row};
use sepay::{Direction, Notification};

use super::Means;
use super::api::{Api, Door, Trouble};
use crate::intake::incoming;

/// Rows asked for at once.
const PAGE: usize = 500;
/// What SePay gives at most.
const MOST: usize = 5_000;

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

    /// Rows from this id on.
    pub(super) async fn since(&mut self, id: i64) -> Result<(), Trouble> {
        self.through(Ask { since_id: Some(id), from: None, until: None, limit: PAGE }).await
    }

    /// Rows booked at `from` (ms) or later.
    pub(super) async fn days(&mut self, from: i64) -> Result<(), Trouble> {
        self.through(Ask { since_id: None, from: Some(from), until: None, limit: PAGE }).await
    }

    /// What was found, everything that was asked for having been taken in.
    pub(super) fn complete(mut self) -> RunEnd {
        self.end.up_to = (self.highest > 0).then_some(self.highest);
        self.end
    }

    async fn through(&mut self, mut ask: Ask) -> Result<(), Trouble> {
        loop {
            let text = self.api.get(self.door, transactions::LIST, &ask.query()).await?;
            let rows = transactions::rows(&text)?;
            let next = following(&ask, &rows);
            let fresh = rows.into_iter().filter(|row| row.id.is_none_or(|id| self.seen.insert(id))).collect();
            self.take(fresh).await?;
            match next {
                None => return Ok(()),
                Some(next) if next != ask => ask = next,
                Some(_) if ask.limit < MOST => ask.limit = MOST,
                Some(_) => return Err(Trouble::Endless(MOST)),
            }
        }
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
        let taken = join_all(read.into_iter().map(|(notification, json)| self.means.take_in(notification, json, now)));
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

/// What to ask after a full page; `None` when it was the last one.
fn following(ask: &Ask, rows: &[Row]) -> Option<Ask> {
    if rows.len() < ask.limit {
        return None;
    }
    let ids = || rows.iter().filter_map(|row| row.id);
    let booked = || rows.iter().filter_map(|row| row.read.as_ref().ok()?.booked_at);
    let newest_first = ids().next() > ids().last();
    Some(match (newest_first, ask.since_id) {
        (true, _) => Ask { until: booked().min().or(ask.until), ..*ask },
        (false, Some(_)) => Ask { since_id: ids().max().or(ask.since_id), ..*ask },
        (false, None) => Ask { from: booked().max().or(ask.from), ..*ask },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, booked_at: i64) -> Row {
        let json = serde_json::json!({ "id": id, "amount_in": "1.00" }).to_string();
        let read = transactions::parse_row(&json).map(|row| Notification { booked_at: Some(booked_at), ..row });
        Row { id: Some(id), read, json }
    }

    #[test]
    fn a_full_page_is_followed_in_the_direction_of_the_list() {
        let since = Ask { since_id: Some(3), from: None, until: None, limit: 2 };
        assert_eq!(following(&since, &[row(9, 90)]), None);
        let older = following(&since, &[row(9, 90), row(8, 80)]).unwrap();
        assert_eq!(older, Ask { until: Some(80), ..since });
        let newer = following(&since, &[row(8, 80), row(9, 90)]).unwrap();
        assert_eq!(newer, Ask { since_id: Some(9), ..since });
        let days = Ask { since_id: None, from: Some(7), ..since };
        assert_eq!(following(&days, &[row(8, 80), row(9, 90)]).unwrap(), Ask { from: Some(90), ..days });
        assert_eq!(following(&days, &[row(9, 90), row(8, 80)]).unwrap(), Ask { until: Some(80), ..days });
    }
}
