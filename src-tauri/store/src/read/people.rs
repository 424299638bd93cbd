//! Customers, the owner's inbox, the record of human actions, and storefront keys.

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
    pub created_at: i64,
}

/// What a person did.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct AuditRecord {
    pub id: i64,
    pub at: i64,
    /// `owner`, `storefront:NAME`, `cli`.
    pub actor: String,
    pub action: String,
    pub subject: String,
    /// JSON.
    pub data: String,
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

const SEARCHED_ORDERS: i64 = 2000;

impl Store {
    /// A page of customers, newest first. With `text`: those whose e-mail begins with it, whose deposit code it
    /// is, or whose orders it finds (the newest 2,000 of them).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn customers(&self, text: Option<&str>, window: Window) -> Result<Slice<CustomerRecord>> {
        let mut query = QueryBuilder::new(
            "SELECT c.id, c.name, c.email, c.phone, c.deposit_code, c.wallet_vnd, \
             (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) AS orders, c.created_at FROM (",
        );
        match text.map(str::trim).filter(|text| !text.is_empty()) {
            None => {
                query.push("SELECT id FROM customer WHERE id < ").push_bind(window.top());
                query.push(" ORDER BY id DESC LIMIT ").push_bind(window.fetch());
            }
            Some(text) => {
                let search = search::read(text);
                let email = text.to_lowercase();
                query
                    .push("SELECT id FROM (SELECT id FROM customer WHERE email_key >= ")
                    .push_bind(email.clone());
                query.push(" AND email_key < ").push_bind(format!("{email}\u{10ffff}"));
                query
                    .push(" UNION SELECT id FROM customer WHERE deposit_code = ")
                    .push_bind(text.to_uppercase());
                if !search.words.is_empty() {
                    query.push(" UNION SELECT o.customer_id FROM (SELECT rowid AS id FROM order_search WHERE order_search MATCH ");
                    query
                        .push_bind(search.words)
                        .push(" ORDER BY rowid DESC LIMIT ")
                        .push_bind(SEARCHED_ORDERS);
                    query.push(") m CROSS JOIN orders o ON o.id = m.id");
                }
                query.push(") WHERE id < ").push_bind(window.top());
                query.push(" ORDER BY id DESC LIMIT ").push_bind(window.fetch());
            }
        }
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

    /// A page of the record of human actions, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(&self, window: Window) -> Result<Slice<AuditRecord>> {
        let rows = sqlx::query_as(
            "SELECT id, at, actor, action, subject, data FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(window.top())
        .bind(window.fetch())
        .fetch_all(&self.reader)
        .await?;
        Ok(window.cut(rows, |entry: &AuditRecord| entry.id))
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
