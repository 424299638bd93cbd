//! Whole sets brought over from an earlier system: catalogue, accounts, customers, orders with their codes.
//!
//! Everything is found by its natural key (slug, bank and number, address, code), so bringing the same set
//! twice changes nothing. Orders that exist already stay as they are. No money is booked: what an earlier
//! system took in is not in this ledger.

use std::collections::{HashMap, HashSet};

use chotdon_domain::fold::fold;
use serde::Serialize;
use serde_json::json;
use sqlx::Row;

use crate::catalogue::{gives_nothing, same_files};
use crate::enqueue::ensure_prepared;
use crate::orders::{audit, new_deposit_code};
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// A set to bring over. Large ones are given in pieces of a few thousand orders, so that a shop that runs
/// beside is never kept from writing for long.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Set {
    pub accounts: Vec<AccountRow>,
    pub courses: Vec<CourseRow>,
    pub customers: Vec<CustomerRow>,
    pub orders: Vec<OrderRow>,
}

/// A bank account, found by bank and number.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct AccountRow {
    pub bank: String,
    /// NAPAS BIN.
    pub bin: String,
    pub account: String,
    pub holder: String,
    pub virtual_account: Option<String>,
    pub memo_prefix: Option<String>,
}

/// A course, found by its slug.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct CourseRow {
    pub slug: String,
    pub title: String,
    pub price_vnd: i64,
    /// JSON `{kind, …}`.
    pub source: String,
    /// JSON `{kind, …}`.
    pub target: String,
    /// JSON `{kind, …}`; `None` keeps what is there.
    pub enrolment: Option<String>,
    /// What the catalogue says of it; `None` keeps what is there.
    pub description: Option<String>,
    /// Days of access after the first delivery, 0 = for ever; `None` keeps what is there.
    pub access_days: Option<i64>,
}

/// A customer, found by address.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct CustomerRow {
    pub email: String,
    /// Empty keeps the known one.
    pub name: String,
    /// `None` keeps the known one.
    pub phone: Option<String>,
}

/// An order, found by its code.
#[derive(Debug, Clone)]
pub struct OrderRow {
    /// As it was; customers may still write it into a transfer.
    pub code: String,
    /// Address of the buyer, who is made when unknown.
    pub email: String,
    /// Slugs.
    pub courses: Vec<String>,
    /// `pending`, `paid` (which queues its delivery), `completed`, `expired`, `cancelled` or `refunded`.
    pub stage: &'static str,
    /// When it was placed, ms.
    pub created_at: i64,
    /// When it expires or expired, ms.
    pub expires_at: i64,
}

/// How many rows were made or changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Counts {
    pub bank_accounts: u64,
    pub courses: u64,
    pub bundles: u64,
    pub customers: u64,
    pub orders: u64,
}

impl Counts {
    /// Adds the counts of another piece.
    pub fn add(&mut self, other: Self) {
        self.bank_accounts += other.bank_accounts;
        self.courses += other.courses;
        self.bundles += other.bundles;
        self.customers += other.customers;
        self.orders += other.orders;
    }
}

const ACCOUNTS: &str = "\
INSERT INTO bank_account (bank, bin, account, holder, virtual_account, memo_prefix, preferred, created_at) \
  SELECT value ->> 'bank', value ->> 'bin', value ->> 'account', value ->> 'holder', value ->> 'virtual_account', \
         value ->> 'memo_prefix', key = 0 AND NOT EXISTS (SELECT 1 FROM bank_account), $2 \
    FROM json_each($1) WHERE true \
  ON CONFLICT (bank, account) DO UPDATE SET bin = excluded.bin, holder = excluded.holder, \
    virtual_account = excluded.virtual_account, memo_prefix = excluded.memo_prefix \
  WHERE (bin, holder, virtual_account, memo_prefix) IS NOT \
    (excluded.bin, excluded.holder, excluded.virtual_account, excluded.memo_prefix)";

