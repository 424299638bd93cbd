//! Where an order is delivered to: changing its address, and sending what was delivered once more.
//!
//! What the address was given is taken back in the commit that changes it; the new one is served by a delivery task.

use serde_json::json;
use sqlx::Row;

use chotdon_domain::fold::fold;

use crate::order_money::call_off_delivery;
use crate::orders::{audit, order_id, tell};
use crate::writer::Tx;
use crate::{Error, Result, Store, access};

/// Another address for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressChange {
    /// The new address, already checked.
    pub email: String,
    /// The owner's words; may be empty.
    pub reason: String,
    /// True changes the customer's own address as well, for this and later orders.
    pub customer: bool,
}

impl Store {
    /// Delivers an order to another address from now on: links of the old one end, and what was given is given again
    /// to the new one. Returns the deliveries that were called off.
    ///
    /// # Errors
    /// [`Error::Refused`] `order_closed` for an order that is called off, refunded or expired, `same_address` when
    /// nothing would change, `email_taken` when another customer has the address that the customer is to have.
    pub async fn change_email(
        &self,
        code: &str,
        change: AddressChange,
        actor: &str,
        now: i64,
    ) -> Result<Vec<i64>> {
        let (code, actor) = (code.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (code, change, actor) = (code.clone(), change.clone(), actor.clone());
                Box::pin(async move { change_email(tx, &code, &change, &actor, now).await })
            })
            .await
    }

    /// Mails the buyer again what they were given, as it was: the same version, the same links, a mail of its own.
    ///
    /// # Errors
    /// [`Error::Conflict`] when nothing was delivered yet, or a delivery is already queued.
    pub async fn resend(&self, code: &str, actor: &str, now: i64) -> Result<()> {
        let (code, actor) = (code.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (code, actor) = (code.clone(), actor.clone());
                Box::pin(async move {
                    let id = order_id(tx, &code).await?;
                    let made = deliver_kept(tx, id, now).await?;
                    if !made {
                        return Err(Error::Conflict(format!(
                            "order {code} was not delivered yet, or its delivery is already queued"
                        )));
                    }
                    tell(tx, id, now, "resent", &json!({}), "owner").await?;
                    audit(tx, now, &actor, "order.resend", &code, &json!({})).await?;
                    tx.orders_changed([code]);
                    Ok(())
                })
            })
            .await
    }
}

async fn change_email(
    tx: &mut Tx,
    code: &str,
    change: &AddressChange,
    actor: &str,
    now: i64,
) -> Result<Vec<i64>> {
    let id = order_id(tx, code).await?;
    let row = sqlx::query(
        "SELECT o.stage, o.customer_id, o.summary, coalesce(o.deliver_to, c.email) AS email, c.email AS own, c.name, c.phone \
           FROM orders AS o JOIN customer AS c ON c.id = o.customer_id WHERE o.id = $1",
    )
    .bind(id)
    .fetch_one(&mut tx.conn)
    .await?;
    let stage: String = row.try_get("stage")?;
    if matches!(stage.as_str(), "cancelled" | "refunded" | "expired") {
        return Err(Error::refused(
            "order_closed",
            format!("order {code} is {stage}; nothing is delivered any more"),
        ));
    }
    let (from, own): (String, String) = (row.try_get("email")?, row.try_get("own")?);
    if from == change.email && (!change.customer || own == change.email) {
        return Err(Error::refused("same_address", format!("order {code} goes to {from} already")));
    }
    if change.customer {
        let customer: i64 = row.try_get("customer_id")?;
        take_address(tx, customer, &change.email).await?;
    }
    // The customer's own address needs no word of its own on the order.
    let own = if change.customer { change.email.clone() } else { own };
    sqlx::query("UPDATE orders SET deliver_to = CASE WHEN $2 = $3 THEN NULL ELSE $2 END WHERE id = $1")
        .bind(id)
        .bind(&change.email)
        .bind(&own)
        .execute(&mut tx.conn)
        .await?;
    let (name, phone, summary): (String, Option<String>, String) =
        (row.try_get("name")?, row.try_get("phone")?, row.try_get("summary")?);
    let text = format!("{code} {} {from} {name} {} {summary}", change.email, phone.unwrap_or_default());
    sqlx::query(
        "DELETE FROM order_search WHERE rowid = $1; INSERT INTO order_search (rowid, text) VALUES ($1, $2)",
    )
    .bind(id)
    .bind(fold(&text))
    .execute(&mut tx.conn)
    .await?;

    let mut stopped = Vec::new();
    if from != change.email && stage != "pending" && !untouched(tx, id).await? {
        stopped = call_off_delivery(tx, id, now).await?;
        end_links(tx, id, now).await?;
        access::revoke_for(tx, id, Some(&from), "address", now).await?;
        deliver_kept(tx, id, now).await?;
    }
    let data =
        json!({ "from": from, "to": change.email, "reason": change.reason, "customer": change.customer });
    tell(tx, id, now, "email_changed", &data, "owner").await?;
    audit(tx, now, actor, "order.change_email", code, &data).await?;
    tx.orders_changed([code.to_owned()]);
    Ok(stopped)
}

