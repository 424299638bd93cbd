//! The ledger as people read it, and what the shop owes its customers.

use sqlx::{FromRow, QueryBuilder, Sqlite};

use super::overview::hours_of_day;
use super::{CustomerRecord, OrderFilter, OrderRecord, Slice, Window};
use crate::wallet::REVERSIBLE;
use crate::{Result, Store};

/// One movement.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct LedgerRecord {
    pub id: i64,
    pub at: i64,
    /// `transfer`, `adjust`, `refund`, …
    pub kind: String,
    pub debit: String,
    pub credit: String,
    pub amount_vnd: i64,
    /// What the wallet, or else the order, that it touches held afterwards.
    pub balance_after_vnd: Option<i64>,
    pub transfer_id: Option<i64>,
    pub order_code: Option<String>,
    pub customer_id: Option<i64>,
    pub customer_name: Option<String>,
    pub note: Option<String>,
    pub actor: Option<String>,
    /// The row that it takes back.
    pub reverses: Option<i64>,
    /// The row that takes it back.
    pub reversed_by: Option<i64>,
}

impl LedgerRecord {
    /// Whether [`Store::reverse`] takes it back.
    #[must_use]
    pub fn can_reverse(&self) -> bool {
        self.reverses.is_none() && self.reversed_by.is_none() && REVERSIBLE.contains(&self.kind.as_str())
    }
}

/// Which movements a list shows; all given conditions hold at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    /// An account's name, or `wallets` for all of them.
    pub account: Option<String>,
    /// One word: `transfer`, `adjust`, …
    pub kind: Option<String>,
}

/// What the shop owes its customers, and how that changed today in Vietnam. Whole đồng.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromRow)]
pub struct WalletRecord {
    /// In all wallets.
    pub owed_vnd: i64,
    /// Customers with money in their wallet.
    pub customers: i64,
    /// Came in today, by transfer or placed by hand.
    pub topups_today_vnd: i64,
    /// Spent on orders today.
    pub spent_today_vnd: i64,
    /// Sum of today's adjustments, those taken back included; below 0 when more was taken out than added.
    pub adjusted_today_vnd: i64,
}

/// Everything about one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CustomerStory {
    pub customer: CustomerRecord,
    /// Newest first, at most 50.
    pub orders: Vec<OrderRecord>,
    /// Movements of the wallet, newest first, at most 50.
    pub ledger: Vec<LedgerRecord>,
}

/// The rows around the ids in `p`. `subject` is the account whose balance is shown: the wallet, or else the order.
const COLUMNS: &str = "\
SELECT l.id, l.at, l.reason AS kind, l.debit, l.credit, l.amount_vnd, l.transfer_id, l.note, l.actor, l.reverses, \
       r.id AS reversed_by, o.code AS order_code, coalesce(c.id, oc.id) AS customer_id, coalesce(c.name, oc.name) AS customer_name, \
       CASE WHEN l.subject IS NULL THEN NULL ELSE \
         coalesce((SELECT sum(amount_vnd) FROM ledger WHERE credit = l.subject AND id <= l.id), 0) \
       - coalesce((SELECT sum(amount_vnd) FROM ledger WHERE debit = l.subject AND debit <> 'bank' AND id <= l.id), 0) END AS balance_after_vnd \
  FROM (SELECT ledger.*, CASE WHEN credit LIKE 'wallet:%' THEN credit WHEN debit LIKE 'wallet:%' THEN debit \
                              WHEN credit LIKE 'order:%' THEN credit WHEN debit LIKE 'order:%' THEN debit END AS subject, \
               CASE WHEN credit LIKE 'wallet:%' THEN substr(credit, 8) WHEN debit LIKE 'wallet:%' THEN substr(debit, 8) END AS wallet, \
               CASE WHEN credit LIKE 'order:%' THEN substr(credit, 7) WHEN debit LIKE 'order:%' THEN substr(debit, 7) END AS held \
          FROM (";

const JOINS: &str = ") p CROSS JOIN ledger ON ledger.id = p.id) l \
  LEFT JOIN ledger AS r ON r.reverses = l.id \
  LEFT JOIN orders AS o ON o.id = CAST(l.held AS INTEGER) \
  LEFT JOIN customer AS c ON c.id = CAST(l.wallet AS INTEGER) \
  LEFT JOIN customer AS oc ON oc.id = o.customer_id ORDER BY l.id DESC";

