//! Versions of courses: preparing one anew, what a look at the source found, giving past buyers the new one.
//!
//! A new version is prepared beside the current one; buyers get the current one until the new one is verified.

use serde_json::json;
use sqlx::Row;

use crate::enqueue::ensure_prepared;
use crate::orders::audit;
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// The longest message of the owner to past buyers, characters.
pub const LONGEST_MESSAGE: usize = 1_000;

/// What a look at a course's source found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCheck {
    /// The version it was compared with.
    pub version: i64,
    /// `same`, `changed`, `unknown` (this source cannot be listed cheaply), `failed`.
    pub state: &'static str,
    /// SHA-256 over what the source lists, hexadecimal; kept while nothing differs.
    pub print: Option<String>,
    /// How many files differ; `None` when it is not known.
    pub files: Option<i64>,
    /// Why it failed.
    pub code: Option<String>,
    /// The technical words of it.
    pub detail: Option<String>,
}

/// A course whose source is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckCase {
    /// Course id.
    pub course: i64,
    /// Slug.
    pub slug: String,
    /// JSON source.
    pub source: String,
    /// The version that buyers get.
    pub version: i64,
    /// Its JSON manifest; `None` while it is not prepared.
    pub manifest: Option<String>,
    /// When the preparation of that version was asked for, ms.
    pub asked_at: Option<i64>,
    /// The print of the last look that found nothing different from this version.
    pub print: Option<String>,
    /// When it was last looked at, ms.
    pub checked_at: Option<i64>,
}

/// What an announcement does, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Announcement {
    /// The version that is announced.
    pub version: i64,
    /// Orders that get it: delivered once, with an older version.
    pub orders: i64,
    /// Of these, buyers.
    pub buyers: i64,
    /// Orders that were told of this version before.
    pub told: i64,
    /// Orders that are being delivered just now; they get it by announcing once more.
    pub busy: i64,
    /// Orders whose access is over.
    pub over: i64,
    /// Deliveries that were queued; 0 in a dry run.
    pub queued: i64,
}

const NEXT_VERSION: &str = "\
SELECT 1 + max(version, coalesce((SELECT max(course_version) FROM task WHERE course_id = course.id AND kind = 'prepare_course'), 0), \
                        coalesce((SELECT max(version) FROM course_version WHERE course_id = course.id), 0)) \
  FROM course WHERE id = $1";

/// Past orders of the course in `$1`, with what keeps each from being told of version `$2` at `$3`. A course without
/// files has nothing to tell of.
const PAST: &str = "\
SELECT o.id, o.code, o.customer_id, \
       CASE WHEN a.order_id IS NOT NULL THEN 'told' \
            WHEN i.access_until IS NOT NULL AND i.access_until <= $3 THEN 'over' \
            WHEN EXISTS (SELECT 1 FROM task WHERE dedupe_key = 'deliver:' || o.id AND state NOT IN ('done','failed','cancelled')) THEN 'busy' \
            ELSE 'open' END AS why \
  FROM order_item AS i JOIN orders AS o ON o.id = i.order_id \
  LEFT JOIN announced AS a ON a.order_id = o.id AND a.course_id = i.course_id AND a.version = $2 \
 WHERE i.course_id = $1 AND (SELECT source ->> '$.kind' FROM course WHERE id = $1) IS NOT 'none' AND i.delivery IN ('delivered', 'sharing', 'failed') AND o.stage = 'completed' AND coalesce(i.version, 0) < $2";

