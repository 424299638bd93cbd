//! What a task's handler needs to know before it works, and what a download link leads to. Reads, and the count of downloads.

use std::collections::HashMap;

use sqlx::Row;

use crate::{Error, Result, Store};

/// An order about to be delivered.
#[derive(Debug, Clone)]
pub struct DeliveryCase {
    /// Order id.
    pub order: i64,
    /// `DH123456`.
    pub code: String,
    /// The buyer's address.
    pub email: String,
    /// The buyer's name; may be empty.
    pub name: String,
    /// Its courses.
    pub items: Vec<DeliveryItem>,
    /// The mail that this very task has written down already.
    pub mail: Option<String>,
    /// Mails written down for the order so far.
    pub mails: i64,
    /// The mail's template when it is not the usual one: `new_version`.
    pub template: Option<String>,
    /// The owner's words in it; may be empty.
    pub message: String,
}

/// One course of it.
#[derive(Debug, Clone)]
pub struct DeliveryItem {
    /// Order item id.
    pub item: i64,
    /// Course id.
    pub course: i64,
    /// Title.
    pub title: String,
    /// The version to deliver.
    pub version: i64,
    /// The version that the buyer has got.
    pub delivered: Option<i64>,
    /// When access ends by the course's terms, ms, once the first delivery has fixed it.
    pub access_until: Option<i64>,
    /// How long access lasts after the first delivery, days; 0 = for ever.
    pub access_days: i64,
    /// JSON target.
    pub target: String,
    /// Manifest and location, JSON each; `None` while that version is not prepared.
    pub prepared: Option<(String, String)>,
    /// The link given so far.
    pub link: Option<String>,
    /// When the buyer's access elsewhere ends, ms; `None` = never, or none was given.
    pub granted_until: Option<i64>,
    /// Slug.
    pub slug: String,
    /// JSON, how the buyer becomes a student somewhere else; `None` = not at all.
    pub enrolment: Option<String>,
    /// Where the buyer learns, once enrolled.
    pub learn_url: Option<String>,
    /// When the place at the platform ends, ms, once enrolled; `None` = never.
    pub place_until: Option<i64>,
}

/// A version of a course about to be prepared.
#[derive(Debug, Clone)]
pub struct PrepareCase {
    /// Slug.
    pub slug: String,
    /// Title.
    pub title: String,
    /// JSON source.
    pub source: String,
    /// JSON target.
    pub target: String,
    /// The version that is current now.
    pub current_version: i64,
}

/// A download link.
#[derive(Debug, Clone)]
pub struct LinkRecord {
    /// Title of the course.
    pub title: String,
    /// JSON manifest.
    pub manifest: String,
    /// JSON location.
    pub location: String,
    /// When it ends, ms.
    pub expires_at: i64,
    /// Downloads it is good for.
    pub max_downloads: i64,
    /// Downloads so far.
    pub downloads: i64,
    /// Whether it was taken back.
    pub revoked: bool,
}

