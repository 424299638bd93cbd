//! The catalogue and the accounts that customers pay into.

use sqlx::{AssertSqlSafe, FromRow, SqliteConnection};

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
SELECT k.id, k.slug, k.title, k.price_vnd, k.source, k.target, k.enrolment, k.active, k.version, k.ready, v.bytes,
       json_array_length(v.manifest) AS files, coalesce((SELECT n FROM tally WHERE name = 'sold:' || k.id), 0) AS sold
  FROM course k LEFT JOIN course_version v ON v.course_id = k.id AND v.version = k.version";

impl Store {
    /// Every course, by title.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn courses(&self) -> Result<Vec<CourseRecord>> {
        let sql = format!("{COURSES} ORDER BY k.title, k.id");
        Ok(sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&self.reader).await?)
    }

    /// The course of that slug.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn course(&self, slug: &str) -> Result<Option<CourseRecord>> {
        let sql = format!("{COURSES} WHERE k.slug = $1");
        Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(slug).fetch_optional(&self.reader).await?)
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