const COURSES: &str = concat!(
    "\
INSERT INTO course (slug, title, price_vnd, source, target, enrolment, description, access_days, created_at, updated_at) \
  SELECT value ->> 'slug', value ->> 'title', value ->> 'price_vnd', value ->> 'source', value ->> 'target', value ->> 'enrolment', \
         coalesce(value ->> 'description', (SELECT description FROM course WHERE slug = value ->> 'slug'), ''), \
         coalesce(value ->> 'access_days', (SELECT access_days FROM course WHERE slug = value ->> 'slug'), 0), $2, $2 \
    FROM json_each($1) WHERE true \
  ON CONFLICT (slug) DO UPDATE SET title = excluded.title, price_vnd = excluded.price_vnd, source = excluded.source, \
    target = excluded.target, enrolment = coalesce(excluded.enrolment, enrolment), description = excluded.description, \
    access_days = excluded.access_days, updated_at = excluded.updated_at, \
    version = CASE WHEN ",
    same_files!(),
    " THEN version ELSE 1 + max(version, \
      coalesce((SELECT max(course_version) FROM task WHERE course_id = course.id AND kind = 'prepare_course'), 0), \
      coalesce((SELECT max(v.version) FROM course_version AS v WHERE v.course_id = course.id), 0)) END, \
    ready = ready AND ",
    same_files!(),
    " \
  WHERE (title, price_vnd, source, target, coalesce(enrolment, ''), description, access_days) \
    <> (excluded.title, excluded.price_vnd, excluded.source, excluded.target, coalesce(excluded.enrolment, enrolment, ''), \
        excluded.description, excluded.access_days)"
);

const CUSTOMERS: &str = "\
INSERT INTO customer (email, email_key, name, phone, deposit_code, created_at) \
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, $2 FROM json_each($1) WHERE true \
  ON CONFLICT (email_key) DO UPDATE SET \
    name = CASE WHEN excluded.name = '' THEN customer.name ELSE excluded.name END, \
    phone = coalesce(excluded.phone, customer.phone) \
  WHERE (excluded.name <> '' AND excluded.name <> customer.name) OR excluded.phone <> coalesce(customer.phone, '') \
  ON CONFLICT (deposit_code) DO NOTHING";

const ORDERS: &str = "\
INSERT INTO orders (code, customer_id, stage, total_vnd, bank_account_id, channel, summary, created_at, expires_at, \
                    paid_at, completed_at) \
  SELECT j.value ->> 'code', c.id, j.value ->> 'stage', j.value ->> 'total', \
         (SELECT id FROM bank_account ORDER BY preferred DESC, id LIMIT 1), 'import', j.value ->> 'summary', \
         j.value ->> 'created_at', j.value ->> 'expires_at', \
         iif(j.value ->> 'stage' IN ('paid', 'completed', 'refunded'), j.value ->> 'created_at', NULL), \
         iif(j.value ->> 'stage' IN ('completed', 'refunded'), j.value ->> 'created_at', NULL) \
    FROM json_each($1) AS j JOIN customer AS c ON c.email_key = j.value ->> 'email_key' WHERE true \
  ON CONFLICT (code) DO NOTHING RETURNING id, code";

/// `$1`: `{orders: [[id, at, stage, text]], items: [[order, course, price, delivery]]}` of new orders.
const BELONGINGS: &str = "\
INSERT INTO order_item (order_id, course_id, price_vnd, delivery) \
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1, '$.items'); \
INSERT INTO order_search (rowid, text) SELECT value ->> 0, value ->> 3 FROM json_each($1, '$.orders'); \
INSERT INTO timeline (order_id, at, kind, data, actor) \
  SELECT value ->> 0, value ->> 1, 'created', json_object('channel', 'import', 'stage', value ->> 2), 'owner' \
    FROM json_each($1, '$.orders'); \
INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, dedupe_key, order_id, created_at) \
  SELECT 'deliver_order', 'order', 2, 'ready', 'share', $2, $3, 'deliver:' || (value ->> 0), value ->> 0, $2 \
    FROM json_each($1, '$.orders') WHERE value ->> 2 = 'paid'";

struct Course {
    id: i64,
    title: String,
    price_vnd: i64,
    version: i64,
    ready: bool,
}

impl Store {
    /// Brings `set` over in one commit at `now` (ms).
    ///
    /// # Errors
    /// [`Error::NotFound`] for an order of an unknown course, [`Error::Refused`] `enrolment_missing` for a course without
    /// files that names no platform; then nothing of the set is brought over.
    pub async fn bring_over(&self, set: Set, actor: &str, now: i64) -> Result<Counts> {
        let actor = actor.to_owned();
        self.writer
            .run(move |tx| {
                // The set is large and the writer may run it again: it is only lent to the commit's future.
                let (set, actor) = (set.clone(), actor.clone());
                Box::pin(async move { bring(tx, &set, &actor, now).await })
            })
            .await
    }

