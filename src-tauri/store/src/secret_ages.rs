//! How old each key is, who changed it, and of which the owner was reminded. Names and times; never a value.

use serde_json::json;
use sqlx::FromRow;

use crate::audit::audit;
use crate::notices::raise;
use crate::writer::Tx;
use crate::{Raise, Result, Store};

/// The age of one key.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SecretAge {
    /// Its name.
    pub name: String,
    /// When it was first set or seen, ms.
    pub set_at: i64,
    /// When the value in use was set, ms.
    pub changed_at: i64,
    /// False when it was only first seen then: it may be older.
    pub exact: bool,
    /// Who changed it last: `owner`, `cli`, `system`.
    pub by: String,
}

/// What was done to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChange {
    /// A new value; the one before is void.
    Set,
    /// A new value; the one before is good until then, ms.
    Rotated(i64),
    /// The value before the current one was made void.
    PreviousRevoked,
    /// It was removed.
    Deleted,
}

impl KeyChange {
    fn action(self) -> &'static str {
        match self {
            Self::Set => "secret.set",
            Self::Rotated(_) => "secret.rotate",
            Self::PreviousRevoked => "secret.revoke_previous",
            Self::Deleted => "secret.delete",
        }
    }
}

/// Writes down the age that `change` leaves; a reminder of the key before is done with.
pub(crate) async fn note_age(
    tx: &mut Tx,
    name: &str,
    change: KeyChange,
    actor: &str,
    now: i64,
) -> Result<()> {
    match change {
        KeyChange::Set | KeyChange::Rotated(_) => {
            sqlx::query(
                "INSERT INTO secret_age (name, set_at, changed_at, exact, by) VALUES ($1, $2, $2, 1, $3) \
                 ON CONFLICT (name) DO UPDATE SET changed_at = excluded.changed_at, exact = 1, by = excluded.by",
            )
            .bind(name)
            .bind(now)
            .bind(actor)
            .execute(&mut tx.conn)
            .await?;
        }
        KeyChange::Deleted => {
            sqlx::query("DELETE FROM secret_age WHERE name = $1").bind(name).execute(&mut tx.conn).await?;
        }
        KeyChange::PreviousRevoked => return Ok(()),
    }
    reminded_no_more(tx, name).await
}

/// Closes the notice about a key that is new again, or gone.
pub(crate) async fn reminded_no_more(tx: &mut Tx, key: &str) -> Result<()> {
    let closed = sqlx::query(
        "UPDATE notice SET state = 'resolved' WHERE merge_key = 'key_old:' || $1 AND state <> 'resolved'",
    )
    .bind(key)
    .execute(&mut tx.conn)
    .await?;
    if closed.rows_affected() > 0 {
        tx.touched.topic("notices");
    }
    Ok(())
}

impl Store {
    /// Records who changed a key, and the age that leaves.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn key_changed(&self, name: &str, change: KeyChange, actor: &str, now: i64) -> Result<()> {
        let given = (name.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (name, actor) = given.clone();
                Box::pin(async move {
                    note_age(tx, &name, change, &actor, now).await?;
                    tx.touched.topic("settings");
                    let data = match change {
                        KeyChange::Rotated(until) => json!({ "previous_until": until }),
                        _ => json!({}),
                    };
                    audit(tx, now, &actor, change.action(), &name, &data).await
                })
            })
            .await
    }

    /// The ages of the keys that are known, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn secret_ages(&self) -> Result<Vec<SecretAge>> {
        Ok(sqlx::query_as("SELECT name, set_at, changed_at, exact, by FROM secret_age ORDER BY name")
            .fetch_all(&self.reader)
            .await?)
    }

    /// Notes keys that are set and whose age nobody has written down: they are at least as old as `now` (ms). Ages of
    /// names that are not in `set` are forgotten.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn keys_seen(&self, set: &[String], now: i64) -> Result<()> {
        let known: Vec<String> = self.secret_ages().await?.into_iter().map(|age| age.name).collect();
        let new: Vec<String> = set.iter().filter(|name| !known.contains(name)).cloned().collect();
        let gone: Vec<String> = known.into_iter().filter(|name| !set.contains(name)).collect();
        if new.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let given = (json!(new).to_string(), json!(gone).to_string(), gone);
        self.writer
            .run(move |tx| {
                let (new, gone, names) = given.clone();
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO secret_age (name, set_at, changed_at, exact, by) \
                           SELECT value, $2, $2, 0, 'system' FROM json_each($1) WHERE true ON CONFLICT DO NOTHING",
                    )
                    .bind(&new)
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    sqlx::query("DELETE FROM secret_age WHERE name IN (SELECT value FROM json_each($1))")
                        .bind(&gone)
                        .execute(&mut tx.conn)
                        .await?;
                    for name in &names {
                        reminded_no_more(tx, name).await?;
                    }
                    tx.touched.topic("settings");
                    Ok(())
                })
            })
            .await
    }

    /// Raises `notice` about `key`, which is in use since `changed_at` (ms), unless the owner was told of that age already.
    /// True when it was raised.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn remind_of_key(&self, key: &str, changed_at: i64, notice: Raise, now: i64) -> Result<bool> {
        let given = (key.to_owned(), notice);
        self.writer
            .run(move |tx| {
                let (key, notice) = given.clone();
                Box::pin(async move {
                    let noted = sqlx::query(
                        "INSERT INTO key_reminder (key, changed_at, at) VALUES ($1, $2, $3) \
                         ON CONFLICT (key) DO UPDATE SET changed_at = excluded.changed_at, at = excluded.at \
                           WHERE key_reminder.changed_at <> excluded.changed_at",
                    )
                    .bind(&key)
                    .bind(changed_at)
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    let new = noted.rows_affected() > 0;
                    if new {
                        raise(tx, &notice, now).await?;
                    }
                    Ok(new)
                })
            })
            .await
    }
}
