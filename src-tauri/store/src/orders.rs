//! Orders being created and changed by people and by time. Money changes them in `intake`, work in `aftermath`.

use serde_json::json;

use chotdon_domain::code::{DepositCode, OrderCode};
use chotdon_domain::fold::fold;

pub(crate) use crate::audit::audit;
use crate::bundles;
use crate::order_money;
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// An order to create.
#[derive(Debug, Clone)]
pub struct NewOrderRow {
    /// Address of the buyer, already checked.
    pub email: String,
    /// Name; an empty one keeps the known name.
    pub name: String,
    /// Phone as shown; `None` keeps the known one.
    pub phone: Option<String>,
    /// Slugs of courses and bundles, each once.
    pub courses: Vec<String>,
    /// 0 VIP, 2 normal.
    pub prio: i64,
    /// Internal note.
    pub note: String,
    /// `storefront`, `owner` or `import`.
    pub channel: &'static str,
    /// Who did it, for the audit log: `owner`, `storefront:NAME`, `cli`.
    pub actor: String,
    /// When it expires, ms.
    pub expires_at: i64,
    /// Now, ms.
    pub now: i64,
    /// Pay it from the buyer's wallet, in the commit that creates it.
    pub pay_from_wallet: bool,
    /// Scope, key and request hash of an idempotent call.
    pub idempotency: Option<Idempotency>,
}

/// What makes a repeated call the same call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose key it is.
    pub scope: String,
    /// The caller's key.
    pub key: String,
    /// Hash of the request; the same key with another request is refused.
    pub request_hash: String,
}

/// The order that now exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedOrder {
    /// `DH123456`.
    pub code: String,
    /// True when an earlier call with the same key had created it.
    pub replayed: bool,
}

impl Store {
    /// Creates an order, and its buyer when they are new.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown or inactive course or bundle; [`Error::Refused`] `course_twice` when a course
    /// comes twice, alone or in a bundle; [`Error::Conflict`] when the idempotency key was used
    /// for another request; [`Error::Refused`] `insufficient_funds` when it is to be paid from a wallet that does not
    /// cover it, and then nothing is created.
    pub async fn create_order(&self, order: NewOrderRow) -> Result<CreatedOrder> {
        self.writer
            .run(move |tx| {
                let order = order.clone();
                Box::pin(async move { create(tx, &order).await })
            })
            .await
    }

