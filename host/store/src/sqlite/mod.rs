//! `SQLite`: one file, one writer, WAL.
//!
//! `synchronous=FULL` makes a commit wait for the disk; without it, WAL loses acknowledged commits at power loss. The
//! writer begins every transaction with `BEGIN IMMEDIATE`: a deferred one that later writes fails at once with
//! `SQLITE_BUSY_SNAPSHOT` when another wrote meanwhile, whatever the busy timeout.

mod arguments;
mod checkpoint;
mod insert;
pub(crate) mod open;
pub(crate) mod schema;
mod writer;

pub(crate) use writer::Writer;

use sqlx::error::DatabaseError;

use crate::StoreError;

/// `SQLITE_FULL`: the disk, or the limit on pages.
const FULL: i32 = 13;
/// `SQLITE_READONLY`.
const READONLY: i32 = 8;
/// `SQLITE_IOERR_FSYNC` and `SQLITE_IOERR_DIR_FSYNC`: after these, what the disk holds is unknown.
const FSYNC: [i32; 2] = [1034, 1290];

/// What a failure of `SQLite` means.
pub(crate) fn failure(action: &'static str, error: sqlx::Error) -> StoreError {
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