    /// The slugs of all courses, active or not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn course_slugs(&self) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar("SELECT slug FROM course").fetch_all(&self.reader).await?)
    }

    /// Everything that [`bring_over`](Self::bring_over) can take, as it is now. Orders that are being delivered or
    /// have failed are given as `paid`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn take_along(&self) -> Result<Set> {
        let accounts = sqlx::query_as(
            "SELECT bank, bin, account, holder, virtual_account, memo_prefix FROM bank_account ORDER BY preferred DESC, id",
        )
        .fetch_all(&self.reader)
        .await?
        .into_iter()
        .map(|(bank, bin, account, holder, virtual_account, memo_prefix)| AccountRow {
            bank,
            bin,
            account,
            holder,
            virtual_account,
            memo_prefix,
        })
        .collect();
        let courses = sqlx::query_as(
            "SELECT slug, title, price_vnd, source, target, enrolment, description, access_days FROM course ORDER BY id",
        )
        .fetch_all(&self.reader)
        .await?
        .into_iter()
        .map(|(slug, title, price_vnd, source, target, enrolment, description, access_days)| CourseRow {
            slug,
            title,
            price_vnd,
            source,
            target,
            enrolment,
            description: Some(description),
            access_days: Some(access_days),
        })
        .collect();
        let customers = sqlx::query_as("SELECT email, name, phone FROM customer ORDER BY id")
            .fetch_all(&self.reader)
            .await?
            .into_iter()
            .map(|(email, name, phone)| CustomerRow { email, name, phone })
            .collect();
        let rows: Vec<(String, String, String, String, i64, i64)> = sqlx::query_as(
            "SELECT o.code, c.email, (SELECT json_group_array(k.slug) FROM order_item i JOIN course k ON k.id = i.course_id \
                                       WHERE i.order_id = o.id), o.stage, o.created_at, o.expires_at \
               FROM orders o JOIN customer c ON c.id = o.customer_id ORDER BY o.id",
        )
        .fetch_all(&self.reader)
        .await?;
        let mut orders = Vec::with_capacity(rows.len());
        for (code, email, courses, stage, created_at, expires_at) in rows {
            let stage =
                brought_stage(&stage).ok_or_else(|| Error::Internal(format!("order {code} is {stage}")))?;
            orders.push(OrderRow {
                code,
                email,
                courses: serde_json::from_str(&courses)?,
                stage,
                created_at,
                expires_at,
            });
        }
        Ok(Set { accounts, courses, customers, orders })
    }
}

/// The stage in which an order arrives here: what was under way begins again at its delivery.
#[must_use]
pub fn brought_stage(stage: &str) -> Option<&'static str> {
    match stage {
        "pending" => Some("pending"),
        "paid" | "processing" | "failed" => Some("paid"),
        "completed" => Some("completed"),
        "expired" => Some("expired"),
        "cancelled" => Some("cancelled"),
        "refunded" => Some("refunded"),
        _ => None,
    }
}

async fn bring(tx: &mut Tx, set: &Set, actor: &str, now: i64) -> Result<Counts> {
    let accounts = rows(tx, ACCOUNTS, serde_json::to_string(&set.accounts)?, now).await?;
    let courses = rows(tx, COURSES, serde_json::to_string(&set.courses)?, now).await?;
    let nothing: Option<String> = sqlx::query_scalar(
        "SELECT slug FROM course WHERE source ->> '$.kind' = 'none' AND enrolment IS NULL LIMIT 1",
    )
    .fetch_optional(&mut tx.conn)
    .await?;
    if let Some(slug) = nothing {
        return Err(gives_nothing(&slug));
    }
    let counts = Counts {
        bank_accounts: accounts,
        courses,
        bundles: 0,
        customers: customers(tx, set, now).await?,
        orders: orders(tx, set, now).await?,
    };
    if counts != Counts::default() {
        audit(tx, now, actor, "import", "shop", &json!(counts)).await?;
        for topic in ["orders", "courses", "settings"] {
            tx.touched.topic(topic);
        }
    }
    Ok(counts)
}

async fn rows(tx: &mut Tx, sql: &'static str, json: String, now: i64) -> Result<u64> {
    Ok(sqlx::query(sql).bind(json).bind(now).execute(&mut tx.conn).await?.rows_affected())
}

/// The given customers, and the buyers of the orders.
async fn customers(tx: &mut Tx, set: &Set, now: i64) -> Result<u64> {
    // In the order of the set, so that the same set makes the same rows everywhere.
    let given = set.customers.iter().map(|row| (row.email.as_str(), row.name.as_str(), row.phone.as_deref()));
    let buyers = set.orders.iter().map(|order| (order.email.as_str(), "", None));
    let mut seen = HashSet::new();
    let mut wanted: Vec<_> = given
        .chain(buyers)
        .map(|row| (row.0.to_lowercase(), row))
        .filter(|(key, _)| seen.insert(key.clone()))
        .collect();
    let mut changed = 0;
    // A drawn deposit code may be taken: those customers are still missing afterwards and draw again.
    for _ in 0..8 {
        if wanted.is_empty() {
            return Ok(changed);
        }
        let json: Vec<_> = wanted
            .iter()
            .map(|(key, (email, name, phone))| json!([email, key, name, phone, new_deposit_code()]))
            .collect();
        changed += rows(tx, CUSTOMERS, serde_json::to_string(&json)?, now).await?;
        let keys: Vec<&String> = wanted.iter().map(|(key, _)| key).collect();
        let missing: HashSet<String> = sqlx::query_scalar(
            "SELECT value FROM json_each($1) WHERE NOT EXISTS (SELECT 1 FROM customer WHERE email_key = value)",
        )
        .bind(serde_json::to_string(&keys)?)
        .fetch_all(&mut tx.conn)
        .await?
        .into_iter()
        .collect();
        wanted.retain(|(key, _)| missing.contains(key));
    }
    Err(Error::Unavailable("no free deposit code was found".to_owned()))
}

