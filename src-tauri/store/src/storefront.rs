//! What storefronts and hosted pages ask and do: customers with their wallets, calling an order off, page versions.
//!
//! Orders are created in `orders`, money moves elsewhere; the public listener is the caller.

use serde_json::json;
use sqlx::FromRow;

use crate::orders::{audit, new_deposit_code, order_id, tell};
use crate::{Error, Result, Store};

/// A customer as a storefront may see them.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct Buyer {
    pub id: i64,
    pub email: String,
    pub name: String,
    pub phone: Option<String>,
    pub deposit_code: String,
    pub wallet_vnd: i64,
    pub created_at: i64,
}

/// A customer to register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBuyer {
    /// Address, already checked.
    pub email: String,
    /// Empty keeps the known name.
    pub name: String,
    /// `None` keeps the known one.
    pub phone: Option<String>,
    /// Who does it, for the audit log.
    pub actor: String,
    /// Now, ms.
    pub now: i64,
}

/// Money that a customer's wallet got by transfer.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct TopUp {
    /// Id of the ledger row.
    pub id: i64,
    /// When it was booked, ms.
    pub at: i64,
    /// Whole đồng.
    pub amount_vnd: i64,
}

const BUYER: &str = "SELECT id, email, name, phone, deposit_code, wallet_vnd, created_at FROM customer";

impl Store {
    /// The customer with this id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn buyer(&self, id: i64) -> Result<Option<Buyer>> {
        let query = sqlx::query_as(sqlx::AssertSqlSafe(format!("{BUYER} WHERE id = $1")));
        Ok(query.bind(id).fetch_optional(&self.reader).await?)
    }

    /// The customer with this deposit code, in capitals.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn buyer_by_deposit_code(&self, code: &str) -> Result<Option<Buyer>> {
        let query = sqlx::query_as(sqlx::AssertSqlSafe(format!("{BUYER} WHERE deposit_code = $1")));
        Ok(query.bind(code).fetch_optional(&self.reader).await?)
    }

    /// The newest top-ups of a customer, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn top_ups(&self, customer: i64, limit: u32) -> Result<Vec<TopUp>> {
        Ok(sqlx::query_as(
            "SELECT id, at, amount_vnd FROM ledger WHERE credit = 'wallet:' || $1 AND transfer_id IS NOT NULL \
             ORDER BY id DESC LIMIT $2",
        )
        .bind(customer)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?)
    }

    /// Registers a customer, or completes the one with this address. Answers them, and whether they are new.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no free deposit code is found, or the database cannot be written.
    pub async fn register_buyer(&self, buyer: NewBuyer) -> Result<(Buyer, bool)> {
        self.writer
            .run(move |tx| {
                let buyer = buyer.clone();
                Box::pin(async move {
                    let key = buyer.email.to_lowercase();
                    let known: bool =
                        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM customer WHERE email_key = $1)")
                            .bind(&key)
                            .fetch_one(&mut tx.conn)
                            .await?;
                    for _ in 0..8 {
                        let saved: std::result::Result<Buyer, sqlx::Error> = sqlx::query_as(
                            "INSERT INTO customer (email, email_key, name, phone, deposit_code, created_at) \
                             VALUES ($1, $2, $3, $4, $5, $6) \
                             ON CONFLICT (email_key) DO UPDATE SET \
                               name = CASE WHEN excluded.name = '' THEN customer.name ELSE excluded.name END, \
                               phone = coalesce(excluded.phone, customer.phone) \
                             RETURNING id, email, name, phone, deposit_code, wallet_vnd, created_at",
                        )
                        .bind(&buyer.email)
                        .bind(&key)
                        .bind(&buyer.name)
                        .bind(&buyer.phone)
                        .bind(new_deposit_code())
                        .bind(buyer.now)
                        .fetch_one(&mut tx.conn)
                        .await;
                        match saved {
                            Ok(row) => {
                                let subject = format!("customer:{}", row.id);
                                let data = json!({ "new": !known });
                                audit(tx, buyer.now, &buyer.actor, "customer.save", &subject, &data).await?;
                                tx.touched.topic("customers");
                                return Ok((row, !known));
                            }
                            // Another customer already has the drawn deposit code: draw again.
                            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {}
                            Err(error) => return Err(error.into()),
                        }
                    }
                    Err(Error::Unavailable("no free deposit code was found".to_owned()))
                })
            })
            .await
    }

    /// Calls off an order that has no money, as a storefront may. One that is called off already stays as it is.
    ///
    /// # Errors
    /// [`Error::Conflict`] when money has come in or the order went on; [`Error::NotFound`] for an unknown code.
    pub async fn cancel_unpaid_order(&self, code: &str, reason: &str, actor: &str, now: i64) -> Result<()> {
        let given = (code.to_owned(), reason.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (code, reason, actor) = given.clone();
                Box::pin(async move {
                    let id = order_id(tx, &code).await?;
                    let (stage, paid_vnd): (String, i64) =
                        sqlx::query_as("SELECT stage, paid_vnd FROM orders WHERE id = $1")
                            .bind(id)
                            .fetch_one(&mut tx.conn)
                            .await?;
                    if stage == "cancelled" {
                        return Ok(());
                    }
                    if paid_vnd > 0 || !matches!(stage.as_str(), "pending" | "expired") {
                        return Err(Error::Conflict(format!(
                            "order {code} is {stage} and holds {paid_vnd} đồng; only the shop can call it off now"
                        )));
                    }
                    sqlx::query("UPDATE orders SET stage = 'cancelled' WHERE id = $1")
                        .bind(id)
                        .execute(&mut tx.conn)
                        .await?;
                    let data = json!({ "reason": reason });
                    tell(tx, id, now, "cancelled", &data, "storefront").await?;
                    audit(tx, now, &actor, "order.cancel", &code, &data).await?;
                    tx.orders_changed([code]);
                    Ok(())
                })
            })
            .await
    }

    /// What changes whenever an order's page does; `None` for an unknown order. Not for people.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn order_page_version(&self, code: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(
            "SELECT stage || ' ' || flags || ' ' || paid_vnd || ' ' || \
               (SELECT group_concat(delivery || coalesce(link, ''), ' ') FROM order_item WHERE order_id = orders.id) \
             FROM orders WHERE code = $1",
        )
        .bind(code)
        .fetch_optional(&self.reader)
        .await?)
    }

    /// What changes whenever a customer's top-up page does; `None` for an unknown deposit code. Not for people.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn topup_page_version(&self, deposit_code: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(
            "SELECT wallet_vnd || ' ' || coalesce((SELECT max(l.id) FROM ledger AS l WHERE l.credit = 'wallet:' || customer.id), 0) \
             FROM customer WHERE deposit_code = $1",
        )
        .bind(deposit_code)
        .fetch_optional(&self.reader)
        .await?)
    }
}
