//! One host at a time begins a database: it makes the tables, publishes what it brings and sets the first policy, and
//! the next finds all of it there.

use sqlx::{Connection as _, PgConnection};

use super::open;
use crate::StoreError;
use crate::db::storage;

/// "ASSIZE" in ASCII; the server keeps such locks apart by database.
const LOCK: i64 = 0x4153_5349_5A45;

/// The turn to begin or open the database, held until [`Starting::ended`], or until this host's connection breaks.
///
/// It is a session's advisory lock on a connection of its own: it needs no table and no right, and ends with the process.
/// What it spares is hosts that fail at each other's half-made beginning; what is recorded is fenced by the head anyway.
#[derive(Debug)]
pub struct Starting(PgConnection);

impl Starting {
    /// Waits for its turn, however long other hosts take.
    ///
    /// # Errors
    /// [`StoreError::Storage`] where the server can't be reached.
    pub async fn wait(url: &str) -> Result<Self, StoreError> {
        let failed = storage("waiting for the turn to start");
        let mut connection = open::connect(&open::options(url)?).await?;
        let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut connection)
            .await
            .map_err(&failed)?;
        if !free {
            tracing::info!("another host is starting on this database: waiting for it");
            // Compiling what a host brings may take longer than any other lock is waited for.
            sqlx::query("SET lock_timeout = 0").execute(&mut connection).await.map_err(&failed)?;
            sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await.map_err(&failed)?;
        }
        Ok(Self(connection))
    }

    /// Lets the next host start.
    pub async fn ended(self) {
        // A connection that is broken has given up the lock already.
        drop(self.0.close().await);
    }
}
