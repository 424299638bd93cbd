//! An order's money as people handle it: marked as paid, refunded, its surplus moved, paid from the wallet.
//!
//! `domain::order` decides, `posting` moves the money, this writes what follows: stage, flags, delivery, access,
//! timeline, audit. Transfers coming in go through `intake`; placing unmatched ones by hand uses what is here.

use serde_json::{Value, json};
use sqlx::Row;

use chotdon_domain::order::{Flags, MoneyRefusal, OrderMoney, Stage};

use crate::access;
use crate::customer_mail::{self, Told};
use crate::enqueue::ensure_prepared;
use crate::ledger::{Account, Movement};
use crate::orders::{audit, tell};
use crate::posting::post;
use crate::queue::{NEVER, prepare_key};
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// Where an order's surplus goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SurplusTo {
    /// To the wallet of the order's customer.
    Wallet,
    /// Aside, until the owner knows better.
    SetAside,
}

impl SurplusTo {
    /// As on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::SetAside => "set_aside",
        }
    }

    /// The place of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Wallet, Self::SetAside].into_iter().find(|to| to.as_str() == name)
    }
}

/// An order whose money is handled now.
#[derive(Debug, Clone)]
pub(crate) struct OrderCase {
    pub(crate) id: i64,
    pub(crate) code: String,
    pub(crate) customer: i64,
    pub(crate) prio: i64,
    pub(crate) money: OrderMoney,
}

impl OrderCase {
    fn refuse(&self, why: MoneyRefusal) -> Error {
        Error::refused(why.code(), format!("{}: {why}", self.code))
    }
}

impl Store {
    /// Settles an order by the owner's word: its delivery is queued, no money moves. Accepts a shortage and delivers
    /// a late payment as well.
    ///
    /// # Errors
    /// [`Error::Refused`] `already_settled` unless it is pending, expired or cancelled.
    pub async fn mark_paid(&self, code: &str, reason: &str, actor: &str, now: i64) -> Result<()> {
        let (code, reason, actor) = (code.to_owned(), reason.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (code, reason, actor) = (code.clone(), reason.clone(), actor.clone());
                Box::pin(async move {
                    let mut order = load(tx, &code).await?;
                    order.money = order.money.mark_paid().map_err(|why| order.refuse(why))?;
                    save(tx, &order, now).await?;
                    tell(tx, order.id, now, "marked_paid", &json!({ "reason": reason }), "owner").await?;
                    let data = json!({ "reason": reason, "held_vnd": order.money.paid });
                    audit(tx, now, &actor, "order.mark_paid", &code, &data).await?;
                    deliver(tx, &order, None, now).await
                })
            })
            .await
    }

    /// Records that the bank gave `amount` whole đồng back, or everything when left out. Giving back everything ends
    /// the order, takes access back and calls its delivery off. Returns the delivery tasks that were called off.
    ///
    /// # Errors
    /// [`Error::Refused`] `nothing_to_refund` or `insufficient_funds`.
    pub async fn refund(
        &self,
        code: &str,
        amount: Option<i64>,
        reason: &str,
        actor: &str,
        now: i64,
    ) -> Result<Vec<i64>> {
        let (code, reason, actor) = (code.to_owned(), reason.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (code, reason, actor) = (code.clone(), reason.clone(), actor.clone());
                Box::pin(async move { refund(tx, &code, amount, &reason, &actor, now).await })
            })
            .await
    }

    /// Moves what an order holds beyond its need. Returns the amount, whole đồng.
    ///
    /// # Errors
    /// [`Error::Refused`] `no_surplus`.
    pub async fn take_surplus(
        &self,
        code: &str,
        to: SurplusTo,
        reason: &str,
        actor: &str,
        now: i64,
    ) -> Result<i64> {
        let (code, reason, actor) = (code.to_owned(), reason.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (code, reason, actor) = (code.clone(), reason.clone(), actor.clone());
                Box::pin(async move {
                    let mut order = load(tx, &code).await?;
                    let (after, amount) = order.money.take_surplus().map_err(|why| order.refuse(why))?;
                    order.money = after;
                    let goal = match to {
                        SurplusTo::Wallet => Account::Wallet(order.customer),
                        SurplusTo::SetAside => Account::SetAside,
                    };
                    let moved = Movement::new(now, Account::Order(order.id), goal, amount, "surplus");
                    let row = post(tx, &[moved.by(&actor, &reason)]).await?.first().copied();
                    save(tx, &order, now).await?;
                    let data = json!({ "amount_vnd": amount, "to": to.as_str(), "reason": reason });
                    tell(tx, order.id, now, "surplus_moved", &data, "owner").await?;
                    audit(tx, now, &actor, "order.surplus", &code, &data).await?;
                    if let (SurplusTo::Wallet, Some(row)) = (to, row) {
                        let told = Told::Surplus { row, order: order.id, amount };
                        customer_mail::queue(tx, order.customer, &told, now).await?;
                    }
                    Ok(amount)
                })
            })
            .await
    }

    /// Pays what is still due on a waiting order from its customer's wallet, in full or not at all.
    ///
    /// # Errors
    /// [`Error::Refused`] `insufficient_funds`, or `order_not_pending` when it does not wait for money.
    pub async fn pay_from_wallet(&self, code: &str, actor: &str, now: i64) -> Result<()> {
        let (code, actor) = (code.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (code, actor) = (code.clone(), actor.clone());
                Box::pin(async move {
                    pay_from_wallet(tx, &code, &actor, "owner", now).await?;
                    audit(tx, now, &actor, "order.pay_from_wallet", &code, &json!({})).await
                })
            })
            .await
    }
}

