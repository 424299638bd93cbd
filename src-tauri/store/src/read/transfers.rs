//! Transfers that arrived: lists, one with its history, and finding one by what is known of it.

use chotdon_domain::fold::upper_ascii;
use sqlx::{AssertSqlSafe, FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::{LedgerRecord, Slice, Window};
use crate::{Result, Store};

/// A transfer and where it went.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct TransferRecord {
    pub id: i64,
    pub sepay_id: i64,
    /// `in` or `out`.
    pub direction: String,
    pub amount_vnd: i64,
    pub gateway: String,
    pub account: String,
    pub content: String,
    pub reference: String,
    /// `order`, `wallet`, `unmatched`, `set_aside`, `ignored`.
    pub state: String,
    pub reason: Option<String>,
    /// `manual` when the owner placed it.
    pub level: Option<String>,
    /// The owner's words when it was set aside.
    pub note: Option<String>,
    pub order_id: Option<i64>,
    pub order_code: Option<String>,
    /// Whose wallet or order has the money.
    pub customer_id: Option<i64>,
    pub customer_name: Option<String>,
    pub customer_email: Option<String>,
    pub deposit_code: Option<String>,
    pub received_at: i64,
    pub booked_at: Option<i64>,
}

/// The states a transfer can have, as stored.
pub const TRANSFER_STATES: [&str; 5] = ["order", "wallet", "unmatched", "set_aside", "ignored"];

pub(super) const SELECT: &str = "SELECT t.id, t.sepay_id, t.direction, t.amount_vnd, t.gateway, t.account, \
     t.content, t.reference, t.state, t.reason, t.level, t.note, t.order_id, o.code AS order_code, c.id AS customer_id, \
     c.name AS customer_name, c.email AS customer_email, c.deposit_code, t.received_at, t.booked_at \
     FROM transfer t LEFT JOIN orders o ON o.id = t.order_id \
     LEFT JOIN customer c ON c.id = coalesce(t.customer_id, o.customer_id)";

/// Words are looked for in this many of the newest transfers (of the state that is asked for).
const SEARCHED: i64 = 20_000;

impl Store {
    /// A page of transfers, newest first, of one state or of all; with `text` those whose SePay id, amount, order
    /// code or reference it is, or whose words contain it (of the newest 20,000).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn transfers(
        &self,
        state: Option<&str>,
        text: Option<&str>,
        window: Window,
    ) -> Result<Slice<TransferRecord>> {
        let mut query = QueryBuilder::new(SELECT);
        match text.map(str::trim).filter(|text| !text.is_empty()) {
            None => {
                query.push(" WHERE t.id < ").push_bind(window.top());
                if let Some(state) = state {
                    query.push(" AND t.state = ").push_bind(state.to_owned());
                }
            }
            Some(text) => {
                query.push(" WHERE t.id IN (");
                push_found(&mut query, state, text);
                query.push(") AND t.id < ").push_bind(window.top());
            }
        }
        query.push(" ORDER BY t.id DESC LIMIT ").push_bind(window.fetch());
        let rows = query.build_query_as::<TransferRecord>().fetch_all(&self.reader).await?;
        Ok(window.cut(rows, |transfer: &TransferRecord| transfer.id))
    }

    /// One transfer.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn transfer(&self, id: i64) -> Result<Option<TransferRecord>> {
        let sql = format!("{SELECT} WHERE t.id = $1");
        Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(&self.reader).await?)
    }
}

impl Store {
    /// Every movement of a transfer's money that names it, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn transfer_movements(&self, id: i64) -> Result<Vec<LedgerRecord>> {
        let rows: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM ledger WHERE transfer_id = $1 ORDER BY id LIMIT 200")
                .bind(id)
                .fetch_all(&self.reader)
                .await?;
        let mut movements = Vec::with_capacity(rows.len());
        for row in rows {
            movements.extend(self.ledger_row(row).await?);
        }
        Ok(movements)
    }
}

/// Adds a query for the ids of the transfers that a search text means.
pub(super) fn push_found(query: &mut QueryBuilder<Sqlite>, state: Option<&str>, text: &str) {
    let of_state = |query: &mut QueryBuilder<Sqlite>, word: &str| {
        if let Some(state) = state {
            query.push(word).push(" state = ").push_bind(state.to_owned());
        }
    };
    let search = super::search::read(text);
    let number = search.amount_vnd.unwrap_or(-1);
    query.push("SELECT id FROM (SELECT id, content, reference, amount_vnd FROM transfer");
    of_state(query, " WHERE");
    query.push(" ORDER BY id DESC LIMIT ").push_bind(SEARCHED);
    query.push(") WHERE amount_vnd = ").push_bind(number);
    let words = upper_ascii(text);
    query.push(" OR instr(upper(content), ").push_bind(words.clone());
    query.push(") > 0 OR instr(upper(reference), ").push_bind(words).push(") > 0");
    query.push(" UNION SELECT id FROM transfer WHERE sepay_id = ").push_bind(number);
    of_state(query, " AND");
    query
        .push(" UNION SELECT id FROM transfer WHERE order_id = (SELECT id FROM orders WHERE code = ")
        .push_bind(search.code.unwrap_or_default())
        .push(")");
    of_state(query, " AND");
}

pub(super) async fn of_order(connection: &mut SqliteConnection, order: i64) -> Result<Vec<TransferRecord>> {
    let sql = format!("{SELECT} WHERE t.order_id = $1 ORDER BY t.id");
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(order).fetch_all(connection).await?)
}
