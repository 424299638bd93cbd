//! Opening the shop's database: file permissions, pragmas, version check, migrations.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::writer::Writer;
use crate::{Error, Result, Touched, Tuning};

/// The oldest SQLite this program runs with: 3.51.3 is the first without the WAL-reset race.
pub const MINIMUM_SQLITE: (u32, u32, u32) = (3, 51, 3);
const _: () = assert!(libsqlite3_sys::SQLITE_VERSION_NUMBER >= 3_051_003, "bundle SQLite 3.51.3 or newer");

const READERS: u32 = 4;
/// "ChDn" as a big-endian integer, so that `file` and other tools can tell whose database it is.
pub(crate) const APPLICATION_ID: i64 = 0x4368_446e;

/// A shop's database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) reader: SqlitePool,
    pub(crate) writer: Writer,
    pub(crate) tuning: Arc<Tuning>,
    pub(crate) path: PathBuf,
}

impl Store {
    /// Opens (and creates or migrates) `DIR/shop.db`.
    ///
    /// # Errors
    /// [`Error::Unusable`] for a damaged file, a newer schema or an SQLite that is too old.
    pub async fn open(directory: &Path) -> Result<Self> {
        private_directory(directory)?;
        let path = directory.join("shop.db");
        private_file(&path)?;
        let options = options(&path)?;

        let mut connection = options.clone().connect().await?;
        check_version(&mut connection).await?;
        migrate(&mut connection, &path).await?;

        let reader = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(1)
            .test_before_acquire(false)
            .connect_with(options.clone().read_only(true))
            .await?;
        let beside = options.connect().await?;
        sqlx::raw_sql(crate::intake::BOOKING).execute(&mut connection).await?;
        let tuning = Arc::new(Tuning::default());
        Ok(Self { reader, writer: Writer::start(connection, beside, tuning.clone()), tuning, path })
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The settings that decide what is written.
    #[must_use]
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// True once a failed sync has ended all writing of this process.
    #[must_use]
    pub fn halted(&self) -> bool {
        self.writer.halted()
    }

    /// What commits have changed, as they happen. A receiver that lags is told so and should ask for everything again.
    #[must_use]
    pub fn changes(&self) -> tokio::sync::broadcast::Receiver<Touched> {
        self.writer.changes()
    }

    /// Tells whoever hears [`Store::changes`] that `topic` is different, though no commit made it so.
    pub fn tell_changed(&self, topic: &str) {
        self.writer.announce(topic);
    }

    /// Finishes what is queued and closes the file; later writes are refused.
    pub async fn close(&self) {
        self.writer.close().await;
        self.reader.close().await;
    }
}

pub(crate) fn options(path: &Path) -> Result<SqliteConnectOptions> {
    let url = format!("sqlite://{}", path.display());
    Ok(SqliteConnectOptions::from_str(&url)
        .map_err(Error::from)?
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .statement_cache_capacity(256)
        .pragma("fullfsync", "1")
        .pragma("checkpoint_fullfsync", "1")
        // By `checkpoint` alone.
        .pragma("wal_autocheckpoint", "0")
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .pragma("mmap_size", "0")
        .pragma("journal_size_limit", "67108864")
        .pragma("temp_store", "MEMORY"))
}

async fn check_version(connection: &mut SqliteConnection) -> Result<()> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(connection).await?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found < MINIMUM_SQLITE {
        return Err(Error::Unusable(format!("SQLite {version} is too old; 3.51.3 or newer is needed")));
    }
    Ok(())
}

/// Brings the schema up to date. An existing database is copied beside itself first.
async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<()> {
    let migrator = sqlx::migrate!("../../migrations");
    let latest = migrator.iter().map(|migration| migration.version).max().unwrap_or_default();
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut *connection)
            .await?;
    if tables > 0 {
        let applied: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
            .fetch_one(&mut *connection)
            .await?;
        if applied < latest {
            let copy = path.with_extension(format!("before-{latest}.db"));
            if !copy.exists() {
                sqlx::query("VACUUM INTO $1")
                    .bind(copy.display().to_string())
                    .execute(&mut *connection)
                    .await?;
            }
        }
    }
    migrator.run(&mut *connection).await?;
    crate::audit::chain_old_rows(&mut *connection).await?;
    sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}")))
        .execute(&mut *connection)
        .await?;
    connection.ping().await?;
    Ok(())
}

#[cfg(unix)]
fn private_directory(directory: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if directory.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| unusable(directory, &error))
}

#[cfg(unix)]
pub(crate) fn private_file(path: &Path) -> Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| unusable(path, &error))?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(|error| unusable(path, &error))
}

#[cfg(not(unix))]
fn private_directory(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory).map_err(|error| unusable(directory, &error))
}

#[cfg(not(unix))]
pub(crate) fn private_file(_: &Path) -> Result<()> {
    // The user's profile directory is private by its access list.
    Ok(())
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::Unusable(format!("{}: {error}", path.display()))
}
