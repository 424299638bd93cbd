//! Taking back what the owner did with a transfer, and deciding an unmatched one anew.

use serde_json::json;
use sqlx::{Row, SqliteConnection};

use chotdon_domain::code::SHOP_FORMATS;
use chotdon_domain::matching::{
    Candidate, Depositor, Direction, OpenOrder, Settlement, ShopAccounts, TransferFacts, decide, extract,
};
use chotdon_domain::money::Vnd;
use chotdon_domain::order::{Flags, OrderMoney, Outcome, Stage};

use super::{
    Hand, OrderBooking, Place, book_on_order, count_hour, place_transfer, receive_in_time, subject, waiting,
};
use crate::customer_mail::{self, Told};
use crate::ledger::{Account, Movement};
use crate::order_money::{call_off_delivery, load, save};
use crate::orders::{audit, tell};
use crate::posting::post;
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// What can be done with a transfer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Placing {
    /// It waits for the owner and has money: it can be matched, credited, and made an order of.
    pub placeable: bool,
    /// It waits for the owner.
    pub waiting: bool,
    /// What the owner did with it can be taken back.
    pub undoable: bool,
    /// Until when (ms UTC), where a delivery is about to begin.
    pub undo_until: Option<i64>,
}

impl Store {
    /// Takes back what the owner did with a transfer: the money is unmatched again, by a counter-entry.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] `nothing_to_undo` when the owner did nothing with it,
    /// `already_delivered` when the order's delivery has begun, `insufficient_funds` when the money was spent.
    pub async fn undo_transfer(&self, id: i64, hand: Hand) -> Result<()> {
        self.writer
            .run(move |tx| {
                let hand = hand.clone();
                Box::pin(async move { undo(tx, id, &hand).await })
            })
            .await
    }

    /// Decides an unmatched transaction anew, against the orders, customers and accounts there are now. Nothing
    /// happens to one that is placed. Returns what it came to and the order that has the money.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown SePay id.
    pub async fn reprocess(&self, sepay_id: i64, hand: Hand) -> Result<(Outcome, Option<String>)> {
        self.writer
            .run(move |tx| {
                let hand = hand.clone();
                Box::pin(async move { reprocess(tx, sepay_id, &hand).await })
            })
            .await
    }

    /// What can be done with a transfer at `now` (ms UTC).
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown one.
    pub async fn placing(&self, id: i64, now: i64) -> Result<Placing> {
        let row = sqlx::query(
            "SELECT t.state, t.level, t.amount_vnd, o.code AS order_code FROM transfer t \
             LEFT JOIN orders o ON o.id = t.order_id WHERE t.id = $1",
        )
        .bind(id)
        .fetch_optional(&self.reader)
        .await?
        .ok_or_else(|| Error::NotFound(format!("transfer {id}")))?;
        let (state, level): (String, Option<String>) = (row.try_get("state")?, row.try_get("level")?);
        let amount: i64 = row.try_get("amount_vnd")?;
        let waiting = state == "unmatched";
        let mut placing = Placing { waiting, placeable: waiting && amount > 0, ..Placing::default() };
        if level.as_deref() != Some("manual") {
            return Ok(placing);
        }
        let Some(code) = row.try_get::<Option<String>, _>("order_code")? else {
            placing.undoable = true;
            return Ok(placing);
        };
        let mut connection = self.reader.acquire().await?;
        let order = held(&mut connection, &code).await?;
        let after = order.take_back(amount, self.tuning().tolerance_vnd(), now);
        let uncovered = after.is_ok_and(|after| order.stage.is_settled() && !after.stage.is_settled());
        // Where the order stays settled without this money, its delivery is no matter.
        placing.undoable = after.is_ok() && !(uncovered && begun(&mut connection, &code).await?);
        if uncovered && placing.undoable {
            placing.undo_until = sqlx::query_scalar(
                "SELECT run_at FROM task WHERE order_id = (SELECT id FROM orders WHERE code = $1) \
                   AND kind = 'deliver_order' AND state = 'scheduled' AND waits_on IS NULL ORDER BY id DESC LIMIT 1",
            )
            .bind(&code)
            .fetch_optional(&mut *connection)
            .await?;
        }
        Ok(placing)
    }
}

