//! Copies of a shop in one file: an SQLite database that carries, in two tables of its own, what it is and the files
//! that belong to it. Any SQLite tool can open one. What a restored shop must not do by itself is stopped here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, FromRow};

use crate::notices::{self, Raise, STOPPED};
use crate::writer::Writer;
use crate::{Error, Result, Store, Tuning};

/// A file that goes along with the database.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Along {
    /// Path below the data directory, with `/`.
    pub path: String,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// When it was made, ms; `None` for a copy that says nothing of itself.
    pub made_at: Option<i64>,
    /// Version of the program that made it.
    pub version: Option<String>,
    /// Counts.
    pub counts: CopyCounts,
    /// Settings and templates.
    pub files: Vec<Along>,
}

/// How much is in a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromRow)]
#[allow(missing_docs)]
pub struct CopyCounts {
    pub orders: i64,
    pub customers: i64,
    pub courses: i64,
    pub transfers: i64,
    /// Money in, whole đồng.
    pub in_vnd: i64,
    /// When the last transfer was recorded, ms.
    pub last_transfer_at: Option<i64>,
    /// Tasks that had not ended.
    pub open_tasks: i64,
}

/// A copy that was made, or that failed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct BackupRun {
    pub id: i64,
    /// `first` for the moment from which copies are due, `timer`, `owner`, `command`.
    pub cause: String,
    pub at: i64,
    pub took_ms: i64,
    pub file: Option<String>,
    pub bytes: Option<i64>,
    /// Why it failed.
    pub code: Option<String>,
    pub detail: Option<String>,
}

impl Store {
    /// Writes a consistent copy of the database and `files` to `file`, which must not exist. Writers go on meanwhile.
    ///
    /// # Errors
    /// [`Error::Conflict`] when `file` exists; otherwise when it cannot be written.
    pub async fn back_up(&self, file: &Path, files: &[Along], version: &str, now: i64) -> Result<()> {
        if file.exists() {
            return Err(Error::Conflict(format!("{} exists already", file.display())));
        }
        // Made beforehand so that it is never readable by others, not even while it is written.
        crate::open::private_file(file)?;
        let copied = self.copy_to(file, files, version, now).await;
        if copied.is_err() {
            let _ = std::fs::remove_file(file);
        }
        copied
    }

    async fn copy_to(&self, file: &Path, files: &[Along], version: &str, now: i64) -> Result<()> {
        let mut reader = self.reader.acquire().await?;
        sqlx::query("VACUUM INTO $1").bind(file.display().to_string()).execute(&mut *reader).await?;
        drop(reader);
        let mut copy = SqliteConnectOptions::new().filename(file).connect().await?;
        sqlx::raw_sql(
            "CREATE TABLE backup_manifest (made_at INTEGER NOT NULL, version TEXT NOT NULL) STRICT; \
             CREATE TABLE backup_file (path TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;",
        )
        .execute(&mut copy)
        .await?;
        sqlx::query("INSERT INTO backup_manifest VALUES ($1, $2)")
            .bind(now)
            .bind(version)
            .execute(&mut copy)
            .await?;
        for along in files {
            sqlx::query("INSERT INTO backup_file VALUES ($1, $2)")
                .bind(&along.path)
                .bind(&along.body)
                .execute(&mut copy)
                .await?;
        }
        copy.close().await?;
        std::fs::File::open(file)
            .and_then(|file| file.sync_all())
            .map_err(|error| Error::Unavailable(format!("{}: {error}", file.display())))
    }

    /// Opens a copy for reading and nothing else.
    ///
    /// # Errors
    /// [`Error::Unusable`] for a file that is no shop.
    pub async fn open_copy(file: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new().filename(file).read_only(true).immutable(true);
        let strange =
            |error: sqlx::Error| Error::Unusable(format!("{} is no copy of a shop: {error}", file.display()));
        let mut connection = options.clone().connect().await.map_err(strange)?;
        let whose: i64 =
            sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await.map_err(strange)?;
        if whose != crate::open::APPLICATION_ID {
            return Err(Error::Unusable(format!("{} is no copy of a shop", file.display())));
        }
        let beside = options.clone().connect().await.map_err(strange)?;
        let reader = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let tuning = Arc::new(Tuning::default());
        // The writer's connections are read-only as well: whatever it was asked would be refused.
        let writer = Writer::start(connection, beside, tuning.clone());
        Ok(Self { reader, writer, tuning, path: file.to_owned() })
    }

