//! What people change besides orders and tasks: courses, customers, bank accounts, storefront keys, the inbox.
//!
//! Every change by a person and its audit row are one commit.

use serde_json::{Value, json};
use sqlx::Row;

use crate::orders::audit;
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// What a course is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CourseEdit {
    pub slug: String,
    pub title: String,
    pub price_vnd: i64,
    /// JSON `{kind, …}`.
    pub source: String,
    /// JSON `{kind, …}`.
    pub target: String,
    /// JSON `{kind, …}`; `Some(None)` takes it away, `None` keeps what is there.
    pub enrolment: Option<Option<String>>,
    pub active: bool,
    /// What the catalogue says of it; `None` keeps what is there.
    pub description: Option<String>,
    /// Days for which a buyer keeps access after the first delivery, 0 = for ever; `None` keeps what is there.
    pub access_days: Option<i64>,
}

/// What a customer is to be; found by e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CustomerEdit {
    pub email: String,
    /// Empty keeps the name that is there.
    pub name: String,
    /// `None` keeps the number that is there.
    pub phone: Option<String>,
    /// Deposit code for a new customer; an existing one keeps theirs.
    pub deposit_code: String,
}

/// What a bank account is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AccountEdit {
    /// `None` adds one, or changes the one with the same bank and number.
    pub id: Option<i64>,
    pub bank: String,
    pub bin: String,
    pub account: String,
    pub holder: String,
    pub virtual_account: Option<String>,
    pub memo_prefix: Option<String>,
    /// True makes it the account that new orders show. The first account always is.
    pub preferred: bool,
}

/// Something a person did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// `owner`, `storefront:NAME`, `cli`.
    pub actor: String,
    /// `settings.save`, `course.save`, …
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// Never a secret.
    pub data: Value,
}

/// Whether a course that is saved as `excluded` has the files it had, at the place where they were. Who may fetch them
/// is no matter of the files, and without files there is no place.
macro_rules! same_files {
    () => {
        "(json_remove(source, '$.worker', '$.share_secret') = json_remove(excluded.source, '$.worker', '$.share_secret') \
          AND (target = excluded.target OR excluded.source ->> '$.kind' IS 'none'))"
    };
}
pub(crate) use same_files;

/// The refusal of a course without files whose buyers would get nothing.
pub(crate) fn gives_nothing(slug: &str) -> Error {
    Error::refused("enrolment_missing", format!("source: {slug} has no files, and no enrolment either"))
}

impl Store {
    /// Adds a course or changes it. Another source or target makes a new version, which is not prepared yet.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a price that is not positive or an empty title; [`Error::Refused`] `slug_taken`, and
    /// `enrolment_missing` for a course without files that names no platform.
    pub async fn save_course(&self, edit: CourseEdit, actor: &str, now: i64) -> Result<()> {
        if edit.price_vnd <= 0 || edit.title.trim().is_empty() || edit.slug.is_empty() {
            return Err(Error::Invalid("a course needs a slug, a title and a positive price".to_owned()));
        }
        let actor = actor.to_owned();
        self.writer
            .run(move |tx| {
                let (edit, actor) = (edit.clone(), actor.clone());
                Box::pin(async move {
                    let (version, nothing): (i64, bool) = sqlx::query_as(concat!(
                        "INSERT INTO course (slug, title, price_vnd, source, target, active, created_at, updated_at, enrolment, description, access_days) \
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, coalesce($10, ''), coalesce($11, 0)) \
                         ON CONFLICT (slug) DO UPDATE SET title = excluded.title, price_vnd = excluded.price_vnd, \
                           description = coalesce($10, description), access_days = coalesce($11, access_days), \
                           source = excluded.source, target = excluded.target, active = excluded.active, \
                           updated_at = excluded.updated_at, \
                           enrolment = CASE WHEN $9 THEN excluded.enrolment ELSE enrolment END, \
                           version = CASE WHEN ", same_files!(), " THEN version ELSE 1 + max(version, \
                             coalesce((SELECT max(course_version) FROM task WHERE course_id = course.id AND kind = 'prepare_course'), 0), \
                             coalesce((SELECT max(v.version) FROM course_version AS v WHERE v.course_id = course.id), 0)) END, \
                           ready = ready AND ", same_files!(), " \
                         RETURNING version, source ->> '$.kind' IS 'none' AND enrolment IS NULL",
                    ))
                    .bind(&edit.slug)
                    .bind(edit.title.trim())
                    .bind(edit.price_vnd)
                    .bind(&edit.source)
                    .bind(&edit.target)
                    .bind(edit.active)
                    .bind(now)
                    .bind(edit.enrolment.clone().flatten())
                    .bind(edit.enrolment.is_some())
                    .bind(edit.description.as_deref().map(str::trim))
                    .bind(edit.access_days)
                    .fetch_one(&mut tx.conn)
                    .await
                    .map_err(|error| match Error::from(error) {
                        Error::Conflict(_) => {
                            Error::refused("slug_taken", format!("a bundle is named \"{}\" already", edit.slug))
                        }
                        other => other,
                    })?;
                    if nothing {
                        return Err(gives_nothing(&edit.slug));
                    }
                    tx.touched.topic("courses");
                    let data = json!({ "title": edit.title, "price_vnd": edit.price_vnd, "active": edit.active, "version": version });
                    record(tx, &AuditEntry { actor, action: "course.save".into(), subject: edit.slug, data }, now).await
                })
            })
            .await
    }