/// What an order holds, for looking only.
async fn held(connection: &mut SqliteConnection, code: &str) -> Result<OrderMoney> {
    let row = sqlx::query("SELECT stage, flags, total_vnd, paid_vnd, expires_at FROM orders WHERE code = $1")
        .bind(code)
        .fetch_one(connection)
        .await?;
    let stage: &str = row.try_get("stage")?;
    let stage = Stage::parse(stage).ok_or_else(|| Error::Unusable(format!("unknown order stage {stage}")))?;
    Ok(OrderMoney {
        stage,
        flags: Flags(row.try_get("flags")?),
        total: row.try_get("total_vnd")?,
        paid: row.try_get("paid_vnd")?,
        expires_at: row.try_get("expires_at")?,
    })
}

/// Whether a delivery of the order has begun to run, so that it cannot be taken for not having happened.
async fn begun(connection: &mut SqliteConnection, code: &str) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM task AS t WHERE order_id = (SELECT id FROM orders WHERE code = $1) \
           AND kind = 'deliver_order' AND (state IN ('running', 'done', 'failed') OR attempt > 0 \
             OR EXISTS (SELECT 1 FROM task_stage WHERE task_id = t.id)))",
    )
    .bind(code)
    .fetch_one(connection)
    .await?)
}

async fn undo(tx: &mut Tx, id: i64, hand: &Hand) -> Result<()> {
    let row = sqlx::query(
        "SELECT t.state, t.level, t.amount_vnd, t.sepay_id, t.customer_id, t.placed_at, o.code FROM transfer t \
         LEFT JOIN orders o ON o.id = t.order_id WHERE t.id = $1",
    )
    .bind(id)
    .fetch_optional(&mut tx.conn)
    .await?
    .ok_or_else(|| Error::NotFound(format!("transfer {id}")))?;
    let (state, amount): (String, i64) = (row.try_get("state")?, row.try_get("amount_vnd")?);
    if row.try_get::<Option<String>, _>("level")?.as_deref() != Some("manual") {
        let text = format!("transfer {id} was not placed by hand, so there is nothing to take back");
        return Err(Error::refused("nothing_to_undo", text));
    }
    let placed_at: i64 = row.try_get::<Option<i64>, _>("placed_at")?.unwrap_or(hand.now);
    let mut data = json!({ "state": state });
    match (state.as_str(), row.try_get::<Option<String>, _>("code")?, row.try_get("customer_id")?) {
        ("order", Some(code), _) => {
            data["order"] = json!(code);
            let sepay_id: i64 = row.try_get("sepay_id")?;
            undo_match(tx, id, &code, amount, sepay_id, placed_at, hand).await?;
        }
        ("wallet", _, Some(customer)) => {
            counter(tx, id, Account::Wallet(customer), amount, hand).await?;
            count_hour(tx, placed_at, "topups", -1).await?;
            untell(tx, id, hand.now).await?;
        }
        _ if amount > 0 => counter(tx, id, Account::SetAside, amount, hand).await?,
        _ => {}
    }
    let place = Place { level: None, at: None, ..Place::manual(hand) };
    place_transfer(tx, id, &place).await?;
    audit(tx, hand.now, &hand.actor, "transfer.undo", &subject(id), &data).await
}

async fn undo_match(
    tx: &mut Tx,
    id: i64,
    code: &str,
    amount: i64,
    sepay_id: i64,
    placed_at: i64,
    hand: &Hand,
) -> Result<()> {
    let mut order = load(tx, code).await?;
    let was_settled = order.money.stage.is_settled();
    order.money = order
        .money
        .take_back(amount, tx.tuning.tolerance_vnd(), hand.now)
        .map_err(|refusal| Error::refused(refusal.code(), format!("order {code}: {refusal}")))?;
    if was_settled && !order.money.stage.is_settled() {
        if begun(&mut tx.conn, code).await? {
            let text = format!("the delivery of order {code} has begun; refund it instead");
            return Err(Error::refused("already_delivered", text));
        }
        call_off_delivery(tx, order.id, hand.now).await?;
        sqlx::query(
            "UPDATE order_item SET delivery = 'waiting' WHERE order_id = $1 AND delivery = 'preparing'",
        )
        .bind(order.id)
        .execute(&mut tx.conn)
        .await?;
        count_hour(tx, placed_at, "paid", -1).await?;
    }
    counter(tx, id, Account::Order(order.id), amount, hand).await?;
    save(tx, &order, hand.now).await?;
    let data = json!({ "sepay_id": sepay_id, "amount_vnd": amount });
    tell(tx, order.id, hand.now, "match_undone", &data, "owner").await
}

