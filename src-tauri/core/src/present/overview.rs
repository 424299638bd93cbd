//! The Overview and the sum of money.

use chotdon_store::read::{BucketRecord, OverviewRecord};

use super::time::vietnam_day;
use super::{Crew, failure_group, order_row, queue_counts, rfc3339};
use crate::views::{Attention, Checklist, Money, Overview, Receiving, Today};

/// What the Overview shows besides what the database knows.
#[derive(Debug, Clone)]
pub(crate) struct Glance {
    /// Name of the shop.
    pub(crate) shop: String,
    /// Whether this is the demo.
    pub(crate) demo: bool,
    /// False once money writes were stopped.
    pub(crate) ledger_ok: bool,
    /// Finished tasks per minute of the last hour, oldest first.
    pub(crate) sparkline: Vec<i64>,
    /// Whether the secret store can be read.
    pub(crate) secrets_ok: bool,
    /// Setup.
    pub(crate) checklist: Checklist,
    /// Whether money can come in.
    pub(crate) receiving: Receiving,
}

/// The whole Overview as of `now` (ms UTC).
pub(crate) fn overview(record: &OverviewRecord, crew: &Crew, glance: Glance, now: i64) -> Overview {
    let attention = attention(record, glance.secrets_ok);
    let seconds = |percent| record.delivery.percentile(percent).map(|ms| ms / 1000);
    Overview {
        shop: glance.shop,
        demo: glance.demo,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        stages: record.stages.clone(),
        today: Today {
            date: vietnam_day(now),
            in_vnd: record.today.in_vnd,
            in_before_vnd: record.before.in_vnd,
            transfers: record.today.transfers,
            paid: record.today.paid,
            paid_before: record.before.paid,
            awaiting: record.stages.get("pending").copied().unwrap_or_default(),
            completed: record.today.completed,
            completed_before: record.before.completed,
            delivery_p50_s: seconds(50),
            delivery_p95_s: seconds(95),
            hours_vnd: record.today.hours_vnd.clone(),
        },
        queue: queue_counts(&record.queue, crew, now),
        queue_sparkline: glance.sparkline,
        money: money(&record.money, glance.ledger_ok),
        attention,
        newest: record.newest.iter().map(order_row).collect(),
        last_transfer_at: record.pulse.last_transfer_at.map(rfc3339),
        checklist: glance.checklist,
        receiving: glance.receiving,
    }
}

/// What needs the owner, most urgent first.
fn attention(record: &OverviewRecord, secrets_ok: bool) -> Vec<Attention> {
    let pulse = &record.pulse;
    let mut rows = Vec::new();
    if !secrets_ok {
        rows.push(Attention::Secrets { code: "secret_store_unavailable".to_owned() });
    }
    rows.extend(record.failures.iter().map(|group| Attention::Failures { group: failure_group(group) }));
    if let Some(oldest) = pulse.unmatched_oldest_at.filter(|_| pulse.unmatched > 0) {
        rows.push(Attention::Unmatched {
            count: pulse.unmatched,
            amount_vnd: record.money.unmatched_vnd,
            oldest_at: rfc3339(oldest),
        });
    }
    if pulse.flagged > 0 {
        rows.push(Attention::WrongAmount { count: pulse.flagged });
    }
    if let Some(since) = pulse.undelivered_since.filter(|_| pulse.undelivered > 0) {
        rows.push(Attention::Undelivered { count: pulse.undelivered, oldest_at: rfc3339(since) });
    }
    rows
}

/// The sum the owner can trust.
pub(crate) fn money(buckets: &BucketRecord, ledger_ok: bool) -> Money {
    let orders_vnd = buckets.orders_vnd.saturating_add(buckets.refunded_vnd);
    let adjusted_vnd = buckets.shop_vnd.saturating_neg();
    let placed = [orders_vnd, buckets.wallets_vnd, buckets.unmatched_vnd, buckets.set_aside_vnd];
    let placed = placed.into_iter().fold(0_i64, i64::saturating_add);
    let difference_vnd = buckets.in_vnd.saturating_add(adjusted_vnd).saturating_sub(placed);
    Money {
        in_vnd: buckets.in_vnd,
        orders_vnd,
        wallets_vnd: buckets.wallets_vnd,
        unmatched_vnd: buckets.unmatched_vnd,
        set_aside_vnd: buckets.set_aside_vnd,
        refunded_vnd: buckets.refunded_vnd,
        adjusted_vnd,
        difference_vnd,
        transfers: buckets.transfers,
        ledger_ok: ledger_ok && difference_vnd == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown_and_the_ledger_is_then_not_fine() {
        let even = BucketRecord { in_vnd: 10, orders_vnd: 7, unmatched_vnd: 3, ..BucketRecord::default() };
        assert_eq!((money(&even, true).difference_vnd, money(&even, true).ledger_ok), (0, true));
        let moved = BucketRecord { orders_vnd: 2, refunded_vnd: 5, wallets_vnd: 4, shop_vnd: -4, ..even };
        let shown = money(&moved, true);
        assert_eq!((shown.orders_vnd, shown.adjusted_vnd, shown.difference_vnd), (7, 4, 0));
        let odd = BucketRecord { in_vnd: 11, ..even };
        assert_eq!((money(&odd, true).difference_vnd, money(&odd, true).ledger_ok), (1, false));
    }
}
