//! What proofs need again and again, in memory: how far the log is known to reach, and the tiles at its right edge.
//!
//! A tile that isn't full yet has a row for each of its hashes, of entries that lie far apart. What was read of it once
//! stays true, since the log only grows: so only what came after is read again. There is one such tile for each level.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use assize_ledger::{Digest, TileId};

#[derive(Debug, Default)]
pub(crate) struct Edge {
    /// Entries that a proof was read for: the log has them.
    size: AtomicU64,
    tiles: Mutex<BTreeMap<TileId, Vec<Digest>>>,
}

impl Edge {
    /// How many entries the log is known to have, at least.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    /// Proofs in a log of this many entries could be read.
    pub(crate) fn reached(&self, size: u64) {
        self.size.fetch_max(size, Ordering::Relaxed);
    }

    /// What is known of a tile that isn't full.
    pub(crate) fn get(&self, id: TileId) -> Vec<Digest> {
        let tiles = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        tiles.get(&id).cloned().unwrap_or_default()
    }

    /// Keeps what was read of a tile, if it is the one at the edge of a log of this size.
    pub(crate) fn keep(&self, size: u64, id: TileId, hashes: &[Digest]) {
        let mut tiles = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        tiles.retain(|id, _| !is_full(size, *id));
        if id.index == full(size, id.level) {
            let kept = tiles.entry(id).or_default();
            if kept.len() < hashes.len() {
                *kept = hashes.to_vec();
            }
        }
    }
}

/// Whether a tile is full in a log of this size.
pub(crate) fn is_full(size: u64, id: TileId) -> bool {
    id.index < full(size, id.level)
}

/// How many tiles of a level are full.
fn full(size: u64, level: u8) -> u64 {
    size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(count: usize) -> Vec<Digest> {
        (0..count).map(|n| Digest::of(&n.to_be_bytes())).collect()
    }

    #[test]
    fn only_tiles_at_the_edge_are_kept_and_only_until_they_are_full() {
        let edge = Edge::default();
        let id = |level, index| TileId { level, index };
        assert!(is_full(700, id(0, 1)) && !is_full(700, id(0, 2)) && !is_full(700, id(1, 0)));
        edge.keep(700, id(0, 2), &hashes(100));
        edge.keep(700, id(0, 2), &hashes(50));
        edge.keep(700, id(1, 0), &hashes(2));
        edge.keep(700, id(0, 1), &hashes(256));
        assert_eq!((edge.get(id(0, 2)), edge.get(id(1, 0)), edge.get(id(0, 1))), (hashes(100), hashes(2), Vec::new()));
        edge.keep(768, id(0, 3), &hashes(1));
        assert_eq!((edge.get(id(0, 2)), edge.get(id(0, 3)), edge.get(id(1, 0))), (Vec::new(), hashes(1), hashes(2)));
        assert_eq!(full(u64::MAX, 7), 0);
    }
}
