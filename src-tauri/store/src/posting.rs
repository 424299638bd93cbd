//! Moving money: appends to the ledger and moves every cached balance with it, in the caller's transaction.
//!
//! The one way for money to move, but for transfers coming in, which `intake` books in sets by the same rules.
//! What a movement means for an order's stage is decided by the caller, with `domain::order`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::Row;

use crate::ledger::{Account, Movement, Tail};
use crate::writer::Tx;
use crate::{Error, Result};

/// `$1`: `{orders: [id], wallets: [id], reverses: [ledger id]}`.
const READ: &str = "\
SELECT 'tail' AS tag, id, 0 AS balance, hash AS name FROM ledger WHERE id = (SELECT max(id) FROM ledger) \
UNION ALL SELECT 'order', id, paid_vnd, code FROM orders WHERE id IN (SELECT value FROM json_each($1, '$.orders')) \
UNION ALL SELECT 'wallet', id, wallet_vnd, '' FROM customer WHERE id IN (SELECT value FROM json_each($1, '$.wallets')) \
UNION ALL SELECT 'reversed', reverses, 0, '' FROM ledger \
  WHERE reverses IS NOT NULL AND reverses IN (SELECT value FROM json_each($1, '$.reverses')) \
UNION ALL SELECT 'bucket', 0, balance_vnd, name FROM bucket";

/// `$1` rows, `$2` changes by bucket, `$3` by order, `$4` by wallet.
const WRITE: &str = "\
INSERT INTO ledger (id, at, debit, credit, amount_vnd, transfer_id, reason, prev_hash, hash, actor, note, reverses) \
  SELECT value ->> 'id', value ->> 'at', value ->> 'debit', value ->> 'credit', value ->> 'amount', value ->> 'transfer', \
         value ->> 'reason', value ->> 'prev', value ->> 'hash', value ->> 'actor', value ->> 'note', value ->> 'reverses' \
    FROM json_each($1); \
UPDATE bucket SET balance_vnd = balance_vnd + j.value FROM json_each($2) AS j WHERE bucket.name = j.key; \
UPDATE orders SET paid_vnd = paid_vnd + j.by \
  FROM (SELECT value ->> 0 AS id, value ->> 1 AS by FROM json_each($3)) AS j WHERE orders.id = j.id; \
UPDATE customer SET wallet_vnd = wallet_vnd + j.by \
  FROM (SELECT value ->> 0 AS id, value ->> 1 AS by FROM json_each($4)) AS j WHERE customer.id = j.id";

/// How many of the given orders and wallets hold another amount than their rows in the ledger say.
pub(crate) const OFF: &str = "\
SELECT (SELECT count(*) FROM json_each($1) AS j JOIN orders AS o ON o.id = j.value WHERE o.paid_vnd <> \
          coalesce((SELECT sum(amount_vnd) FROM ledger WHERE credit = 'order:' || o.id), 0) \
        - coalesce((SELECT sum(amount_vnd) FROM ledger WHERE debit = 'order:' || o.id AND debit <> 'bank'), 0)) \
     + (SELECT count(*) FROM json_each($2) AS j JOIN customer AS c ON c.id = j.value WHERE c.wallet_vnd <> \
          coalesce((SELECT sum(amount_vnd) FROM ledger WHERE credit = 'wallet:' || c.id), 0) \
        - coalesce((SELECT sum(amount_vnd) FROM ledger WHERE debit = 'wallet:' || c.id AND debit <> 'bank'), 0)) \
     + (SELECT count(*) FROM bucket WHERE name = 'in' AND balance_vnd <> \
          (SELECT sum(balance_vnd) FROM bucket WHERE name <> 'in'))";

/// Moves money: all of `movements` or, on any error, none. Returns the ids of the ledger rows, in order.
///
/// A balance is looked at after all of them, so their order among each other does not matter.
///
/// # Errors
/// [`Error::Refused`] `insufficient_funds` when an order, a wallet or a total would fall below zero and
/// `already_reversed` when a row is taken back a second time; [`Error::NotFound`] for an unknown order or customer;
/// [`Error::Invalid`] for an amount that is not above zero or money that would go back to the bank;
/// [`Error::LedgerStopped`] when the books do not add up, before or after.
pub(crate) async fn post(tx: &mut Tx, movements: &[Movement]) -> Result<Vec<i64>> {
    tx.tuning.guard.may_move()?;
    if movements.is_empty() {
        return Ok(Vec::new());
    }
    let deltas = deltas(movements)?;
    let known = read(tx, &deltas, movements).await?;
    let mut buckets: BTreeMap<&'static str, i64> = BTreeMap::new();
    let (mut orders, mut wallets) = (Vec::new(), Vec::new());
    for (account, by) in &deltas {
        match account {
            Account::Order(id) => {
                known.holds(*account, *by, known.orders.get(id).copied())?;
                orders.push(json!([id, by]));
            }
            Account::Wallet(id) => {
                known.holds(*account, *by, known.wallets.get(id).copied())?;
                tx.touched.topics.extend(["customers".to_owned(), format!("customer:{id}")]);
                wallets.push(json!([id, by]));
            }
            _ => {}
        }
        let change = buckets.entry(account.bucket()).or_default();
        // What leaves the bank's account is what came in.
        let by = if *account == Account::Bank { by.checked_neg() } else { Some(*by) };
        *change = checked(by.and_then(|by| change.checked_add(by)))?;
    }
    for (name, by) in &buckets {
        let balance = checked(known.buckets.get(*name).copied().unwrap_or_default().checked_add(*by))?;
        if balance < 0 && *name != "shop" {
            return Err(insufficient(name, balance.saturating_neg()));
        }
    }
    let mut tail = known.tail;
    let rows: Vec<Value> = movements.iter().map(|movement| tail.append(movement)).collect();
    let first = tail.id + 1 - i64::try_from(rows.len()).unwrap_or(i64::MAX);
    sqlx::query(WRITE)
        .bind(serde_json::to_string(&rows)?)
        .bind(serde_json::to_string(&buckets)?)
        .bind(serde_json::to_string(&orders)?)
        .bind(serde_json::to_string(&wallets)?)
        .execute(&mut tx.conn)
        .await?;
    let touched: Vec<Account> = deltas.keys().copied().collect();
    check_touched(tx, &touched).await?;
    tx.touched.topic("money");
    tx.orders_changed(known.codes);
    Ok((first..=tail.id).collect())
}

