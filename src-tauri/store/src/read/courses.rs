//! The catalogue and the accounts that customers pay into.

use sqlx::{AssertSqlSafe, FromRow, SqliteConnection};

use super::TaskRecord;
use crate::{Result, Store};

/// A course with what its current version is made of.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct CourseRecord {
    pub id: i64,
    pub slug: String,
    pub title: String,
    pub price_vnd: i64,
    /// JSON `{kind, …}`.
    pub source: String,
    /// JSON `{kind, …}`.
    pub target: String,
    /// JSON `{kind, …}`.
    pub enrolment: Option<String>,
    pub active: bool,
    pub version: i64,
    /// True when `version` is prepared.
    pub ready: bool,
    /// Size of the prepared version, bytes.
    pub bytes: Option<i64>,
    /// Files of the prepared version.
    pub files: Option<i64>,
    /// Times it was delivered.
    pub sold: i64,
    pub description: String,
    /// Days of access after the first delivery; 0 = for ever.
    pub access_days: i64,
    /// Delivered of the orders paid in the last 30 days (see [`Store::courses`]).
    pub sold_30d: i64,
    /// Of the same orders, deliveries that have failed.
    pub failed_30d: i64,
    /// The newest version being prepared or failed to be, when it is not the one that buyers get.
    pub next_version: Option<i64>,
    /// State of that preparation, or of the current version's: a task's state.
    pub preparation: Option<String>,
    /// Its task.
    pub preparation_task: Option<i64>,
    /// Why it failed last.
    pub preparation_code: Option<String>,
    /// When the source was last looked at, ms.
    pub checked_at: Option<i64>,
    /// `same`, `changed`, `unknown`, `failed`.
    pub check_state: Option<String>,
    /// Files that differed.
    pub check_files: Option<i64>,
    /// Why the look failed.
    pub check_code: Option<String>,
    pub check_detail: Option<String>,
}

/// A prepared version.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct VersionRecord {
    pub version: i64,
    pub files: i64,
    pub bytes: i64,
    pub ready_at: i64,
    /// Orders whose buyers have this one.
    pub orders: i64,
}

/// Everything about one course.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CourseStory {
    pub course: CourseRecord,
    /// Newest first, at most 20.
    pub versions: Vec<VersionRecord>,
    /// Price and since when (ms), newest first, at most 50.
    pub prices: Vec<(i64, i64)>,
    /// The last test delivery and its address.
    pub test: Option<(TaskRecord, String)>,
    /// Title and slug of the bundles that have it.
    pub bundles: Vec<(String, String)>,
}

/// A bank account that customers pay into.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct AccountRecord {
    pub id: i64,
    pub bank: String,
    pub bin: String,
    pub account: String,
    pub holder: String,
    pub virtual_account: Option<String>,
    pub memo_prefix: Option<String>,
    /// True on the account that new orders show.
    pub preferred: bool,
}

pub(super) const COURSES: &str = "\
SELECT k.id, k.slug, k.title, k.price_vnd, k.source, k.target, k.active, k.version, k.ready, v.bytes,
       coalesce(json_array_length(v.manifest, '$.files'), json_array_length(v.manifest)) AS files,
       coalesce((SELECT n FROM tally WHERE name = 'sold:' || k.id), 0) AS sold,
       k.description, k.access_days, k.enrolment,
       coalesce((SELECT sum(delivered) FROM course_day WHERE course_id = k.id AND day > $1), 0) AS sold_30d,
       coalesce((SELECT sum(failed) FROM course_day WHERE course_id = k.id AND day > $1), 0) AS failed_30d,
       nullif(p.course_version, k.version) AS next_version, p.state AS preparation, p.id AS preparation_task,
       p.err_code AS preparation_code, h.at AS checked_at, h.state AS check_state, h.files AS check_files,
       h.code AS check_code, h.detail AS check_detail
  FROM course k LEFT JOIN course_version v ON v.course_id = k.id AND v.version = k.version
  LEFT JOIN course_check h ON h.course_id = k.id
  LEFT JOIN task p ON p.id = (SELECT max(t.id) FROM task t WHERE t.course_id = k.id AND t.kind = 'prepare_course'
                                AND t.course_version >= k.version AND t.state NOT IN ('done', 'cancelled'))";

/// The Vietnamese day 30 days before `now` (ms), days since 1970.
fn month_ago(now: i64) -> i64 {
    (now + 7 * 3_600_000).div_euclid(86_400_000) - 30
}

impl Store {
    /// Every course, by title; the 30 days of its figures end at `now` (ms).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn courses(&self, now: i64) -> Result<Vec<CourseRecord>> {
        let sql = format!("{COURSES} ORDER BY k.title, k.id");
        Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(month_ago(now)).fetch_all(&self.reader).await?)
    }

    /// Everything about the course of that slug; `None` when there is none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn course_story(&self, slug: &str, now: i64) -> Result<Option<CourseStory>> {
        let Some(course) = self.course(slug, now).await? else { return Ok(None) };
        let mut connection = self.reader.acquire().await?;
        let versions = sqlx::query_as(
            "SELECT v.version, coalesce(json_array_length(v.manifest, '$.files'), json_array_length(v.manifest)) AS files, v.bytes, v.ready_at, \
                    coalesce(n.orders, 0) AS orders \
               FROM course_version AS v LEFT JOIN (SELECT version, count(*) AS orders FROM order_item \
                      WHERE course_id = $1 AND delivery = 'delivered' GROUP BY version) AS n ON n.version = v.version WHERE v.course_id = $1 ORDER BY v.version DESC LIMIT 20",
        )
        .bind(course.id)
        .fetch_all(&mut *connection)
        .await?;
        let prices = sqlx::query_as(
            "SELECT price_vnd, from_at FROM course_price WHERE course_id = $1 ORDER BY id DESC LIMIT 50",
        )
        .bind(course.id)
        .fetch_all(&mut *connection)
        .await?;
        let bundles = sqlx::query_as(
            "SELECT b.title, b.slug FROM bundle_course AS m JOIN bundle AS b ON b.id = m.bundle_id WHERE m.course_id = $1 ORDER BY b.title",
        )
        .bind(course.id)
        .fetch_all(&mut *connection)
        .await?;
        let test = super::tasks::last_test(&mut connection, course.id).await?;
        Ok(Some(CourseStory { course, versions, prices, test, bundles }))
    }

    /// The course of that slug; the 30 days of its figures end at `now` (ms).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn course(&self, slug: &str, now: i64) -> Result<Option<CourseRecord>> {
        let sql = format!("{COURSES} WHERE k.slug = $2");
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(month_ago(now)).bind(slug);
        Ok(query.fetch_optional(&self.reader).await?)
    }

    /// The shop's bank accounts, the preferred one first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn bank_accounts(&self) -> Result<Vec<AccountRecord>> {
        let mut connection = self.reader.acquire().await?;
        accounts(&mut connection).await
    }
}

pub(super) async fn accounts(connection: &mut SqliteConnection) -> Result<Vec<AccountRecord>> {
    Ok(sqlx::query_as(
        "SELECT id, bank, bin, account, holder, virtual_account, memo_prefix, preferred FROM bank_account \
         ORDER BY preferred DESC, id",
    )
    .fetch_all(connection)
    .await?)
}
