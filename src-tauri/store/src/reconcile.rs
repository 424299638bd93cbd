//! What reconciliation remembers: runs, the cursor, what SePay lists, and where that differs from our books.
//!
//! Transfers themselves enter through [`Store::take_in`]; this only writes down what was listed, after that, and
//! tells the owner what does not add up. The reconciler in the core is the only caller that writes.

mod balance;
mod told;

use std::collections::{BTreeMap, HashSet};

use serde_json::json;
use sqlx::{FromRow, Row};

use crate::orders::audit;
use crate::writer::Tx;
use crate::{Result, Store};

use balance::Step;

/// Runs that are remembered.
const KEPT: i64 = 500;
/// How far back balances are checked, ms.
const BALANCES_MS: i64 = 7 * 86_400_000;
/// A webhook that SePay's list does not show after this long counts as a difference, ms.
const LAG_MS: i64 = 3_600_000;

/// Where reading goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Highest id up to which everything listed is taken in; 0 before the first complete run.
    pub last_id: i64,
    /// When the last days were last read by date, ms.
    pub deep_at: Option<i64>,
    /// When the shop was set up, ms, as far as its first course or bank account tells.
    pub opened_at: Option<i64>,
}

/// One row that SePay lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// SePay's id.
    pub sepay_id: i64,
    /// The account's number.
    pub account: String,
    /// Its bank, as SePay names it.
    pub bank: String,
    /// Whole đồng in.
    pub in_vnd: i64,
    /// Whole đồng out.
    pub out_vnd: i64,
    /// The account's balance after it; `None` when the bank says none.
    pub balance_vnd: Option<i64>,
    /// The bank's reference; may be empty.
    pub reference: String,
    /// When the bank booked it, ms.
    pub booked_at: Option<i64>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunEnd {
    /// Rows that SePay listed.
    pub listed: i64,
    /// Transfers learnt of.
    pub added: i64,
    /// Of those, money in, whole đồng.
    pub added_vnd: i64,
    /// Rows that could not be read.
    pub unreadable: i64,
    /// Highest id listed, when everything asked for was taken in; moves the cursor.
    pub up_to: Option<i64>,
    /// True when the last days were read by date as well.
    pub deep: bool,
    /// Code and words of what went wrong; `None` = the run is done.
    pub failed: Option<(&'static str, String)>,
}

/// A run as remembered.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct RunRecord {
    pub id: i64,
    /// `start`, `wake`, `timer`, `demand`, `tunnel`.
    pub cause: String,
    /// `running`, `done`, `failed`; `stopped` when the app ended under it.
    pub state: String,
    pub started_at: i64,
    pub ended_at: Option<i64>,
    pub listed: i64,
    pub added: i64,
    pub added_vnd: i64,
    pub unreadable: i64,
    /// How long the machine slept before it, ms.
    pub slept_ms: i64,
    pub code: Option<String>,
    pub detail: Option<String>,
}

/// SePay's view of one account.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct BalanceRecord {
    pub account: String,
    pub bank: String,
    pub balance_vnd: Option<i64>,
    /// How much of the balance's change the listed rows do not explain; positive: money in that is not listed.
    pub gap_vnd: Option<i64>,
    pub checked_at: i64,
}

