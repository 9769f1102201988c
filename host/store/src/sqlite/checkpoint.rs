//! Moving what was committed from the WAL to the database, beside the writer.
//!
//! Left to itself, `SQLite` does this inside a commit now and then, which then takes a hundred times as long as the
//! others. So a connection of its own does nearly all of it, in passes that don't block the writer. Only when the WAL has
//! grown large does the sequencer do the small rest between two groups, so that the next one begins the WAL anew: nobody
//! else can, since there are always new pages while it writes.
//!
//! `SQLite` has the disk confirm the database only in a pass that catches up with the writer, which under load is none but
//! the sequencer's. Then the disk would owe it everything since the WAL began: 120 ms for 256 MB, with nothing written
//! meanwhile. So each pass here is followed by a confirmation of its own, and the sequencer's has little left to wait for.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use sqlx::SqliteConnection;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::open;
use crate::StoreError;
use crate::db::storage;

/// Bytes that are committed before a pass is worth it. A pass takes a core from the others while it lasts: with 32 MB the
/// 99th percentile of a loaded host was a third higher, with 4 MB more pages were moved twice.
const PASS: u64 = 8 << 20;
/// Pages of WAL (128 MB) after which it is begun anew.
const LONG: i64 = (128 << 20) / open::PAGE_SIZE as i64;
/// Pages of a pass that is the last but for the sequencer's.
const REST: i64 = (4 << 20) / open::PAGE_SIZE as i64;
/// A pass leaves what was committed meanwhile, less each time.
const PASSES: usize = 4;

pub(crate) struct Checkpointer {
    wake: mpsc::Sender<()>,
    finish: Arc<AtomicBool>,
    /// Set once the disk failed to confirm a pass.
    poisoned: Arc<OnceLock<StoreError>>,
    committed: u64,
    task: JoinHandle<()>,
    database: Arc<File>,
}

impl Checkpointer {
    pub(crate) async fn start(path: &Path) -> Result<Self, StoreError> {
        let mut connection = open::writer(path, None).await?;
        let failed = |error: std::io::Error| StoreError::Storage {
            action: "opening the database",
            detail: format!("{}: {error}", path.display()),
        };
        let database = Arc::new(File::options().write(true).open(path).map_err(failed)?);
        let (wake, mut woken) = mpsc::channel(1);
        let finish = Arc::new(AtomicBool::new(false));
        let poisoned = Arc::new(OnceLock::new());
        let (long, failed, file) = (Arc::clone(&finish), Arc::clone(&poisoned), Arc::clone(&database));
        let task = tokio::spawn(async move {
            while woken.recv().await.is_some() {
                match passes(&mut connection, &file).await {
                    Ok(pages) if pages > LONG => long.store(true, Ordering::Relaxed),
                    Ok(_) => {}
                    // The WAL holds everything until a later pass; a full or failing disk shows in commits too.
                    Err(error) => note(&failed, error),
                }
            }
            open::close(connection).await;
        });
        Ok(Self { wake, finish, poisoned, committed: 0, task, database })
    }

    /// After each commit: `bytes` more are in the WAL.
    pub(crate) async fn committed(&mut self, bytes: u64, writer: &mut SqliteConnection) {
        self.committed += bytes;
        if self.committed >= PASS && self.wake.try_send(()).is_ok() {
            self.committed = 0;
        }
        if self.finish.swap(false, Ordering::Relaxed)
            && let Err(error) = pass(writer).await
        {
            note(&self.poisoned, error);
        }
    }

    /// Why nothing may be written any more, if that is so.
    pub(crate) fn poisoned(&self) -> Option<StoreError> {
        self.poisoned.get().cloned()
    }

    /// Waits for a pass under way. The file that it gives back must outlive every connection to the database: on POSIX,
    /// closing a file gives up all of the process's locks on it, whoever took them.
    pub(crate) async fn stop(self) -> Arc<File> {
        drop(self.wake);
        drop(self.task.await);
        self.database
    }
}

/// Remembers a failure after which it is unknown what the disk holds; others mend themselves or show in commits.
fn note(poisoned: &OnceLock<StoreError>, error: StoreError) {
    tracing::warn!(%error, "moving the WAL to the database");
    if let StoreError::Poisoned { .. } = error {
        poisoned.get_or_init(|| error);
    }
}

/// Passes until the last one found little that was new; answers how many pages the WAL has.
async fn passes(connection: &mut SqliteConnection, database: &Arc<File>) -> Result<i64, StoreError> {
    let (mut pages, mut before) = (0, 0);
    for _ in 0..PASSES {
        let (found, moved) = pass(connection).await?;
        confirm(database).await?;
        pages = found;
        if pages < LONG || moved - before < REST {
            break;
        }
        before = moved;
    }
    Ok(pages)
}

/// Waits until what was moved is on the disk.
async fn confirm(database: &Arc<File>) -> Result<(), StoreError> {
    let (file, begun) = (Arc::clone(database), Instant::now());
    let confirmed = tokio::task::spawn_blocking(move || file.sync_data()).await;
    let confirmed = confirmed.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)));
    tracing::debug!(took = ?begun.elapsed(), "confirmed the database");
    // After this nobody knows what the disk holds; a later confirmation would say that all is well.
    confirmed.map_err(|error| StoreError::Poisoned { detail: format!("the database file: {error}") })
}

/// One pass: pages in the WAL, and how many of them are in the database now.
async fn pass(connection: &mut SqliteConnection) -> Result<(i64, i64), StoreError> {
    let begun = Instant::now();
    let (_busy, pages, moved): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)")
        .fetch_one(connection)
        .await
        .map_err(storage("moving the WAL to the database"))?;
    tracing::debug!(pages, moved, took = ?begun.elapsed(), "moved the WAL to the database");
    Ok((pages, moved))
}