impl Store {
    /// What delivering `order` needs.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown order.
    pub async fn delivery_case(&self, order: i64, task: i64) -> Result<DeliveryCase> {
        let head = sqlx::query(
            "SELECT o.code, coalesce(o.deliver_to, c.email) AS email, c.name, (SELECT count(*) FROM mail WHERE order_id = o.id) AS mails, \
                    (SELECT message_id FROM mail WHERE order_id = o.id AND task_id = $2) AS mail, \
                    (SELECT payload ->> 'template' FROM task WHERE id = $2) AS template, \
                    (SELECT coalesce(payload ->> 'message', '') FROM task WHERE id = $2) AS message \
             FROM orders AS o JOIN customer AS c ON c.id = o.customer_id WHERE o.id = $1",
        )
        .bind(order)
        .bind(task)
        .fetch_optional(&self.reader)
        .await?
        .ok_or_else(|| Error::NotFound(format!("order {order}")))?;
        let rows = sqlx::query(
            "SELECT i.id, i.course_id, i.link, i.version AS delivered, i.access_until, c.access_days, c.slug, c.title, \
                    coalesce(v.version, c.version) AS version, c.target, c.enrolment, v.manifest, v.location, \
                    (SELECT max(expires_at) FROM access_grant WHERE order_item_id = i.id AND state IN ('intent','granted')) AS granted_until, \
                    (SELECT learn_url FROM enrolment WHERE order_item_id = i.id AND state = 'enrolled' \
                       ORDER BY enrolled_at DESC LIMIT 1) AS learn_url, \
                    (SELECT min(until_at) FROM enrolment WHERE order_item_id = i.id AND state = 'enrolled') AS place_until \
             FROM order_item AS i JOIN course AS c ON c.id = i.course_id CROSS JOIN (SELECT coalesce((SELECT payload FROM task WHERE id = $2), '{}') AS payload) AS t \
             LEFT JOIN course_version AS v ON v.course_id = c.id AND v.version = CASE WHEN t.payload ->> 'keep' THEN coalesce(i.version, c.version) ELSE c.version END \
             WHERE i.order_id = $1 AND i.delivery <> 'revoked' AND i.course_id = coalesce(t.payload ->> 'only', i.course_id) ORDER BY i.id",
        )
        .bind(order)
        .bind(task)
        .fetch_all(&self.reader)
        .await?;
        let items = rows
            .into_iter()
            .map(|row| {
                let manifest: Option<String> = row.try_get("manifest")?;
                let location: Option<String> = row.try_get("location")?;
                Ok(DeliveryItem {
                    item: row.try_get("id")?,
                    course: row.try_get("course_id")?,
                    title: row.try_get("title")?,
                    version: row.try_get("version")?,
                    delivered: row.try_get("delivered")?,
                    access_until: row.try_get("access_until")?,
                    access_days: row.try_get("access_days")?,
                    target: row.try_get("target")?,
                    prepared: manifest.zip(location),
                    link: row.try_get("link")?,
                    granted_until: row.try_get("granted_until")?,
                    slug: row.try_get("slug")?,
                    enrolment: row.try_get("enrolment")?,
                    learn_url: row.try_get("learn_url")?,
                    place_until: row.try_get("place_until")?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(DeliveryCase {
            order,
            code: head.try_get("code")?,
            email: head.try_get("email")?,
            name: head.try_get("name")?,
            items,
            mail: head.try_get("mail")?,
            mails: head.try_get("mails")?,
            template: head.try_get("template")?,
            message: head.try_get::<Option<String>, _>("message")?.unwrap_or_default(),
        })
    }

    /// What preparing a course needs.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown course.
    pub async fn prepare_case(&self, course: i64) -> Result<PrepareCase> {
        let row = sqlx::query("SELECT slug, title, source, target, version FROM course WHERE id = $1")
            .bind(course)
            .fetch_optional(&self.reader)
            .await?
            .ok_or_else(|| Error::NotFound(format!("course {course}")))?;
        Ok(PrepareCase {
            slug: row.try_get("slug")?,
            title: row.try_get("title")?,
            source: row.try_get("source")?,
            target: row.try_get("target")?,
            current_version: row.try_get("version")?,
        })
    }

    /// What the finished stages of a task left, JSON by stage.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn stage_outputs(&self, task: i64) -> Result<HashMap<String, String>> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT stage, output FROM task_stage WHERE task_id = $1")
                .bind(task)
                .fetch_all(&self.reader)
                .await?;
        Ok(rows.into_iter().collect())
    }

    /// What a link leads to; `None` for an id that was never given.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn link(&self, id: i64) -> Result<Option<LinkRecord>> {
        let row = sqlx::query(
            "SELECT c.title, v.manifest, v.location, l.expires_at, l.max_downloads, l.downloads, l.revoked_at IS NOT NULL AS revoked \
             FROM link AS l JOIN course AS c ON c.id = l.course_id \
             JOIN course_version AS v ON v.course_id = l.course_id AND v.version = l.version WHERE l.id = $1",
        )
        .bind(id)
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| {
            Ok(LinkRecord {
                title: row.try_get("title")?,
                manifest: row.try_get("manifest")?,
                location: row.try_get("location")?,
                expires_at: row.try_get("expires_at")?,
                max_downloads: row.try_get("max_downloads")?,
                downloads: row.try_get("downloads")?,
                revoked: row.try_get("revoked")?,
            })
        })
        .transpose()
    }

    /// Counts a download of a link that is good for `allowance` of them in all; false when the link is used up, expired or revoked, and nothing was counted.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn count_download(&self, id: i64, allowance: i64, now: i64) -> Result<bool> {
        self.writer
            .run(move |tx| {
                Box::pin(async move {
                    let counted = sqlx::query(
                        "UPDATE link SET downloads = downloads + 1 \
                         WHERE id = $1 AND downloads < $3 AND expires_at > $2 AND revoked_at IS NULL",
                    )
                    .bind(id)
                    .bind(now)
                    .bind(allowance)
                    .execute(&mut tx.conn)
                    .await?;
                    Ok(counted.rows_affected() > 0)
                })
            })
            .await
    }
}