impl Store {
    /// Queues the preparation of a new version from the source as it is now, or of the current one when that was never
    /// prepared. Returns the version.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown course; [`Error::Refused`] `already_preparing`, and `no_files` for a course
    /// without files that is ready.
    pub async fn prepare_again(&self, slug: &str, actor: &str, now: i64) -> Result<i64> {
        let (slug, actor) = (slug.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (slug, actor) = (slug.clone(), actor.clone());
                Box::pin(async move {
                    let course = course_id(tx, &slug).await?;
                    let bare: bool = sqlx::query_scalar(
                        "SELECT source ->> '$.kind' IS 'none' AND ready = 1 FROM course WHERE id = $1",
                    )
                    .bind(course)
                    .fetch_one(&mut tx.conn)
                    .await?;
                    if bare {
                        return Err(Error::refused("no_files", format!("{slug} has no files to prepare")));
                    }
                    let Some(version) = prepare_next(tx, course, now).await? else {
                        return Err(Error::refused(
                            "already_preparing",
                            format!("a version of {slug} is being prepared already"),
                        ));
                    };
                    audit(tx, now, &actor, "course.prepare", &slug, &json!({ "version": version })).await?;
                    Ok(version)
                })
            })
            .await
    }

    /// What looking at this course's source needs; `None` for an unknown course.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn check_case(&self, slug: &str) -> Result<Option<CheckCase>> {
        let mut cases = self.check_cases_where("c.slug = $1", slug, 0).await?;
        Ok(cases.pop())
    }

    /// Prepared courses on sale that have files and that nobody has looked at since `before` (ms), the longest unseen first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn check_cases(&self, before: i64) -> Result<Vec<CheckCase>> {
        let due = "c.active = 1 AND c.ready = 1 AND c.source ->> '$.kind' IS NOT 'none' AND $1 = '' AND max(coalesce(k.at, 0), v.ready_at) < $2";
        self.check_cases_where(due, "", before).await
    }

    async fn check_cases_where(&self, condition: &str, slug: &str, before: i64) -> Result<Vec<CheckCase>> {
        let sql = format!(
            "SELECT c.id, c.slug, c.source, c.version, v.manifest, k.at, \
                    (SELECT min(t.created_at) FROM task AS t WHERE t.course_id = c.id AND t.course_version = c.version \
                      AND t.kind = 'prepare_course') AS asked_at, \
                    CASE WHEN k.version = c.version THEN k.print END AS print \
               FROM course AS c LEFT JOIN course_version AS v ON v.course_id = c.id AND v.version = c.version \
               LEFT JOIN course_check AS k ON k.course_id = c.id WHERE {condition} AND $2 = $2 \
              ORDER BY coalesce(k.at, 0), c.id LIMIT 100"
        );
        let rows =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(slug).bind(before).fetch_all(&self.reader).await?;
        rows.iter()
            .map(|row| {
                Ok(CheckCase {
                    course: row.try_get("id")?,
                    slug: row.try_get("slug")?,
                    source: row.try_get("source")?,
                    version: row.try_get("version")?,
                    manifest: row.try_get("manifest")?,
                    asked_at: row.try_get("asked_at")?,
                    print: row.try_get("print")?,
                    checked_at: row.try_get("at")?,
                })
            })
            .collect()
    }

    /// Keeps what a look found; a source that changed is prepared anew. Returns the version that is being prepared for
    /// it, when this look queued one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn record_check(&self, course: i64, found: SourceCheck, now: i64) -> Result<Option<i64>> {
        self.writer
            .run(move |tx| {
                let found = found.clone();
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO course_check (course_id, at, version, state, print, files, code, detail) \
                           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                         ON CONFLICT (course_id) DO UPDATE SET at = excluded.at, version = excluded.version, state = excluded.state, \
                           print = CASE WHEN excluded.state = 'same' THEN excluded.print \
                                        WHEN course_check.version = excluded.version THEN course_check.print END, \
                           files = excluded.files, code = excluded.code, detail = excluded.detail",
                    )
                    .bind(course)
                    .bind(now)
                    .bind(found.version)
                    .bind(found.state)
                    .bind(found.print.as_deref())
                    .bind(found.files)
                    .bind(found.code.as_deref())
                    .bind(found.detail.as_deref())
                    .execute(&mut tx.conn)
                    .await?;
                    tx.touched.topic("courses");
                    // A version that was made since is not what was compared.
                    let current: i64 = sqlx::query_scalar("SELECT version FROM course WHERE id = $1")
                        .bind(course)
                        .fetch_one(&mut tx.conn)
                        .await?;
                    if found.state != "changed" || current != found.version {
                        return Ok(None);
                    }
                    prepare_next(tx, course, now).await
                })
            })
            .await
    }

    /// Who would get `version` of the course by announcing it at `now` (ms).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn past_buyers(&self, course: i64, version: i64, now: i64) -> Result<Announcement> {
        let mut connection = self.reader.acquire().await?;
        count(&mut connection, course, version, now).await
    }

    /// Gives past buyers of the course its current version and tells them, one delivery an order, after everybody who
    /// waits. With `dry_run` it only counts.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown course; [`Error::Refused`] `version_not_ready` while it is not prepared.
    pub async fn announce(
        &self,
        slug: &str,
        message: &str,
        dry_run: bool,
        actor: &str,
        now: i64,
    ) -> Result<Announcement> {
        let given = (slug.to_owned(), message.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (slug, message, actor) = given.clone();
                Box::pin(async move {
                    let row = sqlx::query("SELECT id, version, ready FROM course WHERE slug = $1")
                        .bind(&slug)
                        .fetch_optional(&mut tx.conn)
                        .await?
                        .ok_or_else(|| Error::NotFound(format!("course \"{slug}\"")))?;
                    let (course, version): (i64, i64) = (row.try_get("id")?, row.try_get("version")?);
                    if row.try_get::<i64, _>("ready")? == 0 {
                        return Err(Error::refused(
                            "version_not_ready",
                            format!("version {version} of {slug} is not prepared yet"),
                        ));
                    }
                    let mut counts = count(&mut tx.conn, course, version, now).await?;
                    if !dry_run {
                        if counts.orders > 0 {
                            counts.queued = give(tx, course, version, &message, now).await?;
                        }
                        let data = json!({ "version": version, "orders": counts.queued, "message": message });
                        audit(tx, now, &actor, "course.announce", &slug, &data).await?;
                        tx.touched.topics.extend(["courses".to_owned(), "orders".to_owned()]);
                        tx.ready(["order"].into_iter());
                    }
                    Ok(counts)
                })
            })
            .await
    }
}