    /// Brings everything of a database that nobody has open into its one file, so that it can be moved.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when somebody has it open after all.
    pub async fn into_one_file(file: &Path) -> Result<()> {
        let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(10));
        let mut connection = options.connect().await?;
        let mut alone = false;
        // A reader that was just being opened when its pool was closed is gone a moment later; SQLite does not wait for it.
        for pause_ms in [0, 10, 50, 200, 1000] {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let mode: String =
                sqlx::query_scalar("PRAGMA journal_mode = DELETE").fetch_one(&mut connection).await?;
            alone = mode == "delete";
            if alone {
                break;
            }
        }
        connection.close().await?;
        if alone {
            return Ok(());
        }
        Err(Error::Unavailable(format!("{} is open somewhere", file.display())))
    }

    /// What this copy holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn contents(&self) -> Result<Contents> {
        let counts = sqlx::query_as(
            "SELECT (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM customer) AS customers, \
                    (SELECT count(*) FROM course) AS courses, (SELECT count(*) FROM transfer) AS transfers, \
                    (SELECT coalesce(sum(amount_vnd), 0) FROM ledger WHERE debit = 'bank') AS in_vnd, \
                    (SELECT max(received_at) FROM transfer) AS last_transfer_at, \
                    (SELECT count(*) FROM task WHERE state IN ('scheduled','ready','running') AND kind <> 'notify_owner') AS open_tasks",
        )
        .fetch_one(&self.reader)
        .await?;
        let known: i64 =
            sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'backup_manifest'")
                .fetch_one(&self.reader)
                .await?;
        if known == 0 {
            return Ok(Contents { counts, ..Contents::default() });
        }
        let (made_at, version): (i64, String) =
            sqlx::query_as("SELECT made_at, version FROM backup_manifest").fetch_one(&self.reader).await?;
        let files = sqlx::query_as("SELECT path, body FROM backup_file ORDER BY path")
            .fetch_all(&self.reader)
            .await?;
        Ok(Contents { made_at: Some(made_at), version: Some(version), counts, files })
    }

    /// Makes a copy into a shop that does nothing by itself until the owner has looked: deliveries, preparations and
    /// webhooks to storefronts are paused, since what came after the copy may have been done already; what was to be
    /// told is in the inbox. Writes down that it was restored.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn begin_again(&self, contents: &Contents, actor: &str, now: i64) -> Result<()> {
        let (actor, made_at) = (actor.to_owned(), contents.made_at);
        let data = json!({ "made_at": made_at, "count": contents.counts.open_tasks });
        self.writer
            .run(move |tx| {
                let (actor, data) = (actor.clone(), data.clone());
                Box::pin(async move {
                    sqlx::raw_sql("DROP TABLE IF EXISTS backup_manifest; DROP TABLE IF EXISTS backup_file;")
                        .execute(&mut tx.conn)
                        .await?;
                    sqlx::query("UPDATE lane SET paused_at = $1, until = NULL, reason = 'restored' WHERE name <> 'owner'")
                        .bind(now)
                        .execute(&mut tx.conn)
                        .await?;
                    sqlx::query(
                        "UPDATE task SET state = 'cancelled', finished_at = $1, lease_epoch = lease_epoch + 1 \
                          WHERE kind = 'notify_owner' AND state IN ('scheduled','ready','running')",
                    )
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    let notice = Raise {
                        class: STOPPED,
                        merge_key: Some(format!("restored:{now}")),
                        kind: "restored",
                        data: data.clone(),
                        task: None,
                    };
                    notices::raise(tx, &notice, now).await?;
                    crate::orders::audit(tx, now, &actor, "backup.restore", "shop", &data).await
                })
            })
            .await
    }

    /// Writes down how a copy went.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn keep_backup_run(&self, run: BackupRun) -> Result<()> {
        self.writer
            .run(move |tx| {
                let run = run.clone();
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO backup_run (cause, at, took_ms, file, bytes, code, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    )
                    .bind(&run.cause)
                    .bind(run.at)
                    .bind(run.took_ms)
                    .bind(&run.file)
                    .bind(run.bytes)
                    .bind(&run.code)
                    .bind(&run.detail)
                    .execute(&mut tx.conn)
                    .await?;
                    tx.touched.topic("backups");
                    Ok(())
                })
            })
            .await
    }

    /// The last run, and the last one that was not a failure.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn backup_runs(&self) -> Result<(Option<BackupRun>, Option<BackupRun>)> {
        let last = sqlx::query_as("SELECT * FROM backup_run ORDER BY id DESC LIMIT 1")
            .fetch_optional(&self.reader)
            .await?;
        let fine = sqlx::query_as("SELECT * FROM backup_run WHERE code IS NULL ORDER BY id DESC LIMIT 1")
            .fetch_optional(&self.reader)
            .await?;
        Ok((last, fine))
    }
}
