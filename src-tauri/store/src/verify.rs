//! The check of everything: the file, the ledger's chain, and that every đồng is where it should be.

use futures::TryStreamExt;
use sqlx::Row;

use crate::ledger::LedgerText;
use crate::{Result, Store};

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Ledger rows looked at.
    pub ledger_rows: i64,
    /// Transfers looked at.
    pub transfers: i64,
    /// What is wrong, a sentence each; empty = all is well.
    pub problems: Vec<String>,
}

/// Checks of the money that yield one number which must be 0, with the sentence for any other.
const MONEY: &[(&str, &str)] = &[
    (
        "the total money in differs from the ledger by {} ₫",
        "SELECT (SELECT balance_vnd FROM bucket WHERE name = 'in') - coalesce((SELECT sum(amount_vnd) FROM ledger WHERE debit = 'bank'), 0)",
    ),
    (
        "money in differs from the sum of orders, wallets, unmatched and set aside by {} ₫",
        "SELECT (SELECT balance_vnd FROM bucket WHERE name = 'in') - (SELECT sum(balance_vnd) FROM bucket WHERE name <> 'in')",
    ),
    (
        "{} orders hold another amount than the ledger says",
        "SELECT count(*) FROM orders AS o WHERE paid_vnd <> \
           coalesce((SELECT sum(amount_vnd) FROM ledger WHERE credit = 'order:' || o.id), 0) \
         - coalesce((SELECT sum(amount_vnd) FROM ledger WHERE debit = 'order:' || o.id AND debit <> 'bank'), 0)",
    ),
    (
        "{} wallets hold another amount than the ledger says",
        "SELECT count(*) FROM customer AS c WHERE wallet_vnd <> \
           coalesce((SELECT sum(amount_vnd) FROM ledger WHERE credit = 'wallet:' || c.id), 0) \
         - coalesce((SELECT sum(amount_vnd) FROM ledger WHERE debit = 'wallet:' || c.id AND debit <> 'bank'), 0)",
    ),
    (
        "the total of the orders differs from their sum by {} ₫",
        "SELECT (SELECT balance_vnd FROM bucket WHERE name = 'orders') - coalesce((SELECT sum(paid_vnd) FROM orders), 0)",
    ),
    (
        "the total of the wallets differs from their sum by {} ₫",
        "SELECT (SELECT balance_vnd FROM bucket WHERE name = 'wallets') - coalesce((SELECT sum(wallet_vnd) FROM customer), 0)",
    ),
    (
        "{} transfers with money are not in the ledger exactly once",
        "SELECT count(*) FROM transfer AS t \
           LEFT JOIN (SELECT transfer_id, count(*) AS n FROM ledger WHERE debit = 'bank' GROUP BY transfer_id) AS booked \
             ON booked.transfer_id = t.id \
           WHERE t.direction = 'in' AND t.amount_vnd > 0 AND t.state <> 'ignored' AND coalesce(booked.n, 0) <> 1",
    ),
    (
        "{} ledger rows say another amount than the transfer that they book",
        "SELECT count(*) FROM ledger AS l LEFT JOIN transfer AS t ON t.id = l.transfer_id \
           WHERE l.debit = 'bank' AND (t.id IS NULL OR t.amount_vnd <> l.amount_vnd OR t.direction <> 'in' OR t.state = 'ignored')",
    ),
    (
        "{} events have no transfer",
        "SELECT count(*) FROM sepay_event WHERE sepay_id NOT IN (SELECT sepay_id FROM transfer)",
    ),
    (
        "the refunded total differs from the ledger by {} ₫",
        "SELECT (SELECT balance_vnd FROM bucket WHERE name = 'refunded') \
           - coalesce((SELECT sum(amount_vnd) FROM ledger WHERE credit = 'refunded'), 0) \
           + coalesce((SELECT sum(amount_vnd) FROM ledger WHERE debit = 'refunded' AND debit <> 'bank'), 0)",
    ),
    (
        "the total of the shop's own account differs from the ledger by {} ₫",
        "SELECT (SELECT balance_vnd FROM bucket WHERE name = 'shop') \
           - coalesce((SELECT sum(amount_vnd) FROM ledger WHERE credit = 'shop'), 0) \
           + coalesce((SELECT sum(amount_vnd) FROM ledger WHERE debit = 'shop' AND debit <> 'bank'), 0)",
    ),
    (
        "the unmatched total differs from the ledger by {} ₫",
        "SELECT (SELECT balance_vnd FROM bucket WHERE name = 'unmatched') \
           - coalesce((SELECT sum(amount_vnd) FROM ledger WHERE credit = 'unmatched'), 0) \
           + coalesce((SELECT sum(amount_vnd) FROM ledger WHERE debit = 'unmatched' AND debit <> 'bank'), 0)",
    ),
    (
        "the total set aside differs from the ledger by {} ₫",
        "SELECT (SELECT balance_vnd FROM bucket WHERE name = 'set_aside') \
           - coalesce((SELECT sum(amount_vnd) FROM ledger WHERE credit = 'set_aside'), 0) \
           + coalesce((SELECT sum(amount_vnd) FROM ledger WHERE debit = 'set_aside' AND debit <> 'bank'), 0)",
    ),
    (
        "{} ledger rows name an account, an order or a customer that does not exist",
        "SELECT count(*) FROM ledger WHERE \
           NOT (debit IN ('bank', 'unmatched', 'set_aside', 'refunded', 'shop') \
             OR debit LIKE 'order:%' AND EXISTS (SELECT 1 FROM orders WHERE id = CAST(substr(debit, 7) AS INTEGER)) \
             OR debit LIKE 'wallet:%' AND EXISTS (SELECT 1 FROM customer WHERE id = CAST(substr(debit, 8) AS INTEGER))) \
           OR NOT (credit IN ('unmatched', 'set_aside', 'refunded', 'shop') \
             OR credit LIKE 'order:%' AND EXISTS (SELECT 1 FROM orders WHERE id = CAST(substr(credit, 7) AS INTEGER)) \
             OR credit LIKE 'wallet:%' AND EXISTS (SELECT 1 FROM customer WHERE id = CAST(substr(credit, 8) AS INTEGER)))",
    ),
    (
        "{} settled orders have seen no money and were not marked as paid",
        "SELECT count(*) FROM orders AS o WHERE stage IN ('paid', 'processing', 'completed') AND channel <> 'import' \
           AND flags & 16 = 0 AND paid_vnd = 0 AND NOT EXISTS (SELECT 1 FROM ledger WHERE credit = 'order:' || o.id)",
    ),
];

