//! Who has access to what at other systems: intent before, fact after, and taken back with the last living grant.
//!
//! The core makes the calls; this remembers them. Links that the app serves itself are in `link`, not here; `expiry.rs`
//! ends grants whose time is over.

use serde_json::json;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use chotdon_domain::access::GrantState;

use crate::effects::Claimant;
use crate::enqueue::{Taking, take_back};
use crate::enrolment;
use crate::orders::tell;
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// Access that an order's buyer is about to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantWish {
    /// Order item.
    pub item: i64,
    /// Course id.
    pub course: i64,
    /// Its version.
    pub version: i64,
    /// What it is access to: the Drive folder's id.
    pub resource: String,
    /// The buyer's address there.
    pub email: String,
    /// Where the buyer opens it.
    pub link: String,
    /// When it ends, ms; `None` = never.
    pub expires_at: Option<i64>,
}

/// One grant as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Row id.
    pub id: i64,
    /// Order id.
    pub order: i64,
    /// Order item.
    pub item: i64,
    /// What it is access to.
    pub resource: String,
    /// The buyer's address there.
    pub email: String,
    /// The other side's id of it, once known.
    pub permission: Option<String>,
    /// Where it stands.
    pub state: GrantState,
    /// When it ends, ms; `None` = never.
    pub expires_at: Option<i64>,
    /// Whether this very call wrote the intent down and no other grant of the same access is known: nothing can be
    /// there yet.
    pub fresh: bool,
}

/// A grant in the story of its order.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct AccessRecord {
    pub title: String,
    pub kind: String,
    pub email: String,
    /// As [`GrantState::as_str`].
    pub state: String,
    /// When it came to that state, ms.
    pub since: i64,
    pub expires_at: Option<i64>,
}

/// Whether another living grant is of the same access as `g`.
macro_rules! shared {
    ($states:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM access_grant AS o WHERE o.resource = g.resource AND o.email_key = g.email_key \
               AND o.kind = g.kind AND o.id <> g.id AND o.state <> 'revoked' AND o.state IN (",
            $states,
            "))"
        )
    };
}

const COLUMNS: &str =
    "g.id, g.order_id, g.order_item_id, g.resource, g.email, g.permission_id, g.state, g.expires_at";

fn grant(row: &SqliteRow, fresh: bool) -> Result<Grant> {
    let state: String = row.try_get("state")?;
    Ok(Grant {
        id: row.try_get("id")?,
        order: row.try_get("order_id")?,
        item: row.try_get("order_item_id")?,
        resource: row.try_get("resource")?,
        email: row.try_get("email")?,
        permission: row.try_get("permission_id")?,
        state: GrantState::parse(&state)
            .ok_or_else(|| Error::Unusable(format!("unknown state of a grant: {state}")))?,
        expires_at: row.try_get("expires_at")?,
        fresh,
    })
}