async fn refund(
    tx: &mut Tx,
    code: &str,
    amount: Option<i64>,
    reason: &str,
    actor: &str,
    now: i64,
) -> Result<Vec<i64>> {
    let mut order = load(tx, code).await?;
    let (after, amount) = order.money.refund(amount).map_err(|why| order.refuse(why))?;
    order.money = after;
    let mut row = None;
    if amount > 0 {
        let moved = Movement::new(now, Account::Order(order.id), Account::Refunded, amount, "refund");
        row = post(tx, &[moved.by(actor, reason)]).await?.first().copied();
    }
    let whole = after.stage == Stage::Refunded;
    let mut stopped = Vec::new();
    if whole {
        stopped = call_off_delivery(tx, order.id, now).await?;
        take_access_back(tx, order.id, true, now).await?;
    }
    save(tx, &order, now).await?;
    let data = json!({ "amount_vnd": amount, "held_vnd": after.paid, "whole": whole, "reason": reason });
    tell(tx, order.id, now, "refunded", &data, "owner").await?;
    audit(tx, now, actor, "order.refund", code, &data).await?;
    if let Some(row) = row {
        let told = Told::Refund { row, order: order.id, amount };
        customer_mail::queue(tx, order.customer, &told, now).await?;
    }
    Ok(stopped)
}

/// Moves what is due from the wallet of the order's customer and settles it.
pub(crate) async fn pay_from_wallet(
    tx: &mut Tx,
    code: &str,
    actor: &str,
    told_as: &str,
    now: i64,
) -> Result<()> {
    let mut order = load(tx, code).await?;
    if order.money.stage_at(now) != Stage::Pending {
        return Err(order.refuse(MoneyRefusal::NotWaiting));
    }
    let amount = order.money.due();
    let (wallet, held) = (Account::Wallet(order.customer), Account::Order(order.id));
    post(tx, &[Movement::new(now, wallet, held, amount, "wallet_pay").by(actor, "")]).await?;
    let receipt = order.money.receive(amount, 0, now).map_err(|error| Error::Invalid(error.to_string()))?;
    order.money = receipt.after;
    save(tx, &order, now).await?;
    tell(tx, order.id, now, "wallet_paid", &json!({ "amount_vnd": amount }), told_as).await?;
    deliver(tx, &order, None, now).await
}

/// The order with this code, for handling its money.
///
/// # Errors
/// [`Error::NotFound`] for an unknown code.
pub(crate) async fn load(tx: &mut Tx, code: &str) -> Result<OrderCase> {
    let row = sqlx::query(
        "SELECT id, customer_id, prio, stage, flags, total_vnd, paid_vnd, expires_at FROM orders WHERE code = $1",
    )
    .bind(code)
    .fetch_optional(&mut tx.conn)
    .await?
    .ok_or_else(|| Error::NotFound(format!("order {code}")))?;
    let stage: &str = row.try_get("stage")?;
    let stage = Stage::parse(stage).ok_or_else(|| Error::Unusable(format!("unknown order stage {stage}")))?;
    Ok(OrderCase {
        id: row.try_get("id")?,
        code: code.to_owned(),
        customer: row.try_get("customer_id")?,
        prio: row.try_get("prio")?,
        money: OrderMoney {
            stage,
            flags: Flags(row.try_get("flags")?),
            total: row.try_get("total_vnd")?,
            paid: row.try_get("paid_vnd")?,
            expires_at: row.try_get("expires_at")?,
        },
    })
}

/// Writes the order's stage and flags. What it holds was written by [`post`]; the two must agree.
pub(crate) async fn save(tx: &mut Tx, order: &OrderCase, now: i64) -> Result<()> {
    let held: i64 = sqlx::query_scalar(
        "UPDATE orders SET stage = $2, flags = $3, \
           paid_at = CASE WHEN $4 THEN coalesce(paid_at, $5) WHEN $2 IN ('pending', 'expired') THEN NULL ELSE paid_at END \
         WHERE id = $1 RETURNING paid_vnd",
    )
    .bind(order.id)
    .bind(order.money.stage.as_str())
    .bind(order.money.flags.0)
    .bind(order.money.stage.is_settled())
    .bind(now)
    .fetch_one(&mut tx.conn)
    .await?;
    if held != order.money.paid {
        return Err(Error::Internal(format!(
            "{} holds {held} ₫ where {} ₫ were decided on",
            order.code, order.money.paid
        )));
    }
    tx.orders_changed([order.code.clone()]);
    Ok(())
}

