//! Places at learning platforms: intent before the platform is asked, fact after, and who still holds one.
//!
//! A place is host, course and address. Several bought courses may hold one; it is given up with the last of them.
//! Every write carries the epoch of its task's claim. `expiry.rs` ends places whose time is over.

use serde_json::json;
use sqlx::FromRow;

use crate::enqueue::{Taking, take_back};
use crate::orders::tell;
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// A place about to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentIntent {
    /// Order item.
    pub item: i64,
    /// Name of the recipe.
    pub recipe: String,
    /// Host of the platform, with its port where that is not the usual one.
    pub host: String,
    /// The platform's id of the course.
    pub course_ref: String,
    /// The buyer's address.
    pub email: String,
    /// JSON, the course's enrolment; secrets by name.
    pub spec: String,
    /// When access is to end, ms; `None` = never. An earlier attempt's word counts.
    pub until_at: Option<i64>,
}

/// What became of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intended {
    /// It is written down.
    Written {
        /// Id of the enrolment.
        id: i64,
        /// When access is to end, ms.
        until_at: Option<i64>,
        /// Whether the place is there for other orders of the buyer, and ends before that with each of them.
        ends_sooner: bool,
    },
    /// Another task does something with the same address at the same platform right now: the account would be made
    /// twice, or the place be given up while it is asked for.
    Busy,
}

/// A place that a buyer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Id of the enrolment.
    pub id: i64,
    /// JSON, the platform's ids.
    pub account: String,
    /// Where the buyer learns.
    pub learn_url: Option<String>,
}

/// An enrolment as kept.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct EnrolmentRecord {
    pub id: i64,
    pub item: i64,
    pub recipe: String,
    pub host: String,
    pub course_ref: String,
    pub email: String,
    /// JSON.
    pub spec: String,
    /// JSON.
    pub account: String,
    pub learn_url: Option<String>,
    /// `intent`, `enrolled`, `revoking`, `revoked`.
    pub state: String,
    /// Title of the course.
    pub title: String,
    /// Slug of the course.
    pub slug: String,
    /// Code of the order.
    pub code: String,
    /// The buyer's name.
    pub name: String,
}

const RECORDS: &str = "\
SELECT e.id, e.order_item_id AS item, e.recipe, e.host, e.course_ref, e.email, e.spec, e.account, e.learn_url, e.state, \
       k.title, k.slug, o.code, c.name \
  FROM enrolment AS e JOIN order_item AS i ON i.id = e.order_item_id JOIN course AS k ON k.id = i.course_id \
  JOIN orders AS o ON o.id = i.order_id JOIN customer AS c ON c.id = o.customer_id";

/// True when another enrolment `o` is for the same place as `e`.
macro_rules! same_place {
    () => {
        "o.host = e.host AND o.course_ref = e.course_ref AND o.email_key = e.email_key AND o.id <> e.id"
    };
}

const ENDS_SOONER: &str = concat!(
    "SELECT coalesce(max(coalesce(o.until_at, 9223372036854775807)) < coalesce(e.until_at, 9223372036854775807), 0) \
       FROM enrolment AS e JOIN enrolment AS o ON ",
    same_place!(),
    " AND o.state = 'enrolled' AND o.given = 1 WHERE e.id = $1"
);

impl Store {
    /// Writes down that a place is about to be asked for, by the task `(id, epoch)`.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the task's lease is lost.
    pub async fn intend_enrolment(
        &self,
        task: (i64, i64),
        intent: EnrolmentIntent,
        now: i64,
    ) -> Result<Intended> {
        self.writer
            .run(move |tx| {
                let intent = intent.clone();
                Box::pin(async move {
                    still_leased(tx, task).await?;
                    let email_key = intent.email.trim().to_lowercase();
                    let busy: bool = sqlx::query_scalar(
                        "SELECT EXISTS (SELECT 1 FROM enrolment AS e JOIN task AS t ON t.id = e.task_id \
                           WHERE e.host = $1 AND e.email_key = $2 AND e.state IN ('intent', 'revoking') \
                             AND t.state = 'running' AND t.id <> $3)",
                    )
                    .bind(&intent.host)
                    .bind(&email_key)
                    .bind(task.0)
                    .fetch_one(&mut tx.conn)
                    .await?;
                    if busy {
                        return Ok(Intended::Busy);
                    }
                    let (id, until_at) = sqlx::query_as(
                        "INSERT INTO enrolment (order_item_id, task_id, recipe, host, course_ref, email, email_key, spec, \
                           state, until_at, intent_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'intent', $9, $10) \
                         ON CONFLICT (order_item_id, host, course_ref, email_key) DO UPDATE SET \
                           task_id = excluded.task_id, recipe = excluded.recipe, email = excluded.email, spec = excluded.spec, \
                           until_at = CASE WHEN enrolment.state IN ('revoking', 'revoked') THEN excluded.until_at \
                             ELSE coalesce(enrolment.until_at, excluded.until_at) END, \
                           state = CASE WHEN enrolment.state = 'enrolled' THEN 'enrolled' ELSE 'intent' END, \
                           revoked_at = NULL \
                         RETURNING id, until_at",
                    )
                    .bind(intent.item)
                    .bind(task.0)
                    .bind(&intent.recipe)
                    .bind(&intent.host)
                    .bind(&intent.course_ref)
                    .bind(intent.email.trim())
                    .bind(&email_key)
                    .bind(&intent.spec)
                    .bind(intent.until_at)
                    .bind(now)
                    .fetch_one(&mut tx.conn)
                    .await?;
                    let ends_sooner = sqlx::query_scalar(ENDS_SOONER).bind(id).fetch_one(&mut tx.conn).await?;
                    Ok(Intended::Written { id, until_at, ends_sooner })
                })
            })
            .await
    }

