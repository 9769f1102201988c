//! Proofs and checkpoints, served from stored nodes: the log isn't read for them.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::db::{Row, int, query, query_scalar, storage};
use crate::read::Reader;
use crate::rows::{CheckpointRow, LogKeyRow};
use crate::{StoreError, edge};
use assize_ledger::tree::{Plan, TILE_WIDTH, Tiles};
use assize_ledger::{Digest, ProofError, TileId, proof};
use sqlx::AssertSqlSafe;

impl Reader {
    /// The newest checkpoint; none before the first.
    pub async fn checkpoint(&self) -> Result<Option<CheckpointRow>, StoreError> {
        let sql = "SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1";
        let row = query(sql).fetch_optional(&self.pool).await.map_err(storage("reading the newest checkpoint"))?;
        row.as_ref().map(checkpoint).transpose()
    }

    /// The first checkpoint of at least this size.
    pub async fn checkpoint_from(&self, size: u64) -> Result<Option<CheckpointRow>, StoreError> {
        let query = query("SELECT size, note FROM checkpoints WHERE size >= ? ORDER BY size LIMIT 1");
        let row = query.bind(int(size)).fetch_optional(&self.pool).await.map_err(storage("reading a checkpoint"))?;
        row.as_ref().map(checkpoint).transpose()
    }

    /// Checkpoints from this size on, the smallest first.
    pub async fn checkpoints(&self, from: u64, limit: u32) -> Result<Vec<CheckpointRow>, StoreError> {
        let query = query("SELECT size, note FROM checkpoints WHERE size >= ? ORDER BY size LIMIT ?");
        let query = query.bind(int(from)).bind(i64::from(limit));
        let rows = query.fetch_all(&self.pool).await.map_err(storage("listing checkpoints"))?;
        rows.iter().map(checkpoint).collect()
    }

    /// Witnesses' signature lines over the checkpoint of this size, with their keys.
    pub async fn cosignatures(&self, size: u64) -> Result<Vec<(String, String)>, StoreError> {
        let failed = storage("reading cosignatures");
        let query = query("SELECT key, line FROM cosignatures WHERE size = ? ORDER BY key").bind(int(size));
        let rows = query.fetch_all(&self.pool).await.map_err(&failed)?;
        let line = |row: &Row| Ok((row.try_get(0).map_err(&failed)?, row.try_get(1).map_err(&failed)?));
        rows.iter().map(line).collect()
    }

    /// A checkpoint's note with the lines of those who signed it beside the log.
    pub async fn with_cosignatures(&self, size: u64, note: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut note = note.to_vec();
        for (_, line) in self.cosignatures(size).await? {
            note.extend_from_slice(line.as_bytes());
            note.push(b'\n');
        }
        Ok(note)
    }

    /// The smallest and the largest checkpoint of more than `seq` entries, and of no more than `size`, that each witness
    /// signed.
    pub async fn cosigned_between(&self, seq: u64, size: u64) -> Result<Vec<(u64, u64)>, StoreError> {
        let failed = storage("reading cosignatures");
        let sql =
            "SELECT min(size), max(size) FROM cosignatures WHERE size > ? AND size <= ? GROUP BY key ORDER BY key";
        let rows = query(sql).bind(int(seq)).bind(int(size)).fetch_all(&self.pool).await.map_err(&failed)?;
        let size = |row: &Row, at| -> Result<u64, StoreError> {
            let size: i64 = row.try_get(at).map_err(&failed)?;
            Ok(u64::try_from(size).unwrap_or_default())
        };
        rows.iter().map(|row| Ok((size(row, 0)?, size(row, 1)?))).collect()
    }

    /// The largest checkpoint that a witness with this key signed; 0 for none.
    pub async fn cosigned_by(&self, key: &str) -> Result<u64, StoreError> {
        let query = query_scalar("SELECT max(size) FROM cosignatures WHERE key = ?").bind(key);
        let size: Option<i64> = query.fetch_one(&self.pool).await.map_err(storage("reading cosignatures"))?;
        Ok(size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default())
    }