/// Compares the cached balances of these accounts, and the totals among each other, with the ledger.
///
/// # Errors
/// [`Error::LedgerStopped`] when they differ; from then on no money is moved by this process.
pub(crate) async fn check_touched(tx: &mut Tx, accounts: &[Account]) -> Result<()> {
    let (orders, wallets) = ids(accounts.iter());
    let off: i64 = sqlx::query_scalar(OFF)
        .bind(serde_json::to_string(&orders)?)
        .bind(serde_json::to_string(&wallets)?)
        .fetch_one(&mut tx.conn)
        .await?;
    if off > 0 {
        let names: Vec<String> = accounts.iter().map(|account| account.name()).collect();
        tx.tuning.guard.stop(&format!("{off} balances differ from the ledger, among {}", names.join(", ")));
    }
    tx.tuning.guard.may_move()
}

/// What each account gains.
fn deltas(movements: &[Movement]) -> Result<BTreeMap<Account, i64>> {
    let mut deltas = BTreeMap::new();
    for movement in movements {
        if movement.amount <= 0 || movement.debit == movement.credit {
            return Err(Error::Invalid("a movement needs an amount above zero and two accounts".to_owned()));
        }
        if movement.credit == Account::Bank
            || (movement.debit == Account::Bank && movement.transfer.is_none())
        {
            return Err(Error::Invalid(
                "money comes from the bank by a transfer, and never goes back".to_owned(),
            ));
        }
        for (account, by) in [(movement.debit, -movement.amount), (movement.credit, movement.amount)] {
            let gain: &mut i64 = deltas.entry(account).or_default();
            *gain = checked(gain.checked_add(by))?;
        }
    }
    Ok(deltas)
}

/// What is there before the movements.
#[derive(Default)]
struct Known {
    tail: Tail,
    orders: BTreeMap<i64, i64>,
    wallets: BTreeMap<i64, i64>,
    buckets: BTreeMap<String, i64>,
    codes: Vec<String>,
}

impl Known {
    /// Refuses when the account does not exist or would hold less than nothing.
    fn holds(&self, account: Account, by: i64, before: Option<i64>) -> Result<()> {
        let before = before.ok_or_else(|| Error::NotFound(format!("account {}", account.name())))?;
        let after = checked(before.checked_add(by))?;
        if after < 0 { Err(insufficient(&account.name(), after.saturating_neg())) } else { Ok(()) }
    }
}

async fn read(tx: &mut Tx, deltas: &BTreeMap<Account, i64>, movements: &[Movement]) -> Result<Known> {
    let (orders, wallets) = ids(deltas.keys());
    let reverses: Vec<i64> = movements.iter().filter_map(|movement| movement.reverses).collect();
    let rows = sqlx::query(READ)
        .bind(json!({ "orders": orders, "wallets": wallets, "reverses": reverses }).to_string())
        .fetch_all(&mut tx.conn)
        .await?;
    let mut known = Known::default();
    for row in rows {
        let (id, balance): (i64, i64) = (row.try_get("id")?, row.try_get("balance")?);
        let name: String = row.try_get("name")?;
        match row.try_get::<&str, _>("tag")? {
            "tail" => known.tail = Tail { id, hash: name },
            "order" => {
                known.orders.insert(id, balance);
                known.codes.push(name);
            }
            "wallet" => {
                known.wallets.insert(id, balance);
            }
            "reversed" => {
                return Err(Error::refused(
                    "already_reversed",
                    format!("ledger row {id} was taken back before"),
                ));
            }
            _ => {
                known.buckets.insert(name, balance);
            }
        }
    }
    Ok(known)
}

fn ids<'a>(accounts: impl Iterator<Item = &'a Account>) -> (Vec<i64>, Vec<i64>) {
    let (mut orders, mut wallets) = (Vec::new(), Vec::new());
    for account in accounts {
        match account {
            Account::Order(id) => orders.push(*id),
            Account::Wallet(id) => wallets.push(*id),
            _ => {}
        }
    }
    (orders, wallets)
}

fn insufficient(account: &str, missing: i64) -> Error {
    Error::refused("insufficient_funds", format!("{account} holds {missing} ₫ too little for this"))
}

fn checked(sum: Option<i64>) -> Result<i64> {
    sum.ok_or_else(|| Error::Invalid("an amount leaves the range of whole đồng".to_owned()))
}

#[cfg(test)]
mod tests;