/// Calls the mail about a credit off where it is not sent yet; whoever is credited next is told again.
async fn untell(tx: &mut Tx, transfer: i64, now: i64) -> Result<()> {
    sqlx::query(
        "UPDATE task SET state = 'cancelled', lease_epoch = lease_epoch + 1, finished_at = $2 \
           WHERE dedupe_key = 'mail:topup:' || $1 AND state IN ('scheduled', 'ready', 'failed'); \
         UPDATE task SET dedupe_key = NULL WHERE dedupe_key = 'mail:topup:' || $1 AND state IN ('done', 'cancelled')",
    )
    .bind(transfer)
    .bind(now)
    .execute(&mut tx.conn)
    .await?;
    tx.touched.topic("queue");
    Ok(())
}

/// Books the money back, naming the row that this takes back.
async fn counter(tx: &mut Tx, transfer: i64, from: Account, amount: i64, hand: &Hand) -> Result<()> {
    let row: i64 = sqlx::query_scalar(
        "SELECT id FROM ledger AS l WHERE transfer_id = $1 AND debit = 'unmatched' AND credit = $2 \
           AND NOT EXISTS (SELECT 1 FROM ledger WHERE reverses = l.id) ORDER BY id DESC LIMIT 1",
    )
    .bind(transfer)
    .bind(from.name())
    .fetch_optional(&mut tx.conn)
    .await?
    .ok_or_else(|| {
        let text = format!("transfer {transfer}: its booking was taken back in the ledger already");
        Error::refused("already_reversed", text)
    })?;
    let movement = Movement::new(hand.now, from, Account::Unmatched, amount, "undo");
    post(tx, &[movement.of_transfer(transfer).by(&hand.actor, "").reversing(row)]).await?;
    Ok(())
}

async fn reprocess(tx: &mut Tx, sepay_id: i64, hand: &Hand) -> Result<(Outcome, Option<String>)> {
    let row = sqlx::query(
        "SELECT t.id, t.state, t.amount_vnd, t.direction, t.account, t.sub_account, t.code, t.content, t.description, \
                e.outcome, o.code AS order_code \
         FROM sepay_event e JOIN transfer t ON t.sepay_id = e.sepay_id LEFT JOIN orders o ON o.id = t.order_id \
         WHERE e.sepay_id = $1",
    )
    .bind(sepay_id)
    .fetch_optional(&mut tx.conn)
    .await?
    .ok_or_else(|| Error::NotFound(format!("SePay id {sepay_id}")))?;
    let text = |column: &str| row.try_get::<String, _>(column);
    if text("state")? != "unmatched" {
        let outcome = text("outcome")?;
        let outcome =
            Outcome::ALL.into_iter().find(|one| one.as_str() == outcome).unwrap_or(Outcome::Ignored);
        return Ok((outcome, row.try_get("order_code")?));
    }
    let (content, description, code) = (text("content")?, text("description")?, text("code")?);
    let candidates = extract(&content, &description, &code, &SHOP_FORMATS);
    let (account, sub_account) = (text("account")?, text("sub_account")?);
    let facts = TransferFacts {
        direction: if text("direction")? == Direction::Out.as_str() { Direction::Out } else { Direction::In },
        amount: vnd(row.try_get("amount_vnd")?)?,
        account: &account,
        sub_account: &sub_account,
    };
    let id: i64 = row.try_get("id")?;
    let outcome = match decide_anew(tx, &candidates, &facts, hand.now).await? {
        Settlement::Order { order_id, level } => {
            let code: String = sqlx::query_scalar("SELECT code FROM orders WHERE id = $1")
                .bind(order_id)
                .fetch_one(&mut tx.conn)
                .await?;
            let transfer = waiting(tx, id).await?;
            let mut order = load(tx, &code).await?;
            let receipt = receive_in_time(order.money, &transfer, tx.tuning.tolerance_vnd())?;
            order.money = receipt.after;
            shop_moves(tx, id, Account::Order(order_id), transfer.amount, hand).await?;
            // Evidence that settles by itself needs no time to think it over.
            let booking = OrderBooking {
                order: &order,
                receipt,
                hold_until: None,
                level: level.as_str(),
                tells: "system",
            };
            book_on_order(tx, &transfer, &booking, hand.now).await?;
            let place = Place {
                state: "order",
                level: Some(level.as_str()),
                order: Some(order_id),
                ..Place::manual(hand)
            };
            place_transfer(tx, id, &place).await?;
            (receipt.outcome, Some(code))
        }
        Settlement::Wallet { customer_id, level } => {
            let transfer = waiting(tx, id).await?;
            shop_moves(tx, id, Account::Wallet(customer_id), transfer.amount, hand).await?;
            let place = Place {
                state: "wallet",
                level: Some(level.as_str()),
                customer: Some(customer_id),
                ..Place::manual(hand)
            };
            place_transfer(tx, id, &place).await?;
            count_hour(tx, hand.now, "topups", 1).await?;
            let told = Told::TopUp { transfer: id, amount: transfer.amount };
            customer_mail::queue(tx, customer_id, &told, hand.now).await?;
            (Outcome::Credited, None)
        }
        Settlement::Unmatched(reason) | Settlement::Ignored(reason) => {
            sqlx::query("UPDATE transfer SET reason = $2 WHERE id = $1 AND reason IS NOT $2")
                .bind(id)
                .bind(reason.as_str())
                .execute(&mut tx.conn)
                .await?;
            (Outcome::Unmatched, None)
        }
    };
    let data = json!({ "sepay_id": sepay_id, "outcome": outcome.0.as_str(), "order": outcome.1 });
    audit(tx, hand.now, &hand.actor, "webhook.reprocess", &subject(id), &data).await?;
    Ok(outcome)
}