    /// The keys that sign checkpoints, oldest first.
    pub async fn log_keys(&self) -> Result<Vec<LogKeyRow>, StoreError> {
        let sql = "SELECT k.seq, k.key, e.bytes FROM log_keys k JOIN entries e ON e.seq = k.seq ORDER BY k.seq";
        let failed = storage("listing the log's keys");
        let rows = query(sql).fetch_all(&self.pool).await.map_err(&failed)?;
        let key = |row: &Row| {
            let seq = u64::try_from(row.try_get::<i64>(0).map_err(&failed)?).unwrap_or(u64::MAX);
            Ok(LogKeyRow { seq, key: row.try_get(1).map_err(&failed)?, entry: row.try_get(2).map_err(&failed)? })
        };
        rows.iter().map(key).collect()
    }

    /// The hash of an entry, which is its leaf hash; none if there is no such entry.
    pub async fn entry_hash(&self, seq: u64) -> Result<Option<Digest>, StoreError> {
        let query = query_scalar("SELECT hash FROM entries WHERE seq = ?").bind(int(seq));
        let hash: Option<Vec<u8>> =
            query.fetch_optional(&self.pool).await.map_err(storage("reading an entry's hash"))?;
        hash.map(|hash| digest(&hash, || format!("entry {seq}"))).transpose()
    }

    /// The proof that the entry `seq` is in the log when it had `size` entries.
    ///
    /// # Errors
    /// [`StoreError::Proof`] when there is none, [`StoreError::Corrupt`] when stored nodes are missing.
    pub async fn inclusion_proof(&self, seq: u64, size: u64) -> Result<Vec<Digest>, StoreError> {
        self.within(size).await?;
        self.roots(proof::inclusion(seq, size)?).await
    }

    /// The proof that the log with `new` entries begins with the log of `old` entries.
    ///
    /// # Errors
    /// As [`Reader::inclusion_proof`].
    pub async fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Digest>, StoreError> {
        self.within(new).await?;
        self.roots(proof::consistency(0..old, new)?).await
    }

    /// The root of the log when it had `size` entries.
    pub async fn root_at(&self, size: u64) -> Result<Digest, StoreError> {
        self.within(size).await?;
        let whole = 0..size;
        Ok(self.roots(vec![whole]).await?.pop().unwrap_or_else(assize_ledger::tree::empty_root))
    }

    /// The roots of subtrees, each of which starts at a multiple of the next power of two of its size.
    pub async fn roots(&self, subtrees: Vec<Range<u64>>) -> Result<Vec<Digest>, StoreError> {
        let size = subtrees.iter().map(|subtree| subtree.end).max().unwrap_or(0);
        let plan = Plan::new(subtrees);
        let tiles = self.tiles(plan.tiles(), size).await?;
        let corrupt =
            |error: assize_ledger::TreeError| StoreError::Corrupt { record: "tree".into(), detail: error.to_string() };
        let roots = plan.roots(&tiles).map_err(corrupt)?;
        self.edge.reached(size);
        Ok(roots)
    }

    /// The first `width` hashes of a tile; fewer if there aren't as many.
    pub async fn tile(&self, id: TileId, width: usize) -> Result<Vec<Digest>, StoreError> {
        let failed = storage("reading a tile");
        // One row, where there may be 256 others that lie far apart.
        let query = query_scalar("SELECT hashes FROM tiles WHERE level = ? AND idx = ?");
        let query = query.bind(i64::from(id.level)).bind(int(id.index));
        let full: Option<Vec<u8>> = query.fetch_optional(&self.pool).await.map_err(&failed)?;
        if let Some(hashes) = full {
            return hashes.chunks(32).take(width).map(|hash| digest(hash, || name(id))).collect();
        }
        self.hashes(id, 0..width).await
    }