async fn orders(tx: &mut Tx, set: &Set, now: i64) -> Result<u64> {
    if set.orders.is_empty() {
        return Ok(0);
    }
    let catalogue = catalogue(tx).await?;
    let mut drafts = Vec::with_capacity(set.orders.len());
    for order in &set.orders {
        let mut total: i64 = 0;
        let mut titles = Vec::with_capacity(order.courses.len());
        for slug in &order.courses {
            let course = catalogue
                .get(slug)
                .ok_or_else(|| Error::NotFound(format!("course \"{slug}\" of order {}", order.code)))?;
            total = total
                .checked_add(course.price_vnd)
                .ok_or_else(|| Error::Invalid("a total is too large".to_owned()))?;
            titles.push(course.title.as_str());
        }
        drafts.push(json!({
            "code": order.code, "email_key": order.email.to_lowercase(), "stage": order.stage, "total": total,
            "summary": titles.join(" · "), "created_at": order.created_at, "expires_at": order.expires_at,
        }));
    }
    let made: HashMap<String, i64> = sqlx::query(ORDERS)
        .bind(serde_json::to_string(&drafts)?)
        .fetch_all(&mut tx.conn)
        .await?
        .into_iter()
        .map(|row| Ok((row.try_get("code")?, row.try_get("id")?)))
        .collect::<std::result::Result<_, sqlx::Error>>()?;
    if made.is_empty() {
        return Ok(0);
    }
    let names = names(tx, set).await?;
    let (mut parents, mut items) = (Vec::new(), Vec::new());
    for (order, draft) in set.orders.iter().zip(&drafts) {
        let Some(id) = made.get(&order.code) else { continue };
        let key = order.email.to_lowercase();
        let name = names.get(&key).map_or("", String::as_str);
        let summary = draft["summary"].as_str().unwrap_or_default();
        let text = fold(&format!("{} {} {name} {summary}", order.code, order.email));
        parents.push(json!([id, order.created_at, order.stage, text]));
        let delivery = match order.stage {
            "completed" => "delivered",
            "refunded" => "revoked",
            _ => "waiting",
        };
        for slug in &order.courses {
            let course = &catalogue[slug];
            items.push(json!([id, course.id, course.price_vnd, delivery]));
            if order.stage == "paid" && !course.ready {
                ensure_prepared(tx, course.id, course.version, now).await?;
            }
        }
    }
    sqlx::query(BELONGINGS)
        .bind(json!({ "orders": parents, "items": items }).to_string())
        .bind(now)
        .bind(tx.tuning.max_attempt())
        .execute(&mut tx.conn)
        .await?;
    if set.orders.iter().any(|order| order.stage == "paid") {
        tx.ready(["order"].into_iter());
    }
    Ok(made.len() as u64)
}

async fn catalogue(tx: &mut Tx) -> Result<HashMap<String, Course>> {
    let rows: Vec<(String, i64, String, i64, i64, bool)> =
        sqlx::query_as("SELECT slug, id, title, price_vnd, version, ready FROM course")
            .fetch_all(&mut tx.conn)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(slug, id, title, price_vnd, version, ready)| {
            (slug, Course { id, title, price_vnd, version, ready })
        })
        .collect())
}

/// Name and phone of the buyers by the key of their address, for the search.
async fn names(tx: &mut Tx, set: &Set) -> Result<HashMap<String, String>> {
    let keys: Vec<String> = set.orders.iter().map(|order| order.email.to_lowercase()).collect();
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT email_key, name || ' ' || coalesce(phone, '') FROM customer WHERE email_key IN (SELECT value FROM json_each($1))",
    )
    .bind(serde_json::to_string(&keys)?)
    .fetch_all(&mut tx.conn)
    .await?;
    Ok(rows.into_iter().collect())
}

#[cfg(test)]
mod tests;