    /// Calls an order off. Its delivery is cancelled with it; money that it holds stays on it, flagged.
    ///
    /// # Errors
    /// [`Error::Conflict`] unless it is pending, expired or failed.
    pub async fn cancel_order(&self, code: &str, reason: &str, actor: &str, now: i64) -> Result<()> {
        let (code, reason, actor) = (code.to_owned(), reason.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (code, reason, actor) = (code.clone(), reason.clone(), actor.clone());
                Box::pin(async move {
                    let mut order = order_money::load(tx, &code).await?;
                    order.money = order.money.cancel().map_err(|_| {
                        Error::Conflict(format!(
                            "order {code} can be cancelled only while it is unpaid or failed"
                        ))
                    })?;
                    let id = order.id;
                    order_money::save(tx, &order, now).await?;
                    order_money::call_off_delivery(tx, id, now).await?;
                    order_money::take_access_back(tx, id, false, now).await?;
                    let data = json!({ "reason": reason, "held_vnd": order.money.paid });
                    tell(tx, id, now, "cancelled", &data, "owner").await?;
                    audit(tx, now, &actor, "order.cancel", &code, &data).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Gives the buyer access again and mails them again.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the order was never settled, or a delivery is already queued.
    pub async fn redeliver(&self, code: &str, actor: &str, now: i64) -> Result<()> {
        let (code, actor) = (code.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (code, actor) = (code.clone(), actor.clone());
                Box::pin(async move {
                    let id = order_id(tx, &code).await?;
                    let made = sqlx::query(
                        "INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, dedupe_key, order_id, created_at) \
                           SELECT 'deliver_order', 'order', prio, 'ready', 'share', $2, $3, 'deliver:' || id, id, $2 FROM orders \
                            WHERE id = $1 AND stage IN ('completed', 'failed', 'paid', 'processing') \
                         ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL AND state NOT IN ('done','failed','cancelled') DO NOTHING",
                    )
                    .bind(id)
                    .bind(now)
                    .bind(tx.tuning.max_attempt())
                    .execute(&mut tx.conn)
                    .await?;
                    if made.rows_affected() == 0 {
                        return Err(Error::Conflict(format!("order {code} is not settled, or its delivery is already queued")));
                    }
                    sqlx::query(
                        "UPDATE task SET state = 'cancelled', finished_at = $2 WHERE order_id = $1 AND state = 'failed' AND kind = 'deliver_order'; \
                         UPDATE orders SET stage = 'processing' WHERE id = $1 AND stage = 'failed'",
                    )
                    .bind(id)
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    tell(tx, id, now, "redelivered", &json!({}), "owner").await?;
                    audit(tx, now, &actor, "order.redeliver", &code, &json!({})).await?;
                    tx.ready(["order"].into_iter());
                    tx.orders_changed([code]);
                    Ok(())
                })
            })
            .await
    }

    /// Adds an internal note to the order's timeline.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown code.
    pub async fn add_note(&self, code: &str, text: &str, actor: &str, now: i64) -> Result<()> {
        let (code, text, actor) = (code.to_owned(), text.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (code, text, actor) = (code.clone(), text.clone(), actor.clone());
                Box::pin(async move {
                    let id = order_id(tx, &code).await?;
                    tell(tx, id, now, "note", &json!({ "text": text }), "owner").await?;
                    audit(tx, now, &actor, "order.note", &code, &json!({})).await?;
                    tx.orders_changed([code]);
                    Ok(())
                })
            })
            .await
    }

    /// Marks unpaid orders as expired whose time is over, at most 500 at once. Returns how many, and when the next is due (ms).
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn expire_orders(&self, now: i64) -> Result<(usize, Option<i64>)> {
        let next: Option<i64> =
            sqlx::query_scalar("SELECT min(expires_at) FROM orders WHERE stage = 'pending'")
                .fetch_one(&self.reader)
                .await?;
        if next.is_none_or(|at| at > now) {
            return Ok((0, next));
        }
        let expired = self
            .writer
            .run(move |tx| {
                Box::pin(async move {
                    let rows: Vec<(i64, String)> = sqlx::query_as(
                        "UPDATE orders SET stage = 'expired' WHERE id IN \
                           (SELECT id FROM orders WHERE stage = 'pending' AND expires_at <= $1 ORDER BY expires_at LIMIT 500) \
                         RETURNING id, code",
                    )
                    .bind(now)
                    .fetch_all(&mut tx.conn)
                    .await?;
                    let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
                    sqlx::query(
                        "INSERT INTO timeline (order_id, at, kind) SELECT value, $2, 'expired' FROM json_each($1)",
                    )
                    .bind(serde_json::to_string(&ids)?)
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    tx.orders_changed(rows.into_iter().map(|(_, code)| code));
                    Ok(ids.len())
                })
            })
            .await?;
        let next: Option<i64> =
            sqlx::query_scalar("SELECT min(expires_at) FROM orders WHERE stage = 'pending'")
                .fetch_one(&self.reader)
                .await?;
        Ok((expired, next))
    }
}

pub(crate) async fn create(tx: &mut Tx, order: &NewOrderRow) -> Result<CreatedOrder> {
    if let Some(known) = replayed(tx, order).await? {
        return Ok(CreatedOrder { code: known, replayed: true });
    }
    let basket = bundles::fill(tx, &order.courses).await?;
    let total = basket.total;
    let items: Vec<_> =
        basket.items.iter().map(|item| json!([item.course, item.price, item.bundle])).collect();
    let customer = customer_of(tx, &order.email, &order.name, order.phone.as_deref(), order.now).await?;
    let code = free_code(tx).await?;
    let summary = basket.titles.join(" · ");
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO orders (code, customer_id, stage, total_vnd, prio, bank_account_id, channel, note, summary, created_at, expires_at) \
         VALUES ($1, $2, 'pending', $3, $4, (SELECT id FROM bank_account ORDER BY preferred DESC, id LIMIT 1), $5, $6, $7, $8, $9) \
         RETURNING id",
    )
    .bind(&code)
    .bind(customer)
    .bind(total)
    .bind(order.prio)
    .bind(order.channel)
    .bind(&order.note)
    .bind(&summary)
    .bind(order.now)
    .bind(order.expires_at)
    .fetch_one(&mut tx.conn)
    .await?;
    let phone = order.phone.as_deref().unwrap_or_default();
    sqlx::query(
        "INSERT INTO order_item (order_id, course_id, price_vnd, bundle_id) SELECT $1, value ->> 0, value ->> 1, value ->> 2 FROM json_each($2); \
         INSERT INTO order_search (rowid, text) VALUES ($1, $3)",
    )
    .bind(id)
    .bind(serde_json::to_string(&items)?)
    .bind(fold(&format!("{code} {} {} {phone} {summary} {}", order.email, order.name, basket.words)))
    .execute(&mut tx.conn)
    .await?;
    let actor = if order.channel == "storefront" { "storefront" } else { "owner" };
    tell(tx, id, order.now, "created", &json!({ "channel": order.channel, "total_vnd": total }), actor)
        .await?;
    audit(tx, order.now, &order.actor, "order.create", &code, &json!({ "total_vnd": total })).await?;
    if let Some(idempotency) = &order.idempotency {
        sqlx::query("INSERT INTO idempotency (scope, key, request_hash, order_code, created_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(&idempotency.scope)
            .bind(&idempotency.key)
            .bind(&idempotency.request_hash)
            .bind(&code)
            .bind(order.now)
            .execute(&mut tx.conn)
            .await?;
    }
    if order.pay_from_wallet {
        order_money::pay_from_wallet(tx, &code, &order.actor, actor, order.now).await?;
    }
    tx.orders_changed([code.clone()]);
    Ok(CreatedOrder { code, replayed: false })
}

async fn replayed(tx: &mut Tx, order: &NewOrderRow) -> Result<Option<String>> {
    let Some(idempotency) = &order.idempotency else { return Ok(None) };
    let known: Option<(String, String)> =
        sqlx::query_as("SELECT request_hash, order_code FROM idempotency WHERE scope = $1 AND key = $2")
            .bind(&idempotency.scope)
            .bind(&idempotency.key)
            .fetch_optional(&mut tx.conn)
            .await?;
    match known {
        None => Ok(None),
        Some((hash, code)) if hash == idempotency.request_hash => Ok(Some(code)),
        Some(_) => Err(Error::Conflict("this Idempotency-Key was used for another request".to_owned())),
    }
}

/// The buyer's row, made or brought up to date.
pub(crate) async fn customer_of(
    tx: &mut Tx,
    email: &str,
    name: &str,
    phone: Option<&str>,
    now: i64,
) -> Result<i64> {
    for _ in 0..8 {
        let inserted: std::result::Result<i64, sqlx::Error> = sqlx::query_scalar(
            "INSERT INTO customer (email, email_key, name, phone, deposit_code, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (email_key) DO UPDATE SET email = excluded.email, \
               name = CASE WHEN excluded.name = '' THEN customer.name ELSE excluded.name END, \
               phone = coalesce(excluded.phone, customer.phone) RETURNING id",
        )
        .bind(email)
        .bind(email.to_lowercase())
        .bind(name)
        .bind(phone)
        .bind(new_deposit_code())
        .bind(now)
        .fetch_one(&mut tx.conn)
        .await;
        match inserted {
            Ok(id) => return Ok(id),
            // Another customer already has the drawn deposit code: draw again.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Unavailable("no free deposit code was found".to_owned()))
}

/// A deposit code with this process's randomness.
#[must_use]
pub fn new_deposit_code() -> String {
    let indices = std::array::from_fn(|_| rand::random_range(0..28_u8));
    DepositCode::from_indices(indices).expect("every index is below 28").to_string()
}

async fn free_code(tx: &mut Tx) -> Result<String> {
    for _ in 0..64 {
        let code = OrderCode::from_number(rand::random_range(0..OrderCode::COUNT))
            .map_err(|error| Error::Internal(error.to_string()))?
            .to_string();
        let taken: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM orders WHERE code = $1)")
            .bind(&code)
            .fetch_one(&mut tx.conn)
            .await?;
        if !taken {
            return Ok(code);
        }
    }
    Err(Error::Unavailable(
        "no free order code was found; the range of DH codes is nearly used up".to_owned(),
    ))
}

pub(crate) async fn order_id(tx: &mut Tx, code: &str) -> Result<i64> {
    sqlx::query_scalar("SELECT id FROM orders WHERE code = $1")
        .bind(code)
        .fetch_optional(&mut tx.conn)
        .await?
        .ok_or_else(|| Error::NotFound(format!("order {code}")))
}

/// Adds a row to an order's timeline.
pub(crate) async fn tell(
    tx: &mut Tx,
    order: i64,
    at: i64,
    kind: &str,
    data: &serde_json::Value,
    actor: &str,
) -> Result<()> {
    sqlx::query("INSERT INTO timeline (order_id, at, kind, data, actor) VALUES ($1, $2, $3, $4, $5)")
        .bind(order)
        .bind(at)
        .bind(kind)
        .bind(data.to_string())
        .bind(actor)
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}
