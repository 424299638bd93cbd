//! The record of human actions: rows that are only ever added, each tied to the one before by a hash.
//!
//! The chain alone shows a change in its middle; that its end is missing shows against a head that was kept elsewhere
//! (the shop's secret store; see `core/src/shop/audit.rs`). Written by whatever a person asks for, read by the page.

use futures::TryStreamExt;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};

use crate::writer::Tx;
use crate::{Result, Store};

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// Id of the newest row.
    pub id: i64,
    /// Its hash, hexadecimal.
    pub hash: String,
}

/// What a walk over the chain found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFindings {
    /// Rows looked at.
    pub rows: i64,
    /// The end of the chain; `None` when there is no row.
    pub head: Option<AuditHead>,
    /// The first thing that is wrong; `None` = the record is whole.
    pub broken: Option<AuditBreak>,
}

/// Where the record is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditBreak {
    /// The row.
    pub id: i64,
    /// `changed`, `missing`, or `cut` (rows at the end are gone).
    pub what: &'static str,
}

impl std::fmt::Display for AuditBreak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, what } = self;
        match *what {
            "changed" => write!(f, "audit row {id} was changed after it was written"),
            "missing" => write!(f, "audit row {id} is missing"),
            _ => write!(f, "the audit rows after {id} are gone"),
        }
    }
}

/// Everything in a row that its hash covers.
struct AuditText<'a> {
    prev: &'a str,
    id: i64,
    at: i64,
    actor: &'a str,
    action: &'a str,
    subject: &'a str,
    /// As stored.
    data: &'a str,
}

impl AuditText<'_> {
    /// SHA-256 over the row and the hash of the row before, hexadecimal.
    fn hash(&self) -> String {
        let Self { prev, id, at, actor, action, subject, data } = self;
        let text = json!([prev, id, at, actor, action, subject, data]).to_string();
        hex::encode(Sha256::digest(text.as_bytes()))
    }
}

/// Adds a row to the record of human actions.
pub(crate) async fn audit(
    tx: &mut Tx,
    at: i64,
    actor: &str,
    action: &str,
    subject: &str,
    data: &serde_json::Value,
) -> Result<()> {
    let data = data.to_string();
    let last: Option<(i64, Option<String>)> =
        sqlx::query_as("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")
            .fetch_optional(&mut tx.conn)
            .await?;
    let (before, prev) = last.map_or_else(Default::default, |(id, hash)| (id, hash.unwrap_or_default()));
    let row = AuditText { prev: &prev, id: before + 1, at, actor, action, subject, data: &data };
    sqlx::query(
        "INSERT INTO audit (id, at, actor, action, subject, data, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(row.id)
    .bind(at)
    .bind(actor)
    .bind(action)
    .bind(subject)
    .bind(&data)
    .bind(row.hash())
    .execute(&mut tx.conn)
    .await?;
    tx.touched.topic("audit");
    Ok(())
}

/// Ties rows from before the chain to it. Interrupted, it goes on at the next opening.
pub(crate) async fn chain_old_rows(connection: &mut SqliteConnection) -> Result<()> {
    let unchained = "SELECT EXISTS (SELECT 1 FROM audit WHERE hash IS NULL)";
    if !sqlx::query_scalar::<_, bool>(unchained).fetch_one(&mut *connection).await? {
        return Ok(());
    }
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let rows = sqlx::query("SELECT id, at, actor, action, subject, data, hash FROM audit ORDER BY id")
        .fetch_all(&mut *tx)
        .await?;
    let mut prev = String::new();
    for row in rows {
        if let Some(hash) = row.try_get::<Option<String>, _>("hash")? {
            prev = hash;
            continue;
        }
        let id: i64 = row.try_get("id")?;
        let text = AuditText {
            prev: &prev,
            id,
            at: row.try_get("at")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            subject: row.try_get("subject")?,
            data: row.try_get("data")?,
        };
        let hash = text.hash();
        sqlx::query("UPDATE audit SET hash = $1 WHERE id = $2")
            .bind(&hash)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        prev = hash;
    }
    tx.commit().await?;
    Ok(())
}

impl Store {
    /// The end of the chain; `None` while nobody has done anything.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_head(&self) -> Result<Option<AuditHead>> {
        let row: Option<(i64, Option<String>)> =
            sqlx::query_as("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")
                .fetch_optional(&self.reader)
                .await?;
        Ok(row.map(|(id, hash)| AuditHead { id, hash: hash.unwrap_or_default() }))
    }

    /// Walks the whole record and names the first row that is not as it was written. With `kept`, an earlier head from
    /// elsewhere, it also tells when the end was cut off or the whole chain was written anew.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn verify_audit(&self, kept: Option<&AuditHead>) -> Result<AuditFindings> {
        let mut findings = AuditFindings::default();
        let mut rows =
            sqlx::query("SELECT id, at, actor, action, subject, data, hash FROM audit ORDER BY id")
                .fetch(&self.reader);
        let mut expected = 1;
        let mut prev = String::new();
        while let Some(row) = rows.try_next().await? {
            let id: i64 = row.try_get("id")?;
            let hash: Option<String> = row.try_get("hash")?;
            let computed = AuditText {
                prev: &prev,
                id,
                at: row.try_get("at")?,
                actor: row.try_get("actor")?,
                action: row.try_get("action")?,
                subject: row.try_get("subject")?,
                data: row.try_get("data")?,
            }
            .hash();
            let what = if id != expected {
                Some((expected, "missing"))
            } else if hash.as_ref() != Some(&computed)
                || kept.is_some_and(|kept| kept.id == id && kept.hash != computed)
            {
                Some((id, "changed"))
            } else {
                None
            };
            if let Some((id, what)) = what {
                findings.broken = Some(AuditBreak { id, what });
                return Ok(findings);
            }
            findings.rows += 1;
            findings.head = Some(AuditHead { id, hash: computed.clone() });
            expected = id + 1;
            prev = computed;
        }
        if kept.is_some_and(|kept| kept.id >= expected) {
            findings.broken = Some(AuditBreak { id: expected - 1, what: "cut" });
        }
        Ok(findings)
    }

    /// True when the row with the id of `kept` still has its hash.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn has_audit_head(&self, kept: &AuditHead) -> Result<bool> {
        let hash: Option<Option<String>> = sqlx::query_scalar("SELECT hash FROM audit WHERE id = $1")
            .bind(kept.id)
            .fetch_optional(&self.reader)
            .await?;
        Ok(hash.flatten().is_some_and(|hash| hash == kept.hash))
    }
}

#[cfg(test)]
mod tests;