/// The same about orders, tasks and counts.
const WORK: &[(&str, &str)] = &[
    (
        "{} settled orders have neither a delivery in the queue nor a finished one",
        "SELECT count(*) FROM orders AS o WHERE stage IN ('paid', 'processing') AND NOT EXISTS \
           (SELECT 1 FROM task WHERE order_id = o.id AND kind = 'deliver_order' AND state IN ('scheduled', 'ready', 'running'))",
    ),
    (
        "{} completed orders have no sent mail",
        "SELECT count(*) FROM orders AS o WHERE stage = 'completed' AND channel <> 'import' \
           AND NOT EXISTS (SELECT 1 FROM mail WHERE order_id = o.id AND state = 'sent')",
    ),
    (
        "the counts of orders by stage are off by {}",
        "SELECT coalesce(sum(abs(n - (SELECT count(*) FROM orders WHERE 'order:' || stage = name))), 0) FROM tally WHERE name LIKE 'order:%'",
    ),
    (
        "the counts of tasks by state are off by {}",
        "SELECT coalesce(sum(abs(n - (SELECT count(*) FROM task WHERE 'task:' || lane || ':' || state = name))), 0) FROM tally WHERE name LIKE 'task:%'",
    ),
];

impl Store {
    /// Checks the file's integrity, the ledger's hash chain, that of the record of human actions, and every
    /// invariant of the money. Reads only.
    ///
    /// # Errors
    /// When the database cannot be read at all.
    pub async fn verify(&self) -> Result<Findings> {
        let mut findings = Findings::default();
        let integrity: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check(20)").fetch_all(&self.reader).await?;
        findings.problems.extend(integrity.into_iter().filter(|line| line != "ok"));
        let foreign = sqlx::query("PRAGMA foreign_key_check").fetch_all(&self.reader).await?;
        if !foreign.is_empty() {
            findings.problems.push(format!("{} rows point at rows that do not exist", foreign.len()));
        }
        self.zeroes(WORK, &mut findings).await?;
        let money = self.check_money().await?;
        findings.ledger_rows = money.ledger_rows;
        findings.problems.extend(money.problems);
        let audit = self.verify_audit(None).await?;
        findings.problems.extend(audit.broken.map(|broken| broken.to_string()));
        findings.transfers =
            sqlx::query_scalar("SELECT count(*) FROM transfer").fetch_one(&self.reader).await?;
        Ok(findings)
    }

    /// Counts the books: every balance against the ledger, every transfer, the ledger's hash chain. Reads only; each
    /// question sees one moment, so it can be asked while the shop works.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn check_money(&self) -> Result<Findings> {
        let mut findings = Findings::default();
        self.zeroes(MONEY, &mut findings).await?;
        self.verify_chain(&mut findings).await?;
        Ok(findings)
    }

    async fn zeroes(&self, checks: &'static [(&str, &str)], findings: &mut Findings) -> Result<()> {
        for (sentence, sql) in checks {
            let off: i64 = sqlx::query_scalar(*sql).fetch_one(&self.reader).await?;
            if off != 0 {
                findings.problems.push(sentence.replace("{}", &off.to_string()));
            }
        }
        Ok(())
    }

    async fn verify_chain(&self, findings: &mut Findings) -> Result<()> {
        let mut rows = sqlx::query(
            "SELECT id, at, debit, credit, amount_vnd, transfer_id, reason, prev_hash, hash, actor, note, reverses \
             FROM ledger ORDER BY id",
        )
        .fetch(&self.reader);
        let mut previous = String::new();
        let mut expected = 1_i64;
        while let Some(row) = rows.try_next().await? {
            let id: i64 = row.try_get("id")?;
            let (prev, hash): (&str, String) = (row.try_get("prev_hash")?, row.try_get("hash")?);
            let computed = LedgerText {
                prev,
                id,
                at: row.try_get("at")?,
                debit: row.try_get("debit")?,
                credit: row.try_get("credit")?,
                amount: row.try_get("amount_vnd")?,
                transfer: row.try_get("transfer_id")?,
                reason: row.try_get("reason")?,
                actor: row.try_get("actor")?,
                note: row.try_get("note")?,
                reverses: row.try_get("reverses")?,
            }
            .hash();
            if id != expected {
                findings.problems.push(format!("ledger row {expected} is missing"));
            }
            if prev != previous || hash != computed {
                findings.problems.push(format!("ledger row {id} was changed after it was written"));
            }
            if findings.problems.len() > 50 {
                break;
            }
            expected = id + 1;
            previous = hash;
            findings.ledger_rows += 1;
        }
        Ok(())
    }
}
