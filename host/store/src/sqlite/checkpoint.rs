//! Moving what was committed from the WAL to the database, beside the writer.
//!
//! Left to itself, `SQLite` does this inside a commit now and then, which then takes a hundred times as long as the
//! others. So a connection of its own does nearly all of it, in passes that don't block the writer. Only when the WAL has
//! grown large does the sequencer do the small rest between two groups, so that the next one begins the WAL anew: nobody
//! else can, since there are always new pages while it writes.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use sqlx::SqliteConnection;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{open, storage};
use crate::StoreError;

/// Bytes that are committed before a pass is worth it.
const PASS: u64 = 4 << 20;
/// Pages of WAL (64 MB) after which it is begun anew.
const LONG: i64 = (64 << 20) / open::PAGE_SIZE as i64;
/// Pages that may be left for the sequencer.
const REST: i64 = (1 << 20) / open::PAGE_SIZE as i64;
/// A pass leaves what was committed meanwhile, less each time.
const PASSES: usize = 4;

pub(crate) struct Checkpointer {
    wake: mpsc::Sender<()>,
    finish: Arc<AtomicBool>,
    /// Set once the disk failed to confirm a pass.
    poisoned: Arc<OnceLock<StoreError>>,
    committed: u64,
    task: JoinHandle<()>,
}

impl Checkpointer {
    pub(crate) async fn start(path: &Path) -> Result<Self, StoreError> {
        let mut connection = open::writer(path, None).await?;
        let (wake, mut woken) = mpsc::channel(1);
        let finish = Arc::new(AtomicBool::new(false));
        let poisoned = Arc::new(OnceLock::new());
        let (long, failed) = (Arc::clone(&finish), Arc::clone(&poisoned));
        let task = tokio::spawn(async move {
            while woken.recv().await.is_some() {
                match passes(&mut connection).await {
                    Ok(pages) if pages > LONG => long.store(true, Ordering::Relaxed),
                    Ok(_) => {}
                    // The WAL holds everything until a later pass; a full or failing disk shows in commits too.
                    Err(error) => note(&failed, error),
                }
            }
            open::close(connection).await;
        });
        Ok(Self { wake, finish, poisoned, committed: 0, task })
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

    /// Waits for a pass under way.
    pub(crate) async fn stop(self) {
        drop(self.wake);
        drop(self.task.await);
    }
}

/// Remembers a failure after which it is unknown what the disk holds; others mend themselves or show in commits.
fn note(poisoned: &OnceLock<StoreError>, error: StoreError) {
    tracing::warn!(%error, "moving the WAL to the database");
    if let StoreError::Poisoned { .. } = error {
        poisoned.get_or_init(|| error);
    }
}

/// Passes until little is left; answers how many pages the WAL has.
async fn passes(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let mut pages = 0;
    for _ in 0..PASSES {
        let (before, moved) = pass(connection).await?;
        pages = before;
        if pages < LONG || pages - moved < REST {
            break;
        }
    }
    Ok(pages)
}

/// One pass: pages in the WAL, and how many of them are in the database now.
async fn pass(connection: &mut SqliteConnection) -> Result<(i64, i64), StoreError> {
    let (_busy, pages, moved): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)")
        .fetch_one(connection)
        .await
        .map_err(storage("moving the WAL to the database"))?;
    Ok((pages, moved))
}
