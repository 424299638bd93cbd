//! Customers, the owner's inbox, and storefront keys.

use sqlx::{FromRow, QueryBuilder};

use super::search;
use super::{Slice, Window};
use crate::{NoticeRecord, Result, Store};

/// A customer with a count of their orders.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct CustomerRecord {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
    pub deposit_code: String,
    pub wallet_vnd: i64,
    pub orders: i64,
    /// Held by their orders now, whole đồng.
    pub spent_vnd: i64,
    pub last_order_at: Option<i64>,
    pub created_at: i64,
}

/// A key of a storefront; the key itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct KeyRecord {
    pub id: i64,
    pub name: String,
    /// Words separated by spaces.
    pub scopes: String,
    pub created_at: i64,
    pub revoked_at: Option<i64>,
}

/// Found by text, the newest of them.
const FOUND: i64 = 2000;
const COLUMNS: &str = "SELECT c.id, c.name, c.email, c.phone, c.deposit_code, c.wallet_vnd, c.created_at, \
    (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) AS orders, \
    (SELECT coalesce(sum(o.paid_vnd), 0) FROM orders o WHERE o.customer_id = c.id) AS spent_vnd, \
    (SELECT o.created_at FROM orders o WHERE o.customer_id = c.id ORDER BY o.id DESC LIMIT 1) AS last_order_at FROM (";

/// The customer with this id.
pub(super) async fn customer(reader: &sqlx::SqlitePool, id: i64) -> Result<Option<CustomerRecord>> {
    let mut query = QueryBuilder::<sqlx::Sqlite>::new(COLUMNS);
    query.push("SELECT ").push_bind(id).push(" AS id) p CROSS JOIN customer c ON c.id = p.id");
    Ok(query.build_query_as().fetch_optional(reader).await?)
}

impl Store {
    /// A page of customers, newest first. With `text`: those whose name, e-mail, telephone number or deposit code it
    /// begins, without marks too (the newest 2,000 of them), and the buyer of the order with that code.
    /// With `owed`: only those whose wallet holds money.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn customers(
        &self,
        text: Option<&str>,
        owed: bool,
        window: Window,
    ) -> Result<Slice<CustomerRecord>> {
        let mut query = QueryBuilder::new(COLUMNS);
        match text.filter(|text| !text.trim().is_empty()).map(search::read) {
            None => {
                query.push("SELECT id FROM customer WHERE id < ").push_bind(window.top());
                if owed {
                    query.push(" AND wallet_vnd > 0");
                }
            }
            Some(search) => {
                query.push("SELECT id FROM (SELECT customer_id AS id FROM orders WHERE code = ");
                query.push_bind(search.code.unwrap_or_default());
                if !search.words.is_empty() {
                    query.push(" UNION SELECT * FROM (SELECT rowid AS id FROM customer_search WHERE customer_search MATCH ");
                    query
                        .push_bind(search.words)
                        .push(" ORDER BY rowid DESC LIMIT ")
                        .push_bind(FOUND)
                        .push(")");
                }
                query.push(") AS f WHERE id < ").push_bind(window.top());
                if owed {
                    query.push(
                        " AND EXISTS (SELECT 1 FROM customer AS o WHERE o.id = f.id AND o.wallet_vnd > 0)",
                    );
                }
            }
        }
        query.push(" ORDER BY id DESC LIMIT ").push_bind(window.fetch());
        query.push(") p CROSS JOIN customer c ON c.id = p.id ORDER BY c.id DESC");
        let rows = query.build_query_as::<CustomerRecord>().fetch_all(&self.reader).await?;
        Ok(window.cut(rows, |customer| customer.id))
    }

    /// A page of the inbox, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn notices(&self, window: Window) -> Result<Slice<NoticeRecord>> {
        let rows = sqlx::query_as(
            "SELECT id, class, merge_key, kind, data, count, first_at, last_at, state FROM notice \
             WHERE id < $1 AND class <= 3 ORDER BY id DESC LIMIT $2",
        )
        .bind(window.top())
        .bind(window.fetch())
        .fetch_all(&self.reader)
        .await?;
        Ok(window.cut(rows, |notice: &NoticeRecord| notice.id))
    }

    /// Every storefront key, revoked ones included, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn storefront_keys(&self) -> Result<Vec<KeyRecord>> {
        Ok(sqlx::query_as(
            "SELECT id, name, scopes, created_at, revoked_at FROM storefront_key ORDER BY name",
        )
        .fetch_all(&self.reader)
        .await?)
    }

    /// The key whose SHA-256 (lower-case hexadecimal) this is, unless it was revoked.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn storefront_key(&self, key_sha256: &str) -> Result<Option<KeyRecord>> {
        Ok(sqlx::query_as(
            "SELECT id, name, scopes, created_at, revoked_at FROM storefront_key \
             WHERE key_sha256 = $1 AND revoked_at IS NULL",
        )
        .bind(key_sha256)
        .fetch_optional(&self.reader)
        .await?)
    }
}