    /// Writes down that the platform is about to be told to enrol, so that the place counts as given by us whatever
    /// becomes of the call.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the task's lease is lost.
    pub async fn calling_enrolment(&self, task: (i64, i64), id: i64) -> Result<()> {
        self.writer
            .run(move |tx| {
                Box::pin(async move {
                    still_leased(tx, task).await?;
                    sqlx::query("UPDATE enrolment SET given = 1 WHERE id = $1")
                        .bind(id)
                        .execute(&mut tx.conn)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Those of the order's places that are to be given up and are to be told to their platforms, by the task
    /// `(id, epoch)`. Those that another order of the buyer holds too, and those that we never gave, are given up here
    /// and now.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the task's lease is lost.
    pub async fn begin_unenrolment(
        &self,
        task: (i64, i64),
        order: i64,
        now: i64,
    ) -> Result<Vec<EnrolmentRecord>> {
        self.writer
            .run(move |tx| {
                Box::pin(async move {
                    still_leased(tx, task).await?;
                    let told: Vec<(String, String, bool)> = sqlx::query_as(concat!(
                        "UPDATE enrolment AS e SET task_id = $2, revoked_at = $3, state = 'revoked' \
                         WHERE order_item_id IN (SELECT id FROM order_item WHERE order_id = $1) AND state = 'revoking' \
                           AND (EXISTS (SELECT 1 FROM enrolment AS o WHERE ",
                        same_place!(),
                        " AND o.state IN ('intent', 'enrolled')) \
                             OR (e.given = 0 AND NOT EXISTS (SELECT 1 FROM enrolment AS o WHERE ",
                        same_place!(),
                        " AND o.given = 1))) \
                         RETURNING host, (SELECT k.title FROM order_item AS i JOIN course AS k ON k.id = i.course_id \
                           WHERE i.id = order_item_id), enrolled_at IS NOT NULL",
                    ))
                    .bind(order)
                    .bind(task.0)
                    .bind(now)
                    .fetch_all(&mut tx.conn)
                    .await?;
                    for (host, title, _) in told.iter().filter(|(_, _, enrolled)| *enrolled) {
                        let data = json!({ "course": title, "platform": host });
                        tell(tx, order, now, "enrolment_left", &data, "system").await?;
                    }
                    sqlx::query(
                        "UPDATE enrolment SET task_id = $2 \
                         WHERE order_item_id IN (SELECT id FROM order_item WHERE order_id = $1) AND state = 'revoking'",
                    )
                    .bind(order)
                    .bind(task.0)
                    .execute(&mut tx.conn)
                    .await?;
                    let sql = format!("{RECORDS} WHERE i.order_id = $1 AND e.state = 'revoking' ORDER BY e.id");
                    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(order).fetch_all(&mut tx.conn).await?)
                })
            })
            .await
    }

    /// Writes down that the buyer was taken out, verified at the platform.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the task's lease is lost.
    pub async fn unenrolled(&self, task: (i64, i64), id: i64, now: i64) -> Result<()> {
        self.writer
            .run(move |tx| {
                Box::pin(async move {
                    still_leased(tx, task).await?;
                    let (order, code, host, title): (i64, String, String, String) = sqlx::query_as(
                        "UPDATE enrolment AS e SET state = 'revoked', revoked_at = $2 WHERE id = $1 RETURNING \
                           (SELECT order_id FROM order_item WHERE id = order_item_id), \
                           (SELECT o.code FROM order_item AS i JOIN orders AS o ON o.id = i.order_id WHERE i.id = order_item_id), \
                           host, (SELECT k.title FROM order_item AS i JOIN course AS k ON k.id = i.course_id WHERE i.id = order_item_id)",
                    )
                    .bind(id)
                    .bind(now)
                    .fetch_one(&mut tx.conn)
                    .await?;
                    // The place is gone: who finds themselves in the course from here on was not put there by us.
                    sqlx::query(
                        "UPDATE enrolment SET given = 0 FROM (SELECT host AS h, course_ref AS r, email_key AS k FROM enrolment WHERE id = $1) \
                         WHERE host = h AND course_ref = r AND email_key = k",
                    )
                    .bind(id)
                    .execute(&mut tx.conn)
                    .await?;
                    tell(tx, order, now, "unenrolled", &json!({ "course": title, "platform": host }), "system").await?;
                    tx.orders_changed([code]);
                    Ok(())
                })
            })
            .await
    }

    /// Every enrolment of an order, those taken back included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn enrolments(&self, order: i64) -> Result<Vec<EnrolmentRecord>> {
        let sql = format!("{RECORDS} WHERE i.order_id = $1 ORDER BY e.id");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(order).fetch_all(&self.reader).await?)
    }
}

/// In the commit that settles the stage: the buyer has these places. Where a course has no files, its address is where
/// they learn. Answers the order's code.
pub(crate) async fn enrolled(tx: &mut Tx, order: i64, places: &[Enrolled], now: i64) -> Result<String> {
    for place in places {
        let (host, title): (String, String) = sqlx::query_as(concat!(
            "UPDATE enrolment AS e SET state = 'enrolled', account = $2, learn_url = $3, enrolled_at = coalesce(enrolled_at, $4), \
               given = max(given, EXISTS (SELECT 1 FROM enrolment AS o WHERE ",
            same_place!(),
            " AND o.given = 1)) WHERE id = $1 RETURNING host, \
               (SELECT k.title FROM order_item AS i JOIN course AS k ON k.id = i.course_id WHERE i.id = order_item_id)",
        ))
        .bind(place.id)
        .bind(&place.account)
        .bind(place.learn_url.as_deref())
        .bind(now)
        .fetch_one(&mut tx.conn)
        .await?;
        sqlx::query(
            "UPDATE order_item SET link = $2 WHERE link IS NULL AND id = (SELECT order_item_id FROM enrolment WHERE id = $1)",
        )
        .bind(place.id)
        .bind(place.learn_url.as_deref())
        .execute(&mut tx.conn)
        .await?;
        tell(tx, order, now, "enrolled", &json!({ "course": title, "platform": host }), "system").await?;
    }
    Ok(sqlx::query_scalar("SELECT code FROM orders WHERE id = $1")
        .bind(order)
        .fetch_one(&mut tx.conn)
        .await?)
}

/// In the commit that decides it: the order's places are given up from now on; with `email`, only those of that
/// address (any letter case). A `revoke_access` task of their own does it outside, whatever becomes of other access;
/// it names no order, so that the order stays as it is. Answers how many there are.
pub(crate) async fn revoke_for(tx: &mut Tx, order: i64, email: Option<&str>, now: i64) -> Result<usize> {
    let marked: Vec<i64> = sqlx::query_scalar(
        "UPDATE enrolment SET state = 'revoking' \
         WHERE order_item_id IN (SELECT id FROM order_item WHERE order_id = $1) AND state IN ('intent', 'enrolled') \
           AND ($2 IS NULL OR email_key = $2) RETURNING id",
    )
    .bind(order)
    .bind(email.map(|email| email.trim().to_lowercase()))
    .fetch_all(&mut tx.conn)
    .await?;
    if let Some(last) = marked.iter().max() {
        take_back(tx, Taking::Places, order, *last, now).await?;
    }
    Ok(marked.len())
}

/// Refuses a worker whose task somebody else has by now.
async fn still_leased(tx: &mut Tx, (task, epoch): (i64, i64)) -> Result<()> {
    let held: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM task WHERE id = $1 AND lease_epoch = $2 AND state = 'running')",
    )
    .bind(task)
    .bind(epoch)
    .fetch_one(&mut tx.conn)
    .await?;
    if held { Ok(()) } else { Err(Error::Conflict(format!("the lease of task {task} is lost"))) }
}
