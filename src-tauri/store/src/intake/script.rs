//! Writes a decided batch: one statement, an argument a table.

use serde_json::{Value, json};

use super::Booking;
use crate::Result;
use crate::customer_mail::queue_topups;
use crate::enqueue::ensure_prepared;
use crate::notices::{self, NEEDS_OWNER, Raise};
use crate::standby::begun;
use crate::writer::{Script, Tx, script};

/// What a batch writes, as one statement of the writer's connection: eight statements would wake us eight times.
/// Of the connection, not of the schema, since it is part of the program.
pub(crate) const BOOKING: &str = "\
CREATE TEMP VIEW booking (events, transfers, ledger, buckets, hours, orders, timeline, deliveries) AS \
  SELECT '', '', '', '', '', '', '', ''; \
CREATE TEMP TRIGGER book INSTEAD OF INSERT ON booking BEGIN \
INSERT INTO sepay_event (sepay_id, source, received_at, body, body_sha256, outcome) \
  SELECT value ->> 'id', value ->> 'source', value ->> 'at', value ->> 'body', value ->> 'hash', value ->> 'outcome' \
    FROM jsonb_each(NEW.events); \
INSERT INTO transfer (id, sepay_id, direction, amount_vnd, gateway, account, sub_account, code, content, description, \
                      reference, booked_at, accumulated, state, reason, level, order_id, customer_id, received_at) \
  SELECT value ->> 'id', value ->> 'sepay', value ->> 'direction', value ->> 'amount', value ->> 'gateway', value ->> 'account', \
         value ->> 'sub', value ->> 'code', value ->> 'content', value ->> 'description', value ->> 'reference', \
         value ->> 'booked', value ->> 'accumulated', value ->> 'state', value ->> 'reason', value ->> 'level', \
         value ->> 'order', value ->> 'customer', value ->> 'at' \
    FROM jsonb_each(NEW.transfers); \
INSERT INTO ledger (id, at, debit, credit, amount_vnd, transfer_id, reason, prev_hash, hash) \
  SELECT value ->> 'id', value ->> 'at', value ->> 'debit', value ->> 'credit', value ->> 'amount', value ->> 'transfer', \
         value ->> 'reason', value ->> 'prev', value ->> 'hash' \
    FROM jsonb_each(NEW.ledger); \
UPDATE bucket SET balance_vnd = balance_vnd + (NEW.buckets ->> name) WHERE NEW.buckets ->> name IS NOT NULL; \
INSERT INTO hour_stat (hour, in_vnd, transfers, paid, topups) \
  SELECT value ->> 'hour', value ->> 'in', value ->> 'transfers', value ->> 'paid', value ->> 'topups' \
    FROM jsonb_each(NEW.hours) WHERE true \
  ON CONFLICT (hour) DO UPDATE SET in_vnd = in_vnd + excluded.in_vnd, transfers = transfers + excluded.transfers, \
    paid = paid + excluded.paid, topups = topups + excluded.topups; \
UPDATE orders SET stage = j.stage, flags = j.flags, paid_vnd = j.paid, paid_at = coalesce(orders.paid_at, j.paid_at) \
  FROM (SELECT value ->> 'id' AS id, value ->> 'stage' AS stage, value ->> 'flags' AS flags, value ->> 'paid' AS paid, \
               value ->> 'paid_at' AS paid_at FROM jsonb_each(NEW.orders)) AS j \
  WHERE orders.id = j.id; \
INSERT INTO timeline (order_id, at, kind, data) \
  SELECT value ->> 'order', value ->> 'at', value ->> 'kind', value ->> 'data' FROM jsonb_each(NEW.timeline); \
INSERT INTO task (kind, lane, prio, state, stage, run_at, waits_on, max_attempt, dedupe_key, order_id, created_at, \
                  attempt, lease_epoch, lease_owner, lease_until, started_at) \
  SELECT 'deliver_order', 'order', value ->> 'prio', value ->> 'state', 'share', coalesce(value ->> 'run_at', value ->> 'at'), value ->> 'waits_on', \
         value ->> 'max', 'deliver:' || (value ->> 'order'), value ->> 'order', value ->> 'at', \
         value ->> 'state' = 'running', value ->> 'state' = 'running', value ->> 'owner', value ->> 'until', value ->> 'started_at' \
    FROM jsonb_each(NEW.deliveries) WHERE true \
  ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL AND state NOT IN ('done','failed','cancelled') DO NOTHING; \
END";

