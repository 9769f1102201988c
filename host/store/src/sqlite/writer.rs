//! The one connection that writes to the file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use assize_ledger::{Head, Tile, TileId};
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::checkpoint::Checkpointer;
use super::insert::{self, Inserts, Transaction};
use super::open;
use crate::db::storage;
use crate::writer::{Ending, NewEntry};
use crate::{StoreError, head};

pub(crate) struct Writer {
    path: PathBuf,
    max_bytes: Option<u64>,
    /// Held for as long as anything may be written.
    _lock: File,
    connection: Option<SqliteConnection>,
    /// Whether the connection is inside a transaction.
    begun: bool,
    inserts: Inserts,
    checkpointer: Checkpointer,
    /// Whether the WAL may still hold what was erased, and when to try to empty it again.
    residue: Option<Instant>,
}

impl Writer {
    pub(crate) async fn open(dir: &Path, max_bytes: Option<u64>) -> Result<Self, StoreError> {
        let (lock, path) = (open::lock(dir)?, open::database(dir));
        let mut connection = open::writer(&path, max_bytes).await?;
        open::migrate(&mut connection).await?;
        complete_nodes(&mut connection).await?;
        let checkpointer = Checkpointer::start(&path).await?;
        let (connection, inserts) = (Some(connection), Inserts::new());
        Ok(Self { path, max_bytes, _lock: lock, connection, begun: false, inserts, checkpointer, residue: None })
    }

    /// Nobody else writes, so the head that is known is the newest; the transaction begins with what is first added.
    pub(crate) async fn begin(&mut self, head: Option<Head>, origin: &str) -> Result<Head, StoreError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(open::writer(&self.path, self.max_bytes).await?),
        };
        self.begun = false;
        match head {
            Some(head) => Ok(head),
            None => head::read(connection.into(), origin).await,
        }
    }

    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.connection.as_mut().ok_or(StoreError::Closed)
    }

    pub(crate) async fn writing(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        let connection = self.connection.as_mut().ok_or(StoreError::Closed)?;
        Transaction::new(connection, self.begun).begun().await?;
        self.begun = true;
        Ok(connection)
    }

    pub(crate) async fn entry(&mut self, entry: NewEntry) -> Result<(), StoreError> {
        self.writing().await?;
        let connection = self.connection.as_mut().ok_or(StoreError::Closed)?;
        self.inserts.entry(connection, entry).await
    }

    pub(crate) async fn commit(&mut self, ending: Ending<'_>) -> Result<(), StoreError> {
        let connection = self.connection.as_mut().ok_or(StoreError::Closed)?;
        let transaction = Transaction::new(connection, self.begun);
        self.inserts.commit(transaction, ending.decisions, ending.tiles, ending.head).await
    }

    /// `SQLite` has rolled back already after some errors; then this one fails, and that is all right. The next group
    /// reads the head again, on a new connection if this one is beyond use.
    pub(crate) async fn undo(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if sqlx::query("ROLLBACK").execute(&mut connection).await.is_ok()
            || sqlx::query("SELECT 1").execute(&mut connection).await.is_ok()
        {
            self.connection = Some(connection);
        }
    }

    pub(crate) async fn probe(&mut self, size: u64) -> Result<(), StoreError> {
        let connection = self.connection.as_mut().ok_or(StoreError::Closed)?;
        let number = size & 0xffff;
        let sql = format!("BEGIN IMMEDIATE; PRAGMA user_version = {number}; COMMIT;");
        sqlx::query(AssertSqlSafe(sql)).execute(connection).await.map_err(storage("trying to write"))?;
        open::room(&self.path)
    }

    pub(crate) async fn answered(&mut self, bytes: u64) {
        if let Some(connection) = &mut self.connection {
            self.checkpointer.committed(bytes, connection).await;
            if self.residue.is_some_and(|due| due <= Instant::now()) {
                self.residue = (!empty(connection).await).then(|| Instant::now() + AGAIN);
            }
        }
    }

    /// Something is erased in the transaction under way.
    pub(crate) fn erased(&mut self) {
        self.residue = Some(Instant::now());
    }

    pub(crate) fn poisoned(&self) -> Option<StoreError> {
        self.checkpointer.poisoned()
    }

    pub(crate) async fn close(self) {
        let database = self.checkpointer.stop().await;
        if let Some(connection) = self.connection {
            open::close(connection).await;
        }
        drop(database);
    }
}

/// How long the writer waits for readers when it empties the WAL, and for how long it lets that be where they don't end.
const PATIENCE: &str = "PRAGMA busy_timeout = 20";
const AGAIN: Duration = Duration::from_secs(1);

/// Moves everything from the WAL to the database, where freed pages are overwritten, and empties it: until then it holds the
/// pages as they were. False where readers were in the way.
async fn empty(connection: &mut SqliteConnection) -> bool {
    let mut emptied = false;
    if sqlx::query(PATIENCE).execute(&mut *connection).await.is_ok() {
        let pass = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection);
        emptied = pass.await.is_ok_and(|(busy, _, _): (i64, i64, i64)| busy == 0);
    }
    let patience = format!("PRAGMA busy_timeout = {}", open::BUSY.as_millis());
    if let Err(error) = sqlx::query(AssertSqlSafe(patience)).execute(connection).await {
        tracing::warn!(%error, "the database keeps a short patience");
    }
    emptied
}

/// Adds the nodes of full tiles that an earlier version stored without them.
async fn complete_nodes(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed = storage("completing the tree's nodes");
    let sql = "SELECT t.level, t.idx, t.hashes FROM tiles t WHERE NOT EXISTS \
               (SELECT 1 FROM nodes n WHERE n.level = t.level + 1 AND n.idx = t.idx)";
    // In the order of writing there is none missing before one that is there: the count tells without looking at each.
    let missing: bool = sqlx::query_scalar("SELECT (SELECT count(*) FROM tiles) > (SELECT count(*) FROM nodes)")
        .fetch_one(&mut *connection)
        .await
        .map_err(&failed)?;
    if !missing {
        return Ok(());
    }
    let rows = sqlx::query(sql).fetch_all(&mut *connection).await.map_err(&failed)?;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await.map_err(&failed)?;
    for row in rows {
        let level: i64 = row.try_get(0).map_err(&failed)?;
        let index: i64 = row.try_get(1).map_err(&failed)?;
        let (Ok(level), Ok(index)) = (u8::try_from(level), u64::try_from(index)) else { continue };
        let tile = Tile { id: TileId { level, index }, hashes: row.try_get(2).map_err(&failed)? };
        insert::node(connection, &tile).await?;
    }
    sqlx::query("COMMIT").execute(connection).await.map_err(&failed)?;
    Ok(())
}
