//! Workers on other machines: which there are, and since when they may not work any more. Their keys are secrets and
//! are not here.

use serde_json::json;
use sqlx::FromRow;

use crate::orders::audit;
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// A worker on another machine.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct WorkerKeyRecord {
    /// Its name; its secret is `worker.NAME`.
    pub name: String,
    /// Changes with each new key; not secret.
    pub key_id: String,
    /// When it was added, ms.
    pub created_at: i64,
    /// Until when the key before the last rotation is good, ms.
    pub previous_until: Option<i64>,
    /// Since when it may not work any more, ms.
    pub revoked_at: Option<i64>,
    /// When it last asked something, ms.
    pub seen_at: Option<i64>,
}

const COLUMNS: &str = "SELECT name, key_id, created_at, previous_until, revoked_at, seen_at FROM worker_key";

impl Store {
    /// Every worker, revoked ones included, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn worker_keys(&self) -> Result<Vec<WorkerKeyRecord>> {
        let query = sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY name"));
        Ok(sqlx::query_as(query).fetch_all(&self.reader).await?)
    }

    /// The worker with this name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn worker_key(&self, name: &str) -> Result<Option<WorkerKeyRecord>> {
        let query = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE name = $1"));
        Ok(sqlx::query_as(query).bind(name).fetch_optional(&self.reader).await?)
    }

    /// Adds a worker, or takes a revoked one into use again under a new key.
    ///
    /// # Errors
    /// [`Error::Conflict`] when a living one has this name.
    pub async fn add_worker_key(&self, name: &str, key_id: &str, actor: &str, now: i64) -> Result<()> {
        let given = (name.to_owned(), key_id.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (name, key_id, actor) = given.clone();
                Box::pin(async move {
                    let done = sqlx::query(
                        "INSERT INTO worker_key (name, key_id, created_at) VALUES ($1, $2, $3) \
                         ON CONFLICT (name) DO UPDATE SET key_id = excluded.key_id, created_at = excluded.created_at, \
                           previous_until = NULL, revoked_at = NULL, seen_at = NULL \
                         WHERE worker_key.revoked_at IS NOT NULL",
                    )
                    .bind(&name)
                    .bind(&key_id)
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    if done.rows_affected() == 0 {
                        return Err(Error::Conflict(format!("a worker named `{name}` exists")));
                    }
                    tx.touched.topic("workers");
                    audit(tx, now, &actor, "worker_key.create", &name, &json!({ "key_id": key_id })).await
                })
            })
            .await
    }

    /// Notes that a worker has a new key, and until when (ms) the one before is good.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no living worker has this name.
    pub async fn worker_key_rotated(
        &self,
        name: &str,
        key_id: &str,
        previous_until: i64,
        actor: &str,
        now: i64,
    ) -> Result<()> {
        let given = (name.to_owned(), key_id.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (name, key_id, actor) = given.clone();
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE worker_key SET key_id = $2, previous_until = $3 WHERE name = $1 AND revoked_at IS NULL",
                    )
                    .bind(&name)
                    .bind(&key_id)
                    .bind(previous_until)
                    .execute(&mut tx.conn)
                    .await?;
                    known(done.rows_affected(), &name)?;
                    tx.touched.topic("workers");
                    audit(tx, now, &actor, "worker_key.rotate", &name, &json!({ "key_id": key_id })).await
                })
            })
            .await
    }

    /// Ends a worker's right to work from this commit on. What it was doing is put back in line, the attempt given back.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no living worker has this name.
    pub async fn revoke_worker_key(&self, name: &str, actor: &str, now: i64) -> Result<()> {
        let given = (name.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (name, actor) = given.clone();
                Box::pin(async move {
                    let done = sqlx::query(
                        "UPDATE worker_key SET revoked_at = $2, previous_until = NULL WHERE name = $1 AND revoked_at IS NULL",
                    )
                    .bind(&name)
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    known(done.rows_affected(), &name)?;
                    let tasks = take_back(tx, &name).await?;
                    tx.touched.topic("workers");
                    audit(tx, now, &actor, "worker_key.revoke", &name, &json!({ "tasks": tasks })).await
                })
            })
            .await
    }
}

async fn take_back(tx: &mut Tx, name: &str) -> Result<usize> {
    let lanes: Vec<String> = sqlx::query_scalar(
        "UPDATE task SET state = 'ready', lease_owner = NULL, lease_until = NULL, attempt = max(attempt - 1, 0) \
         WHERE state = 'running' AND lease_owner = 'worker:' || $1 RETURNING lane",
    )
    .bind(name)
    .fetch_all(&mut tx.conn)
    .await?;
    tx.ready(lanes.iter().map(String::as_str));
    Ok(lanes.len())
}

fn known(rows: u64, name: &str) -> Result<()> {
    match rows {
        0 => Err(Error::NotFound(format!("worker `{name}`"))),
        _ => Ok(()),
    }
}