    /// Some hashes of a tile, each from the row that it has whether the tile is full or not.
    async fn hashes(&self, id: TileId, within: Range<usize>) -> Result<Vec<Digest>, StoreError> {
        let failed = storage("reading a tile");
        let first = id.index.saturating_mul(TILE_WIDTH as u64);
        let (from, end) = (first.saturating_add(within.start as u64), first.saturating_add(within.end as u64));
        let hashes: Vec<Vec<u8>> = if id.level == 0 {
            let query = query_scalar("SELECT hash FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq");
            query.bind(int(from)).bind(int(end)).fetch_all(&self.pool).await.map_err(&failed)?
        } else {
            let query = query_scalar("SELECT hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx");
            let query = query.bind(i64::from(id.level)).bind(int(from)).bind(int(end));
            query.fetch_all(&self.pool).await.map_err(&failed)?
        };
        hashes.iter().map(|hash| digest(hash, || name(id))).collect()
    }

    /// All tiles of a plan in a log of this size: the full ones with one query, the others from memory and what came after.
    async fn tiles(&self, wanted: BTreeMap<TileId, usize>, size: u64) -> Result<Tiles, StoreError> {
        let full = wanted.keys().copied().filter(|id| edge::is_full(size, *id)).collect();
        let mut tiles = self.full_tiles(full).await?;
        for (id, width) in wanted {
            if tiles.contains_key(&id) {
                continue;
            }
            let mut hashes = self.edge.get(id);
            if hashes.len() < width {
                hashes.append(&mut self.hashes(id, hashes.len()..width).await?);
                // With a hole, what follows it would stand in the wrong place.
                if hashes.len() == width {
                    self.edge.keep(size, id, &hashes);
                }
            }
            tiles.insert(id, hashes);
        }
        Ok(tiles)
    }

    /// Full tiles, but for those that aren't stored.
    async fn full_tiles(&self, ids: Vec<TileId>) -> Result<Tiles, StoreError> {
        if ids.is_empty() {
            return Ok(Tiles::new());
        }
        let one = "SELECT level, idx, hashes FROM tiles WHERE level = ? AND idx = ?";
        let query = query(AssertSqlSafe(vec![one; ids.len()].join(" UNION ALL ")));
        let query = ids.iter().fold(query, |query, id| query.bind(i64::from(id.level)).bind(int(id.index)));
        let failed = storage("reading tiles");
        let mut tiles = Tiles::new();
        for row in query.fetch_all(&self.pool).await.map_err(&failed)? {
            let (level, index): (i64, i64) = (row.try_get(0).map_err(&failed)?, row.try_get(1).map_err(&failed)?);
            let found = ids.iter().find(|id| (i64::from(id.level), int(id.index)) == (level, index));
            let Some(&id) = found else { continue };
            let hashes: &[u8] = row.try_get(2).map_err(&failed)?;
            let hashes: Result<_, _> = hashes.chunks(32).map(|hash| digest(hash, || name(id))).collect();
            tiles.insert(id, hashes?);
        }
        Ok(tiles)
    }

    /// Refuses sizes that the log hasn't reached.
    async fn within(&self, size: u64) -> Result<(), StoreError> {
        if size <= self.edge.size() {
            return Ok(());
        }
        let newest = self.head().await?.map_or(0, |head| head.size);
        if size <= newest { Ok(()) } else { Err(ProofError::Size { old: size, new: newest }.into()) }
    }
}

/// As the check names it.
fn name(id: TileId) -> String {
    format!("tile {}/{}", id.level, id.index)
}

fn checkpoint(row: &Row) -> Result<CheckpointRow, StoreError> {
    let failed = storage("reading a checkpoint");
    let size = row.try_get::<i64>(0).map_err(&failed)?;
    Ok(CheckpointRow { size: u64::try_from(size).unwrap_or(u64::MAX), note: row.try_get(1).map_err(&failed)? })
}

fn digest(bytes: &[u8], record: impl Fn() -> String) -> Result<Digest, StoreError> {
    Digest::try_from(bytes).map_err(|error| StoreError::Corrupt { record: record(), detail: error.to_string() })
}
