//! `SQLite`: one file, one writer, WAL.
//!
//! `synchronous=FULL` makes a commit wait for the disk; without it, WAL loses acknowledged commits at power loss. The
//! writer begins every transaction with `BEGIN IMMEDIATE`: a deferred one that later writes fails at once with
//! `SQLITE_BUSY_SNAPSHOT` when another wrote meanwhile, whatever the busy timeout.

pub(crate) mod checkpoint;
pub(crate) mod insert;
pub(crate) mod open;
pub(crate) mod proofs;
pub(crate) mod read;
pub(crate) mod sequencer;
pub(crate) mod verify;

use sqlx::error::DatabaseError;

use crate::StoreError;

/// `SQLITE_FULL`: the disk, or the limit on pages.
const FULL: i32 = 13;
/// `SQLITE_READONLY`.
const READONLY: i32 = 8;
/// `SQLITE_IOERR_FSYNC` and `SQLITE_IOERR_DIR_FSYNC`: after these, what the disk holds is unknown.
const FSYNC: [i32; 2] = [1034, 1290];

/// Says what was being done when the database failed.
pub(crate) fn storage(action: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| {
        let code = error.as_database_error().and_then(DatabaseError::code).and_then(|code| code.parse::<i32>().ok());
        let detail = error.to_string();
        match code {
            Some(code) if FSYNC.contains(&code) => StoreError::Poisoned { detail },
            // The low byte is the primary code, the rest says more.
            Some(code) if code & 0xff == FULL => StoreError::DiskFull { detail },
            Some(code) if code & 0xff == READONLY => StoreError::ReadOnly { detail },
            _ => StoreError::Storage { action, detail },
        }
    }
}

/// `SQLite`'s integers are signed; no count of ours comes near the limit.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