/// What the shop books by itself on second thoughts, at the owner's asking.
async fn shop_moves(tx: &mut Tx, transfer: i64, to: Account, amount: i64, hand: &Hand) -> Result<()> {
    let movement = Movement::new(hand.now, Account::Unmatched, to, amount, "reprocess");
    post(tx, &[movement.of_transfer(transfer).by(&hand.actor, "")]).await?;
    Ok(())
}

async fn decide_anew(
    tx: &mut Tx,
    candidates: &[Candidate],
    facts: &TransferFacts<'_>,
    now: i64,
) -> Result<Settlement> {
    let codes: Vec<&str> = candidates.iter().map(|candidate| candidate.code.as_str()).collect();
    let codes = serde_json::to_string(&codes)?;
    let mut orders = Vec::new();
    let rows = sqlx::query(
        "SELECT id, code, total_vnd, paid_vnd, stage, expires_at FROM orders WHERE code IN (SELECT value FROM json_each($1))",
    )
    .bind(&codes)
    .fetch_all(&mut tx.conn)
    .await?;
    for row in rows {
        let open = row.try_get::<&str, _>("stage")? == Stage::Pending.as_str();
        orders.push(OpenOrder {
            id: row.try_get("id")?,
            code: row.try_get("code")?,
            total: vnd(row.try_get("total_vnd")?)?,
            paid: vnd(row.try_get("paid_vnd")?)?,
            open: open && now < row.try_get::<i64, _>("expires_at")?,
        });
    }
    let depositors: Vec<(i64, String)> = sqlx::query_as(
        "SELECT id, deposit_code FROM customer WHERE deposit_code IN (SELECT value FROM json_each($1))",
    )
    .bind(&codes)
    .fetch_all(&mut tx.conn)
    .await?;
    let depositors: Vec<Depositor> =
        depositors.into_iter().map(|(customer_id, code)| Depositor { customer_id, code }).collect();
    let numbers: Vec<(String, String)> =
        sqlx::query_as("SELECT account, coalesce(virtual_account, '') FROM bank_account")
            .fetch_all(&mut tx.conn)
            .await?;
    let accounts = ShopAccounts::new(
        numbers.into_iter().flat_map(|(account, virtual_account)| [account, virtual_account]),
    );
    Ok(decide(candidates, facts, &accounts, &orders, &depositors))
}

fn vnd(amount: i64) -> Result<Vnd> {
    Vnd::new(amount).map_err(|error| Error::Invalid(error.to_string()))
}
