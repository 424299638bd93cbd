//! Placing transfers by hand: match to an order, credit a wallet, make an order of it, set aside, undo, decide anew.
//!
//! What the money means for an order is decided by `domain::order`, as in `intake`; every movement goes through
//! `posting`. What may have been meant is in `read::suggestions`. The admin API calls.

#[cfg(test)]
mod tests;
mod undo;

use serde_json::json;
use sqlx::Row;

use chotdon_domain::order::{BalanceOverflow, Flags, OrderMoney, Outcome, Receipt, Stage};

use crate::customer_mail::{self, Told};
use crate::ledger::{Account, Movement};
use crate::order_money::{OrderCase, deliver, load, save};
use crate::orders::{audit, create, customer_of, tell};
use crate::posting::post;
use crate::writer::Tx;
use crate::{Error, NewOrderRow, Result, Store};

pub use undo::Placing;

/// Whose wallet a transfer goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credit {
    /// An existing customer's, by row id.
    Customer(i64),
    /// The customer's with this address, who is made when there is none.
    Email {
        /// Address, already checked.
        email: String,
        /// Name; empty keeps the known one.
        name: String,
    },
}

/// Who places a transfer, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// `owner`.
    pub actor: String,
    /// How long a delivery waits so that the match can be undone, ms.
    pub hold_ms: i64,
    /// Now, ms UTC.
    pub now: i64,
}

impl Store {
    /// Books an unmatched transfer on an order, by the rules of a transfer that came by itself. Money that came
    /// before the order expired is not late, however long it waited for the owner. When it settles the order, the
    /// delivery begins after the hand's hold.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] `already_matched` when it is placed already, `nothing_to_move` when it
    /// is about 0 ₫.
    pub async fn match_transfer(&self, id: i64, code: &str, hand: Hand) -> Result<()> {
        let code = code.trim().to_ascii_uppercase();
        self.writer
            .run(move |tx| {
                let (code, hand) = (code.clone(), hand.clone());
                Box::pin(async move {
                    let transfer = waiting(tx, id).await?;
                    settle_by_hand(tx, &transfer, &code, &hand).await?;
                    audit(
                        tx,
                        hand.now,
                        &hand.actor,
                        "transfer.match",
                        &subject(id),
                        &json!({ "order": code }),
                    )
                    .await
                })
            })
            .await
    }

    /// Puts an unmatched transfer into a customer's wallet.
    ///
    /// # Errors
    /// As [`Store::match_transfer`].
    pub async fn credit_transfer(&self, id: i64, to: Credit, hand: Hand) -> Result<()> {
        self.writer
            .run(move |tx| {
                let (to, hand) = (to.clone(), hand.clone());
                Box::pin(async move { credit(tx, id, &to, &hand).await })
            })
            .await
    }

    /// Makes an order and books an unmatched transfer on it, in one commit. Returns the order's code.
    ///
    /// # Errors
    /// As [`Store::match_transfer`] and [`Store::create_order`].
    pub async fn order_from_transfer(&self, id: i64, order: NewOrderRow, hand: Hand) -> Result<String> {
        self.writer
            .run(move |tx| {
                let (order, hand) = (order.clone(), hand.clone());
                Box::pin(async move {
                    let transfer = waiting(tx, id).await?;
                    let created = create(tx, &order).await?;
                    settle_by_hand(tx, &transfer, &created.code, &hand).await?;
                    let data = json!({ "order": created.code });
                    audit(tx, hand.now, &hand.actor, "transfer.create_order", &subject(id), &data).await?;
                    Ok(created.code)
                })
            })
            .await
    }

    /// Sets an unmatched transfer aside, with the owner's reason.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] `already_matched` when it is placed already.
    pub async fn set_transfer_aside(&self, id: i64, reason: &str, hand: Hand) -> Result<()> {
        let reason = reason.to_owned();
        self.writer
            .run(move |tx| {
                let (reason, hand) = (reason.clone(), hand.clone());
                Box::pin(async move {
                    let transfer = waiting(tx, id).await?;
                    if transfer.amount > 0 {
                        move_from_unmatched(tx, &transfer, Account::SetAside, "set_aside", &reason, &hand)
                            .await?;
                    }
                    let place = Place { state: "set_aside", note: Some(&reason), ..Place::manual(&hand) };
                    place_transfer(tx, id, &place).await?;
                    let data = json!({ "reason": reason });
                    audit(tx, hand.now, &hand.actor, "transfer.set_aside", &subject(id), &data).await
                })
            })
            .await
    }
}

/// A transfer that waits for the owner.
pub(crate) struct Waiting {
    pub(crate) id: i64,
    pub(crate) sepay_id: i64,
    pub(crate) amount: i64,
    pub(crate) gateway: String,
    pub(crate) reference: String,
    pub(crate) received_at: i64,
}

