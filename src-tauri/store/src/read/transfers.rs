//! Transfers that arrived.

use sqlx::{AssertSqlSafe, FromRow, SqliteConnection};

use super::{Slice, Window};
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
    pub level: Option<String>,
    pub order_code: Option<String>,
    pub received_at: i64,
    pub booked_at: Option<i64>,
}

/// The states a transfer can have, as stored.
pub const TRANSFER_STATES: [&str; 5] = ["order", "wallet", "unmatched", "set_aside", "ignored"];

pub(super) const SELECT: &str = "SELECT t.id, t.sepay_id, t.direction, t.amount_vnd, t.gateway, t.account, \
     t.content, t.reference, t.state, t.reason, t.level, o.code AS order_code, t.received_at, t.booked_at \
     FROM transfer t LEFT JOIN orders o ON o.id = t.order_id";

impl Store {
    /// A page of transfers, newest first, of one state or of all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn transfers(&self, state: Option<&str>, window: Window) -> Result<Slice<TransferRecord>> {
        let rows = match state {
            None => {
                sqlx::query_as(AssertSqlSafe(format!("{SELECT} WHERE t.id < $1 ORDER BY t.id DESC LIMIT $2")))
                    .bind(window.top())
            }
            Some(state) => sqlx::query_as(AssertSqlSafe(format!(
                "{SELECT} WHERE t.state = $1 AND t.id < $2 ORDER BY t.id DESC LIMIT $3"
            )))
            .bind(state)
            .bind(window.top()),
        };
        let rows = rows.bind(window.fetch()).fetch_all(&self.reader).await?;
        Ok(window.cut(rows, |transfer: &TransferRecord| transfer.id))
    }
}

pub(super) async fn of_order(connection: &mut SqliteConnection, order: i64) -> Result<Vec<TransferRecord>> {
    let sql = format!("{SELECT} WHERE t.order_id = $1 ORDER BY t.id");
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(order).fetch_all(connection).await?)
}