/// Queues the delivery of an order that was just settled: at once, or not before `hold_until` (ms).
pub(crate) async fn deliver(tx: &mut Tx, order: &OrderCase, hold_until: Option<i64>, now: i64) -> Result<()> {
    let courses = sqlx::query(
        "UPDATE order_item SET delivery = 'waiting' WHERE order_id = $1 AND delivery IN ('revoked', 'failed'); \
         SELECT c.id, c.version, c.ready, c.title FROM order_item AS i JOIN course AS c ON c.id = i.course_id \
          WHERE i.order_id = $1 ORDER BY i.id",
    )
    .bind(order.id)
    .fetch_all(&mut tx.conn)
    .await?;
    let mut waits_on = None;
    for course in courses {
        let (id, version): (i64, i64) = (course.try_get("id")?, course.try_get("version")?);
        let (ready, title): (bool, String) =
            (course.try_get::<i64, _>("ready")? != 0, course.try_get("title")?);
        let kind = if ready { "course_ready" } else { "course_waiting" };
        tell(tx, order.id, now, kind, &json!({ "course": title }), "system").await?;
        if !ready {
            ensure_prepared(tx, id, version, now).await?;
            waits_on.get_or_insert_with(|| prepare_key(id, version));
            sqlx::query(
                "UPDATE order_item SET delivery = 'preparing' WHERE order_id = $1 AND course_id = $2",
            )
            .bind(order.id)
            .bind(id)
            .execute(&mut tx.conn)
            .await?;
        }
    }
    // A held delivery waits for its time first; its first stage then waits for the course.
    let (state, run_at, waits_on) = match (hold_until.filter(|at| *at > now), waits_on) {
        (Some(at), _) => ("scheduled", at, None),
        (None, Some(key)) => ("scheduled", NEVER, Some(key)),
        (None, None) => ("ready", now, None),
    };
    sqlx::query(
        "INSERT INTO task (kind, lane, prio, state, stage, run_at, waits_on, max_attempt, dedupe_key, order_id, created_at) \
           VALUES ('deliver_order', 'order', $2, $3, 'share', $4, $5, $6, 'deliver:' || $1, $1, $7) \
         ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL AND state NOT IN ('done','failed','cancelled') DO NOTHING; \
         INSERT INTO hour_stat (hour, paid) VALUES ($7 / 3600000, 1) ON CONFLICT (hour) DO UPDATE SET paid = paid + 1",
    )
    .bind(order.id)
    .bind(order.prio)
    .bind(state)
    .bind(run_at)
    .bind(waits_on)
    .bind(tx.tuning.max_attempt())
    .bind(now)
    .execute(&mut tx.conn)
    .await?;
    tx.ready(["order"].into_iter());
    tx.touched.scheduled |= state == "scheduled";
    Ok(())
}

/// Calls the order's deliveries off, running ones too: the epoch moves on, so a worker's late result is refused.
/// Returns their ids.
pub(crate) async fn call_off_delivery(tx: &mut Tx, order: i64, now: i64) -> Result<Vec<i64>> {
    let tasks: Vec<i64> = sqlx::query_scalar(
        "UPDATE task SET state = 'cancelled', lease_epoch = lease_epoch + 1, lease_owner = NULL, lease_until = NULL, \
           waits_on = NULL, finished_at = $2 \
         WHERE order_id = $1 AND kind = 'deliver_order' AND state NOT IN ('done', 'cancelled') RETURNING id",
    )
    .bind(order)
    .bind(now)
    .fetch_all(&mut tx.conn)
    .await?;
    tx.touched.topics.extend(["queue".to_owned(), "failures".to_owned()]);
    tx.touched.topics.extend(tasks.iter().map(|id| format!("task:{id}")));
    Ok(tasks)
}

/// Ends every link of the order, and takes back what its buyer was given at other systems. With `all`, courses that
/// nobody has got yet count as taken back as well.
pub(crate) async fn take_access_back(tx: &mut Tx, order: i64, all: bool, now: i64) -> Result<()> {
    let given: Vec<i64> = sqlx::query_scalar(
        "UPDATE order_item SET delivery = 'revoked' WHERE order_id = $1 AND delivery <> 'revoked' AND ($3 OR link IS NOT NULL \
           OR EXISTS (SELECT 1 FROM enrolment AS e WHERE e.order_item_id = order_item.id AND e.state IN ('intent', 'enrolled'))); \
         UPDATE link SET revoked_at = $2 WHERE revoked_at IS NULL \
           AND order_item_id IN (SELECT id FROM order_item WHERE order_id = $1) RETURNING id",
    )
    .bind(order)
    .bind(now)
    .bind(all)
    .fetch_all(&mut tx.conn)
    .await?;
    let why = if all { "refunded" } else { "cancelled" };
    let grants = access::revoke_for(tx, order, None, why, now).await?;
    if given.is_empty() && grants == 0 {
        return Ok(());
    }
    let links: Value = json!({ "links": given.len() + grants });
    tell(tx, order, now, "access_revoked", &links, "system").await
}