/// The transfer, which nobody has placed before.
async fn waiting(tx: &mut Tx, id: i64) -> Result<Waiting> {
    let row = sqlx::query(
        "SELECT t.id, t.sepay_id, t.state, t.amount_vnd, t.gateway, t.reference, t.received_at, o.code AS order_code \
         FROM transfer t LEFT JOIN orders o ON o.id = t.order_id WHERE t.id = $1",
    )
    .bind(id)
    .fetch_optional(&mut tx.conn)
    .await?
    .ok_or_else(|| Error::NotFound(format!("transfer {id}")))?;
    let state: String = row.try_get("state")?;
    if state != "unmatched" {
        let place = match row.try_get::<Option<String>, _>("order_code")? {
            Some(code) => format!("it belongs to order {code}"),
            None => format!("its state is {state}"),
        };
        return Err(Error::refused("already_matched", format!("transfer {id} is placed already: {place}")));
    }
    Ok(Waiting {
        id,
        sepay_id: row.try_get("sepay_id")?,
        amount: row.try_get("amount_vnd")?,
        gateway: row.try_get("gateway")?,
        reference: row.try_get("reference")?,
        received_at: row.try_get("received_at")?,
    })
}

async fn settle_by_hand(tx: &mut Tx, transfer: &Waiting, code: &str, hand: &Hand) -> Result<()> {
    let mut order = load(tx, code).await?;
    let receipt = receive_in_time(order.money, transfer, tx.tuning.tolerance_vnd())?;
    order.money = receipt.after;
    let hold_until = Some(hand.now.saturating_add(hand.hold_ms.max(0)));
    let booking = OrderBooking { order: &order, receipt, hold_until, level: "manual", tells: "owner" };
    move_from_unmatched(tx, transfer, Account::Order(order.id), "match", "", hand).await?;
    book_on_order(tx, transfer, &booking, hand.now).await?;
    let place = Place { state: "order", order: Some(order.id), ..Place::manual(hand) };
    place_transfer(tx, transfer.id, &place).await
}

/// What the money does to the order. When it came decides whether it is late, not when the owner found the time.
fn receive_in_time(money: OrderMoney, transfer: &Waiting, tolerance: i64) -> Result<Receipt> {
    let overflow = |error: BalanceOverflow| Error::Invalid(error.to_string());
    if money.stage == Stage::Expired && transfer.received_at < money.expires_at {
        let waiting = OrderMoney { stage: Stage::Pending, ..money };
        let receipt = waiting.receive(transfer.amount, tolerance, transfer.received_at).map_err(overflow)?;
        if receipt.settles {
            return Ok(receipt);
        }
    }
    money.receive(transfer.amount, tolerance, transfer.received_at).map_err(overflow)
}

/// What a transfer does to an order, and on what evidence.
struct OrderBooking<'a> {
    /// The order with its money as it is afterwards.
    order: &'a OrderCase,
    receipt: Receipt,
    /// Nothing is delivered before this time, ms.
    hold_until: Option<i64>,
    /// `manual`, or the level at which the code was found.
    level: &'a str,
    /// Whose row it is in the timeline: `owner` or `system`.
    tells: &'a str,
}

/// Saves the order's new stage, tells its timeline, and queues the delivery when it is settled by this.
async fn book_on_order(tx: &mut Tx, transfer: &Waiting, booking: &OrderBooking<'_>, now: i64) -> Result<()> {
    let OrderBooking { order, receipt, hold_until, level, tells } = booking;
    let (id, after) = (order.id, receipt.after);
    save(tx, order, now).await?;
    let data = json!({ "sepay_id": transfer.sepay_id, "gateway": transfer.gateway, "reference": transfer.reference,
                       "amount_vnd": transfer.amount });
    tell(tx, id, transfer.received_at, "transfer", &data, "system").await?;
    let data = json!({ "level": level, "paid_vnd": after.paid, "total_vnd": after.total });
    tell(tx, id, now, "matched", &data, tells).await?;
    let difference = after.paid.saturating_sub(after.total);
    let unusual = if after.flags.has(Flags::PAID_TWICE) {
        Some(("paid_twice", json!({ "difference_vnd": difference })))
    } else if receipt.outcome == Outcome::Late {
        Some(("late", json!({ "amount_vnd": transfer.amount })))
    } else if difference > 0 {
        Some(("overpaid", json!({ "difference_vnd": difference })))
    } else if receipt.outcome == Outcome::Partial {
        Some(("underpaid", json!({ "difference_vnd": difference.saturating_neg() })))
    } else {
        None
    };
    if let Some((kind, data)) = unusual {
        tell(tx, id, now, kind, &data, "system").await?;
    }
    if receipt.settles {
        deliver(tx, order, *hold_until, now).await?;
    }
    Ok(())
}

