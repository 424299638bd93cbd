//! Test deliveries: a course given to an address of the owner's choice, without order, money or statistics.

use serde_json::json;
use sqlx::Row;

use crate::aftermath::{MailIntent, NewLink};
use crate::customer_mail;
use crate::enqueue::ensure_prepared;
use crate::orders::audit;
use crate::versions::course_id;
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// A test delivery about to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestCase {
    /// Course id.
    pub course: i64,
    /// Title.
    pub title: String,
    /// The version that buyers get.
    pub version: i64,
    /// Manifest and location, JSON each; `None` while that version is not prepared.
    pub prepared: Option<(String, String)>,
    /// Where the mail goes.
    pub email: String,
    /// The mail that this very task has written down already.
    pub mail: Option<String>,
    /// What the share stage left, JSON; `None` before it.
    pub shared: Option<String>,
    /// Slug.
    pub slug: String,
    /// JSON, how buyers become students somewhere else; `None` = not at all.
    pub enrolment: Option<String>,
}

impl Store {
    /// Queues a test delivery of the course to `email`. Returns the task's id.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown course; [`Error::Refused`] `test_running` while one is under way.
    pub async fn test_delivery(&self, slug: &str, email: &str, actor: &str, now: i64) -> Result<i64> {
        let given = (slug.to_owned(), email.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (slug, email, actor) = given.clone();
                Box::pin(async move {
                    let course = course_id(tx, &slug).await?;
                    let payload = json!({ "email": email });
                    let task: Option<i64> = sqlx::query_scalar(
                        "INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, dedupe_key, course_id, payload, created_at) \
                         VALUES ('test_delivery', 'order', 1, 'ready', 'share', $2, 3, 'test:' || $1, $1, $3, $2) \
                         ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL AND state NOT IN ('done','failed','cancelled') DO NOTHING \
                         RETURNING id",
                    )
                    .bind(course)
                    .bind(now)
                    .bind(payload.to_string())
                    .fetch_optional(&mut tx.conn)
                    .await?;
                    let Some(task) = task else {
                        return Err(Error::refused("test_running", format!("a test delivery of {slug} is under way")));
                    };
                    audit(tx, now, &actor, "course.test_delivery", &slug, &payload).await?;
                    tx.ready(["order"].into_iter());
                    tx.touched.topic("courses");
                    Ok(task)
                })
            })
            .await
    }

    /// What this test delivery needs; `None` when its task or course is gone.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn test_case(&self, task: i64) -> Result<Option<TestCase>> {
        let row = sqlx::query(
            "SELECT c.id, c.slug, c.title, c.version, c.enrolment, v.manifest, v.location, t.payload ->> 'email' AS email, \
                    (SELECT message_id FROM mail WHERE task_id = t.id) AS mail, \
                    (SELECT output FROM task_stage WHERE task_id = t.id AND stage = 'share') AS shared \
               FROM task AS t JOIN course AS c ON c.id = t.course_id \
               LEFT JOIN course_version AS v ON v.course_id = c.id AND v.version = c.version WHERE t.id = $1",
        )
        .bind(task)
        .fetch_optional(&self.reader)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (manifest, location): (Option<String>, Option<String>) =
            (row.try_get("manifest")?, row.try_get("location")?);
        Ok(Some(TestCase {
            course: row.try_get("id")?,
            title: row.try_get("title")?,
            version: row.try_get("version")?,
            prepared: manifest.zip(location),
            email: row.try_get("email")?,
            mail: row.try_get("mail")?,
            shared: row.try_get("shared")?,
            slug: row.try_get("slug")?,
            enrolment: row.try_get("enrolment")?,
        }))
    }
}

/// A link of no order, and the mail that tells of it.
pub(crate) async fn shared(
    tx: &mut Tx,
    task: i64,
    link: Option<&NewLink>,
    mail: &MailIntent,
    now: i64,
) -> Result<()> {
    if let Some(link) = link {
        sqlx::query(
            "INSERT INTO link (id, order_item_id, course_id, version, created_at, expires_at, max_downloads) \
             VALUES ($1, NULL, $2, $3, $4, $5, $6)",
        )
        .bind(link.id)
        .bind(link.course)
        .bind(link.version)
        .bind(now)
        .bind(link.expires_at)
        .bind(link.max_downloads)
        .execute(&mut tx.conn)
        .await?;
    }
    tx.touched.topic("courses");
    customer_mail::written(tx, task, None, mail, now).await
}

/// The test waits for this version; its preparation is queued when it is not yet.
pub(crate) async fn waits(tx: &mut Tx, task: i64, course: i64, version: i64, now: i64) -> Result<()> {
    ensure_prepared(tx, course, version, now).await?;
    let lanes: Vec<String> = sqlx::query_scalar(
        "UPDATE task SET state = 'ready', waits_on = NULL WHERE id = $1 AND state = 'scheduled' \
           AND EXISTS (SELECT 1 FROM course_version WHERE course_id = $2 AND version = $3) RETURNING lane",
    )
    .bind(task)
    .bind(course)
    .bind(version)
    .fetch_all(&mut tx.conn)
    .await?;
    tx.ready(lanes.iter().map(String::as_str));
    tx.touched.topic("courses");
    Ok(())
}