async fn take_address(tx: &mut Tx, customer: i64, email: &str) -> Result<()> {
    sqlx::query("UPDATE customer SET email = $2, email_key = $3 WHERE id = $1")
        .bind(customer)
        .bind(email)
        .bind(email.to_lowercase())
        .execute(&mut tx.conn)
        .await
        .map_err(|error| match Error::from(error) {
            Error::Conflict(_) => {
                Error::refused("email_taken", format!("another customer has the address {email}"))
            }
            other => other,
        })?;
    tx.touched.topics.extend(["customers".to_owned(), format!("customer:{customer}")]);
    Ok(())
}

/// Whether the order's delivery is still to begin: it will read the new address by itself.
async fn untouched(tx: &mut Tx, order: i64) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM task WHERE order_id = $1 AND kind = 'deliver_order' AND stage = 'share' AND state IN ('scheduled', 'ready')) \
            AND NOT EXISTS (SELECT 1 FROM order_item WHERE order_id = $1 AND (link IS NOT NULL OR delivery IN ('sharing', 'delivered')))",
    )
    .bind(order)
    .fetch_one(&mut tx.conn)
    .await?)
}

/// What the old address was given ends here; the order is under way again.
async fn end_links(tx: &mut Tx, order: i64, now: i64) -> Result<()> {
    sqlx::query(
        "UPDATE link SET revoked_at = $2 WHERE revoked_at IS NULL AND order_item_id IN (SELECT id FROM order_item WHERE order_id = $1); \
         UPDATE order_item SET link = NULL, delivery = 'waiting' WHERE order_id = $1 AND delivery <> 'revoked'; \
         UPDATE orders SET stage = 'processing' WHERE id = $1 AND stage IN ('completed', 'failed')",
    )
    .bind(order)
    .bind(now)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Queues a delivery of the versions that the buyer has. False when nothing is to be delivered, or one is queued.
async fn deliver_kept(tx: &mut Tx, order: i64, now: i64) -> Result<bool> {
    let made = sqlx::query(
        "INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, dedupe_key, order_id, payload, created_at) \
           SELECT 'deliver_order', 'order', prio, 'ready', 'share', $2, $3, 'deliver:' || id, id, '{\"keep\":true}', $2 FROM orders \
            WHERE id = $1 AND (stage IN ('paid', 'processing') \
              OR stage = 'completed' AND EXISTS (SELECT 1 FROM order_item WHERE order_id = $1 AND delivery <> 'revoked')) \
         ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL AND state NOT IN ('done','failed','cancelled') DO NOTHING",
    )
    .bind(order)
    .bind(now)
    .bind(tx.tuning.max_attempt())
    .execute(&mut tx.conn)
    .await?
    .rows_affected();
    if made > 0 {
        tx.ready(["order"].into_iter());
    }
    Ok(made > 0)
}