impl Store {
    /// Writes down that these grants of `order` are about to be given, and answers them with those that are there
    /// already. `None` when the lease is not this claimant's any more: nothing was written.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn intend_access(
        &self,
        claimant: &Claimant,
        order: i64,
        wishes: Vec<GrantWish>,
        now: i64,
    ) -> Result<Option<Vec<Grant>>> {
        let (task, epoch) = (claimant.task, claimant.epoch);
        self.writer
            .run(move |tx| {
                let wishes = wishes.clone();
                Box::pin(async move {
                    let held: bool = sqlx::query_scalar(
                        "SELECT EXISTS (SELECT 1 FROM task WHERE id = $1 AND lease_epoch = $2 AND state = 'running')",
                    )
                    .bind(task)
                    .bind(epoch)
                    .fetch_one(&mut tx.conn)
                    .await?;
                    if !held {
                        return Ok(None);
                    }
                    let mut grants = Vec::with_capacity(wishes.len());
                    for wish in &wishes {
                        grants.push(intend(tx, order, wish, now).await?);
                    }
                    sqlx::query(
                        "UPDATE order_item SET delivery = 'sharing' WHERE order_id = $1 AND delivery IN ('waiting', 'preparing')",
                    )
                    .bind(order)
                    .execute(&mut tx.conn)
                    .await?;
                    Ok(Some(grants))
                })
            })
            .await
    }

    /// The other side has given it. Answers where the grant stands now: a refund may have come in between.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn access_granted(
        &self,
        id: i64,
        permission: Option<String>,
        expires_at: Option<i64>,
        now: i64,
    ) -> Result<GrantState> {
        self.writer
            .run(move |tx| {
                let permission = permission.clone();
                Box::pin(async move {
                    let (state, code): (String, String) = sqlx::query_as(
                        "UPDATE access_grant SET permission_id = $2, \
                           expires_at = CASE WHEN state = 'intent' THEN $3 ELSE expires_at END, \
                           granted_at = coalesce(granted_at, $4), state = CASE state WHEN 'intent' THEN 'granted' ELSE state END \
                         WHERE id = $1 RETURNING state, (SELECT code FROM orders WHERE id = order_id)",
                    )
                    .bind(id)
                    .bind(permission)
                    .bind(expires_at)
                    .bind(now)
                    .fetch_one(&mut tx.conn)
                    .await?;
                    tx.orders_changed([code]);
                    GrantState::parse(&state)
                        .ok_or_else(|| Error::Unusable(format!("unknown state of a grant: {state}")))
                })
            })
            .await
    }

    /// The grants of an order that are to be taken back.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn access_to_revoke(&self, order: i64) -> Result<Vec<Grant>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM access_grant AS g WHERE g.order_id = $1 AND g.state = 'revoking' ORDER BY g.id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(order).fetch_all(&self.reader).await?;
        rows.iter().map(|row| grant(row, false)).collect()
    }

    /// Whether another grant keeps the same access alive.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn access_is_shared(&self, id: i64) -> Result<bool> {
        Ok(sqlx::query_scalar(concat!(
            "SELECT ",
            shared!("'intent','granted'"),
            " FROM access_grant AS g WHERE g.id = $1"
        ))
        .bind(id)
        .fetch_one(&self.reader)
        .await?)
    }

    /// The grant is gone; `kept` when the access itself stays for another grant's sake.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn access_revoked(&self, id: i64, kept: bool, now: i64) -> Result<()> {
        self.writer
            .run(move |tx| {
                Box::pin(async move {
                    let row = sqlx::query(
                        "UPDATE access_grant SET state = 'revoked', revoked_at = $2 WHERE id = $1 AND state = 'revoking' \
                         RETURNING order_id, email, (SELECT title FROM course WHERE id = course_id) AS title, \
                                   (SELECT code FROM orders WHERE id = order_id) AS code",
                    )
                    .bind(id)
                    .bind(now)
                    .fetch_optional(&mut tx.conn)
                    .await?;
                    let Some(row) = row else { return Ok(()) };
                    let (title, email): (String, String) = (row.try_get("title")?, row.try_get("email")?);
                    let data = json!({ "course": title, "email": email, "kept": kept });
                    tell(tx, row.try_get("order_id")?, now, "access_taken", &data, "system").await?;
                    tx.orders_changed([row.try_get::<String, _>("code")?]);
                    Ok(())
                })
            })
            .await
    }

    /// Everything that an order's buyer was given at other systems, places at learning platforms included, in the order
    /// in which it came to its state.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn access_of(&self, order: i64) -> Result<Vec<AccessRecord>> {
        Ok(sqlx::query_as(
            "SELECT c.title, g.kind, g.email, g.state, g.expires_at, \
                    coalesce(g.revoked_at, g.granted_at, g.created_at) AS since \
               FROM access_grant AS g JOIN course AS c ON c.id = g.course_id WHERE g.order_id = $1 \
             UNION ALL \
             SELECT c.title, 'lms:' || e.host, e.email, CASE e.state WHEN 'enrolled' THEN 'granted' ELSE e.state END, e.until_at, \
                    coalesce(e.revoked_at, e.enrolled_at, e.intent_at) \
               FROM enrolment AS e JOIN order_item AS i ON i.id = e.order_item_id JOIN course AS c ON c.id = i.course_id \
              WHERE i.order_id = $1 ORDER BY since",
        )
        .bind(order)
        .fetch_all(&self.reader)
        .await?)
    }
}

async fn intend(tx: &mut Tx, order: i64, wish: &GrantWish, now: i64) -> Result<Grant> {
    let key = wish.email.to_lowercase();
    let sql = format!(
        "INSERT INTO access_grant (order_id, order_item_id, course_id, version, kind, resource, email, email_key, link, state, \
           expires_at, created_at) VALUES ($1, $2, $3, $4, 'drive', $5, $6, $7, $8, 'intent', $9, $10) \
         ON CONFLICT (order_item_id, kind, resource, email_key) WHERE state IN ('intent','granted') DO NOTHING; \
         SELECT {COLUMNS}, g.created_at = $10 AND g.state = 'intent' AND NOT {} AS fresh FROM access_grant AS g \
          WHERE g.order_item_id = $2 AND g.kind = 'drive' AND g.resource = $5 AND g.email_key = $7 AND g.state IN ('intent','granted')",
        shared!("'intent','granted','revoking'")
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(order)
        .bind(wish.item)
        .bind(wish.course)
        .bind(wish.version)
        .bind(&wish.resource)
        .bind(&wish.email)
        .bind(key)
        .bind(&wish.link)
        .bind(wish.expires_at)
        .bind(now)
        .fetch_one(&mut tx.conn)
        .await?;
    let fresh = row.try_get::<i64, _>("fresh")? != 0;
    grant(&row, fresh)
}

/// Takes the access of an order back: what is alive is to be revoked from this commit on, and a `revoke_access` task
/// does it; another one gives up the places at learning platforms. With `email`, only what that address has (any letter
/// case). Returns how many grants and places it is about.
pub(crate) async fn revoke_for(
    tx: &mut Tx,
    order: i64,
    email: Option<&str>,
    why: &str,
    now: i64,
) -> Result<usize> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "UPDATE access_grant SET state = 'revoking', why = $3 \
          WHERE order_id = $1 AND state IN ('intent','granted') AND ($2 IS NULL OR email_key = $2) RETURNING id",
    )
    .bind(order)
    .bind(email.map(str::to_lowercase))
    .bind(why)
    .fetch_all(&mut tx.conn)
    .await?;
    if let Some(last) = ids.iter().max() {
        take_back(tx, Taking::Grants, order, *last, now).await?;
    }
    let places = enrolment::revoke_for(tx, order, email, now).await?;
    Ok(ids.len() + places)
}
