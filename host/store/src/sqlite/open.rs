//! Opening the database file, for one writer or for readers alone.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::insert;
use crate::StoreError;
use crate::db::storage;

/// The schema, in steps; each is applied once, in order.
pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

const DATABASE: &str = "assize.db";
const LOCK: &str = "assize.lock";

/// A page of the system. A sealed input and record of 4 to 5 KB take one overflow page and little of the table's own, where
/// in pages twice as large each would have one to itself and leave half of it empty; and the last page of each table and
/// index, which every commit writes again, is small.
pub(crate) const PAGE_SIZE: u32 = 4_096;
/// Pages of WAL (1 GB) after which a commit moves them to the database itself, should the task that does so fail.
const CHECKPOINT_PAGES: u32 = (1 << 30) / PAGE_SIZE;
/// Room for the pages of one group, so that none has to be written before its commit; in KiB.
const CACHE: &str = "-8192";
/// Reading goes on beside the writer, so waiting is for the rare moment of a checkpoint or of a starting server.
pub(super) const BUSY: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
/// Rows that a connection's thread reads ahead of whoever takes them; each time they wait for each other costs more than
/// a row.
const ROWS: usize = 512;

/// Where a directory's database is.
pub(crate) fn database(dir: &Path) -> PathBuf {
    dir.join(DATABASE)
}

/// Keeps other processes from writing to the directory, for as long as it lives.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let failed = |error: std::io::Error| StoreError::Storage {
        action: "opening the data directory",
        detail: format!("{}: {error}", path.display()),
    };
    fs::create_dir_all(dir).map_err(failed)?;
    let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The one connection that writes.
pub(crate) async fn writer(path: &Path, max_bytes: Option<u64>) -> Result<SqliteConnection, StoreError> {
    let mut options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .page_size(PAGE_SIZE)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
        .pragma("cache_size", CACHE)
        // What is erased is overwritten, and not only forgotten. It costs nothing where nothing is erased.
        .pragma("secure_delete", "ON")
        .statement_cache_capacity(insert::PREPARED)
        .disable_statement_logging();
    if let Some(bytes) = max_bytes {
        options = options.pragma("max_page_count", (bytes / u64::from(PAGE_SIZE)).to_string());
    }
    options.connect().await.map_err(storage("opening the database"))
}

/// Applies what is missing of the schema.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    MIGRATIONS.run(connection).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(error) => storage("migrating the database")(error),
        other => StoreError::Storage { action: "migrating the database", detail: other.to_string() },
    })
}

/// Connections that can only read; they work beside a writer and without one, and never create the file.
pub(crate) async fn readers(path: &Path) -> Result<SqlitePool, StoreError> {
    if !path.is_file() {
        return Err(StoreError::Missing { path: path.display().to_string() });
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(true)
        .row_buffer_size(ROWS)
        .busy_timeout(BUSY)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new().max_connections(READERS);
    let opened = pool.clone().connect_with(options.clone()).await;
    let schema = "SELECT count(*) FROM sqlite_schema";
    let failure = match opened {
        Ok(pool) => match sqlx::query(schema).execute(&pool).await {
            Ok(_) => return Ok(pool),
            Err(error) => error,
        },
        Err(error) => error,
    };
    // A WAL database in a directory that can't be written to (a mounted copy, an archive) can only be read as a file
    // that nobody changes; with a WAL beside it, that would miss what is in there.
    let wal = path.with_extension("db-wal");
    let quiet = fs::metadata(&wal).map_or(true, |wal| wal.len() == 0);
    if !quiet {
        return Err(storage("opening the database")(failure));
    }
    let opened = pool.connect_with(options.immutable(true)).await.map_err(storage("opening the database"))?;
    sqlx::query(schema).execute(&opened).await.map_err(storage("opening the database"))?;
    Ok(opened)
}

/// Bytes that must be left on the disk for the store to call itself ready: a group of decisions and the pages that hold it.
#[cfg(unix)]
const ROOM: u64 = 8 << 20;

/// Whether the disk has room for more.
#[cfg(unix)]
pub(crate) fn room(database: &Path) -> Result<(), StoreError> {
    // Where the system doesn't tell, commits will.
    let Ok(disk) = rustix::fs::statvfs(database) else { return Ok(()) };
    let left = disk.f_bavail.saturating_mul(disk.f_frsize);
    if left >= ROOM {
        return Ok(());
    }
    Err(StoreError::DiskFull {
        detail: format!("{left} bytes left, {ROOM} needed: make room in {}", database.display()),
    })
}

/// Whether the disk has room for more: commits will tell.
#[cfg(not(unix))]
pub(crate) fn room(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// Closes a connection, so that its part of the WAL is moved to the database if it is the last.
pub(crate) async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "closing the database");
    }
}
