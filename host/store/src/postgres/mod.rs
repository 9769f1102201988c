//! PostgreSQL: many hosts, one head.
//!
//! Every group is one transaction. It begins by taking the lock on the one row of `head`, so that hosts take turns in the
//! order in which they asked; it goes on from what others appended meanwhile; and its last statement moves the head from
//! the size and hash that it went on from. That, and not the lock, is the fence: where it finds another head, nothing of
//! the group stays.
//!
//! Each connection asks for `synchronous_commit = on`, whatever the server's default: with `off`, a crash of the server
//! loses acknowledged commits.

mod insert;
mod listen;
pub(crate) mod open;
pub(crate) mod schema;
mod starting;
mod writer;

pub(crate) use listen::Listener;
pub use starting::Starting;
pub(crate) use writer::Writer;

use crate::StoreError;

/// Columns that stand in an index, two of them together at most, and the bytes that each may have: an index takes 2,704 of
/// a row.
const INDEXED: [&str; 9] =
    ["id", "tenant", "system", "idempotency_key", "data_subject", "name", "version", "scope", "package"];
const LONGEST: usize = 1_024;

/// What a failure of PostgreSQL means.
pub(crate) fn failure(action: &'static str, error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code().map(String::from));
    let detail = error.to_string();
    match code.as_deref() {
        Some("53100") => StoreError::DiskFull { detail },
        Some("25006") => StoreError::ReadOnly { detail },
        _ => StoreError::Storage { action, detail },
    }
}

/// Refuses texts that the database can't hold, before they fail a whole group.
pub(crate) fn holds<'t>(texts: impl IntoIterator<Item = (&'static str, &'t str)>) -> Result<(), StoreError> {
    for (field, text) in texts {
        if text.contains('\0') {
            return Err(StoreError::Invalid { field, detail: "PostgreSQL can't store the character U+0000".into() });
        }
        if text.len() > LONGEST && INDEXED.contains(&field) {
            let detail = format!("{} bytes, at most {LONGEST} in PostgreSQL", text.len());
            return Err(StoreError::Invalid { field, detail });
        }
    }
    Ok(())
}