macro_rules! events {
    () => {
        "INSERT INTO booking VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    };
}

const EVENTS: Script = script!(events!());

/// The same, and reads which of the batch's deliveries began with it.
const EVENTS_AND_BEGUN: Script = script!(concat!(events!(), "; ", begun!("$9")));

const WALLETS: &str = "\
UPDATE customer SET wallet_vnd = wallet_vnd + (SELECT value ->> 1 FROM json_each($1) WHERE value ->> 0 = customer.id) \
  WHERE id IN (SELECT value ->> 0 FROM json_each($1))";

const REPEATS: Script = script!(
    "\
UPDATE sepay_event SET repeats = repeats + j.n, other_body = coalesce(other_body, j.other) \
  FROM (SELECT value ->> 'id' AS id, count(*) AS n, max(value ->> 'other') AS other FROM json_each($1) GROUP BY 1) AS j \
  WHERE sepay_event.sepay_id = j.id"
);

const PREPARING: &str = "\
UPDATE order_item SET delivery = 'preparing' \
  WHERE order_id IN (SELECT value ->> 'order' FROM json_each($1)) \
    AND course_id IN (SELECT id FROM course WHERE ready = 0)";

pub(super) async fn write(tx: &mut Tx, mut booking: Booking) -> Result<()> {
    if !booking.wallets.is_empty() {
        let wallets: Vec<(i64, i64)> = booking.wallets.iter().map(|(id, credit)| (*id, *credit)).collect();
        sqlx::query(WALLETS).bind(serde_json::to_string(&wallets)?).execute(&mut tx.conn).await?;
        queue_topups(tx, &booking.transfers, booking.now).await?;
    }
    if !booking.wanted.is_empty() {
        for (course, version) in &booking.wanted {
            ensure_prepared(tx, *course, *version, booking.now).await?;
        }
        sqlx::query(PREPARING)
            .bind(serde_json::to_string(&booking.deliveries)?)
            .execute(&mut tx.conn)
            .await?;
    }
    for id in &booking.different {
        let notice = Raise {
            class: NEEDS_OWNER,
            merge_key: Some(format!("different_body:{id}")),
            kind: "different_body",
            data: json!({ "sepay_id": id }),
            task: None,
        };
        notices::raise(tx, &notice, booking.now).await?;
    }
    if booking.unmatched_any {
        let notice = Raise {
            class: NEEDS_OWNER,
            merge_key: Some("unmatched".to_owned()),
            kind: "unmatched",
            data: json!({}),
            task: None,
        };
        notices::raise(tx, &notice, booking.now).await?;
    }
    if booking.settled_any {
        tx.ready(["order"].into_iter());
    }
    let last = tx.is_last();
    if !booking.events.is_empty() {
        tx.touched.topic("money");
        tx.set_last(last && booking.repeats.is_empty());
        if booking.any_ready()
            && let Some(claim) = tx.take_standing()
        {
            booking.begin(&claim);
        }
        events(tx, &booking).await?;
    }
    if !booking.repeats.is_empty() {
        tx.set_last(last);
        let repeats = serde_json::to_string(&booking.repeats)?;
        sqlx::query(tx.closing(&REPEATS)).bind(repeats).execute(&mut tx.conn).await?;
    }
    tx.orders_changed(booking.changed);
    Ok(())
}

async fn events(tx: &mut Tx, booking: &Booking) -> Result<()> {
    let hours: Vec<Value> = booking
        .hours
        .iter()
        .map(|(hour, gain)| {
            json!({ "hour": hour, "in": gain.in_vnd, "transfers": gain.transfers, "paid": gain.paid, "topups": gain.topups })
        })
        .collect();
    let begun = booking.any_begun();
    let rows = sqlx::query(tx.closing(if begun { &EVENTS_AND_BEGUN } else { &EVENTS }))
        .bind(serde_json::to_string(&booking.events)?)
        .bind(serde_json::to_string(&booking.transfers)?)
        .bind(serde_json::to_string(&booking.ledger)?)
        .bind(serde_json::to_string(&booking.buckets)?)
        .bind(serde_json::to_string(&hours)?)
        .bind(serde_json::to_string(&booking.orders())?)
        .bind(serde_json::to_string(&booking.timeline)?)
        .bind(serde_json::to_string(&booking.deliveries)?)
        .bind(begun.then(|| booking.last_task()))
        .fetch_all(&mut tx.conn)
        .await?;
    if begun {
        tx.note_begun(&rows)?
    }
    Ok(())
}