impl Store {
    /// Where reading goes on.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn reconcile_cursor(&self) -> Result<Cursor> {
        let row = sqlx::query(
            "SELECT last_id, deep_at, (SELECT min(at) FROM (SELECT min(created_at) AS at FROM course \
               UNION ALL SELECT min(created_at) FROM bank_account)) AS opened_at FROM reconcile_cursor",
        )
        .fetch_one(&self.reader)
        .await?;
        Ok(Cursor {
            last_id: row.try_get("last_id")?,
            deep_at: row.try_get("deep_at")?,
            opened_at: row.try_get("opened_at")?,
        })
    }

    /// Begins a run and answers its id. `actor` is the person who asked for it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn reconcile_begin(
        &self,
        cause: &'static str,
        actor: Option<&'static str>,
        slept_ms: i64,
        now: i64,
    ) -> Result<i64> {
        self.writer
            .run(move |tx| {
                Box::pin(async move {
                    sqlx::query("UPDATE reconcile_run SET state = 'stopped' WHERE state = 'running'")
                        .execute(&mut tx.conn)
                        .await?;
                    let id: i64 = sqlx::query_scalar(
                        "INSERT INTO reconcile_run (cause, state, started_at, slept_ms) VALUES ($1, 'running', $2, $3) RETURNING id",
                    )
                    .bind(cause)
                    .bind(now)
                    .bind(slept_ms)
                    .fetch_one(&mut tx.conn)
                    .await?;
                    sqlx::query("DELETE FROM reconcile_run WHERE id <= $1")
                        .bind(id - KEPT)
                        .execute(&mut tx.conn)
                        .await?;
                    if let Some(actor) = actor {
                        audit(tx, now, actor, "reconcile.run", &id.to_string(), &json!({})).await?;
                    }
                    tx.touched.topic("reconcile");
                    Ok(id)
                })
            })
            .await
    }

    /// Which of these SePay ids are known already.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn known_transfers(&self, ids: &[i64]) -> Result<HashSet<i64>> {
        let known: Vec<i64> = sqlx::query_scalar(
            "SELECT sepay_id FROM sepay_event WHERE sepay_id IN (SELECT value FROM json_each($1))",
        )
        .bind(serde_json::to_string(ids)?)
        .fetch_all(&self.reader)
        .await?;
        Ok(known.into_iter().collect())
    }

    /// Writes down what a page listed, after its transfers were taken in, and warns of one payment under two ids.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn reconcile_listed(&self, rows: Vec<Listed>, now: i64) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.writer
            .run(move |tx| {
                let rows = rows.clone();
                Box::pin(async move { write_listed(tx, &rows, now).await })
            })
            .await
    }

    /// Ends a run: moves the cursor, checks balances and differences, and tells the owner what came of it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn reconcile_end(&self, run: i64, end: RunEnd, now: i64) -> Result<()> {
        self.writer
            .run(move |tx| {
                let end = end.clone();
                Box::pin(async move {
                    write_end(tx, run, &end, now).await?;
                    if end.failed.is_none() {
                        unlisted(tx, &end, now).await?;
                        balances(tx, now).await?;
                    }
                    told::tell(tx, run, &end, now).await?;
                    tx.touched.topic("reconcile");
                    if end.added > 0 {
                        tx.touched.topic("money");
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Keeps the balances of SePay's own list of accounts, `(account, bank, whole đồng)`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn keep_balances(&self, accounts: Vec<(String, String, Option<i64>)>, now: i64) -> Result<()> {
        let accounts = serde_json::to_string(&accounts)?;
        self.writer
            .run(move |tx| {
                let accounts = accounts.clone();
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO sepay_account (account, bank, balance_vnd, checked_at) \
                           SELECT value ->> 0, value ->> 1, value ->> 2, $2 FROM json_each($1) WHERE true \
                         ON CONFLICT (account) DO UPDATE SET bank = excluded.bank, checked_at = excluded.checked_at, \
                           balance_vnd = coalesce(excluded.balance_vnd, balance_vnd)",
                    )
                    .bind(accounts)
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// SePay's listed money in less ours, whole đồng, over what was reconciled; 0 when all is well or nothing was.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sepay_difference(&self) -> Result<i64> {
        Ok(sqlx::query_scalar("SELECT coalesce(sum(listed_vnd - ours_vnd), 0) FROM sepay_gap")
            .fetch_one(&self.reader)
            .await?)
    }

    /// The last runs, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn reconcile_runs(&self, limit: i64) -> Result<Vec<RunRecord>> {
        Ok(sqlx::query_as(
            "SELECT id, cause, state, started_at, ended_at, listed, added, added_vnd, unreadable, slept_ms, code, detail \
             FROM reconcile_run ORDER BY id DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.reader)
        .await?)
    }

    /// SePay's accounts with what is known of their balances.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sepay_balances(&self) -> Result<Vec<BalanceRecord>> {
        Ok(sqlx::query_as(
            "SELECT account, bank, balance_vnd, gap_vnd, checked_at FROM sepay_account ORDER BY account",
        )
        .fetch_all(&self.reader)
        .await?)
    }
}

const LISTED: &str = "\
INSERT INTO sepay_listed (sepay_id, account, bank, in_vnd, out_vnd, balance_vnd, reference, booked_at, listed_at) \
  SELECT value ->> 'id', value ->> 'account', value ->> 'bank', value ->> 'in', value ->> 'out', value ->> 'balance', \
         value ->> 'reference', value ->> 'booked', $2 FROM json_each($1) WHERE true \
  ON CONFLICT (sepay_id) DO UPDATE SET in_vnd = excluded.in_vnd, out_vnd = excluded.out_vnd, balance_vnd = excluded.balance_vnd \
    WHERE (in_vnd, out_vnd, balance_vnd) IS NOT (excluded.in_vnd, excluded.out_vnd, excluded.balance_vnd); \
DELETE FROM sepay_gap WHERE sepay_id IN (SELECT value ->> 'id' FROM json_each($1)); \
INSERT INTO sepay_gap (sepay_id, listed_vnd, ours_vnd, since) \
  SELECT l.sepay_id, l.in_vnd, coalesce(t.amount_vnd, 0), $2 \
    FROM json_each($1) AS j JOIN sepay_listed AS l ON l.sepay_id = j.value ->> 'id' \
    LEFT JOIN transfer AS t ON t.sepay_id = l.sepay_id AND t.direction = 'in' \
    WHERE l.in_vnd <> coalesce(t.amount_vnd, 0)";

const TWICE: &str = "\
SELECT DISTINCT min(a.sepay_id, b.sepay_id) AS one, max(a.sepay_id, b.sepay_id) AS other, a.in_vnd + a.out_vnd AS amount, a.reference AS reference \
  FROM json_each($1) AS j JOIN sepay_listed AS a ON a.sepay_id = j.value \
  JOIN sepay_listed AS b ON b.account = a.account AND b.booked_at = a.booked_at AND b.reference = a.reference \
    AND b.in_vnd = a.in_vnd AND b.out_vnd = a.out_vnd AND b.sepay_id <> a.sepay_id \
  WHERE a.reference <> ''";

async fn write_listed(tx: &mut Tx, rows: &[Listed], now: i64) -> Result<()> {
    let ids: Vec<i64> = rows.iter().map(|row| row.sepay_id).collect();
    let known: Vec<i64> = sqlx::query_scalar(
        "SELECT sepay_id FROM sepay_listed WHERE sepay_id IN (SELECT value FROM json_each($1))",
    )
    .bind(serde_json::to_string(&ids)?)
    .fetch_all(&mut tx.conn)
    .await?;
    let known: HashSet<i64> = known.into_iter().collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({ "id": row.sepay_id, "account": row.account, "bank": row.bank, "in": row.in_vnd, "out": row.out_vnd,
                    "balance": row.balance_vnd, "reference": row.reference, "booked": row.booked_at })
        })
        .collect();
    sqlx::query(LISTED).bind(serde_json::to_string(&rows)?).bind(now).execute(&mut tx.conn).await?;
    let new: Vec<i64> = ids.into_iter().filter(|id| !known.contains(id)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let twice = sqlx::query(TWICE).bind(serde_json::to_string(&new)?).fetch_all(&mut tx.conn).await?;
    for row in twice {
        let (one, other): (i64, i64) = (row.try_get("one")?, row.try_get("other")?);
        let (amount, reference): (i64, String) = (row.try_get("amount")?, row.try_get("reference")?);
        let data =
            json!({ "sepay_id": one, "other_id": other, "amount_vnd": amount, "reference": reference });
        told::once(tx, told::SOFT_DUPLICATE, format!("soft_duplicate:{one}:{other}"), data, now).await?;
    }
    Ok(())
}

async fn write_end(tx: &mut Tx, run: i64, end: &RunEnd, now: i64) -> Result<()> {
    let (code, detail) = match &end.failed {
        Some((code, detail)) => (Some(*code), Some(detail.as_str())),
        None => (None, None),
    };
    sqlx::query(
        "UPDATE reconcile_run SET state = iif($2 IS NULL, 'done', 'failed'), ended_at = $3, listed = $4, added = $5, \
           added_vnd = $6, unreadable = $7, code = $2, detail = $8 WHERE id = $1",
    )
    .bind(run)
    .bind(code)
    .bind(now)
    .bind(end.listed)
    .bind(end.added)
    .bind(end.added_vnd)
    .bind(end.unreadable)
    .bind(detail)
    .execute(&mut tx.conn)
    .await?;
    sqlx::query(
        "UPDATE reconcile_cursor SET last_id = max(last_id, coalesce($1, 0)), deep_at = iif($2, $3, deep_at)",
    )
    .bind(end.up_to)
    .bind(end.deep && end.failed.is_none())
    .bind(now)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Finds money of ours that SePay does not list, among the ids that the last days' list covers.
async fn unlisted(tx: &mut Tx, end: &RunEnd, now: i64) -> Result<()> {
    if !end.deep {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO sepay_gap (sepay_id, listed_vnd, ours_vnd, since) \
           SELECT t.sepay_id, 0, t.amount_vnd, $1 FROM transfer AS t \
             WHERE t.sepay_id BETWEEN (SELECT min(sepay_id) FROM sepay_listed WHERE booked_at >= $1 - $3) \
                                  AND (SELECT last_id FROM reconcile_cursor) \
               AND t.direction = 'in' AND t.amount_vnd > 0 AND t.received_at < $1 - $2 \
               AND NOT EXISTS (SELECT 1 FROM sepay_listed AS l WHERE l.sepay_id = t.sepay_id) \
         ON CONFLICT (sepay_id) DO NOTHING",
    )
    .bind(now)
    .bind(LAG_MS)
    .bind(3 * 86_400_000_i64)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Checks the balances of the last days against the rows between them.
async fn balances(tx: &mut Tx, now: i64) -> Result<()> {
    let rows = sqlx::query(
        "SELECT account, bank, in_vnd - out_vnd AS change, nullif(balance_vnd, 0) AS balance FROM sepay_listed \
         WHERE booked_at >= $1 ORDER BY account, booked_at, sepay_id",
    )
    .bind(now - BALANCES_MS)
    .fetch_all(&mut tx.conn)
    .await?;
    let mut accounts: BTreeMap<String, (String, Vec<Step>)> = BTreeMap::new();
    for row in rows {
        let (_, steps) =
            accounts.entry(row.try_get("account")?).or_insert((row.try_get("bank")?, Vec::new()));
        steps.push(Step { change: row.try_get("change")?, balance: row.try_get("balance")? });
    }
    for (account, (bank, steps)) in accounts {
        let (balance, gap) = balance::gap(&steps);
        let tells_outs = steps.iter().any(|step| step.change < 0);
        let seen: i64 = sqlx::query_scalar(
            "INSERT INTO sepay_account (account, bank, balance_vnd, gap_vnd, gap_runs, checked_at) VALUES ($1, $2, $3, $4, 1, $5) \
             ON CONFLICT (account) DO UPDATE SET bank = excluded.bank, balance_vnd = coalesce(excluded.balance_vnd, balance_vnd), \
               gap_runs = iif(gap_vnd IS excluded.gap_vnd, gap_runs + 1, 1), gap_vnd = excluded.gap_vnd, checked_at = excluded.checked_at \
             RETURNING gap_runs",
        )
        .bind(&account)
        .bind(bank)
        .bind(balance)
        .bind(gap)
        .bind(now)
        .fetch_one(&mut tx.conn)
        .await?;
        told::balance(tx, &account, gap.unwrap_or_default(), tells_outs, seen, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
