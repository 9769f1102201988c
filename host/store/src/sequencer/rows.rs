//! Adding what is rare: each row by itself, within the group's transaction.

use assize_ledger::Timestamp;
use sqlx::AssertSqlSafe;

use crate::StoreError;
use crate::db::{On, Query, int, query, storage};
use crate::record::ChangeRow;

/// Adds the row of a change to its table.
pub(crate) async fn change(on: On<'_>, row: ChangeRow, at: Timestamp, seq: u64) -> Result<(), StoreError> {
    let columns: Vec<&str> = row.cells.iter().map(|(column, _)| *column).collect();
    let marks = vec!["?"; columns.len() + 2].join(",");
    let sql = format!("INSERT INTO {} ({}, at, seq) VALUES ({marks})", row.table, columns.join(", "));
    let cells = row.cells.into_iter().map(|(_, cell)| cell);
    let query = cells.fold(query(AssertSqlSafe(sql)), Query::bind);
    let query = query.bind(int(at.as_millis())).bind(int(seq));
    query.execute(on).await.map_err(storage("adding a change"))?;
    Ok(())
}

/// Adds a checkpoint, unless there is one of its size: the log stands still then, and signs the same again.
pub(crate) async fn checkpoint(on: On<'_>, size: u64, note: &[u8]) -> Result<(), StoreError> {
    let query = query("INSERT INTO checkpoints (size, note) VALUES (?, ?) ON CONFLICT DO NOTHING");
    query.bind(int(size)).bind(note).execute(on).await.map_err(storage("adding a checkpoint"))?;
    Ok(())
}

/// Adds a witness's signature, unless it has signed that checkpoint before.
pub(crate) async fn cosignature(on: On<'_>, size: u64, key: String, line: String) -> Result<(), StoreError> {
    let query = query("INSERT INTO cosignatures (size, key, line) VALUES (?, ?, ?) ON CONFLICT DO NOTHING");
    let query = query.bind(int(size)).bind(key).bind(line);
    query.execute(on).await.map_err(storage("adding a cosignature"))?;
    Ok(())
}

/// Adds content by its hash, unless it is there.
pub(crate) async fn snapshot(on: On<'_>, hash: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
    let query = query("INSERT INTO snapshots (hash, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING");
    query.bind(hash).bind(bytes).execute(on).await.map_err(storage("adding a snapshot"))?;
    Ok(())
}

/// Adds a component by its digest, unless it is there.
pub(crate) async fn component(on: On<'_>, digest: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
    let query = query("INSERT INTO components (digest, size, bytes) VALUES (?, ?, ?) ON CONFLICT DO NOTHING");
    let query = query.bind(digest).bind(int(bytes.len() as u64)).bind(bytes);
    query.execute(on).await.map_err(storage("adding a component"))?;
    Ok(())
}
