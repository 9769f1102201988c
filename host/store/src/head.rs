//! Where the log stands, read from what is stored.

use assize_ledger::{Digest, Frontier, Head, Tile, Timestamp};

use crate::StoreError;
use crate::db::{On, int, query, query_scalar, storage};

/// Where the log stands. Reads the last entry, the tiles at the tree's right edge and the hashes after them, and
/// compares the root with the one that was stored.
pub(crate) async fn read(mut on: On<'_>, origin: &str) -> Result<Head, StoreError> {
    let failed = storage("reading the end of the ledger");
    let last = query("SELECT seq, hash, time FROM entries ORDER BY seq DESC LIMIT 1");
    let last = last.fetch_optional(on.again()).await.map_err(&failed)?;
    let Some(last) = last else { return Ok(Head::new(origin)) };
    let seq: i64 = last.try_get(0).map_err(&failed)?;
    let hash: Vec<u8> = last.try_get(1).map_err(&failed)?;
    let time: i64 = last.try_get(2).map_err(&failed)?;
    let corrupt = |detail: String| StoreError::Corrupt { record: format!("entry {seq}"), detail };
    let seq = u64::try_from(seq).map_err(|error| corrupt(error.to_string()))?;
    let hash = Digest::try_from(hash.as_slice()).map_err(|error| corrupt(error.to_string()))?;
    let time = u64::try_from(time)
        .ok()
        .and_then(Timestamp::from_millis)
        .ok_or_else(|| corrupt(format!("time: found {time}")))?;
    let size = seq + 1;

    let mut tiles = Vec::new();
    for id in Frontier::tiles_needed(size) {
        let hashes: Option<Vec<u8>> = query_scalar("SELECT hashes FROM tiles WHERE level = ? AND idx = ?")
            .bind(i64::from(id.level))
            .bind(int(id.index))
            .fetch_optional(on.again())
            .await
            .map_err(&failed)?;
        tiles.extend(hashes.map(|hashes| Tile { id, hashes }));
    }
    let tail: Vec<Vec<u8>> = query_scalar("SELECT hash FROM entries WHERE seq >= ? ORDER BY seq")
        .bind(int(size & !0xff))
        .fetch_all(on.again())
        .await
        .map_err(&failed)?;
    let tail: Result<Vec<Digest>, _> = tail.iter().map(|hash| Digest::try_from(hash.as_slice())).collect();
    let tail = tail.map_err(|error| corrupt(error.to_string()))?;
    let frontier = Frontier::from_tiles(size, &tiles, &tail).map_err(|error| corrupt(error.to_string()))?;

    let stored: Option<Vec<u8>> = query_scalar("SELECT root FROM heads WHERE size = ?")
        .bind(int(size))
        .fetch_optional(on)
        .await
        .map_err(&failed)?;
    let root = frontier.root();
    if stored.as_deref() != Some(root.as_bytes().as_slice()) {
        let found = stored.map_or_else(|| "nothing".to_owned(), |stored| crate::record::hex(&stored));
        let detail = format!("root: found {found}, expected {root}");
        return Err(StoreError::Corrupt { record: format!("head {size}"), detail });
    }
    Ok(Head::resume(origin, hash, time, frontier))
}