/// `$1` the last ledger row before today.
const TODAY: &str = "\
SELECT (SELECT balance_vnd FROM bucket WHERE name = 'wallets') AS owed_vnd, \
       (SELECT count(*) FROM customer WHERE wallet_vnd > 0) AS customers, \
       coalesce(sum(amount_vnd) FILTER (WHERE credit LIKE 'wallet:%' AND (debit = 'bank' OR debit = 'unmatched')), 0) AS topups_today_vnd, \
       coalesce(sum(amount_vnd) FILTER (WHERE reason = 'wallet_pay'), 0) AS spent_today_vnd, \
       coalesce(sum(CASE WHEN debit = 'shop' THEN amount_vnd ELSE -amount_vnd END) FILTER (WHERE debit = 'shop' OR credit = 'shop'), 0) \
         AS adjusted_today_vnd \
  FROM ledger WHERE id > $1";

impl Store {
    /// A page of movements, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn ledger(&self, filter: &LedgerFilter, window: Window) -> Result<Slice<LedgerRecord>> {
        let rows = ledger_query(filter, window).build_query_as().fetch_all(&self.reader).await?;
        Ok(window.cut(rows, |row: &LedgerRecord| row.id))
    }

    /// One movement; `None` when there is none with this id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn ledger_row(&self, id: i64) -> Result<Option<LedgerRecord>> {
        let window = Window { below: id.checked_add(1), limit: 1 };
        let rows: Vec<LedgerRecord> =
            ledger_query(&LedgerFilter::default(), window).build_query_as().fetch_all(&self.reader).await?;
        Ok(rows.into_iter().find(|row| row.id == id))
    }

    /// The movements of one transfer, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn movements_of_transfer(&self, transfer: i64) -> Result<Vec<LedgerRecord>> {
        let mut query = QueryBuilder::<Sqlite>::new(COLUMNS);
        query.push("SELECT id FROM ledger WHERE transfer_id = ").push_bind(transfer).push(JOINS);
        let mut rows: Vec<LedgerRecord> = query.build_query_as().fetch_all(&self.reader).await?;
        rows.reverse();
        Ok(rows)
    }

    /// What the shop owes its customers, as of `now` (ms UTC).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn wallets(&self, now: i64) -> Result<WalletRecord> {
        let midnight = hours_of_day(now).0 * 3_600_000;
        // Walks back from the newest row, over today's rows only.
        let before: Option<i64> =
            sqlx::query_scalar("SELECT id FROM ledger WHERE at < $1 ORDER BY id DESC LIMIT 1")
                .bind(midnight)
                .fetch_optional(&self.reader)
                .await?;
        Ok(sqlx::query_as(TODAY).bind(before.unwrap_or_default()).fetch_one(&self.reader).await?)
    }

    /// Everything about one customer; `None` when there is none with this id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn customer_story(&self, id: i64) -> Result<Option<CustomerStory>> {
        let Some(customer) = super::people::customer(&self.reader, id).await? else { return Ok(None) };
        let window = Window { below: None, limit: 50 };
        let filter = OrderFilter { customer: Some(id), ..OrderFilter::default() };
        let orders = self.orders(&filter, window).await?.rows;
        let filter = LedgerFilter { account: Some(format!("wallet:{id}")), kind: None };
        let ledger = self.ledger(&filter, window).await?.rows;
        Ok(Some(CustomerStory { customer, orders, ledger }))
    }
}

pub(super) fn ledger_query(filter: &LedgerFilter, window: Window) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(COLUMNS);
    let kind = |query: &mut QueryBuilder<Sqlite>| {
        if let Some(kind) = &filter.kind {
            query.push(" AND reason = ").push_bind(kind.clone());
        }
        query.push(" ORDER BY id DESC LIMIT ").push_bind(window.fetch());
    };
    match filter.account.as_deref() {
        None => {
            query.push("SELECT id FROM ledger WHERE id < ").push_bind(window.top());
            if filter.kind.as_deref().is_some_and(|kind| kind != "transfer") {
                query.push(" AND debit <> 'bank'");
            }
            kind(&mut query);
        }
        Some("bank") => {
            query.push("SELECT id FROM ledger WHERE debit = 'bank' AND id < ").push_bind(window.top());
            kind(&mut query);
        }
        Some(account) => {
            query.push("SELECT id FROM (");
            for (at, side) in ["credit", "debit"].into_iter().enumerate() {
                query.push(if at > 0 { " UNION SELECT * FROM (" } else { "SELECT * FROM (" });
                query.push("SELECT id FROM ledger WHERE ");
                if account == "wallets" {
                    query.push(format!("{side} >= 'wallet:' AND {side} < 'wallet;'"));
                } else {
                    query.push(format!("{side} = ")).push_bind(account.to_owned());
                }
                query.push(if side == "debit" { " AND debit <> 'bank' AND id < " } else { " AND id < " });
                query.push_bind(window.top());
                kind(&mut query);
                query.push(")");
            }
            query.push(") ORDER BY id DESC LIMIT ").push_bind(window.fetch());
        }
    }
    query.push(JOINS);
    query
}