    /// Takes a course off sale, or puts it back with `active`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown course.
    pub async fn archive_course(&self, slug: &str, active: bool, actor: &str, now: i64) -> Result<()> {
        let (slug, actor) = (slug.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (slug, actor) = (slug.clone(), actor.clone());
                Box::pin(async move {
                    let done = sqlx::query("UPDATE course SET active = $2, updated_at = $3 WHERE slug = $1")
                        .bind(&slug)
                        .bind(active)
                        .bind(now)
                        .execute(&mut tx.conn)
                        .await?;
                    if done.rows_affected() == 0 {
                        return Err(Error::NotFound(format!("course \"{slug}\"")));
                    }
                    tx.touched.topic("courses");
                    let action = if active { "course.restore" } else { "course.archive" }.to_owned();
                    record(tx, &AuditEntry { actor, action, subject: slug, data: json!({}) }, now).await
                })
            })
            .await
    }

    /// Copies a course under another slug, off sale and not prepared; with another title when given.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown course; [`Error::Refused`] `slug_taken`.
    pub async fn duplicate_course(
        &self,
        slug: &str,
        copy: &str,
        title: Option<&str>,
        actor: &str,
        now: i64,
    ) -> Result<()> {
        let given = (slug.to_owned(), copy.to_owned(), title.map(str::to_owned), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (slug, copy, title, actor) = given.clone();
                Box::pin(async move {
                    let made = sqlx::query(
                        "INSERT INTO course (slug, title, price_vnd, source, target, enrolment, description, access_days, active, created_at, updated_at) \
                           SELECT $2, coalesce($3, title), price_vnd, source, target, enrolment, description, access_days, 0, $4, $4 \
                             FROM course WHERE slug = $1",
                    )
                    .bind(&slug)
                    .bind(&copy)
                    .bind(title.as_deref())
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await
                    .map_err(|error| match Error::from(error) {
                        Error::Conflict(_) => {
                            Error::refused("slug_taken", format!("slug: \"{copy}\" is taken already"))
                        }
                        other => other,
                    })?;
                    if made.rows_affected() == 0 {
                        return Err(Error::NotFound(format!("course \"{slug}\"")));
                    }
                    tx.touched.topic("courses");
                    let data = json!({ "from": slug });
                    record(tx, &AuditEntry { actor, action: "course.duplicate".into(), subject: copy, data }, now).await
                })
            })
            .await
    }

    /// Adds a customer, or completes the one with this e-mail. Answers their id.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn save_customer(&self, edit: CustomerEdit, now: i64) -> Result<i64> {
        self.writer
            .run(move |tx| {
                let edit = edit.clone();
                Box::pin(async move {
                    Ok(sqlx::query_scalar(
                        "INSERT INTO customer (email, email_key, name, phone, deposit_code, created_at) \
                         VALUES ($1, $2, $3, $4, $5, $6) \
                         ON CONFLICT (email_key) DO UPDATE SET \
                           name = CASE WHEN excluded.name = '' THEN name ELSE excluded.name END, \
                           phone = coalesce(excluded.phone, phone) \
                         RETURNING id",
                    )
                    .bind(edit.email.trim())
                    .bind(edit.email.trim().to_lowercase())
                    .bind(edit.name.trim())
                    .bind(edit.phone.as_deref())
                    .bind(&edit.deposit_code)
                    .bind(now)
                    .fetch_one(&mut tx.conn)
                    .await?)
                })
            })
            .await
    }

    /// Adds a bank account or changes it. Answers its id.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown id; [`Error::Conflict`] when another one has this bank and number.
    pub async fn save_bank_account(&self, edit: AccountEdit, actor: &str, now: i64) -> Result<i64> {
        let actor = actor.to_owned();
        self.writer
            .run(move |tx| {
                let (edit, actor) = (edit.clone(), actor.clone());
                Box::pin(async move {
                    let id = write_account(tx, &edit, now).await?;
                    if edit.preferred {
                        sqlx::query("UPDATE bank_account SET preferred = (id = $1)")
                            .bind(id)
                            .execute(&mut tx.conn)
                            .await?;
                    }
                    prefer_one(tx).await?;
                    tx.touched.topic("settings");
                    let data = json!({ "bank": edit.bank, "account": edit.account, "holder": edit.holder });
                    record(
                        tx,
                        &AuditEntry {
                            actor,
                            action: "bank_account.save".into(),
                            subject: id.to_string(),
                            data,
                        },
                        now,
                    )
                    .await?;
                    Ok(id)
                })
            })
            .await
    }

    /// Removes a bank account that no order has shown.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown id; [`Error::Conflict`] when an order shows it: it is then part of the
    /// record of where money went, and can be changed or not be preferred instead.
    pub async fn delete_bank_account(&self, id: i64, actor: &str, now: i64) -> Result<()> {
        let actor = actor.to_owned();
        self.writer
            .run(move |tx| {
                let actor = actor.clone();
                Box::pin(async move {
                    let used: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM orders WHERE bank_account_id = $1)")
                        .bind(id)
                        .fetch_one(&mut tx.conn)
                        .await?;
                    if used {
                        return Err(Error::Conflict(
                            "orders show this account; change it, or prefer another one".to_owned(),
                        ));
                    }
                    let row = sqlx::query("DELETE FROM bank_account WHERE id = $1 RETURNING bank, account")
                        .bind(id)
                        .fetch_optional(&mut tx.conn)
                        .await?
                        .ok_or_else(|| Error::NotFound(format!("bank account {id}")))?;
                    let data = json!({ "bank": row.try_get::<String, _>(0)?, "account": row.try_get::<String, _>(1)? });
                    prefer_one(tx).await?;
                    tx.touched.topic("settings");
                    record(tx, &AuditEntry { actor, action: "bank_account.delete".into(), subject: id.to_string(), data }, now)
                        .await
                })
            })
            .await
    }

    /// Keeps the hash of a new storefront key. `key_sha256` is lower-case hexadecimal, `scopes` words with spaces.
    ///
    /// # Errors
    /// [`Error::Refused`] `name_taken` when a key has this name, or had it: the record tells keys apart by name.
    pub async fn add_storefront_key(
        &self,
        name: &str,
        key_sha256: &str,
        scopes: &str,
        actor: &str,
        now: i64,
    ) -> Result<()> {
        let given = (name.to_owned(), key_sha256.to_owned(), scopes.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (name, key_sha256, scopes, actor) = given.clone();
                Box::pin(async move {
                    sqlx::query("INSERT INTO storefront_key (name, key_sha256, scopes, created_at) VALUES ($1, $2, $3, $4)")
                        .bind(&name)
                        .bind(key_sha256)
                        .bind(&scopes)
                        .bind(now)
                        .execute(&mut tx.conn)
                        .await
                        .map_err(|error| match Error::from(error) {
                            Error::Conflict(_) => {
                                Error::refused("name_taken", format!("a storefront key was named `{name}` before"))
                            }
                            other => other,
                        })?;
                    tx.touched.topic("settings");
                    let data = json!({ "scopes": scopes });
                    record(tx, &AuditEntry { actor, action: "storefront_key.create".into(), subject: name, data }, now).await
                })
            })
            .await
    }

    /// Revokes a storefront key from `now` on.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no valid key has this name.
    pub async fn revoke_storefront_key(&self, name: &str, actor: &str, now: i64) -> Result<()> {
        let given = (name.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (name, actor) = given.clone();
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE storefront_key SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL",
                    )
                    .bind(&name)
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    if done.rows_affected() == 0 {
                        return Err(Error::NotFound(format!("storefront key `{name}`")));
                    }
                    tx.touched.topic("settings");
                    let entry = AuditEntry {
                        actor,
                        action: "storefront_key.revoke".into(),
                        subject: name,
                        data: json!({}),
                    };
                    record(tx, &entry, now).await
                })
            })
            .await
    }

    /// Marks one notice of the inbox as seen; every new one when `id` is `None`. Seen and resolved ones stay as they are.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown id.
    pub async fn notices_seen(&self, id: Option<i64>) -> Result<()> {
        self.writer
            .run(move |tx| {
                Box::pin(async move {
                    if let Some(id) = id {
                        let known: bool =
                            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM notice WHERE id = $1)")
                                .bind(id)
                                .fetch_one(&mut tx.conn)
                                .await?;
                        if !known {
                            return Err(Error::NotFound(format!("notice {id}")));
                        }
                    }
                    let seen = sqlx::query(
                        "UPDATE notice SET state = 'seen' WHERE state = 'new' AND id BETWEEN coalesce($1, 0) \
                         AND coalesce($1, 9223372036854775807)",
                    )
                    .bind(id)
                    .execute(&mut tx.conn)
                    .await?;
                    if seen.rows_affected() > 0 {
                        tx.touched.topic("notices");
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Records something that a person did to what is not in the database, such as a setting.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn record_audit(&self, entry: AuditEntry, now: i64) -> Result<()> {
        self.writer
            .run(move |tx| {
                let entry = entry.clone();
                Box::pin(async move {
                    tx.touched.topic("settings");
                    record(tx, &entry, now).await
                })
            })
            .await
    }
}

async fn write_account(tx: &mut Tx, edit: &AccountEdit, now: i64) -> Result<i64> {
    let query = match edit.id {
        Some(id) => sqlx::query(
            "UPDATE bank_account SET bank = $1, bin = $2, account = $3, holder = $4, virtual_account = $5, \
             memo_prefix = $6 WHERE id = $7 RETURNING id",
        )
        .bind(&edit.bank)
        .bind(&edit.bin)
        .bind(&edit.account)
        .bind(&edit.holder)
        .bind(edit.virtual_account.as_deref())
        .bind(edit.memo_prefix.as_deref())
        .bind(id),
        None => sqlx::query(
            "INSERT INTO bank_account (bank, bin, account, holder, virtual_account, memo_prefix, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (bank, account) DO UPDATE SET bin = excluded.bin, holder = excluded.holder, \
               virtual_account = excluded.virtual_account, memo_prefix = excluded.memo_prefix RETURNING id",
        )
        .bind(&edit.bank)
        .bind(&edit.bin)
        .bind(&edit.account)
        .bind(&edit.holder)
        .bind(edit.virtual_account.as_deref())
        .bind(edit.memo_prefix.as_deref())
        .bind(now),
    };
    let row = query.fetch_optional(&mut tx.conn).await.map_err(|error| match Error::from(error) {
        Error::Conflict(_) => Error::Conflict("another entry has this bank and account number".to_owned()),
        other => other,
    })?;
    match row {
        Some(row) => Ok(row.try_get(0)?),
        None => Err(Error::NotFound(format!("bank account {}", edit.id.unwrap_or_default()))),
    }
}

/// Exactly one account is preferred while there is any.
async fn prefer_one(tx: &mut Tx) -> Result<()> {
    sqlx::query(
        "UPDATE bank_account SET preferred = 1 WHERE id = (SELECT min(id) FROM bank_account) \
         AND NOT EXISTS (SELECT 1 FROM bank_account WHERE preferred = 1)",
    )
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// Adds an audit row to the open commit.
async fn record(tx: &mut Tx, entry: &AuditEntry, now: i64) -> Result<()> {
    audit(tx, now, &entry.actor, &entry.action, &entry.subject, &entry.data).await
}