async fn credit(tx: &mut Tx, id: i64, to: &Credit, hand: &Hand) -> Result<()> {
    let transfer = waiting(tx, id).await?;
    let customer = match to {
        Credit::Email { email, name } => customer_of(tx, email, name, None, hand.now).await?,
        Credit::Customer(id) => sqlx::query_scalar("SELECT id FROM customer WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut tx.conn)
            .await?
            .ok_or_else(|| Error::NotFound(format!("customer {id}")))?,
    };
    move_from_unmatched(tx, &transfer, Account::Wallet(customer), "credit", "", hand).await?;
    let place = Place { state: "wallet", customer: Some(customer), ..Place::manual(hand) };
    place_transfer(tx, id, &place).await?;
    count_hour(tx, hand.now, "topups", 1).await?;
    let told = Told::TopUp { transfer: id, amount: transfer.amount };
    customer_mail::queue(tx, customer, &told, hand.now).await?;
    hold_mail(tx, id, hand).await?;
    audit(tx, hand.now, &hand.actor, "transfer.credit", &subject(id), &json!({ "customer": customer })).await
}

/// The mail about a credit waits as long as a delivery would: who undoes it in time has told nobody.
async fn hold_mail(tx: &mut Tx, transfer: i64, hand: &Hand) -> Result<()> {
    if hand.hold_ms > 0 {
        sqlx::query("UPDATE task SET state = 'scheduled', run_at = $2 WHERE dedupe_key = 'mail:topup:' || $1 AND state = 'ready'")
            .bind(transfer)
            .bind(hand.now.saturating_add(hand.hold_ms))
            .execute(&mut tx.conn)
            .await?;
        tx.touched.scheduled = true;
    }
    Ok(())
}

async fn move_from_unmatched(
    tx: &mut Tx,
    transfer: &Waiting,
    to: Account,
    reason: &'static str,
    note: &str,
    hand: &Hand,
) -> Result<()> {
    if transfer.amount == 0 {
        let text = format!("transfer {} is about 0 ₫; it can only be set aside", transfer.id);
        return Err(Error::refused("nothing_to_move", text));
    }
    let movement = Movement::new(hand.now, Account::Unmatched, to, transfer.amount, reason);
    post(tx, &[movement.of_transfer(transfer.id).by(&hand.actor, note)]).await?;
    Ok(())
}

/// Where a transfer is to be.
struct Place<'a> {
    state: &'a str,
    level: Option<&'a str>,
    order: Option<i64>,
    customer: Option<i64>,
    note: Option<&'a str>,
    at: Option<i64>,
}

impl Place<'_> {
    fn manual(hand: &Hand) -> Self {
        Self {
            state: "unmatched",
            level: Some("manual"),
            order: None,
            customer: None,
            note: None,
            at: Some(hand.now),
        }
    }
}

/// Writes where the transfer is; the notice about unmatched transfers is over with the last of them.
async fn place_transfer(tx: &mut Tx, id: i64, place: &Place<'_>) -> Result<()> {
    sqlx::query(
        "UPDATE transfer SET state = $2, level = $3, order_id = $4, customer_id = $5, note = $6, placed_at = $7 WHERE id = $1",
    )
    .bind(id)
    .bind(place.state)
    .bind(place.level)
    .bind(place.order)
    .bind(place.customer)
    .bind(place.note)
    .bind(place.at)
    .execute(&mut tx.conn)
    .await?;
    let resolved = sqlx::query(
        "UPDATE notice SET state = 'resolved' WHERE merge_key = 'unmatched' AND state <> 'resolved' \
           AND NOT EXISTS (SELECT 1 FROM transfer WHERE state = 'unmatched')",
    )
    .execute(&mut tx.conn)
    .await?;
    if resolved.rows_affected() > 0 {
        tx.touched.topic("notices");
    }
    tx.touched.topic("money");
    Ok(())
}

/// Adds to an hourly roll-up: `paid` or `topups`.
async fn count_hour(tx: &mut Tx, at: i64, column: &'static str, by: i64) -> Result<()> {
    let sql = match column {
        "paid" => {
            "INSERT INTO hour_stat (hour, paid) VALUES ($1, $2) ON CONFLICT (hour) DO UPDATE SET paid = paid + $2"
        }
        _ => {
            "INSERT INTO hour_stat (hour, topups) VALUES ($1, $2) ON CONFLICT (hour) DO UPDATE SET topups = topups + $2"
        }
    };
    sqlx::query(sql).bind(at.div_euclid(3_600_000)).bind(by).execute(&mut tx.conn).await?;
    Ok(())
}

/// A transfer in the record of human actions.
fn subject(id: i64) -> String {
    format!("transfer:{id}")
}