async fn count(
    conn: &mut sqlx::SqliteConnection,
    course: i64,
    version: i64,
    now: i64,
) -> Result<Announcement> {
    let sql = format!(
        "SELECT coalesce(sum(why = 'open'), 0) AS open, count(DISTINCT CASE WHEN why = 'open' THEN customer_id END) AS buyers, \
                coalesce(sum(why = 'told'), 0) AS told, coalesce(sum(why = 'busy'), 0) AS busy, coalesce(sum(why = 'over'), 0) AS over \
           FROM ({PAST})"
    );
    let row =
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(course).bind(version).bind(now).fetch_one(conn).await?;
    Ok(Announcement {
        version,
        orders: row.try_get("open")?,
        buyers: row.try_get("buyers")?,
        told: row.try_get("told")?,
        busy: row.try_get("busy")?,
        over: row.try_get("over")?,
        queued: 0,
    })
}

/// One delivery of this course alone for each open order, behind every buyer who waits.
async fn give(tx: &mut Tx, course: i64, version: i64, message: &str, now: i64) -> Result<i64> {
    let payload = json!({ "only": course, "template": "new_version", "message": message }).to_string();
    let made = format!(
        "INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, dedupe_key, order_id, payload, created_at) \
           SELECT 'deliver_order', 'order', 3, 'ready', 'share', $3, $4, 'deliver:' || id, id, $5, $3 FROM ({PAST}) WHERE why = 'open' \
         RETURNING id"
    );
    let tasks: Vec<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(made))
        .bind(course)
        .bind(version)
        .bind(now)
        .bind(tx.tuning.max_attempt())
        .bind(payload)
        .fetch_all(&mut tx.conn)
        .await?;
    sqlx::query(
        "INSERT INTO announced (order_id, course_id, version, task_id, at) \
           SELECT t.order_id, $2, $3, t.id, $4 FROM json_each($1) AS j JOIN task AS t ON t.id = j.value; \
         INSERT INTO timeline (order_id, at, kind, data, actor) \
           SELECT t.order_id, $4, 'announced', json_object('course', (SELECT title FROM course WHERE id = $2), 'version', $3), 'owner' \
             FROM json_each($1) AS j JOIN task AS t ON t.id = j.value",
    )
    .bind(serde_json::to_string(&tasks)?)
    .bind(course)
    .bind(version)
    .bind(now)
    .execute(&mut tx.conn)
    .await?;
    Ok(i64::try_from(tasks.len()).unwrap_or(i64::MAX))
}

/// Queues the next version of a course; `None` when one is being prepared already. A preparation that failed is
/// begun again rather than left behind by a newer one.
pub(crate) async fn prepare_next(tx: &mut Tx, course: i64, now: i64) -> Result<Option<i64>> {
    let row = sqlx::query(
        "SELECT c.version, c.ready, \
                EXISTS (SELECT 1 FROM task AS t WHERE t.course_id = c.id AND t.kind = 'prepare_course' \
                          AND t.state NOT IN ('done','failed','cancelled') AND t.course_version >= c.version) AS busy, \
                (SELECT max(t.course_version) FROM task AS t WHERE t.course_id = c.id AND t.kind = 'prepare_course' \
                   AND t.state = 'failed' AND t.course_version > c.version) AS failed \
           FROM course AS c WHERE c.id = $1",
    )
    .bind(course)
    .fetch_one(&mut tx.conn)
    .await?;
    if row.try_get::<bool, _>("busy")? {
        return Ok(None);
    }
    let failed: Option<i64> = row.try_get("failed")?;
    let version = match (row.try_get::<i64, _>("ready")? != 0, failed) {
        (false, _) => row.try_get("version")?,
        (true, Some(failed)) => failed,
        (true, None) => sqlx::query_scalar(NEXT_VERSION).bind(course).fetch_one(&mut tx.conn).await?,
    };
    ensure_prepared(tx, course, version, now).await?;
    tx.touched.topic("courses");
    Ok(Some(version))
}

pub(crate) async fn course_id(tx: &mut Tx, slug: &str) -> Result<i64> {
    sqlx::query_scalar("SELECT id FROM course WHERE slug = $1")
        .bind(slug)
        .fetch_optional(&mut tx.conn)
        .await?
        .ok_or_else(|| Error::NotFound(format!("course \"{slug}\"")))
}
